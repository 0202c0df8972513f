//! Why a backup cannot be read.

use crate::backup::batch::Fault;
use std::io;
use wmlicense_wire::backup::BackupFormatError;
use wmlicense_wire::chunked::ChunkedError;

/// A backup could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Written by a later version of the format.
    #[error("the backup was written by a later version")]
    TooNew,
    /// Truncated, changed, or not a backup.
    #[error("{0}")]
    Corrupt(String),
}

pub(super) fn corrupt(reason: impl Into<String>) -> ReadError {
    ReadError::Corrupt(reason.into())
}

impl From<Fault> for ReadError {
    fn from(fault: Fault) -> Self {
        corrupt(fault.to_string())
    }
}

impl From<BackupFormatError> for ReadError {
    fn from(error: BackupFormatError) -> Self {
        match error {
            BackupFormatError::Version(version) if version > wmlicense_wire::backup::VERSION => Self::TooNew,
            BackupFormatError::Magic
            | BackupFormatError::Version(_)
            | BackupFormatError::Content(_)
            | BackupFormatError::Footer(_)
            | BackupFormatError::Ticket => corrupt(error.to_string()),
        }
    }
}

impl From<ChunkedError> for ReadError {
    fn from(error: ChunkedError) -> Self {
        match error {
            ChunkedError::Damaged => corrupt("a section does not open"),
            ChunkedError::Io(error) => Self::Io(error),
        }
    }
}
