// What a reader knows while it tells statuses: the file, what runs, and who is told. Part of wmlicense_wmf.h. Operations share it
// with the reader, which they may outlive.
#ifndef WMLICENSE_WMF_READER_STATE_H
#define WMLICENSE_WMF_READER_STATE_H

namespace wmf {

inline constexpr HRESULT kInvalidRequest = static_cast<HRESULT>(0xC00D002Bu);  // NS_E_INVALID_REQUEST

// The names of rights by their bits.
inline std::string rights_of(DWORD bits) {
  static constexpr struct {
    DWORD bit;
    const char *name;
  } kRights[] = {{WMT_RIGHT_PLAYBACK, WM_ACTION_PLAY},
                 {WMT_RIGHT_COPY_TO_NON_SDMI_DEVICE, WM_ACTION_TRANSFER_NONSDMI},
                 {WMT_RIGHT_COPY_TO_CD, WM_ACTION_PRINT_REDBOOK},
                 {WMT_RIGHT_COPY_TO_SDMI_DEVICE, WM_ACTION_TRANSFER_SDMI},
                 {WMT_RIGHT_COPY, WM_ACTION_COPY},
                 {WMT_RIGHT_COLLABORATIVE_PLAY, WM_ACTION_COLLABORATIVE_PLAY}};
  std::string list;
  for (const auto &right : kRights)
    if ((bits & right.bit) != 0) list += (list.empty() ? "" : ";") + std::string(right.name);
  return list;
}

// What a reader does in the background; one thing at a time.
enum class Doing { nothing, opening, acquiring, monitoring, individualizing };

class ReaderState {
 public:
  Client client;

  // Begins something; the busy result of what runs already.
  HRESULT begin(Doing what) {
    const std::lock_guard<std::mutex> lock(mutex_);
    switch (doing_) {
      case Doing::nothing: doing_ = what; return S_OK;
      case Doing::opening: return WM_E_BUSY;
      case Doing::individualizing: return WM_E_INDIVIDUALIZING;
      case Doing::acquiring:
      case Doing::monitoring: break;
    }
    return WM_E_ACQUIRING_LICENSE;
  }

  Doing doing() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return doing_;
  }

  // Ends it, before the last status is told: old code begins the next thing there. finish() follows.
  Doing end() {
    const std::lock_guard<std::mutex> lock(mutex_);
    finishing_++;
    std::move(closed_.begin(), closed_.end(), std::back_inserter(left_));
    closed_.clear();
    return std::exchange(doing_, Doing::nothing);
  }
  // As if it had not begun.
  void take_back() {
    end();
    finish();
  }

  // --- the file and who is told ---

  HRESULT attach(IWMStatusCallback *callback, void *context) {
    // What is swapped out is released after unlocking: old code's destructors call the reader.
    Ref<IWMStatusCallback> swapped(callback);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (is_attached_) return kInvalidRequest;
    is_attached_ = true;
    is_opened_ = false;
    std::swap(callback_, swapped);
    context_ = context;
    return S_OK;
  }

