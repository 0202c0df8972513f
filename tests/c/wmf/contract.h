// Checks for the programs that hold the header to what public wrappers of the old API assert: a recorder for statuses, a service
// that never answers. No check of its own is here.
#ifndef WM_TEST_WMF_CONTRACT_H
#define WM_TEST_WMF_CONTRACT_H

#include "port.h"

#include <functional>

#define CHECK(held) \
  do { \
    if (!(held)) FailAt(#held, __FILE__, __LINE__); \
  } while (0)
#define CHECK_HR(call, want) CheckResult((call), (want), #call, __FILE__, __LINE__)

[[noreturn]] inline void FailAt(const char *pszWhat, const char *pszFile, int nLine) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", pszFile, nLine, pszWhat);
  std::fflush(NULL);
  std::_Exit(1);
}

inline void CheckResult(HRESULT hr, HRESULT hrWanted, const char *pszCall, const char *pszFile, int nLine) {
  if (hr == hrWanted) return;
  std::fprintf(stderr, "%s:%d: %s\n  answered 0x%08X, not 0x%08X\n", pszFile, nLine, pszCall, static_cast<unsigned>(hr),
               static_cast<unsigned>(hrWanted));
  std::fflush(NULL);
  std::_Exit(1);
}

struct STATUS {
  WMT_STATUS Status;
  HRESULT hr;
  WMT_ATTR_DATATYPE dwType;
  std::string strText;     // of a STRING, or the URL of a WM_GET_LICENSE_DATA
  WM_INDIVIDUALIZE_STATUS indi;  // of WMT_INDIVIDUALIZE
  void *pvContext;
};

// Keeps what it is told and hands it on. It answers its own interface only, as real programs did.
class CRecorder : public IWMReaderCallback {
 public:
  STDMETHODIMP QueryInterface(REFIID riid, void **ppv) override {
    *ppv = riid == IID_IWMStatusCallback ? static_cast<IWMStatusCallback *>(this) : NULL;
    if (*ppv == NULL) return E_NOINTERFACE;
    AddRef();
    return S_OK;
  }
  STDMETHODIMP_(ULONG) AddRef() override { return static_cast<ULONG>(InterlockedIncrement(&m_cRef)); }
  STDMETHODIMP_(ULONG) Release() override {
    LONG cRef = InterlockedDecrement(&m_cRef);
    if (cRef == 0) delete this;
    return static_cast<ULONG>(cRef);
  }
  STDMETHODIMP OnSample(DWORD, QWORD, QWORD, DWORD, INSSBuffer *, void *) override { return E_UNEXPECTED; }
  STDMETHODIMP OnStatus(WMT_STATUS Status, HRESULT hr, WMT_ATTR_DATATYPE dwType, BYTE *pValue, void *pvContext) override {
    STATUS seen = {Status, hr, dwType, "", {}, pvContext};
    if (dwType == WMT_TYPE_STRING) seen.strText = Narrow((WCHAR *)pValue);
    if (Status == WMT_NO_RIGHTS_EX || Status == WMT_ACQUIRE_LICENSE) seen.strText = Narrow(((WM_GET_LICENSE_DATA *)pValue)->wszURL);
    if (Status == WMT_INDIVIDUALIZE) seen.indi = *(WM_INDIVIDUALIZE_STATUS *)pValue;
    std::function<void(const STATUS &)> then;
    {
      std::lock_guard<std::mutex> lock(m_mutex);
      then = m_then;
    }
    // Before anybody learns of the status: what it uses may be gone after that.
    if (then) then(seen);
    std::lock_guard<std::mutex> lock(m_mutex);
    m_Seen.push_back(seen);
    m_changed.notify_all();
    // What old code answers does not matter.
    return E_FAIL;
  }

  // Called after each status, without a lock.
  void Then(std::function<void(const STATUS &)> then) {
    std::lock_guard<std::mutex> lock(m_mutex);
    m_then = then;
  }
  // The first status of this number that was not awaited yet.
  STATUS Await(WMT_STATUS Status) {
    std::unique_lock<std::mutex> lock(m_mutex);
    for (;;) {
      for (; m_nNext < m_Seen.size(); m_nNext++)
        if (m_Seen[m_nNext].Status == Status) return m_Seen[m_nNext++];
      if (m_changed.wait_for(lock, std::chrono::seconds(120)) == std::cv_status::timeout) FailAt("a status came in time", __FILE__, __LINE__);
    }
  }
  std::vector<STATUS> Seen() {
    std::lock_guard<std::mutex> lock(m_mutex);
    return m_Seen;
  }
  // The numbers of all statuses, those of wmlicense.h left out.
  std::vector<int> Order() {
    std::vector<int> order;
    for (const STATUS &seen : Seen())
      if (seen.Status < 0x1000) order.push_back(seen.Status);
    return order;
  }
  void Clear() {
    std::lock_guard<std::mutex> lock(m_mutex);
    m_Seen.clear();
    m_nNext = 0;
  }

 private:
  ~CRecorder() override = default;

  LONG m_cRef = 1;
  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::vector<STATUS> m_Seen;
  std::size_t m_nNext = 0;
  std::function<void(const STATUS &)> m_then;
};

// A service that takes connections and never answers: what asks it runs until it is cancelled.
class CMuteService {
 public:
  CMuteService() : m_socket(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    socklen_t size = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(m_socket, (sockaddr *)&address, sizeof address) != 0 || listen(m_socket, 16) != 0 ||
        getsockname(m_socket, (sockaddr *)&address, &size) != 0)
      FailAt("a socket can listen", __FILE__, __LINE__);
    m_strURL = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~CMuteService() { close(m_socket); }
  const char *URL() const { return m_strURL.c_str(); }

 private:
  int m_socket;
  std::string m_strURL;
};

// The client that main() opened. The reference is one of the caller's.
inline wm_client *TheClient() {
  wmf::Client client;
  CHECK_HR(wmf::ClientOfProcess::instance().get(client), S_OK);
  wm_add_ref(client.get());
  return client.get();
}

#endif
