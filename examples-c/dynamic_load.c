/* dynamic_load.c: uses the library without linking it, as an application does that runs with and without licenses.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/dynamic_load.c -ldl -o dynamic_load
 * Run:    ./dynamic_load LIBRARY STORE AUTHORITY
 *
 * LIBRARY is the path of libwmlicense.so. Prints:
 *   wmlicense VERSION, ABI NUMBER
 *   license: KEY_ID TITLE           (one line per stored license)
 */
#include <wmlicense.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One pointer per function that this program calls, each of the type that the header declares. */
static struct api {
  uint32_t (*abi_version)(void);
  const char *(*version_string)(void);
  const char *(*result_name)(wm_result result);
  const char *(*result_message)(wm_result result);
  wm_result (*create_client)(wm_client **client_out);
  wm_result (*set_string_prop)(void *object, const char *name, const char *value);
  wm_result (*open_client)(wm_client *client);
  wm_result (*create_license_enumerator)(wm_client *client, wm_license_enumerator **out);
  wm_result (*next_license)(wm_license_enumerator *enumerator);
  wm_result (*get_prop)(void *object, const char *name, wm_attr_type *type, void *buf, size_t size, size_t *needed);
  wm_result (*release)(void *object);
} wm;

/* ISO C has no conversion from an object pointer to a function pointer; the bytes are the same where dlsym exists. */
static bool find(void *library, const char *name, void *slot) {
  void *address = dlsym(library, name);
  memcpy(slot, &address, sizeof address);
  if (address == NULL) fprintf(stderr, "%s is missing in the library\n", name);
  return address != NULL;
}

static bool load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* never closed: the library stays mapped in any case */
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return false;
  }
  if (!find(library, "wm_abi_version", &wm.abi_version)) return false;
  /* Before anything else: is this the ABI that this program was compiled for? */
  if (wm.abi_version() != WM_ABI_VERSION) {
    fprintf(stderr, "the library has ABI %u, this program needs %u\n", (unsigned)wm.abi_version(),
            (unsigned)WM_ABI_VERSION);
    return false;
  }
  return find(library, "wm_version_string", &wm.version_string) && find(library, "wm_result_name", &wm.result_name) &&
         find(library, "wm_result_message", &wm.result_message) &&
         find(library, "wm_create_client", &wm.create_client) &&
         find(library, "wm_set_string_prop", &wm.set_string_prop) &&
         find(library, "wm_open_client", &wm.open_client) &&
         find(library, "wm_create_license_enumerator", &wm.create_license_enumerator) &&
         find(library, "wm_next_license", &wm.next_license) && find(library, "wm_get_prop", &wm.get_prop) &&
         find(library, "wm_release", &wm.release);
}

static int fail(const char *what, wm_result result) {
  fprintf(stderr, "%s: %s: %s\n", what, wm.result_name(result), wm.result_message(result));
  return EXIT_FAILURE;
}

int main(int argc, char **argv) {
  wm_client *client = NULL;
  wm_license_enumerator *licenses = NULL;
  char kid[64], title[256];
  int code = EXIT_FAILURE;
  wm_result result;
  if (argc != 4) {
    fprintf(stderr, "usage: %s LIBRARY STORE AUTHORITY\n", argv[0]);
    return 2;
  }
  if (!load(argv[1])) return EXIT_FAILURE;
  printf("wmlicense %s, ABI %u\n", wm.version_string(), (unsigned)wm.abi_version());

  if ((result = wm.create_client(&client)) < 0 ||
      (result = wm.set_string_prop(client, WM_PROP_STORE_PATH, argv[2])) < 0 ||
      (result = wm.set_string_prop(client, WM_PROP_AUTHORITY, argv[3])) < 0 ||
      (result = wm.open_client(client)) < 0 || (result = wm.create_license_enumerator(client, &licenses)) < 0) {
    code = fail("open", result);
    goto cleanup;
  }
  while ((result = wm.next_license(licenses)) == 0) {
    if ((result = wm.get_prop(licenses, WM_PROP_KID, NULL, kid, sizeof kid, NULL)) < 0) break;
    if (wm.get_prop(licenses, WM_PROP_TITLE, NULL, title, sizeof title, NULL) < 0) title[0] = '\0'; /* not every license has one */
    printf("license: %s %s\n", kid, title);
  }
  code = result == WM_E_NO_MORE_ITEMS ? EXIT_SUCCESS : fail("list", result);

cleanup:
  wm.release(licenses);
  wm.release(client);
  return code;
}
