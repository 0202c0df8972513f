/* input.h: what the two files of an input share: how it is opened, and how its packets are decrypted. */
#ifndef WMAV_INPUT_H
#define WMAV_INPUT_H

#include "mp4.h"
#include "webm.h"
#include "wmlicense_av.h"

/* What plays one key ID. */
typedef struct wmav_key {
  uint8_t kid[16];
  wm_decryptor *decryptor;
} wmav_key;

struct wmav_input {
  wm_client *client;
  char *action;
  AVIOInterruptCB interrupt;
  AVFormatContext *format;
  AVIOContext *own_io; /* NULL if the caller brought one */
  AVIOContext *view;   /* what the demuxer of an MP4 reads */
  bool is_mp4;         /* else WebM */
  mp4_file mp4;
  webm_file webm;
  const webm_track **webm_tracks; /* of each stream; NULL for one that is no track */
  uint8_t (*kids)[16];
  size_t kid_count;
  wmav_key *keys;
  size_t key_count, key_space;
  AVPacket *pending; /* read and not handed out */
  bool has_pending;
  int pending_done; /* bytes of it that are decrypted */
  wm_error_info error;
  int error_stream;
};

/* Notes a failure of the library on this thread, or one with a sentence, and answers `error`. */
int wmav_fail_with(wmav_input *input, int stream, wm_result result);
int wmav_fail(wmav_input *input, int stream, int error, const char *why);

bool wmav_is_interrupted(const wmav_input *input);

/* Makes the pending packet clear. */
int wmav_clear_pending(wmav_input *input);

#endif
