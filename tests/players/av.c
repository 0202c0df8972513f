/* av.c: an application on libwmlicense-av that does what a player with windows does.
 *
 * av STORE AUTHORITY MEDIA WAY [OUT]
 *   packets   writes the bytes of the packets of stream N to OUT-N, and prints how many came
 *   memory    the same from a reader of the application's own
 *   kids      prints the key IDs
 *   seek      reads everything, then from every tenth of it on, and compares
 *   kept      reads on after each refusal of a license: the packet is tried again, and then its stream is left out
 *   stop      another thread stops it while it reads or opens
 *   wrong     calls with arguments that are wrong
 *   damaged   opens and reads copies of the file with one byte changed, each byte of its first OUT ones
 * Prints also what fails, as `ERROR: RESULT: SENTENCE`. Nothing is left when it ends, so that tools may look for leaks.
 */
#define _POSIX_C_SOURCE 200809L
#include <wmlicense_av.h>

#include <libavutil/md5.h>
#include <libavutil/mem.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int say(int error, const wm_error_info *info) {
  printf("ERROR: %s: %s: %s\n", av_err2str(error), wm_result_name(info->result), info->message);
  return error;
}

static int fail(wmav_input *input, int error) {
  wm_error_info info = {.struct_size = sizeof info};
  wmav_get_error_info(input, &info, NULL);
  return say(error, &info);
}

static int open_path(wmav_input **input, wm_client *client, const char *path, AVIOInterruptCB interrupt) {
  wm_error_info info = {.struct_size = sizeof info};
  wmav_options options = {.struct_size = sizeof options, .interrupt = interrupt, .error = &info};
  int error = wmav_open(input, client, path, &options);
  return error < 0 ? say(error, &info) : 0;
}

static void append(const char *out, const AVPacket *packet) {
  char name[4096];
  snprintf(name, sizeof name, "%s-%d", out, packet->stream_index);
  FILE *file = fopen(name, "ab");
  if (file == NULL || fwrite(packet->data, 1, (size_t)packet->size, file) != (size_t)packet->size) abort();
  fclose(file);
}

/* Nothing is written where `out` is NULL. */
static int write_packets(wmav_input *input, const char *out) {
  AVPacket *packet = av_packet_alloc();
  int count = 0, error = 0;
  for (unsigned i = 0; out != NULL && i < wmav_format(input)->nb_streams; i++) {
    uint32_t tag = wmav_format(input)->streams[i]->codecpar->codec_tag;
    if (tag == MKTAG('e', 'n', 'c', 'v') || tag == MKTAG('e', 'n', 'c', 'a')) printf("still tagged as encrypted\n");
  }
  while ((error = wmav_read_packet(input, packet)) >= 0) {
    if (av_packet_get_side_data(packet, AV_PKT_DATA_ENCRYPTION_INFO, NULL) != NULL) printf("still described as encrypted\n");
    if (out != NULL) append(out, packet);
    count++;
    av_packet_unref(packet);
  }
  av_packet_free(&packet);
  if (out != NULL) printf("%d\n", count);
  return error == AVERROR_EOF ? 0 : out != NULL ? fail(input, error) : error;
}

/* --- a reader of the application's own ---------------------------------------------------------------------------- */

typedef struct memory {
  uint8_t *data;
  int64_t size, place;
} memory;

static int read_memory(void *opaque, uint8_t *to, int size) {
  memory *from = opaque;
  int64_t left = from->size - from->place;
  if (left <= 0) return AVERROR_EOF;
  if (size > left) size = (int)left;
  memcpy(to, from->data + from->place, (size_t)size);
  from->place += size;
  return size;
}

static int64_t seek_memory(void *opaque, int64_t offset, int whence) {
  memory *from = opaque;
  if (whence == AVSEEK_SIZE) return from->size;
  if (whence == SEEK_CUR) offset += from->place;
  if (whence == SEEK_END) offset += from->size;
  return from->place = offset;
}

static memory load(const char *path) {
  memory bytes = {0};
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) abort();
  bytes.size = ftell(file);
  bytes.data = malloc((size_t)bytes.size + 1);
  rewind(file);
  if (fread(bytes.data, 1, (size_t)bytes.size, file) != (size_t)bytes.size) abort();
  fclose(file);
  return bytes;
}

static int from_memory(wm_client *client, memory *bytes, const char *out) {
  bytes->place = 0;
  AVIOContext *io = avio_alloc_context(av_malloc(4096), 4096, 0, bytes, read_memory, NULL, seek_memory);
  wmav_input *input = NULL;
  int error = wmav_open_io(&input, client, io, NULL);
  if (error >= 0) error = write_packets(input, out);
  else if (out != NULL) printf("ERROR: %s\n", av_err2str(error));
  wmav_close(&input);
  av_freep(&io->buffer);
  avio_context_free(&io);
  return error;
}

