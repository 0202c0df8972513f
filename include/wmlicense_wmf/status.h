// What statuses and results of wmlicense.h are to old code: numbers that its decisions rest on, and structures. Part of
// wmlicense_wmf.h.
#ifndef WMLICENSE_WMF_STATUS_H
#define WMLICENSE_WMF_STATUS_H

namespace wmf {

// Numbers by which old code decides what to do next.
inline constexpr HRESULT kGoNonSilent = WM_E_LICENSE_NOTACQUIRED;           // NS_E_DRM_LICENSE_NOTACQUIRED
inline constexpr HRESULT kDeclined = WM_E_UNABLE_TO_ACQUIRE_LICENSE;        // NS_E_DRM_UNABLE_TO_ACQUIRE_LICENSE
inline constexpr HRESULT kMonitorError = static_cast<HRESULT>(0xC00D273Eu);  // NS_E_DRM_MONITOR_ERROR
inline constexpr HRESULT kStoreSaveError = static_cast<HRESULT>(0xC00D2714u);  // NS_E_DRM_LICENSE_STORE_SAVE_ERROR

// The result of an acquisition or a monitor. Two numbers send old code to the page (NS_E_DRM_LICENSE_NOTACQUIRED and, of old
// systems, NS_E_DRM_LICENSE_STORE_ERROR): it gets them where a page helps, and there only, or it would go there for ever.
inline HRESULT acquisition_result(wm_result result) {
  switch (result) {
    case WM_E_NO_RIGHTS: return kGoNonSilent;
    case WM_E_LICENSE_NOTACQUIRED: return kDeclined;
    case WM_E_LICENSE_STORE_ERROR: return kStoreSaveError;
    case WM_E_NO_TRANSACTION: return kMonitorError;
    default: return result;
  }
}

// WM_GET_LICENSE_DATA with the memory behind it. No pointer in it is NULL.
class LicenseData {
 public:
  LicenseData(HRESULT hr, const std::string &url) : url_(url) {
    data_.dwSize = sizeof data_;
    data_.hr = hr;
    data_.wszURL = url_.data();
    data_.wszLocalFilename = empty_.data();
    data_.pbPostData = nothing_;
    data_.dwPostDataSize = 0;
  }
  LicenseData(const LicenseData &) = delete;
  LicenseData &operator=(const LicenseData &) = delete;
  WM_GET_LICENSE_DATA *get() { return &data_; }

 private:
  Wide url_;
  Wide empty_;
  BYTE nothing_[1] = {0};
  WM_GET_LICENSE_DATA data_ = {};
};

inline DWORD as_dword(std::uint64_t number) {
  return number > 0xFFFFFFFFu ? 0xFFFFFFFFu : static_cast<DWORD>(number);
}

// The progress of an individualization, or its end, which has a result.
inline WM_INDIVIDUALIZE_STATUS individualize_status(const Told &told, char *no_url) {
  wm_individualize_progress progress = {};
  if (told.type == WM_TYPE_BINARY && told.value != nullptr)
    std::memcpy(&progress, told.value, told.size < sizeof progress ? told.size : sizeof progress);
  WM_INDIVIDUALIZE_STATUS status = {};
  status.hr = told.result;
  status.enIndiStatus = static_cast<DRM_INDIVIDUALIZATION_STATUS>(progress.phase);
  if (told.result > 0) status.enIndiStatus = INDI_SUCCEED;
  if (told.result < 0) status.enIndiStatus = told.result == WM_E_OPERATION_CANCELED ? INDI_CANCEL : INDI_FAIL;
  status.pszIndiRespUrl = no_url;
  status.dwHTTPRequest = progress.requests;
  status.enHTTPStatus = static_cast<DRM_HTTP_STATUS>(progress.http_phase);
  status.dwHTTPReadProgress = as_dword(progress.bytes);
  status.dwHTTPReadTotal = as_dword(progress.bytes_total);
  return status;
}

// Whether a status ends an individualization.
inline bool ends_individualization(const Told &told) { return told.status == WM_STATUS_INDIVIDUALIZE && told.result != 0; }

// Tells what needs no more than another form: everything but acquisitions.
inline void tell_plain(const Told &told, const Running &running) {
  const WMT_STATUS status = static_cast<WMT_STATUS>(told.status);
  if (!is_for_old_code(told.status)) return;
  if (told.status == WM_STATUS_INDIVIDUALIZE) {
    char no_url[1] = "";
    WM_INDIVIDUALIZE_STATUS value = individualize_status(told, no_url);
    return on_status(running, status, told.result, WMT_TYPE_BINARY, &value);
  }
  if (told.type == WM_TYPE_STRING && told.value != nullptr) {
    const bool is_kid = told.status == WM_STATUS_RESTRICTED_LICENSE || told.status == WM_STATUS_LICENSE_REFUSED ||
                        told.status == WM_STATUS_RENEWAL_DUE;
    Wide text(is_kid ? guid_order(told.text().c_str()) : told.text());
    return on_status(running, status, told.result, WMT_TYPE_STRING, text.data());
  }
  // Structures of wmlicense.h go to who asked for its statuses.
  std::vector<BYTE> copy(static_cast<const BYTE *>(told.value), static_cast<const BYTE *>(told.value) + told.size);
  const WMT_ATTR_DATATYPE type = static_cast<WMT_ATTR_DATATYPE>(told.type);
  on_status(running, status, told.result, told.size > 0 ? type : WMT_TYPE_DWORD, told.size > 0 ? copy.data() : nullptr);
}

}  // namespace wmf

#endif
