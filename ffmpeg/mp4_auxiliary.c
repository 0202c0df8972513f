/* mp4_auxiliary.c: what each sample of an MP4 says about its encryption for itself: senc, or saiz and saio, or PIFF's box.
 * A table for another number of samples is refused: some muxers repeat old entries, and a wrong vector decrypts to noise.
 */
#include "mp4.h"

#include <stdlib.h>

static const char *const MISCOUNTED = "the file describes another number of samples than it has";
static const char *const DAMAGED = "the file describes its samples in a way that is not followed";
static const char *const MISSING = "the file does not describe how each sample is encrypted";
static const char *const NO_ROOM = "there is no memory for the description of the samples";

static const mp4_parameters *parameters_of(const mp4_file *file, const mp4_sample *sample) {
  bool has_some = sample->parameters != MP4_CLEAR && sample->parameters != MP4_UNKNOWN;
  return has_some ? &file->parameters[sample->parameters - 1] : NULL;
}

/* Whether the samples from `first` on need no data of their own: each is clear, or protected as a whole with a constant vector. */
static bool all_constant(const mp4_file *file, const mp4_track *track, size_t first) {
  for (size_t i = first; i < track->count; i++) {
    const mp4_parameters *known = parameters_of(file, &track->samples[i]);
    if (known != NULL && known->iv_size != 0) return false;
  }
  return true;
}

/* Reads the vector and the subsamples of one sample. Answers why not, or NULL. */
static const char *read_sample(mp4_file *file, mp4_sample *sample, box_reader *from, bool has_subsamples) {
  const mp4_parameters *known = parameters_of(file, sample);
  if (known != NULL) kg_bytes(from, sample->iv, known->iv_size);
  uint32_t count = has_subsamples ? (uint32_t)kg_number(from, 2) : 0;
  if (from->broken || count > from->size / 6) return DAMAGED;
  sample->first_subsample = (uint32_t)file->subsample_count;
  /* Without ranges the whole sample is protected, also where the others have some. */
  sample->subsample_count = known != NULL ? (uint16_t)count : 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t clear = (uint32_t)kg_number(from, 2), encrypted = kg_u32(from);
    if (known == NULL) continue;
    if (!mp4_grow(&file->subsamples, &file->subsample_space, file->subsample_count, sizeof *file->subsamples, MP4_MAX_SUBSAMPLES))
      return NO_ROOM;
    file->subsamples[file->subsample_count++] = (wm_subsample){clear, encrypted};
  }
  return NULL;
}

/* Reads senc, or its forerunner in PIFF, which may name parameters for its fragment. */
static const char *read_senc(mp4_file *file, const mp4_part *part, box_reader senc, bool is_piff) {
  mp4_track *track = part->track;
  uint32_t word = kg_u32(&senc), flags = word & 0xFFFFFF;
  /* A later version describes several keys for one sample. Parameters of its own only PIFF's box has. */
  if (word >> 24 != 0 || (!is_piff && flags & 1)) return DAMAGED;
  if (flags & 1) {
    mp4_parameters own;
    uint32_t number = mp4_read_piff(&senc, &own) ? mp4_add_parameters(file, &own) : 0;
    if (number == 0) return DAMAGED;
    for (size_t i = part->first; i < track->count; i++) track->samples[i].parameters = own.is_protected ? number : MP4_CLEAR;
  }
  if (kg_u32(&senc) != track->count - part->first) return MISCOUNTED;
  for (size_t i = part->first; i < track->count; i++) {
    const char *why = read_sample(file, &track->samples[i], &senc, flags & 2);
    if (why != NULL) return why;
  }
  return NULL;
}

/* The saiz or saio that speaks of encryption: one without a type, or with that of a scheme. What follows the type. */
static box_reader find_typed(box_reader parent, uint32_t wanted, uint32_t *version) {
  uint32_t type;
  box_reader body;
  while (kg_next(&parent, &type, &body)) {
    if (type != wanted) continue;
    uint32_t word = kg_u32(&body), kind = 0;
    *version = word >> 24;
    if (word & 1) {
      kind = kg_u32(&body);
      kg_u32(&body);
    }
    if ((word & 1) == 0 || mp4_is_scheme(kind)) return body;
  }
  return (box_reader){NULL, 0, false};
}

