// What public wrappers of the old API assert of the reader's license half, and what a port relies on: the order of statuses, the
// results by which old code decides, cancels, and pointers that are never NULL.
//
// contract_reader STORE FILE PAGEFILE CLEARFILE
#include "contract.h"

static const WCHAR *g_pwszFile, *g_pwszPage, *g_pwszClear;

class CReader {
 public:
  CReader(DWORD dwRights, CRecorder *pCallback) : m_pCallback(pCallback) {
    CHECK_HR(WMCreateReader(NULL, dwRights, &m_pReader), S_OK);
    CHECK_HR(m_pReader->QueryInterface(&m_pDRM), S_OK);
  }
  ~CReader() {
    SAFE_RELEASE(m_pDRM);
    SAFE_RELEASE(m_pReader);
    m_pCallback->Clear();
  }
  void Open(const WCHAR *pwszFile) { CHECK_HR(m_pReader->Open(pwszFile, m_pCallback, this), S_OK); }
  // Waits until the open is over: by this status.
  void OpenAndAwait(const WCHAR *pwszFile, WMT_STATUS Status) {
    Open(pwszFile);
    m_pCallback->Await(Status);
  }
  void Close() {
    CHECK_HR(m_pReader->Close(), S_OK);
    m_pCallback->Await(WMT_CLOSED);
  }
  IWMDRMReader *operator->() { return m_pDRM; }
  IWMReader *m_pReader = NULL;

 private:
  IWMDRMReader *m_pDRM = NULL;
  CRecorder *m_pCallback;
};

static void ArgumentsAreLookedAt(CRecorder *pCallback) {
  IWMReader *pReader = NULL;
  BOOL fProtected = 7;
  DWORD dwNumber = 0;
  WORD cbValue = 0;
  WMT_ATTR_DATATYPE dwType;
  CHECK_HR(WMCreateReader(NULL, 0, NULL), E_INVALIDARG);
  CHECK_HR(WMIsContentProtected(NULL, &fProtected), E_INVALIDARG);
  CHECK_HR(WMIsContentProtected(g_pwszFile, NULL), E_INVALIDARG);
  CHECK_HR(WMIsContentProtected(L"no such file", &fProtected), NS_E_FILE_NOT_FOUND);
  CHECK_HR(WMIsContentProtected(g_pwszFile, &fProtected), S_OK);
  CHECK(fProtected == TRUE);
  CHECK_HR(WMIsContentProtected(g_pwszClear, &fProtected), S_FALSE);
  CHECK(fProtected == FALSE);
  CReader reader(WMT_RIGHT_PLAYBACK, pCallback);
  CHECK_HR(reader.m_pReader->Open(NULL, pCallback, NULL), E_INVALIDARG);
  CHECK_HR(reader.m_pReader->Open(g_pwszFile, NULL, NULL), E_INVALIDARG);
  CHECK_HR(reader.m_pReader->Close(), NS_E_INVALID_REQUEST);
  CHECK_HR(reader->AcquireLicense(1), NS_E_INVALID_REQUEST);
  CHECK_HR(reader->AcquireLicense(2), E_INVALIDARG);
  CHECK_HR(reader->MonitorLicenseAcquisition(), NS_E_INVALID_REQUEST);
  CHECK_HR(reader->Individualize(2), E_INVALIDARG);
  CHECK_HR(reader->CancelLicenseAcquisition(), S_OK);
  CHECK_HR(reader->CancelMonitorLicenseAcquisition(), S_OK);
  CHECK_HR(reader->CancelIndividualization(), S_OK);
  CHECK_HR(reader->GetDRMProperty(g_wszWMDRM_IsDRM, &dwType, NULL, &cbValue), NS_E_INVALID_REQUEST);
  CHECK_HR(reader->SetDRMProperty(g_wszWMDRM_Rights, WMT_TYPE_DWORD, (BYTE *)&dwNumber, sizeof dwNumber), E_INVALIDARG);
  CHECK_HR(reader->SetDRMProperty(g_wszWMDRM_LicenseID, WMT_TYPE_STRING, (const BYTE *)L"x", 2 * sizeof(WCHAR)), NS_E_DRM_UNSUPPORTED_PROPERTY);
  CHECK(reader.m_pReader->QueryInterface(&pReader) == S_OK && pReader == reader.m_pReader);
  SAFE_RELEASE(pReader);
}

static std::string TextOf(CReader &reader, const WCHAR *pwszName) {
  WMT_ATTR_DATATYPE dwType;
  WCHAR wszValue[128];
  WORD cbValue = sizeof(wszValue);
  CHECK_HR(reader->GetDRMProperty(pwszName, &dwType, (BYTE *)wszValue, &cbValue), S_OK);
  CHECK(dwType == WMT_TYPE_STRING);
  return Narrow(wszValue);
}

