// What a port relies on of the extended API: its queue, its cookies, and what it refuses.
//
// contract_extended STORE KEYID PAGEKEYID LIMITEDKEYID
#include "contract.h"

#include <fstream>

static IWMDRMProvider *g_pProvider;

static IWMDRMLicenseManagement *NewManagement() {
  IWMDRMLicenseManagement *pManagement = NULL;
  CHECK_HR(g_pProvider->CreateObject(__uuidof(IWMDRMLicenseManagement), (void **)&pManagement), S_OK);
  return pManagement;
}

// The next event must be of this type; its status.
static HRESULT StatusOf(IMFMediaEventGenerator *pGenerator, MediaEventType metWanted, VARTYPE *pvt = NULL) {
  IMFMediaEvent *pEvent = NULL;
  MediaEventType met = MEUnknown;
  HRESULT hrStatus = E_FAIL;
  PROPVARIANT value;
  GUID guid = IID_IUnknown;
  PropVariantInit(&value);
  CHECK_HR(pGenerator->GetEvent(0, &pEvent), S_OK);
  CHECK_HR(pEvent->GetType(&met), S_OK);
  CHECK_HR(pEvent->GetStatus(&hrStatus), S_OK);
  CHECK_HR(pEvent->GetExtendedType(&guid), S_OK);
  CHECK_HR(pEvent->GetValue(&value), S_OK);
  CHECK(met == metWanted);
  if (pvt != NULL) *pvt = value.vt;
  PropVariantClear(&value);
  SAFE_RELEASE(pEvent);
  return hrStatus;
}

static void ArgumentsAreLookedAt() {
  IWMDRMLicenseManagement *pManagement = NewManagement();
  IWMDRMLicenseQuery *pQuery = NULL;
  IWMDRMLicense *pLicense = NULL;
  IUnknown *pUnknown = NULL;
  DWORD dwResult = 0;
  BSTR bstrShort = SysAllocString(L"too short"), bstrPlay = SysAllocString(L"Play");
  CHECK_HR(g_pProvider->CreateObject(IID_IWMReader, (void **)&pUnknown), E_NOINTERFACE);
  CHECK_HR(g_pProvider->CreateObject(IID_IWMDRMLicenseQuery, (void **)&pQuery), S_OK);
  CHECK_HR(pManagement->QueryInterface(IID_IMFMediaEventGenerator, (void **)&pUnknown), S_OK);
  SAFE_RELEASE(pUnknown);
  CHECK_HR(pManagement->QueryInterface(IID_IWMDRMSecurity, (void **)&pUnknown), E_NOINTERFACE);
  CHECK_HR(pManagement->AcquireLicense(NULL, bstrShort, NULL, WMDRM_ACQUIRE_LICENSE_SILENT, NULL), NS_E_DRM_INVALID_KID);
  CHECK_HR(pManagement->AcquireLicense(NULL, NULL, NULL, 3, NULL), E_INVALIDARG);
  CHECK_HR(pManagement->BackupLicenses(NULL, 0, NULL), E_INVALIDARG);
  CHECK_HR(pManagement->DeleteLicense(bstrShort, WMDRM_DELETE_LICENSE_IMMEDIATELY), NS_E_DRM_INVALID_KID);
  CHECK_HR(pManagement->DeleteLicense(bstrShort, WMDRM_DELETE_LICENSE_MARK_FOR_PURGE), E_NOTIMPL);
  CHECK_HR(pManagement->CleanLicenseStore(0, NULL), E_INVALIDARG);
  CHECK_HR(pManagement->ProcessLicenseDeletionMessage(bstrShort), E_NOTIMPL);
  CHECK_HR(pManagement->CancelAsyncOperation(NULL), E_INVALIDARG);
  CHECK_HR(pManagement->CancelAsyncOperation(g_pProvider), E_INVALIDARG);
  CHECK_HR(pQuery->QueryActionAllowed(bstrShort, NULL, 1, &bstrPlay, &dwResult), NS_E_DRM_INVALID_KID);
  CHECK_HR(pQuery->QueryActionAllowed(bstrShort, NULL, 0, &bstrPlay, &dwResult), E_INVALIDARG);
  // Nothing is in the store yet.
  CHECK_HR(pManagement->CreateLicenseEnumeration(NULL, &pLicense), HRESULT_FROM_WIN32(ERROR_NO_MORE_ITEMS));
  CHECK(pLicense == NULL && wm_live_objects() > 0);
  SysFreeString(bstrShort);
  SysFreeString(bstrPlay);
  SAFE_RELEASE(pQuery);
  SAFE_RELEASE(pManagement);
}

