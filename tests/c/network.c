/* The application's own HTTP stack and log: every verb goes through a socket client of forty lines, the library keeps
 * judging what comes back, and the records tell of it without secrets. */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a tiny HTTP/1.1 client --------------------------------------------------------------------------------------- */

typedef struct stack {
  pthread_mutex_t mutex;
  int requests;
  bool saw_token;
  /* What it does instead of asking the service. */
  enum { HONEST, FAIL, SILENT, HTML, FLOOD, WRONG_STATUS } mood;
  wm_result failure;
  pthread_cond_t reached;
  bool waiting;
  wm_exchange *last; /* stale as soon as the callback has returned */
} stack;

static int connect_to(const char *url, const char **path) {
  unsigned port = 0;
  int used = 0;
  CHECK(sscanf(url, "http://127.0.0.1:%u%n", &port, &used) == 1);
  *path = url[used] != '\0' ? url + used : "/";
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(fd >= 0);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) return fd;
  close(fd);
  return -1;
}

static bool send_all(int fd, const void *data, size_t size) {
  for (const char *at = data; size > 0;) {
    ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += sent, size -= (size_t)sent;
  }
  return true;
}

static bool send_request(int fd, const wm_http_request *request, const char *path) {
  char head[4096];
  int size = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: %zu\r\n",
                      request->method, path, request->body_size);
  for (size_t i = 0; i < request->header_count; i++)
    size += snprintf(head + size, sizeof head - (size_t)size, "%s: %s\r\n", request->headers[i].name,
                     request->headers[i].value);
  size += snprintf(head + size, sizeof head - (size_t)size, "\r\n");
  CHECK((size_t)size < sizeof head);
  return send_all(fd, head, (size_t)size) && send_all(fd, request->body, request->body_size);
}

static wm_result receive(int fd, wm_exchange *exchange) {
  static const size_t MOST = 1 << 20;
  char *text = malloc(MOST);
  CHECK(text != NULL);
  size_t size = 0;
  for (ssize_t got; size < MOST - 1 && (got = recv(fd, text + size, MOST - 1 - size, 0)) > 0;) size += (size_t)got;
  text[size] = '\0';
  unsigned status = 0;
  char *body = strstr(text, "\r\n\r\n");
  wm_result result = WM_E_CONNECTION_LOST;
  if (body != NULL && sscanf(text, "HTTP/1.1 %u", &status) == 1) {
    *body = '\0';
    body += 4;
    CHECK_OK(wm_exchange_set_status(exchange, status));
    strtok(text, "\r\n");
    for (char *line; (line = strtok(NULL, "\r\n")) != NULL;) {
      char *colon = strchr(line, ':');
      CHECK(colon != NULL);
      *colon = '\0';
      CHECK_OK(wm_exchange_add_header(exchange, line, colon + 1 + strspn(colon + 1, " ")));
    }
    result = wm_exchange_write(exchange, body, size - (size_t)(body - text));
  }
  free(text);
  return result;
}

/* Waits as a real stack would wait for a socket, until the operation is cancelled. */
static wm_result wait_for_cancel(stack *own, wm_exchange *exchange) {
  pthread_mutex_lock(&own->mutex);
  own->waiting = true;
  pthread_cond_broadcast(&own->reached);
  pthread_mutex_unlock(&own->mutex);
  for (bool cancelled = false; !cancelled;) {
    struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    nanosleep(&pause, NULL);
    CHECK_OK(wm_exchange_cancelled(exchange, &cancelled));
  }
  return WM_E_OPERATION_CANCELED;
}

static wm_result transport(wm_exchange *exchange, const wm_http_request *request, void *context) {
  stack *own = context;
  const char *path = NULL;
  static const char zeros[4096];
  CHECK_EQ(request->struct_size, sizeof *request);
  CHECK(request->timeout_ms > 0 && request->max_body_size > 0);
  pthread_mutex_lock(&own->mutex);
  own->requests++;
  own->last = exchange;
  for (size_t i = 0; i < request->header_count; i++)
    own->saw_token |= strcmp(request->headers[i].name, "Authorization") == 0;
  pthread_mutex_unlock(&own->mutex);
  switch (own->mood) {
    case FAIL: return own->failure;
    case SILENT: return wait_for_cancel(own, exchange);
    case HTML:
      CHECK_OK(wm_exchange_set_status(exchange, 200));
      CHECK_OK(wm_exchange_add_header(exchange, "content-type", "text/html"));
      return wm_exchange_write(exchange, "<html>", 6);
    case FLOOD:
      CHECK_OK(wm_exchange_set_status(exchange, 200));
      CHECK_OK(wm_exchange_add_header(exchange, "Content-Type", "application/cose"));
      for (;;) {
        wm_result result = wm_exchange_write(exchange, zeros, sizeof zeros);
        if (result < 0) return result;
      }
    case WRONG_STATUS:
      CHECK_RESULT(wm_exchange_set_status(exchange, 100), WM_E_BAD_VALUE);
      CHECK_RESULT(wm_exchange_add_header(exchange, NULL, "x"), WM_E_INVALIDARG);
      return 0; /* no status at all */
    case HONEST: break;
  }
  int fd = connect_to(request->url, &path);
  if (fd < 0) return WM_E_UNABLE_TO_ACQUIRE_LICENSE;
  wm_result result = send_request(fd, request, path) ? receive(fd, exchange) : WM_E_CONNECTION_LOST;
  close(fd);
  return result;
}

