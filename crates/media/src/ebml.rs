//! Elements of EBML (RFC 8794), in memory and at a place of a file. Sizes are checked against what surrounds them before
//! anything is sliced; nothing here recurses.

use crate::boxes::Fields;
use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::source::Source;
use std::io::{Read, Seek};

/// Bytes of the longest element header: an ID of four and a size of eight.
const HEADER_LIMIT: u64 = 12;

/// An element's head.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    /// The ID with its length marker, as documents name it.
    pub(crate) id: u32,
    /// Where the element begins.
    pub(crate) offset: u64,
    /// Where its body begins.
    pub(crate) body: u64,
    /// Bytes of its body; `None` if it ends where its parent's next child begins.
    pub(crate) size: Option<u64>,
}

impl Head {
    fn read(fields: &mut Fields<'_>) -> Result<Self, HeaderError> {
        let offset = fields.offset();
        let id = read_id(fields)?;
        let size = read_vint(fields, "element size")?;
        Ok(Self { id, offset, body: fields.offset(), size })
    }

    /// The element that begins at `offset`; `None` at the end of the file.
    pub(crate) fn at<R: Read + Seek>(source: &mut Source<R>, offset: u64) -> Result<Option<Self>, HeaderError> {
        let head = source.peek(offset, HEADER_LIMIT)?;
        if head.is_empty() { Ok(None) } else { Self::read(&mut Fields::new(&head, offset)).map(Some) }
    }

    /// Where the element ends; `None` if it does not say so, or nowhere.
    pub(crate) fn end(&self) -> Option<u64> {
        self.body.checked_add(self.size?)
    }

    pub(crate) fn bad_size(&self) -> HeaderError {
        let kind = FourCc(self.id.to_be_bytes());
        HeaderError::BadSize { offset: self.offset, kind, size: self.size.unwrap_or(u64::MAX) }
    }
}

/// An element with its body.
#[derive(Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) id: u32,
    /// Where the element begins.
    pub(crate) offset: u64,
    pub(crate) body: &'a [u8],
    body_offset: u64,
}

impl<'a> Element<'a> {
    /// An element whose body was read.
    pub(crate) fn new(head: &Head, body: &'a [u8]) -> Self {
        Self { id: head.id, offset: head.offset, body, body_offset: head.body }
    }

    pub(crate) fn children(&self) -> Elements<'a> {
        Elements(Fields::new(self.body, self.body_offset))
    }

    /// The children of this kind.
    pub(crate) fn all(&self, id: u32) -> impl Iterator<Item = Result<Element<'a>, HeaderError>> {
        self.children().filter(move |child| child.as_ref().map_or(true, |child| child.id == id))
    }

    /// The first child of this kind.
    pub(crate) fn child(&self, id: u32) -> Result<Option<Element<'a>>, HeaderError> {
        self.all(id).next().transpose()
    }

    /// The number in the first child of this kind.
    pub(crate) fn number(&self, id: u32, field: &'static str) -> Result<Option<u64>, HeaderError> {
        let Some(child) = self.child(id)? else { return Ok(None) };
        let (offset, value) = (child.body_offset, child.body.len() as u64);
        if child.body.len() > 8 {
            return Err(HeaderError::BadValue { offset, field, value });
        }
        Ok(Some(child.body.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))))
    }
}

/// The elements that follow each other in some bytes, all of known size.
pub(crate) struct Elements<'a>(Fields<'a>);

impl<'a> Elements<'a> {
    fn read(&mut self) -> Result<Element<'a>, HeaderError> {
        let head = Head::read(&mut self.0)?;
        let size = head.size.and_then(|size| usize::try_from(size).ok()).ok_or_else(|| head.bad_size())?;
        let body = self.0.take(size, "element").map_err(|_| head.bad_size())?;
        Ok(Element::new(&head, body))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, HeaderError>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.rest().is_empty() {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.0 = Fields::new(&[], self.0.offset());
        }
        Some(item)
    }
}

/// An element ID of one to four bytes.
fn read_id(fields: &mut Fields<'_>) -> Result<u32, HeaderError> {
    let (offset, field) = (fields.offset(), "element ID");
    let first = fields.u8(field)?;
    let length = first.leading_zeros() as usize;
    if length > 3 {
        return Err(HeaderError::BadValue { offset, field, value: first.into() });
    }
    let rest = fields.take(length, field)?;
    Ok(rest.iter().fold(first.into(), |id, byte| id << 8 | u32::from(*byte)))
}

/// A number of one to eight bytes whose length is in its first bits; `None` if all other bits are set.
pub(crate) fn read_vint(fields: &mut Fields<'_>, field: &'static str) -> Result<Option<u64>, HeaderError> {
    let offset = fields.offset();
    let first = fields.u8(field)?;
    let length = first.leading_zeros();
    if length > 7 {
        return Err(HeaderError::BadValue { offset, field, value: 0 });
    }
    let start = u64::from(first) & (0x7F >> length);
    let rest = fields.take(length as usize, field)?;
    let value = rest.iter().fold(start, |number, byte| number << 8 | u64::from(*byte));
    let unknown = (1 << (7 * (length + 1))) - 1;
    Ok(if value == unknown { None } else { Some(value) })
}
