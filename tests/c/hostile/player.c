/* An application that a hostile service talks to (tests/hostile_network): reads one command per line, answers one line.
 *   individualize          RESULT CATEGORY REMEDY RETRYABLE HTTP_STATUS RETRY_AFTER_MS
 *   acquire KID            the same; KID is base64
 *   url URL KID            the same, at another service
 *   monitor KID            the same, of the monitor after the user was sent to a page
 *   set NAME VALUE         sets a number of the client
 *   text NAME VALUE        sets a text of the client
 *   flag NAME 0|1          sets a truth value of the client
 *   deliver                the same, for all that the account may have
 *   begin URL KID          begins to acquire, at the client's own service where URL is -
 *   looking                waits until the name stuck.test is being looked up
 *   cancel                 RESULT MICROSECONDS of what was begun, from the cancel to its end
 *   backup FOLDER          the same
 *   restore FOLDER         the same
 *   trust FILE             trusts the certificates of this PEM file only
 *   client NAME            another client takes the place of this one
 *   header FILE            as acquire, for the content header in this file; and then the detail's sentence
 *   check                  the result of checking the store
 *   list                   the licenses stored, each KID:LID:ISSUED
 *   use KID                RESULT REMEDY of making a decryptor */
#define _GNU_SOURCE
#include "../common.h"

#include <dlfcn.h>
#include <netdb.h>

static void tell(void *object) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  wm_result result = finish(object);
  if (result < 0) CHECK_OK(wm_get_error_info(&info));
  CHECK(info.result == result || result >= 0);
  CHECK(result >= 0 || info.message[0] != '\0');
  printf("%s %u %u %u %u %llu\n", wm_result_name(result), info.category, info.remedy, info.retryable, info.http_status,
         (unsigned long long)info.retry_after_ms);
}

static void individualize_and_tell(wm_client *client) {
  wm_individualizer *individualizer = NULL;
  CHECK_OK(wm_create_individualizer(client, NULL, NULL, &individualizer));
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  CHECK_OK(wm_individualize(individualizer, WM_INDIVIDUALIZE_FORCE));
  tell(individualizer);
  CHECK_OK(wm_release(individualizer));
}

static void acquire_and_tell(wm_client *client, const char *kid, const char *url) {
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid));
  if (url != NULL) CHECK_OK(wm_set_string_prop(request, WM_PROP_URL, url));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  tell(request);
  CHECK_OK(wm_release(request));
}

static void monitor_and_tell(wm_client *client, const char *kid) {
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_NONSILENT));
  CHECK_OK(finish(request));
  CHECK_OK(wm_monitor_license(request));
  tell(request);
  CHECK_OK(wm_release(request));
}

static void acquire_header_and_tell(wm_client *client, const char *path) {
  static uint8_t bytes[16 * 1024];
  wm_license_request *request = NULL;
  wm_error_info info = {0};
  FILE *file = fopen(path, "rb");
  CHECK(file != NULL);
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_prop(request, WM_PROP_HEADER, WM_TYPE_BINARY, bytes, size));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  wm_result result = finish(request);
  info.struct_size = sizeof info;
  if (result < 0) CHECK_OK(wm_get_error_info(&info));
  printf("%s %u %u %s\n", wm_result_name(result), info.category, info.remedy, info.message);
  CHECK_OK(wm_release(request));
}

static void check(wm_client *client) {
  wm_store_keeper *keeper = NULL;
  CHECK_OK(wm_create_store_keeper(client, NULL, NULL, &keeper));
  CHECK_OK(wm_check_store(keeper, 0));
  printf("%s\n", wm_result_name(finish(keeper)));
  CHECK_OK(wm_release(keeper));
}

static void deliver_and_tell(wm_client *client) {
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_acquire_license(request, WM_ACQUIRE_SILENT));
  tell(request);
  CHECK_OK(wm_release(request));
}

/* --- cancel -------------------------------------------------------------------------------------------------------- */

static struct {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool begun, over;
} lookup = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* The library finds this one before the system's, which it stands in front of: one name is looked up until the test says
 * that it is over, and all others below "test" are this machine. */
int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict found) {
  if (node == NULL || strcmp(node, "stuck.test") != 0) {
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    size_t length = node != NULL ? strlen(node) : 0;
    bool ours = length > 5 && strcmp(node + length - 5, ".test") == 0;
    return next(ours ? "127.0.0.1" : node, service, hints, found);
  }
  pthread_mutex_lock(&lookup.mutex);
  lookup.begun = true;
  pthread_cond_broadcast(&lookup.changed);
  while (!lookup.over) pthread_cond_wait(&lookup.changed, &lookup.mutex);
  pthread_mutex_unlock(&lookup.mutex);
  return EAI_AGAIN;
}

static void looking(void) {
  pthread_mutex_lock(&lookup.mutex);
  while (!lookup.begun) pthread_cond_wait(&lookup.changed, &lookup.mutex);
  pthread_mutex_unlock(&lookup.mutex);
  printf("looking\n");
}

static wm_license_request *begin(wm_client *client, const char *url, const char *kid) {
  wm_license_request *request = NULL;
  CHECK_OK(wm_create_license_request(client, NULL, NULL, &request));
  CHECK_OK(wm_set_string_prop(request, WM_PROP_KEY_IDS, kid));
  if (strcmp(url, "-") != 0) CHECK_OK(wm_set_string_prop(request, WM_PROP_URL, url));
  printf("%s\n", wm_result_name(wm_acquire_license(request, WM_ACQUIRE_SILENT)));
  return request;
}

