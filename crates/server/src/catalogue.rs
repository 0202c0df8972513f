//! Content that the service licenses, and the files that owners import it from. What each kind of file looks like is in the
//! modules below; that a file is taken whole or not at all is here.

mod cpix;
mod export;
mod fault;
mod lists;
mod recipient;
pub(crate) mod speke;
mod text;

pub(crate) use export::{Named, bento4, cpix as cpix_document, shaka};
pub(crate) use recipient::{Addressee, Recipient, RecipientError};

use fault::CpixError;
use std::collections::HashMap;
use wmlicense_wire::id::Kid;
use zeroize::Zeroizing;

/// Most faults of a list that are told; the others are counted.
const MAX_TOLD: usize = 20;
/// Longest title in bytes.
pub(crate) const MAX_TITLE_LEN: usize = 512;

/// A content key with what it is for.
pub(crate) struct ContentKey {
    pub(crate) kid: Kid,
    pub(crate) key: Zeroizing<[u8; 16]>,
    pub(crate) title: Option<String>,
}

/// An entry of a list, or several, cannot be taken. Nothing of the list is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ContentError {
    /// The key ID is not 16 bytes.
    #[error("the key ID is not 32 hexadecimal digits")]
    Kid,
    /// The key is not 16 bytes.
    #[error("the key is not 32 hexadecimal digits")]
    Key,
    /// The title is too long, or holds what no text does that is shown to people.
    #[error("a title has at most {MAX_TITLE_LEN} bytes and no control characters")]
    Title,
    /// The same key ID stands in the list twice with different keys.
    #[error("key ID {0} is in the list twice with different keys")]
    Twice(Kid),
    /// A line of a CSV file.
    #[error("line {line}: {error}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        error: Box<ContentError>,
    },
    /// An element of a JSON file.
    #[error("element {index}: {error}")]
    Element {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        error: Box<ContentError>,
    },
    /// A key of a packager's list or of a CPIX document.
    #[error("key number {number}: {error}")]
    Numbered {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        error: Box<ContentError>,
    },
    /// Several entries, each with its place.
    #[error("{}", told(.0))]
    Several(Vec<ContentError>),
    /// A CSV line has another number of fields or an unfinished quotation.
    #[error("kid,key,title is expected")]
    Fields,
    /// The file is not a JSON array of `{"kid", "key", "title"}`.
    #[error("a JSON array of objects with kid, key and title is expected")]
    Json,
    /// A key of Shaka Packager's list has another form.
    #[error("label=…:key_id=…:key=… is expected")]
    Shaka,
    /// A line of Bento4's list has another form.
    #[error("KID:KEY is expected")]
    Bento4,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
    /// The file is neither UTF-8 nor, with its mark at the beginning, UTF-16.
    #[error("the file is no text in UTF-8 or UTF-16")]
    Text,
    /// The file is a CPIX document that cannot be taken, or a key in it cannot.
    #[error(transparent)]
    Cpix(#[from] CpixError),
}

fn told(faults: &[ContentError]) -> String {
    let mut lines = vec!["nothing of the list was taken; wrong are".to_owned()];
    lines.extend(faults.iter().take(MAX_TOLD).map(|fault| format!("  {fault}")));
    if let Some(more @ 1..) = faults.len().checked_sub(MAX_TOLD) {
        lines.push(format!("  and {more} more"));
    }
    lines.join("\n")
}

impl ContentKey {
    /// Reads the texts of one entry.
    pub(crate) fn read(kid: &str, key: &str, title: Option<&str>) -> Result<Self, ContentError> {
        let kid = Kid::from_hex(kid.trim()).map_err(|_| ContentError::Kid)?;
        let key = read_key(key.trim()).ok_or(ContentError::Key)?;
        Ok(Self { kid, key, title: read_title(title)? })
    }

    /// A key that nobody had before, of this key ID or of one that nobody had before either.
    pub(crate) fn random(kid: Option<&str>, title: Option<&str>) -> Result<Self, ContentError> {
        let random = || Kid::random().map_err(|_| ContentError::Random);
        let kid = kid.map_or_else(random, |kid| Kid::from_hex(kid.trim()).map_err(|_| ContentError::Kid))?;
        let mut key = Zeroizing::new([0; 16]);
        getrandom::fill(&mut *key).map_err(|_| ContentError::Random)?;
        Ok(Self { kid, key, title: read_title(title)? })
    }
}

/// A title as it is kept; an empty one is none.
pub(crate) fn read_title(title: Option<&str>) -> Result<Option<String>, ContentError> {
    let title = title.map(str::trim).filter(|title| !title.is_empty());
    if title.is_some_and(|title| title.len() > MAX_TITLE_LEN || title.chars().any(char::is_control)) {
        return Err(ContentError::Title);
    }
    Ok(title.map(str::to_owned))
}

/// The 16 bytes of 32 hexadecimal digits.
fn read_key(text: &str) -> Option<Zeroizing<[u8; 16]>> {
    let mut key = Zeroizing::new([0; 16]);
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = (digit(0)? * 16 + digit(1)?) as u8;
    }
    Some(key)
}

/// Where an entry of a file stands.
#[derive(Clone, Copy)]
enum Place {
    Line(usize),
    Element(usize),
    Key(usize),
}

impl Place {
    fn at(self, error: ContentError) -> ContentError {
        let error = Box::new(error);
        match self {
            Self::Line(line) => ContentError::Line { line, error },
            Self::Element(index) => ContentError::Element { index, error },
            Self::Key(number) => ContentError::Numbered { number, error },
        }
    }
}

