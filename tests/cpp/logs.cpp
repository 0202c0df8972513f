// The application's log: how long its function object lives, and who may replace it when. Under sanitizers and ThreadSanitizer.
#include "check.hpp"

#include <atomic>
#include <thread>

namespace {

void records_go_to_the_log_until_it_is_removed(const std::string &folder) {
  signal gone;
  std::atomic<int> records{0};
  wm::client client;
  client.set(wm::prop::store_path, folder + "/log");
  client.set(wm::prop::authority, setting("WM_TEST_AUTHORITY"));
  client.set_log_callback(
      [&, tale = tell_tale(gone)](std::uint32_t level, const char *target, const char *message) {
        CHECK(level >= WM_LOG_ERROR && level <= WM_LOG_DEBUG && message[0] != '\0');
        CHECK(std::string(target).find("wmlicense::") == 0);
        records++;
      },
      WM_LOG_DEBUG);
  client.open();
  wm::store_keeper keeper(client);
  keeper.check();
  CHECK(keeper.wait() == WM_S_OK);
  CHECK(records > 0);
  client.remove_log_callback();
  CHECK(gone.is_raised());
}

void threads_that_replace_the_log_leave_one_of_theirs(const std::string &folder) {
  std::atomic<int> records{0};
  const wm::log_callback callback = [&](std::uint32_t, const char *, const char *) { records++; };
  wm::client client = open_client(folder, "replaced log");
  wm::store_keeper keeper(client);
  for (int round = 0; round < 100; round++) {
    std::atomic<int> ready{0};
    const auto replace = [&] {
      for (ready++; ready < 2;) std::this_thread::yield();
      client.set_log_callback(callback, WM_LOG_DEBUG);
    };
    std::thread other(replace);
    replace();
    other.join();
    const int before = records;
    keeper.clean(WM_CLEAN_SYNC);
    CHECK(records > before);
  }
  signal gone;
  client.set_log_callback([tale = tell_tale(gone)](std::uint32_t, const char *, const char *) {}, WM_LOG_DEBUG);
  CHECK_THROWS(client.set_log_callback(callback, 99), WM_E_INVALIDARG);
  CHECK(!gone.is_raised());
  client.remove_log_callback();
  CHECK(gone.is_raised());
}

void a_log_may_be_replaced_by_itself_while_another_thread_does_so(const std::string &folder) {
  signal inside, begun, returned;
  wm::client client = open_client(folder, "log of itself");
  client.set_log_callback(
      [&](std::uint32_t, const char *, const char *) {
        if (inside.is_raised()) return;
        inside.raise();
        begun.wait();
        client.set_log_callback([](std::uint32_t, const char *, const char *) {}, WM_LOG_DEBUG);
        returned.raise();
      },
      WM_LOG_DEBUG);
  wm::store_keeper keeper(client);
  keeper.check();
  inside.wait();
  begun.raise();
  client.remove_log_callback(); // waits for the record that is told
  CHECK(returned.is_raised());
  CHECK(keeper.wait() == WM_S_OK);
}

} // namespace

int main(int argc, char **argv) {
  CHECK(argc == 2);
  records_go_to_the_log_until_it_is_removed(argv[1]);
  threads_that_replace_the_log_leave_one_of_theirs(argv[1]);
  a_log_may_be_replaced_by_itself_while_another_thread_does_so(argv[1]);
  return 0;
}
