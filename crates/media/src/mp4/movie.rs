//! The movie and track boxes of MP4 (ISO/IEC 14496-12) that tell which tracks are protected and how.

use super::encryption;
use super::piff;
use crate::boxes::{Children, Fields, Mp4Box};
use crate::cenc::Scheme;
use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::track::{LIST_LIMIT, Protection, SampleEntry, Track, TrackEncryption};

/// Sample entries that are protected by a way of their own, which nothing in them names.
const OWN_PROTECTION: [&[u8; 4]; 1] = [b"aavd"];

impl Track {
    fn parse(trak: &Mp4Box<'_>, notes: &mut Vec<HeaderError>) -> Result<Self, HeaderError> {
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
        let entries = Children(fields)
            .take(declared)
            .map(|entry| Ok(SampleEntry::parse(&entry?, notes)))
            .collect::<Result<_, HeaderError>>()?;
        Ok(Self { id, handler, entries })
    }
}

impl SampleEntry {
    /// Reads an entry. One whose code says that it is protected is so, whatever can be read of it.
    fn parse(entry: &Mp4Box<'_>, notes: &mut Vec<HeaderError>) -> Self {
        let clear = Self { format: entry.kind, protection: None };
        let unknown = |scheme| Protection { scheme, version: 0, cipher: None, defaults: None };
        if OWN_PROTECTION.iter().any(|own| entry.kind == **own) {
            return Self { format: FourCc::NONE, protection: Some(unknown(entry.kind)) };
        }
        let is_protected = says_protected(entry.kind);
        // A format with another transformation beside (ISO/IEC 14496-12, 8.15) names the protection inside only.
        if !is_protected && entry.kind != *b"resv" {
            return clear;
        }
        let (mut chosen, mut format): (Option<Protection>, _) = (None, None);
        let (boxes, noted) = (boxes_from_sinf(entry), notes.len());
        if boxes.is_none() && !is_protected {
            return clear;
        }
        for child in boxes.into_iter().flatten() {
            let found = match child {
                Ok(child) if child.kind == *b"sinf" => read_sinf(&child, notes),
                Ok(_) => continue,
                Err(error) => Err(error),
            };
            match found {
                Ok((original, protection)) => {
                    format.get_or_insert(original);
                    // An entry may name several schemes for the same bytes; the first of the best known kind is taken.
                    if chosen.as_ref().is_none_or(|chosen| protection.rank() > chosen.rank()) {
                        chosen = Some(protection);
                    }
                }
                Err(error) => notes.push(error),
            }
        }
        if chosen.is_none() && notes.len() == noted {
            notes.push(HeaderError::Missing { offset: entry.offset, field: "sinf" });
        }
        let protection = chosen.unwrap_or_else(|| unknown(FourCc::NONE));
        Self { format: format.unwrap_or(FourCc::NONE), protection: Some(protection) }
    }
}

/// Whether a sample entry's code says that its samples are protected.
pub(super) fn says_protected(code: FourCc) -> bool {
    matches!(&code.0, [b'e', b'n', b'c', _] | [b'd', b'r', b'm', _])
}

impl Protection {
    /// Common Encryption before its forerunner, both before what cannot be decrypted.
    fn rank(&self) -> u8 {
        2 * u8::from(self.cipher.is_some() && self.defaults.is_some())
            + u8::from(Scheme::from_fourcc(self.scheme.as_u32()).is_some())
    }
}

/// The tracks of a movie.
pub(crate) struct Movie {
    pub(crate) tracks: Vec<Track>,
    /// What of their protection could not be read.
    pub(crate) notes: Vec<HeaderError>,
}

impl Movie {
    pub(crate) fn parse(moov: &Mp4Box<'_>) -> Result<Self, HeaderError> {
        let (mut tracks, mut notes) = (Vec::new(), Vec::new());
        for child in moov.children() {
            let child = child?;
            if child.kind == *b"trak" {
                tracks.push(Track::parse(&child, &mut notes)?);
                if tracks.len() > LIST_LIMIT {
                    return Err(too_many(&child, "trak", tracks.len()));
                }
            }
        }
        Ok(Self { tracks, notes })
    }
}

