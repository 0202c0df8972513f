//! Why a revocation was not taken.

use crate::contact::SessionError;
use crate::contact::status_list::ListError;
use crate::store::NotTaken;
use crate::verbs::individualize::IndividualizeError;
use wmlicense_wire::answer::Reason;

/// A revocation or status list was not taken. The store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// The service could not be asked, or its answer cannot be used.
    #[error(transparent)]
    Service(SessionError),
    /// The service refuses: the device or the application was revoked.
    #[error("the service refuses: {reason}; see {}", .url.as_deref().unwrap_or("its owner"))]
    Refused {
        /// Why.
        reason: Reason,
        /// Page that helps.
        url: Option<String>,
    },
    /// Not in the form of a revocation or status list.
    #[error("not a revocation: {0}")]
    Malformed(String),
    /// Longer than 1 MiB, or a machine ID longer than 1 KiB.
    #[error("longer than it may be")]
    TooLong,
    /// A signature does not verify under the keys that it must verify under.
    #[error("a signature does not verify")]
    NotSigned,
    /// No license and no trusted service names the key.
    #[error("no license here and no trusted service names the key that signed it")]
    UnknownKey,
    /// It is for another device only.
    #[error("it is for another device")]
    OtherDevice,
    /// A newer one is kept.
    #[error("number {0} is kept already, which is newer")]
    Older(u64),
    /// Another one of the same number is kept.
    #[error("another one of the same number is kept already")]
    Conflict,
    /// Its number is more than a day ahead of the clock.
    #[error("its number is more than a day ahead of the clock")]
    Ahead,
}

impl<E: Into<SessionError>> From<E> for RevokeError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

impl From<NotTaken> for RevokeError {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Older(kept) => Self::Older(kept),
            NotTaken::Conflict => Self::Conflict,
            NotTaken::Store(error) => error.into(),
        }
    }
}

impl From<ListError> for RevokeError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Service(error) => Self::Service(error),
            ListError::TooLong => Self::TooLong,
            ListError::NotSigned => Self::NotSigned,
            ListError::Malformed(error) => Self::Malformed(error.to_string()),
            ListError::Ahead => Self::Ahead,
            ListError::Conflict => Self::Conflict,
        }
    }
}

/// The device's certificate could not be renewed on the way.
impl From<IndividualizeError> for RevokeError {
    fn from(error: IndividualizeError) -> Self {
        match error {
            IndividualizeError::Service(error) => Self::Service(error),
            IndividualizeError::Refused(reason, _) => Self::Refused { reason, url: None },
            IndividualizeError::Device(_) => Self::Service(SessionError::Keys),
        }
    }
}
