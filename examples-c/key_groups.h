/* key_groups.h: which samples of an MP4 are encrypted at all, and which have another key than their track's default one: the
 * `seig` sample groups of ISO/IEC 23001-7, by which key rotation is written. Demuxers do not expose this, so players read it
 * here. It reads moov and moof boxes only, and stops with an error at what it does not understand. No playing happens here.
 */
#ifndef KEY_GROUPS_H
#define KEY_GROUPS_H

#include "box_reader.h"

#include <stdio.h>
#include <stdlib.h>

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

/* Samples of a track that one sample entry describes. */
typedef struct key_range {
  uint32_t track;
  uint64_t first, count;
  bool is_locked;    /* the entry is one of protected samples */
  bool is_described; /* by saiz and saio, which is what demuxers read */
} key_range;

typedef struct key_groups {
  bool is_mp4;
  key_group *groups;
  size_t count;
  key_range *ranges;
  size_t range_count;
} key_groups;

#define KG_MAX_TRACKS 64
#define KG_MAX_BOX (64u << 20) /* bytes of a moov or moof box that this is willing to hold */

/* What is known of each track so far: samples seen, which of its sample entries are protected, the entry of fragments that
 * name none, and the group descriptions of its sample table (in the moov). */
typedef struct kg_track {
  uint32_t id;
  uint64_t samples, locked_entries;
  uint32_t entry_count, default_entry;
  box_reader descriptions;
} kg_track;

typedef struct kg_scan {
  kg_track tracks[KG_MAX_TRACKS];
  size_t track_count;
  uint8_t *moov;
  uint64_t moov_size;
  key_groups *out;
} kg_scan;

/* Whether groups of keys are written in a way that is followed here: in one sgpd and one sbgp, not in the compact csgp. */
static bool kg_may_follow(box_reader parent) {
  int boxes[3] = {0, 0, 0};
  uint32_t type;
  box_reader body;
  while (kg_next(&parent, &type, &body)) {
    if (body.size < 8 || memcmp(body.data + 4, "seig", 4) != 0) continue;
    boxes[0] += type == KG_TYPE('s', 'g', 'p', 'd');
    boxes[1] += type == KG_TYPE('s', 'b', 'g', 'p');
    boxes[2] += type == KG_TYPE('c', 's', 'g', 'p');
  }
  return boxes[0] < 2 && boxes[1] < 2 && boxes[2] == 0;
}

static kg_track *kg_find(kg_scan *scan, uint32_t id) {
  for (size_t i = 0; i < scan->track_count; i++)
    if (scan->tracks[i].id == id) return &scan->tracks[i];
  return NULL;
}

/* Reads one description of an sgpd box. Several keys for one sample (the first bit) are not followed. */
static bool kg_read_description(box_reader entry, key_group *to) {
  uint32_t pattern = kg_u32(&entry); /* several keys:1, reserved:7, crypt:4, skip:4, isProtected:8, IV size:8 */
  to->crypt_blocks = pattern >> 20 & 15;
  to->skip_blocks = pattern >> 16 & 15;
  to->is_protected = (pattern >> 8 & 0xFF) != 0;
  kg_bytes(&entry, to->kid, 16);
  if (to->is_protected && (pattern & 0xFF) == 0) {
    to->constant_iv_size = (uint32_t)kg_number(&entry, 1);
    if (to->constant_iv_size != 8 && to->constant_iv_size != 16) return false;
    kg_bytes(&entry, to->constant_iv, to->constant_iv_size);
  }
  return !entry.broken && (pattern & 0x80000000) == 0 && (pattern >> 8 & 0xFF) < 2;
}

/* Takes the fields before the descriptions of an sgpd box: the index that holds where none is assigned, and the length of
 * each, 0 where each tells its own. False for versions without lengths, or later than those known. */
static bool kg_begin_descriptions(box_reader *sgpd, uint32_t *default_index, uint32_t *length, uint32_t *count) {
  uint32_t version = kg_u32(sgpd) >> 24;
  kg_u32(sgpd); /* seig */
  *length = kg_u32(sgpd);
  *default_index = version >= 2 ? kg_u32(sgpd) : 0;
  *count = kg_u32(sgpd);
  return version >= 1 && version <= 3 && !sgpd->broken;
}

/* Reads description `index`, from 1, of an sgpd box. */
static bool kg_describe(box_reader sgpd, uint32_t index, key_group *to) {
  uint32_t default_index, default_length, count;
  if (!kg_begin_descriptions(&sgpd, &default_index, &default_length, &count) || index == 0 || index > count) return false;
  for (uint32_t i = 1; !sgpd.broken; i++) {
    uint32_t length = default_length != 0 ? default_length : kg_u32(&sgpd);
    if (length > sgpd.size) return false;
    if (i == index) return kg_read_description((box_reader){sgpd.data, length, false}, to);
    sgpd.data += length;
    sgpd.size -= length;
  }
  return false;
}

