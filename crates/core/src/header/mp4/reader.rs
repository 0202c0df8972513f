//! The samples of one track of an MP4 file, with what is needed to decrypt each. Reads tables; media data stays on disk.

use super::super::boxes::Mp4Box;
use super::super::error::HeaderError;
use super::super::source::{self, Source};
use super::auxiliary::{self, Part};
use super::fragment::{FragmentDefaults, TrackFragment};
use super::groups::Groups;
use super::rows::Rows;
use super::{Movie, Track, progressive, sample_table, track_id};
use crate::decrypt::cenc::SampleInfo;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;
use wmlicense_wire::id::Kid;

/// The samples of one track, in the order of the file.
pub struct SampleReader {
    rows: Rows,
}

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
    /// The key it was encrypted with.
    pub kid: Kid,
    /// What the cipher needs.
    pub info: SampleInfo<'a>,
}

impl SampleReader {
    /// Reads the tables of a track of a file, fragmented or not.
    ///
    /// Fails if they do not describe exactly the samples that there are. Up to a million samples are read.
    pub fn open(path: &Path, track: u32) -> Result<Self, HeaderError> {
        Self::read(File::open(path)?, track)
    }

    /// Reads the tables of a track of a file in memory, as [`SampleReader::open`] does.
    pub fn parse(bytes: &[u8], track: u32) -> Result<Self, HeaderError> {
        Self::read(Cursor::new(bytes), track)
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.rows.rows.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.rows.rows.is_empty()
    }

    /// The samples in the order of the file.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = Sample<'_>> {
        self.rows.rows.iter().map(|row| {
            let protection = self.rows.parameters_of(row).map(|parameters| {
                let encryption = &parameters.encryption;
                let first = row.first_subsample as usize;
                let subsamples = self.rows.subsamples.get(first..first + usize::from(row.subsample_count));
                let iv = if encryption.iv_size == 0 { &encryption.constant_iv } else { &row.iv };
                let info = SampleInfo {
                    scheme: parameters.scheme,
                    iv: iv.as_slice(),
                    subsamples: subsamples.unwrap_or_default(),
                    crypt_byte_block: encryption.crypt_byte_block.into(),
                    skip_byte_block: encryption.skip_byte_block.into(),
                };
                SampleProtection { kid: encryption.kid, info }
            });
            Sample { offset: row.offset, size: row.size, protection }
        })
    }

    fn read<R: Read + Seek>(inner: R, track: u32) -> Result<Self, HeaderError> {
        let mut source = Source::new(inner)?;
        let mut builder = Builder { wanted: track, movie: None, rows: Rows::default() };
        source::scan(&mut source, |source, part| match &part.kind.0 {
            b"moov" => builder.add_movie(source, &part),
            b"moof" => builder.add_fragment(source, &part),
            _ => Ok(()),
        })?;
        match builder.movie {
            Some(_) => Ok(Self { rows: builder.rows }),
            None => Err(HeaderError::Missing { offset: 0, field: "moov" }),
        }
    }
}

/// What a movie says for all its fragments.
struct MovieContext {
    track: Track,
    groups: Groups,
    defaults: Vec<FragmentDefaults>,
}

struct Builder {
    wanted: u32,
    movie: Option<MovieContext>,
    rows: Rows,
}

impl Builder {
    /// Reads the tables of the movie. A second `moov` is ignored.
    fn add_movie<R: Read + Seek>(&mut self, source: &mut Source<R>, moov: &Mp4Box<'_>) -> Result<(), HeaderError> {
        if self.movie.is_some() {
            return Ok(());
        }
        let wanted = self.wanted;
        let no_track = || HeaderError::NoSuchTrack { track: wanted };
        let track = Movie::parse(moov)?.tracks.into_iter().find(|track| track.id == wanted).ok_or_else(no_track)?;
        let stbl = wanted_table(moov, wanted)?.ok_or_else(no_track)?;
        let groups = Groups::parse(&stbl)?;
        let chunks = progressive::read_samples(&stbl, wanted, &mut self.rows)?;
        if self.rows.assign(0, &track, &groups, &groups, moov.offset)? {
            let part = Part { parent: &stbl, track: wanted, offset: moov.offset, base: 0, start: 0, runs: &chunks };
            auxiliary::read(source, &part, &mut self.rows)?;
        }
        let defaults = FragmentDefaults::read_all(moov)?;
        self.movie = Some(MovieContext { track, groups, defaults });
        Ok(())
    }

    fn add_fragment<R: Read + Seek>(&mut self, source: &mut Source<R>, moof: &Mp4Box<'_>) -> Result<(), HeaderError> {
        let movie =
            self.movie.as_ref().ok_or(HeaderError::Missing { offset: moof.offset, field: "moov before moof" })?;
        let mut implied_base = moof.offset;
        for child in moof.children() {
            let child = child?;
            if child.kind != *b"traf" {
                continue;
            }
            let fragment = TrackFragment::parse(child, moof.offset, implied_base, &movie.defaults)?;
            if fragment.track != self.wanted {
                implied_base = fragment.for_each_run(|_| Ok(()))?;
                continue;
            }
            let start = self.rows.rows.len();
            let mut runs = Vec::new();
            implied_base = fragment.for_each_run(|run| {
                runs.push(run.count);
                let mut offset = run.offset;
                for size in run.sizes() {
                    let size = size?;
                    self.rows.push(offset, size, fragment.description)?;
                    offset = offset.saturating_add(size.into());
                }
                Ok(())
            })?;
            let groups = Groups::parse(fragment.traf())?;
            if self.rows.assign(start, &movie.track, &groups, &movie.groups, moof.offset)? {
                let (parent, track, offset, base) = (fragment.traf(), self.wanted, moof.offset, fragment.base);
                auxiliary::read(source, &Part { parent, track, offset, base, start, runs: &runs }, &mut self.rows)?;
            }
        }
        Ok(())
    }
}

/// The sample table of a track.
fn wanted_table<'a>(moov: &Mp4Box<'a>, track: u32) -> Result<Option<Mp4Box<'a>>, HeaderError> {
    for child in moov.children() {
        let child = child?;
        if child.kind == *b"trak" && track_id(&child)? == track {
            return sample_table(&child).map(Some);
        }
    }
    Ok(None)
}
