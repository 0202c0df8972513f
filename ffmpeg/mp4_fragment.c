/* mp4_fragment.c: the moof boxes of an MP4, and the groups of samples whose keys are not their track's. */
#include "mp4.h"

/* From this index on a group is described in the fragment, not in the movie (ISO/IEC 14496-12, 8.9.4). */
enum { LOCAL_GROUPS = 0x10000 };

/* --- fragments ----------------------------------------------------------------------------------------------------- */

/* A traf, its header read. */
typedef struct fragment {
  uint32_t track;
  uint64_t base;
  uint32_t entry, size;
} fragment;

static bool read_header(const mp4_file *file, box_reader tfhd, fragment *to, uint64_t moof, uint64_t implied) {
  uint32_t flags = kg_u32(&tfhd) & 0xFFFFFF;
  to->track = kg_u32(&tfhd);
  const mp4_track *track = mp4_track_of(file, to->track);
  to->entry = track != NULL ? track->default_entry : 1;
  to->size = track != NULL ? track->default_size : 0;
  to->base = flags & 0x20000 ? moof : implied;
  if (flags & 1) to->base = kg_number(&tfhd, 8);
  if (flags & 2) to->entry = kg_u32(&tfhd);
  if (flags & 8) kg_u32(&tfhd);
  if (flags & 16) to->size = kg_u32(&tfhd);
  return !tfhd.broken && to->base <= INT64_MAX;
}

/* Reads a trun. `*end` is where the data of the one before ends, and becomes where this one's does. Samples of a track whose
 * samples are not listed are only counted; `track` is NULL then. */
static bool read_run(mp4_file *file, mp4_track *track, const fragment *of, box_reader trun, uint64_t *end) {
  uint32_t flags = kg_u32(&trun) & 0xFFFFFF, count = kg_u32(&trun);
  uint64_t offset = *end;
  if (flags & 1) offset = of->base + (uint64_t)(int64_t)(int32_t)kg_u32(&trun);
  if (flags & 4) kg_u32(&trun);
  size_t before = flags & 0x100 ? 4 : 0, own = flags & 0x200 ? 4 : 0;
  size_t behind = (flags & 0x400 ? 4 : 0) + (flags & 0x800 ? 4 : 0);
  size_t record = before + own + behind;
  if (trun.broken || offset > INT64_MAX || (record > 0 && count > trun.size / record)) return false;
  if (own == 0 && track == NULL) {
    /* It may claim four billion samples in no bytes; they are multiplied, not counted. */
    *end = offset + (uint64_t)of->size * count;
    return *end <= INT64_MAX;
  }
  for (uint32_t i = 0; i < count; i++) {
    kg_number(&trun, before);
    uint32_t size = own > 0 ? kg_u32(&trun) : of->size;
    kg_number(&trun, behind);
    mp4_sample sample = {.offset = offset, .size = size, .entry = (uint16_t)of->entry};
    if (track != NULL && !mp4_add_sample(file, track, sample)) return false;
    offset += size;
    if (offset > INT64_MAX) return false;
  }
  *end = offset;
  return !trun.broken && (track == NULL || mp4_add_run(file, count));
}

static bool read_traf(mp4_file *file, AVIOContext *io, box_reader traf, uint64_t moof, uint64_t *implied) {
  fragment of = {0};
  box_reader tfhd = kg_child(traf, KG_TYPE('t', 'f', 'h', 'd')), runs = traf, body;
  uint32_t type;
  if (!read_header(file, tfhd, &of, moof, *implied)) return false;
  mp4_track *track = mp4_track_of(file, of.track);
  uint64_t end = of.base;
  if (track != NULL && !track->is_locked) track = NULL;
  if (track != NULL && (of.entry == 0 || of.entry > track->entry_count)) return false;
  size_t first = track != NULL ? track->count : 0;
  file->run_count = 0;
  while (kg_next(&runs, &type, &body)) {
    if (type != KG_TYPE('t', 'r', 'u', 'n')) continue;
    if (file->run_count == MP4_MAX_RUNS || !read_run(file, track, &of, body, &end)) return false;
  }
  *implied = end;
  if (runs.broken || track == NULL) return !runs.broken;
  mp4_groups groups = mp4_read_groups(file, traf);
  mp4_part part = {.track = track, .parent = traf, .first = first, .base = of.base, .groups = &groups};
  mp4_describe(file, io, &part);
  return true;
}

bool mp4_read_fragment(mp4_file *file, AVIOContext *io, box_reader moof, uint64_t offset) {
  uint64_t implied = offset;
  uint32_t type;
  box_reader traf;
  if (file->movie == NULL) return file->why = "a fragment stands before the movie", false;
  while (kg_next(&moof, &type, &traf))
    if (type == KG_TYPE('t', 'r', 'a', 'f') && !read_traf(file, io, traf, offset, &implied)) return false;
  return !moof.broken;
}

/* --- groups -------------------------------------------------------------------------------------------------------- */

/* Reads an sgpd of type seig. A group that cannot be read is kept as such where its length is known; then only its samples
 * cannot be used. */
