/* play_ffmpeg.c: plays protected MP4 and WebM with libavformat and libavcodec; gets the licenses that are missing.
 *
 * Build:  cc -std=c11 -Iinclude examples-c/play_ffmpeg.c $(pkg-config --cflags --libs libavformat libavcodec libavutil) -Ltarget/release "-Wl,-rpath,$PWD/target/release" -lwmlicense -o play_ffmpeg
 * Run:    ./play_ffmpeg STORE AUTHORITY SERVICE_URL|- TOKEN|- MEDIA [--out CLEAR]
 *
 * Without a service (-) only what the store has is used. Prints a line for each decoded frame, and with --out writes the
 * decrypted streams to a file of their own, whose name tells the format:
 *   STREAM, PTS, MD5
 * Exit: 0 played, 1 failed, 2 usage, 3 a license was refused; then the last line on the error output says why.
 *
 * libavformat tells how each packet is encrypted: AV_PKT_DATA_ENCRYPTION_INFO for MP4; for WebM the key ID of the track
 * (`enc_key_id`), and webm_frame.h reads what stands before a frame. It does not expose key rotation in an MP4 (sample
 * groups) and which sample entry a packet has, which key_groups.h reads: a packet without a description is played only where
 * the file says that it is clear. Groups whose vectors have another size than the track says cannot be opened, nor, before
 * version 6, media segments that were joined to one file.
 */
#define _FILE_OFFSET_BITS 64
#define _POSIX_C_SOURCE 200809L
#include "key_groups.h"
#include "webm_frame.h"

#include <wmlicense.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/base64.h>
#include <libavutil/encryption_info.h>
#include <libavutil/hash.h>
#include <libavutil/imgutils.h>
#include <libavutil/samplefmt.h>

enum { PLAYED = 0, FAILED = 1, USAGE = 2, REFUSED = 3 };

/* What plays one key ID. Packets may change keys at any time, so all of them are kept. */
typedef struct key {
  uint8_t kid[16];
  wm_decryptor *decryptor;
} key;

typedef struct player {
  wm_client *client;
  bool online;
  key *keys;
  size_t key_count;
  key_groups groups;
  uint8_t only_kid[16]; /* the one key ID that the content names; all zero if there are others */
  AVFormatContext *in, *out;
  struct track {
    AVCodecContext *decoder; /* NULL: not played */
    AVStream *copy;          /* in `out` */
    uint8_t webm_kid[16];
    bool is_webm;
    uint64_t samples;
    int64_t last_dts;
  } *tracks;
  wm_subsample *subsamples;
  size_t subsample_space;
  struct AVHashContext *hash;
  uint8_t *picture;
  size_t picture_space;
} player;

/* How one packet is encrypted. */
typedef struct protection {
  uint8_t kid[16], iv[16];
  wm_sample sample;
} protection;

/* --- licenses ----------------------------------------------------------------------------------------------------- */

