/* gstwmfile.c: clear sample entries, sample groups and missing tables of an MP4. See gstwmfile.h. Only this is read; everything
 * else about protection comes with the buffers.
 */
#define _FILE_OFFSET_BITS 64
#define _POSIX_C_SOURCE 200809L
#include "gstwmfile.h"

#include "key_groups.h"

#include <wmlicense.h>

/* The path of the local file that is played; NULL if there is none. */
static gchar *path_of(GstPad *sink) {
  gchar *uri = NULL, *path = NULL;
  GstQuery *query = gst_query_new_uri();
  if (gst_pad_peer_query(sink, query)) gst_query_parse_uri(query, &uri);
  gst_query_unref(query);
  if (uri != NULL) path = g_filename_from_uri(uri, NULL, NULL);
  g_free(uri);
  return path;
}

/* The only key ID that the file names. */
static void look_for_key(GstWmFile *file, const gchar *path) {
  wm_content_header *header = NULL;
  gchar kids[25]; /* base64 of one; several do not fit */
  gsize size = 0;
  if (wm_create_content_header_from_file(path, &header) < 0) return;
  if (wm_get_prop(header, WM_PROP_KIDS, NULL, kids, sizeof kids, &size) >= 0) {
    guchar *kid = g_base64_decode(kids, &size);
    file->one_key = size == sizeof file->only_kid;
    if (file->one_key) memcpy(file->only_kid, kid, size);
    g_free(kid);
  }
  wm_release(header);
}

void gst_wm_file_look(GstWmFile *file, GstPad *sink) {
  gchar *path = path_of(sink);
  gst_wm_file_clear(file);
  if (path == NULL) return;
  key_groups *groups = g_new0(key_groups, 1);
  file->broken = !read_key_groups(path, groups) && groups->is_mp4;
  file->known = groups->is_mp4;
  file->lead = key_has_clear_lead(groups);
  for (gsize i = 0; i < groups->range_count; i++)
    if (groups->ranges[i].is_locked && !groups->ranges[i].is_described) file->undescribed = TRUE;
  file->groups = groups;
  if (file->known) look_for_key(file, path);
  g_free(path);
}

void gst_wm_file_clear(GstWmFile *file) {
  if (file->groups != NULL) kg_free(file->groups);
  g_free(file->groups);
  memset(file, 0, sizeof *file);
}

gboolean gst_wm_file_rotates(const GstWmFile *file, const guint8 *kid) {
  const key_groups *groups = file->groups;
  for (gsize i = 0; groups != NULL && i < groups->count; i++)
    if (!groups->groups[i].is_protected || memcmp(groups->groups[i].kid, kid, 16) != 0) return TRUE;
  return FALSE;
}
