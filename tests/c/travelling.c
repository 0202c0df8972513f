/* Licenses with counts that travel to other devices, backups of several accounts, and restores that the service or the network
 * breaks off. */
#include "common.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t KID_TRAVELS[KID_SIZE] = KID_LAST(0xcb, 1);
enum { GRANTED = 5 };

static wm_result run(wm_client *client, recorder *events, const char *folder, bool backup, uint32_t flags) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, events != NULL ? record : NULL, events, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, backup ? WM_PROP_BACKUP_PATH : WM_PROP_RESTORE_PATH, folder));
  CHECK_OK(backup ? wm_backup_licenses(restorer, flags) : wm_restore_licenses(restorer, flags));
  wm_result result = finish(restorer);
  CHECK_OK(wm_release(restorer));
  return result;
}

static void back_up(wm_client *client, const char *folder) {
  CHECK(mkdir(folder, 0700) == 0);
  CHECK_OK(run(client, NULL, folder, true, 0));
}

static wm_result restore(wm_client *client, recorder *events, const char *folder) {
  return run(client, events, folder, false, WM_RESTORE_INDIVIDUALIZE);
}

static void play(wm_client *client, int times) {
  static const uint8_t iv[16];
  uint8_t data[16] = {0};
  wm_sample sample = {0};
  sample.struct_size = sizeof sample;
  sample.iv = iv, sample.iv_size = sizeof iv;
  sample.scheme = SCHEME_CENC;
  for (int i = 0; i < times; i++) {
    wm_decryptor *decryptor = NULL;
    CHECK_OK(wm_create_decryptor(client, KID_TRAVELS, "Play", &decryptor));
    CHECK_OK(wm_decrypt_sample(decryptor, &sample, data, sizeof data));
    CHECK_OK(wm_release(decryptor));
  }
}

static long left(wm_client *client) {
  wm_license_state state = {0};
  state.struct_size = sizeof state;
  CHECK_OK(wm_query_license_state(client, KID_TRAVELS, "Play", &state));
  CHECK(state.count_count > 0);
  return (long)state.counts[0];
}

static bool usable(wm_client *client, const uint8_t kid[KID_SIZE]) {
  uint32_t reasons = 77;
  CHECK_OK(wm_query_action_allowed(client, kid, "Play", &reasons));
  return reasons == 0;
}

static void offer(const char *folder) {
  char words[1024], printed[4096], *file = path_in(folder, "terms.json");
  FILE *terms = fopen(file, "w");
  CHECK(terms != NULL);
  CHECK(fprintf(terms, "{\"actions\":{\"Play\":{\"count\":%d}},\"backup\":\"stateful\"}", GRANTED) > 0);
  CHECK(fclose(terms) == 0);
  snprintf(words, sizeof words, "policy set travels '%s'", file);
  owner(words, printed, sizeof printed);
  owner("content add --kid cb000000000000000000000000000001 --key 00112233445566778899aabbccddeeff --title Travels "
        "--policy travels --open",
        printed, sizeof printed);
  free(file);
}

static void counts_start_from_the_fewest_that_anybody_knows(wm_client *first, const char *root, const char *older) {
  char *newer = path_in(root, "newer");
  CHECK_RESULT(acquire(first, KID_TRAVELS), WM_S_LICENSE_ACQUIRED);
  play(first, 2);
  back_up(first, older);
  wm_client *second = open_client(root, "second");
  CHECK_OK(restore(second, NULL, older));
  CHECK_EQ(left(second), GRANTED - 2);
  play(second, 1);
  back_up(second, newer);
  wm_client *third = open_client(root, "third"), *fourth = open_client(root, "fourth");
  CHECK_OK(restore(third, NULL, newer));
  CHECK_EQ(left(third), GRANTED - 3);
  /* The older file says more, but an earlier restore told the service better. */
  CHECK_OK(restore(fourth, NULL, older));
  CHECK_EQ(left(fourth), GRANTED - 3);
  /* What is here wins over the file, however often. */
  play(fourth, 1);
  for (int i = 0; i < 2; i++) {
    CHECK_OK(restore(fourth, NULL, older));
    CHECK_EQ(left(fourth), GRANTED - 4);
  }
  play(first, 2);
  CHECK_OK(restore(first, NULL, older));
  CHECK_EQ(left(first), GRANTED - 4);
  CHECK_OK(wm_release(second));
  CHECK_OK(wm_release(third));
  CHECK_OK(wm_release(fourth));
  free(newer);
}

