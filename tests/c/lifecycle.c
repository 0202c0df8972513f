/* Handles: created, shared, released, and everything that is not a handle. Needs no network. */
#include "common.h"

/* A client on a store of its own that is never opened is enough for handle questions. */
static wm_client *new_client(void) {
  wm_client *client = NULL;
  CHECK_OK(wm_create_client(&client));
  CHECK(client != NULL);
  return client;
}

static void released_handles_are_refused_for_ever(void) {
  wm_client *client = new_client();
  CHECK_EQ(wm_live_objects(), 1);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  CHECK_RESULT(wm_release(client), WM_E_INVALID_HANDLE);
  CHECK_RESULT(wm_add_ref(client), WM_E_INVALID_HANDLE);
  CHECK_RESULT(wm_open_client(client), WM_E_INVALID_HANDLE);
  /* The place may be used again, the handle may not. */
  for (int round = 0; round < 1000; round++) {
    wm_client *other = new_client();
    CHECK(other != client);
    CHECK_RESULT(wm_set_string_prop(client, WM_PROP_STORE_PATH, "x"), WM_E_INVALID_HANDLE);
    CHECK_OK(wm_release(other));
  }
}

static void null_may_be_released_and_nothing_else(void) {
  size_t count = 7;
  CHECK_OK(wm_release(NULL));
  CHECK_RESULT(wm_add_ref(NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_cancel(NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_wait(NULL, 0, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_get_prop_count(NULL, &count), WM_E_INVALIDARG);
  CHECK_EQ(count, 7); /* outputs are written on success only */
  CHECK_RESULT(wm_create_client(NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_open_client(NULL), WM_E_INVALIDARG);
}

static void each_reference_is_released_once(void) {
  wm_client *client = new_client();
  for (int i = 0; i < 3; i++) CHECK_OK(wm_add_ref(client));
  CHECK_EQ(wm_live_objects(), 1);
  for (int i = 0; i < 4; i++) CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  CHECK_RESULT(wm_release(client), WM_E_INVALID_HANDLE);
}

static void wild_values_are_refused(void) {
  wm_client *client = new_client();
  int on_the_stack = 0;
  void *on_the_heap = malloc(64);
  void *wild[] = {&on_the_stack,          on_the_heap,           (void *)(uintptr_t)1, (void *)(uintptr_t)0xdeadbeef,
                  (void *)(UINTPTR_MAX),  (void *)(uintptr_t)4096, (void *)((uintptr_t)client ^ 1),
                  (void *)((uintptr_t)client + 1), (void *)((uintptr_t)client ^ ((uintptr_t)1 << 40))};
  for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
    wm_decryptor *decryptor = NULL;
    CHECK_RESULT(wm_release(wild[i]), WM_E_INVALID_HANDLE);
    CHECK_RESULT(wm_add_ref(wild[i]), WM_E_INVALID_HANDLE);
    CHECK_RESULT(wm_cancel(wild[i]), WM_E_INVALID_HANDLE);
    CHECK_RESULT(wm_create_decryptor(wild[i], KID_VIDEO, "Play", &decryptor), WM_E_INVALID_HANDLE);
    CHECK(decryptor == NULL);
  }
  free(on_the_heap);
  CHECK_OK(wm_release(client));
}

static void another_type_is_refused(void) {
  wm_client *client = new_client();
  wm_individualizer *individualizer = NULL;
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &individualizer));
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_RESULT(wm_individualize((wm_individualizer *)restorer, 0), WM_E_INVALID_HANDLE);
  CHECK_RESULT(wm_backup_licenses((wm_backup_restorer *)individualizer, 0), WM_E_INVALID_HANDLE);
  CHECK_RESULT(wm_restore_licenses((wm_backup_restorer *)client, 0), WM_E_INVALID_HANDLE);
  CHECK_RESULT(wm_open_client((wm_client *)individualizer), WM_E_INVALID_HANDLE);
  CHECK_OK(wm_release(individualizer));
  CHECK_OK(wm_release(restorer));
  CHECK_OK(wm_release(client));
}

static void releases_come_in_any_order(void) {
  wm_client *client = new_client();
  wm_license_request *request = NULL;
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_EQ(wm_live_objects(), 3);
  CHECK_OK(wm_release(client));
  CHECK_RESULT(wm_open_client(client), WM_E_INVALID_HANDLE); /* kept alive within, but no longer the app's */
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, "/nowhere"));
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_release(restorer));
  CHECK_EQ(wm_live_objects(), 0);
}

static void idle_objects_answer_wait_and_cancel(void) {
  wm_client *client = new_client();
  wm_backup_restorer *restorer = NULL;
  wm_result result = 7;
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_RESULT(wm_wait(restorer, 0, &result), WM_E_NO_OPERATION);
  CHECK_EQ(result, 7);
  CHECK_OK(wm_cancel(restorer));
  CHECK_RESULT(wm_wait(restorer, WM_INFINITE, NULL), WM_E_NO_OPERATION);
  CHECK_OK(wm_release(restorer));
  CHECK_OK(wm_release(client));
}

static void an_unopened_client_runs_nothing(void) {
  wm_client *client = new_client();
  wm_individualizer *individualizer = NULL;
  uint32_t reasons = 77;
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_RESULT(wm_individualize(individualizer, 0), WM_E_NOT_OPEN);
  CHECK_RESULT(wm_query_action_allowed(client, KID_VIDEO, "Play", &reasons), WM_E_NOT_OPEN);
  CHECK_EQ(reasons, 77);
  CHECK_OK(wm_release(individualizer));
  CHECK_OK(wm_release(client));
}

static void a_client_opens_once(const char *folder) {
  wm_client *client = open_client(folder, "once");
  CHECK_RESULT(wm_open_client(client), WM_E_ALREADY_OPEN);
  CHECK_OK(wm_release(client));
}

static void versions_and_names_are_always_there(void) {
  char text[32];
  uint32_t version = wm_version();
  snprintf(text, sizeof text, "%u.%u.%u", version >> 16, version >> 8 & 255, version & 255);
  CHECK_TEXT(wm_version_string(), text);
  CHECK(wm_abi_version() > 0);
  CHECK_TEXT(wm_result_name(WM_E_BACKUP_EXISTS), "WM_E_BACKUP_EXISTS");
  CHECK(strlen(wm_result_message(WM_E_BACKUP_EXISTS)) > 0);
  wm_result odd[] = {0, 1, -1, INT32_MIN, INT32_MAX};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    CHECK(wm_result_name(odd[i]) != NULL);
    CHECK(wm_result_message(odd[i]) != NULL);
    CHECK(wm_status_name(odd[i]) != NULL);
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  CHECK_EQ(wm_live_objects(), 0);
  released_handles_are_refused_for_ever();
  null_may_be_released_and_nothing_else();
  each_reference_is_released_once();
  wild_values_are_refused();
  another_type_is_refused();
  releases_come_in_any_order();
  idle_objects_answer_wait_and_cancel();
  an_unopened_client_runs_nothing();
  a_client_opens_once(argv[1]);
  versions_and_names_are_always_there();
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
