/* launch.c: runs a pipeline until it ends or fails. `gst-launch-1.0` waits for ever where an error comes before its loop runs.
 *
 * Run:    launch PIPELINE
 *
 * Exit: 0 ended, 1 failed with what is printed.
 */
#include <gst/gst.h>

int main(int argc, char **argv) {
  GError *error = NULL;
  gst_init(&argc, &argv);
  GstElement *pipeline = argc == 2 ? gst_parse_launch(argv[1], &error) : NULL;
  if (pipeline == NULL || error != NULL) {
    g_printerr("ERROR: %s\n", error != NULL ? error->message : "one pipeline is needed");
    return 1;
  }
  GstBus *bus = gst_element_get_bus(pipeline);
  gst_element_set_state(pipeline, GST_STATE_PLAYING); /* a failure is told on the bus, too */
  GstMessage *message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  gboolean ended = GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS;
  if (!ended) {
    gchar *detail = NULL;
    gst_message_parse_error(message, &error, &detail);
    g_printerr("ERROR: %s\n%s\n", error->message, detail != NULL ? detail : "");
    g_error_free(error);
    g_free(detail);
  }
  gst_message_unref(message);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(bus);
  gst_object_unref(pipeline);
  return ended ? 0 : 1;
}
