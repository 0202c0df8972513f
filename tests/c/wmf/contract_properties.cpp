// Properties of files and of licenses that no program beside this one reads: their types, and what has none of them.
//
// contract_properties STORE FILE UNKNOWNFILE CLEARFILE
#include "contract.h"

#include <fstream>

class CEditor {
 public:
  explicit CEditor(const WCHAR *pwszFile) {
    CHECK_HR(WMCreateEditor(&m_pEditor), S_OK);
    CHECK_HR(m_pEditor->Open(pwszFile), S_OK);
    CHECK_HR(m_pEditor->QueryInterface(&m_pDRM), S_OK);
  }
  ~CEditor() {
    SAFE_RELEASE(m_pDRM);
    CHECK_HR(m_pEditor->Close(), S_OK);
    SAFE_RELEASE(m_pEditor);
  }
  HRESULT Get(const WCHAR *pwszName, WMT_ATTR_DATATYPE *pType, void *pvValue, WORD *pcb) {
    return m_pDRM->GetDRMProperty(pwszName, pType, static_cast<BYTE *>(pvValue), pcb);
  }
  HRESULT Fails(const WCHAR *pwszName) {
    WMT_ATTR_DATATYPE Type = WMT_TYPE_GUID;
    WORD cb = 0;
    return Get(pwszName, &Type, NULL, &cb);
  }
  BOOL Bool(const WCHAR *pwszName) {
    WMT_ATTR_DATATYPE Type = WMT_TYPE_GUID;
    BOOL f = 7;
    WORD cb = sizeof f;
    CHECK_HR(Get(pwszName, &Type, &f, &cb), S_OK);
    CHECK(Type == WMT_TYPE_BOOL && cb == sizeof f);
    return f;
  }
  std::string Text(const WCHAR *pwszName) {
    WMT_ATTR_DATATYPE Type = WMT_TYPE_GUID;
    WCHAR wsz[256];
    WORD cb = sizeof(wsz);
    CHECK_HR(Get(pwszName, &Type, wsz, &cb), S_OK);
    CHECK(Type == WMT_TYPE_STRING && cb == (wmf::length_of(wsz) + 1) * sizeof(WCHAR));
    return Narrow(wsz);
  }

 private:
  IWMMetadataEditor *m_pEditor = NULL;
  IWMDRMEditor *m_pDRM = NULL;
};

static const char g_szKID[] = "AAAAwAAAAAAAAAAAAAAAAQ==";

// One whose license is in the store.
static void OfAFileThatMayBePlayed(const WCHAR *pwszFile) {
  CEditor editor(pwszFile);
  WMT_ATTR_DATATYPE Type;
  WORD cb = 0;
  BYTE bShort[1];
  CHECK(editor.Bool(g_wszWMDRM_IsDRM) == TRUE && editor.Bool(g_wszWMDRM_IsDRMCached) == FALSE);
  CHECK(editor.Text(L"DRMHeader.KIDs") == g_szKID && editor.Text(g_wszWMDRM_DRMHeader_KeyID) == g_szKID);
  CHECK(editor.Text(g_wszWMDRM_LicenseID).size() > 16);
  CHECK(editor.Bool(g_wszWMDRM_ActionAllowed_Playback) == TRUE && editor.Bool(g_wszWMDRM_ActionAllowed_Copy) == FALSE);
  for (const WCHAR *pwszName : {g_wszWMDRM_ActionAllowed, g_wszWMDRM_LicenseState, g_wszWMDRM_PRIORITY, L"DRMHeader.Nothing", L""})
    CHECK_HR(editor.Fails(pwszName), NS_E_DRM_UNSUPPORTED_PROPERTY);
  CHECK_HR(editor.Get(NULL, &Type, NULL, &cb), E_INVALIDARG);
  CHECK_HR(editor.Get(g_wszWMDRM_IsDRM, NULL, NULL, &cb), E_INVALIDARG);
  CHECK_HR(editor.Get(g_wszWMDRM_IsDRM, &Type, NULL, NULL), E_INVALIDARG);
  // Without a place the size is told, with one that is too small as well.
  CHECK_HR(editor.Get(g_wszWMDRM_LicenseState_Playback, &Type, NULL, &cb), S_OK);
  CHECK(Type == WMT_TYPE_BINARY && cb == sizeof(WM_LICENSE_STATE_DATA));
  cb = sizeof(bShort);
  CHECK_HR(editor.Get(g_wszWMDRM_LicenseState_Playback, &Type, bShort, &cb), NS_E_DRM_BUFFER_TOO_SMALL);
  CHECK(cb == sizeof(WM_LICENSE_STATE_DATA));
}

