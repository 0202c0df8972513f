// Works with the local license store by the extended API: individualizes, acquires, asks, lists, backs up, cancels, and cleans, with
// events that are polled, waited for, and delivered to a callback.
//
// extended STORE KEYID PAGEKEYID FOLDER
#include "port.h"

static IWMDRMLicenseManagement *g_pManagement = NULL;
static IWMDRMLicenseQuery *g_pQuery = NULL;

// Waits for the event that ends an operation, counts the others, and gives the value to the caller.
static HRESULT WaitFor(IWMDRMEventGenerator *pGenerator, MediaEventType metWanted, int *pcProgress, PROPVARIANT *pValue) {
  HRESULT hr = S_OK, hrStatus = E_FAIL;
  MediaEventType met = MEUnknown;
  *pcProgress = 0;
  PropVariantInit(pValue);
  do {
    IMFMediaEvent *pEvent = NULL;
    hr = pGenerator->GetEvent(0, &pEvent);
    if (SUCCEEDED(hr)) hr = pEvent->GetType(&met);
    if (SUCCEEDED(hr)) hr = pEvent->GetStatus(&hrStatus);
    if (SUCCEEDED(hr) && met == metWanted) hr = pEvent->GetValue(pValue);
    if (SUCCEEDED(hr) && met != metWanted) (*pcProgress)++;
    SAFE_RELEASE(pEvent);
  } while (SUCCEEDED(hr) && met != metWanted);
  return SUCCEEDED(hr) ? hrStatus : hr;
}

// Polls every half second in the documentation; a test has less patience.
static HRESULT Individualize(IWMDRMSecurity *pSecurity) {
  IUnknown *pCookie = NULL;
  MediaEventType met = MEUnknown;
  HRESULT hrStatus = E_FAIL;
  int cProgress = 0;
  HRESULT hr = pSecurity->PerformSecurityUpdate(WMDRM_SECURITY_PERFORM_FORCE_INDIV, &pCookie);
  while (SUCCEEDED(hr) && met != MEWMDRMIndividualizationCompleted) {
    IMFMediaEvent *pEvent = NULL;
    IWMDRMIndividualizationStatus *pStatus = NULL;
    WM_INDIVIDUALIZE_STATUS status;
    PROPVARIANT value;
    hr = pSecurity->GetEvent(MF_EVENT_FLAG_NO_WAIT, &pEvent);
    if (hr == MF_E_NO_EVENTS_AVAILABLE) {
      hr = S_OK;
      Sleep(5);
      continue;
    }
    PropVariantInit(&value);
    if (SUCCEEDED(hr)) hr = pEvent->GetType(&met);
    if (SUCCEEDED(hr)) hr = pEvent->GetStatus(&hrStatus);
    if (SUCCEEDED(hr)) hr = pEvent->GetValue(&value);
    if (SUCCEEDED(hr) && met == MEWMDRMIndividualizationProgress) {
      hr = value.vt == VT_UNKNOWN ? value.punkVal->QueryInterface(IID_IWMDRMIndividualizationStatus, (void **)&pStatus) : E_UNEXPECTED;
      if (SUCCEEDED(hr)) hr = pStatus->GetStatus(&status);
      if (SUCCEEDED(hr) && (status.pszIndiRespUrl == NULL || status.enIndiStatus == INDI_UNDEFINED)) hr = E_UNEXPECTED;
      cProgress++;
    }
    PropVariantClear(&value);
    SAFE_RELEASE(pStatus);
    SAFE_RELEASE(pEvent);
  }
  SAFE_RELEASE(pCookie);
  printf("security update: 0x%08X, progress %s\n", SUCCEEDED(hr) ? hrStatus : hr, cProgress > 0 ? "seen" : "none");
  return hr;
}