/* Sizes of the data of each sample (saiz). */
typedef struct size_list {
  box_reader table;
  uint32_t fixed;
  size_t left; /* samples that are described; those behind them have no data */
} size_list;

static const char *open_sizes(const mp4_file *file, const mp4_part *part, box_reader saiz, size_list *to) {
  size_t samples = part->track->count - part->first;
  to->fixed = (uint32_t)kg_number(&saiz, 1);
  to->left = kg_u32(&saiz);
  to->table = saiz;
  if (saiz.broken || (to->fixed == 0 && to->left > saiz.size)) return DAMAGED;
  bool rest_needs_none = to->left <= samples && all_constant(file, part->track, part->first + to->left);
  return rest_needs_none ? NULL : MISCOUNTED;
}

static size_t next_size(size_list *from) {
  if (from->left == 0) return 0;
  from->left--;
  return from->fixed != 0 ? from->fixed : (size_t)kg_number(&from->table, 1);
}

/* Reads the data that saio points at: in one piece, or in one piece for each run or chunk. */
static const char *read_saio(mp4_file *file, AVIOContext *io, const mp4_part *part, size_list *sizes, box_reader saio,
                             uint32_t version) {
  mp4_track *track = part->track;
  size_t width = version == 1 ? 8 : 4, index = part->first;
  uint32_t pieces = kg_u32(&saio), whole = (uint32_t)(track->count - part->first);
  const uint32_t *runs = pieces == 1 ? &whole : file->runs;
  if (saio.broken || pieces > saio.size / width || (pieces != 1 && pieces != file->run_count)) return DAMAGED;
  for (uint32_t piece = 0; piece < pieces; piece++) {
    uint64_t offset = part->base + kg_number(&saio, width);
    uint8_t data[255];
    if (offset > INT64_MAX || avio_seek(io, (int64_t)offset, SEEK_SET) < 0) return DAMAGED;
    for (uint32_t i = 0; i < runs[piece] && index < track->count; i++, index++) {
      mp4_sample *sample = &track->samples[index];
      const mp4_parameters *known = parameters_of(file, sample);
      size_t length = next_size(sizes);
      if (length > 0 && avio_read(io, data, (int)length) != (int)length) return DAMAGED;
      box_reader from = {data, length, false};
      const char *why = read_sample(file, sample, &from, length > (known != NULL ? known->iv_size : 0u));
      if (why != NULL) return why;
      if (from.size > 0) return DAMAGED;
    }
  }
  return index == track->count ? NULL : MISCOUNTED;
}

const char *mp4_read_auxiliary(mp4_file *file, AVIOContext *io, const mp4_part *part) {
  static const char piff_senc[] = "\xA2\x39\x4F\x52\x5A\x9B\x4F\x14\xA2\x44\x6C\x42\x7C\x64\x8D\xF4";
  box_reader senc = kg_child(part->parent, KG_TYPE('s', 'e', 'n', 'c')), look = senc;
  kg_u32(&look);
  /* A table of no samples is one that is not there. */
  if (kg_u32(&look) > 0) return read_senc(file, part, senc, false);
  uint32_t version = 0;
  box_reader saiz = find_typed(part->parent, KG_TYPE('s', 'a', 'i', 'z'), &version);
  box_reader saio = find_typed(part->parent, KG_TYPE('s', 'a', 'i', 'o'), &version);
  if (saiz.data != NULL && saio.data != NULL) {
    size_list sizes;
    const char *why = open_sizes(file, part, saiz, &sizes);
    return why != NULL ? why : read_saio(file, io, part, &sizes, saio, version);
  }
  box_reader piff = mp4_uuid(part->parent, piff_senc);
  if (piff.size > 0) return read_senc(file, part, piff, true);
  if (all_constant(file, part->track, part->first)) return NULL;
  return senc.size > 0 ? MISCOUNTED : MISSING;
}
