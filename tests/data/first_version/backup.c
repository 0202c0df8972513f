/* backup.c: backs up every license that may leave this device, and says which ones may not.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/backup.c -Ltarget/release -Wl,-rpath,$PWD/target/release -lwmlicense -o backup
 * Run:    ./backup STORE AUTHORITY FOLDER [--overwrite]
 *
 * FOLDER must exist; the backup is one file in it. Needs no network. Prints:
 *   not in the backup: TITLE        (one line per restricted license)
 *   backed up: N licenses into FOLDER
 */
#include <wmlicense.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
  wm_client *client;
  uint64_t done;
};

/* Any function may be called in a callback, so the title is looked up right here. */
static void print_title(wm_client *client, const char *kid) {
  wm_license_enumerator *licenses = NULL;
  char title[256];
  if (wm_create_license_enumerator(client, &licenses) == 0 &&
      wm_set_string_prop(licenses, WM_PROP_FILTER_KID, kid) == 0 && wm_next_license(licenses) == 0 &&
      wm_get_prop(licenses, WM_PROP_TITLE, NULL, title, sizeof title, NULL) == 0)
    printf("not in the backup: %s\n", title);
  else
    printf("not in the backup: key ID %s\n", kid); /* no title is known */
  wm_release(licenses);
}

/* The values are valid until this returns; a failing answer would cancel. */
static wm_result on_status(wm_status status, wm_result result, wm_attr_type type, const void *value, size_t size,
                           void *context) {
  struct state *state = context;
  wm_progress progress;
  (void)result, (void)type;
  if (status == WM_STATUS_RESTRICTED_LICENSE) print_title(state->client, value);
  if (status == WM_STATUS_PROGRESS && size >= sizeof progress) {
    memcpy(&progress, value, sizeof progress);
    state->done = progress.done;
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

int main(int argc, char **argv) {
  struct state state = {0};
  wm_backup_restorer *restorer = NULL;
  bool overwrite = argc == 5 && strcmp(argv[4], "--overwrite") == 0;
  int code = EXIT_FAILURE;
  wm_result result, outcome = 0;
  if (argc != 4 && !overwrite) {
    fprintf(stderr, "usage: %s STORE AUTHORITY FOLDER [--overwrite]\n", argv[0]);
    return 2;
  }

  /* The store alone is enough: a backup never calls the service. */
  if ((result = wm_create_client(&state.client)) < 0 ||
      (result = wm_set_string_prop(state.client, WM_PROP_STORE_PATH, argv[1])) < 0 ||
      (result = wm_set_string_prop(state.client, WM_PROP_AUTHORITY, argv[2])) < 0 ||
      (result = wm_open_client(state.client)) < 0) {
    code = fail("open", result);
    goto cleanup;
  }
  if ((result = wm_create_backup_restorer(state.client, on_status, &state, &restorer)) < 0 ||
      (result = wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, argv[3])) < 0) {
    code = fail("set up", result);
    goto cleanup;
  }
  /* An existing backup stops it here, before anything is written, unless it may be replaced. */
  if ((result = wm_backup_licenses(restorer, overwrite ? WM_BACKUP_OVERWRITE : 0)) < 0) {
    code = fail("back up", result);
    goto cleanup;
  }
  /* An application with a user interface would go on here and act on the final status instead. */
  if ((result = wm_wait(restorer, WM_INFINITE, &outcome)) < 0 || (result = outcome) < 0) {
    code = fail("back up", result);
    goto cleanup;
  }
  printf("backed up: %" PRIu64 " licenses into %s\n", state.done, argv[3]);
  code = EXIT_SUCCESS;

cleanup:
  wm_release(restorer);
  wm_release(state.client);
  return code;
}
