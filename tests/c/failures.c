/* Services that are down, by what was wanted of them, and stores that cannot be used: each has its own code and loses nothing. */
#include "common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static wm_result start_again(recorder *seen, const event *now, void *object) {
  (void)seen;
  if (now->result != 0) return 0; /* the final status: the object is about to be free */
  CHECK_RESULT(wm_individualize(object, 0), WM_E_INDIVIDUALIZING);
  CHECK_RESULT(wm_set_bool_prop(object, WM_PROP_USER_CONSENT, true), WM_E_INDIVIDUALIZING);
  return 0;
}

static void only_forcing_asks_again_and_the_device_stays_the_same(wm_client *client) {
  recorder seen = RECORDER_INIT;
  wm_individualizer *individualizer = NULL;
  char before[64], after[64];
  size_t needed = 0;
  CHECK_OK(wm_get_prop(client, WM_PROP_DEVICE_ID, NULL, before, sizeof before, &needed));
  CHECK_OK(wm_create_individualizer(client, record, &seen, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  CHECK_OK(wm_individualize(individualizer, 0));
  CHECK_RESULT(finish(individualizer), WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_individualize(individualizer, WM_INDIVIDUALIZE_FORCE));
  CHECK_RESULT(finish(individualizer), WM_E_POLICY_DISABLE_ONLINE);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, false));
  seen.hook = start_again, seen.hook_context = individualizer;
  recorder_clear(&seen);
  CHECK_OK(wm_individualize(individualizer, WM_INDIVIDUALIZE_FORCE));
  CHECK_RESULT(finish(individualizer), WM_S_INDIVIDUALIZED);
  CHECK(seen.count >= 2); /* progress, then the end */
  CHECK_OK(wm_get_prop(client, WM_PROP_DEVICE_ID, NULL, after, sizeof after, &needed));
  CHECK_TEXT(after, before);
  CHECK_OK(wm_release(individualizer));
}

static void a_service_that_is_down_is_named_by_what_was_wanted_of_it(wm_client *client, const char *root) {
  wm_individualizer *individualizer = NULL;
  CHECK_OK(wm_set_number_prop(client, WM_PROP_RETRY_LIMIT, 0));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, "http://127.0.0.1:1")); /* nobody listens there */
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_OK(wm_individualize(individualizer, WM_INDIVIDUALIZE_FORCE));
  CHECK_RESULT(finish(individualizer), WM_E_INDIV_SERVICE_UNAVAILABLE);
  CHECK_OK(wm_release(individualizer));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, service_url()));

  /* A backup of this device, to be restored on another one whose service is down. */
  wm_backup_restorer *restorer = NULL;
  char *folder = path_in(root, "backup");
  CHECK(mkdir(folder, 0700) == 0);
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, folder));
  CHECK_OK(wm_backup_licenses(restorer, 0));
  CHECK_OK(finish(restorer));
  CHECK_OK(wm_release(restorer));
  wm_client *other = open_client(root, "other");
  individualize(other);
  CHECK_OK(wm_set_number_prop(other, WM_PROP_RETRY_LIMIT, 0));
  CHECK_OK(wm_set_string_prop(other, WM_PROP_SERVICE_URL, "http://127.0.0.1:1"));
  CHECK_OK(wm_create_backup_restorer(other, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, folder));
  CHECK_OK(wm_restore_licenses(restorer, 0));
  CHECK_RESULT(finish(restorer), WM_E_RESTORE_SERVICE_UNAVAILABLE);
  CHECK_OK(wm_release(restorer));
  CHECK_OK(wm_release(other));
  free(folder);
}

static wm_result try_open(const char *path) {
  wm_client *client = NULL;
  CHECK_OK(wm_create_client(&client));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_STORE_PATH, path));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_AUTHORITY, service_authority()));
  wm_result result = wm_open_client(client);
  CHECK_OK(wm_release(client));
  return result;
}

static void overwrite(const char *folder, const char *name, const char *text) {
  char *path = path_in(folder, name);
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  CHECK(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text) && close(file) == 0);
  free(path);
}

static void each_fault_of_the_store_has_its_own_code(const char *root) {
  char *deep = path_in(root, "no/such/parent"), *file = path_in(root, "a-file"), *store = path_in(root, "store");
  char *key = path_in(root, "other/device.key"), *key_kept = path_in(root, "other/kept");
  char *other = path_in(root, "other");
  overwrite(root, "a-file", "x");
  CHECK_RESULT(try_open(deep), WM_E_PATH_NOT_FOUND);
  CHECK_RESULT(try_open(file), WM_E_PATH_UNUSABLE);
  CHECK(rename(key, key_kept) == 0);
  CHECK_RESULT(try_open(other), WM_E_SECURE_STORE_NOT_FOUND);
  overwrite(other, "device.key", "not a key");
  CHECK_RESULT(try_open(other), WM_E_SECURE_STORE_ERROR);
  CHECK(rename(key_kept, key) == 0);
  CHECK_OK(try_open(other));
  char *own_key = path_in(store, "device.key");
  CHECK(rename(own_key, key) == 0);
  CHECK_RESULT(try_open(other), WM_E_HDS_KEY_MISMATCH); /* the keys of another store */
  CHECK(rename(key, own_key) == 0);
  overwrite(store, "licenses.db", "this is not a license store, and long enough to be taken for a database file");
  CHECK_RESULT(try_open(store), WM_E_DATASTORE_CORRUPT);
  free(deep), free(file), free(store), free(key), free(key_kept), free(other), free(own_key);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  individualize(client);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED); /* so that a backup holds something to restore */
  only_forcing_asks_again_and_the_device_stays_the_same(client);
  a_service_that_is_down_is_named_by_what_was_wanted_of_it(client, argv[1]);
  CHECK_OK(wm_release(client));
  each_fault_of_the_store_has_its_own_code(argv[1]);
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