static HRESULT Query(BSTR bstrKID) {
  DWORD rgdwResults[2] = {77, 77};
  DRM_LICENSE_STATE_DATA rgStates[2];
  BSTR rgActions[2] = {SysAllocString(g_wszWMDRM_ActionAllowed_Playback), SysAllocString(g_wszWMDRM_ActionAllowed_CopyToCD)};
  BSTR rgStateNames[2] = {SysAllocString(g_wszWMDRM_LicenseState_Playback), SysAllocString(g_wszWMDRM_LicenseState_CopyToCD)};
  BSTR bstrVersion = SysAllocString(L"2.2.0.1");
  HRESULT hr = g_pQuery->QueryActionAllowed(bstrKID, NULL, 2, rgActions, rgdwResults);
  printf("allowed: 0x%08X play %u, CD %u\n", hr, rgdwResults[0], rgdwResults[1]);
  if (SUCCEEDED(hr)) hr = g_pQuery->QueryActionAllowed(bstrKID, bstrVersion, 1, rgActions, rgdwResults);
  printf("for a security version: 0x%08X play %u\n", hr, rgdwResults[0]);
  if (SUCCEEDED(hr)) hr = g_pQuery->QueryLicenseState(bstrKID, 2, rgStateNames, rgStates);
  if (SUCCEEDED(hr)) printf("states: play %d, CD %d\n", rgStates[0].dwCategory, rgStates[1].dwCategory);
  for (int i = 0; i < 2; i++) {
    SysFreeString(rgActions[i]);
    SysFreeString(rgStateNames[i]);
  }
  SysFreeString(bstrVersion);
  return hr;
}

static HRESULT Acquire(BSTR bstrKID, DWORD dwFlags, std::string *pstrURL) {
  IUnknown *pCookie = NULL;
  IWMDRMNonSilentLicenseAquisition *pNonSilent = NULL;
  BSTR bstrURL = NULL, bstrChallenge = NULL;
  PROPVARIANT value;
  int cProgress = 0;
  BSTR bstrActions = SysAllocString(L"<ACTIONLIST><ACTION>Play</ACTION></ACTIONLIST>");
  HRESULT hr = g_pManagement->AcquireLicense(NULL, bstrKID, bstrActions, dwFlags, &pCookie);
  if (SUCCEEDED(hr)) {
    hr = WaitFor(g_pManagement, MEWMDRMLicenseAcquisitionCompleted, &cProgress, &value);
    printf("acquisition: 0x%08X, %s\n", hr, value.vt == VT_UNKNOWN ? "with a page" : "without a page");
    if (value.vt == VT_UNKNOWN && SUCCEEDED(value.punkVal->QueryInterface(&pNonSilent)) && SUCCEEDED(pNonSilent->GetURL(&bstrURL)) &&
        SUCCEEDED(pNonSilent->GetChallenge(&bstrChallenge)) && bstrChallenge != NULL)
      *pstrURL = Narrow(bstrURL);
    PropVariantClear(&value);
  }
  SysFreeString(bstrActions);
  SysFreeString(bstrURL);
  SysFreeString(bstrChallenge);
  SAFE_RELEASE(pNonSilent);
  SAFE_RELEASE(pCookie);
  return hr;
}

// The page is closed; the monitor is cancelled; the user accepts after all; the next monitor finds it.
static HRESULT AcquireWithPage(BSTR bstrKID) {
  std::string strURL;
  IUnknown *pCookie = NULL;
  PROPVARIANT value;
  int cProgress = 0;
  BSTR bstrActions = SysAllocString(L"Play");
  HRESULT hr = Acquire(bstrKID, WMDRM_ACQUIRE_LICENSE_NONSILENT, &strURL);
  if (SUCCEEDED(hr)) hr = g_pManagement->MonitorLicenseAcquisition(bstrKID, NULL, bstrActions, &pCookie);
  if (SUCCEEDED(hr)) hr = g_pManagement->CancelAsyncOperation(pCookie);
  SAFE_RELEASE(pCookie);
  if (SUCCEEDED(hr)) printf("monitor: 0x%08X\n", WaitFor(g_pManagement, MEWMDRMLicenseAcquisitionCompleted, &cProgress, &value));
  PressOnPage(strURL, "accept");
  if (SUCCEEDED(hr)) hr = g_pManagement->MonitorLicenseAcquisition(bstrKID, NULL, bstrActions, NULL);
  if (SUCCEEDED(hr)) printf("monitor: 0x%08X\n", WaitFor(g_pManagement, MEWMDRMLicenseAcquisitionCompleted, &cProgress, &value));
  // The license is there: nothing is left to watch, and that is a success too.
  if (SUCCEEDED(hr)) hr = g_pManagement->MonitorLicenseAcquisition(bstrKID, NULL, bstrActions, NULL);
  if (SUCCEEDED(hr)) printf("monitor: 0x%08X\n", WaitFor(g_pManagement, MEWMDRMLicenseAcquisitionCompleted, &cProgress, &value));
  SysFreeString(bstrActions);
  return hr;
}

