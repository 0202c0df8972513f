// References, handles, the client that all objects are made from, and the base of the classes that implement interfaces. Part of
// wmlicense_wmf.h.
#ifndef WMLICENSE_WMF_OBJECT_H
#define WMLICENSE_WMF_OBJECT_H

namespace wmf {

// One reference to an object of interfaces.
template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T *object) : object_(object) {
    if (object_ != nullptr) object_->AddRef();
  }
  Ref(const Ref &other) : Ref(other.object_) {}
  Ref(Ref &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref &operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->Release();
  }
  // Takes over a reference that the caller has.
  static Ref adopt(T *object) {
    Ref made;
    made.object_ = object;
    return made;
  }
  T *get() const { return object_; }
  T *operator->() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  // Gives the reference to the caller.
  T *give() { return std::exchange(object_, nullptr); }

 private:
  T *object_ = nullptr;
};

// Whether this thread is one of a Worker, of whose callbacks the library does not know.
inline bool &is_own_thread() {
  thread_local bool is = false;
  return is;
}

// Depth of callbacks of old code on this thread.
inline int &callback_depth() {
  thread_local int depth = 0;
  return depth;
}

struct InCallback {
  InCallback() { callback_depth()++; }
  ~InCallback() { callback_depth()--; }
  InCallback(const InCallback &) = delete;
  InCallback &operator=(const InCallback &) = delete;
};

// Releases an object of wmlicense.h. That waits for a callback of it which still runs, except inside any callback; on threads of
// this header another thread waits in this one's place.
inline void release_object(void *object) noexcept {
  if (object == nullptr) return;
  if (is_own_thread()) {
    try {
      std::thread([object] { wm_release(object); }).detach();
      return;
    } catch (...) {
      // No thread is left: waiting is better than a leak.
    }
  }
  wm_release(object);
}

// Owns a handle of wmlicense.h.
template <class T>
class Handle {
 public:
  Handle() = default;
  Handle(const Handle &) = delete;
  Handle &operator=(const Handle &) = delete;
  Handle(Handle &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Handle &operator=(Handle &&other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Handle() { release_object(object_); }
  T *get() const { return object_; }
  // For functions that make an object; empty before.
  T **out() { return &object_; }

 private:
  T *object_ = nullptr;
};

using Client = Handle<wm_client>;

// The client of the process, as WMFSetClient was given it.
class ClientOfProcess {
 public:
  static ClientOfProcess &instance() {
    static ClientOfProcess one;
    return one;
  }

  HRESULT set(wm_client *client) {
    if (client != nullptr) {
      const wm_result result = wm_add_ref(client);
      if (result < 0) return result;
    }
    wm_client *former;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      former = std::exchange(client_, client);
    }
    return former != nullptr ? wm_release(former) : S_OK;
  }

  // One reference more; NS_E_DRM_NOT_CONFIGURED while none is set.
  HRESULT get(Client &client) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (client_ == nullptr) return static_cast<HRESULT>(0xC00D2764u);
    const wm_result result = wm_add_ref(client_);
    if (result >= 0) *client.out() = client_;
    return result;
  }

 private:
  std::mutex mutex_;
  wm_client *client_ = nullptr;
};

// Runs what may run out of memory; nothing is thrown at old code.
template <class Action>
HRESULT guarded(Action action) noexcept {
  try {
    return action();
  } catch (const std::bad_alloc &) {
    return E_OUTOFMEMORY;
  } catch (const std::system_error &) {
    return E_OUTOFMEMORY;
  } catch (...) {
    return E_FAIL;
  }
}

// Writes a pointer where a caller cast the place of another pointer type to void **.
inline void put_pointer(void **place, void *pointer) { std::memcpy(place, &pointer, sizeof pointer); }

// The interfaces that one derives from, IUnknown left out.
template <class Interface>
struct Ancestors {
  static void *find(Interface *, REFIID) { return nullptr; }
};

// The base of a class that implements interfaces: counts references, from one on, and deletes the object with the last.
template <class First, class... Others>
class Object : public First, public Others... {
 public:
  Object() = default;
  Object(const Object &) = delete;
  Object &operator=(const Object &) = delete;

  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID riid, void **object) noexcept override {
    if (object == nullptr) return E_POINTER;
    void *found = riid == __uuidof(IUnknown) ? static_cast<IUnknown *>(static_cast<First *>(this)) : find<First, Others...>(riid);
    put_pointer(object, found);
    if (found == nullptr) return E_NOINTERFACE;
    AddRef();
    return S_OK;
  }

  ULONG STDMETHODCALLTYPE AddRef() noexcept override { return count_.fetch_add(1, std::memory_order_relaxed) + 1; }

  ULONG STDMETHODCALLTYPE Release() noexcept override {
    const ULONG left = count_.fetch_sub(1, std::memory_order_acq_rel) - 1;
    if (left == 0) delete this;
    return left;
  }

  IUnknown *unknown() { return static_cast<First *>(this); }

 protected:
  virtual ~Object() = default;

 private:
  template <class One, class... Rest>
  void *find(REFIID riid) {
    if (riid == __uuidof(One)) return static_cast<One *>(this);
    void *found = Ancestors<One>::find(this, riid);
    if constexpr (sizeof...(Rest) > 0) {
      if (found == nullptr) found = find<Rest...>(riid);
    }
    return found;
  }

  std::atomic<ULONG> count_{1};
};

// The file of a path, as wide text names it. A missing file has its published result.
inline HRESULT file_result(wm_result result) {
  return result == WM_E_PATH_NOT_FOUND ? static_cast<HRESULT>(0xC00D001Au) : result;
}

}  // namespace wmf

#endif
