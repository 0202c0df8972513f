/* What a restore leaves out and why: each license and each closed part with its own reason, a preview that says the same before,
 * what needs no service where the service cannot be asked, and an individualization on the way that always ends. */
#include "common.h"

#include <sys/stat.h>

static const uint8_t KID_ALONE[KID_SIZE] = KID_LAST(0xcb, 1);   /* one device in all */
static const uint8_t KID_TAKEN[KID_SIZE] = KID_LAST(0xcb, 2);   /* taken back by its owner */
static const uint8_t KID_TRAVELS[KID_SIZE] = KID_LAST(0xcb, 3); /* counted, and backed up with its state */

static wm_backup_restorer *restorer_for(wm_client *client, recorder *events, const char *property, const char *folder) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, events != NULL ? record : NULL, events, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, property, folder));
  return restorer;
}

static char *back_up(wm_client *client, const char *root, const char *name) {
  char *folder = path_in(root, name);
  CHECK(mkdir(folder, 0700) == 0);
  wm_backup_restorer *restorer = restorer_for(client, NULL, WM_PROP_BACKUP_PATH, folder);
  CHECK_OK(wm_backup_licenses(restorer, 0));
  CHECK_OK(finish(restorer));
  CHECK_OK(wm_release(restorer));
  return folder;
}

static wm_result restore(wm_client *client, recorder *events, const char *folder, uint32_t flags) {
  recorder_clear(events);
  wm_backup_restorer *restorer = restorer_for(client, events, WM_PROP_RESTORE_PATH, folder);
  CHECK_OK(wm_restore_licenses(restorer, flags));
  wm_result result = finish(restorer);
  CHECK_OK(wm_release(restorer));
  CHECK_EQ(recorder_count(events, WM_STATUS_BACKUPRESTORE_END), 1);
  return result;
}

static wm_result preview(wm_client *client, recorder *events, const char *folder) {
  recorder_clear(events);
  wm_backup_restorer *restorer = restorer_for(client, events, WM_PROP_RESTORE_PATH, folder);
  CHECK_OK(wm_preview_restore(restorer));
  wm_result result = finish(restorer);
  CHECK_OK(wm_release(restorer));
  CHECK_EQ(recorder_count(events, WM_STATUS_BACKUPRESTORE_END), 1);
  return result;
}

/* Why a restore left this license out; 0 if it did not. */
static wm_result refused(recorder *events, const uint8_t kid[KID_SIZE]) {
  char text[KID_TEXT_SIZE];
  for (size_t i = 0; i < events->count; i++) {
    const event *seen = &events->events[i];
    if (seen->status == WM_STATUS_LICENSE_REFUSED && strcmp((const char *)seen->value, kid_text(kid, text)) == 0)
      return seen->result;
  }
  return 0;
}

/* What a preview says of this license. */
static wm_result verdict(recorder *events, const uint8_t kid[KID_SIZE]) {
  for (size_t i = 0; i < events->count; i++) {
    const event *seen = &events->events[i];
    wm_restore_verdict said;
    if (seen->status != WM_STATUS_RESTORE_VERDICT) continue;
    CHECK_EQ(seen->size, sizeof said);
    memcpy(&said, seen->value, sizeof said);
    if (memcmp(said.kid, kid, KID_SIZE) == 0) return seen->result;
  }
  CHECK(false);
  return WM_E_INTERNAL;
}

static wm_section_closed closed(recorder *events, wm_result why) {
  wm_section_closed said = {0};
  event seen = recorder_await(events, WM_STATUS_SECTION_CLOSED);
  CHECK_EQ(recorder_count(events, WM_STATUS_SECTION_CLOSED), 1);
  CHECK_RESULT(seen.result, why);
  CHECK_EQ(seen.type, WM_TYPE_BINARY);
  CHECK_EQ(seen.size, sizeof said);
  memcpy(&said, seen.value, sizeof said);
  CHECK_EQ(said.struct_size, sizeof said);
  CHECK_EQ(said.reserved, 0);
  CHECK_EQ(said.sections, 1);
  CHECK(said.bytes > 0);
  return said;
}