static HRESULT List(BSTR bstrKID) {
  IWMDRMLicense *pLicense = NULL;
  WMDRM_LICENSE_FILTER filter = {};
  int cAll = 0, cOfKey = 0;
  HRESULT hr = g_pManagement->CreateLicenseEnumeration(NULL, &pLicense);
  for (; SUCCEEDED(hr); hr = pLicense->GetNext()) cAll++;
  if (hr != HRESULT_FROM_WIN32(ERROR_NO_MORE_ITEMS)) return hr;
  SAFE_RELEASE(pLicense);
  filter.bstrKID = bstrKID;
  filter.bstrRights = SysAllocString(L"Play");
  hr = g_pManagement->CreateLicenseEnumeration(&filter, &pLicense);
  if (SUCCEEDED(hr)) {
    PROPVARIANT value;
    BSTR bstrName = SysAllocString(L"KID");
    hr = pLicense->GetLicenseProperty(bstrName, &value);
    if (SUCCEEDED(hr)) printf("listed: %s\n", value.vt == VT_BSTR && Narrow(value.bstrVal) == Narrow(bstrKID) ? "the key ID" : "something else");
    PropVariantClear(&value);
    SysFreeString(bstrName);
  }
  for (; SUCCEEDED(hr); hr = pLicense->GetNext()) cOfKey++;
  if (hr == HRESULT_FROM_WIN32(ERROR_NO_MORE_ITEMS) && SUCCEEDED(pLicense->ResetEnumeration())) hr = S_OK;
  printf("licenses: %d, of the key ID %d\n", cAll, cOfKey);
  SysFreeString(filter.bstrRights);
  SAFE_RELEASE(pLicense);
  return hr;
}

// Takes events on a thread that is not its own.
class CEventSink : public IMFAsyncCallback {
 public:
  CEventSink() : m_cRef(1), m_cProgress(0), m_cRestricted(0), m_hr(E_FAIL) {}
  STDMETHODIMP QueryInterface(REFIID riid, void **ppv) override {
    *ppv = riid == IID_IMFAsyncCallback ? this : NULL;
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
  STDMETHODIMP GetParameters(DWORD *, DWORD *) override { return E_NOTIMPL; }
  STDMETHODIMP Invoke(IMFAsyncResult *pResult) override {
    IMFMediaEvent *pEvent = NULL;
    MediaEventType met = MEUnknown;
    PROPVARIANT value;
    PropVariantInit(&value);
    HRESULT hr = g_pManagement->EndGetEvent(pResult, &pEvent);
    if (SUCCEEDED(hr)) hr = pEvent->GetType(&met);
    if (SUCCEEDED(hr)) hr = pEvent->GetStatus(&m_hr);
    if (SUCCEEDED(hr)) hr = pEvent->GetValue(&value);
    SAFE_RELEASE(pEvent);
    if (SUCCEEDED(hr) && met == MEWMDRMLicenseBackupProgress) OnProgress(value.punkVal);
    PropVariantClear(&value);
    if (FAILED(hr) || met == MEWMDRMLicenseBackupCompleted) {
      m_event.Set();
      return S_OK;
    }
    return g_pManagement->BeginGetEvent(this, NULL);
  }
  void OnProgress(IUnknown *pUnknown) {
    IWMDRMLicenseBackupRestoreStatus *pStatus = NULL;
    WM_BACKUP_RESTORE_STATUS status;
    if (SUCCEEDED(pUnknown->QueryInterface(&pStatus)) && SUCCEEDED(pStatus->GetStatus(&status))) {
      m_cProgress++;
      if (status.eStatus == DRM_RESTRICTED_LICENSE && SysStringLen(status.bstrError) == 24) m_cRestricted++;
      SysFreeString(status.bstrError);
    }
    SAFE_RELEASE(pStatus);
  }

  LONG m_cRef;
  int m_cProgress;
  int m_cRestricted;
  HRESULT m_hr;
  CEvent m_event;
};

static HRESULT Backup(BSTR bstrFolder) {
  CEventSink *pSink = new CEventSink(), *pOther = new CEventSink();
  IMFMediaEvent *pEvent = NULL;
  HRESULT hr = g_pManagement->BeginGetEvent(pSink, NULL);
  if (g_pManagement->BeginGetEvent(pSink, NULL) != MF_S_MULTIPLE_BEGIN || g_pManagement->BeginGetEvent(pSink, pOther) != MF_E_MULTIPLE_BEGIN ||
      g_pManagement->BeginGetEvent(pOther, NULL) != MF_E_MULTIPLE_SUBSCRIBERS || g_pManagement->GetEvent(0, &pEvent) != MF_E_MULTIPLE_SUBSCRIBERS)
    hr = E_UNEXPECTED;
  if (SUCCEEDED(hr)) hr = g_pManagement->BackupLicenses(bstrFolder, WMDRM_BACKUP_OVERWRITE, NULL);
  if (SUCCEEDED(hr)) {
    pSink->m_event.Wait();
    printf("backup: 0x%08X, begin and end %s, restricted %d\n", pSink->m_hr, pSink->m_cProgress == pSink->m_cRestricted + 2 ? "seen" : "missing",
           pSink->m_cRestricted);
  }
  SAFE_RELEASE(pSink);
  SAFE_RELEASE(pOther);
  return hr;
}

static HRESULT CleanAndShutDown() {
  PROPVARIANT value;
  int cProgress = 0;
  IMFMediaEvent *pEvent = NULL;
  HRESULT hr = g_pManagement->CleanLicenseStore(WMDRM_CLEAN_LICENSE_STORE_SYNC, NULL);
  if (SUCCEEDED(hr)) hr = g_pManagement->CleanLicenseStore(WMDRM_CLEAN_LICENSE_STORE_ASYNC, NULL);
  if (SUCCEEDED(hr)) hr = WaitFor(g_pManagement, MEWMDRMLicenseStoreCleaned, &cProgress, &value);
  printf("cleaned: 0x%08X, with both flags 0x%08X\n", hr, g_pManagement->CleanLicenseStore(3, NULL));
  if (SUCCEEDED(hr)) hr = g_pManagement->Shutdown();
  printf("after shutdown: 0x%08X\n", g_pManagement->GetEvent(0, &pEvent));
  return hr;
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 4) return 2;
  IWMDRMProvider *pProvider = NULL;
  IWMDRMSecurity *pSecurity = NULL;
  IWMDRMEventGenerator *pGenerator = NULL;
  BSTR bstrKID = SysAllocString(argv[1]), bstrPageKID = SysAllocString(argv[2]), bstrFolder = SysAllocString(argv[3]), bstrVersion = NULL;
  std::string strURL;

