/* gstwmsample.c: how a buffer is encrypted. See gstwmsample.h. */
#include "gstwmsample.h"

#include <string.h>

#define MAX_SUBSAMPLES 65535 /* more than any container can name for one sample */

guint32 gst_wm_scheme_named(const gchar *mode, guint32 otherwise) {
  if (g_strcmp0(mode, "cbcs") == 0) return WM_SCHEME_CBCS;
  if (g_strcmp0(mode, "cenc") == 0 || g_strcmp0(mode, "CTR") == 0) return WM_SCHEME_CENC;
  return otherwise;
}

static GstBuffer *buffer_in(const GstStructure *info, const gchar *field) {
  const GValue *value = gst_structure_get_value(info, field);
  return value != NULL && GST_VALUE_HOLDS_BUFFER(value) ? gst_value_get_buffer(value) : NULL;
}

/* At most `size` bytes of a buffer in the structure; answers how many. */
static gsize bytes_of(const GstStructure *info, const gchar *field, guint8 *to, gsize size) {
  GstBuffer *buffer = buffer_in(info, field);
  return buffer == NULL ? 0 : gst_buffer_extract(buffer, 0, to, size);
}

static guint number_of(const GstStructure *info, const gchar *field) {
  guint number = 0;
  gst_structure_get_uint(info, field, &number);
  return number;
}

/* Each entry has two bytes for the clear part and four for the encrypted one, as in `senc`. */
static gboolean read_subsamples(const GstStructure *info, GArray *subsamples) {
  guint count = number_of(info, "subsample_count");
  GstBuffer *buffer = buffer_in(info, "subsamples");
  GstMapInfo map;
  g_array_set_size(subsamples, 0);
  if (count == 0) return TRUE;
  if (count > MAX_SUBSAMPLES || buffer == NULL || !gst_buffer_map(buffer, &map, GST_MAP_READ)) return FALSE;
  gboolean fine = map.size >= (gsize)count * 6;
  for (guint i = 0; fine && i < count; i++) {
    wm_subsample one = {GST_READ_UINT16_BE(map.data + 6 * i), GST_READ_UINT32_BE(map.data + 6 * i + 2)};
    g_array_append_val(subsamples, one);
  }
  gst_buffer_unmap(buffer, &map);
  return fine;
}

gboolean gst_wm_sample_read(const GstStructure *info, guint8 *kid, guint8 *iv, wm_sample *sample, GArray *subsamples) {
  gsize iv_size = number_of(info, "iv_size");
  if (iv_size == 0) iv_size = number_of(info, "constant_iv_size");
  if (bytes_of(info, "kid", kid, 16) != 16 || (iv_size != 8 && iv_size != 16)) return FALSE;
  if (bytes_of(info, "iv", iv, iv_size) != iv_size || !read_subsamples(info, subsamples)) return FALSE;
  sample->iv_size = iv_size;
  sample->subsamples = (const wm_subsample *)(gpointer)subsamples->data;
  sample->subsample_count = subsamples->len;
  sample->crypt_byte_block = number_of(info, "crypt_byte_block");
  sample->skip_byte_block = number_of(info, "skip_byte_block");
  sample->scheme = gst_wm_scheme_named(gst_structure_get_string(info, "cipher-mode"), sample->scheme);
  return TRUE;
}

/* `qtdemux` takes the size of the constant vector away where a sample has auxiliary information of its own. */
gboolean gst_wm_sample_is_assumed(const GstStructure *info) {
  return gst_structure_has_field(info, "constant_iv_size") && !gst_structure_has_field(info, "subsample_count");
}

GstWmTrack gst_wm_track_of(const GstStructure *caps) {
  static const struct {
    const gchar *type;
    gsize at; /* of the byte of codec_data whose last two bits are the size of lengths, less one */
  } formats[] = {{"video/x-h264", 4}, {"video/x-h265", 21}};
  GstWmTrack track = {GST_WM_OTHER, 0};
  const gchar *type = gst_structure_get_string(caps, "original-media-type");
  guint8 byte = 0;
  if (type == NULL) return track;
  if (g_str_has_prefix(type, "audio/")) track.kind = GST_WM_TONE;
  if (strcmp(type, "video/x-vp9") == 0) track.kind = GST_WM_VP9;
  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    GstBuffer *data = buffer_in(caps, "codec_data");
    if (strcmp(type, formats[i].type) != 0 || data == NULL || gst_buffer_extract(data, formats[i].at, &byte, 1) != 1) continue;
    track.kind = GST_WM_NALS;
    track.nal_length = (byte & 3) + 1;
  }
  return track;
}

/* Units with their lengths, each beginning with a bit that is 0, fill the picture. */
static gboolean is_of_nals(const guint8 *data, gsize size, guint length_size) {
  gsize at = 0;
  while (at < size) {
    gsize length = 0;
    if (size - at < length_size) return FALSE;
    for (guint i = 0; i < length_size; i++) length = length << 8 | data[at + i];
    at += length_size;
    if (length == 0 || length > size - at || data[at] & 0x80) return FALSE;
    at += length;
  }
  return size > 0;
}

/* The marker of a frame, and the start code of one that stands alone. */
static gboolean is_of_vp9(const guint8 *data, gsize size, gboolean alone) {
  static const guint8 start[] = {0x49, 0x83, 0x42};
  return size > 4 && (data[0] & 0xC0) == 0x80 && (!alone || memcmp(data + 1, start, sizeof start) == 0);
}

gboolean gst_wm_track_shows_clear(const GstWmTrack *track, GstBuffer *buffer) {
  GstMapInfo map;
  gboolean clear = FALSE;
  if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) return FALSE;
  if (track->kind == GST_WM_NALS) clear = is_of_nals(map.data, map.size, track->nal_length);
  if (track->kind == GST_WM_VP9)
    clear = is_of_vp9(map.data, map.size, !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT));
  gst_buffer_unmap(buffer, &map);
  return clear;
}

#define NEAR 65536 /* A counter that went this far skipped frames; a random vector is never so near. */

gboolean gst_wm_counter_follows(GstWmCounter *counter, const guint8 *iv, gboolean partitioned) {
  guint64 now = GST_READ_UINT64_BE(iv), step = now - counter->last;
  gboolean begun = counter->begun;
  counter->begun = TRUE;
  counter->last = now;
  counter->partitioned |= partitioned;
  if (!begun || step == 1) return TRUE;
  /* Only frames of a track with partitions are dropped, but there a vector that is not counted tells nothing. */
  return !counter->partitioned && (step == 0 || step > NEAR);
}
