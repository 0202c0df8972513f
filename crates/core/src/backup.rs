//! Backup: all licenses that may leave, sealed to this device and to their management services, in one file.
//! The file's bytes are `backup/writer.rs` and `backup/reader.rs`, the folder is `backup/place.rs`.

mod batch;
mod beside;
mod checking;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod place;
mod plan;
pub(crate) mod reader;
mod writer;

use crate::client::Client;
use crate::event::Event;
use crate::operation::{Cancelled, Context};
use crate::store::{BackupItem, Snapshot, StoreError};
use checking::damaged;
use place::{Occupant, Place};
use plan::{Plan, SectionPlan};
use std::fs::File;
use std::io;
use std::path::Path;
use wmlicense_wire::backup::Item;
use wmlicense_wire::backup::page::PageView;
use wmlicense_wire::cbor::MAX_TEXT_LEN;
use writer::{BackupWriter, SectionWriter, WriteError};

/// What a backup did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// Licenses in the file.
    pub backed_up: u64,
    /// Licenses that may not be backed up.
    pub restricted: u64,
}

/// A backup failed; an older backup at the place is untouched.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// There is a backup and overwriting was not asked for.
    #[error("a backup exists at this place already")]
    Exists,
    /// The folder does not exist, is not a folder, is elsewhere by the end, or cannot be used for another reason.
    #[error("the folder cannot be used: {0}")]
    Place(std::io::Error),
    /// A folder, a link or a device has the backup's name: it is neither followed nor replaced.
    #[error("something that is not a file has the backup's name")]
    Occupied,
    /// The place may not be written.
    #[error("the place may not be written: {0}")]
    ReadOnly(std::io::Error),
    /// The medium failed, or was taken out.
    #[error("the medium failed: {0}")]
    Medium(std::io::Error),
    /// No space left at the place.
    #[error("the place is full")]
    Full,
    /// The device has no identity for licenses that it holds, or keys failed.
    #[error("the device's keys cannot be used")]
    Keys,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Cancelled> for BackupError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<io::Error> for BackupError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::Full,
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly(error),
            _ if place::is_medium_failure(&error) => Self::Medium(error),
            _ => Self::Place(error),
        }
    }
}

impl From<WriteError> for BackupError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Io(error) => error.into(),
            WriteError::TooLong => StoreError::Damaged("a license is too long for a backup".into()).into(),
            WriteError::Keys => Self::Keys,
        }
    }
}

/// True if the system knows without looking at the medium that something in `folder` has the backup's name. It never waits;
/// what it does not know, [`back_up`] finds out.
pub fn is_known_to_exist(folder: &Path) -> bool {
    place::is_known_to_exist(folder)
}

/// Writes all licenses that may leave to `folder/licenses.wmbackup`: to a temporary file first, which takes the backup's
/// name when it is whole and on the disk.
///
/// A store without such licenses gives a backup without sections; where a backup exists already, that one stays, even if
/// overwriting was asked for, because it holds more.
pub fn back_up(
    client: &Client,
    folder: &Path,
    overwrite: bool,
    context: &Context,
) -> Result<BackupReport, BackupError> {
    let place = Place::open(folder)?;
    let occupant = place.occupant()?;
    match occupant {
        Occupant::Nothing => {}
        Occupant::File if overwrite => {}
        Occupant::File => return Err(BackupError::Exists),
        Occupant::Other => return Err(BackupError::Occupied),
    }
    place.remove_stale();
    let temporary = place.create_temporary()?;
    let snapshot = client.store.snapshot()?;
    context.emit(Event::BackupRestoreBegin)?;
    let restricted = report_restricted(&snapshot, context)?;
    let mut plan = Plan::of(client, &snapshot)?;
    let total = snapshot.license_count()?.saturating_sub(restricted);
    if plan.sections.is_empty() && occupant == Occupant::File {
        context.progress(0, 0)?;
        return Ok(BackupReport { backed_up: 0, restricted });
    }
    let backed_up = write(temporary.file(), &mut plan, &snapshot, total, context)?;
    context.check()?;
    temporary.publish(overwrite)?;
    Ok(BackupReport { backed_up, restricted })
}

/// Tells every license that may not be backed up, and counts them.
fn report_restricted(snapshot: &Snapshot, context: &Context) -> Result<u64, BackupError> {
    let mut count = 0;
    let mut cancelled = Ok(());
    snapshot.restricted(&mut |kid| {
        count += 1;
        if cancelled.is_ok() {
            cancelled = context.emit(Event::RestrictedLicense(kid));
        }
        Ok(())
    })?;
    cancelled?;
    Ok(count)
}

