/* What a failure tells beside its number, and the failures that an application meets least: each its own code. */
#include "common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static wm_error_info detail(void) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  CHECK_OK(wm_get_error_info(&info));
  return info;
}

static wm_license_request *request_with(wm_client *client, const char *name, const char *value) {
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, name, value));
  return request;
}

static wm_result ending(wm_license_request *request) {
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  wm_result result = finish(request);
  CHECK_OK(wm_release(request));
  return result;
}

static void a_refusal_names_its_license_and_what_helps(wm_client *client) {
  wm_decryptor *decryptor = NULL;
  CHECK_RESULT(acquire(client, KID_UNKNOWN), WM_E_LICENSE_UNAVAILABLE);
  wm_error_info info = detail();
  CHECK_EQ(info.category, WM_CATEGORY_REFUSED);
  CHECK_EQ(info.has_kid, 1);
  CHECK(memcmp(info.kid, KID_UNKNOWN, KID_SIZE) == 0);
  CHECK_RESULT(acquire(client, KID_EXPIRED), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(wm_create_decryptor(client, KID_EXPIRED, "Play", &decryptor), WM_E_LICENSE_OUTOFDATE);
  CHECK(decryptor == NULL);
  info = detail();
  CHECK_EQ(info.category, WM_CATEGORY_RIGHTS);
  CHECK_EQ(info.remedy, WM_REMEDY_RENEW);
  CHECK(memcmp(info.kid, KID_EXPIRED, KID_SIZE) == 0);
}

static void what_the_service_says_is_passed_on(wm_client *client) {
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, "nobody"));
  CHECK_RESULT(acquire(client, KID_GOLD), WM_E_ACCOUNT_REQUIRED);
  wm_error_info info = detail();
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, account_token()));
  CHECK_EQ(info.http_status, 401);
  CHECK(info.server_code != 0);
  CHECK(strlen(info.request_id) > 0);
  CHECK_EQ(info.remedy, WM_REMEDY_SIGN_IN);
  CHECK(strstr(info.message, "nobody") == NULL); /* the token is a secret */
}

static void requests_that_cannot_be_sent_are_told_apart(wm_client *client) {
  char text[KID_TEXT_SIZE];
  wm_license_request *request = request_with(client, WM_PROP_KEY_IDS, kid_text(KID_AUDIO, text));
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_ALLOW_HTTP, false));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_URL, "http://service.invalid"));
  CHECK_RESULT(ending(request), WM_E_URL_NOT_ALLOWED);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_ALLOW_HTTP, true));
  request = request_with(client, WM_PROP_TRANSACTION_ID, "AAAAAAAAAAAAAAAAAAAAAA==");
  CHECK_RESULT(ending(request), WM_E_NO_TRANSACTION);
  request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_prop(request, WM_PROP_HEADER, WM_TYPE_BINARY, "not a content header", 20));
  CHECK_RESULT(ending(request), WM_E_MALFORMED_CONTENT_HEADER); /* as reading it alone ends */
  request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_prop(request, WM_PROP_HEADER, WM_TYPE_BINARY, "{\"kids\":[]}", 11));
  CHECK_RESULT(ending(request), WM_E_MALFORMED_CONTENT_HEADER);
  /* Protected, and no key is named. */
  static const char keyless[] = "#EXTM3U\n#EXT-X-KEY:METHOD=UNHEARD-OF\n";
  request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_prop(request, WM_PROP_HEADER, WM_TYPE_BINARY, keyless, sizeof keyless - 1));
  CHECK_RESULT(ending(request), WM_E_INVALID_LICENSE_REQUEST);
}

static void a_finished_request_shows_its_transaction_and_asks_anew(wm_client *client) {
  char text[KID_TEXT_SIZE], first[64], second[64];
  wm_license_request *request = request_with(client, WM_PROP_KEY_IDS, kid_text(KID_AUDIO, text));
  CHECK_RESULT(wm_get_prop(request, WM_PROP_TRANSACTION_ID, NULL, first, sizeof first, NULL), WM_E_UNSUPPORTED_PROPERTY);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_get_prop(request, WM_PROP_TRANSACTION_ID, NULL, first, sizeof first, NULL));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_get_prop(request, WM_PROP_TRANSACTION_ID, NULL, second, sizeof second, NULL));
  CHECK(strcmp(first, second) != 0);
  CHECK_OK(wm_release(request));
}

