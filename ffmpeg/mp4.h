/* mp4.h: where the samples of an MP4 lie and how each is encrypted (ISO/IEC 14496-12, ISO/IEC 23001-7 and PIFF 1.1), as the
 * file itself says it. Sample data is not read here, and nothing is decrypted.
 */
#ifndef WMAV_MP4_H
#define WMAV_MP4_H

#include "box_reader.h"

#include <libavformat/avio.h>
#include <wmlicense.h>

enum {
  MP4_MAX_TRACKS = 256,
  MP4_MAX_ENTRIES = 256,       /* sample entries of a track */
  MP4_MAX_SAMPLES = 1 << 20,   /* of a track: six hours of sound */
  MP4_MAX_PARAMETERS = 1 << 16,
  MP4_MAX_SUBSAMPLES = 1 << 23,
  MP4_MAX_BOX = 64 << 20,      /* bytes of a moov or moof that are held in memory */
  MP4_MAX_BOXES = 1 << 22,     /* at the top of a file */
  MP4_MAX_RUNS = 1 << 16,      /* of a fragment */
  MP4_MAX_PATCHES = 1 << 22,
};

/* Numbers of parameters that are none. */
enum { MP4_CLEAR = 0, MP4_UNKNOWN = INT32_MAX };

/* How samples are encrypted unless each says it for itself. */
typedef struct mp4_parameters {
  uint32_t scheme; /* WM_SCHEME_*; 0: that of the sample entry */
  uint8_t kid[16]; /* all zero: named elsewhere */
  bool is_protected;
  bool is_unfollowed; /* cannot be used here: several keys for one sample, or damaged */
  uint8_t iv_size;    /* of each sample's own vector: 0, 8 or 16 */
  uint8_t constant_iv_size;
  uint8_t crypt_blocks, skip_blocks;
  uint8_t constant_iv[16];
} mp4_parameters;

typedef struct mp4_sample {
  uint64_t offset; /* in the file */
  uint32_t size;
  uint32_t parameters; /* from 1 in the file's list, MP4_CLEAR or MP4_UNKNOWN */
  uint32_t first_subsample;
  uint16_t subsample_count; /* 0: the whole sample is encrypted */
  uint16_t entry;           /* from 1 */
  uint8_t iv[16];
} mp4_sample;

typedef struct mp4_entry {
  bool is_locked;      /* its code says that its samples are protected */
  uint32_t format;     /* of the media itself, such as 'avc1'; 0 if it is not told */
  bool is_piff;        /* the scheme leaves the cipher to other boxes */
  uint32_t scheme;     /* WM_SCHEME_*; 0 for one that is not known */
  uint32_t parameters; /* the defaults (tenc); 0: there are none */
} mp4_entry;

/* Descriptions of groups of samples with other keys (sgpd of type seig). */
typedef struct mp4_groups {
  uint32_t first, count; /* in the file's list of parameters */
  uint32_t default_index;
  box_reader assignment; /* the entries of sbgp */
  bool is_broken;
} mp4_groups;

typedef struct mp4_track {
  uint32_t id;
  mp4_entry *entries;
  uint32_t entry_count;
  bool is_locked; /* has a protected entry; samples of other tracks are not listed */
  uint32_t default_entry, default_size; /* of fragments (trex) */
  mp4_groups groups;                    /* of the movie; `assignment` is empty after its samples were read */
  mp4_sample *samples;                  /* by offset when the file was read */
  size_t count, space;
  const char *why; /* why the first sample of unknown protection is so */
} mp4_track;

/* Four bytes of the file that are read as others: the code of a box or entry that speaks of protection. */
typedef struct mp4_patch {
  uint64_t offset;
  uint8_t code[4];
} mp4_patch;

typedef struct mp4_file {
  mp4_track *tracks;
  size_t track_count;
  mp4_parameters *parameters;
  size_t parameter_count, parameter_space;
  wm_subsample *subsamples;
  size_t subsample_count, subsample_space;
  uint32_t *runs; /* samples of each run or chunk of the part that is being read */
  size_t run_count, run_space;
  mp4_patch *patches; /* by offset */
  size_t patch_count, patch_space;
  uint8_t *movie;
  size_t movie_size;
  const char *why; /* why the file cannot be read */
} mp4_file;

