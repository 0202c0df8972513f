// What the old interfaces have and nothing here needs: it answers as docs/porting.md says, and changes nothing.
//
// contract_unneeded STORE FILE KEYID
#include "contract.h"

static void TheReaderPlaysNothing(const WCHAR *pwszFile, CRecorder *pCallback) {
  IWMReader *pReader = NULL;
  IWMOutputMediaProps *pProps = NULL;
  DWORD dwNumber = 7;
  CHECK_HR(WMCreateReader(NULL, WMT_RIGHT_PLAYBACK, &pReader), S_OK);
  CHECK_HR(pReader->Open(pwszFile, pCallback, NULL), S_OK);
  CHECK_HR(pCallback->Await(WMT_OPENED).hr, S_OK);
  CHECK_HR(pReader->GetOutputCount(&dwNumber), E_NOTIMPL);
  CHECK_HR(pReader->GetOutputProps(0, &pProps), E_NOTIMPL);
  CHECK_HR(pReader->SetOutputProps(0, pProps), E_NOTIMPL);
  CHECK_HR(pReader->GetOutputFormatCount(0, &dwNumber), E_NOTIMPL);
  CHECK_HR(pReader->GetOutputFormat(0, 0, &pProps), E_NOTIMPL);
  CHECK_HR(pReader->Start(0, 0, 1.0f, NULL), E_NOTIMPL);
  CHECK_HR(pReader->Pause(), E_NOTIMPL);
  CHECK_HR(pReader->Resume(), E_NOTIMPL);
  CHECK_HR(pReader->Stop(), E_NOTIMPL);
  CHECK(dwNumber == 7 && pProps == NULL);
  CHECK_HR(pReader->Close(), S_OK);
  pCallback->Await(WMT_CLOSED);
  SAFE_RELEASE(pReader);
}

// The editor changes no file.
static void ThereIsNothingToFlush(const WCHAR *pwszFile) {
  IWMMetadataEditor *pEditor = NULL;
  CHECK_HR(WMCreateEditor(&pEditor), S_OK);
  CHECK_HR(pEditor->Open(pwszFile), S_OK);
  CHECK_HR(pEditor->Flush(), S_OK);
  CHECK_HR(pEditor->Close(), S_OK);
  SAFE_RELEASE(pEditor);
}

static void NoLicenseIsTemporary(IWMDRMProvider *pProvider) {
  IWMDRMLicenseManagement *pManagement = NULL;
  IWMDRMLicense *pLicense = NULL;
  BOOL fCan = 7;
  CHECK_HR(pProvider->CreateObject(IID_IWMDRMLicenseManagement, (void **)&pManagement), S_OK);
  CHECK_HR(pManagement->CreateLicenseEnumeration(NULL, &pLicense), S_OK);
  CHECK_HR(pLicense->CanPersist(NULL), E_INVALIDARG);
  CHECK_HR(pLicense->CanPersist(&fCan), S_OK);
  CHECK(fCan == FALSE);
  CHECK_HR(pLicense->PersistLicense(), E_FAIL);
  SAFE_RELEASE(pLicense);
  SAFE_RELEASE(pManagement);
}

static void ParametersOfAQuestionHaveNoEffect(IWMDRMProvider *pProvider, BSTR bstrKID) {
  IWMDRMLicenseQuery *pQuery = NULL;
  BSTR actions[] = {SysAllocString(g_wszWMDRM_RIGHT_PLAYBACK), SysAllocString(g_wszWMDRM_RIGHT_COPY_TO_CD)};
  DWORD before[2] = {9, 9}, after[2] = {8, 8};
  CHECK_HR(pProvider->CreateObject(IID_IWMDRMLicenseQuery, (void **)&pQuery), S_OK);
  CHECK_HR(pQuery->QueryActionAllowed(bstrKID, NULL, 2, actions, before), S_OK);
  CHECK_HR(pQuery->SetActionAllowedQueryParams(TRUE, 2000, TRUE, NULL), S_OK);
  CHECK_HR(pQuery->QueryActionAllowed(bstrKID, NULL, 2, actions, after), S_OK);
  CHECK(before[0] == 0 && before[1] != 0 && after[0] == before[0] && after[1] == before[1]);
  for (BSTR bstr : actions) SysFreeString(bstr);
  SAFE_RELEASE(pQuery);
}

