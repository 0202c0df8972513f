/* What policies demand beside dates: counted actions, versions, levels, output protection; and what the clock is worth. */
#include "common.h"

static const int64_t BEGIN_2001 = 978307200, BEGIN_2090 = 3786912000;

static uint32_t reasons_for(wm_client *client, const uint8_t kid[KID_SIZE], const char *action) {
  uint32_t reasons = 77;
  CHECK_OK(wm_query_action_allowed(client, kid, action, &reasons));
  return reasons;
}

static wm_license_state state_of(wm_client *client, const uint8_t kid[KID_SIZE], const char *action) {
  wm_license_state state = {0};
  state.struct_size = sizeof state;
  CHECK_OK(wm_query_license_state(client, kid, action, &state));
  return state;
}

static uint32_t verdict(wm_client *client) {
  uint32_t verdict = 77;
  CHECK_OK(wm_get_prop(client, WM_PROP_CLOCK_VERDICT, NULL, &verdict, sizeof verdict, NULL));
  return verdict;
}

static wm_result use(wm_client *client, const char *action) {
  static const uint8_t iv[16];
  uint8_t data[16] = {0};
  wm_sample sample = {0};
  wm_decryptor *decryptor = NULL;
  wm_result result = wm_create_decryptor(client, KID_DEMANDING, action, &decryptor);
  if (result < 0) return result;
  sample.struct_size = sizeof sample;
  sample.iv = iv;
  sample.iv_size = sizeof iv;
  sample.scheme = SCHEME_CENC;
  result = wm_decrypt_sample(decryptor, &sample, data, sizeof data);
  CHECK_OK(wm_release(decryptor));
  return result;
}

static void copies_and_burns_are_counted_each_for_itself(wm_client *client) {
  CHECK_OK(use(client, "Copy"));
  CHECK_RESULT(use(client, "Copy"), WM_E_USED_UP);
  CHECK_EQ(reasons_for(client, KID_DEMANDING, "Copy"), WM_REASON_NOT_ENABLED | WM_REASON_EXHAUSTED);
  CHECK_EQ(state_of(client, KID_DEMANDING, "Copy").category, WM_LICENSE_STATE_NORIGHT);
  wm_license_state burns = state_of(client, KID_DEMANDING, "Print.redbook");
  CHECK_EQ(burns.category, WM_LICENSE_STATE_COUNT);
  CHECK_EQ(burns.counts[0], 2);
  CHECK_OK(use(client, "Print.redbook"));
  CHECK_EQ(state_of(client, KID_DEMANDING, "Print.redbook").counts[0], 1);
}

static void what_is_left_is_told_with_its_dates(wm_client *client) {
  wm_license_state state = state_of(client, KID_DEMANDING, "Play");
  CHECK_EQ(state.category, WM_LICENSE_STATE_COUNT_FROM_UNTIL);
  CHECK_EQ(state.count_count, 1);
  CHECK_EQ(state.counts[0], 5);
  CHECK_EQ(state.date_count, 2);
  CHECK_EQ(state.dates[0], BEGIN_2001);
  CHECK_EQ(state.dates[1], BEGIN_2090);
  CHECK_EQ(state.vague, 0);
  state = state_of(client, KID_DEMANDING, "CreateThumbnailImage");
  CHECK_EQ(state.category, WM_LICENSE_STATE_EXPIRATION_AFTER_FIRSTUSE);
  CHECK_EQ(state.seconds_after_first_use, 3600);
  CHECK_OK(use(client, "CreateThumbnailImage"));
  CHECK_EQ(state_of(client, KID_DEMANDING, "CreateThumbnailImage").category, WM_LICENSE_STATE_UNTIL);
  /* A right that is to come is told as such, though it may not be used yet. */
  state = state_of(client, KID_FUTURE, "Play");
  CHECK_EQ(state.category, WM_LICENSE_STATE_FROM);
  CHECK_EQ(state.dates[0], BEGIN_2090);
}

static void demands_on_application_and_device_are_named(wm_client *client) {
  CHECK_EQ(reasons_for(client, KID_DEMANDING, "PlaylistBurn"), WM_REASON_NOT_ENABLED | WM_REASON_APPSEC_TOO_LOW);
  CHECK_RESULT(use(client, "PlaylistBurn"), WM_E_LICENSE_APPSECLOW);
  uint32_t level = 7;
  CHECK_OK(wm_set_prop(client, WM_PROP_SECURITY_LEVEL, WM_TYPE_DWORD, &level, sizeof level));
  CHECK_EQ(reasons_for(client, KID_DEMANDING, "PlaylistBurn"), 0);
  CHECK_OK(use(client, "PlaylistBurn"));
  CHECK_EQ(reasons_for(client, KID_DEMANDING, "Transfer.SDMI"), WM_REASON_NOT_ENABLED | WM_REASON_REQ_INDIV);
  CHECK_RESULT(use(client, "Transfer.SDMI"), WM_E_NEEDS_INDIVIDUALIZATION);
}

