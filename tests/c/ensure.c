/* wm_ensure_license: from a file to a license in one call, and what it says where that cannot be. */
#include "http.h"

enum { SMALL_STACK = 256 * 1024 };

/* --- helpers --------------------------------------------------------------------------------------------------------- */

/* A content header that names these key IDs, as W3C initialization data. */
static wm_content_header *header_of(size_t count, const uint8_t kids[][KID_SIZE]) {
  char data[512] = "{\"kids\":[", text[KID_TEXT_SIZE];
  wm_content_header *header = NULL;
  for (size_t at = 0; at < count; at++) {
    kid_text(kids[at], text);
    for (char *c = text; *c != '\0'; c++) *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
    sprintf(data + strlen(data), "%s\"%s\"", at > 0 ? "," : "", text);
  }
  strcat(data, "]}");
  CHECK_OK(wm_create_content_header(data, strlen(data), &header));
  return header;
}

static wm_result ensured(wm_client *client, const uint8_t kid[KID_SIZE], const char *action, uint32_t flags) {
  uint8_t kids[1][KID_SIZE];
  memcpy(kids[0], kid, KID_SIZE);
  wm_content_header *header = header_of(1, (const uint8_t(*)[KID_SIZE])kids);
  wm_result result = wm_ensure_license(client, header, action, flags, PATIENCE_SECONDS * 1000);
  CHECK_OK(wm_release(header));
  return result;
}

static wm_error_info detail(wm_result result) {
  wm_error_info info = {.struct_size = sizeof info};
  CHECK_OK(wm_get_error_info(&info));
  CHECK_EQ(info.result, result);
  return info;
}

static void set_offline(wm_client *client, bool offline) {
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, offline));
}

/* --- the way to a license ---------------------------------------------------------------------------------------------- */

static void one_call_leads_to_a_license_and_the_next_one_needs_no_network(const char *folder) {
  wm_client *client = open_client(folder, "ensure");
  CHECK_RESULT(ensured(client, KID_VIDEO, WM_ACTION_PLAY, 0), WM_E_NEEDS_INDIVIDUALIZATION);
  CHECK_EQ(detail(WM_E_NEEDS_INDIVIDUALIZATION).remedy, WM_REMEDY_INDIVIDUALIZE);
  CHECK_RESULT(ensured(client, KID_VIDEO, WM_ACTION_PLAY, WM_ENSURE_INDIVIDUALIZE), WM_S_LICENSE_ACQUIRED);
  set_offline(client, true);
  CHECK_OK(ensured(client, KID_VIDEO, "ActionAllowed.Play", 0));
  CHECK_RESULT(ensured(client, KID_AUDIO, WM_ACTION_PLAY, 0), WM_E_POLICY_DISABLE_ONLINE);
  set_offline(client, false);
  CHECK_RESULT(ensured(client, KID_AUDIO, WM_ACTION_PLAY, 0), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_release(client));
}

static void a_file_names_its_key_ids(const char *folder) {
  char path[1024];
  wm_content_header *header = NULL;
  wm_client *client = open_client(folder, "file");
  snprintf(path, sizeof path, "%s/packager-cenc-video.mp4", setting("WM_TEST_MEDIA"));
  CHECK_OK(wm_create_content_header_from_file(path, &header));
  CHECK_RESULT(wm_ensure_license(client, header, WM_ACTION_PLAY, WM_ENSURE_INDIVIDUALIZE, WM_INFINITE), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_ensure_license(client, header, WM_ACTION_PLAY, 0, 0)); /* there is nothing to wait for */
  CHECK_OK(wm_release(header));
  CHECK_OK(wm_release(client));
}

/* --- what is in the way ------------------------------------------------------------------------------------------------ */

