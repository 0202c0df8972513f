/* Backup and restore: the order of statuses, restricted licenses, damaged files, another device, the limit. */
#include "common.h"

#include <sys/stat.h>

static wm_result back_up(wm_client *client, recorder *events, const char *folder, uint32_t flags) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, events != NULL ? record : NULL, events, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, folder));
  wm_result result = wm_backup_licenses(restorer, flags);
  if (result == 0) result = finish(restorer);
  CHECK_OK(wm_release(restorer));
  return result;
}

static wm_result restore(wm_client *client, recorder *events, const char *folder, uint32_t flags) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, events != NULL ? record : NULL, events, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, folder));
  CHECK_OK(wm_restore_licenses(restorer, flags));
  wm_result result = finish(restorer);
  CHECK_OK(wm_release(restorer));
  return result;
}

static size_t stored(wm_client *client) {
  wm_license_enumerator *licenses = NULL;
  size_t found = 0;
  CHECK_OK(wm_create_license_enumerator(client, &licenses));
  while (wm_next_license(licenses) == 0) found++;
  CHECK_OK(wm_release(licenses));
  return found;
}

static bool usable(wm_client *client, const uint8_t kid[KID_SIZE]) {
  uint32_t reasons = 77;
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &reasons));
  return reasons == 0;
}

static char *new_folder(const char *in, const char *name) {
  char *path = path_in(in, name);
  CHECK(mkdir(path, 0700) == 0);
  return path;
}

/* The statuses of `events` without progress and individualization, which may come any number of times. */
static void check_order(recorder *events, const wm_status *wanted, size_t count) {
  size_t next = 0;
  for (size_t i = 0; i < events->count; i++) {
    wm_status status = events->events[i].status;
    if (status == WM_STATUS_PROGRESS || status == WM_STATUS_INDIVIDUALIZE) continue;
    CHECK(next < count);
    CHECK_EQ(status, wanted[next]);
    next++;
  }
  CHECK_EQ(next, count);
}
#define CHECK_ORDER(events, ...) \
  check_order((events), (const wm_status[]){__VA_ARGS__}, sizeof((const wm_status[]){__VA_ARGS__}) / sizeof(wm_status))

static void a_backup_reports_in_order(wm_client *client, const char *folder) {
  recorder events = RECORDER_INIT;
  char text[KID_TEXT_SIZE];
  wm_progress progress;
  CHECK_OK(back_up(client, &events, folder, 0));
  /* KID_RESTRICTED may not be backed up, KID_COUNTED not with its state. */
  CHECK_ORDER(&events, WM_STATUS_BACKUPRESTORE_BEGIN, WM_STATUS_RESTRICTED_LICENSE, WM_STATUS_RESTRICTED_LICENSE,
              WM_STATUS_BACKUPRESTORE_END);
  bool restricted = false, counted = false;
  for (size_t i = 0; i < events.count; i++) {
    const event *seen = &events.events[i];
    if (seen->status == WM_STATUS_RESTRICTED_LICENSE) {
      CHECK_EQ(seen->type, WM_TYPE_STRING);
      CHECK_EQ(seen->size, KID_TEXT_SIZE); /* the NUL counts */
      restricted = restricted || strcmp((const char *)seen->value, kid_text(KID_RESTRICTED, text)) == 0;
      counted = counted || strcmp((const char *)seen->value, kid_text(KID_COUNTED, text)) == 0;
    }
  }
  CHECK(restricted && counted);
  event last = recorder_await(&events, WM_STATUS_PROGRESS);
  for (size_t i = 0; i < events.count; i++)
    if (events.events[i].status == WM_STATUS_PROGRESS) last = events.events[i];
  CHECK_EQ(last.type, WM_TYPE_BINARY);
  CHECK(last.size >= sizeof progress);
  memcpy(&progress, last.value, sizeof progress);
  CHECK_EQ(progress.struct_size, sizeof progress);
  CHECK_EQ(progress.done, 2);
  CHECK_EQ(events.events[events.count - 1].result, 0);
}

static void an_existing_backup_is_kept_unless_told_otherwise(wm_client *client, const char *folder) {
  recorder events = RECORDER_INIT;
  CHECK_RESULT(back_up(client, &events, folder, 0), WM_E_BACKUP_EXISTS);
  /* Refused at the call where the kernel remembers the file: then there is no status. Else the final status says it. */
  CHECK(events.count == 0 || (events.count == 1 && events.events[0].status == WM_STATUS_BACKUPRESTORE_END));
  CHECK_OK(back_up(client, &events, folder, WM_BACKUP_OVERWRITE));
}

