/// @file client.hpp
/// The client: a license store, its device, and the settings of everything made from it. And what needs no client: the content
/// header.
#ifndef WMLICENSE_CLIENT_HPP
#define WMLICENSE_CLIENT_HPP

#include <wmlicense/object.hpp>
#include <wmlicense/transport.hpp>

namespace wm {
WMLICENSE_VARIANT_BEGIN

/// What content says about its protection, read once from a file or from bytes.
class content_header : public object<content_header, wm_content_header> {
public:
  /// Of its parts.
  explicit content_header(parts &&made) noexcept : object(std::move(made)) {}
  /// Reads a regular file of any kind that wm_create_content_header takes. A std::filesystem::path is welcome.
  explicit content_header(const std::string &path) : content_header(try_read(path).value()) {}
  /// Reads bytes of any such kind, which are not kept.
  explicit content_header(bytes_view bytes) : content_header(try_read(bytes).value()) {}
  /// What the constructor does with a path.
  static outcome<content_header> try_read(const std::string &path) {
    wm_content_header *handle = nullptr;
    const wm_result result = wm_create_content_header_from_file(path.c_str(), &handle);
    return made(result, handle);
  }
  /// What the constructor does with bytes.
  static outcome<content_header> try_read(bytes_view bytes) {
    wm_content_header *handle = nullptr;
    const wm_result result = wm_create_content_header(bytes.data(), bytes.size(), &handle);
    return made(result, handle);
  }

private:
  static outcome<content_header> made(wm_result result, wm_content_header *handle) {
    if (result < 0) return outcome<content_header>::failure(result);
    return content_header(parts{handle, nullptr});
  }
};

/// Whether a media file, playlist or manifest needs a license to be played.
inline outcome<bool> try_is_content_protected(const std::string &path) {
  bool is_protected = false;
  const wm_result result = wm_is_content_protected(path.c_str(), &is_protected);
  if (result < 0) return outcome<bool>::failure(result);
  return is_protected;
}
/// The same; throws wm::error.
inline bool is_content_protected(const std::string &path) { return try_is_content_protected(path).value(); }

/// One license store, one device, and the settings of everything made from it. Set prop::store_path and prop::authority, open it.
class client : public object<client, wm_client, detail::client_state> {
public:
  /// A client that is not open.
  client() : client(try_create().value()) {}
  /// Of its parts.
  explicit client(parts &&made) noexcept : object(std::move(made)) {}
  /// What the constructor does.
  static outcome<client> try_create() {
    wm_client *handle = nullptr;
    const wm_result result = wm_create_client(&handle);
    if (result < 0) return outcome<client>::failure(result);
    return client(parts{handle, std::make_shared<detail::client_state>()});
  }

  /// Opens the license store and the device's keys, and makes both in an empty folder. Makes no network call.
  outcome<> try_open() { return wm_open_client(get()); }
  /// The same; throws wm::error.
  void open() { try_open().value(); }

  /// Sees to it that content can be used, and blocks until that is so or it is known why not: 0 where stored licenses permit it,
  /// WM_S_LICENSE_ACQUIRED once they were acquired. `flags`: WM_ENSURE_INDIVIDUALIZE where the user agreed to that.
  outcome<wm_result> try_ensure_license(const content_header &header, const char *action = WM_ACTION_PLAY,
                                        std::uint32_t flags = 0) const {
    return ensured(wm_ensure_license(get(), header.get(), action, flags, WM_INFINITE));
  }
  /// The same; throws wm::error.
  wm_result ensure_license(const content_header &header, const char *action = WM_ACTION_PLAY,
                           std::uint32_t flags = 0) const {
    return try_ensure_license(header, action, flags).value();
  }
  /// The same within this time: WM_E_DEADLINE where it is over.
  template <class Rep, class Period>
  outcome<wm_result> try_ensure_license(const content_header &header, const char *action, std::uint32_t flags,
                                        std::chrono::duration<Rep, Period> time) const {
    return ensured(wm_ensure_license(get(), header.get(), action, flags, detail::milliseconds(time)));
  }
  /// The same; throws wm::error.
  template <class Rep, class Period>
  wm_result ensure_license(const content_header &header, const char *action, std::uint32_t flags,
                           std::chrono::duration<Rep, Period> time) const {
    return try_ensure_license(header, action, flags, time).value();
  }

  /// Why stored licenses do not permit an action: WM_REASON_*, or 0 where they do. No network call.
  outcome<std::uint32_t> try_query_action_allowed(const kid &kid, const char *action = WM_ACTION_PLAY) const {
    std::uint32_t reasons = 0;
    const wm_result result = wm_query_action_allowed(get(), kid.data(), action, &reasons);
    if (result < 0) return outcome<std::uint32_t>::failure(result);
    return reasons;
  }
  /// The same; throws wm::error.
  std::uint32_t query_action_allowed(const kid &kid, const char *action = WM_ACTION_PLAY) const {
    return try_query_action_allowed(kid, action).value();
  }
  /// What is left of an action by all licenses together.
  outcome<wm_license_state> try_query_license_state(const kid &kid, const char *action = WM_ACTION_PLAY) const {
    wm_license_state state = {};
    state.struct_size = sizeof state;
    const wm_result result = wm_query_license_state(get(), kid.data(), action, &state);
    if (result < 0) return outcome<wm_license_state>::failure(result);
    return state;
  }
  /// The same; throws wm::error.
  wm_license_state query_license_state(const kid &kid, const char *action = WM_ACTION_PLAY) const {
    return try_query_license_state(kid, action).value();
  }