static void every_key_id_of_the_content_counts(wm_client *client) {
  uint8_t kids[3][KID_SIZE], rest[1][KID_SIZE];
  title_kid(1, kids[0]);
  memcpy(kids[1], KID_UNKNOWN, KID_SIZE);
  title_kid(2, kids[2]);
  wm_content_header *header = header_of(3, (const uint8_t(*)[KID_SIZE])kids);
  CHECK_RESULT(wm_ensure_license(client, header, WM_ACTION_PLAY, 0, WM_INFINITE), WM_E_LICENSE_UNAVAILABLE);
  wm_error_info info = detail(WM_E_LICENSE_UNAVAILABLE);
  CHECK(info.has_kid == 1 && memcmp(info.kid, KID_UNKNOWN, KID_SIZE) == 0);
  CHECK_OK(wm_release(header));
  set_offline(client, true); /* the others came */
  CHECK_OK(ensured(client, kids[0], WM_ACTION_PLAY, 0));
  CHECK_OK(ensured(client, kids[2], WM_ACTION_PLAY, 0));
  set_offline(client, false);
  memcpy(rest[0], KID_UNKNOWN, KID_SIZE);
  header = header_of(1, (const uint8_t(*)[KID_SIZE])rest);
  CHECK_RESULT(wm_ensure_license(client, header, WM_ACTION_PLAY, 0, WM_INFINITE), WM_E_LICENSE_UNAVAILABLE);
  CHECK_OK(wm_release(header));
}

static void a_license_that_does_not_permit_the_action_is_no_success(wm_client *client) {
  uint8_t kid[KID_SIZE];
  title_kid(3, kid);
  CHECK_RESULT(ensured(client, kid, WM_ACTION_COPY, 0), WM_E_LICENSE_INCORRECT_RIGHTS);
  wm_error_info info = detail(WM_E_LICENSE_INCORRECT_RIGHTS);
  CHECK(info.has_kid == 1 && memcmp(info.kid, kid, KID_SIZE) == 0);
  CHECK_OK(ensured(client, kid, WM_ACTION_PLAY, 0)); /* the license is there */
  CHECK_RESULT(ensured(client, KID_FUTURE, WM_ACTION_PLAY, 0), WM_E_LICENSE_NOTENABLED);
  CHECK_RESULT(ensured(client, KID_EXPIRED, WM_ACTION_PLAY, 0), WM_E_LICENSE_OUTOFDATE); /* it came, and has ended */
  CHECK_RESULT(ensured(client, KID_EXPIRED, WM_ACTION_PLAY, 0), WM_E_LICENSE_EXPIRED);   /* it does not come again */
  CHECK_RESULT(ensured(client, KID_GOLD, WM_ACTION_PLAY, 0), WM_E_NOT_ENTITLED);
}

static void where_the_user_must_act_the_message_has_the_page(wm_client *client) {
  char url[MAX_URL], code[8];
  uint8_t kid[KID_SIZE];
  char text[KID_TEXT_SIZE];
  wm_license_request *request = NULL;
  asked_kid(8, kid);
  CHECK_RESULT(ensured(client, kid, WM_ACTION_PLAY, 0), WM_E_NO_RIGHTS);
  wm_error_info info = detail(WM_E_NO_RIGHTS);
  CHECK_EQ(info.remedy, WM_REMEDY_OPEN_URL);
  CHECK(info.has_kid == 1 && memcmp(info.kid, kid, KID_SIZE) == 0);
  const char *page = strstr(info.message, "http://");
  CHECK(page != NULL && sscanf(page, "%1023s", url) == 1 && strstr(url, "/interaction/") != NULL);
  /* Another way to the same request shows its digits. */
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(kid, text)));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_NONSILENT));
  CHECK_OK(finish(request));
  CHECK_OK(wm_get_prop(request, WM_PROP_INTERACTION_CODE, NULL, code, sizeof code, NULL));
  CHECK_OK(wm_release(request));
  decide(url, code, "accept");
  CHECK_RESULT(ensured(client, kid, WM_ACTION_PLAY, 0), WM_S_LICENSE_ACQUIRED);
}

/* A port that takes connections and never says a word. */
static int silent_port(char url[64]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 8) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  snprintf(url, 64, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
  return listener;
}

