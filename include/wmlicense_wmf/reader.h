// The reader's license half: Open, Close and IWMDRMReader. Part of wmlicense_wmf.h. It plays nothing: samples are what
// wm_create_decryptor is for.
#ifndef WMLICENSE_WMF_READER_H
#define WMLICENSE_WMF_READER_H

namespace wmf {

class ReaderAcquisition final : public Operation {
 public:
  explicit ReaderAcquisition(std::shared_ptr<ReaderState> state) : state_(std::move(state)) {}

 protected:
  bool is_final(const Told &told) const override { return told.status == WM_STATUS_ACQUIRE_LICENSE; }

  void tell(const Told &told, const Running &running) override {
    // Old code individualizes at that status, which is impossible here; the result says it where that is possible.
    if (told.status == WM_STATUS_NEEDS_INDIVIDUALIZATION) return;
    if (told.status != WM_STATUS_ACQUIRE_LICENSE) return state_->tell(told, running);
    // While it runs no other file is opened.
    const std::shared_ptr<const ContentFile> file = state_->file();
    wm_result result = told.result;
    const bool watched = state_->end() == Doing::monitoring;
    const Finishing finishing(*state_);
    // A license that is there already is what a monitor waits for.
    if (watched && result == WM_E_NO_TRANSACTION && file && state_->missing_right(*file) == S_OK) result = WM_S_LICENSE_ACQUIRED;
    std::string url = told.text();
    if (url.empty() && file) url = state_->license_url(*file);
    LicenseData data(acquisition_result(result), url);
    state_->tell(running, WMT_ACQUIRE_LICENSE, data.get()->hr, WMT_TYPE_BINARY, data.get());
    if (WM_LICENSE_STORED(result)) state_->go_on(file, running, true);
  }

 private:
  std::shared_ptr<ReaderState> state_;
};

class ReaderIndividualization final : public Operation {
 public:
  explicit ReaderIndividualization(std::shared_ptr<ReaderState> state) : state_(std::move(state)) {}

 protected:
  bool is_final(const Told &told) const override { return ends_individualization(told); }

  void tell(const Told &told, const Running &running) override {
    if (!is_final(told)) return state_->tell(told, running);
    const std::shared_ptr<const ContentFile> file = state_->file();
    state_->end();
    const Finishing finishing(*state_);
    state_->tell(told, running);
    if (told.result > 0) state_->go_on(file, running, false);
  }

 private:
  std::shared_ptr<ReaderState> state_;
};

class Reader final : public Object<IWMReader, IWMDRMReader> {
 public:
  static HRESULT create(DWORD rights, IWMReader **out) {
    if (out == nullptr) return E_INVALIDARG;
    *out = nullptr;
    auto made = Ref<Reader>::adopt(new Reader);
    made->state_->rights = rights_of(rights);
    const HRESULT result = made->open_objects();
    if (FAILED(result)) return result;
    *out = made.give();
    return S_OK;
  }

  HRESULT STDMETHODCALLTYPE Open(const WCHAR *url, IWMReaderCallback *callback, void *context) noexcept override {
    return guarded([&]() -> HRESULT {
      std::string path;
      if (callback == nullptr || !to_utf8(url, path)) return E_INVALIDARG;
      const Wide wide(path);
      HRESULT result = state_->begin(Doing::opening);
      if (FAILED(result)) return result;
      result = state_->attach(callback, context);
      if (FAILED(result)) {
        state_->take_back();
        return result;
      }
      try {
        worker_.post([state = state_, running = state_->told_to(unknown()), wide]() mutable { open(*state, running, wide); });
      } catch (...) {
        state_->give_up_open();
        state_->take_back();
        throw;
      }
      return S_OK;
    });
  }

  // Ends what runs; WMT_CLOSED comes after its last status.
  HRESULT STDMETHODCALLTYPE Close() noexcept override {
    return guarded([&]() -> HRESULT {
      bool told_later = false;
      ReaderState::Taken taken;
      if (!state_->detach(taken, told_later)) return kInvalidRequest;
      acquisition_->cancel();
      individualization_->cancel();
      if (told_later) return S_OK;
      try {
        worker_.post([state = state_, told = taken.told] { state->tell_closed(told); });
      } catch (...) {
        state_->put_back(taken);
        throw;
      }
      return S_OK;
    });
  }

