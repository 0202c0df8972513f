//! A protected MP4 as if it had never been: the same bytes at the same places, but samples are clear and nothing speaks of
//! protection. Any range of it can be read by itself, so nothing is written or held but one sample. Keys are the caller's matter.

mod index;

use crate::cenc::SampleInfo;
use crate::error::HeaderError;
use crate::header::ContentHeader;
use crate::mp4::{self, Patch};
use crate::recognize::Container;
use crate::source::Source;
use crate::table::{Sample, SampleProtection};
use crate::track::Track;
use index::TrackIndex;
use std::io::{Read, Seek, SeekFrom};
use wmlicense_wire::id::Kid;
use wmlicense_wire::memory;

/// Protected tracks of one file. Each takes up to 64 MB where it has a million samples.
const TRACK_LIMIT: usize = 8;
/// Bytes of a sample, which is held in memory where a range ends in it. Four times the largest picture of a 8K film.
pub(crate) const SAMPLE_SIZE_LIMIT: u32 = 32 << 20;
/// A key ID that says that the real one is named elsewhere.
const ELSEWHERE: Kid = Kid::new([0; 16]);

/// What a clear view of a file shows otherwise than the file.
pub struct ClearView {
    length: u64,
    patches: Vec<Patch>,
    tracks: Vec<TrackIndex>,
    kids: Vec<Kid>,
    /// The key ID that an all-zero one stands for.
    only: Option<Kid>,
}

/// Why bytes of a clear view could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ClearError<E> {
    /// Reading the file failed, or it is shorter than it was.
    #[error("the media file could not be read")]
    Io(#[from] std::io::Error),
    /// The range, or a sample in it, reaches beyond the end of the file.
    #[error("the file ends before byte {end}")]
    Truncated {
        /// Where it would end.
        end: u64,
    },
    /// A sample could not be decrypted.
    #[error("the sample at byte {offset} could not be decrypted")]
    Decrypt {
        /// Where the sample begins.
        offset: u64,
        /// What was in the way.
        #[source]
        cause: E,
    },
}

impl ClearView {
    /// Reads the tables of an open MP4, fragmented or not, whose protected samples can all be described; of a clear file too.
    ///
    /// Fails as [`crate::SampleReader::read`] does, with [`HeaderError::NotSupported`] for other formats, for tracks that share an ID
    /// and for samples that do not follow each other in the file, with [`HeaderError::TooLarge`] for a sample of more than 32 MiB,
    /// and with [`HeaderError::Missing`] where a key is named elsewhere and the file does not have exactly one.
    pub fn read<R: Read + Seek>(mut inner: R) -> Result<Self, HeaderError> {
        let header = ContentHeader::read(&mut inner)?;
        if header.container() != Container::Mp4 || header.tracks().is_empty() {
            return Err(HeaderError::NotSupported { offset: 0, field: "a file that is no MP4 with a moov" });
        }
        let mut ids: Vec<u32> = header.tracks().iter().map(|track| track.id).collect();
        ids.sort_unstable();
        if !ids.is_sorted_by(|one, next| one < next) {
            // Samples are found by the ID: those of the second one would stay as they are.
            return Err(HeaderError::NotSupported { offset: 0, field: "two tracks of one ID" });
        }
        let mut source = Source::new(&mut inner)?;
        let (length, patches) = (source.length(), mp4::patches(&mut source)?);
        let only = if let [kid] = header.kids() { Some(*kid) } else { None };
        let mut view = Self { length, patches, tracks: Vec::new(), kids: Vec::new(), only };
        for track in header.tracks().iter().filter(|track| track.protection().is_some()) {
            view.add_track(&mut source, track)?;
        }
        index::check_order(&view.tracks)?;
        Ok(view)
    }

    /// Bytes of the file and of the view.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The key IDs of all samples, each once. None for a clear file.
    pub fn kids(&self) -> &[Kid] {
        &self.kids
    }

    fn add_track<R: Read + Seek>(&mut self, source: &mut Source<R>, track: &Track) -> Result<(), HeaderError> {
        let (count, limit) = (self.tracks.len() as u64 + 1, TRACK_LIMIT as u64);
        if count > limit {
            return Err(HeaderError::TooMany { offset: 0, field: "protected tracks", count, limit });
        }
        let rows = mp4::read_samples(source, track.id)?;
        for kid in rows.kids() {
            let kid = self.named(kid).ok_or(HeaderError::Missing { offset: 0, field: "the key ID of a track" })?;
            if !self.kids.contains(&kid) {
                self.kids.push(kid);
            }
        }
        self.tracks.push(TrackIndex::new(rows)?);
        Ok(())
    }

