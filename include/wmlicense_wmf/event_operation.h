// Operations of the extended API: a fresh object of wmlicense.h for each, whose statuses become events; the cookie that cancels
// it; and the base of the objects that raise events. Part of wmlicense_wmf.h.
#ifndef WMLICENSE_WMF_EVENT_OPERATION_H
#define WMLICENSE_WMF_EVENT_OPERATION_H

// The cookie, by which CancelAsyncOperation knows its own.
struct IWmfCookie : IUnknown {
  virtual HRESULT cancel() = 0;
};
WMF_IID(IWmfCookie, 0x5B0E6C1A, 0x0C5D, 0x4E0B, 0x9A, 0x57, 0x2F, 0x7D, 0x31, 0xE4, 0x88, 0x0C);

namespace wmf {

class EventOperation : public Operation {
 public:
  EventOperation(std::shared_ptr<EventQueue> queue, wm_status final_status) : queue_(std::move(queue)), final_(final_status) {}

 protected:
  bool is_final(const Told &told) const override {
    return final_ == WM_STATUS_INDIVIDUALIZE ? ends_individualization(told) : told.status == final_;
  }

  void tell(const Told &told, const Running &) override {
    if (told.status == WM_STATUS_INDIVIDUALIZE) {
      raise(MEWMDRMIndividualizationProgress, S_OK, new IndividualizationStatus(told));
    } else if (is_for_old_code(told.status)) {
      progress(told);
    }
    if (!is_final(told)) return;
    queue_->remove(this);
    complete(told);
  }

  virtual void progress(const Told &told) = 0;
  virtual void complete(const Told &told) = 0;

  // value: a reference that the event takes over, or NULL.
  template <class Value = IUnknown>
  void raise(MediaEventType type, HRESULT status, Value *value = nullptr) {
    auto object = Ref<IUnknown>::adopt(value);
    auto event = Ref<MediaEvent>::adopt(new MediaEvent(type, status));
    if (object) event->set_object(object.give());
    queue_->push(Ref<IMFMediaEvent>::adopt(event.give()), true);
  }

 private:
  std::shared_ptr<EventQueue> queue_;
  wm_status final_;
};

// Individualization, a clean store, a refresh of revocations: an event at the end.
class PlainEvents final : public EventOperation {
 public:
  PlainEvents(std::shared_ptr<EventQueue> queue, wm_status final_status, MediaEventType completed)
      : EventOperation(std::move(queue), final_status), completed_(completed) {}

 protected:
  void progress(const Told &) override {}
  void complete(const Told &told) override { raise(completed_, told.result); }

 private:
  MediaEventType completed_;
};

class BackupRestoreEvents final : public EventOperation {
 public:
  BackupRestoreEvents(std::shared_ptr<EventQueue> queue, MediaEventType progress, MediaEventType completed)
      : EventOperation(std::move(queue), WM_STATUS_BACKUPRESTORE_END), progress_(progress), completed_(completed) {}

 protected:
  void progress(const Told &told) override {
    MSDRM_STATUS status = told.result < 0 ? DRM_ERROR : DRM_INFORMATION;
    switch (told.status) {
      case WM_STATUS_BACKUPRESTORE_BEGIN: status = DRM_BACKUPRESTORE_BEGIN; break;
      case WM_STATUS_BACKUPRESTORE_END: status = DRM_BACKUPRESTORE_END; break;
      case WM_STATUS_BACKUPRESTORE_CONNECTING: status = DRM_BACKUPRESTORE_CONNECTING; break;
      case WM_STATUS_BACKUPRESTORE_DISCONNECTING: status = DRM_BACKUPRESTORE_DISCONNECTING; break;
      case WM_STATUS_ERROR_WITHURL: status = DRM_ERROR_WITHURL; break;
      case WM_STATUS_RESTRICTED_LICENSE: status = DRM_RESTRICTED_LICENSE; break;
      case WM_STATUS_NEEDS_INDIVIDUALIZATION: status = DRM_NEEDS_INDIVIDUALIZATION; break;
      default: break;
    }
    const std::string text = told.status == WM_STATUS_RESTRICTED_LICENSE ? guid_order(told.text().c_str()) : told.text();
    raise(progress_, S_OK, new BackupRestoreStatus(status, text));
  }
  void complete(const Told &told) override { raise(completed_, told.result); }

 private:
  MediaEventType progress_;
  MediaEventType completed_;
};

// Acquisitions and monitors. What needs the user comes with the page, whatever the flags were.
class AcquisitionEvents final : public EventOperation {
 public:
  AcquisitionEvents(std::shared_ptr<EventQueue> queue, std::shared_ptr<Client> client, bool is_non_silent)
      : EventOperation(std::move(queue), WM_STATUS_ACQUIRE_LICENSE), client_(std::move(client)), is_non_silent_(is_non_silent) {}

  // What a monitor watches for; a license that is there already is what it waits for.
  void watch(std::vector<Kid> kids, std::vector<std::string> actions) {
    kids_ = std::move(kids);
    actions_ = std::move(actions);
  }