// A callback of a queue that says itself how it went, as callbacks of Media Foundation may.
class CSink : public IMFAsyncCallback {
 public:
  explicit CSink(IMFMediaEventGenerator *pGenerator) : m_pGenerator(pGenerator), m_cRef(1) {}
  virtual ~CSink() = default;
  STDMETHODIMP QueryInterface(REFIID, void **ppv) override {
    *ppv = NULL;
    return E_NOINTERFACE;
  }
  // The thread that called it may let go of it after who waited for the call did.
  STDMETHODIMP_(ULONG) AddRef() override { return static_cast<ULONG>(InterlockedIncrement(&m_cRef)); }
  STDMETHODIMP_(ULONG) Release() override {
    LONG cRef = InterlockedDecrement(&m_cRef);
    if (cRef == 0) delete this;
    return static_cast<ULONG>(cRef);
  }
  STDMETHODIMP GetParameters(DWORD *, DWORD *) override { return E_NOTIMPL; }
  STDMETHODIMP Invoke(IMFAsyncResult *pResult) override {
    IUnknown *pObject = m_pGenerator;
    IMFMediaEvent *pEvent = NULL;
    CHECK_HR(pResult->GetObject(NULL), E_INVALIDARG);
    CHECK_HR(pResult->GetObject(&pObject), E_POINTER);
    CHECK(pObject == NULL);
    CHECK_HR(pResult->GetStatus(), S_OK);
    CHECK_HR(pResult->SetStatus(E_FAIL), S_OK);
    CHECK_HR(pResult->GetStatus(), E_FAIL);
    CHECK_HR(m_pGenerator->EndGetEvent(pResult, &pEvent), E_FAIL);
    CHECK(pEvent == NULL);
    m_called.Set();
    return S_OK;
  }
  void Wait() { m_called.Wait(); }

 private:
  IMFMediaEventGenerator *m_pGenerator;
  LONG m_cRef;
  CEvent m_called;
};

static void AResultCarriesNoObjectAndTheStatusThatItWasGiven(IWMDRMProvider *pProvider) {
  IWMDRMSecurity *pSecurity = NULL;
  CHECK_HR(pProvider->CreateObject(IID_IWMDRMSecurity, (void **)&pSecurity), S_OK);
  CSink *pSink = new CSink(pSecurity);
  CHECK_HR(pSecurity->BeginGetEvent(pSink, NULL), S_OK);
  CHECK_HR(pSecurity->QueueEvent(4711, GUID_NULL, S_OK, NULL), S_OK);
  pSink->Wait();
  CHECK(pSecurity->Release() == 0);
  SAFE_RELEASE(pSink);
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 3) return 2;
  CHECK_HR(CoInitializeEx(NULL, COINIT_MULTITHREADED), S_OK);
  CRecorder *pCallback = new CRecorder;
  IWMDRMProvider *pProvider = NULL;
  BSTR bstrKID = SysAllocString(argv[2]);
  CHECK_HR(WMDRMCreateProvider(&pProvider), S_OK);
  TheReaderPlaysNothing(argv[1], pCallback);
  ThereIsNothingToFlush(argv[1]);
  NoLicenseIsTemporary(pProvider);
  ParametersOfAQuestionHaveNoEffect(pProvider, bstrKID);
  AResultCarriesNoObjectAndTheStatusThatItWasGiven(pProvider);
  SysFreeString(bstrKID);
  SAFE_RELEASE(pProvider);
  SAFE_RELEASE(pCallback);
  CoUninitialize();
  return 0;
}
