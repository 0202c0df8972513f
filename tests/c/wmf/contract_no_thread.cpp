// What the header does where the system gives no thread: the call fails, nothing is lost, and later it works.
//
// contract_no_thread STORE CLEARFILE
#include "contract.h"

#include <cerrno>
#include <dlfcn.h>
#include <pthread.h>

static std::atomic<bool> g_fNoThread{false};

// In place of the system's.
extern "C" int pthread_create(pthread_t *pThread, const pthread_attr_t *pAttributes, void *(*pStart)(void *), void *pvArgument) {
  typedef int (*CREATE)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  static const CREATE create = reinterpret_cast<CREATE>(dlsym(RTLD_NEXT, "pthread_create"));
  return g_fNoThread ? EAGAIN : create(pThread, pAttributes, pStart, pvArgument);
}

template <class CALL>
static HRESULT WithoutThread(CALL call) {
  g_fNoThread = true;
  const HRESULT hr = call();
  g_fNoThread = false;
  return hr;
}

static void AReaderGoesOnWhereAThreadIsLeftAgain(const WCHAR *pwszFile) {
  CRecorder *pCallback = new CRecorder;
  IWMReader *pReader = NULL;
  CHECK_HR(WMCreateReader(NULL, 0, &pReader), S_OK);
  CHECK_HR(WithoutThread([&] { return pReader->Open(pwszFile, pCallback, NULL); }), E_OUTOFMEMORY);
  CHECK_HR(pReader->Close(), NS_E_INVALID_REQUEST);
  CHECK_HR(pReader->Open(pwszFile, pCallback, NULL), S_OK);
  CHECK_HR(pCallback->Await(WMT_OPENED).hr, S_OK);
  // The thread ends by itself soon after; while it runs it takes the job.
  for (;;) {
    const HRESULT hr = WithoutThread([&] { return pReader->Close(); });
    if (hr == E_OUTOFMEMORY) break;
    CHECK_HR(hr, S_OK);
    pCallback->Await(WMT_CLOSED);
    CHECK_HR(pReader->Open(pwszFile, pCallback, NULL), S_OK);
    pCallback->Await(WMT_OPENED);
    Sleep(20);
  }
  CHECK_HR(pReader->Open(pwszFile, pCallback, NULL), NS_E_INVALID_REQUEST);
  CHECK_HR(pReader->Close(), S_OK);
  pCallback->Await(WMT_CLOSED);
  SAFE_RELEASE(pReader);
  SAFE_RELEASE(pCallback);
}

// The queue lets go of it on its own thread, after the event was taken.
class CSink final : public IMFAsyncCallback {
 public:
  STDMETHODIMP QueryInterface(REFIID, void **ppv) override {
    *ppv = NULL;
    return E_NOINTERFACE;
  }
  STDMETHODIMP_(ULONG) AddRef() override { return ++m_cReferences; }
  STDMETHODIMP_(ULONG) Release() override {
    const ULONG cReferences = --m_cReferences;
    if (cReferences == 0) delete this;
    return cReferences;
  }
  STDMETHODIMP GetParameters(DWORD *, DWORD *) override { return E_NOTIMPL; }
  STDMETHODIMP Invoke(IMFAsyncResult *pResult) override {
    IMFMediaEvent *pEvent = NULL;
    m_hr = m_pGenerator->EndGetEvent(pResult, &pEvent);
    SAFE_RELEASE(pEvent);
    m_event.Set();
    return S_OK;
  }
  IMFMediaEventGenerator *m_pGenerator = NULL;
  HRESULT m_hr = E_FAIL;
  CEvent m_event;

 private:
  std::atomic<ULONG> m_cReferences{1};
};

static void AQueueLosesNeitherEventsNorWhoWaits() {
  IWMDRMProvider *pProvider = NULL;
  IWMDRMSecurity *pSecurity = NULL;
  IMFMediaEvent *pEvent = NULL;
  CSink *pFirst = new CSink, *pSecond = new CSink;
  CHECK_HR(WMDRMCreateProvider(&pProvider), S_OK);
  CHECK_HR(pProvider->CreateObject(IID_IWMDRMSecurity, (void **)&pSecurity), S_OK);
  pFirst->m_pGenerator = pSecond->m_pGenerator = pSecurity;
  // The call that begins fails: nobody waits, and the event stays.
  CHECK_HR(pSecurity->QueueEvent(4711, GUID_NULL, S_OK, NULL), S_OK);
  CHECK_HR(WithoutThread([&] { return pSecurity->BeginGetEvent(pFirst, NULL); }), E_OUTOFMEMORY);
  CHECK_HR(pSecurity->GetEvent(MF_EVENT_FLAG_NO_WAIT, &pEvent), S_OK);
  SAFE_RELEASE(pEvent);
  // The call that queues fails, and so does a shutdown: who waits still does.
  CHECK_HR(pSecurity->BeginGetEvent(pSecond, NULL), S_OK);
  CHECK_HR(WithoutThread([&] { return pSecurity->QueueEvent(4712, GUID_NULL, S_OK, NULL); }), E_OUTOFMEMORY);
  CHECK_HR(WithoutThread([&] { return pSecurity->Shutdown(); }), E_OUTOFMEMORY);
  CHECK_HR(pSecurity->BeginGetEvent(pSecond, NULL), MF_S_MULTIPLE_BEGIN);
  CHECK_HR(pSecurity->QueueEvent(4713, GUID_NULL, S_OK, NULL), S_OK);
  pSecond->m_event.Wait();
  CHECK_HR(pSecond->m_hr, S_OK);
  CHECK_HR(pSecurity->Shutdown(), S_OK);
  SAFE_RELEASE(pFirst);
  SAFE_RELEASE(pSecond);
  SAFE_RELEASE(pSecurity);
  SAFE_RELEASE(pProvider);
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 2) return 2;
  AReaderGoesOnWhereAThreadIsLeftAgain(argv[1]);
  AQueueLosesNeitherEventsNorWhoWaits();
  return 0;
}