static void titles_are_the_applications_to_choose(wm_client *client) {
  char text[KID_TEXT_SIZE], title[64];
  wm_license_enumerator *licenses = NULL;
  CHECK_OK(wm_set_content_title(client, KID_AUDIO, "Ein T\xc3\xb6nchen"));
  CHECK_RESULT(wm_set_content_title(client, KID_AUDIO, "\xff"), WM_E_BAD_VALUE);
  /* Nothing that no backup could carry. */
  char long_title[1026];
  memset(long_title, 'y', sizeof long_title);
  long_title[1025] = '\0';
  CHECK_RESULT(wm_set_content_title(client, KID_AUDIO, long_title), WM_E_BAD_VALUE);
  long_title[1024] = '\0';
  CHECK_OK(wm_set_content_title(client, KID_UNKNOWN, long_title));
  CHECK_OK(wm_set_content_title(client, KID_UNKNOWN, ""));
  CHECK_RESULT(wm_set_content_title(client, KID_AUDIO, "two\nlines"), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_content_title(client, KID_AUDIO, "\x1b[2J"), WM_E_BAD_VALUE);
  size_t needed = 0;
  CHECK_OK(wm_get_content_title(client, KID_AUDIO, title, sizeof title, &needed));
  CHECK_TEXT(title, "Ein T\xc3\xb6nchen");
  CHECK_EQ(needed, strlen(title) + 1);
  CHECK_RESULT(wm_get_content_title(client, KID_AUDIO, title, 3, NULL), WM_E_BUFFER_TOO_SMALL);
  CHECK_RESULT(wm_get_content_title(client, KID_UNKNOWN, title, sizeof title, NULL), WM_S_FALSE);
  CHECK_TEXT(title, "");
  CHECK_OK(wm_create_license_enumerator(client, &licenses));
  CHECK_OK(wm_set_string_prop(licenses, WM_PROP_FILTER_KID, kid_text(KID_AUDIO, text)));
  CHECK_RESULT(wm_get_prop(licenses, WM_PROP_TITLE, NULL, title, sizeof title, NULL), WM_E_UNSUPPORTED_PROPERTY);
  CHECK_OK(wm_next_license(licenses));
  CHECK_OK(wm_get_prop(licenses, WM_PROP_TITLE, NULL, title, sizeof title, NULL));
  CHECK_TEXT(title, "Ein T\xc3\xb6nchen");
  CHECK_RESULT(wm_set_string_prop(licenses, WM_PROP_FILTER_ACTION, "Play"), WM_E_ALREADY_OPEN);
  CHECK_RESULT(wm_set_string_prop(licenses, WM_PROP_TITLE, "x"), WM_E_UNSUPPORTED_PROPERTY); /* read-only here */
  CHECK_OK(wm_release(licenses));
}

typedef struct titled {
  wm_client *client;
  const uint8_t *kid;
  wm_status status;
  char title[64];
} titled;

/* A status names a key ID, and the application shows its title. */
static wm_result show_title(recorder *from, const event *seen, void *context) {
  char text[KID_TEXT_SIZE];
  titled *to = context;
  (void)from;
  if (seen->status != to->status) return 0;
  CHECK_EQ(seen->type, WM_TYPE_STRING);
  CHECK_TEXT((const char *)seen->value, kid_text(to->kid, text));
  CHECK_OK(wm_get_content_title(to->client, to->kid, to->title, sizeof to->title, NULL));
  return 0;
}

