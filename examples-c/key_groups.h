/* key_groups.h: which samples of an MP4 have another key than their track's default one: the `seig` sample groups of ISO/IEC
 * 23001-7, by which key rotation is written. libavformat does not expose them, so play_ffmpeg.c reads them here. It reads
 * moov and moof boxes only, and stops with an error at a box that lies about its size. No playing happens here.
 */
#ifndef KEY_GROUPS_H
#define KEY_GROUPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Samples `first` to `first + count - 1` of a track, counted in the order of the file. */
typedef struct key_group {
  uint32_t track;
  uint64_t first, count;
  bool is_protected;
  uint32_t crypt_blocks, skip_blocks;
  uint8_t kid[16];
  uint8_t constant_iv[16];
  uint32_t constant_iv_size; /* 0: each sample has its own initialization vector */
} key_group;

typedef struct key_groups {
  key_group *groups;
  size_t count;
} key_groups;

/* The unread rest of a box. Reading past the end gives zeros and sets `broken`. */
typedef struct box_reader {
  const uint8_t *data;
  size_t size;
  bool broken;
} box_reader;

#define KG_MAX_TRACKS 64
#define KG_MAX_BOX (64u << 20) /* bytes of a moov or moof box that this is willing to hold */
#define KG_TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* What is known of each track so far: samples seen, and the group descriptions of its sample table (in the moov). */
typedef struct kg_track {
  uint32_t id;
  uint64_t samples;
  box_reader descriptions;
} kg_track;

typedef struct kg_scan {
  kg_track tracks[KG_MAX_TRACKS];
  size_t track_count;
  uint8_t *moov;
  key_groups *out;
} kg_scan;

static uint64_t kg_number(box_reader *from, size_t size) { /* size is at most 8 */
  uint64_t value = 0;
  if (size > from->size) {
    from->broken = true;
    from->size = 0;
    return 0;
  }
  for (size_t i = 0; i < size; i++) value = value << 8 | from->data[i];
  from->data += size;
  from->size -= size;
  return value;
}

static uint32_t kg_u32(box_reader *from) { return (uint32_t)kg_number(from, 4); }

static void kg_bytes(box_reader *from, uint8_t *to, size_t size) {
  for (size_t i = 0; i < size; i++) to[i] = (uint8_t)kg_number(from, 1);
}

/* Takes the next box in memory; false at the end. */
static bool kg_next(box_reader *from, uint32_t *type, box_reader *body) {
  if (from->size < 8) return false;
  uint64_t size = kg_u32(from), head = 8;
  *type = kg_u32(from);
  if (size == 1) size = kg_number(from, 8), head = 16;
  if (size == 0) size = from->size + head;
  if (from->broken || size < head || size - head > from->size) return from->broken = true, false;
  *body = (box_reader){from->data, (size_t)(size - head), false};
  from->data += body->size;
  from->size -= body->size;
  return true;
}

/* The first box of this type, for `seig` the first sgpd or sbgp of that grouping; empty when there is none. */
static box_reader kg_child(box_reader parent, uint32_t wanted) {
  uint32_t type;
  box_reader body;
  while (kg_next(&parent, &type, &body)) {
    if (type != wanted) continue;
    bool grouping = type == KG_TYPE('s', 'g', 'p', 'd') || type == KG_TYPE('s', 'b', 'g', 'p');
    if (!grouping || (body.size >= 8 && memcmp(body.data + 4, "seig", 4) == 0)) return body;
  }
  return (box_reader){NULL, 0, false};
}

static kg_track *kg_find(kg_scan *scan, uint32_t id) {
  for (size_t i = 0; i < scan->track_count; i++)
    if (scan->tracks[i].id == id) return &scan->tracks[i];
  return NULL;
}

