// The objects that events of the extended API carry. Part of wmlicense_wmf.h. Text in them is never NULL.
#ifndef WMLICENSE_WMF_EVENT_VALUES_H
#define WMLICENSE_WMF_EVENT_VALUES_H

namespace wmf {

inline BSTR bstr_of(const std::string &text) { return SysAllocString(Wide(text).data()); }

inline HRESULT give_bstr(const std::string &text, BSTR *out) {
  if (out == nullptr) return E_INVALIDARG;
  *out = bstr_of(text);
  return *out != nullptr ? S_OK : E_OUTOFMEMORY;
}

class IndividualizationStatus final : public Object<IWMDRMIndividualizationStatus> {
 public:
  explicit IndividualizationStatus(const Told &told) : status_(individualize_status(told, no_url_)) {}
  HRESULT STDMETHODCALLTYPE GetStatus(WM_INDIVIDUALIZE_STATUS *status) noexcept override {
    if (status == nullptr) return E_INVALIDARG;
    *status = status_;
    return S_OK;
  }

 private:
  char no_url_[1] = "";
  WM_INDIVIDUALIZE_STATUS status_;
};

class BackupRestoreStatus final : public Object<IWMDRMLicenseBackupRestoreStatus> {
 public:
  BackupRestoreStatus(MSDRM_STATUS status, std::string text) : status_(status), text_(std::move(text)) {}
  // The caller frees the text.
  HRESULT STDMETHODCALLTYPE GetStatus(WM_BACKUP_RESTORE_STATUS *status) noexcept override {
    return guarded([&]() -> HRESULT {
      if (status == nullptr) return E_INVALIDARG;
      status->eStatus = status_;
      return give_bstr(text_, &status->bstrError);
    });
  }

 private:
  MSDRM_STATUS status_;
  std::string text_;
};

// The page on which the user acts. It needs no challenge to be posted: it belongs to the request that waits at the service.
class NonSilentAcquisition final : public Object<IWMDRMNonSilentLicenseAquisition> {
 public:
  explicit NonSilentAcquisition(std::string url) : url_(std::move(url)) {}
  HRESULT STDMETHODCALLTYPE GetURL(BSTR *url) noexcept override {
    return guarded([&] { return give_bstr(url_, url); });
  }
  HRESULT STDMETHODCALLTYPE GetChallenge(BSTR *challenge) noexcept override {
    return guarded([&] { return give_bstr(std::string(), challenge); });
  }

 private:
  std::string url_;
};

}  // namespace wmf

#endif