static void unusable_places_are_told_apart(wm_client *client, const char *folder) {
  char *missing = path_in(folder, "no such folder"), *file = path_in(folder, "a file"), *empty = new_folder(folder, "empty");
  FILE *made = fopen(file, "w");
  CHECK(made != NULL && fclose(made) == 0);
  CHECK(back_up(client, NULL, missing, 0) < 0);
  CHECK(back_up(client, NULL, file, 0) < 0);
  CHECK_RESULT(restore(client, NULL, empty, 0), WM_E_BACKUP_NOT_FOUND);
  CHECK_RESULT(restore(client, NULL, missing, 0), WM_E_BACKUP_NOT_FOUND);
  CHECK_EQ(stored(client), 4);
  free(missing), free(file), free(empty);
}

static void restoring_here_needs_no_network(wm_client *client, const char *folder) {
  recorder events = RECORDER_INIT;
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  CHECK_OK(restore(client, &events, folder, 0));
  CHECK_ORDER(&events, WM_STATUS_BACKUPRESTORE_BEGIN, WM_STATUS_BACKUPRESTORE_END);
  CHECK_EQ(stored(client), 4);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, false));
}

/* Writes a changed copy of the backup into `to`: one byte flipped, or everything from `cut` on left out. */
static void damage(const char *from, const char *to, size_t flip, size_t cut) {
  char *source = path_in(from, "licenses.wmbackup"), *target = path_in(to, "licenses.wmbackup");
  FILE *in = fopen(source, "rb"), *out = fopen(target, "wb");
  CHECK(in != NULL && out != NULL);
  int byte;
  for (size_t at = 0; at < cut && (byte = getc(in)) != EOF; at++)
    CHECK(putc(at == flip ? byte ^ 0x20 : byte, out) != EOF);
  CHECK(fclose(in) == 0 && fclose(out) == 0);
  free(source), free(target);
}

static void damaged_backups_change_nothing(wm_client *client, const char *backup, const char *folder) {
  char *damaged = new_folder(folder, "damaged");
  const size_t flips[] = {0, 9, 13, 40, 200, 3000, 20000, 60000}, cuts[] = {0, 7, 12, 100, 2000, 30000, 65535};
  for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
    damage(backup, damaged, flips[i], SIZE_MAX);
    wm_result result = restore(client, NULL, damaged, 0);
    CHECK(result == WM_E_BACKUP_CORRUPT || result == WM_E_BACKUP_TOO_NEW);
  }
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    damage(backup, damaged, SIZE_MAX, cuts[i]);
    CHECK_RESULT(restore(client, NULL, damaged, 0), WM_E_BACKUP_CORRUPT);
  }
  CHECK_EQ(stored(client), 4);
  free(damaged);
}

static void another_device_asks_the_service(const char *folder, const char *backup) {
  recorder events = RECORDER_INIT;
  wm_client *second = open_client(folder, "second");
  CHECK_RESULT(restore(second, NULL, backup, 0), WM_E_NEEDS_INDIVIDUALIZATION);
  CHECK_OK(restore(second, &events, backup, WM_RESTORE_INDIVIDUALIZE));
  CHECK_ORDER(&events, WM_STATUS_BACKUPRESTORE_CONNECTING, WM_STATUS_BACKUPRESTORE_DISCONNECTING,
              WM_STATUS_BACKUPRESTORE_BEGIN, WM_STATUS_BACKUPRESTORE_END);
  CHECK(recorder_index(&events, WM_STATUS_INDIVIDUALIZE) >= 0);
  CHECK(recorder_index(&events, WM_STATUS_INDIVIDUALIZE) < recorder_index(&events, WM_STATUS_BACKUPRESTORE_CONNECTING));
  CHECK_EQ(stored(second), 2);
  CHECK(usable(second, KID_VIDEO));
  CHECK(usable(second, KID_AUDIO));
  /* Again on the same device: free, and still the same licenses. */
  CHECK_OK(restore(second, NULL, backup, 0));
  CHECK_EQ(stored(second), 2);
  CHECK_OK(wm_release(second));
}

static void the_fifth_device_is_refused_with_a_url(const char *folder, const char *backup) {
  const char *names[] = {"third", "fourth"};
  for (int i = 0; i < 2; i++) {
    wm_client *client = open_client(folder, names[i]);
    CHECK_OK(restore(client, NULL, backup, WM_RESTORE_INDIVIDUALIZE));
    CHECK_EQ(stored(client), 2);
    CHECK_OK(wm_release(client));
  }
  recorder events = RECORDER_INIT;
  wm_client *fifth = open_client(folder, "fifth");
  CHECK_RESULT(restore(fifth, &events, backup, WM_RESTORE_INDIVIDUALIZE), WM_E_RESTORE_FRAUD);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ERROR_WITHURL), 1);
  CHECK_EQ(recorder_count(&events, WM_STATUS_LICENSE_REFUSED), 2);
  CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_END), 1);
  long told = recorder_index(&events, WM_STATUS_ERROR_WITHURL);
  CHECK(recorder_index(&events, WM_STATUS_BACKUPRESTORE_DISCONNECTING) < told);
  CHECK(told < recorder_index(&events, WM_STATUS_BACKUPRESTORE_END));
  CHECK_EQ(events.events[told].type, WM_TYPE_STRING);
  CHECK(strncmp((const char *)events.events[told].value, service_url(), strlen(service_url())) == 0);
  CHECK_RESULT(recorder_await(&events, WM_STATUS_LICENSE_REFUSED).result, WM_E_RESTORE_FRAUD);
  CHECK_EQ(stored(fifth), 0);
  CHECK_OK(wm_release(fifth));
}

