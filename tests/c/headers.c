/* Content headers of every kind: from bytes and from files, every property, and what is refused. The last test acquires
 * licenses by headers from the running service. */
#include "common.h"

enum { TEXT_SIZE = 512 };

#define VIDEO_TEXT "oaKjpLGywcLR0tPU1dbX2A=="
#define AUDIO_TEXT "Dw4NDAsKCQgHBgUEAwIBAA=="
/* The same key IDs as WRMHEADER writes them: in GUID order. */
#define VIDEO_GUID "pKOiobKxwsHR0tPU1dbX2A=="
#define AUDIO_GUID "DA0ODwoLCAkHBgUEAwIBAA=="

static const char MEDIA_HEADER[] =
    "<WRMHEADER version=\"2.0.0.0\"><DATA><KID>" VIDEO_GUID "</KID><LAINFO>https://la.example/?a=1&amp;b=2</LAINFO>"
    "<CID>WMID:7</CID><SECURITYVERSION>2.2</SECURITYVERSION><Title>A film</Title><KIDs>not these</KIDs><Empty/>"
    "</DATA></WRMHEADER>";
static const char PLAY_HEADER[] =
    "<WRMHEADER version=\"4.2.0.0\"><DATA><PROTECTINFO><KIDS><KID ALGID=\"AESCTR\" VALUE=\"" VIDEO_GUID "\"/>"
    "<KID ALGID=\"AESCTR\" VALUE=\"" AUDIO_GUID "\"/></KIDS></PROTECTINFO></DATA></WRMHEADER>";
static const char PLAYLIST[] =
    "#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,KEYID=0xA1A2A3A4B1B2C1C2D1D2D3D4D5D6D7D8,URI=\"https://own.example/\","
    "KEYFORMAT=\"urn:uuid:12a7e563-e111-4055-b7d8-957152b8d2fe\"\n";
static const char PROTECTION[] =
    "<ContentProtection schemeIdUri=\"urn:mpeg:dash:mp4protection:2011\" value=\"cenc\" "
    "cenc:default_KID=\"0f0e0d0c-0b0a-0908-0706-050403020100\"/>";
static const char KEY_IDS[] = "{\"kids\":[\"oaKjpLGywcLR0tPU1dbX2A\"]}";

/* The property must have this text; NULL: no value. */
static void expect_text(wm_content_header *header, const char *name, const char *want) {
  char text[TEXT_SIZE];
  size_t needed = 0;
  wm_attr_type type = WM_TYPE_DWORD;
  if (want == NULL) {
    CHECK_RESULT(wm_get_prop(header, name, NULL, text, sizeof text, NULL), WM_E_UNSUPPORTED_PROPERTY);
    return;
  }
  CHECK_OK(wm_get_prop(header, name, &type, NULL, 0, &needed));
  CHECK_EQ(type, WM_TYPE_STRING);
  CHECK_EQ(needed, strlen(want) + 1);
  CHECK_OK(wm_get_prop(header, name, &type, text, sizeof text, &needed));
  CHECK_TEXT(text, want);
}

static wm_content_header *of_bytes(const void *data, size_t size) {
  wm_content_header *header = NULL;
  CHECK_OK(wm_create_content_header(data, size, &header));
  return header;
}

static wm_content_header *of_text(const char *text) { return of_bytes(text, strlen(text)); }

static char *write_file(const char *folder, const char *name, const void *data, size_t size) {
  char *path = path_in(folder, name);
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL && fwrite(data, 1, size, file) == size && fclose(file) == 0);
  return path;
}

static void names_are_those_of_the_properties_with_a_value(wm_content_header *header) {
  static const char *const expected[] = {WM_PROP_KIDS, WM_PROP_LICENSE_URL, WM_PROP_CONTENT_ID, WM_PROP_SECURITY_VERSION,
                                         "Title", "Empty"};
  enum { COUNT = sizeof expected / sizeof *expected };
  char name[TEXT_SIZE];
  size_t count = 0, needed = 0;
  CHECK_OK(wm_get_prop_count(header, &count));
  CHECK_EQ(count, COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    CHECK_OK(wm_get_prop_name(header, i, name, sizeof name, &needed));
    CHECK_TEXT(name, expected[i]);
  }
  CHECK_RESULT(wm_get_prop_name(header, COUNT, name, sizeof name, &needed), WM_E_INVALIDARG);
}

