/* A challenge that the application carries itself: page after page of a pre-delivery until it is complete, the account's
 * token that must travel along, and what a callback may do while an answer is handed over. */
#include "http.h"

enum { MANY = 1250, WIDE_ACTIONS = 9 };

/* --- helpers --------------------------------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  CHECK(file != NULL && fputs(text, file) >= 0);
  CHECK_EQ(fclose(file), 0);
}

/* More licenses than one answer takes, for an account of its own: their terms are as long as terms may be. */
static void many_for_one_account(const char *folder, char token[256]) {
  static char text[MANY * 640], words[1024], printed[4096];
  char *terms = path_in(folder, "wide.json"), *list = path_in(folder, "many.csv"), *at = text;
  at += sprintf(at, "{\"actions\":{\"Play\":{}");
  for (int action = 0; action < WIDE_ACTIONS; action++)
    at += sprintf(at, ",\"A%d\":{\"outputProtection\":\"%0340d\"}", action, 0);
  sprintf(at, "}}");
  write_file(terms, text);
  at = text;
  for (int number = 0; number < MANY; number++)
    at += sprintf(at, "e9%030x,%032x,Many %0500d\n", (unsigned)number, (unsigned)number + 1, number);
  write_file(list, text);
  snprintf(words, sizeof words, "policy set wide '%s'", terms);
  owner(words, printed, sizeof printed);
  snprintf(words, sizeof words, "content import '%s' --policy wide --scope many", list);
  owner(words, printed, sizeof printed);
  owner("account add carrier --scope many", printed, sizeof printed);
  const char *found = strstr(printed, "token: ");
  CHECK(found != NULL && sscanf(found, "token: %255s", token) == 1);
  free(terms);
  free(list);
}

static wm_license_request *delivery(wm_client *client, recorder *events, const char *scope) {
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, events != NULL ? record : NULL, events, &request));
  if (scope != NULL) CHECK_OK(wm_set_string_prop(request, WM_PROP_SCOPE, scope));
  return request;
}

/* Carries one challenge as this account and hands its answer over. */
static wm_result carried_as(const char *token, wm_license_request *request) {
  reply *answer = malloc(sizeof *answer);
  char url[MAX_URL];
  CHECK(answer != NULL);
  CHECK_OK(wm_get_license_url(request, url, sizeof url, NULL));
  carry_as(token, request, url, answer);
  wm_result result = wm_process_response(request, answer->body, answer->body_size);
  free(answer);
  return result;
}

static size_t stored(wm_client *client, const char *kid) {
  size_t count = 0;
  wm_license_enumerator *licenses = NULL;
  CHECK_OK(wm_create_license_enumerator(client, &licenses));
  if (kid != NULL) CHECK_OK(wm_set_string_prop(licenses, WM_PROP_FILTER_KID, kid));
  while (wm_next_license(licenses) == 0) count++;
  CHECK_OK(wm_release(licenses));
  return count;
}

static uint32_t pending(wm_client *client) {
  uint32_t count = 77;
  CHECK_OK(wm_get_prop(client, WM_PROP_PENDING_TRANSACTIONS, NULL, &count, sizeof count, NULL));
  return count;
}

static bool has_gold(wm_client *client) {
  char text[KID_TEXT_SIZE];
  return stored(client, kid_text(KID_GOLD, text)) > 0;
}

static wm_client *individualized(const char *folder, const char *name, const char *token) {
  wm_client *client = open_client(folder, name);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, token));
  individualize(client);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true)); /* the library itself stays offline throughout */
  return client;
}

/* --- complete --------------------------------------------------------------------------------------------------------- */

