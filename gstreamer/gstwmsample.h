/* gstwmsample.h: how a buffer is encrypted, read from what demuxers attach to it. */
#ifndef GST_WM_SAMPLE_H
#define GST_WM_SAMPLE_H

#include <gst/gst.h>
#include <wmlicense.h>

G_BEGIN_DECLS

/* The scheme that a cipher mode of caps or buffers names (WM_SCHEME_*). */
guint32 gst_wm_scheme_named(const gchar *mode, guint32 otherwise);

/* What the caps tell of the frames of a track. */
typedef struct GstWmTrack {
  enum { GST_WM_OTHER, GST_WM_TONE, GST_WM_NALS, GST_WM_VP9 } kind;
  guint nal_length; /* bytes of the length before each unit */
} GstWmTrack;

/* The initialization vectors of a WebM track, which packagers count. Begins zeroed; to be zeroed where frames may be left out. */
typedef struct GstWmCounter {
  gboolean begun, partitioned;
  guint64 last;
} GstWmCounter;

GstWmTrack gst_wm_track_of(const GstStructure *caps);

/* Whether a picture that is said to be encrypted as a whole shows that it is not: all of it has the structure of its format.
 * (Common Encryption leaves the headers of pictures clear, so nothing is ever encrypted as a whole.) False for a tone, which
 * has no such structure. */
gboolean gst_wm_track_shows_clear(const GstWmTrack *track, GstBuffer *buffer);

/* Whether this frame of a WebM track follows the one before it, as far as its vector tells. */
gboolean gst_wm_counter_follows(GstWmCounter *counter, const guint8 *iv, gboolean partitioned);

/* Whether the description comes from the sample entry alone: then nothing says that this very sample is encrypted. */
gboolean gst_wm_sample_is_assumed(const GstStructure *info);

/* Reads the structure of a GstProtectionMeta; sample->scheme holds that of the caps before. kid and iv have 16 bytes;
 * the ranges of the sample are kept in `subsamples`, an array of wm_subsample. False if something is missing or wrong. */
gboolean gst_wm_sample_read(const GstStructure *info, guint8 *kid, guint8 *iv, wm_sample *sample, GArray *subsamples);

G_END_DECLS

#endif