static void windows_media_headers_show_custom_elements(void) {
  wm_content_header *header = of_text(MEDIA_HEADER);
  expect_text(header, WM_PROP_KIDS, VIDEO_TEXT);
  expect_text(header, WM_PROP_LICENSE_URL, "https://la.example/?a=1&b=2");
  expect_text(header, WM_PROP_CONTENT_ID, "WMID:7");
  expect_text(header, WM_PROP_SECURITY_VERSION, "2.2");
  expect_text(header, WM_PROP_SCHEME, NULL);
  expect_text(header, WM_PROP_SYSTEM, NULL);
  expect_text(header, "Title", "A film");
  expect_text(header, "Empty", "");
  expect_text(header, "Nothing", NULL);
  names_are_those_of_the_properties_with_a_value(header);
  CHECK_RESULT(wm_set_string_prop(header, "Title", "x"), WM_E_UNSUPPORTED_PROPERTY);
  CHECK_RESULT(wm_set_string_prop(header, WM_PROP_KIDS, VIDEO_TEXT), WM_E_UNSUPPORTED_PROPERTY);
  CHECK_RESULT(wm_remove_prop(header, "Title"), WM_E_UNSUPPORTED_PROPERTY);
  char small[2];
  size_t needed = 0;
  CHECK_RESULT(wm_get_prop(header, "Title", NULL, small, sizeof small, &needed), WM_E_BUFFER_TOO_SMALL);
  CHECK_EQ(needed, sizeof "A film");
  CHECK_OK(wm_release(header));
}

static void every_kind_gives_key_ids_in_one_byte_order(void) {
  wm_content_header *header = of_text(PLAY_HEADER);
  expect_text(header, WM_PROP_KIDS, VIDEO_TEXT ";" AUDIO_TEXT);
  CHECK_OK(wm_release(header));
  header = of_text(PLAYLIST);
  expect_text(header, WM_PROP_KIDS, VIDEO_TEXT);
  expect_text(header, WM_PROP_SCHEME, "cbcs");
  expect_text(header, WM_PROP_SYSTEM, "12a7e563-e111-4055-b7d8-957152b8d2fe");
  expect_text(header, WM_PROP_LICENSE_URL, "https://own.example/");
  CHECK_OK(wm_release(header));
  header = of_text(PROTECTION);
  expect_text(header, WM_PROP_KIDS, AUDIO_TEXT);
  expect_text(header, WM_PROP_SCHEME, "cenc");
  CHECK_OK(wm_release(header));
  header = of_text(KEY_IDS);
  expect_text(header, WM_PROP_KIDS, VIDEO_TEXT);
  CHECK_OK(wm_release(header));
  header = of_bytes(KID_VIDEO, KID_SIZE);
  expect_text(header, WM_PROP_KIDS, VIDEO_TEXT);
  CHECK_OK(wm_release(header));
}

static void what_cannot_be_read_is_noted_and_hides_nothing(void) {
  wm_content_header *header = of_text("<MPD><ContentProtection default_KID=\"bad 0f0e0d0c-0b0a-0908-0706-050403020100 worse\"/></MPD>");
  expect_text(header, WM_PROP_KIDS, AUDIO_TEXT);
  expect_text(header, WM_PROP_NOTES,
              "default_KID at byte 5 cannot be read as text of its kind\n"
              "default_KID at byte 5 cannot be read as text of its kind");
  CHECK_OK(wm_release(header));
  header = of_text(KEY_IDS);
  expect_text(header, WM_PROP_NOTES, NULL);
  CHECK_OK(wm_release(header));
}

