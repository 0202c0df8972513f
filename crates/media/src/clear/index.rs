//! Which samples of a track lie in a range of its file.

use super::SAMPLE_SIZE_LIMIT;
use crate::error::HeaderError;
use crate::table::{Bookmark, Rows, Sample};
use wmlicense_wire::memory;

/// Samples between two places that are noted: so many are stepped over at most.
const STEP: usize = 128;

/// The samples of one track, which lie one behind the other.
pub(super) struct TrackIndex {
    rows: Rows,
    /// Where each step begins: the offset of its first sample.
    steps: Vec<(u64, Bookmark)>,
}

impl TrackIndex {
    pub(super) fn new(rows: Rows) -> Result<Self, HeaderError> {
        let marks = rows.bookmarks(STEP)?;
        let mut steps = memory::with_capacity(marks.len())?;
        let mut marks = marks.into_iter().peekable();
        for (index, sample) in rows.samples().enumerate() {
            if sample.protection.is_some() && sample.size > SAMPLE_SIZE_LIMIT {
                let (size, limit) = (sample.size.into(), SAMPLE_SIZE_LIMIT.into());
                return Err(HeaderError::TooLarge { offset: sample.offset, field: "sample", size, limit });
            }
            if let Some(mark) = marks.next_if(|mark| mark.index == index) {
                steps.push((sample.offset, mark));
            }
        }
        Ok(Self { rows, steps })
    }

    /// The samples of which a byte lies between two places of the file.
    pub(super) fn overlapping(&self, from: u64, to: u64) -> impl Iterator<Item = Sample<'_>> {
        // A sample that begins before may reach into the range.
        let first = self.steps.partition_point(|(offset, _)| *offset <= from).saturating_sub(1);
        let samples = self.steps.get(first).into_iter().flat_map(|(_, mark)| self.rows.samples_from(mark));
        let samples = samples.skip_while(move |sample| end_of(sample) <= from);
        samples.take_while(move |sample| sample.offset < to).filter(|sample| sample.size > 0)
    }
}

fn end_of(sample: &Sample<'_>) -> u64 {
    sample.offset.saturating_add(sample.size.into())
}

/// Fails unless the samples of each track follow each other in the file, and protected ones share no byte with another one's:
/// those would be decrypted twice.
pub(super) fn check_order(tracks: &[TrackIndex]) -> Result<(), HeaderError> {
    let mut heads = Vec::new();
    for track in tracks {
        let mut before = 0;
        for sample in track.rows.samples() {
            if sample.offset < before {
                let field = "samples that do not follow each other in the file";
                return Err(HeaderError::NotSupported { offset: sample.offset, field });
            }
            before = end_of(&sample);
        }
        heads.push(track.rows.samples().filter(|sample| sample.protection.is_some()).peekable());
    }
    let mut before = 0;
    loop {
        let next =
            heads.iter_mut().filter_map(|head| Some((head.peek()?.offset, head))).min_by_key(|(offset, _)| *offset);
        let Some((offset, head)) = next else { return Ok(()) };
        if offset < before {
            return Err(HeaderError::NotSupported { offset, field: "protected samples that share bytes" });
        }
        before = head.next().map_or(before, |sample| end_of(&sample));
    }
}
