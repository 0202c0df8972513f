//! The tracks of a WebM file and how they are protected.

use super::walk::{Enter, TRACKS, Walk};
use crate::cenc::Scheme;
use crate::ebml::{Element, Head};
use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::source::Source;
use crate::track::{Iv, Protection, SampleEntry, Track, TrackEncryption};
use std::io::{Read, Seek};
use wmlicense_wire::id::Kid;

const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const TRACK_TYPE: u32 = 0x83;
const CODEC_ID: u32 = 0x86;
const CONTENT_ENCODINGS: u32 = 0x6D80;
const CONTENT_ENCODING: u32 = 0x6240;
const ENCODING_SCOPE: u32 = 0x5032;
const ENCODING_TYPE: u32 = 0x5033;
const CONTENT_ENCRYPTION: u32 = 0x5035;
const ENCRYPTION_ALGORITHM: u32 = 0x47E1;
const ENCRYPTION_KEY_ID: u32 = 0x47E2;
const AES_SETTINGS: u32 = 0x47E7;
const CIPHER_MODE: u32 = 0x47E8;

/// The kind of an encoding that encrypts; 0 compresses.
const ENCRYPTION: u64 = 1;
/// More tracks than any honest file has.
const TRACK_LIMIT: usize = 256;
/// Reads the tracks. Everything but them is skipped, so the rest of the file may be missing.
/// What of their protection cannot be read comes beside them.
pub(crate) fn read_tracks<R: Read + Seek>(
    source: &mut Source<R>,
) -> Result<(Vec<Track>, Vec<HeaderError>), HeaderError> {
    let mut walk = Walk::begin(source)?;
    while let Some(head) = walk.next(source, Enter::UnknownSizes)? {
        if head.id == TRACKS {
            let mut notes = Vec::new();
            let tracks = parse_tracks(source, &head)?.into_iter().map(|found| {
                notes.extend(found.note);
                found.track
            });
            return Ok((tracks.collect(), notes));
        }
    }
    Err(walk.missing_tracks())
}

/// A track with what only its blocks need.
pub(super) struct WebmTrack {
    pub(super) track: Track,
    /// The type of an encoding that would have to be undone after decryption.
    pub(super) other_encoding: Option<(u64, u64)>,
    /// Why its protection cannot be read.
    pub(super) note: Option<HeaderError>,
}

pub(super) fn parse_tracks<R: Read + Seek>(source: &mut Source<R>, head: &Head) -> Result<Vec<WebmTrack>, HeaderError> {
    let body = source.read_at(head.body, head.size.unwrap_or_default(), "Tracks")?;
    let mut tracks = Vec::new();
    for entry in Element::new(head, &body).all(TRACK_ENTRY) {
        let entry = entry?;
        tracks.push(WebmTrack::parse(&entry)?);
        if tracks.len() > TRACK_LIMIT {
            let (count, limit) = (tracks.len() as u64, TRACK_LIMIT as u64);
            return Err(HeaderError::TooMany { offset: entry.offset, field: "TrackEntry", count, limit });
        }
    }
    Ok(tracks)
}

impl WebmTrack {
    fn parse(entry: &Element<'_>) -> Result<Self, HeaderError> {
        let (offset, field) = (entry.offset, "TrackNumber");
        let number = entry.number(TRACK_NUMBER, field)?.ok_or(HeaderError::Missing { offset, field })?;
        let bad = HeaderError::BadValue { offset, field, value: number };
        let id = u32::try_from(number).ok().filter(|id| *id > 0).ok_or(bad)?;
        let handler = FourCc(match entry.number(TRACK_TYPE, "TrackType")? {
            Some(1) => *b"vide",
            Some(2) => *b"soun",
            Some(0x11) => *b"text",
            _ => *b"meta",
        });
        let codec = entry.child(CODEC_ID)?.map_or(&b""[..], |codec| codec.body.trim_ascii_end());
        let (mut protection, mut other_encoding, mut note) = (None, None, None);
        if let Some(encodings) = entry.child(CONTENT_ENCODINGS)? {
            for encoding in encodings.all(CONTENT_ENCODING) {
                let encoding = encoding?;
                let kind = encoding.number(ENCODING_TYPE, "ContentEncodingType")?.unwrap_or(0);
                let result = match kind {
                    ENCRYPTION if protection.is_none() => read_encoding(&encoding),
                    // A kind that is not known may be anything but compression.
                    value => {
                        other_encoding = Some((encoding.offset, value));
                        Ok((value > ENCRYPTION).then(|| protected(None, None)))
                    }
                };
                protection = protection.or(result.unwrap_or_else(|error| {
                    note = Some(error);
                    Some(protected(None, None))
                }));
            }
        }
        let entries = vec![SampleEntry { format: format_of(codec), protection }];
        Ok(Self { track: Track { id, handler, entries }, other_encoding, note })
    }
}

fn protected(cipher: Option<Scheme>, defaults: Option<TrackEncryption>) -> Protection {
    Protection { scheme: FourCc(*b"cenc"), version: 0, cipher, defaults }
}

/// The protection of a track; `None` if it is only signed. Where more of it is encrypted than its frames, or something
/// else, it cannot be decrypted.
fn read_encoding(encoding: &Element<'_>) -> Result<Option<Protection>, HeaderError> {
    const FRAMES: u64 = 1;
    let scope = encoding.number(ENCODING_SCOPE, "ContentEncodingScope")?.unwrap_or(FRAMES);
    let (offset, field) = (encoding.offset, "ContentEncryption");
    let encryption = encoding.child(CONTENT_ENCRYPTION)?.ok_or(HeaderError::Missing { offset, field })?;
    let algorithm = encryption.number(ENCRYPTION_ALGORITHM, "ContentEncAlgo")?.unwrap_or(0);
    if algorithm == 0 {
        return Ok(None);
    }
    let mode = match encryption.child(AES_SETTINGS)? {
        Some(settings) => settings.number(CIPHER_MODE, "AESSettingsCipherMode")?,
        None => None,
    };
    let key_id = encryption.child(ENCRYPTION_KEY_ID)?.and_then(|key_id| Kid::from_slice(key_id.body).ok());
    let defaults = key_id.map(|kid| TrackEncryption {
        is_protected: true,
        iv_size: 8,
        kid,
        constant_iv: Iv::default(),
        crypt_byte_block: 0,
        skip_byte_block: 0,
    });
    let is_known = algorithm == 5 && mode.unwrap_or(1) == 1 && scope == FRAMES;
    Ok(Some(protected(is_known.then_some(Scheme::Cenc), defaults)))
}

/// The code that a codec has in MP4; four spaces for codecs that have none.
fn format_of(codec: &[u8]) -> FourCc {
    FourCc(match codec {
        b"V_VP8" => *b"vp08",
        b"V_VP9" => *b"vp09",
        b"V_AV1" => *b"av01",
        b"V_MPEG4/ISO/AVC" => *b"avc1",
        b"V_MPEGH/ISO/HEVC" => *b"hvc1",
        b"A_OPUS" => *b"Opus",
        b"A_FLAC" => *b"fLaC",
        codec if codec.starts_with(b"A_AAC") => *b"mp4a",
        _ => return FourCc::NONE,
    })
}
