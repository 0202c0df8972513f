/* webm.c: the Tracks of a WebM or Matroska file. Clusters are stepped over. */
#include "webm.h"

#include <libavutil/error.h>
#include <stdlib.h>
#include <string.h>

enum {
  EBML = 0x1A45DFA3, SEGMENT = 0x18538067, TRACKS = 0x1654AE6B, CLUSTER = 0x1F43B675, TRACK_ENTRY = 0xAE, TRACK_NUMBER = 0xD7,
  TRACK_TYPE = 0x83, CODEC_ID = 0x86,
  CONTENT_ENCODINGS = 0x6D80, CONTENT_ENCODING = 0x6240, ENCODING_SCOPE = 0x5032, ENCODING_TYPE = 0x5033,
  CONTENT_ENCRYPTION = 0x5035, ENCRYPTION_ALGORITHM = 0x47E1, ENCRYPTION_KEY_ID = 0x47E2, AES_SETTINGS = 0x47E7,
  CIPHER_MODE = 0x47E8,
};

/* Elements at the top of a segment that are looked at. */
enum { MAX_ELEMENTS = 1 << 20 };

static const uint64_t UNKNOWN_SIZE = UINT64_MAX;

/* The unread rest of an element. */
typedef struct element {
  const uint8_t *data;
  size_t size;
} element;

/* Reads an ID (`keep_marker`) or a size. Answers its bytes, 0 if it is none. */
static size_t read_number(const uint8_t *data, size_t size, bool keep_marker, uint64_t *value) {
  size_t length = 1, most = keep_marker ? 4 : 8;
  if (size == 0 || data[0] == 0) return 0;
  while ((data[0] & (0x80 >> (length - 1))) == 0) length++;
  if (length > most || length > size) return 0;
  *value = keep_marker ? data[0] : data[0] & ((0x80u >> (length - 1)) - 1);
  bool all_set = !keep_marker && *value == (0x80u >> (length - 1)) - 1;
  for (size_t i = 1; i < length; i++) {
    *value = *value << 8 | data[i];
    all_set = all_set && data[i] == 0xFF;
  }
  if (all_set) *value = UNKNOWN_SIZE;
  return length;
}

/* Takes the next element in memory; false at the end, or where one does not fit, which empties `from` or leaves a rest. */
static bool next(element *from, uint64_t *id, element *body) {
  uint64_t size = 0;
  size_t head = read_number(from->data, from->size, true, id);
  size_t more = head == 0 ? 0 : read_number(from->data + head, from->size - head, false, &size);
  if (more == 0 || size > from->size - head - more) return false;
  *body = (element){from->data + head + more, (size_t)size};
  from->data = body->data + body->size;
  from->size -= head + more + body->size;
  return true;
}

/* The number in the first child of this kind, `otherwise` if there is none. Ones that are too large become UINT64_MAX. */
static uint64_t number_in(element parent, uint64_t wanted, uint64_t otherwise) {
  uint64_t id, value = 0;
  element body;
  while (next(&parent, &id, &body)) {
    if (id != wanted) continue;
    for (size_t i = 0; i < body.size; i++) value = value << 8 | body.data[i];
    return body.size > 8 ? UINT64_MAX : value;
  }
  return otherwise;
}

static element child(element parent, uint64_t wanted) {
  uint64_t id;
  element body;
  while (next(&parent, &id, &body))
    if (id == wanted) return body;
  return (element){NULL, 0};
}

/* Reads one ContentEncoding, the first of its track or another one. */
static void read_encoding(element encoding, webm_track *to) {
  uint64_t type = number_in(encoding, ENCODING_TYPE, 0);
  /* Compression alone is the demuxer's matter; a kind that is not known may be anything. */
  if (type == 0) {
    to->is_followed = false;
    return;
  }
  element encryption = child(encoding, CONTENT_ENCRYPTION), kid = child(encryption, ENCRYPTION_KEY_ID);
  uint64_t algorithm = number_in(encryption, ENCRYPTION_ALGORITHM, 0);
  bool is_signature = type == 1 && encryption.data != NULL && algorithm == 0;
  bool is_first = !to->is_encrypted;
  if (is_signature) return;
  to->is_encrypted = true;
  to->is_followed = to->is_followed && is_first && type == 1 && algorithm == 5 && kid.size == 16 &&
                    number_in(child(encryption, AES_SETTINGS), CIPHER_MODE, 1) == 1 &&
                    number_in(encoding, ENCODING_SCOPE, 1) == 1;
  if (kid.size == 16) memcpy(to->kid, kid.data, 16);
}

