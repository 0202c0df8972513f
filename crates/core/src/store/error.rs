//! What SQLite reports, as the store's callers can act on it.

use super::StoreError;
use rusqlite::ErrorCode;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error_code() else { return Self::Damaged(error.to_string()) };
        match code {
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => Self::Busy,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Damaged(error.to_string()),
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => Self::Open(error.to_string()),
            _ => Self::Io(error.to_string()),
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
