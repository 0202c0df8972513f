//! Reads what content says: tells the format, and hands the bytes to its reader. From an open file, or from initialization
//! data in memory; nothing is decrypted here.

use crate::collect::LICENSE_URL;
use crate::error::HeaderError;
use crate::header::ContentHeader;
use crate::recognize::{Container, recognize};
use crate::source::{self, Source};
use crate::system::SystemId;
use crate::text::{utf8, xml_text};
use crate::{asf, keyids, manifest, playlist, playready, webm};
use std::io::{Cursor, Read, Seek};
use std::sync::Arc;
use wmlicense_wire::id::Kid;

/// Largest text that is read: the playlist or manifest of days of live content.
const TEXT_LIMIT: u64 = 8 << 20;
/// Largest PlayReady Object; 15 KiB is what its specification recommends.
const OBJECT_LIMIT: u64 = 1 << 20;

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
        let hides = |note: &HeaderError| !matches!(note, HeaderError::BadText { field: LICENSE_URL, .. });
        let first = header.notes.iter().position(|note| names_nothing && hides(note));
        let first = first.map(|place| header.notes.swap_remove(place));
        match first.and_then(Arc::into_inner) {
            Some(error) => Err(error),
            None => Ok(header),
        }
    }

    /// Reads what the source says.
    fn fill<R: Read + Seek>(&mut self, source: &mut Source<R>) -> Result<(), HeaderError> {
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

/// The whole source, if it may be held in memory.
fn whole<R: Read + Seek>(source: &mut Source<R>, field: &'static str, limit: u64) -> Result<Vec<u8>, HeaderError> {
    let size = source.length();
    if size > limit {
        return Err(HeaderError::TooLarge { offset: 0, field, size, limit });
    }
    source.read_all(field)
}
