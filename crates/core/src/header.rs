//! What content says about its protection: key IDs, schemes, protection systems. From a file, or from initialization
//! data in memory. Nothing is decrypted here; where each sample lies is in `header::mp4`.

#![deny(clippy::indexing_slicing)]

mod boxes;
mod error;
mod keyids;
pub mod mp4;
pub mod pssh;
mod source;
#[cfg(test)]
mod tests;

pub use boxes::FourCc;
pub use error::HeaderError;

use boxes::Mp4Box;
use mp4::{Movie, Track};
use pssh::ProtectionSystem;
use source::Source;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;
use wmlicense_wire::id::{Digest, Kid};

/// Different key IDs that one header may name: live content that changes its key every few seconds for days.
const KID_LIMIT: usize = 65_536;
/// Different `pssh` boxes that one header may hold, and the bytes in all of them.
const SYSTEM_LIMIT: usize = 65_536;
const SYSTEM_BYTES_LIMIT: u64 = 16 << 20;
/// `pssh` box of PIFF: the same body behind an extended type.
const PIFF_PSSH: [u8; 16] = 0xD08A_4F18_10F3_4A82_B6C8_32D8_ABA1_83D3_u128.to_be_bytes();

/// What a file, an initialization segment or initialization data says about protection.
#[derive(Debug, Clone, Default)]
pub struct ContentHeader {
    kids: Vec<Kid>,
    known_kids: BTreeSet<Kid>,
    tracks: Vec<Track>,
    systems: Vec<ProtectionSystem>,
    known_systems: BTreeSet<Digest>,
    system_bytes: u64,
    license_url: Option<String>,
    has_movie: bool,
}

impl ContentHeader {
    /// Reads an MP4 file or segment, one or more whole `pssh` boxes, or W3C `keyids` JSON.
    ///
    /// Media data may be cut short or left out; `moov`, `moof` and `pssh` boxes must be whole.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        Self::read(Cursor::new(bytes))
    }

    /// Reads the header of a file. Media data is skipped, so the time depends on the number of boxes, not on the size.
    pub fn read_file(path: &Path) -> Result<Self, HeaderError> {
        Self::read(File::open(path)?)
    }

    fn read<R: Read + Seek>(inner: R) -> Result<Self, HeaderError> {
        let mut source = Source::new(inner)?;
        let mut header = Self::default();
        if let Some(text) = keyids_text(&mut source)? {
            for kid in keyids::parse(&text)? {
                header.add_kid(kid, 0)?;
            }
            return Ok(header);
        }
        source::scan(&mut source, |_, part| header.add_part(part))?;
        Ok(header)
    }

    /// The key IDs that the content names, without repetition, in the order found. All-zero key IDs are left out: files
    /// use them to say that the real one is elsewhere.
    pub fn kids(&self) -> &[Kid] {
        &self.kids
    }

    /// The tracks of an MP4 file; empty for other data.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The `pssh` boxes, without repetition, in the order found.
    pub fn systems(&self) -> &[ProtectionSystem] {
        &self.systems
    }

    /// Whether a license is needed to play the content.
    ///
    /// A movie is protected if a track says so: boxes of protection systems alone are also found in clear files.
    pub fn is_protected(&self) -> bool {
        if self.has_movie {
            self.tracks.iter().any(|track| track.protection().is_some())
        } else {
            !self.kids.is_empty() || !self.systems.is_empty()
        }
    }

    /// The protection scheme of the first protected track.
    pub fn scheme(&self) -> Option<FourCc> {
        self.tracks.iter().find_map(Track::protection).map(|protection| protection.scheme)
    }

    /// Where the content says that its licenses are acquired. Untrusted: a file from anywhere may name any place.
    pub fn license_url(&self) -> Option<&str> {
        self.license_url.as_deref()
    }

    fn add_part(&mut self, part: Mp4Box<'_>) -> Result<(), HeaderError> {
        if part.kind == *b"pssh" {
            return self.add_system(&part);
        }
        if part.kind == *b"moov" && !self.has_movie {
            self.has_movie = true;
            let movie = Movie::parse(&part)?;
            for track in movie.tracks {
                for kid in track.default_kids() {
                    self.add_kid(kid, part.offset)?;
                }
                self.tracks.push(track);
            }
        }
        mp4::group_kids(&part, |kid| self.add_kid(kid, part.offset))?;
        for child in part.children() {
            let child = child?;
            if child.kind == *b"pssh" || child.extended == Some(PIFF_PSSH) {
                self.add_system(&child)?;
            }
        }
        Ok(())
    }

    fn add_system(&mut self, pssh: &Mp4Box<'_>) -> Result<(), HeaderError> {
        // Fragments repeat their boxes; one digest each keeps the comparison linear in the file.
        if !self.known_systems.insert(Digest::of(pssh.body)) {
            return Ok(());
        }
        let (offset, field) = (pssh.offset, "pssh");
        self.system_bytes = self.system_bytes.saturating_add(pssh.body.len() as u64);
        if self.system_bytes > SYSTEM_BYTES_LIMIT {
            return Err(HeaderError::TooLarge { offset, field, size: self.system_bytes, limit: SYSTEM_BYTES_LIMIT });
        }
        let count = self.known_systems.len();
        if count > SYSTEM_LIMIT {
            return Err(HeaderError::TooMany { offset, field, count: count as u64, limit: SYSTEM_LIMIT as u64 });
        }
        let system = ProtectionSystem::parse(pssh)?;
        if self.license_url.is_none() {
            self.license_url = system.license_url(offset)?.map(str::to_owned);
        }
        for kid in &system.kids {
            self.add_kid(*kid, offset)?;
        }
        self.systems.push(system);
        Ok(())
    }

    fn add_kid(&mut self, kid: Kid, offset: u64) -> Result<(), HeaderError> {
        if kid == Kid::new([0; 16]) || !self.known_kids.insert(kid) {
            return Ok(());
        }
        let count = self.known_kids.len();
        if count > KID_LIMIT {
            return Err(HeaderError::TooMany { offset, field: "KID", count: count as u64, limit: KID_LIMIT as u64 });
        }
        self.kids.push(kid);
        Ok(())
    }
}

/// Whether a license is needed to play the file. Reads no more than its header.
pub fn is_content_protected(path: &Path) -> Result<bool, HeaderError> {
    Ok(ContentHeader::read_file(path)?.is_protected())
}

/// The whole source if it is JSON. No box can begin so: it would be larger than two gigabytes.
fn keyids_text<R: Read + Seek>(source: &mut Source<R>) -> Result<Option<Vec<u8>>, HeaderError> {
    let head = source.head(16)?;
    if head.trim_ascii_start().first() != Some(&b'{') {
        return Ok(None);
    }
    source.read_all("keyids").map(Some)
}
