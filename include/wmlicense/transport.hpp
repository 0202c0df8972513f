/// @file transport.hpp
/// The application's own HTTP stack and its log, as function objects.
#ifndef WMLICENSE_TRANSPORT_HPP
#define WMLICENSE_TRANSPORT_HPP

#include <wmlicense/status.hpp>

namespace wm {
WMLICENSE_VARIANT_BEGIN

/// One HTTP request that the application's transport carries out. Valid until that returns.
class exchange {
public:
  /// Of what C passes.
  explicit exchange(wm_exchange *handle) noexcept : handle_(handle) {}
  /// The handle for functions of C.
  wm_exchange *get() const noexcept { return handle_; }

  /// Whether the operation was cancelled: then the transport gives up and answers WM_E_OPERATION_CANCELED.
  outcome<bool> try_cancelled() const {
    bool cancelled = false;
    const wm_result result = wm_exchange_cancelled(handle_, &cancelled);
    if (result < 0) return outcome<bool>::failure(result);
    return cancelled;
  }
  /// The same; throws wm::error.
  bool cancelled() const { return try_cancelled().value(); }
  /// Gives the HTTP status of the answer, 200 to 599.
  outcome<> try_set_status(std::uint32_t http_status) { return wm_exchange_set_status(handle_, http_status); }
  /// The same; throws wm::error.
  void set_status(std::uint32_t http_status) { try_set_status(http_status).value(); }
  /// Gives one header of the answer.
  outcome<> try_add_header(const std::string &name, const std::string &value) {
    return wm_exchange_add_header(handle_, name.c_str(), value.c_str());
  }
  /// The same; throws wm::error.
  void add_header(const std::string &name, const std::string &value) { try_add_header(name, value).value(); }
  /// Adds bytes to the body of the answer.
  outcome<> try_write(bytes_view bytes) { return wm_exchange_write(handle_, bytes.data(), bytes.size()); }
  /// The same; throws wm::error.
  void write(bytes_view bytes) { try_write(bytes).value(); }

private:
  wm_exchange *handle_;
};

/// Sends one request and answers it through the exchange; returns 0, or the failures that wm_transport_callback names. May return
/// nothing in place of 0. The result of a wm::error that leaves it counts as returned; every other exception means that nobody
/// can be reached. Called by several threads at once.
using transport = std::function<wm_result(exchange &, const wm_http_request &)>;

/// Receives one record: WM_LOG_*, the part of the library, one line of text, both valid until it returns. Called by several
/// threads at once. An exception that leaves it ends the process.
using log_callback = std::function<void(std::uint32_t level, const char *target, const char *message)>;

namespace detail {

/// What C calls with a request.
inline wm_result send_request(wm_exchange *handle, const wm_http_request *request, void *context) noexcept {
  const std::shared_ptr<transport> found = registry<transport>::instance().find(context);
  if (!found) return WM_E_OPERATION_CANCELED;
  exchange answer(handle);
#if WMLICENSE_EXCEPTIONS
  try {
    return (*found)(answer, *request);
  } catch (const error &failed) {
    return failed.result();
  } catch (...) {
    return WM_E_INTERNAL;
  }
#else
  return (*found)(answer, *request);
#endif
}

/// What C calls with a record.
inline void tell_log(std::uint32_t level, const char *target, const char *message, void *context) noexcept {
  if (const std::shared_ptr<log_callback> found = registry<log_callback>::instance().find(context))
    (*found)(level, target, message);
}

/// The function objects of a client's log. The library is asked with no lock held, for it waits for calls of the former one, which
/// may come here themselves. So threads that replace it at the same time do not learn whose is in force: all stay then, until
/// somebody replaces them alone.
class log_functions {
public:
  /// Before the library is asked; nothing ends the records.
  void begin(std::unique_ptr<registration<log_callback>> next) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (next) kept_.push_back(std::move(next));
    if (asking_++ > 0) overlapping_ = true;
  }
  /// After it answered.
  void end(const void *context, bool replaced) {
    // Destroyed after the lock is given back: they may hold objects that come here themselves.
    std::vector<std::unique_ptr<registration<log_callback>>> gone;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!replaced || !overlapping_) {
      const auto first_gone = std::partition(kept_.begin(), kept_.end(), [&](const auto &one) {
        return (one->context() == context) == replaced;
      });
      std::move(first_gone, kept_.end(), std::back_inserter(gone));
      kept_.erase(first_gone, kept_.end());
    }
    if (--asking_ == 0) overlapping_ = false;
  }

private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<registration<log_callback>>> kept_;
  std::size_t asking_ = 0;
  bool overlapping_ = false;
};

/// What operations of a client may call. Transports that were replaced stay: operations that began before still use them.
struct client_state {
  std::mutex mutex;
  std::vector<std::unique_ptr<registration<transport>>> transports;
  log_functions logs;
};

} // namespace detail
WMLICENSE_VARIANT_END
} // namespace wm

#endif
