/* gstwmdecrypt.h: the type of the element, and the system IDs under which streams are its own. */
#ifndef GST_WM_DECRYPT_H
#define GST_WM_DECRYPT_H

#include <gst/base/gstbasetransform.h>

G_BEGIN_DECLS

#define GST_TYPE_WM_DECRYPT (gst_wm_decrypt_get_type())
G_DECLARE_FINAL_TYPE(GstWmDecrypt, gst_wm_decrypt, GST, WM_DECRYPT, GstBaseTransform)

/* The context by which an application configures elements that it did not make. Its structure has the fields that the
 * element has as properties. */
#define GST_WM_CONTEXT_TYPE "wmlicense"

G_END_DECLS

#endif
