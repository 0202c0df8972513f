// The objects of the extended API that raise events: IWMDRMSecurity and IWMDRMLicenseManagement; and their provider. Part of
// wmlicense_wmf.h.
#ifndef WMLICENSE_WMF_MANAGEMENT_H
#define WMLICENSE_WMF_MANAGEMENT_H

namespace wmf {

class Security final : public Generator<IWMDRMSecurity> {
 public:
  explicit Security(std::shared_ptr<Client> client) : Generator(std::move(client)) {}

  HRESULT STDMETHODCALLTYPE GetSecurityVersion(BSTR *version) noexcept override {
    return guarded([&] { return give_bstr(text_property(client()->get(), WM_PROP_SECURITY_VERSION), version); });
  }

  // One of the three flags. The call is the user's consent to individualization.
  HRESULT STDMETHODCALLTYPE PerformSecurityUpdate(DWORD flags, IUnknown **cookie) noexcept override {
    return guarded([&]() -> HRESULT {
      if (flags == WMDRM_SECURITY_PERFORM_REVOCATION_REFRESH) return refresh(cookie);
      if (flags != WMDRM_SECURITY_PERFORM_INDIV && flags != WMDRM_SECURITY_PERFORM_FORCE_INDIV) return E_INVALIDARG;
      auto operation = Ref<Operation>::adopt(
          new PlainEvents(queue(), WM_STATUS_INDIVIDUALIZE, MEWMDRMIndividualizationCompleted));
      return begin<wm_individualizer>(
          operation, cookie,
          [&](wm_status_callback tell, void *context, wm_individualizer **made) {
            const wm_result result = wm_create_individualizer(client()->get(), tell, context, made);
            return result < 0 ? result : wm_set_bool_prop(*made, WM_PROP_USER_CONSENT, true);
          },
          [&](wm_individualizer *made) {
            return wm_individualize(made, flags == WMDRM_SECURITY_PERFORM_FORCE_INDIV ? WM_INDIVIDUALIZE_FORCE : 0);
          });
    });
  }

 private:
  HRESULT refresh(IUnknown **cookie) {
    auto operation = Ref<Operation>::adopt(
        new PlainEvents(queue(), WM_STATUS_REVOCATIONS_REFRESHED, MEWMDRMRevocationDownloadCompleted));
    return begin<wm_revocation_agent>(
        operation, cookie,
        [&](wm_status_callback tell, void *context, wm_revocation_agent **made) {
          return wm_create_revocation_agent(client()->get(), tell, context, made);
        },
        [](wm_revocation_agent *made) { return wm_refresh_revocations(made); });
  }
};

// What AcquireLicense and MonitorLicenseAcquisition are asked for.
struct Wish {
  std::string url, header, actions;
  std::vector<Kid> kids;

  // A header that is no XML is a key ID, as legacy acquisitions pass it; the key ID of a monitor counts where there is no header.
  HRESULT read(BSTR url_text, BSTR kid, BSTR header_text, BSTR actions_text) {
    std::string text, list, key_id;
    if (!read_bstr(url_text, url) || !read_bstr(header_text, text) || !read_bstr(actions_text, list) || !read_bstr(kid, key_id))
      return E_INVALIDARG;
    for (const std::string &action : read_actions(list)) actions += (actions.empty() ? "" : ";") + action;
    const std::size_t first = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
    if (first == std::string::npos) text = key_id;
    if (first != std::string::npos && text[first] == '<') return read_header(text);
    if (text.empty()) return S_OK;
    Kid of;
    if (!read_guid_order(text, of)) return NS_E_DRM_INVALID_KID;
    kids.push_back(of);
    return S_OK;
  }

  HRESULT apply(wm_license_request *request) const {
    wm_result result = 0;
    if (!url.empty()) result = wm_set_string_prop(request, WM_PROP_URL, url.c_str());
    if (result >= 0 && !actions.empty()) result = wm_set_string_prop(request, WM_PROP_ACTIONS, actions.c_str());
    if (result >= 0 && !header.empty()) result = wm_set_prop(request, WM_PROP_HEADER, WM_TYPE_BINARY, header.data(), header.size());
    if (result >= 0 && header.empty() && !kids.empty())
      result = wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(kids.front()).c_str());
    return result;
  }