static void OfFilesThatHaveNoLicense(const WCHAR *pwszUnknown, const WCHAR *pwszClear) {
  CEditor unknown(pwszUnknown), clear(pwszClear);
  CHECK(unknown.Bool(g_wszWMDRM_IsDRM) == TRUE && unknown.Bool(g_wszWMDRM_ActionAllowed_Playback) == FALSE);
  CHECK_HR(unknown.Fails(g_wszWMDRM_LicenseID), NS_E_LICENSE_REQUIRED);
  CHECK(clear.Bool(g_wszWMDRM_IsDRM) == FALSE && clear.Bool(g_wszWMDRM_IsDRMCached) == FALSE);
  for (const WCHAR *pwszName : {g_wszWMDRM_LicenseID, g_wszWMDRM_DRMHeader_KeyID, g_wszWMDRM_ActionAllowed_Playback})
    CHECK_HR(clear.Fails(pwszName), NS_E_DRM_UNSUPPORTED_PROPERTY);
}

static HRESULT PropertyOf(IWMDRMLicense *pLicense, const WCHAR *pwszName, PROPVARIANT *pValue) {
  BSTR bstrName = SysAllocString(pwszName);
  HRESULT hr = pLicense->GetLicenseProperty(bstrName, pValue);
  SysFreeString(bstrName);
  return hr;
}

static void OfALicense() {
  IWMDRMProvider *pProvider = NULL;
  IWMDRMLicenseManagement *pManagement = NULL;
  IWMDRMLicense *pLicense = NULL;
  BSTR bstrKID = SysAllocString(L"AAAAwAAAAAAAAAAAAAAAAQ==");
  WMDRM_LICENSE_FILTER filter = {};
  filter.bstrKID = bstrKID;
  CHECK_HR(WMDRMCreateProvider(&pProvider), S_OK);
  CHECK_HR(pProvider->CreateObject(IID_IWMDRMLicenseManagement, (void **)&pManagement), S_OK);
  CHECK_HR(pManagement->CreateLicenseEnumeration(&filter, &pLicense), S_OK);
  PROPVARIANT value;
  PropVariantInit(&value);
  CHECK_HR(pLicense->GetLicenseProperty(NULL, &value), E_INVALIDARG);
  CHECK_HR(pLicense->GetLicenseProperty(bstrKID, NULL), E_INVALIDARG);
  CHECK_HR(PropertyOf(pLicense, L"KID", &value), S_OK);
  CHECK(value.vt == VT_BSTR && Narrow(value.bstrVal) == g_szKID);
  PropVariantClear(&value);
  CHECK_HR(PropertyOf(pLicense, g_wszWMDRM_ISSUEDATE, &value), S_OK);
  const FILETIME time = {static_cast<DWORD>(value.uhVal & 0xFFFFFFFF), static_cast<DWORD>(value.uhVal >> 32)};
  SYSTEMTIME date = {};
  CHECK(value.vt == VT_UI8 && FileTimeToSystemTime(&time, &date) == TRUE && date.wYear >= 2024 && date.wYear < 2200);
  CHECK_HR(PropertyOf(pLicense, wmf::Wide(std::string(WM_PROP_ISSUE_DATE)).data(), &value), S_OK);
  // The same in seconds since 1970.
  const FILETIME same = wmf::file_time(static_cast<std::int64_t>(value.uhVal));
  CHECK(value.vt == VT_UI8 && same.dwLowDateTime == time.dwLowDateTime && same.dwHighDateTime == time.dwHighDateTime);
  CHECK_HR(PropertyOf(pLicense, wmf::Wide(std::string(WM_PROP_BACKUP_ALLOWED)).data(), &value), S_OK);
  CHECK(value.vt == VT_UI4 && value.ulVal == 1);
  for (const WCHAR *pwszName : {g_wszWMDRM_UplinkID, g_wszWMDRM_PRIORITY, g_wszWMDRM_SOURCEID, L""})
    CHECK_HR(PropertyOf(pLicense, pwszName, &value), NS_E_DRM_UNSUPPORTED_PROPERTY);
  CHECK_HR(pLicense->GetNext(), HRESULT_FROM_WIN32(ERROR_NO_MORE_ITEMS));
  CHECK_HR(pLicense->ResetEnumeration(), S_OK);
  SysFreeString(bstrKID);
  SAFE_RELEASE(pLicense);
  SAFE_RELEASE(pManagement);
  SAFE_RELEASE(pProvider);
}