static bool usable(wm_client *client, const uint8_t kid[KID_SIZE]) {
  uint32_t reasons = 77;
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &reasons));
  return reasons == 0;
}

static void offer(const char *root, const char *kid, const char *terms) {
  char words[1024], printed[4096], *file = path_in(root, "terms.json");
  FILE *written = fopen(file, "w");
  CHECK(written != NULL && fputs(terms, written) >= 0 && fclose(written) == 0);
  snprintf(words, sizeof words, "policy set of-%s '%s'", kid, file);
  owner(words, printed, sizeof printed);
  snprintf(words, sizeof words, "content add --kid %s --key 00112233445566778899aabbccddeeff --policy of-%s --open", kid, kid);
  owner(words, printed, sizeof printed);
  free(file);
}

static void each_license_is_told_with_its_own_reason(const char *root, const char *backup) {
  recorder events = RECORDER_INIT;
  wm_client *other = open_client(root, "other");
  individualize(other);
  CHECK_RESULT(preview(other, &events, backup), WM_S_RESTORE_PARTIAL);
  CHECK_RESULT(verdict(&events, KID_VIDEO), 0);
  CHECK_RESULT(verdict(&events, KID_ALONE), WM_E_RESTORE_FRAUD);
  CHECK_RESULT(verdict(&events, KID_TAKEN), WM_E_LICENSE_CONTENT_REVOKED);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ERROR_WITHURL), 1);
  CHECK_RESULT(recorder_await(&events, WM_STATUS_ERROR_WITHURL).result, WM_E_RESTORE_FRAUD);
  CHECK_RESULT(restore(other, &events, backup, 0), WM_S_RESTORE_PARTIAL);
  CHECK_RESULT(refused(&events, KID_VIDEO), 0);
  CHECK_RESULT(refused(&events, KID_ALONE), WM_E_RESTORE_FRAUD);
  CHECK_RESULT(refused(&events, KID_TAKEN), WM_E_LICENSE_CONTENT_REVOKED);
  CHECK_EQ(recorder_count(&events, WM_STATUS_LICENSE_REFUSED), 2);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ERROR_WITHURL), 1);
  CHECK_RESULT(recorder_await(&events, WM_STATUS_ERROR_WITHURL).result, WM_E_RESTORE_FRAUD);
  CHECK(usable(other, KID_VIDEO) && !usable(other, KID_ALONE) && !usable(other, KID_TAKEN));
  CHECK_OK(wm_release(other));
}

static void a_page_is_told_with_what_it_helps_with(wm_client *first, const char *root) {
  recorder events = RECORDER_INIT;
  char printed[4096];
  owner("license revoke --kid cb000000000000000000000000000002", printed, sizeof printed);
  CHECK_OK(wm_delete_licenses(first, KID_ALONE, 0)); /* its seat is taken */
  char *backup = back_up(first, root, "without the limit");
  wm_client *other = open_client(root, "of the page");
  individualize(other);
  CHECK_RESULT(restore(other, &events, backup, 0), WM_S_RESTORE_PARTIAL);
  CHECK_RESULT(refused(&events, KID_TAKEN), WM_E_LICENSE_CONTENT_REVOKED);
  CHECK_RESULT(recorder_await(&events, WM_STATUS_ERROR_WITHURL).result, WM_E_LICENSE_CONTENT_REVOKED);
  CHECK_OK(wm_release(other));
  free(backup);
}

/* A refusal that holds for a time says how long. */
static uint64_t waits_ms;
static wm_result note_wait(recorder *from, const event *seen, void *context) {
  wm_error_info info = {0};
  (void)from, (void)context;
  info.struct_size = sizeof info;
  if (seen->result == WM_E_GRANTED_TOO_OFTEN && seen->status == WM_STATUS_LICENSE_REFUSED) {
    CHECK_OK(wm_get_error_info(&info));
    waits_ms = info.retry_after_ms;
  }
  return 0;
}

