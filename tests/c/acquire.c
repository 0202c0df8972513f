/* Individualization and silent acquisition: what ends well, what is refused, and services that do not answer as they should. */
#include "common.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a peer that is no license service ---------------------------------------------------------------------------- */

typedef struct peer {
  int listener;
  char url[64];
  const char *answer; /* sent to every request; NULL: connections are taken by the system and never answered */
  pthread_t thread;
} peer;

static void *answer_all(void *context) {
  peer *self = context;
  char request[4096];
  for (;;) {
    int connection = accept(self->listener, NULL, NULL);
    if (connection < 0) return NULL; /* shut down */
    size_t got = 0;
    while (got < sizeof request - 1) {
      ssize_t more = recv(connection, request + got, sizeof request - 1 - got, 0);
      if (more <= 0) break;
      got += (size_t)more;
      request[got] = '\0';
      if (strstr(request, "\r\n\r\n") != NULL) break;
    }
    (void)send(connection, self->answer, strlen(self->answer), MSG_NOSIGNAL);
    shutdown(connection, SHUT_WR);
    while (recv(connection, request, sizeof request, 0) > 0) {}
    close(connection);
  }
}

static void peer_start(peer *self, const char *answer) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  self->answer = answer;
  CHECK((self->listener = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
  CHECK(bind(self->listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK(listen(self->listener, 16) == 0);
  CHECK(getsockname(self->listener, (struct sockaddr *)&address, &size) == 0);
  snprintf(self->url, sizeof self->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
  if (answer != NULL) CHECK(pthread_create(&self->thread, NULL, answer_all, self) == 0);
}

static void peer_stop(peer *self) {
  shutdown(self->listener, SHUT_RDWR);
  if (self->answer != NULL) CHECK(pthread_join(self->thread, NULL) == 0);
  close(self->listener);
}

/* --- helpers ------------------------------------------------------------------------------------------------------ */

static wm_license_request *request_for(wm_client *client, recorder *events, const uint8_t kid[KID_SIZE]) {
  char text[KID_TEXT_SIZE];
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, events != NULL ? record : NULL, events, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid_text(kid, text)));
  return request;
}

static bool usable(wm_client *client, const uint8_t kid[KID_SIZE]) {
  uint32_t reasons = 77;
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &reasons));
  return reasons == 0;
}

/* --- individualization -------------------------------------------------------------------------------------------- */

static void a_device_needs_its_certificate_first(wm_client *client) {
  recorder events = RECORDER_INIT;
  wm_license_request *request = request_for(client, &events, KID_VIDEO);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_E_NEEDS_INDIVIDUALIZATION);
  CHECK_OK(wm_release(request));
  CHECK(recorder_index(&events, WM_STATUS_NEEDS_INDIVIDUALIZATION) >= 0);
  CHECK(recorder_index(&events, WM_STATUS_NEEDS_INDIVIDUALIZATION) < recorder_index(&events, WM_STATUS_ACQUIRE_LICENSE));
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACQUIRE_LICENSE), 1);
}

static void individualization_reports_and_happens_once(wm_client *client) {
  recorder events = RECORDER_INIT;
  wm_individualizer *individualizer = NULL;
  wm_individualize_progress progress;
  char before[64], after[64];
  CHECK_OK(wm_create_individualizer(client, record, &events, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_OK(wm_individualize(individualizer, 0));
  CHECK_RESULT(finish(individualizer), WM_S_INDIVIDUALIZED);
  CHECK(recorder_count(&events, WM_STATUS_INDIVIDUALIZE) >= 2);
  event last = events.events[events.count - 1];
  CHECK_EQ(last.status, WM_STATUS_INDIVIDUALIZE);
  CHECK_EQ(last.type, WM_TYPE_BINARY);
  CHECK(last.size >= sizeof progress);
  memcpy(&progress, last.value, sizeof progress);
  CHECK_EQ(progress.result, WM_S_INDIVIDUALIZED);
  CHECK_EQ(last.result, WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_get_prop(client, WM_PROP_DEVICE_ID, NULL, before, sizeof before, NULL));
  /* A current device needs no network and stays what it is. */
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  CHECK_OK(wm_individualize(individualizer, 0));
  CHECK_RESULT(finish(individualizer), WM_S_INDIVIDUALIZED);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, false));
  CHECK_OK(wm_get_prop(client, WM_PROP_DEVICE_ID, NULL, after, sizeof after, NULL));
  CHECK_TEXT(after, before);
  CHECK_OK(wm_release(individualizer));
}

