/* acquire.c: individualizes this device if needed, then acquires licenses silently.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/acquire.c -Ltarget/release -Wl,-rpath,$PWD/target/release -lwmlicense -o acquire
 * Run:    ./acquire STORE AUTHORITY SERVICE_URL TOKEN CONTENT...
 *
 * STORE is the folder of the license store, AUTHORITY the text that `wmlicensed init` printed, TOKEN an account's token or - for
 * none, CONTENT a protected media file or a key ID of 32 hexadecimal digits. Prints:
 *   individualized: device DEVICE_ID
 *   license acquired: KEY_ID        (one line per key ID)
 */
#include <wmlicense.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Statuses come one at a time on a thread of the library; a failing answer would cancel. */
static wm_result on_status(wm_status status, wm_result result, wm_attr_type type, const void *value, size_t size,
                           void *context) {
  const char *what = context;
  (void)type, (void)value, (void)size;
  if (status != WM_STATUS_INDIVIDUALIZE || result < 0)
    fprintf(stderr, "%s: %s %s\n", what, wm_status_name(status), wm_result_name(result));
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

/* Key IDs are base64 in properties: 32 hexadecimal digits become 24 characters. */
static bool base64_of_hex(const char *hex, char text[25]) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t kid[18] = {0};
  if (strlen(hex) != 32 || strspn(hex, "0123456789abcdefABCDEF") != 32) return false;
  for (int i = 0; i < 16; i++) {
    unsigned byte = 0;
    if (sscanf(hex + 2 * i, "%2x", &byte) != 1) return false;
    kid[i] = (uint8_t)byte;
  }
  for (int i = 0; i < 6; i++) {
    uint32_t group = (uint32_t)kid[3 * i] << 16 | (uint32_t)kid[3 * i + 1] << 8 | kid[3 * i + 2];
    for (int k = 0; k < 4; k++) text[4 * i + k] = digits[group >> (18 - 6 * k) & 63];
  }
  memcpy(text + 22, "==", 3);
  return true;
}

/* The key IDs of a content, separated by semicolons: of the file's header, or the one given. */
static wm_result key_ids_of(const char *content, char *key_ids, size_t size) {
  wm_content_header *header = NULL;
  if (base64_of_hex(content, key_ids)) return 0;
  wm_result result = wm_create_content_header_from_file(content, &header);
  if (result >= 0) result = wm_get_prop(header, WM_PROP_KIDS, NULL, key_ids, size, NULL);
  wm_release(header);
  return result;
}

static wm_result individualize_device(wm_client *client) {
  wm_individualizer *individualizer = NULL;
  char device[64];
  wm_result outcome = 0;
  wm_result result = wm_create_individualizer(client, on_status, "individualize", &individualizer);
  /* An application asks its user first: the privacy statement of the service says what is sent. */
  if (result >= 0) result = wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true);
  if (result >= 0) result = wm_individualize(individualizer, 0); /* does nothing where the device is current */
  if (result >= 0) result = wm_wait(individualizer, WM_INFINITE, &outcome);
  if (result >= 0) result = outcome;
  if (result >= 0) result = wm_get_prop(client, WM_PROP_DEVICE_ID, NULL, device, sizeof device, NULL);
  if (result >= 0) printf("individualized: device %s\n", device);
  wm_release(individualizer);
  return result;
}

static wm_result acquire_licenses(wm_client *client, const char *key_ids) {
  wm_license_request *request = NULL;
  wm_result outcome = 0;
  wm_result result = wm_create_license_request(client, on_status, "acquire", &request);
  if (result >= 0) result = wm_set_string_prop(request, WM_PROP_KEY_IDS, key_ids);
  if (result >= 0) result = wm_acquire_license(request, WM_ACQUIRE_SILENT);
  if (result >= 0) result = wm_wait(request, WM_INFINITE, &outcome);
  if (result >= 0) result = outcome;
  wm_release(request);
  return result;
}

int main(int argc, char **argv) {
  wm_client *client = NULL;
  char key_ids[1024];
  int code = EXIT_FAILURE;
  wm_result result;
  if (argc < 6) {
    fprintf(stderr, "usage: %s STORE AUTHORITY SERVICE_URL TOKEN|- CONTENT...\n", argv[0]);
    return 2;
  }

  /* A client is one store on this device; what it trusts and where its service is are properties. */
  if ((result = wm_create_client(&client)) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_STORE_PATH, argv[1])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_AUTHORITY, argv[2])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_SERVICE_URL, argv[3])) < 0 ||
      (strcmp(argv[4], "-") != 0 && (result = wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, argv[4])) < 0) ||
      (result = wm_open_client(client)) < 0) {
    code = fail("open", result);
    goto cleanup;
  }
  if ((result = individualize_device(client)) < 0) {
    code = fail("individualize", result);
    goto cleanup;
  }
  for (int i = 5; i < argc; i++) {
    if ((result = key_ids_of(argv[i], key_ids, sizeof key_ids)) < 0) {
      code = fail(argv[i], result);
      goto cleanup;
    }
    result = acquire_licenses(client, key_ids);
    if (!WM_LICENSE_STORED(result)) { /* other successes exist, such as cancelled: only this one stored a license */
      code = fail(argv[i], result);
      goto cleanup;
    }
    for (char *one = strtok(key_ids, ";"); one != NULL; one = strtok(NULL, ";")) printf("license acquired: %s\n", one);
  }
  code = EXIT_SUCCESS;

cleanup:
  wm_release(client);
  return code;
}
