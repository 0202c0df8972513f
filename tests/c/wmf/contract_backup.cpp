// What public wrappers of the old API assert of backup and restore, and what a port relies on: statuses and their order, results,
// properties, and how long things live.
//
// contract_backup STORE FOLDER
#include "contract.h"

static const IID IID_Unknown = {0x11111111, 0x2222, 0x3333, {1, 2, 3, 4, 5, 6, 7, 8}};

class CBackup {
 public:
  explicit CBackup(CRecorder *pCallback) { CHECK_HR(WMCreateBackupRestorer(pCallback, &m_pBackup), S_OK); }
  ~CBackup() { SAFE_RELEASE(m_pBackup); }
  template <class Q>
  Q *As() {
    Q *p = NULL;
    CHECK_HR(m_pBackup->QueryInterface(&p), S_OK);
    p->Release();  // m_pBackup holds it
    return p;
  }
  void SetPath(const WCHAR *pwszName, const WCHAR *pwszPath) {
    CHECK_HR(As<IWMBackupRestoreProps>()->SetProp(pwszName, WMT_TYPE_STRING, (const BYTE *)pwszPath,
                                                 static_cast<WORD>((wmf::length_of(pwszPath) + 1) * sizeof(WCHAR))),
             S_OK);
  }
  IWMLicenseBackup *operator->() { return m_pBackup; }
  IWMLicenseBackup *Give() {
    IWMLicenseBackup *p = m_pBackup;
    m_pBackup = NULL;
    return p;
  }

 private:
  IWMLicenseBackup *m_pBackup = NULL;
};

static void ArgumentsAreLookedAt(CRecorder *pCallback) {
  IWMLicenseBackup *pBackup = NULL;
  CHECK_HR(WMCreateBackupRestorer(NULL, &pBackup), E_INVALIDARG);
  CHECK_HR(WMCreateBackupRestorer(pCallback, NULL), E_INVALIDARG);
  CBackup backup(pCallback);
  CHECK_HR(backup->BackupLicenses(0, NULL), E_INVALIDARG);
  CHECK_HR(backup.As<IWMLicenseRestore>()->RestoreLicenses(0, NULL), E_INVALIDARG);
  CHECK_HR(backup->BackupLicenses(4, pCallback), E_INVALIDARG);
  CHECK_HR(backup->BackupLicenses(0, pCallback), NS_E_DRM_INVALID_PROPERTY);
  CHECK_HR(backup.As<IWMLicenseRestore>()->RestoreLicenses(0, pCallback), NS_E_DRM_INVALID_PROPERTY);
  CHECK_HR(backup->CancelLicenseBackup(), S_OK);
  CHECK(pCallback->Seen().empty());
}

static void AllInterfacesAreOfOneObject(CRecorder *pCallback) {
  CBackup backup(pCallback);
  IUnknown *pOne = NULL, *pOther = NULL;
  void *pvNone = &pOne;
  CHECK_HR(backup->QueryInterface(IID_IUnknown, (void **)&pOne), S_OK);
  CHECK_HR(backup.As<IWMBackupRestoreProps>()->QueryInterface(__uuidof(IUnknown), (void **)&pOther), S_OK);
  CHECK(pOne == pOther);
  CHECK_HR(backup->QueryInterface(IID_Unknown, &pvNone), E_NOINTERFACE);
  CHECK(pvNone == NULL);
  CHECK_HR(backup->QueryInterface(IID_IUnknown, NULL), E_POINTER);
  SAFE_RELEASE(pOne);
  SAFE_RELEASE(pOther);
}

