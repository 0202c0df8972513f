/* Pre-delivery over HTTPS: a scope, then ten thousand licenses in pages, durable, and then nothing new. */
#include "tls.h"

#define IMPORTED 10000 /* as tests/c_programs/tls.rs imports them */

static void imported_kid(uint32_t number, uint8_t kid[KID_SIZE]) {
  memset(kid, 0, KID_SIZE);
  kid[0] = 0xd0;
  for (int i = 0; i < 4; i++) kid[KID_SIZE - 1 - i] = (uint8_t)(number >> (8 * i));
}

static uint32_t reasons(wm_client *client, uint32_t number) {
  uint8_t kid[KID_SIZE];
  uint32_t found = 0;
  imported_kid(number, kid);
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &found));
  return found;
}

static void a_scope_comes_alone(wm_client *client) {
  uint32_t found = 0;
  CHECK_RESULT(predeliver(client, "silver", NULL), WM_E_NOT_ENTITLED);
  CHECK_RESULT(predeliver(client, "gold", NULL), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_query_action_allowed(client, KID_GOLD, "Play", &found));
  CHECK_EQ(found, 0);
  CHECK_EQ(reasons(client, 0), WM_REASON_NOT_ENABLED | WM_REASON_NO_LICENSE);
  CHECK_RESULT(predeliver(client, "gold", NULL), WM_S_NOTHING_NEW);
}

static void everything_comes_in_pages(wm_client *client) {
  recorder events = RECORDER_INIT;
  wm_progress told;
  CHECK_RESULT(predeliver(client, NULL, &events), WM_S_LICENSE_ACQUIRED);
  /* Three pages, and the end of the run. */
  CHECK(recorder_count(&events, WM_STATUS_PROGRESS) >= 3);
  event first = recorder_await(&events, WM_STATUS_PROGRESS);
  CHECK_EQ(first.size, sizeof told);
  memcpy(&told, first.value, sizeof told);
  CHECK(told.done > 0 && told.done < IMPORTED && told.total == 0);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "predelivery");
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_TRUST, "pem"));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_CA_PEM, text_of(setting("WM_TEST_TLS_CA"))));
  individualize(client);
  a_scope_comes_alone(client);
  everything_comes_in_pages(client);
  CHECK_OK(wm_release(client));
  client = open_client(argv[1], "predelivery");
  for (uint32_t number = 0; number < IMPORTED; number++) CHECK_EQ(reasons(client, number), 0);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_CA_PEM, text_of(setting("WM_TEST_TLS_CA"))));
  CHECK_RESULT(predeliver(client, NULL, NULL), WM_S_NOTHING_NEW);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
