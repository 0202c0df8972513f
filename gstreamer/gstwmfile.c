/* gstwmfile.c: the boxes of an MP4 that tell of clear sample entries and sample groups. See gstwmfile.h. Only this is read;
 * everything else about protection comes with the buffers.
 */
#define _FILE_OFFSET_BITS 64
#define _POSIX_C_SOURCE 200809L
#include "gstwmfile.h"

#include <stdio.h>
#include <string.h>

#define MAX_HEADER (64u << 20) /* bytes of one moov or moof */

#define MAX_DEPTH 8               /* of the boxes that are followed; files have five */

typedef struct Found {
  const guint8 *kid;
  gboolean movie, mixed, groups;
} Found;

static gboolean is(const guint8 *type, const gchar *name) { return memcmp(type, name, 4) == 0; }

/* The sample entries of one track. */
static void look_at_entries(const guint8 *data, gsize size, Found *found) {
  gboolean locked = FALSE, clear = FALSE;
  for (gsize at = 8; at + 8 <= size;) { /* behind version, flags and count */
    guint32 length = GST_READ_UINT32_BE(data + at);
    const guint8 *type = data + at + 4;
    if (is(type, "encv") || is(type, "enca") || is(type, "enct") || is(type, "encs")) locked = TRUE;
    else clear = TRUE;
    if (length < 8 || length > size - at) return;
    at += length;
  }
  if (locked && clear) found->mixed = TRUE;
}

/* Group descriptions `seig` (ISO/IEC 23001-7, 6): each entry has two bytes that do not matter here, whether its samples are
 * protected, the size of their vectors, and their key ID. */
static void look_at_groups(const guint8 *data, gsize size, Found *found) {
  if (size < 16 || !is(data + 4, "seig")) return;
  guint32 length = GST_READ_UINT32_BE(data + 8), count = GST_READ_UINT32_BE(data + 12);
  /* Only groups of the first version, whose entries tell their lengths, are known to say what the sample entry says. */
  gboolean same = data[0] == 1 && length >= 20 && count <= (size - 16) / length;
  for (guint32 i = 0; same && i < count; i++) {
    const guint8 *entry = data + 16 + (gsize)i * length;
    same = entry[2] == 1 && memcmp(entry + 4, found->kid, 16) == 0;
  }
  if (!same) found->groups = TRUE;
}

/* The boxes within a box. */
static void look_at_boxes(const guint8 *data, gsize size, guint depth, Found *found) {
  static const gchar *const containers[] = {"trak", "mdia", "minf", "stbl", "traf"};
  for (gsize at = 0; depth < MAX_DEPTH && size - at >= 8;) {
    gsize length = GST_READ_UINT32_BE(data + at);
    const guint8 *type = data + at + 4, *content = data + at + 8;
    if (length == 0) length = size - at;
    if (length < 8 || length > size - at) return;
    if (is(type, "stsd")) look_at_entries(content, length - 8, found);
    if (is(type, "sgpd")) look_at_groups(content, length - 8, found);
    for (guint i = 0; i < G_N_ELEMENTS(containers); i++)
      if (is(type, containers[i])) look_at_boxes(content, length - 8, depth + 1, found);
    at += length;
  }
}

/* One box of the file, from its header on. Answers where the next one begins, or 0 where the file ends or is none. */
static guint64 look_at_box(FILE *file, guint64 at, Found *found) {
  guint8 head[16];
  if (fseeko(file, (off_t)at, SEEK_SET) != 0 || fread(head, 1, 8, file) != 8) return 0;
  guint64 length = GST_READ_UINT32_BE(head), header = 8;
  if (length == 1) {
    if (fread(head + 8, 1, 8, file) != 8) return 0;
    length = GST_READ_UINT64_BE(head + 8);
    header = 16;
  }
  gboolean movie = is(head + 4, "moov");
  if (length < header || length > G_MAXINT64 - at) return 0;
  if (!movie && !is(head + 4, "moof")) return at + length;
  if (length > MAX_HEADER) return 0;
  gsize size = (gsize)(length - header);
  guint8 *data = g_try_malloc(size);
  if (data == NULL) return 0;
  gboolean whole = fread(data, 1, size, file) == size;
  if (whole) look_at_boxes(data, size, 0, found);
  if (whole && movie) found->movie = TRUE;
  g_free(data);
  return whole ? at + length : 0;
}

static GstWmFile look_at_file(const gchar *path, const guint8 *kid) {
  Found found = {.kid = kid};
  FILE *file = fopen(path, "rb");
  if (file == NULL) return GST_WM_FILE_UNKNOWN;
  for (guint64 at = 0, next; (next = look_at_box(file, at, &found)) > at; at = next) {
  }
  fclose(file);
  if (!found.movie) return GST_WM_FILE_UNKNOWN;
  return found.groups ? GST_WM_FILE_GROUPS : found.mixed ? GST_WM_FILE_LEAD : GST_WM_FILE_PLAIN;
}

GstWmFile gst_wm_file_look(GstPad *sink, const guint8 *kid) {
  gchar *uri = NULL, *path = NULL;
  GstQuery *query = gst_query_new_uri();
  if (gst_pad_peer_query(sink, query)) gst_query_parse_uri(query, &uri);
  gst_query_unref(query);
  if (uri != NULL) path = g_filename_from_uri(uri, NULL, NULL);
  GstWmFile found = path == NULL ? GST_WM_FILE_UNKNOWN : look_at_file(path, kid);
  g_free(path);
  g_free(uri);
  return found;
}
