/* What verbs tell while they ask a service: phases, attempts, the wait for the next one, and callbacks that use it. */
#include "common.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(wm_network_progress) == 304 && offsetof(wm_network_progress, host) == 48, "as published");

/* A port that nobody listens on, and that nobody else gets while the socket is open. */
static int deaf_port(char url[64]) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t size = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0 && getsockname(fd, (struct sockaddr *)&at, &size) == 0);
  snprintf(url, 64, "http://127.0.0.1:%u", ntohs(at.sin_port));
  return fd;
}

static wm_network_progress read_progress(const event *seen) {
  wm_network_progress progress;
  CHECK_EQ(seen->status, WM_STATUS_NETWORK);
  CHECK_EQ(seen->result, 0);
  CHECK_EQ(seen->type, WM_TYPE_BINARY);
  CHECK_EQ(seen->size, sizeof progress);
  memcpy(&progress, seen->value, sizeof progress);
  CHECK_EQ(progress.struct_size, sizeof progress);
  CHECK_EQ(progress.reserved, 0);
  CHECK_TEXT(progress.host, "127.0.0.1");
  return progress;
}

/* Some request of the verb came to its end, and what was told up to there is in order. */
static void expect_told(recorder *events, const char *verb) {
  size_t completed = 0;
  uint32_t phase = 0;
  for (size_t i = 0; i < events->count; i++) {
    if (events->events[i].status != WM_STATUS_NETWORK) continue;
    wm_network_progress progress = read_progress(&events->events[i]);
    CHECK_EQ(progress.attempt, 1);
    CHECK_EQ(progress.attempts, 5);
    CHECK_EQ(progress.next_try_ms, 0);
    CHECK(progress.http_phase >= phase || phase == WM_HTTP_COMPLETED);
    phase = progress.http_phase;
    completed += phase == WM_HTTP_COMPLETED;
  }
  if (completed == 0) fprintf(stderr, "%s told nothing of its requests\n", verb);
  CHECK(completed > 0);
  CHECK_EQ(phase, WM_HTTP_COMPLETED);
  recorder_clear(events);
}

static void every_verb_that_asks_a_service_tells(wm_client *client, const char *folder) {
  recorder events = RECORDER_INIT;
  char text[KID_TEXT_SIZE];
  char *path = path_in(folder, "backup"), *elsewhere = path_in(folder, "elsewhere");
  wm_individualizer *individualizer = NULL;
  wm_license_request *request = NULL;
  wm_revocation_agent *agent = NULL;
  wm_backup_restorer *restorer = NULL;
  events.network = true;
  CHECK_OK(wm_create_individualizer(client, record, &events, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_OK(wm_individualize(individualizer, 0));
  CHECK_RESULT(finish(individualizer), WM_S_INDIVIDUALIZED);
  expect_told(&events, "individualize");
  CHECK_OK(wm_create_license_request(client, record, &events, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(KID_VIDEO, text)));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  expect_told(&events, "acquire");
  CHECK_OK(wm_renew_licenses(request, WM_ACQUIRE_SILENT));
  CHECK(finish(request) >= 0);
  expect_told(&events, "renew");
  CHECK_OK(wm_create_revocation_agent(client, record, &events, &agent));
  CHECK_OK(wm_refresh_revocations(agent));
  CHECK_OK(finish(agent));
  expect_told(&events, "refresh");
  CHECK_OK(wm_create_backup_restorer(client, record, &events, &restorer));
  CHECK_EQ(mkdir(path, 0700), 0);
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, path));
  CHECK_OK(wm_backup_licenses(restorer, 0));
  CHECK_OK(finish(restorer));
  CHECK_EQ(recorder_count(&events, WM_STATUS_NETWORK), 0);
  CHECK_OK(wm_release(restorer));
  wm_client *other = open_client(elsewhere, "");
  individualize(other);
  recorder_clear(&events);
  CHECK_OK(wm_create_backup_restorer(other, record, &events, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, path));
  CHECK_OK(wm_preview_restore(restorer));
  CHECK_OK(finish(restorer));
  expect_told(&events, "preview");
  CHECK_OK(wm_restore_licenses(restorer, 0));
  CHECK(finish(restorer) >= 0);
  expect_told(&events, "restore");
  CHECK_OK(wm_release(restorer));
  CHECK_OK(wm_release(other));
  CHECK_OK(wm_release(agent));
  CHECK_OK(wm_release(request));
  CHECK_OK(wm_release(individualizer));
  free(path), free(elsewhere);
}

/* A request for a license at a service that is not there. */
static wm_license_request *ask_nobody(wm_client *client, recorder *events, const char *url) {
  char text[KID_TEXT_SIZE];
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, record, events, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(KID_AUDIO, text)));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_URL, url));
  CHECK_OK(wm_set_number_prop(request, WM_PROP_RETRY_LIMIT, 2));
  return request;
}

