//! Where everything that a header names is gathered: without repetition, within limits, whatever format it stood in.
//! What a foreign system's data says wrongly is noted and does not spoil the rest.

use crate::boxes::{Children, Fields, Mp4Box};
use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::header::{ContentHeader, LicenseUrl};
use crate::mp4;
use crate::playready;
use crate::pssh::ProtectionSystem;
use crate::system::SystemId;
use crate::text::is_license_url;
use crate::track::{LIST_LIMIT, Track};
use crate::widevine;
use crate::wrmheader::WrmHeader;
use std::sync::Arc;
use wmlicense_wire::id::{Digest, Kid};

/// Different key IDs that one header may name: live content that changes its key every few seconds for days.
const KID_LIMIT: usize = 65_536;
/// Different `pssh` boxes that one header may hold, and the bytes in all of them.
const SYSTEM_LIMIT: usize = 65_536;
const SYSTEM_BYTES_LIMIT: u64 = 16 << 20;
/// Different WRMHEADERs, license URLs, and notes that are kept; what others of them name is taken all the same.
const KEPT: usize = 64;
/// What a note about a license URL names. Such a note hides no key ID.
pub(crate) const LICENSE_URL: &str = "license URL";
/// Systems that are told apart.
const SYSTEM_ID_LIMIT: usize = 256;

