/* Arguments: property types and sizes, the two-call way of reading, unknown names, embedded NULs, wrong types, NULLs. */
#include "common.h"

static void strings_are_read_in_two_calls(wm_client *client) {
  char buf[64];
  size_t needed = 0;
  wm_attr_type type = -1;
  CHECK_OK(wm_set_string_prop(client, WM_PROP_STORE_PATH, "/tmp/a store"));
  CHECK_OK(wm_get_prop(client, WM_PROP_STORE_PATH, &type, NULL, 0, &needed));
  CHECK_EQ(type, WM_TYPE_STRING);
  CHECK_EQ(needed, strlen("/tmp/a store") + 1);
  memset(buf, 'x', sizeof buf);
  needed = 0;
  type = -1;
  CHECK_RESULT(wm_get_prop(client, WM_PROP_STORE_PATH, &type, buf, 12, &needed), WM_E_BUFFER_TOO_SMALL);
  CHECK_EQ(buf[0], 'x'); /* untouched, but the size and the type are told */
  CHECK_EQ(needed, 13);
  CHECK_EQ(type, WM_TYPE_STRING);
  CHECK_OK(wm_get_prop(client, WM_PROP_STORE_PATH, NULL, buf, needed, NULL));
  CHECK_TEXT(buf, "/tmp/a store");
  CHECK_EQ(buf[13], 'x');
}

static void typed_setters_and_the_general_one_agree(wm_client *client) {
  char buf[16];
  int32_t truth = 0;
  uint32_t number = 0;
  size_t needed = 0;
  wm_attr_type type = -1;
  CHECK_OK(wm_set_prop(client, WM_PROP_STORE_PATH, WM_TYPE_STRING, "ab", 2));
  CHECK_OK(wm_get_prop(client, WM_PROP_STORE_PATH, NULL, buf, sizeof buf, &needed));
  CHECK_EQ(needed, 3);
  CHECK_TEXT(buf, "ab");
  CHECK_OK(wm_set_prop(client, WM_PROP_STORE_PATH, WM_TYPE_STRING, "cd", 3)); /* one trailing NUL is allowed */
  CHECK_OK(wm_get_prop(client, WM_PROP_STORE_PATH, NULL, buf, sizeof buf, &needed));
  CHECK_EQ(needed, 3);
  CHECK_TEXT(buf, "cd");
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  CHECK_OK(wm_get_prop(client, WM_PROP_OFFLINE_ONLY, &type, &truth, sizeof truth, &needed));
  CHECK_EQ(type, WM_TYPE_BOOL);
  CHECK_EQ(needed, sizeof truth);
  CHECK_EQ(truth, 1);
  truth = 0;
  CHECK_OK(wm_set_prop(client, WM_PROP_OFFLINE_ONLY, WM_TYPE_BOOL, &truth, sizeof truth));
  CHECK_OK(wm_set_number_prop(client, WM_PROP_DEADLINE_MS, 1500));
  CHECK_OK(wm_get_prop(client, WM_PROP_DEADLINE_MS, &type, &number, sizeof number, &needed));
  CHECK_EQ(type, WM_TYPE_DWORD);
  CHECK_EQ(number, 1500);
}

