//! What content says about its protection: key IDs, schemes, protection systems. From a file, or from initialization
//! data in memory. Nothing is decrypted here; where each sample lies is in `samples`, each other format in its module.

use crate::asf::AsfHeader;
use crate::boxes::{FourCc, Mp4Box};
use crate::collect;
use crate::error::HeaderError;
use crate::mp4::{self, Movie, Track};
use crate::pssh::ProtectionSystem;
use crate::recognize::{Container, recognize};
use crate::source::Source;
use crate::system::SystemId;
use crate::wrmheader::WrmHeader;
use std::collections::BTreeSet;
use std::io::{Cursor, Read, Seek};
use std::sync::Arc;
use wmlicense_wire::id::{Digest, Kid};

/// `pssh` box of PIFF: the same body behind an extended type.
pub(crate) const PIFF_PSSH: [u8; 16] = 0xD08A_4F18_10F3_4A82_B6C8_32D8_ABA1_83D3_u128.to_be_bytes();

/// What a file, an initialization segment, initialization data or a manifest says about protection.
#[derive(Debug, Clone)]
pub struct ContentHeader {
    pub(crate) container: Container,
    pub(crate) is_protected: bool,
    pub(crate) kids: Vec<Kid>,
    pub(crate) known_kids: BTreeSet<Kid>,
    pub(crate) tracks: Vec<Track>,
    pub(crate) systems: Vec<ProtectionSystem>,
    pub(crate) known_systems: BTreeSet<Digest>,
    pub(crate) system_bytes: u64,
    pub(crate) system_ids: Vec<SystemId>,
    pub(crate) license_urls: Vec<LicenseUrl>,
    pub(crate) named_scheme: Option<FourCc>,
    pub(crate) content_id: Option<String>,
    pub(crate) wrm_headers: Vec<WrmHeader>,
    pub(crate) asf: Option<AsfHeader>,
    pub(crate) notes: Vec<Arc<HeaderError>>,
    pub(crate) has_movie: bool,
}

/// Where content says that its licenses are acquired. Untrusted: a file from anywhere may name any place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseUrl {
    /// The URL: printable ASCII that begins with `http://` or `https://`.
    pub url: String,
    /// The system whose licenses are there, if the place of the URL tells.
    pub system: Option<SystemId>,
}