static void RightsAreThoseOfTheReaderUntilTheyAreSet(CRecorder *pCallback) {
  CReader reader(WMT_RIGHT_PLAYBACK | WMT_RIGHT_COPY_TO_CD | WMT_RIGHT_COLLABORATIVE_PLAY, pCallback);
  CHECK(TextOf(reader, g_wszWMDRM_Rights) == "Play;Print.redbook;CollaborativePlay");
  CHECK_HR(reader->SetDRMProperty(g_wszWMDRM_Rights, WMT_TYPE_STRING, (const BYTE *)L"Play", 5 * sizeof(WCHAR)), S_OK);
  CHECK(TextOf(reader, g_wszWMDRM_Rights) == "Play");
  CHECK(TextOf(reader, g_wszWMDRM_BaseLicenseAcqURL).empty());
}

static void WhatNeedsNoLicenseIsOpenedAtOnce(CRecorder *pCallback) {
  const std::vector<int> opened = {WMT_OPENED, WMT_CLOSED};
  for (const WCHAR *pwszFile : {g_pwszFile, g_pwszClear}) {
    CReader reader(pwszFile == g_pwszFile ? 0 : WMT_RIGHT_PLAYBACK, pCallback);
    reader.OpenAndAwait(pwszFile, WMT_OPENED);
    CHECK_HR(reader.m_pReader->Open(pwszFile, pCallback, NULL), NS_E_INVALID_REQUEST);
    reader.Close();
    CHECK(pCallback->Order() == opened);
    CHECK(pCallback->Seen()[0].pvContext == &reader);
  }
  CReader reader(WMT_RIGHT_PLAYBACK, pCallback);
  reader.Open(L"no such file");
  CHECK_HR(pCallback->Await(WMT_OPENED).hr, NS_E_FILE_NOT_FOUND);
  CHECK_HR(reader.m_pReader->Close(), NS_E_INVALID_REQUEST);
}

// The device is not individualized yet.
static void IndividualizationComesFirst(CRecorder *pCallback) {
  CReader reader(WMT_RIGHT_PLAYBACK, pCallback);
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status == WMT_LICENSEURL_SIGNATURE_STATE) CHECK_HR(reader->AcquireLicense(1), NS_E_DRM_BUSY);
  });
  // It is told once, where Individualize may be called.
  reader.OpenAndAwait(g_pwszFile, WMT_NEEDS_INDIVIDUALIZATION);
  pCallback->Then(NULL);
  CHECK_HR(reader->AcquireLicense(1), S_OK);
  CHECK_HR(pCallback->Await(WMT_ACQUIRE_LICENSE).hr, NS_E_DRM_NEEDS_INDIVIDUALIZATION);
  CHECK_HR(reader->Individualize(0), S_OK);
  STATUS last = pCallback->Await(WMT_INDIVIDUALIZE);
  while (last.hr == S_OK) last = pCallback->Await(WMT_INDIVIDUALIZE);
  CHECK(last.hr == NS_S_DRM_INDIVIDUALIZED && last.indi.enIndiStatus == INDI_SUCCEED && last.indi.pszIndiRespUrl != NULL);
  // The reader goes on by itself.
  CHECK_HR(pCallback->Await(WMT_NO_RIGHTS_EX).hr, S_OK);
  std::vector<int> others;
  for (int status : pCallback->Order())
    if (status != WMT_INDIVIDUALIZE) others.push_back(status);
  CHECK((others == std::vector<int>{WMT_LICENSEURL_SIGNATURE_STATE, WMT_NEEDS_INDIVIDUALIZATION, WMT_ACQUIRE_LICENSE,
                                    WMT_NO_RIGHTS_EX}));
  int cSucceeded = 0;
  for (const STATUS &seen : pCallback->Seen()) cSucceeded += seen.Status == WMT_INDIVIDUALIZE && seen.indi.enIndiStatus == INDI_SUCCEED;
  CHECK(cSucceeded == 1);
}

