//! Going through the elements of a WebM file one after another: segments are gone into, clusters where that is asked for.

use crate::ebml::{Element, Head};
use crate::error::HeaderError;
use crate::source::Source;
use std::io::{Read, Seek};

const EBML: u32 = 0x1A45_DFA3;
const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
pub(super) const CLUSTER: u32 = 0x1F43_B675;
pub(super) const TRACKS: u32 = 0x1654_AE6B;
pub(super) const BLOCK_GROUP: u32 = 0xA0;

/// Bytes of the largest EBML header that is read.
const EBML_LIMIT: u64 = 4096;
/// A segment, a cluster and a block group are three.
const DEPTH_LIMIT: usize = 8;
/// Elements of a file that are looked at: a million blocks with all that may stand around them. Bounds the time that a
/// hostile file can take.
const ELEMENT_LIMIT: u64 = 1 << 22;

/// Whether a file is in EBML by its first four bytes.
pub(crate) fn begins_webm(head: &[u8]) -> bool {
    head.starts_with(&EBML.to_be_bytes())
}

/// Which clusters a walk goes into. The others are stepped over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Enter {
    /// Those whose end is only known from within.
    UnknownSizes,
    /// All, and their block groups.
    All,
}

/// Goes through the elements of segments and clusters one after another, whatever their depth.
pub(super) struct Walk {
    next: u64,
    /// Where the elements end that were gone into. None ends after the one before it.
    ends: Vec<u64>,
    elements: u64,
}

impl Walk {
    /// Reads the EBML header.
    pub(super) fn begin<R: Read + Seek>(source: &mut Source<R>) -> Result<Self, HeaderError> {
        let head = Head::at(source, 0)?.filter(|head| head.id == EBML).ok_or(HeaderError::NotRecognised)?;
        let size = head.size.ok_or_else(|| head.bad_size())?;
        if size > EBML_LIMIT {
            return Err(head.bad_size());
        }
        let body = source.read_at(head.body, size, "EBML")?;
        let doc_type = Element::new(&head, &body).child(DOC_TYPE)?;
        match doc_type.map(|doc_type| doc_type.body.trim_ascii_end()) {
            Some(b"webm" | b"matroska") => Ok(Self { next: head.body + size, ends: Vec::new(), elements: 0 }),
            _ => Err(HeaderError::NotRecognised),
        }
    }

    /// The next element that is not gone into.
    pub(super) fn next<R: Read + Seek>(
        &mut self,
        source: &mut Source<R>,
        enter: Enter,
    ) -> Result<Option<Head>, HeaderError> {
        loop {
            let Some(head) = Head::at(source, self.next)? else { return Ok(None) };
            self.elements += 1;
            if self.elements > ELEMENT_LIMIT {
                let (offset, count, limit) = (head.offset, self.elements, ELEMENT_LIMIT);
                return Err(HeaderError::TooMany { offset, field: "elements", count, limit });
            }
            self.ends.retain(|end| *end > head.offset);
            let holds_blocks = matches!(head.id, CLUSTER | BLOCK_GROUP);
            let is_entered = head.id == SEGMENT || holds_blocks && (enter == Enter::All || head.size.is_none());
            let end = self.end_of(&head, is_entered)?;
            if !is_entered {
                self.next = end;
                return Ok(Some(head));
            }
            self.next = head.body;
            if head.size.is_some() {
                self.ends.push(end);
            }
            if self.ends.len() > DEPTH_LIMIT {
                let (offset, count, limit) = (head.offset, self.ends.len() as u64, DEPTH_LIMIT as u64);
                return Err(HeaderError::TooMany { offset, field: "nested elements", count, limit });
            }
        }
    }

    /// Where an element ends, within those around it. An element of unknown size that is gone into ends with them.
    fn end_of(&self, head: &Head, is_entered: bool) -> Result<u64, HeaderError> {
        let around = self.ends.last().copied().unwrap_or(u64::MAX);
        let end = if head.size.is_none() && is_entered { Some(around) } else { head.end() };
        end.filter(|end| *end <= around).ok_or_else(|| head.bad_size())
    }

    pub(super) fn missing_tracks(&self) -> HeaderError {
        HeaderError::Missing { offset: 0, field: "Tracks" }
    }
}
