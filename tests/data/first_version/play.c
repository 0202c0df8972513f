/* play.c: decrypts the samples of a protected MP4 with a stored license; with a clear copy at hand, proves them equal.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/play.c -Ltarget/release -Wl,-rpath,$PWD/target/release -lwmlicense -o play
 * Run:    ./play STORE AUTHORITY PROTECTED.mp4 [CLEAR.mp4]
 *
 * PROTECTED is a fragmented MP4 with one track, as packagers write it (ISO/IEC 14496-12 and 23001-7: tenc, senc), CLEAR
 * the same track unprotected and not fragmented. Needs no network: the license was acquired before. Prints:
 *   decrypted: N samples of PROTECTED.mp4 (SCHEME)
 *   equal: N of N samples to those of CLEAR.mp4
 *
 * The library decrypts samples; finding them is the player's work. The reader below does the least that this needs.
 */
#include <wmlicense.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- reading boxes ------------------------------------------------------------------------------------------------ */

#define TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* The unread rest of some bytes of a file. Reading past the end gives zeros and sets `broken`. */
typedef struct reader {
  const uint8_t *data;
  size_t size;
  bool broken;
} reader;

static const uint8_t *take(reader *from, size_t size) {
  static const uint8_t nothing[16];
  if (size > from->size || from->data == NULL) {
    from->broken = true;
    from->size = 0;
    return nothing;
  }
  from->data += size;
  from->size -= size;
  return from->data - size;
}

static uint64_t number(reader *from, size_t size) { /* size is at most 8 */
  const uint8_t *bytes = take(from, size);
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) value = value << 8 | bytes[i];
  return value;
}

static uint32_t u8(reader *from) { return (uint32_t)number(from, 1); }
static uint32_t u16(reader *from) { return (uint32_t)number(from, 2); }
static uint32_t u32(reader *from) { return (uint32_t)number(from, 4); }

/* Takes the next box; false at the end. */
static bool next_box(reader *from, uint32_t *type, reader *body) {
  if (from->size < 8) return false;
  uint64_t size = u32(from);
  size_t head = 8;
  *type = u32(from);
  if (size == 1) {
    size = number(from, 8);
    head = 16;
  } else if (size == 0) {
    size = from->size + head; /* up to the end of the file */
  }
  if (size < head) from->broken = true;
  size_t length = from->broken ? 0 : (size_t)(size - head);
  const uint8_t *data = take(from, length);
  *body = (reader){data, from->broken ? 0 : length, from->broken};
  return !from->broken;
}

/* The first box of this type among the children in `parent`; empty and broken when there is none. */
static reader child(reader parent, uint32_t wanted) {
  uint32_t type;
  reader body;
  while (next_box(&parent, &type, &body))
    if (type == wanted) return body;
  return (reader){NULL, 0, true};
}

/* --- samples ------------------------------------------------------------------------------------------------------ */

typedef struct sample {
  const uint8_t *data;
  size_t size;
  uint8_t iv[16];
  wm_subsample *subsamples;
  size_t subsample_count;
} sample;

typedef struct track {
  uint32_t handler; /* 'vide' or 'soun' */
  uint32_t scheme;  /* 'cenc', 'cens', 'cbc1' or 'cbcs' */
  uint8_t kid[16];
  uint32_t crypt_blocks, skip_blocks;
  uint32_t iv_size; /* of each sample; 0: all samples use constant_iv */
  uint8_t constant_iv[16];
  uint32_t constant_iv_size;
  uint32_t default_size;
  sample *samples;
  size_t count;
} track;

static sample *add_sample(track *to) {
  sample *more = realloc(to->samples, (to->count + 1) * sizeof *more);
  if (more == NULL) return NULL;
  to->samples = more;
  more[to->count] = (sample){0};
  return &more[to->count++];
}

static void free_track(track *which) {
  for (size_t i = 0; i < which->count; i++) free(which->samples[i].subsamples);
  free(which->samples);
}

/* The bytes of a sample, which must lie within the file. */
static bool place(sample *to, reader file, uint64_t offset, uint64_t size) {
  if (offset > file.size || size > file.size - offset) return false;
  to->data = file.data + offset;
  to->size = (size_t)size;
  return true;
}

