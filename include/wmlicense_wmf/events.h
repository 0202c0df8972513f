// Events and their queue, as Media Foundation has them: GetEvent waits or not, BeginGetEvent is answered from a worker. Part of
// wmlicense_wmf.h. Each object of the extended API has a queue of its own.
#ifndef WMLICENSE_WMF_EVENTS_H
#define WMLICENSE_WMF_EVENTS_H

namespace wmf {

inline HRESULT copy_value(const PROPVARIANT &from, PROPVARIANT &to) {
  to = from;
  if (from.vt == VT_UNKNOWN && from.punkVal != nullptr) from.punkVal->AddRef();
  if (from.vt != VT_BSTR) return S_OK;
  const void *bytes = from.bstrVal;
  to.bstrVal = SysAllocStringByteLen(static_cast<const char *>(bytes), SysStringByteLen(from.bstrVal));
  return to.bstrVal != nullptr ? S_OK : E_OUTOFMEMORY;
}

class MediaEvent final : public Object<IMFMediaEvent> {
 public:
  MediaEvent(MediaEventType type, HRESULT status, REFGUID extended = GUID_NULL) : type_(type), status_(status), extended_(extended) {
    PropVariantInit(&value_);
  }

  HRESULT set_value(const PROPVARIANT *value) { return value != nullptr ? copy_value(*value, value_) : S_OK; }
  // Takes over the reference.
  void set_object(IUnknown *object) {
    value_.vt = VT_UNKNOWN;
    value_.punkVal = object;
  }