static void bad_values_change_nothing(wm_client *client) {
  char buf[16];
  int32_t truth = 1;
  uint32_t number = 5;
  CHECK_OK(wm_set_string_prop(client, WM_PROP_STORE_PATH, "kept"));
  CHECK_RESULT(wm_set_prop(client, WM_PROP_STORE_PATH, WM_TYPE_STRING, "a\0b", 3), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_prop(client, WM_PROP_STORE_PATH, WM_TYPE_STRING, "a\0\0", 3), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_prop(client, WM_PROP_STORE_PATH, WM_TYPE_DWORD, &number, sizeof number), WM_E_WRONG_TYPE);
  CHECK_RESULT(wm_set_prop(client, WM_PROP_STORE_PATH, 99, "x", 1), WM_E_WRONG_TYPE);
  CHECK_RESULT(wm_set_prop(client, WM_PROP_STORE_PATH, -1, "x", 1), WM_E_WRONG_TYPE);
  CHECK_RESULT(wm_set_bool_prop(client, WM_PROP_STORE_PATH, true), WM_E_WRONG_TYPE);
  CHECK_RESULT(wm_set_number_prop(client, WM_PROP_STORE_PATH, 1), WM_E_WRONG_TYPE);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_DEADLINE_MS, "1"), WM_E_WRONG_TYPE);
  CHECK_RESULT(wm_set_prop(client, WM_PROP_DEADLINE_MS, WM_TYPE_DWORD, &number, 3), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_prop(client, WM_PROP_DEADLINE_MS, WM_TYPE_DWORD, &number, 8), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_number_prop(client, WM_PROP_DEADLINE_MS, (uint64_t)UINT32_MAX + 1), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_prop(client, WM_PROP_OFFLINE_ONLY, WM_TYPE_BOOL, &truth, 1), WM_E_BAD_VALUE);
  /* Text that is not UTF-8; paths are bytes and may be anything. */
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_SERVICE_URL, "http://\xff\xfe"), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_APPLICATION_ID, "Example\x1b[2J"), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_APPLICATION_ID, "two\nlines"), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_AUTHORITY, "not base64"), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_AUTHORITY, "AAAA"), WM_E_BAD_VALUE);
  CHECK_OK(wm_get_prop(client, WM_PROP_STORE_PATH, NULL, buf, sizeof buf, NULL));
  CHECK_TEXT(buf, "kept");
}

static void bad_urls_are_refused_with_what_is_wrong(wm_client *client) {
  static const struct {
    const char *url, *wrong;
  } BAD[] = {
      {"https://a.example:65536/", "port"},   {"https://a.example:70000", "port"}, {"https://a.example:0/", "port"},
      {"https://a.example:+1/", "port"},      {"https://[]46/", "brackets"},       {"https://[::1]46/", "between"},
      {"https://[fe80::1%25eth0]/", "zone"},  {"https://", "no host"},             {"https://:443/", "no host"},
      {"https://a b/", "blanks"},             {"https://a.example/\n", "control"}, {"ftp://a.example", "begin"},
      {"https://256.1.1.1/", "name nor"},     {"https://a..b/", "name nor"},       {"a.example", "begin"},
  };
  wm_license_request *request = NULL;
  wm_error_info info = {0};
  char buf[64];
  info.struct_size = sizeof info;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, "https://kept.example:65535/a"));
  for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
    CHECK_RESULT(wm_set_string_prop(client, WM_PROP_SERVICE_URL, BAD[i].url), WM_E_BAD_VALUE);
    CHECK_OK(wm_get_error_info(&info));
    CHECK(strstr(info.message, BAD[i].wrong) != NULL);
    CHECK_RESULT(wm_set_string_prop(client, WM_PROP_PROXY, BAD[i].url), WM_E_BAD_VALUE);
    CHECK_OK(wm_get_error_info(&info));
    CHECK(strstr(info.message, BAD[i].wrong) != NULL);
    CHECK_RESULT(wm_set_string_prop(request, WM_PROP_URL, BAD[i].url), WM_E_BAD_VALUE);
  }
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_SERVICE_URL, "https://user:secret@a.example/"), WM_E_BAD_VALUE);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_PROXY, "http://user:secret@a.example:3128"));
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_PROXY, "http://a.example:3128/path"), WM_E_BAD_VALUE);
  CHECK_OK(wm_get_prop(client, WM_PROP_SERVICE_URL, NULL, buf, sizeof buf, NULL));
  CHECK_TEXT(buf, "https://kept.example:65535/a");
  CHECK_OK(wm_release(request));
}

static void unknown_and_absent_properties_have_one_answer(wm_client *client) {
  char buf[16];
  size_t needed = 7;
  wm_attr_type type = 7;
  const char *unknown[] = {"", "NoSuchProperty", "storepath", "StorePath ", "Stor\xc3\xa9"};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
    CHECK_RESULT(wm_set_string_prop(client, unknown[i], "x"), WM_E_UNSUPPORTED_PROPERTY);
    CHECK_RESULT(wm_get_prop(client, unknown[i], &type, buf, sizeof buf, &needed), WM_E_UNSUPPORTED_PROPERTY);
    CHECK_RESULT(wm_remove_prop(client, unknown[i]), WM_E_UNSUPPORTED_PROPERTY);
  }
  CHECK_OK(wm_remove_all_props(client));
  CHECK_RESULT(wm_get_prop(client, WM_PROP_STORE_PATH, &type, buf, sizeof buf, &needed), WM_E_UNSUPPORTED_PROPERTY);
  CHECK_EQ(needed, 7);
  CHECK_EQ(type, 7);
  /* A secret goes in and never comes out. */
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, "secret"));
  CHECK_RESULT(wm_get_prop(client, WM_PROP_ACCOUNT_TOKEN, NULL, buf, sizeof buf, &needed), WM_E_UNSUPPORTED_PROPERTY);
}

