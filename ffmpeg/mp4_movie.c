/* mp4_movie.c: the moov box of an MP4: how the samples of each track are protected, and those that are not in fragments. */
#include "mp4.h"

#include <stdlib.h>

/* Reads a field that has one of three values. */
static uint8_t one_of(box_reader *from, uint8_t a, uint8_t b, uint8_t c) {
  uint8_t value = (uint8_t)kg_number(from, 1);
  if (value != a && value != b && value != c) from->broken = true;
  return value;
}

bool mp4_read_encryption(box_reader *from, bool has_pattern, mp4_parameters *to) {
  uint32_t pattern = (uint32_t)kg_number(from, 2) & 0xFF; /* behind a reserved byte */
  *to = (mp4_parameters){0};
  if (has_pattern) to->crypt_blocks = (uint8_t)(pattern >> 4), to->skip_blocks = pattern & 15;
  to->is_protected = one_of(from, 0, 1, 1) == 1;
  to->iv_size = one_of(from, 0, 8, 16);
  kg_bytes(from, to->kid, 16);
  if (to->is_protected && to->iv_size == 0) {
    to->constant_iv_size = one_of(from, 8, 16, 16);
    if (!from->broken) kg_bytes(from, to->constant_iv, to->constant_iv_size);
  }
  return !from->broken;
}

bool mp4_read_piff(box_reader *from, mp4_parameters *to) {
  uint32_t word = kg_u32(from), algorithm = word >> 8;
  *to = (mp4_parameters){.is_protected = algorithm != 0, .iv_size = word & 0xFF};
  if (algorithm == 1) to->scheme = WM_SCHEME_CENC;
  if (algorithm == 2) to->scheme = WM_SCHEME_CBC1;
  kg_bytes(from, to->kid, 16);
  bool size_fits = to->iv_size == 16 || (to->iv_size == 8 && algorithm < 2) || (to->iv_size == 0 && algorithm == 0);
  return !from->broken && algorithm <= 2 && size_fits;
}

/* --- sample entries ----------------------------------------------------------------------------------------------- */

/* The boxes of an entry from its first sinf on. What stands before depends on the original format, on versions that writers
 * confuse, and on QuickTime, so a sinf is known by itself: a box that fits and begins with a whole frma. */
box_reader mp4_from_sinf(box_reader entry) {
  for (size_t at = 4; at + 4 <= entry.size; at++) {
    if (memcmp(entry.data + at, "sinf", 4) != 0) continue;
    box_reader rest = {entry.data + at - 4, entry.size - at + 4, false}, look = rest, sinf, frma;
    uint32_t type;
    if (kg_next(&look, &type, &sinf) && kg_next(&sinf, &type, &frma) && type == KG_TYPE('f', 'r', 'm', 'a') && frma.size == 4)
      return rest;
  }
  return (box_reader){NULL, 0, false};
}

/* Reads a sinf. Answers how well it is known: Common Encryption before its forerunner, both before what cannot be followed. */
static int read_sinf(box_reader sinf, mp4_entry *to, mp4_parameters *defaults) {
  static const char piff_tenc[] = "\x89\x74\xDB\xCE\x7B\xE7\x4C\x51\x84\xF9\x71\x48\xF9\x88\x25\x54";
  box_reader frma = kg_child(sinf, KG_TYPE('f', 'r', 'm', 'a')), schm = kg_child(sinf, KG_TYPE('s', 'c', 'h', 'm'));
  box_reader schi = kg_child(sinf, KG_TYPE('s', 'c', 'h', 'i')), tenc = kg_child(schi, KG_TYPE('t', 'e', 'n', 'c'));
  mp4_parameters piff;
  to->format = kg_u32(&frma);
  kg_u32(&schm);
  uint32_t scheme = kg_u32(&schm);
  if (schm.broken) return 0;
  to->is_piff = scheme == MP4_PIFF;
  to->scheme = mp4_is_scheme(scheme) ? scheme : 0;
  bool found = false;
  if (tenc.size > 0) {
    uint32_t version = kg_u32(&tenc) >> 24;
    found = version <= 1 && mp4_read_encryption(&tenc, version > 0, defaults);
    if (!found) return 1; /* its own box is meant, and cannot be read */
  }
  box_reader own = mp4_uuid(schi, piff_tenc);
  if (own.size > 0 && (to->is_piff || !found)) {
    if (kg_u32(&own) >> 24 != 0 || !mp4_read_piff(&own, &piff)) return 1;
    if (to->is_piff) to->scheme = piff.scheme;
    if (!found) *defaults = piff;
    defaults->scheme = 0;
    found = true;
  }
  if (!found) return 1;
  return 2 + 2 * (to->scheme != 0) + !to->is_piff;
}