/* Adds a group of samples, described in the movie or, beyond 0x10000, in the fragment itself (ISO/IEC 14496-12, 8.9.4). */
static bool kg_add(key_groups *out, const kg_track *track, box_reader local, uint32_t index, key_group group) {
  if (index == 0 || group.count == 0) return true; /* the track's default key */
  if (!(index > 0x10000 ? kg_describe(local, index - 0x10000, &group) : kg_describe(track->descriptions, index, &group)))
    return false;
  key_group *more = realloc(out->groups, (out->count + 1) * sizeof *more);
  if (more == NULL) return false;
  out->groups = more;
  more[out->count++] = group;
  return true;
}

/* Adds the groups of `count` samples from `first` on, and the default group of those that are assigned to none. `local`
 * describes the groups of a fragment. */
static bool kg_assign(key_groups *out, const kg_track *track, box_reader sbgp, box_reader local, key_range part) {
  uint32_t index = 0, length, count;
  bool has_own = local.size > 0;
  box_reader described = has_own ? local : track->descriptions;
  uint64_t end = part.first + part.count, at = part.first;
  if (described.size > 0 && !kg_begin_descriptions(&described, &index, &length, &count)) return false;
  /* Its own box is meant, whether or not the index says so; without one in it, the movie's holds. */
  if (has_own && index > 0) index = index % 0x10000 + 0x10000;
  described = track->descriptions;
  if (has_own && index == 0 && described.size > 0 && !kg_begin_descriptions(&described, &index, &length, &count)) return false;
  if (sbgp.size > 0) {
    uint32_t version = kg_u32(&sbgp) >> 24;
    kg_u32(&sbgp);
    if (version > 1) return false;
    if (version == 1) kg_u32(&sbgp);
    for (uint32_t left = kg_u32(&sbgp); left > 0 && !sbgp.broken; left--) {
      uint32_t samples = kg_u32(&sbgp), assigned = kg_u32(&sbgp);
      uint64_t left_here = at < end ? end - at : 0;
      key_group group = {.track = track->id, .first = at, .count = samples < left_here ? samples : left_here};
      at += group.count;
      if (!sbgp.broken && !kg_add(out, track, local, assigned, group)) return false;
    }
    if (sbgp.broken) return false;
  }
  key_group rest = {.track = track->id, .first = at, .count = at < end ? end - at : 0};
  return kg_add(out, track, local, index, rest);
}

/* Adds samples of one sample entry; those that follow their like become one range. */
static bool kg_add_range(key_groups *out, key_range range) {
  key_range *last = out->range_count > 0 ? &out->ranges[out->range_count - 1] : NULL;
  if (range.count == 0) return true;
  if (last != NULL && last->track == range.track && last->is_locked == range.is_locked &&
      last->is_described == range.is_described && last->first + last->count == range.first) {
    last->count += range.count;
    return true;
  }
  key_range *more = realloc(out->ranges, (out->range_count + 1) * sizeof *more);
  if (more == NULL) return false;
  out->ranges = more;
  more[out->range_count++] = range;
  return true;
}

/* Which sample entries are protected: by their codes, which begin with enc or, for older systems, drm. */
static bool kg_read_entries(box_reader stsd, kg_track *track) {
  uint32_t type;
  box_reader body;
  kg_number(&stsd, 8);
  while (kg_next(&stsd, &type, &body)) {
    bool locked = type >> 8 == KG_TYPE(0, 'e', 'n', 'c') || type >> 8 == KG_TYPE(0, 'd', 'r', 'm') ||
                  type == KG_TYPE('a', 'a', 'v', 'd');
    if (track->entry_count == 64) return false;
    track->locked_entries |= (uint64_t)locked << track->entry_count++;
  }
  return !stsd.broken;
}

/* Whether saiz and saio describe all samples of a fragment in one piece. */
static bool kg_is_described(box_reader traf, uint64_t samples) {
  box_reader saiz = kg_child(traf, KG_TYPE('s', 'a', 'i', 'z')), saio = kg_child(traf, KG_TYPE('s', 'a', 'i', 'o'));
  if (saiz.size == 0 || saio.size == 0) return false;
  if (kg_u32(&saiz) & 1) kg_number(&saiz, 8);
  if (kg_u32(&saio) & 1) kg_number(&saio, 8);
  kg_number(&saiz, 1);
  return kg_u32(&saiz) == samples && kg_u32(&saio) == 1 && !saiz.broken && !saio.broken;
}

