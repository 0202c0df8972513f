//! The table of samples that a reader holds, and the limits on it. What follows from the samples before
//! is not stored again: one of a million samples takes eight bytes, its vector, and its subsamples.

mod blocks;

use crate::cenc::{SampleInfo, Scheme, Subsample};
use crate::error::HeaderError;
use crate::track::{Iv, TrackEncryption};
use blocks::{Blocks, Cursor, Mark};
use std::collections::HashMap;
use std::io;
use wmlicense_wire::id::Kid;
use wmlicense_wire::memory;

/// Samples of one track: six hours of sound or five of video.
pub(crate) const SAMPLE_LIMIT: usize = 1 << 20;
/// Different parameters of one track: two days of live content that changes its key every ten seconds.
const PARAMETER_LIMIT: usize = 1 << 14;
/// Bytes in all tables. With the largest part of a file beside them, a reader stays below 64 MB.
const MEMORY_LIMIT: usize = 30 << 20;

/// One sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Where its bytes begin in the file.
    pub offset: u64,
    /// Its bytes.
    pub size: u32,
    /// How it is protected; `None` if it is clear.
    pub protection: Option<SampleProtection<'a>>,
}

/// How a sample is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleProtection<'a> {
    /// The key it was encrypted with; all zero if the file names it elsewhere.
    pub kid: Kid,
    /// What the cipher needs.
    pub info: SampleInfo<'a>,
}

/// One sample, as it is stored.
#[derive(Default)]
pub(crate) struct Row {
    size: u32,
    /// While the sample is being placed the number of its sample entry, from 1; afterwards the number of its
    /// parameters, from 1, or 0 for a clear sample.
    parameters: u16,
    subsample_count: u16,
}

/// Samples that follow each other in the file without a gap.
struct Run {
    first: usize,
    offset: u64,
}

/// The parameters that samples share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Parameters {
    pub(crate) scheme: Scheme,
    pub(crate) encryption: TrackEncryption,
}

/// All samples of a track.
#[derive(Default)]
pub(crate) struct Rows {
    rows: Blocks<Row>,
    len: usize,
    runs: Blocks<Run>,
    /// Where a sample begins that follows the last one without a gap.
    end: Option<u64>,
    short_ivs: Blocks<[u8; 8]>,
    long_ivs: Blocks<[u8; 16]>,
    subsamples: Blocks<Subsample>,
    parameters: Vec<Parameters>,
    numbers: HashMap<Parameters, u16>,
    memory: usize,
}

impl Rows {
    /// Samples up to now.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Adds a sample of the sample entry with this number, from 1.
    pub(crate) fn push(&mut self, offset: u64, size: u32, entry: u32) -> Result<(), HeaderError> {
        if self.len >= SAMPLE_LIMIT {
            let (count, limit) = (SAMPLE_LIMIT as u64 + 1, SAMPLE_LIMIT as u64);
            return Err(HeaderError::TooMany { offset, field: "samples", count, limit });
        }
        let bad = HeaderError::BadValue { offset, field: "sample_description_index", value: entry.into() };
        let parameters = u16::try_from(entry).map_err(|_| bad)?;
        if self.end != Some(offset) {
            let bytes = self.runs.reserve(1)?;
            self.take_memory(bytes, offset)?;
            self.runs.push(Run { first: self.len, offset });
        }
        let bytes = self.rows.reserve(1)?;
        self.take_memory(bytes, offset)?;
        self.rows.push(Row { size, parameters, subsample_count: 0 });
        self.len += 1;
        self.end = Some(offset.saturating_add(size.into()));
        Ok(())
    }

    /// The number of a sample's entry, before it has parameters.
    pub(crate) fn entry_of(&self, index: usize) -> u32 {
        self.rows.get(index).map_or(0, |row| row.parameters.into())
    }

    /// Gives a sample its parameters; `None` for a clear one.
    pub(crate) fn assign(&mut self, index: usize, shared: Option<Parameters>, offset: u64) -> Result<(), HeaderError> {
        let number = match shared {
            Some(shared) => self.number_of(shared, offset)?,
            None => 0,
        };
        if let Some(row) = self.rows.get_mut(index) {
            row.parameters = number;
        }
        Ok(())
    }

    /// The parameters of a sample; `None` for a clear one.
    pub(crate) fn parameters_of(&self, index: usize) -> Option<&Parameters> {
        parameters(&self.parameters, self.rows.get(index)?)
    }

    /// Adds what a protected sample says for itself. Samples are told about in order, each once, and each that has a
    /// vector of its own.
    pub(crate) fn set_protection(
        &mut self,
        index: usize,
        iv: &Iv,
        subsamples: impl ExactSizeIterator<Item = Result<Subsample, HeaderError>>,
        offset: u64,
    ) -> Result<(), HeaderError> {
        let count = subsamples.len();
        let bytes = match iv.as_slice().len() {
            0 => 0,
            8 => self.short_ivs.reserve(1)?,
            _ => self.long_ivs.reserve(1)?,
        };
        let bytes = bytes + if count > 0 { self.subsamples.reserve(count)? } else { 0 };
        self.take_memory(bytes, offset)?;
        if let Ok(short) = iv.as_slice().try_into() {
            self.short_ivs.push(short);
        } else if let Ok(long) = iv.as_slice().try_into() {
            self.long_ivs.push(long);
        }
        for subsample in subsamples {
            self.subsamples.push(subsample?);
        }
        if let Some(row) = self.rows.get_mut(index) {
            // The containers count in 16 bits or fewer.
            row.subsample_count = count as u16;
        }
        Ok(())
    }

