/* An application and an HTTPS service whose certificate the platform trusts (tests/c_programs/tls.rs): trust by the
 * platform, and by a pinned certificate besides. */
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
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_TRUST, "bundled"));
  CHECK_RESULT(try_individualize(client), WM_E_SERVER_CERTIFICATE);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_TRUST, "platform"));
  CHECK_RESULT(try_individualize(client), WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_TRUST, "pinned"));
  CHECK_RESULT(try_individualize(client), WM_E_SERVER_CERTIFICATE); /* nothing is pinned */
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_CA_PEM, text_of(setting("WM_TEST_TLS_STRANGER"))));
  CHECK_RESULT(try_individualize(client), WM_E_SERVER_CERTIFICATE); /* what the platform trusts is not enough */
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_CA_PEM, text_of(setting("WM_TEST_TLS_CA"))));
  CHECK_RESULT(try_individualize(client), WM_S_INDIVIDUALIZED);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_TLS_TRUST, "trusting"), WM_E_BAD_VALUE);
  CHECK_RESULT(wm_set_string_prop(client, WM_PROP_PROXY, "socks5://127.0.0.1:1"), WM_E_BAD_VALUE);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_PROXY, "http://user:secret@127.0.0.1:1")); /* not for loopback */
  CHECK_RESULT(try_individualize(client), WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