  HRESULT STDMETHODCALLTYPE GetOutputCount(DWORD *) noexcept override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE GetOutputProps(DWORD, IWMOutputMediaProps **) noexcept override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE SetOutputProps(DWORD, IWMOutputMediaProps *) noexcept override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE GetOutputFormatCount(DWORD, DWORD *) noexcept override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE GetOutputFormat(DWORD, DWORD, IWMOutputMediaProps **) noexcept override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE Start(QWORD, QWORD, float, void *) noexcept override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE Stop() noexcept override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE Pause() noexcept override { return E_NOTIMPL; }
  HRESULT STDMETHODCALLTYPE Resume() noexcept override { return E_NOTIMPL; }

  // flags: 1 silent, 0 with the user.
  HRESULT STDMETHODCALLTYPE AcquireLicense(DWORD flags) noexcept override {
    if (flags > 1) return E_INVALIDARG;
    return acquire(Doing::acquiring, [this, flags] {
      return wm_acquire_license(request(), flags == 1 ? WM_ACQUIRE_SILENT : WM_ACQUIRE_NONSILENT);
    });
  }
  HRESULT STDMETHODCALLTYPE MonitorLicenseAcquisition() noexcept override {
    return acquire(Doing::monitoring, [this] { return wm_monitor_license(request()); });
  }
  HRESULT STDMETHODCALLTYPE CancelLicenseAcquisition() noexcept override { return cancel(Doing::acquiring); }
  // The page goes on waiting for the user.
  HRESULT STDMETHODCALLTYPE CancelMonitorLicenseAcquisition() noexcept override { return cancel(Doing::monitoring); }

  // flags: 0 or 1, which both individualize where that is needed. The call is the user's consent.
  HRESULT STDMETHODCALLTYPE Individualize(DWORD flags) noexcept override {
    if (flags > 1) return E_INVALIDARG;
    return guarded([&] {
      return run(Doing::individualizing, individualization_, [this] {
        return wm_individualize(individualization_->handle<wm_individualizer>(), 0);
      });
    });
  }
  HRESULT STDMETHODCALLTYPE CancelIndividualization() noexcept override { return cancel(Doing::individualizing); }

  HRESULT STDMETHODCALLTYPE SetDRMProperty(const WCHAR *name, WMT_ATTR_DATATYPE type, const BYTE *value,
                                           WORD size) noexcept override {
    return guarded([&]() -> HRESULT {
      std::string text, set;
      if (value == nullptr || type != WMT_TYPE_STRING || !to_utf8(name, text) || !read_wide(value, size, set)) return E_INVALIDARG;
      if (text == "Rights") {
        state_->set_text(&ReaderState::rights, set);
      } else if (text == "BaseLAURL") {
        state_->set_text(&ReaderState::base_url, set);
      } else {
        return WM_E_UNSUPPORTED_PROPERTY;
      }
      return S_OK;
    });
  }

  HRESULT STDMETHODCALLTYPE GetDRMProperty(const WCHAR *name, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) noexcept override {
    return guarded([&]() -> HRESULT {
      std::string text;
      if (type == nullptr || size == nullptr || !to_utf8(name, text)) return E_INVALIDARG;
      if (text == "Rights") return ContentFile::give_text(state_->text(&ReaderState::rights), type, value, size);
      if (text == "BaseLAURL") return ContentFile::give_text(state_->text(&ReaderState::base_url), type, value, size);
      const std::shared_ptr<const ContentFile> file = state_->file();
      return file ? file->property(state_->client.get(), text, type, value, size) : kInvalidRequest;
    });
  }

 private:
  Reader() : state_(std::make_shared<ReaderState>()) {}
  ~Reader() override {
    if (acquisition_) acquisition_->close();
    if (individualization_) individualization_->close();
  }