pub(super) fn too_many(place: &Mp4Box<'_>, field: &'static str, count: usize) -> HeaderError {
    HeaderError::TooMany { offset: place.offset, field, count: count as u64, limit: LIST_LIMIT as u64 }
}

/// The track ID in the `tkhd` of a `trak`.
pub(super) fn track_id(trak: &Mp4Box<'_>) -> Result<u32, HeaderError> {
    let mut fields = trak.required(b"tkhd", "tkhd")?.fields();
    let (version, _) = fields.version_and_flags("tkhd version")?;
    fields.take(if version == 1 { 16 } else { 8 }, "tkhd times")?;
    fields.u32("tkhd track_ID")
}

/// The `stbl` of a `trak`.
pub(super) fn sample_table<'a>(trak: &Mp4Box<'a>) -> Result<Mp4Box<'a>, HeaderError> {
    trak.required(b"mdia", "mdia")?.required(b"minf", "minf")?.required(b"stbl", "stbl")
}

/// The boxes of an entry from its first `sinf` on. What stands before depends on the original format, on versions that
/// writers confuse, and on QuickTime, so a `sinf` is known by itself: a box that fits and begins with a whole `frma`.
pub(super) fn boxes_from_sinf<'a>(entry: &Mp4Box<'a>) -> Option<Children<'a>> {
    let mut rest = entry.body;
    let mut offset = entry.body_offset;
    loop {
        // The name in some other text is no box.
        let place = rest.windows(8).position(|window| window.ends_with(b"sinf"))?;
        let (_, from) = rest.split_at(place);
        offset = offset.saturating_add(place as u64);
        let fields = Fields::new(from, offset);
        let sinf = Children(fields.clone()).next().and_then(Result::ok);
        let first = sinf.and_then(|sinf| sinf.children().next()).and_then(Result::ok);
        if first.is_some_and(|first| first.kind == *b"frma" && first.body.len() == 4) {
            return Some(Children(fields));
        }
        rest = from.get(1..)?;
        offset = offset.saturating_add(1);
    }
}

/// Reads a `sinf`. A scheme whose parameters cannot be read is named all the same.
fn read_sinf(sinf: &Mp4Box<'_>, notes: &mut Vec<HeaderError>) -> Result<(FourCc, Protection), HeaderError> {
    let original = sinf.required(b"frma", "frma")?.fields().four_cc("frma data_format")?;
    let mut schm = sinf.required(b"schm", "schm")?.fields();
    schm.version_and_flags("schm version")?;
    let scheme = schm.four_cc("schm scheme_type")?;
    let version = schm.u32("schm scheme_version")?;
    let (cipher, defaults) = read_schi(sinf, scheme).unwrap_or_else(|error| {
        notes.push(error);
        (Scheme::from_fourcc(scheme.as_u32()), None)
    });
    Ok((original, Protection { scheme, version, cipher, defaults }))
}

fn read_schi(sinf: &Mp4Box<'_>, scheme: FourCc) -> Result<(Option<Scheme>, Option<TrackEncryption>), HeaderError> {
    let schi = sinf.child(b"schi")?;
    let tenc = schi.map(|schi| schi.child(b"tenc")).transpose()?.flatten();
    let mut defaults = tenc.map(|tenc| encryption::from_tenc(&tenc)).transpose()?;
    let mut cipher = Scheme::from_fourcc(scheme.as_u32());
    if let Some(schi) = schi.filter(|_| scheme == piff::SCHEME || defaults.is_none())
        && let Some((piff_cipher, piff_defaults)) = piff::track_encryption(&schi)?
    {
        // The scheme's own cipher is that of its samples; only this one leaves it to the box.
        if scheme == piff::SCHEME {
            cipher = piff_cipher;
        }
        defaults = defaults.or(Some(piff_defaults));
    }
    Ok((cipher, defaults))
}
