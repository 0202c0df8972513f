//! Deterministic CBOR (RFC 8949 §4.2.1): a strict check of whole documents, and small readers and writers for maps with
//! numeric keys. Nothing here knows a document.

pub mod diagnostic;
pub mod read;
pub mod write;

pub use write::MapWriter;

/// Deepest nesting accepted.
pub(crate) const MAX_DEPTH: usize = 8;
/// Map keys from this number on may be skipped by readers that do not know them; smaller ones must be understood.
pub(crate) const FIRST_OPTIONAL_KEY: u64 = 64;
/// Longest text, in bytes.
pub const MAX_TEXT_LEN: usize = 1024;

/// Says what keeps a text out of every document. C would cut one off at a NUL, and a terminal obeys the other control characters.
pub fn check_text(text: &str) -> Result<(), &'static str> {
    match text {
        _ if text.len() > MAX_TEXT_LEN => Err("the text has more than 1024 bytes"),
        // Most texts are of these letters, which many at once are looked at for.
        _ if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => Ok(()),
        _ if text.chars().any(char::is_control) => Err("the text has a control character in it"),
        _ => Ok(()),
    }
}

/// Bytes are not the CBOR that a document may consist of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// Not well-formed, or not in the one deterministic encoding.
    #[error("not deterministic CBOR at byte {offset}")]
    Encoding {
        /// Bytes before the fault.
        offset: usize,
    },
    /// Nested deeper than the format allows.
    #[error("nested too deep at byte {offset}")]
    Depth {
        /// Bytes before the fault.
        offset: usize,
    },
    /// Bytes follow the document.
    #[error("bytes follow the document at byte {offset}")]
    Trailing {
        /// Length of the document.
        offset: usize,
    },
    /// A field that must be there is not.
    #[error("field {field} is missing")]
    Missing {
        /// Map key.
        field: u64,
    },
    /// A field has another type, length or range than it may have.
    #[error("field {field} has a value that it may not have")]
    Value {
        /// Map key.
        field: u64,
    },
    /// A field that this version does not know and may not skip.
    #[error("field {field} is not known")]
    Unknown {
        /// Map key.
        field: u64,
    },
    /// Longer than a document of this kind may be.
    #[error("longer than {cap} bytes")]
    TooLong {
        /// Most bytes allowed.
        cap: usize,
    },
}

/// Fields that most documents have at most; more are read as well.
const FEW: usize = 16;

/// Checks that `bytes` are exactly one item in deterministic encoding: shortest lengths, definite, maps sorted without
/// duplicates, valid UTF-8, no floating point, no tags, nothing after it. Works in constant memory but for the depth.
pub fn check(bytes: &[u8]) -> Result<(), CborError> {
    let end = check_item(bytes, 0, 0)?;
    if end == bytes.len() { Ok(()) } else { Err(CborError::Trailing { offset: end }) }
}

fn check_item(bytes: &[u8], start: usize, depth: usize) -> Result<usize, CborError> {
    let fault = CborError::Encoding { offset: start };
    if depth > MAX_DEPTH {
        return Err(CborError::Depth { offset: start });
    }
    let (major, value, next) = head(bytes, start).ok_or_else(|| fault.clone())?;
    match major {
        0 | 1 => Ok(next),
        2 | 3 => {
            let length = usize::try_from(value).map_err(|_| fault.clone())?;
            let end = next.checked_add(length).ok_or_else(|| fault.clone())?;
            let content = bytes.get(next..end).ok_or_else(|| fault.clone())?;
            if major == 3 && std::str::from_utf8(content).is_err() { Err(fault) } else { Ok(end) }
        }
        4 => (0..value).try_fold(next, |at, _| check_item(bytes, at, depth + 1)),
        5 => check_map(bytes, value, next, depth),
        7 if next == start + 1 && (20..=22).contains(&value) => Ok(next),
        _ => Err(fault),
    }
}

fn check_map(bytes: &[u8], entries: u64, start: usize, depth: usize) -> Result<usize, CborError> {
    let mut at = start;
    let mut previous: Option<&[u8]> = None;
    for _ in 0..entries {
        let key_end = check_item(bytes, at, depth + 1)?;
        let key = bytes.get(at..key_end).ok_or(CborError::Encoding { offset: at })?;
        if previous.is_some_and(|previous| previous >= key) {
            return Err(CborError::Encoding { offset: at });
        }
        previous = Some(key);
        at = check_item(bytes, key_end, depth + 1)?;
    }
    Ok(at)
}

/// The offset behind the item at `start`.
fn item_end(bytes: &[u8], start: usize) -> Option<usize> {
    check_item(bytes, start, 0).ok()
}

/// Major type, argument and the offset behind the head, if the head is the shortest of its value.
fn head(bytes: &[u8], start: usize) -> Option<(u8, u64, usize)> {
    let first = *bytes.get(start)?;
    let (major, short) = (first >> 5, first & 31);
    let width = match short {
        0..=23 => return Some((major, u64::from(short), start + 1)),
        24..=27 => 1usize << (short - 24),
        _ => return None,
    };
    let end = start.checked_add(1)?.checked_add(width)?;
    let value = bytes.get(start + 1..end)?.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let least = match width {
        1 => 24,
        2 => 1 << 8,
        4 => 1 << 16,
        _ => 1 << 32,
    };
    (value >= least).then_some((major, value, end))
}

