/// @file status.hpp
/// Statuses as a callback or an event queue tells them, and how a callback of C finds the function object of C++.
#ifndef WMLICENSE_STATUS_HPP
#define WMLICENSE_STATUS_HPP

#include <wmlicense/kid.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace wm {
WMLICENSE_VARIANT_BEGIN

/// One status. What comes with it is valid until the callback returns, or until the next event is read.
class status {
public:
  /// Of what C tells.
  status(wm_status number, wm_result result, wm_attr_type type, const void *value, std::size_t size) noexcept
      : number_(number), result_(result), type_(type), value_(value), size_(size) {}

  /// WM_STATUS_*.
  wm_status number() const noexcept { return number_; }
  /// Its name, such as "WM_STATUS_BACKUPRESTORE_END".
  const char *name() const noexcept { return wm_status_name(number_); }
  /// 0 or the reason; of a final status, how the operation ended.
  wm_result result() const noexcept { return result_; }
  /// WM_TYPE_* of what comes with it.
  wm_attr_type type() const noexcept { return type_; }
  /// What comes with it, as bytes.
  bytes_view value() const noexcept { return bytes_view(value_, size_); }

  /// The text that comes with it, such as a URL; empty where none does.
  std::string text() const {
    const bool is_text = type_ == WM_TYPE_STRING && value_ != nullptr && size_ > 0;
    return is_text ? std::string(static_cast<const char *>(value_), size_ - 1) : std::string();
  }
  /// The key ID that comes with it as text.
  std::optional<kid> key_id() const {
    // A failing call would take the place of the detail that info() tells: only what has the size of a key ID is read.
    if (size_ != 25) return std::nullopt;
    if (outcome<kid> read = kid::try_parse(text(), WM_KID_BASE64)) return *read;
    return std::nullopt;
  }
  /// The struct that comes with it, such as `as<wm_progress>()`; what an older library does not know is 0.
  template <class Struct> std::optional<Struct> as() const noexcept {
    static_assert(std::is_trivially_copyable_v<Struct>, "the structs of statuses are those of C");
    if (type_ != WM_TYPE_BINARY || value_ == nullptr) return std::nullopt;
    Struct copy = {};
    std::memcpy(&copy, value_, std::min(size_, sizeof copy));
    return copy;
  }
  /// What the library tells about the failure that it is about. In a callback, or right after the event was read.
  wm_error_info info() const noexcept { return error_info(result_); }

private:
  wm_status number_;
  wm_result result_;
  wm_attr_type type_;
  const void *value_;
  std::size_t size_;
};

/// What a callback wants.
enum class flow {
  /// The operation goes on.
  go_on,
  /// It is cancelled.
  cancel
};

/// What is called with each status, on a thread of the library, one call at a time per object. May answer nothing in place of
/// flow::go_on. An exception cancels the operation; `wait()` throws it again.
using status_callback = std::function<flow(const status &)>;

namespace detail {

/// What C gets for an object of C++: a number that is looked up. A call that comes late finds nothing, and one under way keeps
/// alive what it found.
template <class Kept> class registry {
public:
  /// The one of the program. Threads of the library may come by until the process ends, so it is never destroyed.
  static registry &instance() {
    static registry *const one = new registry;
    return *one;
  }
  void *add(std::shared_ptr<Kept> kept) {
    const std::lock_guard<std::mutex> lock(mutex_);
    void *const context = reinterpret_cast<void *>(++last_);
    kept_.emplace(context, std::move(kept));
    return context;
  }
  std::shared_ptr<Kept> find(void *context) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = kept_.find(context);
    return found != kept_.end() ? found->second : nullptr;
  }
  void remove(void *context) {
    std::shared_ptr<Kept> removed;
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = kept_.find(context);
    if (found == kept_.end()) return;
    // Destroyed after the lock is given back: it may hold objects that come here themselves.
    removed = std::move(found->second);
    kept_.erase(found);
  }

private:
  std::mutex mutex_;
  std::unordered_map<void *, std::shared_ptr<Kept>> kept_;
  std::uintptr_t last_ = 0;
};

/// An entry of the registry, as long as the library may look for it.
template <class Kept> class registration {
public:
  explicit registration(std::shared_ptr<Kept> kept)
      : kept_(kept), context_(registry<Kept>::instance().add(std::move(kept))) {}
  registration(const registration &) = delete;
  registration &operator=(const registration &) = delete;
  ~registration() { registry<Kept>::instance().remove(context_); }
  void *context() const noexcept { return context_; }
  Kept &kept() const noexcept { return *kept_; }

private:
  std::shared_ptr<Kept> kept_;
  void *context_;
};

/// A function object that may answer nothing, as one that answers `Answer`.
template <class Answer, class... Told, class Function>
std::function<Answer(Told...)> answering(Function function, Answer usual) {
  if constexpr (std::is_void_v<std::invoke_result_t<Function &, Told...>>) {
    return [function = std::move(function), usual](Told... told) mutable {
      function(std::forward<Told>(told)...);
      return usual;
    };
  } else {
    return std::function<Answer(Told...)>(std::move(function));
  }
}

/// The function object of one object, and the exception that left it.
class listener {
public:
  explicit listener(status_callback callback) : callback_(std::move(callback)) {}

  wm_result tell(const status &told) noexcept {
#if WMLICENSE_EXCEPTIONS
    try {
      return callback_(told) == flow::cancel ? WM_E_OPERATION_CANCELED : WM_S_OK;
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!thrown_) thrown_ = std::current_exception();
      return WM_E_OPERATION_CANCELED;
    }
#else
    return callback_(told) == flow::cancel ? WM_E_OPERATION_CANCELED : WM_S_OK;
#endif
  }
  /// The exception that left it since the last call of this.
  std::exception_ptr take() noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(thrown_, nullptr);
  }
  /// Gives back what was taken, unless another one came meanwhile.
  void put_back(std::exception_ptr thrown) noexcept {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!thrown_) thrown_ = std::move(thrown);
  }

private:
  status_callback callback_;
  std::mutex mutex_;
  std::exception_ptr thrown_;
};

/// What C calls.
inline wm_result tell_status(wm_status number, wm_result result, wm_attr_type type, const void *value, std::size_t size,
                             void *context) noexcept {
  const std::shared_ptr<listener> found = registry<listener>::instance().find(context);
  // Its object was released inside another callback: nobody is there to be told.
  return found ? found->tell(status(number, result, type, value, size)) : WM_S_OK;
}

} // namespace detail
WMLICENSE_VARIANT_END
} // namespace wm

#endif