static void files_say_what_their_bytes_say(const char *folder) {
  static const struct {
    const char *text;
    bool is_protected, names_keys;
  } cases[] = {{MEDIA_HEADER, true, true},
               {PLAY_HEADER, true, true},
               {PLAYLIST, true, true},
               {PROTECTION, true, true},
               {KEY_IDS, true, true},
               {"#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n", false, false},
               {"#EXTM3U\n#EXT-X-KEY:METHOD=UNHEARD-OF\n", true, false},
               {"<MPD/>", false, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char *path = write_file(folder, "header", cases[i].text, strlen(cases[i].text)), kids[TEXT_SIZE];
    wm_content_header *header = NULL;
    bool is_protected = !cases[i].is_protected;
    CHECK_RESULT(wm_is_content_protected(path, &is_protected), cases[i].is_protected ? WM_S_OK : WM_S_FALSE);
    CHECK_EQ(is_protected, cases[i].is_protected);
    CHECK_OK(wm_create_content_header_from_file(path, &header));
    CHECK_RESULT(wm_get_prop(header, WM_PROP_KIDS, NULL, kids, sizeof kids, NULL),
                 cases[i].names_keys ? WM_S_OK : WM_E_UNSUPPORTED_PROPERTY);
    CHECK_OK(wm_release(header));
    free(path);
  }
}

static void refusals_name_byte_and_field(const char *folder) {
  static const char entities[] = "<!DOCTYPE a [<!ENTITY b \"c\">]><WRMHEADER version=\"2.0\"/>";
  static const char later[] = "<WRMHEADER version=\"4.4.0.0\"><DATA/></WRMHEADER>";
  wm_content_header *header = NULL;
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  CHECK_RESULT(wm_create_content_header(entities, sizeof entities - 1, &header), WM_E_MALFORMED_CONTENT_HEADER);
  CHECK_OK(wm_get_error_info(&info));
  CHECK(strstr(info.message, "DOCTYPE at byte 0") != NULL);
  CHECK_RESULT(wm_create_content_header(later, sizeof later - 1, &header), WM_E_CONTENT_HEADER_TOO_NEW);
  CHECK_OK(wm_get_error_info(&info));
  CHECK(strstr(info.message, "4.4") != NULL);
  CHECK_RESULT(wm_create_content_header("noise", 5, &header), WM_E_MALFORMED_CONTENT_HEADER);
  CHECK_RESULT(wm_create_content_header(NULL, 5, &header), WM_E_INVALIDARG);
  CHECK_RESULT(wm_create_content_header("noise", 5, NULL), WM_E_INVALIDARG);
  char *path = write_file(folder, "noise", "noise", 5), *nowhere = path_in(folder, "nowhere");
  bool is_protected = true;
  CHECK_RESULT(wm_create_content_header_from_file(path, &header), WM_E_MALFORMED_CONTENT_HEADER);
  CHECK_RESULT(wm_create_content_header_from_file(nowhere, &header), WM_E_PATH_NOT_FOUND);
  CHECK_RESULT(wm_is_content_protected(path, &is_protected), WM_E_MALFORMED_CONTENT_HEADER);
  CHECK_RESULT(wm_is_content_protected(nowhere, &is_protected), WM_E_PATH_NOT_FOUND);
  CHECK(is_protected);
  free(nowhere);
  free(path);
}

static void licenses_are_acquired_by_any_header(const char *folder) {
  static const char *const headers[] = {PLAY_HEADER, PLAYLIST, PROTECTION, KEY_IDS, MEDIA_HEADER};
  wm_client *client = open_client(folder, "store");
  individualize(client);
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
    /* The places that headers name do not exist: only the client's own service is asked. */
    wm_license_request *request = NULL;
    CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
    CHECK_OK(wm_set_prop(request, WM_PROP_HEADER, WM_TYPE_BINARY, headers[i], strlen(headers[i])));
    CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
    CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
    CHECK_OK(wm_release(request));
  }
  uint32_t reasons = 1;
  CHECK_OK(wm_query_action_allowed(client, KID_AUDIO, "Play", &reasons));
  CHECK_EQ(reasons, 0);
  CHECK_OK(wm_query_action_allowed(client, KID_VIDEO, "Play", &reasons));
  CHECK_EQ(reasons, 0);
  CHECK_OK(wm_release(client));
}

int main(int argc, char **argv) {
  CHECK_EQ(argc, 2);
  windows_media_headers_show_custom_elements();
  every_kind_gives_key_ids_in_one_byte_order();
  what_cannot_be_read_is_noted_and_hides_nothing();
  files_say_what_their_bytes_say(argv[1]);
  refusals_name_byte_and_field(argv[1]);
  licenses_are_acquired_by_any_header(argv[1]);
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