/* The folder of a store, without all but its keys. */
static wm_client *with_keys_only(const char *root, const char *from, const char *to) {
  char *source = path_in(root, from), *target = path_in(root, to), line[1024];
  snprintf(line, sizeof line, "mkdir -m 700 '%s' && cp '%s/device.key' '%s'", target, source, target);
  CHECK_EQ(system(line), 0);
  free(source), free(target);
  return open_client(root, to);
}

static void without_the_service_the_rest_is_told_with_what_is_missing(const char *root, const char *backup) {
  recorder events = RECORDER_INIT;
  wm_client *lost = with_keys_only(root, "first", "lost");
  /* Nobody certified this store yet, and the user was not asked. */
  CHECK_RESULT(preview(lost, &events, backup), WM_S_RESTORE_PARTIAL);
  CHECK_RESULT(verdict(&events, KID_VIDEO), 0);
  CHECK_RESULT(verdict(&events, KID_TRAVELS), WM_E_NEEDS_INDIVIDUALIZATION);
  CHECK_RESULT(restore(lost, &events, backup, 0), WM_S_RESTORE_PARTIAL);
  CHECK_RESULT(refused(&events, KID_TRAVELS), WM_E_NEEDS_INDIVIDUALIZATION);
  CHECK_EQ(recorder_count(&events, WM_STATUS_LICENSE_REFUSED), 1);
  CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_CONNECTING), 0);
  CHECK(usable(lost, KID_VIDEO) && !usable(lost, KID_TRAVELS));
  CHECK_OK(wm_set_bool_prop(lost, WM_PROP_OFFLINE_ONLY, true));
  CHECK_RESULT(restore(lost, &events, backup, WM_RESTORE_INDIVIDUALIZE), WM_S_RESTORE_PARTIAL);
  CHECK_RESULT(refused(&events, KID_TRAVELS), WM_E_POLICY_DISABLE_ONLINE);
  CHECK_OK(wm_set_bool_prop(lost, WM_PROP_OFFLINE_ONLY, false));
  /* With the service all of it comes, twice a year: this store and the one before were lost. */
  CHECK_OK(restore(lost, &events, backup, WM_RESTORE_INDIVIDUALIZE));
  CHECK(usable(lost, KID_TRAVELS));
  CHECK_OK(wm_release(lost));
  lost = with_keys_only(root, "first", "lost again");
  CHECK_OK(restore(lost, &events, backup, WM_RESTORE_INDIVIDUALIZE));
  CHECK_OK(wm_release(lost));
  lost = with_keys_only(root, "first", "lost too often");
  events.hook = note_wait;
  CHECK_RESULT(restore(lost, &events, backup, WM_RESTORE_INDIVIDUALIZE), WM_S_RESTORE_PARTIAL);
  CHECK_RESULT(refused(&events, KID_TRAVELS), WM_E_GRANTED_TOO_OFTEN);
  CHECK(waits_ms > 364ULL * 86400 * 1000 && waits_ms <= 365ULL * 86400 * 1000);
  CHECK_OK(wm_release(lost));
}