/* Says why something failed, and what helps; answers the remedy (WM_REMEDY_*). */
static uint32_t explain(const char *what, wm_result result) {
  static const char *const remedies[] = {
      [WM_REMEDY_RETRY] = "try again", [WM_REMEDY_GO_ONLINE] = "connect to the network",
      [WM_REMEDY_SET_CLOCK] = "set the clock", [WM_REMEDY_INDIVIDUALIZE] = "individualize this device",
      [WM_REMEDY_REACQUIRE] = "acquire a license", [WM_REMEDY_CONTACT_ISSUER] = "contact the issuer",
      [WM_REMEDY_FREE_SPACE] = "free some space", [WM_REMEDY_SIGN_IN] = "sign in",
      [WM_REMEDY_OPEN_URL] = "visit the page of the service", [WM_REMEDY_UPDATE] = "update the player",
      [WM_REMEDY_INDIVIDUALIZE_ANEW] = "individualize this device anew", [WM_REMEDY_RENEW] = "renew or buy",
  };
  wm_error_info info = {.struct_size = sizeof info};
  bool detailed = wm_get_error_info(&info) == 0 && info.result == result;
  const char *remedy = detailed && info.remedy < sizeof remedies / sizeof *remedies ? remedies[info.remedy] : NULL;
  fprintf(stderr, "%s: %s: %s", what, wm_result_name(result), detailed ? info.message : wm_result_message(result));
  fprintf(stderr, remedy != NULL ? " (what helps: %s)\n" : "\n", remedy);
  return detailed ? info.remedy : WM_REMEDY_NONE;
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

/* The decryptor for a key ID. Without a usable license: the refusal is shown, a license acquired, and then it is tried
 * again, once. */
static int decryptor_for(player *p, const uint8_t kid[16], wm_decryptor **out) {
  char key_id[AV_BASE64_SIZE(16)], what[64];
  for (size_t i = 0; i < p->key_count; i++) {
    if (memcmp(p->keys[i].kid, kid, 16) != 0) continue;
    *out = p->keys[i].decryptor;
    return PLAYED;
  }
  av_base64_encode(key_id, sizeof key_id, kid, 16);
  snprintf(what, sizeof what, "key ID %s", key_id);
  wm_result result = wm_create_decryptor(p->client, kid, "Play", out);
  if (result < 0) {
    uint32_t remedy = explain(what, result);
    /* The owner may have changed the terms of what is over. */
    bool may_help = remedy == WM_REMEDY_REACQUIRE || remedy == WM_REMEDY_RENEW || remedy == WM_REMEDY_INDIVIDUALIZE;
    if (!p->online || !may_help) return REFUSED;
    if ((result = acquire(p->client, key_id)) >= 0) {
      fprintf(stderr, "license acquired: %s\n", key_id);
      result = wm_create_decryptor(p->client, kid, "Play", out);
    }
    if (result < 0) return explain(what, result), REFUSED;
  }
  key *more = realloc(p->keys, (p->key_count + 1) * sizeof *more);
  if (more == NULL) return wm_release(*out), FAILED;
  p->keys = more;
  more[p->key_count].decryptor = *out;
  memcpy(more[p->key_count++].kid, kid, 16);
  return PLAYED;
}

/* --- how a packet is encrypted ------------------------------------------------------------------------------------ */

static bool add_subsample(player *p, wm_sample *sample, uint32_t clear, uint32_t encrypted) {
  if (sample->subsample_count == p->subsample_space) {
    size_t space = p->subsample_space * 2 + 16;
    wm_subsample *more = realloc(p->subsamples, space * sizeof *more);
    if (more == NULL) return false;
    p->subsamples = more;
    p->subsample_space = space;
  }
  p->subsamples[sample->subsample_count++] = (wm_subsample){clear, encrypted};
  sample->subsamples = p->subsamples;
  return true;
}

/* MP4. Answers 1 if the packet is encrypted, 0 if it is clear, -1 if it cannot be told. */
static int mp4_protection(player *p, const struct track *track, const AVPacket *packet, protection *to) {
  static const uint8_t elsewhere[16];
  size_t size = 0;
  const uint8_t *side = av_packet_get_side_data(packet, AV_PKT_DATA_ENCRYPTION_INFO, &size);
  uint32_t id = (uint32_t)p->in->streams[packet->stream_index]->id;
  const key_group *group = key_group_of(&p->groups, id, track->samples);
  if (group != NULL && !group->is_protected) return 0;
  if (side == NULL) return p->groups.is_mp4 && (group != NULL || key_is_locked(&p->groups, id, track->samples)) ? -1 : 0;
  AVEncryptionInfo *info = av_encryption_info_get_side_data(side, size);
  bool fine = info != NULL && info->key_id_size == 16 && info->iv_size <= 16;
  if (fine) {
    memcpy(to->kid, info->key_id, 16);
    memcpy(to->iv, info->iv, info->iv_size);
    to->sample.iv_size = info->iv_size;
    to->sample.scheme = info->scheme;
    to->sample.crypt_byte_block = info->crypt_byte_block;
    to->sample.skip_byte_block = info->skip_byte_block;
    for (uint32_t i = 0; i < info->subsample_count && fine; i++)
      fine = add_subsample(p, &to->sample, info->subsamples[i].bytes_of_clear_data,
                           info->subsamples[i].bytes_of_protected_data);
  }
  av_encryption_info_free(info);
  if (fine && group != NULL) {
    memcpy(to->kid, group->kid, 16);
    to->sample.crypt_byte_block = group->crypt_blocks;
    to->sample.skip_byte_block = group->skip_blocks;
    if (group->constant_iv_size > 0) {
      memcpy(to->iv, group->constant_iv, 16);
      to->sample.iv_size = group->constant_iv_size;
    }
  }
  /* An all-zero key ID says that the key is named elsewhere. */
  if (fine && memcmp(to->kid, elsewhere, 16) == 0) memcpy(to->kid, p->only_kid, 16);
  return fine && memcmp(to->kid, elsewhere, 16) != 0 ? 1 : -1;
}

/* WebM. What stands before the frame is taken off the packet. */
static int webm_protection(player *p, const struct track *track, AVPacket *packet, protection *to) {
  webm_frame frame;
  if (!read_webm_frame(packet->data, (size_t)packet->size, &frame)) return -1;
  packet->data += frame.head;
  packet->size -= (int)frame.head;
  if (!frame.is_encrypted) return 0;
  memcpy(to->kid, track->webm_kid, 16);
  memcpy(to->iv, frame.iv, 8);
  to->sample.iv_size = 8;
  to->sample.scheme = WM_SCHEME_CENC;
  for (size_t i = 0; i < frame.range_count; i++)
    if (!add_subsample(p, &to->sample, frame.ranges[i].clear, frame.ranges[i].encrypted)) return -1;
  return 1;
}

static int decrypt_packet(player *p, AVPacket *packet) {
  struct track *track = &p->tracks[packet->stream_index];
  protection how = {.sample = {.struct_size = sizeof how.sample}};
  how.sample.iv = how.iv;
  wm_decryptor *decryptor = NULL;
  int encrypted = track->is_webm ? webm_protection(p, track, packet, &how) : mp4_protection(p, track, packet, &how);
  if (encrypted < 0) return fprintf(stderr, "stream %d: cannot tell how a packet is encrypted\n", packet->stream_index), FAILED;
  track->samples++;
  if (encrypted == 0) return PLAYED;
  if (av_packet_make_writable(packet) < 0) return FAILED;
  int code = decryptor_for(p, how.kid, &decryptor);
  if (code != PLAYED) return code;
  /* The first sample counts as the use, if the license counts; so even this may be refused. */
  wm_result result = wm_decrypt_sample(decryptor, &how.sample, packet->data, (size_t)packet->size);
  if (result >= 0) return PLAYED;
  explain("decrypt", result);
  wm_error_info info = {.struct_size = sizeof info};
  return wm_get_error_info(&info) == 0 && info.category == WM_CATEGORY_RIGHTS ? REFUSED : FAILED;
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
  AVStream *from = p->in->streams[packet->stream_index], *to = track->copy;
  if (to == NULL) return PLAYED;
  /* Fragments may tell no durations, and a track whose last packet has none ends before it. */
  if (packet->duration == 0 && track->samples > 1) packet->duration = packet->dts - track->last_dts;
  track->last_dts = packet->dts;
  av_packet_rescale_ts(packet, from->time_base, to->time_base);
  packet->stream_index = to->index;
  packet->pos = -1;
  int error = av_interleaved_write_frame(p->out, packet);
  return error < 0 ? fprintf(stderr, "output: %s\n", av_err2str(error)), FAILED : PLAYED;
}

static int play(player *p) {
  AVPacket *packet = av_packet_alloc();
  int code = packet == NULL ? FAILED : PLAYED, error = 0;
  while (code == PLAYED && (error = av_read_frame(p->in, packet)) >= 0) {
    if ((size_t)packet->stream_index >= p->in->nb_streams) continue;
    code = decrypt_packet(p, packet);
    if (code == PLAYED) code = decode(p, packet->stream_index, packet);
    if (code == PLAYED) code = write_packet(p, packet);
    av_packet_unref(packet);
  }
  av_packet_free(&packet);
  if (code == PLAYED && error != AVERROR_EOF) code = (fprintf(stderr, "input: %s\n", av_err2str(error)), FAILED);
  for (unsigned i = 0; code == PLAYED && i < p->in->nb_streams; i++) code = decode(p, (int)i, NULL);
  if (code == PLAYED && p->out != NULL && av_write_trailer(p->out) < 0) code = FAILED;
  return code;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static int open_track(player *p, unsigned index) {
  AVStream *stream = p->in->streams[index];
  struct track *track = &p->tracks[index];
  const AVDictionaryEntry *kid = av_dict_get(stream->metadata, "enc_key_id", NULL, 0);
  const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
  if (kid != NULL) {
    track->is_webm = true;
    if (av_base64_decode(track->webm_kid, kid->value, 16) != 16) return AVERROR_INVALIDDATA;
  }
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

/* What the file says of all its tracks; answers whether something in it is protected, -1 if it cannot be read. */
static int look_at_content(player *p, const char *path) {
  wm_content_header *header = NULL;
  char kids[AV_BASE64_SIZE(16)];
  size_t size = 0;
  wm_result result = wm_create_content_header_from_file(path, &header);
  if (result < 0) return explain(path, result), -1;
  /* With several key IDs the list does not fit. */
  bool one = wm_get_prop(header, WM_PROP_KIDS, NULL, kids, sizeof kids, &size) >= 0;
  wm_release(header);
  if (one && av_base64_decode(p->only_kid, kids, 16) != 16) memset(p->only_kid, 0, 16);
  bool protected = true;
  return (result = wm_is_content_protected(path, &protected)) < 0 ? (explain(path, result), -1) : protected;
}

static int open_media(player *p, const char *path, const char *out) {
  AVDictionary *options = NULL;
  int protected = look_at_content(p, path), has_keys = 0;
  if (protected < 0 || !read_key_groups(path, &p->groups)) return AVERROR_INVALIDDATA;
  /* Samples are counted as the file has them, so none may be left out. */
  if (p->groups.count > 0 || key_has_clear_lead(&p->groups)) av_dict_set(&options, "advanced_editlist", "0", 0);
  if ((p->in = avformat_alloc_context()) == NULL) return AVERROR(ENOMEM);
  p->in->flags |= AVFMT_FLAG_NOPARSE; /* nobody may look into frames that are not decrypted yet */
  int error = avformat_open_input(&p->in, path, NULL, &options);
  av_dict_free(&options);
  if (error >= 0 && out != NULL) error = avformat_alloc_output_context2(&p->out, NULL, NULL, out);
  if (error >= 0 && (p->tracks = calloc(p->in->nb_streams + 1, sizeof *p->tracks)) == NULL) error = AVERROR(ENOMEM);
  for (unsigned i = 0; error >= 0 && i < p->in->nb_streams; i++) {
    error = open_track(p, i);
    has_keys |= p->tracks[i].is_webm;
  }
  /* Of other formats, and of tracks of WebM without a key ID, libavformat hands on what it cannot decrypt. */
  if (error >= 0 && protected && !p->groups.is_mp4 && !has_keys) error = AVERROR_PATCHWELCOME;
  if (error >= 0 && out != NULL) error = avio_open(&p->out->pb, out, AVIO_FLAG_WRITE);
  if (error >= 0 && out != NULL) error = avformat_write_header(p->out, NULL);
  return error < 0 ? error : av_hash_alloc(&p->hash, "MD5");
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
  for (unsigned i = 0; p->tracks != NULL && i < p->in->nb_streams; i++) avcodec_free_context(&p->tracks[i].decoder);
  if (p->out != NULL) avio_closep(&p->out->pb);
  avformat_free_context(p->out);
  avformat_close_input(&p->in);
  for (size_t i = 0; i < p->key_count; i++) wm_release(p->keys[i].decryptor);
  wm_release(p->client);
  av_hash_freep(&p->hash);
  free(p->keys), free(p->tracks), kg_free(&p->groups), free(p->subsamples), free(p->picture);
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
  int error = result < 0 ? 0 : open_media(&p, argv[5], with_out ? argv[7] : NULL);
  if (result < 0) explain("open", result);
  else if (error < 0) fprintf(stderr, "%s: %s\n", argv[5], av_err2str(error));
  else code = play(&p);
  close_player(&p);
  return code;
}