static void a_service_that_says_nothing_costs_the_time_that_was_given(const char *folder) {
  char url[64];
  struct timespec begun, ended;
  int listener = silent_port(url);
  wm_client *client = open_client(folder, "silent");
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, url));
  uint8_t kids[1][KID_SIZE];
  title_kid(1, kids[0]);
  wm_content_header *header = header_of(1, (const uint8_t(*)[KID_SIZE])kids);
  clock_gettime(CLOCK_MONOTONIC, &begun);
  CHECK_RESULT(wm_ensure_license(client, header, WM_ACTION_PLAY, WM_ENSURE_INDIVIDUALIZE, 500), WM_E_DEADLINE);
  clock_gettime(CLOCK_MONOTONIC, &ended);
  long waited = (ended.tv_sec - begun.tv_sec) * 1000 + (ended.tv_nsec - begun.tv_nsec) / 1000000;
  CHECK(waited >= 500 && waited < PATIENCE_SECONDS * 1000);
  CHECK_OK(wm_set_number_prop(client, WM_PROP_DEADLINE_MS, 200)); /* the shorter time counts */
  CHECK_RESULT(wm_ensure_license(client, header, WM_ACTION_PLAY, WM_ENSURE_INDIVIDUALIZE, WM_INFINITE), WM_E_DEADLINE);
  CHECK_OK(wm_remove_prop(client, WM_PROP_SERVICE_URL));
  CHECK_RESULT(wm_ensure_license(client, header, WM_ACTION_PLAY, WM_ENSURE_INDIVIDUALIZE, 500), WM_E_INVALID_PROPERTY);
  CHECK_OK(wm_release(header));
  CHECK_OK(wm_release(client));
  close(listener);
}

/* A port whose queue is full: a connection to it is never made. */
static void a_service_that_is_not_reached_costs_the_time_that_was_given(const char *folder) {
  char url[64];
  int waiting[3];
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  int listener = silent_port(url);
  CHECK(listen(listener, 0) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  for (int i = 0; i < 3; i++) {
    waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK(waiting[i] >= 0);
    connect(waiting[i], (struct sockaddr *)&address, size);
  }
  wm_client *client = open_client(folder, "unreached");
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, url));
  uint8_t kids[1][KID_SIZE];
  title_kid(1, kids[0]);
  wm_content_header *header = header_of(1, (const uint8_t(*)[KID_SIZE])kids);
  CHECK_RESULT(wm_ensure_license(client, header, WM_ACTION_PLAY, WM_ENSURE_INDIVIDUALIZE, 500), WM_E_DEADLINE);
  CHECK_OK(wm_release(header));
  CHECK_OK(wm_release(client));
  for (int i = 0; i < 3; i++) close(waiting[i]);
  close(listener);
}

static void wrong_calls_are_told(wm_client *client) {
  uint8_t kids[1][KID_SIZE];
  wm_client *closed = NULL;
  title_kid(1, kids[0]);
  wm_content_header *header = header_of(1, (const uint8_t(*)[KID_SIZE])kids);
  CHECK_RESULT(wm_ensure_license(NULL, header, WM_ACTION_PLAY, 0, 0), WM_E_INVALIDARG);
  CHECK_RESULT(wm_ensure_license(client, NULL, WM_ACTION_PLAY, 0, 0), WM_E_INVALIDARG);
  CHECK_RESULT(wm_ensure_license(client, header, NULL, 0, 0), WM_E_INVALIDARG);
  CHECK_RESULT(wm_ensure_license(client, header, "\xff", 0, 0), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_ensure_license(client, header, "Play\nCopy", 0, 0), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_ensure_license(client, header, WM_ACTION_PLAY, 2, 0), WM_E_INVALIDARG);
  CHECK_RESULT(wm_ensure_license(client, (wm_content_header *)(void *)client, WM_ACTION_PLAY, 0, 0), WM_E_INVALID_HANDLE);
  CHECK_RESULT(wm_ensure_license((wm_client *)(void *)header, header, WM_ACTION_PLAY, 0, 0), WM_E_INVALID_HANDLE);
  CHECK_OK(wm_create_client(&closed));
  CHECK_RESULT(wm_ensure_license(closed, header, WM_ACTION_PLAY, 0, 0), WM_E_NOT_OPEN);
  CHECK_OK(wm_release(closed));
  CHECK_RESULT(wm_ensure_license(closed, header, WM_ACTION_PLAY, 0, 0), WM_E_INVALID_HANDLE);
  CHECK_OK(wm_release(header));
  CHECK_RESULT(wm_ensure_license(client, header, WM_ACTION_PLAY, 0, 0), WM_E_INVALID_HANDLE);
  const char *unheard_of = "#EXTM3U\n#EXT-X-KEY:METHOD=UNHEARD-OF\n";
  CHECK_OK(wm_create_content_header(unheard_of, strlen(unheard_of), &header));
  CHECK_RESULT(wm_ensure_license(client, header, WM_ACTION_PLAY, 0, 0), WM_E_INVALID_LICENSE_REQUEST);
  CHECK_OK(wm_release(header));
}

