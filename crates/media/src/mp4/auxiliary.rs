//! Per-sample encryption data: `senc`, or `saiz` and `saio` (ISO/IEC 23001-7, 7; ISO/IEC 14496-12, 8.7.8 and 8.7.9).
//! A table for another number of samples is refused: some muxers repeat old entries, and a wrong vector decrypts to noise.

use super::piff;
use crate::boxes::{Fields, Mp4Box};
use crate::cenc::{Scheme, Subsample};
use crate::error::HeaderError;
use crate::source::Source;
use crate::table::{Parameters, Rows};
use crate::track::Iv;
use std::io::{Read, Seek};

/// Bytes of auxiliary information read at once.
const WINDOW: u64 = 1 << 20;

/// Samples that share one place for their data: those of a `traf`, or of a whole `stbl`.
pub(super) struct Part<'a, 'r> {
    /// The `traf` or `stbl`.
    pub(super) parent: &'r Mp4Box<'a>,
    pub(super) track: u32,
    /// Where the fragment or the movie begins, for messages.
    pub(super) offset: u64,
    /// What `saio` offsets are relative to.
    pub(super) base: u64,
    /// The first row of the part; it reaches to the last.
    pub(super) start: usize,
    /// Samples of each run or chunk.
    pub(super) runs: &'r [u32],
}

/// Reads the data of each sample of a part, at least one of which is protected.
pub(super) fn read<R: Read + Seek>(
    source: &mut Source<R>,
    part: &Part<'_, '_>,
    rows: &mut Rows,
) -> Result<(), HeaderError> {
    let senc = part.parent.child(b"senc")?;
    // A table of no samples is one that is not there.
    if let Some(senc) = senc
        && senc_count(&senc)? > 0
    {
        return read_senc(&senc, part, rows);
    }
    let saio = find_typed(part.parent, b"saio")?;
    if let (Some(mut sizes), Some(saio)) = (Sizes::find(part, rows)?, saio) {
        return read_saio(source, part, &mut sizes, saio, rows);
    }
    if let Some(senc) = piff::sample_encryption(part.parent)? {
        return read_senc(&senc, part, rows);
    }
    if all_constant(part.start, rows) {
        return Ok(());
    }
    match senc {
        Some(senc) => Err(mismatch(part, rows, &senc, "senc", 0)),
        None => Err(HeaderError::NoSampleData { track: part.track, offset: part.offset }),
    }
}

fn senc_count(senc: &Mp4Box<'_>) -> Result<u32, HeaderError> {
    let mut fields = senc.fields();
    fields.version_and_flags("senc flags")?;
    fields.u32("senc sample_count")
}

/// Whether the samples from `start` on need no data of their own: each is clear, or protected as a whole with a constant
/// vector.
fn all_constant(start: usize, rows: &Rows) -> bool {
    let mut samples = (start..rows.len()).filter_map(|index| rows.parameters_of(index));
    samples.all(|parameters| parameters.encryption.iv_size == 0)
}

fn mismatch(part: &Part<'_, '_>, rows: &Rows, table: &Mp4Box<'_>, field: &'static str, found: usize) -> HeaderError {
    let expected = (rows.len() - part.start) as u64;
    HeaderError::SampleCountMismatch { track: part.track, offset: table.offset, field, expected, found: found as u64 }
}

/// Reads `senc` or its forerunner in PIFF, which may name parameters for its fragment.
fn read_senc(senc: &Mp4Box<'_>, part: &Part<'_, '_>, rows: &mut Rows) -> Result<(), HeaderError> {
    let mut fields = senc.fields();
    let (offset, (version, flags)) = (fields.offset(), fields.version_and_flags("senc flags")?);
    // A later version describes several keys for one sample. Parameters of its own only PIFF's box has.
    let is_piff = senc.extended.is_some();
    if version > 0 || !is_piff && flags & 1 != 0 {
        return Err(HeaderError::BadValue {
            offset,
            field: "senc version and flags",
            value: (u32::from(version) << 24 | flags).into(),
        });
    }
    if is_piff && flags & 1 != 0 {
        let (cipher, encryption) = piff::read_parameters(&mut fields)?;
        let shared = cipher.map(|scheme| Parameters { scheme, encryption });
        (part.start..rows.len()).try_for_each(|index| rows.assign(index, shared, senc.offset))?;
    }
    let count = fields.u32("senc sample_count")? as usize;
    if count != rows.len() - part.start {
        return Err(mismatch(part, rows, senc, "senc", count));
    }
    for index in part.start..rows.len() {
        read_sample(&mut fields, index, flags & 2 != 0, rows)?;
    }
    Ok(())
}

/// Reads the vector and the subsamples of one sample.
fn read_sample(
    fields: &mut Fields<'_>,
    index: usize,
    has_subsamples: bool,
    rows: &mut Rows,
) -> Result<(), HeaderError> {
    let offset = fields.offset();
    let iv_size = rows.parameters_of(index).map(|known| known.encryption.iv_size);
    let iv = Iv::read(fields, iv_size.unwrap_or(0), "senc InitializationVector")?;
    let count = if has_subsamples { fields.u16("senc subsample_count")? } else { 0 };
    let mut list = Fields::new(fields.take(usize::from(count) * 6, "senc subsamples")?, fields.offset());
    // Without ranges the whole sample is protected, also where the others have some.
    if iv_size.is_none() {
        return Ok(());
    }
    let subsamples = (0..count).map(|_| {
        let clear = list.u16("senc BytesOfClearData")?.into();
        Ok(Subsample { clear, encrypted: list.u32("senc BytesOfProtectedData")? })
    });
    rows.set_protection(index, &iv, subsamples, offset)
}

