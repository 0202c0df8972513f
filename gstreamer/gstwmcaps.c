/* gstwmcaps.c: caps of clear and of protected streams. See gstwmcaps.h. */
#include "gstwmcaps.h"

GstCaps *gst_wm_caps_clear(GstCaps *caps) {
  GstCaps *out = gst_caps_new_empty();
  for (guint i = 0; i < gst_caps_get_size(caps); i++) {
    const GstStructure *locked = gst_caps_get_structure(caps, i);
    const gchar *original = gst_structure_get_string(locked, "original-media-type");
    if (original == NULL) { /* a template: nothing is known of what comes out */
      gst_caps_unref(out);
      return gst_caps_new_any();
    }
    GstStructure *clear = gst_structure_copy(locked);
    gst_structure_set_name(clear, original);
    gst_structure_remove_fields(clear, "original-media-type", "protection-system", "cipher-mode", "encryption-algorithm",
                                "encoding-scope", NULL);
    gst_caps_append_structure(out, clear);
  }
  return out;
}

GstCaps *gst_wm_caps_locked(GstCaps *caps, GstPad *sink) {
  static const gchar *const names[] = {"application/x-cenc", "application/x-cbcs", "application/x-webm-enc"};
  if (gst_caps_is_any(caps)) return gst_pad_get_pad_template_caps(sink);
  GstCaps *out = gst_caps_new_empty();
  for (guint i = 0; i < gst_caps_get_size(caps); i++) {
    for (guint k = 0; k < G_N_ELEMENTS(names); k++) {
      GstStructure *locked = gst_structure_copy(gst_caps_get_structure(caps, i));
      const gchar *original = g_intern_string(gst_structure_get_name(locked));
      gst_structure_set(locked, "original-media-type", G_TYPE_STRING, original, NULL);
      gst_structure_set_name(locked, names[k]);
      gst_caps_append_structure(out, locked);
    }
  }
  return out;
}
