// Opens protected files and gets licenses for them, as players of the time do: silently first, then with the page, then with the
// monitor. The user behind it accepts, declines, or closes the browser and accepts later.
//
// reader STORE silent|page|decline|later FILE
#include "port.h"

enum USER { USER_NONE, USER_ACCEPTS, USER_DECLINES, USER_LATER };

class CPlayer : public IWMReaderCallback {
 public:
  CPlayer(USER user) : m_cRef(1), m_user(user), m_pReader(NULL), m_pDRMReader(NULL), m_hr(S_OK), m_fMonitoring(FALSE) {}

  STDMETHODIMP QueryInterface(REFIID riid, void **ppv) override {
    if (riid == IID_IWMReaderCallback || riid == IID_IWMStatusCallback || riid == IID_IUnknown) {
      *ppv = static_cast<IWMReaderCallback *>(this);
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

  STDMETHODIMP OnSample(DWORD, QWORD, QWORD, DWORD, INSSBuffer *, void *) override { return S_OK; }
  STDMETHODIMP OnStatus(WMT_STATUS Status, HRESULT hr, WMT_ATTR_DATATYPE dwType, BYTE *pValue, void *pvContext) override;

  HRESULT Open(const WCHAR *pwszFile);
  HRESULT Play(const WCHAR *pwszFile);
  void Close();

 private:
  void OnNoRights(WM_GET_LICENSE_DATA *pLicense);
  void OnAcquired(HRESULT hr, WM_GET_LICENSE_DATA *pLicense);
  void ShowPage(const WCHAR *pwszURL);
  void Finish(HRESULT hr) {
    m_hr = hr;
    m_event.Set();
  }

  LONG m_cRef;
  USER m_user;
  IWMReader *m_pReader;
  IWMDRMReader *m_pDRMReader;
  std::atomic<HRESULT> m_hr;
  BOOL m_fMonitoring;
  std::string m_strPage;
  CEvent m_event;
};

STDMETHODIMP CPlayer::OnStatus(WMT_STATUS Status, HRESULT hr, WMT_ATTR_DATATYPE dwType, BYTE *pValue, void *pvContext) {
  if (pvContext != this) printf("a context of somebody else\n");
  switch (Status) {
    case WMT_LICENSEURL_SIGNATURE_STATE:
      if (*(DWORD *)pValue != WMT_DRMLA_TRUSTED) printf("the license URL is not trusted\n");
      break;

    case WMT_NEEDS_INDIVIDUALIZATION:
      printf("needs individualization\n");
      m_pDRMReader->Individualize(1);
      break;

    case WMT_INDIVIDUALIZE: {
      WM_INDIVIDUALIZE_STATUS *pIndi = (WM_INDIVIDUALIZE_STATUS *)pValue;
      if (pIndi->enIndiStatus == INDI_SUCCEED) printf("individualized\n");
      if (FAILED(hr)) Finish(hr);
      break;
    }

    case WMT_NO_RIGHTS_EX:
      if (dwType != WMT_TYPE_BINARY) printf("of another type\n");
      OnNoRights((WM_GET_LICENSE_DATA *)pValue);
      break;

    case WMT_ACQUIRE_LICENSE: OnAcquired(hr, (WM_GET_LICENSE_DATA *)pValue); break;

    case WMT_OPENED:
      printf("opened: 0x%08X\n", hr);
      Finish(hr);
      break;

    case WMT_CLOSED:
      printf("closed\n");
      m_event.Set();
      break;

    case WMT_ERROR: Finish(hr); break;
    default: break;
  }
  return S_OK;
}

void CPlayer::OnNoRights(WM_GET_LICENSE_DATA *pLicense) {
  printf("no rights: 0x%08X\n", pLicense->hr);
  if (pLicense->dwSize != sizeof(WM_GET_LICENSE_DATA) || pLicense->wszURL == NULL || pLicense->pbPostData == NULL) Finish(E_UNEXPECTED);
  HRESULT hr = m_pDRMReader->AcquireLicense(1);
  if (FAILED(hr)) Finish(hr);
}

// The decisions of the documentation: which results send to the page.
void CPlayer::OnAcquired(HRESULT hr, WM_GET_LICENSE_DATA *pLicense) {
  if (m_fMonitoring) {
    m_fMonitoring = FALSE;
    printf("monitored: 0x%08X\n", hr);
    // A license opens the file, and that ends the wait.
    if (hr != NS_S_DRM_LICENSE_ACQUIRED) Finish(hr);
    return;
  }
  if (hr == NS_E_DRM_LICENSE_NOTACQUIRED || hr == NS_E_DRM_LICENSE_STORE_ERROR || hr == NS_E_DRM_NO_RIGHTS) {
    printf("silently: 0x%08X\n", hr);
    hr = m_pDRMReader->AcquireLicense(0);
    if (FAILED(hr)) Finish(hr);
    return;
  }
  if (hr == S_OK) {
    ShowPage(pLicense->wszURL);
    return;
  }
  printf("acquired: 0x%08X\n", hr);
  if (FAILED(hr)) Finish(hr);
}

void CPlayer::ShowPage(const WCHAR *pwszURL) {
  m_strPage = Narrow(pwszURL);
  printf("page: %s\n", m_strPage.find("/interaction/") != std::string::npos ? "of the service" : m_strPage.c_str());
  if (m_user == USER_NONE) {
    Finish(S_FALSE);
    return;
  }
  m_fMonitoring = TRUE;
  HRESULT hr = m_pDRMReader->MonitorLicenseAcquisition();
  if (FAILED(hr)) {
    Finish(hr);
    return;
  }
  m_event.Set();
}

HRESULT CPlayer::Open(const WCHAR *pwszFile) {
  HRESULT hr = WMCreateReader(NULL, WMT_RIGHT_PLAYBACK, &m_pReader);
  if (SUCCEEDED(hr)) hr = m_pReader->QueryInterface(IID_IWMDRMReader, (void **)&m_pDRMReader);
  if (SUCCEEDED(hr)) hr = m_pReader->Open(pwszFile, this, this);
  if (FAILED(hr)) return hr;
  m_event.Wait();
  return m_hr;
}

HRESULT CPlayer::Play(const WCHAR *pwszFile) {
  HRESULT hr = Open(pwszFile);
  if (m_strPage.empty() || FAILED(hr)) return hr;
  if (m_user == USER_LATER) {
    // The user closes the browser; the player stops watching. Later the page is opened again from the history.
    m_pDRMReader->CancelMonitorLicenseAcquisition();
    m_event.Wait();
    PressOnPage(m_strPage, "accept");
    m_strPage.clear();
    hr = m_pDRMReader->AcquireLicense(1);
    if (FAILED(hr)) return hr;
  } else {
    PressOnPage(m_strPage, m_user == USER_ACCEPTS ? "accept" : "decline");
  }
  m_event.Wait();
  return m_hr;
}

void CPlayer::Close() {
  if (m_pReader != NULL && SUCCEEDED(m_pReader->Close())) m_event.Wait();
  SAFE_RELEASE(m_pDRMReader);
  SAFE_RELEASE(m_pReader);
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 3) return 2;
  const std::string strUser = Narrow(argv[1]);
  USER user = strUser == "page" ? USER_ACCEPTS : strUser == "decline" ? USER_DECLINES : strUser == "later" ? USER_LATER : USER_NONE;
  BOOL fProtected = FALSE;
  CoInitialize(NULL);
  HRESULT hr = WMIsContentProtected(argv[2], &fProtected);
  printf("protected: 0x%08X %d\n", hr, fProtected);
  CPlayer *pPlayer = new CPlayer(user);
  hr = pPlayer->Play(argv[2]);
  printf("ends: 0x%08X\n", hr);
  pPlayer->Close();
  SAFE_RELEASE(pPlayer);
  CoUninitialize();
  return 0;
}
