// Individualizes by the reader interface and shows how far it is, as a set-up program of the time does: ask the user, start, wait
// for the status that ends it.
//
// individualize STORE FILE
#include "port.h"

class CIndividualizer : public IWMReaderCallback {
 public:
  CIndividualizer() : m_cRef(1), m_hr(E_PENDING), m_cProgress(0), m_cBegin(0) {}

  STDMETHODIMP QueryInterface(REFIID riid, void **ppv) override {
    if (ppv == NULL) return E_POINTER;
    if (riid == IID_IWMReaderCallback) {
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

  STDMETHODIMP OnStatus(WMT_STATUS Status, HRESULT hr, WMT_ATTR_DATATYPE, BYTE *pValue, void *) override {
    if (Status != WMT_INDIVIDUALIZE) return S_OK;
    WM_INDIVIDUALIZE_STATUS *pIndi = (WM_INDIVIDUALIZE_STATUS *)pValue;
    switch (pIndi->enIndiStatus) {
      case INDI_BEGIN: m_cBegin++; break;
      case INDI_DOWNLOAD:
      case INDI_INSTALL: m_cProgress++; break;
      case INDI_SUCCEED:
      case INDI_FAIL:
      case INDI_CANCEL:
        m_hr = hr;
        m_event.Set();
        break;
      default: break;
    }
    return S_OK;
  }

  HRESULT Run(IWMDRMReader *pDRMReader) {
    HRESULT hr = pDRMReader->Individualize(1);
    if (FAILED(hr)) return hr;
    m_event.Wait();
    return m_hr;
  }

  LONG m_cRef;
  HRESULT m_hr;
  int m_cProgress;
  int m_cBegin;
  CEvent m_event;

 private:
  static constexpr HRESULT E_PENDING = static_cast<HRESULT>(0x8000000A);
};

// The file gives the reader its callback: without one there is nobody to tell.
static HRESULT Individualize(const WCHAR *pwszFile) {
  IWMReader *pReader = NULL;
  IWMDRMReader *pDRMReader = NULL;
  CIndividualizer *pCallback = new CIndividualizer();

  HRESULT hr = WMCreateReader(NULL, 0, &pReader);
  if (SUCCEEDED(hr)) hr = pReader->QueryInterface(IID_IWMDRMReader, (void **)&pDRMReader);
  if (SUCCEEDED(hr)) hr = pReader->Open(pwszFile, pCallback, NULL);
  // What the open itself takes is over quickly; an operation meanwhile is refused.
  for (int i = 0; SUCCEEDED(hr) && i < 500; i++) {
    hr = pCallback->Run(pDRMReader);
    if (hr != NS_E_DRM_BUSY) break;
    hr = S_OK;
    Sleep(10);
  }
  printf("individualized: 0x%08X, began %d times, progress %s\n", hr, pCallback->m_cBegin, pCallback->m_cProgress > 0 ? "seen" : "none");

  if (pReader != NULL) pReader->Close();
  SAFE_RELEASE(pDRMReader);
  SAFE_RELEASE(pReader);
  SAFE_RELEASE(pCallback);
  return hr;
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 2) return 2;
  CoInitialize(NULL);
  HRESULT hr = Individualize(argv[1]);
  // A device that is individualized needs no service for this.
  if (SUCCEEDED(hr)) hr = Individualize(argv[1]);
  CoUninitialize();
  return SUCCEEDED(hr) ? 0 : 1;
}