static void properties_are_counted_and_named(wm_backup_restorer *restorer) {
  char name[64];
  size_t count = 0, needed = 0;
  bool found = false;
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, "/somewhere"));
  CHECK_OK(wm_get_prop_count(restorer, &count));
  CHECK(count >= 1);
  for (size_t i = 0; i < count; i++) {
    CHECK_OK(wm_get_prop_name(restorer, i, NULL, 0, &needed));
    CHECK(needed > 1 && needed <= sizeof name);
    CHECK_RESULT(wm_get_prop_name(restorer, i, name, 1, &needed), WM_E_BUFFER_TOO_SMALL);
    CHECK_OK(wm_get_prop_name(restorer, i, name, sizeof name, &needed));
    CHECK_EQ(needed, strlen(name) + 1);
    found = found || strcmp(name, WM_PROP_BACKUP_PATH) == 0;
  }
  CHECK(found);
  CHECK(wm_get_prop_name(restorer, count, name, sizeof name, &needed) < 0);
  CHECK(wm_get_prop_name(restorer, SIZE_MAX, name, sizeof name, &needed) < 0);
  CHECK_OK(wm_remove_prop(restorer, WM_PROP_BACKUP_PATH));
  size_t left = 0;
  CHECK_OK(wm_get_prop_count(restorer, &left));
  CHECK_EQ(left, count - 1);
}

static void keys_are_kept_in_a_way_that_is_known(wm_client *client) {
  char buf[16];
  CHECK_OK(wm_set_string_prop(client, WM_PROP_KEY_PROTECTOR, "file"));
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_KEY_PROTECTOR, "tpm2"), WM_E_BAD_VALUE);
  CHECK_OK(wm_get_prop(client, WM_PROP_KEY_PROTECTOR, NULL, buf, sizeof buf, NULL));
  CHECK_TEXT(buf, "file");
}

static void null_arguments_are_refused(wm_client *client) {
  size_t needed = 7;
  CHECK_RESULT(wm_set_prop(client, NULL, WM_TYPE_STRING, "x", 1), WM_E_INVALIDARG);
  CHECK_RESULT(wm_set_prop(client, WM_PROP_STORE_PATH, WM_TYPE_STRING, NULL, 1), WM_E_INVALIDARG);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_STORE_PATH, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_set_string_prop(client, NULL, "x"), WM_E_INVALIDARG);
  CHECK_RESULT(wm_set_bool_prop(client, NULL, true), WM_E_INVALIDARG);
  CHECK_RESULT(wm_set_number_prop(client, NULL, 1), WM_E_INVALIDARG);
  CHECK_RESULT(wm_get_prop(client, NULL, NULL, NULL, 0, &needed), WM_E_INVALIDARG);
  CHECK_RESULT(wm_remove_prop(client, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_get_prop_count(client, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_create_individualizer(client, NULL, NULL, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_create_backup_restorer(client, NULL, NULL, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_create_license_request(client, NULL, NULL, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_create_content_header_from_file(NULL, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_get_error_info(NULL), WM_E_INVALIDARG);
  CHECK_EQ(needed, 7);
}

static void required_properties_are_asked_for_at_the_call(wm_client *client) {
  wm_client *bare = NULL;
  wm_individualizer *individualizer = NULL;
  wm_backup_restorer *restorer = NULL;
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_client(&bare));
  CHECK_RESULT(wm_open_client(bare), WM_E_INVALID_PROPERTY); /* no store path, no authority */
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &individualizer));
  CHECK_RESULT(wm_individualize(individualizer, 0), WM_E_INVALID_PROPERTY); /* no consent */
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_RESULT(wm_backup_licenses(restorer, 0), WM_E_INVALID_PROPERTY);
  CHECK_RESULT(wm_restore_licenses(restorer, 0), WM_E_INVALID_PROPERTY);
  CHECK_RESULT(wm_wait(restorer, 0, NULL), WM_E_NO_OPERATION); /* refused at the call: nothing was started */
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_remove_prop(client, WM_PROP_ACCOUNT_TOKEN)); /* an account would ask for all that it may have */
  CHECK_RESULT(wm_acquire_license(request, WM_ACQUIRE_SILENT), WM_E_INVALID_PROPERTY);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, account_token()));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, "/tmp"));
  CHECK_RESULT(wm_backup_licenses(restorer, 0x80000000u), WM_E_INVALIDARG); /* unknown flags are not ignored */
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_release(restorer));
  CHECK_OK(wm_release(individualizer));
  CHECK_OK(wm_release(bare));
}

