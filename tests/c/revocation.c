/* Licenses that their owner took back: removed by a refresh or by a blob that is carried by hand, never to come back from the
 * service or a backup, and nothing lost to blobs that are not what they should be. */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REVOCABLE = 3, MAX_BLOB = 1 << 20 };

typedef struct bytes {
  uint8_t data[16 * 1024];
  size_t size;
} bytes;

/* --- the owner, who gives commands to the running service ---------------------------------------------------------- */

/* Takes a title back: from one device, or from all where `only` is NULL. */
static void take_back(int number, wm_client *only) {
  char words[256], hex[HEX_SIZE], printed[4096];
  snprintf(words, sizeof words, "license revoke --kid d10000000000000000000000000000%02x --reason test %s %s",
           (unsigned)number, only != NULL ? "--device" : "", only != NULL ? device_hex(only, hex) : "");
  owner(words, printed, sizeof printed);
  CHECK(strstr(printed, "revocation: ") != NULL);
}

/* Devices that acknowledged all that was taken back from them, over all that was ordered. */
static int acknowledged(void) {
  static char printed[1 << 16];
  static const char name[] = "\"acknowledged\":";
  int sum = 0;
  owner("revocation list --json", printed, sizeof printed);
  CHECK(strstr(printed, name) != NULL);
  for (const char *at = printed; (at = strstr(at, name)) != NULL;) sum += atoi(at += strlen(name));
  return sum;
}

/* --- what an application carries by hand ---------------------------------------------------------------------------- */

/* Posts to /v1/revocations, keeps the body of the reply and answers its HTTP status. */
static int post(const bytes *body, bytes *reply) {
  static uint8_t raw[32 * 1024];
  unsigned port = 0;
  int status = 0;
  CHECK(sscanf(service_url(), "http://127.0.0.1:%u", &port) == 1);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
  CHECK(dprintf(fd,
                "POST /v1/revocations HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n"
                "Content-Type: application/cose\r\nContent-Length: %zu\r\n\r\n",
                port, body->size) > 0);
  CHECK(write(fd, body->data, body->size) == (ssize_t)body->size);
  size_t size = 0;
  for (ssize_t got; (got = read(fd, raw + size, sizeof raw - 1 - size)) > 0;) size += (size_t)got;
  close(fd);
  raw[size] = '\0';
  CHECK(sscanf((char *)raw, "HTTP/1.1 %d", &status) == 1);
  const char *end = strstr((char *)raw, "\r\n\r\n");
  CHECK(end != NULL);
  const uint8_t *from = (const uint8_t *)end + 4;
  reply->size = size - (size_t)(from - raw);
  CHECK(reply->size <= sizeof reply->data);
  memcpy(reply->data, from, reply->size);
  return status;
}

static wm_revocation_agent *agent_of(wm_client *client, recorder *events) {
  wm_revocation_agent *agent = NULL;
  CHECK_OK(wm_create_revocation_agent(client, events != NULL ? record : NULL, events, &agent));
  return agent;
}

/* What the service says was taken back from this device. */
static void fetch(wm_client *client, bytes *blob) {
  wm_revocation_agent *agent = agent_of(client, NULL);
  bytes challenge;
  size_t needed = 0;
  CHECK_OK(wm_get_lrb_challenge(agent, NULL, 0, NULL, 0, &needed));
  CHECK(needed > 0 && needed < sizeof challenge.data);
  CHECK_RESULT(wm_get_lrb_challenge(agent, NULL, 0, challenge.data, needed - 1, &challenge.size), WM_E_BUFFER_TOO_SMALL);
  CHECK_OK(wm_get_lrb_challenge(agent, NULL, 0, challenge.data, needed, &challenge.size));
  CHECK_EQ(challenge.size, needed);
  CHECK_EQ(post(&challenge, blob), 200);
  CHECK_OK(wm_release(agent));
}

static wm_result process(wm_client *client, const void *blob, size_t size, bytes *ack) {
  wm_revocation_agent *agent = agent_of(client, NULL);
  wm_result result = wm_process_lrb(agent, blob, size, ack->data, sizeof ack->data, &ack->size);
  CHECK_OK(wm_release(agent));
  return result;
}