/* Reads description `index`, from 1, of an sgpd box. */
static bool kg_describe(box_reader sgpd, uint32_t index, key_group *to) {
  uint32_t version = kg_u32(&sgpd) >> 24;
  kg_u32(&sgpd); /* seig */
  uint32_t default_length = version == 1 ? kg_u32(&sgpd) : 0;
  if (version >= 2) kg_u32(&sgpd); /* the default index: samples outside all groups keep the track's key here */
  uint32_t count = kg_u32(&sgpd);
  if (version == 0 || index == 0 || index > count) return false;
  for (uint32_t i = 1; !sgpd.broken; i++) {
    uint32_t length = default_length != 0 ? default_length : kg_u32(&sgpd);
    if (length > sgpd.size) return false;
    box_reader entry = {sgpd.data, length, false};
    sgpd.data += length;
    sgpd.size -= length;
    if (i < index) continue;
    uint32_t pattern = kg_u32(&entry); /* reserved, crypt:4 skip:4, isProtected, IV size */
    to->crypt_blocks = pattern >> 20 & 15;
    to->skip_blocks = pattern >> 16 & 15;
    to->is_protected = (pattern >> 8 & 0xFF) != 0;
    kg_bytes(&entry, to->kid, 16);
    if (to->is_protected && (pattern & 0xFF) == 0) {
      to->constant_iv_size = (uint32_t)kg_number(&entry, 1);
      if (to->constant_iv_size != 8 && to->constant_iv_size != 16) return false;
      kg_bytes(&entry, to->constant_iv, to->constant_iv_size);
    }
    return !entry.broken;
  }
  return false;
}

/* Adds the groups that an sbgp box gives to the samples from `first` on. */
static bool kg_assign(kg_scan *scan, const kg_track *track, box_reader sbgp, box_reader local, uint64_t first) {
  uint32_t version = kg_u32(&sbgp) >> 24;
  kg_u32(&sbgp);
  if (version == 1) kg_u32(&sbgp);
  for (uint32_t left = kg_u32(&sbgp); left > 0 && !sbgp.broken; left--) {
    uint32_t samples = kg_u32(&sbgp), index = kg_u32(&sbgp);
    key_group group = {.track = track->id, .first = first, .count = samples};
    first += samples;
    if (index == 0 || sbgp.broken) continue; /* the track's default key */
    /* Beyond 0x10000 stands a description of the fragment itself (ISO/IEC 14496-12, 8.9.4). */
    if (!(index > 0x10000 ? kg_describe(local, index - 0x10000, &group)
                          : kg_describe(track->descriptions, index, &group)))
      return false;
    key_group *more = realloc(scan->out->groups, (scan->out->count + 1) * sizeof *more);
    if (more == NULL) return false;
    scan->out->groups = more;
    more[scan->out->count++] = group;
  }
  return !sbgp.broken;
}

static bool kg_read_trak(kg_scan *scan, box_reader trak) {
  box_reader tkhd = kg_child(trak, KG_TYPE('t', 'k', 'h', 'd'));
  box_reader mdia = kg_child(trak, KG_TYPE('m', 'd', 'i', 'a'));
  box_reader stbl = kg_child(kg_child(mdia, KG_TYPE('m', 'i', 'n', 'f')), KG_TYPE('s', 't', 'b', 'l'));
  box_reader stsz = kg_child(stbl, KG_TYPE('s', 't', 's', 'z'));
  box_reader sbgp = kg_child(stbl, KG_TYPE('s', 'b', 'g', 'p'));
  if (scan->track_count == KG_MAX_TRACKS) return false;
  kg_track *track = &scan->tracks[scan->track_count++];
  size_t time_size = kg_u32(&tkhd) >> 24 == 1 ? 8 : 4; /* of the two times before the track ID */
  kg_number(&tkhd, time_size);
  kg_number(&tkhd, time_size);
  *track = (kg_track){.id = kg_u32(&tkhd), .descriptions = kg_child(stbl, KG_TYPE('s', 'g', 'p', 'd'))};
  kg_number(&stsz, 8);
  track->samples = stsz.broken ? 0 : kg_u32(&stsz);
  return !tkhd.broken && (sbgp.size == 0 || kg_assign(scan, track, sbgp, track->descriptions, 0));
}

