// One object of wmlicense.h with a verb, and what lives as long as its operation runs. Part of wmlicense_wmf.h. What a status means
// to old code is in the classes that derive from Operation.
#ifndef WMLICENSE_WMF_OPERATION_H
#define WMLICENSE_WMF_OPERATION_H

namespace wmf {

// A status as the library tells it.
struct Told {
  wm_status status;
  wm_result result;
  wm_attr_type type;
  const void *value;
  std::size_t size;

  // Text that comes with it; empty where none does.
  std::string text() const {
    if (type != WM_TYPE_STRING || value == nullptr || size == 0) return {};
    return std::string(static_cast<const char *>(value), size - 1);
  }
};

// Statuses from 0x1000 on are of wmlicense.h alone: old code gets them where it defines WMLICENSE_WMF_ALL_STATUSES.
inline bool is_for_old_code(wm_status status) {
#if defined(WMLICENSE_WMF_ALL_STATUSES)
  (void)status;
  return true;
#else
  return status < 0x1000;
#endif
}

// What a running operation keeps alive: the object whose verb it is, so that old code may release that after the start, and
// the callback with its context.
struct Running {
  Ref<IUnknown> owner;
  Ref<IWMStatusCallback> callback;
  void *context = nullptr;
};

// Made by the object that has the verb, which calls close() in its destructor. The library's thread holds one of its references
// while it tells a status, so that it may outlive that object.
class Operation {
 public:
  Operation() = default;
  Operation(const Operation &) = delete;
  Operation &operator=(const Operation &) = delete;

  ULONG AddRef() noexcept { return count_.fetch_add(1, std::memory_order_relaxed) + 1; }
  ULONG Release() noexcept {
    const ULONG left = count_.fetch_sub(1, std::memory_order_acq_rel) - 1;
    if (left == 0) delete this;
    return left;
  }

  // Callback and context for a wm_create_… function, whose handle goes to out().
  static wm_result tell_status(wm_status status, wm_result result, wm_attr_type type, const void *value, size_t size,
                               void *context) noexcept {
    Operation *told = static_cast<Operation *>(context);
    return told->take({status, result, type, value, size});
  }
  template <class T>
  T *handle() const {
    return static_cast<T *>(handle_.load());
  }
  void adopt(void *handle) { handle_.store(handle); }

  // Starts a verb and keeps `with` until its final status, or until the call failed. `busy` is answered while one runs.
  template <class Verb>
  HRESULT start(Running with, HRESULT busy, Verb verb) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (is_running_) return busy;
      is_running_ = true;
      running_ = std::move(with);
    }
    const wm_result result = verb();
    if (result < 0) end();
    return result;
  }

  bool is_running() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return is_running_;
  }

  // Without effect where it is over, or the handle is given back meanwhile.
  HRESULT cancel() {
    void *handle = handle_.load();
    const wm_result result = handle != nullptr ? wm_cancel(handle) : S_OK;
    return result == WM_E_INVALID_HANDLE ? S_OK : result;
  }

  // Gives the handle back. Waits until a callback that still runs on another thread has returned.
  void close() noexcept { release_object(handle_.exchange(nullptr)); }

 protected:
  virtual ~Operation() = default;

  // Whether a status ends the operation.
  virtual bool is_final(const Told &told) const = 0;
  // Tells old code. An exception cancels the operation.
  virtual void tell(const Told &told, const Running &running) = 0;

 private:
  wm_result take(const Told &told) noexcept {
    const Ref<Operation> self(this);
    try {
      Running running;
      if (is_final(told)) {
        running = end();
        // From here on whoever releases the object waits for this callback, as for wm_release.
        running.owner = Ref<IUnknown>();
      } else {
        const std::lock_guard<std::mutex> lock(mutex_);
        running = running_;
      }
      tell(told, running);
      return 0;
    } catch (...) {
      return WM_E_OPERATION_CANCELED;
    }
  }

  Running end() {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_running_ = false;
    return std::exchange(running_, Running());
  }

  std::atomic<ULONG> count_{1};
  std::atomic<void *> handle_{nullptr};
  std::mutex mutex_;
  bool is_running_ = false;
  Running running_;
};

// Calls old code's callback. What it answers is ignored: documented clients always answer S_OK, others whatever is at hand.
inline void on_status(const Running &running, WMT_STATUS status, HRESULT hr, WMT_ATTR_DATATYPE type, void *value) {
  if (!running.callback) return;
  const InCallback inside;
  running.callback->OnStatus(status, hr, type, static_cast<BYTE *>(value), running.context);
}

}  // namespace wmf

#endif