 protected:
  void progress(const Told &) override {}
  void complete(const Told &told) override {
    const wm_result result = told.result == WM_E_NO_TRANSACTION && is_permitted() ? WM_S_LICENSE_ACQUIRED : told.result;
    std::string url = told.text();
    const bool has_page = !url.empty();
    if (!has_page) url = text_property(client_->get(), WM_PROP_SERVICE_URL);
    IUnknown *value = nullptr;
    if (has_page || (is_non_silent_ && result >= 0)) value = new NonSilentAcquisition(url);
    raise(MEWMDRMLicenseAcquisitionCompleted, acquisition_result(result), value);
  }

 private:
  bool is_permitted() const {
    for (const Kid &kid : kids_) {
      for (const std::string &action : actions_) {
        std::uint32_t reasons = 0;
        if (wm_query_action_allowed(client_->get(), kid.bytes, action.c_str(), &reasons) < 0 || reasons != 0) return false;
      }
    }
    return !kids_.empty();
  }

  std::shared_ptr<Client> client_;
  bool is_non_silent_;
  std::vector<Kid> kids_;
  std::vector<std::string> actions_;
};

class Cookie final : public Object<IWmfCookie> {
 public:
  Cookie(IUnknown *owner, Ref<Operation> operation) : owner_(owner), operation_(std::move(operation)) {}
  HRESULT cancel() noexcept override { return operation_->cancel(); }

 private:
  ~Cookie() override { operation_->close(); }

  Ref<IUnknown> owner_;
  Ref<Operation> operation_;
};

// The base of the objects that raise events.
template <class Interface>
class Generator : public Object<Interface> {
 public:
  HRESULT STDMETHODCALLTYPE GetEvent(DWORD flags, IMFMediaEvent **event) noexcept override {
    return guarded([&] { return queue_->get(flags, event); });
  }
  HRESULT STDMETHODCALLTYPE BeginGetEvent(IMFAsyncCallback *callback, IUnknown *state) noexcept override {
    return guarded([&] { return queue_->begin(callback, state); });
  }
  HRESULT STDMETHODCALLTYPE EndGetEvent(IMFAsyncResult *result, IMFMediaEvent **event) noexcept override {
    return guarded([&] { return queue_->end(result, event); });
  }
  HRESULT STDMETHODCALLTYPE QueueEvent(MediaEventType type, REFGUID extended, HRESULT status,
                                       const PROPVARIANT *value) noexcept override {
    return guarded([&]() -> HRESULT {
      auto event = Ref<MediaEvent>::adopt(new MediaEvent(type, status, extended));
      const HRESULT result = event->set_value(value);
      return SUCCEEDED(result) ? queue_->push(Ref<IMFMediaEvent>::adopt(event.give()), false) : result;
    });
  }
  HRESULT STDMETHODCALLTYPE CancelAsyncOperation(IUnknown *cookie) noexcept override {
    if (cookie == nullptr) return E_INVALIDARG;
    void *found = nullptr;
    if (FAILED(cookie->QueryInterface(IID_IWmfCookie, &found))) return E_INVALIDARG;
    return Ref<IWmfCookie>::adopt(static_cast<IWmfCookie *>(found))->cancel();
  }
  HRESULT STDMETHODCALLTYPE Shutdown() noexcept override {
    return guarded([&] { return queue_->shut_down(); });
  }

 protected:
  explicit Generator(std::shared_ptr<Client> client) : client_(std::move(client)), queue_(std::make_shared<EventQueue>()) {}

  const std::shared_ptr<Client> &client() const { return client_; }
  const std::shared_ptr<EventQueue> &queue() const { return queue_; }

  // Makes the object of an operation, which `make` creates and prepares, and starts its verb. cookie: may be NULL.
  template <class Object, class Make, class Verb>
  HRESULT begin(Ref<Operation> operation, IUnknown **cookie, Make make, Verb verb) {
    if (cookie != nullptr) *cookie = nullptr;
    Object *object = nullptr;
    auto made = Ref<Cookie>::adopt(new Cookie(this->unknown(), operation));
    wm_result result = make(Operation::tell_status, static_cast<void *>(operation.get()), &object);
    operation->adopt(object);
    if (result < 0) return result;
    const HRESULT open = queue_->add(operation.get());
    if (FAILED(open)) return open;
    result = operation->start({Ref<IUnknown>(made.get()), Ref<IWMStatusCallback>(), nullptr}, WM_E_BUSY, [&] { return verb(object); });
    if (result < 0) {
      queue_->remove(operation.get());
      return result;
    }
    if (cookie != nullptr) *cookie = made.give();
    return S_OK;
  }

 private:
  std::shared_ptr<Client> client_;
  std::shared_ptr<EventQueue> queue_;
};

template <>
struct Ancestors<IWMDRMSecurity> {
  static void *find(IWMDRMSecurity *object, REFIID riid) {
    if (riid == IID_IWMDRMEventGenerator) return static_cast<IWMDRMEventGenerator *>(object);
    return riid == IID_IMFMediaEventGenerator ? static_cast<IMFMediaEventGenerator *>(object) : nullptr;
  }
};

template <>
struct Ancestors<IWMDRMLicenseManagement> {
  static void *find(IWMDRMLicenseManagement *object, REFIID riid) {
    if (riid == IID_IWMDRMEventGenerator) return static_cast<IWMDRMEventGenerator *>(object);
    return riid == IID_IMFMediaEventGenerator ? static_cast<IMFMediaEventGenerator *>(object) : nullptr;
  }
};

}  // namespace wmf

#endif