impl ContentHeader {
    pub(crate) fn add_kid(&mut self, kid: Kid, offset: u64) -> Result<(), HeaderError> {
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

    /// Adds a key ID that a track or a sample group names.
    fn add_sample_kid(&mut self, kid: Kid, offset: u64) -> Result<(), HeaderError> {
        self.add_kid(kid, offset)?;
        self.sample_kids.insert(kid);
        Ok(())
    }

    /// Adds a `pssh` box of a file, or of what a text carries in a field at this place.
    pub(crate) fn add_system(
        &mut self,
        pssh: &Mp4Box<'_>,
        carrier: Option<(u64, &'static str)>,
    ) -> Result<(), HeaderError> {
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
        let system = match ProtectionSystem::parse(pssh) {
            Ok(system) => system,
            Err(cause) => {
                return self.note(match carrier {
                    Some((offset, field)) => HeaderError::Inside { offset, field, cause: Box::new(cause) },
                    None => cause,
                });
            }
        };
        self.add_system_id(system.system, offset)?;
        for kid in &system.kids {
            self.add_kid(*kid, offset)?;
        }
        self.interpret(&system, pssh.offset)?;
        self.systems.push(system);
        Ok(())
    }

    /// Takes what a system's own data says. That of foreign systems may be anything: what cannot be read is noted.
    pub(crate) fn interpret(&mut self, system: &ProtectionSystem, offset: u64) -> Result<(), HeaderError> {
        let inside = |field, cause| HeaderError::Inside { offset, field, cause: Box::new(cause) };
        match system.system {
            SystemId::WMLICENSE => match system.license_url(offset) {
                Ok(Some(url)) => self.add_url(url, Some(SystemId::WMLICENSE), offset),
                Ok(None) => Ok(()),
                Err(error) => self.note(error),
            },
            SystemId::PLAYREADY if !system.data.is_empty() => self.add_object(&system.data, offset, "PlayReady data"),
            SystemId::WIDEVINE => match widevine::parse(&system.data, 0) {
                Ok(found) => {
                    self.add_scheme(found.scheme);
                    self.content_id = self.content_id.take().or(found.content_id);
                    found.kids.into_iter().try_for_each(|kid| self.add_kid(kid, offset))
                }
                Err(cause) => self.note(inside("Widevine data", cause)),
            },
            _ => Ok(()),
        }
    }

    /// Adds whole boxes that a text carries.
    pub(crate) fn add_carried_boxes(
        &mut self,
        bytes: &[u8],
        offset: u64,
        field: &'static str,
    ) -> Result<(), HeaderError> {
        for pssh in Children(Fields::new(bytes, 0)) {
            let cause = match pssh {
                Ok(pssh) if pssh.kind == *b"pssh" => {
                    self.add_system(&pssh, Some((offset, field)))?;
                    continue;
                }
                Ok(pssh) => HeaderError::NotAllowed { offset: pssh.offset, field: "box that is no pssh" },
                Err(error) => error,
            };
            self.note(HeaderError::Inside { offset, field, cause: Box::new(cause) })?;
        }
        Ok(())
    }

    /// Adds a PlayReady Object that a box or a text carries.
    pub(crate) fn add_object(&mut self, bytes: &[u8], offset: u64, field: &'static str) -> Result<(), HeaderError> {
        let inside = |cause| HeaderError::Inside { offset, field, cause: Box::new(cause) };
        let mut notes = Vec::new();
        let wrm = playready::parse(bytes, 0, &mut notes);
        self.note_all(notes.into_iter().map(inside))?;
        match wrm {
            Ok(wrm) => wrm.map_or(Ok(()), |wrm| self.add_wrm(wrm, offset)),
            Err(cause) => self.note(inside(cause)),
        }
    }

    pub(crate) fn add_wrm(&mut self, wrm: WrmHeader, offset: u64) -> Result<(), HeaderError> {
        self.is_protected = true;
        for kid in wrm.keys.iter().filter_map(|key| key.kid) {
            self.add_kid(kid, offset)?;
        }
        if let Some(url) = &wrm.license_url {
            let system = wrm.is_playready().then_some(SystemId::PLAYREADY);
            self.add_url(url, system, offset)?;
        }
        if self.wrm_headers.len() < KEPT && !self.wrm_headers.contains(&wrm) {
            self.wrm_headers.push(wrm);
        }
        Ok(())
    }

    pub(crate) fn add_system_id(&mut self, system: SystemId, offset: u64) -> Result<(), HeaderError> {
        if self.system_ids.contains(&system) {
            return Ok(());
        }
        let (field, count, limit) = ("protection systems", self.system_ids.len() as u64 + 1, SYSTEM_ID_LIMIT as u64);
        if count > limit {
            return Err(HeaderError::TooMany { offset, field, count, limit });
        }
        self.system_ids.push(system);
        Ok(())
    }

    /// Adds a license URL. What is no URL is noted: real headers hold placeholders.
    pub(crate) fn add_url(&mut self, url: &str, system: Option<SystemId>, offset: u64) -> Result<(), HeaderError> {
        if !is_license_url(url) {
            return self.note(HeaderError::BadText { offset, field: LICENSE_URL });
        }
        let url = LicenseUrl { url: url.to_owned(), system };
        if self.license_urls.len() < KEPT && !self.license_urls.contains(&url) {
            self.license_urls.push(url);
        }
        Ok(())
    }

    /// Takes a scheme that initialization data or a manifest names. The first counts.
    pub(crate) fn add_scheme(&mut self, scheme: Option<FourCc>) {
        self.named_scheme = self.named_scheme.or(scheme);
    }

    /// Keeps what a reader noted.
    pub(crate) fn note_all(&mut self, notes: impl IntoIterator<Item = HeaderError>) -> Result<(), HeaderError> {
        notes.into_iter().try_for_each(|error| self.note(error))
    }

    /// Keeps what could not be read. A failure to read the file is none of these.
    pub(crate) fn note(&mut self, error: HeaderError) -> Result<(), HeaderError> {
        if matches!(error, HeaderError::Io(_)) {
            return Err(error);
        }
        if self.notes.len() < KEPT {
            self.notes.push(Arc::new(error));
        }
        Ok(())
    }

    pub(crate) fn add_part(&mut self, part: Mp4Box<'_>) -> Result<(), HeaderError> {
        if part.kind == *b"pssh" {
            return self.add_system(&part, None);
        }
        if part.kind == *b"moov" {
            let movie = mp4::Movie::parse(&part)?;
            self.note_all(movie.notes)?;
            self.add_tracks(movie.tracks, part.offset)?;
        }
        let mut notes = Vec::new();
        mp4::group_kids(&part, &mut notes, |kid| self.add_sample_kid(kid, part.offset))?;
        self.note_all(notes)?;
        for child in part.children() {
            let child = child?;
            if child.kind == *b"pssh" || child.extended == Some(mp4::PIFF_PSSH) {
                self.add_system(&child, None)?;
            }
        }
        Ok(())
    }

    /// Adds the tracks of a media file, and with them that there is one.
    pub(crate) fn add_tracks(&mut self, tracks: Vec<Track>, offset: u64) -> Result<(), HeaderError> {
        self.has_movie = true;
        for kid in tracks.iter().flat_map(Track::default_kids) {
            self.add_sample_kid(kid, offset)?;
        }
        // Files joined of several repeat their movie, or have another one.
        for track in tracks {
            if self.tracks.contains(&track) {
                continue;
            }
            if self.tracks.len() == LIST_LIMIT {
                let (count, limit) = (self.tracks.len() as u64 + 1, LIST_LIMIT as u64);
                return Err(HeaderError::TooMany { offset, field: "tracks", count, limit });
            }
            self.tracks.push(track);
        }
        Ok(())
    }
}
