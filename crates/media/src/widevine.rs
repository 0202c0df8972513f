//! What Widevine puts in the data of its `pssh` boxes (a protocol buffer without a length in front), or JSON in older
//! playlists. Of it, the key IDs, the scheme and the content's name are read; unknown fields are skipped.

use crate::boxes::Fields;
use crate::cenc::Scheme;
use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::text::{base64, kid_from_text};
use wmlicense_wire::id::Kid;

/// What the data of a Widevine box says.
#[derive(Debug, Default)]
pub(crate) struct WidevineData {
    /// Key IDs of 16 bytes, in the order of the UUID text. Others exist and name no key of Common Encryption.
    pub(crate) kids: Vec<Kid>,
    /// The scheme, if it is one of Common Encryption.
    pub(crate) scheme: Option<FourCc>,
    /// The name of the content, if it is text.
    pub(crate) content_id: Option<String>,
}

const KEY_ID: u64 = 2;
const CONTENT_ID: u64 = 4;
const PROTECTION_SCHEME: u64 = 9;

/// The JSON of KEYFORMAT `com.widevine`: key IDs in hexadecimal digits.
#[derive(serde::Deserialize)]
struct Playlist {
    #[serde(default)]
    key_ids: Vec<String>,
    content_id: Option<String>,
}

/// Reads the data of a box, or of a playlist.
pub(crate) fn parse(data: &[u8], offset: u64) -> Result<WidevineData, HeaderError> {
    // As a protocol buffer this letter would be field 15 of a kind that newer messages do not have.
    if data.trim_ascii_start().starts_with(b"{") { json(data, offset) } else { message(data, offset) }
}

fn json(data: &[u8], offset: u64) -> Result<WidevineData, HeaderError> {
    let bad = |field| HeaderError::BadText { offset, field };
    let found = serde_json::from_slice::<Playlist>(data).map_err(|_| bad("Widevine JSON"))?;
    let kids: Vec<Kid> = found.key_ids.iter().filter_map(|text| kid_from_text(text)).collect();
    if kids.is_empty() && !found.key_ids.is_empty() {
        return Err(bad("Widevine key_ids"));
    }
    let name = found.content_id.and_then(|text| base64(&text));
    Ok(WidevineData { kids, scheme: None, content_id: name.and_then(|name| plain_text(&name)) })
}

fn message(data: &[u8], offset: u64) -> Result<WidevineData, HeaderError> {
    let mut found = WidevineData::default();
    let mut fields = Fields::new(data, offset);
    while !fields.rest().is_empty() {
        let start = fields.offset();
        let tag = varint(&mut fields, "Widevine field tag")?;
        let bad = HeaderError::BadValue { offset: start, field: "Widevine field tag", value: tag };
        match (tag >> 3, tag & 7) {
            (0, _) => return Err(bad),
            (number, 0) => {
                let value = varint(&mut fields, "Widevine number")?;
                let scheme = u32::try_from(value).ok().filter(|code| Scheme::from_fourcc(*code).is_some());
                if let (PROTECTION_SCHEME, Some(code)) = (number, scheme) {
                    found.scheme = Some(FourCc(code.to_be_bytes()));
                }
            }
            (_, 1) => drop(fields.take(8, "Widevine fixed64")?),
            (_, 5) => drop(fields.take(4, "Widevine fixed32")?),
            (number, 2) => {
                let start = fields.offset();
                let size = varint(&mut fields, "Widevine length")?;
                let short = HeaderError::Truncated { offset: start, field: "Widevine bytes" };
                let value = fields.take(usize::try_from(size).map_err(|_| short)?, "Widevine bytes")?;
                match number {
                    KEY_ID => found.kids.extend(Kid::from_slice(value)),
                    CONTENT_ID if found.content_id.is_none() => found.content_id = plain_text(value),
                    _ => {}
                }
            }
            _ => return Err(bad),
        }
    }
    Ok(found)
}

fn plain_text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// A number in groups of seven bits, the lowest first.
fn varint(fields: &mut Fields<'_>, field: &'static str) -> Result<u64, HeaderError> {
    let offset = fields.offset();
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = fields.u8(field)?;
        let bits = u64::from(byte & 0x7F);
        if shift == 63 && bits > 1 {
            break;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(HeaderError::BadValue { offset, field, value })
}