/// Entries as they were read, each with its place.
type Entries = Vec<(Place, Result<Entry, ContentError>)>;

enum Entry {
    Key(ContentKey),
    Keyless(Kid),
}

/// What a file holds.
pub(crate) struct List {
    pub(crate) keys: Vec<ContentKey>,
    /// Key IDs that the file names without a key.
    pub(crate) keyless: Vec<Kid>,
}

/// Reads a file of content keys: a CPIX document, a JSON array, a list for Shaka Packager or Bento4, or CSV lines
/// `kid,key,title` with an optional header. All that is wrong with it is told at once.
pub(crate) fn read(bytes: &[u8], recipient: Option<&Recipient>) -> Result<List, ContentError> {
    let text = text::decode(bytes).ok_or(ContentError::Text)?;
    let entries = if text.trim_start().starts_with('<') { cpix::read(&text, recipient)? } else { lists::read(&text)? };
    let (mut list, mut faults) = (List { keys: Vec::with_capacity(entries.len()), keyless: Vec::new() }, Vec::new());
    let mut seen: HashMap<Kid, usize> = HashMap::new();
    for (place, entry) in entries {
        match entry {
            Err(error) => faults.push(place.at(error)),
            Ok(Entry::Keyless(kid)) => list.keyless.push(kid),
            Ok(Entry::Key(entry)) => {
                let first = *seen.entry(entry.kid).or_insert(list.keys.len());
                if list.keys.get(first).is_some_and(|first| *first.key != *entry.key) {
                    faults.push(place.at(ContentError::Twice(entry.kid)));
                }
                list.keys.push(entry);
            }
        }
    }
    list.keyless.retain(|kid| !seen.contains_key(kid));
    match faults.len() {
        0 => Ok(list),
        1 => Err(faults.remove(0)),
        _ => Err(ContentError::Several(faults)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_list(text: &str) -> Result<Vec<ContentKey>, ContentError> {
        read(text.as_bytes(), None).map(|list| list.keys)
    }

    const KID: &str = "A1A2A3A4-B1B2-C1C2-D1D2-D3D4D5D6D7D8";
    const KEY: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn csv_with_and_without_header_and_title_is_read() {
        let list = read_list(&format!("\u{feff}kid,key,title\r\n{KID},{KEY},\"One, \"\"two\"\"\"\r\n\r\n")).unwrap();
        assert_eq!(list[0].title.as_deref(), Some("One, \"two\""));
        assert_eq!(list[0].kid.to_hex(), "a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8");
        assert_eq!(list[0].key[15], 0xff);
        let list = read_list(&format!("{KID},{KEY}\n")).unwrap();
        assert_eq!((list.len(), list[0].title.as_deref()), (1, None));
    }

    #[test]
    fn json_is_read() {
        let list = read_list(&format!(r#" [{{"kid":"{KID}","key":"{KEY}","title":"T"}}]"#)).unwrap();
        assert_eq!(list[0].title.as_deref(), Some("T"));
    }

    #[test]
    fn a_title_with_control_characters_is_refused() {
        for bad in ["a\0b", "a\u{1b}[2J", "a\tb", "a\u{85}b"] {
            assert_eq!(ContentKey::read(KID, KEY, Some(bad)).err(), Some(ContentError::Title), "{bad:?}");
            let list = serde_json::json!([{ "kid": KID, "key": KEY, "title": bad }]).to_string();
            assert!(matches!(read_list(&list).err(), Some(ContentError::Element { index: 0, .. })), "{bad:?}");
            assert!(read_list(&format!("{KID},{KEY},\"{bad}\"")).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_wrong_entry_is_named_by_its_place() {
        let fault = |text: &str| read_list(text).err().unwrap().to_string();
        assert_eq!(fault(&format!("{KID},{KEY}\n{KID}")), "line 2: kid,key,title is expected");
        assert_eq!(fault(&format!("{KID},00\n")), "line 1: the key is not 32 hexadecimal digits");
        assert_eq!(fault(&format!("x,{KEY}")), "line 1: the key ID is not 32 hexadecimal digits");
        assert_eq!(fault(&format!("{KID},{KEY},\"open")), "line 1: kid,key,title is expected");
        assert!(fault(&format!(r#"[{{"kid":"","key":"{KEY}"}}]"#)).starts_with("element 0: the key ID"));
        assert!(fault("[1]").starts_with("a JSON array"));
        let twice = format!("{KID},{KEY}\n{KID},ff112233445566778899aabbccddeeff");
        assert!(fault(&twice).starts_with("line 2: key ID") && fault(&twice).contains("twice with different keys"));
    }

    #[test]
    fn all_that_is_wrong_with_a_list_is_told_at_once() {
        let fault = |text: &str| read_list(text).err().unwrap().to_string();
        let told =
            fault(&format!("kid,key\n{KID},00\n{KID},{KEY}\nx,{KEY}\n{KID}\n{KID},ff112233445566778899aabbccddeeff\n"));
        let lines: Vec<&str> = told.lines().map(|line| line.trim_start().split(':').next().unwrap()).collect();
        assert_eq!(lines, ["nothing of the list was taken; wrong are", "line 2", "line 4", "line 5", "line 6"]);
        let told = fault(&format!(r#"[{{"kid":"{KID}","key":"0"}},{{"kid":"","key":"{KEY}"}}]"#));
        assert!(told.contains("  element 0: the key") && told.contains("  element 1: the key ID"), "{told}");
        let many = fault(&"x,y\n".repeat(50));
        assert_eq!((many.lines().count(), many.lines().last().unwrap()), (22, "  and 30 more"));
    }
}
