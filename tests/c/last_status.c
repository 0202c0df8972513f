/* An object is idle when its final status comes: the next verb, a property and the release are called in that very callback,
 * by a thread that it wakes, and by whoever reads the event queue. */
#include "common.h"

/* --- one object of each kind that has a verb ----------------------------------------------------------------------- */

typedef struct kind {
  wm_status last;
  wm_result (*create)(wm_client *client, void *context, void **out);
  wm_result (*verb)(void *object);
} kind;

static wm_result new_individualizer(wm_client *client, void *context, void **out) {
  wm_result result = wm_create_individualizer(client, record, context, (wm_individualizer **)out);
  return result < 0 ? result : wm_set_bool_prop(*out, WM_PROP_USER_CONSENT, true);
}

static wm_result new_request(wm_client *client, void *context, void **out) {
  char text[KID_TEXT_SIZE];
  wm_result result = wm_create_license_request(client, record, context, (wm_license_request **)out);
  return result < 0 ? result : wm_set_string_prop(*out, WM_PROP_KEY_IDS, kid_text(KID_VIDEO, text));
}

static wm_result new_restorer(wm_client *client, void *context, void **out) {
  wm_result result = wm_create_backup_restorer(client, record, context, (wm_backup_restorer **)out);
  if (result >= 0) result = wm_set_string_prop(*out, WM_PROP_BACKUP_PATH, "/no/such/folder");
  return result < 0 ? result : wm_set_string_prop(*out, WM_PROP_RESTORE_PATH, "/no/such/folder");
}

static wm_result new_keeper(wm_client *client, void *context, void **out) {
  return wm_create_store_keeper(client, record, context, (wm_store_keeper **)out);
}

static wm_result new_agent(wm_client *client, void *context, void **out) {
  return wm_create_revocation_agent(client, record, context, (wm_revocation_agent **)out);
}

static wm_result individualizes(void *object) { return wm_individualize(object, WM_INDIVIDUALIZE_FORCE); }
static wm_result acquires(void *object) { return wm_acquire_license(object, WM_ACQUIRE_SILENT); }
static wm_result renews(void *object) { return wm_renew_licenses(object, WM_ACQUIRE_SILENT); }
static wm_result monitors(void *object) { return wm_monitor_license(object); }
static wm_result backs_up(void *object) { return wm_backup_licenses(object, 0); }
static wm_result restores(void *object) { return wm_restore_licenses(object, 0); }
static wm_result previews(void *object) { return wm_preview_restore(object); }
static wm_result verifies(void *object) { return wm_verify_backup(object); }
static wm_result checks(void *object) { return wm_check_store(object, 0); }
static wm_result cleans(void *object) { return wm_clean_license_store(object, WM_CLEAN_ASYNC); }
static wm_result refreshes(void *object) { return wm_refresh_revocations(object); }

static const kind KINDS[] = {
    {WM_STATUS_INDIVIDUALIZE, new_individualizer, individualizes},
    {WM_STATUS_ACQUIRE_LICENSE, new_request, acquires},
    {WM_STATUS_ACQUIRE_LICENSE, new_request, renews},
    {WM_STATUS_ACQUIRE_LICENSE, new_request, monitors},
    {WM_STATUS_BACKUPRESTORE_END, new_restorer, backs_up},
    {WM_STATUS_BACKUPRESTORE_END, new_restorer, restores},
    {WM_STATUS_BACKUPRESTORE_END, new_restorer, previews},
    {WM_STATUS_BACKUPRESTORE_END, new_restorer, verifies},
    {WM_STATUS_STORE_CHECKED, new_keeper, checks},
    {WM_STATUS_STORE_CLEANED, new_keeper, cleans},
    {WM_STATUS_REVOCATIONS_REFRESHED, new_agent, refreshes},
};
enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS, RUNS = 4, ROUNDS = 1000 };

/* The final status; of an individualization it is the one that is not just progress. */
static bool is_last(const kind *of, const event *seen) {
  wm_individualize_progress progress;
  if (seen->status != of->last) return false;
  if (of->last != WM_STATUS_INDIVIDUALIZE) return true;
  memcpy(&progress, seen->value, sizeof progress);
  return (progress.phase & (WM_INDIVIDUALIZE_SUCCEED | WM_INDIVIDUALIZE_FAIL | WM_INDIVIDUALIZE_CANCEL)) != 0;
}

/* --- in the callback itself ----------------------------------------------------------------------------------------- */

typedef struct chain {
  const kind *of;
  void *object;
  int runs; /* final statuses seen */
  bool releases;
} chain;

