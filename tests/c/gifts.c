/* Licenses that nobody asked for: a file that the issuer made for this device, taken once and for this device only, and what
 * waits at the service, which comes with whatever the device asks next. */
#include "common.h"

enum { MAX_FILE = 64 * 1024 };

typedef struct file {
  uint8_t data[MAX_FILE];
  size_t size;
} file;

/* As the owner: licenses for a device, by their key IDs in hexadecimal, into a file. */
static void give_file(wm_client *to, const char *kids, const char *folder, const char *name, file *given) {
  char words[1024], hex[HEX_SIZE], printed[4096];
  char *path = path_in(folder, name);
  snprintf(words, sizeof words, "license give %s %s --out '%s'", device_hex(to, hex), kids, path);
  owner(words, printed, sizeof printed);
  CHECK(strstr(printed, ": given ") != NULL);
  FILE *input = fopen(path, "rb");
  CHECK(input != NULL);
  given->size = fread(given->data, 1, sizeof given->data, input);
  CHECK(given->size > 0 && given->size < sizeof given->data);
  fclose(input);
  free(path);
}

static wm_result take(wm_client *client, const file *given) {
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  wm_result result = wm_process_response(request, given->data, given->size);
  CHECK_OK(wm_release(request));
  return result;
}

static uint32_t reasons(wm_client *client, const uint8_t kid[KID_SIZE]) {
  uint32_t found = 0;
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &found));
  return found;
}

static uint32_t uses_left(wm_client *client, const uint8_t kid[KID_SIZE]) {
  wm_license_state state = {.struct_size = sizeof state};
  CHECK_OK(wm_query_license_state(client, kid, "Play", &state));
  CHECK_EQ(state.count_count, 1);
  return state.counts[0];
}

static void use_once(wm_client *client, const uint8_t kid[KID_SIZE]) {
  uint8_t iv[8] = {0}, data[16] = {0};
  wm_decryptor *decryptor = NULL;
  CHECK_OK(wm_create_decryptor(client, kid, "Play", &decryptor));
  wm_sample sample = {.struct_size = sizeof sample, .iv = iv, .iv_size = sizeof iv, .scheme = SCHEME_CENC};
  CHECK_OK(wm_decrypt_sample(decryptor, &sample, data, sizeof data));
  CHECK_OK(wm_release(decryptor));
}