/// Writes the whole file and gives the number of licenses in it.
fn write(file: &File, plan: &mut Plan, snapshot: &Snapshot, total: u64, context: &Context) -> Result<u64, BackupError> {
    let mut writer = BackupWriter::new(file, plan.header())?;
    let mut done = 0;
    for section in &plan.sections {
        writer.section(&section.keys, &plan.maker(section), |out| {
            write_front(section, out)?;
            write_licenses(section, snapshot, out, &mut |in_section| {
                // Said when the file has its name.
                if done + in_section < total { context.progress(done + in_section, total) } else { context.check() }
            })?;
            done += out.counts().records;
            Ok::<(), BackupError>(())
        })?;
    }
    writer.finish()?;
    context.progress(total, total)?;
    Ok(done)
}

/// Everything of a section that comes before its batches.
fn write_front(section: &SectionPlan, out: &mut SectionWriter<'_>) -> Result<(), BackupError> {
    out.put(&Item::DeviceCertificate(section.device_certificate.clone()))?;
    for service in section.directory.services() {
        out.put(&Item::ServiceCertificate(service.bytes.clone()))?;
    }
    if let Some(list) = &section.status_list {
        out.put(&Item::StatusList(list.clone()))?;
    }
    for revocation in &section.revocations {
        out.put(&Item::LicenseRevocation(revocation.clone()))?;
    }
    for tombstone in &section.tombstones {
        out.put(&Item::Tombstone(tombstone.clone()))?;
    }
    for (kid, title) in &section.titles {
        out.put(&Item::Title(*kid, for_documents(title)))?;
    }
    Ok(())
}

/// A title as a document can carry it. Earlier versions took any text, and one that readers refuse would take the licenses along.
fn for_documents(title: &str) -> String {
    let shown = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut text = String::new();
    for letter in title.chars().map(shown) {
        if text.len() + letter.len_utf8() > MAX_TEXT_LEN {
            break;
        }
        text.push(letter);
    }
    text
}

fn write_licenses(
    section: &SectionPlan,
    snapshot: &Snapshot,
    out: &mut SectionWriter<'_>,
    progress: &mut dyn FnMut(u64) -> Result<(), Cancelled>,
) -> Result<(), BackupError> {
    checking::beside(&section.directory, |checker| {
        snapshot.stream(&section.section, &mut |item| {
            match &item {
                BackupItem::Batch { signed, .. } => out.put(&Item::Batch(signed.clone()))?,
                BackupItem::Page { key, page } => out.put_page(key, &PageView::parse(page).map_err(damaged)?)?,
                BackupItem::License(entry) => {
                    out.put_license(entry.index, &entry.license, &entry.state, &entry.key)?;
                }
            }
            checker.take(item)?;
            Ok::<(), BackupError>(progress(out.counts().records)?)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn what_the_place_answers_says_what_can_be_done() {
        let of = |error: Errno| BackupError::from(io::Error::from(error));
        for error in [Errno::NOSPC, Errno::DQUOT, Errno::FBIG] {
            assert!(matches!(of(error), BackupError::Full), "{error}");
        }
        for error in [Errno::ROFS, Errno::ACCESS, Errno::PERM] {
            assert!(matches!(of(error), BackupError::ReadOnly(_)), "{error}");
        }
        for error in [Errno::IO, Errno::NODEV, Errno::NOMEDIUM] {
            assert!(matches!(of(error), BackupError::Medium(_)), "{error}");
        }
        assert!(matches!(of(Errno::EXIST), BackupError::Exists));
        for error in [Errno::NOENT, Errno::NOTDIR] {
            assert!(matches!(of(error), BackupError::Place(_)), "{error}");
        }
    }

    #[test]
    fn a_title_is_cut_between_letters_and_shows_no_control_character() {
        assert_eq!(for_documents("a\tb"), "a b");
        assert_eq!(for_documents(&"x".repeat(MAX_TEXT_LEN)), "x".repeat(MAX_TEXT_LEN));
        let odd = format!("x{}", "ö".repeat(MAX_TEXT_LEN));
        assert_eq!(for_documents(&odd).len(), MAX_TEXT_LEN - 1);
    }
}
