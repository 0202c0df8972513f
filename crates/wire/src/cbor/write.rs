//! Writers of single items, and of maps with unsigned keys.

/// Writes a map with unsigned keys in ascending order.
pub struct MapWriter {
    /// Behind room for the head of a map of less than 24 entries, which is one byte.
    body: Vec<u8>,
    entries: u64,
    last: Option<u64>,
}

impl Default for MapWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl MapWriter {
    /// An empty map.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty map with room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        let mut body = Vec::with_capacity(bytes.saturating_add(1));
        body.push(0);
        Self { body, entries: 0, last: None }
    }

    fn entry(mut self, field: u64, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        debug_assert!(self.last.is_none_or(|last| last < field), "map keys are written in ascending order");
        self.last = Some(field);
        self.entries += 1;
        uint_to(&mut self.body, field);
        write(&mut self.body);
        self
    }

    /// Unsigned number.
    pub fn uint(self, field: u64, value: impl Into<u64>) -> Self {
        let value = value.into();
        self.entry(field, |out| uint_to(out, value))
    }

    /// Signed number.
    pub fn int(self, field: u64, value: i64) -> Self {
        self.entry(field, |out| int_to(out, value))
    }

    /// Truth value.
    pub fn bool(self, field: u64, value: bool) -> Self {
        self.raw(field, &[if value { 0xf5 } else { 0xf4 }])
    }

    /// Byte string.
    pub fn bytes(self, field: u64, value: impl AsRef<[u8]>) -> Self {
        self.entry(field, |out| bytes_to(out, value.as_ref()))
    }

    /// Text.
    pub fn text(self, field: u64, value: &str) -> Self {
        self.entry(field, |out| text_to(out, value))
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
        let Self { mut body, entries, last: _ } = self;
        let head = head(5, entries);
        match (head.as_slice(), body.first_mut()) {
            ([one], Some(first)) => *first = *one,
            _ => drop(body.splice(..1, head)),
        }
        body
    }
}

/// Head of an item of a major type in its shortest form.
pub fn head(major: u8, value: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(9);
    head_to(&mut out, major, value);
    out
}

pub(crate) fn head_to(out: &mut Vec<u8>, major: u8, value: u64) {
    let kind = major << 5;
    match value {
        0..=23 => out.push(kind | value as u8),
        24..=0xff => out.extend_from_slice(&[kind | 24, value as u8]),
        0x100..=0xffff => {
            out.push(kind | 25);
            out.extend_from_slice(&(value as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(kind | 26);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(kind | 27);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// Appends an unsigned number.
pub(crate) fn uint_to(out: &mut Vec<u8>, value: u64) {
    head_to(out, 0, value);
}

/// Unsigned number.
pub fn uint(value: u64) -> Vec<u8> {
    head(0, value)
}

/// Appends a signed number.
pub(crate) fn int_to(out: &mut Vec<u8>, value: i64) {
    if value >= 0 { head_to(out, 0, value as u64) } else { head_to(out, 1, !(value as u64)) }
}

/// Signed number.
pub fn int(value: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(9);
    int_to(&mut out, value);
    out
}

/// Appends a text.
fn text_to(out: &mut Vec<u8>, value: &str) {
    head_to(out, 3, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

/// Appends a byte string.
pub(crate) fn bytes_to(out: &mut Vec<u8>, value: &[u8]) {
    head_to(out, 2, value.len() as u64);
    out.extend_from_slice(value);
}

/// Byte string.
pub fn bytes(value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(9 + value.as_ref().len());
    bytes_to(&mut out, value.as_ref());
    out
}

/// Text.
pub fn text(value: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(9 + value.len());
    text_to(&mut out, value);
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
