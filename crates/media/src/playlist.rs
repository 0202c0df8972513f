//! HLS playlists (RFC 8216), or their key tags alone: which systems, key IDs and schemes `EXT-X-KEY` and
//! `EXT-X-SESSION-KEY` name, and the boxes and PlayReady Objects that their `data:` URIs carry.

use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::header::ContentHeader;
use crate::playready;
use crate::pssh::ProtectionSystem;
use crate::system::SystemId;
use crate::text::{Place, base64, kid_from_text};

const KEY_TAGS: [&str; 2] = ["#EXT-X-KEY", "#EXT-X-SESSION-KEY"];
/// Tags that older playlists have, and the systems whose data follows.
const SYSTEM_TAGS: [(&str, SystemId); 2] =
    [("#EXT-X-PLAYREADYHEADER", SystemId::PLAYREADY), ("#EXT-X-FAXS-CM", SystemId::PRIMETIME)];

/// Reads a playlist line by line. What a tag says wrongly is noted; a key that is not understood is one all the same.
pub(crate) fn read(text: &str, place: Place, header: &mut ContentHeader) -> Result<(), HeaderError> {
    let mut position = 0;
    for line in text.split_inclusive(['\n', '\r']) {
        let start = position;
        position += line.len();
        let line = line.trim();
        let (tag, list) = line.split_once(':').unwrap_or((line, ""));
        let (tag, at) = (tag.trim_end(), line.len() - list.len());
        let offset = || place.offset(text, start).saturating_add(at as u64);
        if KEY_TAGS.contains(&tag) {
            key(list, offset(), header)?;
        } else if let Some((_, system)) = SYSTEM_TAGS.iter().find(|(known, _)| *known == tag) {
            header.is_protected = true;
            header.add_system_id(*system, offset())?;
            carried(list, Some(*system), offset(), header)?;
        }
    }
    Ok(())
}

/// The attributes of a key tag that matter.
#[derive(Default)]
struct KeyTag<'a> {
    method: Option<&'a str>,
    format: Option<&'a str>,
    uri: Option<&'a str>,
    key_id: Option<&'a str>,
}

fn key(list: &str, offset: u64, header: &mut ContentHeader) -> Result<(), HeaderError> {
    let tag = match KeyTag::parse(list, offset) {
        Ok(tag) => tag,
        Err(error) => {
            header.is_protected = true;
            return header.note(error);
        }
    };
    // Without a format the URI is that of the key itself.
    let is_identity = tag.format.is_none_or(|format| format.eq_ignore_ascii_case("identity"));
    match tag.method {
        // Nothing is encrypted, or whole segments under a key that anybody may fetch.
        Some("NONE") => return Ok(()),
        Some("AES-128") if is_identity => return Ok(()),
        _ => header.is_protected = true,
    }
    match tag.method {
        None => header.note(HeaderError::Missing { offset, field: "METHOD" })?,
        Some("SAMPLE-AES") => header.add_scheme(Some(FourCc(*b"cbcs"))),
        Some("SAMPLE-AES-CTR" | "SAMPLE-AES-CENC") => header.add_scheme(Some(FourCc(*b"cenc"))),
        Some(_) => {}
    }
    let system = tag.format.filter(|_| !is_identity).and_then(system_of);
    if let Some(system) = system {
        header.add_system_id(system, offset)?;
    }
    if let Some(text) = tag.key_id {
        match kid_from_text(text) {
            Some(kid) => header.add_kid(kid, offset)?,
            None => header.note(HeaderError::BadText { offset, field: "KEYID" })?,
        }
    }
    match tag.uri {
        // Here the URI is that of the key.
        _ if is_identity => Ok(()),
        Some(uri) if uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) => {
            data(uri, system, offset, header)
        }
        Some(uri) if !uri.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("skd:")) => {
            header.add_url(uri, system, offset)
        }
        _ => Ok(()),
    }
}

/// The system that a KEYFORMAT names.
fn system_of(format: &str) -> Option<SystemId> {
    const NAMED: [(&str, SystemId); 3] = [
        ("com.microsoft.playready", SystemId::PLAYREADY),
        ("com.widevine", SystemId::WIDEVINE),
        ("com.apple.streamingkeydelivery", SystemId::FAIRPLAY),
    ];
    let named = NAMED.iter().find(|(name, _)| format.eq_ignore_ascii_case(name));
    named.map(|(_, system)| *system).or_else(|| SystemId::from_text(format))
}

impl<'a> KeyTag<'a> {
    /// Reads an attribute list (RFC 8216, 4.2), with blanks where writers put them. Names that do not matter are skipped;
    /// of one that stands twice the first counts, but two different methods are refused.
    fn parse(list: &'a str, offset: u64) -> Result<Self, HeaderError> {
        let mut tag = Self::default();
        let mut rest = list.trim_start();
        while !rest.is_empty() {
            let bad = || HeaderError::BadText {
                offset: offset.saturating_add((list.len() - rest.len()) as u64),
                field: "attribute list",
            };
            let (name, value) = rest.split_once('=').ok_or_else(bad)?;
            let value = value.trim_start();
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(bad)?,
                None => value.split_at(value.find(',').unwrap_or(value.len())),
            };
            let value = value.trim();
            match name.trim() {
                "METHOD" if tag.method.is_some_and(|first| first != value) => return Err(bad()),
                "METHOD" => tag.method = Some(value).filter(|method| !method.is_empty()),
                "KEYFORMAT" => tag.format = tag.format.or(Some(value)),
                "URI" => tag.uri = tag.uri.or(Some(value)),
                "KEYID" => tag.key_id = tag.key_id.or(Some(value)),
                _ => {}
            }
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next.trim_start(),
                None if after.is_empty() => after,
                None => return Err(bad()),
            };
        }
        Ok(tag)
    }
}

/// What a `data:` URI (RFC 2397) carries.
fn data(uri: &str, system: Option<SystemId>, offset: u64, header: &mut ContentHeader) -> Result<(), HeaderError> {
    let bad = HeaderError::BadText { offset, field: "data URI" };
    match uri.split_once(',') {
        Some((kind, text)) if kind.to_ascii_lowercase().ends_with(";base64") => carried(text, system, offset, header),
        _ => header.note(bad),
    }
}

/// What base64 carries for a system: whole boxes, a PlayReady Object, or the data of a box.
fn carried(text: &str, system: Option<SystemId>, offset: u64, header: &mut ContentHeader) -> Result<(), HeaderError> {
    let field = "key data";
    let Some(bytes) = base64(text) else { return header.note(HeaderError::BadText { offset, field }) };
    if bytes.get(4..8) == Some(b"pssh") {
        return header.add_carried_boxes(&bytes, offset, field);
    }
    if playready::looks_like_object(&bytes) {
        return header.add_object(&bytes, offset, field);
    }
    match system {
        Some(system) => {
            let system = ProtectionSystem { system, version: 0, kids: Vec::new(), data: bytes };
            header.interpret(&system, offset)
        }
        None => Ok(()),
    }
}
