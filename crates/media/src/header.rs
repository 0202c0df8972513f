//! What content says about its protection: key IDs, schemes, protection systems, tracks, whatever format it stood in.
//! How that is read and gathered is in `read` and `collect`.

use crate::asf::AsfHeader;
use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::pssh::ProtectionSystem;
use crate::recognize::Container;
use crate::system::SystemId;
use crate::track::Track;
use crate::wrmheader::WrmHeader;
use std::collections::BTreeSet;
use std::sync::Arc;
use wmlicense_wire::id::{Digest, Kid};

/// What a file, an initialization segment, initialization data or a manifest says about protection.
#[derive(Debug, Clone)]
pub struct ContentHeader {
    pub(crate) container: Container,
    pub(crate) is_protected: bool,
    pub(crate) kids: Vec<Kid>,
    pub(crate) known_kids: BTreeSet<Kid>,
    pub(crate) sample_kids: BTreeSet<Kid>,
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
    /// A header that says nothing yet.
    pub(crate) fn new(container: Container) -> Self {
        Self {
            container,
            is_protected: false,
            kids: Vec::new(),
            known_kids: BTreeSet::new(),
            sample_kids: BTreeSet::new(),
            tracks: Vec::new(),
            systems: Vec::new(),
            known_systems: BTreeSet::new(),
            system_bytes: 0,
            system_ids: Vec::new(),
            license_urls: Vec::new(),
            named_scheme: None,
            content_id: None,
            wrm_headers: Vec::new(),
            asf: None,
            notes: Vec::new(),
            has_movie: false,
        }
    }

    /// The key IDs that the content names, without repetition, in the order found. All-zero key IDs are left out: files
    /// use them to say that the real one is elsewhere.
    pub fn kids(&self) -> &[Kid] {
        &self.kids
    }

    /// Those of [`ContentHeader::kids`] that samples are encrypted with, as their tracks and sample groups say. What only boxes
    /// of protection systems name beside them is not among these: anybody can append such a box. Where no samples are described,
    /// as in initialization data or a manifest, all that is named.
    pub fn sample_kids(&self) -> Vec<Kid> {
        let describes_samples = self.has_movie || !self.sample_kids.is_empty();
        self.kids.iter().copied().filter(|kid| !describes_samples || self.sample_kids.contains(kid)).collect()
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
        let of_tracks = protections.map(|protection| protection.scheme).find(|scheme| *scheme != FourCc::NONE);
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
}