static int damaged(wm_client *client, const char *path, long most) {
  static const uint8_t changes[] = {0x01, 0x80, 0xFF};
  memory bytes = load(path);
  int played = 0, failed = 0;
  for (int64_t i = 0; i < bytes.size && i < most; i++) {
    for (size_t change = 0; change < sizeof changes; change++) {
      bytes.data[i] ^= changes[change];
      if (from_memory(client, &bytes, NULL) < 0) failed++;
      else played++;
      bytes.data[i] ^= changes[change];
    }
  }
  free(bytes.data);
  printf("%s\n", played > 0 && failed > 0 ? "some played, some failed" : "all the same");
  return 0;
}

/* --- seeking ------------------------------------------------------------------------------------------------------- */

typedef struct seen {
  int stream, size;
  int64_t pos;
  uint8_t digest[16];
} seen;

static bool read_all(wmav_input *input, seen **list, size_t *count, int *error) {
  AVPacket *packet = av_packet_alloc();
  *list = NULL, *count = 0;
  while ((*error = wmav_read_packet(input, packet)) >= 0) {
    *list = realloc(*list, (*count + 1) * sizeof **list);
    seen *one = &(*list)[(*count)++];
    *one = (seen){.stream = packet->stream_index, .size = packet->size, .pos = packet->pos};
    av_md5_sum(one->digest, packet->data, (size_t)packet->size);
    av_packet_unref(packet);
  }
  av_packet_free(&packet);
  return *error == AVERROR_EOF;
}

static int seek(wmav_input *input) {
  seen *all, *again;
  size_t count, found, compared = 0;
  int error;
  if (!read_all(input, &all, &count, &error)) return free(all), fail(input, error);
  int64_t length = wmav_format(input)->duration;
  for (int tenth = 9; tenth >= 0; tenth--) {
    if ((error = wmav_seek(input, -1, INT64_MIN, length * tenth / 10, INT64_MAX, AVSEEK_FLAG_BACKWARD)) < 0) break;
    bool fine = read_all(input, &again, &found, &error);
    if (found == 0) printf("nothing after tenth %d\n", tenth);
    for (size_t i = 0; fine && i < found; i++) {
      bool equal = false;
      for (size_t k = 0; k < count && !equal; k++)
        equal = all[k].stream == again[i].stream && all[k].pos == again[i].pos && all[k].size == again[i].size &&
                memcmp(all[k].digest, again[i].digest, 16) == 0;
      compared += equal;
      if (!equal) printf("another packet after tenth %d\n", tenth);
    }
    free(again);
    if (!fine) break;
  }
  free(all);
  printf("%s\n", compared > count ? "the same" : "too little");
  return error == AVERROR_EOF ? 0 : fail(input, error);
}

/* --- refusals ------------------------------------------------------------------------------------------------------ */

static int read_kept(wmav_input *input) {
  AVPacket *packet = av_packet_alloc();
  int count = 0, error;
  for (;;) {
    int stream = -1, again = -1;
    error = wmav_read_packet(input, packet);
    if (error >= 0) count++;
    av_packet_unref(packet);
    if (error >= 0) continue;
    if (error != AVERROR(EACCES)) break;
    wm_error_info info = {.struct_size = sizeof info}, second = info;
    wmav_get_error_info(input, &info, &stream);
    bool same = wmav_read_packet(input, packet) == AVERROR(EACCES) && wmav_get_error_info(input, &second, &again) >= 0 &&
                stream == again && memcmp(info.kid, second.kid, 16) == 0;
    printf("stream %d: %s%s\n", stream, wm_result_name(info.result), same ? "" : ", then another answer");
    wmav_format(input)->streams[stream]->discard = AVDISCARD_ALL;
  }
  av_packet_free(&packet);
  printf("%d\n", count);
  return error == AVERROR_EOF ? 0 : fail(input, error);
}

/* --- another thread stops it --------------------------------------------------------------------------------------- */

static atomic_int is_stopped;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t asked = PTHREAD_COND_INITIALIZER;
static int questions;

/* Tells the other thread that something runs, and answers what that has decided. */
static int is_over(void *context) {
  (void)context;
  pthread_mutex_lock(&lock);
  questions++;
  pthread_cond_signal(&asked);
  pthread_mutex_unlock(&lock);
  return atomic_load(&is_stopped);
}

static void *stop_it(void *context) {
  (void)context;
  pthread_mutex_lock(&lock);
  while (questions < 3) pthread_cond_wait(&asked, &lock);
  pthread_mutex_unlock(&lock);
  atomic_store(&is_stopped, 1);
  return NULL;
}

