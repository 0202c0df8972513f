// Backs licenses up and restores them, and tells by their titles which may not be backed up: those come from the application's own
// database, because statuses name key IDs.
//
// backup STORE backup|restore FOLDER DATABASE
#include "port.h"

#include <fstream>
#include <map>
#include <set>

static std::map<std::string, std::string> g_Titles;

// A line a title: the key ID as Rights Manager had it, a tabulator, the title.
static void ReadDatabase(const std::string &strFile) {
  std::ifstream file(strFile);
  for (std::string strLine; std::getline(file, strLine);) {
    const size_t cchKey = strLine.find('\t');
    if (cchKey != std::string::npos) g_Titles[strLine.substr(0, cchKey)] = strLine.substr(cchKey + 1);
  }
}

class CBackupCallback : public IWMStatusCallback {
 public:
  CBackupCallback() : m_cRef(1), m_hr(S_OK) {}

  // Real programs of the time knew their own interface and IUnknown, and some forgot the latter.
  STDMETHODIMP QueryInterface(REFIID riid, void **ppv) override {
    if (riid == IID_IWMStatusCallback) {
      *ppv = this;
      AddRef();
      return S_OK;
    }
    *ppv = NULL;
    return E_NOINTERFACE;
  }
  STDMETHODIMP_(ULONG) AddRef() override { return static_cast<ULONG>(InterlockedIncrement(&m_cRef)); }
  STDMETHODIMP_(ULONG) Release() override {
    LONG cRef = InterlockedDecrement(&m_cRef);
    if (cRef == 0) delete this;
    return static_cast<ULONG>(cRef);
  }

  STDMETHODIMP OnStatus(WMT_STATUS Status, HRESULT hr, WMT_ATTR_DATATYPE dwType, BYTE *pValue, void *) override {
    switch (Status) {
      case WMT_BACKUPRESTORE_CONNECTING: printf("connecting\n"); break;
      case WMT_BACKUPRESTORE_DISCONNECTING: printf("disconnecting\n"); break;
      case WMT_BACKUPRESTORE_BEGIN: printf("begin\n"); break;
      case WMT_RESTRICTED_LICENSE:
        if (dwType == WMT_TYPE_STRING) m_Restricted.insert(g_Titles[Narrow((WCHAR *)pValue)]);
        break;
      case WMT_ERROR_WITHURL: printf("see %s: 0x%08X\n", Narrow((WCHAR *)pValue).c_str(), hr); break;
      case WMT_INDIVIDUALIZE: m_fIndividualized = TRUE; break;
      case WMT_BACKUPRESTORE_END:
        m_hr = hr;
        m_event.Set();
        break;
      default: printf("status %d\n", Status); break;
    }
    return S_OK;
  }

  LONG m_cRef;
  HRESULT m_hr;
  BOOL m_fIndividualized = FALSE;
  std::set<std::string> m_Restricted;
  CEvent m_event;
};

static HRESULT Backup(const WCHAR *pwszFolder, DWORD dwFlags) {
  IWMLicenseBackup *pBackup = NULL;
  IWMBackupRestoreProps *pProps = NULL;
  CBackupCallback *pCallback = new CBackupCallback();

  HRESULT hr = WMCreateBackupRestorer(pCallback, &pBackup);
  if (SUCCEEDED(hr)) hr = pBackup->QueryInterface(IID_IWMBackupRestoreProps, (void **)&pProps);
  if (SUCCEEDED(hr))
    hr = pProps->SetProp(L"BackupPath", WMT_TYPE_STRING, (const BYTE *)pwszFolder,
                         static_cast<WORD>((wmf::length_of(pwszFolder) + 1) * sizeof(WCHAR)));
  if (SUCCEEDED(hr)) hr = pBackup->BackupLicenses(dwFlags, pCallback);
  if (SUCCEEDED(hr)) {
    pCallback->m_event.Wait();
    hr = pCallback->m_hr;
  }
  for (const std::string &strTitle : pCallback->m_Restricted) printf("not backed up: %s\n", strTitle.c_str());
  printf("backup: 0x%08X\n", hr);

  SAFE_RELEASE(pProps);
  SAFE_RELEASE(pBackup);
  SAFE_RELEASE(pCallback);
  return hr;
}

static HRESULT Restore(const WCHAR *pwszFolder) {
  IWMLicenseBackup *pBackup = NULL;
  IWMLicenseRestore *pRestore = NULL;
  IWMBackupRestoreProps *pProps = NULL;
  CBackupCallback *pCallback = new CBackupCallback();

  HRESULT hr = WMCreateBackupRestorer(pCallback, &pBackup);
  if (SUCCEEDED(hr)) hr = pBackup->QueryInterface(IID_IWMLicenseRestore, (void **)&pRestore);
  if (SUCCEEDED(hr)) hr = pRestore->QueryInterface(IID_IWMBackupRestoreProps, (void **)&pProps);
  if (SUCCEEDED(hr))
    hr = pProps->SetProp(L"RestorePath", WMT_TYPE_STRING, (const BYTE *)pwszFolder,
                         static_cast<WORD>((wmf::length_of(pwszFolder) + 1) * sizeof(WCHAR)));
  // The user agreed to individualization.
  if (SUCCEEDED(hr)) hr = pRestore->RestoreLicenses(WM_RESTORE_INDIVIDUALIZE, pCallback);
  if (SUCCEEDED(hr)) {
    pCallback->m_event.Wait();
    hr = pCallback->m_hr;
  }
  if (pCallback->m_fIndividualized) printf("individualized on the way\n");
  printf("restore: 0x%08X, %s\n", hr, SUCCEEDED(hr) ? "succeeded" : "failed");

  SAFE_RELEASE(pProps);
  SAFE_RELEASE(pRestore);
  SAFE_RELEASE(pBackup);
  SAFE_RELEASE(pCallback);
  return hr;
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 4) return 2;
  HRESULT hr = CoInitialize(NULL);
  ReadDatabase(Narrow(argv[3]));
  if (Narrow(argv[1]) == "restore") {
    hr = Restore(argv[2]);
  } else {
    hr = Backup(argv[2], 0);
    // There is one already: what the user answers to the question whether it may go.
    if (hr == NS_E_DRM_BACKUP_EXISTS) hr = Backup(argv[2], WM_BACKUP_OVERWRITE);
  }
  CoUninitialize();
  return SUCCEEDED(hr) ? 0 : 1;
}
