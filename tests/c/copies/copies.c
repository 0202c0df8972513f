/* Stores that are copied and copied back, and stores that are half lost: what the service makes of them, and the ways back.
 * The service gives another epoch in every answer, so that nothing waits for an hour. */
#include "../common.h"

#include <sys/stat.h>

static char base[4096];

/* Runs a command of the shell in the test's folder. */
static void shell(const char *command) {
  char line[8192];
  CHECK(snprintf(line, sizeof line, "cd '%s' && %s", base, command) < (int)sizeof line);
  CHECK_EQ(system(line), 0);
}

static wm_result transfer(wm_client *client, recorder *events, const char *place, bool back, uint32_t flags) {
  wm_backup_restorer *restorer = NULL;
  char *folder = path_in(base, place);
  CHECK_OK(wm_create_backup_restorer(client, events != NULL ? record : NULL, events, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, back ? WM_PROP_RESTORE_PATH : WM_PROP_BACKUP_PATH, folder));
  CHECK_OK(back ? wm_restore_licenses(restorer, flags) : wm_backup_licenses(restorer, flags));
  wm_result result = finish(restorer);
  CHECK_OK(wm_release(restorer));
  free(folder);
  return result;
}

static wm_result force(wm_client *client) {
  wm_individualizer *individualizer = NULL;
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_OK(wm_individualize(individualizer, WM_INDIVIDUALIZE_FORCE));
  wm_result result = finish(individualizer);
  CHECK_OK(wm_release(individualizer));
  return result;
}

static void device_id(wm_client *client, char text[64]) {
  CHECK_OK(wm_get_prop(client, WM_PROP_DEVICE_ID, NULL, text, 64, NULL));
}

static bool usable(wm_client *client, int number) {
  uint8_t kid[KID_SIZE];
  uint32_t reasons = 77;
  title_kid(number, kid);
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &reasons));
  return reasons == 0;
}

static wm_result acquire_title(wm_client *client, int number) {
  uint8_t kid[KID_SIZE];
  title_kid(number, kid);
  return acquire(client, kid);
}

static void check_remedy(uint32_t remedy) {
  wm_error_info info = {.struct_size = sizeof info};
  CHECK_OK(wm_get_error_info(&info));
  CHECK_EQ(info.remedy, remedy);
}

/* The store as it was when the copy was made. */
static wm_client *copied_back(void) {
  shell("rm -rf store && cp -r image store");
  return open_client(base, "store");
}

