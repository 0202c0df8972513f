/* An application and an HTTPS service whose certificate only the application knows (tests/c_programs/tls.rs). */
#include "tls.h"

static wm_result try_individualize(wm_client *client) {
  wm_individualizer *individualizer = NULL;
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_OK(wm_individualize(individualizer, 0));
  wm_result result = finish(individualizer);
  CHECK_OK(wm_release(individualizer));
  return result;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  wm_client *client = open_client(argv[1], "store");
  CHECK_RESULT(try_individualize(client), WM_E_SERVER_CERTIFICATE);
  CHECK_OK(wm_get_error_info(&info));
  CHECK_EQ(info.category, WM_CATEGORY_TRUST);
  CHECK_EQ(info.retryable, 0);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_TRUST, "pem"));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_CA_PEM, text_of(setting("WM_TEST_TLS_STRANGER"))));
  CHECK_RESULT(try_individualize(client), WM_E_SERVER_CERTIFICATE);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_CA_PEM, text_of(setting("WM_TEST_TLS_CA"))));
  CHECK_RESULT(try_individualize(client), WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_remove_prop(client, WM_PROP_TLS_TRUST)); /* beside the platform's certificates it is as good */
  CHECK_RESULT(acquire(client, KID_GOLD), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
