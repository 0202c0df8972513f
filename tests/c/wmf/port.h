// What the programs in this folder need besides the header that replaces the SDK's: an event, what a shell would do with a page,
// and the start. It stands for the few lines that a port writes by itself; what is tested is in the programs.
#ifndef WM_TEST_WMF_PORT_H
#define WM_TEST_WMF_PORT_H

#include <wmlicense_wmf.h>

#include <arpa/inet.h>
#include <cstdio>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAFE_RELEASE(p) \
  do { \
    if ((p) != NULL) (p)->Release(); \
    (p) = NULL; \
  } while (0)

// In place of CreateEvent, SetEvent and WaitForSingleObject: one that resets itself.
class CEvent {
 public:
  void Set() {
    std::lock_guard<std::mutex> lock(m_mutex);
    m_fSet = true;
    m_changed.notify_all();
  }
  // A program that waits for ever would be a test that hangs.
  void Wait() {
    std::unique_lock<std::mutex> lock(m_mutex);
    if (!m_changed.wait_for(lock, std::chrono::seconds(120), [this] { return m_fSet; })) Fail("nobody set the event");
    m_fSet = false;
  }
  [[noreturn]] static void Fail(const char *pszWhat) {
    std::fprintf(stderr, "%s\n", pszWhat);
    std::fflush(NULL);
    std::_Exit(1);
  }

 private:
  std::mutex m_mutex;
  std::condition_variable m_changed;
  bool m_fSet = false;
};

// Wide text for a console that is not wide.
inline std::string Narrow(const WCHAR *pwsz) {
  std::string text;
  if (pwsz == NULL || !wmf::to_utf8(pwsz, text)) return "(none)";
  return text;
}

// --- the shell: what ShellExecute and the user did with a page -----------------------------------------------------------

inline std::string Exchange(const std::string &url, const std::string &strBody) {
  unsigned uPort = 0;
  int nPath = 0;
  if (std::sscanf(url.c_str(), "http://127.0.0.1:%u%n", &uPort, &nPath) != 1) CEvent::Fail(("no page here: " + url).c_str());
  const std::string strPath = url.substr(static_cast<std::size_t>(nPath));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(uPort));
  const int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) CEvent::Fail("nobody answers");
  const std::string strHead = std::string(strBody.empty() ? "GET " : "POST ") + strPath + " HTTP/1.1\r\nHost: 127.0.0.1:" +
                              std::to_string(uPort) + "\r\nConnection: close\r\nAuthorization: Bearer " +
                              std::getenv("WM_TEST_TOKEN") + "\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
                              "Content-Length: " + std::to_string(strBody.size()) + "\r\n\r\n" + strBody;
  if (send(connection, strHead.data(), strHead.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(strHead.size())) CEvent::Fail("not sent");
  std::string strReply;
  char buffer[4096];
  for (ssize_t got; (got = recv(connection, buffer, sizeof buffer, 0)) > 0;) strReply.append(buffer, static_cast<std::size_t>(got));
  close(connection);
  return strReply;
}

// The user reads the page and presses a button on it, "accept" or "decline"; the browser goes where that leads.
inline void PressOnPage(const std::string &url, const char *pszButton) {
  static const char szField[] = "name=\"session\" value=\"";
  const std::string strPage = Exchange(url, "");
  const std::size_t at = strPage.find(szField);
  if (at == std::string::npos) CEvent::Fail(("no form: " + strPage).c_str());
  const std::size_t from = at + sizeof szField - 1;
  const std::string strSession = strPage.substr(from, strPage.find('"', from) - from);
  const std::string strAnswer = Exchange(url, "session=" + strSession + "&action=" + pszButton);
  const std::size_t leads = strAnswer.find("\r\nlocation: ");
  if (leads == std::string::npos) return;
  const std::size_t to = leads + sizeof "\r\nlocation: " - 1;
  Exchange(strAnswer.substr(to, strAnswer.find("\r\n", to) - to), "");
}

// --- the start: the one call that is new, and arguments in wide characters -----------------------------------------------

int wmain(int argc, WCHAR *argv[]);

inline wm_client *OpenStore(const char *pszFolder) {
  wm_client *pClient = NULL;
  if (wm_create_client(&pClient) < 0 || wm_set_string_prop(pClient, WM_PROP_STORE_PATH, pszFolder) < 0 ||
      wm_set_string_prop(pClient, WM_PROP_AUTHORITY, std::getenv("WM_TEST_AUTHORITY")) < 0 ||
      wm_set_string_prop(pClient, WM_PROP_SERVICE_URL, std::getenv("WM_TEST_URL")) < 0 ||
      wm_set_string_prop(pClient, WM_PROP_ACCOUNT_TOKEN, std::getenv("WM_TEST_TOKEN")) < 0 || wm_open_client(pClient) < 0)
    CEvent::Fail("the store does not open");
  return pClient;
}

// program STORE ARGUMENTS…
int main(int argc, char *argv[]) {
  if (argc < 2) return 2;
  std::vector<wmf::Wide> arguments;
  std::vector<WCHAR *> pointers;
  for (int i = 1; i < argc; i++) arguments.emplace_back(std::string(argv[i]));
  for (wmf::Wide &argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(NULL);
  wm_client *pClient = OpenStore(argv[1]);
  if (WMFSetClient(pClient) != S_OK) return 2;
  wm_release(pClient);
  const int nResult = wmain(argc - 1, pointers.data());
  if (WMFSetClient(NULL) != S_OK) return 2;
  // Whatever a program forgot to release is seen here; what ends on another thread is waited for.
  for (int i = 0; wm_live_objects() != 0; i++) {
    if (i == 1000) CEvent::Fail("objects are left over");
    Sleep(10);
  }
  return nResult;
}

#endif