    fn named(&self, kid: Kid) -> Option<Kid> {
        if kid == ELSEWHERE { self.only } else { Some(kid) }
    }
}

/// Reads ranges of a clear view. Each reader has a file of its own, so that several read at once.
pub struct ClearReader<'v, R> {
    view: &'v ClearView,
    inner: R,
    /// The sample in which the last range ended, decrypted.
    kept: Option<Kept>,
}

struct Kept {
    offset: u64,
    bytes: Vec<u8>,
}

impl<'v, R: Read + Seek> ClearReader<'v, R> {
    /// `inner` is the file that the view was read from.
    pub fn new(view: &'v ClearView, inner: R) -> Self {
        Self { view, inner, kept: None }
    }

    /// Fills `buffer` with the bytes from `offset` on. `decrypt` gets each protected sample in the range once, whole, with its
    /// key ID. On an error the buffer holds zeros.
    pub fn read_at<E>(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
        mut decrypt: impl FnMut(Kid, &SampleInfo<'_>, &mut [u8]) -> Result<(), E>,
    ) -> Result<(), ClearError<E>> {
        let result = self.fill(offset, buffer, &mut decrypt);
        if result.is_err() {
            buffer.fill(0);
        }
        result
    }

    fn fill<E>(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
        decrypt: &mut impl FnMut(Kid, &SampleInfo<'_>, &mut [u8]) -> Result<(), E>,
    ) -> Result<(), ClearError<E>> {
        let view = self.view;
        let end = offset.saturating_add(buffer.len() as u64);
        if end > view.length {
            return Err(ClearError::Truncated { end });
        }
        self.inner.seek(SeekFrom::Start(offset))?;
        self.inner.read_exact(buffer)?;
        for sample in view.tracks.iter().flat_map(|track| track.overlapping(offset, end)) {
            let Some(protection) = sample.protection else { continue };
            self.fill_sample(offset, buffer, &sample, &protection, decrypt)?;
        }
        let first = view.patches.partition_point(|patch| patch.offset + 4 <= offset);
        for patch in view.patches.iter().skip(first).take_while(|patch| patch.offset < end) {
            overlay(offset, buffer, patch.offset, &patch.code);
        }
        Ok(())
    }

    fn fill_sample<E>(
        &mut self,
        offset: u64,
        buffer: &mut [u8],
        sample: &Sample<'_>,
        protection: &SampleProtection<'_>,
        decrypt: &mut impl FnMut(Kid, &SampleInfo<'_>, &mut [u8]) -> Result<(), E>,
    ) -> Result<(), ClearError<E>> {
        let (begin, size) = (sample.offset, sample.size as usize);
        let end = begin.saturating_add(size as u64);
        if end > self.view.length {
            return Err(ClearError::Truncated { end });
        }
        // The view has checked that it is named.
        let kid = self.view.named(protection.kid).unwrap_or(ELSEWHERE);
        let failed = |cause| ClearError::Decrypt { offset: begin, cause };
        let inside = begin.checked_sub(offset).and_then(|at| usize::try_from(at).ok());
        let whole = inside.and_then(|at| buffer.get_mut(at..at.checked_add(size)?));
        if let Some(whole) = whole {
            return decrypt(kid, &protection.info, whole).map_err(failed);
        }
        if self.kept.as_ref().is_none_or(|kept| kept.offset != begin) {
            self.kept = None;
            let mut bytes = memory::zeroed(size)?;
            self.inner.seek(SeekFrom::Start(begin))?;
            self.inner.read_exact(&mut bytes)?;
            decrypt(kid, &protection.info, &mut bytes).map_err(failed)?;
            self.kept = Some(Kept { offset: begin, bytes });
        }
        if let Some(kept) = &self.kept {
            overlay(offset, buffer, begin, &kept.bytes);
        }
        Ok(())
    }
}

/// Puts what of `bytes`, which lie at `at` of the file, is in the range that begins at `offset`.
fn overlay(offset: u64, buffer: &mut [u8], at: u64, bytes: &[u8]) {
    let skip = offset.saturating_sub(at).try_into().unwrap_or(usize::MAX);
    let into = at.saturating_sub(offset).try_into().unwrap_or(usize::MAX);
    let from = bytes.get(skip..).unwrap_or_default();
    for (byte, shown) in buffer.get_mut(into..).unwrap_or_default().iter_mut().zip(from) {
        *byte = *shown;
    }
}
