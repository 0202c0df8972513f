// The backup restorer object: IWMLicenseBackup, IWMLicenseRestore and IWMBackupRestoreProps of one wm_backup_restorer. Part of
// wmlicense_wmf.h.
#ifndef WMLICENSE_WMF_BACKUP_RESTORER_H
#define WMLICENSE_WMF_BACKUP_RESTORER_H

namespace wmf {

class BackupRestoreOperation final : public Operation {
 protected:
  bool is_final(const Told &told) const override { return told.status == WM_STATUS_BACKUPRESTORE_END; }
  void tell(const Told &told, const Running &running) override { tell_plain(told, running); }
};

class BackupRestorer final : public Object<IWMLicenseBackup, IWMLicenseRestore, IWMBackupRestoreProps> {
 public:
  static HRESULT create(IUnknown *callback, IWMLicenseBackup **out) {
    if (callback == nullptr || out == nullptr) return E_INVALIDARG;
    *out = nullptr;
    auto made = Ref<BackupRestorer>::adopt(new BackupRestorer(callback));
    const HRESULT result = made->open();
    if (FAILED(result)) return result;
    *out = made.give();
    return S_OK;
  }

  // The callback of the call gets the statuses; the one of the creation is only held.
  HRESULT STDMETHODCALLTYPE BackupLicenses(DWORD flags, IWMStatusCallback *callback) noexcept override {
    return begin(callback, [this, flags] { return wm_backup_licenses(restorer(), flags); });
  }
  HRESULT STDMETHODCALLTYPE RestoreLicenses(DWORD flags, IWMStatusCallback *callback) noexcept override {
    return begin(callback, [this, flags] { return wm_restore_licenses(restorer(), flags); });
  }
  HRESULT STDMETHODCALLTYPE CancelLicenseBackup() noexcept override { return operation_->cancel(); }
  HRESULT STDMETHODCALLTYPE CancelLicenseRestore() noexcept override { return operation_->cancel(); }

  HRESULT STDMETHODCALLTYPE GetPropCount(WORD *count) noexcept override {
    if (count == nullptr) return E_INVALIDARG;
    *count = 0;
    for (const char *name : kNames) *count = static_cast<WORD>(*count + (has(name) ? 1 : 0));
    return S_OK;
  }

  HRESULT STDMETHODCALLTYPE GetPropByIndex(WORD index, WCHAR *name, WORD *name_length, WMT_ATTR_DATATYPE *type, BYTE *value,
                                           WORD *size) noexcept override {
    return guarded([&]() -> HRESULT {
      if (name_length == nullptr || type == nullptr || size == nullptr) return E_INVALIDARG;
      for (const char *known : kNames) {
        if (!has(known) || index-- > 0) continue;
        // Lengths of names are in characters.
        const Wide text{std::string(known)};
        const std::size_t room = *name_length;
        *name_length = static_cast<WORD>(text.length() + 1);
        if (name != nullptr && room < text.length() + 1) return WM_E_BUFFER_TOO_SMALL;
        if (name != nullptr) std::memcpy(name, text.data(), text.byte_size());
        return give(known, type, value, size);
      }
      return E_INVALIDARG;
    });
  }

  HRESULT STDMETHODCALLTYPE GetPropByName(const WCHAR *name, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) noexcept override {
    return guarded([&]() -> HRESULT {
      std::string text;
      if (type == nullptr || size == nullptr || !to_utf8(name, text)) return E_INVALIDARG;
      const char *known = known_name(text);
      return known != nullptr && has(known) ? give(known, type, value, size) : WM_E_UNSUPPORTED_PROPERTY;
    });
  }

  // The size is in bytes, with the NUL or without.
  HRESULT STDMETHODCALLTYPE SetProp(const WCHAR *name, WMT_ATTR_DATATYPE type, const BYTE *value, WORD size) noexcept override {
    return guarded([&]() -> HRESULT {
      std::string text, path;
      if (value == nullptr || type != WMT_TYPE_STRING || !to_utf8(name, text) || !read_wide(value, size, path)) return E_INVALIDARG;
      const char *known = known_name(text);
      if (known == nullptr) return WM_E_UNSUPPORTED_PROPERTY;
      return wm_set_string_prop(restorer(), known, path.c_str());
    });
  }

  HRESULT STDMETHODCALLTYPE RemoveProp(const WCHAR *name) noexcept override {
    return guarded([&]() -> HRESULT {
      std::string text;
      if (!to_utf8(name, text)) return E_INVALIDARG;
      const char *known = known_name(text);
      return known == nullptr ? WM_E_UNSUPPORTED_PROPERTY : wm_remove_prop(restorer(), known);
    });
  }

  HRESULT STDMETHODCALLTYPE RemoveAllProps() noexcept override {
    for (const char *name : kNames) {
      const wm_result result = has(name) ? wm_remove_prop(restorer(), name) : 0;
      if (result < 0) return result;
    }
    return S_OK;
  }

 private:
  static constexpr const char *kNames[] = {WM_PROP_BACKUP_PATH, WM_PROP_RESTORE_PATH};

  explicit BackupRestorer(IUnknown *callback) : callback_(callback) {}
  ~BackupRestorer() override {
    if (operation_) operation_->close();
  }

  HRESULT open() {
    const HRESULT result = ClientOfProcess::instance().get(client_);
    if (FAILED(result)) return result;
    operation_ = Ref<BackupRestoreOperation>::adopt(new BackupRestoreOperation);
    wm_backup_restorer *made = nullptr;
    const wm_result created = wm_create_backup_restorer(client_.get(), Operation::tell_status, as_context(), &made);
    operation_->adopt(made);
    return created;
  }

  void *as_context() { return static_cast<Operation *>(operation_.get()); }
  wm_backup_restorer *restorer() { return operation_->handle<wm_backup_restorer>(); }
  bool has(const char *name) { return wm_get_prop(restorer(), name, nullptr, nullptr, 0, nullptr) >= 0; }

  template <class Verb>
  HRESULT begin(IWMStatusCallback *callback, Verb verb) noexcept {
    if (callback == nullptr) return E_INVALIDARG;
    return guarded([&] {
      return operation_->start({Ref<IUnknown>(unknown()), Ref<IWMStatusCallback>(callback), nullptr}, WM_E_BACKUPRESTORE_BUSY, verb);
    });
  }

  static const char *known_name(const std::string &text) {
    for (const char *name : kNames)
      if (text == name) return name;
    return nullptr;
  }

  HRESULT give(const char *name, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) {
    const Wide text(text_property(restorer(), name));
    *type = WMT_TYPE_STRING;
    return give_value(text.data(), text.byte_size(), value, size);
  }

  Ref<IUnknown> callback_;
  Client client_;
  Ref<BackupRestoreOperation> operation_;
};

}  // namespace wmf

#endif
