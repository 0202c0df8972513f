/* load.c: loads a library, as a program does that has it as a plug-in; prints the nanoseconds that took.
 *
 *   load LIBRARY
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int count, char **words) {
  struct timespec before, after;
  if (count != 2) {
    fputs("see the first lines of bench/c/load.c\n", stderr);
    return EXIT_FAILURE;
  }
  clock_gettime(CLOCK_MONOTONIC, &before);
  void *library = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return EXIT_FAILURE;
  }
  printf("%lld\n", (after.tv_sec - before.tv_sec) * 1000000000LL + (after.tv_nsec - before.tv_nsec));
  return EXIT_SUCCESS;
}
