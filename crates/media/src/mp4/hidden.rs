//! What a clear view of an MP4 shows in place of the codes of boxes and sample entries that speak of protection. Nothing
//! moves: a box that meant protection means nothing, and an entry has the code of the media itself.

use super::movie::{boxes_from_sinf, sample_table, says_protected};
use super::{groups, piff};
use crate::boxes::{Children, Mp4Box};
use crate::error::HeaderError;
use crate::source::{self, Source};
use std::io::{self, Read, Seek};

/// Patches of one file: days of low-latency fragments with five boxes each.
const PATCH_LIMIT: usize = 1 << 20;
/// The code of a box without a meaning.
const FREE: [u8; 4] = *b"free";

/// Four bytes of the file that the view shows otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Patch {
    pub(crate) offset: u64,
    pub(crate) code: [u8; 4],
}

/// The patches of a file, by offset.
pub(crate) fn patches<R: Read + Seek>(source: &mut Source<R>) -> Result<Vec<Patch>, HeaderError> {
    let mut found = Patches(Vec::new());
    source::scan(source, |_, part| match &part.kind.0 {
        b"pssh" => found.add(&part, FREE),
        _ => found.add_part(&part),
    })?;
    found.0.sort_by_key(|patch| patch.offset);
    Ok(found.0)
}

struct Patches(Vec<Patch>);

impl Patches {
    /// Shows the code of a box as another one.
    fn add(&mut self, place: &Mp4Box<'_>, code: [u8; 4]) -> Result<(), HeaderError> {
        let (count, limit) = (self.0.len() as u64 + 1, PATCH_LIMIT as u64);
        if count > limit {
            return Err(HeaderError::TooMany { offset: place.offset, field: "boxes of protection", count, limit });
        }
        self.0.try_reserve(1).map_err(io::Error::from)?;
        // Behind the size, whatever form that has.
        self.0.push(Patch { offset: place.offset + 4, code });
        Ok(())
    }

    /// Looks into a `moov` or `moof`.
    fn add_part(&mut self, part: &Mp4Box<'_>) -> Result<(), HeaderError> {
        self.add_children(part.children())?;
        for child in part.children() {
            let child = child?;
            match &child.kind.0 {
                b"traf" => self.add_children(child.children())?,
                b"trak" => {
                    self.add_children(child.children())?;
                    let table = sample_table(&child)?;
                    self.add_children(table.children())?;
                    if let Some(stsd) = table.child(b"stsd")? {
                        self.add_entries(&stsd)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn add_children(&mut self, children: Children<'_>) -> Result<(), HeaderError> {
        for child in children {
            let child = child?;
            if speaks_of_protection(&child)? {
                self.add(&child, FREE)?;
            }
        }
        Ok(())
    }

    fn add_entries(&mut self, stsd: &Mp4Box<'_>) -> Result<(), HeaderError> {
        let mut fields = stsd.fields();
        fields.version_and_flags("stsd version")?;
        let declared = fields.u32("stsd entry_count")? as usize;
        for entry in Children(fields).take(declared) {
            let entry = entry?;
            let Some(boxes) = boxes_from_sinf(&entry) else { continue };
            let mut format = None;
            // What follows the first of them may be no boxes; then it says nothing either.
            for child in boxes.map_while(Result::ok).filter(|child| child.kind == *b"sinf") {
                if format.is_none() {
                    let original = child.required(b"frma", "frma")?.fields().four_cc("frma data_format")?;
                    format = Some(original.0);
                }
                self.add(&child, FREE)?;
            }
            if let Some(format) = format.filter(|_| says_protected(entry.kind)) {
                self.add(&entry, format)?;
            }
        }
        Ok(())
    }
}

fn speaks_of_protection(found: &Mp4Box<'_>) -> Result<bool, HeaderError> {
    Ok(match &found.kind.0 {
        b"senc" | b"saiz" | b"saio" | b"pssh" => true,
        b"sgpd" | b"sbgp" | b"csgp" => groups::grouping_type(found)? == *b"seig",
        b"uuid" => matches!(found.extended, Some(piff::SAMPLE_ENCRYPTION | piff::PSSH)),
        _ => false,
    })
}