static void EventsOfTheApplicationComeBack() {
  IWMDRMLicenseManagement *pManagement = NewManagement();
  IMFMediaEvent *pEvent = NULL;
  PROPVARIANT value;
  CHECK_HR(pManagement->GetEvent(MF_EVENT_FLAG_NO_WAIT, &pEvent), MF_E_NO_EVENTS_AVAILABLE);
  CHECK_HR(pManagement->GetEvent(MF_EVENT_FLAG_NO_WAIT, NULL), E_INVALIDARG);
  PropVariantInit(&value);
  value.vt = VT_BSTR;
  value.bstrVal = SysAllocString(L"text");
  CHECK_HR(pManagement->QueueEvent(4711, IID_IUnknown, S_FALSE, &value), S_OK);
  PropVariantClear(&value);
  CHECK_HR(pManagement->QueueEvent(4712, GUID_NULL, E_FAIL, NULL), S_OK);
  CHECK_HR(pManagement->GetEvent(0, &pEvent), S_OK);
  CHECK_HR(pEvent->GetValue(&value), S_OK);
  CHECK(value.vt == VT_BSTR && Narrow(value.bstrVal) == "text");
  PropVariantClear(&value);
  SAFE_RELEASE(pEvent);
  CHECK_HR(StatusOf(pManagement, 4712), E_FAIL);
  SAFE_RELEASE(pManagement);
}

class CShutdownSink : public IMFAsyncCallback {
 public:
  explicit CShutdownSink(IMFMediaEventGenerator *pGenerator) : m_pGenerator(pGenerator) {}
  STDMETHODIMP QueryInterface(REFIID, void **ppv) override {
    *ppv = NULL;
    return E_NOINTERFACE;
  }
  STDMETHODIMP_(ULONG) AddRef() override { return static_cast<ULONG>(InterlockedIncrement(&m_cRef)); }
  STDMETHODIMP_(ULONG) Release() override {
    LONG cRef = InterlockedDecrement(&m_cRef);
    if (cRef == 0) delete this;
    return static_cast<ULONG>(cRef);
  }
  STDMETHODIMP GetParameters(DWORD *, DWORD *) override { return E_NOTIMPL; }
  STDMETHODIMP Invoke(IMFAsyncResult *pResult) override {
    IMFMediaEvent *pEvent = NULL, *pAgain = NULL;
    IUnknown *pState = NULL;
    CHECK(std::this_thread::get_id() != m_main);
    CHECK(pResult->GetState(&pState) == S_OK && pState == g_pProvider && pResult->GetStateNoAddRef() == g_pProvider);
    SAFE_RELEASE(pState);
    m_hr = m_pGenerator->EndGetEvent(pResult, &pEvent);
    CHECK_HR(m_pGenerator->EndGetEvent(pResult, &pAgain), m_hr == MF_E_SHUTDOWN ? MF_E_SHUTDOWN : E_INVALIDARG);
    SAFE_RELEASE(pEvent);
    m_event.Set();
    return S_OK;
  }
  IMFMediaEventGenerator *m_pGenerator;
  std::thread::id m_main = std::this_thread::get_id();
  HRESULT m_hr = E_PENDING;
  CEvent m_event;
  LONG m_cRef = 1;

 private:
  static constexpr HRESULT E_PENDING = static_cast<HRESULT>(0x8000000A);
};

