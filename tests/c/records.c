/* The log callback gets the records of every part of the library, with no lock held: what the library came upon beside what it
 * was asked is told there and nowhere else. */
#include "common.h"

typedef struct journal {
  pthread_mutex_t mutex;
  wm_client *client;
  const uint8_t *kid;
  int lines, of_gifts, least;
  bool secret;
} journal;

static void note(uint32_t level, const char *target, const char *message, void *context) {
  journal *to = context;
  /* Writes to the store, which no thread may hold while it records. */
  CHECK_OK(wm_set_content_title(to->client, to->kid, "named in a record"));
  pthread_mutex_lock(&to->mutex);
  to->lines++;
  to->of_gifts += level == WM_LOG_INFO && strcmp(target, "wmlicense::service") == 0 &&
                  strstr(message, "1 licenses came that nobody asked for") != NULL;
  if ((int)level > to->least) to->least = (int)level;
  to->secret |= strstr(message, account_token()) != NULL || strchr(message, '?') != NULL;
  pthread_mutex_unlock(&to->mutex);
}

static void give(wm_client *client, const uint8_t kid[KID_SIZE]) {
  char words[512], device[HEX_SIZE], hex[HEX_SIZE], printed[4096];
  snprintf(words, sizeof words, "license give %s %s", device_hex(client, device), kid_hex(kid, hex));
  owner(words, printed, sizeof printed);
}

static void a_gift_is_recorded(const char *folder) {
  uint8_t asked[KID_SIZE], given[KID_SIZE];
  wm_client *client = open_client(folder, "records");
  individualize(client);
  title_kid(1, asked);
  title_kid(2, given);
  journal seen = {.mutex = PTHREAD_MUTEX_INITIALIZER, .client = client, .kid = asked};
  give(client, given);
  CHECK_OK(wm_set_log_callback(client, note, &seen, WM_LOG_INFO));
  CHECK_RESULT(acquire(client, asked), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(seen.of_gifts, 1);
  CHECK_EQ(seen.lines, 3); /* besides that the operation began and ended */
  CHECK_EQ(seen.least, WM_LOG_INFO);
  CHECK(!seen.secret);
  /* Who wants less is told less. */
  title_kid(3, given);
  give(client, given);
  CHECK_OK(wm_set_log_callback(client, note, &seen, WM_LOG_WARN));
  CHECK_RESULT(acquire(client, asked), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(seen.lines, 3);
  CHECK_OK(wm_set_log_callback(client, NULL, NULL, 0));
  CHECK_OK(wm_release(client));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  a_gift_is_recorded(argv[1]);
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