static void PropertiesCanBeReadBack(CRecorder *pCallback) {
  CBackup backup(pCallback);
  IWMBackupRestoreProps *pProps = backup.As<IWMBackupRestoreProps>();
  const WCHAR wszPath[] = L"/tmp/a folder \u00E4\u20AC";
  WCHAR wszName[16], wszValue[64];
  WORD cProps = 7, cchName = 16, cbValue = sizeof(wszValue);
  WMT_ATTR_DATATYPE dwType = WMT_TYPE_GUID;
  CHECK_HR(pProps->GetPropCount(&cProps), S_OK);
  CHECK(cProps == 0);
  CHECK_HR(pProps->GetPropByName(L"BackupPath", &dwType, NULL, &cbValue), NS_E_DRM_UNSUPPORTED_PROPERTY);
  CHECK_HR(pProps->RemoveProp(L"BackupPath"), NS_E_DRM_UNSUPPORTED_PROPERTY);
  const DWORD dwNumber = 1;
  CHECK_HR(pProps->SetProp(L"BackupPath", WMT_TYPE_DWORD, (const BYTE *)&dwNumber, sizeof dwNumber), E_INVALIDARG);
  CHECK_HR(pProps->SetProp(L"BackupPath", WMT_TYPE_STRING, NULL, 0), E_INVALIDARG);
  CHECK_HR(pProps->SetProp(L"Other", WMT_TYPE_STRING, (const BYTE *)wszPath, sizeof(wszPath)), NS_E_DRM_UNSUPPORTED_PROPERTY);
  backup.SetPath(L"RestorePath", wszPath);
  // Without the NUL it is the same.
  CHECK_HR(pProps->SetProp(L"RestorePath", WMT_TYPE_STRING, (const BYTE *)wszPath, sizeof(wszPath) - sizeof(WCHAR)), S_OK);
  CHECK_HR(pProps->GetPropCount(&cProps), S_OK);
  CHECK(cProps == 1);
  CHECK_HR(pProps->GetPropByIndex(0, NULL, &cchName, &dwType, NULL, &cbValue), S_OK);
  CHECK(cchName == 12 && cbValue == sizeof(wszPath) && dwType == WMT_TYPE_STRING);
  cchName = 11;
  CHECK_HR(pProps->GetPropByIndex(0, wszName, &cchName, &dwType, (BYTE *)wszValue, &cbValue), NS_E_DRM_BUFFER_TOO_SMALL);
  CHECK_HR(pProps->GetPropByIndex(0, wszName, &cchName, &dwType, (BYTE *)wszValue, &cbValue), S_OK);
  CHECK(Narrow(wszName) == "RestorePath" && Narrow(wszValue) == Narrow(wszPath));
  cbValue = sizeof(wszPath) - 1;
  CHECK_HR(pProps->GetPropByName(L"RestorePath", &dwType, (BYTE *)wszValue, &cbValue), NS_E_DRM_BUFFER_TOO_SMALL);
  CHECK(cbValue == sizeof(wszPath));
  CHECK_HR(pProps->GetPropByIndex(1, wszName, &cchName, &dwType, NULL, &cbValue), E_INVALIDARG);
  backup.SetPath(L"BackupPath", wszPath);
  CHECK_HR(pProps->RemoveProp(L"RestorePath"), S_OK);
  CHECK_HR(pProps->RemoveAllProps(), S_OK);
  CHECK_HR(pProps->GetPropCount(&cProps), S_OK);
  CHECK(cProps == 0);
}

// One license that may be backed up and one that may not are in the store.
static void StatusesComeInOrder(CRecorder *pCallback, const WCHAR *pwszFolder) {
  CBackup backup(pCallback);
  backup.SetPath(L"BackupPath", pwszFolder);
  CHECK_HR(backup->BackupLicenses(WM_BACKUP_OVERWRITE, pCallback), S_OK);
  CHECK_HR(pCallback->Await(WMT_BACKUPRESTORE_END).hr, S_OK);
  CHECK((pCallback->Order() == std::vector<int>{WMT_BACKUPRESTORE_BEGIN, WMT_RESTRICTED_LICENSE, WMT_BACKUPRESTORE_END}));
  int cOwn = 0;
  for (const STATUS &seen : pCallback->Seen()) {
    cOwn += seen.Status >= 0x1000;
    if (seen.Status == WMT_RESTRICTED_LICENSE) CHECK(seen.dwType == WMT_TYPE_STRING && seen.strText == "AAAAwQAAAAAAAAAAAAAAAQ==");
  }
#if defined(WMLICENSE_WMF_ALL_STATUSES)
  CHECK(cOwn > 0);
#else
  CHECK(cOwn == 0);
#endif
  pCallback->Clear();
}

static void OneBackupAtATimeAndTheNextInTheLastStatus(CRecorder *pCallback, const WCHAR *pwszFolder) {
  int cEnds = 0;
  CBackup backup(pCallback);
  backup.SetPath(L"BackupPath", pwszFolder);
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status == WMT_BACKUPRESTORE_BEGIN)
      CHECK_HR(backup->BackupLicenses(WM_BACKUP_OVERWRITE, pCallback), NS_E_DRM_BACKUPRESTORE_BUSY);
    if (seen.Status == WMT_BACKUPRESTORE_END && ++cEnds < 3) CHECK_HR(backup->BackupLicenses(WM_BACKUP_OVERWRITE, pCallback), S_OK);
  });
  CHECK_HR(backup->BackupLicenses(WM_BACKUP_OVERWRITE, pCallback), S_OK);
  for (int i = 0; i < 3; i++) CHECK_HR(pCallback->Await(WMT_BACKUPRESTORE_END).hr, S_OK);
  pCallback->Then(NULL);
  pCallback->Clear();
}

