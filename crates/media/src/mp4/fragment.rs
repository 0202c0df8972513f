//! Samples of movie fragments: `traf` with its `tfhd` and `trun` boxes (ISO/IEC 14496-12, 8.8).

use super::movie::too_many;
use crate::boxes::{Fields, Mp4Box};
use crate::error::HeaderError;
use crate::track::LIST_LIMIT;

/// What a fragment leaves out (`trex`).
#[derive(Clone, Copy)]
pub(super) struct FragmentDefaults {
    pub(super) track: u32,
    description: u32,
    size: u32,
}

/// One `traf`, its header read.
pub(super) struct TrackFragment<'a> {
    traf: Mp4Box<'a>,
    pub(super) track: u32,
    /// What the offsets of runs and of auxiliary information are relative to.
    pub(super) base: u64,
    /// The number of the sample entry, from 1.
    pub(super) description: u32,
    size: u32,
}

/// Samples that follow each other in the file (`trun`).
pub(super) struct Run<'a> {
    pub(super) offset: u64,
    pub(super) count: u32,
    /// The size of all samples, if they have no sizes of their own.
    fixed_size: Option<u32>,
    records: Fields<'a>,
    /// Bytes of a record, and of what precedes the size in it.
    record: usize,
    before_size: usize,
}

impl FragmentDefaults {
    /// Reads the `trex` boxes of a movie.
    pub(super) fn read_all(moov: &Mp4Box<'_>) -> Result<Vec<Self>, HeaderError> {
        let Some(mvex) = moov.child(b"mvex")? else { return Ok(Vec::new()) };
        let mut all = Vec::new();
        for child in mvex.children() {
            let child = child?;
            if child.kind == *b"trex" {
                let mut fields = child.fields();
                fields.version_and_flags("trex version")?;
                let track = fields.u32("trex track_ID")?;
                let description = fields.u32("trex default_sample_description_index")?;
                fields.u32("trex default_sample_duration")?;
                all.push(Self { track, description, size: fields.u32("trex default_sample_size")? });
                if all.len() > LIST_LIMIT {
                    return Err(too_many(&child, "trex", all.len()));
                }
            }
        }
        Ok(all)
    }
}

impl<'a> TrackFragment<'a> {
    /// Reads the header of a `traf`. `implied_base` holds where the data begins if the header does not say so: the
    /// start of the `moof` for the first fragment, the end of the previous one's data for the others.
    pub(super) fn parse(
        traf: Mp4Box<'a>,
        moof_offset: u64,
        implied_base: u64,
        defaults: &[FragmentDefaults],
    ) -> Result<Self, HeaderError> {
        let mut fields = traf.required(b"tfhd", "tfhd")?.fields();
        let (_, flags) = fields.version_and_flags("tfhd flags")?;
        let track = fields.u32("tfhd track_ID")?;
        let defaults = defaults.iter().find(|defaults| defaults.track == track);
        let (mut description, mut size) = defaults.map_or((1, 0), |known| (known.description, known.size));
        let mut base = if flags & 0x02_0000 != 0 { moof_offset } else { implied_base };
        if flags & 0x01 != 0 {
            base = fields.u64("tfhd base_data_offset")?;
        }
        if flags & 0x02 != 0 {
            description = fields.u32("tfhd sample_description_index")?;
        }
        if flags & 0x08 != 0 {
            fields.u32("tfhd default_sample_duration")?;
        }
        if flags & 0x10 != 0 {
            size = fields.u32("tfhd default_sample_size")?;
        }
        Ok(Self { traf, track, base, description, size })
    }

    pub(super) fn traf(&self) -> &Mp4Box<'a> {
        &self.traf
    }

    /// Calls `found` with each run in order. Returns where the data of the last one ends.
    pub(super) fn for_each_run(
        &self,
        mut found: impl FnMut(&Run<'a>) -> Result<(), HeaderError>,
    ) -> Result<u64, HeaderError> {
        let mut end = self.base;
        for child in self.traf.children() {
            let child = child?;
            if child.kind == *b"trun" {
                let run = Run::parse(&child, self, end)?;
                found(&run)?;
                end = run.end(&child)?;
            }
        }
        Ok(end)
    }
}

impl<'a> Run<'a> {
    fn parse(trun: &Mp4Box<'a>, fragment: &TrackFragment<'_>, follows: u64) -> Result<Self, HeaderError> {
        let mut fields = trun.fields();
        let (_, flags) = fields.version_and_flags("trun flags")?;
        let count_offset = fields.offset();
        let count = fields.u32("trun sample_count")?;
        let mut offset = follows;
        if flags & 0x01 != 0 {
            let relative = i64::from(fields.u32("trun data_offset")? as i32);
            let bad = HeaderError::BadValue { offset: trun.offset, field: "trun data_offset", value: relative as u64 };
            offset = fragment.base.checked_add_signed(relative).ok_or(bad)?;
        }
        if flags & 0x04 != 0 {
            fields.u32("trun first_sample_flags")?;
        }
        let present = |flag: u32| if flags & flag != 0 { 4 } else { 0 };
        let before_size = present(0x100);
        let record = before_size + present(0x200) + present(0x400) + present(0x800);
        let fixed_size = if flags & 0x200 == 0 { Some(fragment.size) } else { None };
        if (count as usize).checked_mul(record).is_none_or(|bytes| bytes > fields.rest().len()) {
            return Err(HeaderError::Truncated { offset: count_offset, field: "trun sample_count" });
        }
        Ok(Self { offset, count, fixed_size, records: fields, record, before_size })
    }

    /// The sizes of the samples.
    pub(super) fn sizes(&self) -> impl Iterator<Item = Result<u32, HeaderError>> {
        let mut records = self.records.clone();
        (0..self.count).map(move |_| match self.fixed_size {
            Some(size) => Ok(size),
            None => {
                records.take(self.before_size, "trun sample")?;
                let size = records.u32("trun sample_size")?;
                records.take(self.record - self.before_size - 4, "trun sample")?;
                Ok(size)
            }
        })
    }

    fn end(&self, trun: &Mp4Box<'_>) -> Result<u64, HeaderError> {
        // A run without sizes may claim four billion samples in no bytes; it is multiplied, not counted.
        let length = match self.fixed_size {
            Some(size) => u64::from(size) * u64::from(self.count),
            None => self.sizes().try_fold(0u64, |sum, size| Ok::<_, HeaderError>(sum + u64::from(size?)))?,
        };
        let bad = HeaderError::BadValue { offset: trun.offset, field: "trun data", value: length };
        self.offset.checked_add(length).ok_or(bad)
    }
}
