/* An application on a platform that has no certificates at all (tests/c_programs/tls.rs): its own trust says no to everything,
 * and the default falls back to the bundled ones, beside which the application's count. */
#include "tls.h"

static wm_result try_individualize(wm_client *client) {
  wm_individualizer *individualizer = NULL;
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_OK(wm_individualize(individualizer, WM_INDIVIDUALIZE_FORCE));
  wm_result result = finish(individualizer);
  CHECK_OK(wm_release(individualizer));
  return result;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  CHECK_RESULT(try_individualize(client), WM_E_SERVER_CERTIFICATE); /* nobody bundled vouches for this server */
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_CA_PEM, text_of(setting("WM_TEST_TLS_CA"))));
  CHECK_RESULT(try_individualize(client), WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_TRUST, "bundled"));
  CHECK_RESULT(try_individualize(client), WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_TRUST, "platform"));
  CHECK_RESULT(try_individualize(client), WM_E_SERVER_CERTIFICATE); /* there is no platform to add to */
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_TRUST, "pem"));
  CHECK_RESULT(try_individualize(client), WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