static bool kg_read_traf(kg_scan *scan, box_reader traf) {
  box_reader tfhd = kg_child(traf, KG_TYPE('t', 'f', 'h', 'd')), body;
  box_reader sbgp = kg_child(traf, KG_TYPE('s', 'b', 'g', 'p'));
  uint32_t type;
  kg_u32(&tfhd);
  kg_track *track = kg_find(scan, kg_u32(&tfhd));
  if (tfhd.broken || track == NULL) return false;
  if (sbgp.size > 0 && !kg_assign(scan, track, sbgp, kg_child(traf, KG_TYPE('s', 'g', 'p', 'd')), track->samples))
    return false;
  while (kg_next(&traf, &type, &body)) {
    if (type != KG_TYPE('t', 'r', 'u', 'n')) continue;
    kg_u32(&body);
    track->samples += kg_u32(&body);
  }
  return !traf.broken;
}

static bool kg_read_box(kg_scan *scan, uint32_t box_type, box_reader box) {
  bool moov = box_type == KG_TYPE('m', 'o', 'o', 'v'), fine = true;
  uint32_t type;
  box_reader body;
  while (fine && kg_next(&box, &type, &body)) {
    if (moov && type == KG_TYPE('t', 'r', 'a', 'k')) fine = kg_read_trak(scan, body);
    if (!moov && type == KG_TYPE('t', 'r', 'a', 'f')) fine = kg_read_traf(scan, body);
  }
  return fine && !box.broken;
}

/* Reads the next box of the file if it is a moov or moof, else skips it. Answers 1, 0 at the end, -1 for a broken file. */
static int kg_step(kg_scan *scan, FILE *file) {
  uint8_t head[16];
  box_reader reader = {head, 16, false};
  if (fread(head, 1, 8, file) != 8) return 0;
  uint64_t size = kg_u32(&reader), head_size = 8;
  uint32_t type = kg_u32(&reader);
  if (size == 0) return 0; /* the last box, which is media data where it is so written */
  if (size == 1) {
    if (fread(head + 8, 1, 8, file) != 8) return -1;
    size = kg_number(&reader, 8), head_size = 16;
  }
  if (size < head_size || size > INT64_MAX) return -1;
  size -= head_size;
  bool moov = type == KG_TYPE('m', 'o', 'o', 'v');
  if (!moov && type != KG_TYPE('m', 'o', 'o', 'f')) return fseeko(file, (off_t)size, SEEK_CUR) == 0 ? 1 : -1;
  if (size > KG_MAX_BOX || (moov && scan->moov != NULL)) return -1;
  uint8_t *data = malloc((size_t)size + 1);
  bool fine = data != NULL && fread(data, 1, (size_t)size, file) == size;
  if (moov) scan->moov = data;
  fine = fine && kg_read_box(scan, type, (box_reader){data, (size_t)size, false});
  if (!moov) free(data);
  return fine ? 1 : -1;
}

/* Reads the groups of a file, none if it is not an MP4. False if it is broken. Free `out->groups` in either case. */
static bool read_key_groups(const char *path, key_groups *out) {
  kg_scan scan = {.out = out};
  uint8_t head[8];
  FILE *file = fopen(path, "rb");
  int step = file == NULL ? -1 : 1;
  if (file != NULL && fread(head, 1, 8, file) == 8 && memcmp(head + 4, "ftyp", 4) == 0) {
    rewind(file);
    while ((step = kg_step(&scan, file)) > 0) continue;
  }
  if (file != NULL) fclose(file);
  free(scan.moov);
  return step >= 0;
}

/* The group of a sample, NULL where the track's default key applies. */
static const key_group *key_group_of(const key_groups *all, uint32_t track, uint64_t sample) {
  for (size_t i = 0; i < all->count; i++) {
    const key_group *group = &all->groups[i];
    if (group->track == track && sample >= group->first && sample - group->first < group->count) return group;
  }
  return NULL;
}

#endif