// Where the client has a service of its own, that is asked. A relative URL of a file is none.
static void TheBaseStandsForTheUrlOfAFileThatNamesNone(const WCHAR *pwszUnknown) {
  std::ofstream("no url.wmv") << "<WRMHEADER version=\"2.0.0.0\"><DATA><KID>AAAAzwAAAAAAAAAAAAAAAQ==</KID>"
                                 "<LAINFO>shop</LAINFO></DATA></WRMHEADER>";
  wm_client *pClient = TheClient();
  CHECK(wm_remove_prop(pClient, WM_PROP_SERVICE_URL) == 0);
  wm_release(pClient);
  CRecorder *pCallback = new CRecorder;
  IWMReader *pReader = NULL;
  IWMDRMReader *pDRM = NULL;
  const WCHAR wszBase[] = L"https://base.example/";
  WMT_ATTR_DATATYPE Type = WMT_TYPE_GUID;
  WCHAR wsz[64];
  WORD cb = sizeof(wsz);
  CHECK_HR(WMCreateReader(NULL, WMT_RIGHT_PLAYBACK, &pReader), S_OK);
  CHECK_HR(pReader->QueryInterface(&pDRM), S_OK);
  CHECK_HR(pDRM->SetDRMProperty(g_wszWMDRM_BaseLicenseAcqURL, WMT_TYPE_STRING, (const BYTE *)wszBase, sizeof(wszBase)), S_OK);
  CHECK_HR(pDRM->GetDRMProperty(g_wszWMDRM_BaseLicenseAcqURL, &Type, (BYTE *)wsz, &cb), S_OK);
  CHECK(Type == WMT_TYPE_STRING && Narrow(wsz) == Narrow(wszBase));
  for (const WCHAR *pwszFile : {L"no url.wmv", pwszUnknown}) {
    CHECK_HR(pReader->Open(pwszFile, pCallback, NULL), S_OK);
    const std::string strURL = pCallback->Await(WMT_NO_RIGHTS_EX).strText;
    CHECK(strURL == (pwszFile == pwszUnknown ? "https://la.example/old" : Narrow(wszBase)));
    CHECK_HR(pReader->Close(), S_OK);
    pCallback->Await(WMT_CLOSED);
  }
  SAFE_RELEASE(pDRM);
  SAFE_RELEASE(pReader);
  SAFE_RELEASE(pCallback);
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 4) return 2;
  OfAFileThatMayBePlayed(argv[1]);
  OfFilesThatHaveNoLicense(argv[2], argv[3]);
  OfALicense();
  TheBaseStandsForTheUrlOfAFileThatNamesNone(argv[2]);
  return 0;
}
