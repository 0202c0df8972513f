/* mp4_view.c: an MP4 as a demuxer sees it, in which nothing speaks of protection. */
#include "mp4.h"

#include <libavutil/error.h>
#include <libavutil/mem.h>

enum { VIEW_BUFFER = 32 << 10 };

/* A box that means nothing. */
#define MP4_FREE KG_TYPE('f', 'r', 'e', 'e')

/* The box at the top that is being looked at. */
typedef struct whole_box {
  mp4_file *file;
  const uint8_t *data;
  uint64_t offset;
} whole_box;

/* Has the code of the box that begins at `start` read as another one. */
static bool patch(const whole_box *whole, const uint8_t *start, uint32_t code) {
  mp4_file *file = whole->file;
  if (!mp4_grow(&file->patches, &file->patch_space, file->patch_count, sizeof *file->patches, MP4_MAX_PATCHES)) {
    file->why = "it has more boxes than are read, or there is no memory";
    return false;
  }
  mp4_patch *to = &file->patches[file->patch_count++];
  to->offset = whole->offset + (uint64_t)(start - whole->data) + 4;
  for (int i = 0; i < 4; i++) to->code[i] = (uint8_t)(code >> (24 - 8 * i));
  return true;
}

static bool speaks_of_protection(uint32_t type, box_reader body) {
  static const char piff_senc[] = "\xA2\x39\x4F\x52\x5A\x9B\x4F\x14\xA2\x44\x6C\x42\x7C\x64\x8D\xF4";
  static const char piff_pssh[] = "\xD0\x8A\x4F\x18\x10\xF3\x4A\x82\xB6\xC8\x32\xD8\xAB\xA1\x83\xD3";
  switch (type) {
    case KG_TYPE('s', 'e', 'n', 'c'): case KG_TYPE('s', 'a', 'i', 'z'): case KG_TYPE('s', 'a', 'i', 'o'):
    case KG_TYPE('p', 's', 's', 'h'): case KG_TYPE('s', 'i', 'n', 'f'):
      return true;
    case KG_TYPE('s', 'g', 'p', 'd'): case KG_TYPE('s', 'b', 'g', 'p'): case KG_TYPE('c', 's', 'g', 'p'):
      return body.size >= 8 && memcmp(body.data + 4, "seig", 4) == 0;
    case MP4_UUID:
      return body.size >= 16 && (memcmp(body.data, piff_senc, 16) == 0 || memcmp(body.data, piff_pssh, 16) == 0);
    default: return false;
  }
}

static bool hide_children(const whole_box *whole, box_reader parent) {
  uint32_t type;
  box_reader body;
  for (const uint8_t *start = parent.data; kg_next(&parent, &type, &body); start = parent.data)
    if (speaks_of_protection(type, body) && !patch(whole, start, MP4_FREE)) return false;
  return true;
}

/* Gives sample entries the code of the media itself. */
static bool hide_entries(const whole_box *whole, box_reader stsd) {
  uint32_t type, kind;
  box_reader entry, sinf;
  kg_number(&stsd, 8);
  for (const uint8_t *start = stsd.data; kg_next(&stsd, &type, &entry); start = stsd.data) {
    box_reader boxes = mp4_from_sinf(entry);
    bool is_locked = type >> 8 == KG_TYPE(0, 'e', 'n', 'c') || type >> 8 == KG_TYPE(0, 'd', 'r', 'm');
    if (boxes.size == 0) continue;
    if (!hide_children(whole, boxes)) return false;
    kg_next(&boxes, &kind, &sinf);
    box_reader frma = kg_child(sinf, KG_TYPE('f', 'r', 'm', 'a'));
    if (is_locked && frma.size == 4 && !patch(whole, start, kg_u32(&frma))) return false;
  }
  return true;
}

bool mp4_hide(mp4_file *file, box_reader data, uint64_t offset) {
  static const uint32_t path[] = {KG_TYPE('m', 'd', 'i', 'a'), KG_TYPE('m', 'i', 'n', 'f'), KG_TYPE('s', 't', 'b', 'l')};
  whole_box whole = {file, data.data, offset};
  uint32_t type;
  box_reader top, inner;
  if (!kg_next(&data, &type, &top)) return true;
  if (!hide_children(&whole, top)) return false;
  while (kg_next(&top, &type, &inner)) {
    if (type != KG_TYPE('t', 'r', 'a', 'k') && type != KG_TYPE('t', 'r', 'a', 'f')) continue;
    if (!hide_children(&whole, inner)) return false;
    for (size_t i = 0; i < sizeof path / sizeof *path; i++) {
      inner = kg_child(inner, path[i]);
      if (!hide_children(&whole, inner)) return false;
    }
    if (!hide_entries(&whole, kg_child(inner, KG_TYPE('s', 't', 's', 'd')))) return false;
  }
  return true;
}

/* --- the reader ---------------------------------------------------------------------------------------------------- */

typedef struct view {
  const mp4_file *file;
  AVIOContext *io;
} view;

/* The first patch that reaches beyond `offset`. */
static size_t first_patch(const mp4_file *file, uint64_t offset) {
  size_t low = 0, high = file->patch_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (file->patches[middle].offset + 4 <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

static int read_view(void *opaque, uint8_t *to, int size) {
  const view *from = opaque;
  uint64_t offset = (uint64_t)avio_tell(from->io);
  int count = avio_read_partial(from->io, to, size);
  if (count == 0) return AVERROR_EOF;
  for (size_t i = first_patch(from->file, offset); count > 0 && i < from->file->patch_count; i++) {
    const mp4_patch *one = &from->file->patches[i];
    if (one->offset >= offset + (uint64_t)count) break;
    for (uint64_t at = 0; at < 4; at++)
      if (one->offset + at >= offset && one->offset + at < offset + (uint64_t)count) to[one->offset + at - offset] = one->code[at];
  }
  return count;
}

static int64_t seek_view(void *opaque, int64_t offset, int whence) {
  const view *from = opaque;
  return whence == AVSEEK_SIZE ? avio_size(from->io) : avio_seek(from->io, offset, whence & ~AVSEEK_FORCE);
}

AVIOContext *mp4_open_view(const mp4_file *file, AVIOContext *io) {
  view *opaque = av_mallocz(sizeof *opaque);
  uint8_t *buffer = av_malloc(VIEW_BUFFER);
  AVIOContext *opened = opaque != NULL && buffer != NULL ? avio_alloc_context(buffer, VIEW_BUFFER, 0, opaque, read_view, NULL, seek_view) : NULL;
  if (opened == NULL) return av_free(opaque), av_free(buffer), NULL;
  *opaque = (view){file, io};
  return opened;
}

void mp4_close_view(AVIOContext **opened) {
  if (*opened == NULL) return;
  av_freep(&(*opened)->opaque);
  av_freep(&(*opened)->buffer);
  avio_context_free(opened);
}
