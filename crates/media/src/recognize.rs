//! Tells the formats of content headers apart by their first bytes, and hands each to its reader.

use crate::error::HeaderError;
use crate::header::ContentHeader;
use crate::source::{self, Source};
use crate::system::SystemId;
use crate::text::{begins_wide_xml, utf8, xml_text};
use crate::{asf, keyids, manifest, playlist, playready, webm};
use std::collections::BTreeSet;
use std::io::{Read, Seek};
use wmlicense_wire::id::Kid;

/// Largest text that is read: the playlist or manifest of days of live content.
const TEXT_LIMIT: u64 = 8 << 20;
/// Largest PlayReady Object; 15 KiB is what its specification recommends.
const OBJECT_LIMIT: u64 = 1 << 20;

/// The kind of data that a content header was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// An MP4 file or segment, or `pssh` boxes alone.
    Mp4,
    /// A WebM or Matroska file.
    WebM,
    /// An ASF file (`.wma`, `.wmv`, `.pya`, `.pyv`), or its objects about protection.
    Asf,
    /// A PlayReady Object outside a box.
    PlayReadyObject,
    /// A WRMHEADER outside a PlayReady Object.
    WrmHeader,
    /// W3C initialization data of type `keyids`.
    KeyIds,
    /// One bare key ID: W3C initialization data of type `webm`.
    KeyId,
    /// An HLS playlist or its key tags.
    Hls,
    /// An MPEG-DASH manifest or its protection elements.
    Dash,
    /// A Smooth Streaming manifest or its protection element.
    SmoothStreaming,
}

impl Container {
    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "MP4",
            Self::WebM => "WebM",
            Self::Asf => "ASF",
            Self::PlayReadyObject => "PlayReady Object",
            Self::WrmHeader => "WRMHEADER",
            Self::KeyIds => "W3C keyids",
            Self::KeyId => "key ID",
            Self::Hls => "HLS playlist",
            Self::Dash => "DASH manifest",
            Self::SmoothStreaming => "Smooth Streaming manifest",
        }
    }
}

/// Says which format begins here.
pub(crate) fn recognize<R: Read + Seek>(source: &mut Source<R>) -> Result<Container, HeaderError> {
    let head = source.head(64)?;
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head).trim_ascii_start();
    // A box that begins as text does would be larger than a gigabyte of something unknown.
    Ok(match head.as_slice() {
        _ if asf::looks_like_asf(&head) => Container::Asf,
        _ if webm::begins_webm(&head) => Container::WebM,
        _ if begins_wide_xml(&head) => Container::WrmHeader,
        _ if text.starts_with(b"{") => Container::KeyIds,
        _ if text.starts_with(b"#EXT") => Container::Hls,
        _ if text.starts_with(b"<") => Container::Dash,
        // A key ID that looks like an object of its own length would be one of 2^60.
        [16, 0, 0, 0, ..] if head.len() == 16 && playready::looks_like_object(&head) => Container::PlayReadyObject,
        [..] if head.len() == 16 && !is_box(&head) => Container::KeyId,
        _ if playready::looks_like_object(&head) => Container::PlayReadyObject,
        _ => Container::Mp4,
    })
}

impl ContentHeader {
    /// A header that says nothing yet.
    pub(crate) fn new(container: Container) -> Self {
        Self {
            container,
            is_protected: false,
            kids: Vec::new(),
            known_kids: BTreeSet::new(),
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

    /// Reads what the source says.
    pub(crate) fn fill<R: Read + Seek>(&mut self, source: &mut Source<R>) -> Result<(), HeaderError> {
        match self.container {
            Container::Mp4 => source::scan(source, |_, part| self.add_part(part)),
            Container::WebM => {
                let (tracks, notes) = webm::read_tracks(source)?;
                self.note_all(notes)?;
                self.add_tracks(tracks, 0)
            }
            Container::Asf => self.fill_asf(source),
            Container::PlayReadyObject => {
                let bytes = whole(source, "PlayReady Object", OBJECT_LIMIT)?;
                self.is_protected = true;
                self.add_system_id(SystemId::PLAYREADY, 0)?;
                let mut notes = Vec::new();
                let wrm = playready::parse(&bytes, 0, &mut notes)?;
                self.note_all(notes)?;
                wrm.map_or(Ok(()), |wrm| self.add_wrm(wrm, 0))
            }
            Container::KeyIds => {
                let bytes = whole(source, "keyids", TEXT_LIMIT)?;
                self.is_protected = true;
                keyids::parse(&bytes)?.into_iter().try_for_each(|kid| match kid {
                    Some(kid) => self.add_kid(kid, 0),
                    None => self.note(HeaderError::BadText { offset: 0, field: "keyids" }),
                })
            }
            Container::KeyId => {
                let bytes = source.head(16)?;
                let kid = Kid::from_slice(&bytes).map_err(|_| HeaderError::NotRecognised)?;
                self.is_protected = true;
                self.add_kid(kid, 0)
            }
            Container::Hls => {
                let bytes = whole(source, "playlist", TEXT_LIMIT)?;
                let (text, place) = utf8(&bytes, 0, "playlist")?;
                playlist::read(text, place, self)
            }
            Container::Dash | Container::SmoothStreaming | Container::WrmHeader => {
                let bytes = whole(source, "XML document", TEXT_LIMIT)?;
                let (text, place) = xml_text(&bytes, "XML document")?;
                manifest::read(&text, place, self)
            }
        }
    }

    fn fill_asf<R: Read + Seek>(&mut self, source: &mut Source<R>) -> Result<(), HeaderError> {
        let mut notes = Vec::new();
        let mut header = asf::read(source, &mut notes)?;
        self.note_all(notes)?;
        self.is_protected = header.is_protected();
        for record in &header.advanced {
            self.add_system_id(record.system, 0)?;
        }
        for wrm in std::mem::take(&mut header.wrm_headers) {
            if wrm.is_playready() {
                self.add_system_id(SystemId::PLAYREADY, 0)?;
            }
            self.add_wrm(wrm, 0)?;
        }
        if let Some(object) = &header.content_encryption {
            object.kid().map_or(Ok(()), |kid| self.add_kid(kid, 0))?;
            if !object.license_url.is_empty() {
                self.add_url(&object.license_url, None, 0)?;
            }
        }
        self.asf = Some(header);
        Ok(())
    }
}

/// Whether bytes have a box type where a box has it. A key ID is random and has letters there once in thousands of millions.
fn is_box(head: &[u8]) -> bool {
    head.get(4..8).is_some_and(|kind| kind.iter().all(|byte| byte.is_ascii_lowercase()))
}

/// The whole source, if it may be held in memory.
fn whole<R: Read + Seek>(source: &mut Source<R>, field: &'static str, limit: u64) -> Result<Vec<u8>, HeaderError> {
    let size = source.length();
    if size > limit {
        return Err(HeaderError::TooLarge { offset: 0, field, size, limit });
    }
    source.read_all(field)
}
