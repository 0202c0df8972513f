/* Key IDs as text and back, in every form and both byte orders, and every text that is none. */
#include "common.h"

static const uint8_t KID[KID_SIZE] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                      0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static const struct {
  uint32_t form;
  const char *text;
} FORMS[] = {
    {WM_KID_BASE64, "ABEiM0RVZneImaq7zN3u/w=="},
    {WM_KID_HEX, "00112233445566778899aabbccddeeff"},
    {WM_KID_UUID, "00112233-4455-6677-8899-aabbccddeeff"},
    {WM_KID_BASE64 | WM_KID_GUID_ORDER, "MyIRAFVEd2aImaq7zN3u/w=="},
    {WM_KID_HEX | WM_KID_GUID_ORDER, "33221100554477668899aabbccddeeff"},
    {WM_KID_UUID | WM_KID_GUID_ORDER, "33221100-5544-7766-8899-aabbccddeeff"},
};
enum { FORM_COUNT = sizeof FORMS / sizeof *FORMS };

static void expect_refused(const char *text, uint32_t form, wm_result result) {
  uint8_t kid[KID_SIZE + 1], before[KID_SIZE + 1];
  memset(kid, 0x5a, sizeof kid);
  memcpy(before, kid, sizeof kid);
  CHECK_RESULT(wm_kid_from_text(text, form, kid), result);
  CHECK(memcmp(kid, before, sizeof kid) == 0);
}

static void every_form_is_written_and_read(void) {
  for (size_t i = 0; i < FORM_COUNT; i++) {
    char buf[40];
    uint8_t kid[KID_SIZE] = {0};
    size_t needed = 0;
    CHECK_OK(wm_kid_to_text(KID, FORMS[i].form, NULL, 0, &needed));
    CHECK_EQ(needed, strlen(FORMS[i].text) + 1);
    CHECK_OK(wm_kid_to_text(KID, FORMS[i].form, buf, needed, NULL));
    CHECK_TEXT(buf, FORMS[i].text);
    memset(buf, 'x', sizeof buf);
    CHECK_RESULT(wm_kid_to_text(KID, FORMS[i].form, buf, needed - 1, &needed), WM_E_BUFFER_TOO_SMALL);
    CHECK(buf[0] == 'x' && buf[needed - 2] == 'x');
    CHECK_OK(wm_kid_from_text(FORMS[i].text, FORMS[i].form, kid));
    CHECK(memcmp(kid, KID, sizeof kid) == 0);
    memset(kid, 0, sizeof kid);
    CHECK_OK(wm_kid_from_text(FORMS[i].text, FORMS[i].form & WM_KID_GUID_ORDER, kid));
    CHECK(memcmp(kid, KID, sizeof kid) == 0);
  }
}

static void braces_and_capitals_are_read(void) {
  uint8_t kid[KID_SIZE] = {0};
  CHECK_OK(wm_kid_from_text("{33221100-5544-7766-8899-AABBCCDDEEFF}", WM_KID_GUID_ORDER, kid));
  CHECK(memcmp(kid, KID, sizeof kid) == 0);
}

static void a_text_that_is_not_one_key_id_is_refused(void) {
  static const char *const WRONG[] = {
      "",       " ",  "{",     "}", "{}", "00112233445566778899aabbccddeef", "00112233445566778899aabbccddeeff0",
      "00112233445566778899aabbccddeefg", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeeffa",
      "0011223344-55-6677-8899-aabbccddeeff", "{00112233-4455-6677-8899-aabbccddeeff",
      "00112233-4455-6677-8899-aabbccddeeff}", "{{00112233-4455-6677-8899-aabbccddeeff}}",
      "{00112233445566778899aabbccddeeff}", "ABEiM0RVZneImaq7zN3u/w", "ABEiM0RVZneImaq7zN3u/w=",
      "ABEiM0RVZneImaq7zN3u/x==", "ABEiM0RVZneImaq7zN3u_w==", "ABEiM0RVZneImaq7zN3u/wAA", "\xff\xfe",
      "00112233445566778899aabbccddee\xc3\xa9",
  };
  for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) expect_refused(WRONG[i], 0, WM_E_BAD_VALUE);
  for (size_t length = 0; length < 64; length++) { /* every length that no form has */
    char text[65];
    memset(text, 'a', length);
    text[length] = '\0';
    if (length != 24 && length != 32) expect_refused(text, 0, WM_E_BAD_VALUE);
    if (length != 32) expect_refused(text, WM_KID_HEX, WM_E_BAD_VALUE);
    if (length != 36) expect_refused(text, WM_KID_UUID, WM_E_BAD_VALUE);
    if (length != 24) expect_refused(text, WM_KID_BASE64 | WM_KID_GUID_ORDER, WM_E_BAD_VALUE);
  }
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  expect_refused("{00112233-4455-6677-8899-aabbccddeeff", 0, WM_E_BAD_VALUE);
  CHECK_OK(wm_get_error_info(&info));
  CHECK_TEXT(info.message, "Braces belong around a whole UUID.");
}

static void null_and_unknown_forms_are_refused(void) {
  char buf[40] = "kept";
  size_t needed = 7;
  static const uint32_t UNKNOWN[] = {0, WM_KID_GUID_ORDER, 4, 0x200, 0x101 + 0x1000, UINT32_MAX};
  for (size_t i = 0; i < sizeof UNKNOWN / sizeof *UNKNOWN; i++) {
    CHECK_RESULT(wm_kid_to_text(KID, UNKNOWN[i], buf, sizeof buf, &needed), WM_E_INVALIDARG);
    if (i > 1) expect_refused(FORMS[1].text, UNKNOWN[i], WM_E_INVALIDARG);
  }
  CHECK_RESULT(wm_kid_to_text(NULL, WM_KID_HEX, buf, sizeof buf, &needed), WM_E_INVALIDARG);
  CHECK_RESULT(wm_kid_to_text(KID, WM_KID_HEX, NULL, 1, &needed), WM_E_INVALIDARG);
  CHECK_TEXT(buf, "kept");
  CHECK_EQ(needed, 7);
  expect_refused(NULL, 0, WM_E_INVALIDARG);
  CHECK_RESULT(wm_kid_from_text(FORMS[1].text, 0, NULL), WM_E_INVALIDARG);
}

int main(int argc, char **argv) {
  CHECK(argc == 2 && argv[1][0] != '\0');
  every_form_is_written_and_read();
  braces_and_capitals_are_read();
  a_text_that_is_not_one_key_id_is_refused();
  null_and_unknown_forms_are_refused();
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