 private:
  HRESULT read_header(std::string text) {
    Handle<wm_content_header> read;
    const wm_result result = wm_create_content_header(text.data(), text.size(), read.out());
    if (result < 0) return result;
    for (const std::string &one : split(text_property(read.get(), WM_PROP_KIDS))) {
      Kid of;
      if (read_kid(one.c_str(), WM_KID_BASE64, of)) kids.push_back(of);
    }
    header = std::move(text);
    return S_OK;
  }
};

class LicenseManagement final : public Generator<IWMDRMLicenseManagement> {
 public:
  explicit LicenseManagement(std::shared_ptr<Client> client) : Generator(std::move(client)) {}

  HRESULT STDMETHODCALLTYPE CreateLicenseEnumeration(WMDRM_LICENSE_FILTER *filter, IWMDRMLicense **license) noexcept override {
    return guarded([&] { return License::create(client(), filter, license); });
  }

  // From this device only, and at once.
  HRESULT STDMETHODCALLTYPE DeleteLicense(BSTR kid, DWORD flags) noexcept override {
    return guarded([&]() -> HRESULT {
      Kid of;
      if (flags == WMDRM_DELETE_LICENSE_MARK_FOR_PURGE) return E_NOTIMPL;
      if (flags != WMDRM_DELETE_LICENSE_IMMEDIATELY || kid == nullptr) return E_INVALIDARG;
      if (!read_guid_order(kid, of)) return NS_E_DRM_INVALID_KID;
      const wm_result result = wm_delete_licenses(client()->get(), of.bytes, WM_DELETE_LOCAL);
      return result == WM_S_FALSE ? DRM_E_LICENSENOTFOUND : result;
    });
  }

  HRESULT STDMETHODCALLTYPE CleanLicenseStore(DWORD flags, IUnknown **cookie) noexcept override {
    return guarded([&]() -> HRESULT {
      if (flags == WMDRM_CLEAN_LICENSE_STORE_SYNC) {
        Handle<wm_store_keeper> keeper;
        const wm_result made = wm_create_store_keeper(client()->get(), RevocationAgent::tell_nobody, nullptr, keeper.out());
        return made < 0 ? made : wm_clean_license_store(keeper.get(), WM_CLEAN_SYNC);
      }
      if (flags != WMDRM_CLEAN_LICENSE_STORE_ASYNC) return E_INVALIDARG;
      auto operation = Ref<Operation>::adopt(new PlainEvents(queue(), WM_STATUS_STORE_CLEANED, MEWMDRMLicenseStoreCleaned));
      return begin<wm_store_keeper>(
          operation, cookie,
          [&](wm_status_callback tell, void *context, wm_store_keeper **made) {
            return wm_create_store_keeper(client()->get(), tell, context, made);
          },
          [](wm_store_keeper *made) { return wm_clean_license_store(made, WM_CLEAN_ASYNC); });
    });
  }

  // Takes an answer that the issuer made for this device unasked: its bytes, or their base64.
  HRESULT STDMETHODCALLTYPE StoreLicense(BSTR response) noexcept override {
    return guarded([&]() -> HRESULT {
      std::vector<BYTE> bytes;
      if (response == nullptr || !read_bytes(response, bytes)) return E_INVALIDARG;
      Handle<wm_license_request> request;
      wm_result result = wm_create_license_request(client()->get(), RevocationAgent::tell_nobody, nullptr, request.out());
      if (result >= 0) result = wm_process_response(request.get(), bytes.data(), bytes.size());
      return result == WM_S_LICENSE_ACQUIRED ? S_OK : result;
    });
  }