impl ContentHeader {
    /// Reads a media file or segment (MP4, WebM, ASF), initialization data (`pssh` boxes, a PlayReady Object, a WRMHEADER,
    /// W3C `keyids` JSON, a bare key ID) or a text that names key IDs (an HLS playlist, a DASH or Smooth Streaming manifest,
    /// or such a text's key tags or protection elements alone).
    ///
    /// Media data may be cut short or left out; what speaks of protection must be whole.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        Self::read(Cursor::new(bytes))
    }

    /// Reads the header of an open file. Media data is skipped, so the time depends on the number of boxes, not on the size.
    pub fn read<R: Read + Seek>(inner: R) -> Result<Self, HeaderError> {
        let mut source = Source::new(inner)?;
        let mut header = Self::new(recognize(&mut source)?);
        header.fill(&mut source)?;
        // What cannot be read does no harm while something else names the key, or nothing is protected.
        let names_nothing = header.kids.is_empty() && (header.tracks.is_empty() || header.is_protected());
        let hides = |note: &HeaderError| !matches!(note, HeaderError::BadText { field: collect::LICENSE_URL, .. });
        let first = header.notes.iter().position(|note| names_nothing && hides(note));
        let first = first.map(|place| header.notes.swap_remove(place));
        match first.and_then(Arc::into_inner) {
            Some(error) => Err(error),
            None => Ok(header),
        }
    }

    /// The key IDs that the content names, without repetition, in the order found. All-zero key IDs are left out: files
    /// use them to say that the real one is elsewhere.
    pub fn kids(&self) -> &[Kid] {
        &self.kids
    }

    /// What kind of data this is.
    pub fn container(&self) -> Container {
        self.container
    }

    /// The tracks of an MP4 or WebM file; empty for other data.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// The `pssh` boxes, without repetition, in the order found.
    pub fn systems(&self) -> &[ProtectionSystem] {
        &self.systems
    }

    /// Whether a license is needed to play the content.
    ///
    /// A movie is protected if a track says so: boxes of protection systems alone are also found in clear files. A
    /// playlist is not if its keys are there for anybody to fetch.
    pub fn is_protected(&self) -> bool {
        if self.has_movie {
            self.tracks.iter().any(|track| track.protection().is_some())
        } else {
            self.is_protected || !self.kids.is_empty() || !self.systems.is_empty()
        }
    }

    /// The protection scheme: of the first protected track, or the first that something else names.
    pub fn scheme(&self) -> Option<FourCc> {
        let protections = self.tracks.iter().flat_map(Track::protections);
        let of_tracks = protections.map(|protection| protection.scheme).find(|scheme| *scheme != mp4::NO_CODE);
        of_tracks.or(self.named_scheme)
    }

    /// The systems that the content names, without repetition: by boxes, in manifests and playlists, in ASF objects.
    pub fn system_ids(&self) -> &[SystemId] {
        &self.system_ids
    }

    /// Where the content says that its licenses are acquired: for this project's system, or else what stands first.
    pub fn license_url(&self) -> Option<&str> {
        let own = self.license_urls.iter().find(|url| url.system == Some(SystemId::WMLICENSE));
        own.or(self.license_urls.first()).map(|url| url.url.as_str())
    }

    /// All license URLs, without repetition, in the order found.
    pub fn license_urls(&self) -> &[LicenseUrl] {
        &self.license_urls
    }

    /// The WRMHEADERs, without repetition, in the order found; the first 64 of them.
    pub fn wrm_headers(&self) -> &[WrmHeader] {
        &self.wrm_headers
    }

    /// What the Header Object of an ASF file says.
    pub fn asf(&self) -> Option<&AsfHeader> {
        self.asf.as_ref()
    }

    /// The owner's name of the content.
    pub fn content_id(&self) -> Option<&str> {
        let of_headers = self.wrm_headers.iter().find_map(|header| header.content_id.as_deref());
        of_headers.or(self.content_id.as_deref())
    }

    /// The individualization version that the content asks for: dotted numbers.
    pub fn security_version(&self) -> Option<&str> {
        self.wrm_headers.iter().find_map(|header| header.security_version.as_deref())
    }

    /// Custom elements of the content's owner, the first of each name.
    pub fn attributes(&self) -> Vec<(&str, &str)> {
        let mut names = BTreeSet::new();
        let all = self.wrm_headers.iter().flat_map(|header| &header.attributes);
        all.filter(|(name, _)| names.insert(name)).map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// What could not be read although the rest could: at most 64 errors. What such a part speaks of is protected.
    pub fn notes(&self) -> impl Iterator<Item = &HeaderError> {
        self.notes.iter().map(Arc::as_ref)
    }

    pub(crate) fn add_part(&mut self, part: Mp4Box<'_>) -> Result<(), HeaderError> {
        if part.kind == *b"pssh" {
            return self.add_system(&part, None);
        }
        if part.kind == *b"moov" {
            let movie = Movie::parse(&part)?;
            self.note_all(movie.notes)?;
            self.add_tracks(movie.tracks, part.offset)?;
        }
        let mut notes = Vec::new();
        mp4::group_kids(&part, &mut notes, |kid| self.add_kid(kid, part.offset))?;
        self.note_all(notes)?;
        for child in part.children() {
            let child = child?;
            if child.kind == *b"pssh" || child.extended == Some(PIFF_PSSH) {
                self.add_system(&child, None)?;
            }
        }
        Ok(())
    }

    /// Adds the tracks of a media file, and with them that there is one.
    pub(crate) fn add_tracks(&mut self, tracks: Vec<Track>, offset: u64) -> Result<(), HeaderError> {
        self.has_movie = true;
        for kid in tracks.iter().flat_map(Track::default_kids) {
            self.add_kid(kid, offset)?;
        }
        // Files joined of several repeat their movie, or have another one.
        for track in tracks {
            if self.tracks.contains(&track) {
                continue;
            }
            if self.tracks.len() == mp4::LIST_LIMIT {
                let (count, limit) = (self.tracks.len() as u64 + 1, mp4::LIST_LIMIT as u64);
                return Err(HeaderError::TooMany { offset, field: "tracks", count, limit });
            }
            self.tracks.push(track);
        }
        Ok(())
    }
}
