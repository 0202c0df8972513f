/* Pre-delivery and subscriptions: everything before it is needed, then only what changed; leaves that open with their root. */
#include "common.h"

static uint32_t reasons(wm_client *client, const uint8_t kid[KID_SIZE]) {
  uint32_t found = 0;
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &found));
  return found;
}

static void nothing_is_asked_for_without_content_scope_or_account(wm_client *client) {
  wm_license_request *request = NULL;
  CHECK_OK(wm_remove_prop(client, WM_PROP_ACCOUNT_TOKEN));
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_RESULT(wm_acquire_license(request, WM_ACQUIRE_SILENT), WM_E_INVALID_PROPERTY);
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, account_token()));
}

static void everything_comes_at_once_and_then_nothing_new(wm_client *client) {
  recorder events = RECORDER_INIT;
  uint8_t kid[KID_SIZE];
  CHECK_RESULT(predeliver(client, NULL, &events), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACQUIRE_LICENSE), 1);
  event progress = recorder_await(&events, WM_STATUS_PROGRESS);
  wm_progress told;
  CHECK_EQ(progress.size, sizeof told);
  memcpy(&told, progress.value, sizeof told);
  CHECK(told.done > TITLE_COUNT && told.done == told.total);
  CHECK(recorder_index(&events, WM_STATUS_PROGRESS) < recorder_index(&events, WM_STATUS_ACQUIRE_LICENSE));
  for (int number = 1; number <= TITLE_COUNT; number++) {
    title_kid(number, kid);
    CHECK_EQ(reasons(client, kid), 0);
  }
  CHECK_EQ(reasons(client, KID_GOLD), WM_REASON_NOT_ENABLED | WM_REASON_NO_LICENSE);
  CHECK_RESULT(predeliver(client, NULL, NULL), WM_S_NOTHING_NEW);
  CHECK(!WM_LICENSE_STORED(WM_S_NOTHING_NEW));
}

static void a_scope_is_for_the_account_that_has_it(wm_client *client) {
  CHECK_RESULT(predeliver(client, "gold", NULL), WM_E_NOT_ENTITLED);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, gold_account_token()));
  CHECK_RESULT(predeliver(client, "gold", NULL), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(reasons(client, KID_GOLD), 0);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, account_token()));
}

/* The owner takes the scope away: the refusal itself removes what came by it, whichever way the device asks. */
static void a_scope_that_was_lost_leaves_nothing_behind(const char *folder) {
  static const char *const names[] = {"lost-by-scope", "lost-by-key-id"};
  char printed[4096];
  wm_client *clients[2];
  for (int i = 0; i < 2; i++) {
    clients[i] = open_client(folder, names[i]);
    individualize(clients[i]);
    CHECK_OK(wm_set_string_prop(clients[i], WM_PROP_ACCOUNT_TOKEN, gold_account_token()));
    CHECK_RESULT(predeliver(clients[i], "gold", NULL), WM_S_LICENSE_ACQUIRED);
    CHECK_EQ(reasons(clients[i], KID_GOLD), 0);
  }
  owner("account change bob --remove-scope gold", printed, sizeof printed);
  wm_result by_scope = predeliver(clients[0], "gold", NULL), by_key_id = acquire(clients[1], KID_GOLD);
  owner("account change bob --add-scope gold", printed, sizeof printed); /* other programs need it */
  CHECK_EQ(by_scope, WM_E_NOT_ENTITLED);
  CHECK_EQ(by_key_id, WM_E_NOT_ENTITLED);
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(reasons(clients[i], KID_GOLD), WM_REASON_NOT_ENABLED | WM_REASON_NO_LICENSE);
    CHECK_RESULT(predeliver(clients[i], "gold", NULL), WM_S_LICENSE_ACQUIRED);
    CHECK_EQ(reasons(clients[i], KID_GOLD), 0);
    CHECK_OK(wm_release(clients[i]));
  }
}

static void a_leaf_opens_with_the_root_of_its_subscription(wm_client *client) {
  wm_decryptor *decryptor = NULL;
  wm_license_state state = {0};
  state.struct_size = sizeof state;
  CHECK_EQ(reasons(client, KID_LEAF), 0);
  CHECK_OK(wm_create_decryptor(client, KID_LEAF, "Play", &decryptor));
  CHECK_OK(wm_release(decryptor));
  CHECK_OK(wm_query_license_state(client, KID_LEAF, "Play", &state));
  CHECK_EQ(state.category, WM_LICENSE_STATE_UNTIL); /* with the root */
  CHECK_EQ(state.dates[0], 3786912000);             /* 2090-01-01 */

  CHECK_EQ(reasons(client, KID_LEAF_OVER), WM_REASON_NOT_ENABLED | WM_REASON_EXPIRED | WM_REASON_ROOT_MISSING);
  CHECK_RESULT(wm_create_decryptor(client, KID_LEAF_OVER, "Play", &decryptor), WM_E_SUBSCRIPTION_ENDED);
}

static void the_root_of_a_leaf_is_named(wm_client *client) {
  wm_license_enumerator *enumerator = NULL;
  char text[KID_TEXT_SIZE], root[KID_TEXT_SIZE];
  CHECK_OK(wm_create_license_enumerator(client, &enumerator));
  CHECK_OK(wm_set_string_prop(enumerator, WM_PROP_FILTER_KID, kid_text(KID_LEAF, text)));
  CHECK_OK(wm_next_license(enumerator));
  CHECK_OK(wm_get_prop(enumerator, WM_PROP_ROOT_KID, NULL, root, sizeof root, NULL));
  CHECK_OK(wm_release(enumerator));
  CHECK_OK(wm_create_license_enumerator(client, &enumerator));
  CHECK_OK(wm_set_string_prop(enumerator, WM_PROP_FILTER_KID, root));
  CHECK_OK(wm_next_license(enumerator));
  CHECK_RESULT(wm_next_license(enumerator), WM_E_NO_MORE_ITEMS);
  CHECK_OK(wm_release(enumerator));
}

static void one_leaf_by_its_key_id_brings_its_root(const char *folder) {
  wm_client *client = open_client(folder, "by-name");
  individualize(client);
  CHECK_RESULT(acquire(client, KID_LEAF), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(reasons(client, KID_LEAF), 0);
  CHECK_OK(wm_release(client));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "predelivery");
  CHECK_RESULT(predeliver(client, NULL, NULL), WM_E_NEEDS_INDIVIDUALIZATION);
  individualize(client);
  nothing_is_asked_for_without_content_scope_or_account(client);
  everything_comes_at_once_and_then_nothing_new(client);
  a_scope_is_for_the_account_that_has_it(client);
  a_scope_that_was_lost_leaves_nothing_behind(argv[1]);
  a_leaf_opens_with_the_root_of_its_subscription(client);
  the_root_of_a_leaf_is_named(client);
  one_leaf_by_its_key_id_brings_its_root(argv[1]);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
