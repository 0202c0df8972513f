// What a file and the licenses for it say, under the names of DRM properties: the part that reader and editor share. Part of
// wmlicense_wmf.h.
#ifndef WMLICENSE_WMF_RIGHTS_H
#define WMLICENSE_WMF_RIGHTS_H

namespace wmf {

// Seconds since 1970 as 100 ns since 1601; what lies before is the beginning, and what comes after the last FILETIME that is a date
// is that one.
inline FILETIME file_time(std::int64_t seconds) {
  constexpr std::int64_t kFrom1601 = 11644473600, kLast = INT64_MAX / 10000000 - kFrom1601;
  std::uint64_t ticks = INT64_MAX;
  if (seconds <= kLast) ticks = seconds > -kFrom1601 ? static_cast<std::uint64_t>(seconds + kFrom1601) * 10000000u : 0;
  FILETIME time;
  time.dwLowDateTime = static_cast<DWORD>(ticks & 0xFFFFFFFFu);
  time.dwHighDateTime = static_cast<DWORD>(ticks >> 32);
  return time;
}

// Versions that old content demands are of a component of Windows: every device that is individualized satisfies them.
inline bool is_individualized(wm_client *client) {
  std::int32_t is = 0;
  return wm_get_prop(client, WM_PROP_INDIVIDUALIZED, nullptr, &is, sizeof is, nullptr) >= 0 && is != 0;
}

// Whether a license for the key ID demands something of outputs.
inline bool has_output_protection(wm_client *client, const Kid &kid) {
  Handle<wm_license_enumerator> licenses;
  if (wm_create_license_enumerator(client, licenses.out()) < 0) return false;
  if (wm_set_string_prop(licenses.get(), WM_PROP_FILTER_KID, kid_text(kid).c_str()) < 0) return false;
  while (wm_next_license(licenses.get()) == 0)
    if (wm_get_prop(licenses.get(), WM_PROP_OUTPUT_PROTECTION, nullptr, nullptr, 0, nullptr) >= 0) return true;
  return false;
}

// What is left of an action. Durations are in hours, of which the last may not be a whole one.
inline HRESULT license_state(wm_client *client, const Kid &kid, const char *action, DRM_LICENSE_STATE_DATA &out) {
  wm_license_state state = {};
  state.struct_size = sizeof state;
  const wm_result result = wm_query_license_state(client, kid.bytes, action, &state);
  if (result < 0) return result;
  out = {};
  out.dwCategory = static_cast<DRM_LICENSE_STATE_CATEGORY>(state.category);
  out.dwNumCounts = state.count_count;
  for (int i = 0; i < 4; i++) out.dwCount[i] = state.counts[i];
  out.dwNumDates = state.date_count;
  for (std::uint32_t i = 0; i < 4 && i < state.date_count; i++) out.datetime[i] = file_time(state.dates[i]);
  if (state.category == WM_LICENSE_STATE_EXPIRATION_AFTER_FIRSTUSE) {
    const std::uint64_t hours = state.seconds_after_first_use / 3600 + (state.seconds_after_first_use % 3600 != 0);
    // The hours stand where old code looks for them, uses that are left behind them.
    for (int i = 3; i > 0; i--) out.dwCount[i] = out.dwCount[i - 1];
    out.dwCount[0] = hours > 0xFFFFFFFFu ? 0xFFFFFFFFu : static_cast<DWORD>(hours);
    if (state.count_count > 0 || state.date_count > 0) out.dwVague |= DRM_LICENSE_STATE_DATA_VAGUE;
    out.dwNumCounts = state.count_count < 3 ? state.count_count + 1 : 4;
  }
  if ((state.vague & WM_LICENSE_STATE_VAGUE) != 0) out.dwVague |= DRM_LICENSE_STATE_DATA_VAGUE;
  if (has_output_protection(client, kid)) out.dwVague |= DRM_LICENSE_STATE_DATA_OPL_PRESENT;
  return S_OK;
}

// A file that is open, with what it says about its protection.
class ContentFile {
 public:
  HRESULT open(const WCHAR *path) {
    std::string utf8;
    if (!to_utf8(path, utf8)) return E_INVALIDARG;
    bool is_protected = false;
    wm_result result = wm_is_content_protected(utf8.c_str(), &is_protected);
    if (result < 0) return file_result(result);
    is_protected_ = is_protected;
    if (!is_protected) return S_OK;
    result = wm_create_content_header_from_file(utf8.c_str(), header_.out());
    if (result < 0) return file_result(result);
    kids_text_ = header_text(WM_PROP_KIDS);
    for (const std::string &text : split(kids_text_)) {
      Kid kid;
      if (read_kid(text.c_str(), WM_KID_BASE64, kid)) kids_.push_back(kid);
    }
    return S_OK;
  }

  bool is_protected() const { return is_protected_; }
  const std::vector<Kid> &kids() const { return kids_; }
  // As a license request takes them.
  const std::string &kids_text() const { return kids_text_; }
  std::string header_text(const char *name) const { return text_property(header_.get(), name); }

