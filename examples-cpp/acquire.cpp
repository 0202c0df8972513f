/* acquire.cpp: individualizes this device if needed, then acquires licenses silently.
 *
 * Build:  c++ -std=c++17 -Iinclude examples-cpp/acquire.cpp -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense -o acquire
 * Run:    ./acquire STORE AUTHORITY SERVICE_URL TOKEN CONTENT...
 *
 * STORE is the folder of the license store, AUTHORITY the text that `wmlicensed init` printed, TOKEN an account's token or - for
 * none, CONTENT a protected media file or a key ID in any form. Prints:
 *   individualized: device DEVICE_ID
 *   license acquired: KEY_ID        (one line per key ID)
 */
#include <wmlicense.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace {

// Statuses come one at a time on a thread of the library; an exception here would cancel and come out of wait().
auto reporter(const char *what) {
  return [what](const wm::status &told) {
    if (told.number() != WM_STATUS_INDIVIDUALIZE || told.result() < 0)
      std::cerr << what << ": " << told.name() << ' ' << wm::result_name(told.result()) << '\n';
  };
}

std::vector<wm::kid> key_ids_of(const std::string &content) {
  // Neither throws: a file's name is no key ID, and that is no failure.
  if (auto one = wm::kid::try_parse(content)) return {*one};
  return wm::content_header(content).get(wm::prop::kids);
}

void individualize_device(const wm::client &client) {
  wm::individualizer individualizer(client, reporter("individualize"));
  // An application asks its user first: the privacy statement of the service says what is sent.
  individualizer.set(wm::prop::user_consent, true);
  individualizer.individualize();
  individualizer.wait();
  std::cout << "individualized: device " << client.get(wm::prop::device_id) << '\n';
}

bool acquire_licenses(const wm::client &client, const std::string &content) {
  const std::vector<wm::kid> key_ids = key_ids_of(content);
  wm::license_request request(client, reporter("acquire"));
  request.set(wm::prop::key_ids, key_ids);
  request.acquire();
  // Other successes exist, such as cancelled: only this one stored a license.
  if (!WM_LICENSE_STORED(request.wait())) return false;
  for (const wm::kid &kid : key_ids) std::cout << "license acquired: " << kid.to_string() << '\n';
  return true;
}

} // namespace

int main(int argc, char **argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() < 6) {
    std::cerr << "usage: " << words[0] << " STORE AUTHORITY SERVICE_URL TOKEN|- CONTENT...\n";
    return 2;
  }
  try {
    wm::client client;
    client.set(wm::prop::store_path, words[1]);
    client.set(wm::prop::authority, words[2]);
    client.set(wm::prop::service_url, words[3]);
    if (words[4] != "-") client.set(wm::prop::account_token, words[4]);
    client.open();
    individualize_device(client);
    for (std::size_t i = 5; i < words.size(); i++)
      if (!acquire_licenses(client, words[i])) return 1;
  } catch (const wm::error &failed) {
    std::cerr << failed.what() << '\n';
    if (failed.remedy() == WM_REMEDY_GO_ONLINE) std::cerr << "a network connection helps\n";
    return 1;
  }
  return 0;
}
