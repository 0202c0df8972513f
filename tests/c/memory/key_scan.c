/* After every object is released, no content key and none of its round keys lies in memory that the process can write. Run by
 * tests/c_programs/memory.rs. */
#define _GNU_SOURCE
#include "../common.h"
#include <fcntl.h>
#include <unistd.h>

enum { KEY_SIZE = 16, NEEDLES = 20, AT_A_TIME = 1 << 16, HELD = 40 };

/* The key of KID_VIDEO, its ten round keys (FIPS 197, 5.2), and the nine that the equivalent inverse cipher has in their place
 * (5.3.5). Every byte is inverted, or the table itself would be found. */
static const uint8_t INVERTED[NEEDLES][KEY_SIZE] = {
    {0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa, 0x99, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00},
    {0x3f, 0xc6, 0xcb, 0x87, 0x7b, 0x93, 0xad, 0xf0, 0xf3, 0x0a, 0x07, 0x4b, 0x3f, 0xd7, 0xe9, 0xb4},
    {0x09, 0x81, 0x78, 0x3d, 0x8d, 0xed, 0x2a, 0x32, 0x81, 0x18, 0xd2, 0x86, 0x41, 0x30, 0xc4, 0xcd},
    {0x87, 0x63, 0x5b, 0x93, 0xf5, 0x71, 0x8e, 0x5e, 0x8b, 0x96, 0xa3, 0x27, 0x35, 0x59, 0x98, 0x15},
    {0xab, 0xe6, 0xdc, 0xe7, 0xa1, 0x68, 0xad, 0x46, 0xd5, 0x01, 0xf1, 0x9e, 0x1f, 0xa7, 0x96, 0x74},
    {0xd1, 0x1f, 0xe1, 0x06, 0x8f, 0x88, 0xb3, 0xbf, 0xa5, 0x76, 0xbd, 0xde, 0x45, 0x2e, 0xd4, 0x55},
    {0xcf, 0xee, 0x4d, 0xf2, 0xbf, 0x99, 0x01, 0xb2, 0xe5, 0x10, 0x43, 0x93, 0x5f, 0xc1, 0x68, 0x39},
    {0x3d, 0x66, 0xf9, 0x12, 0x7d, 0x00, 0x07, 0x5f, 0x67, 0xef, 0xbb, 0x33, 0xc7, 0xd1, 0x2c, 0xf5},
    {0x8c, 0x00, 0x9e, 0x15, 0x0e, 0xff, 0x66, 0xb5, 0x96, 0xef, 0x22, 0x79, 0xae, 0xc1, 0xf1, 0x73},
    {0x25, 0xab, 0xfa, 0xc4, 0xd4, 0xab, 0x63, 0x8e, 0xbd, 0xbb, 0xbe, 0x08, 0xec, 0x85, 0xb0, 0x84},
    {0xc9, 0x2f, 0xdb, 0xb9, 0xe2, 0x7b, 0x47, 0xc8, 0xa0, 0x3f, 0x06, 0x3f, 0xb3, 0x45, 0x49, 0x44},
    {0x41, 0xa9, 0xc4, 0x99, 0xaf, 0x12, 0x08, 0x00, 0x8d, 0x65, 0x08, 0x55, 0xeb, 0x56, 0x4c, 0x44},
    {0x22, 0x51, 0xd2, 0x6c, 0x72, 0xbc, 0x25, 0x93, 0x00, 0x26, 0xd2, 0x39, 0x14, 0x8f, 0x61, 0x82},
    {0x5e, 0xa9, 0xda, 0x01, 0xd3, 0xea, 0x00, 0x6d, 0x2c, 0x33, 0x2d, 0xab, 0xc7, 0x43, 0xb3, 0xd6},
    {0x1d, 0x7d, 0x86, 0x90, 0x31, 0x68, 0x79, 0x02, 0xe2, 0xa4, 0xab, 0x56, 0xda, 0x18, 0xe7, 0x7f},
    {0xec, 0xe6, 0x8e, 0xad, 0x22, 0x71, 0x08, 0x50, 0x3f, 0x2a, 0x5c, 0xf9, 0x1a, 0xcd, 0x44, 0x79},
    {0xb1, 0xc1, 0x14, 0xfa, 0x6c, 0x4f, 0xe3, 0x55, 0xac, 0x9a, 0x40, 0x53, 0x49, 0xa8, 0xfb, 0xd5},
    {0xf1, 0xcf, 0x4e, 0xc0, 0x62, 0x7f, 0x52, 0x6a, 0x31, 0x1a, 0xed, 0xc6, 0x87, 0x4d, 0xe9, 0xec},
    {0xf8, 0x4c, 0xe4, 0x57, 0x65, 0xcc, 0x49, 0xc2, 0xab, 0x29, 0x5b, 0xfb, 0xd3, 0x9b, 0x4d, 0xe8},
    {0x34, 0xe9, 0x90, 0xfd, 0xae, 0xda, 0x26, 0xc0, 0xfa, 0x0c, 0x82, 0xc4, 0xd6, 0x68, 0x30, 0xd3},
};

/* Whether a needle begins with this byte: nearly all of the memory is passed over by that alone. */
static bool may_begin[256];

