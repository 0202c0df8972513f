/* Threads, callbacks and processes: random calls from eight threads, release, cancel and wait inside callbacks, fork. */
#include "common.h"

#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, CALLS = 2000, SHARED = 4 };

/* --- eight threads that do not know of each other ----------------------------------------------------------------- */

typedef struct crowd {
  wm_client *client;
  void *objects[SHARED]; /* released and made anew by all threads; a stale one may be read by any of them */
  pthread_mutex_t mutex; /* guards the array only, never a call */
  char folder[512];
} crowd;

static void *take(crowd *all, size_t slot) {
  pthread_mutex_lock(&all->mutex);
  void *object = all->objects[slot];
  pthread_mutex_unlock(&all->mutex);
  return object;
}

static void *swap(crowd *all, size_t slot, void *object) {
  pthread_mutex_lock(&all->mutex);
  void *before = all->objects[slot];
  all->objects[slot] = object;
  pthread_mutex_unlock(&all->mutex);
  return before;
}

/* Whatever the order of calls, only these answers are possible. */
static void defined(wm_result result) {
  switch (result) {
  case 0:
  case WM_E_INVALID_HANDLE:
  case WM_E_INVALIDARG:
  case WM_E_UNSUPPORTED_PROPERTY:
  case WM_E_INVALID_PROPERTY:
  case WM_E_BUFFER_TOO_SMALL:
  case WM_E_WRONG_TYPE:
  case WM_E_BUSY:
  case WM_E_BACKUPRESTORE_BUSY:
  case WM_E_BACKUP_EXISTS:
  case WM_E_NO_OPERATION:
  case WM_E_TIMEOUT: return;
  default: CHECK_RESULT(result, 0);
  }
}

static void one_random_call(crowd *all, uint32_t random) {
  char buf[1024];
  size_t needed = 0, slot = random >> 8 & (SHARED - 1);
  uint32_t reasons = 0;
  void *object = take(all, slot);
  wm_backup_restorer *fresh = NULL;
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  switch (random & 15) {
  case 0:
    CHECK_OK(wm_create_backup_restorer(all->client, NULL, NULL, &fresh));
    defined(wm_release(swap(all, slot, fresh)));
    break;
  case 1: defined(wm_release(swap(all, slot, NULL))); break;
  case 2: defined(wm_set_string_prop(object, WM_PROP_BACKUP_PATH, all->folder)); break;
  case 3: defined(wm_get_prop(object, WM_PROP_BACKUP_PATH, NULL, buf, sizeof buf, &needed)); break;
  case 4: defined(wm_backup_licenses(object, WM_BACKUP_OVERWRITE)); break;
  case 5: defined(wm_cancel(object)); break;
  case 6: defined(wm_wait(object, random >> 24 & 3, NULL)); break;
  case 7:
    if (wm_add_ref(object) == 0) defined(wm_release(object));
    break;
  case 8: defined(wm_get_prop_count(object, &needed)); break;
  case 9: defined(wm_remove_all_props(object)); break;
  case 10: CHECK_OK(wm_query_action_allowed(all->client, KID_VIDEO, "Play", &reasons)); break;
  case 11: defined(wm_get_error_info(&info)); break;
  case 12: CHECK(wm_live_objects() >= 1); break;
  case 13: defined(wm_open_client(object)); break; /* another type: always refused */
  case 14: CHECK_OK(wm_get_security_version(all->client, buf, sizeof buf, &needed)); break;
  default: defined(wm_get_prop_name(object, random >> 16 & 3, buf, sizeof buf, &needed)); break;
  }
}

typedef struct member {
  crowd *all;
  uint32_t seed;
} member;

static void *run_member(void *context) {
  member *self = context;
  uint32_t state = self->seed;
  for (int call = 0; call < CALLS; call++) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    one_random_call(self->all, state);
  }
  return NULL;
}

static void eight_threads_get_defined_answers(wm_client *client, const char *folder) {
  crowd all = {.client = client, .mutex = PTHREAD_MUTEX_INITIALIZER};
  pthread_t threads[THREADS];
  member members[THREADS];
  CHECK(snprintf(all.folder, sizeof all.folder, "%s", folder) < (int)sizeof all.folder);
  for (uint32_t i = 0; i < THREADS; i++) {
    members[i] = (member){&all, 0x9E3779B9u * (i + 1)};
    CHECK(pthread_create(&threads[i], NULL, run_member, &members[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  for (int i = 0; i < SHARED; i++) CHECK_OK(wm_release(all.objects[i]));
  CHECK_EQ(wm_live_objects(), 1);
}

/* --- callbacks ------------------------------------------------------------------------------------------------------ */

static wm_backup_restorer *restorer_into(wm_client *client, recorder *events, const char *folder) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, record, events, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, folder));
  return restorer;
}

static wm_result wait_for_oneself(recorder *from, const event *seen, void *object) {
  wm_result result = 7;
  (void)from, (void)seen;
  CHECK_RESULT(wm_wait(object, WM_INFINITE, &result), WM_E_WOULD_DEADLOCK);
  CHECK_EQ(result, 7);
  return 0;
}

static void waiting_for_oneself_would_deadlock(wm_client *client, const char *folder) {
  recorder events = RECORDER_INIT;
  wm_backup_restorer *restorer = restorer_into(client, &events, folder);
  events.hook = wait_for_oneself;
  events.hook_context = restorer;
  CHECK_OK(wm_backup_licenses(restorer, WM_BACKUP_OVERWRITE));
  CHECK_OK(finish(restorer));
  CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_BEGIN), 1);
  CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_END), 1);
  CHECK_OK(finish(restorer)); /* a repeated wait gives the result again */
  CHECK_OK(wm_release(restorer));
}