static void an_untrusted_authority_is_refused(const char *folder) {
  wm_client *client = NULL;
  wm_individualizer *individualizer = NULL;
  char *path = path_in(folder, "stranger");
  CHECK_OK(wm_create_client(&client));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_STORE_PATH, path));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_AUTHORITY, STRANGE_AUTHORITY));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, service_url()));
  CHECK_OK(wm_open_client(client));
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_OK(wm_individualize(individualizer, 0));
  CHECK_RESULT(finish(individualizer), WM_E_AUTHORITY_NOT_TRUSTED);
  CHECK_OK(wm_release(individualizer));
  CHECK_OK(wm_release(client));
  free(path);
}

/* --- acquisition -------------------------------------------------------------------------------------------------- */

static void one_request_brings_many_licenses(wm_client *client) {
  recorder events = RECORDER_INIT;
  wm_license_request *request = NULL;
  char list[TITLE_COUNT * KID_TEXT_SIZE + 1] = "", text[KID_TEXT_SIZE];
  uint8_t kid[KID_SIZE];
  for (int number = 1; number <= TITLE_COUNT; number++) {
    title_kid(number, kid);
    if (number > 1) strcat(list, ";");
    strcat(list, kid_text(kid, text));
  }
  CHECK_OK(wm_create_license_request(client, record, &events, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, list));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  wm_result result = finish(request);
  CHECK(WM_LICENSE_STORED(result));
  CHECK_OK(wm_release(request));
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACQUIRE_LICENSE), 1);
  CHECK_EQ(recorder_await(&events, WM_STATUS_ACQUIRE_LICENSE).result, WM_S_LICENSE_ACQUIRED);
  for (int number = 1; number <= TITLE_COUNT; number++) {
    title_kid(number, kid);
    CHECK(usable(client, kid));
  }
}

static void what_the_service_refuses_is_told_apart(wm_client *client) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  CHECK_RESULT(acquire(client, KID_UNKNOWN), WM_E_LICENSE_UNAVAILABLE);
  CHECK_OK(wm_get_error_info(&info));
  CHECK_EQ(info.result, WM_E_LICENSE_UNAVAILABLE); /* the operation's detail became this thread's */
  CHECK_EQ(info.retryable, 0);
  CHECK(strlen(info.message) > 0);
  CHECK_RESULT(acquire(client, KID_GOLD), WM_E_NOT_ENTITLED);
  CHECK(!usable(client, KID_GOLD));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, gold_account_token()));
  CHECK_RESULT(acquire(client, KID_GOLD), WM_S_LICENSE_ACQUIRED);
  CHECK(usable(client, KID_GOLD));
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, "no-such-token"));
  CHECK_RESULT(acquire(client, KID_GOLD), WM_E_ACCOUNT_REQUIRED);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, account_token()));
}

static void nothing_is_sent_when_offline(wm_client *client) {
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  CHECK_RESULT(acquire(client, KID_AUDIO), WM_E_POLICY_DISABLE_ONLINE);
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, false));
}

/* Each bad peer: what it says to every request, and how an acquisition from it ends. */
static void bad_peers_are_told_apart(wm_client *client) {
  static const struct {
    const char *answer;
    wm_result ends;
  } bad[] = {
      {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", WM_E_SERVICE_FAILING},
      {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\nConnection: close\r\n\r\n<html>Sign in</",
       WM_E_CAPTIVE_PORTAL},
      {"HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nContent-Length: 4\r\nConnection: close\r\n\r\nJUNK",
       WM_E_INVALID_LICENSE_ACQUIRED},
      {"this is not HTTP\r\n\r\n", WM_E_ERROR_BAD_NET_RESP},
  };
  CHECK_OK(wm_set_number_prop(client, WM_PROP_RETRY_LIMIT, 0));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    peer other;
    peer_start(&other, bad[i].answer);
    wm_license_request *request = request_for(client, NULL, KID_AUDIO);
    CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, other.url));
    CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
    CHECK_RESULT(finish(request), bad[i].ends);
    CHECK_OK(wm_release(request));
    peer_stop(&other);
  }
  /* Nobody listens at an address that was just given back. */
  peer gone;
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  peer_start(&gone, NULL);
  peer_stop(&gone);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, gone.url));
  CHECK_RESULT(acquire(client, KID_AUDIO), WM_E_UNABLE_TO_ACQUIRE_LICENSE);
  CHECK_OK(wm_get_error_info(&info));
  CHECK_EQ(info.retryable, 1);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, service_url()));
  CHECK_OK(wm_remove_prop(client, WM_PROP_RETRY_LIMIT));
}

