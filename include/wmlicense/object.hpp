/// @file object.hpp
/// What every object has: a handle that goes when the object does, and properties; and what those with background verbs have:
/// waiting, cancelling, a callback.
#ifndef WMLICENSE_OBJECT_HPP
#define WMLICENSE_OBJECT_HPP

#include <wmlicense/properties.hpp>
#include <wmlicense/status.hpp>

#include <cmath>

namespace wm {
WMLICENSE_VARIANT_BEGIN

/// A handle and the properties behind it. Move-only: duplicate() makes a second owner. One that was moved from answers as C does
/// to NULL: WM_E_INVALIDARG. `Kept` is what callbacks need; it goes after the handle.
template <class Self, class Handle, class Kept = void> class object {
public:
  /// One owner: see duplicate().
  object(const object &) = delete;
  /// One owner: see duplicate().
  object &operator=(const object &) = delete;
  /// What an object is made of.
  struct parts {
    /// A reference that is handed over.
    Handle *handle;
    /// What callbacks need.
    std::shared_ptr<Kept> kept;
  };

  /// The handle for functions of C. It stays this object's.
  Handle *get() const noexcept { return handle_; }
  /// Whether there is an object.
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  /// A second owner of the same object.
  Self duplicate() const {
    outcome<>(wm_add_ref(handle_)).value();
    return Self(parts{handle_, kept_});
  }

  /// Sets a property, such as `set(wm::prop::service_url, "https://licenses.example")`.
  template <class Value, access Access, class... Objects>
  outcome<> try_set(const property<Value, Access, Objects...> &property,
                    typename detail::form<Value>::parameter value) {
    static_assert(Access != access::read_only, "this property can only be read");
    belongs<Objects...>();
    return detail::form<Value>::set(handle_, property.name, value);
  }
  /// The same; throws wm::error.
  template <class Value, access Access, class... Objects>
  void set(const property<Value, Access, Objects...> &property, typename detail::form<Value>::parameter value) {
    try_set(property, value).value();
  }
  /// Reads a property.
  template <class Value, access Access, class... Objects>
  outcome<Value> try_get(const property<Value, Access, Objects...> &property) const {
    static_assert(Access != access::write_only, "this property can only be set");
    belongs<Objects...>();
    return detail::form<Value>::get(handle_, property.name);
  }
  /// The same; throws wm::error, also where it has no value.
  template <class Value, access Access, class... Objects>
  Value get(const property<Value, Access, Objects...> &property) const {
    return try_get(property).value();
  }
  /// Reads a property that may have no value. Throws wm::error for everything else.
  template <class Value, access Access, class... Objects>
  std::optional<Value> find(const property<Value, Access, Objects...> &property) const {
    outcome<Value> read = try_get(property);
    if (read.result() == WM_E_UNSUPPORTED_PROPERTY) return std::nullopt;
    return std::move(read).value();
  }
  /// Takes a property's value away; a default applies again.
  template <class Value, access Access, class... Objects>
  outcome<> try_remove(const property<Value, Access, Objects...> &property) {
    belongs<Objects...>();
    return wm_remove_prop(handle_, property.name);
  }
  /// The same; throws wm::error.
  template <class Value, access Access, class... Objects>
  void remove(const property<Value, Access, Objects...> &property) {
    try_remove(property).value();
  }
  /// Takes every value away that may go at present.
  outcome<> try_remove_all() { return wm_remove_all_props(handle_); }
  /// The same; throws wm::error.
  void remove_all() { try_remove_all().value(); }

  /// Names of the properties that can be read at present, custom elements of a content header among them.
  outcome<std::vector<std::string>> try_property_names() const {
    std::vector<std::string> names;
    std::size_t count = 0;
    wm_result result = wm_get_prop_count(handle_, &count);
    for (std::size_t index = 0; result >= 0 && index < count; index++) {
      outcome<std::string> one = detail::read_text([&](char *buf, std::size_t size, std::size_t *needed) {
        return wm_get_prop_name(handle_, index, buf, size, needed);
      });
      result = one.result();
      if (one) names.push_back(*std::move(one));
    }
    if (result < 0) return outcome<std::vector<std::string>>::failure(result);
    return names;
  }
  /// The same; throws wm::error.
  std::vector<std::string> property_names() const { return try_property_names().value(); }
  /// A text by its name, for those that no constant names.
  outcome<std::string> try_get_text(const std::string &name) const {
    wm_attr_type type = WM_TYPE_STRING;
    const wm_result result = wm_get_prop(handle_, name.c_str(), &type, nullptr, 0, nullptr);
    if (result < 0) return outcome<std::string>::failure(result);
    if (type != WM_TYPE_STRING) return outcome<std::string>::failure(WM_E_WRONG_TYPE);
    return detail::form<std::string>::get(handle_, name.c_str());
  }
  /// The same; throws wm::error.
  std::string get_text(const std::string &name) const { return try_get_text(name).value(); }

protected:
  /// Of its parts.
  explicit object(parts &&made) noexcept : kept_(std::move(made.kept)), handle_(made.handle) {}
  /// Takes another one's object.
  object(object &&other) noexcept : kept_(std::move(other.kept_)), handle_(std::exchange(other.handle_, nullptr)) {}
  /// Releases its own object, then takes another one's.
  object &operator=(object &&other) noexcept {
    if (this != &other) {
      wm_release(std::exchange(handle_, std::exchange(other.handle_, nullptr)));
      kept_ = std::move(other.kept_);
    }
    return *this;
  }
  /// Releases the object; what callbacks need goes after that.
  ~object() { wm_release(handle_); }
  /// What callbacks need.
  const std::shared_ptr<Kept> &kept() const noexcept { return kept_; }

private:
  template <class... Objects> static constexpr void belongs() noexcept {
    static_assert((std::is_same_v<Self, Objects> || ...), "this object has no such property");
  }

  std::shared_ptr<Kept> kept_;
  Handle *handle_;
};

namespace detail {

/// What the callbacks of an object with background verbs need: its own, and what its client's operations use.
struct verb_state {
  std::shared_ptr<void> of_client;
  std::unique_ptr<registration<listener>> registered;
};

/// A duration as C has it: rounded up, never endless.
template <class Rep, class Period> std::uint32_t milliseconds(std::chrono::duration<Rep, Period> duration) noexcept {
  const double rounded = std::ceil(std::chrono::duration<double, std::milli>(duration).count());
  if (!(rounded > 0)) return 0;
  return rounded < double{WM_INFINITE} ? static_cast<std::uint32_t>(rounded) : WM_INFINITE - 1;
}

} // namespace detail

/// An object with background verbs. A verb returns at once; the final status, `wait()` or the event queue tells how it ended.
/// Destroying the object cancels what runs and returns when the last callback has returned; inside a callback it never waits.
template <class Self, class Handle> class verb_object : public object<Self, Handle, detail::verb_state> {
  using base = object<Self, Handle, detail::verb_state>;

public:
  /// Asks the running operation to stop; never waits.
  outcome<> try_cancel() const { return wm_cancel(this->get()); }
  /// The same; throws wm::error.
  void cancel() const { try_cancel().value(); }

  /// Waits until the operation is over and its last callback has returned, and answers its result, successes with information
  /// among them. Fails with the operation's failure.
  outcome<wm_result> try_wait() const { return ended(WM_INFINITE); }
  /// The same; throws wm::error, or what a callback threw.
  wm_result wait() const {
    outcome<wm_result> answer = try_wait();
    rethrow(take_exception());
    return std::move(answer).value();
  }
  /// Waits no longer than this: WM_E_TIMEOUT while the operation runs.
  template <class Rep, class Period> outcome<wm_result> try_wait_for(std::chrono::duration<Rep, Period> time) const {
    return ended(detail::milliseconds(time));
  }
  /// The same: nothing while the operation runs; throws wm::error, or what a callback threw.
  template <class Rep, class Period>
  std::optional<wm_result> wait_for(std::chrono::duration<Rep, Period> time) const {
    outcome<wm_result> answer = try_wait_for(time);
    if (answer.result() == WM_E_TIMEOUT) return std::nullopt;
    rethrow(take_exception());
    return std::move(answer).value();
  }
  /// What a callback threw since the last verb or the last call of this; for who waits with try_wait().
  std::exception_ptr take_exception() const noexcept {
    const auto &state = this->kept();
    return state && state->registered ? state->registered->kept().take() : nullptr;
  }

protected:
  /// Of its parts.
  explicit verb_object(typename base::parts &&made) noexcept : base(std::move(made)) {}
  /// Takes another one's object.
  verb_object(verb_object &&) noexcept = default;
  /// Releases its own object, then takes another one's.
  verb_object &operator=(verb_object &&) noexcept = default;
  /// As every object goes.
  ~verb_object() = default;

  /// Starts a verb. Once it has begun, what a callback threw before is nobody's any more. Of one that `waits`, a failure is how
  /// it ended, unless it says that another operation runs.
  template <class Verb> outcome<> start(Verb verb, bool waits = false) const {
    std::exception_ptr before = take_exception();
    outcome<> answer = verb(this->get());
    const bool begun = answer.ok() || (waits && answer.result() != WM_E_BUSY);
    if (!begun && before) this->kept()->registered->kept().put_back(std::move(before));
    return answer;
  }
  /// How a verb that waits ended; throws what a callback threw meanwhile, or wm::error.
  wm_result finish(const outcome<> &answer) const {
    // What a callback of the operation threw that is in the way is for who waits for that one.
    if (answer.result() != WM_E_BUSY) rethrow(take_exception());
    return answer.value();
  }
  /// What is no verb but tells statuses before it returns, whether or not an operation runs: throws what a callback threw
  /// meanwhile, or wm::error.
  template <class Call> wm_result telling(Call call) const {
    std::exception_ptr before = take_exception();
    const outcome<> answer = call();
    std::exception_ptr thrown = take_exception();
    if (before) this->kept()->registered->kept().put_back(std::move(before));
    rethrow(std::move(thrown));
    return answer.value();
  }

  /// Makes an object of this client by the function of C that does so.
  template <class Client, class Create> static outcome<Self> make(const Client &client, status_callback callback, Create create) {
    auto state = std::make_shared<detail::verb_state>();
    state->of_client = client.callbacks();
    void *context = nullptr;
    if (callback) {
      auto kept = std::make_shared<detail::listener>(std::move(callback));
      state->registered = std::make_unique<detail::registration<detail::listener>>(std::move(kept));
      context = state->registered->context();
    }
    Handle *handle = nullptr;
    const wm_result result = create(client.get(), context ? &detail::tell_status : nullptr, context, &handle);
    if (result < 0) return outcome<Self>::failure(result);
    return Self(typename base::parts{handle, std::move(state)});
  }

private:
  /// Throws what a callback threw, if it did.
  static void rethrow([[maybe_unused]] std::exception_ptr thrown) {
#if WMLICENSE_EXCEPTIONS
    if (thrown) std::rethrow_exception(std::move(thrown));
#endif
  }
  outcome<wm_result> ended(std::uint32_t timeout_ms) const {
    wm_result of_operation = WM_S_OK;
    const wm_result answer = wm_wait(this->get(), timeout_ms, &of_operation);
    const wm_result result = answer < 0 ? answer : of_operation;
    if (result < 0) return outcome<wm_result>::failure(result);
    return outcome<wm_result>(result, result);
  }
};

namespace detail {

/// A status callback of any function object that takes a wm::status.
template <class Function> status_callback callback_of(Function &&function) {
  return answering<flow, const status &>(std::forward<Function>(function), flow::go_on);
}

} // namespace detail
WMLICENSE_VARIANT_END
} // namespace wm

#endif