static wm_result cancel_it(recorder *from, const event *seen, void *object) {
  (void)from;
  if (seen->status == WM_STATUS_BACKUPRESTORE_BEGIN) CHECK_OK(wm_cancel(object));
  return 0;
}

static wm_result answer_a_failure(recorder *from, const event *seen, void *unused) {
  (void)from, (void)unused;
  return seen->status == WM_STATUS_BACKUPRESTORE_BEGIN ? WM_E_INTERNAL : 0;
}

static void callbacks_cancel(wm_client *client, const char *folder) {
  wm_result (*hooks[])(recorder *, const event *, void *) = {cancel_it, answer_a_failure};
  for (int i = 0; i < 2; i++) {
    recorder events = RECORDER_INIT;
    wm_backup_restorer *restorer = restorer_into(client, &events, folder);
    events.hook = hooks[i];
    events.hook_context = restorer;
    CHECK_OK(wm_backup_licenses(restorer, WM_BACKUP_OVERWRITE));
    CHECK_RESULT(finish(restorer), WM_E_OPERATION_CANCELED);
    event end = recorder_await(&events, WM_STATUS_BACKUPRESTORE_END);
    CHECK_EQ(end.result, WM_E_OPERATION_CANCELED);
    CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_END), 1);
    CHECK_OK(wm_release(restorer));
  }
}

/* A recorder that outlives its object: after the release in its own callback no further status may come. */
typedef struct departure {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  void *object;
  bool released;
} departure;

static wm_result release_oneself(recorder *from, const event *seen, void *context) {
  departure *self = context;
  (void)from;
  if (seen->status == WM_STATUS_BACKUPRESTORE_BEGIN) {
    CHECK_OK(wm_release(self->object));
    CHECK_RESULT(wm_cancel(self->object), WM_E_INVALID_HANDLE);
    pthread_mutex_lock(&self->mutex);
    self->released = true;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->mutex);
  }
  return 0;
}

static void an_object_is_released_in_its_own_callback(wm_client *client, const char *folder) {
  recorder events = RECORDER_INIT;
  departure self = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  self.object = restorer_into(client, &events, folder);
  events.hook = release_oneself;
  events.hook_context = &self;
  CHECK_OK(wm_backup_licenses(self.object, WM_BACKUP_OVERWRITE));
  pthread_mutex_lock(&self.mutex);
  while (!self.released) pthread_cond_wait(&self.changed, &self.mutex);
  pthread_mutex_unlock(&self.mutex);
  /* The count of live objects falls when the release is finished, and with it the last use of `events`. */
  while (wm_live_objects() > 1) sched_yield();
  CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_END), 0);
}

static void release_from_outside_cancels_and_finishes_first(wm_client *client, const char *folder) {
  for (int round = 0; round < 50; round++) {
    recorder events = RECORDER_INIT;
    wm_backup_restorer *restorer = restorer_into(client, &events, folder);
    CHECK_OK(wm_backup_licenses(restorer, WM_BACKUP_OVERWRITE));
    CHECK_OK(wm_release(restorer));
    /* Released: the final status has run, and nothing runs after it, so `events` may leave the stack. */
    CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_END), 1);
    CHECK_EQ(wm_live_objects(), 1);
  }
}

static wm_result call_the_library(recorder *from, const event *seen, void *context) {
  wm_client *client = context;
  wm_client *other = NULL;
  uint32_t reasons = 0;
  char buf[64];
  size_t needed = 0;
  (void)from, (void)seen;
  CHECK_OK(wm_query_action_allowed(client, KID_VIDEO, "Play", &reasons));
  CHECK_OK(wm_get_security_version(client, buf, sizeof buf, &needed));
  CHECK_OK(wm_create_client(&other));
  CHECK_OK(wm_release(other));
  return 0;
}

static void any_function_may_be_called_in_a_callback(wm_client *client, const char *folder) {
  recorder events = RECORDER_INIT;
  wm_backup_restorer *restorer = restorer_into(client, &events, folder);
  events.hook = call_the_library;
  events.hook_context = client;
  CHECK_OK(wm_backup_licenses(restorer, WM_BACKUP_OVERWRITE));
  CHECK_OK(finish(restorer));
  CHECK_OK(wm_release(restorer));
}

/* --- fork ----------------------------------------------------------------------------------------------------------- */

static void a_forked_child_is_told_so(wm_client *client) {
  fflush(NULL);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    wm_client *other = NULL;
    size_t count = 0;
    int wrong = 0;
    wrong += wm_create_client(&other) != WM_E_FORKED;
    wrong += wm_open_client(client) != WM_E_FORKED;
    wrong += wm_get_prop_count(client, &count) != WM_E_FORKED;
    wrong += wm_add_ref(client) != WM_E_FORKED;
    wrong += wm_wait(client, 0, NULL) != WM_E_FORKED;
    wrong += wm_release(client) != 0;
    wrong += wm_release(client) != 0; /* it does nothing, so it may be repeated */
    wrong += wm_version() == 0;
    _exit(wrong);
  }
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 0);
  /* The parent goes on as before. */
  CHECK_EQ(wm_live_objects(), 1);
  CHECK_OK(wm_add_ref(client));
  CHECK_OK(wm_release(client));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  individualize(client);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  waiting_for_oneself_would_deadlock(client, argv[1]);
  callbacks_cancel(client, argv[1]);
  an_object_is_released_in_its_own_callback(client, argv[1]);
  release_from_outside_cancels_and_finishes_first(client, argv[1]);
  any_function_may_be_called_in_a_callback(client, argv[1]);
  eight_threads_get_defined_answers(client, argv[1]);
  a_forked_child_is_told_so(client);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
