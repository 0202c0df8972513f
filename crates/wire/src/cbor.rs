//! Deterministic CBOR (RFC 8949 §4.2.1): a strict check of whole documents, and small readers and writers for maps with
//! numeric keys. Nothing here knows a document.

use minicbor::Decoder;
use minicbor::data::Type;

/// Deepest nesting accepted.
pub const MAX_DEPTH: usize = 8;
/// Map keys from this number on may be skipped by readers that do not know them; smaller ones must be understood.
pub const FIRST_OPTIONAL_KEY: u64 = 64;

/// Bytes are not the CBOR that a document may consist of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// Not well-formed, or not in the one deterministic encoding.
    #[error("not deterministic CBOR at byte {offset}")]
    Encoding {
        /// Bytes before the fault.
        offset: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
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

/// Checks that `bytes` are exactly one item in deterministic encoding: shortest lengths, definite, maps sorted without
/// duplicates, valid UTF-8, no floating point, no tags, nothing after it. Works in constant memory but for [`MAX_DEPTH`].
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
        let key = &bytes[at..key_end];
        if previous.is_some_and(|previous| previous >= key) {
            return Err(CborError::Encoding { offset: at });
        }
        previous = Some(key);
        at = check_item(bytes, key_end, depth + 1)?;
    }
    Ok(at)
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
    entries: Vec<(u64, &'a [u8], bool)>,
}

impl<'a> Fields<'a> {
    /// Checks `bytes` against `cap` and the encoding rules and reads the outer map.
    pub fn parse(bytes: &'a [u8], cap: usize) -> Result<Self, CborError> {
        if bytes.len() > cap {
            return Err(CborError::TooLong { cap });
        }
        check(bytes)?;
        Self::of_checked(bytes)
    }

    /// Reads a map inside bytes that were checked before.
    pub fn of_checked(bytes: &'a [u8]) -> Result<Self, CborError> {
        let fault = CborError::Encoding { offset: 0 };
        let mut decoder = Decoder::new(bytes);
        let length = decoder.map().ok().flatten().ok_or_else(|| fault.clone())?;
        let mut entries = Vec::new();
        for _ in 0..length {
            let key = decoder.u64().map_err(|_| fault.clone())?;
            let start = decoder.position();
            decoder.skip().map_err(|_| fault.clone())?;
            entries.push((key, &bytes[start..decoder.position()], false));
        }
        Ok(Self { entries })
    }

    /// The bytes of a value, if the field is there.
    pub fn raw(&mut self, field: u64) -> Option<&'a [u8]> {
        let entry = self.entries.iter_mut().find(|entry| entry.0 == field)?;
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
        match self.entries.iter().find(|(key, _, read)| !read && *key < FIRST_OPTIONAL_KEY) {
            Some((field, _, _)) => Err(CborError::Unknown { field: *field }),
            None => Ok(()),
        }
    }
}

/// Readers of single checked values, to be passed to [`Fields::required`] and [`Fields::optional`].
pub mod read {
    use super::*;
    use crate::id::Id;

    /// Unsigned number.
    pub fn uint(raw: &[u8]) -> Option<u64> {
        Decoder::new(raw).u64().ok()
    }

    /// Unsigned number of at most 32 bits.
    pub fn uint32(raw: &[u8]) -> Option<u32> {
        Decoder::new(raw).u32().ok()
    }

    /// Signed number.
    pub fn int(raw: &[u8]) -> Option<i64> {
        Decoder::new(raw).i64().ok()
    }

    /// Truth value.
    pub fn bool(raw: &[u8]) -> Option<bool> {
        Decoder::new(raw).bool().ok()
    }

    /// Byte string.
    pub fn bytes(raw: &[u8]) -> Option<&[u8]> {
        Decoder::new(raw).bytes().ok()
    }

    /// Byte string of at most `cap` bytes.
    pub fn bytes_up_to(cap: usize) -> impl Fn(&[u8]) -> Option<&[u8]> {
        move |raw| bytes(raw).filter(|bytes| bytes.len() <= cap)
    }

    /// Text of at most 1024 bytes.
    pub fn text(raw: &[u8]) -> Option<String> {
        Decoder::new(raw).str().ok().filter(|text| text.len() <= 1024).map(str::to_owned)
    }

    /// Identifier as a byte string of its length.
    pub fn id<const N: usize, K>(raw: &[u8]) -> Option<Id<N, K>> {
        Id::from_slice(bytes(raw)?).ok()
    }