static bool read_descriptions(mp4_file *file, box_reader sgpd, mp4_groups *to) {
  uint32_t version = kg_u32(&sgpd) >> 24;
  kg_u32(&sgpd); /* seig */
  uint32_t fixed = version >= 1 ? kg_u32(&sgpd) : 0;
  to->default_index = version >= 2 ? kg_u32(&sgpd) : 0;
  uint32_t count = kg_u32(&sgpd);
  to->first = (uint32_t)file->parameter_count;
  if (sgpd.broken || version > 3 || count > sgpd.size / 20) return false;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t length = version == 0 ? 0 : fixed != 0 ? fixed : kg_u32(&sgpd);
    if (sgpd.broken || length > sgpd.size) return false;
    box_reader entry = version == 0 ? sgpd : (box_reader){sgpd.data, length, false};
    mp4_parameters one = {0};
    bool has_several = entry.size > 0 && entry.data[0] & 0x80;
    if (has_several || !mp4_read_encryption(&entry, true, &one)) {
      if (version == 0) return false;
      one = (mp4_parameters){.is_unfollowed = true};
    }
    if (mp4_add_parameters(file, &one) == 0) return false;
    if (version == 0) sgpd = entry;
    else sgpd.data += length, sgpd.size -= length;
  }
  to->count = count;
  return true;
}

mp4_groups mp4_read_groups(mp4_file *file, box_reader parent) {
  mp4_groups groups = {0};
  bool is_described = false, is_assigned = false;
  uint32_t type;
  box_reader body;
  while (kg_next(&parent, &type, &body)) {
    bool describes = type == KG_TYPE('s', 'g', 'p', 'd'), assigns = type == KG_TYPE('s', 'b', 'g', 'p');
    bool is_compact = type == KG_TYPE('c', 's', 'g', 'p');
    if ((!describes && !assigns && !is_compact) || body.size < 8 || memcmp(body.data + 4, "seig", 4) != 0) continue;
    /* Two boxes of one kind would be a choice between keys; the compact form is not read. */
    bool *second = describes ? &is_described : &is_assigned;
    if (is_compact || *second) groups.is_broken = true;
    *second = true;
    if (describes && !read_descriptions(file, body, &groups)) groups.is_broken = true;
    if (!assigns) continue;
    uint32_t version = kg_u32(&body) >> 24;
    kg_u32(&body);
    if (version == 1) kg_u32(&body);
    uint32_t count = kg_u32(&body);
    if (body.broken || version > 1 || count > body.size / 8) groups.is_broken = true;
    else groups.assignment = (box_reader){body.data, (size_t)count * 8, false};
  }
  groups.is_broken |= parent.broken;
  return groups;
}

/* The number of the parameters of a group, 0 where the track's defaults hold, MP4_UNKNOWN for a group that is not there. */
static uint32_t group_at(const mp4_groups *groups, uint32_t index) {
  return index == 0 || index > groups->count ? MP4_UNKNOWN : groups->first + index;
}

static uint32_t parameters_of_group(const mp4_part *part, uint32_t index) {
  const mp4_groups *local = part->groups, *movie = &part->track->groups;
  if (index == 0) return 0;
  return index > LOCAL_GROUPS ? group_at(local, index - LOCAL_GROUPS) : group_at(movie, index);
}

/* What holds for samples that are assigned to no group. Its own box is meant, whether or not the index says so. */
static uint32_t parameters_unassigned(const mp4_part *part) {
  const mp4_groups *local = part->groups, *movie = &part->track->groups;
  if (local->default_index != 0) return group_at(local, local->default_index % LOCAL_GROUPS);
  return movie->default_index != 0 ? group_at(movie, movie->default_index) : 0;
}

/* --- parameters of samples ----------------------------------------------------------------------------------------- */

static void leave(const mp4_part *part, mp4_sample *sample, const char *why) {
  sample->parameters = MP4_UNKNOWN;
  if (part->track->why == NULL) part->track->why = why;
}

/* Gives a sample its parameters; `group` as parameters_of_group answers it. */
static bool assign(const mp4_file *file, const mp4_part *part, mp4_sample *sample, uint32_t group) {
  const mp4_entry *entry = &part->track->entries[sample->entry - 1];
  uint32_t number = group != 0 ? group : entry->parameters;
  sample->parameters = MP4_CLEAR;
  if (!entry->is_locked) return false;
  /* What clear means under a scheme that is not known is not known either. */
  if (entry->scheme == 0 && !entry->is_piff) return leave(part, sample, "the protection scheme is not known"), false;
  if (number == 0) return leave(part, sample, "nothing tells the key (tenc)"), false;
  if (part->groups->is_broken || part->track->groups.is_broken || number == MP4_UNKNOWN)
    return leave(part, sample, "groups of samples with other keys are not told in a way that is followed"), false;
  const mp4_parameters *known = &file->parameters[number - 1];
  if (known->is_unfollowed) return leave(part, sample, "there are several keys for one sample, or a damaged group"), false;
  if (!known->is_protected) return false;
  if (entry->scheme == 0) return leave(part, sample, "the cipher of a track is not told"), false;
  sample->parameters = number;
  return true;
}

void mp4_describe(mp4_file *file, AVIOContext *io, const mp4_part *part) {
  box_reader assignment = part->groups->assignment;
  uint32_t left = 0, group = 0;
  bool any = false, all = false;
  for (size_t i = part->first; i < part->track->count; i++) {
    while (left == 0 && !all) {
      all = assignment.size == 0;
      left = all ? 0 : kg_u32(&assignment);
      group = all ? parameters_unassigned(part) : parameters_of_group(part, kg_u32(&assignment));
    }
    left -= !all;
    any |= assign(file, part, &part->track->samples[i], group);
  }
  const char *why = any ? mp4_read_auxiliary(file, io, part) : NULL;
  for (size_t i = part->first; why != NULL && i < part->track->count; i++) {
    mp4_sample *sample = &part->track->samples[i];
    if (sample->parameters != MP4_CLEAR) leave(part, sample, why);
  }
}
