/* One step of the crash test (tests/crash.rs), so that it can be killed anywhere in it.
 *
 *   step STORE individualize | acquire | backup FOLDER | try-backup FOLDER | restore FOLDER | count
 *
 * `try-backup` prints what came of the backup, and the remedy of a failure.
 * `acquire` asks for titles 1 to 4 in one request. `count` prints how many licenses the store holds and how many of
 * those titles may be played, using no network. */
#include "../common.h"

enum { LICENSES = 4 };

static wm_client *client_of(const char *store) {
  wm_client *client = NULL;
  CHECK_OK(wm_create_client(&client));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_STORE_PATH, store));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_AUTHORITY, service_authority()));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, service_url()));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, account_token()));
  CHECK_OK(wm_open_client(client));
  return client;
}

static void acquire_titles(wm_client *client) {
  char list[LICENSES * KID_TEXT_SIZE + 1] = "";
  wm_license_request *request = NULL;
  for (int number = 1; number <= LICENSES; number++) {
    uint8_t kid[KID_SIZE];
    char text[KID_TEXT_SIZE];
    title_kid(number, kid);
    if (number > 1) strcat(list, ";");
    strcat(list, kid_text(kid, text));
  }
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, list));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_release(request));
}

static void run_restorer(wm_client *client, bool backup, const char *folder) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, backup ? WM_PROP_BACKUP_PATH : WM_PROP_RESTORE_PATH, folder));
  if (backup)
    CHECK_OK(wm_backup_licenses(restorer, WM_BACKUP_OVERWRITE));
  else
    CHECK_OK(wm_restore_licenses(restorer, 0));
  CHECK_OK(finish(restorer));
  CHECK_OK(wm_release(restorer));
}

static void try_backup(wm_client *client, const char *folder) {
  wm_backup_restorer *restorer = NULL;
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, folder));
  CHECK_OK(wm_backup_licenses(restorer, WM_BACKUP_OVERWRITE));
  wm_result result = finish(restorer);
  if (result < 0) CHECK_OK(wm_get_error_info(&info));
  printf("%s remedy %u\n", wm_result_name(result), (unsigned)info.remedy);
  CHECK_OK(wm_release(restorer));
}

static void print_count(wm_client *client) {
  wm_license_enumerator *enumerator = NULL;
  int stored = 0, playable = 0;
  wm_result result;
  CHECK_OK(wm_create_license_enumerator(client, &enumerator));
  while ((result = wm_next_license(enumerator)) == 0) stored++;
  CHECK_RESULT(result, WM_E_NO_MORE_ITEMS);
  CHECK_OK(wm_release(enumerator));
  for (int number = 1; number <= LICENSES; number++) {
    uint8_t kid[KID_SIZE];
    wm_decryptor *decryptor = NULL;
    title_kid(number, kid);
    result = wm_create_decryptor(client, kid, "Play", &decryptor);
    if (result == 0) playable++;
    else CHECK_RESULT(result, WM_E_LICENSE_REQUIRED);
    CHECK_OK(wm_release(decryptor));
  }
  printf("stored %d playable %d\n", stored, playable);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const char *step = argv[2], *folder = argc > 3 ? argv[3] : "";
  wm_client *client = client_of(argv[1]);
  if (strcmp(step, "individualize") == 0) individualize(client);
  else if (strcmp(step, "acquire") == 0) acquire_titles(client);
  else if (strcmp(step, "backup") == 0) run_restorer(client, true, folder);
  else if (strcmp(step, "try-backup") == 0) try_backup(client, folder);
  else if (strcmp(step, "restore") == 0) run_restorer(client, false, folder);
  else if (strcmp(step, "count") == 0) print_count(client);
  else return 2;
  CHECK_OK(wm_release(client));
  return 0;
}
