/* restore.cpp: restores a backup, on the device that made it without any network, on another one through the service.
 *
 * Build:  c++ -std=c++17 -Iinclude examples-cpp/restore.cpp -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense -o restore
 * Run:    ./restore STORE AUTHORITY FOLDER [SERVICE_URL TOKEN]
 *
 * Without SERVICE_URL nothing is sent: that restores on the same device only. TOKEN is an account's token or - for none. Prints:
 *   refused: KEY_ID: REASON         (one line per license that is left out)
 *   closed: BYTES bytes: REASON     (one line per reason for which parts of the backup stay closed)
 *   more about it: URL              (a page that helps with what was refused)
 *   restored in part | restored: the store holds N licenses   (in part: the exit code is 3)
 *
 * Written without exceptions: every step answers a wm::outcome.
 */
#include <wmlicense.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr int exit_partial = 3;

void report(const wm::status &told) {
  if (told.number() == WM_STATUS_LICENSE_REFUSED)
    std::cout << "refused: " << told.text() << ": " << wm::result_message(told.result()) << '\n';
  if (told.number() == WM_STATUS_ERROR_WITHURL) std::cout << "more about it: " << told.text() << '\n';
  if (told.number() == WM_STATUS_SECTION_CLOSED) // another account's part, for example: what it holds is not known
    if (const auto closed = told.as<wm_section_closed>())
      std::cout << "closed: " << closed->bytes << " bytes: " << wm::result_message(told.result()) << '\n';
}

template <class T> int fail(const char *what, const wm::outcome<T> &failed) {
  const wm_error_info info = failed.info();
  std::cerr << what << ": " << wm::result_name(info.result) << ": " << info.message << '\n';
  return 1;
}

wm::outcome<> set_up(wm::client &client, const std::vector<std::string> &words) {
  auto done = client.try_set(wm::prop::store_path, words[1]);
  if (done) done = client.try_set(wm::prop::authority, words[2]);
  if (done && words.size() == 4) done = client.try_set(wm::prop::offline_only, true);
  if (done && words.size() == 6) done = client.try_set(wm::prop::service_url, words[4]);
  if (done && words.size() == 6 && words[5] != "-") done = client.try_set(wm::prop::account_token, words[5]);
  return done ? client.try_open() : done;
}

int count(const wm::client &client) {
  int found = 0;
  if (auto licenses = wm::license_enumerator::try_create(client))
    while (licenses->try_next().value_or(false)) found++;
  return found;
}

} // namespace

int main(int argc, char **argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() != 4 && words.size() != 6) {
    std::cerr << "usage: " << words[0] << " STORE AUTHORITY FOLDER [SERVICE_URL TOKEN|-]\n";
    return 2;
  }
  auto client = wm::client::try_create();
  if (!client) return fail("client", client);
  if (auto done = set_up(*client, words); !done) return fail("open", done);

  auto restorer = wm::backup_restorer::try_create(*client, [](const wm::status &told) {
    report(told);
    return wm::flow::go_on;
  });
  if (!restorer) return fail("restorer", restorer);
  auto done = restorer->try_set(wm::prop::restore_path, words[3]);
  // The flag lets a device without an identity get one first; an application asks its user before it is set.
  if (done) done = restorer->try_restore(words.size() == 6 ? WM_RESTORE_INDIVIDUALIZE : 0);
  if (!done) return fail("restore", done);
  const auto ended = restorer->try_wait();
  if (!ended) return fail("restore", ended);
  const bool in_part = ended.result() == WM_S_RESTORE_PARTIAL;
  std::cout << (in_part ? "restored in part" : "restored") << ": the store holds " << count(*client) << " licenses\n";
  return in_part ? exit_partial : 0;
}
