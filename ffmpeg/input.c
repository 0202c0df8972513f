/* input.c: opening, reading, seeking and closing of an input. How its packets become clear is in packets.c. */
#include "input.h"

#include <libavutil/base64.h>
#include <libavutil/mem.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT uint32_t wmav_version(void) { return WM_VERSION; }

bool wmav_is_interrupted(const wmav_input *input) {
  return input->interrupt.callback != NULL && input->interrupt.callback(input->interrupt.opaque) != 0;
}

/* Notes what libavformat answers. */
static int fail_by_av(wmav_input *input, int error) {
  char why[AV_ERROR_MAX_STRING_SIZE] = "";
  if (wmav_is_interrupted(input)) error = AVERROR_EXIT;
  av_strerror(error, why, sizeof why);
  return wmav_fail(input, -1, error, why);
}

/* --- key IDs ------------------------------------------------------------------------------------------------------- */

static int by_bytes(const void *left, const void *right) { return memcmp(left, right, 16); }

/* Gives all-zero key IDs the only one that the file names elsewhere, if there is only one. */
static void name_key(wmav_input *input, AVIOContext *io) {
  static const uint8_t elsewhere[16];
  uint8_t kid[16];
  bool is_asked = false, is_known = false;
  for (size_t i = 0; i < input->mp4.parameter_count; i++) {
    mp4_parameters *known = &input->mp4.parameters[i];
    if (!known->is_protected || memcmp(known->kid, elsewhere, 16) != 0) continue;
    if (!is_asked) is_known = mp4_only_kid(io, kid);
    is_asked = true;
    if (is_known) memcpy(known->kid, kid, 16);
  }
}

static void add_kid(wmav_input *input, const uint8_t kid[16]) {
  static const uint8_t elsewhere[16];
  if (memcmp(kid, elsewhere, 16) != 0) memcpy(input->kids[input->kid_count++], kid, 16);
}

/* Lists each key ID once. */
static int list_kids(wmav_input *input) {
  size_t most = input->mp4.parameter_count + input->webm.track_count, count = 0;
  if ((input->kids = calloc(most + 1, sizeof *input->kids)) == NULL) return AVERROR(ENOMEM);
  for (size_t i = 0; i < input->mp4.parameter_count; i++)
    if (input->mp4.parameters[i].is_protected) add_kid(input, input->mp4.parameters[i].kid);
  for (size_t i = 0; i < input->webm.track_count; i++)
    if (input->webm.tracks[i].is_encrypted) add_kid(input, input->webm.tracks[i].kid);
  if (input->kid_count > 0) qsort(input->kids, input->kid_count, sizeof *input->kids, by_bytes);
  for (size_t i = 0; i < input->kid_count; i++)
    if (count == 0 || memcmp(input->kids[i], input->kids[count - 1], 16) != 0) memmove(input->kids[count++], input->kids[i], 16);
  input->kid_count = count;
  return 0;
}

/* --- streams ------------------------------------------------------------------------------------------------------- */

static bool is_attachment(const AVStream *stream) {
  return stream->codecpar->codec_type == AVMEDIA_TYPE_ATTACHMENT || stream->disposition & AV_DISPOSITION_ATTACHED_PIC;
}

/* Whether libavformat took a stream for encrypted just as the track is. */
static bool is_same_track(const AVStream *stream, const webm_track *track) {
  const AVDictionaryEntry *kid = av_dict_get(stream->metadata, "enc_key_id", NULL, 0);
  uint8_t found[16];
  if (!track->is_encrypted || !track->is_followed) return track->is_encrypted || kid == NULL;
  return kid != NULL && av_base64_decode(found, kid->value, sizeof found) == 16 && memcmp(found, track->kid, 16) == 0;
}

/* libavformat does not tell the number of a WebM's tracks, but makes its streams in their order. */
static bool find_webm_tracks(wmav_input *input) {
  unsigned count = input->format->nb_streams, stream = 0;
  bool is_encrypted = false, is_found = true;
  if ((input->webm_tracks = calloc(count + 1, sizeof *input->webm_tracks)) == NULL) return false;
  for (size_t i = 0; i < input->webm.track_count; i++) {
    const webm_track *track = &input->webm.tracks[i];
    is_encrypted |= track->is_encrypted;
    if (!track->is_stream) continue;
    while (stream < count && is_attachment(input->format->streams[stream])) stream++;
    if (stream == count || !is_same_track(input->format->streams[stream], track)) is_found = false;
    else input->webm_tracks[stream++] = track;
  }
  while (stream < count && is_attachment(input->format->streams[stream])) stream++;
  return !is_encrypted || (is_found && stream == count);
}

