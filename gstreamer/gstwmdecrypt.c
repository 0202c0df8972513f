/* gstwmdecrypt.c: the element wmdecrypt. It decrypts, in place, what qtdemux, matroskademux and dashdemux hand on as protected,
 * with licenses of a wmlicense store. Licenses and waiting for them are in gstwmsession.c.
 */
#include "gstwmdecrypt.h"

#include "gstwmsample.h"
#include "gstwmsession.h"

#include <string.h>

GST_DEBUG_CATEGORY_STATIC(wm_decrypt_debug);
#define GST_CAT_DEFAULT wm_decrypt_debug

#define CENC(system) "application/x-cenc, protection-system=(string)" system "; "

/* Whatever a header names, licenses go by key ID: so streams count as ours that name this project's system, the common one,
 * or another that the content's owner serves too. GStreamer looks for one structure for each; the last ones take streams
 * that name no system. The rank is below that of an element made for such a system. */
#define SINK_CAPS                                                        \
  CENC("12a7e563-e111-4055-b7d8-957152b8d2fe") /* wmlicense */           \
  CENC("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b") /* W3C common */          \
  CENC("e2719d58-a985-b3c9-781a-b030af78d30e") /* Clear Key, DASH-IF */  \
  CENC("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed") /* Widevine */            \
  CENC("9a04f079-9840-4286-ab92-e65be0885f95") /* PlayReady */           \
  CENC("94ce86fb-07ff-4f43-adb8-93d2fa968ca2") /* FairPlay */            \
  "application/x-cenc; application/x-cbcs; application/x-webm-enc"

struct _GstWmDecrypt {
  GstBaseTransform parent;
  GstWmSettings properties; /* under the object lock, as the next one is */
  GstWmSettings context;
  GstWmWaiter waiter;
  GstWmSession *session; /* the rest belongs to the streaming thread */
  guint32 scheme;        /* of the caps */
  GArray *subsamples;
};

G_DEFINE_TYPE(GstWmDecrypt, gst_wm_decrypt, GST_TYPE_BASE_TRANSFORM)

