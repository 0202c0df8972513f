// Questions about licenses in the extended API: IWMDRMLicenseQuery and the enumeration IWMDRMLicense. Part of wmlicense_wmf.h.
#ifndef WMLICENSE_WMF_LICENSE_H
#define WMLICENSE_WMF_LICENSE_H

namespace wmf {

// A string parameter of the extended API. Old code passes literals in place of a BSTR: the NUL ends it.
inline bool read_bstr(BSTR text, std::string &to) {
  to.clear();
  return text == nullptr || to_utf8(text, to);
}

// An action as all constants name it, with a prefix or without.
inline bool read_action(BSTR text, std::string &action) {
  if (!read_bstr(text, action)) return false;
  if (!cut_prefix(action, "ActionAllowed.")) cut_prefix(action, "LicenseStateData.");
  return !action.empty();
}

// The actions of a list: the texts of its ACTION elements, or words between semicolons.
inline std::vector<std::string> read_actions(const std::string &list) {
  if (list.find('<') == std::string::npos) return split(list);
  static constexpr char kOpen[] = "<ACTION>", kClose[] = "</ACTION>";
  std::vector<std::string> actions;
  for (std::size_t at = list.find(kOpen); at != std::string::npos; at = list.find(kOpen, at)) {
    at += sizeof kOpen - 1;
    const std::size_t end = list.find(kClose, at);
    if (end == std::string::npos) break;
    if (end > at) actions.push_back(list.substr(at, end - at));
  }
  return actions;
}

class LicenseQuery final : public Object<IWMDRMLicenseQuery> {
 public:
  explicit LicenseQuery(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  HRESULT STDMETHODCALLTYPE QueryLicenseState(BSTR kid, DWORD count, BSTR actions[],
                                              DRM_LICENSE_STATE_DATA states[]) noexcept override {
    return each(kid, count, actions, states, [&](const Kid &of, const std::string &action, DRM_LICENSE_STATE_DATA &state) {
      return license_state(client_->get(), of, action.c_str(), state);
    });
  }

  // The level of the application is a property of the client; output and devices are the application's matter.
  HRESULT STDMETHODCALLTYPE SetActionAllowedQueryParams(BOOL, DWORD, BOOL, BSTR) noexcept override { return S_OK; }

  HRESULT STDMETHODCALLTYPE QueryActionAllowed(BSTR kid, BSTR version, DWORD count, BSTR actions[],
                                               DWORD results[]) noexcept override {
    return guarded([&]() -> HRESULT {
      std::string least;
      if (!read_bstr(version, least)) return E_INVALIDARG;
      const bool is_too_old = !least.empty() && !is_individualized(client_->get());
      return each(kid, count, actions, results, [&](const Kid &of, const std::string &action, DWORD &result) -> HRESULT {
        std::uint32_t reasons = 0;
        const wm_result asked = wm_query_action_allowed(client_->get(), of.bytes, action.c_str(), &reasons);
        if (is_too_old) reasons |= WM_REASON_NOT_ENABLED | WM_REASON_REQ_INDIV;
        result = reasons;
        return asked;
      });
    });
  }

 private:
  template <class Answer, class Question>
  static HRESULT each(BSTR kid, DWORD count, BSTR actions[], Answer answers[], Question question) noexcept {
    return guarded([&]() -> HRESULT {
      Kid of;
      if (kid == nullptr || count == 0 || actions == nullptr || answers == nullptr) return E_INVALIDARG;
      if (!read_guid_order(kid, of)) return NS_E_DRM_INVALID_KID;
      for (DWORD i = 0; i < count; i++) {
        std::string action;
        if (!read_action(actions[i], action)) return E_INVALIDARG;
        const HRESULT result = question(of, action, answers[i]);
        if (FAILED(result)) return result;
      }
      return S_OK;
    });
  }

  std::shared_ptr<Client> client_;
};

// The enumeration and the license that it stands at.
class License final : public Object<IWMDRMLicense> {
 public:
  // Stands at the first license; WM_E_NO_MORE_ITEMS where there is none.
  static HRESULT create(std::shared_ptr<Client> client, const WMDRM_LICENSE_FILTER *filter, IWMDRMLicense **out) {
    if (out == nullptr) return E_INVALIDARG;
    *out = nullptr;
    auto made = Ref<License>::adopt(new License(std::move(client)));
    HRESULT result = filter != nullptr ? made->set_filter(*filter) : S_OK;
    if (SUCCEEDED(result)) result = made->ResetEnumeration();
    if (SUCCEEDED(result)) *out = made.give();
    return result;
  }

