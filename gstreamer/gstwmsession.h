/* gstwmsession.h: a license store as one pipeline uses it: its decryptors, shared by all tracks, and silent acquisition that
 * can be interrupted. Nothing here knows buffers or caps.
 */
#ifndef GST_WM_SESSION_H
#define GST_WM_SESSION_H

#include <gst/gst.h>
#include <wmlicense.h>

G_BEGIN_DECLS

/* Where the store is and how licenses come. Texts may be NULL. */
typedef struct GstWmSettings {
  gchar *store_path, *authority, *service_url, *account_token;
  gboolean silent_acquire;
  gboolean no_clear_lead; /* of the element, not of its session */
} GstWmSettings;

typedef struct GstWmSession GstWmSession;

/* What one element waits for; begins zeroed. */
typedef struct GstWmWaiter {
  gboolean cancelled;
  void *operation; /* the running one, to be cancelled */
} GstWmWaiter;

/* Why something failed: what the library says, or a sentence of this plugin. */
typedef struct GstWmFailure {
  wm_result result;
  guint category, remedy; /* WM_CATEGORY_*, WM_REMEDY_* */
  gchar message[512];
} GstWmFailure;

/* Called on the streaming thread when something is worth telling: "license-missing", "license-acquired". */
typedef void (*GstWmTell)(gpointer element, const gchar *what, const guint8 *kid, const GstWmFailure *failure);

/* The session of this pipeline with these settings, opened if it is the first. NULL: *failure says why. */
GstWmSession *gst_wm_session_open(gconstpointer pipeline, const GstWmSettings *settings, GstWmFailure *failure);
void gst_wm_session_close(GstWmSession *session);

/* The decryptor for a key ID, valid until the session is closed. A missing license is acquired if the settings allow it;
 * that waits. NULL: *failure says why; WM_E_OPERATION_CANCELED after gst_wm_waiter_cancel. */
wm_decryptor *gst_wm_session_decryptor(GstWmSession *session, const guint8 *kid, GstWmWaiter *waiter, GstWmTell tell,
                                       gpointer element, GstWmFailure *failure);

/* Ends a wait, and each one to come until gst_wm_waiter_resume. Never waits itself. */
void gst_wm_waiter_cancel(GstWmWaiter *waiter);
void gst_wm_waiter_resume(GstWmWaiter *waiter);

/* Fills in what the library says of the calling thread's last failure. */
void gst_wm_failure_set(GstWmFailure *failure, wm_result result);

G_END_DECLS

#endif
