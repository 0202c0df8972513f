//! Walks the boxes at the top of a file and reads only those asked for. Media data is skipped by seeking.

use crate::boxes::Mp4Box;
use crate::error::HeaderError;
use crate::fourcc::FourCc;
use std::io::{Read, Seek, SeekFrom};
use wmlicense_wire::memory;

/// The most bytes of one part that are held in memory. The `moov` of a three-hour film has half of it.
pub(crate) const PART_LIMIT: u64 = 20 << 20;

/// The most boxes at the top of a file: days of low-latency fragments. Bounds the time that a hostile file can take.
const BOX_LIMIT: u64 = 1 << 22;

/// A seekable file or buffer of known length.
pub(crate) struct Source<R> {
    inner: R,
    length: u64,
}

/// A box at the top of a file, not read yet.
#[derive(Clone, Copy)]
pub(crate) struct TopBox {
    pub(crate) kind: FourCc,
    pub(crate) offset: u64,
    /// Bytes before the body.
    pub(crate) header: u64,
    /// Bytes of the whole box as declared; the file may end before.
    pub(crate) size: u64,
}

impl<R: Read + Seek> Source<R> {
    pub(crate) fn new(mut inner: R) -> Result<Self, HeaderError> {
        let length = inner.seek(SeekFrom::End(0))?;
        Ok(Self { inner, length })
    }

    /// Bytes in the file or buffer.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Reads exactly this range. The length is checked against the file before memory is taken.
    pub(crate) fn read_at(&mut self, offset: u64, size: u64, field: &'static str) -> Result<Vec<u8>, HeaderError> {
        if offset.checked_add(size).is_none_or(|end| end > self.length) {
            return Err(HeaderError::Truncated { offset, field });
        }
        if size > PART_LIMIT {
            return Err(HeaderError::TooLarge { offset, field, size, limit: PART_LIMIT });
        }
        let mut bytes = memory::zeroed(size as usize)?;
        self.inner.seek(SeekFrom::Start(offset))?;
        self.inner.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The first bytes, at most `count`.
    pub(crate) fn head(&mut self, count: u64) -> Result<Vec<u8>, HeaderError> {
        self.read_at(0, self.length.min(count), "first bytes")
    }

    /// At most `count` bytes from `offset` on, fewer at the end of the file.
    pub(crate) fn peek(&mut self, offset: u64, count: u64) -> Result<Vec<u8>, HeaderError> {
        self.read_at(offset, self.length.saturating_sub(offset).min(count), "file")
    }

    /// Fails if the file ends before `end`.
    pub(crate) fn check_end(&self, end: u64, field: &'static str) -> Result<(), HeaderError> {
        if end <= self.length { Ok(()) } else { Err(HeaderError::Truncated { offset: self.length, field }) }
    }

    /// All bytes, if they may be held in memory.
    pub(crate) fn read_all(&mut self, field: &'static str) -> Result<Vec<u8>, HeaderError> {
        self.read_at(0, self.length, field)
    }

    /// The box that begins at `offset`; `None` at the end of the file.
    pub(crate) fn top_box(&mut self, offset: u64) -> Result<Option<TopBox>, HeaderError> {
        let left = self.length.saturating_sub(offset);
        if left == 0 {
            return Ok(None);
        }
        let head = self.read_at(offset, 8, "box header")?;
        let mut fields = crate::boxes::Fields::new(&head, offset);
        let short = fields.u32("box size")?;
        let kind = fields.four_cc("box type")?;
        let (header, size) = match short {
            0 => (8, left),
            1 => {
                let large = self.read_at(offset + 8, 8, "box large size")?;
                (16, crate::boxes::Fields::new(&large, offset + 8).u64("box large size")?)
            }
            size => (8, u64::from(size)),
        };
        if size < header || offset.checked_add(size).is_none() {
            return Err(HeaderError::BadSize { offset, kind, size });
        }
        Ok(Some(TopBox { kind, offset, header, size }))
    }

    /// Reads the body of a box.
    pub(crate) fn read_body(&mut self, top: &TopBox, field: &'static str) -> Result<Vec<u8>, HeaderError> {
        self.read_at(top.offset + top.header, top.size - top.header, field)
    }
}

impl TopBox {
    /// The box with the body that was read for it.
    pub(crate) fn with_body<'a>(&self, body: &'a [u8]) -> Mp4Box<'a> {
        let body_offset = self.offset + self.header;
        Mp4Box { kind: self.kind, offset: self.offset, body, body_offset, extended: None }
    }

    /// Where the next box begins.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.size
    }
}

/// Calls `visit` with each `moov`, `moof` and `pssh` box of a file, in order. The kind of the first box tells a media
/// file from noise.
pub(crate) fn scan<R: Read + Seek>(
    source: &mut Source<R>,
    mut visit: impl FnMut(&mut Source<R>, Mp4Box<'_>) -> Result<(), HeaderError>,
) -> Result<(), HeaderError> {
    let mut offset = 0;
    let (mut found, mut cut_short) = (false, None);
    let mut boxes = 0;
    while let Some(top) = source.top_box(offset).map_err(|error| if offset == 0 { not_media(error) } else { error })? {
        if offset == 0 && !begins_media(top.kind) {
            return Err(HeaderError::NotRecognised);
        }
        let field = match &top.kind.0 {
            b"moov" => Some("moov"),
            b"moof" => Some("moof"),
            b"pssh" => Some("pssh"),
            _ => None,
        };
        if let Some(field) = field {
            found = true;
            let body = source.read_body(&top, field)?;
            visit(source, top.with_body(&body))?;
        } else if top.end() > source.length {
            cut_short = Some(top.offset);
        }
        offset = top.end();
        boxes += 1;
        if boxes > BOX_LIMIT {
            return Err(HeaderError::TooMany { offset, field: "boxes", count: boxes, limit: BOX_LIMIT });
        }
    }
    match (found, cut_short) {
        (true, _) => Ok(()),
        (false, Some(offset)) => Err(HeaderError::Truncated { offset, field: "box before moov" }),
        (false, None) if offset == 0 => Err(HeaderError::NotRecognised),
        (false, None) => Err(HeaderError::Missing { offset: 0, field: "moov" }),
    }
}

/// A first box that is no box at all means that the bytes are of another format.
fn not_media(error: HeaderError) -> HeaderError {
    match error {
        HeaderError::Io(_) => error,
        _ => HeaderError::NotRecognised,
    }
}

fn begins_media(kind: FourCc) -> bool {
    const KINDS: [&[u8; 4]; 14] = [
        b"ftyp", b"styp", b"moov", b"moof", b"pssh", b"free", b"skip", b"wide", b"mdat", b"sidx", b"uuid", b"emsg",
        b"prft", b"pdin",
    ];
    KINDS.iter().any(|known| kind == **known)
}