  HRESULT STDMETHODCALLTYPE ResetEnumeration() noexcept override {
    return guarded([&]() -> HRESULT {
      Handle<wm_license_enumerator> begun;
      wm_result result = wm_create_license_enumerator(client_->get(), begun.out());
      if (result >= 0 && !kid_.empty()) result = wm_set_string_prop(begun.get(), WM_PROP_FILTER_KID, kid_.c_str());
      if (result >= 0 && !rights_.empty()) result = wm_set_string_prop(begun.get(), WM_PROP_FILTER_ACTION, rights_.front().c_str());
      if (result < 0) return result;
      licenses_ = std::move(begun);
      return GetNext();
    });
  }

  HRESULT STDMETHODCALLTYPE GetNext() noexcept override {
    return guarded([&]() -> HRESULT {
      for (;;) {
        const wm_result result = wm_next_license(licenses_.get());
        if (result < 0 || grants_all()) return result;
      }
    });
  }

  // Properties of the extended API, and those of a license enumerator under their own names. Key IDs are in GUID order.
  HRESULT STDMETHODCALLTYPE GetLicenseProperty(BSTR name, PROPVARIANT *value) noexcept override {
    return guarded([&]() -> HRESULT {
      std::string text;
      if (name == nullptr || value == nullptr || !read_bstr(name, text)) return E_INVALIDARG;
      PropVariantInit(value);
      if (text == "UplinkID") text = WM_PROP_ROOT_KID;
      const bool is_file_time = text == "ISSUEDATE";
      if (is_file_time) text = WM_PROP_ISSUE_DATE;
      return give(text.c_str(), is_file_time, *value);
    });
  }

  // There is no temporary store: every license is in the permanent one.
  HRESULT STDMETHODCALLTYPE PersistLicense() noexcept override { return E_FAIL; }
  HRESULT STDMETHODCALLTYPE CanPersist(BOOL *can) noexcept override {
    if (can == nullptr) return E_INVALIDARG;
    *can = FALSE;
    return S_OK;
  }

 private:
  explicit License(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  HRESULT set_filter(const WMDRM_LICENSE_FILTER &filter) {
    std::string kid, rights;
    if (!read_bstr(filter.bstrKID, kid) || !read_bstr(filter.bstrRights, rights)) return E_INVALIDARG;
    if (!kid.empty()) {
      Kid of;
      if (!read_guid_order(kid, of)) return NS_E_DRM_INVALID_KID;
      kid_ = kid_text(of);
    }
    rights_ = read_actions(rights);
    // No license grants it among its actions: its policy says whether a backup takes it.
    const auto backup = std::remove(rights_.begin(), rights_.end(), WM_ACTION_BACKUP);
    wants_backup_ = backup != rights_.end();
    rights_.erase(backup, rights_.end());
    return S_OK;
  }

  bool grants_all() const {
    std::int32_t backs_up = 0;
    if (wants_backup_ && (wm_get_prop(licenses_.get(), WM_PROP_BACKUP_ALLOWED, nullptr, &backs_up, sizeof backs_up, nullptr) < 0 || backs_up == 0))
      return false;
    const std::vector<std::string> granted = split(text_property(licenses_.get(), WM_PROP_ACTIONS));
    for (const std::string &right : rights_)
      if (std::find(granted.begin(), granted.end(), right) == granted.end()) return false;
    return true;
  }

  HRESULT give(const char *name, bool is_file_time, PROPVARIANT &value) const {
    wm_attr_type type = 0;
    wm_result result = wm_get_prop(licenses_.get(), name, &type, nullptr, 0, nullptr);
    if (result < 0) return result;
    if (type == WM_TYPE_STRING) {
      const bool is_kid = std::strcmp(name, WM_PROP_KID) == 0 || std::strcmp(name, WM_PROP_ROOT_KID) == 0;
      const std::string text = text_property(licenses_.get(), name);
      result = give_bstr(is_kid ? guid_order(text.c_str()) : text, &value.bstrVal);
      value.vt = SUCCEEDED(result) ? VT_BSTR : VT_EMPTY;
      return result;
    }
    std::uint64_t number = 0;
    std::uint32_t small = 0;
    if (type == WM_TYPE_QWORD) {
      result = wm_get_prop(licenses_.get(), name, nullptr, &number, sizeof number, nullptr);
      const FILETIME time = file_time(static_cast<std::int64_t>(number));
      value.uhVal = is_file_time ? static_cast<QWORD>(time.dwHighDateTime) << 32 | time.dwLowDateTime : number;
      value.vt = VT_UI8;
    } else if (type == WM_TYPE_DWORD || type == WM_TYPE_BOOL) {
      result = wm_get_prop(licenses_.get(), name, nullptr, &small, sizeof small, nullptr);
      value.ulVal = small;
      value.vt = VT_UI4;
    } else {
      return WM_E_UNSUPPORTED_PROPERTY;
    }
    return result;
  }

  std::shared_ptr<Client> client_;
  std::string kid_;
  std::vector<std::string> rights_;
  bool wants_backup_ = false;
  Handle<wm_license_enumerator> licenses_;
};

}  // namespace wmf

#endif
