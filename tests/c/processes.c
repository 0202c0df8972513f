/* What one process does to a store is seen by the next call of another one, which has looked so often that it asks no database. */
#include "common.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

enum { LOOKS = 40 };

static wm_result use(wm_client *client, const uint8_t kid[KID_SIZE]) {
  static const uint8_t iv[16];
  uint8_t data[64] = {0};
  wm_decryptor *decryptor = NULL;
  wm_sample sample = {0};
  sample.struct_size = sizeof sample;
  sample.iv = iv;
  sample.iv_size = sizeof iv;
  sample.scheme = SCHEME_CENC;
  wm_result result = wm_create_decryptor(client, kid, "Play", &decryptor);
  if (result >= 0) result = wm_decrypt_sample(decryptor, &sample, data, sizeof data);
  CHECK_OK(wm_release(decryptor));
  return result;
}

static uint32_t uses_left(wm_client *client) {
  wm_license_state state = {0};
  state.struct_size = sizeof state;
  CHECK_OK(wm_query_license_state(client, KID_COUNTED, "Play", &state));
  return state.category == WM_LICENSE_STATE_COUNT ? state.counts[0] : 0;
}

static void look_often(wm_client *client, wm_result found, uint32_t left) {
  for (int look = 0; look < LOOKS; look++) {
    CHECK_RESULT(use(client, KID_VIDEO), found);
    CHECK_EQ(uses_left(client), left);
  }
}

/* Has another process do its work in the same store. */
static void elsewhere(char **words, char *work) {
  char *its[] = {words[0], words[1], work, NULL};
  pid_t other = 0;
  int status = 0;
  CHECK(posix_spawn(&other, words[0], NULL, NULL, its, environ) == 0);
  CHECK(waitpid(other, &status, 0) == other);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void work(wm_client *client, const char *what) {
  if (strcmp(what, "acquire") == 0) {
    CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  } else if (strcmp(what, "delete") == 0) {
    CHECK_OK(wm_delete_licenses(client, KID_VIDEO, WM_DELETE_LOCAL));
  } else {
    CHECK_OK(use(client, KID_COUNTED));
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 2 || argc == 3);
  wm_client *client = open_client(argv[1], "store");
  if (argc == 3) {
    work(client, argv[2]);
  } else {
    individualize(client);
    CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
    CHECK_RESULT(acquire(client, KID_COUNTED), WM_S_LICENSE_ACQUIRED);
    look_often(client, 0, 2);
    elsewhere(argv, "use");
    CHECK_EQ(uses_left(client), 1);
    look_often(client, 0, 1);
    CHECK_OK(use(client, KID_COUNTED));
    CHECK_EQ(uses_left(client), 0);
    look_often(client, 0, 0);
    elsewhere(argv, "delete");
    CHECK_RESULT(use(client, KID_VIDEO), WM_E_LICENSE_REQUIRED);
    look_often(client, WM_E_LICENSE_REQUIRED, 0);
    elsewhere(argv, "acquire");
    CHECK_OK(use(client, KID_VIDEO));
  }
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
