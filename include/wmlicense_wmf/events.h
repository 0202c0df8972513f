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

class EventQueue : public std::enable_shared_from_this<EventQueue> {
 public:
  void push(Ref<IMFMediaEvent> event) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (is_shut_down_) return;
    if (subscriber_) return answer(S_OK, std::move(event));
    events_.push_back(std::move(event));
    changed_.notify_one();
  }

  HRESULT get(DWORD flags, IMFMediaEvent **out) {
    if (out == nullptr) return E_INVALIDARG;
    *out = nullptr;
    std::unique_lock<std::mutex> lock(mutex_);
    if (is_shut_down_) return MF_E_SHUTDOWN;
    if (subscriber_) return MF_E_MULTIPLE_SUBSCRIBERS;
    if (events_.empty() && (flags & MF_EVENT_FLAG_NO_WAIT) != 0) return MF_E_NO_EVENTS_AVAILABLE;
    changed_.wait(lock, [this] { return !events_.empty() || is_shut_down_; });
    if (is_shut_down_) return MF_E_SHUTDOWN;
    *out = events_.front().give();
    events_.pop_front();
    return S_OK;
  }

  HRESULT begin(IMFAsyncCallback *callback, IUnknown *state) {
    if (callback == nullptr) return E_INVALIDARG;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (is_shut_down_) return MF_E_SHUTDOWN;
    if (subscriber_) {
      if (subscriber_.get() != callback) return MF_E_MULTIPLE_SUBSCRIBERS;
      return state_.get() == state ? MF_S_MULTIPLE_BEGIN : MF_E_MULTIPLE_BEGIN;
    }
    subscriber_ = Ref<IMFAsyncCallback>(callback);
    state_ = Ref<IUnknown>(state);
    if (!events_.empty()) {
      Ref<IMFMediaEvent> event = std::move(events_.front());
      events_.pop_front();
      answer(S_OK, std::move(event));
    }
    return S_OK;
  }

  HRESULT end(IMFAsyncResult *result, IMFMediaEvent **out) {
    if (result == nullptr || out == nullptr) return E_INVALIDARG;
    *out = nullptr;
    Ref<AsyncResult> found;
    const std::lock_guard<std::mutex> lock(mutex_);
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
    std::vector<Ref<Operation>> running;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (is_shut_down_) return MF_E_SHUTDOWN;
      is_shut_down_ = true;
      events_.clear();
      running = running_;
      if (subscriber_) answer(MF_E_SHUTDOWN, Ref<IMFMediaEvent>());
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
  // With the lock held.
  void answer(HRESULT status, Ref<IMFMediaEvent> event) {
    auto result = Ref<AsyncResult>::adopt(new AsyncResult(std::move(state_), status, std::move(event)));
    state_ = Ref<IUnknown>();
    answered_.push_back(result);
    Ref<IMFAsyncCallback> callback = std::move(subscriber_);
    subscriber_ = Ref<IMFAsyncCallback>();
    worker_.post([self = shared_from_this(), callback, result] {
      const InCallback inside;
      callback->Invoke(result.get());
    });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Ref<IMFMediaEvent>> events_;
  bool is_shut_down_ = false;
  Ref<IMFAsyncCallback> subscriber_;
  Ref<IUnknown> state_;
  std::vector<Ref<AsyncResult>> answered_;
  std::vector<Ref<Operation>> running_;
  Worker worker_;
};

}  // namespace wmf

#endif