/* What a stream says of itself, without what only the encrypted file has. */
static void name_streams(wmav_input *input) {
  for (unsigned i = 0; i < input->format->nb_streams; i++) {
    AVStream *stream = input->format->streams[i];
    const mp4_track *track = input->is_mp4 ? mp4_track_of(&input->mp4, (uint32_t)stream->id) : NULL;
    if (!input->is_mp4) av_dict_set(&stream->metadata, "enc_key_id", NULL, 0);
    if (track == NULL || !track->is_locked) continue;
    /* A picture that libavformat took from the track before anything was decrypted. */
    if (stream->attached_pic.data != NULL) av_packet_unref(&stream->attached_pic);
  }
}

EXPORT bool wmav_is_protected(const wmav_input *input, int stream) {
  if (input == NULL || stream < 0 || (unsigned)stream >= input->format->nb_streams) return false;
  const mp4_track *track = input->is_mp4 ? mp4_track_of(&input->mp4, (uint32_t)input->format->streams[stream]->id) : NULL;
  const webm_track *other = input->is_mp4 ? NULL : input->webm_tracks[stream];
  return track != NULL ? track->is_locked : other != NULL && other->is_encrypted;
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

/* Reads what the file says of its samples. */
static int look(wmav_input *input, AVIOContext *io) {
  uint8_t head[8];
  if (!(io->seekable & AVIO_SEEKABLE_NORMAL))
    return wmav_fail(input, -1, AVERROR_PATCHWELCOME, "The file cannot be sought in, as a pipe cannot.");
  int64_t place = avio_seek(io, 0, SEEK_SET);
  int found = place < 0 ? (int)place : avio_read(io, head, sizeof head);
  if (found < 0 && found != AVERROR_EOF) return fail_by_av(input, found);
  input->is_mp4 = found == sizeof head && mp4_begins(head);
  if (!input->is_mp4 && (found != sizeof head || !webm_begins(head)))
    return wmav_fail(input, -1, AVERROR_PATCHWELCOME, "The file is neither MP4 nor WebM.");
  int error = input->is_mp4 ? mp4_read(&input->mp4, io) : webm_read(&input->webm, io);
  if (error < 0 && wmav_is_interrupted(input)) return fail_by_av(input, AVERROR_EXIT);
  if (error < 0 && error != AVERROR_INVALIDDATA) return fail_by_av(input, error);
  if (error < 0) {
    char why[200];
    snprintf(why, sizeof why, "The file cannot be read: %s.", input->is_mp4 ? input->mp4.why : "its tracks are damaged");
    return wmav_fail(input, -1, error, why);
  }
  if (input->is_mp4) name_key(input, io);
  return list_kids(input) < 0 ? wmav_fail(input, -1, AVERROR(ENOMEM), "There is no memory for the key IDs.") : 0;
}

static int open_demuxer(wmav_input *input, AVIOContext *io, const char *url, AVDictionary **options) {
  const char *name = input->is_mp4 ? "mov" : "matroska";
  int64_t place = avio_seek(io, 0, SEEK_SET);
  if (place < 0) return fail_by_av(input, (int)place);
  /* Keys that are given to libavformat would decrypt before this does, and other files have other places. */
  av_dict_set(options, "decryption_key", NULL, 0);
  av_dict_set(options, "decryption_keys", NULL, 0);
  av_dict_set(options, "enable_drefs", NULL, 0);
  if (input->is_mp4 && (io = input->view = mp4_open_view(&input->mp4, io)) == NULL) return fail_by_av(input, AVERROR(ENOMEM));
  input->format->pb = io;
  input->format->flags |= AVFMT_FLAG_NOPARSE; /* nobody may look into frames that are not decrypted yet */
  int error = avformat_open_input(&input->format, url, av_find_input_format(name), options);
  if (error < 0) return fail_by_av(input, error);
  if (!input->is_mp4 && !find_webm_tracks(input))
    return wmav_fail(input, -1, AVERROR_INVALIDDATA, "Its tracks are not those that libavformat finds.");
  name_streams(input);
  return 0;
}

static int open_input(wmav_input *input, const char *url, AVIOContext *io, const wmav_options *options) {
  AVDictionary *copy = NULL;
  const char *action = options != NULL && options->action != NULL ? options->action : WM_ACTION_PLAY;
  if (options != NULL) input->interrupt = options->interrupt;
  input->action = av_strdup(action);
  input->pending = av_packet_alloc();
  input->format = avformat_alloc_context();
  int error = input->action == NULL || input->pending == NULL || input->format == NULL ? AVERROR(ENOMEM) : 0;
  if (error >= 0 && options != NULL) error = av_dict_copy(&copy, options->format_options, 0);
  if (error >= 0) input->format->interrupt_callback = input->interrupt;
  if (error >= 0 && wmav_is_interrupted(input)) error = AVERROR_EXIT;
  if (error >= 0 && io == NULL) {
    error = avio_open2(&input->own_io, url, AVIO_FLAG_READ, &input->interrupt, &copy);
    io = input->own_io;
  }
  if (error < 0) {
    error = fail_by_av(input, error);
  } else {
    error = look(input, io);
    if (error >= 0) error = open_demuxer(input, io, url, &copy);
  }
  av_dict_free(&copy);
  return error;
}

static int open_any(wmav_input **out, wm_client *client, const char *url, AVIOContext *io, const wmav_options *options) {
  if (out == NULL) return AVERROR(EINVAL);
  *out = NULL;
  bool has_size = options == NULL || options->struct_size >= sizeof *options;
  if (!has_size || (url == NULL && io == NULL)) return AVERROR(EINVAL);
  wmav_input *input = calloc(1, sizeof *input);
  if (input == NULL) return AVERROR(ENOMEM);
  int error = wm_add_ref(client) < 0 ? wmav_fail(input, -1, AVERROR(EINVAL), "The client is none.") : 0;
  if (error >= 0) input->client = client;
  if (error >= 0) error = open_input(input, url, io, options);
  if (error >= 0) return *out = input, 0;
  if (options != NULL && options->error != NULL) wmav_get_error_info(input, options->error, NULL);
  wmav_close(&input);
  return error;
}

EXPORT int wmav_open(wmav_input **out, wm_client *client, const char *url, const wmav_options *options) {
  return open_any(out, client, url, NULL, options);
}

EXPORT int wmav_open_io(wmav_input **out, wm_client *client, AVIOContext *io, const wmav_options *options) {
  return open_any(out, client, NULL, io, options);
}

EXPORT void wmav_close(wmav_input **which) {
  wmav_input *input = which != NULL ? *which : NULL;
  if (input == NULL) return;
  avformat_close_input(&input->format);
  mp4_close_view(&input->view);
  avio_closep(&input->own_io);
  for (size_t i = 0; i < input->key_count; i++) wm_release(input->keys[i].decryptor);
  wm_release(input->client);
  av_packet_free(&input->pending);
  mp4_free(&input->mp4);
  av_free(input->action);
  free(input->webm_tracks), free(input->kids), free(input->keys), free(input);
  *which = NULL;
}

/* --- use ----------------------------------------------------------------------------------------------------------- */

EXPORT AVFormatContext *wmav_format(wmav_input *input) { return input != NULL ? input->format : NULL; }

EXPORT size_t wmav_kid_count(const wmav_input *input) { return input != NULL ? input->kid_count : 0; }

EXPORT int wmav_get_kid(const wmav_input *input, size_t index, uint8_t kid[16]) {
  if (input == NULL || kid == NULL || index >= input->kid_count) return AVERROR(EINVAL);
  memcpy(kid, input->kids[index], 16);
  return 0;
}

static void drop_pending(wmav_input *input) {
  av_packet_unref(input->pending);
  input->has_pending = false;
  input->pending_done = 0;
}

/* Reads the next packet that somebody wants into `pending`, unless one is there. */
static int read_pending(wmav_input *input) {
  if (wmav_is_interrupted(input)) return fail_by_av(input, AVERROR_EXIT);
  const AVFormatContext *format = input->format;
  if (input->has_pending && format->streams[input->pending->stream_index]->discard >= AVDISCARD_ALL) drop_pending(input);
  while (!input->has_pending) {
    int error = av_read_frame(input->format, input->pending);
    if (error < 0) return error == AVERROR_EOF && !wmav_is_interrupted(input) ? error : fail_by_av(input, error);
    input->has_pending = input->pending->stream_index >= 0 && (unsigned)input->pending->stream_index < format->nb_streams;
    if (!input->has_pending) av_packet_unref(input->pending);
  }
  return 0;
}

EXPORT int wmav_read_packet(wmav_input *input, AVPacket *packet) {
  if (input == NULL || packet == NULL) return AVERROR(EINVAL);
  input->error = (wm_error_info){.struct_size = sizeof input->error};
  input->error_stream = -1;
  int error = read_pending(input);
  if (error < 0) return error;
  error = wmav_clear_pending(input);
  if (error >= 0) av_packet_move_ref(packet, input->pending);
  if (error != AVERROR(EACCES)) drop_pending(input);
  return error;
}

EXPORT int wmav_seek(wmav_input *input, int stream, int64_t min, int64_t timestamp, int64_t max, int flags) {
  if (input == NULL) return AVERROR(EINVAL);
  input->error = (wm_error_info){.struct_size = sizeof input->error};
  input->error_stream = -1;
  drop_pending(input);
  int error = avformat_seek_file(input->format, stream, min, timestamp, max, flags);
  return error < 0 ? fail_by_av(input, error) : 0;
}

EXPORT int wmav_get_error_info(const wmav_input *input, wm_error_info *info, int *stream) {
  if (input == NULL || info == NULL || info->struct_size < sizeof *info) return AVERROR(EINVAL);
  size_t known = info->struct_size;
  *info = input->error;
  info->struct_size = known;
  if (stream != NULL) *stream = input->error_stream;
  return 0;
}