static void a_carried_delivery_says_when_it_is_complete(const char *folder) {
  char token[256], transaction[64];
  many_for_one_account(folder, token);
  wm_client *client = individualized(folder, "complete", token);
  wm_license_request *request = delivery(client, NULL, "many");
  wm_result result;
  int pages = 1;
  for (; (result = carried_as(token, request)) == WM_S_MORE_TO_FETCH; pages++) {
    CHECK(stored(client, NULL) > 0 && stored(client, NULL) < MANY);
    CHECK_EQ(pending(client), 1);
    /* The next page may be carried by another object, as after a restart. */
    CHECK_OK(wm_get_prop(request, WM_PROP_TRANSACTION_ID, NULL, transaction, sizeof transaction, NULL));
    CHECK_OK(wm_release(request));
    request = delivery(client, NULL, "many");
    CHECK_OK(wm_set_string_prop(request, WM_PROP_TRANSACTION_ID, transaction));
  }
  CHECK_RESULT(result, WM_S_LICENSE_ACQUIRED);
  CHECK(pages > 1);
  CHECK_EQ(stored(client, NULL), MANY);
  CHECK_EQ(pending(client), 0);
  /* The same object goes on with what is new, and there is nothing. */
  for (int again = 0; again < 2; again++) {
    CHECK_RESULT(carried_as(token, request), WM_S_NOTHING_NEW);
    CHECK_EQ(pending(client), 0);
  }
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_release(client));
}

static void what_is_new_comes_with_the_next_one(const char *folder) {
  static char printed[4096];
  const char *token = account_token();
  wm_client *client = individualized(folder, "new", token);
  wm_license_request *request = delivery(client, NULL, NULL);
  CHECK_RESULT(carried_as(token, request), WM_S_LICENSE_ACQUIRED);
  size_t before = stored(client, NULL);
  CHECK_RESULT(carried_as(token, request), WM_S_NOTHING_NEW);
  owner("content add --kid ea000000000000000000000000000001 --key 00112233445566778899aabbccddeeff --open", printed,
        sizeof printed);
  CHECK_RESULT(carried_as(token, request), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(stored(client, NULL), before + 1);
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_release(client));
}

/* --- the account's token ---------------------------------------------------------------------------------------------- */

static void what_needs_the_account_is_missed_and_comes_when_the_token_travels_along(const char *folder) {
  recorder events = RECORDER_INIT;
  wm_client *client = individualized(folder, "token", gold_account_token());
  wm_license_request *request = delivery(client, &events, NULL);
  CHECK_RESULT(carried_as(NULL, request), WM_S_LICENSE_ACQUIRED); /* what anybody may have */
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACCOUNT_NOT_PRESENTED), 1);
  event told = recorder_await(&events, WM_STATUS_ACCOUNT_NOT_PRESENTED);
  CHECK_RESULT(told.result, WM_E_ACCOUNT_NOT_PRESENTED);
  CHECK(told.size == 0 && !has_gold(client));
  recorder_clear(&events);
  CHECK_RESULT(carried_as(gold_account_token(), request), WM_S_LICENSE_ACQUIRED);
  CHECK(has_gold(client));
  CHECK_RESULT(carried_as(gold_account_token(), request), WM_S_NOTHING_NEW);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACCOUNT_NOT_PRESENTED), 0);
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_release(client));
}

static void a_refusal_tells_that_the_token_was_missing(const char *folder) {
  recorder events = RECORDER_INIT;
  char text[KID_TEXT_SIZE];
  wm_client *client = individualized(folder, "refused", gold_account_token());
  wm_license_request *request = delivery(client, &events, "gold");
  CHECK_RESULT(carried_as(NULL, request), WM_E_ACCOUNT_REQUIRED);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACCOUNT_NOT_PRESENTED), 1);
  recorder_clear(&events);
  CHECK_OK(wm_remove_prop(request, WM_PROP_SCOPE));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(KID_GOLD, text)));
  CHECK_RESULT(carried_as(NULL, request), WM_E_ACCOUNT_REQUIRED);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACCOUNT_NOT_PRESENTED), 1);
  event refused = recorder_await(&events, WM_STATUS_LICENSE_REFUSED);
  CHECK_RESULT(refused.result, WM_E_ACCOUNT_REQUIRED);
  CHECK_TEXT((const char *)refused.value, text);
  /* Nobody set an account: then nobody forgot it. */
  recorder_clear(&events);
  CHECK_OK(wm_remove_prop(client, WM_PROP_ACCOUNT_TOKEN));
  CHECK_RESULT(carried_as(NULL, request), WM_E_ACCOUNT_REQUIRED);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACCOUNT_NOT_PRESENTED), 0);
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_release(client));
}