static void ACancelIsTheLastResult(CRecorder *pCallback, const WCHAR *pwszFolder) {
  CBackup backup(pCallback);
  backup.SetPath(L"BackupPath", pwszFolder);
  backup.SetPath(L"RestorePath", pwszFolder);
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status == WMT_BACKUPRESTORE_BEGIN) CHECK_HR(backup->CancelLicenseBackup(), S_OK);
  });
  CHECK_HR(backup->BackupLicenses(WM_BACKUP_OVERWRITE, pCallback), S_OK);
  CHECK_HR(pCallback->Await(WMT_BACKUPRESTORE_END).hr, NS_E_DRM_OPERATION_CANCELED);
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status == WMT_BACKUPRESTORE_BEGIN) throw 7;
  });
  CHECK_HR(backup->BackupLicenses(WM_BACKUP_OVERWRITE, pCallback), S_OK);
  CHECK_HR(pCallback->Await(WMT_BACKUPRESTORE_END).hr, NS_E_DRM_OPERATION_CANCELED);
  IWMLicenseRestore *pRestore = backup.As<IWMLicenseRestore>();
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status == WMT_BACKUPRESTORE_BEGIN) CHECK_HR(pRestore->CancelLicenseRestore(), S_OK);
  });
  CHECK_HR(pRestore->RestoreLicenses(0, pCallback), S_OK);
  CHECK_HR(pCallback->Await(WMT_BACKUPRESTORE_END).hr, NS_E_DRM_OPERATION_CANCELED);
  pCallback->Then(NULL);
  CHECK_HR(pRestore->CancelLicenseRestore(), S_OK);
  CHECK_HR(pRestore->RestoreLicenses(0, pCallback), S_OK);
  CHECK_HR(pCallback->Await(WMT_BACKUPRESTORE_END).hr, S_OK);
  pCallback->Clear();
}

static void WhatRunsLivesWithoutReferences(const WCHAR *pwszFolder) {
  CEvent event;
  HRESULT hr = E_FAIL;
  CRecorder *pCallback = new CRecorder;
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status != WMT_BACKUPRESTORE_END) return;
    hr = seen.hr;
    event.Set();
  });
  {
    CBackup backup(pCallback);
    backup.SetPath(L"BackupPath", pwszFolder);
    CHECK_HR(backup->BackupLicenses(WM_BACKUP_OVERWRITE, pCallback), S_OK);
    SAFE_RELEASE(pCallback);
  }
  event.Wait();
  CHECK_HR(hr, S_OK);
}

// A program may free what its callback uses after the last Release.
static void TheLastReleaseWaitsForTheLastStatus(CRecorder *pCallback, const WCHAR *pwszFolder) {
  CEvent entered;
  std::atomic<bool> fReleasing{false}, fLeft{false};
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status != WMT_BACKUPRESTORE_END) return;
    entered.Set();
    while (!fReleasing) std::this_thread::yield();
    // Time for a Release that does not wait to return.
    Sleep(50);
    fLeft = true;
  });
  CBackup backup(pCallback);
  backup.SetPath(L"BackupPath", pwszFolder);
  CHECK_HR(backup->BackupLicenses(WM_BACKUP_OVERWRITE, pCallback), S_OK);
  entered.Wait();
  IWMLicenseBackup *pLast = backup.Give();
  fReleasing = true;
  CHECK(pLast->Release() == 0);
  CHECK(fLeft);
  pCallback->Then(NULL);
  pCallback->Clear();
}

static void TheLastReleaseInTheLastStatusDoesNotWait(const WCHAR *pwszFolder) {
  CRecorder *pCallback = new CRecorder;
  CEvent started, released;
  CBackup backup(pCallback);
  backup.SetPath(L"BackupPath", pwszFolder);
  IWMLicenseBackup *pLast = backup.Give();
  pCallback->Then([&](const STATUS &seen) {
    if (seen.Status != WMT_BACKUPRESTORE_END) return;
    started.Wait();
    CHECK(pLast->Release() == 0);
    released.Set();
  });
  CHECK_HR(pLast->BackupLicenses(WM_BACKUP_OVERWRITE, pCallback), S_OK);
  started.Set();
  released.Wait();
  // The status is still told; its callback is held meanwhile.
  SAFE_RELEASE(pCallback);
}

