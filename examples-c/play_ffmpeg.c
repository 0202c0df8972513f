/* play_ffmpeg.c: plays protected MP4 and WebM with libwmlicense-av and libavcodec; gets the licenses that are missing.
 *
 * Build:  cc -std=c11 -Iinclude -Iffmpeg examples-c/play_ffmpeg.c -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense-av -lwmlicense $(pkg-config --cflags --libs libavformat libavcodec libavutil) -o play_ffmpeg
 *         after `make -C ffmpeg`
 * Run:    ./play_ffmpeg STORE AUTHORITY SERVICE_URL|- TOKEN|- MEDIA [--out CLEAR]
 *
 * Without a service (-) only what the store has is used. Prints a line for each decoded frame, and with --out writes the
 * decrypted streams to a file of their own, whose name tells the format:
 *   STREAM, PTS, MD5
 * Exit: 0 played, 1 failed, 2 usage, 3 a license was refused; then the last line on the error output says why.
 */
#define _POSIX_C_SOURCE 200809L
#include <wmlicense.h>
#include <wmlicense_av.h>

#include <libavcodec/avcodec.h>
#include <libavutil/hash.h>
#include <libavutil/imgutils.h>
#include <libavutil/samplefmt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAYED = 0, FAILED = 1, USAGE = 2, REFUSED = 3 };

typedef struct player {
  wm_client *client;
  bool online;
  wmav_input *in;
  AVFormatContext *out;
  struct track {
    AVCodecContext *decoder; /* NULL: not played */
    AVStream *copy;          /* in `out` */
    uint64_t packets;
    int64_t last_dts;
  } *tracks;
  struct AVHashContext *hash;
  uint8_t *picture;
} player;

/* --- licenses ----------------------------------------------------------------------------------------------------- */

static const char *remedy_of(uint32_t remedy) {
  static const char *const remedies[] = {
      [WM_REMEDY_RETRY] = "try again", [WM_REMEDY_GO_ONLINE] = "connect to the network",
      [WM_REMEDY_SET_CLOCK] = "set the clock", [WM_REMEDY_INDIVIDUALIZE] = "individualize this device",
      [WM_REMEDY_REACQUIRE] = "acquire a license", [WM_REMEDY_CONTACT_ISSUER] = "contact the issuer",
      [WM_REMEDY_FREE_SPACE] = "free some space", [WM_REMEDY_SIGN_IN] = "sign in",
      [WM_REMEDY_OPEN_URL] = "visit the page of the service", [WM_REMEDY_UPDATE] = "update the player",
      [WM_REMEDY_INDIVIDUALIZE_ANEW] = "individualize this device anew", [WM_REMEDY_RENEW] = "renew or buy",
  };
  return remedy < sizeof remedies / sizeof *remedies ? remedies[remedy] : NULL;
}

/* Says why something failed, and what helps. */
static void explain(const char *what, const wm_error_info *info) {
  const char *remedy = remedy_of(info->remedy);
  fprintf(stderr, "%s: %s: %s", what, wm_result_name(info->result), info->message);
  fprintf(stderr, remedy != NULL ? " (what helps: %s)\n" : "\n", remedy);
}

static void explain_result(const char *what, wm_result result) {
  wm_error_info info = {.struct_size = sizeof info};
  if (wm_get_error_info(&info) < 0 || info.result != result) {
    info = (wm_error_info){.struct_size = sizeof info, .result = result};
    snprintf(info.message, sizeof info.message, "%s", wm_result_message(result));
  }
  explain(what, &info);
}

static wm_result individualize(wm_client *client) {
  wm_individualizer *individualizer = NULL;
  wm_result outcome = 0;
  wm_result result = wm_create_individualizer(client, NULL, NULL, &individualizer);
  /* An application asks its user first: the privacy statement of the service says what is sent. */
  if (result >= 0) result = wm_set_bool_prop(individualizer, WM_PROP_USER_CONSENT, true);
  if (result >= 0) result = wm_individualize(individualizer, 0); /* does nothing where the device is current */
  if (result >= 0) result = wm_wait(individualizer, WM_INFINITE, &outcome);
  wm_release(individualizer);
  return result < 0 ? result : outcome;
}

/* Asks the service for a license, silently. A player with a user interface leaves wm_wait out and goes on in a callback. */
static wm_result acquire(wm_client *client, const char *key_id) {
  wm_license_request *request = NULL;
  wm_result outcome = 0;
  wm_result result = individualize(client);
  if (result >= 0) result = wm_create_license_request(client, NULL, NULL, &request);
  if (result >= 0) result = wm_set_string_prop(request, WM_PROP_KEY_IDS, key_id);
  if (result >= 0) result = wm_acquire_license(request, WM_ACQUIRE_SILENT);
  if (result >= 0) result = wm_wait(request, WM_INFINITE, &outcome);
  wm_release(request);
  if (result >= 0) result = outcome;
  return result >= 0 && !WM_LICENSE_STORED(result) ? WM_E_OPERATION_CANCELED : result;
}

