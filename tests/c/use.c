/* Using stored licenses: what is allowed, what state they are in, counts, decryption, listing. No network once acquired. */
#include "common.h"

enum { NOT_ENABLED = 0x1, NO_LICENSE = 0x2, NO_RIGHT = 0x4, EXHAUSTED = 0x8, EXPIRED = 0x10, NOT_STARTED = 0x20 };

static uint32_t reasons_for(wm_client *client, const uint8_t kid[KID_SIZE], const char *action) {
  uint32_t reasons = 77;
  CHECK_OK(wm_query_action_allowed(client, kid, action, &reasons));
  return reasons;
}

static wm_result decryptor_for(wm_client *client, const uint8_t kid[KID_SIZE], wm_decryptor **out) {
  *out = NULL;
  return wm_create_decryptor(client, kid, "Play", out);
}

static wm_sample whole_sample(const uint8_t iv[16]) {
  wm_sample sample = {0};
  sample.struct_size = sizeof sample;
  sample.iv = iv;
  sample.iv_size = 16;
  sample.scheme = SCHEME_CENC;
  return sample;
}

static void refusals_name_their_reason(wm_client *client) {
  wm_decryptor *decryptor;
  CHECK_EQ(reasons_for(client, KID_VIDEO, "Play"), 0);
  CHECK_EQ(reasons_for(client, KID_VIDEO, "Copy"), NOT_ENABLED | NO_RIGHT);
  CHECK_EQ(reasons_for(client, KID_UNKNOWN, "Play"), NOT_ENABLED | NO_LICENSE);
  CHECK_EQ(reasons_for(client, KID_FUTURE, "Play"), NOT_ENABLED | NOT_STARTED);
  CHECK_RESULT(decryptor_for(client, KID_UNKNOWN, &decryptor), WM_E_LICENSE_REQUIRED);
  CHECK(decryptor == NULL);
  CHECK_RESULT(wm_create_decryptor(client, KID_VIDEO, "Copy", &decryptor), WM_E_LICENSE_INCORRECT_RIGHTS);
  CHECK_RESULT(decryptor_for(client, KID_FUTURE, &decryptor), WM_E_LICENSE_NOTENABLED);
  CHECK(decryptor == NULL);
}

/* The first 32 bytes of the key stream of KID_VIDEO's key for a zero counter: AES-128 of 0 and 1. */
static const uint8_t KEY_STREAM[32] = {
    0xfd, 0xe4, 0xfb, 0xae, 0x4a, 0x09, 0xe0, 0x20, 0xef, 0xf7, 0x22, 0x96, 0x9f, 0x83, 0x83, 0x2b,
    0x84, 0xd4, 0xc9, 0xc0, 0x8b, 0x4f, 0x48, 0x28, 0x61, 0xe3, 0xa9, 0xc6, 0xc3, 0x5b, 0xc4, 0xd9};

static void samples_decrypt_in_place(wm_client *client) {
  static const uint8_t zero_iv[16];
  wm_decryptor *decryptor;
  uint8_t data[40] = {0};
  wm_subsample parts[2] = {{4, 16}, {4, 16}};
  wm_sample sample = whole_sample(zero_iv);
  CHECK_OK(decryptor_for(client, KID_VIDEO, &decryptor));
  CHECK_OK(wm_decrypt_sample(decryptor, &sample, data, 32));
  CHECK(memcmp(data, KEY_STREAM, 32) == 0);
  /* Clear ranges stay, the key stream runs on over them. */
  memset(data, 0, sizeof data);
  sample.subsamples = parts;
  sample.subsample_count = 2;
  CHECK_OK(wm_decrypt_sample(decryptor, &sample, data, 40));
  CHECK(memcmp(data + 4, KEY_STREAM, 16) == 0);
  CHECK(memcmp(data + 24, KEY_STREAM + 16, 16) == 0);
  CHECK_EQ(data[0] | data[1] | data[2] | data[3] | data[20] | data[21] | data[22] | data[23], 0);
  /* An initialization vector of eight bytes is the upper half of the counter. */
  memset(data, 0, sizeof data);
  sample = whole_sample(zero_iv);
  sample.iv_size = 8;
  CHECK_OK(wm_decrypt_sample(decryptor, &sample, data, 32));
  CHECK(memcmp(data, KEY_STREAM, 32) == 0);
  CHECK_OK(wm_release(decryptor));
}

static void contradicting_samples_are_refused_and_untouched(wm_client *client) {
  static const uint8_t zero_iv[16];
  wm_decryptor *decryptor;
  uint8_t data[32] = {0}, before[32] = {0};
  wm_subsample too_long[2] = {{4, 16}, {4, 16}}, huge[2] = {{UINT32_MAX, UINT32_MAX}, {33, 1}};
  wm_sample bad[5];
  for (int i = 0; i < 5; i++) bad[i] = whole_sample(zero_iv);
  bad[0].subsamples = too_long;
  bad[0].subsample_count = 2;
  bad[1].subsamples = huge;
  bad[1].subsample_count = 2;
  bad[2].iv_size = 7;
  bad[3].subsample_count = 1; /* and no array */
  bad[4].scheme = 0x64726d21;
  CHECK_OK(decryptor_for(client, KID_VIDEO, &decryptor));
  for (int i = 0; i < 5; i++) {
    CHECK(wm_decrypt_sample(decryptor, &bad[i], data, sizeof data) < 0);
    CHECK(memcmp(data, before, sizeof data) == 0);
  }
  wm_sample good = whole_sample(zero_iv);
  CHECK_RESULT(wm_decrypt_sample(decryptor, NULL, data, sizeof data), WM_E_INVALIDARG);
  CHECK_RESULT(wm_decrypt_sample(decryptor, &good, NULL, 1), WM_E_INVALIDARG);
  CHECK_OK(wm_decrypt_sample(decryptor, &good, data, 0)); /* an empty sample is a sample */
  CHECK_OK(wm_release(decryptor));
}