/// Sizes of the data of each sample (`saiz`).
struct Sizes<'a> {
    table: Fields<'a>,
    fixed: u8,
    /// Samples that are described; those behind them have no data.
    left: usize,
}

impl<'a> Sizes<'a> {
    fn find(part: &Part<'a, '_>, rows: &Rows) -> Result<Option<Self>, HeaderError> {
        let Some((saiz, mut fields)) = find_typed(part.parent, b"saiz")? else { return Ok(None) };
        let fixed = fields.u8("saiz default_sample_info_size")?;
        let field = "saiz sample_count";
        let count = if fixed == 0 { fields.count(1, field)? } else { fields.u32(field)? as usize };
        let samples = rows.len() - part.start;
        // The samples behind the last that is described have no data.
        if count > samples || count < samples && !all_constant(part.start + count, rows) {
            return Err(mismatch(part, rows, &saiz, "saiz", count));
        }
        Ok(Some(Self { table: fields, fixed, left: count }))
    }

    /// How many of the next samples have their data within one window, and the bytes of it. At least one of `most`, which
    /// is not zero.
    fn window(&self, most: u32) -> Result<(u32, u64), HeaderError> {
        let (mut ahead, mut count, mut bytes) = (Self { table: self.table.clone(), ..*self }, 0, 0);
        while count < most && bytes < WINDOW {
            bytes += u64::from(ahead.next()?);
            count += 1;
        }
        Ok((count, bytes))
    }

    fn next(&mut self) -> Result<u8, HeaderError> {
        match self.left.checked_sub(1) {
            None => return Ok(0),
            Some(left) => self.left = left,
        }
        if self.fixed == 0 { self.table.u8("saiz sample_info_size") } else { Ok(self.fixed) }
    }
}

/// Reads the data that `saio` points at: in one piece, or in one piece for each run or chunk.
fn read_saio<R: Read + Seek>(
    source: &mut Source<R>,
    part: &Part<'_, '_>,
    sizes: &mut Sizes<'_>,
    (saio, mut fields): (Mp4Box<'_>, Fields<'_>),
    rows: &mut Rows,
) -> Result<(), HeaderError> {
    let is_large = saio.body.first() == Some(&1);
    let pieces = fields.count(if is_large { 8 } else { 4 }, "saio entry_count")?;
    let whole = [(rows.len() - part.start) as u32];
    let runs = if pieces == 1 { &whole } else { part.runs };
    if pieces != runs.len() {
        let (offset, value) = (saio.offset, pieces as u64);
        return Err(HeaderError::BadValue { offset, field: "saio entry_count", value });
    }
    let mut index = part.start;
    for run in runs {
        let relative = if is_large { fields.u64("saio offset")? } else { fields.u32("saio offset")?.into() };
        let bad = HeaderError::BadValue { offset: saio.offset, field: "saio offset", value: relative };
        let mut offset = part.base.checked_add(relative).ok_or(bad)?;
        let mut left = *run;
        while left > 0 {
            let (count, bytes) = sizes.window(left)?;
            let data = source.read_at(offset, bytes, "sample auxiliary information")?;
            let mut data = Fields::new(&data, offset);
            for _ in 0..count {
                read_auxiliary(&mut data, sizes.next()?, index, rows)?;
                index += 1;
            }
            (offset, left) = (offset.saturating_add(bytes), left - count);
        }
    }
    Ok(())
}

fn read_auxiliary(data: &mut Fields<'_>, length: u8, index: usize, rows: &mut Rows) -> Result<(), HeaderError> {
    let offset = data.offset();
    let mut sample = Fields::new(data.take(length.into(), "sample auxiliary information")?, offset);
    let iv_size = rows.parameters_of(index).map_or(0, |known| known.encryption.iv_size);
    read_sample(&mut sample, index, length > iv_size, rows)?;
    let (field, value) = ("saiz sample_info_size", length.into());
    if sample.rest().is_empty() { Ok(()) } else { Err(HeaderError::BadValue { offset, field, value }) }
}

/// The `saiz` or `saio` that speaks of encryption: one without a type, or with that of a scheme. Its fields are given
/// from what follows the type.
fn find_typed<'a>(parent: &Mp4Box<'a>, kind: &[u8; 4]) -> Result<Option<(Mp4Box<'a>, Fields<'a>)>, HeaderError> {
    for child in parent.children() {
        let child = child?;
        if child.kind != *kind {
            continue;
        }
        let mut fields = child.fields();
        let (_, flags) = fields.version_and_flags("auxiliary information flags")?;
        if flags & 1 == 0 {
            return Ok(Some((child, fields)));
        }
        let aux_type = fields.four_cc("aux_info_type")?;
        fields.u32("aux_info_type_parameter")?;
        if Scheme::from_fourcc(aux_type.as_u32()).is_some() {
            return Ok(Some((child, fields)));
        }
    }
    Ok(None)
}
