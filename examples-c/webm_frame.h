/* webm_frame.h: what the WebM encryption format puts before a frame. No playing happens here.
 */
#ifndef WEBM_FRAME_H
#define WEBM_FRAME_H

#include <wmlicense.h>

#include <string.h>

/* A frame without what stands before it, and how it is encrypted. */
typedef struct webm_frame {
  size_t head; /* bytes before the frame */
  bool is_encrypted;
  uint8_t iv[8];
  wm_subsample ranges[129]; /* of at most 256 */
  size_t range_count;       /* 0: all of it is encrypted */
} webm_frame;

static uint32_t webm_number(const uint8_t *from) {
  return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

/* A signal byte, then if bit 0 is set an initialization vector of 8 bytes, then if bit 1 is set the number of partitions and
 * their offsets; ranges alternate, the first is clear. False for what is not so. */
static bool read_webm_frame(const uint8_t *data, size_t size, webm_frame *to) {
  *to = (webm_frame){.head = 1};
  if (size < 1 || data[0] > 3 || size > UINT32_MAX) return false;
  to->is_encrypted = data[0] & 1;
  bool partitioned = data[0] == 3;
  if (to->is_encrypted) to->head += 8;
  if (partitioned && size <= to->head) return false;
  if (partitioned) to->head += 1 + 4 * (size_t)data[9];
  if (to->head > size) return false;
  if (to->is_encrypted) memcpy(to->iv, data + 1, 8);
  uint32_t at = 0, end = (uint32_t)(size - to->head);
  for (size_t i = 0, count = partitioned ? data[9] : 0; partitioned && i <= count; i++) {
    uint32_t next = i < count ? webm_number(data + 10 + 4 * i) : end;
    if (next < at || next > end) return false;
    if (i % 2 == 0) to->ranges[to->range_count++].clear = next - at;
    else to->ranges[to->range_count - 1].encrypted = next - at;
    at = next;
  }
  return true;
}

#endif