/* --- where it is called ------------------------------------------------------------------------------------------------ */

static wm_result ensure_in_the_callback(recorder *to, const event *seen, void *client) {
  uint8_t kid[KID_SIZE];
  (void)to;
  if (seen->status != WM_STATUS_ACQUIRE_LICENSE) return 0;
  title_kid(5, kid);
  CHECK_RESULT(ensured(client, kid, WM_ACTION_PLAY, 0), WM_S_LICENSE_ACQUIRED);
  return 0;
}

static void it_works_inside_a_callback(wm_client *client) {
  recorder events = RECORDER_INIT;
  char text[KID_TEXT_SIZE];
  uint8_t kid[KID_SIZE];
  wm_license_request *request = NULL;
  title_kid(4, kid);
  events.hook = ensure_in_the_callback;
  events.hook_context = client;
  CHECK_OK(wm_create_license_request(client, record, &events, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(kid, text)));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_release(request));
}

static void *ensure_on_a_thread(void *context) {
  uint8_t kid[KID_SIZE];
  title_kid(6, kid);
  wm_result result = ensured(context, kid, WM_ACTION_PLAY, WM_ENSURE_INDIVIDUALIZE);
  CHECK(result == 0 || result == WM_S_LICENSE_ACQUIRED);
  return NULL;
}

/* Every thread asks for the same, on a stack as small as threads may have. */
static void many_threads_ask_for_the_same_at_once(const char *folder) {
  pthread_t threads[8];
  pthread_attr_t small;
  wm_client *client = open_client(folder, "threads");
  CHECK_EQ(pthread_attr_init(&small), 0);
  CHECK_EQ(pthread_attr_setstacksize(&small, SMALL_STACK), 0);
  for (int at = 0; at < 8; at++) CHECK_EQ(pthread_create(&threads[at], &small, ensure_on_a_thread, client), 0);
  for (int at = 0; at < 8; at++) CHECK_EQ(pthread_join(threads[at], NULL), 0);
  CHECK_EQ(pthread_attr_destroy(&small), 0);
  CHECK_OK(wm_release(client));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  one_call_leads_to_a_license_and_the_next_one_needs_no_network(argv[1]);
  a_file_names_its_key_ids(argv[1]);
  wm_client *client = open_client(argv[1], "way");
  individualize(client);
  every_key_id_of_the_content_counts(client);
  a_license_that_does_not_permit_the_action_is_no_success(client);
  where_the_user_must_act_the_message_has_the_page(client);
  wrong_calls_are_told(client);
  it_works_inside_a_callback(client);
  CHECK_OK(wm_release(client));
  a_service_that_says_nothing_costs_the_time_that_was_given(argv[1]);
  a_service_that_is_not_reached_costs_the_time_that_was_given(argv[1]);
  many_threads_ask_for_the_same_at_once(argv[1]);
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
