/* wmlicense_av.h: reads protected MP4 and WebM files through libavformat and hands out clear packets.
 *
 * Link with libwmlicense-av, libavformat, libavcodec, libavutil and libwmlicense; `pkg-config --cflags --libs wmlicense-av`
 * names them all. FFmpeg 5.1 and later.
 *
 *   wmav_input *input = NULL;
 *   int error = wmav_open(&input, client, "film.mp4", NULL);
 *   while (error >= 0 && (error = wmav_read_packet(input, packet)) >= 0) { decode(packet); av_packet_unref(packet); }
 *   wmav_close(&input);
 *
 * How samples are encrypted is read from the file itself, not from what libavformat makes of it: Common Encryption (cenc, cens,
 * cbc1, cbcs) with and without fragments, keys that rotate, clear leads, PIFF 1.1, and WebM. A packet of a track that the file
 * protects is handed out decrypted, or clear where the file says that it is clear; else reading fails. Ciphertext is never
 * handed out.
 *
 * Errors are those of FFmpeg, negative: AVERROR(EACCES) where a license is missing or does not permit the action,
 * or the store cannot be used, AVERROR_INVALIDDATA where the file is damaged or describes its protection in a way that is not
 * followed, AVERROR_PATCHWELCOME for other formats, AVERROR_EXIT after an interrupt, AVERROR(EINVAL) for wrong arguments,
 * AVERROR(ENOMEM), and what libavformat answers. wmav_get_error_info says more.
 *
 * Threads: one thread at a time uses an input, as with an AVFormatContext. Different inputs are independent, also of one client.
 */
#ifndef WMLICENSE_AV_H
#define WMLICENSE_AV_H

#include <wmlicense.h>

#ifdef __cplusplus
extern "C" {
#endif
#include <libavformat/avformat.h>

/* Version of this library at run time, major << 16 | minor << 8 | patch: that of libwmlicense that it was built with (WM_VERSION). */
uint32_t wmav_version(void);

/* One open file. */
typedef struct wmav_input wmav_input;

/* How to open. Set all to 0, then struct_size to sizeof(wmav_options). Nothing of it is kept but `interrupt`. */
typedef struct wmav_options {
  /* Size of the struct that the caller knows, in bytes. */
  size_t struct_size;
  /* The action that licenses must permit, UTF-8; NULL for WM_ACTION_PLAY. */
  const char *action;
  /* Asked while something blocks, and before each packet; answers 1 to stop. It is called on the thread that opens or reads, so
   * what it looks at is atomic where another thread sets it. `callback` may be NULL. */
  AVIOInterruptCB interrupt;
  /* Options of the protocol and of the demuxer, as avformat_open_input takes them; NULL for none. Not changed. Its entries
   * `decryption_key`, `decryption_keys` and `enable_drefs` have no effect. */
  AVDictionary *format_options;
  /* Receives why opening failed; NULL if nobody asks. Set its struct_size before. */
  wm_error_info *error;
} wmav_options;

/* Opens a file or URL that can be sought in, reads where all its samples are, and takes a reference of the client, which must be
 * open. No license is looked for yet. options: NULL for Play and nothing else. *out: receives the input, to be closed by
 * wmav_close; NULL on failure. Up to a million samples of a track are read. */
int wmav_open(wmav_input **out, wm_client *client, const char *url, const wmav_options *options);

/* The same for a reader that the caller has, which must be seekable and stand anywhere. It stays the caller's, is used by nobody
 * else until wmav_close, and is not closed by it. */
int wmav_open_io(wmav_input **out, wm_client *client, AVIOContext *io, const wmav_options *options);

/* The demuxer, for its streams, their codec parameters, metadata and chapters; `discard` of streams may be set. It belongs to the
 * input. Do not read, seek or close with it, and do not call avformat_find_stream_info on it: packets of it are ciphertext.
 * Codec parameters say what the container says; what only frames tell, such as a pixel format, a decoder tells later. Codec
 * tags are those of the media itself, not `encv` or `enca`. */
AVFormatContext *wmav_format(wmav_input *input);

/* Whether something in a stream is protected. False for an index that is none. */
bool wmav_is_protected(const wmav_input *input, int stream);

/* The number of key IDs that the file names for its samples. */
size_t wmav_kid_count(const wmav_input *input);

/* One of them, by its index from 0, in no order. kid: receives 16 bytes in the order of the UUID text. AVERROR(EINVAL) for an
 * index beyond. To get all licenses before the first packet, give these to a license request (WM_PROP_KEY_IDS). */
int wmav_get_kid(const wmav_input *input, size_t index, uint8_t kid[16]);

/* Reads the next packet of any stream that is not discarded, in the order of the file, and decrypts it. packet: blank; receives
 * a packet that the caller unreferences, and that is blank after a failure. One decryptor is made for each key ID, at the first
 * packet that needs it, and kept until wmav_close, so each counts as one use, also after seeking.
 * AVERROR_EOF at the end. After AVERROR(EACCES) the packet is kept: acquire a license for the key ID in wmav_get_error_info and
 * call again, or discard the stream, or seek. After AVERROR_INVALIDDATA it is dropped, and the next call goes on behind it. */
int wmav_read_packet(wmav_input *input, AVPacket *packet);

/* Seeks as avformat_seek_file does, with the same arguments, and drops a packet that was kept. Flush decoders after it. */
int wmav_seek(wmav_input *input, int stream, int64_t min, int64_t timestamp, int64_t max, int flags);

/* Tells why the last call on the input failed: the library's own detail where a license was refused, else WM_E_INVALID_DATA with
 * a sentence. info: struct_size set; `result` is 0 if nothing failed. stream: receives the index of the stream, -1 if it is about
 * none; may be NULL. */
int wmav_get_error_info(const wmav_input *input, wm_error_info *info, int *stream);

/* Closes the input, its decryptors and what wmav_open opened, and sets *input to NULL. NULL is allowed. */
void wmav_close(wmav_input **input);

#ifdef __cplusplus
}
#endif

#endif