static void AShutdownEndsWaitingAndWhatRuns(BSTR bstrPageKID) {
  CMuteService mute;
  IWMDRMLicenseManagement *pManagement = NewManagement();
  IUnknown *pCookie = NULL;
  CShutdownSink *pSink = new CShutdownSink(pManagement);
  // An event that is there already is told on another thread too.
  CHECK_HR(pManagement->QueueEvent(4711, GUID_NULL, S_OK, NULL), S_OK);
  CHECK_HR(pManagement->BeginGetEvent(pSink, g_pProvider), S_OK);
  pSink->m_event.Wait();
  CHECK_HR(pSink->m_hr, S_OK);
  CHECK_HR(pManagement->BeginGetEvent(pSink, g_pProvider), S_OK);
  wm_client *pClient = TheClient();
  CHECK(wm_set_string_prop(pClient, WM_PROP_SERVICE_URL, mute.URL()) >= 0);
  const std::size_t cBefore = wm_live_objects();
  CHECK_HR(pManagement->AcquireLicense(NULL, bstrPageKID, NULL, WMDRM_ACQUIRE_LICENSE_SILENT, &pCookie), S_OK);
  SAFE_RELEASE(pCookie);
  CHECK_HR(pManagement->Shutdown(), S_OK);
  for (int i = 0; wm_live_objects() > cBefore; i++) {
    CHECK(i < 200);
    Sleep(10);
  }
  pSink->m_event.Wait();
  CHECK_HR(pSink->m_hr, MF_E_SHUTDOWN);
  CHECK_HR(pManagement->BeginGetEvent(pSink, NULL), MF_E_SHUTDOWN);
  CHECK_HR(pManagement->AcquireLicense(NULL, bstrPageKID, NULL, WMDRM_ACQUIRE_LICENSE_SILENT, NULL), MF_E_SHUTDOWN);
  CHECK(wm_set_string_prop(pClient, WM_PROP_SERVICE_URL, std::getenv("WM_TEST_URL")) >= 0);
  wm_release(pClient);
  SAFE_RELEASE(pCookie);
  SAFE_RELEASE(pSink);
  SAFE_RELEASE(pManagement);
}

// Several run at once; the cookie says which is meant.
static void ACookieCancelsItsOperation(BSTR bstrPageKID) {
  CMuteService mute;
  IWMDRMLicenseManagement *pManagement = NewManagement();
  IUnknown *pFirst = NULL, *pSecond = NULL;
  wm_client *pClient = TheClient();
  CHECK(wm_set_string_prop(pClient, WM_PROP_SERVICE_URL, mute.URL()) >= 0);
  CHECK_HR(pManagement->AcquireLicense(NULL, bstrPageKID, NULL, WMDRM_ACQUIRE_LICENSE_SILENT, &pFirst), S_OK);
  CHECK_HR(pManagement->AcquireLicense(NULL, bstrPageKID, NULL, WMDRM_ACQUIRE_LICENSE_SILENT, &pSecond), S_OK);
  CHECK(pFirst != pSecond);
  CHECK_HR(pManagement->CancelAsyncOperation(pFirst), S_OK);
  CHECK_HR(StatusOf(pManagement, MEWMDRMLicenseAcquisitionCompleted), NS_S_DRM_ACQUIRE_CANCELLED);
  CHECK_HR(pManagement->CancelAsyncOperation(pFirst), S_OK);
  CHECK_HR(pManagement->CancelAsyncOperation(pSecond), S_OK);
  CHECK_HR(StatusOf(pManagement, MEWMDRMLicenseAcquisitionCompleted), NS_S_DRM_ACQUIRE_CANCELLED);
  CHECK(wm_set_string_prop(pClient, WM_PROP_SERVICE_URL, std::getenv("WM_TEST_URL")) >= 0);
  wm_release(pClient);
  SAFE_RELEASE(pFirst);
  SAFE_RELEASE(pSecond);
  SAFE_RELEASE(pManagement);
}

