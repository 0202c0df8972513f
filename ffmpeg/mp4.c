/* mp4.c: goes through the boxes at the top of an MP4, keeps its samples and finds them again. What the boxes mean is in the
 * other files of the reader.
 */
#include "mp4.h"

#include <libavutil/base64.h>
#include <libavutil/error.h>
#include <stdlib.h>

bool mp4_grow(void *list, size_t *space, size_t count, size_t size, size_t limit) {
  if (count >= limit) return false;
  if (count < *space) return true;
  size_t more = *space * 2 + 16;
  void *old, *grown;
  memcpy(&old, list, sizeof old);
  if ((grown = realloc(old, more * size)) == NULL) return false;
  memcpy(list, &grown, sizeof grown);
  *space = more;
  return true;
}

uint32_t mp4_add_parameters(mp4_file *file, const mp4_parameters *parameters) {
  if (!mp4_grow(&file->parameters, &file->parameter_space, file->parameter_count, sizeof *parameters, MP4_MAX_PARAMETERS)) {
    file->why = "it has more keys than any honest file, or there is no memory";
    return 0;
  }
  file->parameters[file->parameter_count++] = *parameters;
  return (uint32_t)file->parameter_count;
}

bool mp4_add_sample(mp4_file *file, mp4_track *track, mp4_sample sample) {
  if (!mp4_grow(&track->samples, &track->space, track->count, sizeof sample, MP4_MAX_SAMPLES)) {
    file->why = "a track has more samples than are read, or there is no memory";
    return false;
  }
  track->samples[track->count++] = sample;
  return true;
}

bool mp4_add_run(mp4_file *file, uint32_t samples) {
  if (!mp4_grow(&file->runs, &file->run_space, file->run_count, sizeof samples, MP4_MAX_SAMPLES)) {
    file->why = "there is no memory";
    return false;
  }
  file->runs[file->run_count++] = samples;
  return true;
}

bool mp4_is_scheme(uint32_t code) {
  return code == WM_SCHEME_CENC || code == WM_SCHEME_CENS || code == WM_SCHEME_CBC1 || code == WM_SCHEME_CBCS;
}

box_reader mp4_uuid(box_reader parent, const char *extended) {
  uint32_t type;
  box_reader body;
  while (kg_next(&parent, &type, &body)) {
    if (type != MP4_UUID || body.size < 16 || memcmp(body.data, extended, 16) != 0) continue;
    return (box_reader){body.data + 16, body.size - 16, false};
  }
  return (box_reader){NULL, 0, false};
}

mp4_track *mp4_track_of(const mp4_file *file, uint32_t id) {
  for (size_t i = 0; i < file->track_count; i++)
    if (file->tracks[i].id == id) return &file->tracks[i];
  return NULL;
}

bool mp4_begins(const uint8_t *head) {
  static const char kinds[] = "ftypstypmoovmoofpsshfreeskipwidemdatsidxuuidemsgprftpdin";
  for (const char *kind = kinds; *kind != '\0'; kind += 4)
    if (memcmp(head + 4, kind, 4) == 0) return true;
  return false;
}

/* --- the boxes at the top ----------------------------------------------------------------------------------------- */

typedef struct top_box {
  uint64_t offset, end;
  uint32_t type;
} top_box;

/* The head of the box at `offset`. Answers 1, 0 at the end of the file, or an error. A box may end behind the file. */
static int read_head(AVIOContext *io, uint64_t offset, top_box *box) {
  uint8_t head[16];
  box_reader reader = {head, sizeof head, false};
  int64_t length = avio_size(io);
  if (length < 0 || offset >= (uint64_t)length) return length < 0 ? (int)length : 0;
  int64_t at = avio_seek(io, (int64_t)offset, SEEK_SET);
  if (at < 0) return (int)at;
  int found = avio_read(io, head, 8);
  if (found < 0) return found == AVERROR_EOF ? 0 : found;
  /* Fewer than eight bytes at the end are a terminator that old files have. */
  if (found < 8) return 0;
  uint64_t size = kg_u32(&reader), least = 8;
  *box = (top_box){.offset = offset, .type = kg_u32(&reader)};
  if (size == 0) size = (uint64_t)length - offset;
  if (size == 1) {
    least = 16;
    if (avio_read(io, head + 8, 8) != 8) return AVERROR_INVALIDDATA;
    size = kg_number(&reader, 8);
  }
  box->end = offset + size;
  return size < least || size > (uint64_t)INT64_MAX - offset ? AVERROR_INVALIDDATA : 1;
}

/* Reads a whole box, its head too, with `more` bytes behind it that are not set. NULL if it is too large, or not all there. */
static uint8_t *read_whole(AVIOContext *io, const top_box *box, size_t *size) {
  uint64_t length = box->end - box->offset;
  int64_t all = avio_size(io);
  if (length > MP4_MAX_BOX || all < 0 || box->end > (uint64_t)all) return NULL;
  uint8_t *data = avio_seek(io, (int64_t)box->offset, SEEK_SET) < 0 ? NULL : malloc((size_t)length);
  if (data != NULL && avio_read(io, data, (int)length) == (int)length) return *size = (size_t)length, data;
  free(data);
  return NULL;
}