  HRESULT open_objects() {
    HRESULT result = ClientOfProcess::instance().get(state_->client);
    if (FAILED(result)) return result;
    acquisition_ = Ref<ReaderAcquisition>::adopt(new ReaderAcquisition(state_));
    individualization_ = Ref<ReaderIndividualization>::adopt(new ReaderIndividualization(state_));
    wm_license_request *request = nullptr;
    wm_individualizer *individualizer = nullptr;
    Operation *context = acquisition_.get();
    result = wm_create_license_request(state_->client.get(), Operation::tell_status, context, &request);
    acquisition_->adopt(request);
    context = individualization_.get();
    if (SUCCEEDED(result)) result = wm_create_individualizer(state_->client.get(), Operation::tell_status, context, &individualizer);
    individualization_->adopt(individualizer);
    return SUCCEEDED(result) ? wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true) : result;
  }

  wm_license_request *request() { return acquisition_->handle<wm_license_request>(); }

  // Begins, and ends where the call fails.
  template <class Kind, class Verb>
  HRESULT run(Doing what, const Ref<Kind> &operation, Verb verb) {
    const HRESULT busy = state_->begin(what);
    if (FAILED(busy)) return busy;
    const HRESULT result = operation->start(state_->told_to(unknown()), WM_E_BUSY, verb);
    if (FAILED(result)) state_->take_back();
    return result;
  }

  template <class Verb>
  HRESULT acquire(Doing what, Verb verb) noexcept {
    return guarded([&]() -> HRESULT {
      const std::shared_ptr<const ContentFile> file = state_->file();
      if (!file) return kInvalidRequest;
      if (!file->is_protected()) return WM_E_INVALID_LICENSE_REQUEST;
      const std::string rights = state_->text(&ReaderState::rights);
      return run(what, acquisition_, [&]() -> wm_result {
        wm_result result = wm_set_string_prop(request(), WM_PROP_KEY_IDS, file->kids_text().c_str());
        if (result >= 0) result = wm_set_string_prop(request(), WM_PROP_ACTIONS, rights.empty() ? WM_ACTION_PLAY : rights.c_str());
        return result < 0 ? result : verb();
      });
    });
  }

  HRESULT cancel(Doing what) noexcept {
    if (state_->doing() != what) return S_OK;
    return what == Doing::individualizing ? individualization_->cancel() : acquisition_->cancel();
  }

  // The background half of Open.
  static void open(ReaderState &state, Running &running, const Wide &path) {
    state.await_finished();
    auto file = std::make_shared<ContentFile>();
    HRESULT hr = guarded([&] { return file->open(path.data()); });
    const HRESULT missing = guarded([&] { return SUCCEEDED(hr) && file->is_protected() ? state.missing_right(*file) : S_OK; });
    const bool asks = missing == WM_E_LICENSE_REQUIRED || missing == WM_E_LICENSE_OUTOFDATE || missing == WM_E_LICENSE_INCORRECT_RIGHTS;
    if (SUCCEEDED(hr) && !asks) hr = missing;
    if (FAILED(hr)) {
      state.give_up_open();
    } else {
      state.set_file(file, !asks);
    }
    if (asks) tell_trust(state, running);
    state.end();
    const Finishing finishing(state);
    running.owner = Ref<IUnknown>();
    if (!asks) {
      state.tell(running, WMT_OPENED, hr, WMT_TYPE_DWORD, nullptr);
    } else if (!is_individualized(state.client.get())) {
      state.tell(running, WMT_NEEDS_INDIVIDUALIZATION, S_OK, WMT_TYPE_DWORD, nullptr);
    } else {
      state.tell_no_rights(*file, missing, running);
    }
  }

  // An exception here keeps nothing from being told.
  static void tell_trust(ReaderState &state, const Running &running) noexcept {
    try {
      const bool is_trusted = !text_property(state.client.get(), WM_PROP_SERVICE_URL).empty();
      DWORD trust = static_cast<DWORD>(is_trusted ? WMT_DRMLA_TRUSTED : WMT_DRMLA_UNTRUSTED);
      state.tell(running, WMT_LICENSEURL_SIGNATURE_STATE, S_OK, WMT_TYPE_DWORD, &trust);
    } catch (...) {
      // There is no operation to cancel.
    }
  }

  std::shared_ptr<ReaderState> state_;
  Ref<ReaderAcquisition> acquisition_;
  Ref<ReaderIndividualization> individualization_;
  Worker worker_;
};

}  // namespace wmf

#endif
