/* A device whose user must accept first: prints the page, the six digits, and how the monitor ended (tests/browser).
 *
 * Arguments: a folder, the first byte and the last of a key ID (hexadecimal, decimal), and `returns` where the page is to
 * lead back to this device. */
#include "../tls/tls.h"

int main(int argc, char **argv) {
  CHECK(argc == 4 || argc == 5);
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  uint8_t kid[KID_SIZE];
  char key_id[KID_TEXT_SIZE], url[1024], code[8];
  uint32_t reasons = 77;
  title_kid(atoi(argv[3]), kid);
  kid[0] = (uint8_t)strtoul(argv[2], NULL, 16);

  wm_client *client = open_client(argv[1], "device");
  CHECK_OK(wm_remove_prop(client, WM_PROP_ACCOUNT_TOKEN)); /* the user signs in on the page */
  CHECK_OK(wm_set_string_prop(client, WM_PROP_APPLICATION_ID, "Player"));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_CA_PEM, text_of(setting("WM_TEST_TLS_CA"))));
  individualize(client);

  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(kid, key_id)));
  if (argc == 5) CHECK_OK(wm_set_bool_prop(request, WM_PROP_LOOPBACK_REDIRECT, true));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_NONSILENT));
  CHECK_OK(finish(request));
  CHECK_OK(wm_get_license_url(request, url, sizeof url, NULL));
  CHECK_OK(wm_get_prop(request, WM_PROP_INTERACTION_CODE, NULL, code, sizeof code, NULL));
  CHECK_OK(wm_monitor_license(request));
  printf("%s\n%s\n", url, code);
  fflush(stdout);

  wm_result ended = finish(request);
  if (ended < 0) CHECK_OK(wm_get_error_info(&info));
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &reasons));
  printf("%s 0x%08X %s %s\n", wm_result_name(ended), (unsigned)ended, reasons == 0 ? "playable" : "not playable",
         info.message);
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