static void cancel_and_tell(wm_license_request *request) {
  struct timespec from, to;
  wm_result result = 0;
  clock_gettime(CLOCK_MONOTONIC, &from);
  CHECK_OK(wm_cancel(request));
  CHECK_OK(wm_wait(request, WM_INFINITE, &result));
  clock_gettime(CLOCK_MONOTONIC, &to);
  printf("%s %lld\n", wm_result_name(result),
         (to.tv_sec - from.tv_sec) * 1000000LL + (to.tv_nsec - from.tv_nsec) / 1000);
  CHECK_OK(wm_release(request));
  pthread_mutex_lock(&lookup.mutex);
  lookup.over = true;
  pthread_cond_broadcast(&lookup.changed);
  pthread_mutex_unlock(&lookup.mutex);
}

/* --- other verbs --------------------------------------------------------------------------------------------------- */

static void copy_and_tell(wm_client *client, const char *folder, bool restore) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, restore ? WM_PROP_RESTORE_PATH : WM_PROP_BACKUP_PATH, folder));
  CHECK_OK(restore ? wm_restore_licenses(restorer, 0) : wm_backup_licenses(restorer, 0));
  tell(restorer);
  CHECK_OK(wm_release(restorer));
}

static void trust(wm_client *client, const char *path) {
  static char text[16 * 1024];
  FILE *file = fopen(path, "rb");
  CHECK(file != NULL);
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_TLS_TRUST, "pem"));
  printf("%s\n", wm_result_name(wm_set_string_prop(client, WM_PROP_TLS_CA_PEM, text)));
}

static wm_client *another(wm_client *client, const char *folder, const char *name) {
  CHECK_OK(wm_release(client));
  client = open_client(folder, name);
  printf("WM_S_OK\n");
  return client;
}

static void list(wm_client *client) {
  wm_license_enumerator *licenses = NULL;
  char kid[KID_TEXT_SIZE], lid[KID_TEXT_SIZE];
  uint64_t issued = 0;
  wm_result result;
  CHECK_OK(wm_create_license_enumerator(client, &licenses));
  printf("licenses:");
  while ((result = wm_next_license(licenses)) == 0) {
    CHECK_OK(wm_get_prop(licenses, WM_PROP_KID, NULL, kid, sizeof kid, NULL));
    CHECK_OK(wm_get_prop(licenses, WM_PROP_LID, NULL, lid, sizeof lid, NULL));
    CHECK_OK(wm_get_prop(licenses, WM_PROP_ISSUE_DATE, NULL, &issued, sizeof issued, NULL));
    printf(" %s:%s:%llu", kid, lid, (unsigned long long)issued);
  }
  CHECK_RESULT(result, WM_E_NO_MORE_ITEMS);
  printf("\n");
  CHECK_OK(wm_release(licenses));
}

/* The bytes of a base64 key ID. */
static void kid_of(const char *text, uint8_t kid[KID_SIZE + 2]) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  CHECK_EQ(strlen(text), KID_TEXT_SIZE - 1);
  for (int i = 0; i < 6; i++) {
    uint32_t group = 0;
    for (int k = 0; k < 4; k++) {
      const char *digit = strchr(digits, text[4 * i + k]);
      group = group << 6 | (uint32_t)(digit != NULL && *digit != '\0' ? digit - digits : 0);
    }
    for (int k = 0; k < 3; k++) kid[3 * i + k] = (uint8_t)(group >> (16 - 8 * k));
  }
}

static void use(wm_client *client, const char *text) {
  uint8_t kid[KID_SIZE + 2];
  wm_decryptor *decryptor = NULL;
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  kid_of(text, kid);
  wm_result result = wm_create_decryptor(client, kid, "Play", &decryptor);
  if (result < 0) CHECK_OK(wm_get_error_info(&info));
  printf("%s %u\n", wm_result_name(result), info.remedy);
  CHECK_OK(wm_release(decryptor));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store");
  wm_license_request *begun = NULL;
  static char line[4096];
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    char *verb = strtok(line, " "), *first = strtok(NULL, " "), *second = strtok(NULL, "");
    CHECK(verb != NULL);
    if (strcmp(verb, "individualize") == 0) individualize_and_tell(client);
    else if (strcmp(verb, "acquire") == 0) acquire_and_tell(client, first, NULL);
    else if (strcmp(verb, "url") == 0) acquire_and_tell(client, second, first);
    else if (strcmp(verb, "deliver") == 0) deliver_and_tell(client);
    else if (strcmp(verb, "begin") == 0) begun = begin(client, first, second);
    else if (strcmp(verb, "looking") == 0) looking();
    else if (strcmp(verb, "cancel") == 0) cancel_and_tell(begun);
    else if (strcmp(verb, "backup") == 0) copy_and_tell(client, first, false);
    else if (strcmp(verb, "restore") == 0) copy_and_tell(client, first, true);
    else if (strcmp(verb, "trust") == 0) trust(client, first);
    else if (strcmp(verb, "client") == 0) client = another(client, argv[1], first);
    else if (strcmp(verb, "monitor") == 0) monitor_and_tell(client, first);
    else if (strcmp(verb, "header") == 0) acquire_header_and_tell(client, first);
    else if (strcmp(verb, "check") == 0) check(client);
    else if (strcmp(verb, "list") == 0) list(client);
    else if (strcmp(verb, "use") == 0) use(client, first);
    else if (strcmp(verb, "set") == 0) printf("%s\n", wm_result_name(wm_set_number_prop(client, first, strtoull(second, NULL, 10))));
    else if (strcmp(verb, "text") == 0) printf("%s\n", wm_result_name(wm_set_string_prop(client, first, second)));
    else if (strcmp(verb, "flag") == 0) printf("%s\n", wm_result_name(wm_set_bool_prop(client, first, *second == '1')));
    else CHECK(false);
    fflush(stdout);
  }
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  return 0;
}
