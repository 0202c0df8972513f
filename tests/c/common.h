/* What every harness program shares: checks that name the place and the library's own detail, a recorder for status
 * callbacks, and the catalogue of the service that crates/testkit/src/c/service.rs starts. No test lives here.
 *
 * A program is started with one argument, an empty folder of its own, and exits 0 when every check held. */
#ifndef WM_TEST_COMMON_H
#define WM_TEST_COMMON_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <wmlicense.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- checks ------------------------------------------------------------------------------------------------------ */

/* The expression must be true. */
#define CHECK(expr) check_true_((expr), #expr, __FILE__, __LINE__)
/* The call must answer exactly this result. */
#define CHECK_RESULT(call, want) check_result_((call), (want), #call, #want, __FILE__, __LINE__)
/* The call must answer 0. */
#define CHECK_OK(call) CHECK_RESULT(call, 0)
/* Two numbers must be equal; both are printed when they are not. */
#define CHECK_EQ(got, want) check_eq_((long long)(got), (long long)(want), #got, #want, __FILE__, __LINE__)
/* Two texts must be equal; both are printed when they are not. */
#define CHECK_TEXT(got, want) check_text_((got), (want), #got, __FILE__, __LINE__)

static inline void stop_(void) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  if (wm_get_error_info(&info) == 0 && info.result != 0)
    fprintf(stderr, "  last detail: %s: %s\n", wm_result_name(info.result), info.message);
  fflush(NULL);
  _Exit(1); /* not exit(): a failing check may run on a thread of the library */
}

static inline void check_true_(bool held, const char *text, const char *file, int line) {
  if (held) return;
  fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
  stop_();
}

static inline void check_result_(wm_result got, wm_result want, const char *call, const char *text, const char *file,
                                 int line) {
  if (got == want) return;
  fprintf(stderr, "%s:%d: %s\n  answered %s (0x%08X), not %s\n", file, line, call, wm_result_name(got), (unsigned)got,
          text);
  stop_();
}

static inline void check_eq_(long long got, long long want, const char *got_text, const char *want_text,
                             const char *file, int line) {
  if (got == want) return;
  fprintf(stderr, "%s:%d: %s is %lld, not %s (%lld)\n", file, line, got_text, got, want_text, want);
  stop_();
}

static inline void check_text_(const char *got, const char *want, const char *text, const char *file, int line) {
  if (got != NULL && strcmp(got, want) == 0) return;
  fprintf(stderr, "%s:%d: %s is \"%s\", not \"%s\"\n", file, line, text, got != NULL ? got : "(null)", want);
  stop_();
}

/* --- recorder: a status callback that keeps what it saw ---------------------------------------------------------- */

enum { MAX_EVENTS = 1024, MAX_VALUE = 512, PATIENCE_SECONDS = 120 };

typedef struct event {
  wm_status status;
  wm_result result;
  wm_attr_type type;
  size_t size;               /* as told; `value` holds at most the first MAX_VALUE bytes */
  uint8_t value[MAX_VALUE + 1]; /* always terminated, so that a text can be printed */
} event;

typedef struct recorder {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  event events[MAX_EVENTS];
  size_t count;
  /* Called after each event without the lock, on the library's thread; its answer is the callback's. May be NULL. */
  wm_result (*hook)(struct recorder *recorder, const event *seen, void *hook_context);
  void *hook_context;
  bool network; /* keep WM_STATUS_NETWORK as well: how many there are depends on the network */
} recorder;

#define RECORDER_INIT {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

/* Pass this as the callback and a recorder as its context. */
static inline wm_result record(wm_status status, wm_result result, wm_attr_type type, const void *value, size_t size,
                               void *context) {
  recorder *to = context;
  if (status == WM_STATUS_NETWORK && !to->network) return 0;
  event seen = {.status = status, .result = result, .type = type, .size = size};
  if (value != NULL) memcpy(seen.value, value, size < MAX_VALUE ? size : MAX_VALUE);
  pthread_mutex_lock(&to->mutex);
  if (to->count < MAX_EVENTS) to->events[to->count] = seen;
  to->count++;
  pthread_cond_broadcast(&to->changed);
  pthread_mutex_unlock(&to->mutex);
  return to->hook != NULL ? to->hook(to, &seen, to->hook_context) : 0;
}

static inline void recorder_clear(recorder *from) {
  pthread_mutex_lock(&from->mutex);
  from->count = 0;
  pthread_mutex_unlock(&from->mutex);
}

/* How many events of this status were seen so far. */
static inline size_t recorder_count(recorder *from, wm_status status) {
  size_t found = 0;
  pthread_mutex_lock(&from->mutex);
  CHECK(from->count <= MAX_EVENTS);
  for (size_t i = 0; i < from->count; i++) found += from->events[i].status == status;
  pthread_mutex_unlock(&from->mutex);
  return found;
}

