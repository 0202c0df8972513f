// Shows what a file says about its protection and what the licenses for it permit, by IWMDRMEditor, as content inspectors do.
//
// inspector STORE FILE
#include "port.h"

struct PROPERTY {
  const WCHAR *pwszName;
  const char *pszTitle;
};

static const PROPERTY g_Strings[] = {
    {g_wszWMDRM_DRMHeader_KeyID, "key ID"},
    {g_wszWMDRM_DRMHeader_LicenseAcqURL, "license URL"},
    {g_wszWMDRM_DRMHeader_ContentID, "content ID"},
    {g_wszWMDRM_DRMHeader_IndividualizedVersion, "security version"},
    {g_wszWMDRM_DRMHeader_ContentDistributor, "distributor"},
    {L"DRMHeader.Title", "title"},
};

static const PROPERTY g_Actions[] = {
    {g_wszWMDRM_ActionAllowed_Playback, "play"},
    {g_wszWMDRM_ActionAllowed_Copy, "copy"},
    {g_wszWMDRM_ActionAllowed_CopyToCD, "CD"},
    {g_wszWMDRM_ActionAllowed_CopyToSDMIDevice, "SDMI device"},
    {g_wszWMDRM_ActionAllowed_CopyToNonSDMIDevice, "other device"},
    {g_wszWMDRM_ActionAllowed_PlaylistBurn, "playlist"},
    {g_wszWMDRM_ActionAllowed_Backup, "backup"},
};

static const PROPERTY g_States[] = {
    {g_wszWMDRM_LicenseState_Playback, "play"},
    {g_wszWMDRM_LicenseState_Copy, "copy"},
    {g_wszWMDRM_LicenseState_CopyToCD, "CD"},
    {g_wszWMDRM_LicenseState_CreateThumbnailImage, "thumbnail"},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

// Asks for the size, then for the value.
static HRESULT ShowString(IWMDRMEditor *pEditor, const PROPERTY &property) {
  WMT_ATTR_DATATYPE dwType;
  WORD cbLength = 0;
  HRESULT hr = pEditor->GetDRMProperty(property.pwszName, &dwType, NULL, &cbLength);
  if (hr == NS_E_DRM_UNSUPPORTED_PROPERTY) {
    printf("%s: none\n", property.pszTitle);
    return S_OK;
  }
  if (FAILED(hr)) return hr;
  if (dwType != WMT_TYPE_STRING || cbLength % sizeof(WCHAR) != 0) return E_UNEXPECTED;
  WCHAR *pwszValue = new WCHAR[cbLength / sizeof(WCHAR)];
  WORD cbShort = static_cast<WORD>(cbLength - sizeof(WCHAR));
  if (pEditor->GetDRMProperty(property.pwszName, &dwType, (BYTE *)pwszValue, &cbShort) != NS_E_DRM_BUFFER_TOO_SMALL || cbShort != cbLength)
    hr = E_UNEXPECTED;
  if (SUCCEEDED(hr)) hr = pEditor->GetDRMProperty(property.pwszName, &dwType, (BYTE *)pwszValue, &cbLength);
  if (SUCCEEDED(hr)) printf("%s: %s\n", property.pszTitle, Narrow(pwszValue).c_str());
  delete[] pwszValue;
  return hr;
}

static HRESULT ShowAction(IWMDRMEditor *pEditor, const PROPERTY &property) {
  WMT_ATTR_DATATYPE dwType;
  BOOL fAllowed = 7;
  WORD cbLength = sizeof(fAllowed);
  HRESULT hr = pEditor->GetDRMProperty(property.pwszName, &dwType, (BYTE *)&fAllowed, &cbLength);
  if (FAILED(hr)) return hr;
  if (dwType != WMT_TYPE_BOOL || cbLength != sizeof(BOOL)) return E_UNEXPECTED;
  printf("%s allowed: %s\n", property.pszTitle, fAllowed ? "yes" : "no");
  return S_OK;
}

static void ShowDate(const char *pszWhat, const FILETIME &time) {
  SYSTEMTIME st;
  FileTimeToSystemTime(&time, &st);
  printf(" %s %04u-%02u-%02u %02u:%02u:%02u day %u", pszWhat, st.wYear, st.wMonth, st.wDay, st.wHour, st.wMinute, st.wSecond, st.wDayOfWeek);
}

static HRESULT ShowState(IWMDRMEditor *pEditor, const PROPERTY &property) {
  WM_LICENSE_STATE_DATA data;
  WMT_ATTR_DATATYPE dwType;
  WORD cbLength = sizeof(data);
  HRESULT hr = pEditor->GetDRMProperty(property.pwszName, &dwType, (BYTE *)&data, &cbLength);
  if (FAILED(hr)) return hr;
  if (dwType != WMT_TYPE_BINARY || data.dwSize != sizeof(data) || data.dwNumStates != 1) return E_UNEXPECTED;
  const DRM_LICENSE_STATE_DATA &state = data.stateData[0];
  printf("%s left: category %d", property.pszTitle, state.dwCategory);
  for (DWORD i = 0; i < state.dwNumCounts; i++) printf(" count %u", state.dwCount[i]);
  for (DWORD i = 0; i < state.dwNumDates; i++) ShowDate(i == 0 ? "from" : "until", state.datetime[i]);
  printf("%s%s\n", state.dwVague & DRM_LICENSE_STATE_DATA_VAGUE ? " vague" : "",
         state.dwVague & DRM_LICENSE_STATE_DATA_OPL_PRESENT ? " outputs" : "");
  return S_OK;
}

static HRESULT Inspect(IWMDRMEditor *pEditor) {
  HRESULT hr = S_OK;
  WMT_ATTR_DATATYPE dwType;
  BOOL fDRM = FALSE;
  WORD cbLength = sizeof(fDRM);
  hr = pEditor->GetDRMProperty(g_wszWMDRM_IsDRM, &dwType, (BYTE *)&fDRM, &cbLength);
  if (FAILED(hr)) return hr;
  printf("DRM: %s\n", fDRM ? "yes" : "no");
  if (!fDRM) return S_OK;
  for (size_t i = 0; SUCCEEDED(hr) && i < COUNT_OF(g_Strings); i++) hr = ShowString(pEditor, g_Strings[i]);
  for (size_t i = 0; SUCCEEDED(hr) && i < COUNT_OF(g_Actions); i++) hr = ShowAction(pEditor, g_Actions[i]);
  for (size_t i = 0; SUCCEEDED(hr) && i < COUNT_OF(g_States); i++) hr = ShowState(pEditor, g_States[i]);
  return hr;
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 2) return 2;
  IWMMetadataEditor *pEditor = NULL;
  IWMDRMEditor *pDRMEditor = NULL;
  CoInitialize(NULL);
  HRESULT hr = WMCreateEditor(&pEditor);
  if (SUCCEEDED(hr)) hr = pEditor->QueryInterface(&pDRMEditor);
  if (SUCCEEDED(hr)) hr = pEditor->Open(argv[1]);
  if (SUCCEEDED(hr)) hr = Inspect(pDRMEditor);
  if (FAILED(hr)) printf("failed: 0x%08X\n", hr);
  if (pEditor != NULL) pEditor->Close();
  SAFE_RELEASE(pDRMEditor);
  SAFE_RELEASE(pEditor);
  CoUninitialize();
  return SUCCEEDED(hr) ? 0 : 1;
}