  void set_file(std::shared_ptr<const ContentFile> file, bool is_opened) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!is_attached_) return;
    file_.swap(file);
    is_opened_ = is_opened;
  }

  // A file that was taken away, and who is told of it.
  struct Taken {
    Running told;
    std::shared_ptr<const ContentFile> file;
    bool is_opened = false;
  };

  // Takes the file away, and its callback. False where none is open; told_later: whether what runs tells of it at its end.
  bool detach(Taken &taken, bool &told_later) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!is_attached_) return false;
    is_attached_ = false;
    taken.told.callback = std::move(callback_);
    taken.told.context = context_;
    taken.file.swap(file_);
    taken.is_opened = is_opened_;
    told_later = doing_ != Doing::nothing || finishing_ > 0;
    // The next file may be opened while what ended still tells.
    if (told_later) (doing_ == Doing::nothing ? left_ : closed_).push_back(std::move(taken.told));
    return true;
  }

  // As if it had not been taken away, unless another one was opened meanwhile.
  void put_back(Taken &taken) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (is_attached_) return left_.push_back(std::move(taken.told));
    is_attached_ = true;
    callback_ = std::move(taken.told.callback);
    context_ = taken.told.context;
    file_.swap(taken.file);
    is_opened_ = taken.is_opened;
  }

  void give_up_open() {
    Ref<IWMStatusCallback> swapped;
    const std::lock_guard<std::mutex> lock(mutex_);
    is_attached_ = false;
    std::swap(callback_, swapped);
  }

  // Before an open begins: what ended before it has been told.
  void await_finished() {
    std::unique_lock<std::mutex> lock(mutex_);
    finished_.wait(lock, [this] { return finishing_ == 0; });
  }

  std::shared_ptr<const ContentFile> file() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return file_;
  }

  Running told_to(IUnknown *owner) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return {Ref<IUnknown>(owner), callback_, context_};
  }

  std::string text(std::string ReaderState::*which) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return this->*which;
  }
  void set_text(std::string ReaderState::*which, std::string to) {
    const std::lock_guard<std::mutex> lock(mutex_);
    this->*which = std::move(to);
  }
  std::string rights;
  std::string base_url;

  // --- statuses ---

  // One at a time: an operation waits while a callback of another one, or of Open, runs.
  void tell(const Running &running, WMT_STATUS status, HRESULT hr, WMT_ATTR_DATATYPE type, void *value) {
    const std::lock_guard<std::mutex> turn(telling_);
    on_status(running, status, hr, type, value);
  }
  void tell(const Told &told, const Running &running) {
    // What nobody hears of need not wait for its turn.
    if (!is_for_old_code(told.status)) return;
    const std::lock_guard<std::mutex> turn(telling_);
    tell_plain(told, running);
  }

  // The page of the service, or where the file says that licenses come from.
  std::string license_url(const ContentFile &file) {
    const std::string service = text_property(client.get(), WM_PROP_SERVICE_URL);
    if (!service.empty()) return service;
    const std::string named = file.header_text(WM_PROP_LICENSE_URL);
    return named.find("://") == std::string::npos ? text(&ReaderState::base_url) + named : named;
  }

  // Which of the rights that are wanted is missing: S_OK, or one of the three results of WM_GET_LICENSE_DATA, or a failure.
  HRESULT missing_right(const ContentFile &file) {
    std::uint32_t all = 0;
    for (const std::string &right : split(text(&ReaderState::rights))) {
      std::uint32_t reasons = 0;
      const HRESULT result = file.reasons(client.get(), right.c_str(), reasons);
      if (FAILED(result)) return result;
      all |= reasons;
    }
    return ContentFile::missing(all);
  }

  void tell_no_rights(const ContentFile &file, HRESULT why, const Running &running) {
    LicenseData data(why, license_url(file));
    tell(running, WMT_NO_RIGHTS_EX, S_OK, WMT_TYPE_BINARY, data.get());
  }

  // After a license came or the device was individualized: the open of that file goes on, unless old code began something else.
  void go_on(const std::shared_ptr<const ContentFile> &file, const Running &running, bool is_license_new) {
    if (!file) return;
    const HRESULT missing = missing_right(*file);
    // Old code would ask for a license without end where the one that came is not enough.
    const bool asks = FAILED(missing) && !is_license_new;
    LicenseData data(missing, license_url(*file));
    const std::lock_guard<std::mutex> turn(telling_);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (file_ != file || is_opened_ || doing_ != Doing::nothing) return;
      is_opened_ = SUCCEEDED(missing);
    }
    if (asks) return on_status(running, WMT_NO_RIGHTS_EX, S_OK, WMT_TYPE_BINARY, data.get());
    on_status(running, WMT_OPENED, missing, WMT_TYPE_DWORD, nullptr);
  }

  // After the last status, by a Finishing: tells of a Close that came meanwhile, unless something else still tells that will. It is
  // not over before that is told: an open waits.
  void finish() noexcept {
    for (;;) {
      std::vector<Running> told;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (finishing_ == 1) told.swap(left_);
        if (told.empty()) {
          finishing_--;
          finished_.notify_all();
          return;
        }
      }
      for (const Running &one : told) tell_closed(one);
    }
  }

  // An exception of a callback ends nothing: nothing runs that could be cancelled.
  void tell_closed(const Running &told) noexcept {
    try {
      tell(told, WMT_CLOSED, S_OK, WMT_TYPE_DWORD, nullptr);
    } catch (...) {
    }
  }

 private:
  std::mutex mutex_;
  std::mutex telling_;
  Doing doing_ = Doing::nothing;
  bool is_attached_ = false;
  bool is_opened_ = false;
  std::vector<Running> closed_;  // files that were closed while something ran, which tells of it
  std::vector<Running> left_;    // files whose last operation has ended, and still tells
  std::condition_variable finished_;
  int finishing_ = 0;  // how many have ended and still tell
  std::shared_ptr<const ContentFile> file_;
  Ref<IWMStatusCallback> callback_;
  void *context_ = nullptr;
};

// Sees to it that finish() follows end(), whatever a callback throws.
class Finishing {
 public:
  explicit Finishing(ReaderState &state) : state_(state) {}
  Finishing(const Finishing &) = delete;
  Finishing &operator=(const Finishing &) = delete;
  ~Finishing() { state_.finish(); }

 private:
  ReaderState &state_;
};

}  // namespace wmf

#endif
