/* use.c: the timed loops over the C API that the benchmark asks for; prints one number.
 *
 *   use decrypt STORE AUTHORITY KID SCHEME SIZE MILLISECONDS   bytes a second of wm_decrypt_sample
 *   use lookup STORE AUTHORITY LICENSES COUNT                  nanoseconds of a processor from a key ID to 4 KB in the clear
 *   use first STORE AUTHORITY LICENSES COUNT                   the same of key IDs that were not looked up before
 *   use handle STORE AUTHORITY KID MILLISECONDS                nanoseconds of a call that only looks its handle up
 */
#include <wmlicense.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(call) check((call), #call)

static void check(wm_result result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "%s: %s\n", what, wm_result_name(result));
  exit(EXIT_FAILURE);
}

static double now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static wm_client *open_client(char **arguments) {
  wm_client *client = NULL;
  CHECK(wm_create_client(&client));
  CHECK(wm_set_string_prop(client, WM_PROP_STORE_PATH, arguments[0]));
  CHECK(wm_set_string_prop(client, WM_PROP_AUTHORITY, arguments[1]));
  CHECK(wm_open_client(client));
  return client;
}

static void *buffer(size_t size) {
  void *data = NULL;
  if (posix_memalign(&data, 64, size) != 0) abort();
  memset(data, 3, size);
  return data;
}

/* The sample's scheme by its four letters; cbcs with the pattern that video has. */
static wm_sample describe(const char *scheme, const uint8_t iv[16]) {
  wm_sample sample = {0};
  sample.struct_size = sizeof sample;
  sample.iv = iv;
  sample.iv_size = 16;
  for (int i = 0; i < 4; i++) sample.scheme = sample.scheme << 8 | (uint8_t)scheme[i];
  if (strcmp(scheme, "cbcs") == 0) {
    sample.crypt_byte_block = 1;
    sample.skip_byte_block = 9;
  }
  return sample;
}

static void kid_from_text(const char *text, uint8_t kid[16]) {
  for (int i = 0; i < 16; i++) {
    unsigned byte = 0;
    if (sscanf(text + 2 * i, "%2x", &byte) != 1) abort();
    kid[i] = (uint8_t)byte;
  }
}

/* As the benchmark's store was filled: the number times a constant, then the number. */
static void kid_of(uint64_t number, uint8_t kid[16]) {
  uint64_t spread = number * UINT64_C(0x9e3779b97f4a7c15);
  for (int i = 0; i < 8; i++) {
    kid[i] = (uint8_t)(spread >> (56 - 8 * i));
    kid[8 + i] = (uint8_t)(number >> (56 - 8 * i));
  }
}

static void decrypt(char **arguments) {
  wm_client *client = open_client(arguments);
  uint8_t kid[16], iv[16] = {7};
  kid_from_text(arguments[2], kid);
  wm_sample sample = describe(arguments[3], iv);
  size_t size = (size_t)atol(arguments[4]);
  double limit = atof(arguments[5]) / 1e3;
  wm_decryptor *decryptor = NULL;
  CHECK(wm_create_decryptor(client, kid, "Play", &decryptor));
  void *data = buffer(size);
  CHECK(wm_decrypt_sample(decryptor, &sample, data, size));
  long batch = (long)(1000000 / size) + 1, done = 0;
  /* Processor time, as openssl speed counts it. */
  double start = now(CLOCK_PROCESS_CPUTIME_ID), elapsed = 0;
  while (elapsed < limit) {
    for (long i = 0; i < batch; i++) CHECK(wm_decrypt_sample(decryptor, &sample, data, size));
    done += batch;
    elapsed = now(CLOCK_PROCESS_CPUTIME_ID) - start;
  }
  printf("%.0f\n", (double)done * (double)size / elapsed);
  free(data);
  wm_release(decryptor);
  wm_release(client);
}

/* A decryptor runs nothing that could be cancelled: the call finds the object and returns. */
static void handle(char **arguments) {
  wm_client *client = open_client(arguments);
  uint8_t kid[16];
  kid_from_text(arguments[2], kid);
  double limit = atof(arguments[3]) / 1e3;
  wm_decryptor *decryptor = NULL;
  CHECK(wm_create_decryptor(client, kid, "Play", &decryptor));
  double start = now(CLOCK_PROCESS_CPUTIME_ID), elapsed = 0;
  double done = 0;
  while (elapsed < limit) {
    for (int i = 0; i < 100000; i++) CHECK(wm_cancel(decryptor));
    done += 100000;
    elapsed = now(CLOCK_PROCESS_CPUTIME_ID) - start;
  }
  printf("%.3f\n", elapsed * 1e9 / done);
  wm_release(decryptor);
  wm_release(client);
}

static void lookup(char **arguments, int warm) {
  wm_client *client = open_client(arguments);
  uint64_t licenses = (uint64_t)atoll(arguments[2]), count = (uint64_t)atoll(arguments[3]);
  uint8_t iv[16] = {7};
  wm_sample sample = describe("cenc", iv);
  void *data = buffer(4096);
  double start = 0;
  for (int round = 0; round <= warm; round++) { /* where it counts warm, the first one warms up */
    start = now(CLOCK_PROCESS_CPUTIME_ID);
    for (uint64_t n = 0; n < count; n++) {
      uint8_t kid[16];
      wm_decryptor *decryptor = NULL;
      kid_of(n * UINT64_C(0x9e3779b9) % licenses, kid);
      CHECK(wm_create_decryptor(client, kid, "Play", &decryptor));
      CHECK(wm_decrypt_sample(decryptor, &sample, data, 4096));
      CHECK(wm_release(decryptor));
    }
  }
  printf("%.0f\n", (now(CLOCK_PROCESS_CPUTIME_ID) - start) * 1e9 / (double)count);
  free(data);
  wm_release(client);
}

int main(int count, char **words) {
  if (count == 8 && strcmp(words[1], "decrypt") == 0) {
    decrypt(words + 2);
  } else if (count == 6 && strcmp(words[1], "lookup") == 0) {
    lookup(words + 2, 1);
  } else if (count == 6 && strcmp(words[1], "first") == 0) {
    lookup(words + 2, 0);
  } else if (count == 6 && strcmp(words[1], "handle") == 0) {
    handle(words + 2);
  } else {
    fputs("see the first lines of bench/c/use.c\n", stderr);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