static int stop(wm_client *client, const char *path) {
  pthread_t other;
  wmav_input *input = NULL;
  AVPacket *packet = av_packet_alloc();
  if (pthread_create(&other, NULL, stop_it, NULL) != 0) abort();
  int error = open_path(&input, client, path, (AVIOInterruptCB){is_over, NULL});
  while (error >= 0) {
    if ((error = wmav_read_packet(input, packet)) < 0 && error != AVERROR_EOF) fail(input, error);
    /* It would play for ever; only the other thread ends it. */
    if (error == AVERROR_EOF) error = wmav_seek(input, -1, INT64_MIN, 0, INT64_MAX, 0);
    av_packet_unref(packet);
  }
  pthread_join(other, NULL);
  av_packet_free(&packet);
  wmav_close(&input);
  printf("%s\n", error == AVERROR_EXIT ? "stopped" : "not stopped");
  return 0;
}

/* --- wrong calls --------------------------------------------------------------------------------------------------- */

static int wrong(wm_client *client, const char *path) {
  wmav_input *input = NULL;
  uint8_t kid[16];
  wm_error_info info = {.struct_size = sizeof info};
  wmav_options small = {.struct_size = 4};
  int fine = 0, all = 0;
#define EXPECT(condition) (all++, (condition) ? (void)fine++ : (void)printf("not so: %s\n", #condition))
  EXPECT(wmav_open(NULL, client, path, NULL) == AVERROR(EINVAL));
  EXPECT(wmav_open(&input, NULL, path, NULL) == AVERROR(EINVAL) && input == NULL);
  EXPECT(wmav_open(&input, client, NULL, NULL) == AVERROR(EINVAL) && input == NULL);
  EXPECT(wmav_open(&input, client, path, &small) == AVERROR(EINVAL) && input == NULL);
  EXPECT(wmav_open_io(&input, client, NULL, NULL) == AVERROR(EINVAL) && input == NULL);
  EXPECT(wmav_open(&input, client, "/nowhere/at/all", &(wmav_options){.struct_size = sizeof small, .error = &info}) == AVERROR(ENOENT));
  EXPECT(info.result == WM_E_PATH_NOT_FOUND);
  EXPECT(wmav_read_packet(NULL, NULL) == AVERROR(EINVAL) && wmav_seek(NULL, 0, 0, 0, 0, 0) == AVERROR(EINVAL));
  EXPECT(wmav_format(NULL) == NULL && wmav_kid_count(NULL) == 0 && !wmav_is_protected(NULL, 0));
  EXPECT(wmav_open(&input, client, path, NULL) == 0);
  EXPECT(wmav_read_packet(input, NULL) == AVERROR(EINVAL));
  EXPECT(wmav_get_kid(input, wmav_kid_count(input), kid) == AVERROR(EINVAL));
  EXPECT(!wmav_is_protected(input, -1) && !wmav_is_protected(input, 99) && wmav_is_protected(input, 0));
  EXPECT(wmav_get_error_info(input, &(wm_error_info){0}, NULL) == AVERROR(EINVAL));
  EXPECT(wmav_version() == WM_VERSION);
  wmav_close(&input);
  wmav_close(&input);
  wmav_close(NULL);
  printf("%d of %d\n", fine, all);
  return 0;
}

static int print_kids(wmav_input *input) {
  for (size_t i = 0; i < wmav_kid_count(input); i++) {
    uint8_t kid[16];
    char text[40];
    if (wmav_get_kid(input, i, kid) < 0 || wm_kid_to_text(kid, WM_KID_HEX, text, sizeof text, NULL) < 0) return AVERROR(EIO);
    printf("%s\n", text);
  }
  return 0;
}

int main(int argc, char **argv) {
  wm_client *client = NULL;
  wmav_input *input = NULL;
  if (argc < 5) return 2;
  const char *path = argv[3], *way = argv[4];
  const char *out = argc > 5 ? argv[5] : "0";
  av_log_set_level(AV_LOG_QUIET);
  if (wm_create_client(&client) < 0 || wm_set_string_prop(client, WM_PROP_STORE_PATH, argv[1]) < 0 ||
      wm_set_string_prop(client, WM_PROP_AUTHORITY, argv[2]) < 0 || wm_open_client(client) < 0)
    return 2;
  bool opens = strstr("memory stop wrong damaged", way) == NULL;
  int error = opens ? open_path(&input, client, path, (AVIOInterruptCB){NULL, NULL}) : 0;
  if (error >= 0 && strcmp(way, "packets") == 0) error = write_packets(input, out);
  if (strcmp(way, "memory") == 0) {
    memory bytes = load(path);
    error = from_memory(client, &bytes, out);
    free(bytes.data);
  }
  if (strcmp(way, "damaged") == 0) error = damaged(client, path, atol(out));
  if (error >= 0 && strcmp(way, "kids") == 0) error = print_kids(input);
  if (error >= 0 && strcmp(way, "seek") == 0) error = seek(input);
  if (error >= 0 && strcmp(way, "kept") == 0) error = read_kept(input);
  if (strcmp(way, "stop") == 0) error = stop(client, path);
  if (strcmp(way, "wrong") == 0) error = wrong(client, path);
  wmav_close(&input);
  wm_release(client);
  if (wm_live_objects() != 0) printf("objects are left\n");
  return error < 0 ? 1 : 0;
}
