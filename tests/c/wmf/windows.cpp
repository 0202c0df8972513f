// The header beside the headers of Windows: compiled, not run. Objects of this library have the interfaces that those declare.
#include <wmlicense_wmf.h>

class Callback final : public IWMReaderCallback {
 public:
  HRESULT STDMETHODCALLTYPE QueryInterface(REFIID, void **object) override {
    *object = nullptr;
    return E_NOINTERFACE;
  }
  ULONG STDMETHODCALLTYPE AddRef() override { return 1; }
  ULONG STDMETHODCALLTYPE Release() override { return 1; }
  HRESULT STDMETHODCALLTYPE OnStatus(WMT_STATUS, HRESULT, WMT_ATTR_DATATYPE, BYTE *, void *) override { return S_OK; }
  HRESULT STDMETHODCALLTYPE OnSample(DWORD, QWORD, QWORD, DWORD, INSSBuffer *, void *) override { return S_OK; }
};

HRESULT everything(wm_client *client, const WCHAR *file);

HRESULT everything(wm_client *client, const WCHAR *file) {
  Callback callback;
  IWMLicenseBackup *backup = nullptr;
  IWMLicenseRestore *restore = nullptr;
  IWMBackupRestoreProps *props = nullptr;
  IWMReader *reader = nullptr;
  IWMDRMReader *drm_reader = nullptr;
  IWMMetadataEditor *editor = nullptr;
  IWMDRMEditor *drm_editor = nullptr;
  IWMLicenseRevocationAgent *agent = nullptr;
  BOOL is_protected = FALSE;
  HRESULT hr = WMFSetClient(client);
  if (SUCCEEDED(hr)) hr = wmf::IsContentProtected(file, &is_protected);
  if (SUCCEEDED(hr)) hr = wmf::CreateBackupRestorer(&callback, &backup);
  if (SUCCEEDED(hr)) hr = backup->QueryInterface(__uuidof(IWMLicenseRestore), reinterpret_cast<void **>(&restore));
  if (SUCCEEDED(hr)) hr = backup->QueryInterface(__uuidof(IWMBackupRestoreProps), reinterpret_cast<void **>(&props));
  if (SUCCEEDED(hr)) hr = backup->BackupLicenses(WM_BACKUP_OVERWRITE, &callback);
  if (SUCCEEDED(hr)) hr = wmf::CreateReader(nullptr, WMT_RIGHT_PLAYBACK, &reader);
  if (SUCCEEDED(hr)) hr = reader->QueryInterface(__uuidof(IWMDRMReader), reinterpret_cast<void **>(&drm_reader));
  if (SUCCEEDED(hr)) hr = wmf::CreateEditor(&editor);
  if (SUCCEEDED(hr)) hr = editor->QueryInterface(__uuidof(IWMDRMEditor), reinterpret_cast<void **>(&drm_editor));
  if (SUCCEEDED(hr)) hr = wmf::CreateLicenseRevocationAgent(&callback, &agent);
  return hr;
}
