/* webm.h: which tracks of a WebM or Matroska file are encrypted (RFC 9559, 5.1.4.1.31, and "WebM Encryption"), as the file itself
 * says it. What stands before a frame is in webm_frame.h.
 */
#ifndef WMAV_WEBM_H
#define WMAV_WEBM_H

#include <libavformat/avio.h>
#include <stdbool.h>
#include <stdint.h>

enum { WEBM_MAX_TRACKS = 256, WEBM_MAX_PART = 16 << 20 };

typedef struct webm_track {
  uint64_t number;
  bool is_stream; /* of a kind that libavformat makes streams of: pictures, tones, subtitles, metadata, with a codec */
  bool is_encrypted;
  bool is_followed; /* encrypted in the one way that is known, and nothing else */
  uint8_t kid[16];
} webm_track;

typedef struct webm_file {
  webm_track tracks[WEBM_MAX_TRACKS];
  size_t track_count;
} webm_file;

/* Whether a file begins like one, by its first four bytes. */
bool webm_begins(const uint8_t *head);

/* Reads the tracks of a seekable file. Answers 0, AVERROR_INVALIDDATA or what `io` answers. */
int webm_read(webm_file *file, AVIOContext *io);

/* The track with this number, NULL if there is none. */
const webm_track *webm_track_of(const webm_file *file, uint64_t number);

#endif