static void output_protection_is_handed_to_the_application(wm_client *client) {
  char told[16] = {0}, kid[KID_TEXT_SIZE];
  size_t size = 0;
  wm_decryptor *decryptor = NULL;
  wm_license_enumerator *licenses = NULL;
  CHECK_OK(wm_create_decryptor(client, KID_DEMANDING, "Play", &decryptor));
  CHECK_OK(wm_get_prop(decryptor, WM_PROP_OUTPUT_PROTECTION, NULL, told, sizeof told, &size));
  CHECK(size == 9 && memcmp(told, "hdcp >= 2", size) == 0);
  CHECK_OK(wm_release(decryptor));
  CHECK_OK(wm_create_license_enumerator(client, &licenses));
  CHECK_OK(wm_set_string_prop(licenses, WM_PROP_FILTER_KID, kid_text(KID_DEMANDING, kid)));
  CHECK_OK(wm_next_license(licenses));
  memset(told, 0, sizeof told);
  CHECK_OK(wm_get_prop(licenses, WM_PROP_OUTPUT_PROTECTION, NULL, told, sizeof told, &size));
  CHECK(size == 9 && memcmp(told, "hdcp >= 2", size) == 0);
  CHECK_OK(wm_release(licenses));
}

static void actions_are_known_however_they_are_written(wm_client *client) {
  wm_license_enumerator *licenses = NULL;
  static const char *const PLAY[] = {WM_ACTION_PLAY, "play", "PLAY", "ActionAllowed.Play", "actionallowed.play"};
  for (size_t i = 0; i < sizeof PLAY / sizeof *PLAY; i++) {
    CHECK_EQ(reasons_for(client, KID_VIDEO, PLAY[i]), 0);
    CHECK_EQ(state_of(client, KID_VIDEO, PLAY[i]).category, WM_LICENSE_STATE_UNLIM);
    wm_decryptor *decryptor = NULL;
    CHECK_OK(wm_create_decryptor(client, KID_VIDEO, PLAY[i], &decryptor));
    CHECK_OK(wm_release(decryptor));
    CHECK_OK(wm_create_license_enumerator(client, &licenses));
    CHECK_OK(wm_set_string_prop(licenses, WM_PROP_FILTER_ACTION, PLAY[i]));
    CHECK_OK(wm_next_license(licenses));
    CHECK_OK(wm_release(licenses));
  }
  CHECK_EQ(reasons_for(client, KID_VIDEO, "Playback"), WM_REASON_NOT_ENABLED | WM_REASON_NO_RIGHT);
}

/* Asked about, it follows the policy; no key is opened for it. */
static void whether_a_backup_takes_a_license_is_told(wm_client *client) {
  wm_decryptor *decryptor = NULL;
  CHECK_EQ(reasons_for(client, KID_VIDEO, WM_ACTION_BACKUP), 0);
  CHECK_EQ(reasons_for(client, KID_VIDEO, "ActionAllowed.Backup"), 0);
  CHECK_EQ(state_of(client, KID_VIDEO, WM_ACTION_BACKUP).category, WM_LICENSE_STATE_UNLIM);
  CHECK_EQ(reasons_for(client, KID_DEMANDING, WM_ACTION_BACKUP), WM_REASON_NOT_ENABLED | WM_REASON_NO_RIGHT);
  CHECK_EQ(reasons_for(client, KID_UNKNOWN, WM_ACTION_BACKUP), WM_REASON_NOT_ENABLED | WM_REASON_NO_LICENSE);
  CHECK_RESULT(wm_create_decryptor(client, KID_VIDEO, WM_ACTION_BACKUP, &decryptor), WM_E_LICENSE_INCORRECT_RIGHTS);
}

static void a_security_version_is_told_always(wm_client *client, bool individualized) {
  char version[64], property[64];
  CHECK_OK(wm_get_security_version(client, version, sizeof version, NULL));
  CHECK_OK(wm_get_prop(client, WM_PROP_SECURITY_VERSION, NULL, property, sizeof property, NULL));
  CHECK_TEXT(property, version);
  CHECK_EQ(strcmp(version, "0.0.0.0") != 0, individualized);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  CHECK_EQ(verdict(client), WM_CLOCK_UNKNOWN); /* no service was asked yet */
  a_security_version_is_told_always(client, false);
  individualize(client);
  CHECK_EQ(verdict(client), WM_CLOCK_GOOD);
  a_security_version_is_told_always(client, true);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_DEMANDING), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_FUTURE), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  actions_are_known_however_they_are_written(client);
  whether_a_backup_takes_a_license_is_told(client);
  copies_and_burns_are_counted_each_for_itself(client);
  what_is_left_is_told_with_its_dates(client);
  demands_on_application_and_device_are_named(client);
  output_protection_is_handed_to_the_application(client);
  /* What a service said holds for every client of the store. */
  wm_client *other = open_client(argv[1], "store");
  CHECK_EQ(verdict(other), WM_CLOCK_GOOD);
  CHECK_OK(wm_release(other));
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