  HRESULT STDMETHODCALLTYPE GetType(MediaEventType *type) noexcept override {
    if (type == nullptr) return E_INVALIDARG;
    *type = type_;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetExtendedType(GUID *type) noexcept override {
    if (type == nullptr) return E_INVALIDARG;
    *type = extended_;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetStatus(HRESULT *status) noexcept override {
    if (status == nullptr) return E_INVALIDARG;
    *status = status_;
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetValue(PROPVARIANT *value) noexcept override {
    return value != nullptr ? copy_value(value_, *value) : E_INVALIDARG;
  }

 private:
  ~MediaEvent() override { PropVariantClear(&value_); }

  MediaEventType type_;
  HRESULT status_;
  GUID extended_;
  PROPVARIANT value_;
};

// What the callback of BeginGetEvent brings to EndGetEvent.
class AsyncResult final : public Object<IMFAsyncResult> {
 public:
  AsyncResult(Ref<IUnknown> state, HRESULT status, Ref<IMFMediaEvent> event)
      : state_(std::move(state)), status_(status), event_(std::move(event)) {}

  HRESULT STDMETHODCALLTYPE GetState(IUnknown **state) noexcept override {
    if (state == nullptr) return E_INVALIDARG;
    *state = state_.get();
    if (*state == nullptr) return E_POINTER;
    (*state)->AddRef();
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetStatus() noexcept override { return status_.load(); }
  HRESULT STDMETHODCALLTYPE SetStatus(HRESULT status) noexcept override {
    status_.store(status);
    return S_OK;
  }
  HRESULT STDMETHODCALLTYPE GetObject(IUnknown **object) noexcept override {
    if (object == nullptr) return E_INVALIDARG;
    *object = nullptr;
    return E_POINTER;
  }
  IUnknown *STDMETHODCALLTYPE GetStateNoAddRef() noexcept override { return state_.get(); }

  const Ref<IMFMediaEvent> &event() const { return event_; }

 private:
  Ref<IUnknown> state_;
  std::atomic<HRESULT> status_;
  Ref<IMFMediaEvent> event_;
};

// Objects of old code are released after unlocking: their destructors call the queue. So everything that holds one is declared
// before the lock.
class EventQueue : public std::enable_shared_from_this<EventQueue> {
 public:
  // may_call: whether the callback that waits may be called right here where there is no thread for it; else that throws, and
  // nothing has changed.
  HRESULT push(Ref<IMFMediaEvent> event, bool may_call) {
    Waiting former;
    std::function<void()> call;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (is_shut_down_) return MF_E_SHUTDOWN;
      if (waiting_.callback) {
        former = answer(S_OK, event, may_call ? &call : nullptr);
      } else {
        events_.push_back(event);
        changed_.notify_one();
      }
    }
    if (call) call();
    return S_OK;
  }

  HRESULT get(DWORD flags, IMFMediaEvent **out) {
    if (out == nullptr) return E_INVALIDARG;
    *out = nullptr;
    std::unique_lock<std::mutex> lock(mutex_);
    if (is_shut_down_) return MF_E_SHUTDOWN;
    if (waiting_.callback) return MF_E_MULTIPLE_SUBSCRIBERS;
    if (events_.empty() && (flags & MF_EVENT_FLAG_NO_WAIT) != 0) return MF_E_NO_EVENTS_AVAILABLE;
    changed_.wait(lock, [this] { return !events_.empty() || is_shut_down_; });
    if (is_shut_down_) return MF_E_SHUTDOWN;
    *out = events_.front().give();
    events_.pop_front();
    return S_OK;
  }

  HRESULT begin(IMFAsyncCallback *callback, IUnknown *state) {
    if (callback == nullptr) return E_INVALIDARG;
    Waiting asked{Ref<IMFAsyncCallback>(callback), Ref<IUnknown>(state)}, former;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (is_shut_down_) return MF_E_SHUTDOWN;
    if (waiting_.callback) {
      if (waiting_.callback.get() != callback) return MF_E_MULTIPLE_SUBSCRIBERS;
      return waiting_.state.get() == state ? MF_S_MULTIPLE_BEGIN : MF_E_MULTIPLE_BEGIN;
    }
    std::swap(waiting_, asked);
    if (events_.empty()) return S_OK;
    try {
      former = answer(S_OK, events_.front(), nullptr);
    } catch (...) {
      std::swap(waiting_, asked);
      throw;
    }
    events_.pop_front();
    return S_OK;
  }

  HRESULT end(IMFAsyncResult *result, IMFMediaEvent **out) {
    if (result == nullptr || out == nullptr) return E_INVALIDARG;
    *out = nullptr;
    Ref<AsyncResult> found;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (is_shut_down_) return MF_E_SHUTDOWN;
    const auto at = std::find_if(answered_.begin(), answered_.end(), [&](const auto &one) { return one.get() == result; });
    if (at == answered_.end()) return E_INVALIDARG;
    found = *at;
    answered_.erase(at);
    if (FAILED(found->GetStatus())) return found->GetStatus();
    *out = Ref<IMFMediaEvent>(found->event()).give();
    return S_OK;
  }

  // Events are lost; who waits gets MF_E_SHUTDOWN.
  HRESULT shut_down() {
    std::deque<Ref<IMFMediaEvent>> events;
    std::vector<Ref<AsyncResult>> answered;
    std::vector<Ref<Operation>> running;
    Waiting former;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (is_shut_down_) return MF_E_SHUTDOWN;
      running = running_;
      if (waiting_.callback) former = answer(MF_E_SHUTDOWN, Ref<IMFMediaEvent>(), nullptr);
      is_shut_down_ = true;
      events.swap(events_);
      answered.swap(answered_);
      changed_.notify_all();
    }
    for (const Ref<Operation> &operation : running) operation->cancel();
    return S_OK;
  }

  // Notes an operation whose events come here, so that a shutdown cancels it.
  HRESULT add(Operation *operation) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (is_shut_down_) return MF_E_SHUTDOWN;
    running_.push_back(Ref<Operation>(operation));
    return S_OK;
  }
  void remove(Operation *operation) {
    Ref<Operation> removed;
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto at = std::find_if(running_.begin(), running_.end(), [&](const auto &one) { return one.get() == operation; });
    if (at == running_.end()) return;
    removed = std::move(*at);
    running_.erase(at);
  }

 private:
  struct Waiting {
    Ref<IMFAsyncCallback> callback;
    Ref<IUnknown> state;
  };

  // With the lock held. Who waited, to be released after unlocking. Where there is no thread, what is to be called goes to `call`;
  // without that it throws, and everything is as before.
  Waiting answer(HRESULT status, const Ref<IMFMediaEvent> &event, std::function<void()> *call) {
    auto result = Ref<AsyncResult>::adopt(new AsyncResult(waiting_.state, status, event));
    answered_.push_back(result);
    try {
      std::function<void()> job = [self = shared_from_this(), callback = waiting_.callback, result] {
        const InCallback inside;
        callback->Invoke(result.get());
      };
      try {
        worker_.post(job);
      } catch (...) {
        if (call == nullptr) throw;
        *call = std::move(job);
      }
    } catch (...) {
      answered_.pop_back();
      throw;
    }
    return std::exchange(waiting_, Waiting());
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Ref<IMFMediaEvent>> events_;
  bool is_shut_down_ = false;
  Waiting waiting_;
  std::vector<Ref<AsyncResult>> answered_;
  std::vector<Ref<Operation>> running_;
  Worker worker_;
};

}  // namespace wmf

#endif