/* --- what is looked at ---------------------------------------------------------------------------------------------- */

static bool usable(wm_client *client, int number) {
  uint8_t kid[KID_SIZE];
  uint32_t reasons = 77;
  revocable_kid(number, kid);
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &reasons));
  return reasons == 0;
}

static int stored(wm_client *client) {
  wm_license_enumerator *licenses = NULL;
  int found = 0;
  CHECK_OK(wm_create_license_enumerator(client, &licenses));
  while (wm_next_license(licenses) == 0) found++;
  CHECK_OK(wm_release(licenses));
  return found;
}

static wm_result acquire_revocable(wm_client *client, int number) {
  uint8_t kid[KID_SIZE];
  revocable_kid(number, kid);
  return acquire(client, kid);
}

static wm_result refresh(wm_client *client) {
  recorder events = RECORDER_INIT;
  wm_revocation_agent *agent = agent_of(client, &events);
  CHECK_OK(wm_refresh_revocations(agent));
  wm_result result = finish(agent);
  CHECK_EQ(recorder_count(&events, WM_STATUS_REVOCATIONS_REFRESHED), 1);
  CHECK_RESULT(recorder_await(&events, WM_STATUS_REVOCATIONS_REFRESHED).result, result);
  CHECK_OK(wm_release(agent));
  return result;
}

static wm_result move_licenses(wm_client *client, recorder *events, const char *folder, bool restore) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, events != NULL ? record : NULL, events, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, restore ? WM_PROP_RESTORE_PATH : WM_PROP_BACKUP_PATH, folder));
  CHECK_OK(restore ? wm_restore_licenses(restorer, WM_RESTORE_INDIVIDUALIZE) : wm_backup_licenses(restorer, 0));
  wm_result result = finish(restorer);
  CHECK_OK(wm_release(restorer));
  return result;
}

/* --- the tests ------------------------------------------------------------------------------------------------------ */

static void nothing_taken_back_is_a_success(wm_client *client) {
  CHECK_OK(refresh(client));
  CHECK_EQ(stored(client), REVOCABLE + 1);
}

static void a_refresh_removes_what_was_taken_back_and_tells_the_service(wm_client *client) {
  take_back(1, NULL);
  CHECK(usable(client, 1));
  int before = acknowledged();
  CHECK_OK(refresh(client));
  CHECK(!usable(client, 1));
  CHECK_EQ(stored(client), REVOCABLE);
  CHECK_EQ(acknowledged(), before + 1);
  CHECK_OK(refresh(client)); /* the same once more */
  CHECK_EQ(acknowledged(), before + 1);
  CHECK_EQ(stored(client), REVOCABLE);
}

static void it_comes_back_neither_from_the_service_nor_from_a_backup(wm_client *client, const char *backup) {
  CHECK_RESULT(acquire_revocable(client, 1), WM_E_LICENSE_CONTENT_REVOKED);
  CHECK(move_licenses(client, NULL, backup, true) >= 0);
  CHECK(!usable(client, 1));
  CHECK_EQ(stored(client), REVOCABLE);
}

static void another_device_gets_the_rest_of_the_backup(wm_client *other, const char *backup) {
  recorder events = RECORDER_INIT;
  uint8_t kid[KID_SIZE];
  char text[KID_TEXT_SIZE];
  revocable_kid(1, kid);
  CHECK_RESULT(move_licenses(other, &events, backup, true), WM_S_RESTORE_PARTIAL);
  event refused = recorder_await(&events, WM_STATUS_LICENSE_REFUSED);
  CHECK_RESULT(refused.result, WM_E_LICENSE_CONTENT_REVOKED);
  CHECK_TEXT((const char *)refused.value, kid_text(kid, text));
  CHECK_EQ(recorder_count(&events, WM_STATUS_LICENSE_REFUSED), 1);
  CHECK(!usable(other, 1) && usable(other, 2) && usable(other, 3));
}

