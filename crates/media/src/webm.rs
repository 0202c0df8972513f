//! The tracks of WebM and Matroska (RFC 9559) and how they are protected ("WebM Encryption", and `ContentEncodings` in
//! RFC 9559, 5.1.4.1.31). Blocks are in `webm/clusters.rs`.

mod clusters;

use crate::boxes::FourCc;
use crate::cenc::Scheme;
use crate::ebml::{Element, Head};
use crate::error::HeaderError;
use crate::mp4::{Iv, Protection, SampleEntry, Track, TrackEncryption};
use crate::source::Source;
use std::io::{Read, Seek};
use wmlicense_wire::id::Kid;

pub(crate) use clusters::read_samples;

const EBML: u32 = 0x1A45_DFA3;
const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1F43_B675;
const TRACKS: u32 = 0x1654_AE6B;
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
/// Bytes of the largest EBML header that is read.
const EBML_LIMIT: u64 = 4096;
/// More tracks than any honest file has.
const TRACK_LIMIT: usize = 256;
/// A segment, a cluster and a block group are three.
const DEPTH_LIMIT: usize = 8;
/// Elements of a file that are looked at: a million blocks with all that may stand around them. Bounds the time that a
/// hostile file can take.
const ELEMENT_LIMIT: u64 = 1 << 22;

/// Whether a file is in EBML by its first four bytes.
pub(crate) fn begins_webm(head: &[u8]) -> bool {
    head.starts_with(&EBML.to_be_bytes())
}

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

/// Which clusters a walk goes into. The others are stepped over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Enter {
    /// Those whose end is only known from within.
    UnknownSizes,
    /// All, and their block groups.
    All,
}

/// Goes through the elements of segments and clusters one after another, whatever their depth.
struct Walk {
    next: u64,
    /// Where the elements end that were gone into. None ends after the one before it.
    ends: Vec<u64>,
    elements: u64,
}

impl Walk {
    /// Reads the EBML header.
    fn begin<R: Read + Seek>(source: &mut Source<R>) -> Result<Self, HeaderError> {
        let head = Head::at(source, 0)?.filter(|head| head.id == EBML).ok_or(HeaderError::NotRecognised)?;
        let size = head.size.ok_or_else(|| head.bad_size())?;
        if size > EBML_LIMIT {
            return Err(head.bad_size());
        }
        let body = source.read_at(head.body, size, "EBML")?;
        let doc_type = Element::new(&head, &body).child(DOC_TYPE)?;
        match doc_type.map(|doc_type| doc_type.body.trim_ascii_end()) {
            Some(b"webm" | b"matroska") => Ok(Self { next: head.body + size, ends: Vec::new(), elements: 0 }),
            _ => Err(HeaderError::NotRecognised),
        }
    }

    /// The next element that is not gone into.
    fn next<R: Read + Seek>(&mut self, source: &mut Source<R>, enter: Enter) -> Result<Option<Head>, HeaderError> {
        loop {
            let Some(head) = Head::at(source, self.next)? else { return Ok(None) };
            self.elements += 1;
            if self.elements > ELEMENT_LIMIT {
                let (offset, count, limit) = (head.offset, self.elements, ELEMENT_LIMIT);
                return Err(HeaderError::TooMany { offset, field: "elements", count, limit });
            }
            self.ends.retain(|end| *end > head.offset);
            let holds_blocks = matches!(head.id, CLUSTER | clusters::BLOCK_GROUP);
            let is_entered = head.id == SEGMENT || holds_blocks && (enter == Enter::All || head.size.is_none());
            let end = self.end_of(&head, is_entered)?;
            if !is_entered {
                self.next = end;
                return Ok(Some(head));
            }
            self.next = head.body;
            if head.size.is_some() {
                self.ends.push(end);
            }
            if self.ends.len() > DEPTH_LIMIT {
                let (offset, count, limit) = (head.offset, self.ends.len() as u64, DEPTH_LIMIT as u64);
                return Err(HeaderError::TooMany { offset, field: "nested elements", count, limit });
            }
        }
    }

    /// Where an element ends, within those around it. An element of unknown size that is gone into ends with them.
    fn end_of(&self, head: &Head, is_entered: bool) -> Result<u64, HeaderError> {
        let around = self.ends.last().copied().unwrap_or(u64::MAX);
        let end = if head.size.is_none() && is_entered { Some(around) } else { head.end() };
        end.filter(|end| *end <= around).ok_or_else(|| head.bad_size())
    }

    fn missing_tracks(&self) -> HeaderError {
        HeaderError::Missing { offset: 0, field: "Tracks" }
    }
}

/// A track with what only its blocks need.
struct WebmTrack {
    track: Track,
    /// The type of an encoding that would have to be undone after decryption.
    other_encoding: Option<(u64, u64)>,
    /// Why its protection cannot be read.
    note: Option<HeaderError>,
}

fn parse_tracks<R: Read + Seek>(source: &mut Source<R>, head: &Head) -> Result<Vec<WebmTrack>, HeaderError> {
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
        _ => *b"    ",
    })
}
