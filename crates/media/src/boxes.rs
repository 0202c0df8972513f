//! Boxes and big-endian fields of the ISO base media file format (ISO/IEC 14496-12, 4.2), in memory.
//! Sizes are checked against the surrounding box before anything is sliced; nothing here recurses or allocates.

use crate::error::HeaderError;
use crate::fourcc::FourCc;
use wmlicense_wire::id::Kid;

/// Reads fields one after another and names the one that is cut short.
#[derive(Clone)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    offset: u64,
}

impl<'a> Fields<'a> {
    /// Fields of `bytes`, whose first byte is at `offset` of the file.
    pub(crate) fn new(bytes: &'a [u8], offset: u64) -> Self {
        Self { bytes, offset }
    }

    /// Where the next field begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The bytes that were not read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn take(&mut self, count: usize, field: &'static str) -> Result<&'a [u8], HeaderError> {
        let short = HeaderError::Truncated { offset: self.offset, field };
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(short)?;
        self.bytes = rest;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], HeaderError> {
        let short = HeaderError::Truncated { offset: self.offset, field };
        self.take(N, field)?.try_into().map_err(|_| short)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, HeaderError> {
        self.array(field).map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, HeaderError> {
        self.array(field).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, HeaderError> {
        self.array(field).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, HeaderError> {
        self.array(field).map(u64::from_be_bytes)
    }

    pub(crate) fn kid(&mut self, field: &'static str) -> Result<Kid, HeaderError> {
        self.array(field).map(Kid::new)
    }

    pub(crate) fn four_cc(&mut self, field: &'static str) -> Result<FourCc, HeaderError> {
        self.array(field).map(FourCc)
    }

    /// Version and flags of a full box.
    pub(crate) fn version_and_flags(&mut self, field: &'static str) -> Result<(u8, u32), HeaderError> {
        let word = self.u32(field)?;
        Ok(((word >> 24) as u8, word & 0x00FF_FFFF))
    }

    /// A count of items that take at least `item` bytes each, checked against the bytes that are left.
    pub(crate) fn count(&mut self, item: usize, field: &'static str) -> Result<usize, HeaderError> {
        let offset = self.offset;
        let count = self.u32(field)? as usize;
        let fits = count.checked_mul(item).is_some_and(|bytes| bytes <= self.bytes.len());
        if fits { Ok(count) } else { Err(HeaderError::Truncated { offset, field }) }
    }
}

/// A box inside another one.
#[derive(Clone, Copy)]
pub(crate) struct Mp4Box<'a> {
    pub(crate) kind: FourCc,
    /// Where the box begins.
    pub(crate) offset: u64,
    /// What follows the box header (and the extended type).
    pub(crate) body: &'a [u8],
    /// Where the body begins.
    pub(crate) body_offset: u64,
    /// The extended type of a `uuid` box.
    pub(crate) extended: Option<[u8; 16]>,
}

impl<'a> Mp4Box<'a> {
    pub(crate) fn fields(&self) -> Fields<'a> {
        Fields::new(self.body, self.body_offset)
    }

    pub(crate) fn children(&self) -> Children<'a> {
        Children(self.fields())
    }

    /// The first child of this kind.
    pub(crate) fn child(&self, kind: &[u8; 4]) -> Result<Option<Mp4Box<'a>>, HeaderError> {
        self.children().find_kind(kind)
    }

    /// The first child of this kind, which must be there.
    pub(crate) fn required(&self, kind: &[u8; 4], field: &'static str) -> Result<Mp4Box<'a>, HeaderError> {
        self.child(kind)?.ok_or(HeaderError::Missing { offset: self.offset, field })
    }
}

/// The boxes that follow each other in some bytes.
pub(crate) struct Children<'a>(pub(crate) Fields<'a>);

impl<'a> Children<'a> {
    pub(crate) fn find_kind(self, kind: &[u8; 4]) -> Result<Option<Mp4Box<'a>>, HeaderError> {
        for child in self {
            let child = child?;
            if child.kind == *kind {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    fn read(&mut self) -> Result<Mp4Box<'a>, HeaderError> {
        let (start, fields) = (self.0.clone(), &mut self.0);
        let short = u64::from(fields.u32("box size")?);
        let kind = fields.four_cc("box type")?;
        let size = match short {
            0 => start.rest().len() as u64,
            1 => fields.u64("box large size")?,
            size => size,
        };
        let extended = if kind == *b"uuid" { Some(fields.array("extended type")?) } else { None };
        let header = fields.offset() - start.offset();
        let bad = || HeaderError::BadSize { offset: start.offset(), kind, size };
        let body_size = usize::try_from(size.checked_sub(header).ok_or_else(bad)?).map_err(|_| bad())?;
        let body_offset = fields.offset();
        let body = fields.take(body_size, "box").map_err(|_| bad())?;
        Ok(Mp4Box { kind, offset: start.offset(), body, body_offset, extended })
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Mp4Box<'a>, HeaderError>;

    /// After an error there is nothing more. Fewer than eight zero bytes at the end are a terminator that old files have.
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.rest();
        if rest.is_empty() || (rest.len() < 8 && rest.iter().all(|byte| *byte == 0)) {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.0 = Fields::new(&[], self.0.offset());
        }
        Some(item)
    }
}
