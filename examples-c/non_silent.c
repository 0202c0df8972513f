/* non_silent.c: acquires a license that the user must accept first, on a page of the service in the user's own browser.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/non_silent.c -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense -o non_silent
 * Run:    ./non_silent STORE AUTHORITY SERVICE_URL TOKEN|- KEY_ID [BROWSER]
 *
 * STORE is the folder of the license store, AUTHORITY the text that `wmlicensed init` printed, TOKEN an account's token or - for
 * none (the user then signs in on the page), KEY_ID base64, BROWSER a program that gets the page's URL as its only argument, such
 * as xdg-open; without it, open the URL yourself. Ctrl-C gives up. Prints:
 *   open: URL
 *   code: 123456                    (the page shows the same six digits)
 *   license acquired                (or: no license: WHY, or: cancelled)
 */
#define _POSIX_C_SOURCE 200809L
#include <wmlicense.h>

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { URL_SIZE = 2048, CODE_SIZE = 7, LOOK_MS = 200 };

extern char **environ;

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) {
  (void)signal_number;
  interrupted = 1; /* the functions of the library may not be called here */
}

static int fail(const char *what, wm_result result) {
  wm_error_info info = {0};
  info.struct_size = sizeof info;
  if (wm_get_error_info(&info) == 0 && info.result == result)
    fprintf(stderr, "%s: %s: %s\n", what, wm_result_name(result), info.message);
  else
    fprintf(stderr, "%s: %s: %s\n", what, wm_result_name(result), wm_result_message(result));
  return EXIT_FAILURE;
}

/* Waits for the operation of an object; Ctrl-C cancels it. Answers how it ended. */
static wm_result finish(void *object) {
  wm_result outcome = 0, waited;
  while ((waited = wm_wait(object, LOOK_MS, &outcome)) == WM_E_TIMEOUT)
    if (interrupted) wm_cancel(object);
  return waited < 0 ? waited : outcome;
}

static wm_result individualize_device(wm_client *client) {
  wm_individualizer *individualizer = NULL;
  wm_result result = wm_create_individualizer(client, NULL, NULL, &individualizer);
  /* An application asks its user first: the privacy statement of the service says what is sent. */
  if (result >= 0) result = wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true);
  if (result >= 0) result = wm_individualize(individualizer, 0); /* does nothing where the device is current */
  if (result >= 0) result = finish(individualizer);
  wm_release(individualizer);
  return result;
}

/* No shell: a URL is never a command. The browser is not waited for, it may outlive this program. */
static void open_browser(const char *browser, char *url) {
  char *words[] = {(char *)browser, url, NULL};
  pid_t process;
  int error = posix_spawnp(&process, browser, NULL, NULL, words, environ);
  if (error != 0) fprintf(stderr, "%s: %s; open the page yourself\n", browser, strerror(error));
}

/* Shows the user the way to the page. */
static wm_result show_page(wm_license_request *request, const char *browser) {
  char url[URL_SIZE], code[CODE_SIZE];
  wm_result result = wm_get_license_url(request, url, sizeof url, NULL);
  if (result >= 0) result = wm_get_prop(request, WM_PROP_INTERACTION_CODE, NULL, code, sizeof code, NULL);
  if (result < 0) return result;
  /* Whoever sends the user to a page of another's request does not know the digits that this application shows. */
  printf("open: %s\ncode: %s\n", url, code);
  fflush(stdout);
  if (browser != NULL) open_browser(browser, url);
  return 0;
}

/* Answers WM_S_LICENSE_ACQUIRED, another success where the user cancelled, or why there is no license. */
static wm_result acquire_with_user(wm_client *client, const char *key_id, const char *browser) {
  wm_license_request *request = NULL;
  wm_result result = wm_create_license_request(client, NULL, NULL, &request);
  if (result >= 0) result = wm_set_string_prop(request, WM_PROP_KEY_IDS, key_id);
  /* The page then leads the browser back to this program, which need not wait until it asks the service again. */
  if (result >= 0) result = wm_set_bool_prop(request, WM_PROP_LOOPBACK_REDIRECT, true);
  if (result >= 0) result = wm_acquire_license(request, WM_ACQUIRE_NONSILENT);
  if (result >= 0) result = finish(request);
  if (result == WM_S_OK) { /* the user must act; whoever accepted these terms before is not asked again */
    result = show_page(request, browser);
    if (result >= 0) result = wm_monitor_license(request);
    if (result >= 0) result = finish(request);
  }
  wm_release(request);
  return result;
}

int main(int argc, char **argv) {
  wm_client *client = NULL;
  struct sigaction on_ctrl_c = {.sa_handler = on_interrupt};
  int code = EXIT_FAILURE;
  wm_result result;
  if (argc != 6 && argc != 7) {
    fprintf(stderr, "usage: %s STORE AUTHORITY SERVICE_URL TOKEN|- KEY_ID [BROWSER]\n", argv[0]);
    return 2;
  }
  sigaction(SIGINT, &on_ctrl_c, NULL);

  if ((result = wm_create_client(&client)) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_STORE_PATH, argv[1])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_AUTHORITY, argv[2])) < 0 ||
      (result = wm_set_string_prop(client, WM_PROP_SERVICE_URL, argv[3])) < 0 ||
      (strcmp(argv[4], "-") != 0 && (result = wm_set_string_prop(client, WM_PROP_ACCOUNT_TOKEN, argv[4])) < 0) ||
      (result = wm_open_client(client)) < 0) {
    code = fail("open", result);
    goto cleanup;
  }
  if ((result = individualize_device(client)) < 0) {
    code = fail("individualize", result);
    goto cleanup;
  }
  result = acquire_with_user(client, argv[5], argc == 7 ? argv[6] : NULL);
  if (WM_LICENSE_STORED(result)) {
    printf("license acquired\n");
    code = EXIT_SUCCESS;
  } else if (result == WM_E_LICENSE_NOTACQUIRED) {
    wm_error_info info = {0};
    info.struct_size = sizeof info;
    wm_get_error_info(&info); /* its sentence tells declining from being too late */
    printf("no license: %s\n", info.message);
  } else if (result == WM_S_MONITOR_CANCELLED || result == WM_S_ACQUIRE_CANCELLED) {
    printf("cancelled\n");
  } else {
    code = fail("acquire", result);
  }

cleanup:
  wm_release(client);
  return code;
}
