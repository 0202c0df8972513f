/* After every object is released, no content key and none of its round keys lies in memory that the process can write, and not the key
 * of the page in which a license stands in store and backup. Run by tests/c_programs/memory.rs. */
#define _GNU_SOURCE
#include "../common.h"
#include <fcntl.h>
#include <unistd.h>

enum { KEY_SIZE = 16, PAGE_KEY_SIZE = 32, NEEDLES = 20, AT_A_TIME = 1 << 16, HELD = 40, ROUNDS = 14 };

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

/* What is read of the process's memory, and what is made of it, lies here, and is not itself searched. */
static struct {
  uint8_t window[AT_A_TIME + PAGE_KEY_SIZE];
  uint8_t round[ROUNDS + 1][KEY_SIZE];
  uint8_t state[KEY_SIZE], shifted[KEY_SIZE];
} scratch;

static bool overlaps(uint64_t begin, uint64_t end) {
  uint64_t own = (uint64_t)(uintptr_t)&scratch;
  return begin < own + sizeof scratch && own < end;
}

/* The page key is known by what it does: AES-256 under it makes these bytes of that block. */
static struct {
  bool known;
  uint8_t block[KEY_SIZE], made[KEY_SIZE];
} page_key;

static uint8_t sbox[256];

static uint8_t twice(uint8_t value) { return (uint8_t)(value << 1 ^ (value & 0x80 ? 0x1b : 0)); }

/* FIPS 197, 5.1.1: inverses by the powers of 3 and of its inverse. */
static void make_sbox(void) {
  uint8_t power = 1, inverse = 1;
  do {
    power ^= twice(power);
    inverse ^= (uint8_t)(inverse << 1);
    inverse ^= (uint8_t)(inverse << 2);
    inverse ^= (uint8_t)(inverse << 4);
    if (inverse & 0x80) inverse ^= 0x09;
    uint16_t turned = (uint16_t)(inverse | inverse << 8);
    uint8_t mixed = inverse;
    for (int i = 1; i < 5; i++) mixed ^= (uint8_t)(turned << i >> 8);
    sbox[power] = mixed ^ 0x63;
  } while (power != 1);
  sbox[0] = 0x63;
}

static void expand(const uint8_t *key) {
  uint8_t *words = scratch.round[0], constant = 1;
  memcpy(words, key, PAGE_KEY_SIZE);
  for (size_t at = PAGE_KEY_SIZE; at < sizeof scratch.round; at += 4) {
    const uint8_t *last = words + at - 4;
    uint8_t word[4] = {last[0], last[1], last[2], last[3]};
    if (at % PAGE_KEY_SIZE == 0) {
      word[0] = sbox[last[1]] ^ constant, word[1] = sbox[last[2]], word[2] = sbox[last[3]], word[3] = sbox[last[0]];
      constant = twice(constant);
    } else if (at % PAGE_KEY_SIZE == KEY_SIZE) {
      for (int i = 0; i < 4; i++) word[i] = sbox[word[i]];
    }
    for (int i = 0; i < 4; i++) words[at + (size_t)i] = words[at - PAGE_KEY_SIZE + (size_t)i] ^ word[i];
  }
}

/* Encrypts the block of the page key under `key` (FIPS 197, 5.1) and compares. */
static bool makes_what_the_page_key_makes(const uint8_t *key) {
  uint8_t *state = scratch.state, *shifted = scratch.shifted;
  expand(key);
  for (int i = 0; i < KEY_SIZE; i++) state[i] = page_key.block[i] ^ scratch.round[0][i];
  for (int round = 1; round <= ROUNDS; round++) {
    for (int i = 0; i < KEY_SIZE; i++) shifted[i] = sbox[state[(i + i % 4 * 4) % KEY_SIZE]];
    for (int i = 0; i < KEY_SIZE; i += 4) {
      uint8_t all = shifted[i] ^ shifted[i + 1] ^ shifted[i + 2] ^ shifted[i + 3];
      for (int k = 0; k < 4; k++) {
        uint8_t mixed = shifted[i + k] ^ all ^ twice(shifted[i + k] ^ shifted[i + (k + 1) % 4]);
        state[i + k] = (round < ROUNDS ? mixed : shifted[i + k]) ^ scratch.round[round][i + k];
      }
    }
  }
  return memcmp(state, page_key.made, KEY_SIZE) == 0;
}

/* True if the page key stands there. What is far from random is passed over: addresses, texts, zeros. */
static bool is_page_key(const uint8_t *at) {
  for (int i = 0; i < PAGE_KEY_SIZE; i += 8) {
    uint64_t word;
    memcpy(&word, at + i, sizeof word);
    int bits = __builtin_popcountll(word);
    if (bits < 12 || bits > 52) return false;
  }
  return makes_what_the_page_key_makes(at);
}