    /// Array whose items are read with `item`, at most `cap` of them.
    pub fn array<'a, T>(cap: usize, item: impl Fn(&'a [u8]) -> Option<T>) -> impl Fn(&'a [u8]) -> Option<Vec<T>> {
        move |raw| items(raw, cap)?.into_iter().map(&item).collect()
    }

    /// The raw items of an array of at most `cap` items.
    pub fn items(raw: &[u8], cap: usize) -> Option<Vec<&[u8]>> {
        let mut decoder = Decoder::new(raw);
        let length = decoder.array().ok().flatten().filter(|length| *length <= cap as u64)?;
        let mut items = Vec::new();
        for _ in 0..length {
            let start = decoder.position();
            decoder.skip().ok()?;
            items.push(&raw[start..decoder.position()]);
        }
        Some(items)
    }

    /// The raw items of an array of exactly `N` items.
    pub fn tuple<const N: usize>(raw: &[u8]) -> Option<[&[u8]; N]> {
        items(raw, N)?.try_into().ok()
    }

    /// Text-keyed map with values read by `value`, at most `cap` entries.
    pub fn text_map<'a, T>(
        cap: usize,
        value: impl Fn(&'a [u8]) -> Option<T>,
    ) -> impl Fn(&'a [u8]) -> Option<Vec<(String, T)>> {
        move |raw| {
            let mut decoder = Decoder::new(raw);
            let length = decoder.map().ok().flatten().filter(|length| *length <= cap as u64)?;
            let mut entries = Vec::new();
            for _ in 0..length {
                let key = decoder.str().ok().filter(|key| key.len() <= 256)?.to_owned();
                let start = decoder.position();
                decoder.skip().ok()?;
                entries.push((key, value(&raw[start..decoder.position()])?));
            }
            Some(entries)
        }
    }

    /// True if the item is null.
    pub fn is_null(raw: &[u8]) -> bool {
        matches!(Decoder::new(raw).datatype(), Ok(Type::Null))
    }
}

/// Writes a map with unsigned keys in ascending order.
#[derive(Default)]
pub struct MapWriter {
    body: Vec<u8>,
    entries: u64,
    last: Option<u64>,
}

impl MapWriter {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    fn entry(mut self, field: u64, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        debug_assert!(self.last.is_none_or(|last| last < field), "map keys are written in ascending order");
        self.last = Some(field);
        self.entries += 1;
        write::uint_to(&mut self.body, field);
        write(&mut self.body);
        self
    }

    /// Unsigned number.
    pub fn uint(self, field: u64, value: impl Into<u64>) -> Self {
        let value = value.into();
        self.entry(field, |out| write::uint_to(out, value))
    }

    /// Signed number.
    pub fn int(self, field: u64, value: i64) -> Self {
        self.raw(field, &write::int(value))
    }

    /// Truth value.
    pub fn bool(self, field: u64, value: bool) -> Self {
        self.raw(field, &[if value { 0xf5 } else { 0xf4 }])
    }

    /// Byte string.
    pub fn bytes(self, field: u64, value: impl AsRef<[u8]>) -> Self {
        self.entry(field, |out| write::bytes_to(out, value.as_ref()))
    }

    /// Text.
    pub fn text(self, field: u64, value: &str) -> Self {
        self.raw(field, &write::text(value))
    }

    /// An item that is encoded already.
    pub fn raw(self, field: u64, item: &[u8]) -> Self {
        self.entry(field, |out| out.extend_from_slice(item))
    }

    /// Writes the field if there is a value.
    pub fn optional<T>(self, field: u64, value: Option<T>, write: impl FnOnce(Self, u64, T) -> Self) -> Self {
        match value {
            Some(value) => write(self, field, value),
            None => self,
        }
    }

    /// The encoded map.
    pub fn finish(self) -> Vec<u8> {
        let mut out = write::head(5, self.entries);
        out.extend_from_slice(&self.body);
        out
    }
}

/// Writers of single items.
pub mod write {

    /// Head of an item of a major type in its shortest form.
    pub fn head(major: u8, value: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(9);
        uint_to(&mut out, value);
        out[0] |= major << 5;
        out
    }

    /// Appends an unsigned number.
    pub fn uint_to(out: &mut Vec<u8>, value: u64) {
        let bytes = value.to_be_bytes();
        match value {
            0..=23 => out.push(value as u8),
            24..=0xff => out.extend_from_slice(&[0x18, value as u8]),
            0x100..=0xffff => {
                out.push(0x19);
                out.extend_from_slice(&bytes[6..]);
            }
            0x1_0000..=0xffff_ffff => {
                out.push(0x1a);
                out.extend_from_slice(&bytes[4..]);
            }
            _ => {
                out.push(0x1b);
                out.extend_from_slice(&bytes);
            }
        }
    }

    /// Unsigned number.
    pub fn uint(value: u64) -> Vec<u8> {
        head(0, value)
    }

    /// Signed number.
    pub fn int(value: i64) -> Vec<u8> {
        if value >= 0 { head(0, value as u64) } else { head(1, !(value as u64)) }
    }

    /// Appends a byte string.
    pub fn bytes_to(out: &mut Vec<u8>, value: &[u8]) {
        out.extend_from_slice(&head(2, value.len() as u64));
        out.extend_from_slice(value);
    }

