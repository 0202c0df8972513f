//! The movie and track boxes of MP4 (ISO/IEC 14496-12) that tell which tracks are protected and how.
//! Sample tables and fragments are in the submodules.

mod auxiliary;
mod encryption;
mod fragment;
mod groups;
mod piff;
mod progressive;
mod reader;

pub use encryption::{Iv, TrackEncryption};

use super::boxes::{Children, Fields, FourCc, Mp4Box};
use super::error::HeaderError;
use crate::decrypt::cenc::Scheme;
use wmlicense_wire::id::Kid;

pub(super) use groups::group_kids;
pub(super) use reader::read_samples;

/// More tracks, or sample entries of a track, than any honest file has.
const LIST_LIMIT: usize = 256;

/// A track of an MP4 or WebM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// The track ID, or the track number of WebM.
    pub id: u32,
    /// What kind of media it is: `vide`, `soun`, `text`, ….
    pub handler: FourCc,
    /// The sample entries. A track with a clear lead has a clear and a protected one.
    pub entries: Vec<SampleEntry>,
}

/// How some samples of a track are coded and protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleEntry {
    /// The format of the media itself, such as `avc1`, whether protected or not. For WebM the code that its codec has in
    /// MP4; four spaces if it has none.
    pub format: FourCc,
    /// How the samples are protected; `None` if they are clear.
    pub protection: Option<Protection>,
}

/// The protection of a sample entry (`sinf`), or of a WebM track (`ContentEncryption`), which is called `cenc` version 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// The scheme type, such as `cenc`.
    pub scheme: FourCc,
    /// The scheme version, 0x00010000 for Common Encryption.
    pub version: u32,
    /// How samples are decrypted; `None` for a scheme that is not known.
    pub cipher: Option<Scheme>,
    /// What holds for samples without a sample group; `None` for schemes that say it in another way.
    pub defaults: Option<TrackEncryption>,
}

impl Track {
    /// The protection of the first protected sample entry.
    pub fn protection(&self) -> Option<&Protection> {
        self.entries.iter().find_map(|entry| entry.protection.as_ref())
    }

    /// The default key ID of each protected sample entry.
    pub fn default_kids(&self) -> impl Iterator<Item = Kid> {
        self.entries
            .iter()
            .filter_map(|entry| entry.protection.as_ref()?.defaults.as_ref())
            .filter(|defaults| defaults.is_protected)
            .map(|defaults| defaults.kid)
    }

    fn parse(trak: &Mp4Box<'_>) -> Result<Self, HeaderError> {
        let id = track_id(trak)?;
        let mdia = trak.required(b"mdia", "mdia")?;
        let handler = {
            let mut fields = mdia.required(b"hdlr", "hdlr")?.fields();
            fields.take(8, "hdlr version and pre_defined")?;
            fields.four_cc("hdlr handler_type")?
        };
        let stsd = sample_table(trak)?.required(b"stsd", "stsd")?;
        let mut fields = stsd.fields();
        fields.version_and_flags("stsd version")?;
        let declared = fields.u32("stsd entry_count")? as usize;
        if declared > LIST_LIMIT {
            return Err(too_many(&stsd, "stsd entry_count", declared));
        }
        let entries =
            Children(fields).take(declared).map(|entry| SampleEntry::parse(&entry?)).collect::<Result<_, _>>()?;
        Ok(Self { id, handler, entries })
    }
}

impl SampleEntry {
    fn parse(entry: &Mp4Box<'_>) -> Result<Self, HeaderError> {
        let clear = Self { format: entry.kind, protection: None };
        let boxes = match &entry.kind.0 {
            b"encv" => boxes_after(entry, 78)?,
            b"enca" => boxes_after(entry, audio_fields(entry)?)?,
            b"enct" | b"encs" | b"encu" | b"encm" => boxes_from_sinf(entry)?,
            _ => return Ok(clear),
        };
        let (mut chosen, mut format): (Option<Protection>, _) = (None, None);
        for child in Children(boxes) {
            let child = child?;
            if child.kind != *b"sinf" {
                continue;
            }
            let (original, protection) = read_sinf(&child)?;
            format.get_or_insert(original);
            // An entry may name several schemes for the same bytes; the first of the best known kind is taken.
            if chosen.as_ref().is_none_or(|chosen| protection.rank() > chosen.rank()) {
                chosen = Some(protection);
            }
        }
        let missing = HeaderError::Missing { offset: entry.offset, field: "sinf" };
        let (protection, format) = chosen.zip(format).ok_or(missing)?;
        Ok(Self { format, protection: Some(protection) })
    }
}