enum { PROP_0, PROP_STORE_PATH, PROP_AUTHORITY, PROP_SERVICE_URL, PROP_ACCOUNT_TOKEN, PROP_SILENT_ACQUIRE };

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(SINK_CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

/* --- configuration ------------------------------------------------------------------------------------------------ */

static gchar **setting(GstWmSettings *settings, guint id) {
  switch (id) {
    case PROP_STORE_PATH: return &settings->store_path;
    case PROP_AUTHORITY: return &settings->authority;
    case PROP_SERVICE_URL: return &settings->service_url;
    case PROP_ACCOUNT_TOKEN: return &settings->account_token;
    default: return NULL;
  }
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  GstWmDecrypt *self = GST_WM_DECRYPT(object);
  gchar **text = setting(&self->properties, id);
  if (text == NULL && id != PROP_SILENT_ACQUIRE) {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    return;
  }
  GST_OBJECT_LOCK(self);
  if (text != NULL) {
    g_free(*text);
    *text = g_value_dup_string(value);
  } else {
    self->properties.silent_acquire = g_value_get_boolean(value);
  }
  GST_OBJECT_UNLOCK(self);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  GstWmDecrypt *self = GST_WM_DECRYPT(object);
  gchar **text = setting(&self->properties, id);
  GST_OBJECT_LOCK(self);
  if (text != NULL) g_value_set_string(value, *text);
  else if (id == PROP_SILENT_ACQUIRE) g_value_set_boolean(value, self->properties.silent_acquire);
  else G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  GST_OBJECT_UNLOCK(self);
}

static void set_context(GstElement *element, GstContext *context) {
  static const gchar *const fields[] = {
      [PROP_STORE_PATH] = "store-path", [PROP_AUTHORITY] = "authority",
      [PROP_SERVICE_URL] = "service-url", [PROP_ACCOUNT_TOKEN] = "account-token"};
  GstWmDecrypt *self = GST_WM_DECRYPT(element);
  if (gst_context_has_context_type(context, GST_WM_CONTEXT_TYPE)) {
    const GstStructure *structure = gst_context_get_structure(context);
    gboolean silent = TRUE;
    gst_structure_get_boolean(structure, "silent-acquire", &silent);
    GST_OBJECT_LOCK(self);
    for (guint id = PROP_STORE_PATH; id < PROP_SILENT_ACQUIRE; id++) {
      g_free(*setting(&self->context, id));
      *setting(&self->context, id) = g_strdup(gst_structure_get_string(structure, fields[id]));
    }
    self->context.silent_acquire = silent;
    GST_OBJECT_UNLOCK(self);
  }
  GST_ELEMENT_CLASS(gst_wm_decrypt_parent_class)->set_context(element, context);
}

static const gchar *first_of(const gchar *property, const gchar *context, const gchar *variable) {
  const gchar *text = property != NULL ? property : context != NULL ? context : g_getenv(variable);
  return text != NULL && *text != '\0' ? text : NULL;
}

/* Opens the session when the first protected buffer comes, so that a player which only tries elements opens nothing. */
static gboolean open_session(GstWmDecrypt *self, GstWmFailure *failure) {
  GstObject *top = gst_object_ref(self);
  for (GstObject *parent; (parent = gst_object_get_parent(top)) != NULL; top = parent) gst_object_unref(top);
  GST_OBJECT_LOCK(self);
  gboolean asked = self->properties.store_path == NULL && self->context.store_path == NULL;
  GST_OBJECT_UNLOCK(self);
  /* Answered, if at all, before this returns: by a bin that knows, or by a handler that the application has on the bus. */
  if (asked)
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_need_context(GST_OBJECT(self), GST_WM_CONTEXT_TYPE));
  GST_OBJECT_LOCK(self);
  GstWmSettings *properties = &self->properties, *context = &self->context;
  GstWmSettings settings = {
      .store_path = g_strdup(first_of(properties->store_path, context->store_path, "WMLICENSE_STORE_PATH")),
      .authority = g_strdup(first_of(properties->authority, context->authority, "WMLICENSE_AUTHORITY")),
      .service_url = g_strdup(first_of(properties->service_url, context->service_url, "WMLICENSE_SERVICE_URL")),
      .account_token = g_strdup(first_of(properties->account_token, context->account_token, "WMLICENSE_ACCOUNT_TOKEN")),
      .silent_acquire = properties->silent_acquire && context->silent_acquire};
  GST_OBJECT_UNLOCK(self);
  if (settings.store_path == NULL || settings.authority == NULL) {
    failure->result = WM_E_INVALID_PROPERTY;
    g_strlcpy(failure->message, "The license store and the authority to trust are not set.", sizeof failure->message);
  } else {
    self->session = gst_wm_session_open(top, &settings, failure);
  }
  for (guint id = PROP_STORE_PATH; id < PROP_SILENT_ACQUIRE; id++) g_free(*setting(&settings, id));
  gst_object_unref(top);
  return self->session != NULL;
}

/* --- caps --------------------------------------------------------------------------------------------------------- */