/// A map with unsigned keys whose values are read by key. Only for bytes that [`check`] has passed.
pub struct Fields<'a> {
    entries: Entries<'a>,
    /// Where the field was that was asked for last: most readers ask for one after the other.
    at: usize,
}

/// Number, value, and whether somebody read it; sorted by number.
type Entry<'a> = (u64, &'a [u8], bool);

/// Entries that take no memory of the heap as long as they are few.
struct Entries<'a> {
    few: [Entry<'a>; FEW],
    count: usize,
    /// All of them, where they are more.
    many: Vec<Entry<'a>>,
}

impl<'a> Entries<'a> {
    fn push(&mut self, entry: Entry<'a>) {
        match self.few.get_mut(self.count) {
            Some(place) => *place = entry,
            None => {
                if self.many.is_empty() {
                    self.many.extend_from_slice(&self.few);
                }
                self.many.push(entry);
            }
        }
        self.count += 1;
    }

    fn all(&self) -> &[Entry<'a>] {
        if self.many.is_empty() { self.few.get(..self.count).unwrap_or_default() } else { &self.many }
    }

    fn all_mut(&mut self) -> &mut [Entry<'a>] {
        if self.many.is_empty() { self.few.get_mut(..self.count).unwrap_or_default() } else { &mut self.many }
    }
}

impl<'a> Fields<'a> {
    /// Checks `bytes` against `cap` and the encoding rules and reads the outer map.
    pub fn parse(bytes: &'a [u8], cap: usize) -> Result<Self, CborError> {
        if bytes.len() > cap { Err(CborError::TooLong { cap }) } else { Self::of_checked(bytes) }
    }

    /// Reads a map inside bytes that were checked before. One walk checks and reads, because it is made for every license.
    pub(crate) fn of_checked(bytes: &'a [u8]) -> Result<Self, CborError> {
        let fault = CborError::Encoding { offset: 0 };
        let Some((5, length, mut at)) = head(bytes, 0) else { return check(bytes).and(Err(fault)) };
        let mut entries = Entries { few: [(0, &[], false); FEW], count: 0, many: Vec::new() };
        let (mut previous, mut all_numbers): (Option<&[u8]>, bool) = (None, true);
        for _ in 0..length {
            let number = match head(bytes, at) {
                Some((0, number, end)) => Some((number, end)),
                _ => None,
            };
            let value = number.map_or_else(|| check_item(bytes, at, 1), |(_, end)| Ok(end))?;
            let key = bytes.get(at..value).ok_or(CborError::Encoding { offset: at })?;
            if previous.is_some_and(|previous| previous >= key) {
                return Err(CborError::Encoding { offset: at });
            }
            previous = Some(key);
            at = check_item(bytes, value, 1)?;
            let item = bytes.get(value..at).ok_or(CborError::Encoding { offset: value })?;
            match number {
                Some((number, _)) => entries.push((number, item, false)),
                None => all_numbers = false,
            }
        }
        if at != bytes.len() {
            return Err(CborError::Trailing { offset: at });
        }
        if all_numbers { Ok(Self { entries, at: 0 }) } else { Err(fault) }
    }

    /// The bytes of a value, if the field is there.
    pub fn raw(&mut self, field: u64) -> Option<&'a [u8]> {
        let is_before = |entry: &Entry<'_>| entry.0 < field;
        let entries = self.entries.all_mut();
        if !entries.get(..self.at).and_then(<[_]>::last).is_none_or(is_before) {
            self.at = 0;
        }
        self.at += entries.get(self.at..)?.iter().take_while(|entry| is_before(entry)).count();
        let entry = entries.get_mut(self.at).filter(|entry| entry.0 == field)?;
        entry.2 = true;
        Some(entry.1)
    }

    /// Reads a field with `read`, if it is there.
    pub fn optional<T>(
        &mut self,
        field: u64,
        read: impl FnOnce(&'a [u8]) -> Option<T>,
    ) -> Result<Option<T>, CborError> {
        match self.raw(field) {
            None => Ok(None),
            Some(raw) => read(raw).map(Some).ok_or(CborError::Value { field }),
        }
    }

    /// Reads a field with `read`; it must be there.
    pub fn required<T>(&mut self, field: u64, read: impl FnOnce(&'a [u8]) -> Option<T>) -> Result<T, CborError> {
        self.optional(field, read)?.ok_or(CborError::Missing { field })
    }

    /// Refuses fields that nobody read and that may not be skipped.
    pub fn finish(self) -> Result<(), CborError> {
        match self.entries.all().iter().find(|(key, _, read)| !read && *key < FIRST_OPTIONAL_KEY) {
            Some((field, _, _)) => Err(CborError::Unknown { field: *field }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
