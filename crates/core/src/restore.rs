//! Restore: on this device offline, on another one through the license management service. The store changes in one commit.

use crate::client::{Client, Settings};
use crate::individualize::IndividualizeError;
use crate::operation::Context;
use crate::store::StoreError;
use crate::transport::TransportError;
use std::path::Path;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::Kid;

/// What a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Licenses that are in the store now.
    pub restored: u64,
    /// Licenses left out, and why. The restore is partial if there are any.
    pub refused: Vec<(Kid, Reason)>,
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
    BadAnswer(String),
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

/// Restores the backup in `folder`. With `individualize`, a device without a certificate gets one first.
pub fn restore(
    client: &Client,
    settings: &Settings,
    folder: &Path,
    individualize: bool,
    context: &Context,
) -> Result<Restored, RestoreError> {
    let _ = (client, settings, folder, individualize, context);
    todo!()
}