static GstCaps *clear_caps(GstCaps *caps) {
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

static GstCaps *locked_caps(GstWmDecrypt *self, GstCaps *caps) {
  static const gchar *const names[] = {"application/x-cenc", "application/x-cbcs", "application/x-webm-enc"};
  if (gst_caps_is_any(caps)) return gst_pad_get_pad_template_caps(GST_BASE_TRANSFORM_SINK_PAD(self));
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

static GstCaps *transform_caps(GstBaseTransform *base, GstPadDirection from, GstCaps *caps, GstCaps *filter) {
  GstCaps *out = from == GST_PAD_SINK ? clear_caps(caps) : locked_caps(GST_WM_DECRYPT(base), caps);
  if (filter == NULL) return out;
  GstCaps *both = gst_caps_intersect_full(filter, out, GST_CAPS_INTERSECT_FIRST);
  gst_caps_unref(out);
  return both;
}

static gboolean set_caps(GstBaseTransform *base, GstCaps *in, GstCaps *out) {
  const GstStructure *structure = gst_caps_get_structure(in, 0);
  gboolean cbcs = gst_structure_has_name(structure, "application/x-cbcs");
  GST_WM_DECRYPT(base)->scheme =
      gst_wm_scheme_named(gst_structure_get_string(structure, "cipher-mode"), cbcs ? WM_SCHEME_CBCS : WM_SCHEME_CENC);
  GST_DEBUG_OBJECT(base, "%" GST_PTR_FORMAT " becomes %" GST_PTR_FORMAT, (gpointer)in, (gpointer)out);
  return TRUE;
}

/* --- streaming ---------------------------------------------------------------------------------------------------- */

/* An element message `wmlicense` for applications that show what goes on. */
static void tell(gpointer element, const gchar *what, const guint8 *kid, const GstWmFailure *failure) {
  gchar *key_id = g_base64_encode(kid, 16);
  GST_INFO_OBJECT(element, "%s: key ID %s", what, key_id);
  GstStructure *structure = gst_structure_new("wmlicense", "status", G_TYPE_STRING, what, "key-id", G_TYPE_STRING, key_id, NULL);
  if (failure != NULL)
    gst_structure_set(structure, "result", G_TYPE_STRING, wm_result_name(failure->result), "remedy", G_TYPE_UINT,
                      failure->remedy, "message", G_TYPE_STRING, failure->message, NULL);
  gst_element_post_message(element, gst_message_new_element(GST_OBJECT(element), structure));
  g_free(key_id);
}

/* Posts the library's sentence, unless it is the answer to a flush or a stop. */
static GstFlowReturn fail(GstWmDecrypt *self, gboolean no_key, const guint8 *kid, const GstWmFailure *failure) {
  if (failure->result == WM_E_OPERATION_CANCELED) return GST_FLOW_FLUSHING;
  const gchar *name = wm_result_name(failure->result);
  gchar *key_id = g_base64_encode(kid, 16);
  if (failure->result == WM_E_INVALID_PROPERTY)
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("%s", failure->message),
                      ("%s; see the properties store-path and authority", name));
  else if (no_key)
    GST_ELEMENT_ERROR(self, STREAM, DECRYPT_NOKEY, ("%s", failure->message), ("%s, key ID %s", name, key_id));
  else
    GST_ELEMENT_ERROR(self, STREAM, DECRYPT, ("%s", failure->message), ("%s, key ID %s", name, key_id));
  g_free(key_id);
  return GST_FLOW_ERROR;
}

static GstFlowReturn transform_ip(GstBaseTransform *base, GstBuffer *buffer) {
  static const guint8 none[16];
  GstWmDecrypt *self = GST_WM_DECRYPT(base);
  GstProtectionMeta *meta = gst_buffer_get_protection_meta(buffer);
  GstWmFailure failure = {.result = WM_E_INVALID_DATA, .message = "The description of an encrypted buffer is broken."};
  guint8 kid[16] = {0}, iv[16];
  gboolean encrypted = TRUE;
  GstMapInfo map;
  wm_sample sample = {.struct_size = sizeof sample, .iv = iv, .scheme = self->scheme};
  if (meta == NULL) return GST_FLOW_OK;
  if (gst_structure_get_boolean(meta->info, "encrypted", &encrypted) && !encrypted) return GST_FLOW_OK;
  if (!gst_wm_sample_read(meta->info, kid, iv, &sample, self->subsamples)) return fail(self, FALSE, kid, &failure);
  if (memcmp(kid, none, 16) == 0) {
    /* Demuxers do not read the groups that tell, and hand on a fragment's header before the last sample of the one before. */
    g_strlcpy(failure.message, "The keys rotate, and the demuxer does not tell which one a sample has.", sizeof failure.message);
    return fail(self, FALSE, kid, &failure);
  }
  if (self->session == NULL && !open_session(self, &failure)) return fail(self, TRUE, kid, &failure);
  wm_decryptor *decryptor = gst_wm_session_decryptor(self->session, kid, &self->waiter, tell, self, &failure);
  if (decryptor == NULL) return fail(self, TRUE, kid, &failure);
  if (!gst_buffer_map(buffer, &map, GST_MAP_READWRITE)) return fail(self, FALSE, kid, &failure);
  wm_result result = wm_decrypt_sample(decryptor, &sample, map.data, map.size);
  if (result < 0) gst_wm_failure_set(&failure, result);
  gst_buffer_unmap(buffer, &map);
  if (result < 0) return fail(self, failure.category == WM_CATEGORY_RIGHTS, kid, &failure);
  gst_buffer_remove_meta(buffer, (GstMeta *)meta);
  return GST_FLOW_OK;
}

static gboolean sink_event(GstBaseTransform *base, GstEvent *event) {
  GstWmDecrypt *self = GST_WM_DECRYPT(base);
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_PROTECTION:
      /* The key ID stands with each buffer, and nobody behind this element decrypts. */
      GST_DEBUG_OBJECT(self, "not needed: %" GST_PTR_FORMAT, (gpointer)event);
      gst_event_unref(event);
      return TRUE;
    case GST_EVENT_FLUSH_START: gst_wm_waiter_cancel(&self->waiter); break;
    case GST_EVENT_FLUSH_STOP: gst_wm_waiter_resume(&self->waiter); break;
    default: break;
  }
  return GST_BASE_TRANSFORM_CLASS(gst_wm_decrypt_parent_class)->sink_event(base, event);
}

