/* The event queue: the same statuses as a callback gets, read on the application's own thread; its descriptor in a poll
 * loop; its bound; its end. */
#include "common.h"

#include <poll.h>
#include <unistd.h>

/* The oldest event that does not depend on how the network behaves. */
static wm_event next(wm_event_queue *queue) {
  wm_event event = {0};
  event.struct_size = sizeof event;
  do CHECK_OK(wm_next_event(queue, PATIENCE_SECONDS * 1000, &event));
  while (event.status == WM_STATUS_NETWORK);
  CHECK_EQ(event.struct_size, sizeof event);
  return event;
}

static void none(wm_event_queue *queue) {
  wm_event event = {0};
  event.struct_size = sizeof event;
  CHECK_RESULT(wm_next_event(queue, 0, &event), WM_E_TIMEOUT);
  CHECK_EQ(event.status, 0);
}

static bool readable(int fd, int timeout_ms) {
  struct pollfd watched = {.fd = fd, .events = POLLIN};
  int count = poll(&watched, 1, timeout_ms);
  CHECK(count >= 0);
  return count == 1 && (watched.revents & POLLIN) != 0;
}

static wm_individualizer *individualizer_of(wm_client *client, wm_status_callback callback, void *context) {
  wm_individualizer *individualizer = NULL;
  CHECK_OK(wm_create_individualizer(client, callback, context, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  return individualizer;
}

/* A whole operation through a poll loop; the verb may be called again as soon as its final status was read. */
static void a_poll_loop_sees_every_status(wm_client *client) {
  wm_event_queue *queue = NULL, *second = NULL;
  int fd = -1, again = -1, app = 0;
  CHECK_OK(wm_create_event_queue(client, &queue));
  CHECK_RESULT(wm_create_event_queue(client, &second), WM_E_ALREADY_OPEN);
  CHECK(second == NULL);
  CHECK_OK(wm_event_queue_fd(queue, &fd));
  CHECK_OK(wm_event_queue_fd(queue, &again));
  CHECK_EQ(fd, again);
  CHECK(!readable(fd, 0));
  none(queue);

  wm_individualizer *individualizer = individualizer_of(client, NULL, &app);
  for (int round = 0; round < 3; round++) {
    CHECK_OK(wm_individualize(individualizer, WM_INDIVIDUALIZE_FORCE));
    size_t statuses = 0;
    for (bool over = false; !over;) {
      CHECK(readable(fd, PATIENCE_SECONDS * 1000));
      wm_event event = next(queue);
      wm_individualize_progress progress;
      CHECK(event.object == individualizer && event.context == &app);
      CHECK_EQ(event.status, WM_STATUS_INDIVIDUALIZE);
      CHECK_EQ(event.type, WM_TYPE_BINARY);
      CHECK_EQ(event.size, sizeof progress);
      memcpy(&progress, event.value, sizeof progress);
      statuses++;
      over = progress.phase == WM_INDIVIDUALIZE_SUCCEED;
      CHECK_RESULT(event.result, over ? WM_S_INDIVIDUALIZED : 0);
    }
    CHECK(statuses >= 3);
    CHECK(!readable(fd, 0));
    none(queue);
  }
  CHECK_RESULT(finish(individualizer), WM_S_INDIVIDUALIZED);

  /* Whoever waits finds the final status in the queue; the descriptor stays readable while one event is left. */
  CHECK_OK(wm_individualize(individualizer, WM_INDIVIDUALIZE_FORCE));
  CHECK_RESULT(finish(individualizer), WM_S_INDIVIDUALIZED);
  for (wm_result last = 0; last != WM_S_INDIVIDUALIZED;) {
    CHECK(readable(fd, 0));
    last = next(queue).result;
  }
  none(queue);

  /* An object with a callback does not deliver to the queue. */
  static recorder seen = RECORDER_INIT;
  wm_individualizer *calling = individualizer_of(client, record, &seen);
  CHECK_OK(wm_individualize(calling, 0));
  CHECK_RESULT(finish(calling), WM_S_INDIVIDUALIZED);
  CHECK(recorder_count(&seen, WM_STATUS_INDIVIDUALIZE) > 0);
  none(queue);
  CHECK_OK(wm_release(calling));
  CHECK_OK(wm_release(individualizer));
  CHECK_OK(wm_release(queue));
  CHECK_RESULT(wm_event_queue_fd(queue, &fd), WM_E_INVALID_HANDLE);
  CHECK_OK(wm_create_event_queue(client, &second)); /* the place is free again */
  CHECK_OK(wm_release(second));
}

/* A failing event brings its detail to the thread that reads it. */
static void a_failure_comes_with_its_detail(wm_client *client) {
  wm_event_queue *queue = NULL;
  wm_license_request *request = NULL;
  char text[KID_TEXT_SIZE];
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  CHECK_OK(wm_create_event_queue(client, &queue));
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(KID_UNKNOWN, text)));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  wm_event event = next(queue);
  CHECK_EQ(event.status, WM_STATUS_LICENSE_REFUSED);
  CHECK_EQ(event.type, WM_TYPE_STRING);
  CHECK_TEXT(event.value, text);
  CHECK_EQ(event.size, strlen(text) + 1);
  event = next(queue);
  CHECK_EQ(event.status, WM_STATUS_ACQUIRE_LICENSE);
  CHECK_RESULT(event.result, WM_E_LICENSE_UNAVAILABLE);
  CHECK_OK(wm_get_error_info(&info));
  CHECK_EQ(info.result, WM_E_LICENSE_UNAVAILABLE);
  CHECK_EQ(info.has_kid, 1);
  CHECK(memcmp(info.kid, KID_UNKNOWN, KID_SIZE) == 0);

  /* A caller that knows less of the struct gets what fits. */
  wm_event small = {0};
  small.struct_size = offsetof(wm_event, result);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  do CHECK_OK(wm_next_event(queue, PATIENCE_SECONDS * 1000, &small));
  while (small.status == WM_STATUS_NETWORK);
  CHECK_EQ(small.status, WM_STATUS_LICENSE_REFUSED);
  CHECK_EQ(small.result, 0);
  small.struct_size = 0;
  CHECK_RESULT(wm_next_event(queue, 0, &small), WM_E_INVALIDARG);
  CHECK_RESULT(wm_next_event(queue, 0, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(wm_event_queue_fd(queue, NULL), WM_E_INVALIDARG);
  CHECK_RESULT(finish(request), WM_E_LICENSE_UNAVAILABLE);
  CHECK_OK(wm_release(queue)); /* before its object, with an event in it */
  CHECK_OK(wm_release(request));
}

enum { MANY = 1024 };

/* Asks for MANY key IDs that the service does not have: as many statuses and the final one. */
static wm_license_request *many_refusals(wm_client *client, void *context) {
  static char list[MANY * KID_TEXT_SIZE + 1];
  char *to = list;
  for (int i = 0; i < MANY; i++) {
    uint8_t kid[KID_SIZE] = {0xcf, 0x0f, (uint8_t)(i >> 8), (uint8_t)i};
    char text[KID_TEXT_SIZE];
    to += sprintf(to, "%s%s", i > 0 ? ";" : "", kid_text(kid, text));
  }
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, context, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, list));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  return request;
}

