//! Restore: on this device offline, on another one through the license management service. The store changes in one commit.
//! What this device opens itself is `restore/local.rs`, what the service is asked for is `restore/ask.rs`.

mod ask;
mod chunk;
mod contact;
mod left_out;
mod local;
mod open;
mod preview;
mod ready;
mod service;
mod verify;

use crate::backup::place::{self, Occupant, Place};
use crate::backup::reader::{Backup, ReadError};
use crate::client::{Client, Settings};
use crate::contact::SessionError;
use crate::event::{ClosedSections, LeftOut, Why};
use crate::event::{Event, Progress};
use crate::operation::Context;
use crate::store::Staging;
use crate::verbs::individualize::IndividualizeError;
use ask::Asked;
use contact::{Connect, Contact};
use open::{Opened, Opening};
pub use preview::{Preview, preview};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;
pub use verify::{Verified, verify};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{Kid, Lid};

/// Restores and previews by way of a service that a test makes.
#[doc(hidden)]
pub mod through {
    pub use super::contact::{Connect, Management, NotConnected, Reply};
    pub use super::preview::run as preview;
    pub use super::run as restore;
}

/// What a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Licenses that are in the store now.
    pub restored: u64,
    /// Licenses left out, each with its reason. The restore is partial if there are any.
    pub left_out: Vec<LeftOut>,
    /// Sections that stay closed, by reason: what they hold is not known. The restore is partial if there are any.
    pub closed: Vec<ClosedSections>,
}

impl Restored {
    /// True if something of the backup was left out.
    pub fn is_partial(&self) -> bool {
        let Self { restored: _, left_out, closed } = self;
        !left_out.is_empty() || !closed.is_empty()
    }
}

/// Nothing was restored; the store is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The service could not be asked, or its answer cannot be used.
    #[error(transparent)]
    Service(SessionError),
    /// No backup there.
    #[error("there is no backup at this place")]
    NotFound,
    /// The place cannot be read.
    #[error("the place cannot be read: {0}")]
    Place(std::io::Error),
    /// A folder, a link or a device has the backup's name: it is not followed.
    #[error("something that is not a file has the backup's name")]
    Occupied,
    /// The medium failed, or was taken out.
    #[error("the medium failed: {0}")]
    Medium(std::io::Error),
    /// Truncated, changed, or not a backup.
    #[error("the backup is damaged: {0}")]
    Corrupt(String),
    /// A later format.
    #[error("the backup was written by a later version")]
    TooNew,
    /// Another device's backup without a management service, or of an authority that is not trusted here.
    #[error("no service can restore this backup on another device")]
    NotRestorable,
    /// Individualization, asked for with the restore, failed.
    #[error(transparent)]
    Individualize(IndividualizeError),
    /// The service refuses everything.
    #[error("the service refuses the restore: {reason}")]
    Refused {
        /// The first reason; at the limit [`Reason::LimitReached`].
        reason: Reason,
        /// How long it will be so at least, where it is refused for a time only.
        wait: Option<Duration>,
        /// Page that helps.
        url: Option<String>,
    },
}

impl<E: Into<SessionError>> From<E> for RestoreError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

impl RestoreError {
    /// True if it says something of the contact with the service, not of this device, its store or the backup: what needs no
    /// service can be given all the same.
    fn is_of_contact(&self) -> bool {
        match self {
            Self::Service(error) => error.is_of_contact(),
            Self::Refused { .. } => true,
            Self::Individualize(error) => match error {
                IndividualizeError::Service(error) => error.is_of_contact(),
                IndividualizeError::Refused(..) => true,
                IndividualizeError::Device(_) => false,
            },
            Self::NotFound
            | Self::Place(_)
            | Self::Occupied
            | Self::Medium(_)
            | Self::Corrupt(_)
            | Self::TooNew
            | Self::NotRestorable => false,
        }
    }

    fn of_place(error: io::Error) -> Self {
        if place::is_medium_failure(&error) { Self::Medium(error) } else { Self::Place(error) }
    }
}

impl From<ReadError> for RestoreError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => Self::of_place(error),
            ReadError::TooNew => Self::TooNew,
            ReadError::Corrupt(reason) => Self::Corrupt(reason),
        }
    }
}

/// Restores the backup in `folder`. With `individualize`, a device without a certificate gets one first.
///
/// Sections of this device go in without a network. The rest is asked for, before anything is changed: either everything
/// that is granted goes in, in one commit, or nothing. Where the service cannot be asked, whatever the reason, what needs none
/// goes in and the rest is told with that reason.
pub fn restore(
    client: &Client,
    settings: &Settings,
    folder: &Path,
    individualize: bool,
    context: &Context,
) -> Result<Restored, RestoreError> {
    let connect = &|| service::connect(client, settings, individualize, context);
    run(client, folder, connect, context)
}

