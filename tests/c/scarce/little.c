/* The whole journey with so many KiB of address space, or so many file descriptors, beyond what the process has at its begin: each
 * call succeeds or says what it lacks, and the process goes on. Run by tests/c_programs/scarce.rs with one amount after the
 * other. */
#define _GNU_SOURCE
#include "../common.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* What is scarce, and what a call answers that lacks it. */
static wm_result lacking;

static void set_limit(int resource, size_t most) {
  struct rlimit room = {most, most};
  CHECK_EQ(setrlimit(resource, &room), 0);
}

static void limit_memory(size_t more_kib) {
  unsigned long pages = 0;
  FILE *sizes = fopen("/proc/self/statm", "r");
  CHECK(sizes != NULL);
  CHECK_EQ(fscanf(sizes, "%lu", &pages), 1);
  fclose(sizes);
  set_limit(RLIMIT_AS, pages * (size_t)sysconf(_SC_PAGESIZE) + more_kib * 1024);
  lacking = WM_E_OUTOFMEMORY;
}

static void limit_descriptors(size_t more) {
  int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK(next >= 0);
  close(next);
  set_limit(RLIMIT_NOFILE, (size_t)next + more);
  lacking = WM_E_NO_DESCRIPTORS;
}

/* Nothing else is wrong: the service is there, the disk has room, the arguments are good. */
static bool went_well(wm_result result, const char *what) {
  if (result >= 0) return true;
  printf("%s: %s\n", what, wm_result_name(result));
  CHECK_RESULT(result, lacking);
  return false;
}

static bool ended_well(void *object, wm_result started, const char *what) {
  wm_result result = started;
  if (started >= 0 && wm_wait(object, PATIENCE_SECONDS * 1000, &result) < 0) return false;
  return went_well(result, what);
}

static bool individualized(wm_client *client) {
  wm_individualizer *individualizer = NULL;
  if (!went_well(wm_create_individualizer(client, NULL, NULL, &individualizer), "create individualizer")) return false;
  CHECK_OK(wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true));
  bool ended = ended_well(individualizer, wm_individualize(individualizer, 0), "individualize");
  CHECK_OK(wm_release(individualizer));
  return ended;
}

static bool acquire_all(wm_client *client) {
  wm_license_request *request = NULL;
  if (!went_well(wm_create_license_request(client, NULL, NULL, &request), "create request")) return false;
  bool acquired = ended_well(request, wm_acquire_license(request, WM_ACQUIRE_SILENT), "acquire");
  CHECK_OK(wm_release(request));
  return acquired;
}

static void back_up_and_restore(wm_client *client, const char *folder) {
  wm_backup_restorer *restorer = NULL;
  if (!went_well(wm_create_backup_restorer(client, NULL, NULL, &restorer), "create restorer")) return;
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, folder));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, folder));
  if (ended_well(restorer, wm_backup_licenses(restorer, 0), "backup")) {
    ended_well(restorer, wm_verify_backup(restorer), "verify");
    ended_well(restorer, wm_restore_licenses(restorer, 0), "restore");
  }
  CHECK_OK(wm_release(restorer));
}

static void list_and_decrypt(wm_client *client) {
  static uint8_t data[4096];
  static const uint8_t iv[16];
  wm_license_enumerator *licenses = NULL;
  wm_decryptor *decryptor = NULL;
  if (went_well(wm_create_license_enumerator(client, &licenses), "list")) {
    while (wm_next_license(licenses) == 0) {
    }
    CHECK_OK(wm_release(licenses));
  }
  if (went_well(wm_create_decryptor(client, KID_VIDEO, "Play", &decryptor), "decryptor")) {
    wm_sample sample = {0};
    sample.struct_size = sizeof sample;
    sample.iv = iv;
    sample.iv_size = sizeof iv;
    sample.scheme = SCHEME_CENC;
    went_well(wm_decrypt_sample(decryptor, &sample, data, sizeof data), "decrypt");
    CHECK_OK(wm_release(decryptor));
  }
}

/* With a client that is open, in one call as well. */
static void read_header(const char *media, wm_client *client) {
  wm_content_header *header = NULL;
  if (!went_well(wm_create_content_header_from_file(media, &header), "header")) return;
  if (client != NULL) went_well(wm_ensure_license(client, header, "Play", WM_ENSURE_INDIVIDUALIZE, WM_INFINITE), "ensure");
  CHECK_OK(wm_release(header));
}

int main(int argc, char **argv) {
  CHECK(argc == 5);
  size_t amount = strtoul(argv[3], NULL, 10);
  wm_client *client = NULL;
  char *path = path_in(argv[1], "store");
  setvbuf(stdout, NULL, _IONBF, 0);
  if (strcmp(argv[2], "memory") == 0) limit_memory(amount);
  else limit_descriptors(amount);
  if (went_well(wm_create_client(&client), "create")) {
    bool set = wm_set_string_prop(client, WM_PROP_STORE_PATH, path) >= 0 &&
               wm_set_string_prop(client, WM_PROP_AUTHORITY, service_authority()) >= 0 &&
               wm_set_string_prop(client, WM_PROP_SERVICE_URL, service_url()) >= 0 &&
               wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, account_token()) >= 0;
    if (set && went_well(wm_open_client(client), "open")) {
      bool acquired = individualized(client) && acquire_all(client);
      back_up_and_restore(client, argv[1]);
      if (acquired) list_and_decrypt(client);
      read_header(argv[4], client);
    }
    CHECK_OK(wm_release(client));
  }
  read_header(argv[4], NULL);
  CHECK_EQ(wm_live_objects(), 0);
  free(path);
  puts("end");
  return 0;
}
