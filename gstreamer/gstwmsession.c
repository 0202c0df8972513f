/* gstwmsession.c: a license store as one pipeline uses it. See gstwmsession.h. */
#include "gstwmsession.h"

struct GstWmSession {
  guint users;            /* under sessions_lock, as the list is */
  gconstpointer pipeline; /* compared, never followed */
  GstWmSettings settings; /* never changes */
  wm_client *client;
  gboolean acquiring;     /* under wait_lock; one track asks at a time, the others find its license in the store */
  GMutex lock;            /* of the table */
  GHashTable *decryptors; /* GBytes of the key ID to wm_decryptor */
};

/* The open sessions of the process. Tracks of one pipeline share theirs, and so one use of a license that counts. */
static GMutex sessions_lock;
static GList *sessions;

/* What waiting threads look at; never held while anything takes time. */
static GMutex wait_lock;
static GCond wait_changed;

void gst_wm_failure_set(GstWmFailure *failure, wm_result result) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  gboolean detailed = wm_get_error_info(&info) == 0 && info.result == result;
  failure->result = result;
  failure->category = detailed ? info.category : WM_CATEGORY_NONE;
  failure->remedy = detailed ? info.remedy : WM_REMEDY_NONE;
  g_strlcpy(failure->message, detailed ? info.message : wm_result_message(result), sizeof failure->message);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void copy_settings(GstWmSettings *to, const GstWmSettings *from) {
  to->store_path = g_strdup(from->store_path);
  to->authority = g_strdup(from->authority);
  to->service_url = g_strdup(from->service_url);
  to->account_token = g_strdup(from->account_token);
  to->silent_acquire = from->silent_acquire;
}

static void clear_settings(GstWmSettings *settings) {
  g_free(settings->store_path);
  g_free(settings->authority);
  g_free(settings->service_url);
  g_free(settings->account_token);
}

static gboolean same_settings(const GstWmSettings *a, const GstWmSettings *b) {
  return g_strcmp0(a->store_path, b->store_path) == 0 && g_strcmp0(a->authority, b->authority) == 0 &&
         g_strcmp0(a->service_url, b->service_url) == 0 && g_strcmp0(a->account_token, b->account_token) == 0 &&
         a->silent_acquire == b->silent_acquire;
}

static wm_result open_client(const GstWmSettings *settings, wm_client **out) {
  wm_client *client = NULL;
  wm_result result = wm_create_client(&client);
  if (result >= 0) result = wm_set_string_prop(client, WM_PROP_STORE_PATH, settings->store_path);
  if (result >= 0) result = wm_set_string_prop(client, WM_PROP_AUTHORITY, settings->authority);
  if (result >= 0 && settings->service_url != NULL)
    result = wm_set_string_prop(client, WM_PROP_SERVICE_URL, settings->service_url);
  if (result >= 0 && settings->account_token != NULL)
    result = wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, settings->account_token);
  if (result >= 0) result = wm_open_client(client);
  if (result >= 0) *out = client;
  return result;
}

static void free_session(GstWmSession *session) {
  g_hash_table_unref(session->decryptors);
  wm_release(session->client);
  clear_settings(&session->settings);
  g_mutex_clear(&session->lock);
  g_free(session);
}

static void release_object(gpointer object) { wm_release(object); }

GstWmSession *gst_wm_session_open(gconstpointer pipeline, const GstWmSettings *settings, GstWmFailure *failure) {
  GstWmSession *session = NULL;
  g_mutex_lock(&sessions_lock);
  for (GList *item = sessions; item != NULL && session == NULL; item = item->next) {
    GstWmSession *open = item->data;
    if (open->pipeline == pipeline && same_settings(&open->settings, settings)) session = open;
  }
  if (session == NULL) {
    wm_client *client = NULL;
    wm_result result = open_client(settings, &client);
    if (result < 0) {
      gst_wm_failure_set(failure, result);
    } else {
      session = g_new0(GstWmSession, 1);
      session->pipeline = pipeline;
      session->client = client;
      copy_settings(&session->settings, settings);
      g_mutex_init(&session->lock);
      session->decryptors =
          g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, release_object);
      sessions = g_list_prepend(sessions, session);
    }
  }
  if (session != NULL) session->users++;
  g_mutex_unlock(&sessions_lock);
  return session;
}

