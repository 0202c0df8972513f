//! Samples of a movie without fragments: `stsz` or `stz2`, `stsc`, `stco` and `co64` (ISO/IEC 14496-12, 8.7).

use crate::boxes::{Fields, Mp4Box};
use crate::error::HeaderError;
use crate::table::{Rows, SAMPLE_LIMIT};
use wmlicense_wire::memory;

/// Sizes of the samples (`stsz`, or `stz2` with 4, 8 or 16 bits for each).
struct Sizes<'a> {
    table: Fields<'a>,
    fixed: u32,
    /// Bits of an entry; of 4 bits the second half of a byte is kept in `half`.
    bits: u8,
    half: Option<u8>,
    left: u32,
}

impl<'a> Sizes<'a> {
    fn find(stbl: &Mp4Box<'a>) -> Result<Self, HeaderError> {
        if let Some(stsz) = stbl.child(b"stsz")? {
            let mut table = stsz.fields();
            table.version_and_flags("stsz version")?;
            let fixed = table.u32("stsz sample_size")?;
            let field = "stsz sample_count";
            let left = if fixed == 0 { table.count(4, field)? as u32 } else { table.u32(field)? };
            return Ok(Self { table, fixed, bits: 32, half: None, left });
        }
        let mut table = stbl.required(b"stz2", "stsz or stz2")?.fields();
        table.version_and_flags("stz2 version")?;
        let offset = table.offset();
        let bits = table.u32("stz2 field_size")? as u8;
        let place = table.offset();
        let left = table.u32("stz2 sample_count")?;
        if !matches!(bits, 4 | 8 | 16) {
            return Err(HeaderError::BadValue { offset, field: "stz2 field_size", value: bits.into() });
        }
        if (u64::from(left) * u64::from(bits)).div_ceil(8) > table.rest().len() as u64 {
            return Err(HeaderError::Truncated { offset: place, field: "stz2 sample_count" });
        }
        Ok(Self { table, fixed: 0, bits, half: None, left })
    }

    fn next(&mut self) -> Option<Result<u32, HeaderError>> {
        self.left = self.left.checked_sub(1)?;
        Some(if self.fixed == 0 { self.entry() } else { Ok(self.fixed) })
    }

    fn entry(&mut self) -> Result<u32, HeaderError> {
        match self.bits {
            4 => Ok(match self.half.take() {
                Some(half) => half.into(),
                None => {
                    let both = self.table.u8("stz2 entry_size")?;
                    self.half = Some(both & 15);
                    (both >> 4).into()
                }
            }),
            8 => self.table.u8("stz2 entry_size").map(u32::from),
            16 => self.table.u16("stz2 entry_size").map(u32::from),
            _ => self.table.u32("stsz entry_size"),
        }
    }
}

/// Adds the samples of a `stbl` to `rows`. Returns the number of samples in each chunk.
pub(super) fn read_samples(stbl: &Mp4Box<'_>, track: u32, rows: &mut Rows) -> Result<Vec<u32>, HeaderError> {
    let mut sizes = Sizes::find(stbl)?;
    let total = u64::from(sizes.left);
    if total == 0 {
        return Ok(Vec::new());
    }
    let stsc = stbl.required(b"stsc", "stsc")?;
    let mut mapping = Mapping::parse(&stsc)?;
    let (mut offsets, count, is_large) = chunk_offsets(stbl)?;
    let mismatch =
        |found| HeaderError::SampleCountMismatch { track, offset: stsc.offset, field: "stsc", expected: total, found };
    if count as usize > SAMPLE_LIMIT {
        let (offset, count, limit) = (offsets.offset(), count.into(), SAMPLE_LIMIT as u64);
        return Err(HeaderError::TooMany { offset, field: "chunk offset entry_count", count, limit });
    }
    let (mut chunks, mut found) = (memory::with_capacity(count as usize)?, 0);
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
