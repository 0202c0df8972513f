/* Acquisition that the user has a part in: the page, the monitor, a challenge that the application carries itself, a
 * renewal. The program plays the browser. */
#include "http.h"

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

/* Watches, stops watching, and lets the user accept after that. */
static wm_license_request *accepted_too_late_for_the_monitor(wm_client *client, int number) {
  char code[8], url[MAX_URL];
  uint32_t others = pending(client);
  wm_license_request *request = begun(client, NULL, number);
  CHECK_OK(wm_monitor_license(request));
  CHECK_OK(wm_cancel(request));
  CHECK_RESULT(finish(request), WM_S_MONITOR_CANCELLED);
  CHECK_EQ(pending(client), others + 1);
  page_of(request, url);
  code_of(request, code);
  decide(url, code, "accept");
  CHECK(!usable(client, number));
  return request;
}

static void who_accepts_after_the_monitor_was_cancelled_is_served(wm_client *client) {
  wm_license_request *request = accepted_too_late_for_the_monitor(client, 3);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK(usable(client, 3));
  CHECK_OK(wm_release(request));
  request = accepted_too_late_for_the_monitor(client, 9);
  CHECK_OK(wm_monitor_license(request));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK(usable(client, 9));
  CHECK_OK(wm_release(request));
  /* Another object asks for the same, as after a restart. */
  CHECK_OK(wm_release(accepted_too_late_for_the_monitor(client, 10)));
  request = request_for(client, NULL, 10);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(pending(client), 0);
  CHECK_OK(wm_release(request));
}

static void an_abandoned_request_is_served_no_more(wm_client *client) {
  char code[8], url[MAX_URL], other[MAX_URL];
  uint8_t kid[KID_SIZE];
  wm_license_request *request = begun(client, NULL, 11);
  page_of(request, url);
  code_of(request, code);
  CHECK_OK(wm_monitor_license(request));
  CHECK_OK(wm_abandon_acquisition(request));
  CHECK_RESULT(finish(request), WM_E_LICENSE_NOTACQUIRED);
  CHECK_EQ(pending(client), 0);
  CHECK_RESULT(wm_abandon_acquisition(request), WM_E_NO_TRANSACTION);
  CHECK_RESULT(wm_get_prop(request, WM_PROP_INTERACTION_CODE, NULL, NULL, 0, NULL), WM_E_UNSUPPORTED_PROPERTY);
  decide(url, code, "accept");
  CHECK_OK(wm_monitor_license(request));
  CHECK_RESULT(finish(request), WM_E_LICENSE_NOTACQUIRED);
  title_kid(1, kid);
  CHECK_RESULT(acquire(client, kid), WM_S_LICENSE_ACQUIRED); /* a contact for something else */
  CHECK(!usable(client, 11));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_NONSILENT)); /* begins anew, with a page of its own */
  CHECK_OK(finish(request));
  page_of(request, other);
  CHECK(strcmp(url, other) != 0);
  CHECK_OK(wm_release(request));
  /* By what is asked for: another object knows no transaction. */
  request = request_for(client, NULL, 11);
  CHECK_OK(wm_abandon_acquisition(request));
  CHECK_EQ(pending(client), 0);
  CHECK_OK(wm_release(request));
}

static void there_must_be_a_request_to_abandon(wm_client *client) {
  wm_client *closed = NULL;
  wm_license_request *request = NULL;
  CHECK_RESULT(wm_abandon_acquisition(NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_abandon_acquisition((wm_license_request *)(void *)client), WM_E_INVALID_HANDLE);
  CHECK_OK(wm_create_client(&closed));
  CHECK_OK(wm_create_license_request(closed, NULL, NULL, &request));
  CHECK_RESULT(wm_abandon_acquisition(request), WM_E_NOT_OPEN);
  CHECK_OK(wm_release(request));
  CHECK_RESULT(wm_abandon_acquisition(request), WM_E_INVALID_HANDLE);
  CHECK_OK(wm_release(closed));
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_TRANSACTION_ID, "AAAAAAAAAAAAAAAAAAAAAA=="));
  CHECK_RESULT(wm_abandon_acquisition(request), WM_E_NO_TRANSACTION);
  CHECK_OK(wm_release(request));
  request = request_for(client, NULL, 12);
  CHECK_RESULT(wm_abandon_acquisition(request), WM_E_NO_TRANSACTION);
  CHECK_OK(wm_release(request));
}

/* The user closes the page at once: the application abandons the request where it learns of it, and asks for another. */
static wm_result abandon_in_the_callback(recorder *to, const event *seen, void *context) {
  wm_license_request *request = *(wm_license_request **)context;
  if (seen->status != WM_STATUS_ACQUIRE_LICENSE || seen->result != 0) return 0;
  to->hook = NULL;
  CHECK_OK(wm_abandon_acquisition(request));
  CHECK_RESULT(wm_abandon_acquisition(request), WM_E_NO_TRANSACTION);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  return 0;
}

static void a_callback_abandons_and_begins_anew(wm_client *client) {
  recorder events = RECORDER_INIT;
  wm_license_request *request = request_for(client, &events, 12);
  events.hook = abandon_in_the_callback;
  events.hook_context = &request;
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_NONSILENT));
  finish(request); /* of either of the two */
  CHECK_RESULT(finish(request), WM_E_NO_RIGHTS);
  CHECK_EQ(pending(client), 1);
  CHECK_OK(wm_abandon_acquisition(request));
  CHECK_OK(wm_release(request));
}