/* --- what a callback may do meanwhile --------------------------------------------------------------------------------- */

typedef struct acting {
  wm_license_request *request;
  pthread_t caller;
  int act, seen;
} acting;

enum { CANCELS, STARTS, RELEASES, CARRIES, ACTS };

static wm_result act(recorder *to, const event *seen, void *context) {
  acting *on = context;
  if (seen->status != WM_STATUS_ACCOUNT_NOT_PRESENTED || on->seen++ > 0) return 0;
  CHECK(!pthread_equal(pthread_self(), on->caller)); /* a thread of the library */
  CHECK_RESULT(wm_wait(on->request, 0, NULL), WM_E_WOULD_DEADLOCK);
  switch (on->act) {
    case CANCELS: CHECK_OK(wm_cancel(on->request)); return WM_E_INTERNAL;
    case STARTS: CHECK_OK(wm_acquire_license(on->request, WM_ACQUIRE_SILENT)); break;
    case RELEASES: CHECK_OK(wm_release(on->request)); break;
    case CARRIES: CHECK_RESULT(carried_as(NULL, on->request), WM_S_LICENSE_ACQUIRED); break;
  }
  (void)to;
  return 0;
}

static void a_callback_does_what_it_likes_while_an_answer_is_handed_over(const char *folder) {
  for (int what = 0; what < ACTS; what++) {
    char name[32];
    snprintf(name, sizeof name, "acting-%d", what);
    recorder events = RECORDER_INIT;
    wm_client *client = individualized(folder, name, account_token());
    acting on = {.request = delivery(client, &events, NULL), .caller = pthread_self(), .act = what};
    events.hook = act;
    events.hook_context = &on;
    CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, what != STARTS));
    CHECK_RESULT(carried_as(NULL, on.request), WM_S_LICENSE_ACQUIRED); /* stored, whatever the callback does */
    CHECK(stored(client, NULL) > 0);
    if (what == STARTS) CHECK_RESULT(finish(on.request), WM_S_LICENSE_ACQUIRED);
    if (what == CARRIES) recorder_await(&events, WM_STATUS_ACCOUNT_NOT_PRESENTED);
    if (what == RELEASES)
      CHECK_RESULT(wm_release(on.request), WM_E_INVALID_HANDLE);
    else
      CHECK_OK(wm_release(on.request));
    CHECK_EQ(on.seen, what == CARRIES ? 2 : 1);
    CHECK_OK(wm_release(client));
  }
}

/* The same statuses come through a queue, for who takes no callbacks. */
static void a_queue_gets_the_statuses_too(const char *folder) {
  wm_client *client = individualized(folder, "queue", account_token());
  wm_event_queue *queue = NULL;
  wm_event told = {.struct_size = sizeof told};
  CHECK_OK(wm_create_event_queue(client, &queue));
  wm_license_request *request = delivery(client, NULL, NULL);
  CHECK_RESULT(carried_as(NULL, request), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_next_event(queue, 0, &told));
  CHECK_EQ(told.status, WM_STATUS_ACCOUNT_NOT_PRESENTED);
  CHECK(told.object == (void *)request);
  CHECK_RESULT(wm_next_event(queue, 0, &told), WM_E_TIMEOUT);
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_release(queue));
  CHECK_OK(wm_release(client));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  CHECK_RESULT(wm_process_response(NULL, "x", 1), WM_E_INVALIDARG);
  a_carried_delivery_says_when_it_is_complete(argv[1]);
  what_is_new_comes_with_the_next_one(argv[1]);
  what_needs_the_account_is_missed_and_comes_when_the_token_travels_along(argv[1]);
  a_refusal_tells_that_the_token_was_missing(argv[1]);
  a_callback_does_what_it_likes_while_an_answer_is_handed_over(argv[1]);
  a_queue_gets_the_statuses_too(argv[1]);
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
