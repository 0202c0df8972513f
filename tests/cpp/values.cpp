// Values that go to the library and come back, failures as exceptions and as outcomes, licenses and events as ranges.
#include "check.hpp"

#include <cstdio>
#include <fstream>
#include <set>
#include <unordered_set>

namespace {

void key_ids_have_their_forms() {
  const wm::kid kid = wm::kid::parse("{A1A2A3A4-B1B2-C1C2-D1D2-D3D4D5D6D7D8}");
  CHECK(kid.to_string() == "a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8");
  CHECK(kid.to_string(WM_KID_HEX) == "a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8");
  CHECK(wm::kid::parse(kid.to_string(WM_KID_BASE64)) == kid);
  CHECK(wm::kid(kid.bytes()) == kid && wm::kid() != kid && wm::kid() < kid);
  CHECK(wm::kid::try_parse("film.mp4").result() == WM_E_BAD_VALUE);
  CHECK_THROWS(kid.to_string(77), WM_E_INVALIDARG);
  const std::unordered_set<wm::kid> some{kid, wm::kid(), kid};
  CHECK(some.size() == 2 && some.count(kid) == 1);
}

void properties_come_back_as_they_were_set(const wm::client &client) {
  using namespace std::chrono_literals;
  wm::license_request request(client);
  CHECK(!request.find(wm::prop::key_ids));
  const auto absent = CHECK_THROWS(request.get(wm::prop::key_ids), WM_E_UNSUPPORTED_PROPERTY);
  CHECK(absent.category() == WM_CATEGORY_CALL && !absent.retryable() && absent.retry_after() == 0ms);
  CHECK(std::string(absent.what()).find("WM_E_UNSUPPORTED_PROPERTY: ") == 0);
  const std::vector<wm::kid> kids{title(1), title(2), wm::kid()};
  request.set(wm::prop::key_ids, kids);
  CHECK(request.get(wm::prop::key_ids) == kids);
  request.set(wm::prop::deadline_ms, 1min);
  CHECK(request.get(wm::prop::deadline_ms) == 60000ms);
  CHECK_THROWS(request.set(wm::prop::deadline_ms, -1ms), WM_E_BAD_VALUE);
  CHECK_THROWS(request.set(wm::prop::deadline_ms, std::chrono::hours(24 * 365)), WM_E_BAD_VALUE);
  request.set(wm::prop::retry_limit, 7);
  request.set(wm::prop::loopback_redirect, true);
  CHECK(request.get(wm::prop::retry_limit) == 7 && request.get(wm::prop::loopback_redirect));
  const std::string bytes("own\0bytes", 9);
  request.set(wm::prop::custom_data, bytes);
  CHECK(request.get(wm::prop::custom_data) == std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
  request.set(wm::prop::custom_data, wm::bytes_view());
  CHECK(request.get(wm::prop::custom_data).empty());
  // A text that is longer than the first buffer, with letters of every length, and one with a NUL inside.
  std::string scope;
  for (int i = 0; i < 100; i++) scope += "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8E\xAC";
  request.set(wm::prop::scope, scope);
  CHECK(request.get(wm::prop::scope) == scope);
  CHECK_THROWS(request.set(wm::prop::scope, std::string("a\0b", 3)), WM_E_BAD_VALUE);
  const std::vector<std::string> names = request.property_names();
  CHECK(std::set<std::string>(names.begin(), names.end()).count(WM_PROP_SCOPE) == 1);
  CHECK(request.get_text(WM_PROP_SCOPE) == scope);
  CHECK(request.try_get_text(WM_PROP_RETRY_LIMIT).result() == WM_E_WRONG_TYPE);
  request.remove(wm::prop::scope);
  CHECK(!request.find(wm::prop::scope));
  request.remove_all();
  CHECK(!request.find(wm::prop::key_ids));
  wm::license_enumerator licenses(client);
  const wm::time_point when(1700000000s);
  licenses.set(wm::prop::filter_expiring_before, when);
  CHECK(licenses.get(wm::prop::filter_expiring_before) == when);
}

void one_that_was_moved_from_answers_as_null(const wm::client &client) {
  wm::license_request request(client);
  const wm::license_request other = std::move(request);
  CHECK(other && !request);
  CHECK(request.try_acquire().result() == WM_E_INVALIDARG);
  CHECK_THROWS(request.cancel(), WM_E_INVALIDARG);
  CHECK_THROWS(request.duplicate(), WM_E_INVALIDARG);
}

void failures_are_exceptions_or_outcomes(const std::string &folder) {
  wm::client client;
  CHECK_THROWS(client.open(), WM_E_INVALID_PROPERTY);
  CHECK_THROWS(wm::license_request(client).acquire(), WM_E_NOT_OPEN);
  auto header = wm::content_header::try_read(folder + "/there is none.mp4");
  CHECK(!header && header.info().result == WM_E_PATH_NOT_FOUND && header.info().message[0] != '\0');
  CHECK_THROWS(header.value(), WM_E_PATH_NOT_FOUND);
  CHECK_THROWS(wm::content_header(wm::bytes_view("garbage", 7)), WM_E_MALFORMED_CONTENT_HEADER);
  const auto missing = CHECK_THROWS(wm::decryptor(open_client(folder, "empty"), title(1)), WM_E_LICENSE_REQUIRED);
  CHECK(missing.remedy() == WM_REMEDY_REACQUIRE);
  CHECK(wm::outcome<int>(3).value_or(4) == 3 && wm::outcome<int>::failure(WM_E_BUSY).value_or(4) == 4);
}

void licenses_are_a_range(wm::client &client) {
  client.set_content_title(title(2), "Zwei \xE2\x82\xAC");
  CHECK(client.content_title(title(2)) == "Zwei \xE2\x82\xAC" && client.content_title(wm::kid()).empty());
  wm::license_enumerator licenses(client);
  std::vector<wm::kid> found;
  for (const wm::license_enumerator &license : licenses) {
    found.push_back(license.get(wm::prop::kid));
    CHECK(license.get(wm::prop::issue_date) < std::chrono::system_clock::now() + std::chrono::hours(24));
    CHECK(!license.find(wm::prop::not_after) && license.get(wm::prop::backup_allowed));
  }
  CHECK((found == std::vector<wm::kid>{title(1), title(2)}));
  CHECK(client.query_action_allowed(title(1)) == 0);
  CHECK(client.query_license_state(title(1)).category == WM_LICENSE_STATE_UNLIM);
  CHECK(client.delete_licenses(title(2), WM_DELETE_LOCAL) && !client.delete_licenses(title(2), WM_DELETE_LOCAL));
  CHECK(client.security_version() != "0.0.0.0" && client.get(wm::prop::individualized));
}

void samples_are_decrypted_in_place_and_into_a_buffer(const wm::client &client) {
  const wm::decryptor decryptor(client, title(1));
  const std::vector<std::uint8_t> vector(8, 7);
  const std::vector<wm_subsample> ranges{{16, 48}};
  const std::array<std::uint8_t, 64> encrypted = {1, 2, 3};
  std::array<std::uint8_t, 64> in_place = encrypted;
  std::vector<std::uint8_t> beside(64);
  wm::sample sample(vector);
  sample.ranges(ranges);
  decryptor.decrypt_sample(sample, in_place);
  decryptor.decrypt_sample(sample, encrypted, beside.data());
  CHECK(std::equal(in_place.begin(), in_place.end(), beside.begin()));
  CHECK(std::equal(in_place.begin(), in_place.begin() + 16, encrypted.begin()) && in_place != encrypted);
  decryptor.decrypt_sample(sample, in_place); // AES-CTR is its own inverse
  CHECK(in_place == encrypted);
  CHECK(decryptor.try_decrypt_sample(wm::sample(vector, WM_SCHEME_CBCS), in_place).result() == WM_E_INVALID_DATA);
  CHECK_THROWS(decryptor.decrypt_sample(wm::sample(vector, 1), in_place), WM_E_UNSUPPORTED_ALGORITHM);
}

void events_are_a_range(const std::string &folder) {
  wm::client client = open_client(folder, "store");
  wm::event_queue queue(client);
  CHECK(queue.fd() >= 0 && !queue.next(std::chrono::milliseconds(0)));
  CHECK_THROWS(wm::event_queue(client), WM_E_ALREADY_OPEN);
  wm::license_request request(client);
  request.set(wm::prop::key_ids, {title(3)});
  request.acquire();
  bool ended = false;
  for (const wm::event &told : queue.events(std::chrono::minutes(2))) {
    CHECK(told.is_of(request) && !told.is_of(queue) && std::string(told.name()).find("WM_STATUS_") == 0);
    if (told.number() == WM_STATUS_NETWORK) CHECK(told.as<wm_network_progress>()->attempt == 1);
    if (told.number() != WM_STATUS_ACQUIRE_LICENSE) continue;
    CHECK(told.result() == WM_S_LICENSE_ACQUIRED && told.text().empty() && !told.as<wm_progress>());
    ended = true;
    break;
  }
  CHECK(ended && request.wait() == WM_S_LICENSE_ACQUIRED);
  for (const wm::event &told : queue.pending()) CHECK(told.result() == WM_S_OK);
}

void the_application_carries_what_it_likes(const wm::client &client) {
  wm::license_request request(client);
  request.set(wm::prop::key_ids, {title(4)});
  const std::vector<std::uint8_t> challenge = request.challenge();
  CHECK(!challenge.empty() && challenge == request.challenge() && request.license_url().find("http://") == 0);
  CHECK_THROWS(request.process_response(challenge), WM_E_INVALID_LICENSE_ACQUIRED);
  request.abandon();
  CHECK_THROWS(request.abandon(), WM_E_NO_TRANSACTION);
  wm::revocation_agent agent(client);
  CHECK(!agent.lrb_challenge().empty());
  CHECK_THROWS(agent.lrb_challenge(std::string(2000, 'x')), WM_E_REVOCATION_TOO_LONG);
  CHECK_THROWS(agent.process_lrb(challenge), WM_E_INVALID_CRL);
  agent.refresh();
  CHECK(agent.wait() == WM_S_OK);
}

void everything_else_is_reached(wm::client &client, const std::string &folder) {
  wm::license_request request(client);
  request.set(wm::prop::expiring_within, 3);
  request.renew();
  CHECK(request.wait() == WM_S_NOTHING_TO_RENEW);
  request.remove_all();
  request.set(wm::prop::key_ids, {title(5)});
  request.monitor();
  CHECK_THROWS(request.wait(), WM_E_NO_TRANSACTION);
  wm::backup_restorer restorer(client);
  restorer.set(wm::prop::backup_path, folder);
  restorer.set(wm::prop::restore_path, folder);
  restorer.backup();
  CHECK(restorer.wait() == WM_S_OK);
  restorer.verify();
  CHECK(restorer.wait() == WM_S_OK);
  restorer.preview();
  CHECK(restorer.wait() == WM_S_OK);
  restorer.restore();
  CHECK(restorer.wait() == WM_S_OK);
  CHECK_THROWS(restorer.backup(), WM_E_BACKUP_EXISTS);
  wm::store_keeper keeper(client);
  keeper.clean(WM_CLEAN_SYNC);
  keeper.clean();
  CHECK(keeper.wait() == WM_S_OK);
  keeper.cancel();
  const std::string film = setting("WM_TEST_MEDIA") + "/packager-cenc-video.mp4";
  CHECK(wm::is_content_protected(film) && !wm::is_content_protected(setting("WM_TEST_MEDIA") + "/src.mp4"));
  const wm::content_header header(film);
  CHECK(header.get(wm::prop::scheme) == "cenc" && header.get(wm::prop::kids).size() == 2);
  CHECK(client.ensure_license(header) == WM_S_LICENSE_ACQUIRED);
  CHECK(client.ensure_license(header, WM_ACTION_PLAY, 0, std::chrono::seconds(30)) == WM_S_OK);
  const auto refused = CHECK_THROWS(client.ensure_license(header, WM_ACTION_COPY), WM_E_LICENSE_INCORRECT_RIGHTS);
  CHECK(wm::kid_of(refused.info()).has_value());
}

} // namespace

int main(int argc, char **argv) {
  CHECK(argc == 2);
  const std::string folder = argv[1];
  CHECK(wm::abi_fits() && wm::version() == WM_VERSION && std::string(wm::version_string()) == "0.1.0");
  key_ids_have_their_forms();
  {
    wm::client client = open_client(folder, "store");
    individualize(client);
    acquire(client, title(1));
    acquire(client, title(2));
    properties_come_back_as_they_were_set(client);
    one_that_was_moved_from_answers_as_null(client);
    licenses_are_a_range(client);
    samples_are_decrypted_in_place_and_into_a_buffer(client);
    the_application_carries_what_it_likes(client);
    everything_else_is_reached(client, folder);
  }
  failures_are_exceptions_or_outcomes(folder);
  events_are_a_range(folder);
  CHECK(wm::live_objects() == 0);
  return 0;
}
