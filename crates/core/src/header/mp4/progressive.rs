//! Samples of a movie without fragments: `stsz`, `stsc`, `stco` and `co64` (ISO/IEC 14496-12, 8.7).

use super::super::boxes::{Fields, Mp4Box};
use super::super::error::HeaderError;
use super::rows::Rows;

/// Sizes of the samples (`stsz`).
struct Sizes<'a> {
    table: Fields<'a>,
    fixed: u32,
    left: u32,
}

impl<'a> Sizes<'a> {
    fn parse(stsz: &Mp4Box<'a>) -> Result<Self, HeaderError> {
        let mut table = stsz.fields();
        table.version_and_flags("stsz version")?;
        let fixed = table.u32("stsz sample_size")?;
        let field = "stsz sample_count";
        let left = if fixed == 0 { table.count(4, field)? as u32 } else { table.u32(field)? };
        Ok(Self { table, fixed, left })
    }

    fn next(&mut self) -> Option<Result<u32, HeaderError>> {
        self.left = self.left.checked_sub(1)?;
        Some(if self.fixed == 0 { self.table.u32("stsz entry_size") } else { Ok(self.fixed) })
    }
}

/// Adds the samples of a `stbl` to `rows`. Returns the number of samples in each chunk.
pub(super) fn read_samples(stbl: &Mp4Box<'_>, track: u32, rows: &mut Rows) -> Result<Vec<u32>, HeaderError> {
    let stsz = stbl.required(b"stsz", "stsz")?;
    let mut sizes = Sizes::parse(&stsz)?;
    let total = u64::from(sizes.left);
    let mut chunks = Vec::new();
    if total == 0 {
        return Ok(chunks);
    }
    let stsc = stbl.required(b"stsc", "stsc")?;
    let mut mapping = Mapping::parse(&stsc)?;
    let (mut offsets, count, is_large) = chunk_offsets(stbl)?;
    let mismatch =
        |found| HeaderError::SampleCountMismatch { track, offset: stsc.offset, field: "stsc", expected: total, found };
    let mut found = 0;
    for chunk in 1..=count {
        let mut offset =
            if is_large { offsets.u64("co64 chunk_offset")? } else { offsets.u32("stco chunk_offset")?.into() };
        let (samples, entry) = mapping.at(chunk)?;
        found += u64::from(samples);
        for _ in 0..samples {
            let size = sizes.next().ok_or_else(|| mismatch(found))??;
            rows.push(offset, size, entry)?;
            offset = offset.saturating_add(size.into());
        }
        chunks.push(samples);
    }
    if sizes.left == 0 { Ok(chunks) } else { Err(mismatch(found)) }
}

fn chunk_offsets<'a>(stbl: &Mp4Box<'a>) -> Result<(Fields<'a>, u32, bool), HeaderError> {
    let (table, is_large) = match stbl.child(b"stco")? {
        Some(stco) => (stco, false),
        None => (stbl.required(b"co64", "stco or co64")?, true),
    };
    let mut fields = table.fields();
    fields.version_and_flags("chunk offset version")?;
    let count = fields.count(if is_large { 8 } else { 4 }, "chunk offset entry_count")?;
    Ok((fields, count as u32, is_large))
}

/// Samples per chunk and sample entry, by chunk number (`stsc`).
struct Mapping<'a> {
    table: Fields<'a>,
    left: usize,
    current: Option<(u32, u32)>,
    /// The first chunk of the entry after the current one.
    next: Option<(u32, u32, u32)>,
}

impl<'a> Mapping<'a> {
    fn parse(stsc: &Mp4Box<'a>) -> Result<Self, HeaderError> {
        let mut table = stsc.fields();
        table.version_and_flags("stsc version")?;
        let left = table.count(12, "stsc entry_count")?;
        let mut mapping = Self { table, left, current: None, next: None };
        mapping.advance()?;
        Ok(mapping)
    }

    fn advance(&mut self) -> Result<(), HeaderError> {
        self.next = match self.left.checked_sub(1) {
            None => None,
            Some(left) => {
                self.left = left;
                Some((
                    self.table.u32("stsc first_chunk")?,
                    self.table.u32("stsc samples_per_chunk")?,
                    self.table.u32("stsc sample_description_index")?,
                ))
            }
        };
        Ok(())
    }

    /// The samples in a chunk and their sample entry. Chunks are asked for in order, from 1.
    fn at(&mut self, chunk: u32) -> Result<(u32, u32), HeaderError> {
        if let Some((first, samples, entry)) = self.next
            && first == chunk
        {
            self.current = Some((samples, entry));
            self.advance()?;
        }
        let (offset, field) = (self.table.offset(), "stsc first_chunk");
        self.current.ok_or(HeaderError::BadValue { offset, field, value: chunk.into() })
    }
}
