/* backup.cpp: backs up every license that may leave this device, and says which ones may not.
 *
 * Build:  c++ -std=c++17 -Iinclude examples-cpp/backup.cpp -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense -o backup
 * Run:    ./backup STORE AUTHORITY FOLDER [--overwrite]
 *
 * FOLDER must exist; the backup is one file in it. Needs no network. Prints:
 *   not in the backup: TITLE        (one line per restricted license)
 *   backed up: N licenses into FOLDER
 */
#include <wmlicense.hpp>

#include <atomic>
#include <iostream>
#include <string>
#include <vector>

namespace {

int back_up(const std::vector<std::string> &words) {
  // The store alone is enough: a backup never calls the service.
  wm::client client;
  client.set(wm::prop::store_path, words[1]);
  client.set(wm::prop::authority, words[2]);
  client.open();

  std::atomic<std::uint64_t> done{0};
  wm::backup_restorer restorer(client, [&](const wm::status &told) {
    if (const auto kid = told.key_id(); kid && told.number() == WM_STATUS_RESTRICTED_LICENSE) {
      // Any function may be called in a callback, so the title is looked up right here.
      const std::string title = client.content_title(*kid);
      std::cout << "not in the backup: " << (title.empty() ? "key ID " + kid->to_string() : title) << '\n';
    }
    if (const auto progress = told.as<wm_progress>(); progress && told.number() == WM_STATUS_PROGRESS)
      done = progress->done;
  });
  restorer.set(wm::prop::backup_path, words[3]);
  // An existing backup stops it here, before anything is written, unless it may be replaced.
  restorer.backup(words.size() == 5 ? WM_BACKUP_OVERWRITE : 0);
  // An application with a user interface would go on here and act on the final status instead.
  restorer.wait();
  std::cout << "backed up: " << done << " licenses into " << words[3] << '\n';
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() != 4 && !(words.size() == 5 && words[4] == "--overwrite")) {
    std::cerr << "usage: " << words[0] << " STORE AUTHORITY FOLDER [--overwrite]\n";
    return 2;
  }
  try {
    return back_up(words);
  } catch (const wm::error &failed) {
    std::cerr << failed.what() << '\n';
    return 1;
  }
}
