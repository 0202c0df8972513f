// When the header gives back what old code gave it, and that its destructors may call the object that they are released by.
//
// contract_lifetimes STORE CLEARFILE
#include "contract.h"

static const WCHAR *g_pwszFile;

// Awaits what another thread does in the end.
template <class HELD>
static void AwaitThat(HELD held) {
  for (int i = 0; !held(); i++) {
    CHECK(i < 3000);
    Sleep(10);
  }
}

// Holds the reader, as players do, and closes it when it goes.
class CPlayer : public IWMReaderCallback {
 public:
  CPlayer(IWMReader *pReader, std::atomic<int> *pcGone) : m_pReader(pReader), m_pcGone(pcGone) { m_pReader->AddRef(); }
  STDMETHODIMP QueryInterface(REFIID, void **ppv) override {
    *ppv = NULL;
    return E_NOINTERFACE;
  }
  STDMETHODIMP_(ULONG) AddRef() override { return ++m_cRef; }
  STDMETHODIMP_(ULONG) Release() override {
    const ULONG cRef = --m_cRef;
    if (cRef == 0) delete this;
    return cRef;
  }
  STDMETHODIMP OnSample(DWORD, QWORD, QWORD, DWORD, INSSBuffer *, void *) override { return E_UNEXPECTED; }
  STDMETHODIMP OnStatus(WMT_STATUS Status, HRESULT, WMT_ATTR_DATATYPE, BYTE *, void *) override {
    if (Status == WMT_OPENED) m_opened.Set();
    if (Status == WMT_CLOSED) m_closed.Set();
    return S_OK;
  }
  CEvent m_opened, m_closed;

 private:
  ~CPlayer() override {
    m_pReader->Close();
    m_pReader->Release();
    ++*m_pcGone;
  }
  std::atomic<ULONG> m_cRef{1};
  IWMReader *m_pReader;
  std::atomic<int> *m_pcGone;
};

// Neither a file that was closed nor one that could not be opened holds its callback, whose destructor calls the reader.
static void AfterTheLastStatusTheCallbackIsFree() {
  for (const WCHAR *pwszFile : {g_pwszFile, L"no such file"}) {
    std::atomic<int> cGone{0};
    IWMReader *pReader = NULL;
    CHECK_HR(WMCreateReader(NULL, 0, &pReader), S_OK);
    for (int i = 1; i <= 2; i++) {
      CPlayer *pPlayer = new CPlayer(pReader, &cGone);
      CHECK_HR(pReader->Open(pwszFile, pPlayer, NULL), S_OK);
      pPlayer->m_opened.Wait();
      if (pwszFile == g_pwszFile) {
        CHECK_HR(pReader->Close(), S_OK);
        pPlayer->m_closed.Wait();
      }
      pPlayer->Release();
      AwaitThat([&] { return cGone == i; });
    }
    CHECK(pReader->Release() == 0);
  }
}

// Close and Open in the last status: the first file is closed before the second is opened, each told to its own callback.
static void AFileThatIsReopenedInItsLastStatusIsClosedFirst() {
  CRecorder *pFirst = new CRecorder, *pSecond = new CRecorder;
  IWMReader *pReader = NULL;
  CHECK_HR(WMCreateReader(NULL, 0, &pReader), S_OK);
  pFirst->Then([&](const STATUS &seen) {
    if (seen.Status != WMT_OPENED) return;
    CHECK_HR(pReader->Close(), S_OK);
    CHECK_HR(pReader->Open(g_pwszFile, pSecond, NULL), S_OK);
  });
  std::atomic<bool> fClosed{false};
  pSecond->Then([&](const STATUS &) {
    for (const STATUS &seen : pFirst->Seen()) fClosed = fClosed || seen.Status == WMT_CLOSED;
  });
  CHECK_HR(pReader->Open(g_pwszFile, pFirst, NULL), S_OK);
  CHECK_HR(pSecond->Await(WMT_OPENED).hr, S_OK);
  CHECK(fClosed);
  CHECK((pFirst->Order() == std::vector<int>{WMT_OPENED, WMT_CLOSED}));
  CHECK_HR(pReader->Close(), S_OK);
  pSecond->Await(WMT_CLOSED);
  CHECK((pSecond->Order() == std::vector<int>{WMT_OPENED, WMT_CLOSED}));
  CHECK(pReader->Release() == 0);
  SAFE_RELEASE(pFirst);
  SAFE_RELEASE(pSecond);
}

// A subscriber, its state, and the value of an event: what it is told does not interest it. It holds the object and asks it when
// it goes.
class CGuest : public IMFAsyncCallback {
 public:
  CGuest(IWMDRMSecurity *pSecurity, std::atomic<int> *pcGone) : m_pSecurity(pSecurity), m_pcGone(pcGone) { m_pSecurity->AddRef(); }
  STDMETHODIMP QueryInterface(REFIID, void **ppv) override {
    *ppv = NULL;
    return E_NOINTERFACE;
  }
  STDMETHODIMP_(ULONG) AddRef() override { return ++m_cRef; }
  STDMETHODIMP_(ULONG) Release() override {
    const ULONG cRef = --m_cRef;
    if (cRef == 0) delete this;
    return cRef;
  }
  STDMETHODIMP GetParameters(DWORD *, DWORD *) override { return E_NOTIMPL; }
  STDMETHODIMP Invoke(IMFAsyncResult *) override { return S_OK; }

 private:
  ~CGuest() override {
    IMFMediaEvent *pEvent = NULL;
    CHECK_HR(m_pSecurity->GetEvent(MF_EVENT_FLAG_NO_WAIT, &pEvent), MF_E_SHUTDOWN);
    m_pSecurity->Release();
    ++*m_pcGone;
  }
  std::atomic<ULONG> m_cRef{1};
  IWMDRMSecurity *m_pSecurity;
  std::atomic<int> *m_pcGone;
};

static void AShutdownGivesBackWhatTheQueueHeld() {
  std::atomic<int> cGone{0};
  IWMDRMProvider *pProvider = NULL;
  CHECK_HR(WMDRMCreateProvider(&pProvider), S_OK);
  for (int i = 0; i < 2; i++) {
    IWMDRMSecurity *pSecurity = NULL;
    CHECK_HR(pProvider->CreateObject(IID_IWMDRMSecurity, (void **)&pSecurity), S_OK);
    CGuest *pGuest = new CGuest(pSecurity, &cGone);
    if (i == 0) {
      PROPVARIANT value;
      PropVariantInit(&value);
      value.vt = VT_UNKNOWN;
      value.punkVal = pGuest;
      CHECK_HR(pSecurity->QueueEvent(4711, GUID_NULL, S_OK, &value), S_OK);
    } else {
      CHECK_HR(pSecurity->BeginGetEvent(pGuest, pGuest), S_OK);
    }
    pGuest->Release();
    CHECK_HR(pSecurity->Shutdown(), S_OK);
    AwaitThat([&] { return cGone == i + 1; });
    CHECK_HR(pSecurity->QueueEvent(4712, GUID_NULL, S_OK, NULL), MF_E_SHUTDOWN);
    CHECK_HR(pSecurity->Shutdown(), MF_E_SHUTDOWN);
    CHECK(pSecurity->Release() == 0);
  }
  SAFE_RELEASE(pProvider);
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 2) return 2;
  g_pwszFile = argv[1];
  AfterTheLastStatusTheCallbackIsFree();
  AFileThatIsReopenedInItsLastStatusIsClosedFirst();
  AShutdownGivesBackWhatTheQueueHeld();
  return 0;
}
