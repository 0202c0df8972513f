/* ensure.c: the shortest way of a player to a license.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/ensure.c -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense -o ensure
 * Run:    ./ensure STORE AUTHORITY SERVICE_URL TOKEN FILE
 *
 * STORE is the folder of the license store, AUTHORITY the text that `wmlicensed init` printed, TOKEN an account's token, FILE a
 * protected media file, playlist or manifest. Prints `may be played` where a license was there, `license acquired` where it came
 * now, or what is in the way and what helps.
 */
#include <wmlicense.h>

#include <stdio.h>
#include <stdlib.h>

/* Everything that stands between a file and its license. A failure on the way makes the next calls fail as well: what they are
 * given is NULL or not open. */
static wm_result may_play(wm_client **client, char **words) {
  wm_content_header *header = NULL;
  wm_create_client(client);
  wm_set_string_prop(*client, WM_PROP_STORE_PATH, words[0]);
  wm_set_string_prop(*client, WM_PROP_AUTHORITY, words[1]);
  wm_set_string_prop(*client, WM_PROP_SERVICE_URL, words[2]);
  wm_set_string_prop(*client, WM_PROP_ACCOUNT_TOKEN, words[3]);
  wm_result result = wm_open_client(*client);
  if (result >= 0) result = wm_create_content_header_from_file(words[4], &header);
  if (result >= 0) result = wm_ensure_license(*client, header, WM_ACTION_PLAY, WM_ENSURE_INDIVIDUALIZE, 30000);
  wm_release(header);
  return result;
}

int main(int argc, char **argv) {
  wm_client *client = NULL;
  wm_error_info info = {0};
  if (argc != 6) {
    fprintf(stderr, "usage: %s STORE AUTHORITY SERVICE_URL TOKEN FILE\n", argv[0]);
    return 2;
  }
  wm_result result = may_play(&client, argv + 1);
  info.struct_size = sizeof info;
  if (result < 0 && wm_get_error_info(&info) == 0)
    fprintf(stderr, "%s: %s\n", wm_result_name(result), info.message);
  else
    puts(WM_LICENSE_STORED(result) ? "license acquired" : "may be played");
  wm_release(client);
  return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