// As the owner does: gives a license to a device that did not ask.
static std::string Give(const std::string &strKID, const std::string &strFile) {
  char szDevice[64] = "", szHex[64] = "";
  std::uint8_t id[16];
  wm_client *pClient = TheClient();
  CHECK(wm_get_prop(pClient, WM_PROP_DEVICE_ID, NULL, szDevice, sizeof szDevice, NULL) >= 0);
  CHECK(wm_kid_from_text(szDevice, WM_KID_BASE64, id) >= 0 && wm_kid_to_text(id, WM_KID_HEX, szHex, sizeof szHex, NULL) >= 0);
  wm_release(pClient);
  const std::string strLine = "'" + std::string(std::getenv("WM_TEST_SERVICE_PROGRAM")) + "' license give " + szHex + " " + strKID + " --out '" +
                              strFile + "' --data '" + std::getenv("WM_TEST_SERVICE_DATA") + "' >/dev/null";
  CHECK(std::system(strLine.c_str()) == 0);
  std::ifstream file(strFile, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

static std::string Base64(const std::string &strBytes) {
  static const char szDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string strText;
  for (std::size_t i = 0; i < strBytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; k++) group = group << 8 | (i + k < strBytes.size() ? (unsigned char)strBytes[i + k] : 0);
    for (std::size_t k = 0; k < 4; k++) strText += i + k <= strBytes.size() ? szDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return strText;
}

static void AnUnaskedLicenseIsStored(const std::string &strFolder) {
  IWMDRMLicenseManagement *pManagement = NewManagement();
  const std::string strGiven = Give("c0000000000000000000000000000003", strFolder + " given.wml");
  BSTR bstrText = SysAllocString(wmf::Wide(Base64(strGiven)).data());
  BSTR bstrBytes = SysAllocStringByteLen(strGiven.data(), (UINT)strGiven.size());
  BSTR bstrOther = SysAllocString(L"<LICENSERESPONSE/>");
  CHECK(FAILED(pManagement->StoreLicense(bstrOther)));
  CHECK_HR(pManagement->StoreLicense(NULL), E_INVALIDARG);
  CHECK_HR(pManagement->StoreLicense(bstrText), S_OK);
  CHECK_HR(pManagement->StoreLicense(bstrBytes), WM_S_LICENSE_KNOWN);
  // As literals are: what lies before them is no count.
  std::vector<WCHAR> literal(8, WCHAR(0x0FFFFFFF));
  for (const char *psz = "AAAA"; *psz != 0; psz++) literal.push_back((WCHAR)*psz);
  literal.push_back(0);
  const HRESULT hrLiteral = pManagement->StoreLicense(literal.data() + 8);
  BSTR bstrSame = SysAllocString(literal.data() + 8);
  CHECK(FAILED(hrLiteral) && hrLiteral == pManagement->StoreLicense(bstrSame));
  SysFreeString(bstrSame);
  SysFreeString(bstrText);
  SysFreeString(bstrBytes);
  SysFreeString(bstrOther);
  SAFE_RELEASE(pManagement);
}

static void APreDeliveryNamesNoContent(BSTR bstrHeader) {
  IWMDRMLicenseManagement *pManagement = NewManagement();
  VARTYPE vt = VT_BSTR;
  CHECK_HR(pManagement->AcquireLicense(NULL, bstrHeader, NULL, WMDRM_ACQUIRE_LICENSE_SILENT, NULL), S_OK);
  CHECK_HR(StatusOf(pManagement, MEWMDRMLicenseAcquisitionCompleted, &vt), NS_S_DRM_LICENSE_ACQUIRED);
  CHECK(vt == VT_EMPTY);
  CHECK_HR(pManagement->AcquireLicense(NULL, NULL, NULL, WMDRM_ACQUIRE_LICENSE_SILENT, NULL), S_OK);
  CHECK_HR(StatusOf(pManagement, MEWMDRMLicenseAcquisitionCompleted), NS_S_DRM_LICENSE_ACQUIRED);
  SAFE_RELEASE(pManagement);
}

// An operation ends though nobody holds its object any more, and what it raised is gone with it.
static void WhatRunsLivesWithoutReferences() {
  IWMDRMSecurity *pSecurity = NULL;
  const std::size_t cBefore = wm_live_objects();
  CHECK_HR(g_pProvider->CreateObject(IID_IWMDRMSecurity, (void **)&pSecurity), S_OK);
  CHECK_HR(pSecurity->PerformSecurityUpdate(7, NULL), E_INVALIDARG);
  CHECK_HR(pSecurity->PerformSecurityUpdate(WMDRM_SECURITY_PERFORM_INDIV, NULL), S_OK);
  for (HRESULT hr = S_OK; hr == S_OK;) {
    IMFMediaEvent *pEvent = NULL;
    MediaEventType met = MEUnknown;
    CHECK_HR(pSecurity->GetEvent(0, &pEvent), S_OK);
    CHECK(pEvent->GetType(&met) == S_OK && pEvent->GetStatus(&hr) == S_OK);
    SAFE_RELEASE(pEvent);
    if (met == MEWMDRMIndividualizationCompleted) CHECK_HR(hr, NS_S_DRM_INDIVIDUALIZED);
  }
  CHECK_HR(pSecurity->PerformSecurityUpdate(WMDRM_SECURITY_PERFORM_REVOCATION_REFRESH, NULL), S_OK);
  CHECK_HR(StatusOf(pSecurity, MEWMDRMRevocationDownloadCompleted), S_OK);
  CHECK_HR(pSecurity->PerformSecurityUpdate(WMDRM_SECURITY_PERFORM_FORCE_INDIV, NULL), S_OK);
  CHECK(wm_live_objects() > cBefore);
  SAFE_RELEASE(pSecurity);
  for (int i = 0; wm_live_objects() > cBefore; i++) {
    CHECK(i < 3000);
    Sleep(10);
  }
}

// Two hours from the first use on, rounded up; five uses and two dates beside them.
static void LimitsBesideTheFirstUseAreNotLost(BSTR bstrKID) {
  IWMDRMLicenseManagement *pManagement = NewManagement();
  IWMDRMLicenseQuery *pQuery = NULL;
  DRM_LICENSE_STATE_DATA state = {};
  BSTR bstrPlay = SysAllocString(L"Play");
  CHECK_HR(g_pProvider->CreateObject(IID_IWMDRMLicenseQuery, (void **)&pQuery), S_OK);
  CHECK_HR(pManagement->AcquireLicense(NULL, bstrKID, NULL, WMDRM_ACQUIRE_LICENSE_SILENT, NULL), S_OK);
  CHECK_HR(StatusOf(pManagement, MEWMDRMLicenseAcquisitionCompleted), NS_S_DRM_LICENSE_ACQUIRED);
  CHECK_HR(pQuery->QueryLicenseState(bstrKID, 1, &bstrPlay, &state), S_OK);
  CHECK(state.dwCategory == WM_DRM_LICENSE_STATE_EXPIRATION_AFTER_FIRSTUSE);
  CHECK(state.dwNumCounts == 2 && state.dwCount[0] == 2 && state.dwCount[1] == 5 && state.dwNumDates == 2);
  CHECK((state.dwVague & DRM_LICENSE_STATE_DATA_VAGUE) != 0);
  SysFreeString(bstrPlay);
  SAFE_RELEASE(pQuery);
  SAFE_RELEASE(pManagement);
}

// Backup is among no license's actions, but in its policy.
static void LicensesThatABackupTakesAreFound() {
  IWMDRMLicenseManagement *pManagement = NewManagement();
  for (const WCHAR *pwszRights : {L"Backup", L"<ACTION>Play</ACTION><ACTION>Backup</ACTION>", L"Backup;Burn"}) {
    IWMDRMLicense *pLicense = NULL;
    BSTR bstrRights = SysAllocString(pwszRights);
    WMDRM_LICENSE_FILTER filter = {};
    filter.bstrRights = bstrRights;
    CHECK_HR(pManagement->CreateLicenseEnumeration(&filter, &pLicense),
             Narrow(pwszRights) == "Backup;Burn" ? HRESULT_FROM_WIN32(ERROR_NO_MORE_ITEMS) : S_OK);
    SAFE_RELEASE(pLicense);
    SysFreeString(bstrRights);
  }
  SAFE_RELEASE(pManagement);
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 4) return 2;
  const std::string strHeader = "<WRMHEADER version=\"2.0.0.0\"><DATA><KID>" + Narrow(argv[1]) + "</KID></DATA></WRMHEADER>";
  BSTR bstrPageKID = SysAllocString(argv[2]), bstrLimitedKID = SysAllocString(argv[3]), bstrHeader = SysAllocString(wmf::Wide(strHeader).data());
  CHECK_HR(WMDRMStartup(), S_OK);
  CHECK_HR(WMDRMCreateProtectedProvider(&g_pProvider), S_OK);
  ArgumentsAreLookedAt();
  EventsOfTheApplicationComeBack();
  WhatRunsLivesWithoutReferences();
  AnUnaskedLicenseIsStored(Narrow(argv[0]));
  APreDeliveryNamesNoContent(bstrHeader);
  LimitsBesideTheFirstUseAreNotLost(bstrLimitedKID);
  LicensesThatABackupTakesAreFound();
  ACookieCancelsItsOperation(bstrPageKID);
  AShutdownEndsWaitingAndWhatRuns(bstrPageKID);
  SysFreeString(bstrPageKID);
  SysFreeString(bstrLimitedKID);
  SysFreeString(bstrHeader);
  SAFE_RELEASE(g_pProvider);
  CHECK_HR(WMDRMShutdown(), S_OK);
  return 0;
}