static bool read_part(mp4_file *file, AVIOContext *io, const top_box *box) {
  size_t size = 0;
  uint8_t *data = read_whole(io, box, &size);
  box_reader whole = {data, size, false}, body;
  uint32_t type;
  bool is_movie = box->type == KG_TYPE('m', 'o', 'o', 'v');
  if (data == NULL || !kg_next(&whole, &type, &body)) {
    file->why = "a moov or moof box is too large, or not all there";
    return free(data), false;
  }
  if (!mp4_hide(file, (box_reader){data, size, false}, box->offset)) return free(data), false;
  if (is_movie && file->movie != NULL) {
    /* Files that were joined repeat it; another one would change what the fragments behind it mean. */
    bool same = size == file->movie_size && memcmp(data, file->movie, size) == 0;
    if (!same) file->why = "there are two different movies in it";
    return free(data), same;
  }
  if (is_movie) {
    file->movie = data;
    file->movie_size = size;
    return mp4_read_movie(file, io, body);
  }
  bool fine = mp4_read_fragment(file, io, body, box->offset);
  free(data);
  return fine;
}

static int by_offset(const void *left, const void *right) {
  const mp4_sample *a = left, *b = right;
  if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
  return (a->size > b->size) - (a->size < b->size);
}

static int by_place(const void *left, const void *right) {
  const mp4_patch *a = left, *b = right;
  return (a->offset > b->offset) - (a->offset < b->offset);
}

static int read_file(mp4_file *file, AVIOContext *io) {
  top_box box = {0};
  int step;
  for (size_t boxes = 0; (step = read_head(io, box.end, &box)) > 0; boxes++) {
    if (boxes == MP4_MAX_BOXES) return AVERROR_INVALIDDATA;
    file->why = NULL;
    if (box.type != KG_TYPE('m', 'o', 'o', 'v') && box.type != KG_TYPE('m', 'o', 'o', 'f')) continue;
    if (!read_part(file, io, &box)) return AVERROR_INVALIDDATA;
  }
  if (step < 0) return step;
  if (file->movie == NULL) return file->why = "it has no moov box", AVERROR_INVALIDDATA;
  for (size_t i = 0; i < file->track_count; i++) {
    mp4_track *track = &file->tracks[i];
    if (track->count > 0) qsort(track->samples, track->count, sizeof *track->samples, by_offset);
  }
  if (file->patch_count > 0) qsort(file->patches, file->patch_count, sizeof *file->patches, by_place);
  return 0;
}

int mp4_read(mp4_file *file, AVIOContext *io) {
  int error = read_file(file, io);
  if (error < 0 && file->why == NULL) file->why = "a box in it is damaged";
  free(file->movie);
  file->movie = NULL;
  return error;
}

void mp4_free(mp4_file *file) {
  for (size_t i = 0; i < file->track_count; i++) {
    free(file->tracks[i].entries);
    free(file->tracks[i].samples);
  }
  free(file->tracks), free(file->parameters), free(file->subsamples), free(file->runs), free(file->movie);
  free(file->patches);
  *file = (mp4_file){0};
}

/* --- finding ------------------------------------------------------------------------------------------------------- */

static bool is_alike(const mp4_sample *a, const mp4_sample *b) {
  return a->size == b->size && a->parameters == b->parameters && a->first_subsample == b->first_subsample &&
         a->subsample_count == b->subsample_count && a->entry == b->entry && memcmp(a->iv, b->iv, 16) == 0;
}

const mp4_sample *mp4_sample_at(const mp4_track *track, uint64_t offset) {
  size_t low = 0, high = track->count; /* `high` becomes the first sample behind */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (track->samples[middle].offset <= offset) low = middle + 1;
    else high = middle;
  }
  if (high == 0) return NULL;
  const mp4_sample *found = &track->samples[high - 1], *before = found;
  if (found->offset != offset || found->size == 0) return NULL;
  /* Samples without bytes stand before it. */
  while (before > track->samples && before[-1].offset == offset && before[-1].size > 0)
    if (!is_alike(--before, found)) return NULL;
  return found;
}

/* Counts the key IDs of a box that are not `*kid` yet, up to two. */
static void add_kids(const uint8_t *data, size_t size, int *count, uint8_t kid[16]) {
  wm_content_header *header = NULL;
  size_t needed = 0;
  char *kids = NULL;
  if (wm_create_content_header(data, size, &header) < 0) return;
  wm_get_prop(header, WM_PROP_KIDS, NULL, NULL, 0, &needed); /* fails where it names none */
  if (needed > 0) kids = malloc(needed);
  if (kids != NULL && wm_get_prop(header, WM_PROP_KIDS, NULL, kids, needed, &needed) >= 0) {
    for (char *text = kids; text != NULL && *count < 2;) {
      char *end = strchr(text, ';');
      uint8_t one[16];
      if (end != NULL) *end++ = '\0';
      if (wm_kid_from_text(text, WM_KID_BASE64, one) >= 0 && (*count == 0 || memcmp(one, kid, 16) != 0)) {
        memcpy(kid, one, 16);
        ++*count;
      }
      text = end;
    }
  }
  free(kids);
  wm_release(header);
}

bool mp4_only_kid(AVIOContext *io, uint8_t kid[16]) {
  top_box box = {0};
  int count = 0, step;
  for (size_t boxes = 0; count < 2 && boxes < MP4_MAX_BOXES && (step = read_head(io, box.end, &box)) > 0; boxes++) {
    bool names = box.type == KG_TYPE('m', 'o', 'o', 'v') || box.type == KG_TYPE('m', 'o', 'o', 'f') ||
                 box.type == KG_TYPE('p', 's', 's', 'h') || box.type == MP4_UUID;
    size_t size = 0;
    uint8_t *data = names ? read_whole(io, &box, &size) : NULL;
    if (data != NULL) add_kids(data, size, &count, kid);
    free(data);
  }
  return count == 1;
}
