/* gstwmsample.h: how a buffer is encrypted, read from what demuxers attach to it. */
#ifndef GST_WM_SAMPLE_H
#define GST_WM_SAMPLE_H

#include <gst/gst.h>
#include <wmlicense.h>

G_BEGIN_DECLS

/* The scheme that a cipher mode of caps or buffers names (WM_SCHEME_*). */
guint32 gst_wm_scheme_named(const gchar *mode, guint32 otherwise);

/* Reads the structure of a GstProtectionMeta; sample->scheme holds that of the caps before. kid and iv have 16 bytes;
 * the ranges of the sample are kept in `subsamples`, an array of wm_subsample. False if something is missing or wrong. */
gboolean gst_wm_sample_read(const GstStructure *info, guint8 *kid, guint8 *iv, wm_sample *sample, GArray *subsamples);

G_END_DECLS

#endif