  HRESULT hr = WMDRMStartup();
  if (SUCCEEDED(hr)) hr = WMDRMCreateProvider(&pProvider);
  if (SUCCEEDED(hr)) hr = pProvider->CreateObject(IID_IWMDRMSecurity, (void **)&pSecurity);
  if (SUCCEEDED(hr)) hr = pProvider->CreateObject(IID_IWMDRMLicenseManagement, (void **)&g_pManagement);
  if (SUCCEEDED(hr)) hr = pProvider->CreateObject(IID_IWMDRMLicenseQuery, (void **)&g_pQuery);
  if (SUCCEEDED(hr)) hr = g_pManagement->QueryInterface(IID_IWMDRMEventGenerator, (void **)&pGenerator);
  if (SUCCEEDED(hr)) hr = pSecurity->GetSecurityVersion(&bstrVersion);
  if (SUCCEEDED(hr)) printf("security version before: %s\n", Narrow(bstrVersion).c_str());
  if (SUCCEEDED(hr)) hr = Individualize(pSecurity);
  if (SUCCEEDED(hr)) hr = Query(bstrKID);
  if (SUCCEEDED(hr)) hr = Acquire(bstrKID, WMDRM_ACQUIRE_LICENSE_SILENT, &strURL);
  if (SUCCEEDED(hr)) hr = Query(bstrKID);
  if (SUCCEEDED(hr)) Acquire(bstrPageKID, WMDRM_ACQUIRE_LICENSE_SILENT, &strURL);
  if (SUCCEEDED(hr)) hr = AcquireWithPage(bstrPageKID);
  if (SUCCEEDED(hr)) hr = List(bstrKID);
  if (SUCCEEDED(hr)) hr = Backup(bstrFolder);
  for (int i = 0; SUCCEEDED(hr) && i < 2; i++) printf("deleted: 0x%08X\n", g_pManagement->DeleteLicense(bstrKID, WMDRM_DELETE_LICENSE_IMMEDIATELY));
  if (SUCCEEDED(hr)) hr = CleanAndShutDown();
  printf("all in all: 0x%08X\n", hr);

  SysFreeString(bstrKID);
  SysFreeString(bstrPageKID);
  SysFreeString(bstrFolder);
  SysFreeString(bstrVersion);
  SAFE_RELEASE(pGenerator);
  SAFE_RELEASE(g_pQuery);
  SAFE_RELEASE(g_pManagement);
  SAFE_RELEASE(pSecurity);
  SAFE_RELEASE(pProvider);
  WMDRMShutdown();
  return SUCCEEDED(hr) ? 0 : 1;
}