static void attempts_and_waits_are_counted(wm_client *client, const char *url) {
  recorder events = RECORDER_INIT;
  static const struct {
    uint32_t phase, attempt;
    bool waits;
  } WANT[] = {{WM_HTTP_CONNECTING, 1, false},   {WM_HTTP_NOTINITIATED, 1, true}, {WM_HTTP_CONNECTING, 2, false},
              {WM_HTTP_NOTINITIATED, 2, true}, {WM_HTTP_CONNECTING, 3, false}};
  enum { COUNT = sizeof WANT / sizeof *WANT };
  events.network = true;
  wm_license_request *request = ask_nobody(client, &events, url);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_E_UNABLE_TO_ACQUIRE_LICENSE);
  CHECK_EQ(events.count, COUNT + 1);
  for (size_t i = 0; i < COUNT; i++) {
    wm_network_progress progress = read_progress(&events.events[i]);
    CHECK_EQ(progress.http_phase, WANT[i].phase);
    CHECK_EQ(progress.attempt, WANT[i].attempt);
    CHECK_EQ(progress.attempts, 3);
    CHECK_EQ(progress.next_try_ms > 0, WANT[i].waits);
  }
  CHECK_EQ(events.events[COUNT].status, WM_STATUS_ACQUIRE_LICENSE);
  CHECK_OK(wm_release(request));
}

typedef struct hostile {
  wm_license_request *request;
  wm_client *client;
  uint32_t phase; /* in which it acts */
  int acted;
  wm_result (*act)(struct hostile *own);
} hostile;

static wm_result act_once(recorder *events, const event *seen, void *context) {
  hostile *own = context;
  (void)events;
  if (seen->status != WM_STATUS_NETWORK || own->acted > 0) return 0;
  if (read_progress(seen).http_phase != own->phase) return 0;
  own->acted++;
  return own->act(own);
}

static wm_result cancel(hostile *own) { return wm_cancel(own->request); }

static wm_result fail(hostile *own) {
  (void)own;
  return WM_E_INTERNAL;
}

static wm_result release_it(hostile *own) {
  CHECK_OK(wm_release(own->request));
  CHECK_RESULT(wm_cancel(own->request), WM_E_INVALID_HANDLE);
  return 0;
}

/* The object is busy; another one is not. */
static wm_result start_another(hostile *own) {
  wm_revocation_agent *agent = NULL;
  wm_result outcome = 0;
  CHECK_RESULT(wm_acquire_license(own->request, WM_ACQUIRE_SILENT), WM_E_ACQUIRING_LICENSE);
  CHECK_RESULT(wm_wait(own->request, 0, &outcome), WM_E_WOULD_DEADLOCK);
  CHECK_OK(wm_create_revocation_agent(own->client, NULL, NULL, &agent));
  CHECK_OK(wm_refresh_revocations(agent));
  CHECK_OK(wm_wait(agent, PATIENCE_SECONDS * 1000, &outcome));
  CHECK_OK(outcome);
  CHECK_OK(wm_release(agent));
  return 0;
}

static void callbacks_may_do_anything(wm_client *client, const char *url) {
  static const uint32_t PHASES[] = {WM_HTTP_CONNECTING, WM_HTTP_NOTINITIATED};
  static wm_result (*const ACTS[])(hostile *) = {cancel, fail, release_it, start_another};
  for (size_t i = 0; i < sizeof PHASES / sizeof *PHASES; i++)
    for (size_t k = 0; k < sizeof ACTS / sizeof *ACTS; k++) {
      recorder events = RECORDER_INIT;
      hostile own = {.client = client, .phase = PHASES[i], .act = ACTS[k]};
      size_t before = wm_live_objects();
      events.network = true;
      events.hook = act_once;
      events.hook_context = &own;
      own.request = ask_nobody(client, &events, url);
      wm_license_request *request = own.request;
      CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
      if (ACTS[k] == release_it) {
        while (wm_live_objects() > before) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        CHECK_EQ(recorder_count(&events, WM_STATUS_ACQUIRE_LICENSE), 0);
      } else {
        CHECK_RESULT(finish(request), ACTS[k] == start_another ? WM_E_UNABLE_TO_ACQUIRE_LICENSE : WM_S_ACQUIRE_CANCELLED);
        CHECK_EQ(recorder_count(&events, WM_STATUS_ACQUIRE_LICENSE), 1);
        CHECK_OK(wm_release(request));
      }
      CHECK_EQ(own.acted, 1);
    }
}

/* The cause is named for what it is: not another service, and not one property of several. */
static void sentences_name_the_cause(wm_client *client, const char *url) {
  wm_revocation_agent *agent = NULL;
  wm_license_request *request = NULL;
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, url));
  CHECK_OK(wm_create_revocation_agent(client, NULL, NULL, &agent));
  CHECK_OK(wm_set_number_prop(agent, WM_PROP_RETRY_LIMIT, 0));
  CHECK_OK(wm_refresh_revocations(agent));
  CHECK_RESULT(finish(agent), WM_E_REVOCATION_SERVICE_UNAVAILABLE);
  CHECK_OK(wm_release(agent));
  CHECK_OK(wm_remove_prop(client, WM_PROP_ACCOUNT_TOKEN));
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_RESULT(wm_acquire_license(request, WM_ACQUIRE_SILENT), WM_E_INVALID_PROPERTY);
  CHECK_OK(wm_get_error_info(&info));
  CHECK(strstr(info.message, "AccountToken") != NULL && strstr(info.message, "KeyIDs") != NULL);
  CHECK_OK(wm_release(request));
}

int main(int argc, char **argv) {
  char url[64];
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  every_verb_that_asks_a_service_tells(client, argv[1]);
  int fd = deaf_port(url);
  attempts_and_waits_are_counted(client, url);
  callbacks_may_do_anything(client, url);
  sentences_name_the_cause(client, url);
  close(fd);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