/* A packet could not be read: shows why, and acquires a license where that may help. True if it is worth another try. */
static bool overcome(player *p, const wm_error_info *info) {
  char key_id[32], what[64];
  if (!info->has_kid || wm_kid_to_text(info->kid, WM_KID_BASE64, key_id, sizeof key_id, NULL) < 0) return explain("license", info), false;
  snprintf(what, sizeof what, "key ID %s", key_id);
  explain(what, info);
  /* The owner may have changed the terms of what is over. */
  bool may_help = info->remedy == WM_REMEDY_REACQUIRE || info->remedy == WM_REMEDY_RENEW || info->remedy == WM_REMEDY_INDIVIDUALIZE;
  if (!p->online || !may_help) return false;
  wm_result result = acquire(p->client, key_id);
  if (result < 0) return explain_result(what, result), false;
  fprintf(stderr, "license acquired: %s\n", key_id);
  return true;
}

/* Reads a clear packet. Where a license is refused, it is acquired and the packet tried again, once. */
static int read_packet(player *p, AVPacket *packet) {
  wm_error_info info = {.struct_size = sizeof info};
  int stream = -1, error = wmav_read_packet(p->in, packet);
  if (error >= 0 || error == AVERROR_EOF) return error;
  wmav_get_error_info(p->in, &info, &stream);
  if (error == AVERROR(EACCES)) {
    if (!overcome(p, &info)) return error;
    if ((error = wmav_read_packet(p->in, packet)) >= 0) return error;
    wmav_get_error_info(p->in, &info, &stream);
  }
  char what[32];
  snprintf(what, sizeof what, stream >= 0 ? "stream %d" : "input", stream);
  explain(what, &info);
  return error;
}

/* --- playing ------------------------------------------------------------------------------------------------------ */

static bool hash_frame(player *p, int stream, const AVFrame *frame) {
  char digest[2 * AV_HASH_MAX_SIZE + 1];
  av_hash_init(p->hash);
  if (frame->width > 0) {
    int size = av_image_get_buffer_size(frame->format, frame->width, frame->height, 1);
    uint8_t *more = size <= 0 ? NULL : realloc(p->picture, (size_t)size);
    if (more == NULL) return false;
    p->picture = more;
    if (av_image_copy_to_buffer(more, size, (const uint8_t *const *)frame->data, frame->linesize, frame->format,
                                frame->width, frame->height, 1) < 0)
      return false;
    av_hash_update(p->hash, more, (size_t)size);
  } else {
    bool planar = av_sample_fmt_is_planar(frame->format) != 0;
    int channels = frame->ch_layout.nb_channels, planes = planar ? channels : 1;
    int size = frame->nb_samples * av_get_bytes_per_sample(frame->format) * (planar ? 1 : channels);
    for (int i = 0; i < planes; i++) av_hash_update(p->hash, frame->extended_data[i], (size_t)size);
  }
  av_hash_final_hex(p->hash, (uint8_t *)digest, sizeof digest);
  return printf("%d, %lld, %s\n", stream, (long long)frame->pts, digest) > 0;
}

/* Decodes a packet, or what is left in the decoder for NULL. */
static int decode(player *p, int stream, const AVPacket *packet) {
  AVCodecContext *decoder = p->tracks[stream].decoder;
  if (decoder == NULL) return PLAYED;
  AVFrame *frame = av_frame_alloc();
  int error = frame == NULL ? AVERROR(ENOMEM) : avcodec_send_packet(decoder, packet);
  while (error >= 0 && (error = avcodec_receive_frame(decoder, frame)) >= 0)
    if (!hash_frame(p, stream, frame)) error = AVERROR(ENOMEM);
  av_frame_free(&frame);
  if (error == AVERROR(EAGAIN) || error == AVERROR_EOF) return PLAYED;
  return fprintf(stderr, "stream %d: %s\n", stream, av_err2str(error)), FAILED;
}

static int write_packet(player *p, AVPacket *packet) {
  struct track *track = &p->tracks[packet->stream_index];
  const AVStream *from = wmav_format(p->in)->streams[packet->stream_index];
  if (track->copy == NULL) return PLAYED;
  /* Fragments may tell no durations, and a track whose last packet has none ends before it. */
  if (packet->duration == 0 && track->packets > 0) packet->duration = packet->dts - track->last_dts;
  track->packets++;
  track->last_dts = packet->dts;
  av_packet_rescale_ts(packet, from->time_base, track->copy->time_base);
  packet->stream_index = track->copy->index;
  packet->pos = -1;
  int error = av_interleaved_write_frame(p->out, packet);
  return error < 0 ? fprintf(stderr, "output: %s\n", av_err2str(error)), FAILED : PLAYED;
}