static void a_silent_peer_is_waited_for_until_cancel_or_deadline(wm_client *client) {
  recorder events = RECORDER_INIT;
  peer mute;
  wm_result result = 7;
  peer_start(&mute, NULL);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, mute.url));
  wm_license_request *request = request_for(client, &events, KID_AUDIO);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(wm_wait(request, 20, &result), WM_E_TIMEOUT);
  CHECK_EQ(result, 7);
  CHECK_RESULT(wm_acquire_license(request, WM_ACQUIRE_SILENT), WM_E_ACQUIRING_LICENSE);
  CHECK_RESULT(wm_set_string_prop(request, WM_PROP_KEY_IDS, "AAAAAAAAAAAAAAAAAAAAAA=="), WM_E_ACQUIRING_LICENSE);
  CHECK_OK(wm_cancel(request));
  CHECK_RESULT(finish(request), WM_S_ACQUIRE_CANCELLED);
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACQUIRE_LICENSE), 1);
  CHECK(!WM_LICENSE_STORED(finish(request)));

  CHECK_OK(wm_set_number_prop(client, WM_PROP_DEADLINE_MS, 200));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_E_DEADLINE);
  CHECK_OK(wm_remove_prop(client, WM_PROP_DEADLINE_MS));
  /* Released while it waits: the release cancels and returns after the final status. */
  recorder_clear(&events);
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_OK(wm_release(request));
  CHECK_EQ(recorder_count(&events, WM_STATUS_ACQUIRE_LICENSE), 1);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, service_url()));
  peer_stop(&mute);
  CHECK_RESULT(acquire(client, KID_AUDIO), WM_S_LICENSE_ACQUIRED);
}

static void a_media_file_names_what_to_acquire(wm_client *client) {
  char path[512], kids[64], video[KID_TEXT_SIZE], audio[KID_TEXT_SIZE], both[64];
  bool is_protected = false;
  wm_content_header *header = NULL;
  CHECK(snprintf(path, sizeof path, "%s/packager-cenc-video.mp4", setting("WM_TEST_MEDIA")) < (int)sizeof path);
  CHECK_OK(wm_is_content_protected(path, &is_protected));
  CHECK(is_protected);
  CHECK_OK(wm_create_content_header_from_file(path, &header));
  CHECK_OK(wm_get_prop(header, WM_PROP_KIDS, NULL, kids, sizeof kids, NULL));
  /* Its header names the keys of the whole presentation, the other track's included. */
  snprintf(both, sizeof both, "%s;%s", kid_text(KID_VIDEO, video), kid_text(KID_AUDIO, audio));
  CHECK_TEXT(kids, both);
  CHECK_OK(wm_release(header));
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kids));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  CHECK_RESULT(finish(request), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_release(request));
  CHECK(usable(client, KID_VIDEO));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  a_device_needs_its_certificate_first(client);
  individualization_reports_and_happens_once(client);
  an_untrusted_authority_is_refused(argv[1]);
  one_request_brings_many_licenses(client);
  what_the_service_refuses_is_told_apart(client);
  nothing_is_sent_when_offline(client);
  bad_peers_are_told_apart(client);
  a_silent_peer_is_waited_for_until_cancel_or_deadline(client);
  a_media_file_names_what_to_acquire(client);
  CHECK_OK(wm_release(client));
  /* What was stored is there without any network after a restart. */
  client = open_client(argv[1], "store");
  CHECK_OK(wm_set_bool_prop(client, WM_PROP_OFFLINE_ONLY, true));
  CHECK(usable(client, KID_VIDEO));
  CHECK(usable(client, KID_AUDIO));
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