    /// The samples in the order of the file.
    pub(crate) fn samples(&self) -> impl ExactSizeIterator<Item = Sample<'_>> {
        self.samples_at(0, self.begin())
    }

    /// The samples from a place on that was noted.
    pub(crate) fn samples_from(&self, from: &Bookmark) -> impl ExactSizeIterator<Item = Sample<'_>> {
        let place = Place {
            runs: self.runs.cursor_at(from.runs),
            short_ivs: self.short_ivs.cursor_at(from.short_ivs),
            long_ivs: self.long_ivs.cursor_at(from.long_ivs),
            subsamples: self.subsamples.cursor_at(from.subsamples),
            offset: from.offset,
        };
        self.samples_at(from.index, place)
    }

    /// Notes the place of every sample whose number is a multiple of `step`.
    pub(crate) fn bookmarks(&self, step: usize) -> io::Result<Vec<Bookmark>> {
        let mut marks = memory::with_capacity(self.len / step + 1)?;
        let mut place = self.begin();
        for index in 0..self.len {
            if index % step == 0 {
                let (runs, subsamples) = (self.runs.mark(&place.runs), self.subsamples.mark(&place.subsamples));
                let (short_ivs, long_ivs) =
                    (self.short_ivs.mark(&place.short_ivs), self.long_ivs.mark(&place.long_ivs));
                marks.push(Bookmark { index, offset: place.offset, runs, short_ivs, long_ivs, subsamples });
            }
            if let Some(row) = self.rows.get(index) {
                place.sample(index, row, parameters(&self.parameters, row));
            }
        }
        Ok(marks)
    }

    /// The key IDs of the samples' parameters.
    pub(crate) fn kids(&self) -> impl Iterator<Item = Kid> {
        self.parameters.iter().map(|parameters| parameters.encryption.kid)
    }

    fn begin(&self) -> Place<'_> {
        Place {
            runs: self.runs.cursor(),
            short_ivs: self.short_ivs.cursor(),
            long_ivs: self.long_ivs.cursor(),
            subsamples: self.subsamples.cursor(),
            offset: 0,
        }
    }

    fn samples_at<'r>(&'r self, first: usize, mut place: Place<'r>) -> impl ExactSizeIterator<Item = Sample<'r>> {
        (first..self.len).map(move |index| match self.rows.get(index) {
            Some(row) => place.sample(index, row, parameters(&self.parameters, row)),
            None => Sample { offset: 0, size: 0, protection: None },
        })
    }

    fn number_of(&mut self, shared: Parameters, offset: u64) -> Result<u16, HeaderError> {
        if let Some(number) = self.numbers.get(&shared) {
            return Ok(*number);
        }
        let count = self.parameters.len() + 1;
        if count > PARAMETER_LIMIT {
            let (count, limit) = (count as u64, PARAMETER_LIMIT as u64);
            return Err(HeaderError::TooMany { offset, field: "encryption parameters", count, limit });
        }
        self.parameters.push(shared);
        self.numbers.insert(shared, count as u16);
        Ok(count as u16)
    }

    fn take_memory(&mut self, bytes: usize, offset: u64) -> Result<(), HeaderError> {
        self.memory += bytes;
        let (size, limit) = (self.memory as u64, MEMORY_LIMIT as u64);
        if size <= limit { Ok(()) } else { Err(HeaderError::TooLarge { offset, field: "sample tables", size, limit }) }
    }
}

/// Where the tables are to be read for a sample, so that those before it need not be.
pub(crate) struct Bookmark {
    pub(crate) index: usize,
    /// Where the sample before it ends.
    offset: u64,
    runs: Mark,
    short_ivs: Mark,
    long_ivs: Mark,
    subsamples: Mark,
}

fn parameters<'p>(all: &'p [Parameters], row: &Row) -> Option<&'p Parameters> {
    usize::from(row.parameters).checked_sub(1).and_then(|index| all.get(index))
}

/// How far the tables have been read.
struct Place<'r> {
    runs: Cursor<'r, Run>,
    short_ivs: Cursor<'r, [u8; 8]>,
    long_ivs: Cursor<'r, [u8; 16]>,
    subsamples: Cursor<'r, Subsample>,
    offset: u64,
}

impl<'r> Place<'r> {
    fn sample(&mut self, index: usize, row: &Row, parameters: Option<&'r Parameters>) -> Sample<'r> {
        if let Some(run) = self.runs.peek().filter(|run| run.first == index) {
            self.offset = run.offset;
            self.runs.take(1);
        }
        let offset = self.offset;
        self.offset = offset.saturating_add(row.size.into());
        let protection = parameters.map(|parameters| {
            let encryption = &parameters.encryption;
            let iv = match encryption.iv_size {
                0 => encryption.constant_iv.as_slice(),
                8 => self.short_ivs.take(1).as_flattened(),
                _ => self.long_ivs.take(1).as_flattened(),
            };
            let info = SampleInfo {
                scheme: parameters.scheme,
                iv,
                subsamples: self.subsamples.take(row.subsample_count.into()),
                crypt_byte_block: encryption.crypt_byte_block.into(),
                skip_byte_block: encryption.skip_byte_block.into(),
            };
            SampleProtection { kid: encryption.kid, info }
        });
        Sample { offset, size: row.size, protection }
    }
}