static void a_closed_part_is_told_with_reason_size_and_page(const char *root) {
  recorder events = RECORDER_INIT;
  wm_client *owner_s = open_client(root, "two accounts"), *other = open_client(root, "one account");
  individualize(owner_s), individualize(other);
  CHECK_RESULT(acquire(owner_s, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_set_string_prop(owner_s, WM_PROP_ACCOUNT_TOKEN, gold_account_token()));
  CHECK_RESULT(acquire(owner_s, KID_GOLD), WM_S_LICENSE_ACQUIRED);
  char *backup = back_up(owner_s, root, "accounts");
  CHECK_RESULT(preview(other, &events, backup), WM_S_RESTORE_PARTIAL);
  wm_section_closed before = closed(&events, WM_E_OTHER_ACCOUNT);
  CHECK_EQ(recorder_count(&events, WM_STATUS_RESTORE_VERDICT), 1);
  CHECK_RESULT(restore(other, &events, backup, 0), WM_S_RESTORE_PARTIAL);
  wm_section_closed said = closed(&events, WM_E_OTHER_ACCOUNT);
  CHECK_EQ(said.bytes, before.bytes);
  CHECK(strncmp(said.url, service_url(), strlen(service_url())) == 0);
  CHECK_EQ(recorder_count(&events, WM_STATUS_LICENSE_REFUSED), 0);
  CHECK_RESULT(recorder_await(&events, WM_STATUS_ERROR_WITHURL).result, WM_E_OTHER_ACCOUNT);
  CHECK_OK(wm_set_string_prop(other, WM_PROP_ACCOUNT_TOKEN, gold_account_token()));
  CHECK_OK(restore(other, &events, backup, 0));
  CHECK_EQ(recorder_count(&events, WM_STATUS_SECTION_CLOSED), 0);
  CHECK_OK(wm_release(owner_s));
  CHECK_OK(wm_release(other));
  free(backup);
}

/* --- the individualization within a restore -------------------------------------------------------------------------- */

/* The last word of the individualization, which comes before the end of the restore. */
static wm_individualize_progress last_word(recorder *events, wm_result result) {
  wm_individualize_progress progress = {0};
  long last = -1;
  for (size_t i = 0; i < events->count; i++)
    if (events->events[i].status == WM_STATUS_INDIVIDUALIZE) last = (long)i;
  CHECK(last >= 0 && last < recorder_index(events, WM_STATUS_BACKUPRESTORE_END));
  CHECK_RESULT(events->events[last].result, result);
  CHECK_EQ(events->events[last].size, sizeof progress);
  memcpy(&progress, events->events[last].value, sizeof progress);
  CHECK_RESULT(progress.result, result);
  for (long i = 0; i < last; i++)
    if (events->events[i].status == WM_STATUS_INDIVIDUALIZE) CHECK_EQ(events->events[i].result, 0);
  return progress;
}

static wm_result cancel_at_individualize(recorder *from, const event *seen, void *context) {
  (void)from, (void)context;
  return seen->status == WM_STATUS_INDIVIDUALIZE ? WM_E_OPERATION_CANCELED : 0;
}

static void an_individualization_within_a_restore_ends(const char *root, const char *backup) {
  recorder events = RECORDER_INIT;
  wm_client *fresh = open_client(root, "fresh");
  CHECK_OK(wm_set_string_prop(fresh, WM_PROP_SERVICE_URL, "http://127.0.0.1:9")); /* nobody listens */
  CHECK_OK(wm_set_number_prop(fresh, WM_PROP_RETRY_LIMIT, 1));
  CHECK_RESULT(restore(fresh, &events, backup, WM_RESTORE_INDIVIDUALIZE), WM_E_INDIV_SERVICE_UNAVAILABLE);
  CHECK_EQ(last_word(&events, WM_E_INDIV_SERVICE_UNAVAILABLE).phase, WM_INDIVIDUALIZE_FAIL);
  CHECK_OK(wm_set_string_prop(fresh, WM_PROP_SERVICE_URL, service_url()));
  events.hook = cancel_at_individualize;
  CHECK_RESULT(restore(fresh, &events, backup, WM_RESTORE_INDIVIDUALIZE), WM_E_OPERATION_CANCELED);
  CHECK_EQ(last_word(&events, WM_E_OPERATION_CANCELED).phase, WM_INDIVIDUALIZE_CANCEL);
  events.hook = NULL;
  CHECK_RESULT(restore(fresh, &events, backup, WM_RESTORE_INDIVIDUALIZE), WM_S_RESTORE_PARTIAL);
  CHECK_EQ(last_word(&events, WM_S_INDIVIDUALIZED).phase, WM_INDIVIDUALIZE_SUCCEED);
  CHECK(recorder_index(&events, WM_STATUS_INDIVIDUALIZE) < recorder_index(&events, WM_STATUS_BACKUPRESTORE_CONNECTING));
  CHECK_OK(wm_release(fresh));
  /* Where something goes in without the service, it goes in, and the failure is told all the same. */
  wm_client *lost = with_keys_only(root, "first", "lost for good");
  CHECK_OK(wm_set_string_prop(lost, WM_PROP_SERVICE_URL, "http://127.0.0.1:9"));
  CHECK_OK(wm_set_number_prop(lost, WM_PROP_RETRY_LIMIT, 1));
  CHECK_RESULT(restore(lost, &events, backup, WM_RESTORE_INDIVIDUALIZE), WM_S_RESTORE_PARTIAL);
  CHECK_EQ(last_word(&events, WM_E_INDIV_SERVICE_UNAVAILABLE).phase, WM_INDIVIDUALIZE_FAIL);
  CHECK_RESULT(refused(&events, KID_TRAVELS), WM_E_INDIV_SERVICE_UNAVAILABLE);
  CHECK_OK(wm_release(lost));
}

/* Releases the object at the first word of an end: nothing comes after it. */
static wm_result release_at_the_end(recorder *from, const event *seen, void *context) {
  wm_individualize_progress progress = {0};
  (void)from;
  if (seen->status != WM_STATUS_INDIVIDUALIZE) return 0;
  memcpy(&progress, seen->value, sizeof progress);
  if (progress.result == 0) return WM_E_OPERATION_CANCELED;
  CHECK_OK(wm_release(*(wm_backup_restorer **)context));
  return 0;
}

static void a_release_at_the_end_of_the_individualization_is_the_last_word(const char *root, const char *backup) {
  recorder events = RECORDER_INIT;
  wm_client *client = open_client(root, "released");
  wm_backup_restorer *restorer = restorer_for(client, &events, WM_PROP_RESTORE_PATH, backup);
  events.hook = release_at_the_end, events.hook_context = &restorer;
  uint32_t before = wm_live_objects();
  CHECK_OK(wm_restore_licenses(restorer, WM_RESTORE_INDIVIDUALIZE));
  struct timespec pause = {0, 5000000};
  while (wm_live_objects() >= before) nanosleep(&pause, NULL);
  CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_END), 0);
  CHECK_OK(wm_release(client));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  char printed[4096];
  offer(argv[1], "cb000000000000000000000000000001", "{\"backup\":true,\"restoreDevices\":1}");
  offer(argv[1], "cb000000000000000000000000000002", "{\"backup\":true}");
  offer(argv[1], "cb000000000000000000000000000003", "{\"actions\":{\"Play\":{\"count\":5}},\"backup\":\"stateful\"}");
  wm_client *first = open_client(argv[1], "first");
  individualize(first);
  CHECK_RESULT(acquire(first, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(first, KID_TRAVELS), WM_S_LICENSE_ACQUIRED);
  char *lost = back_up(first, argv[1], "lost backup");
  without_the_service_the_rest_is_told_with_what_is_missing(argv[1], lost);
  CHECK_RESULT(acquire(first, KID_ALONE), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(first, KID_TAKEN), WM_S_LICENSE_ACQUIRED);
  char *backup = back_up(first, argv[1], "backup");
  owner("license revoke --kid cb000000000000000000000000000002", printed, sizeof printed);
  each_license_is_told_with_its_own_reason(argv[1], backup);
  a_page_is_told_with_what_it_helps_with(first, argv[1]);
  a_closed_part_is_told_with_reason_size_and_page(argv[1]);
  an_individualization_within_a_restore_ends(argv[1], backup);
  a_release_at_the_end_of_the_individualization_is_the_last_word(argv[1], backup);
  CHECK_OK(wm_release(first));
  CHECK_EQ(wm_live_objects(), 0);
  free(backup), free(lost);
  return 0;
}
