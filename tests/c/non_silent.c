/* Acquisition that the user has a part in: the page, the monitor, a challenge that the application carries itself, a
 * renewal. The program plays the browser. */
#include "common.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_REPLY = 1 << 16, MAX_URL = 1024 };

/* --- a browser as small as can be ----------------------------------------------------------------------------------- */

typedef struct reply {
  int status;
  char location[MAX_URL];
  uint8_t bytes[MAX_REPLY]; /* head and body, terminated */
  uint8_t *body;
  size_t body_size;
} reply;

static void receive(int connection, reply *to) {
  size_t got = 0;
  ssize_t more;
  while ((more = recv(connection, to->bytes + got, MAX_REPLY - 1 - got, 0)) > 0) got += (size_t)more;
  to->bytes[got] = '\0';
  char *end = strstr((char *)to->bytes, "\r\n\r\n");
  CHECK(end != NULL && sscanf((char *)to->bytes, "HTTP/1.1 %d", &to->status) == 1);
  *end = '\0';
  to->body = (uint8_t *)end + 4;
  to->body_size = (size_t)(to->bytes + got - to->body);
  char *location = strstr((char *)to->bytes, "location: ");
  to->location[0] = '\0';
  if (location != NULL) CHECK(sscanf(location, "location: %1023s", to->location) == 1);
}

/* A GET, or a POST where there is a body. */
static void ask(const char *url, const char *type, const void *body, size_t size, reply *to) {
  unsigned port = 0;
  char head[MAX_URL + 512], path[MAX_URL] = "";
  CHECK(sscanf(url, "http://127.0.0.1:%u%1023s", &port, path) == 2);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((uint16_t)port);
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connection >= 0 && connect(connection, (struct sockaddr *)&address, sizeof address) == 0);
  int length = snprintf(head, sizeof head,
                        "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\nContent-Type: %s\r\n"
                        "Authorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n",
                        body != NULL ? "POST" : "GET", path, port, type, account_token(), size);
  CHECK(send(connection, head, (size_t)length, MSG_NOSIGNAL) == length);
  if (size > 0) CHECK(send(connection, body, size, MSG_NOSIGNAL) == (ssize_t)size);
  receive(connection, to);
  close(connection);
}

/* Opens the page, presses a button on it, and goes where the page leads. The page must show these six digits. */
static void decide(const char *url, const char *code, const char *action) {
  static const char field[] = "name=\"session\" value=\"";
  reply *page = malloc(sizeof *page);
  char form[MAX_URL], session[512];
  CHECK(page != NULL);
  ask(url, "", NULL, 0, page);
  CHECK_EQ(page->status, 200);
  CHECK(strstr((char *)page->body, code) != NULL);
  char *at = strstr((char *)page->body, field);
  CHECK(at != NULL && sscanf(at + sizeof field - 1, "%511[^\"]", session) == 1);
  int size = snprintf(form, sizeof form, "session=%s&action=%s", session, action);
  ask(url, "application/x-www-form-urlencoded", form, (size_t)size, page);
  if (page->status == 303) {
    char back[MAX_URL];
    memcpy(back, page->location, sizeof back);
    ask(back, "", NULL, 0, page);
  }
  CHECK_EQ(page->status, 200);
  free(page);
}

/* --- helpers --------------------------------------------------------------------------------------------------------- */

static wm_license_request *request_for(wm_client *client, recorder *events, int number) {
  uint8_t kid[KID_SIZE];
  char text[KID_TEXT_SIZE];
  wm_license_request *request = NULL;
  asked_kid(number, kid);
  CHECK_OK(wm_create_license_request(client, events != NULL ? record : NULL, events, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(kid, text)));
  return request;
}

static bool usable(wm_client *client, int number) {
  uint8_t kid[KID_SIZE];
  uint32_t reasons = 77;
  asked_kid(number, kid);
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &reasons));
  return reasons == 0;
}

static uint32_t pending(wm_client *client) {
  uint32_t count = 77;
  CHECK_OK(wm_get_prop(client, WM_PROP_PENDING_TRANSACTIONS, NULL, &count, sizeof count, NULL));
  return count;
}

static void code_of(wm_license_request *request, char code[8]) {
  CHECK_OK(wm_get_prop(request, WM_PROP_INTERACTION_CODE, NULL, code, 8, NULL));
  CHECK(strlen(code) == 6 && strspn(code, "0123456789") == 6);
}

static void page_of(wm_license_request *request, char url[MAX_URL]) {
  CHECK_OK(wm_get_license_url(request, url, MAX_URL, NULL));
  CHECK(strstr(url, "/interaction/") != NULL);
}

/* Begins with the user; the request then waits for a decision. */
static wm_license_request *begun(wm_client *client, recorder *events, int number) {
  wm_license_request *request = request_for(client, events, number);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_NONSILENT));
  CHECK_OK(finish(request));
  return request;
}

/* --- the page -------------------------------------------------------------------------------------------------------- */

