/* restore.c: restores a backup, on the device that made it without any network, on another one through the service.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/restore.c -Ltarget/release -Wl,-rpath,$PWD/target/release -lwmlicense -o restore
 * Run:    ./restore STORE AUTHORITY FOLDER [SERVICE_URL TOKEN]
 *
 * Without SERVICE_URL nothing is sent: that restores on the same device only. TOKEN is an account's token or - for none. Prints:
 *   refused: KEY_ID: REASON         (one line per license that the service refused)
 *   more about it: URL              (when too many devices restored this backup)
 *   restored offline | through the service: the store holds N licenses
 */
#include <wmlicense.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
  bool connected;
};

/* Statuses come one at a time on a thread of the library. Texts end with a NUL and are valid until this returns. */
static wm_result on_status(wm_status status, wm_result result, wm_attr_type type, const void *value, size_t size,
                           void *context) {
  struct state *state = context;
  (void)type, (void)size;
  switch (status) {
  case WM_STATUS_BACKUPRESTORE_CONNECTING: state->connected = true; break;
  case WM_STATUS_LICENSE_REFUSED: printf("refused: %s: %s\n", (const char *)value, wm_result_message(result)); break;
  case WM_STATUS_ERROR_WITHURL: printf("more about it: %s\n", (const char *)value); break;
  case WM_STATUS_PROGRESS: /* a wm_progress: an application moves its progress bar */ break;
  default: break;
  }
  return 0;
}

static int fail(const char *what, wm_result result) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  if (wm_get_error_info(&info) == 0 && info.result == result)
    fprintf(stderr, "%s: %s: %s\n", what, wm_result_name(result), info.message);
  else
    fprintf(stderr, "%s: %s: %s\n", what, wm_result_name(result), wm_result_message(result));
  return EXIT_FAILURE;
}

static size_t count_licenses(wm_client *client) {
  wm_license_enumerator *licenses = NULL;
  size_t count = 0;
  if (wm_create_license_enumerator(client, &licenses) == 0)
    while (wm_next_license(licenses) == 0) count++;
  wm_release(licenses);
  return count;
}

int main(int argc, char **argv) {
  struct state state = {0};
  wm_client *client = NULL;
  wm_backup_restorer *restorer = NULL;
  bool online = argc == 6;
  int code = EXIT_FAILURE;
  wm_result result, outcome = 0;
  if (argc != 4 && argc != 6) {
    fprintf(stderr, "usage: %s STORE AUTHORITY FOLDER [SERVICE_URL TOKEN|-]\n", argv[0]);
    return 2;
  }

  if ((result = wm_create_client(&client)) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_STORE_PATH, argv[1])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_AUTHORITY, argv[2])) < 0 ||
      (online && (result = wm_set_string_prop(client, WM_PROP_SERVICE_URL, argv[4])) < 0) ||
      (online && strcmp(argv[5], "-") != 0 &&
       (result = wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, argv[5])) < 0) ||
      (!online && (result = wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true)) < 0) ||
      (result = wm_open_client(client)) < 0) {
    code = fail("open", result);
    goto cleanup;
  }
  if ((result = wm_create_backup_restorer(client, on_status, &state, &restorer)) < 0 ||
      (result = wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, argv[3])) < 0) {
    code = fail("set up", result);
    goto cleanup;
  }
  /* The flag lets a device without an identity get one first; an application asks its user before it is set. */
  if ((result = wm_restore_licenses(restorer, online ? WM_RESTORE_INDIVIDUALIZE : 0)) < 0 ||
      (result = wm_wait(restorer, WM_INFINITE, &outcome)) < 0 || (result = outcome) < 0) {
    code = fail("restore", result);
    goto cleanup;
  }
  if (result == WM_S_RESTORE_PARTIAL) printf("restored in part: the refused licenses are named above\n");
  printf("restored %s: the store holds %zu licenses\n", state.connected ? "through the service" : "offline",
         count_licenses(client));
  code = EXIT_SUCCESS;

cleanup:
  wm_release(restorer);
  wm_release(client);
  return code;
}