static bool kg_read_trak(kg_scan *scan, box_reader trak) {
  box_reader tkhd = kg_child(trak, KG_TYPE('t', 'k', 'h', 'd'));
  box_reader mdia = kg_child(trak, KG_TYPE('m', 'd', 'i', 'a'));
  box_reader stbl = kg_child(kg_child(mdia, KG_TYPE('m', 'i', 'n', 'f')), KG_TYPE('s', 't', 'b', 'l'));
  box_reader sizes = kg_child(stbl, KG_TYPE('s', 't', 's', 'z'));
  if (sizes.size == 0) sizes = kg_child(stbl, KG_TYPE('s', 't', 'z', '2'));
  if (scan->track_count == KG_MAX_TRACKS) return false;
  kg_track *track = &scan->tracks[scan->track_count++];
  size_t time_size = kg_u32(&tkhd) >> 24 == 1 ? 8 : 4; /* of the two times before the track ID */
  kg_number(&tkhd, time_size);
  kg_number(&tkhd, time_size);
  *track = (kg_track){.id = kg_u32(&tkhd), .default_entry = 1, .descriptions = kg_child(stbl, KG_TYPE('s', 'g', 'p', 'd'))};
  kg_number(&sizes, 8);
  track->samples = sizes.broken ? 0 : kg_u32(&sizes);
  /* Which entry each of these has is not looked up: one that is protected stands for all. */
  key_range part = {.track = track->id, .count = track->samples};
  if (tkhd.broken || !kg_read_entries(kg_child(stbl, KG_TYPE('s', 't', 's', 'd')), track)) return false;
  part.is_locked = track->locked_entries != 0;
  return kg_may_follow(stbl) && kg_add_range(scan->out, part) &&
         kg_assign(scan->out, track, kg_child(stbl, KG_TYPE('s', 'b', 'g', 'p')), (box_reader){NULL, 0, false}, part);
}

/* The sample entry of fragments that name none (trex). */
static bool kg_read_mvex(kg_scan *scan, box_reader mvex) {
  uint32_t type;
  box_reader body;
  while (kg_next(&mvex, &type, &body)) {
    if (type != KG_TYPE('t', 'r', 'e', 'x')) continue;
    kg_u32(&body);
    kg_track *track = kg_find(scan, kg_u32(&body));
    if (track != NULL) track->default_entry = kg_u32(&body);
  }
  return !mvex.broken;
}

static bool kg_read_traf(kg_scan *scan, box_reader traf) {
  box_reader tfhd = kg_child(traf, KG_TYPE('t', 'f', 'h', 'd')), runs = traf, body;
  uint32_t type, flags = kg_u32(&tfhd);
  kg_track *track = kg_find(scan, kg_u32(&tfhd));
  if (tfhd.broken || track == NULL) return false;
  uint32_t entry = track->default_entry;
  if (flags & 1) kg_number(&tfhd, 8);
  if (flags & 2) entry = kg_u32(&tfhd);
  if (tfhd.broken || entry == 0 || entry > track->entry_count) return false;
  key_range part = {.track = track->id, .first = track->samples, .is_locked = track->locked_entries >> (entry - 1) & 1};
  while (kg_next(&runs, &type, &body)) {
    if (type != KG_TYPE('t', 'r', 'u', 'n')) continue;
    kg_u32(&body);
    part.count += kg_u32(&body);
  }
  part.is_described = kg_is_described(traf, part.count);
  track->samples += part.count;
  box_reader groups = kg_child(traf, KG_TYPE('s', 'b', 'g', 'p')), local = kg_child(traf, KG_TYPE('s', 'g', 'p', 'd'));
  return !runs.broken && kg_may_follow(traf) && kg_add_range(scan->out, part) &&
         kg_assign(scan->out, track, groups, local, part);
}

static bool kg_read_box(kg_scan *scan, uint32_t box_type, box_reader box) {
  bool moov = box_type == KG_TYPE('m', 'o', 'o', 'v'), fine = true;
  uint32_t type;
  box_reader body, whole = box;
  while (fine && kg_next(&box, &type, &body)) {
    if (moov && type == KG_TYPE('t', 'r', 'a', 'k')) fine = kg_read_trak(scan, body);
    if (!moov && type == KG_TYPE('t', 'r', 'a', 'f')) fine = kg_read_traf(scan, body);
  }
  return fine && !box.broken && (!moov || kg_read_mvex(scan, kg_child(whole, KG_TYPE('m', 'v', 'e', 'x'))));
}