static gboolean start(GstBaseTransform *base) {
  gst_wm_waiter_resume(&GST_WM_DECRYPT(base)->waiter);
  return TRUE;
}

static gboolean stop(GstBaseTransform *base) {
  GstWmDecrypt *self = GST_WM_DECRYPT(base);
  if (self->session != NULL) gst_wm_session_close(self->session);
  self->session = NULL;
  return TRUE;
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition) {
  /* Before the pads stop: that waits for the streaming thread, which may wait for a license. */
  if (transition == GST_STATE_CHANGE_PAUSED_TO_READY) gst_wm_waiter_cancel(&GST_WM_DECRYPT(element)->waiter);
  return GST_ELEMENT_CLASS(gst_wm_decrypt_parent_class)->change_state(element, transition);
}

static void finalize(GObject *object) {
  GstWmDecrypt *self = GST_WM_DECRYPT(object);
  for (guint id = PROP_STORE_PATH; id < PROP_SILENT_ACQUIRE; id++) {
    g_free(*setting(&self->properties, id));
    g_free(*setting(&self->context, id));
  }
  g_array_unref(self->subsamples);
  G_OBJECT_CLASS(gst_wm_decrypt_parent_class)->finalize(object);
}

static void gst_wm_decrypt_init(GstWmDecrypt *self) {
  self->properties.silent_acquire = self->context.silent_acquire = TRUE;
  self->subsamples = g_array_new(FALSE, FALSE, sizeof(wm_subsample));
  gst_base_transform_set_in_place(GST_BASE_TRANSFORM(self), TRUE);
}

static void class_text(GObjectClass *class, guint id, const gchar *name, const gchar *blurb, GParamFlags flags) {
  flags |= G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  g_object_class_install_property(class, id, g_param_spec_string(name, name, blurb, NULL, flags));
}

static void gst_wm_decrypt_class_init(GstWmDecryptClass *class) {
  GObjectClass *object = G_OBJECT_CLASS(class);
  GstElementClass *element = GST_ELEMENT_CLASS(class);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS(class);
  object->set_property = set_property;
  object->get_property = get_property;
  object->finalize = finalize;
  class_text(object, PROP_STORE_PATH, "store-path", "Folder of the license store", G_PARAM_READWRITE);
  class_text(object, PROP_AUTHORITY, "authority", "Authority to trust, as `wmlicensed init` printed it", G_PARAM_READWRITE);
  class_text(object, PROP_SERVICE_URL, "service-url", "License service, for what the store lacks", G_PARAM_READWRITE);
  class_text(object, PROP_ACCOUNT_TOKEN, "account-token", "Token of the account at the service", G_PARAM_WRITABLE);
  g_object_class_install_property(
      object, PROP_SILENT_ACQUIRE,
      g_param_spec_boolean("silent-acquire", "silent-acquire",
                           "Acquire missing licenses, and individualize the device: ask the user before", TRUE,
                           G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
  gst_element_class_add_static_pad_template(element, &sink_template);
  gst_element_class_add_static_pad_template(element, &src_template);
  gst_element_class_set_static_metadata(element, "wmlicense decryptor", GST_ELEMENT_FACTORY_KLASS_DECRYPTOR "/Audio/Video",
                                        "Decrypts Common Encryption with licenses of a wmlicense store", "wmlicense");
  element->set_context = set_context;
  element->change_state = change_state;
  base->transform_caps = transform_caps;
  base->set_caps = set_caps;
  base->transform_ip = transform_ip;
  base->sink_event = sink_event;
  base->start = start;
  base->stop = stop;
  GST_DEBUG_CATEGORY_INIT(wm_decrypt_debug, "wmdecrypt", 0, "wmlicense decryptor");
}

static gboolean plugin_init(GstPlugin *plugin) {
  return gst_element_register(plugin, "wmdecrypt", GST_RANK_SECONDARY, GST_TYPE_WM_DECRYPT);
}

#define PACKAGE "wmlicense"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, wmlicense, "Decryption with wmlicense licenses", plugin_init,
                  "0.1.0", "MIT/X11", "wmlicense", "wmlicense")
