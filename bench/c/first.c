/* first.c: what an application does that is started for one license.
 *
 *   first STORE AUTHORITY URL TOKEN KID   KID in base64
 */
#include <wmlicense.h>

#include <stdio.h>
#include <stdlib.h>

#define CHECK(call) check((call), #call)

static void check(wm_result result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "%s: %s\n", what, wm_result_name(result));
  exit(EXIT_FAILURE);
}

int main(int count, char **words) {
  wm_client *client = NULL;
  wm_license_request *request = NULL;
  wm_result result = 0;
  if (count != 6) {
    fputs("see the first lines of bench/c/first.c\n", stderr);
    return EXIT_FAILURE;
  }
  CHECK(wm_create_client(&client));
  CHECK(wm_set_string_prop(client, WM_PROP_STORE_PATH, words[1]));
  CHECK(wm_set_string_prop(client, WM_PROP_AUTHORITY, words[2]));
  CHECK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, words[3]));
  CHECK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, words[4]));
  CHECK(wm_open_client(client));
  CHECK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK(wm_set_string_prop(request, WM_PROP_KEY_IDS, words[5]));
  CHECK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK(wm_wait(request, WM_INFINITE, &result));
  CHECK(result);
  if (result != WM_S_LICENSE_ACQUIRED) {
    fprintf(stderr, "no license was stored: %s\n", wm_result_name(result));
    return EXIT_FAILURE;
  }
  CHECK(wm_release(request));
  CHECK(wm_release(client));
  return EXIT_SUCCESS;
}