  // The reasons why an action is refused for some key ID of the file; 0 where it is permitted for all of them.
  HRESULT reasons(wm_client *client, const char *action, std::uint32_t &reasons) const {
    reasons = kids_.empty() ? WM_REASON_NOT_ENABLED | WM_REASON_NO_LICENSE : 0;
    for (const Kid &kid : kids_) {
      std::uint32_t of_kid = 0;
      const wm_result result = wm_query_action_allowed(client, kid.bytes, action, &of_kid);
      if (result < 0) return result;
      reasons |= of_kid;
    }
    return S_OK;
  }

  // The three results that old code knows for a file whose rights are missing.
  static HRESULT missing(std::uint32_t reasons) {
    if (reasons == 0) return S_OK;
    if ((reasons & WM_REASON_NO_LICENSE) != 0) return WM_E_LICENSE_REQUIRED;
    const std::uint32_t over = WM_REASON_EXHAUSTED | WM_REASON_EXPIRED | WM_REASON_NOT_STARTED | WM_REASON_NO_CLOCK_SUPPORT;
    return (reasons & over) != 0 ? WM_E_LICENSE_OUTOFDATE : WM_E_LICENSE_INCORRECT_RIGHTS;
  }

  // A DRM property but those that only a reader has. client: NULL where there is none, which the header's properties do not need.
  HRESULT property(wm_client *client, std::string name, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) const {
    if (name == "IsDRM") return give_bool(is_protected_, type, value, size);
    // Version 1 content has no licenses here.
    if (name == "IsDRMCached") return give_bool(false, type, value, size);
    if (!is_protected_) return WM_E_UNSUPPORTED_PROPERTY;
    if (cut_prefix(name, "DRMHeader.")) return header_property(name, type, value, size);
    if (client == nullptr) return static_cast<HRESULT>(0xC00D2764u);  // NS_E_DRM_NOT_CONFIGURED
    if (name == "LID") return give_license_id(client, type, value, size);
    if (cut_prefix(name, "ActionAllowed.")) {
      std::uint32_t refused = 0;
      const HRESULT result = name.empty() ? WM_E_UNSUPPORTED_PROPERTY : reasons(client, name.c_str(), refused);
      return FAILED(result) ? result : give_bool(refused == 0, type, value, size);
    }
    if (cut_prefix(name, "LicenseStateData.") && !name.empty()) return give_state(client, name, type, value, size);
    return WM_E_UNSUPPORTED_PROPERTY;
  }

  static HRESULT give_text(const std::string &text, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) {
    const Wide wide(text);
    *type = WMT_TYPE_STRING;
    return give_value(wide.data(), wide.byte_size(), value, size);
  }

 private:
  static HRESULT give_bool(bool is, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) {
    const BOOL truth = is ? TRUE : FALSE;
    *type = WMT_TYPE_BOOL;
    return give_value(&truth, sizeof truth, value, size);
  }

  HRESULT header_property(const std::string &name, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) const {
    static constexpr struct {
      const char *old_name, *name;
    } kRenamed[] = {{"LAINFO", WM_PROP_LICENSE_URL}, {"CID", WM_PROP_CONTENT_ID}, {"SECURITYVERSION", WM_PROP_SECURITY_VERSION}};
    if (name == "KID") {
      if (kids_.empty()) return WM_E_UNSUPPORTED_PROPERTY;
      return give_text(guid_order(kids_.front()), type, value, size);
    }
    if (name == "KIDs") {
      std::string list;
      for (const Kid &kid : kids_) list += (list.empty() ? "" : ";") + guid_order(kid);
      return give_text(list, type, value, size);
    }
    const char *own = name.c_str();
    for (const auto &renamed : kRenamed)
      if (name == renamed.old_name) own = renamed.name;
    if (wm_get_prop(header_.get(), own, nullptr, nullptr, 0, nullptr) < 0) return WM_E_UNSUPPORTED_PROPERTY;
    return give_text(header_text(own), type, value, size);
  }

  HRESULT give_license_id(wm_client *client, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) const {
    Handle<wm_license_enumerator> licenses;
    if (kids_.empty()) return WM_E_UNSUPPORTED_PROPERTY;
    wm_result result = wm_create_license_enumerator(client, licenses.out());
    if (result >= 0) result = wm_set_string_prop(licenses.get(), WM_PROP_FILTER_KID, kid_text(kids_.front()).c_str());
    if (result >= 0) result = wm_next_license(licenses.get());
    if (result == WM_E_NO_MORE_ITEMS) return WM_E_LICENSE_REQUIRED;
    return result < 0 ? result : give_text(text_property(licenses.get(), WM_PROP_LID), type, value, size);
  }

  HRESULT give_state(wm_client *client, const std::string &action, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) const {
    WM_LICENSE_STATE_DATA data = {};
    if (kids_.empty()) return WM_E_UNSUPPORTED_PROPERTY;
    const HRESULT result = license_state(client, kids_.front(), action.c_str(), data.stateData[0]);
    if (FAILED(result)) return result;
    // The others may permit less.
    if (kids_.size() > 1) data.stateData[0].dwVague |= DRM_LICENSE_STATE_DATA_VAGUE;
    data.dwSize = sizeof data;
    data.dwNumStates = 1;
    *type = WMT_TYPE_BINARY;
    return give_value(&data, sizeof data, value, size);
  }

  Handle<wm_content_header> header_;
  bool is_protected_ = false;
  std::string kids_text_;
  std::vector<Kid> kids_;
};

}  // namespace wmf

#endif