impl Protection {
    /// Common Encryption before its forerunner, both before what cannot be decrypted.
    fn rank(&self) -> u8 {
        u8::from(self.cipher.is_some()) + u8::from(Scheme::from_fourcc(self.scheme.as_u32()).is_some())
    }
}

/// The tracks of a movie.
pub(super) struct Movie {
    pub(super) tracks: Vec<Track>,
}

impl Movie {
    pub(super) fn parse(moov: &Mp4Box<'_>) -> Result<Self, HeaderError> {
        let mut tracks = Vec::new();
        for child in moov.children() {
            let child = child?;
            if child.kind == *b"trak" {
                tracks.push(Track::parse(&child)?);
                if tracks.len() > LIST_LIMIT {
                    return Err(too_many(&child, "trak", tracks.len()));
                }
            }
        }
        Ok(Self { tracks })
    }
}

fn too_many(place: &Mp4Box<'_>, field: &'static str, count: usize) -> HeaderError {
    HeaderError::TooMany { offset: place.offset, field, count: count as u64, limit: LIST_LIMIT as u64 }
}

/// The track ID in the `tkhd` of a `trak`.
fn track_id(trak: &Mp4Box<'_>) -> Result<u32, HeaderError> {
    let mut fields = trak.required(b"tkhd", "tkhd")?.fields();
    let (version, _) = fields.version_and_flags("tkhd version")?;
    fields.take(if version == 1 { 16 } else { 8 }, "tkhd times")?;
    fields.u32("tkhd track_ID")
}

/// The `stbl` of a `trak`.
fn sample_table<'a>(trak: &Mp4Box<'a>) -> Result<Mp4Box<'a>, HeaderError> {
    trak.required(b"mdia", "mdia")?.required(b"minf", "minf")?.required(b"stbl", "stbl")
}

/// The boxes of a sample entry after fields of a fixed length.
fn boxes_after<'a>(entry: &Mp4Box<'a>, fixed: usize) -> Result<Fields<'a>, HeaderError> {
    let mut fields = entry.fields();
    fields.take(fixed, "sample entry")?;
    Ok(fields)
}

/// Length of the fixed fields of an audio entry; QuickTime's versions 1 and 2 have more of them.
fn audio_fields(entry: &Mp4Box<'_>) -> Result<usize, HeaderError> {
    let mut fields = entry.fields();
    fields.take(8, "sample entry")?;
    Ok(match fields.u16("audio sample entry version")? {
        1 => 28 + 16,
        2 => 28 + 36,
        _ => 28,
    })
}

/// The boxes of an entry whose fixed fields depend on its original format, which is only known from its boxes: they are
/// taken from the first bytes on that look like a `sinf` box.
fn boxes_from_sinf<'a>(entry: &Mp4Box<'a>) -> Result<Fields<'a>, HeaderError> {
    let missing = HeaderError::Missing { offset: entry.offset, field: "sinf" };
    let place = entry.body.windows(8).position(|window| window.ends_with(b"sinf")).ok_or(missing)?;
    boxes_after(entry, place)
}

fn read_sinf(sinf: &Mp4Box<'_>) -> Result<(FourCc, Protection), HeaderError> {
    let original = sinf.required(b"frma", "frma")?.fields().four_cc("frma data_format")?;
    let mut schm = sinf.required(b"schm", "schm")?.fields();
    schm.version_and_flags("schm version")?;
    let scheme = schm.four_cc("schm scheme_type")?;
    let version = schm.u32("schm scheme_version")?;
    let schi = sinf.child(b"schi")?;
    let tenc = schi.map(|schi| schi.child(b"tenc")).transpose()?.flatten();
    let mut defaults = tenc.map(|tenc| TrackEncryption::from_tenc(&tenc)).transpose()?;
    let mut cipher = Scheme::from_fourcc(scheme.as_u32());
    if let Some(schi) = schi.filter(|_| scheme == piff::SCHEME || defaults.is_none())
        && let Some((piff_cipher, piff_defaults)) = piff::track_encryption(&schi)?
    {
        cipher = cipher.or(piff_cipher);
        defaults = defaults.or(Some(piff_defaults));
    }
    Ok((original, Protection { scheme, version, cipher, defaults }))
}