/* --- a log --------------------------------------------------------------------------------------------------------- */

typedef struct journal {
  pthread_mutex_t mutex;
  int lines, of_http, of_operations;
  bool secret;
  wm_client *client;
} journal;

static void note(uint32_t level, const char *target, const char *message, void *context) {
  journal *to = context;
  CHECK(level >= WM_LOG_ERROR && level <= WM_LOG_DEBUG);
  CHECK(strchr(message, '\n') == NULL);
  pthread_mutex_lock(&to->mutex);
  to->lines++;
  to->of_http += strcmp(target, "wmlicense::http") == 0;
  to->of_operations += strcmp(target, "wmlicense::operation") == 0;
  to->secret |= strstr(message, account_token()) != NULL;
  pthread_mutex_unlock(&to->mutex);
}

static void note_and_stop(uint32_t level, const char *target, const char *message, void *context) {
  journal *to = context;
  note(level, target, message, context);
  CHECK_OK(wm_set_log_callback(to->client, NULL, NULL, 0)); /* inside a record: does not wait for itself */
}

static void records_tell_and_stop(wm_client *client) {
  journal seen = {.mutex = PTHREAD_MUTEX_INITIALIZER, .client = client};
  CHECK_RESULT(wm_set_log_callback(client, note, &seen, 0), WM_E_INVALIDARG);
  CHECK_RESULT(wm_set_log_callback(NULL, note, &seen, WM_LOG_DEBUG), WM_E_INVALIDARG);
  CHECK_OK(wm_set_log_callback(client, note, &seen, WM_LOG_DEBUG));
  uint8_t kid[KID_SIZE];
  title_kid(1, kid);
  CHECK_RESULT(acquire(client, kid), WM_S_LICENSE_ACQUIRED);
  CHECK(seen.of_http >= 1 && seen.of_operations == 2 && !seen.secret);
  CHECK_OK(wm_set_log_callback(client, note, &seen, WM_LOG_ERROR));
  int before = seen.lines;
  CHECK_RESULT(acquire(client, kid), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(seen.lines, before); /* nothing failed */
  CHECK_RESULT(acquire(client, KID_UNKNOWN), WM_E_LICENSE_UNAVAILABLE);
  CHECK_EQ(seen.lines, before + 1);
  CHECK_OK(wm_set_log_callback(client, note_and_stop, &seen, WM_LOG_DEBUG));
  CHECK_RESULT(acquire(client, kid), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(seen.lines, before + 2);
  CHECK_OK(wm_set_log_callback(client, NULL, NULL, 0));
}

/* --- tests --------------------------------------------------------------------------------------------------------- */

static void every_verb_goes_through_the_stack(wm_client *client, stack *own, const char *folder) {
  uint8_t kid[KID_SIZE];
  title_kid(2, kid);
  individualize(client);
  CHECK_EQ(own->requests, 2); /* the service document, then the certificate */
  CHECK(!own->saw_token);
  CHECK_RESULT(acquire(client, kid), WM_S_LICENSE_ACQUIRED);
  CHECK(own->saw_token);
  CHECK_EQ(own->requests, 3);

  /* A restore on another device, through its own client with the same stack. */
  char *usb = path_in(folder, "usb");
  char command[4200];
  snprintf(command, sizeof command, "mkdir '%s'", usb);
  CHECK_EQ(system(command), 0);
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, usb));
  CHECK_OK(wm_backup_licenses(restorer, 0));
  CHECK_RESULT(finish(restorer), 0);
  CHECK_OK(wm_release(restorer));
  CHECK_EQ(own->requests, 3);
  wm_client *other = open_client(folder, "other");
  wm_transport given = {.struct_size = sizeof given, .send = transport, .context = own};
  CHECK_OK(wm_set_transport(other, &given));
  CHECK_OK(wm_create_backup_restorer(other, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, usb));
  CHECK_OK(wm_restore_licenses(restorer, WM_RESTORE_INDIVIDUALIZE));
  CHECK_RESULT(finish(restorer), 0);
  CHECK(own->requests >= 6);
  CHECK_OK(wm_release(restorer));
  CHECK_OK(wm_release(other));
  free(usb);
}