static void what_the_user_accepts_ends_the_monitor(wm_client *client) {
  recorder events = RECORDER_INIT;
  char code[8], url[MAX_URL];
  wm_license_request *request = request_for(client, &events, 1);
  CHECK_OK(wm_set_bool_prop(request, WM_PROP_LOOPBACK_REDIRECT, true));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_NONSILENT));
  CHECK_OK(finish(request));
  event told = recorder_await(&events, WM_STATUS_ACQUIRE_LICENSE);
  CHECK_OK(told.result);
  CHECK_EQ(told.type, WM_TYPE_STRING);
  page_of(request, url);
  CHECK_TEXT((const char *)told.value, url);
  CHECK(strstr(url, "?return=http://127.0.0.1:") != NULL);
  code_of(request, code);
  CHECK(!usable(client, 1));
  CHECK_EQ(pending(client), 1);
  recorder_clear(&events);
  CHECK_OK(wm_monitor_license(request));
  CHECK_RESULT(wm_monitor_license(request), WM_E_ACQUIRING_LICENSE);
  decide(url, code, "accept");
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACQUIRE_LICENSE), 1);
  CHECK(usable(client, 1));
  CHECK_EQ(pending(client), 0);
  CHECK_RESULT(wm_get_prop(request, WM_PROP_INTERACTION_CODE, NULL, NULL, 0, NULL), WM_E_UNSUPPORTED_PROPERTY);
  /* The terms were accepted: the same again needs no page. */
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_release(request));
}

static void a_silent_attempt_tells_the_page(wm_client *client) {
  recorder events = RECORDER_INIT;
  char code[8], url[MAX_URL];
  wm_license_request *request = request_for(client, &events, 2);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_E_NO_RIGHTS);
  event told = recorder_await(&events, WM_STATUS_ACQUIRE_LICENSE);
  CHECK_RESULT(told.result, WM_E_NO_RIGHTS);
  page_of(request, url);
  CHECK_TEXT((const char *)told.value, url);
  code_of(request, code);
  decide(url, code, "decline");
  CHECK_OK(wm_monitor_license(request));
  CHECK_RESULT(finish(request), WM_E_LICENSE_NOTACQUIRED);
  CHECK(!usable(client, 2));
  CHECK_EQ(pending(client), 0);
  CHECK_OK(wm_release(request));
}

static void cancelling_gives_the_request_up(wm_client *client) {
  wm_license_request *request = begun(client, NULL, 3);
  CHECK_OK(wm_monitor_license(request));
  CHECK_OK(wm_cancel(request));
  CHECK_RESULT(finish(request), WM_S_MONITOR_CANCELLED);
  CHECK_EQ(pending(client), 0);
  CHECK_OK(wm_monitor_license(request));
  CHECK_RESULT(finish(request), WM_E_LICENSE_NOTACQUIRED);
  CHECK_OK(wm_release(request));
}

static void a_page_that_nobody_uses_ends_at_the_deadline(wm_client *client) {
  wm_license_request *request = begun(client, NULL, 4);
  CHECK_OK(wm_set_number_prop(request, WM_PROP_DEADLINE_MS, 300));
  CHECK_OK(wm_monitor_license(request));
  CHECK_RESULT(finish(request), WM_E_DEADLINE);
  CHECK_EQ(pending(client), 1);
  CHECK_OK(wm_release(request));
}

static void a_release_leaves_the_request_for_the_next_start(wm_client *client) {
  char transaction[64], code[8], url[MAX_URL];
  wm_license_request *request = begun(client, NULL, 5);
  CHECK_OK(wm_get_prop(request, WM_PROP_TRANSACTION_ID, NULL, transaction, sizeof transaction, NULL));
  CHECK_OK(wm_monitor_license(request));
  CHECK_OK(wm_release(request));
  request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_TRANSACTION_ID, transaction));
  page_of(request, url);
  code_of(request, code);
  decide(url, code, "accept");
  CHECK_OK(wm_monitor_license(request));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK(usable(client, 5));
  CHECK_OK(wm_release(request));
}

/* --- by hand ---------------------------------------------------------------------------------------------------------- */

static void carry(wm_license_request *request, const char *url, reply *to) {
  uint8_t challenge[8192];
  size_t size = 0;
  CHECK_OK(wm_get_challenge(request, NULL, 0, &size));
  CHECK(size > 0 && size <= sizeof challenge);
  CHECK_RESULT(wm_get_challenge(request, challenge, size - 1, NULL), WM_E_BUFFER_TOO_SMALL);
  CHECK_OK(wm_get_challenge(request, challenge, sizeof challenge, &size));
  ask(url, "application/cose", challenge, size, to);
  CHECK_EQ(to->status, 200);
}