  /// Deletes the licenses for a key ID; whether there were any. `flags`: 0 for good, or WM_DELETE_LOCAL.
  outcome<bool> try_delete_licenses(const kid &kid, std::uint32_t flags = 0) {
    const wm_result result = wm_delete_licenses(get(), kid.data(), flags);
    if (result < 0) return outcome<bool>::failure(result);
    return outcome<bool>(result != WM_S_FALSE, result);
  }
  /// The same; throws wm::error.
  bool delete_licenses(const kid &kid, std::uint32_t flags = 0) { return try_delete_licenses(kid, flags).value(); }

  /// Gives content a title for people; an empty one takes the application's away.
  outcome<> try_set_content_title(const kid &kid, const std::string &title) {
    return wm_set_content_title(get(), kid.data(), title.c_str());
  }
  /// The same; throws wm::error.
  void set_content_title(const kid &kid, const std::string &title) { try_set_content_title(kid, title).value(); }
  /// The title of content; empty where nobody gave it one.
  outcome<std::string> try_content_title(const kid &kid) const {
    return detail::read_text([&](char *buf, std::size_t size, std::size_t *needed) {
      return wm_get_content_title(get(), kid.data(), buf, size, needed);
    });
  }
  /// The same; throws wm::error.
  std::string content_title(const kid &kid) const { return try_content_title(kid).value(); }
  /// The device's security version, four dotted numbers.
  outcome<std::string> try_security_version() const {
    return detail::read_text([&](char *buf, std::size_t size, std::size_t *needed) {
      return wm_get_security_version(get(), buf, size, needed);
    });
  }
  /// The same; throws wm::error.
  std::string security_version() const { return try_security_version().value(); }

  /// Sends all requests of operations that start later through the application's own HTTP stack; nullptr goes back to the
  /// library's. It is kept until the client and all objects made from it are gone.
  outcome<> try_set_transport(std::nullptr_t) { return wm_set_transport(get(), nullptr); }
  /// The same with a function object, see wm::transport.
  template <class Function> outcome<> try_set_transport(Function send) {
    using kept_type = detail::registration<transport>;
    auto function = detail::answering<wm_result, exchange &, const wm_http_request &>(std::move(send), wm_result{0});
    auto registered = std::make_unique<kept_type>(std::make_shared<transport>(std::move(function)));
    wm_transport stack = {};
    stack.struct_size = sizeof stack;
    stack.send = &detail::send_request;
    stack.context = registered->context();
    outcome<> answer = wm_set_transport(get(), &stack);
    if (!answer) return answer;
    const std::lock_guard<std::mutex> lock(kept()->mutex);
    kept()->transports.push_back(std::move(registered));
    return answer;
  }
  /// The same; throws wm::error.
  template <class Function> void set_transport(Function send) { try_set_transport(std::move(send)).value(); }

  /// Gives the application records of what this client does, see wm::log_callback. `level`: WM_LOG_*. Before open().
  outcome<> try_set_log_callback(log_callback callback, std::uint32_t level) {
    using kept_type = detail::registration<log_callback>;
    auto registered = std::make_unique<kept_type>(std::make_shared<log_callback>(std::move(callback)));
    return log(std::move(registered), &detail::tell_log, level);
  }
  /// The same; throws wm::error.
  void set_log_callback(log_callback callback, std::uint32_t level) {
    try_set_log_callback(std::move(callback), level).value();
  }
  /// Ends the records.
  outcome<> try_remove_log_callback() { return log(nullptr, nullptr, WM_LOG_ERROR); }
  /// The same; throws wm::error.
  void remove_log_callback() { try_remove_log_callback().value(); }

private:
  template <class, class> friend class verb_object;
  std::shared_ptr<void> callbacks() const noexcept { return kept(); }

  static outcome<wm_result> ensured(wm_result result) {
    if (result < 0) return outcome<wm_result>::failure(result);
    return outcome<wm_result>(result, result);
  }
  outcome<> log(std::unique_ptr<detail::registration<log_callback>> registered, wm_log_callback function,
                std::uint32_t level) {
    void *const context = registered ? registered->context() : nullptr;
    if (kept()) kept()->logs.begin(std::move(registered));
    outcome<> answer = wm_set_log_callback(get(), function, context, level);
    // The former one goes when this returns: no call of it can come any more.
    if (kept()) kept()->logs.end(context, answer.ok());
    return answer;
  }
};

WMLICENSE_VARIANT_END
} // namespace wm

#endif
