//! PlayReady Objects: the frame around a WRMHEADER in `pssh` boxes, manifests and playlists; all integers little-endian.

use crate::boxes::Fields;
use crate::error::HeaderError;
use crate::text::utf16;
use crate::wrmheader::{self, WrmHeader};

/// Record types of a PlayReady Object.
const RECORD_HEADER: u16 = 1;
const RECORD_RESERVED: u16 = 2;
const RECORD_LICENSE_STORE: u16 = 3;

/// Whether bytes begin as a PlayReady Object does: a record count, then the type of the first record.
pub(crate) fn looks_like_object(head: &[u8]) -> bool {
    let Some([_, _, _, _, count_low, count_high, kind, 0]) = head.first_chunk::<8>() else { return false };
    let count = u16::from_le_bytes([*count_low, *count_high]);
    (1..16).contains(&count) && (RECORD_HEADER..=RECORD_LICENSE_STORE).contains(&u16::from(*kind))
}

/// Reads a PlayReady Object that begins at `offset` and takes all of `bytes`. An object without a header record, but with
/// an embedded license store, is one as well. What is wrong beside a header that can be read goes to `notes`.
pub(crate) fn parse(bytes: &[u8], offset: u64, notes: &mut Vec<HeaderError>) -> Result<Option<WrmHeader>, HeaderError> {
    let mut fields = Fields::new(bytes, offset);
    let length = u32::from_le_bytes(fields.array("PlayReady Object length")?);
    if u64::from(length) != bytes.len() as u64 {
        let (field, value) = ("PlayReady Object length", length.into());
        return Err(HeaderError::BadValue { offset, field, value });
    }
    let mut header = None;
    let count = u16::from_le_bytes(fields.array("PlayReady record count")?);
    for _ in 0..count {
        let start = fields.offset();
        let kind = u16::from_le_bytes(fields.array("PlayReady record type")?);
        let size = u16::from_le_bytes(fields.array("PlayReady record length")?);
        let value_offset = fields.offset();
        let value = fields.take(size.into(), "PlayReady record")?;
        match kind {
            RECORD_HEADER if header.is_none() => {
                let (text, place) = utf16(value, value_offset, "WRMHEADER")?;
                header = Some(wrmheader::parse(&text, place, notes)?);
            }
            RECORD_HEADER => {
                let field = "second WRMHEADER record";
                return Err(HeaderError::NotAllowed { offset: start, field });
            }
            RECORD_RESERVED | RECORD_LICENSE_STORE => {}
            _ => {
                let (field, value) = ("PlayReady record type", kind.into());
                notes.push(HeaderError::BadValue { offset: start, field, value });
            }
        }
    }
    if fields.rest().is_empty() {
        Ok(header)
    } else {
        let (field, value) = ("PlayReady record count", count.into());
        Err(HeaderError::BadValue { offset: offset.saturating_add(4), field, value })
    }
}