static void a_challenge_needs_a_device_and_a_short_name(wm_client *client, wm_client *stranger) {
  static const uint8_t name[1025];
  size_t needed = 77;
  wm_revocation_agent *agent = agent_of(client, NULL), *unknown = agent_of(stranger, NULL);
  CHECK_RESULT(wm_get_lrb_challenge(agent, name, sizeof name, NULL, 0, &needed), WM_E_REVOCATION_TOO_LONG);
  CHECK_OK(wm_get_lrb_challenge(agent, name, sizeof name - 1, NULL, 0, &needed));
  CHECK_RESULT(wm_get_lrb_challenge(agent, NULL, 1, NULL, 0, &needed), WM_E_INVALIDARG);
  CHECK(wm_get_lrb_challenge(unknown, NULL, 0, NULL, 0, &needed) < 0);
  CHECK_OK(wm_release(agent));
  CHECK_OK(wm_release(unknown));
}

static void a_blob_is_carried_by_hand_and_acts_once(wm_client *client, bytes *blob) {
  static bytes ack, again, reply;
  size_t needed = 0;
  take_back(2, NULL);
  fetch(client, blob);
  int before = acknowledged();
  wm_revocation_agent *agent = agent_of(client, NULL);
  CHECK_OK(wm_process_lrb(agent, blob->data, blob->size, NULL, 0, &needed)); /* asks for the size, and acts */
  CHECK(!usable(client, 2));
  CHECK_EQ(stored(client), REVOCABLE - 1);
  CHECK_RESULT(wm_process_lrb(agent, blob->data, blob->size, ack.data, needed - 1, &ack.size), WM_E_BUFFER_TOO_SMALL);
  CHECK_EQ(ack.data[0], 0);
  CHECK_OK(wm_process_lrb(agent, blob->data, blob->size, ack.data, needed, &ack.size));
  CHECK_EQ(ack.size, needed);
  CHECK_OK(wm_release(agent));
  CHECK_OK(process(client, blob->data, blob->size, &again));
  CHECK_EQ(again.size, ack.size);
  CHECK(memcmp(again.data, ack.data, ack.size) == 0);
  CHECK_EQ(stored(client), REVOCABLE - 1);
  CHECK_EQ(acknowledged(), before);
  CHECK_EQ(post(&ack, &reply), 204);
  CHECK_EQ(reply.size, 0);
  CHECK_EQ(acknowledged(), before + 1);
  CHECK_EQ(post(&again, &reply), 204); /* the same word twice is no other word */
  CHECK_EQ(acknowledged(), before + 1);
}

/* Damaged in every way; each has its code, and the license that the whole blob takes back stays. */
static void what_is_no_blob_is_refused_with_its_code(wm_client *client, const bytes *blob) {
  static uint8_t large[MAX_BLOB + 1];
  static bytes ack, bad;
  static const size_t cuts[] = {1, 2, 40, 200, 1000};
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    CHECK_RESULT(process(client, blob->data, cuts[i], &ack), WM_E_INVALID_CRL);
    CHECK_RESULT(process(client, blob->data, blob->size - cuts[i], &ack), WM_E_INVALID_CRL);
  }
  memcpy(large, blob->data, blob->size);
  CHECK_RESULT(process(client, large, sizeof large, &ack), WM_E_REVOCATION_TOO_LONG);
  CHECK_RESULT(process(client, large, MAX_BLOB, &ack), WM_E_INVALID_CRL);
  bool malformed = false, unsigned_ = false;
  for (size_t at = 0; at < blob->size; at += at < 128 ? 7 : 97) {
    bad = *blob;
    bad.data[at] ^= 0x01;
    wm_result result = process(client, bad.data, bad.size, &ack);
    CHECK(result == WM_E_INVALID_CRL || result == WM_E_REVOCATION_NOT_SIGNED);
    malformed = malformed || result == WM_E_INVALID_CRL;
    unsigned_ = unsigned_ || result == WM_E_REVOCATION_NOT_SIGNED;
  }
  CHECK(malformed && unsigned_);
  CHECK(usable(client, 3));
  CHECK_EQ(stored(client), REVOCABLE - 1);
}