static int play(player *p) {
  AVPacket *packet = av_packet_alloc();
  int code = packet == NULL ? FAILED : PLAYED, error = 0;
  while (code == PLAYED && (error = read_packet(p, packet)) >= 0) {
    code = decode(p, packet->stream_index, packet);
    if (code == PLAYED) code = write_packet(p, packet);
    av_packet_unref(packet);
  }
  av_packet_free(&packet);
  if (code == PLAYED && error != AVERROR_EOF) code = error == AVERROR(EACCES) ? REFUSED : FAILED;
  for (unsigned i = 0; code == PLAYED && i < wmav_format(p->in)->nb_streams; i++) code = decode(p, (int)i, NULL);
  if (code == PLAYED && p->out != NULL && av_write_trailer(p->out) < 0) code = FAILED;
  return code;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static int open_track(player *p, unsigned index) {
  AVStream *stream = wmav_format(p->in)->streams[index];
  struct track *track = &p->tracks[index];
  const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
  if (codec == NULL) return 0;
  if ((track->decoder = avcodec_alloc_context3(codec)) == NULL) return AVERROR(ENOMEM);
  int error = avcodec_parameters_to_context(track->decoder, stream->codecpar);
  track->decoder->pkt_timebase = stream->time_base;
  if (error >= 0) error = avcodec_open2(track->decoder, codec, NULL);
  if (error < 0 || p->out == NULL) return error;
  if ((track->copy = avformat_new_stream(p->out, NULL)) == NULL) return AVERROR(ENOMEM);
  error = avcodec_parameters_copy(track->copy->codecpar, stream->codecpar);
  track->copy->codecpar->codec_tag = 0; /* the muxer's own */
  return error;
}

static int open_media(player *p, const char *path, const char *out) {
  wm_error_info info = {.struct_size = sizeof info};
  wmav_options options = {.struct_size = sizeof options, .error = &info};
  int error = wmav_open(&p->in, p->client, path, &options);
  if (error < 0) return explain(path, &info), error;
  unsigned count = wmav_format(p->in)->nb_streams;
  if (out != NULL) error = avformat_alloc_output_context2(&p->out, NULL, NULL, out);
  if (error >= 0 && (p->tracks = calloc(count + 1, sizeof *p->tracks)) == NULL) error = AVERROR(ENOMEM);
  for (unsigned i = 0; error >= 0 && i < count; i++) error = open_track(p, i);
  if (error >= 0 && out != NULL) error = avio_open(&p->out->pb, out, AVIO_FLAG_WRITE);
  if (error >= 0 && out != NULL) error = avformat_write_header(p->out, NULL);
  if (error >= 0) error = av_hash_alloc(&p->hash, "MD5");
  if (error < 0) fprintf(stderr, "%s: %s\n", path, av_err2str(error));
  return error;
}

static wm_result open_client(player *p, char **argv) {
  wm_result result = wm_create_client(&p->client);
  p->online = strcmp(argv[3], "-") != 0;
  if (result >= 0) result = wm_set_string_prop(p->client, WM_PROP_STORE_PATH, argv[1]);
  if (result >= 0) result = wm_set_string_prop(p->client, WM_PROP_AUTHORITY, argv[2]);
  if (result >= 0 && p->online) result = wm_set_string_prop(p->client, WM_PROP_SERVICE_URL, argv[3]);
  if (result >= 0 && strcmp(argv[4], "-") != 0) result = wm_set_string_prop(p->client, WM_PROP_ACCOUNT_TOKEN, argv[4]);
  return result >= 0 ? wm_open_client(p->client) : result;
}

static void close_player(player *p) {
  for (unsigned i = 0; p->tracks != NULL && i < wmav_format(p->in)->nb_streams; i++) avcodec_free_context(&p->tracks[i].decoder);
  if (p->out != NULL) avio_closep(&p->out->pb);
  avformat_free_context(p->out);
  wmav_close(&p->in);
  wm_release(p->client);
  av_hash_freep(&p->hash);
  free(p->tracks), free(p->picture);
}

int main(int argc, char **argv) {
  player p = {0};
  int code = FAILED;
  bool with_out = argc == 8 && strcmp(argv[6], "--out") == 0;
  if (argc != 6 && !with_out) {
    fprintf(stderr, "usage: %s STORE AUTHORITY SERVICE_URL|- TOKEN|- MEDIA [--out CLEAR]\n", argv[0]);
    return USAGE;
  }
  av_log_set_level(AV_LOG_ERROR);
  wm_result result = open_client(&p, argv);
  if (result < 0) explain_result("open", result);
  else if (open_media(&p, argv[5], with_out ? argv[7] : NULL) >= 0) code = play(&p);
  close_player(&p);
  return code;
}
