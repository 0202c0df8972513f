//! Backup: all licenses that may leave, sealed to this device and to their management services, in one file.

#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod place;
pub(crate) mod reader;
mod writer;

use crate::client::Client;
use crate::operation::Context;
use crate::store::StoreError;
use std::path::Path;

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
    /// The folder does not exist, is not a folder, or cannot be written.
    #[error("the folder cannot be used: {0}")]
    Place(std::io::Error),
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

/// True if `folder` holds a backup. Cheap: asked before a backup starts.
pub fn exists(folder: &Path) -> bool {
    let _ = folder;
    todo!()
}

/// Writes all licenses that may leave to `folder/licenses.wmbackup`.
pub fn back_up(
    client: &Client,
    folder: &Path,
    overwrite: bool,
    context: &Context,
) -> Result<BackupReport, BackupError> {
    let _ = (client, folder, overwrite, context);
    todo!()
}