/* Where the first event of this status stands among all, or -1. */
static inline long recorder_index(recorder *from, wm_status status) {
  long found = -1;
  pthread_mutex_lock(&from->mutex);
  CHECK(from->count <= MAX_EVENTS);
  for (size_t i = 0; found < 0 && i < from->count; i++)
    if (from->events[i].status == status) found = (long)i;
  pthread_mutex_unlock(&from->mutex);
  return found;
}

/* The first event of this status, waiting for it when it did not come yet. */
static inline event recorder_await(recorder *from, wm_status status) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += PATIENCE_SECONDS;
  pthread_mutex_lock(&from->mutex);
  for (size_t next = 0;;) {
    for (; next < from->count && next < MAX_EVENTS; next++) {
      if (from->events[next].status == status) {
        event found = from->events[next];
        pthread_mutex_unlock(&from->mutex);
        return found;
      }
    }
    CHECK(pthread_cond_timedwait(&from->changed, &from->mutex, &until) == 0);
  }
}

/* --- the service and its catalogue ------------------------------------------------------------------------------- */

static inline const char *setting(const char *name) {
  const char *value = getenv(name);
  if (value == NULL) {
    fprintf(stderr, "%s is not set: run this program through `cargo test --test c_programs`\n", name);
    _Exit(2);
  }
  return value;
}

static inline const char *service_url(void) { return setting("WM_TEST_URL"); }
static inline const char *service_authority(void) { return setting("WM_TEST_AUTHORITY"); }
static inline const char *account_token(void) { return setting("WM_TEST_TOKEN"); }           /* no scopes */
static inline const char *gold_account_token(void) { return setting("WM_TEST_GOLD_TOKEN"); } /* scope `gold` */

/* An authority that certified nothing here: the SHA-256 of no certificate. */
#define STRANGE_AUTHORITY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* The four-character code `cenc`, as samples name their scheme. */
#define SCHEME_CENC ((uint32_t)0x63656E63)

enum { KID_SIZE = 16, TITLE_COUNT = 10 };

/* The key IDs that the service knows. Everything but KID_GOLD is open to all accounts. */
static const uint8_t KID_VIDEO[KID_SIZE] = {0xa1, 0xa2, 0xa3, 0xa4, 0xb1, 0xb2, 0xc1, 0xc2,
                                            0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8};
static const uint8_t KID_AUDIO[KID_SIZE] = {0x0f, 0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08,
                                            0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 0x00};
#define KID_LAST(first, last) {(first), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (last)}
static const uint8_t KID_RESTRICTED[KID_SIZE] = KID_LAST(0xc1, 1); /* backup forbidden; title "Not for backup" */
static const uint8_t KID_COUNTED[KID_SIZE] = KID_LAST(0xc2, 1);    /* may be played twice; stateful, backup true */
static const uint8_t KID_EXPIRED[KID_SIZE] = KID_LAST(0xc3, 1);    /* ended in 2001 */
static const uint8_t KID_FUTURE[KID_SIZE] = KID_LAST(0xc4, 1);     /* begins in 2090 */
static const uint8_t KID_GOLD[KID_SIZE] = KID_LAST(0xc5, 1);       /* only for accounts with the scope `gold` */
static const uint8_t KID_LEAF[KID_SIZE] = KID_LAST(0xc6, 1);       /* needs the root license of a subscription until 2090 */
static const uint8_t KID_LEAF_OVER[KID_SIZE] = KID_LAST(0xc7, 1);  /* needs that of a subscription that ended in 2001 */
static const uint8_t KID_DEMANDING[KID_SIZE] = KID_LAST(0xc8, 1);  /* each action on a condition of its own, see rights.c */
static const uint8_t KID_UNKNOWN[KID_SIZE] = KID_LAST(0xcf, 1);    /* not in the catalogue */

/* The key IDs of TITLE_COUNT ordinary titles, "Title 1" and so on; `number` counts from 1. */
static inline void title_kid(int number, uint8_t kid[KID_SIZE]) {
  memset(kid, 0, KID_SIZE);
  kid[0] = 0xc0;
  kid[KID_SIZE - 1] = (uint8_t)number;
}

/* The key IDs of twelve titles that the user must accept on the page; `number` counts from 1. */
static inline void asked_kid(int number, uint8_t kid[KID_SIZE]) {
  title_kid(number, kid);
  kid[0] = 0xca;
}

enum { KID_TEXT_SIZE = 25 };

/* The key IDs of three titles whose licenses the service can take back; `number` counts from 1. */
static inline void revocable_kid(int number, uint8_t kid[KID_SIZE]) {
  title_kid(number, kid);
  kid[0] = 0xd1;
}

