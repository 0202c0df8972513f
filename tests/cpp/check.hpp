// What the C++ tests share: checks that name the place, the running service, a client of it. No test lives here.
//
// A program is started with one argument, an empty folder of its own, and exits 0 when every check held.
#ifndef WM_TEST_CHECK_HPP
#define WM_TEST_CHECK_HPP

#include <wmlicense.hpp>

#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <mutex>

#define CHECK(held) check((held), #held, __FILE__, __LINE__)
/// The expression must throw a wm::error with this result, which is answered.
#define CHECK_THROWS(expression, wanted) \
  thrown_by([&] { (expression); }, (wanted), #expression, __FILE__, __LINE__)

inline void check(bool held, const char *text, const char *file, int line) {
  if (held) return;
  std::cerr << file << ':' << line << ": does not hold: " << text << std::endl;
  std::_Exit(1); // a failing check may run on a thread of the library
}

template <class Call>
wm::error thrown_by(Call call, wm_result wanted, const char *text, const char *file, int line) {
  try {
    call();
  } catch (const wm::error &failed) {
    if (failed.result() != wanted) std::cerr << failed.what() << '\n';
    check(failed.result() == wanted, text, file, line);
    return failed;
  }
  check(false, text, file, line);
  std::abort();
}

inline std::string setting(const char *name) {
  const char *const value = std::getenv(name);
  CHECK(value != nullptr);
  return value;
}

/// An open client of the service that the test runs against, with a store below the program's folder.
inline wm::client open_client(const std::string &folder, const std::string &name) {
  wm::client client;
  client.set(wm::prop::store_path, folder + "/" + name);
  client.set(wm::prop::authority, setting("WM_TEST_AUTHORITY"));
  client.set(wm::prop::service_url, setting("WM_TEST_URL"));
  client.set(wm::prop::account_token, setting("WM_TEST_TOKEN"));
  client.open();
  return client;
}

inline void individualize(const wm::client &client) {
  wm::individualizer individualizer(client);
  individualizer.set(wm::prop::user_consent, true);
  individualizer.individualize();
  CHECK(individualizer.wait() == WM_S_INDIVIDUALIZED);
}

/// The key ID of one of the ten titles of the service's catalogue.
inline wm::kid title(std::uint8_t number) {
  std::array<std::uint8_t, 16> bytes = {0xc0};
  bytes[15] = number;
  return wm::kid(bytes);
}

inline void acquire(const wm::client &client, const wm::kid &kid) {
  wm::license_request request(client);
  request.set(wm::prop::key_ids, {kid});
  request.acquire();
  CHECK(WM_LICENSE_STORED(request.wait()));
}

/// Something that happens once, on another thread.
class signal {
public:
  void raise() {
    const std::lock_guard<std::mutex> lock(mutex_);
    raised_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    CHECK(changed_.wait_for(lock, std::chrono::minutes(2), [this] { return raised_; }));
  }
  bool is_raised() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return raised_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool raised_ = false;
};

/// Tells when the last copy of a function object is gone.
class tell_tale {
public:
  explicit tell_tale(signal &gone) : gone_(std::shared_ptr<signal>(&gone, [](signal *which) { which->raise(); })) {}

private:
  std::shared_ptr<signal> gone_;
};

#endif