static uint32_t handler_of(reader trak) {
  reader hdlr = child(child(trak, TYPE('m', 'd', 'i', 'a')), TYPE('h', 'd', 'l', 'r'));
  take(&hdlr, 8);
  return u32(&hdlr);
}

static reader sample_table(reader trak) {
  return child(child(child(trak, TYPE('m', 'd', 'i', 'a')), TYPE('m', 'i', 'n', 'f')), TYPE('s', 't', 'b', 'l'));
}

/* tenc: how the samples of a track are protected unless a sample group says otherwise. */
static bool read_protection(reader trak, track *to) {
  reader stsd = child(sample_table(trak), TYPE('s', 't', 's', 'd'));
  uint32_t format;
  reader entry;
  take(&stsd, 8);
  if (!next_box(&stsd, &format, &entry)) return false;
  if (format != TYPE('e', 'n', 'c', 'v') && format != TYPE('e', 'n', 'c', 'a')) return false;
  take(&entry, format == TYPE('e', 'n', 'c', 'v') ? 78 : 28); /* the fields before the boxes of a sample entry */
  reader sinf = child(entry, TYPE('s', 'i', 'n', 'f'));
  reader schm = child(sinf, TYPE('s', 'c', 'h', 'm'));
  reader tenc = child(child(sinf, TYPE('s', 'c', 'h', 'i')), TYPE('t', 'e', 'n', 'c'));
  take(&schm, 4);
  to->scheme = u32(&schm);
  uint32_t version = u8(&tenc);
  take(&tenc, 4);
  uint32_t pattern = u8(&tenc);
  if (version > 0) {
    to->crypt_blocks = pattern >> 4;
    to->skip_blocks = pattern & 15;
  }
  take(&tenc, 1);
  to->iv_size = u8(&tenc);
  memcpy(to->kid, take(&tenc, 16), 16);
  if (to->iv_size == 0) {
    to->constant_iv_size = u8(&tenc);
    if (to->constant_iv_size > 16) return false;
    memcpy(to->constant_iv, take(&tenc, to->constant_iv_size), to->constant_iv_size);
  }
  return !schm.broken && !tenc.broken && to->iv_size <= 16;
}

/* trun: the sizes of samples that lie one after the other. */
static bool read_run(reader trun, reader file, uint64_t base, track *to) {
  uint32_t flags = u32(&trun) & 0xFFFFFF, count = u32(&trun);
  uint64_t offset = base;
  if (flags & 0x1) offset += u32(&trun);
  if (flags & 0x4) take(&trun, 4);
  for (uint32_t i = 0; i < count && !trun.broken; i++) {
    if (flags & 0x100) take(&trun, 4);
    uint32_t size = flags & 0x200 ? u32(&trun) : to->default_size;
    if (flags & 0x400) take(&trun, 4);
    if (flags & 0x800) take(&trun, 4);
    sample *added = trun.broken ? NULL : add_sample(to);
    if (added == NULL || !place(added, file, offset, size)) return false;
    offset += size;
  }
  return !trun.broken;
}

/* senc: one initialization vector and the clear ranges for each sample of the fragment, which begins at `first`. */
static bool read_encryption(reader senc, track *to, size_t first) {
  uint32_t flags = u32(&senc) & 0xFFFFFF, count = u32(&senc);
  if (count != to->count - first) return false;
  for (size_t i = first; i < to->count; i++) {
    sample *one = &to->samples[i];
    memcpy(one->iv, take(&senc, to->iv_size), to->iv_size);
    if (!(flags & 2)) continue;
    one->subsample_count = u16(&senc);
    one->subsamples = calloc(one->subsample_count + 1, sizeof *one->subsamples);
    if (one->subsamples == NULL) return false;
    for (size_t k = 0; k < one->subsample_count; k++) {
      one->subsamples[k].clear = u16(&senc);
      one->subsamples[k].encrypted = u32(&senc);
    }
  }
  return !senc.broken;
}

