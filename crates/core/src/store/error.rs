//! What SQLite reports, as the store's callers can act on it.

use super::StoreError;
use crate::operation::patience::{Impatience, why_ended};
use crate::shortage::Shortage;
use rusqlite::{ErrorCode, ffi};
use std::io::{self, ErrorKind};

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error_code() else { return Self::Damaged(error.to_string()) };
        match code {
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::OutOfMemory => Self::NoMemory,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                why_ended().into()
            }
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(error.to_string()),
            ErrorCode::ReadOnly => Self::ReadOnly,
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Self::Open(error.to_string()),
            _ => match error.sqlite_error().map(|error| error.extended_code) {
                // The index of the log lies in memory that the file system gives.
                Some(ffi::SQLITE_IOERR_SHMSIZE) => Self::Full,
                Some(ffi::SQLITE_IOERR_NOMEM | ffi::SQLITE_IOERR_SHMMAP) => Self::NoMemory,
                _ => Self::Io(error.to_string()),
            },
        }
    }
}

impl From<Impatience> for StoreError {
    fn from(ended: Impatience) -> Self {
        match ended {
            Impatience::Cancelled => Self::Cancelled,
            Impatience::DeadlinePassed => Self::DeadlinePassed,
            Impatience::Bound => Self::Busy,
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match Shortage::of(&error) {
            Some(Shortage::Room) => Self::Full,
            Some(Shortage::Memory) => Self::NoMemory,
            Some(Shortage::Descriptors) => Self::NoDescriptor,
            None if error.kind() == ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            None => Self::Io(error.to_string()),
        }
    }
}

impl From<wmlicense_wire::cbor::CborError> for StoreError {
    fn from(error: wmlicense_wire::cbor::CborError) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Bytes of a fixed length from a column.
pub(super) fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged("a column has another length than its type".into()))
}
