//! Text inside content headers: UTF-16, UTF-8 and single bytes with the place of each letter in the file, base64 in its
//! variants, key IDs as people write them, and the byte order of Microsoft's GUIDs.

use crate::error::HeaderError;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::borrow::Cow;
use wmlicense_wire::id::Kid;
use wmlicense_wire::kid_text::swapped;
use wmlicense_wire::url::Url;

/// Real headers carry base64 with and without padding, and with stray bits at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Where a decoded text stands in the file.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Where its first letter begins.
    pub(crate) start: u64,
    /// What a letter takes in the file.
    pub(crate) unit: Unit,
}

/// How letters are stored in a file whose text was decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// As in the decoded text.
    Utf8,
    /// One or two units of two bytes.
    Utf16,
    /// One byte.
    Single,
}

impl Place {
    /// Where the letter at this position of the decoded text begins.
    pub(crate) fn offset(&self, text: &str, position: usize) -> u64 {
        let before = text.get(..position).unwrap_or(text);
        let units = match self.unit {
            Unit::Utf8 => before.len(),
            Unit::Utf16 => 2 * before.chars().map(char::len_utf16).sum::<usize>(),
            Unit::Single => before.chars().count(),
        };
        self.start.saturating_add(units as u64)
    }
}

/// Decodes UTF-16, little-endian unless a byte order mark says otherwise. A mark, NULs at the end and an odd last byte are
/// left out.
pub(crate) fn utf16(bytes: &[u8], offset: u64, field: &'static str) -> Result<(String, Place), HeaderError> {
    let (body, marked) = match bytes {
        [0xFF, 0xFE, body @ ..] | [0xFE, 0xFF, body @ ..] => (body, 2),
        body => (body, 0),
    };
    let unit = if bytes.starts_with(b"\xFE\xFF") { u16::from_be_bytes } else { u16::from_le_bytes };
    decode_utf16(body, offset.saturating_add(marked), field, unit)
}

fn decode_utf16(
    body: &[u8],
    start: u64,
    field: &'static str,
    unit: fn([u8; 2]) -> u16,
) -> Result<(String, Place), HeaderError> {
    let place = Place { start, unit: Unit::Utf16 };
    let (pairs, _) = body.as_chunks::<2>();
    let mut text = String::new();
    text.try_reserve_exact(body.len() / 2).map_err(std::io::Error::from)?;
    for letter in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match letter {
            Ok(letter) => text.push(letter),
            Err(_) => return Err(HeaderError::BadText { offset: place.offset(&text, text.len()), field }),
        }
    }
    text.truncate(text.trim_end_matches('\0').len());
    printable(&text, place, field)?;
    Ok((text, place))
}

/// Whether bytes begin as an XML document in UTF-16 does, with a byte order mark or without. No box begins so: it would be
/// larger than a gigabyte, or its type would begin with a zero.
pub(crate) fn begins_wide_xml(head: &[u8]) -> bool {
    matches!(head, [0xFF, 0xFE, _, 0, ..] | [0xFE, 0xFF, 0, ..] | [b'<', 0, _, 0, ..] | [0, b'<', 0, _, 0, ..])
}

/// Decodes an XML document as XML 1.0, appendix F, has it: by its byte order mark, its first letters, and then by the
/// encoding that it declares. Of encodings with single bytes only ASCII and ISO-8859-1 are known exactly; in others of
/// that kind, letters beyond ASCII become U+FFFD, because nothing that matters here has any.
pub(crate) fn xml_text<'a>(bytes: &'a [u8], field: &'static str) -> Result<(Cow<'a, str>, Place), HeaderError> {
    if begins_wide_xml(bytes) {
        let (text, place) = match bytes {
            [0, b'<', ..] => decode_utf16(bytes, 0, field, u16::from_be_bytes)?,
            _ => utf16(bytes, 0, field)?,
        };
        return Ok((Cow::Owned(text), place));
    }
    let encoding = if bytes.starts_with(b"\xEF\xBB\xBF") { None } else { declared_encoding(bytes) };
    let is_latin = matches!(encoding.as_deref(), Some("iso-8859-1" | "iso_8859-1" | "latin1" | "l1"));
    let is_single = is_latin
        || encoding.as_deref().is_some_and(|name| {
            ["iso-8859-", "iso_8859-", "windows-125", "cp125"].iter().any(|known| name.starts_with(known))
        });
    if !is_single {
        // Also where the declaration is that of UTF-16: a text that was stored anew keeps its first line.
        return utf8(bytes, 0, field).map(|(text, place)| (Cow::Borrowed(text), place));
    }
    let letter = |byte: &u8| match byte {
        0..=0x7F => char::from(*byte),
        0xA0..=0xFF if is_latin => char::from(*byte),
        _ => char::REPLACEMENT_CHARACTER,
    };
    let (text, place) = (bytes.iter().map(letter).collect::<String>(), Place { start: 0, unit: Unit::Single });
    printable(&text, place, field)?;
    Ok((Cow::Owned(text), place))
}

/// The encoding in the XML declaration, in small letters.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    /// Longest declaration that is looked for.
    const LIMIT: usize = 256;
    let head = bytes.get(..bytes.len().min(LIMIT))?.trim_ascii_start();
    let end = head.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(head.get(..end)?.strip_prefix(b"<?xml")?).ok()?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (name, _) = value.get(1..)?.split_once(quote)?;
    Some(name.trim().to_ascii_lowercase())
}

/// Decodes UTF-8. A byte order mark is left out.
pub(crate) fn utf8<'a>(bytes: &'a [u8], offset: u64, field: &'static str) -> Result<(&'a str, Place), HeaderError> {
    let (body, start) = match bytes.strip_prefix(b"\xEF\xBB\xBF") {
        Some(body) => (body, offset.saturating_add(3)),
        None => (bytes, offset),
    };
    let place = Place { start, unit: Unit::Utf8 };
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
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
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
pub(crate) fn modified_base64(text: &str) -> Option<Vec<u8>> {
    base64(&text.replace('!', "+").replace('*', "/"))
}

/// The key ID that a manifest or playlist writes: 32 hexadecimal digits of either case, with or without hyphens, braces
/// around, `0x` or `urn:uuid:` in front.
pub(crate) fn kid_from_text(text: &str) -> Option<Kid> {
    let text = text.trim();
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let is_urn = text.get(..9).is_some_and(|head| head.eq_ignore_ascii_case("urn:uuid:"));
    let text = if is_urn { text.get(9..).unwrap_or_default() } else { text };
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    Kid::from_hex(text).ok()
}

/// The key ID that these 16 bytes in GUID order stand for.
pub(crate) fn kid_from_guid(bytes: [u8; 16]) -> Kid {
    swapped(Kid::new(bytes))
}

/// The bytes of a key ID in GUID order.
pub(crate) fn guid_from_kid(kid: Kid) -> [u8; 16] {
    *swapped(kid).as_bytes()
}

/// Whether a text could be the URL of a license service. Old catalogues have a fragment in some, which a browser opens.
pub(crate) fn is_license_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.user.is_none())
}
