/* renew.c: lists the licenses that end soon by their titles, renews them without the content, and gives one back.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/renew.c -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense -o renew
 * Run:    ./renew STORE AUTHORITY SERVICE_URL TOKEN DAYS [KEY_ID]
 *
 * STORE is the folder of the license store, AUTHORITY the text that `wmlicensed init` printed, TOKEN an account's token; licenses
 * that end, or whose owner wants them renewed, within DAYS days are asked for again. KEY_ID, in any form, is a title
 * that the user does not want any more. Prints:
 *   ends: TITLE, in N days          for each license that ends by then
 *   not renewed: TITLE (why)        for each that the service refuses
 *   renewed                         (or: nothing to renew)
 *   given back: TITLE               (or: deleted: TITLE, the service hears of it later)
 */
#include <wmlicense.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY 86400
#define KEY_ID_SIZE 16
#define TITLE_SIZE 256

static int fail(const char *what, wm_result result) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  if (wm_get_error_info(&info) == 0 && info.result == result)
    fprintf(stderr, "%s: %s: %s\n", what, wm_result_name(result), info.message);
  else
    fprintf(stderr, "%s: %s: %s\n", what, wm_result_name(result), wm_result_message(result));
  return EXIT_FAILURE;
}

/* The title of a key ID; one without a title, or with a longer one, is called so. */
static const char *title_of(wm_client *client, const uint8_t key_id[KEY_ID_SIZE], char title[TITLE_SIZE]) {
  if (wm_get_content_title(client, key_id, title, TITLE_SIZE, NULL) != 0) return "(no title)";
  return title;
}

static wm_result on_status(wm_status status, wm_result result, wm_attr_type type, const void *value, size_t size,
                           void *context) {
  uint8_t key_id[KEY_ID_SIZE];
  char title[TITLE_SIZE];
  (void)size;
  if (status == WM_STATUS_LICENSE_REFUSED && type == WM_TYPE_STRING &&
      wm_kid_from_text(value, WM_KID_BASE64, key_id) >= 0)
    printf("not renewed: %s (%s)\n", title_of(context, key_id, title), wm_result_message(result));
  else
    fprintf(stderr, "%s %s\n", wm_status_name(status), wm_result_name(result));
  return 0;
}

/* What the user of a library of films wants to see before the journey. */
static wm_result list_ending(wm_client *client, uint64_t now, uint64_t until) {
  wm_license_enumerator *licenses = NULL;
  wm_result result = wm_create_license_enumerator(client, &licenses);
  if (result >= 0)
    result = wm_set_prop(licenses, WM_PROP_FILTER_EXPIRING_BEFORE, WM_TYPE_QWORD, &until, sizeof until);
  while (result >= 0 && (result = wm_next_license(licenses)) >= 0) {
    char title[TITLE_SIZE];
    uint64_t ends = 0;
    if (wm_get_prop(licenses, WM_PROP_TITLE, NULL, title, sizeof title, NULL) != 0) strcpy(title, "(no title)");
    if (wm_get_prop(licenses, WM_PROP_NOT_AFTER, NULL, &ends, sizeof ends, NULL) < 0) ends = until; /* so long after its first use */
    printf("ends: %s, in %" PRIu64 " days\n", title, ends > now ? (ends - now) / DAY : 0);
  }
  wm_release(licenses);
  return result == WM_E_NO_MORE_ITEMS ? 0 : result;
}

/* No content is needed: the store knows where each license came from and how it was asked for. */
static wm_result renew(wm_client *client, uint32_t days) {
  wm_license_request *request = NULL;
  wm_result outcome = 0;
  wm_result result = wm_create_license_request(client, on_status, client, &request);
  if (result >= 0) result = wm_set_number_prop(request, WM_PROP_EXPIRING_WITHIN, days);
  if (result >= 0) result = wm_renew_licenses(request, WM_ACQUIRE_SILENT);
  if (result >= 0) result = wm_wait(request, WM_INFINITE, &outcome);
  wm_release(request);
  return result < 0 ? result : outcome;
}

/* Deleting needs no network. The service hears of it with the next renewal or acquisition, so one follows here. */
static wm_result give_back(wm_client *client, const uint8_t key_id[KEY_ID_SIZE], uint32_t days) {
  char title[TITLE_SIZE];
  uint32_t waiting = 0;
  title_of(client, key_id, title);
  wm_result result = wm_delete_licenses(client, key_id, 0);
  if (result != 0) return result; /* WM_S_FALSE: there was none */
  wm_result told = renew(client, days);
  result = wm_get_prop(client, WM_PROP_PENDING_TRANSACTIONS, NULL, &waiting, sizeof waiting, NULL);
  if (result < 0) return result;
  if (told >= 0 && waiting == 0)
    printf("given back: %s\n", title);
  else
    printf("deleted: %s, the service hears of it later\n", title);
  return 0;
}

int main(int argc, char **argv) {
  wm_client *client = NULL;
  uint8_t key_id[KEY_ID_SIZE];
  int code = EXIT_FAILURE;
  wm_result result;
  if ((argc != 6 && argc != 7) || (argc == 7 && wm_kid_from_text(argv[6], 0, key_id) < 0)) {
    fprintf(stderr, "usage: %s STORE AUTHORITY SERVICE_URL TOKEN DAYS [KEY_ID]\n", argv[0]);
    return 2;
  }
  uint32_t days = (uint32_t)strtoul(argv[5], NULL, 10);
  uint64_t now = (uint64_t)time(NULL);

  if ((result = wm_create_client(&client)) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_STORE_PATH, argv[1])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_AUTHORITY, argv[2])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_SERVICE_URL, argv[3])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, argv[4])) < 0 ||
      (result = wm_open_client(client)) < 0) {
    code = fail("open", result);
    goto cleanup;
  }
  if ((result = list_ending(client, now, now + (uint64_t)days * DAY)) < 0) {
    code = fail("list", result);
    goto cleanup;
  }
  result = renew(client, days);
  if (result == WM_S_NOTHING_TO_RENEW) {
    printf("nothing to renew\n");
  } else if (WM_LICENSE_STORED(result)) {
    printf("renewed\n");
  } else {
    code = fail("renew", result);
    goto cleanup;
  }
  if (argc == 7 && (result = give_back(client, key_id, days)) != 0) {
    code = fail("give back", result);
    goto cleanup;
  }
  code = EXIT_SUCCESS;

cleanup:
  wm_release(client);
  return code;
}
