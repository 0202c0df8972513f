//! Restore: on this device offline, on another one through the license management service. The store changes in one commit.
//! What this device opens itself is `restore/local.rs`, what the service is asked for is `restore/ask.rs`.

mod ask;
mod chunk;
mod local;
mod open;
mod preview;
mod service;

use crate::backup::place::{self, Occupant, Place};
use crate::backup::reader::{Backup, ReadError};
use crate::client::{Client, Settings};
use crate::event::{Event, Progress};
use crate::individualize::IndividualizeError;
use crate::operation::{Cancelled, Context};
use crate::session::AnswerFault;
use crate::store::{Staging, StoreError};
use crate::transport::TransportError;
use ask::{Asked, Management};
use open::{Opened, Opening};
pub use preview::{Preview, Verdict, Verified, preview, verify};
use std::fs::File;
use std::io;
use std::path::Path;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{Kid, Lid};

/// What a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Licenses that are in the store now.
    pub restored: u64,
    /// Licenses left out, and why. The restore is partial if there are any.
    pub refused: Vec<(Kid, Reason)>,
    /// Licenses left out because only the service knows what is left of them, and it cannot be reached. The restore is partial
    /// if there are any.
    pub unasked: Vec<Kid>,
    /// Sections that neither this device nor the service opens: what they hold is not known. The restore is partial if
    /// there are any.
    pub closed_sections: u32,
}

impl Restored {
    /// True if something of the backup was left out.
    pub fn is_partial(&self) -> bool {
        !self.refused.is_empty() || !self.unasked.is_empty() || self.closed_sections > 0
    }
}

/// Nothing was restored; the store is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
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
    /// The device must be individualized first.
    #[error("the device must be individualized first")]
    NeedsIndividualization,
    /// Individualization, asked for with the restore, failed.
    #[error(transparent)]
    Individualize(IndividualizeError),
    /// `ServiceURL` is not set.
    #[error("no service URL is set")]
    NoService,
    /// The service's authority is none of the client's.
    #[error("the service belongs to an authority that this client does not trust")]
    AuthorityNotTrusted,
    /// No usable answer.
    #[error(transparent)]
    Transport(TransportError),
    /// The answer does not verify.
    #[error("the service's answer is not acceptable: {0}")]
    BadAnswer(AnswerFault),
    /// The service refuses everything.
    #[error("the service refuses the restore: {reason:?}")]
    Refused {
        /// The first reason; at the limit [`Reason::LimitReached`].
        reason: Reason,
        /// Page that helps.
        url: Option<String>,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys failed.
    #[error("the device's keys cannot be used")]
    Keys,
}

impl From<Cancelled> for RestoreError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl RestoreError {
    /// True if there is no way to the service, rather than that it answered something else.
    fn is_out_of_reach(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::Individualize(IndividualizeError::Transport(_)))
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

impl From<TransportError> for RestoreError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Cancelled => Self::Cancelled,
            TransportError::DeadlinePassed
            | TransportError::Offline
            | TransportError::Url(_)
            | TransportError::Unreachable(_)
            | TransportError::Broken(_)
            | TransportError::Proxy(_)
            | TransportError::Tls(_)
            | TransportError::TlsDate(_)
            | TransportError::Refused(_)
            | TransportError::Unavailable(_)
            | TransportError::NotTheService(_)
            | TransportError::CaptivePortal(_)
            | TransportError::Redirect(_)
            | TransportError::TooLarge
            | TransportError::NoMemory
            | TransportError::NoDescriptor => Self::Transport(error),
        }
    }
}

/// Restores the backup in `folder`. With `individualize`, a device without a certificate gets one first.
///
/// Sections of this device go in without a network. The rest is asked for, before anything is changed: either everything
/// that is granted goes in, in one commit, or nothing. Where there is no way to the service, what needs none goes in and the
/// rest is told.
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

/// Makes the connection to the management service and tells so, when a section needs it.
type Connect<'c> = dyn Fn() -> Result<Box<dyn Management + 'c>, RestoreError> + 'c;

fn run(client: &Client, folder: &Path, connect: &Connect<'_>, context: &Context) -> Result<Restored, RestoreError> {
    let mut backup = Backup::open(open_file(folder)?)?;
    let opened = open::open_sections(client, &mut backup, context)?;
    let mut staging = client.store.stage(backup.header_hash)?;
    match stage(&mut backup, &opened, &mut staging, connect, context) {
        Ok(asked) => {
            let any_service = opened.iter().any(|section| matches!(section.opening, Opening::Service));
            let total = if any_service { asked.granted.max(1) } else { backup.size };
            commit(staging, asked, total, context)
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

/// Reads and asks everything into the staging area; the store stays as it is.
fn stage(
    backup: &mut Backup<File>,
    opened: &[Opened],
    staging: &mut Staging,
    connect: &Connect<'_>,
    context: &Context,
) -> Result<Asked, RestoreError> {
    let closed = opened.iter().filter(|section| matches!(section.opening, Opening::Closed)).count();
    if closed > 0 && closed == opened.len() {
        return Err(RestoreError::NotRestorable);
    }
    let mut asked = Asked::default();
    if opened.iter().any(Opened::needs_service) {
        match connect() {
            Ok(mut management) => {
                ask::ask_all(backup, opened, &mut *management, staging, &mut asked, context)?;
                context.emit(Event::Disconnecting)?;
            }
            // What needs no service does not wait for one.
            Err(error) if error.is_out_of_reach() && opened.iter().any(Opened::offers_offline) => {
                asked.out_of_reach(opened);
                if matches!(error, RestoreError::Transport(_)) {
                    context.emit(Event::Disconnecting)?;
                }
            }
            Err(error) => return Err(error),
        }
    }
    asked.closed_sections += closed as u32;
    let any_local = opened.iter().any(|section| matches!(section.opening, Opening::Own(_)));
    if !any_local && asked.granted == 0 && asked.is_partial() {
        asked.tell(context)?;
        return Err(asked.into_refusal());
    }
    context.emit(Event::BackupRestoreBegin)?;
    asked.tell(context)?;
    let told = asked.refused.len();
    local::stage_all(backup, opened, staging, &mut asked, context)?;
    asked.tell_local(told, context)?;
    Ok(asked)
}

/// Takes over what was staged. From here on nothing is cancelled any more.
fn commit(staging: Staging, mut asked: Asked, total: u64, context: &Context) -> Result<Restored, RestoreError> {
    context.check()?;
    let report = staging.commit()?;
    let with = |left_out: &[(Lid, Kid)], reason| left_out.iter().map(|(_, kid)| (*kid, reason)).collect::<Vec<_>>();
    let forbidden = [with(&report.forbidden, Reason::Revoked), with(&report.ended, Reason::Expired)].concat();
    for (kid, reason) in &forbidden {
        let _ = context.emit(Event::LicenseRefused { kid: *kid, reason: *reason });
    }
    // The service's part told the same when everything was answered; here it is said of the store.
    let _ = context.emit(Event::Progress(Progress { done: total, total }));
    asked.refused.extend(forbidden);
    if report.restored == 0 && asked.is_partial() {
        return Err(asked.into_refusal());
    }
    let Asked { refused, unasked, closed_sections, .. } = asked;
    Ok(Restored { restored: report.restored, refused, unasked, closed_sections })
}

#[cfg(test)]
mod tests;
