/* gstwmfile.h: what demuxers do not pass on, read from the file itself. */
#ifndef GST_WM_FILE_H
#define GST_WM_FILE_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* What a file says of its protection. Begins zeroed. */
typedef struct GstWmFile {
  gboolean known;       /* a local MP4; of others nothing is known */
  gboolean broken;      /* it cannot be read, or not followed; then nothing else is known */
  gboolean lead;        /* a track has clear sample entries too */
  gboolean undescribed; /* protected samples without the tables that demuxers read */
  gboolean one_key;     /* exactly one key ID is named anywhere in it: */
  guint8 only_kid[16];
  gpointer groups; /* key_groups */
} GstWmFile;

/* Looks at the file that the elements before this pad play. Reads headers only. */
void gst_wm_file_look(GstWmFile *file, GstPad *sink);
void gst_wm_file_clear(GstWmFile *file);

/* Whether sample groups end the protection, or have keys beside this one, the key of a sample entry. */
gboolean gst_wm_file_rotates(const GstWmFile *file, const guint8 *kid);

G_END_DECLS

#endif
