/* Locks that another process holds, and a pipe where a file should be: cancel, deadline and release keep their word, and nothing
 * hangs. */
#include "common.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_MS = 300, SOON_MS = 5000 };

/* SQLite's file format: this byte of the log's index is locked while a process writes. */
enum { WRITE_LOCK_BYTE = 120 };

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* A process that holds a lock until it is told to end. */
typedef struct holder {
  pid_t process;
  int until; /* closed to end it */
} holder;

static int lock_whole(int fd) { return flock(fd, LOCK_EX); }

static int lock_for_writing(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = WRITE_LOCK_BYTE, .l_len = 1};
  return fcntl(fd, F_SETLKW, &lock);
}

static holder hold(const char *folder, const char *name, int (*take)(int fd)) {
  holder made;
  int ready[2], until[2];
  char byte = 0, *path = path_in(folder, name);
  CHECK(pipe(ready) == 0 && pipe(until) == 0);
  made.process = fork();
  CHECK(made.process >= 0);
  if (made.process == 0) {
    close(ready[0]);
    close(until[1]);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || take(fd) != 0 || write(ready[1], &byte, 1) != 1) _exit(1);
    _exit(read(until[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(ready[1]);
  close(until[0]);
  made.until = until[1];
  CHECK_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  free(path);
  return made;
}

static void let_go(holder *held) {
  int status = -1;
  close(held->until);
  CHECK(waitpid(held->process, &status, 0) == held->process);
  CHECK_EQ(status, 0);
}

static wm_individualizer *individualizer_of(wm_client *client) {
  wm_individualizer *made = NULL;
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &made));
  CHECK_OK(wm_set_bool_prop(made, WM_PROP_USER_CONSENT, true));
  return made;
}

static void the_lock_of_the_keys_holds_nobody_up(const char *folder, wm_client *client) {
  holder held = hold(folder, "store/device.lock", lock_whole);
  wm_individualizer *made = individualizer_of(client);
  long long begun = now_ms();
  CHECK_OK(wm_set_number_prop(made, WM_PROP_DEADLINE_MS, DEADLINE_MS));
  CHECK_OK(wm_individualize(made, 0));
  CHECK_RESULT(finish(made), WM_E_DEADLINE);
  CHECK(now_ms() - begun >= DEADLINE_MS && now_ms() - begun < SOON_MS);

  CHECK_OK(wm_remove_prop(made, WM_PROP_DEADLINE_MS));
  begun = now_ms();
  CHECK_OK(wm_individualize(made, 0));
  CHECK_RESULT(wm_wait(made, DEADLINE_MS, NULL), WM_E_TIMEOUT);
  CHECK_OK(wm_cancel(made));
  CHECK_RESULT(finish(made), WM_E_OPERATION_CANCELED);
  CHECK(now_ms() - begun < SOON_MS);

  begun = now_ms();
  CHECK_OK(wm_individualize(made, 0));
  CHECK_RESULT(wm_wait(made, DEADLINE_MS, NULL), WM_E_TIMEOUT);
  CHECK_OK(wm_release(made));
  CHECK(now_ms() - begun < SOON_MS);
  let_go(&held);
  individualize(client);
}

static wm_license_request *request_for(wm_client *client, const uint8_t kid[KID_SIZE]) {
  char text[KID_TEXT_SIZE];
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(kid, text)));
  return request;
}

