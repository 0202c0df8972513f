//! HLS playlists (RFC 8216), or their key tags alone: which systems, key IDs and schemes `EXT-X-KEY` and
//! `EXT-X-SESSION-KEY` name, and the boxes and PlayReady Objects that their `data:` URIs carry.

use super::ContentHeader;
use super::FourCc;
use super::error::HeaderError;
use super::playready;
use super::pssh::{ProtectionSystem, SystemId};
use super::text::{Place, base64};
use wmlicense_wire::id::Kid;

const KEY_TAGS: [&str; 2] = ["#EXT-X-KEY:", "#EXT-X-SESSION-KEY:"];
/// The tag that older playlists for PlayReady have.
const PLAYREADY_TAG: &str = "#EXT-X-PLAYREADYHEADER:";

/// Reads a playlist line by line.
pub(super) fn read(text: &str, place: Place, header: &mut ContentHeader) -> Result<(), HeaderError> {
    let mut position = 0;
    for line in text.split_inclusive('\n') {
        let offset = place.offset(text, position);
        position += line.len();
        let line = line.trim();
        if let Some((tag, list)) = KEY_TAGS.iter().find_map(|tag| Some((tag, line.strip_prefix(tag)?))) {
            key(list, offset.saturating_add(tag.len() as u64), header)?;
        } else if let Some(object) = line.strip_prefix(PLAYREADY_TAG) {
            header.is_protected = true;
            header.add_system_id(SystemId::PLAYREADY, offset)?;
            carried(object, Some(SystemId::PLAYREADY), offset, header)?;
        }
    }
    Ok(())
}

/// The attributes of a key tag that matter.
#[derive(Default)]
struct KeyTag<'a> {
    method: &'a str,
    format: Option<&'a str>,
    uri: Option<&'a str>,
    key_id: Option<&'a str>,
}

fn key(list: &str, offset: u64, header: &mut ContentHeader) -> Result<(), HeaderError> {
    let tag = KeyTag::parse(list, offset)?;
    let scheme = match tag.method {
        "" => return Err(HeaderError::Missing { offset, field: "METHOD" }),
        "SAMPLE-AES" => Some(FourCc(*b"cbcs")),
        "SAMPLE-AES-CTR" => Some(FourCc(*b"cenc")),
        "ISO-23001-7" => None,
        // Clear, or whole segments under a key that anybody may fetch (AES-128): neither asks for a license.
        _ => return Ok(()),
    };
    let system = match tag.format {
        // Without a format the URI is that of the key itself.
        None | Some("identity") => return Ok(()),
        Some("com.microsoft.playready") => Some(SystemId::PLAYREADY),
        Some("com.widevine") => Some(SystemId::WIDEVINE),
        Some("com.apple.streamingkeydelivery") => Some(SystemId::FAIRPLAY),
        Some(other) => SystemId::from_text(other),
    };
    header.is_protected = true;
    header.add_scheme(scheme);
    if let Some(system) = system {
        header.add_system_id(system, offset)?;
    }
    if let Some(text) = tag.key_id {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        let kid = Kid::from_hex(digits).map_err(|_| HeaderError::BadText { offset, field: "KEYID" })?;
        header.add_kid(kid, offset)?;
    }
    match tag.uri {
        Some(uri) if uri.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) => {
            data(uri, system, offset, header)
        }
        Some(uri) if !uri.starts_with("skd:") => header.add_url(uri, system, offset),
        _ => Ok(()),
    }
}

impl<'a> KeyTag<'a> {
    /// Reads an attribute list (RFC 8216, 4.2). The first of each name counts; names that do not matter are skipped.
    fn parse(list: &'a str, offset: u64) -> Result<Self, HeaderError> {
        let mut tag = Self::default();
        let mut rest = list;
        while !rest.trim_start().is_empty() {
            let bad = || HeaderError::BadText {
                offset: offset.saturating_add((list.len() - rest.len()) as u64),
                field: "attribute list",
            };
            let (name, value) = rest.split_once('=').ok_or_else(bad)?;
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(bad)?,
                None => value.split_at(value.find(',').unwrap_or(value.len())),
            };
            match name.trim() {
                "METHOD" if tag.method.is_empty() => tag.method = value,
                "KEYFORMAT" => tag.format = tag.format.or(Some(value)),
                "URI" => tag.uri = tag.uri.or(Some(value)),
                "KEYID" => tag.key_id = tag.key_id.or(Some(value)),
                _ => {}
            }
            let after = after.trim_start();
            rest = match after.strip_prefix(',') {
                Some(next) => next,
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
        return header.add_carried_object(&bytes, offset, field);
    }
    match system {
        Some(system) => {
            let system = ProtectionSystem { system, version: 0, kids: Vec::new(), data: bytes };
            header.interpret(&system, offset)
        }
        None => Ok(()),
    }
}