    /// Byte string.
    pub fn bytes(value: impl AsRef<[u8]>) -> Vec<u8> {
        let mut out = Vec::new();
        bytes_to(&mut out, value.as_ref());
        out
    }

    /// Text.
    pub fn text(value: &str) -> Vec<u8> {
        let mut out = head(3, value.len() as u64);
        out.extend_from_slice(value.as_bytes());
        out
    }

    /// Null.
    pub fn null() -> Vec<u8> {
        vec![0xf6]
    }

    /// Array of encoded items.
    pub fn array<I: AsRef<[u8]>>(items: impl IntoIterator<Item = I, IntoIter: ExactSizeIterator>) -> Vec<u8> {
        let items = items.into_iter();
        let mut out = head(4, items.len() as u64);
        for item in items {
            out.extend_from_slice(item.as_ref());
        }
        out
    }

    /// Map with text keys, sorted as the encoding demands (shorter keys first, then by bytes).
    pub fn text_map<'k>(entries: impl IntoIterator<Item = (&'k str, Vec<u8>)>) -> Vec<u8> {
        let mut entries: Vec<(Vec<u8>, Vec<u8>)> = entries.into_iter().map(|(key, value)| (text(key), value)).collect();
        entries.sort();
        let mut out = head(5, entries.len() as u64);
        for (key, value) in entries {
            out.extend_from_slice(&key);
            out.extend_from_slice(&value);
        }
        out
    }
}

/// The diagnostic notation of a checked item (RFC 8949 §8), for people.
pub fn diagnostic(bytes: &[u8]) -> String {
    minicbor::display(bytes).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn fault(hex: &str) -> CborError {
        let bytes: Vec<u8> =
            (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
        check(&bytes).unwrap_err()
    }

    #[test]
    fn every_non_deterministic_form_is_refused() {
        for hex in [
            "1800",
            "190001",
            "1a00000001",
            "1b0000000000000001", // longer than needed
            "5f41004100ff",
            "9fff",
            "bfff", // indefinite
            "a201000100",
            "a202000100", // duplicate, unsorted
            "61ff",       // not UTF-8
            "f90000",
            "fb0000000000000000",
            "f7",
            "e0",
            "f818", // floats, undefined, simple values
            "c000",
            "d82a00", // tags
            "5a7fffffff00",
            "9bffffffffffffffff",
            "bb0fffffffffffffff", // lengths that lie
            "",
            "18",
            "62c3",
        ] {
            assert!(matches!(fault(hex), CborError::Encoding { .. }), "{hex}");
        }
        assert_eq!(fault("0000"), CborError::Trailing { offset: 1 });
        assert!(matches!(fault("81818181818181818100"), CborError::Depth { .. }));
    }

    #[test]
    fn what_the_writers_write_passes_the_check_and_is_read_back() {
        let bytes = MapWriter::new()
            .uint(1, 70_000u64)
            .int(2, -5)
            .bytes(3, b"abc")
            .text(4, "text")
            .bool(5, true)
            .raw(6, &write::array([write::uint(1), write::null()]))
            .raw(7, &write::text_map([("bb", write::uint(1)), ("a", write::uint(2))]))
            .uint(64, 1u64)
            .finish();
        let mut fields = Fields::parse(&bytes, 1000).unwrap();
        assert_eq!(fields.required(1, read::uint).unwrap(), 70_000);
        assert_eq!(fields.required(2, read::int).unwrap(), -5);
        assert_eq!(fields.required(3, read::bytes).unwrap(), b"abc");
        assert_eq!(fields.required(4, read::text).unwrap(), "text");
        assert!(fields.required(5, read::bool).unwrap());
        assert_eq!(fields.required(6, |raw| read::items(raw, 2)).unwrap().len(), 2);
        assert_eq!(fields.required(7, read::text_map(2, read::uint)).unwrap()[0].0, "a");
        assert_eq!(fields.required(9, read::uint), Err(CborError::Missing { field: 9 }));
        assert_eq!(fields.required(4, read::uint), Err(CborError::Value { field: 4 }));
        fields.finish().unwrap();
    }

    #[test]
    fn unknown_fields_are_refused_below_64_and_skipped_from_there() {
        let known = MapWriter::new().uint(64, 1u64).finish();
        Fields::parse(&known, 100).unwrap().finish().unwrap();
        let unknown = MapWriter::new().uint(63, 1u64).finish();
        assert_eq!(Fields::parse(&unknown, 100).unwrap().finish(), Err(CborError::Unknown { field: 63 }));
    }

    #[test]
    fn long_documents_are_refused_before_they_are_read() {
        assert_eq!(Fields::parse(&[0xa0], 0).err(), Some(CborError::TooLong { cap: 0 }));
    }

    #[test]
    fn negative_numbers_are_written_as_the_standard_says() {
        assert_eq!(write::int(-1), [0x20]);
        assert_eq!(write::int(i64::MIN), [0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
}