static void each_account_s_part_of_a_backup_opens_by_itself(wm_client *first, const char *root) {
  recorder events = RECORDER_INIT;
  char *folder = path_in(root, "accounts");
  CHECK_RESULT(acquire(first, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_set_string_prop(first, WM_PROP_ACCOUNT_TOKEN, gold_account_token()));
  CHECK_RESULT(acquire(first, KID_GOLD), WM_S_LICENSE_ACQUIRED);
  CHECK_OK(wm_set_string_prop(first, WM_PROP_ACCOUNT_TOKEN, account_token()));
  CHECK_OK(wm_delete_licenses(first, KID_TRAVELS, 0)); /* its seats are taken */
  back_up(first, folder);
  wm_client *other = open_client(root, "other account");
  CHECK_RESULT(restore(other, &events, folder), WM_S_RESTORE_PARTIAL);
  CHECK_EQ(recorder_count(&events, WM_STATUS_BACKUPRESTORE_END), 1);
  CHECK(usable(other, KID_VIDEO) && !usable(other, KID_GOLD));
  CHECK_OK(wm_set_string_prop(other, WM_PROP_ACCOUNT_TOKEN, gold_account_token()));
  CHECK_OK(restore(other, NULL, folder));
  CHECK(usable(other, KID_VIDEO) && usable(other, KID_GOLD));
  CHECK_OK(wm_release(other));
  /* All of it opens on its own device. */
  CHECK_OK(restore(first, NULL, folder));
  free(folder);
}

/* Changes a byte of the last ticket of the header, which only the service opens. */
static void damage_the_ticket(const char *from, const char *to) {
  char *source = path_in(from, "licenses.wmbackup"), *target = path_in(to, "licenses.wmbackup");
  FILE *in = fopen(source, "rb"), *out = fopen(target, "wb");
  uint8_t front[12];
  CHECK(in != NULL && out != NULL);
  CHECK(fread(front, 1, sizeof front, in) == sizeof front && fwrite(front, 1, sizeof front, out) == sizeof front);
  size_t header = (size_t)front[8] << 24 | (size_t)front[9] << 16 | (size_t)front[10] << 8 | front[11];
  int byte;
  for (size_t at = 0; (byte = getc(in)) != EOF; at++) CHECK(putc(at == header - 20 ? byte ^ 1 : byte, out) != EOF);
  CHECK(fclose(in) == 0 && fclose(out) == 0);
  free(source), free(target);
}

static void a_ticket_that_the_service_cannot_open_is_told(const char *root, const char *backup) {
  char *folder = path_in(root, "damaged");
  CHECK(mkdir(folder, 0700) == 0);
  damage_the_ticket(backup, folder);
  wm_client *client = open_client(root, "fifth");
  CHECK_RESULT(restore(client, NULL, folder), WM_E_BACKUP_RESTORE_BAD_DATA);
  CHECK_OK(wm_release(client));
  free(folder);
}

/* --- a service whose connections break ----------------------------------------------------------------------------- */

static void *reset_all(void *context) {
  int listener = *(int *)context, connection;
  while ((connection = accept(listener, NULL, NULL)) >= 0) {
    char asked[1024];
    struct linger at_once = {1, 0};
    CHECK(recv(connection, asked, sizeof asked, 0) > 0);
    CHECK(setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0 && close(connection) == 0);
  }
  return NULL;
}

static void a_connection_that_breaks_again_and_again_is_told(const char *root, const char *backup) {
  struct sockaddr_in address = {0};
  socklen_t size = sizeof address;
  pthread_t thread;
  char url[64];
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_family = AF_INET, address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 8) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  CHECK(pthread_create(&thread, NULL, reset_all, &listener) == 0);
  snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
  wm_client *client = open_client(root, "sixth");
  individualize(client);
  CHECK_OK(wm_set_string_prop(client, WM_PROP_SERVICE_URL, url));
  CHECK_OK(wm_set_number_prop(client, WM_PROP_RETRY_LIMIT, 1));
  CHECK_RESULT(run(client, NULL, backup, false, 0), WM_E_BACKUP_RESTORE_TOO_MANY_RESETS);
  CHECK_OK(wm_release(client));
  CHECK(shutdown(listener, SHUT_RDWR) == 0 && pthread_join(thread, NULL) == 0 && close(listener) == 0);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  char *older = path_in(argv[1], "older");
  offer(argv[1]);
  wm_client *first = open_client(argv[1], "first");
  individualize(first);
  counts_start_from_the_fewest_that_anybody_knows(first, argv[1], older);
  a_ticket_that_the_service_cannot_open_is_told(argv[1], older);
  a_connection_that_breaks_again_and_again_is_told(argv[1], older);
  each_account_s_part_of_a_backup_opens_by_itself(first, argv[1]);
  CHECK_OK(wm_release(first));
  CHECK_EQ(wm_live_objects(), 0);
  free(older);
  return 0;
}
