//! The table of samples that a [`super::SampleReader`] holds, and the limits on it.

use super::super::boxes::FourCc;
use super::super::error::HeaderError;
use super::encryption::{Iv, TrackEncryption};
use super::groups::Groups;
use super::{Protection, Track};
use crate::decrypt::cenc::{Scheme, Subsample};
use std::collections::HashMap;

/// Samples of one track: six hours of sound or five of video. Bounds the memory at 40 MiB.
const SAMPLE_LIMIT: usize = 1 << 20;
/// Subsamples of one track. Bounds the memory at 16 MiB.
const SUBSAMPLE_LIMIT: usize = 1 << 21;

/// Where a sample is and how it is protected.
#[derive(Default)]
pub(super) struct Row {
    pub(super) offset: u64,
    pub(super) size: u32,
    /// While the sample is being placed the number of its sample entry, from 1; afterwards the number of its
    /// parameters, from 1, or 0 for a clear sample.
    pub(super) parameters: u32,
    pub(super) first_subsample: u32,
    pub(super) subsample_count: u16,
    pub(super) iv: Iv,
}

/// The parameters that samples share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Parameters {
    pub(super) scheme: Scheme,
    pub(super) encryption: TrackEncryption,
}

/// All samples of a track.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) rows: Vec<Row>,
    pub(super) subsamples: Vec<Subsample>,
    pub(super) parameters: Vec<Parameters>,
    numbers: HashMap<Parameters, u32>,
}

impl Rows {
    /// Adds a sample of the sample entry with this number, from 1.
    pub(super) fn push(&mut self, offset: u64, size: u32, entry: u32) -> Result<(), HeaderError> {
        if self.rows.len() >= SAMPLE_LIMIT {
            return Err(HeaderError::TooMany {
                offset,
                field: "samples",
                count: SAMPLE_LIMIT as u64 + 1,
                limit: SAMPLE_LIMIT as u64,
            });
        }
        self.rows.push(Row { offset, size, parameters: entry, ..Row::default() });
        Ok(())
    }

    /// Gives the samples from `start` on their parameters. Returns whether any of them is protected.
    pub(super) fn assign(
        &mut self,
        start: usize,
        track: &Track,
        groups: &Groups,
        movie: &Groups,
        offset: u64,
    ) -> Result<bool, HeaderError> {
        let mut any = false;
        let Self { rows, parameters, numbers, .. } = self;
        for (row, group) in rows.iter_mut().skip(start).zip(groups.parameters(movie)) {
            let entry = (row.parameters as usize).checked_sub(1).and_then(|index| track.entries.get(index));
            let (field, value) = ("sample_description_index", row.parameters.into());
            let entry = entry.ok_or(HeaderError::BadValue { offset, field, value })?;
            row.parameters = 0;
            let Some(protection) = &entry.protection else { continue };
            let encryption = group?.or(protection.defaults.as_ref());
            let encryption = encryption.ok_or(HeaderError::Missing { offset, field: "tenc" })?;
            if encryption.is_protected {
                let shared = Parameters { scheme: scheme(track.id, protection)?, encryption: *encryption };
                row.parameters = *numbers.entry(shared).or_insert_with(|| {
                    parameters.push(shared);
                    // Each sample adds at most one, and their number is limited.
                    parameters.len() as u32
                });
                any = true;
            }
        }
        Ok(any)
    }

    /// The parameters of a protected sample.
    pub(super) fn parameters_of(&self, row: &Row) -> Option<&Parameters> {
        (row.parameters as usize).checked_sub(1).and_then(|index| self.parameters.get(index))
    }

    /// Adds the subsamples of the sample in row `index`, which have been read up to now.
    pub(super) fn set_protection(
        &mut self,
        index: usize,
        iv: Iv,
        subsamples: impl ExactSizeIterator<Item = Result<Subsample, HeaderError>>,
        offset: u64,
    ) -> Result<(), HeaderError> {
        let first = self.subsamples.len();
        let total = first + subsamples.len();
        if total > SUBSAMPLE_LIMIT {
            let (count, limit) = (total as u64, SUBSAMPLE_LIMIT as u64);
            return Err(HeaderError::TooMany { offset, field: "subsamples", count, limit });
        }
        for subsample in subsamples {
            self.subsamples.push(subsample?);
        }
        if let Some(row) = self.rows.get_mut(index) {
            row.iv = iv;
            row.first_subsample = first as u32;
            row.subsample_count = (total - first) as u16;
        }
        Ok(())
    }
}

fn scheme(track: u32, protection: &Protection) -> Result<Scheme, HeaderError> {
    let scheme: FourCc = protection.scheme;
    Scheme::from_fourcc(scheme.as_u32()).ok_or(HeaderError::UnknownScheme { track, scheme })
}