static void a_blob_for_others_or_from_before_is_refused(wm_client *client, wm_client *other, wm_client *stranger,
                                                        const bytes *older) {
  static bytes newer, theirs, ack;
  take_back(3, client);
  take_back(3, other);
  fetch(client, &newer);
  fetch(other, &theirs);
  what_is_no_blob_is_refused_with_its_code(client, &newer);
  CHECK_RESULT(process(client, theirs.data, theirs.size, &ack), WM_E_REVOCATION_OTHER_DEVICE);
  CHECK_RESULT(process(stranger, newer.data, newer.size, &ack), WM_E_REVOCATION_UNKNOWN_KEY);
  CHECK(usable(client, 3));
  CHECK_OK(process(client, newer.data, newer.size, &ack));
  CHECK(!usable(client, 3));
  CHECK_RESULT(process(client, older->data, older->size, &ack), WM_E_REVOCATION_OLDER);
  CHECK_OK(process(client, newer.data, newer.size, &ack));
  CHECK_EQ(stored(client), REVOCABLE - 2);
  CHECK(usable(other, 3)); /* nobody told that device yet */
  CHECK_OK(refresh(other));
  CHECK(!usable(other, 2) && !usable(other, 3));
}

/* The newest status list that a device holds decides, also without a network. */
static void a_revoked_application_uses_nothing_that_is_stored(wm_client *client) {
  char printed[4096];
  wm_decryptor *decryptor = NULL;
  uint32_t reasons = 77;
  CHECK_OK(wm_set_string_prop(client, WM_PROP_APPLICATION_ID, "Withdrawn Player"));
  CHECK_OK(wm_create_decryptor(client, KID_VIDEO, "Play", &decryptor));
  CHECK_OK(wm_release(decryptor));
  owner("application revoke 'Withdrawn Player' --reason test", printed, sizeof printed);
  owner("status publish", printed, sizeof printed);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_APPLICATION_ID, "Example Player"));
  CHECK_OK(refresh(client));
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  CHECK_OK(wm_query_action_allowed(client, KID_VIDEO, "Play", &reasons));
  CHECK_EQ(reasons, 0);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_APPLICATION_ID, "Withdrawn Player"));
  CHECK_RESULT(wm_create_decryptor(client, KID_VIDEO, "Play", &decryptor), WM_E_APPCERT_REVOKED);
  CHECK_OK(wm_query_action_allowed(client, KID_VIDEO, "Play", &reasons));
  CHECK_EQ(reasons, WM_REASON_NOT_ENABLED | WM_REASON_REVOKED);
  CHECK_OK(wm_remove_prop(client, WM_PROP_APPLICATION_ID));
  CHECK_OK(wm_query_action_allowed(client, KID_VIDEO, "Play", &reasons));
  CHECK_EQ(reasons, 0);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  static bytes blob;
  wm_client *client = open_client(argv[1], "first"), *other = open_client(argv[1], "other");
  wm_client *stranger = open_client(argv[1], "stranger");
  char *backup = path_in(argv[1], "backup");
  CHECK(mkdir(backup, 0700) == 0);
  individualize(client);
  for (int number = 1; number <= REVOCABLE; number++)
    CHECK_RESULT(acquire_revocable(client, number), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(move_licenses(client, NULL, backup, false));
  nothing_taken_back_is_a_success(client);
  a_refresh_removes_what_was_taken_back_and_tells_the_service(client);
  it_comes_back_neither_from_the_service_nor_from_a_backup(client, backup);
  another_device_gets_the_rest_of_the_backup(other, backup);
  a_challenge_needs_a_device_and_a_short_name(client, stranger);
  a_blob_is_carried_by_hand_and_acts_once(client, &blob);
  a_blob_for_others_or_from_before_is_refused(client, other, stranger, &blob);
  a_revoked_application_uses_nothing_that_is_stored(client);
  CHECK_OK(wm_release(client));
  CHECK_OK(wm_release(other));
  CHECK_OK(wm_release(stranger));
  CHECK_EQ(wm_live_objects(), 0);
  free(backup);
  return 0;
}