static bool read_fragment(reader moof, reader file, uint64_t moof_offset, track *to) {
  reader traf = child(moof, TYPE('t', 'r', 'a', 'f'));
  reader tfhd = child(traf, TYPE('t', 'f', 'h', 'd'));
  uint32_t flags = u32(&tfhd) & 0xFFFFFF;
  uint64_t base = moof_offset;
  uint32_t type;
  reader body;
  size_t first = to->count;
  bool described = false;
  take(&tfhd, 4);
  if (flags & 0x1) base = number(&tfhd, 8);
  if (flags & 0x2) take(&tfhd, 4);
  if (flags & 0x8) take(&tfhd, 4);
  if (flags & 0x10) to->default_size = u32(&tfhd);
  if (tfhd.broken) return false;
  reader runs = traf;
  while (next_box(&runs, &type, &body))
    if (type == TYPE('t', 'r', 'u', 'n') && !read_run(body, file, base, to)) return false;
  while (next_box(&traf, &type, &body))
    if (type == TYPE('s', 'e', 'n', 'c')) described = read_encryption(body, to, first);
  return described;
}

static bool read_protected(reader file, track *to) {
  reader moov = child(file, TYPE('m', 'o', 'o', 'v'));
  reader trak = child(moov, TYPE('t', 'r', 'a', 'k'));
  reader trex = child(child(moov, TYPE('m', 'v', 'e', 'x')), TYPE('t', 'r', 'e', 'x'));
  uint32_t type;
  reader rest = file, body;
  to->handler = handler_of(trak);
  if (!read_protection(trak, to)) return false;
  take(&trex, 16);
  to->default_size = u32(&trex);
  for (const uint8_t *begin = rest.data; next_box(&rest, &type, &body); begin = rest.data)
    if (type == TYPE('m', 'o', 'o', 'f') && !read_fragment(body, file, (uint64_t)(begin - file.data), to)) return false;
  return to->count > 0;
}

/* A track in one piece: stsz has the sizes, stsc how many samples each chunk holds, stco where the chunks begin. */
static bool read_clear(reader file, uint32_t handler, track *to) {
  reader moov = child(file, TYPE('m', 'o', 'o', 'v')), trak;
  uint32_t type;
  while (next_box(&moov, &type, &trak)) {
    if (type != TYPE('t', 'r', 'a', 'k') || handler_of(trak) != handler) continue;
    reader stbl = sample_table(trak);
    reader sizes = child(stbl, TYPE('s', 't', 's', 'z'));
    reader chunks = child(stbl, TYPE('s', 't', 'c', 'o'));
    reader groups = child(stbl, TYPE('s', 't', 's', 'c'));
    take(&sizes, 4);
    uint32_t same_size = u32(&sizes), count = u32(&sizes);
    take(&chunks, 4);
    uint32_t chunk_count = u32(&chunks);
    take(&groups, 4);
    uint32_t groups_left = u32(&groups);
    uint32_t per_chunk = 0, next_group = groups_left > 0 ? u32(&groups) : 0;
    for (uint32_t chunk = 1; chunk <= chunk_count; chunk++) {
      if (groups_left > 0 && chunk == next_group) {
        per_chunk = u32(&groups);
        take(&groups, 4);
        next_group = --groups_left > 0 ? u32(&groups) : 0;
      }
      uint64_t offset = u32(&chunks);
      for (uint32_t i = 0; i < per_chunk && to->count < count; i++) {
        uint32_t size = same_size != 0 ? same_size : u32(&sizes);
        sample *added = sizes.broken || chunks.broken || groups.broken ? NULL : add_sample(to);
        if (added == NULL || !place(added, file, offset, size)) return false;
        offset += size;
      }
    }
    return to->count == count && count > 0;
  }
  return false;
}

/* --- the program -------------------------------------------------------------------------------------------------- */

static uint8_t *read_file(const char *path, reader *out) {
  FILE *file = fopen(path, "rb");
  uint8_t *data = NULL;
  if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
    long size = ftell(file);
    rewind(file);
    data = size > 0 ? malloc((size_t)size) : NULL;
    if (data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size) *out = (reader){data, (size_t)size, false};
  }
  if (file != NULL) fclose(file);
  if (out->data == NULL) perror(path);
  return data;
}