/* Samples that share one place for what is said about each: those of a traf, or of a whole stbl. */
typedef struct mp4_part {
  mp4_track *track;
  box_reader parent; /* the traf or stbl */
  size_t first;      /* sample; the part reaches to the last one */
  uint64_t base;     /* what offsets in saio are relative to */
  const mp4_groups *groups;
} mp4_part;

/* Whether a file begins like an MP4, by its first eight bytes. */
bool mp4_begins(const uint8_t *head);

/* Reads a seekable file, which must be one that begins so. Answers 0, AVERROR_INVALIDDATA, AVERROR(ENOMEM) or what `io` answers;
 * `why` says more. mp4_free in every case. */
int mp4_read(mp4_file *file, AVIOContext *io);
void mp4_free(mp4_file *file);

/* Key IDs of everything in the file that names some, `pssh` boxes too; for the one that an all-zero key ID stands for. False
 * unless there is exactly one. */
bool mp4_only_kid(AVIOContext *io, uint8_t kid[16]);

mp4_track *mp4_track_of(const mp4_file *file, uint32_t id);

/* The sample that begins at a byte of the file, NULL if there is none, or several that differ. */
const mp4_sample *mp4_sample_at(const mp4_track *track, uint64_t offset);

/* A reader of the same file in which nothing speaks of protection: boxes that do have no meaning, and sample entries have the codes
 * of the media itself. Sample data is what it is. For a demuxer, whose own ideas of encryption differ from version to version and
 * end in errors. `io` must outlive it. NULL without memory. */
AVIOContext *mp4_open_view(const mp4_file *file, AVIOContext *io);
void mp4_close_view(AVIOContext **view);

/* --- between the files of the reader ------------------------------------------------------------------------------- */

#define MP4_PIFF KG_TYPE('p', 'i', 'f', 'f')
#define MP4_UUID KG_TYPE('u', 'u', 'i', 'd')

/* Makes room for one more item of `size` bytes, up to `limit` items; false without memory, or beyond. */
bool mp4_grow(void *list, size_t *space, size_t count, size_t size, size_t limit);
/* Adds parameters; answers their number, 0 without memory. */
uint32_t mp4_add_parameters(mp4_file *file, const mp4_parameters *parameters);
bool mp4_add_sample(mp4_file *file, mp4_track *track, mp4_sample sample);
bool mp4_add_run(mp4_file *file, uint32_t samples);
/* Notes what a view shows otherwise in a box at the top: `data` is all of it, from `offset` of the file on. False without memory. */
bool mp4_hide(mp4_file *file, box_reader data, uint64_t offset);
bool mp4_is_scheme(uint32_t code);
/* The body of the first uuid box of this kind, behind the extended type; empty if there is none. */
box_reader mp4_uuid(box_reader parent, const char *extended);

/* What tenc and seig share, from the first reserved byte on; and what boxes of PIFF have instead. */
bool mp4_read_encryption(box_reader *from, bool has_pattern, mp4_parameters *to);
bool mp4_read_piff(box_reader *from, mp4_parameters *to);

/* The boxes of a sample entry from its first sinf on; empty if there is none. */
box_reader mp4_from_sinf(box_reader entry);
bool mp4_read_entries(mp4_file *file, mp4_track *track, box_reader stsd);
bool mp4_read_movie(mp4_file *file, AVIOContext *io, box_reader moov);
bool mp4_read_fragment(mp4_file *file, AVIOContext *io, box_reader moof, uint64_t offset);

/* The groups of a traf or stbl. */
mp4_groups mp4_read_groups(mp4_file *file, box_reader parent);
/* Gives the samples of a part their parameters, and then what each of them says for itself. */
void mp4_describe(mp4_file *file, AVIOContext *io, const mp4_part *part);
/* Reads senc, saiz and saio, or PIFF's box. Answers why they cannot be followed, NULL if they can. */
const char *mp4_read_auxiliary(mp4_file *file, AVIOContext *io, const mp4_part *part);

#endif