/* Tells each place of a key between two addresses, and answers how many there are. */
static int search(int memory, uint64_t begin, uint64_t end, const char *name) {
  int found = 0;
  for (uint64_t at = begin; at < end; at += AT_A_TIME) {
    if (overlaps(at, at + sizeof scratch.window)) continue;
    uint8_t *window = scratch.window;
    ssize_t size = pread(memory, window, sizeof scratch.window, (off_t)at);
    for (ssize_t i = 0; i + KEY_SIZE <= size && i < AT_A_TIME; i++) {
      if (page_key.known && i % 4 == 0 && i + PAGE_KEY_SIZE <= size && is_page_key(window + i)) {
        fprintf(stderr, "the page key at %#llx in %s", (unsigned long long)at + (unsigned long long)i, name);
        found++;
      }
      if (!may_begin[window[i]]) continue;
      for (int needle = 0; needle < NEEDLES; needle++) {
        if (!is_needle(window + i, needle)) continue;
        fprintf(stderr, "round key %d at %#llx in %s", needle, (unsigned long long)at + (unsigned long long)i, name);
        found++;
      }
    }
    memset(&scratch, 0, sizeof scratch);
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

/* FIPS 197, C.3. */
static bool a_planted_page_key_is_found(void) {
  static const uint8_t made[KEY_SIZE] = {0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf,
                                         0xea, 0xfc, 0x49, 0x90, 0x4b, 0x49, 0x60, 0x89};
  uint8_t *planted = malloc(PAGE_KEY_SIZE);
  CHECK(planted != NULL);
  for (int i = 0; i < KEY_SIZE; i++) page_key.block[i] = (uint8_t)(i * 0x11), page_key.made[i] = made[i];
  for (int i = 0; i < PAGE_KEY_SIZE; i++) planted[i] = (uint8_t)i;
  page_key.known = true;
  bool found = keys_in_memory() > 0;
  page_key.known = false;
  memset(planted, 0, PAGE_KEY_SIZE);
  found = found && planted[1] == 0;
  free(planted);
  return found;
}

/* Learns of the page of the only license what its key makes: the license's key stands in it in counter mode (docs/protocol.md, 9), and
 * is known. A page is copied into a backup and out of it as it is, under the same key. */
static void learn_page_key(const char *folder) {
  char command[512], hex[4096];
  uint8_t page[40];
  snprintf(command, sizeof command, "sqlite3 '%s/store/licenses.db' 'SELECT hex(licenses) FROM page'", folder);
  FILE *rows = popen(command, "r");
  CHECK(rows != NULL && fgets(hex, sizeof hex, rows) != NULL && strlen(hex) > 2 * sizeof page);
  CHECK_EQ(pclose(rows), 0);
  for (size_t i = 0; i < sizeof page; i++) {
    unsigned byte;
    CHECK_EQ(sscanf(hex + 2 * i, "%2x", &byte), 1);
    page[i] = (uint8_t)byte;
  }
  /* One license, the first of its answer, whose wrapped key is 16 bytes longer than the key. */
  CHECK(page[0] == 0 && page[1] == 1 && page[2] == 0 && page[3] == 0 && page[6] == 0 && page[7] == 2 * KEY_SIZE);
  memset(page_key.block, 0, KEY_SIZE);
  page_key.block[KEY_SIZE - 1] = 2;
  for (int i = 0; i < KEY_SIZE; i++) page_key.made[i] = page[8 + i] ^ INVERTED[0][i] ^ 0xff;
  page_key.known = true;
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

static void back_up(wm_client *client, const char *folder) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_BACKUP_PATH, folder));
  CHECK_OK(wm_backup_licenses(restorer, 0));
  CHECK_OK(finish(restorer));
  CHECK_OK(wm_release(restorer));
}

static void restore(wm_client *client, const char *folder) {
  wm_backup_restorer *restorer = NULL;
  CHECK_OK(wm_create_backup_restorer(client, NULL, NULL, &restorer));
  CHECK_OK(wm_set_string_prop(restorer, WM_PROP_RESTORE_PATH, folder));
  CHECK_OK(wm_restore_licenses(restorer, 0));
  CHECK_OK(finish(restorer));
  CHECK_OK(wm_release(restorer));
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wm_client *client = open_client(argv[1], "store"), *other = open_client(argv[1], "other");
  for (int needle = 0; needle < NEEDLES; needle++) may_begin[INVERTED[needle][0] ^ 0xff] = true;
  make_sbox();
  CHECK(planted_keys_are_found());
  CHECK(a_planted_page_key_is_found());
  CHECK_EQ(keys_in_memory(), 0);
  individualize(client);
  individualize(other);
  CHECK_RESULT(acquire(client, KID_VIDEO), WM_S_LICENSE_ACQUIRED);
  learn_page_key(argv[1]);
  CHECK_EQ(keys_in_memory(), 0);
  decrypt(client);
  CHECK_EQ(keys_in_memory(), 0);
  /* So often that what was found is held, which an open client goes on to hold. */
  for (int again = 0; again < HELD; again++) decrypt(client);
  CHECK_EQ(keys_in_memory(), 0);
  back_up(client, argv[1]);
  CHECK_EQ(keys_in_memory(), 0);
  /* Into the store that made it, where the license is known and where it is new again, and by way of the service. */
  restore(client, argv[1]);
  CHECK_EQ(keys_in_memory(), 0);
  CHECK_OK(wm_delete_licenses(client, KID_VIDEO, WM_DELETE_LOCAL));
  restore(client, argv[1]);
  CHECK_EQ(keys_in_memory(), 0);
  restore(other, argv[1]);
  CHECK_EQ(keys_in_memory(), 0);
  decrypt(other);
  CHECK_OK(wm_release(other));
  CHECK_OK(wm_release(client));
  CHECK_EQ(wm_live_objects(), 0);
  CHECK_EQ(keys_in_memory(), 0);
  return 0;
}