static bool read_entry(mp4_file *file, uint32_t code, box_reader body, mp4_entry *to) {
  uint32_t type;
  box_reader child, boxes = mp4_from_sinf(body);
  int best = 0;
  to->is_locked = code >> 8 == KG_TYPE(0, 'e', 'n', 'c') || code >> 8 == KG_TYPE(0, 'd', 'r', 'm') ||
                  code == KG_TYPE('a', 'a', 'v', 'd');
  /* A format with another transformation beside names the protection inside only. */
  if (code == KG_TYPE('r', 'e', 's', 'v') && boxes.size > 0) to->is_locked = true;
  if (!to->is_locked || code == KG_TYPE('a', 'a', 'v', 'd')) return true;
  /* An entry may name several schemes for the same bytes; the first of the best known kind is taken. */
  mp4_parameters defaults = {0};
  while (kg_next(&boxes, &type, &child)) {
    mp4_entry found = {.is_locked = true};
    mp4_parameters of_it = {0};
    if (type != KG_TYPE('s', 'i', 'n', 'f')) continue;
    int rank = read_sinf(child, &found, &of_it);
    if (to->format == 0) to->format = found.format;
    if (rank <= best) continue;
    found.format = to->format;
    *to = found;
    defaults = of_it;
    best = rank;
  }
  return best < 2 || (to->parameters = mp4_add_parameters(file, &defaults)) != 0;
}

bool mp4_read_entries(mp4_file *file, mp4_track *track, box_reader stsd) {
  uint32_t type, declared;
  box_reader body;
  kg_u32(&stsd);
  declared = kg_u32(&stsd);
  if (stsd.broken || declared > MP4_MAX_ENTRIES) return false;
  track->entries = calloc(declared + 1, sizeof *track->entries);
  while (track->entries != NULL && track->entry_count < declared && kg_next(&stsd, &type, &body)) {
    mp4_entry *entry = &track->entries[track->entry_count++];
    if (!read_entry(file, type, body, entry)) return false;
    track->is_locked |= entry->is_locked;
  }
  return track->entries != NULL && !stsd.broken;
}

/* --- samples that are not in fragments ---------------------------------------------------------------------------- */

/* Sizes of samples (stsz, or stz2 with 4, 8 or 16 bits for each). */
typedef struct size_table {
  box_reader table;
  uint32_t fixed, bits, left;
  int half; /* the second half of a byte, -1 for none */
} size_table;

static bool open_sizes(box_reader stbl, size_table *to) {
  box_reader stsz = kg_child(stbl, KG_TYPE('s', 't', 's', 'z'));
  bool is_compact = stsz.size == 0;
  if (is_compact) stsz = kg_child(stbl, KG_TYPE('s', 't', 'z', '2'));
  kg_u32(&stsz);
  uint32_t word = kg_u32(&stsz);
  *to = (size_table){.fixed = is_compact ? 0 : word, .bits = is_compact ? word & 0xFF : 32, .left = kg_u32(&stsz), .half = -1};
  to->table = stsz;
  bool is_known = to->bits == 32 || to->bits == 16 || to->bits == 8 || to->bits == 4;
  uint64_t bytes = to->fixed != 0 ? 0 : ((uint64_t)to->left * to->bits + 7) / 8;
  return !stsz.broken && is_known && bytes <= stsz.size;
}

static uint32_t next_size(size_table *from) {
  from->left--;
  if (from->fixed != 0) return from->fixed;
  if (from->bits != 4) return (uint32_t)kg_number(&from->table, from->bits / 8);
  int both = from->half < 0 ? (int)kg_number(&from->table, 1) : from->half;
  bool is_first = from->half < 0;
  from->half = is_first ? both & 15 : -1;
  return is_first ? (uint32_t)both >> 4 : (uint32_t)both;
}