void gst_wm_session_close(GstWmSession *session) {
  g_mutex_lock(&sessions_lock);
  gboolean last = --session->users == 0;
  if (last) sessions = g_list_remove(sessions, session);
  g_mutex_unlock(&sessions_lock);
  if (last) free_session(session);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

void gst_wm_waiter_cancel(GstWmWaiter *waiter) {
  g_mutex_lock(&wait_lock);
  waiter->cancelled = TRUE;
  if (waiter->operation != NULL) wm_cancel(waiter->operation); /* never waits */
  g_cond_broadcast(&wait_changed);
  g_mutex_unlock(&wait_lock);
}

void gst_wm_waiter_resume(GstWmWaiter *waiter) {
  g_mutex_lock(&wait_lock);
  waiter->cancelled = FALSE;
  g_mutex_unlock(&wait_lock);
}

/* Makes an operation the one that gst_wm_waiter_cancel ends, NULL for none. False after it was cancelled. */
static gboolean watch(GstWmWaiter *waiter, void *operation) {
  g_mutex_lock(&wait_lock);
  waiter->operation = operation;
  gboolean fine = !waiter->cancelled;
  g_mutex_unlock(&wait_lock);
  return fine;
}

/* Waits for an operation that was started. */
static wm_result finish(GstWmWaiter *waiter, void *operation) {
  wm_result outcome = 0;
  if (!watch(waiter, operation)) wm_cancel(operation);
  wm_result result = wm_wait(operation, WM_INFINITE, &outcome);
  watch(waiter, NULL);
  return result < 0 ? result : outcome;
}

/* Waits until no other track of the session acquires. False after it was cancelled. */
static gboolean begin_acquiring(GstWmSession *session, GstWmWaiter *waiter) {
  g_mutex_lock(&wait_lock);
  while (session->acquiring && !waiter->cancelled) g_cond_wait(&wait_changed, &wait_lock);
  gboolean fine = !waiter->cancelled;
  if (fine) session->acquiring = TRUE;
  g_mutex_unlock(&wait_lock);
  return fine;
}

static void end_acquiring(GstWmSession *session) {
  g_mutex_lock(&wait_lock);
  session->acquiring = FALSE;
  g_cond_broadcast(&wait_changed);
  g_mutex_unlock(&wait_lock);
}

/* --- licenses ----------------------------------------------------------------------------------------------------- */

static wm_result individualize(GstWmSession *session, GstWmWaiter *waiter) {
  wm_individualizer *individualizer = NULL;
  wm_result result = wm_create_individualizer(session->client, NULL, NULL, &individualizer);
  /* The application asked its user before it allowed silent acquisition. */
  if (result >= 0) result = wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true);
  if (result >= 0) result = wm_individualize(individualizer, 0); /* does nothing where the device is current */
  if (result >= 0) result = finish(waiter, individualizer);
  wm_release(individualizer);
  return result;
}

static wm_result acquire(GstWmSession *session, const guint8 *kid, GstWmWaiter *waiter) {
  wm_license_request *request = NULL;
  gchar *key_id = g_base64_encode(kid, 16);
  wm_result result = individualize(session, waiter);
  if (result >= 0) result = wm_create_license_request(session->client, NULL, NULL, &request);
  if (result >= 0) result = wm_set_string_prop(request, WM_PROP_KEY_IDS, key_id);
  if (result >= 0) result = wm_acquire_license(request, WM_ACQUIRE_SILENT);
  if (result >= 0) result = finish(waiter, request);
  wm_release(request);
  g_free(key_id);
  return result >= 0 && !WM_LICENSE_STORED(result) ? WM_E_OPERATION_CANCELED : result;
}

/* A decryptor that another track opened, or one from a license of the store. */
static wm_result find_decryptor(GstWmSession *session, const guint8 *kid, wm_decryptor **out) {
  wm_result result = 0;
  GBytes *key = g_bytes_new(kid, 16);
  g_mutex_lock(&session->lock);
  wm_decryptor *decryptor = g_hash_table_lookup(session->decryptors, key);
  if (decryptor == NULL) {
    result = wm_create_decryptor(session->client, kid, "Play", &decryptor);
    if (result >= 0) g_hash_table_insert(session->decryptors, g_bytes_ref(key), decryptor);
  }
  g_mutex_unlock(&session->lock);
  g_bytes_unref(key);
  *out = decryptor;
  return result;
}

static gboolean may_acquire(const GstWmSession *session, const GstWmFailure *failure) {
  return session->settings.silent_acquire && session->settings.service_url != NULL &&
         (failure->remedy == WM_REMEDY_REACQUIRE || failure->remedy == WM_REMEDY_RENEW ||
          failure->remedy == WM_REMEDY_INDIVIDUALIZE);
}

wm_decryptor *gst_wm_session_decryptor(GstWmSession *session, const guint8 *kid, GstWmWaiter *waiter, GstWmTell tell,
                                       gpointer element, GstWmFailure *failure) {
  wm_decryptor *decryptor = NULL;
  wm_result result = find_decryptor(session, kid, &decryptor);
  if (result >= 0) return decryptor;
  gst_wm_failure_set(failure, result);
  if (!may_acquire(session, failure)) return NULL;
  tell(element, "license-missing", kid, failure);
  if (!begin_acquiring(session, waiter)) {
    gst_wm_failure_set(failure, WM_E_OPERATION_CANCELED);
    return NULL;
  }
  result = find_decryptor(session, kid, &decryptor); /* what another track acquired meanwhile */
  if (result < 0) {
    result = acquire(session, kid, waiter);
    if (result >= 0) {
      tell(element, "license-acquired", kid, NULL);
      result = find_decryptor(session, kid, &decryptor);
    }
  }
  /* Before anything else is called, for the thread's detail is that of its last failure. */
  if (result < 0) gst_wm_failure_set(failure, result);
  end_acquiring(session);
  return result < 0 ? NULL : decryptor;
}
