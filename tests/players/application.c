/* application.c: an application on GStreamer that does to wmdecrypt what gst-launch-1.0 cannot.
 *
 * application MEDIA STORE AUTHORITY SERVICE_URL TOKEN asked|given|flush
 *   asked   answers the element's request for a context
 *   given   sets the context before it plays
 *   flush   seeks while a license is awaited, and ends at the second wait
 * Prints the number of frames, or of waits. Nothing is left when it ends, so that tools may look for leaks.
 */
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>

static GstContext *context_of(char **argv) {
  GstContext *context = gst_context_new("wmlicense", TRUE);
  gst_structure_set(gst_context_writable_structure(context), "store-path", G_TYPE_STRING, argv[2], "authority",
                    G_TYPE_STRING, argv[3], "service-url", G_TYPE_STRING, argv[4], "account-token", G_TYPE_STRING, argv[5],
                    NULL);
  return context;
}

static GstBusSyncReply answer(GstBus *bus, GstMessage *message, gpointer argv) {
  const gchar *type = NULL;
  (void)bus;
  if (GST_MESSAGE_TYPE(message) != GST_MESSAGE_NEED_CONTEXT) return GST_BUS_PASS;
  if (gst_message_parse_context_type(message, &type) && strcmp(type, "wmlicense") == 0) {
    GstContext *context = context_of(argv);
    gst_element_set_context(GST_ELEMENT(GST_MESSAGE_SRC(message)), context);
    gst_context_unref(context);
  }
  return GST_BUS_PASS;
}

static void count(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer frames) {
  (void)sink, (void)buffer, (void)pad;
  ++*(guint *)frames;
}

static gboolean is_wait(GstMessage *message) {
  const GstStructure *structure = gst_message_get_structure(message);
  return gst_message_has_name(message, "wmlicense") &&
         g_strcmp0(gst_structure_get_string(structure, "status"), "license-missing") == 0;
}

static void print_error(GstMessage *message) {
  GError *error = NULL;
  gst_message_parse_error(message, &error, NULL);
  fprintf(stderr, "%s\n", error->message);
  g_error_free(error);
}

/* Plays to the end, or to the second wait for a license. */
static int play(GstElement *pipeline, gboolean flush, guint *waits) {
  GstBus *bus = gst_element_get_bus(pipeline);
  int code = -1;
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  while (code < 0) {
    GstMessage *message = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT);
    if (message == NULL) return gst_object_unref(bus), 1;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) code = 0;
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) print_error(message), code = 1;
    if (flush && is_wait(message)) {
      GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
      if (++*waits == 2) code = 0;
      else if (!gst_element_seek_simple(sink, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 0)) code = 1;
      gst_object_unref(sink);
    }
    gst_message_unref(message);
  }
  gst_object_unref(bus);
  return code;
}

int main(int argc, char **argv) {
  guint frames = 0, waits = 0;
  if (argc != 7) return 2;
  gst_init(NULL, NULL);
  gboolean asked = strcmp(argv[6], "asked") == 0, flush = strcmp(argv[6], "flush") == 0;
  GstElement *pipeline = gst_parse_launch(
      "filesrc name=source ! qtdemux ! wmdecrypt ! fakesink name=sink signal-handoffs=true sync=false async=false", NULL);
  GstElement *source = gst_bin_get_by_name(GST_BIN(pipeline), "source"), *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  GstBus *bus = gst_element_get_bus(pipeline);
  g_object_set(source, "location", argv[1], NULL);
  g_signal_connect(sink, "handoff", G_CALLBACK(count), &frames);
  if (asked) {
    gst_bus_set_sync_handler(bus, answer, argv, NULL);
  } else {
    GstContext *context = context_of(argv);
    gst_element_set_context(pipeline, context);
    gst_context_unref(context);
  }
  int code = play(pipeline, flush, &waits);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  printf("%u\n", flush ? waits : frames);
  gst_object_unref(source), gst_object_unref(sink), gst_object_unref(bus), gst_object_unref(pipeline);
  gst_deinit();
  return code;
}