static void NothingIsMadeWithoutAClient(CRecorder *pCallback) {
  IWMLicenseBackup *pBackup = NULL;
  IWMReader *pReader = NULL;
  IWMLicenseRevocationAgent *pAgent = NULL;
  IWMDRMProvider *pProvider = NULL;
  wm_client *pClient = TheClient();
  CHECK_HR(WMFSetClient(NULL), S_OK);
  CHECK_HR(WMCreateBackupRestorer(pCallback, &pBackup), NS_E_DRM_NOT_CONFIGURED);
  CHECK_HR(WMCreateReader(NULL, 0, &pReader), NS_E_DRM_NOT_CONFIGURED);
  CHECK_HR(WMCreateLicenseRevocationAgent(pCallback, &pAgent), NS_E_DRM_NOT_CONFIGURED);
  CHECK_HR(WMDRMCreateProvider(&pProvider), NS_E_DRM_NOT_CONFIGURED);
  CHECK_HR(WMFSetClient((wm_client *)(void *)&pBackup), WM_E_INVALID_HANDLE);
  CHECK_HR(WMFSetClient(pClient), S_OK);
  wm_release(pClient);
}

static void TextOfTheOldApiIsReadAndWritten() {
  SYSTEMTIME st;
  const FILETIME time = wmf::file_time(951782400);  // 2000-02-29
  CHECK(FileTimeToSystemTime(&time, &st) && st.wYear == 2000 && st.wMonth == 2 && st.wDay == 29 && st.wDayOfWeek == 2 && st.wHour == 0);
  const FILETIME epoch = wmf::file_time(0);
  CHECK(epoch.dwHighDateTime == 27111902u && epoch.dwLowDateTime == 3577643008u);
  BSTR bstr = SysAllocStringLen(L"a\0b", 3);
  CHECK(SysStringLen(bstr) == 3 && SysStringByteLen(bstr) == 3 * sizeof(WCHAR) && bstr[3] == 0);
  SysFreeString(bstr);
  CHECK(SysAllocString(NULL) == NULL && SysStringLen(NULL) == 0);
  const std::string strText = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8E\xB5";
  const wmf::Wide wide(strText);
  CHECK(Narrow(wide.data()) == strText && wide.length() == (sizeof(WCHAR) == 2 ? 5u : 4u));
  const WCHAR wszHalf[] = {static_cast<WCHAR>(0xD83C), 0};
  std::string strHalf;
  CHECK(!wmf::to_utf8(wszHalf, strHalf));
  const wmf::Wide broken(std::string("\xC3\xE2\x82"));
  CHECK(broken.data()[0] == 0xFFFD && broken.length() == 3);
  wmf::Kid kid;
  CHECK(wmf::read_guid_order(L"pKOiobKxwsHR0tPU1dbX2A==", kid) && kid.bytes[0] == 0xA1 && wmf::guid_order(kid) == "pKOiobKxwsHR0tPU1dbX2A==");
  CHECK(wmf::read_guid_order(L"!KOiobKxwsHR0tPU1dbX*A==", kid) && wmf::guid_order(kid) == "+KOiobKxwsHR0tPU1dbX/A==");
  CHECK(!wmf::read_guid_order(L"too short", kid) && HRESULT_FROM_WIN32(ERROR_NO_MORE_ITEMS) == WM_E_NO_MORE_ITEMS);
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 2) return 2;
  CRecorder *pCallback = new CRecorder;
  TextOfTheOldApiIsReadAndWritten();
  NothingIsMadeWithoutAClient(pCallback);
  ArgumentsAreLookedAt(pCallback);
  AllInterfacesAreOfOneObject(pCallback);
  PropertiesCanBeReadBack(pCallback);
  StatusesComeInOrder(pCallback, argv[1]);
  OneBackupAtATimeAndTheNextInTheLastStatus(pCallback, argv[1]);
  ACancelIsTheLastResult(pCallback, argv[1]);
  WhatRunsLivesWithoutReferences(argv[1]);
  TheLastReleaseWaitsForTheLastStatus(pCallback, argv[1]);
  TheLastReleaseInTheLastStatusDoesNotWait(argv[1]);
  SAFE_RELEASE(pCallback);
  return 0;
}
