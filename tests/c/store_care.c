/* Looking after the store: a check, a repair that touches nothing else, a cleaning in both ways. */
#include "common.h"

static wm_result check_store(wm_client *client, recorder *events, uint32_t flags) {
  wm_store_keeper *keeper = NULL;
  CHECK_OK(wm_create_store_keeper(client, events != NULL ? record : NULL, events, &keeper));
  CHECK_OK(wm_check_store(keeper, flags));
  wm_result result = finish(keeper);
  CHECK_OK(wm_release(keeper));
  return result;
}

/* Another program writes into the store. False if this machine has no sqlite3. */
static bool change_from_outside(const char *store, const char *sql) {
  char command[1024];
  int size = snprintf(command, sizeof command, "sqlite3 '%s/licenses.db' \"%s\" >/dev/null 2>&1", store, sql);
  CHECK(size > 0 && (size_t)size < sizeof command);
  return system(command) == 0; /* NOLINT: the test's own words */
}

static bool usable(wm_client *client, const uint8_t kid[KID_SIZE]) {
  uint32_t reasons = 77;
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &reasons));
  return reasons == 0;
}

static void a_sound_store_is_found_sound(wm_client *client) {
  recorder events = RECORDER_INIT;
  CHECK_RESULT(check_store(client, &events, 0), 0);
  CHECK_EQ(recorder_count(&events, WM_STATUS_STORE_CHECKED), 1);
  CHECK_EQ(recorder_count(&events, WM_STATUS_DAMAGED_LICENSE), 0);
  CHECK_RESULT(check_store(client, NULL, WM_CHECK_REPAIR), 0);
}

static void a_damaged_license_is_taken_out_and_no_other(wm_client *client, const char *store) {
  recorder events = RECORDER_INIT;
  char text[KID_TEXT_SIZE];
  if (!change_from_outside(store, "UPDATE page SET key = zeroblob(60) WHERE hex(licenses) LIKE '%A1A2A3%'")) return;
  CHECK_RESULT(check_store(client, &events, 0), WM_E_INVALID_LICENSE);
  CHECK_EQ(recorder_count(&events, WM_STATUS_DAMAGED_LICENSE), 1);
  event seen = recorder_await(&events, WM_STATUS_DAMAGED_LICENSE);
  CHECK_RESULT(seen.result, WM_E_INVALID_LICENSE);
  CHECK_TEXT((const char *)seen.value, kid_text(KID_VIDEO, text));
  CHECK_RESULT(check_store(client, NULL, WM_CHECK_REPAIR), WM_S_STORE_REPAIRED);
  CHECK_RESULT(check_store(client, NULL, 0), 0);
  CHECK(!usable(client, KID_VIDEO));
  CHECK(usable(client, KID_AUDIO));
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK(usable(client, KID_VIDEO));
}

static void changed_counts_count_as_used_up(wm_client *client, const char *store) {
  uint32_t reasons = 0;
  CHECK(usable(client, KID_COUNTED));
  if (!change_from_outside(store, "UPDATE state SET mac = zeroblob(32)")) return;
  CHECK_RESULT(check_store(client, NULL, 0), WM_E_CHECKPOINT_FAILED);
  CHECK_RESULT(check_store(client, NULL, WM_CHECK_REPAIR), WM_S_STORE_REPAIRED);
  CHECK_OK(wm_query_action_allowed(client, KID_COUNTED, "Play", &reasons));
  CHECK(reasons != 0);
  CHECK_RESULT(acquire(client, KID_COUNTED), WM_E_USED_UP);
  CHECK(!usable(client, KID_COUNTED));
}

static wm_result clean_inside(recorder *recorder, const event *seen, void *hook_context) {
  (void)recorder;
  if (seen->status == WM_STATUS_STORE_CLEANED)
    CHECK_RESULT(wm_clean_license_store(hook_context, WM_CLEAN_SYNC), WM_E_WOULD_DEADLOCK);
  return 0;
}

static void a_store_is_cleared_at_once_or_in_the_background(wm_client *client) {
  recorder events = RECORDER_INIT;
  wm_store_keeper *keeper = NULL;
  CHECK_OK(wm_create_store_keeper(client, record, &events, &keeper));
  CHECK_RESULT(wm_clean_license_store(keeper, 0), WM_E_INVALIDARG);
  CHECK_RESULT(wm_clean_license_store(keeper, WM_CLEAN_SYNC | WM_CLEAN_ASYNC), WM_E_INVALIDARG);
  CHECK_RESULT(wm_check_store(keeper, 2), WM_E_INVALIDARG);
  CHECK_RESULT(acquire(client, KID_EXPIRED), WM_S_LICENSE_ACQUIRED); /* ended in 2001 */
  CHECK_OK(wm_clean_license_store(keeper, WM_CLEAN_SYNC));
  CHECK_EQ(recorder_count(&events, WM_STATUS_STORE_CLEANED), 1);
  wm_license_state state = {0};
  state.struct_size = sizeof state;
  CHECK_OK(wm_query_license_state(client, KID_EXPIRED, "Play", &state));
  CHECK_EQ(state.category, WM_LICENSE_STATE_NORIGHT);
  CHECK(usable(client, KID_AUDIO));
  recorder_clear(&events);
  events.hook = clean_inside;
  events.hook_context = keeper;
  CHECK_OK(wm_clean_license_store(keeper, WM_CLEAN_ASYNC));
  CHECK_RESULT(finish(keeper), 0);
  CHECK_EQ(recorder_count(&events, WM_STATUS_STORE_CLEANED), 1);
  CHECK_OK(wm_release(keeper));
}

static void nothing_works_without_an_open_client(void) {
  wm_client *client = NULL;
  wm_store_keeper *keeper = NULL;
  CHECK_OK(wm_create_client(&client));
  CHECK_OK(wm_create_store_keeper(client, NULL, NULL, &keeper));
  CHECK_RESULT(wm_check_store(keeper, 0), WM_E_NOT_OPEN);
  CHECK_RESULT(wm_clean_license_store(keeper, WM_CLEAN_SYNC), WM_E_NOT_OPEN);
  CHECK_RESULT(wm_create_store_keeper(client, NULL, NULL, NULL), WM_E_INVALIDARG);
  CHECK_OK(wm_release(client));
  CHECK_OK(wm_release(keeper));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  nothing_works_without_an_open_client();
  wm_client *client = open_client(argv[1], "care");
  char *store = path_in(argv[1], "care");
  individualize(client);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_AUDIO), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_COUNTED), WM_S_LICENSE_ACQUIRED);
  a_sound_store_is_found_sound(client);
  a_damaged_license_is_taken_out_and_no_other(client, store);
  changed_counts_count_as_used_up(client, store);
  a_store_is_cleared_at_once_or_in_the_background(client);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  free(store);
  return 0;
}
