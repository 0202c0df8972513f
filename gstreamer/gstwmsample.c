/* gstwmsample.c: how a buffer is encrypted. See gstwmsample.h. */
#include "gstwmsample.h"

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