static void failures_are_sorted(wm_client *client, stack *own) {
  static const struct {
    int mood;
    wm_result told, seen;
  } cases[] = {
      {FAIL, WM_E_UNABLE_TO_ACQUIRE_LICENSE, WM_E_UNABLE_TO_ACQUIRE_LICENSE},
      {FAIL, -1, WM_E_UNABLE_TO_ACQUIRE_LICENSE},
      {FAIL, WM_E_CONNECTION_LOST, WM_E_CONNECTION_LOST},
      {FAIL, WM_E_DEADLINE, WM_E_DEADLINE},
      {FAIL, WM_E_SERVER_CERTIFICATE, WM_E_SERVER_CERTIFICATE},
      {FAIL, WM_E_ERROR_BAD_NET_RESP, WM_E_ERROR_BAD_NET_RESP},
      {HTML, 0, WM_E_CAPTIVE_PORTAL},
      {FLOOD, 0, WM_E_ANSWER_TOO_LARGE},
      {WRONG_STATUS, 0, WM_E_CONNECTION_LOST},
  };
  uint8_t kid[KID_SIZE];
  title_kid(3, kid);
  CHECK_OK(wm_set_number_prop(client, WM_PROP_RETRY_LIMIT, 0));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    own->mood = cases[i].mood;
    own->failure = cases[i].told;
    CHECK_RESULT(acquire(client, kid), cases[i].seen);
  }
  /* What can be tried again is, as often as allowed. */
  own->mood = FAIL;
  own->failure = WM_E_CONNECTION_LOST;
  int before = own->requests;
  CHECK_OK(wm_set_number_prop(client, WM_PROP_RETRY_LIMIT, 1));
  CHECK_RESULT(acquire(client, kid), WM_E_CONNECTION_LOST);
  CHECK_EQ(own->requests, before + 2);
  CHECK_OK(wm_remove_prop(client, WM_PROP_RETRY_LIMIT));
  own->mood = HONEST;
}

static void a_cancel_reaches_the_stack(wm_client *client, stack *own) {
  char text[KID_TEXT_SIZE];
  bool cancelled = false;
  wm_license_request *request = NULL;
  own->mood = SILENT;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(KID_VIDEO, text)));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  pthread_mutex_lock(&own->mutex);
  while (!own->waiting) pthread_cond_wait(&own->reached, &own->mutex);
  pthread_mutex_unlock(&own->mutex);
  CHECK_OK(wm_cancel(request));
  CHECK_RESULT(finish(request), WM_S_ACQUIRE_CANCELLED);
  CHECK_OK(wm_release(request));
  /* The exchange is over, whatever the stack still wants with it. */
  CHECK_RESULT(wm_exchange_write(own->last, "x", 1), WM_E_INVALID_HANDLE);
  CHECK_RESULT(wm_exchange_cancelled(own->last, &cancelled), WM_E_INVALID_HANDLE);
  own->mood = HONEST;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  stack own = {.mutex = PTHREAD_MUTEX_INITIALIZER, .reached = PTHREAD_COND_INITIALIZER};
  wm_transport given = {.struct_size = sizeof given, .send = NULL, .context = &own};
  wm_client *client = open_client(argv[1], "store");
  CHECK_RESULT(wm_set_transport(client, &given), WM_E_INVALIDARG);
  given.send = transport;
  given.struct_size = 0;
  CHECK_RESULT(wm_set_transport(client, &given), WM_E_INVALIDARG);
  given.struct_size = sizeof given;
  CHECK_RESULT(wm_set_transport(NULL, &given), WM_E_INVALIDARG);
  CHECK_OK(wm_set_transport(client, &given));

  every_verb_goes_through_the_stack(client, &own, argv[1]);
  failures_are_sorted(client, &own);
  a_cancel_reaches_the_stack(client, &own);
  records_tell_and_stop(client);

  /* Offline means that nobody is asked, the application's stack included. */
  int before = own.requests;
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  CHECK_RESULT(acquire(client, KID_AUDIO), WM_E_POLICY_DISABLE_ONLINE);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, false));
  CHECK_OK(wm_set_transport(client, NULL));
  CHECK_RESULT(acquire(client, KID_AUDIO), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(own.requests, before);
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