static wm_result look(wm_client *client, recorder *events, const char *folder,
                      wm_result (*verb)(wm_backup_restorer *restorer)) {
  wm_backup_restorer *restorer = NULL;
  recorder_clear(events);
  CHECK_OK(wm_create_backup_restorer(client, record, events, &restorer));
  CHECK_RESULT(verb(restorer), WM_E_INVALID_PROPERTY);
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, folder));
  CHECK_OK(verb(restorer));
  wm_result result = finish(restorer);
  CHECK_EQ(recorder_count(events, WM_STATUS_BACKUPRESTORE_END), 1);
  CHECK_OK(wm_release(restorer));
  return result;
}

static wm_result preview(wm_backup_restorer *restorer) { return wm_preview_restore(restorer); }
static wm_result verify(wm_backup_restorer *restorer) { return wm_verify_backup(restorer); }

static void a_backup_can_be_looked_at_without_using_it(wm_client *client, const char *folder, const char *backup) {
  recorder events = RECORDER_INIT;
  size_t before = stored(client);
  CHECK_RESULT(look(client, &events, backup, preview), 0);
  CHECK_EQ(recorder_count(&events, WM_STATUS_RESTORE_VERDICT), 2);
  CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_CONNECTING), 0);
  CHECK_RESULT(look(client, &events, backup, verify), 0);
  CHECK_EQ(stored(client), before);

  wm_client *fifth = open_client(folder, "fifth"); /* the limit is reached */
  CHECK_RESULT(look(fifth, &events, backup, preview), WM_S_RESTORE_PARTIAL);
  CHECK_EQ(recorder_count(&events, WM_STATUS_RESTORE_VERDICT), 2);
  event seen = recorder_await(&events, WM_STATUS_RESTORE_VERDICT);
  wm_restore_verdict verdict;
  CHECK_RESULT(seen.result, WM_E_RESTORE_FRAUD);
  CHECK_EQ(seen.size, sizeof verdict);
  memset(&verdict, 0, sizeof verdict);
  memcpy(&verdict, seen.value, sizeof verdict);
  CHECK_EQ(verdict.devices_used, 4);
  CHECK_EQ(verdict.devices_limit, 4);
  CHECK(strncmp(verdict.title, "Test ", 5) == 0);
  CHECK_EQ(stored(fifth), 0);
  CHECK_RESULT(look(fifth, &events, backup, verify), WM_S_BACKUP_CLOSED);
  CHECK_RESULT(look(fifth, &events, folder, verify), WM_E_BACKUP_NOT_FOUND);
  CHECK_OK(wm_release(fifth));
}

static void a_restore_gives_no_count_back(wm_client *client, const char *backup) {
  static const uint8_t iv[16];
  uint8_t data[16] = {0};
  wm_sample sample = {0};
  sample.struct_size = sizeof sample;
  sample.iv = iv;
  sample.iv_size = sizeof iv;
  sample.scheme = SCHEME_CENC;
  for (int i = 0; i < 2; i++) {
    wm_decryptor *decryptor = NULL;
    CHECK_OK(wm_create_decryptor(client, KID_COUNTED, "Play", &decryptor));
    CHECK_OK(wm_decrypt_sample(decryptor, &sample, data, sizeof data));
    CHECK_OK(wm_release(decryptor));
  }
  CHECK(!usable(client, KID_COUNTED));
  CHECK_OK(restore(client, NULL, backup, 0));
  CHECK(!usable(client, KID_COUNTED));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "first");
  char *backup = new_folder(argv[1], "backup");
  individualize(client);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_AUDIO), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_RESTRICTED), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_COUNTED), WM_S_LICENSE_ACQUIRED);
  a_backup_reports_in_order(client, backup);
  an_existing_backup_is_kept_unless_told_otherwise(client, backup);
  unusable_places_are_told_apart(client, argv[1]);
  restoring_here_needs_no_network(client, backup);
  damaged_backups_change_nothing(client, backup, argv[1]);
  another_device_asks_the_service(argv[1], backup);
  the_fifth_device_is_refused_with_a_url(argv[1], backup);
  a_backup_can_be_looked_at_without_using_it(client, argv[1], backup);
  a_restore_gives_no_count_back(client, backup);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  free(backup);
  return 0;
}