/* Reads the next box of the file if it is a moov or moof, else skips it. Answers 1, 0 at the end, -1 for a broken file. */
static int kg_step(kg_scan *scan, FILE *file, uint64_t file_size) {
  uint8_t head[16];
  box_reader reader = {head, 16, false};
  uint64_t at = (uint64_t)ftello(file);
  if (fread(head, 1, 8, file) != 8) return 0;
  uint64_t size = kg_u32(&reader), head_size = 8;
  uint32_t type = kg_u32(&reader);
  if (size == 0) size = file_size - at; /* the last box */
  if (size == 1) {
    if (fread(head + 8, 1, 8, file) != 8) return -1;
    size = kg_number(&reader, 8), head_size = 16;
  }
  if (size < head_size || size > INT64_MAX - at) return -1;
  size -= head_size;
  bool moov = type == KG_TYPE('m', 'o', 'o', 'v');
  if (!moov && type != KG_TYPE('m', 'o', 'o', 'f')) return fseeko(file, (off_t)size, SEEK_CUR) == 0 ? 1 : -1;
  if (size > KG_MAX_BOX) return -1;
  uint8_t *data = malloc((size_t)size + 1);
  bool fine = data != NULL && fread(data, 1, (size_t)size, file) == size;
  if (moov && scan->moov != NULL) { /* files that were joined repeat it; another one would change what follows */
    fine = fine && size == scan->moov_size && memcmp(data, scan->moov, (size_t)size) == 0;
    free(data);
    return fine ? 1 : -1;
  }
  if (moov) scan->moov = data, scan->moov_size = size;
  fine = fine && kg_read_box(scan, type, (box_reader){data, (size_t)size, false});
  if (!moov) free(data);
  return fine ? 1 : -1;
}

/* Whether a file begins with a box of a kind that MP4 files begin with. */
static bool kg_begins_mp4(const uint8_t *type) {
  static const char kinds[] = "ftypstypmoovmoofpsshfreeskipwidemdatsidxuuidemsgprftpdin";
  for (const char *kind = kinds; *kind != '\0'; kind += 4)
    if (memcmp(type, kind, 4) == 0) return true;
  return false;
}

/* Reads groups and ranges of a file, none if it is not an MP4. False if it is broken, or has groups that are not followed.
 * kg_free in either case. */
static bool read_key_groups(const char *path, key_groups *out) {
  kg_scan scan = {.out = out};
  uint8_t head[8];
  FILE *file = fopen(path, "rb");
  int step = file == NULL || fseeko(file, 0, SEEK_END) != 0 ? -1 : 1;
  uint64_t size = step < 0 ? 0 : (uint64_t)ftello(file);
  if (step > 0) rewind(file);
  if (step > 0 && fread(head, 1, 8, file) == 8 && kg_begins_mp4(head + 4)) {
    out->is_mp4 = true;
    rewind(file);
    while ((step = kg_step(&scan, file, size)) > 0) continue;
  }
  if (file != NULL) fclose(file);
  free(scan.moov);
  return step >= 0;
}

static void kg_free(key_groups *all) {
  free(all->groups);
  free(all->ranges);
  *all = (key_groups){0};
}

/* The group of a sample, NULL where the track's default key applies. */
static inline const key_group *key_group_of(const key_groups *all, uint32_t track, uint64_t sample) {
  for (size_t i = 0; i < all->count; i++) {
    const key_group *group = &all->groups[i];
    if (group->track == track && sample >= group->first && sample - group->first < group->count) return group;
  }
  return NULL;
}

/* Whether a track has samples of protected entries, or of clear ones. */
static inline bool kg_has(const key_groups *all, uint32_t track, bool locked) {
  for (size_t i = 0; i < all->range_count; i++)
    if (all->ranges[i].track == track && all->ranges[i].is_locked == locked) return true;
  return false;
}

/* Whether a sample is of a protected entry. Where a track has both kinds its samples are counted; a sample of which nothing
 * is known counts as protected. */
static inline bool key_is_locked(const key_groups *all, uint32_t track, uint64_t sample) {
  if (!kg_has(all, track, true)) return !kg_has(all, track, false);
  for (size_t i = 0; i < all->range_count; i++) {
    const key_range *range = &all->ranges[i];
    if (range->track == track && sample >= range->first && sample - range->first < range->count) return range->is_locked;
  }
  return true;
}

/* Whether a track has samples of both kinds. */
static inline bool key_has_clear_lead(const key_groups *all) {
  for (size_t i = 0; i < all->range_count; i++)
    if (all->ranges[i].is_locked && kg_has(all, all->ranges[i].track, false)) return true;
  return false;
}

#endif