  // flags: one of three. Without a header it is a pre-delivery.
  HRESULT STDMETHODCALLTYPE AcquireLicense(BSTR url, BSTR header, BSTR actions, DWORD flags, IUnknown **cookie) noexcept override {
    return guarded([&]() -> HRESULT {
      Wish wish;
      const bool is_silent = flags == WMDRM_ACQUIRE_LICENSE_SILENT;
      if (!is_silent && flags != WMDRM_ACQUIRE_LICENSE_NONSILENT && flags != WMDRM_ACQUIRE_LICENSE_LEGACY_NONSILENT) return E_INVALIDARG;
      const HRESULT read = wish.read(url, nullptr, header, actions);
      if (FAILED(read)) return read;
      return ask(wish, !is_silent, false, cookie, [is_silent](wm_license_request *made) {
        return wm_acquire_license(made, is_silent ? WM_ACQUIRE_SILENT : WM_ACQUIRE_NONSILENT);
      });
    });
  }

  HRESULT STDMETHODCALLTYPE MonitorLicenseAcquisition(BSTR kid, BSTR header, BSTR actions, IUnknown **cookie) noexcept override {
    return guarded([&]() -> HRESULT {
      Wish wish;
      const HRESULT read = wish.read(nullptr, kid, header, actions);
      if (FAILED(read)) return read;
      return ask(wish, false, true, cookie, [](wm_license_request *made) { return wm_monitor_license(made); });
    });
  }

  HRESULT STDMETHODCALLTYPE BackupLicenses(BSTR folder, DWORD flags, IUnknown **cookie) noexcept override {
    return guarded([&] {
      auto operation = Ref<Operation>::adopt(
          new BackupRestoreEvents(queue(), MEWMDRMLicenseBackupProgress, MEWMDRMLicenseBackupCompleted));
      return move(operation, WM_PROP_BACKUP_PATH, folder, cookie,
                  [flags](wm_backup_restorer *made) { return wm_backup_licenses(made, flags); });
    });
  }

  HRESULT STDMETHODCALLTYPE RestoreLicenses(BSTR folder, DWORD flags, IUnknown **cookie) noexcept override {
    return guarded([&] {
      auto operation = Ref<Operation>::adopt(
          new BackupRestoreEvents(queue(), MEWMDRMLicenseRestoreProgress, MEWMDRMLicenseRestoreCompleted));
      return move(operation, WM_PROP_RESTORE_PATH, folder, cookie,
                  [flags](wm_backup_restorer *made) { return wm_restore_licenses(made, flags); });
    });
  }

  // The device names itself: machine ID and challenge of the caller are not sent. The caller frees what it gets.
  HRESULT STDMETHODCALLTYPE CreateLicenseRevocationChallenge(BYTE *, DWORD, BYTE *, DWORD, BYTE **out,
                                                             DWORD *out_size) noexcept override {
    return carry(out, out_size, [](wm_revocation_agent *agent, void *buffer, std::size_t room, std::size_t *size) {
      return wm_get_lrb_challenge(agent, nullptr, 0, buffer, room, size);
    });
  }

  HRESULT STDMETHODCALLTYPE ProcessLicenseRevocationResponse(BYTE *response, DWORD response_size, BYTE **ack,
                                                             DWORD *ack_size) noexcept override {
    if (response == nullptr) return E_INVALIDARG;
    return carry(ack, ack_size, [=](wm_revocation_agent *agent, void *buffer, std::size_t room, std::size_t *size) {
      return wm_process_lrb(agent, response, response_size, buffer, room, size);
    });
  }

  // Of licenses that an application made itself; there are none.
  HRESULT STDMETHODCALLTYPE ProcessLicenseDeletionMessage(BSTR) noexcept override { return E_NOTIMPL; }

 private:
  // Text ends at the NUL: a literal has no count before it. What begins with no letter that an answer may begin with was put in
  // bytes into a BSTR, by the caller's own hand, and has one.
  static bool read_bytes(BSTR text, std::vector<BYTE> &bytes) {
    const std::uint32_t first = sizeof(WCHAR) == 2 ? static_cast<std::uint32_t>(text[0]) & 0xFFFF : static_cast<std::uint32_t>(text[0]);
    const void *place = text;
    if (first > (sizeof(WCHAR) == 2 ? 0x7Fu : 0x10FFFFu)) {
      bytes.assign(static_cast<const BYTE *>(place), static_cast<const BYTE *>(place) + SysStringByteLen(text));
      return true;
    }
    std::string utf8;
    if (read_base64(text, length_of(text), bytes)) return true;
    if (!to_utf8(text, utf8)) return false;
    bytes.assign(utf8.begin(), utf8.end());
    return true;
  }