static void a_status_about_a_license_can_be_shown_by_its_title(wm_client *client, const char *folder) {
  char text[KID_TEXT_SIZE];
  wm_license_request *request = NULL;
  wm_backup_restorer *restorer = NULL;
  /* A title of the application, for content that no license came for. */
  titled unknown = {.client = client, .kid = KID_UNKNOWN, .status = WM_STATUS_LICENSE_REFUSED};
  recorder of_request = RECORDER_INIT;
  of_request.hook = show_title, of_request.hook_context = &unknown;
  CHECK_OK(wm_set_content_title(client, KID_UNKNOWN, "Nobody has this"));
  CHECK_OK(wm_create_license_request(client, record, &of_request, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(KID_UNKNOWN, text)));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_E_LICENSE_UNAVAILABLE);
  CHECK_OK(wm_release(request));
  CHECK_TEXT(unknown.title, "Nobody has this");
  /* A title that came with the license. */
  titled restricted = {.client = client, .kid = KID_RESTRICTED, .status = WM_STATUS_RESTRICTED_LICENSE};
  recorder of_backup = RECORDER_INIT;
  of_backup.hook = show_title, of_backup.hook_context = &restricted;
  CHECK_RESULT(acquire(client, KID_RESTRICTED), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_create_backup_restorer(client, record, &of_backup, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, folder));
  CHECK_OK(wm_backup_licenses(restorer, 0));
  CHECK_RESULT(finish(restorer), 0);
  CHECK_OK(wm_release(restorer));
  CHECK_TEXT(restricted.title, "Not for backup");
}

static void samples_and_headers_have_codes_of_their_own(wm_client *client) {
  static const uint8_t iv[16];
  uint8_t data[16] = {0};
  wm_decryptor *decryptor = NULL;
  wm_content_header *header = NULL;
  wm_sample sample = {0};
  bool is_protected = true;
  sample.struct_size = sizeof sample;
  sample.iv = iv;
  sample.iv_size = 7;
  sample.scheme = WM_SCHEME_CENC;
  CHECK_OK(wm_create_decryptor(client, KID_AUDIO, "Play", &decryptor));
  CHECK_RESULT(wm_decrypt_sample(decryptor, &sample, data, sizeof data), WM_E_INVALID_DATA);
  sample.scheme = 1;
  CHECK_RESULT(wm_decrypt_sample(decryptor, &sample, data, sizeof data), WM_E_UNSUPPORTED_ALGORITHM);
  CHECK_OK(wm_release(decryptor));
  CHECK_RESULT(wm_create_content_header("neither box nor text", 20, &header), WM_E_MALFORMED_CONTENT_HEADER);
  CHECK_RESULT(wm_create_content_header_from_file("/no/such/file", &header), WM_E_PATH_NOT_FOUND);
  CHECK_RESULT(wm_is_content_protected("/no/such/file", &is_protected), WM_E_PATH_NOT_FOUND);
  CHECK(is_protected);
}

/* The version number of an SQLite file: four bytes at 60, the most significant first. */
static void a_store_of_a_later_version_is_left_alone(const char *root, const char *store) {
  char *file = path_in(root, "store/licenses.db");
  static const uint8_t later[4] = {0x7f, 0, 0, 0};
  wm_client *client = NULL;
  int opened = open(file, O_WRONLY);
  CHECK(opened >= 0 && pwrite(opened, later, sizeof later, 60) == (ssize_t)sizeof later && close(opened) == 0);
  CHECK_OK(wm_create_client(&client));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_STORE_PATH, store));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_AUTHORITY, service_authority()));
  CHECK_RESULT(wm_open_client(client), WM_E_STORE_TOO_NEW);
  CHECK_EQ(detail().remedy, WM_REMEDY_UPDATE);
  CHECK(unlink(file) == 0 && mkdir(file, 0700) == 0);
  CHECK(wm_open_client(client) < 0); /* a folder is no database, and a failed opening may be tried again */
  CHECK_OK(wm_release(client));
  free(file);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  char *store = path_in(argv[1], "store");
  wm_client *client = open_client(argv[1], "store");
  individualize(client);
  a_refusal_names_its_license_and_what_helps(client);
  what_the_service_says_is_passed_on(client);
  requests_that_cannot_be_sent_are_told_apart(client);
  a_finished_request_shows_its_transaction_and_asks_anew(client);
  titles_are_the_applications_to_choose(client);
  a_status_about_a_license_can_be_shown_by_its_title(client, argv[1]);
  samples_and_headers_have_codes_of_their_own(client);
  CHECK_OK(wm_release(client));
  a_store_of_a_later_version_is_left_alone(argv[1], store);
  CHECK_EQ(wm_live_objects(), 0);
  free(store);
  return 0;
}
