/* box_reader.h: the boxes of MP4 (ISO/IEC 14496-12, 4.2) in memory, and big-endian numbers in them. Nothing is read beyond
 * the end of a box. For key_groups.h and for the library in ffmpeg/, which know what the boxes mean.
 */
#ifndef BOX_READER_H
#define BOX_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KG_TYPE(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* The unread rest of a box. Reading past the end gives zeros and sets `broken`. */
typedef struct box_reader {
  const uint8_t *data;
  size_t size;
  bool broken;
} box_reader;

static inline uint64_t kg_number(box_reader *from, size_t size) { /* size is at most 8 */
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

static inline uint32_t kg_u32(box_reader *from) { return (uint32_t)kg_number(from, 4); }

static inline void kg_bytes(box_reader *from, uint8_t *to, size_t size) {
  for (size_t i = 0; i < size; i++) to[i] = (uint8_t)kg_number(from, 1);
}

/* Takes the next box in memory; false at the end. */
static inline bool kg_next(box_reader *from, uint32_t *type, box_reader *body) {
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
static inline box_reader kg_child(box_reader parent, uint32_t wanted) {
  uint32_t type;
  box_reader body;
  while (kg_next(&parent, &type, &body)) {
    if (type != wanted) continue;
    bool grouping = type == KG_TYPE('s', 'g', 'p', 'd') || type == KG_TYPE('s', 'b', 'g', 'p');
    if (!grouping || (body.size >= 8 && memcmp(body.data + 4, "seig", 4) == 0)) return body;
  }
  return (box_reader){NULL, 0, false};
}

#endif
