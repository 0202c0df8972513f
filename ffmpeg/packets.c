/* packets.c: how a packet becomes clear, and what plays each key ID. Reading and opening are in input.c. */
#include "input.h"
#include "webm_frame.h"

#include <stdlib.h>

/* --- failures ------------------------------------------------------------------------------------------------------ */

int wmav_fail(wmav_input *input, int stream, int error, const char *why) {
  input->error = (wm_error_info){.struct_size = sizeof input->error, .result = WM_E_INVALID_DATA, .category = WM_CATEGORY_CONTENT};
  input->error_stream = stream;
  bool is_content = error == AVERROR_INVALIDDATA || error == AVERROR_PATCHWELCOME;
  if (!is_content) input->error.result = WM_E_PATH_UNUSABLE, input->error.category = WM_CATEGORY_STORAGE;
  if (error == AVERROR(ENOENT)) input->error.result = WM_E_PATH_NOT_FOUND;
  if (error == AVERROR_EXIT) input->error.result = WM_E_OPERATION_CANCELED, input->error.category = WM_CATEGORY_CANCELLED;
  if (error == AVERROR(ENOMEM)) input->error.result = WM_E_OUTOFMEMORY, input->error.category = WM_CATEGORY_INTERNAL;
  if (error == AVERROR(EINVAL)) input->error.result = WM_E_INVALIDARG, input->error.category = WM_CATEGORY_CALL;
  snprintf(input->error.message, sizeof input->error.message, "%s", why);
  return error;
}

int wmav_fail_with(wmav_input *input, int stream, wm_result result) {
  wm_error_info info = {.struct_size = sizeof info};
  if (wm_get_error_info(&info) < 0 || info.result != result) {
    info = (wm_error_info){.struct_size = sizeof info, .result = result};
    snprintf(info.message, sizeof info.message, "%s", wm_result_message(result));
  }
  input->error = info;
  input->error_stream = stream;
  if (result == WM_E_OUTOFMEMORY) return AVERROR(ENOMEM);
  return info.category == WM_CATEGORY_CONTENT || info.category == WM_CATEGORY_CALL ? AVERROR_INVALIDDATA : AVERROR(EACCES);
}

/* --- keys ---------------------------------------------------------------------------------------------------------- */

static int decryptor_for(wmav_input *input, const uint8_t kid[16], wm_decryptor **out) {
  for (size_t i = input->key_count; i-- > 0;) { /* keys that rotate are used a while and then no more */
    if (memcmp(input->keys[i].kid, kid, 16) != 0) continue;
    *out = input->keys[i].decryptor;
    return 0;
  }
  if (!mp4_grow(&input->keys, &input->key_space, input->key_count, sizeof *input->keys, MP4_MAX_PARAMETERS))
    return wmav_fail(input, input->pending->stream_index, AVERROR(ENOMEM), "there is no memory for another key");
  wm_result result = wm_create_decryptor(input->client, kid, input->action, out);
  if (result >= 0) {
    wmav_key *key = &input->keys[input->key_count++];
    memcpy(key->kid, kid, 16);
    key->decryptor = *out;
    return 0;
  }
  int error = wmav_fail_with(input, input->pending->stream_index, result);
  /* Whatever is in the way, the packet can be read once it is not. */
  if (!input->error.has_kid) input->error.has_kid = 1, memcpy(input->error.kid, kid, 16);
  return error == AVERROR(ENOMEM) ? error : AVERROR(EACCES);
}

static int decrypt(wmav_input *input, const uint8_t kid[16], const wm_sample *sample, uint8_t *data, size_t size) {
  wm_decryptor *decryptor = NULL;
  int error = decryptor_for(input, kid, &decryptor);
  if (error < 0) return error;
  wm_result result = wm_decrypt_sample(decryptor, sample, data, size);
  if (result >= 0) return 0;
  error = wmav_fail_with(input, input->pending->stream_index, result);
  if (!input->error.has_kid) input->error.has_kid = 1, memcpy(input->error.kid, kid, 16);
  return error;
}

/* --- packets ------------------------------------------------------------------------------------------------------- */

static int refuse(wmav_input *input, const char *why) {
  return wmav_fail(input, input->pending->stream_index, AVERROR_INVALIDDATA, why);
}