static int fail(const char *what, wm_result result) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  if (wm_get_error_info(&info) == 0 && info.result == result)
    fprintf(stderr, "%s: %s: %s\n", what, wm_result_name(result), info.message);
  else
    fprintf(stderr, "%s: %s: %s\n", what, wm_result_name(result), wm_result_message(result));
  return EXIT_FAILURE;
}

/* Decrypts each sample in a copy of its own; `equal` counts those that match the clear track, if there is one. */
static wm_result decrypt_all(wm_decryptor *decryptor, const track *locked, const track *clear, size_t *equal) {
  wm_result result = 0;
  for (size_t i = 0; i < locked->count && result >= 0; i++) {
    const sample *one = &locked->samples[i];
    wm_sample described = {0};
    described.struct_size = sizeof described;
    described.iv = locked->iv_size > 0 ? one->iv : locked->constant_iv;
    described.iv_size = locked->iv_size > 0 ? locked->iv_size : locked->constant_iv_size;
    described.subsamples = one->subsamples;
    described.subsample_count = one->subsample_count;
    described.crypt_byte_block = locked->crypt_blocks;
    described.skip_byte_block = locked->skip_blocks;
    described.scheme = locked->scheme;
    uint8_t *data = malloc(one->size + 1);
    if (data == NULL) abort();
    memcpy(data, one->data, one->size);
    result = wm_decrypt_sample(decryptor, &described, data, one->size); /* in place; then a player decodes it */
    if (result >= 0 && i < clear->count && clear->samples[i].size == one->size)
      *equal += memcmp(clear->samples[i].data, data, one->size) == 0;
    free(data);
  }
  return result;
}

int main(int argc, char **argv) {
  wm_client *client = NULL;
  wm_decryptor *decryptor = NULL;
  track locked = {0}, clear = {0};
  reader locked_file = {0}, clear_file = {0};
  uint8_t *locked_data = NULL, *clear_data = NULL;
  size_t equal = 0;
  int code = EXIT_FAILURE;
  wm_result result;
  if (argc != 4 && argc != 5) {
    fprintf(stderr, "usage: %s STORE AUTHORITY PROTECTED.mp4 [CLEAR.mp4]\n", argv[0]);
    return 2;
  }

  if ((locked_data = read_file(argv[3], &locked_file)) == NULL || locked_file.data == NULL) goto cleanup;
  if (!read_protected(locked_file, &locked)) {
    fprintf(stderr, "%s: not a fragmented MP4 with one protected track, or damaged\n", argv[3]);
    goto cleanup;
  }
  if (argc == 5) {
    if ((clear_data = read_file(argv[4], &clear_file)) == NULL || clear_file.data == NULL) goto cleanup;
    if (!read_clear(clear_file, locked.handler, &clear)) {
      fprintf(stderr, "%s: no such track, or damaged\n", argv[4]);
      goto cleanup;
    }
  }

  if ((result = wm_create_client(&client)) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_STORE_PATH, argv[1])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_AUTHORITY, argv[2])) < 0 ||
      (result = wm_open_client(client)) < 0) {
    code = fail("open", result);
    goto cleanup;
  }
  /* Whether this may be played is answered here, and a count, if the license has one, is used at the first sample. */
  if ((result = wm_create_decryptor(client, locked.kid, "Play", &decryptor)) < 0 ||
      (result = decrypt_all(decryptor, &locked, &clear, &equal)) < 0) {
    code = fail(argv[3], result);
    goto cleanup;
  }
  printf("decrypted: %zu samples of %s (%c%c%c%c)\n", locked.count, argv[3], (int)(locked.scheme >> 24),
         (int)(locked.scheme >> 16 & 255), (int)(locked.scheme >> 8 & 255), (int)(locked.scheme & 255));
  if (argc == 5) printf("equal: %zu of %zu samples to those of %s\n", equal, clear.count, argv[4]);
  code = argc == 5 && (equal != clear.count || equal != locked.count) ? EXIT_FAILURE : EXIT_SUCCESS;

cleanup:
  wm_release(decryptor);
  wm_release(client);
  free_track(&locked);
  free_track(&clear);
  free(locked_data);
  free(clear_data);
  return code;
}