/* Starts the same verb in each final status but the last one; there the object is kept or released. */
static wm_result go_on(recorder *events, const event *seen, void *context) {
  chain *own = context;
  (void)events;
  if (!is_last(own->of, seen)) return 0;
  if (++own->runs < RUNS) {
    CHECK_OK(wm_set_number_prop(own->object, WM_PROP_DEADLINE_MS, 60000));
    CHECK_OK(own->of->verb(own->object));
    CHECK_RESULT(wm_wait(own->object, 0, NULL), WM_E_WOULD_DEADLOCK);
  } else if (own->releases) {
    CHECK_OK(wm_release(own->object));
  }
  return 0;
}

static void the_next_verb_starts_in_the_final_callback(wm_client *client, const kind *of, bool releases) {
  static recorder events;
  size_t others = wm_live_objects();
  chain own = {.of = of, .releases = releases};
  events = (recorder)RECORDER_INIT;
  events.hook = go_on, events.hook_context = &own;
  CHECK_OK(of->create(client, &events, &own.object));
  CHECK_OK(of->verb(own.object));
  if (!releases) {
    /* A wait is for the run that it finds; after the last of them nothing runs any more. */
    while (__atomic_load_n(&own.runs, __ATOMIC_ACQUIRE) < RUNS) (void)finish(own.object);
    (void)finish(own.object);
    CHECK_EQ(own.runs, RUNS);
    CHECK_OK(wm_release(own.object));
  }
  struct timespec pause = {.tv_nsec = 1000000};
  while (wm_live_objects() > others) nanosleep(&pause, NULL);
  CHECK_EQ(own.runs, RUNS);
}

/* --- on a thread that the callback wakes ---------------------------------------------------------------------------- */

typedef struct baton {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  int told, taken; /* final statuses told, and those that the other thread went on from */
} baton;

static wm_result wake(recorder *events, const event *seen, void *context) {
  baton *shared = context;
  (void)events;
  if (seen->status != WM_STATUS_BACKUPRESTORE_END) return 0;
  pthread_mutex_lock(&shared->mutex);
  shared->told++;
  pthread_cond_broadcast(&shared->changed);
  pthread_mutex_unlock(&shared->mutex);
  return 0;
}

static void a_thread_woken_there_finds_it_idle(wm_client *client) {
  static recorder events = RECORDER_INIT;
  static baton shared = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  void *restorer = NULL;
  events.hook = wake, events.hook_context = &shared;
  CHECK_OK(new_restorer(client, &events, &restorer));
  CHECK_OK(wm_verify_backup(restorer));
  for (; shared.taken < ROUNDS; shared.taken++) {
    pthread_mutex_lock(&shared.mutex);
    while (shared.told <= shared.taken) pthread_cond_wait(&shared.changed, &shared.mutex);
    pthread_mutex_unlock(&shared.mutex);
    recorder_clear(&events);
    CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, "/no/such/other"));
    CHECK_OK(wm_verify_backup(restorer));
  }
  CHECK_RESULT(finish(restorer), WM_E_BACKUP_NOT_FOUND);
  CHECK_EQ(shared.told, ROUNDS + 1);
  CHECK_OK(wm_release(restorer));
}

/* --- whoever reads the queue ----------------------------------------------------------------------------------------- */

static void whoever_reads_the_queue_finds_it_idle(wm_client *client, const char *folder) {
  wm_event_queue *queue = NULL;
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_event_queue(client, &queue));
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, folder));
  CHECK_OK(wm_restore_licenses(restorer, 0));
  for (int round = 0, begun = 0; round < ROUNDS;) {
    wm_event event = {0};
    event.struct_size = sizeof event;
    CHECK_OK(wm_next_event(queue, PATIENCE_SECONDS * 1000, &event));
    begun += event.status == WM_STATUS_BACKUPRESTORE_BEGIN;
    if (event.status != WM_STATUS_BACKUPRESTORE_END) continue;
    CHECK_OK(event.result);
    round++;
    CHECK_EQ(begun, round); /* no BEGIN of the next one before this END */
    CHECK_OK(wm_restore_licenses(restorer, 0));
  }
  CHECK_OK(finish(restorer));
  CHECK_OK(wm_release(restorer));
  CHECK_OK(wm_release(queue));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  individualize(client);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  for (size_t i = 0; i < KIND_COUNT; i++) {
    the_next_verb_starts_in_the_final_callback(client, &KINDS[i], false);
    the_next_verb_starts_in_the_final_callback(client, &KINDS[i], true);
  }
  a_thread_woken_there_finds_it_idle(client);
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, argv[1]));
  CHECK_OK(wm_backup_licenses(restorer, 0));
  CHECK_OK(finish(restorer));
  CHECK_OK(wm_release(restorer));
  whoever_reads_the_queue_finds_it_idle(client, argv[1]);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
