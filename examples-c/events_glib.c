/* events_glib.c: individualizes and acquires without a callback: a GLib main loop watches the event queue.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/events_glib.c -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense $(pkg-config --cflags --libs glib-2.0) -o events_glib
 * Run:    ./events_glib STORE AUTHORITY SERVICE_URL TOKEN KEY_IDS
 *
 * KEY_IDS are base64 with semicolons between. Everything runs on the one thread of the main loop, as a user interface wants
 * it. Prints a line per event:
 *   individualizer: WM_STATUS_INDIVIDUALIZE WM_S_OK
 *   request: WM_STATUS_ACQUIRE_LICENSE WM_S_LICENSE_ACQUIRED
 */
#include <wmlicense.h>

#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct app {
  GMainLoop *loop;
  wm_event_queue *queue;
  wm_license_request *request;
  int code;
} app;

static void fail(app *self, const char *what, wm_result result) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  wm_get_error_info(&info);
  fprintf(stderr, "%s: %s: %s\n", what, wm_result_name(result), info.message);
  self->code = EXIT_FAILURE;
  g_main_loop_quit(self->loop);
}

/* The phase tells progress from the final status: only that one succeeds, fails or is cancelled. */
static bool is_over(const wm_event *event) {
  const wm_individualize_progress *progress = event->value;
  if (event->status != WM_STATUS_INDIVIDUALIZE) return event->status == WM_STATUS_ACQUIRE_LICENSE;
  return (progress->phase & (WM_INDIVIDUALIZE_SUCCEED | WM_INDIVIDUALIZE_FAIL | WM_INDIVIDUALIZE_CANCEL)) != 0;
}

static void on_event(app *self, const wm_event *event) {
  const char *name = event->context; /* as given when the object was created */
  wm_result result;
  printf("%s: %s %s\n", name, wm_status_name(event->status), wm_result_name(event->result));
  if (!is_over(event)) return;
  if (event->result < 0) {
    fail(self, name, event->result);
  } else if (event->object != self->request) {
    /* The device is certified: go on. The final status comes when the next verb may be called. */
    if ((result = wm_acquire_license(self->request, WM_ACQUIRE_SILENT)) < 0) fail(self, "acquire", result);
  } else {
    self->code = WM_LICENSE_STORED(event->result) ? EXIT_SUCCESS : EXIT_FAILURE;
    g_main_loop_quit(self->loop);
  }
}

/* The descriptor is readable while events wait: one event each time leaves the loop responsive. */
static gboolean on_readable(gint fd, GIOCondition condition, gpointer context) {
  app *self = context;
  wm_event event = {0};
  event.struct_size = sizeof event;
  (void)fd, (void)condition;
  if (wm_next_event(self->queue, 0, &event) >= 0) on_event(self, &event);
  return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv) {
  app self = {.code = EXIT_FAILURE};
  wm_client *client = NULL;
  wm_individualizer *individualizer = NULL;
  wm_result result;
  int fd = -1;
  guint watch = 0;
  if (argc != 6) {
    fprintf(stderr, "usage: %s STORE AUTHORITY SERVICE_URL TOKEN KEY_IDS\n", argv[0]);
    return 2;
  }
  self.loop = g_main_loop_new(NULL, FALSE);

  /* The queue comes before the objects: those without a callback deliver to it. */
  if ((result = wm_create_client(&client)) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_STORE_PATH, argv[1])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_AUTHORITY, argv[2])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_SERVICE_URL, argv[3])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, argv[4])) < 0 ||
      (result = wm_open_client(client)) < 0 || (result = wm_create_event_queue(client, &self.queue)) < 0 ||
      (result = wm_event_queue_fd(self.queue, &fd)) < 0 ||
      (result = wm_create_individualizer(client, NULL, "individualizer", &individualizer)) < 0 ||
      (result = wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true)) < 0 ||
      (result = wm_create_license_request(client, NULL, "request", &self.request)) < 0 ||
      (result = wm_set_string_prop(self.request, WM_PROP_KEY_IDS, argv[5])) < 0 ||
      (result = wm_individualize(individualizer, 0)) < 0) {
    fail(&self, "begin", result);
    goto cleanup;
  }
  watch = g_unix_fd_add(fd, G_IO_IN, on_readable, &self);
  g_main_loop_run(self.loop);

cleanup:
  if (watch != 0) g_source_remove(watch); /* before the queue closes the descriptor */
  wm_release(self.request);
  wm_release(individualizer);
  wm_release(self.queue);
  wm_release(client);
  g_main_loop_unref(self.loop);
  return self.code;
}
