// The metadata editor's DRM half, and the license revocation agent. Part of wmlicense_wmf.h.
#ifndef WMLICENSE_WMF_EDITOR_H
#define WMLICENSE_WMF_EDITOR_H

namespace wmf {

// Reads DRM properties of a file. It changes no file: there is nothing to flush.
class Editor final : public Object<IWMMetadataEditor, IWMDRMEditor> {
 public:
  HRESULT STDMETHODCALLTYPE Open(const WCHAR *file) noexcept override {
    return guarded([&]() -> HRESULT {
      auto opened = std::make_shared<ContentFile>();
      const HRESULT result = opened->open(file);
      if (FAILED(result)) return result;
      const std::lock_guard<std::mutex> lock(mutex_);
      if (file_) return static_cast<HRESULT>(0xC00D002Bu);  // NS_E_INVALID_REQUEST
      file_ = std::move(opened);
      return S_OK;
    });
  }

  HRESULT STDMETHODCALLTYPE Close() noexcept override {
    const std::lock_guard<std::mutex> lock(mutex_);
    file_.reset();
    return S_OK;
  }

  HRESULT STDMETHODCALLTYPE Flush() noexcept override { return S_OK; }

  HRESULT STDMETHODCALLTYPE GetDRMProperty(const WCHAR *name, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) noexcept override {
    return guarded([&]() -> HRESULT {
      std::string text;
      if (type == nullptr || size == nullptr || !to_utf8(name, text)) return E_INVALIDARG;
      std::shared_ptr<const ContentFile> file;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        file = file_;
      }
      if (!file) return static_cast<HRESULT>(0xC00D002Bu);  // NS_E_INVALID_REQUEST
      Client client;
      const HRESULT found = ClientOfProcess::instance().get(client);
      return file->property(FAILED(found) ? nullptr : client.get(), text, type, value, size);
    });
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const ContentFile> file_;
};

// No status is told to its callback, as no one was of the original.
class RevocationAgent final : public Object<IWMLicenseRevocationAgent> {
 public:
  static HRESULT create(IUnknown *callback, IWMLicenseRevocationAgent **out) {
    if (callback == nullptr || out == nullptr) return E_INVALIDARG;
    *out = nullptr;
    Client client;
    HRESULT result = ClientOfProcess::instance().get(client);
    if (FAILED(result)) return result;
    auto made = Ref<RevocationAgent>::adopt(new RevocationAgent(callback));
    result = wm_create_revocation_agent(client.get(), tell_nobody, nullptr, made->agent_.out());
    if (FAILED(result)) return result;
    *out = made.give();
    return S_OK;
  }

  // The device names itself: machine ID and challenge of the caller are not sent. out NULL gives the size.
  HRESULT STDMETHODCALLTYPE GetLRBChallenge(BYTE *, DWORD, BYTE *, DWORD, BYTE *out, DWORD *out_size) noexcept override {
    if (out_size == nullptr) return E_INVALIDARG;
    std::size_t size = 0;
    const wm_result result = wm_get_lrb_challenge(agent_.get(), nullptr, 0, out, out != nullptr ? *out_size : 0, &size);
    if (result >= 0 || result == WM_E_BUFFER_TOO_SMALL) *out_size = as_dword(size);
    return result;
  }

  HRESULT STDMETHODCALLTYPE ProcessLRB(BYTE *lrb, DWORD lrb_size, BYTE *ack, DWORD *ack_size) noexcept override {
    if (lrb == nullptr || ack_size == nullptr) return E_INVALIDARG;
    std::size_t size = 0;
    const wm_result result = wm_process_lrb(agent_.get(), lrb, lrb_size, ack, ack != nullptr ? *ack_size : 0, &size);
    if (result >= 0 || result == WM_E_BUFFER_TOO_SMALL) *ack_size = as_dword(size);
    return result;
  }

  // Keeps an object's events out of the client's event queue, which may be for others.
  static wm_result tell_nobody(wm_status, wm_result, wm_attr_type, const void *, size_t, void *) noexcept { return 0; }

 private:
  explicit RevocationAgent(IUnknown *callback) : callback_(callback) {}

  Ref<IUnknown> callback_;
  Handle<wm_revocation_agent> agent_;
};

}  // namespace wmf

#endif
