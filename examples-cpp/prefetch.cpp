/* prefetch.cpp: acquires many licenses at the same time, and decrypts with one of them on several threads.
 *
 * Build:  c++ -std=c++17 -Iinclude examples-cpp/prefetch.cpp -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense -lpthread -o prefetch
 * Run:    ./prefetch STORE AUTHORITY SERVICE_URL TOKEN KEY_ID...
 *
 * Each key ID has a request of its own; their callbacks come on different threads. Prints, in any order:
 *   license acquired: KEY_ID
 *   decrypted: N samples on N threads
 */
#include <wmlicense.hpp>

#include <condition_variable>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

// What the callbacks of all requests share.
class board {
public:
  explicit board(std::size_t waiting) : waiting_(waiting) {}
  void on_final(const wm::kid &kid, wm_result result) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (WM_LICENSE_STORED(result)) std::cout << "license acquired: " << kid.to_string() << '\n';
    failed_ = failed_ || !WM_LICENSE_STORED(result);
    waiting_--;
    changed_.notify_all();
  }
  // Whether all are stored, once the last one ended.
  bool wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ == 0; });
    return !failed_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t waiting_;
  bool failed_ = false;
};

bool acquire_all(const wm::client &client, const std::vector<wm::kid> &key_ids) {
  board results(key_ids.size());
  std::vector<wm::license_request> requests;
  for (const wm::kid &kid : key_ids) {
    requests.emplace_back(client, [&results, kid](const wm::status &told) {
      if (told.number() == WM_STATUS_ACQUIRE_LICENSE) results.on_final(kid, told.result());
    });
    requests.back().set(wm::prop::key_ids, {kid});
    requests.back().acquire();
  }
  return results.wait();
}

// One decryptor counts as one use, however many threads share it.
void decrypt_on_threads(const wm::client &client, const wm::kid &kid) {
  const wm::decryptor decryptor(client, kid);
  std::vector<std::thread> threads;
  for (std::uint8_t number = 1; number <= 4; number++)
    threads.emplace_back([&decryptor, number] {
      const std::vector<std::uint8_t> encrypted(4096, number);
      std::vector<std::uint8_t> clear(encrypted.size());
      const std::vector<std::uint8_t> vector(8, number);
      decryptor.decrypt_sample(wm::sample(vector), encrypted, clear.data());
    });
  for (std::thread &thread : threads) thread.join();
  std::cout << "decrypted: " << threads.size() << " samples on " << threads.size() << " threads\n";
}

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
    wm::individualizer individualizer(client);
    individualizer.set(wm::prop::user_consent, true); // an application asks its user first
    individualizer.individualize();
    individualizer.wait();
    if (!acquire_all(client, key_ids)) return 1;
    decrypt_on_threads(client, key_ids.front());
  } catch (const wm::error &failed) {
    std::cerr << failed.what() << '\n';
    return 1;
  }
  return 0;
}
