//! PlayReady Objects: the frame around a WRMHEADER in `pssh` boxes, manifests and playlists; all integers little-endian.
//! And the checksums by which a header tells whether a key is the right one.

use crate::boxes::Fields;
use crate::error::HeaderError;
use crate::text::{guid_from_kid, utf16};
use crate::wrmheader::{self, WrmHeader};
use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use aws_lc_rs::digest;
use wmlicense_wire::id::Kid;

/// How the samples under a key are encrypted, as a WRMHEADER names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// AES-128 in counter mode.
    AesCtr,
    /// AES-128 in cipher block chaining.
    AesCbc,
    /// The cipher of Windows Media DRM, with keys of seven bytes.
    Cocktail,
}

impl Algorithm {
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        [Self::AesCtr, Self::AesCbc, Self::Cocktail].into_iter().find(|known| known.name() == text)
    }

    /// The name in a header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCtr => "AESCTR",
            Self::AesCbc => "AESCBC",
            Self::Cocktail => "COCKTAIL",
        }
    }
}

/// The checksum that a header carries for a key; `None` for an algorithm without one, or a key of another length.
///
/// AESCTR: the first eight bytes of the key ID in GUID order, encrypted under the key. COCKTAIL: the first seven bytes
/// of a buffer of 21 (the key, then zeros) after it was replaced five times by its own SHA-1.
pub fn checksum(algorithm: Algorithm, kid: Kid, key: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        Algorithm::AesCtr => {
            let key: &[u8; 16] = key.try_into().ok()?;
            let mut block = guid_from_kid(kid).into();
            Aes128Enc::new(key.into()).encrypt_block(&mut block);
            Some(block.iter().take(8).copied().collect())
        }
        Algorithm::Cocktail => {
            let mut buffer = [0; 21];
            buffer.get_mut(..7)?.copy_from_slice(key.get(..7).filter(|_| key.len() == 7)?);
            for _ in 0..5 {
                let sum = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &buffer);
                buffer.get_mut(..20)?.copy_from_slice(sum.as_ref());
            }
            Some(buffer.iter().take(7).copied().collect())
        }
        Algorithm::AesCbc => None,
    }
}

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