static bool read_entry(element entry, webm_track *to) {
  element encodings = child(entry, CONTENT_ENCODINGS), encoding;
  uint64_t id;
  *to = (webm_track){.number = number_in(entry, TRACK_NUMBER, 0), .is_followed = true};
  uint64_t type = number_in(entry, TRACK_TYPE, 0);
  to->is_stream = (type == 1 || type == 2 || type == 0x11 || type == 0x21) && child(entry, CODEC_ID).size > 0;
  while (next(&encodings, &id, &encoding))
    if (id == CONTENT_ENCODING) read_encoding(encoding, to);
  /* What cannot be read in there may be an encryption. */
  if (encodings.size > 0) to->is_encrypted = true, to->is_followed = false;
  return to->number > 0;
}

static int read_tracks(webm_file *file, element tracks) {
  uint64_t id;
  element entry;
  file->track_count = 0;
  while (next(&tracks, &id, &entry)) {
    if (id != TRACK_ENTRY) continue;
    if (file->track_count == WEBM_MAX_TRACKS || !read_entry(entry, &file->tracks[file->track_count])) return AVERROR_INVALIDDATA;
    if (webm_track_of(file, file->tracks[file->track_count].number) != NULL) return AVERROR_INVALIDDATA;
    file->track_count++;
  }
  return tracks.size == 0 ? 0 : AVERROR_INVALIDDATA;
}

bool webm_begins(const uint8_t *head) { return memcmp(head, "\x1A\x45\xDF\xA3", 4) == 0; }

const webm_track *webm_track_of(const webm_file *file, uint64_t number) {
  for (size_t i = 0; i < file->track_count; i++)
    if (file->tracks[i].number == number) return &file->tracks[i];
  return NULL;
}

/* The head of the element at the reader's place. Answers 1, 0 at the end of the file, or an error; the place is behind it. */
static int read_head(AVIOContext *io, uint64_t *id, uint64_t *size) {
  uint8_t head[12];
  int64_t at = avio_tell(io);
  int found = avio_read(io, head, sizeof head);
  if (found <= 0) return found == AVERROR_EOF || found == 0 ? 0 : found;
  size_t length = read_number(head, (size_t)found, true, id);
  size_t more = length == 0 ? 0 : read_number(head + length, (size_t)found - length, false, size);
  if (more == 0) return AVERROR_INVALIDDATA;
  int64_t place = avio_seek(io, at + (int64_t)(length + more), SEEK_SET);
  return place < 0 ? (int)place : 1;
}

static int read_body(webm_file *file, AVIOContext *io, uint64_t size) {
  uint8_t *data = size <= WEBM_MAX_PART ? malloc((size_t)size + 1) : NULL;
  int error = AVERROR_INVALIDDATA;
  if (data != NULL && avio_read(io, data, (int)size) == (int)size) error = read_tracks(file, (element){data, (size_t)size});
  free(data);
  return error;
}

int webm_read(webm_file *file, AVIOContext *io) {
  uint64_t id, size;
  int64_t place = avio_seek(io, 0, SEEK_SET), length = avio_size(io);
  int step = place < 0 ? (int)place : length < 0 ? (int)length : 1;
  bool has_tracks = false;
  for (size_t count = 0; step > 0 && (step = read_head(io, &id, &size)) > 0; count++) {
    bool is_entered = id == SEGMENT;
    /* libavformat takes what stands before the first cluster, and so must this. */
    if (id == CLUSTER && has_tracks) return 0;
    if (count == MAX_ELEMENTS || (size == UNKNOWN_SIZE && !is_entered)) return has_tracks ? 0 : AVERROR_INVALIDDATA;
    if (is_entered) continue;
    int64_t body = avio_tell(io);
    if (id == TRACKS && has_tracks) return AVERROR_INVALIDDATA;
    if (id == TRACKS) {
      if ((step = read_body(file, io, size)) < 0) return step;
      has_tracks = true;
      step = 1;
    }
    if (size > (uint64_t)INT64_MAX - (uint64_t)body || body + (int64_t)size > length) break;
    if ((place = avio_seek(io, body + (int64_t)size, SEEK_SET)) < 0) return (int)place;
  }
  if (step < 0) return step;
  return has_tracks ? 0 : AVERROR_INVALIDDATA;
}