/// As [`restore`], by way of `connect`.
pub fn run(client: &Client, folder: &Path, connect: &Connect<'_>, context: &Context) -> Result<Restored, RestoreError> {
    let mut backup = Backup::open(open_file(folder)?)?;
    let opened = open::open_sections(client, &mut backup, context)?;
    let mut staging = client.store.stage(backup.header_hash)?;
    match stage(&mut backup, &opened, &mut staging, connect, context) {
        Ok(asked) => {
            let any_service = opened.iter().any(|section| matches!(section.opening, Opening::Service));
            let total = if any_service { asked.granted.max(1) } else { backup.size };
            commit(staging, asked, (&mut backup, &opened, total), context)
        }
        Err(error) => {
            staging.discard()?;
            Err(error)
        }
    }
}

fn open_file(folder: &Path) -> Result<File, RestoreError> {
    let place = Place::open(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => RestoreError::NotFound,
        _ => RestoreError::of_place(error),
    })?;
    if place.occupant().map_err(RestoreError::of_place)? == Occupant::Other {
        return Err(RestoreError::Occupied);
    }
    place.open_backup().map_err(RestoreError::of_place)?.ok_or(RestoreError::NotFound)
}

/// Asks into the staging area for what a service gives, and looks through the rest; the store stays as it is.
fn stage(
    backup: &mut Backup<File>,
    opened: &[Opened],
    staging: &mut Staging,
    connect: &Connect<'_>,
    context: &Context,
) -> Result<Asked, RestoreError> {
    let mut asked = Asked::default();
    for section in opened.iter().filter(|section| matches!(section.opening, Opening::Closed)) {
        left_out::close(&mut asked.closed, Why::NoKey, backup.section_len(section.section), None);
    }
    if asked.closed.iter().map(|closed| closed.sections as usize).sum::<usize>() == opened.len() && !opened.is_empty() {
        return Err(RestoreError::NotRestorable);
    }
    if let Some(mut contact) = Contact::make(opened, connect)? {
        ask::ask_all(backup, opened, &mut contact, staging, &mut asked, context)?;
        contact.end(context)?;
    }
    let any_local = opened.iter().any(|section| matches!(section.opening, Opening::Own(_)));
    if !any_local && asked.granted == 0 && asked.is_partial() {
        asked.tell(context)?;
        return Err(asked.into_failure());
    }
    context.emit(Event::BackupRestoreBegin)?;
    asked.tell(context)?;
    let told = asked.left_out.len();
    local::look_through(backup, opened, &mut asked, context)?;
    for left_out in &asked.left_out[told..] {
        context.emit(Event::LicenseRefused(left_out.clone()))?;
    }
    Ok(asked)
}

/// Takes over the sections of this device and what was staged, in one commit.
fn commit(
    staging: Staging,
    mut asked: Asked,
    (backup, opened, total): (&mut Backup<File>, &[Opened], u64),
    context: &Context,
) -> Result<Restored, RestoreError> {
    context.check()?;
    let report = local::put_all(backup, opened, context, |incoming| {
        staging.commit_with(|putting| incoming.each(context, &mut |ready| ready.put(putting)))
    })?;
    let with = |left_out: &[(Lid, Kid)], reason: Reason| {
        left_out.iter().map(|(_, kid)| LeftOut { kid: *kid, why: reason.into() }).collect::<Vec<_>>()
    };
    let forbidden = [with(&report.forbidden, Reason::Revoked), with(&report.ended, Reason::Expired)].concat();
    for left_out in &forbidden {
        let _ = context.emit(Event::LicenseRefused(left_out.clone()));
    }
    // The service's part told the same when everything was answered; here it is said of the store.
    let _ = context.emit(Event::Progress(Progress { done: total, total }));
    asked.left_out.extend(forbidden);
    if report.restored == 0 && asked.is_partial() {
        return Err(asked.into_failure());
    }
    // Each field is named, so that none that comes later can be forgotten here.
    let Asked { granted: _, left_out, closed, page: _ } = asked;
    Ok(Restored { restored: report.restored, left_out, closed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn what_a_service_refuses_wholly_is_a_matter_of_the_contact_and_a_damaged_backup_is_not() {
        assert!(RestoreError::Refused { reason: Reason::DeviceRevoked, wait: None, url: None }.is_of_contact());
        for error in [RestoreError::NotFound, RestoreError::Corrupt(String::new()), RestoreError::TooNew] {
            assert!(!error.is_of_contact(), "{error}");
        }
    }

    #[test]
    fn a_medium_that_is_gone_is_told_apart_from_a_place_that_cannot_be_read() {
        assert!(matches!(RestoreError::of_place(Errno::IO.into()), RestoreError::Medium(_)));
        assert!(matches!(RestoreError::of_place(Errno::ACCESS.into()), RestoreError::Place(_)));
        assert!(matches!(RestoreError::from(ReadError::Io(Errno::NODEV.into())), RestoreError::Medium(_)));
        assert!(matches!(RestoreError::from(ReadError::TooNew), RestoreError::TooNew));
        assert!(
            matches!(RestoreError::from(ReadError::Corrupt("why".into())), RestoreError::Corrupt(why) if why == "why")
        );
    }
}