static void the_detail_names_the_failure_and_outlives_successes(wm_client *client) {
  wm_error_info info = {0};
  size_t count = 0;
  info.struct_size = sizeof info;
  CHECK_RESULT(wm_set_string_prop(client, "NoSuchProperty", "x"), WM_E_UNSUPPORTED_PROPERTY);
  CHECK_OK(wm_get_prop_count(client, &count));
  CHECK_OK(wm_get_error_info(&info));
  CHECK_EQ(info.result, WM_E_UNSUPPORTED_PROPERTY);
  CHECK(strlen(info.message) > 0);
  CHECK_EQ(info.retryable, 0);
  /* A caller built against an older, shorter struct gets what fits. */
  struct { size_t struct_size; wm_result result; uint8_t beyond; } shorter = {offsetof(wm_error_info, category), 0, 0xee};
  CHECK(offsetof(wm_error_info, category) <= sizeof shorter);
  CHECK_OK(wm_get_error_info((wm_error_info *)(void *)&shorter));
  CHECK_EQ(shorter.result, WM_E_UNSUPPORTED_PROPERTY);
  CHECK_EQ(shorter.beyond, 0xee);
}

static void content_headers_come_from_any_bytes(void) {
  uint8_t junk[4096];
  uint32_t state = 12345;
  for (int round = 0; round < 200; round++) {
    wm_content_header *header = NULL;
    for (size_t i = 0; i < sizeof junk; i++) {
      state = state * 1664525u + 1013904223u;
      junk[i] = (uint8_t)(state >> 24);
    }
    CHECK(wm_create_content_header(junk, sizeof junk, &header) < 0);
    CHECK(header == NULL);
  }
  wm_content_header *header = NULL;
  CHECK(wm_create_content_header(NULL, 4, &header) == WM_E_INVALIDARG);
  CHECK(wm_create_content_header("", 0, &header) < 0);
  CHECK(wm_create_content_header_from_file("/no/such/file", &header) < 0);
  CHECK(header == NULL);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *fresh = NULL;
  CHECK_OK(wm_create_client(&fresh));
  strings_are_read_in_two_calls(fresh);
  typed_setters_and_the_general_one_agree(fresh);
  bad_values_change_nothing(fresh);
  bad_urls_are_refused_with_what_is_wrong(fresh);
  unknown_and_absent_properties_have_one_answer(fresh);
  keys_are_kept_in_a_way_that_is_known(fresh);
  null_arguments_are_refused(fresh);
  the_detail_names_the_failure_and_outlives_successes(fresh);
  CHECK_OK(wm_release(fresh));

  wm_client *opened = open_client(argv[1], "store");
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(opened, NULL, NULL, &restorer));
  properties_are_counted_and_named(restorer);
  CHECK_OK(wm_release(restorer));
  required_properties_are_asked_for_at_the_call(opened);
  /* What is fixed at open stays as it was. */
  CHECK(wm_set_string_prop(opened, WM_PROP_STORE_PATH, "/elsewhere") < 0);
  CHECK(wm_set_string_prop(opened, WM_PROP_AUTHORITY, STRANGE_AUTHORITY) < 0);
  CHECK_RESULT(wm_set_string_prop(opened, WM_PROP_KEY_PROTECTOR, "file"), WM_E_ALREADY_OPEN);
  CHECK_OK(wm_release(opened));
  content_headers_come_from_any_bytes();
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