  template <class Verb>
  HRESULT ask(const Wish &wish, bool is_non_silent, bool watches, IUnknown **cookie, Verb verb) {
    auto events = Ref<AcquisitionEvents>::adopt(new AcquisitionEvents(queue(), client(), is_non_silent));
    if (watches) events->watch(wish.kids, split(wish.actions.empty() ? WM_ACTION_PLAY : wish.actions));
    return begin<wm_license_request>(
        Ref<Operation>(events.get()), cookie,
        [&](wm_status_callback tell, void *context, wm_license_request **made) {
          const wm_result result = wm_create_license_request(client()->get(), tell, context, made);
          return result < 0 ? result : wish.apply(*made);
        },
        verb);
  }

  template <class Verb>
  HRESULT move(Ref<Operation> operation, const char *property, BSTR folder, IUnknown **cookie, Verb verb) {
    std::string path;
    if (folder == nullptr || !read_bstr(folder, path)) return E_INVALIDARG;
    return begin<wm_backup_restorer>(
        operation, cookie,
        [&](wm_status_callback tell, void *context, wm_backup_restorer **made) {
          const wm_result result = wm_create_backup_restorer(client()->get(), tell, context, made);
          return result < 0 ? result : wm_set_string_prop(*made, property, path.c_str());
        },
        verb);
  }

  template <class Step>
  HRESULT carry(BYTE **out, DWORD *out_size, Step step) noexcept {
    if (out == nullptr || out_size == nullptr) return E_INVALIDARG;
    *out = nullptr;
    *out_size = 0;
    Handle<wm_revocation_agent> agent;
    std::size_t size = 0;
    wm_result result = wm_create_revocation_agent(client()->get(), RevocationAgent::tell_nobody, nullptr, agent.out());
    if (result >= 0) result = step(agent.get(), nullptr, 0, &size);
    if (result < 0) return result;
    void *memory = CoTaskMemAlloc(size);
    if (memory == nullptr) return E_OUTOFMEMORY;
    result = step(agent.get(), memory, size, &size);
    if (result < 0) {
      CoTaskMemFree(memory);
      return result;
    }
    *out = static_cast<BYTE *>(memory);
    *out_size = as_dword(size);
    return S_OK;
  }
};

class Provider final : public Object<IWMDRMProvider> {
 public:
  static HRESULT create(IWMDRMProvider **out) {
    if (out == nullptr) return E_INVALIDARG;
    *out = nullptr;
    auto client = std::make_shared<Client>();
    const HRESULT result = ClientOfProcess::instance().get(*client);
    if (FAILED(result)) return result;
    *out = new Provider(std::move(client));
    return S_OK;
  }

  HRESULT STDMETHODCALLTYPE CreateObject(REFIID riid, void **object) noexcept override {
    return guarded([&]() -> HRESULT {
      if (object == nullptr) return E_INVALIDARG;
      put_pointer(object, nullptr);
      if (riid == IID_IWMDRMSecurity) put_pointer(object, static_cast<IWMDRMSecurity *>(new Security(client_)));
      else if (riid == IID_IWMDRMLicenseManagement) put_pointer(object, static_cast<IWMDRMLicenseManagement *>(new LicenseManagement(client_)));
      else if (riid == IID_IWMDRMLicenseQuery) put_pointer(object, static_cast<IWMDRMLicenseQuery *>(new LicenseQuery(client_)));
      else return E_NOINTERFACE;
      return S_OK;
    });
  }

 private:
  explicit Provider(std::shared_ptr<Client> client) : client_(std::move(client)) {}

  std::shared_ptr<Client> client_;
};

}  // namespace wmf

#endif