static uint32_t counts_left(wm_client *client) {
  wm_license_state state = {0};
  state.struct_size = sizeof state;
  CHECK_OK(wm_query_license_state(client, KID_COUNTED, "Play", &state));
  return state.count_count == 1 ? state.counts[0] : 0;
}

static void a_count_is_used_at_the_first_sample(const char *folder, wm_client *client) {
  static const uint8_t zero_iv[16];
  wm_decryptor *decryptor;
  uint8_t data[16] = {0};
  wm_sample sample = whole_sample(zero_iv);
  CHECK_EQ(counts_left(client), 2);
  CHECK_OK(decryptor_for(client, KID_COUNTED, &decryptor));
  CHECK_EQ(counts_left(client), 2); /* creating one reserves nothing */
  for (int i = 0; i < 3; i++) CHECK_OK(wm_decrypt_sample(decryptor, &sample, data, sizeof data));
  CHECK_EQ(counts_left(client), 1); /* one count per decryptor, however many samples */
  CHECK_OK(wm_release(decryptor));
  /* Another client on the same store sees it and takes the last. */
  wm_client *other = open_client(folder, "store");
  wm_decryptor *late;
  CHECK_EQ(counts_left(other), 1);
  CHECK_OK(decryptor_for(client, KID_COUNTED, &late));
  CHECK_OK(decryptor_for(other, KID_COUNTED, &decryptor));
  CHECK_OK(wm_decrypt_sample(decryptor, &sample, data, sizeof data));
  CHECK_RESULT(wm_decrypt_sample(late, &sample, data, sizeof data), WM_E_USED_UP);
  CHECK_OK(wm_decrypt_sample(decryptor, &sample, data, sizeof data)); /* an open one stays usable */
  CHECK_OK(wm_release(late));
  CHECK_OK(wm_release(decryptor));
  CHECK_EQ(reasons_for(other, KID_COUNTED, "Play"), NOT_ENABLED | EXHAUSTED);
  CHECK_RESULT(decryptor_for(other, KID_COUNTED, &decryptor), WM_E_USED_UP);
  CHECK_OK(wm_release(other));
}

static size_t list(wm_client *client, const char *filter_kid, char title[64]) {
  wm_license_enumerator *licenses = NULL;
  size_t found = 0;
  wm_result result;
  CHECK_OK(wm_create_license_enumerator(client, &licenses));
  if (filter_kid != NULL) CHECK_OK(wm_set_string_prop(licenses, WM_PROP_FILTER_KID, filter_kid));
  while ((result = wm_next_license(licenses)) == 0) {
    found++;
    CHECK_OK(wm_get_prop(licenses, WM_PROP_TITLE, NULL, title, 64, NULL));
  }
  CHECK_RESULT(result, WM_E_NO_MORE_ITEMS);
  CHECK_RESULT(wm_next_license(licenses), WM_E_NO_MORE_ITEMS);
  CHECK_OK(wm_release(licenses));
  return found;
}

static void the_store_lists_what_it_holds(wm_client *client) {
  char title[64], text[KID_TEXT_SIZE];
  CHECK_EQ(list(client, NULL, title), 3);
  CHECK_EQ(list(client, kid_text(KID_VIDEO, text), title), 1);
  CHECK_TEXT(title, "Test picture");
  CHECK_EQ(list(client, kid_text(KID_UNKNOWN, text), title), 0);
}

static void deleted_licenses_are_gone(wm_client *client) {
  wm_decryptor *decryptor;
  char title[64];
  CHECK_OK(wm_delete_licenses(client, KID_VIDEO, WM_DELETE_LOCAL));
  CHECK_RESULT(wm_delete_licenses(client, KID_VIDEO, 0), WM_S_FALSE); /* there was none left */
  CHECK_RESULT(wm_delete_licenses(client, NULL, 0), WM_E_INVALIDARG);
  CHECK_RESULT(wm_delete_licenses(client, KID_COUNTED, 0x10), WM_E_INVALIDARG);
  CHECK_RESULT(decryptor_for(client, KID_VIDEO, &decryptor), WM_E_LICENSE_REQUIRED);
  CHECK_EQ(list(client, NULL, title), 2);
  /* For good: at once, offline, and the service hears of it later. */
  uint64_t pending = 77;
  CHECK_OK(wm_delete_licenses(client, KID_FUTURE, 0));
  CHECK_OK(wm_get_prop(client, WM_PROP_PENDING_TRANSACTIONS, NULL, &pending, sizeof(uint32_t), NULL));
  CHECK_EQ((uint32_t)pending, 1);
  CHECK_EQ(list(client, NULL, title), 1);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  individualize(client);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_FUTURE), WM_S_LICENSE_ACQUIRED);
  CHECK_RESULT(acquire(client, KID_COUNTED), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  refusals_name_their_reason(client);
  samples_decrypt_in_place(client);
  contradicting_samples_are_refused_and_untouched(client);
  a_count_is_used_at_the_first_sample(argv[1], client);
  the_store_lists_what_it_holds(client);
  deleted_licenses_are_gone(client);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
