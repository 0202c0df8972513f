//! Status lists as they come: beside an answer, or asked for. What a kept one revokes is the store's matter.

use super::SessionError;
use crate::client::Client;
use crate::store::{NotTaken, StoreError};
use wmlicense_wire::cose::CoseError;
use wmlicense_wire::id::Digest;
use wmlicense_wire::status_list::{MAX_AHEAD, StatusList, StatusListError};

/// A status list was not taken. The store is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    /// Its authority is none of the client's, or the store failed.
    #[error(transparent)]
    Service(SessionError),
    /// Longer than it may be.
    #[error("longer than it may be")]
    TooLong,
    /// The authority did not sign it.
    #[error("a signature does not verify")]
    NotSigned,
    /// Not in the form of a status list.
    #[error("not a status list: {0}")]
    Malformed(StatusListError),
    /// Its number is more than a day ahead of the clock.
    #[error("its number is more than a day ahead of the clock")]
    Ahead,
    /// Another one of the same number is kept.
    #[error("another one of the same number is kept already")]
    Conflict,
}

impl<E: Into<SessionError>> From<E> for ListError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

impl From<StatusListError> for ListError {
    fn from(error: StatusListError) -> Self {
        match error {
            StatusListError::Signature(CoseError::TooLong(_)) => Self::TooLong,
            StatusListError::Signature(CoseError::BadSignature | CoseError::WrongSigner)
            | StatusListError::WrongAuthority => Self::NotSigned,
            StatusListError::Signature(CoseError::Malformed | CoseError::WrongType) | StatusListError::Content(_) => {
                Self::Malformed(error)
            }
        }
    }
}

/// Keeps a status list of the authority, if it is newer than the kept one. An older one is no error: it says less.
pub(crate) fn take_status_list(client: &Client, authority: Digest, bytes: &[u8]) -> Result<(), ListError> {
    let directory = client.store.directory(authority)?.ok_or(SessionError::AuthorityNotTrusted)?;
    let list = StatusList::parse(bytes, &directory.authority)?;
    if is_ahead(client, list.number)? {
        return Err(ListError::Ahead);
    }
    match client.store.take_status_list(&list, bytes) {
        Ok(()) | Err(NotTaken::Older(_)) => Ok(()),
        Err(NotTaken::Conflict) => Err(ListError::Conflict),
        Err(NotTaken::Store(error)) => Err(error.into()),
    }
}

/// True if a number is more than a day ahead of a good clock. A clock that is behind what is known judges nothing.
pub(crate) fn is_ahead(client: &Client, number: u64) -> Result<bool, StoreError> {
    let reading = client.store.clock_record()?.read(client.clock.moment(), []);
    let latest = u64::try_from(reading.now.saturating_add(MAX_AHEAD)).unwrap_or(0);
    Ok(number > latest && reading.behind.is_none())
}