static void the_application_carries_challenge_and_answer(wm_client *client) {
  reply *answer = malloc(sizeof *answer);
  char url[MAX_URL], code[8], page[MAX_URL];
  wm_license_request *request = request_for(client, NULL, 6);
  CHECK(answer != NULL);
  CHECK_RESULT(wm_process_response(request, "x", 1), WM_E_NO_TRANSACTION);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true)); /* the library itself stays offline throughout */
  CHECK_OK(wm_get_license_url(request, url, sizeof url, NULL));
  CHECK(strstr(url, "/v1/licenses") != NULL);
  carry(request, url, answer);
  CHECK_RESULT(wm_process_response(request, answer->body, answer->body_size), WM_E_NO_RIGHTS);
  page_of(request, page);
  code_of(request, code);
  decide(page, code, "accept");
  carry(request, url, answer);
  CHECK_RESULT(wm_process_response(request, NULL, 0), WM_E_INVALID_LICENSE_ACQUIRED);
  for (size_t at = 0; at < answer->body_size; at += answer->body_size / 16) {
    answer->body[at] ^= 1;
    wm_result forged = wm_process_response(request, answer->body, answer->body_size);
    CHECK(forged < 0);
    answer->body[at] ^= 1;
  }
  CHECK(!usable(client, 6));
  CHECK_RESULT(wm_process_response(request, answer->body, answer->body_size), WM_S_LICENSE_ACQUIRED);
  CHECK(usable(client, 6));
  CHECK_RESULT(wm_process_response(request, answer->body, answer->body_size), WM_E_NO_TRANSACTION);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, false));
  CHECK_OK(wm_release(request));
  free(answer);
}

static void an_answer_that_is_handed_over_ends_the_monitor(wm_client *client) {
  reply *answer = malloc(sizeof *answer);
  char page[MAX_URL], url[MAX_URL], code[8];
  wm_license_request *request = request_for(client, NULL, 7);
  CHECK(answer != NULL);
  CHECK_OK(wm_get_license_url(request, url, sizeof url, NULL)); /* while there is no page */
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_NONSILENT));
  CHECK_OK(finish(request));
  page_of(request, page);
  code_of(request, code);
  CHECK_OK(wm_monitor_license(request));
  decide(page, code, "accept");
  carry(request, url, answer);
  wm_result stored = wm_process_response(request, answer->body, answer->body_size);
  CHECK(stored == WM_S_LICENSE_ACQUIRED || stored == WM_E_NO_TRANSACTION); /* the monitor may have been faster */
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK(usable(client, 7));
  CHECK_OK(wm_release(request));
  free(answer);
}

/* --- renewal ---------------------------------------------------------------------------------------------------------- */

static void owner_allows_eight_uses(const char *folder) {
  char *file = path_in(folder, "terms.json"), words[1024], printed[1024];
  FILE *terms = fopen(file, "w");
  CHECK(terms != NULL && fputs("{\"actions\":{\"Play\":{\"count\":8}},\"interaction\":\"page\"}", terms) >= 0);
  CHECK_EQ(fclose(terms), 0);
  snprintf(words, sizeof words, "policy set asked '%s'", file);
  owner(words, printed, sizeof printed);
  free(file);
}

static void on_other_terms_a_renewal_says_that_the_user_must_accept(wm_client *client, const char *folder) {
  recorder events = RECORDER_INIT;
  char text[KID_TEXT_SIZE], code[8], url[MAX_URL];
  uint8_t kid[KID_SIZE];
  wm_license_state state = {0};
  wm_license_request *request = request_for(client, &events, 1);
  asked_kid(1, kid);
  state.struct_size = sizeof state;
  owner_allows_eight_uses(folder);
  CHECK_OK(wm_renew_licenses(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_E_NO_RIGHTS);
  event refused = recorder_await(&events, WM_STATUS_LICENSE_REFUSED);
  CHECK_RESULT(refused.result, WM_E_NO_RIGHTS);
  CHECK_TEXT((const char *)refused.value, kid_text(kid, text));
  CHECK_EQ(recorder_await(&events, WM_STATUS_ACQUIRE_LICENSE).size, 0); /* a renewal has no page */
  CHECK(usable(client, 1));                                            /* as before */
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_NONSILENT));
  CHECK_OK(finish(request));
  page_of(request, url);
  code_of(request, code);
  decide(url, code, "accept");
  CHECK_OK(wm_monitor_license(request));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_query_license_state(client, kid, "Play", &state));
  CHECK_EQ(state.counts[0], 8);
  CHECK_OK(wm_release(request));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "non-silent");
  wm_license_request *request = request_for(client, NULL, 8);
  CHECK_RESULT(wm_acquire_license(request, 3), WM_E_INVALIDARG);
  CHECK_RESULT(wm_get_challenge(request, NULL, 0, NULL), WM_E_POLICY_DISABLE_ONLINE); /* the service is not known yet */
  CHECK_OK(wm_release(request));
  individualize(client);
  what_the_user_accepts_ends_the_monitor(client);
  a_silent_attempt_tells_the_page(client);
  cancelling_gives_the_request_up(client);
  a_page_that_nobody_uses_ends_at_the_deadline(client);
  a_release_leaves_the_request_for_the_next_start(client);
  the_application_carries_challenge_and_answer(client);
  an_answer_that_is_handed_over_ends_the_monitor(client);
  on_other_terms_a_renewal_says_that_the_user_must_accept(client, argv[1]);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