static bool is_needle(const uint8_t *at, int needle) {
  for (int i = 0; i < KEY_SIZE; i++) {
    if ((at[i] ^ INVERTED[needle][i]) != 0xff) return false;
  }
  return true;
}

/* What is read of the process's memory lies here, and is not itself searched. */
static uint8_t window[AT_A_TIME + KEY_SIZE];

static bool overlaps(uint64_t begin, uint64_t end) {
  uint64_t own = (uint64_t)(uintptr_t)window;
  return begin < own + sizeof window && own < end;
}

/* Tells each place of a key between two addresses, and answers how many there are. */
static int search(int memory, uint64_t begin, uint64_t end, const char *name) {
  int found = 0;
  for (uint64_t at = begin; at < end; at += AT_A_TIME) {
    if (overlaps(at, at + sizeof window)) continue;
    ssize_t size = pread(memory, window, sizeof window, (off_t)at);
    for (ssize_t i = 0; i + KEY_SIZE <= size && i < AT_A_TIME; i++) {
      if (!may_begin[window[i]]) continue;
      for (int needle = 0; needle < NEEDLES; needle++) {
        if (!is_needle(window + i, needle)) continue;
        fprintf(stderr, "round key %d at %#llx in %s", needle, (unsigned long long)at + (unsigned long long)i, name);
        found++;
      }
    }
    memset(window, 0, sizeof window);
  }
  return found;
}

/* Places of keys in everything that the process can write. */
static int keys_in_memory(void) {
  char line[512], mode[8];
  unsigned long long begin, end;
  int found = 0, memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  FILE *maps = fopen("/proc/self/maps", "r");
  CHECK(memory >= 0 && maps != NULL);
  while (fgets(line, sizeof line, maps) != NULL) {
    CHECK_EQ(sscanf(line, "%llx-%llx %7s", &begin, &end, mode), 3);
    if (mode[0] == 'r' && mode[1] == 'w') found += search(memory, begin, end, line);
  }
  fclose(maps);
  close(memory);
  return found;
}

/* The search finds what is there. */
static bool planted_keys_are_found(void) {
  bool found = true;
  for (int needle = 0; needle < NEEDLES; needle += 5) {
    uint8_t *planted = malloc(KEY_SIZE);
    CHECK(planted != NULL);
    for (int i = 0; i < KEY_SIZE; i++) planted[i] = INVERTED[needle][i] ^ 0xff;
    found = found && keys_in_memory() > 0;
    memset(planted, 0, KEY_SIZE);
    found = found && planted[0] == 0;
    free(planted);
  }
  return found;
}

static void decrypt(wm_client *client) {
  static const uint32_t schemes[] = {0x63656E63, 0x63656E73, 0x63626331, 0x63626373}; /* cenc cens cbc1 cbcs */
  static const uint8_t iv[16];
  static uint8_t data[4096 + 64];
  static const size_t sizes[] = {16, 80, 400, 4096 + 64};
  wm_decryptor *decryptor = NULL;
  CHECK_OK(wm_create_decryptor(client, KID_VIDEO, "Play", &decryptor));
  for (size_t i = 0; i < 4; i++) {
    for (size_t k = 0; k < 4; k++) {
      wm_sample sample = {0};
      sample.struct_size = sizeof sample;
      sample.iv = iv;
      sample.iv_size = sizeof iv;
      sample.scheme = schemes[i];
      if (i % 2 == 1) sample.crypt_byte_block = 1, sample.skip_byte_block = 9;
      memset(data, 1, sizeof data);
      CHECK_OK(wm_decrypt_sample(decryptor, &sample, data, sizes[k]));
    }
  }
  CHECK_OK(wm_release(decryptor));
}

/* Puts the license into a backup, and from there into the store of another folder. */
static void back_up_and_restore(wm_client *from, wm_client *to, const char *folder) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(from, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, folder));
  CHECK_OK(wm_backup_licenses(restorer, 0));
  CHECK_OK(finish(restorer));
  CHECK_OK(wm_release(restorer));
  CHECK_OK(wm_create_backup_restorer(to, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, folder));
  CHECK_OK(wm_restore_licenses(restorer, 0));
  CHECK_OK(finish(restorer));
  CHECK_OK(wm_release(restorer));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store"), *other = open_client(argv[1], "other");
  for (int needle = 0; needle < NEEDLES; needle++) may_begin[INVERTED[needle][0] ^ 0xff] = true;
  CHECK(planted_keys_are_found());
  CHECK_EQ(keys_in_memory(), 0);
  individualize(client);
  individualize(other);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  CHECK_EQ(keys_in_memory(), 0);
  decrypt(client);
  CHECK_EQ(keys_in_memory(), 0);
  /* So often that what was found is held, which an open client goes on to hold. */
  for (int again = 0; again < HELD; again++) decrypt(client);
  CHECK_EQ(keys_in_memory(), 0);
  back_up_and_restore(client, other, argv[1]);
  CHECK_EQ(keys_in_memory(), 0);
  decrypt(other);
  CHECK_OK(wm_release(other));
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  CHECK_EQ(keys_in_memory(), 0);
  return 0;
}
