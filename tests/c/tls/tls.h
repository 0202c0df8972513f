/* What the programs of this folder share: files of certificates, as text. */
#ifndef TESTS_TLS_H
#define TESTS_TLS_H

#include "../common.h"

/* What a file holds; good until the next call. */
static inline char *text_of(const char *path) {
  static char text[16 * 1024];
  FILE *file = fopen(path, "rb");
  CHECK(file != NULL);
  size_t size = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[size] = '\0';
  return text;
}

#endif