/* The place and the entry of each sample, and the samples of each chunk as runs. */
static bool read_chunks(mp4_file *file, mp4_track *track, box_reader stbl) {
  size_table sizes;
  box_reader offsets = kg_child(stbl, KG_TYPE('s', 't', 'c', 'o')), stsc = kg_child(stbl, KG_TYPE('s', 't', 's', 'c'));
  size_t width = offsets.size > 0 ? 4 : 8;
  if (width == 8) offsets = kg_child(stbl, KG_TYPE('c', 'o', '6', '4'));
  if (!open_sizes(stbl, &sizes)) return false;
  if (sizes.left == 0) return true;
  kg_u32(&offsets);
  uint32_t chunks = kg_u32(&offsets), per_chunk = 0, entry = 0;
  kg_u32(&stsc);
  uint32_t left = kg_u32(&stsc), next = left > 0 ? kg_u32(&stsc) : 0;
  if (offsets.broken || stsc.broken || chunks > offsets.size / width || sizes.left > MP4_MAX_SAMPLES) return false;
  for (uint32_t chunk = 1; chunk <= chunks; chunk++) {
    if (left > 0 && chunk == next) {
      per_chunk = kg_u32(&stsc);
      entry = kg_u32(&stsc);
      next = --left > 0 ? kg_u32(&stsc) : 0;
    }
    uint64_t offset = kg_number(&offsets, width);
    if (stsc.broken || per_chunk > sizes.left || entry == 0 || entry > track->entry_count) return false;
    if (!mp4_add_run(file, per_chunk)) return false;
    for (uint32_t i = 0; i < per_chunk; i++) {
      mp4_sample sample = {.offset = offset, .size = next_size(&sizes), .entry = (uint16_t)entry};
      offset += sample.size;
      if (offset > INT64_MAX || !mp4_add_sample(file, track, sample)) return false;
    }
  }
  return sizes.left == 0;
}

static bool read_track(mp4_file *file, AVIOContext *io, box_reader trak) {
  box_reader tkhd = kg_child(trak, KG_TYPE('t', 'k', 'h', 'd')), mdia = kg_child(trak, KG_TYPE('m', 'd', 'i', 'a'));
  box_reader stbl = kg_child(kg_child(mdia, KG_TYPE('m', 'i', 'n', 'f')), KG_TYPE('s', 't', 'b', 'l'));
  size_t time_size = kg_u32(&tkhd) >> 24 == 1 ? 8 : 4; /* of the two times before the track ID */
  kg_number(&tkhd, time_size);
  kg_number(&tkhd, time_size);
  uint32_t id = kg_u32(&tkhd);
  if (tkhd.broken || file->track_count == MP4_MAX_TRACKS || mp4_track_of(file, id) != NULL) return false;
  mp4_track *track = &file->tracks[file->track_count++];
  *track = (mp4_track){.id = id, .default_entry = 1};
  if (!mp4_read_entries(file, track, kg_child(stbl, KG_TYPE('s', 't', 's', 'd')))) return false;
  if (!track->is_locked) return true;
  track->groups = mp4_read_groups(file, stbl);
  file->run_count = 0;
  mp4_part part = {.track = track, .parent = stbl, .groups = &track->groups};
  bool fine = read_chunks(file, track, stbl);
  if (fine) mp4_describe(file, io, &part);
  track->groups.assignment = (box_reader){NULL, 0, false};
  return fine;
}

/* What fragments leave out (trex). */
static bool read_defaults(mp4_file *file, box_reader mvex) {
  uint32_t type;
  box_reader trex;
  while (kg_next(&mvex, &type, &trex)) {
    if (type != KG_TYPE('t', 'r', 'e', 'x')) continue;
    kg_u32(&trex);
    mp4_track *track = mp4_track_of(file, kg_u32(&trex));
    uint32_t entry = kg_u32(&trex);
    kg_u32(&trex);
    uint32_t size = kg_u32(&trex);
    if (trex.broken) return false;
    if (track != NULL) track->default_entry = entry, track->default_size = size;
  }
  return !mvex.broken;
}

bool mp4_read_movie(mp4_file *file, AVIOContext *io, box_reader moov) {
  uint32_t type;
  box_reader body, whole = moov;
  file->tracks = calloc(MP4_MAX_TRACKS, sizeof *file->tracks);
  if (file->tracks == NULL) return false;
  while (kg_next(&moov, &type, &body))
    if (type == KG_TYPE('t', 'r', 'a', 'k') && !read_track(file, io, body)) return false;
  return !moov.broken && read_defaults(file, kg_child(whole, KG_TYPE('m', 'v', 'e', 'x')));
}
