/* gstwmcaps.h: which streams are taken, and how the caps of clear and of protected streams belong together. */
#ifndef GST_WM_CAPS_H
#define GST_WM_CAPS_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_WM_CENC(system) "application/x-cenc, protection-system=(string)" system "; "

/* Whatever a header names, licenses go by key ID: so streams count as ours that name this project's system, the common one,
 * or another that the content's owner serves too. GStreamer looks for one structure for each; the last ones take streams
 * that name no system. The rank is below that of an element made for such a system. */
#define GST_WM_SINK_CAPS                                                        \
  GST_WM_CENC("12a7e563-e111-4055-b7d8-957152b8d2fe") /* wmlicense */           \
  GST_WM_CENC("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b") /* W3C common */          \
  GST_WM_CENC("e2719d58-a985-b3c9-781a-b030af78d30e") /* Clear Key, DASH-IF */  \
  GST_WM_CENC("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed") /* Widevine */            \
  GST_WM_CENC("9a04f079-9840-4286-ab92-e65be0885f95") /* PlayReady */           \
  GST_WM_CENC("94ce86fb-07ff-4f43-adb8-93d2fa968ca2") /* FairPlay */            \
  "application/x-cenc; application/x-cbcs; application/x-webm-enc"

/* What comes out for what goes in. */
GstCaps *gst_wm_caps_clear(GstCaps *caps);

/* What may go in, for what is to come out; `sink` has the template. */
GstCaps *gst_wm_caps_locked(GstCaps *caps, GstPad *sink);

G_END_DECLS

#endif
