/* curl.c: the same round trip without any license: the bytes of a request that was made before, the answer in a file, synced.
 *
 *   curl URL TOKEN REQUEST ANSWER
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "%s\n", what);
  exit(EXIT_FAILURE);
}

static char *read_all(const char *name, long *length) {
  FILE *file = fopen(name, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (*length = ftell(file)) < 0) fail("no request");
  rewind(file);
  char *bytes = malloc((size_t)*length + 1);
  if (bytes == NULL || fread(bytes, 1, (size_t)*length, file) != (size_t)*length) fail("the request cannot be read");
  fclose(file);
  return bytes;
}

int main(int count, char **words) {
  char bearer[4096];
  long length = 0, status = 0;
  if (count != 5) fail("see the first lines of bench/c/curl.c");
  char *request = read_all(words[3], &length);
  FILE *answer = fopen(words[4], "wb");
  CURL *curl = curl_easy_init();
  if (answer == NULL || curl == NULL) fail("no file or no curl");
  snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", words[2]);
  struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/cose");
  headers = curl_slist_append(headers, bearer);
  curl_easy_setopt(curl, CURLOPT_URL, words[1]);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, length);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
  if (curl_easy_perform(curl) != CURLE_OK) fail("the service cannot be asked");
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) fail("the service refuses");
  if (fflush(answer) != 0 || fdatasync(fileno(answer)) != 0) fail("the answer cannot be written");
  fclose(answer);
  curl_slist_free_all(headers);
  curl_easy_cleanup(curl);
  free(request);
  return EXIT_SUCCESS;
}
