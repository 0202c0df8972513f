/* Renewing without the content, deleting for good while offline, and what the service hears of it. */
#include "common.h"

static wm_license_request *request_for(wm_client *client, recorder *events) {
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, record, events, &request));
  return request;
}

static uint32_t pending(wm_client *client) {
  uint32_t count = 77;
  CHECK_OK(wm_get_prop(client, WM_PROP_PENDING_TRANSACTIONS, NULL, &count, sizeof count, NULL));
  return count;
}

/* The first license ID for a key ID; false if there is no license. */
static bool license_id(wm_client *client, const uint8_t kid[KID_SIZE], char lid[64]) {
  char text[KID_TEXT_SIZE];
  wm_license_enumerator *licenses = NULL;
  CHECK_OK(wm_create_license_enumerator(client, &licenses));
  CHECK_OK(wm_set_string_prop(licenses, WM_PROP_FILTER_KID, kid_text(kid, text)));
  bool found = wm_next_license(licenses) == 0;
  if (found) CHECK_OK(wm_get_prop(licenses, WM_PROP_LID, NULL, lid, 64, NULL));
  CHECK_OK(wm_release(licenses));
  return found;
}

static void what_is_to_be_renewed_must_be_said(wm_client *client) {
  recorder events = RECORDER_INIT;
  wm_license_request *request = request_for(client, &events);
  CHECK_RESULT(wm_renew_licenses(request, WM_ACQUIRE_SILENT), WM_E_INVALID_PROPERTY);
  CHECK_RESULT(wm_renew_licenses(request, 0), WM_E_INVALIDARG);
  CHECK_RESULT(wm_renew_licenses(NULL, WM_ACQUIRE_SILENT), WM_E_INVALIDARG);
  CHECK_EQ(events.count, 0);
  CHECK_OK(wm_release(request));
}

static void nothing_due_is_a_success_of_its_own(wm_client *client) {
  recorder events = RECORDER_INIT;
  wm_license_request *request = request_for(client, &events);
  CHECK_OK(wm_set_number_prop(request, WM_PROP_EXPIRING_WITHIN, 30));
  CHECK_OK(wm_renew_licenses(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_NOTHING_TO_RENEW);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACQUIRE_LICENSE), 1);
  CHECK_OK(wm_release(request));
}

static void a_license_is_renewed_by_its_key_id(wm_client *client) {
  recorder events = RECORDER_INIT;
  char text[KID_TEXT_SIZE], before[64], after[64];
  wm_license_request *request = request_for(client, &events);
  CHECK(license_id(client, KID_COUNTED, before));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(KID_COUNTED, text)));
  CHECK_OK(wm_renew_licenses(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK(license_id(client, KID_COUNTED, after));
  CHECK_TEXT(after, before); /* the same terms, the same license */
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(KID_UNKNOWN, text)));
  CHECK_OK(wm_renew_licenses(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_E_LICENSE_REQUIRED);
  CHECK_OK(wm_release(request));
}

static void what_has_ended_is_refused_by_name(wm_client *client) {
  recorder events = RECORDER_INIT;
  char text[KID_TEXT_SIZE];
  wm_license_request *request = request_for(client, &events);
  CHECK_RESULT(acquire(client, KID_EXPIRED), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_set_number_prop(request, WM_PROP_EXPIRING_WITHIN, 0));
  CHECK_OK(wm_renew_licenses(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_E_LICENSE_EXPIRED);
  event refused = recorder_await(&events, WM_STATUS_LICENSE_REFUSED);
  CHECK_RESULT(refused.result, WM_E_LICENSE_EXPIRED);
  CHECK_TEXT((const char *)refused.value, kid_text(KID_EXPIRED, text));
  CHECK_OK(wm_release(request));
}

static void deleted_offline_and_given_back_online(wm_client *client) {
  recorder events = RECORDER_INIT;
  char before[64], after[64];
  wm_license_request *request = request_for(client, &events);
  CHECK(license_id(client, KID_VIDEO, before));
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  CHECK_OK(wm_delete_licenses(client, KID_VIDEO, 0));
  CHECK(!license_id(client, KID_VIDEO, after));
  CHECK_EQ(pending(client), 1);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, false));
  CHECK_OK(wm_set_number_prop(request, WM_PROP_EXPIRING_WITHIN, 0));
  CHECK_OK(wm_delete_licenses(client, KID_EXPIRED, 0));
  CHECK_OK(wm_renew_licenses(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_NOTHING_TO_RENEW);
  CHECK_EQ(pending(client), 0);
  /* Wanted again, it is another license. */
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK(license_id(client, KID_VIDEO, after));
  CHECK(strcmp(before, after) != 0);
  CHECK_OK(wm_release(request));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  individualize(client);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_COUNTED), WM_S_LICENSE_ACQUIRED);
  what_is_to_be_renewed_must_be_said(client);
  nothing_due_is_a_success_of_its_own(client);
  a_license_is_renewed_by_its_key_id(client);
  what_has_ended_is_refused_by_name(client);
  deleted_offline_and_given_back_online(client);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
