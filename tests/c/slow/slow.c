/* A medium on which every look takes seconds: no call of a background verb and no property waits for it, the final status
 * brings what there is to say. Run by tests/c_programs/slow.rs, which delays the system's calls that name the folder. */
#include "../common.h"

enum { QUICK_MS = 500, LOOK_MS = 2000 };

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The call answers 0 at once. */
#define AT_ONCE(call)                            \
  do {                                           \
    long long begun_ = now_ms();                 \
    CHECK_OK(call);                              \
    CHECK(now_ms() - begun_ < QUICK_MS);         \
  } while (0)

/* How the operation ended, which took at least one look at the medium. */
static wm_result ended(wm_backup_restorer *restorer) {
  long long begun = now_ms();
  wm_result result = finish(restorer);
  CHECK(now_ms() - begun > LOOK_MS / 2);
  return result;
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  wm_client *client = open_client(argv[1], "store");
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  AT_ONCE(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, argv[2]));
  AT_ONCE(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, argv[2]));
  AT_ONCE(wm_backup_licenses(restorer, 0));
  CHECK_RESULT(ended(restorer), WM_E_BACKUP_EXISTS);
  AT_ONCE(wm_verify_backup(restorer));
  CHECK_RESULT(ended(restorer), WM_E_BACKUP_CORRUPT);
  AT_ONCE(wm_preview_restore(restorer));
  CHECK_RESULT(ended(restorer), WM_E_BACKUP_CORRUPT);
  AT_ONCE(wm_restore_licenses(restorer, 0));
  CHECK_RESULT(ended(restorer), WM_E_BACKUP_CORRUPT);
  CHECK_OK(wm_release(restorer));
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
