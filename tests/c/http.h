/* What plays the browser, and the application's own HTTP: as small as can be, against a service on 127.0.0.1. */
#ifndef WM_TEST_HTTP_H
#define WM_TEST_HTTP_H

#include "common.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_REPLY = 5 << 20, MAX_URL = 1024 };

typedef struct reply {
  int status;
  char location[MAX_URL];
  uint8_t bytes[MAX_REPLY]; /* head and body, terminated */
  uint8_t *body;
  size_t body_size;
} reply;

static inline void receive(int connection, reply *to) {
  size_t got = 0;
  ssize_t more;
  while ((more = recv(connection, to->bytes + got, MAX_REPLY - 1 - got, 0)) > 0) got += (size_t)more;
  to->bytes[got] = '\0';
  char *end = strstr((char *)to->bytes, "\r\n\r\n");
  CHECK(end != NULL && sscanf((char *)to->bytes, "HTTP/1.1 %d", &to->status) == 1);
  *end = '\0';
  to->body = (uint8_t *)end + 4;
  to->body_size = (size_t)(to->bytes + got - to->body);
  char *location = strstr((char *)to->bytes, "location: ");
  to->location[0] = '\0';
  if (location != NULL) CHECK(sscanf(location, "location: %1023s", to->location) == 1);
}

/* A GET, or a POST where there is a body, for the account of this token; NULL for nobody. */
static inline void ask_as(const char *token, const char *url, const char *type, const void *body, size_t size, reply *to) {
  unsigned port = 0;
  char head[MAX_URL + 512], path[MAX_URL] = "", account[256] = "";
  if (token != NULL) snprintf(account, sizeof account, "Authorization: Bearer %s\r\n", token);
  CHECK(sscanf(url, "http://127.0.0.1:%u%1023s", &port, path) == 2);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  address.sin_port = htons((uint16_t)port);
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(connection >= 0 && connect(connection, (struct sockaddr *)&address, sizeof address) == 0);
  int length = snprintf(head, sizeof head,
                        "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\nContent-Type: %s\r\n"
                        "%sContent-Length: %zu\r\n\r\n",
                        body != NULL ? "POST" : "GET", path, port, type, account, size);
  CHECK(send(connection, head, (size_t)length, MSG_NOSIGNAL) == length);
  if (size > 0) CHECK(send(connection, body, size, MSG_NOSIGNAL) == (ssize_t)size);
  receive(connection, to);
  close(connection);
}

static inline void ask(const char *url, const char *type, const void *body, size_t size, reply *to) {
  ask_as(account_token(), url, type, body, size, to);
}

/* Carries the challenge of a request to where it is POSTed, and its answer back. */
static inline void carry_as(const char *token, wm_license_request *request, const char *url, reply *to) {
  static uint8_t challenge[64 * 1024];
  size_t size = 0;
  CHECK_OK(wm_get_challenge(request, NULL, 0, &size));
  CHECK(size > 0 && size <= sizeof challenge);
  CHECK_RESULT(wm_get_challenge(request, challenge, size - 1, NULL), WM_E_BUFFER_TOO_SMALL);
  CHECK_OK(wm_get_challenge(request, challenge, sizeof challenge, &size));
  ask_as(token, url, "application/cose", challenge, size, to);
  CHECK_EQ(to->status, 200);
}

/* Opens the page, presses a button on it, and goes where the page leads. The page must show these six digits. */
static inline void decide(const char *url, const char *code, const char *action) {
  static const char field[] = "name=\"session\" value=\"";
  reply *page = malloc(sizeof *page);
  char form[MAX_URL], session[512];
  CHECK(page != NULL);
  ask(url, "", NULL, 0, page);
  CHECK_EQ(page->status, 200);
  CHECK(strstr((char *)page->body, code) != NULL);
  char *at = strstr((char *)page->body, field);
  CHECK(at != NULL && sscanf(at + sizeof field - 1, "%511[^\"]", session) == 1);
  int size = snprintf(form, sizeof form, "session=%s&action=%s", session, action);
  ask(url, "application/x-www-form-urlencoded", form, (size_t)size, page);
  if (page->status == 303) {
    char back[MAX_URL];
    memcpy(back, page->location, sizeof back);
    ask(back, "", NULL, 0, page);
  }
  CHECK_EQ(page->status, 200);
  free(page);
}

#endif