/* Two operations have more events than the queue holds. None is lost, each object's come in order, and a paused
 * operation ends by a cancel, by the queue's release, or by its own. */
static void a_full_queue_loses_nothing(wm_client *client) {
  wm_event_queue *queue = NULL;
  int of[2] = {0, 0};
  CHECK_OK(wm_create_event_queue(client, &queue));
  wm_license_request *requests[2] = {many_refusals(client, &of[0]), many_refusals(client, &of[1])};
  for (int ended = 0; ended < 2;) {
    wm_event event = next(queue);
    int *count = event.context;
    CHECK(count == &of[0] || count == &of[1]);
    CHECK(event.object == requests[count - of]);
    *count += 1;
    if (event.status == WM_STATUS_ACQUIRE_LICENSE) {
      CHECK_EQ(*count, MANY + 1);
      ended++;
    }
  }
  none(queue);
  CHECK_OK(wm_acquire_license(requests[0], WM_ACQUIRE_SILENT));
  CHECK_OK(wm_acquire_license(requests[1], WM_ACQUIRE_SILENT));
  CHECK_OK(wm_cancel(requests[0]));
  finish(requests[0]); /* nobody reads; how it ends depends on how far it was */
  CHECK_OK(wm_release(requests[1]));
  wm_license_request *third = many_refusals(client, NULL);
  CHECK_OK(wm_release(queue));
  CHECK_RESULT(finish(third), WM_E_LICENSE_UNAVAILABLE);
  CHECK_OK(wm_release(third));
  CHECK_OK(wm_release(requests[0]));
}

static void *release_it(void *queue) {
  CHECK_OK(wm_release(queue));
  return NULL;
}

/* A reader that waits for ever is woken by the release of the queue. */
static void a_release_wakes_the_reader(wm_client *client) {
  wm_event_queue *queue = NULL;
  pthread_t thread;
  wm_event event = {0};
  event.struct_size = sizeof event;
  CHECK_OK(wm_create_event_queue(client, &queue));
  CHECK_EQ(pthread_create(&thread, NULL, release_it, queue), 0);
  wm_result result = wm_next_event(queue, WM_INFINITE, &event);
  CHECK(result == WM_E_OPERATION_CANCELED || result == WM_E_INVALID_HANDLE);
  CHECK_EQ(pthread_join(thread, NULL), 0);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  a_poll_loop_sees_every_status(client);
  a_failure_comes_with_its_detail(client);
  a_full_queue_loses_nothing(client);
  for (int i = 0; i < 20; i++) a_release_wakes_the_reader(client);

  /* The client may go first. */
  wm_event_queue *queue = NULL;
  CHECK_OK(wm_create_event_queue(client, &queue));
  wm_individualizer *individualizer = individualizer_of(client, NULL, NULL);
  CHECK_OK(wm_release(client));
  CHECK_OK(wm_individualize(individualizer, 0));
  CHECK_RESULT(next(queue).result, WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_release(individualizer));
  CHECK_OK(wm_release(queue));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