static void ASilentAcquisitionEndsWithTheFileOpen(CRecorder *pCallback) {
  CReader reader(WMT_RIGHT_PLAYBACK, pCallback);
  reader.OpenAndAwait(g_pwszFile, WMT_NO_RIGHTS_EX);
  CHECK_HR(reader->AcquireLicense(1), S_OK);
  CHECK_HR(pCallback->Await(WMT_ACQUIRE_LICENSE).hr, NS_S_DRM_LICENSE_ACQUIRED);
  CHECK_HR(pCallback->Await(WMT_OPENED).hr, S_OK);
  CHECK((pCallback->Order() == std::vector<int>{WMT_LICENSEURL_SIGNATURE_STATE, WMT_NO_RIGHTS_EX, WMT_ACQUIRE_LICENSE, WMT_OPENED}));
  for (const STATUS &seen : pCallback->Seen())
    if (seen.Status == WMT_NO_RIGHTS_EX || seen.Status == WMT_ACQUIRE_LICENSE)
      CHECK(seen.dwType == WMT_TYPE_BINARY && seen.strText == std::getenv("WM_TEST_URL"));
  // There is nothing to watch, and the license is there.
  CHECK_HR(reader->MonitorLicenseAcquisition(), S_OK);
  CHECK_HR(pCallback->Await(WMT_ACQUIRE_LICENSE).hr, NS_S_DRM_LICENSE_ACQUIRED);
}

// What sends old code to the page comes where there is one, and only there.
static void OnlyAPageIsARemedyOfThePage(CRecorder *pCallback) {
  CReader reader(WMT_RIGHT_PLAYBACK, pCallback);
  reader.OpenAndAwait(g_pwszPage, WMT_NO_RIGHTS_EX);
  CHECK_HR(reader->MonitorLicenseAcquisition(), S_OK);
  CHECK_HR(pCallback->Await(WMT_ACQUIRE_LICENSE).hr, NS_E_DRM_MONITOR_ERROR);
  CHECK_HR(reader->AcquireLicense(1), S_OK);
  STATUS seen = pCallback->Await(WMT_ACQUIRE_LICENSE);
  CHECK(seen.hr == NS_E_DRM_LICENSE_NOTACQUIRED && seen.strText.find("/interaction/") != std::string::npos);
  CHECK_HR(reader->AcquireLicense(0), S_OK);
  seen = pCallback->Await(WMT_ACQUIRE_LICENSE);
  CHECK(seen.hr == S_OK && seen.strText.find("/interaction/") != std::string::npos);
  PressOnPage(seen.strText, "decline");
  CHECK_HR(reader->MonitorLicenseAcquisition(), S_OK);
  CHECK_HR(reader->AcquireLicense(1), NS_E_DRM_ACQUIRING_LICENSE);
  CHECK_HR(reader->Individualize(1), NS_E_DRM_ACQUIRING_LICENSE);
  CHECK_HR(pCallback->Await(WMT_ACQUIRE_LICENSE).hr, NS_E_DRM_UNABLE_TO_ACQUIRE_LICENSE);
}

// The service does not answer; whoever cancels hears of it.
static void ACancelIsTold(CRecorder *pCallback) {
  CMuteService mute;
  wm_client *pClient = TheClient();
  CHECK(wm_set_string_prop(pClient, WM_PROP_SERVICE_URL, mute.URL()) >= 0);
  CReader reader(WMT_RIGHT_PLAYBACK, pCallback);
  reader.OpenAndAwait(g_pwszPage, WMT_NO_RIGHTS_EX);
  CHECK_HR(reader->AcquireLicense(1), S_OK);
  CHECK_HR(reader->CancelIndividualization(), S_OK);
  CHECK_HR(reader->CancelMonitorLicenseAcquisition(), S_OK);
  // Nothing of that was meant: a cancel would be over in a tenth of a second.
  Sleep(300);
  CHECK_HR(reader->AcquireLicense(1), NS_E_DRM_ACQUIRING_LICENSE);
  CHECK_HR(reader->CancelLicenseAcquisition(), S_OK);
  CHECK_HR(pCallback->Await(WMT_ACQUIRE_LICENSE).hr, NS_S_DRM_ACQUIRE_CANCELLED);
  // Close cancels too, and is told last.
  CHECK_HR(reader->AcquireLicense(1), S_OK);
  reader.Close();
  const std::vector<int> order = pCallback->Order();
  CHECK(order.size() == 5 && order[3] == WMT_ACQUIRE_LICENSE && order[4] == WMT_CLOSED);
  CHECK(wm_set_string_prop(pClient, WM_PROP_SERVICE_URL, std::getenv("WM_TEST_URL")) >= 0);
  wm_release(pClient);
}

