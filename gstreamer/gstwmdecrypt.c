/* gstwmdecrypt.c: the element wmdecrypt. It decrypts, in place, what qtdemux, matroskademux and dashdemux hand on as protected,
 * with licenses of a wmlicense store. Licenses and waiting for them are in gstwmsession.c.
 */
#include "gstwmdecrypt.h"

#include "gstwmcaps.h"
#include "gstwmfile.h"
#include "gstwmsample.h"
#include "gstwmsession.h"

#include <string.h>

GST_DEBUG_CATEGORY_STATIC(wm_decrypt_debug);
#define GST_CAT_DEFAULT wm_decrypt_debug

struct _GstWmDecrypt {
  GstBaseTransform parent;
  GstWmSettings properties; /* under the object lock, as the next one is */
  GstWmSettings context;
  GstWmWaiter waiter;
  GstWmSession *session; /* the rest belongs to the streaming thread */
  guint32 scheme;        /* of the caps, as the next two are */
  gboolean webm;
  GstWmTrack track;
  GstWmCounter counter;
  GstWmFile file;        /* once a sample came whose meaning depends on it */
  gboolean looked;
  GArray *subsamples;
};

G_DEFINE_TYPE(GstWmDecrypt, gst_wm_decrypt, GST_TYPE_BASE_TRANSFORM)