static void copies(void) {
  char first[64], later[64], printed[4096];
  wm_client *client = open_client(base, "other");
  individualize(client);
  CHECK_RESULT(acquire_title(client, 9), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(transfer(client, NULL, "place", false, 0));
  CHECK_OK(wm_release(client));

  client = open_client(base, "store");
  individualize(client);
  device_id(client, first);
  CHECK_RESULT(acquire_title(client, 1), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_release(client));
  shell("cp -r store image");
  client = open_client(base, "store");
  for (int number = 2; number <= 4; number++) CHECK_RESULT(acquire_title(client, number), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_release(client));

  for (int forks = 1; forks <= 4; forks++) { /* forgiven */
    client = copied_back();
    CHECK_RESULT(acquire_title(client, 2), WM_S_LICENSE_ACQUIRED);
    CHECK_OK(wm_release(client));
  }
  client = copied_back();
  CHECK_RESULT(acquire(client, KID_COUNTED), WM_E_DEVICE_COPIED);
  check_remedy(WM_REMEDY_INDIVIDUALIZE_ANEW);
  CHECK_RESULT(acquire_title(client, 5), WM_S_LICENSE_ACQUIRED); /* what counts nothing goes on */
  CHECK_RESULT(transfer(client, NULL, "place", true, 0), WM_E_DEVICE_COPIED);
  owner("device list --json", printed, sizeof printed);
  CHECK(strstr(printed, "\"forks\":5") != NULL);

  CHECK_RESULT(force(client), WM_S_INDIVIDUALIZED);
  device_id(client, later);
  CHECK_TEXT(later, first); /* the same device with other keys */
  CHECK(usable(client, 1));
  CHECK_RESULT(acquire(client, KID_COUNTED), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(transfer(client, NULL, "place", true, 0));
  CHECK_OK(wm_release(client));

  client = copied_back(); /* holds the old keys */
  CHECK_RESULT(acquire_title(client, 6), WM_E_KEY_REPLACED);
  check_remedy(WM_REMEDY_INDIVIDUALIZE_ANEW);
  CHECK(usable(client, 1));
  CHECK_RESULT(force(client), WM_S_INDIVIDUALIZED);
  device_id(client, later);
  CHECK(strcmp(first, later) != 0); /* another one with a seat of its own */
  CHECK_RESULT(acquire_title(client, 6), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_release(client));
}

/* A folder with keys and a store, and a backup of it that needs the service elsewhere. */
static void half_lost(const char *name, char id[64]) {
  char words[128];
  wm_client *client = open_client(base, name);
  individualize(client);
  device_id(client, id);
  uint8_t kid[KID_SIZE];
  revocable_kid(1, kid);
  CHECK_RESULT(acquire(client, kid), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire_title(client, 1), WM_S_LICENSE_ACQUIRED);
  snprintf(words, sizeof words, "backup-of-%s", name);
  char *place = path_in(base, words);
  CHECK(mkdir(place, 0700) == 0);
  free(place);
  CHECK_OK(transfer(client, NULL, words, false, 0));
  CHECK_OK(wm_release(client));
}

/* Restores into a device that has no certificate. Without the user's consent comes what its keys open and needs no service, if
 * there is any; with it, individualization comes first and then all of it. */
static void restore_half_lost(wm_client *client, const char *place, bool has_keys) {
  static recorder events = RECORDER_INIT;
  uint8_t kid[KID_SIZE];
  uint32_t reasons = 77;
  recorder_clear(&events);
  if (has_keys) {
    CHECK_RESULT(transfer(client, &events, place, true, 0), WM_S_RESTORE_PARTIAL);
    CHECK_RESULT(recorder_await(&events, WM_STATUS_LICENSE_REFUSED).result, WM_E_NEEDS_INDIVIDUALIZATION);
    CHECK(usable(client, 1));
    recorder_clear(&events);
  } else {
    CHECK_RESULT(transfer(client, NULL, place, true, 0), WM_E_NEEDS_INDIVIDUALIZATION);
    check_remedy(WM_REMEDY_INDIVIDUALIZE);
  }
  CHECK_OK(transfer(client, &events, place, true, WM_RESTORE_INDIVIDUALIZE));
  CHECK(recorder_index(&events, WM_STATUS_INDIVIDUALIZE) >= 0);
  CHECK(recorder_index(&events, WM_STATUS_INDIVIDUALIZE) < recorder_index(&events, WM_STATUS_BACKUPRESTORE_CONNECTING));
  revocable_kid(1, kid);
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &reasons));
  CHECK_EQ(reasons, 0);
  CHECK(usable(client, 1));
}

static void losses(void) {
  char before[64], after[64];
  half_lost("storeless", before); /* the keys are there, the store is not */
  shell("rm storeless/licenses.db*");
  wm_client *client = open_client(base, "storeless");
  restore_half_lost(client, "backup-of-storeless", true);
  device_id(client, after);
  CHECK_TEXT(after, before); /* the same keys are the same device, whose seats are free */
  CHECK_OK(wm_release(client));

  half_lost("keyless", before); /* the store is there, as on a disk that was put into another machine, the keys are not */
  shell("rm keyless/device.key");
  char *path = path_in(base, "keyless");
  CHECK_OK(wm_create_client(&client));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_STORE_PATH, path));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_AUTHORITY, service_authority()));
  CHECK_RESULT(wm_open_client(client), WM_E_SECURE_STORE_NOT_FOUND);
  check_remedy(WM_REMEDY_RESTORE_BACKUP);
  CHECK_OK(wm_release(client));
  shell("cp storeless/device.key keyless/device.key"); /* nor do another device's keys open it */
  CHECK_OK(wm_create_client(&client));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_STORE_PATH, path));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_AUTHORITY, service_authority()));
  CHECK_RESULT(wm_open_client(client), WM_E_HDS_KEY_MISMATCH);
  check_remedy(WM_REMEDY_RESTORE_BACKUP);
  CHECK_OK(wm_release(client));
  free(path);
  shell("rm -r keyless"); /* the way back: an empty folder and the backup */
  client = open_client(base, "keyless");
  restore_half_lost(client, "backup-of-keyless", false);
  device_id(client, after);
  CHECK(strcmp(after, before) != 0);
  CHECK_OK(wm_release(client));
}

int main(int count, char **arguments) {
  CHECK_EQ(count, 2);
  CHECK(snprintf(base, sizeof base, "%s", arguments[1]) < (int)sizeof base);
  char *place = path_in(base, "place");
  CHECK(mkdir(place, 0700) == 0);
  free(place);
  copies();
  losses();
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