// A device of its own, which no service knows.
static void ACancelledIndividualizationIsNoFailureOfTheService(CRecorder *pCallback, const char *pszFolder) {
  CMuteService mute;
  wm_client *pOld = TheClient(), *pNew = OpenStore((std::string(pszFolder) + " of another device").c_str());
  CHECK(wm_set_string_prop(pNew, WM_PROP_SERVICE_URL, mute.URL()) >= 0);
  CHECK_HR(WMFSetClient(pNew), S_OK);
  wm_release(pNew);
  {
    CReader reader(0, pCallback);
    reader.OpenAndAwait(g_pwszFile, WMT_OPENED);
    CHECK_HR(reader->Individualize(1), S_OK);
    CHECK_HR(reader->AcquireLicense(1), NS_E_DRM_INDIVIDUALIZING);
    CHECK_HR(reader->CancelIndividualization(), S_OK);
    STATUS last = pCallback->Await(WMT_INDIVIDUALIZE);
    while (last.hr == S_OK) last = pCallback->Await(WMT_INDIVIDUALIZE);
    CHECK(last.hr == NS_E_DRM_OPERATION_CANCELED && last.indi.enIndiStatus == INDI_CANCEL);
  }
  CHECK_HR(WMFSetClient(pOld), S_OK);
  wm_release(pOld);
}

// In the callback of Open, on a thread of the header, nothing waits either.
static void TheLastReleaseInAStatusOfOpenDoesNotWait() {
  CRecorder *pCallback = new CRecorder;
  CEvent returned, released;
  IWMReader *pReader = NULL;
  CHECK_HR(WMCreateReader(NULL, WMT_RIGHT_PLAYBACK, &pReader), S_OK);
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status != WMT_OPENED) return;
    returned.Wait();
    CHECK(pReader->Release() == 0);
    released.Set();
  });
  CHECK_HR(pReader->Open(g_pwszFile, pCallback, NULL), S_OK);
  returned.Set();
  released.Wait();
  // The status is still told; its callback is held meanwhile.
  SAFE_RELEASE(pCallback);
}

// An acquisition that is over waits to tell so while a callback of Open runs: whoever releases there must not wait for it.
static void TheLastReleaseBesideAStatusThatWaitsDoesNotWait() {
  CEvent returned, released;
  CRecorder *pCallback = new CRecorder;
  IWMReader *pReader = NULL;
  IWMDRMReader *pDRM = NULL;
  CHECK_HR(WMCreateReader(NULL, WMT_RIGHT_PLAYBACK, &pReader), S_OK);
  CHECK_HR(pReader->QueryInterface(&pDRM), S_OK);
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status != WMT_NO_RIGHTS_EX) return;
    returned.Wait();
    CHECK_HR(pDRM->AcquireLicense(1), S_OK);
    SAFE_RELEASE(pDRM);
    // Its operation holds the reader until then.
    while (pReader->AddRef(), pReader->Release() > 1) Sleep(1);
    CHECK(pReader->Release() == 0);
    released.Set();
  });
  CHECK_HR(pReader->Open(g_pwszPage, pCallback, NULL), S_OK);
  returned.Set();
  released.Wait();
  pCallback->Await(WMT_ACQUIRE_LICENSE);
  SAFE_RELEASE(pCallback);
}

// What a callback throws cancels at most what runs: statuses that follow still come, the one of Close included.
static void AnExceptionKeepsNoStatusBack(CRecorder *pCallback) {
  CEvent asked, acquired;
  CReader reader(WMT_RIGHT_PLAYBACK, pCallback);
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status == WMT_NO_RIGHTS_EX) asked.Set();
    if (seen.Status == WMT_ACQUIRE_LICENSE) acquired.Set();
    throw 7;
  });
  reader.Open(g_pwszPage);
  asked.Wait();
  CHECK_HR(reader->AcquireLicense(1), S_OK);
  acquired.Wait();
  pCallback->Then(NULL);
  reader.Close();
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 4) return 2;
  g_pwszFile = argv[1];
  g_pwszPage = argv[2];
  g_pwszClear = argv[3];
  CRecorder *pCallback = new CRecorder;
  ArgumentsAreLookedAt(pCallback);
  RightsAreThoseOfTheReaderUntilTheyAreSet(pCallback);
  WhatNeedsNoLicenseIsOpenedAtOnce(pCallback);
  IndividualizationComesFirst(pCallback);
  ASilentAcquisitionEndsWithTheFileOpen(pCallback);
  TheLastReleaseInAStatusOfOpenDoesNotWait();
  OnlyAPageIsARemedyOfThePage(pCallback);
  TheLastReleaseBesideAStatusThatWaitsDoesNotWait();
  AnExceptionKeepsNoStatusBack(pCallback);
  ACancelIsTold(pCallback);
  ACancelledIndividualizationIsNoFailureOfTheService(pCallback, Narrow(argv[0]).c_str());
  SAFE_RELEASE(pCallback);
  return 0;
}
