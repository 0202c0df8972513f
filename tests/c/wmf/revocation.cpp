// Lets the issuer take licenses back: the agent makes the challenge, the application carries it and the answer, the agent removes
// the licenses and signs that it did, by IWMLicenseRevocationAgent and again by the extended API.
//
// revocation STORE agent|extended
#include "port.h"

class CNobody : public IUnknown {
 public:
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
  LONG m_cRef = 1;
};

// The application's own way to the license service.
static std::string Post(const BYTE *pb, DWORD cb) {
  const std::string strURL = std::getenv("WM_TEST_URL");
  unsigned uPort = 0;
  if (std::sscanf(strURL.c_str(), "http://127.0.0.1:%u", &uPort) != 1) CEvent::Fail("no service");
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(uPort));
  const int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection, (sockaddr *)&address, sizeof address) != 0) CEvent::Fail("nobody answers");
  std::string strRequest = "POST /v1/revocations HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                           "Content-Type: application/cose\r\nContent-Length: " + std::to_string(cb) + "\r\n\r\n";
  strRequest.append((const char *)pb, cb);
  if (send(connection, strRequest.data(), strRequest.size(), MSG_NOSIGNAL) < 0) CEvent::Fail("not sent");
  std::string strReply;
  char buffer[4096];
  for (ssize_t got; (got = recv(connection, buffer, sizeof buffer, 0)) > 0;) strReply.append(buffer, (size_t)got);
  close(connection);
  const size_t at = strReply.find("\r\n\r\n");
  if (at == std::string::npos) CEvent::Fail("no answer");
  printf("service: %s\n", strReply.substr(9, 3).c_str());
  return strReply.substr(at + 4);
}

static HRESULT ByAgent() {
  IWMLicenseRevocationAgent *pAgent = NULL;
  CNobody *pNobody = new CNobody();
  BYTE rgbMachine[] = "a machine ID of the application", rgbData[] = "UID";
  BYTE rgbAck[4096];
  DWORD cbChallenge = 0, cbAck = sizeof(rgbAck);

  HRESULT hr = WMCreateLicenseRevocationAgent(pNobody, &pAgent);
  SAFE_RELEASE(pNobody);
  if (SUCCEEDED(hr)) hr = pAgent->GetLRBChallenge(rgbMachine, sizeof(rgbMachine), rgbData, sizeof(rgbData), NULL, &cbChallenge);
  if (SUCCEEDED(hr)) {
    std::vector<BYTE> challenge(cbChallenge);
    DWORD cbShort = cbChallenge - 1;
    if (pAgent->GetLRBChallenge(rgbMachine, sizeof(rgbMachine), rgbData, sizeof(rgbData), challenge.data(), &cbShort) !=
            NS_E_DRM_BUFFER_TOO_SMALL || cbShort != cbChallenge)
      hr = E_UNEXPECTED;
    if (SUCCEEDED(hr))
      hr = pAgent->GetLRBChallenge(rgbMachine, sizeof(rgbMachine), rgbData, sizeof(rgbData), challenge.data(), &cbChallenge);
    if (SUCCEEDED(hr)) {
      std::string strLRB = Post(challenge.data(), cbChallenge);
      hr = pAgent->ProcessLRB((BYTE *)strLRB.data(), (DWORD)strLRB.size(), rgbAck, &cbAck);
    }
  }
  if (SUCCEEDED(hr)) Post(rgbAck, cbAck);
  SAFE_RELEASE(pAgent);
  return hr;
}

static HRESULT ByExtendedAPI() {
  IWMDRMProvider *pProvider = NULL;
  IWMDRMLicenseManagement *pManagement = NULL;
  BYTE *pbChallenge = NULL, *pbAck = NULL;
  DWORD cbChallenge = 0, cbAck = 0;

  HRESULT hr = WMDRMCreateProvider(&pProvider);
  if (SUCCEEDED(hr)) hr = pProvider->CreateObject(IID_IWMDRMLicenseManagement, (void **)&pManagement);
  if (SUCCEEDED(hr)) hr = pManagement->CreateLicenseRevocationChallenge(NULL, 0, NULL, 0, &pbChallenge, &cbChallenge);
  if (SUCCEEDED(hr)) {
    std::string strLRB = Post(pbChallenge, cbChallenge);
    hr = pManagement->ProcessLicenseRevocationResponse((BYTE *)strLRB.data(), (DWORD)strLRB.size(), &pbAck, &cbAck);
  }
  if (SUCCEEDED(hr)) Post(pbAck, cbAck);
  CoTaskMemFree(pbChallenge);
  CoTaskMemFree(pbAck);
  SAFE_RELEASE(pManagement);
  SAFE_RELEASE(pProvider);
  return hr;
}

int wmain(int argc, WCHAR *argv[]) {
  if (argc != 2) return 2;
  HRESULT hr = WMDRMStartup();
  if (SUCCEEDED(hr)) hr = Narrow(argv[1]) == "agent" ? ByAgent() : ByExtendedAPI();
  printf("revocation: 0x%08X\n", hr);
  WMDRMShutdown();
  return SUCCEEDED(hr) ? 0 : 1;
}