/* The base64 text by which properties and statuses name a key ID. */
static inline const char *kid_text(const uint8_t kid[KID_SIZE], char text[KID_TEXT_SIZE]) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char *to = text;
  for (int i = 0; i < KID_SIZE; i += 3) {
    uint32_t group = (uint32_t)kid[i] << 16;
    if (i + 1 < KID_SIZE) group |= (uint32_t)kid[i + 1] << 8 | kid[i + 2];
    *to++ = digits[group >> 18];
    *to++ = digits[group >> 12 & 63];
    *to++ = i + 1 < KID_SIZE ? digits[group >> 6 & 63] : '=';
    *to++ = i + 1 < KID_SIZE ? digits[group & 63] : '=';
  }
  *to = '\0';
  /* Every table above is used by some program; naming them here keeps the others free of warnings. */
  (void)KID_VIDEO, (void)KID_AUDIO, (void)KID_RESTRICTED, (void)KID_COUNTED, (void)KID_EXPIRED, (void)KID_FUTURE;
  (void)KID_GOLD, (void)KID_LEAF, (void)KID_LEAF_OVER, (void)KID_DEMANDING, (void)KID_UNKNOWN;
  return text;
}

enum { HEX_SIZE = KID_SIZE * 2 + 1 };

/* A key ID in hexadecimal, as commands of the service name it. */
static inline const char *kid_hex(const uint8_t kid[KID_SIZE], char hex[HEX_SIZE]) {
  CHECK_OK(wm_kid_to_text(kid, WM_KID_HEX, hex, HEX_SIZE, NULL));
  return hex;
}

/* The device ID of a client, 16 bytes as well. */
static inline const char *device_hex(wm_client *client, char hex[HEX_SIZE]) {
  char text[KID_TEXT_SIZE];
  uint8_t id[KID_SIZE];
  CHECK_OK(wm_get_prop(client, WM_PROP_DEVICE_ID, NULL, text, sizeof text, NULL));
  CHECK_OK(wm_kid_from_text(text, WM_KID_BASE64, id));
  return kid_hex(id, hex);
}

/* --- short ways to what most programs begin with ------------------------------------------------------------------ */

/* The folder given to the program, joined with a name; the caller frees it. */
static inline char *path_in(const char *folder, const char *name) {
  size_t size = strlen(folder) + strlen(name) + 2;
  char *path = malloc(size);
  CHECK(path != NULL);
  snprintf(path, size, "%s/%s", folder, name);
  return path;
}

/* An opened client on the store `folder/name`, set up for the test's service. */
static inline wm_client *open_client(const char *folder, const char *name) {
  wm_client *client = NULL;
  char *path = path_in(folder, name);
  CHECK_OK(wm_create_client(&client));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_STORE_PATH, path));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_AUTHORITY, service_authority()));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, service_url()));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, account_token()));
  CHECK_OK(wm_open_client(client));
  free(path);
  return client;
}

/* Waits for the operation of `object` and answers how it ended. */
static inline wm_result finish(void *object) {
  wm_result result = WM_E_INTERNAL;
  CHECK_OK(wm_wait(object, PATIENCE_SECONDS * 1000, &result));
  return result;
}

/* As the owner does: runs `wmlicensed WORDS` on the service's data and keeps what it printed. */
static inline void owner(const char *words, char *printed, size_t size) {
  char line[4096];
  int length = snprintf(line, sizeof line, "'%s' %s --data '%s'", setting("WM_TEST_SERVICE_PROGRAM"), words,
                        setting("WM_TEST_SERVICE_DATA"));
  CHECK(length > 0 && (size_t)length < sizeof line);
  FILE *output = popen(line, "r");
  CHECK(output != NULL);
  size_t got = fread(printed, 1, size - 1, output);
  CHECK(got < size - 1);
  printed[got] = '\0';
  CHECK_EQ(pclose(output), 0);
}

/* Gives the client's device its certificate. */
static inline void individualize(wm_client *client) {
  wm_individualizer *individualizer = NULL;
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_OK(wm_individualize(individualizer, 0));
  CHECK_RESULT(finish(individualizer), WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_release(individualizer));
}

/* Acquires one license silently and answers how that ended. */
static inline wm_result acquire(wm_client *client, const uint8_t kid[KID_SIZE]) {
  char text[KID_TEXT_SIZE];
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(kid, text)));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  wm_result result = finish(request);
  CHECK_OK(wm_release(request));
  return result;
}

/* Acquires without naming content; a scope may be NULL. */
static inline wm_result predeliver(wm_client *client, const char *scope, recorder *events) {
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, events != NULL ? record : NULL, events, &request));
  if (scope != NULL) CHECK_OK(wm_set_string_prop(request, WM_PROP_SCOPE, scope));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  wm_result result = finish(request);
  CHECK_OK(wm_release(request));
  return result;
}

#endif
