//! Finds the samples of one track of an MP4 file: in the tables of the movie, then in each fragment.

use super::auxiliary::{self, Part};
use super::fragment::{FragmentDefaults, TrackFragment};
use super::groups::{Descriptions, Groups};
use super::movie::{Movie, sample_table, track_id};
use super::{piff, progressive};
use crate::boxes::Mp4Box;
use crate::error::HeaderError;
use crate::source::{self, Source};
use crate::table::{Parameters, Rows};
use crate::track::Track;
use std::io::{Read, Seek};
use wmlicense_wire::id::Digest;

/// Runs of samples in one fragment. Bounds what their lengths take beside the tables.
const RUN_LIMIT: usize = 1 << 16;

/// Reads the tables of a track.
pub(crate) fn read_samples<R: Read + Seek>(source: &mut Source<R>, wanted: u32) -> Result<Rows, HeaderError> {
    let mut builder = Builder { wanted, movie: None, rows: Rows::default() };
    source::scan(source, |source, part| match &part.kind.0 {
        b"moov" => builder.add_movie(source, &part),
        b"moof" => builder.add_fragment(source, &part),
        _ => Ok(()),
    })?;
    match builder.movie {
        Some(_) => Ok(builder.rows),
        None => Err(HeaderError::Missing { offset: 0, field: "moov" }),
    }
}

/// What a movie says for all its fragments.
struct MovieContext {
    track: Track,
    groups: Descriptions,
    /// The bytes of the movie, to know another one by.
    digest: Digest,
    defaults: Vec<FragmentDefaults>,
}

struct Builder {
    wanted: u32,
    movie: Option<MovieContext>,
    rows: Rows,
}

impl Builder {
    /// Reads the tables of the movie. The same movie again changes nothing; another one would change what the fragments
    /// behind it mean.
    fn add_movie<R: Read + Seek>(&mut self, source: &mut Source<R>, moov: &Mp4Box<'_>) -> Result<(), HeaderError> {
        let digest = Digest::of(moov.body);
        if let Some(movie) = &self.movie {
            let (offset, field) = (moov.offset, "second moov");
            return if movie.digest == digest { Ok(()) } else { Err(HeaderError::NotSupported { offset, field }) };
        }
        let wanted = self.wanted;
        let no_track = || HeaderError::NoSuchTrack { track: wanted };
        let track = Movie::parse(moov)?.tracks.into_iter().find(|track| track.id == wanted).ok_or_else(no_track)?;
        let stbl = wanted_table(moov, wanted)?.ok_or_else(no_track)?;
        let groups = Groups::parse(&stbl)?;
        let chunks = progressive::read_samples(&stbl, wanted, &mut self.rows)?;
        if assign(&mut self.rows, 0, &track, &groups, &groups.descriptions, moov.offset)? {
            let part = Part { parent: &stbl, track: wanted, offset: moov.offset, base: 0, start: 0, runs: &chunks };
            auxiliary::read(source, &part, &mut self.rows)?;
        }
        let defaults = FragmentDefaults::read_all(moov)?;
        self.movie = Some(MovieContext { track, groups: groups.descriptions, digest, defaults });
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
            let start = self.rows.len();
            let runs = add_runs(&mut self.rows, &fragment, &mut implied_base)?;
            let groups = Groups::parse(fragment.traf())?;
            if assign(&mut self.rows, start, &movie.track, &groups, &movie.groups, moof.offset)? {
                let (parent, track, offset, base) = (fragment.traf(), self.wanted, moof.offset, fragment.base);
                auxiliary::read(source, &Part { parent, track, offset, base, start, runs: &runs }, &mut self.rows)?;
            }
        }
        Ok(())
    }
}

/// Adds the samples of a fragment. Returns the number of samples in each run; `end` becomes the end of the last one.
fn add_runs(rows: &mut Rows, fragment: &TrackFragment<'_>, end: &mut u64) -> Result<Vec<u32>, HeaderError> {
    let mut runs = Vec::new();
    *end = fragment.for_each_run(|run| {
        runs.push(run.count);
        let (mut offset, count) = (run.offset, runs.len());
        if count > RUN_LIMIT {
            let (count, limit) = (count as u64, RUN_LIMIT as u64);
            return Err(HeaderError::TooMany { offset: fragment.traf().offset, field: "trun", count, limit });
        }
        for size in run.sizes() {
            let size = size?;
            rows.push(offset, size, fragment.description)?;
            offset = offset.saturating_add(size.into());
        }
        Ok(())
    })?;
    Ok(runs)
}

/// Gives the samples from `start` on their parameters. Returns whether any of them is protected.
fn assign(
    rows: &mut Rows,
    start: usize,
    track: &Track,
    groups: &Groups<'_>,
    movie: &Descriptions,
    offset: u64,
) -> Result<bool, HeaderError> {
    let mut any = false;
    for (index, group) in (start..rows.len()).zip(groups.parameters(movie)) {
        let group = group?;
        let number = rows.entry_of(index);
        let entry = (number as usize).checked_sub(1).and_then(|index| track.entries.get(index));
        let bad = HeaderError::BadValue { offset, field: "sample_description_index", value: number.into() };
        let mut shared = None;
        if let Some(protection) = &entry.ok_or(bad)?.protection {
            let (track, scheme) = (track.id, protection.scheme);
            // What clear means under a scheme that is not known is not known either.
            let unknown = HeaderError::UnknownScheme { track, scheme };
            if protection.cipher.is_none() && scheme != piff::SCHEME {
                return Err(unknown);
            }
            let encryption = group.or(protection.defaults.as_ref());
            let encryption = *encryption.ok_or(HeaderError::Missing { offset, field: "tenc" })?;
            if encryption.is_protected {
                shared = Some(Parameters { scheme: protection.cipher.ok_or(unknown)?, encryption });
                any = true;
            }
        }
        rows.assign(index, shared, offset)?;
    }
    Ok(any)
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
