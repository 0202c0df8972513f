/* predeliver.c: fetches every license that the account may have before it is needed, and the next time only what changed.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/predeliver.c -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense -o predeliver
 * Run:    ./predeliver STORE AUTHORITY SERVICE_URL TOKEN [SCOPE]
 *
 * STORE is the folder of the license store, AUTHORITY the text that `wmlicensed init` printed, TOKEN an account's token, SCOPE
 * the part of the catalogue to fetch; without it, all that the account may have. Prints:
 *   delivered: N licenses           (or: nothing new)
 *   stored: M licenses
 * Stop it whenever you like: the next run goes on where this one was.
 */
#include <wmlicense.h>

#include <stdio.h>
#include <stdlib.h>

/* Statuses come one at a time on a thread of the library; a failing answer would cancel. */
static wm_result on_status(wm_status status, wm_result result, wm_attr_type type, const void *value, size_t size,
                           void *context) {
  uint64_t *delivered = context;
  (void)type;
  if (status == WM_STATUS_PROGRESS && size >= sizeof(wm_progress)) {
    *delivered = ((const wm_progress *)value)->done;
    fprintf(stderr, "\r%llu licenses", (unsigned long long)*delivered);
  } else if (status != WM_STATUS_INDIVIDUALIZE) {
    fprintf(stderr, "\r%s %s\n", wm_status_name(status), wm_result_name(result));
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

static wm_result individualize_device(wm_client *client) {
  wm_individualizer *individualizer = NULL;
  wm_result outcome = 0;
  wm_result result = wm_create_individualizer(client, NULL, NULL, &individualizer);
  /* An application asks its user first: the privacy statement of the service says what is sent. */
  if (result >= 0) result = wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true);
  if (result >= 0) result = wm_individualize(individualizer, 0); /* does nothing where the device is current */
  if (result >= 0) result = wm_wait(individualizer, WM_INFINITE, &outcome);
  wm_release(individualizer);
  return result < 0 ? result : outcome;
}

/* A request that names no content asks for everything. */
static wm_result predeliver(wm_client *client, const char *scope, uint64_t *delivered) {
  wm_license_request *request = NULL;
  wm_result outcome = 0;
  wm_result result = wm_create_license_request(client, on_status, delivered, &request);
  if (result >= 0 && scope != NULL) result = wm_set_string_prop(request, WM_PROP_SCOPE, scope);
  if (result >= 0) result = wm_acquire_license(request, WM_ACQUIRE_SILENT);
  if (result >= 0) result = wm_wait(request, WM_INFINITE, &outcome);
  wm_release(request);
  return result < 0 ? result : outcome;
}

static wm_result count_licenses(wm_client *client, unsigned long *count) {
  wm_license_enumerator *enumerator = NULL;
  wm_result result = wm_create_license_enumerator(client, &enumerator);
  while (result >= 0 && (result = wm_next_license(enumerator)) >= 0) ++*count;
  wm_release(enumerator);
  return result == WM_E_NO_MORE_ITEMS ? 0 : result;
}

int main(int argc, char **argv) {
  wm_client *client = NULL;
  uint64_t delivered = 0;
  unsigned long stored = 0;
  int code = EXIT_FAILURE;
  wm_result result;
  if (argc != 5 && argc != 6) {
    fprintf(stderr, "usage: %s STORE AUTHORITY SERVICE_URL TOKEN [SCOPE]\n", argv[0]);
    return 2;
  }

  if ((result = wm_create_client(&client)) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_STORE_PATH, argv[1])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_AUTHORITY, argv[2])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_SERVICE_URL, argv[3])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, argv[4])) < 0 ||
      (result = wm_open_client(client)) < 0) {
    code = fail("open", result);
    goto cleanup;
  }
  if ((result = individualize_device(client)) < 0) {
    code = fail("individualize", result);
    goto cleanup;
  }
  result = predeliver(client, argc == 6 ? argv[5] : NULL, &delivered);
  if (WM_LICENSE_STORED(result))
    printf("delivered: %llu licenses\n", (unsigned long long)delivered);
  else if (result == WM_S_NOTHING_NEW)
    printf("nothing new\n");
  else {
    code = fail("predeliver", result);
    goto cleanup;
  }
  if ((result = count_licenses(client, &stored)) < 0) {
    code = fail("list", result);
    goto cleanup;
  }
  printf("stored: %lu licenses\n", stored);
  code = EXIT_SUCCESS;

cleanup:
  wm_release(client);
  return code;
}
