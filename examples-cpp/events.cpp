/* events.cpp: the same statuses without callbacks: the event queue in a poll loop, on one thread.
 *
 * Build:  c++ -std=c++17 -Iinclude examples-cpp/events.cpp -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense -o events
 * Run:    ./events STORE AUTHORITY SERVICE_URL TOKEN KEY_ID...
 *
 * Individualizes the device, then acquires the licenses, and prints each event:
 *   individualizer | request: STATUS RESULT
 */
#include <wmlicense.hpp>

#include <iostream>
#include <poll.h>
#include <string>
#include <vector>

namespace {

// What the loop drives: one step follows the other as its final status arrives.
class journey {
public:
  journey(const wm::client &client, std::vector<wm::kid> key_ids)
      : queue_(client), individualizer_(client), request_(client), key_ids_(std::move(key_ids)) {}

  // How it ended.
  wm_result run() {
    individualizer_.set(wm::prop::user_consent, true);
    request_.set(wm::prop::key_ids, key_ids_);
    individualizer_.individualize();
    pollfd watched = {};
    watched.fd = queue_.fd();
    watched.events = POLLIN;
    // A real loop watches its window and its sockets beside this descriptor.
    while (!over_ && poll(&watched, 1, -1) > 0)
      for (const wm::event &told : queue_.pending()) on_event(told);
    return result_;
  }

private:
  void on_event(const wm::event &told) {
    const bool of_request = told.is_of(request_);
    if (told.number() != WM_STATUS_NETWORK)
      std::cout << (of_request ? "request: " : "individualizer: ") << told.name() << ' '
                << wm::result_name(told.result()) << '\n';
    if (of_request && told.number() == WM_STATUS_ACQUIRE_LICENSE) end(told.result());
    if (of_request || told.number() != WM_STATUS_INDIVIDUALIZE) return;
    const auto progress = told.as<wm_individualize_progress>();
    if (!progress) return;
    // The object is idle when its final status comes: the next verb may follow right here.
    if (progress->phase == WM_INDIVIDUALIZE_SUCCEED) request_.acquire();
    if (told.result() < 0) end(told.result());
  }
  void end(wm_result result) {
    result_ = result;
    over_ = true;
  }

  // The queue is made before the objects whose events it gets.
  wm::event_queue queue_;
  wm::individualizer individualizer_;
  wm::license_request request_;
  std::vector<wm::kid> key_ids_;
  wm_result result_ = WM_S_OK;
  bool over_ = false;
};

} // namespace

int main(int argc, char **argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() < 6) {
    std::cerr << "usage: " << words[0] << " STORE AUTHORITY SERVICE_URL TOKEN|- KEY_ID...\n";
    return 2;
  }
  try {
    std::vector<wm::kid> key_ids;
    for (std::size_t i = 5; i < words.size(); i++) key_ids.push_back(wm::kid::parse(words[i]));
    wm::client client;
    client.set(wm::prop::store_path, words[1]);
    client.set(wm::prop::authority, words[2]);
    client.set(wm::prop::service_url, words[3]);
    if (words[4] != "-") client.set(wm::prop::account_token, words[4]);
    client.open();
    return WM_LICENSE_STORED(journey(client, std::move(key_ids)).run()) ? 0 : 1;
  } catch (const wm::error &failed) {
    std::cerr << failed.what() << '\n';
    return 1;
  }
}
