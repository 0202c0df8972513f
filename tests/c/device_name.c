/* What the user calls a device: set by the application, told to the service, read in its list of devices. */
#include "common.h"

/* The line of this client's device in `wmlicensed device list --json`, from its ID on. */
static void listed(wm_client *client, char line[1024]) {
  static char printed[1 << 20];
  char id[64], wanted[128];
  uint8_t bytes[KID_SIZE];
  CHECK_OK(wm_get_prop(client, WM_PROP_DEVICE_ID, NULL, id, sizeof id, NULL));
  CHECK_OK(wm_kid_from_text(id, WM_KID_BASE64, bytes)); /* an ID of 16 bytes as well */
  CHECK_OK(wm_kid_to_text(bytes, WM_KID_HEX, wanted, sizeof wanted, NULL));
  owner("device list --json", printed, sizeof printed);
  const char *found = strstr(printed, wanted);
  CHECK(found != NULL);
  const char *end = strchr(found, '}');
  CHECK(end != NULL && (size_t)(end - found) < 1024);
  memcpy(line, found, (size_t)(end - found));
  line[end - found] = '\0';
}

static void check_name(wm_client *client, const char *name) {
  char line[1024], quoted[512], spaced[512];
  listed(client, line);
  snprintf(quoted, sizeof quoted, "\"name\":%s", name);
  snprintf(spaced, sizeof spaced, "\"name\": %s", name);
  CHECK(strstr(line, quoted) != NULL || strstr(line, spaced) != NULL);
}

static void call(wm_client *client, const char *name) {
  CHECK_OK(wm_set_string_prop(client, WM_PROP_DEVICE_NAME, name));
}

static void contact(wm_client *client, int number) {
  uint8_t kid[KID_SIZE];
  title_kid(number, kid);
  CHECK_RESULT(acquire(client, kid), WM_S_LICENSE_ACQUIRED);
}

static void the_service_lists_the_name_and_every_contact_may_change_it(const char *folder) {
  wm_client *client = open_client(folder, "named");
  call(client, "K\xc3\xbc" "che");
  individualize(client);
  check_name(client, "\"K\xc3\xbc" "che\"");
  call(client, "Living room");
  contact(client, 1);
  check_name(client, "\"Living room\"");
  CHECK_OK(wm_remove_prop(client, WM_PROP_DEVICE_NAME)); /* not told: it stays */
  contact(client, 2);
  check_name(client, "\"Living room\"");
  call(client, ""); /* taken away */
  contact(client, 3);
  check_name(client, "null");
  CHECK_OK(wm_release(client));
}

static void a_device_without_a_name_has_none(const char *folder) {
  wm_client *client = open_client(folder, "unnamed");
  individualize(client);
  check_name(client, "null");
  CHECK_OK(wm_release(client));
}

static void a_name_is_a_line_of_64_characters(const char *folder) {
  char name[4 * 64 + 2] = "", read[4 * 64 + 2];
  wm_client *client = open_client(folder, "checked");
  for (int at = 0; at < 64; at++) strcat(name, "\xf0\x9f\x93\xba");
  call(client, name);
  CHECK_OK(wm_get_prop(client, WM_PROP_DEVICE_NAME, NULL, read, sizeof read, NULL));
  CHECK_TEXT(read, name);
  strcat(name, "x");
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_DEVICE_NAME, name), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_DEVICE_NAME, "two\nlines"), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_DEVICE_NAME, "\xff"), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_DEVICE_NAME, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_set_number_prop(client, WM_PROP_DEVICE_NAME, 7), WM_E_WRONG_TYPE);
  CHECK_OK(wm_get_prop(client, WM_PROP_DEVICE_NAME, NULL, read, sizeof read, NULL));
  name[4 * 64] = '\0';
  CHECK_TEXT(read, name); /* as before */
  individualize(client);  /* the service takes the longest there is */
  CHECK_OK(wm_release(client));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  the_service_lists_the_name_and_every_contact_may_change_it(argv[1]);
  a_device_without_a_name_has_none(argv[1]);
  a_name_is_a_line_of_64_characters(argv[1]);
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