/* Whether a stream is a picture beside the tracks, such as a cover, which no container encrypts. */
static bool is_cover(const AVStream *stream) {
  return stream->disposition & AV_DISPOSITION_ATTACHED_PIC && !(stream->disposition & AV_DISPOSITION_TIMED_THUMBNAILS);
}

static int decrypt_sample(wmav_input *input, const mp4_sample *from, uint8_t *data) {
  static const uint8_t elsewhere[16];
  const mp4_track *track = mp4_track_of(&input->mp4, (uint32_t)input->format->streams[input->pending->stream_index]->id);
  const mp4_parameters *known = &input->mp4.parameters[from->parameters - 1];
  wm_sample sample = {.struct_size = sizeof sample,
                      .iv = known->iv_size > 0 ? from->iv : known->constant_iv,
                      .iv_size = known->iv_size > 0 ? known->iv_size : known->constant_iv_size,
                      .subsample_count = from->subsample_count,
                      .crypt_byte_block = known->crypt_blocks,
                      .skip_byte_block = known->skip_blocks,
                      .scheme = known->scheme != 0 ? known->scheme : track->entries[from->entry - 1].scheme};
  if (from->subsample_count > 0) sample.subsamples = input->mp4.subsamples + from->first_subsample;
  if (memcmp(known->kid, elsewhere, 16) == 0)
    return refuse(input, "The track does not name its key, and the file has not exactly one.");
  return decrypt(input, known->kid, &sample, data, from->size);
}

/* A packet of MP4 is a sample, or several that follow each other. */
static int clear_mp4(wmav_input *input) {
  AVPacket *packet = input->pending;
  const AVStream *stream = input->format->streams[packet->stream_index];
  const mp4_track *track = mp4_track_of(&input->mp4, (uint32_t)stream->id);
  if (track == NULL) return is_cover(stream) ? 0 : refuse(input, "A stream is no track of the file.");
  if (!track->is_locked || packet->size == 0) return 0;
  if (packet->pos < 0) return refuse(input, "It is not known where a packet lies in the file.");
  int error = av_packet_make_writable(packet);
  if (error < 0) return wmav_fail(input, packet->stream_index, error, "There is no memory for a packet.");
  while (input->pending_done < packet->size) {
    const mp4_sample *sample = mp4_sample_at(track, (uint64_t)packet->pos + (uint64_t)input->pending_done);
    if (sample == NULL || sample->size > (uint32_t)(packet->size - input->pending_done))
      return refuse(input, "A packet is not what the file describes as a sample.");
    if (sample->parameters == MP4_UNKNOWN) {
      char why[200];
      snprintf(why, sizeof why, "It is not known how a sample is encrypted: %s.", track->why);
      return refuse(input, why);
    }
    error = sample->parameters == MP4_CLEAR ? 0 : decrypt_sample(input, sample, packet->data + input->pending_done);
    if (error < 0) return error;
    input->pending_done += (int)sample->size;
  }
  return 0;
}

/* A packet of WebM has before the frame what says how it is encrypted, which is taken off. */
static int clear_webm(wmav_input *input) {
  AVPacket *packet = input->pending;
  const webm_track *track = input->webm_tracks[packet->stream_index];
  if (track == NULL || !track->is_encrypted) return 0;
  webm_frame frame;
  if (!track->is_followed) return refuse(input, "The track is encrypted in a way that is not known.");
  if (!read_webm_frame(packet->data, (size_t)packet->size, &frame))
    return refuse(input, "What stands before an encrypted frame is damaged.");
  if (frame.is_encrypted) {
    wm_sample sample = {.struct_size = sizeof sample, .iv = frame.iv, .iv_size = 8, .subsamples = frame.ranges,
                        .subsample_count = frame.range_count, .scheme = WM_SCHEME_CENC};
    int error = av_packet_make_writable(packet);
    if (error < 0) return wmav_fail(input, packet->stream_index, error, "There is no memory for a packet.");
    error = decrypt(input, track->kid, &sample, packet->data + frame.head, (size_t)packet->size - frame.head);
    if (error < 0) return error;
  }
  packet->data += frame.head;
  packet->size -= (int)frame.head;
  return 0;
}

int wmav_clear_pending(wmav_input *input) { return input->is_mp4 ? clear_mp4(input) : clear_webm(input); }