static void a_page_that_nobody_uses_ends_at_the_deadline(wm_client *client) {
  recorder events = RECORDER_INIT;
  char url[MAX_URL];
  wm_license_request *request = begun(client, &events, 4);
  recorder_clear(&events);
  page_of(request, url);
  CHECK_OK(wm_set_number_prop(request, WM_PROP_DEADLINE_MS, 300));
  CHECK_OK(wm_monitor_license(request));
  CHECK_RESULT(finish(request), WM_E_DEADLINE);
  CHECK_TEXT((const char *)recorder_await(&events, WM_STATUS_ACQUIRE_LICENSE).value, url); /* it is still open */
  CHECK_EQ(pending(client), 1);
  CHECK_OK(wm_abandon_acquisition(request));
  CHECK_OK(wm_release(request));
}

/* The monitor tells what an acquisition tells: what is due, what is refused, and where there is help. */
static void a_monitor_tells_what_an_acquisition_tells(wm_client *client, const char *folder) {
  recorder events = RECORDER_INIT;
  char text[KID_TEXT_SIZE], words[1024], printed[1024], code[8], url[MAX_URL], *file = path_in(folder, "due.json");
  uint8_t kid[KID_SIZE];
  wm_license_request *request = NULL;
  FILE *terms = fopen(file, "w");
  CHECK(terms != NULL && fputs("{\"actions\":{\"Play\":{\"renewAfter\":{\"time\":\"2001-01-01T00:00:00Z\","
                               "\"url\":\"https://shop.example/\"}}},\"interaction\":\"page\"}", terms) >= 0);
  CHECK_EQ(fclose(terms), 0);
  snprintf(words, sizeof words, "policy set asked-due '%s'", file);
  owner(words, printed, sizeof printed);
  free(file);
  owner("content add --kid ca0000000000000000000000000000dd --key 00112233445566778899aabbccddeeff --policy asked-due --open",
        printed, sizeof printed);
  asked_kid(0xdd, kid);
  CHECK_OK(wm_create_license_request(client, record, &events, &request));
  for (int accepts = 0; accepts < 2; accepts++) {
    CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(kid, text)));
    CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_NONSILENT));
    CHECK_OK(finish(request));
    page_of(request, url);
    code_of(request, code);
    recorder_clear(&events);
    decide(url, code, accepts ? "accept" : "decline");
    CHECK_OK(wm_monitor_license(request));
    CHECK_RESULT(finish(request), accepts ? WM_S_LICENSE_ACQUIRED : WM_E_LICENSE_NOTACQUIRED);
    event told = recorder_await(&events, accepts ? WM_STATUS_RENEWAL_DUE : WM_STATUS_LICENSE_REFUSED);
    CHECK_TEXT((const char *)told.value, text);
    CHECK_RESULT(told.result, accepts ? 0 : WM_E_LICENSE_NOTACQUIRED);
    CHECK_EQ(recorder_await(&events, WM_STATUS_ACQUIRE_LICENSE).size == 0, accepts); /* a refusal has a page that helps */
  }
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

static void the_application_carries_challenge_and_answer(wm_client *client) {
  reply *answer = malloc(sizeof *answer);
  char url[MAX_URL], code[8], page[MAX_URL];
  wm_license_request *request = request_for(client, NULL, 6);
  CHECK(answer != NULL);
  CHECK_RESULT(wm_process_response(request, "x", 1), WM_E_NO_TRANSACTION);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true)); /* the library itself stays offline throughout */
  CHECK_OK(wm_get_license_url(request, url, sizeof url, NULL));
  CHECK(strstr(url, "/v1/licenses") != NULL);
  carry_as(account_token(), request, url, answer);
  CHECK_RESULT(wm_process_response(request, answer->body, answer->body_size), WM_E_NO_RIGHTS);
  page_of(request, page);
  code_of(request, code);
  decide(page, code, "accept");
  carry_as(account_token(), request, url, answer);
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
  carry_as(account_token(), request, url, answer);
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
  CHECK_RESULT(wm_get_challenge(request, NULL, 0, NULL), WM_E_NEEDS_INDIVIDUALIZATION); /* the service is not known yet */
  CHECK_OK(wm_release(request));
  individualize(client);
  what_the_user_accepts_ends_the_monitor(client);
  a_silent_attempt_tells_the_page(client);
  there_must_be_a_request_to_abandon(client);
  who_accepts_after_the_monitor_was_cancelled_is_served(client);
  an_abandoned_request_is_served_no_more(client);
  a_callback_abandons_and_begins_anew(client);
  a_page_that_nobody_uses_ends_at_the_deadline(client);
  a_monitor_tells_what_an_acquisition_tells(client, argv[1]);
  a_release_leaves_the_request_for_the_next_start(client);
  the_application_carries_challenge_and_answer(client);
  an_answer_that_is_handed_over_ends_the_monitor(client);
  on_other_terms_a_renewal_says_that_the_user_must_accept(client, argv[1]);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
