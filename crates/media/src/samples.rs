//! The samples of one track of a media file, with what is needed to decrypt each. Reads tables and the heads of blocks;
//! media data stays on disk. How each container stores them is in `mp4` and `webm`.

use crate::error::HeaderError;
use crate::source::Source;
use crate::table::{Rows, Sample};
use crate::{mp4, webm};
use std::io::{Cursor, Read, Seek};

/// The samples of one track, in the order of the file.
pub struct SampleReader {
    rows: Rows,
}

impl SampleReader {
    /// Reads the tables of a track of an open MP4 or WebM file, fragmented or not.
    ///
    /// Fails if they do not describe exactly the samples that there are. Up to a million samples are read, in less than
    /// 64 MB of memory whatever the file claims.
    pub fn read<R: Read + Seek>(inner: R, track: u32) -> Result<Self, HeaderError> {
        let mut source = Source::new(inner)?;
        let is_webm = webm::begins_webm(&source.head(4)?);
        let rows = if is_webm { webm::read_samples(&mut source, track) } else { mp4::read_samples(&mut source, track) };
        Ok(Self { rows: rows? })
    }

    /// Reads the tables of a track of a file in memory, as [`SampleReader::read`] does.
    pub fn parse(bytes: &[u8], track: u32) -> Result<Self, HeaderError> {
        Self::read(Cursor::new(bytes), track)
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples in the order of the file.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = Sample<'_>> {
        self.rows.samples()
    }
}