static void a_store_that_another_process_writes_holds_nobody_up(const char *folder, wm_client *client) {
  holder held = hold(folder, "store/licenses.db-shm", lock_for_writing);
  wm_license_request *request = request_for(client, KID_AUDIO);
  long long begun = now_ms();
  CHECK_OK(wm_set_number_prop(request, WM_PROP_DEADLINE_MS, DEADLINE_MS));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_E_DEADLINE);
  CHECK(now_ms() - begun >= DEADLINE_MS && now_ms() - begun < SOON_MS);

  CHECK_OK(wm_remove_prop(request, WM_PROP_DEADLINE_MS));
  begun = now_ms();
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(wm_wait(request, DEADLINE_MS, NULL), WM_E_TIMEOUT);
  CHECK_OK(wm_cancel(request));
  CHECK_RESULT(finish(request), WM_S_ACQUIRE_CANCELLED);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_OK(wm_release(request));
  CHECK(now_ms() - begun < SOON_MS);

  /* What only reads waits for nobody. */
  uint32_t reasons = 0;
  begun = now_ms();
  CHECK_OK(wm_query_action_allowed(client, KID_VIDEO, WM_ACTION_PLAY, &reasons));
  CHECK(now_ms() - begun < SOON_MS);
  let_go(&held);
  CHECK_OK(wm_set_content_title(client, KID_VIDEO, "title"));
  CHECK_RESULT(acquire(client, KID_AUDIO), WM_S_LICENSE_ACQUIRED);
}

static void a_pipe_is_no_file_of_the_store(const char *folder) {
  static const struct {
    const char *store, *name;
    wm_result refusal;
  } rows[] = {
      {"key", "key/device.key", WM_E_SECURE_STORE_UNLOCK_ERROR},
      {"lock", "lock/device.lock", WM_E_SECURE_STORE_UNLOCK_ERROR},
      {"database", "database/licenses.db", WM_E_UNABLE_TO_OPEN_DATA_STORE},
      {"journal", "journal/licenses.db-journal", WM_E_UNABLE_TO_OPEN_DATA_STORE},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char *store = path_in(folder, rows[i].store), *path = path_in(folder, rows[i].name);
    wm_client *client = NULL;
    CHECK(mkdir(store, 0700) == 0);
    if (strcmp(rows[i].store, "journal") == 0) CHECK_OK(wm_release(open_client(folder, "journal")));
    CHECK(mkfifo(path, 0600) == 0);
    CHECK_OK(wm_create_client(&client));
    CHECK_OK(wm_set_string_prop(client, WM_PROP_STORE_PATH, store));
    CHECK_OK(wm_set_string_prop(client, WM_PROP_AUTHORITY, service_authority()));
    if (strcmp(rows[i].store, "database") == 0) {
      /* A store without its keys is another trouble. */
      CHECK(unlink(path) == 0);
      CHECK_OK(wm_release(open_client(folder, "database")));
      CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    }
    CHECK_RESULT(wm_open_client(client), rows[i].refusal);
    CHECK(unlink(path) == 0);
    CHECK_OK(wm_open_client(client));
    CHECK_OK(wm_release(client));
    free(store);
    free(path);
  }
}

static void a_pipe_is_no_content_and_no_place(const char *folder, wm_client *client) {
  char *path = path_in(folder, "pipe");
  bool is_protected = false;
  wm_content_header *header = NULL;
  wm_backup_restorer *restorer = NULL;
  CHECK(mkfifo(path, 0600) == 0);
  CHECK_RESULT(wm_is_content_protected(path, &is_protected), WM_E_PATH_UNUSABLE);
  CHECK_RESULT(wm_create_content_header_from_file(path, &header), WM_E_PATH_UNUSABLE);
  CHECK_RESULT(wm_create_content_header_from_file("/dev/zero", &header), WM_E_PATH_UNUSABLE);
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, path));
  CHECK_OK(wm_restore_licenses(restorer, 0));
  CHECK_RESULT(finish(restorer), WM_E_PATH_UNUSABLE);
  CHECK_OK(wm_release(restorer));
  free(path);
}

int main(int argc, char **argv) {
  CHECK_EQ(argc, 2);
  signal(SIGPIPE, SIG_IGN);
  wm_client *client = open_client(argv[1], "store");
  the_lock_of_the_keys_holds_nobody_up(argv[1], client);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  a_store_that_another_process_writes_holds_nobody_up(argv[1], client);
  a_pipe_is_no_file_of_the_store(argv[1]);
  a_pipe_is_no_content_and_no_place(argv[1], client);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
