/* gstwmfile.h: what demuxers do not pass on, read from the file itself. */
#ifndef GST_WM_FILE_H
#define GST_WM_FILE_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* How samples of an MP4 come to be protected differently than its sample entry says. */
typedef enum GstWmFile {
  GST_WM_FILE_UNKNOWN, /* not a local file, or none that can be read: nothing is known */
  GST_WM_FILE_PLAIN,   /* every sample is protected as the one sample entry of its track says */
  GST_WM_FILE_LEAD,    /* a track has clear sample entries too */
  GST_WM_FILE_GROUPS,  /* sample groups have other key IDs, or end the protection */
} GstWmFile;

/* Looks at the file that the elements before this pad play; kid is the key ID of its sample entry. Reads headers only. */
GstWmFile gst_wm_file_look(GstPad *sink, const guint8 *kid);

G_END_DECLS

#endif