static void a_file_is_taken_once_and_gives_no_use_back(const char *folder) {
  static file given;
  char hex[HEX_SIZE];
  wm_client *client = open_client(folder, "given");
  individualize(client);
  give_file(client, kid_hex(KID_COUNTED, hex), folder, "counted.wml", &given);
  CHECK_EQ(reasons(client, KID_COUNTED), WM_REASON_NOT_ENABLED | WM_REASON_NO_LICENSE);
  CHECK_RESULT(take(client, &given), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(reasons(client, KID_COUNTED), 0);
  uint32_t before = uses_left(client, KID_COUNTED);
  use_once(client, KID_COUNTED);
  for (int time = 0; time < 2; time++) {
    CHECK_RESULT(take(client, &given), WM_S_LICENSE_KNOWN);
    CHECK_EQ(uses_left(client, KID_COUNTED), before - 1);
  }
  CHECK(!WM_LICENSE_STORED(WM_S_LICENSE_KNOWN));
  /* Deleted from this device, it comes back with what was left; deleted for good, not at all. */
  CHECK_OK(wm_delete_licenses(client, KID_COUNTED, WM_DELETE_LOCAL));
  CHECK_RESULT(take(client, &given), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(uses_left(client, KID_COUNTED), before - 1);
  CHECK_OK(wm_delete_licenses(client, KID_COUNTED, 0));
  CHECK_RESULT(take(client, &given), WM_E_LICENSE_REMOVED);
  CHECK_EQ(reasons(client, KID_COUNTED), WM_REASON_NOT_ENABLED | WM_REASON_NO_LICENSE);
  CHECK_OK(wm_release(client));
}

static void a_file_is_for_its_device_and_whole(const char *folder) {
  static file given;
  char hex[HEX_SIZE];
  uint8_t kid[KID_SIZE];
  wm_client *first = open_client(folder, "first"), *second = open_client(folder, "second");
  title_kid(1, kid);
  individualize(first);
  give_file(first, kid_hex(kid, hex), folder, "first.wml", &given);
  /* A device that never met the service knows nobody who could have signed it. */
  CHECK_RESULT(take(second, &given), WM_E_SERVICE_UNKNOWN);
  individualize(second);
  CHECK_RESULT(take(second, &given), WM_E_INVALID_MACHINE);
  for (size_t at = 0; at < given.size; at += 61) {
    given.data[at] ^= 1;
    CHECK(take(first, &given) < 0);
    given.data[at] ^= 1;
  }
  for (size_t size = 0; size < given.size; size += given.size / 16 + 1) {
    file cut = {.size = size};
    memcpy(cut.data, given.data, size);
    CHECK(take(first, &cut) < 0);
  }
  CHECK_EQ(reasons(first, kid), WM_REASON_NOT_ENABLED | WM_REASON_NO_LICENSE);
  CHECK_RESULT(take(first, &given), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(reasons(first, kid), 0);
  CHECK_OK(wm_release(second));
  CHECK_OK(wm_release(first));
}

/* The challenge of the request that takes the file goes on waiting for its own answer. */
static void a_file_touches_no_request_that_waits(const char *folder) {
  static file given;
  char hex[HEX_SIZE], text[KID_TEXT_SIZE];
  static uint8_t before[MAX_FILE], after[MAX_FILE];
  size_t before_size = 0, after_size = 0;
  uint8_t kid[KID_SIZE];
  wm_license_request *request = NULL;
  wm_client *client = open_client(folder, "waiting");
  individualize(client);
  title_kid(2, kid);
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(kid, text)));
  CHECK_OK(wm_get_challenge(request, before, sizeof before, &before_size));
  title_kid(3, kid);
  give_file(client, kid_hex(kid, hex), folder, "waiting.wml", &given);
  CHECK_RESULT(wm_process_response(request, given.data, given.size), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_get_challenge(request, after, sizeof after, &after_size));
  CHECK(before_size == after_size && memcmp(before, after, after_size) == 0);
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_release(client));
}

static void what_waits_at_the_service_comes_with_the_next_answer(const char *folder) {
  char words[512], hex[HEX_SIZE], kids[2][HEX_SIZE], printed[4096];
  uint8_t asked[KID_SIZE], waiting[2][KID_SIZE];
  wm_client *client = open_client(folder, "mailbox");
  individualize(client);
  title_kid(4, asked);
  for (int i = 0; i < 2; i++) {
    title_kid(5 + i, waiting[i]);
    kid_hex(waiting[i], kids[i]);
    snprintf(words, sizeof words, "license give %s %s", device_hex(client, hex), kids[i]);
    owner(words, printed, sizeof printed);
    CHECK_EQ(reasons(client, waiting[i]), WM_REASON_NOT_ENABLED | WM_REASON_NO_LICENSE);
  }
  CHECK_RESULT(acquire(client, asked), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(reasons(client, waiting[0]), 0);
  CHECK_EQ(reasons(client, waiting[1]), 0);
  /* Asking what was revoked fetches it as well, where nothing else is asked. */
  title_kid(7, waiting[0]);
  snprintf(words, sizeof words, "license give %s %s", device_hex(client, hex), kid_hex(waiting[0], kids[0]));
  owner(words, printed, sizeof printed);
  wm_revocation_agent *agent = NULL;
  CHECK_OK(wm_create_revocation_agent(client, NULL, NULL, &agent));
  CHECK_OK(wm_refresh_revocations(agent));
  CHECK_OK(finish(agent));
  CHECK_EQ(reasons(client, waiting[0]), 0);
  CHECK_OK(wm_release(agent));
  CHECK_OK(wm_release(client));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  a_file_is_taken_once_and_gives_no_use_back(argv[1]);
  a_file_is_for_its_device_and_whole(argv[1]);
  a_file_touches_no_request_that_waits(argv[1]);
  what_waits_at_the_service_comes_with_the_next_answer(argv[1]);
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