enum { PROP_0, PROP_STORE_PATH, PROP_AUTHORITY, PROP_SERVICE_URL, PROP_ACCOUNT_TOKEN, PROP_SILENT_ACQUIRE, PROP_NO_CLEAR_LEAD };

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(GST_WM_SINK_CAPS));
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
  GST_OBJECT_LOCK(self);
  if (text != NULL) {
    g_free(*text);
    *text = g_value_dup_string(value);
  } else if (id == PROP_SILENT_ACQUIRE) {
    self->properties.silent_acquire = g_value_get_boolean(value);
  } else if (id == PROP_NO_CLEAR_LEAD) {
    self->properties.no_clear_lead = g_value_get_boolean(value);
  } else {
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(self);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  GstWmDecrypt *self = GST_WM_DECRYPT(object);
  gchar **text = setting(&self->properties, id);
  GST_OBJECT_LOCK(self);
  if (text != NULL) g_value_set_string(value, *text);
  else if (id == PROP_SILENT_ACQUIRE) g_value_set_boolean(value, self->properties.silent_acquire);
  else if (id == PROP_NO_CLEAR_LEAD) g_value_set_boolean(value, self->properties.no_clear_lead);
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
    gboolean silent = TRUE, no_lead = FALSE;
    gst_structure_get_boolean(structure, "silent-acquire", &silent);
    gst_structure_get_boolean(structure, "no-clear-lead", &no_lead);
    GST_OBJECT_LOCK(self);
    for (guint id = PROP_STORE_PATH; id < PROP_SILENT_ACQUIRE; id++) {
      g_free(*setting(&self->context, id));
      *setting(&self->context, id) = g_strdup(gst_structure_get_string(structure, fields[id]));
    }
    self->context.silent_acquire = silent;
    self->context.no_clear_lead = no_lead;
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

static GstCaps *transform_caps(GstBaseTransform *base, GstPadDirection from, GstCaps *caps, GstCaps *filter) {
  GstCaps *out = from == GST_PAD_SINK ? gst_wm_caps_clear(caps)
                                       : gst_wm_caps_locked(caps, GST_BASE_TRANSFORM_SINK_PAD(base));
  if (filter == NULL) return out;
  GstCaps *both = gst_caps_intersect_full(filter, out, GST_CAPS_INTERSECT_FIRST);
  gst_caps_unref(out);
  return both;
}

static gboolean set_caps(GstBaseTransform *base, GstCaps *in, GstCaps *out) {
  const GstStructure *structure = gst_caps_get_structure(in, 0);
  gboolean cbcs = gst_structure_has_name(structure, "application/x-cbcs");
  GstWmDecrypt *self = GST_WM_DECRYPT(base);
  self->scheme =
      gst_wm_scheme_named(gst_structure_get_string(structure, "cipher-mode"), cbcs ? WM_SCHEME_CBCS : WM_SCHEME_CENC);
  self->webm = gst_structure_has_name(structure, "application/x-webm-enc");
  self->track = gst_wm_track_of(structure);
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

static GstFlowReturn refuse(GstWmDecrypt *self, const guint8 *kid, const gchar *why) {
  GstWmFailure failure = {.result = WM_E_INVALID_DATA};
  g_strlcpy(failure.message, why, sizeof failure.message);
  return fail(self, FALSE, kid, &failure);
}

/* What the file says, once per stream. */
static const GstWmFile *look(GstWmDecrypt *self) {
  if (!self->looked) gst_wm_file_look(&self->file, GST_BASE_TRANSFORM_SINK_PAD(self));
  self->looked = TRUE;
  return &self->file;
}

/* Whether samples that nothing describes can be clear ones: the local file has clear sample entries, and tables of all samples
 * that it protects. */
static gboolean may_be_clear(GstWmDecrypt *self) {
  static const guint8 none[16];
  const GstWmFile *file = look(self);
  return file->known && !file->broken && file->lead && !file->undescribed && !gst_wm_file_rotates(file, none);
}

/* A buffer without a description in a stream whose caps say that it is protected. `matroskademux` leaves the signal byte (WebM
 * Encryption, 4.7) on frames that are clear; `qtdemux` describes nothing where a clear sample entry holds, and nothing where it
 * does not find the tables that it knows. */
static GstFlowReturn undescribed(GstWmDecrypt *self, GstBuffer *buffer) {
  static const guint8 none[16];
  guint8 signal;
  if (self->webm) {
    if (gst_buffer_extract(buffer, 0, &signal, 1) != 1 || signal != 0)
      return refuse(self, none, "A clear frame of WebM does not begin with the byte that says so.");
    gst_buffer_resize(buffer, 1, -1);
    return GST_FLOW_OK;
  }
  if (may_be_clear(self)) return GST_FLOW_OK;
  return refuse(self, none,
                self->file.known ? "The demuxer does not tell how a sample is encrypted that the file protects."
                            : "The demuxer does not tell whether a sample is encrypted, and there is no local file that would.");
}

/* What demuxers keep for themselves and the file tells; NULL if the description can be believed. */
static const gchar *why_not(GstWmDecrypt *self, guint8 *kid, gboolean assumed) {
  static const guint8 none[16];
  const GstWmFile *file = look(self);
  GST_OBJECT_LOCK(self);
  gboolean no_lead = self->properties.no_clear_lead || self->context.no_clear_lead;
  GST_OBJECT_UNLOCK(self);
  if (file->broken) return "The file describes its protection in a way that is not followed.";
  /* An all-zero key ID says that the key is named elsewhere. */
  if (memcmp(kid, none, 16) == 0 && file->one_key) memcpy(kid, file->only_kid, 16);
  /* Demuxers do not read groups, and hand on a fragment's header before the last sample of the one before. */
  if (memcmp(kid, none, 16) == 0 || gst_wm_file_rotates(file, kid))
    return "The keys rotate, and the demuxer does not tell which one a sample has.";
  if (assumed && self->track.kind != GST_WM_TONE && !file->lead)
    return "The demuxer does not tell how a picture is encrypted.";
  if (assumed && (self->track.kind != GST_WM_TONE || file->lead))
    return "The beginning is clear, and the demuxer does not tell which samples are.";
  if (assumed && !file->known && !no_lead)
    return "The demuxer does not tell whether the beginning is clear. If it is not, set no-clear-lead.";
  return NULL;
}

static GstFlowReturn decrypt(GstWmDecrypt *self, GstBuffer *buffer, const guint8 *kid, const wm_sample *sample) {
  GstWmFailure failure = {.result = WM_E_INVALID_DATA, .message = "An encrypted buffer cannot be written to."};
  GstMapInfo map;
  if (self->session == NULL && !open_session(self, &failure)) return fail(self, TRUE, kid, &failure);
  wm_decryptor *decryptor = gst_wm_session_decryptor(self->session, kid, &self->waiter, tell, self, &failure);
  if (decryptor == NULL) return fail(self, TRUE, kid, &failure);
  if (!gst_buffer_map(buffer, &map, GST_MAP_READWRITE)) return fail(self, FALSE, kid, &failure);
  wm_result result = wm_decrypt_sample(decryptor, sample, map.data, map.size);
  if (result < 0) gst_wm_failure_set(&failure, result);
  gst_buffer_unmap(buffer, &map);
  return result < 0 ? fail(self, failure.category == WM_CATEGORY_RIGHTS, kid, &failure) : GST_FLOW_OK;
}

static GstFlowReturn transform_ip(GstBaseTransform *base, GstBuffer *buffer) {
  GstWmDecrypt *self = GST_WM_DECRYPT(base);
  GstProtectionMeta *meta = gst_buffer_get_protection_meta(buffer);
  guint8 kid[16] = {0}, iv[16];
  gboolean encrypted = TRUE;
  wm_sample sample = {.struct_size = sizeof sample, .iv = iv, .scheme = self->scheme};
  if (GST_BUFFER_IS_DISCONT(buffer)) memset(&self->counter, 0, sizeof self->counter);
  if (meta == NULL) return undescribed(self, buffer);
  if (gst_structure_get_boolean(meta->info, "encrypted", &encrypted) && !encrypted) return GST_FLOW_OK;
  gboolean assumed = gst_wm_sample_is_assumed(meta->info);
  /* Pictures of which parts are encrypted keep their structure: it only tells clear ones from those encrypted as a whole. */
  if (!assumed || !gst_wm_track_shows_clear(&self->track, buffer) || !may_be_clear(self)) {
    if (!gst_wm_sample_read(meta->info, kid, iv, &sample, self->subsamples))
      return refuse(self, kid, "The description of an encrypted buffer is broken.");
    const gchar *why = why_not(self, kid, assumed);
    if (why != NULL) return refuse(self, kid, why);
    gboolean all = (base->segment.flags & GST_SEGMENT_FLAG_TRICKMODE) == 0;
    if (self->webm && !gst_wm_counter_follows(&self->counter, iv, sample.subsample_count > 0) && all)
      return refuse(self, kid, "Frames of this WebM are missing before this one: the demuxer drops those without partitions.");
    GstFlowReturn flow = decrypt(self, buffer, kid, &sample);
    if (flow != GST_FLOW_OK) return flow;
  }
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
    case GST_EVENT_FLUSH_STOP:
      memset(&self->counter, 0, sizeof self->counter);
      gst_wm_waiter_resume(&self->waiter);
      break;
    case GST_EVENT_STREAM_START:
      memset(&self->counter, 0, sizeof self->counter);
      self->looked = FALSE;
      break;
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
  gst_wm_file_clear(&self->file);
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
  g_object_class_install_property(
      object, PROP_NO_CLEAR_LEAD,
      g_param_spec_boolean("no-clear-lead", "no-clear-lead",
                           "Promise that tones without data for each sample are encrypted from the first sample on", FALSE,
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
