//! Text inside content headers: UTF-16 and UTF-8 with the place of each letter in the file, base64 in its variants,
//! and the byte order of Microsoft's GUIDs.

use super::error::HeaderError;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use wmlicense_wire::id::Kid;

/// Real headers carry base64 with and without padding, and with stray bits at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Where a decoded text stands in the file.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Where its first letter begins.
    pub(super) start: u64,
    /// Whether each unit takes two bytes.
    pub(super) is_wide: bool,
}

impl Place {
    /// Where the letter at this position of the decoded text begins.
    pub(super) fn offset(&self, text: &str, position: usize) -> u64 {
        let before = text.get(..position).unwrap_or(text);
        let units = if self.is_wide { 2 * before.chars().map(char::len_utf16).sum::<usize>() } else { before.len() };
        self.start.saturating_add(units as u64)
    }
}

/// Decodes UTF-16LE. A byte order mark, NULs at the end and an odd last byte are left out.
pub(super) fn utf16(bytes: &[u8], offset: u64, field: &'static str) -> Result<(String, Place), HeaderError> {
    let (body, start) = match bytes.strip_prefix(b"\xFF\xFE") {
        Some(body) => (body, offset.saturating_add(2)),
        None => (bytes, offset),
    };
    let place = Place { start, is_wide: true };
    let (pairs, _) = body.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
    let mut text = String::with_capacity(body.len() / 2);
    for letter in char::decode_utf16(units) {
        match letter {
            Ok(letter) => text.push(letter),
            Err(_) => return Err(HeaderError::BadText { offset: place.offset(&text, text.len()), field }),
        }
    }
    text.truncate(text.trim_end_matches('\0').len());
    printable(&text, place, field)?;
    Ok((text, place))
}

/// Decodes UTF-8. A byte order mark is left out.
pub(super) fn utf8<'a>(bytes: &'a [u8], offset: u64, field: &'static str) -> Result<(&'a str, Place), HeaderError> {
    let (body, start) = match bytes.strip_prefix(b"\xEF\xBB\xBF") {
        Some(body) => (body, offset.saturating_add(3)),
        None => (bytes, offset),
    };
    let place = Place { start, is_wide: false };
    let text = std::str::from_utf8(body)
        .map_err(|error| HeaderError::BadText { offset: start.saturating_add(error.valid_up_to() as u64), field })?;
    printable(text, place, field)?;
    Ok((text, place))
}

/// Refuses control characters: no format here has them, and a NUL would end the text early for C.
fn printable(text: &str, place: Place, field: &'static str) -> Result<(), HeaderError> {
    let control = |letter: char| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r');
    match text.find(control) {
        Some(position) => Err(HeaderError::BadText { offset: place.offset(text, position), field }),
        None => Ok(()),
    }
}

/// Decodes base64 or base64url, padded or not, with white space anywhere.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let letters = text.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let plain: Vec<u8> = letters
        .map(|byte| {
            if byte == b'-' {
                b'+'
            } else if byte == b'_' {
                b'/'
            } else {
                byte
            }
        })
        .collect();
    LENIENT.decode(plain).ok()
}

/// Decodes the base64 of WRMHEADER 2.0, some of whose writers used `!` for `+` and `*` for `/`.
pub(super) fn modified_base64(text: &str) -> Option<Vec<u8>> {
    base64(&text.replace('!', "+").replace('*', "/"))
}

/// The key ID that these 16 bytes in GUID order stand for: the first three groups have their bytes reversed.
pub(super) fn kid_from_guid(mut bytes: [u8; 16]) -> Kid {
    swap_guid(&mut bytes);
    Kid::new(bytes)
}

/// The bytes of a key ID in GUID order.
pub(super) fn guid_from_kid(kid: Kid) -> [u8; 16] {
    let mut bytes = *kid.as_bytes();
    swap_guid(&mut bytes);
    bytes
}

/// Turns GUID order into the order of the UUID text, and back.
pub(super) fn swap_guid(bytes: &mut [u8; 16]) {
    let [a, b, c, d, e, f, g, h, ..] = bytes;
    std::mem::swap(a, d);
    std::mem::swap(b, c);
    std::mem::swap(e, f);
    std::mem::swap(g, h);
}

/// Whether a text could be the URL of a license service: printable ASCII that begins with `http://` or `https://`.
pub(super) fn is_license_url(text: &str) -> bool {
    const LIMIT: usize = 2048;
    let scheme = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    text.len() <= LIMIT
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        && (scheme.starts_with("https://") || scheme.starts_with("http://"))
}
