//! Why a revocation was not taken.

use crate::contact::status_list::ListError;
use crate::contact::{AnswerFault, SessionError};
use crate::operation::Cancelled;
use crate::store::{NotTaken, StoreError};
use crate::transport::TransportError;
use crate::verbs::individualize::IndividualizeError;
use wmlicense_wire::answer::Reason;

/// A revocation or status list was not taken. The store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// Cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// No service is known.
    #[error("no service is known; set ServiceURL and individualize")]
    NoService,
    /// Nothing was ever heard from the service, and a challenge that is carried makes no contact.
    #[error(
        "the service is not known yet: individualize the device there, or refresh revocations over the network, first"
    )]
    UnknownService,
    /// The service's authority is none of the client's.
    #[error("the service belongs to an authority that this client does not trust")]
    AuthorityNotTrusted,
    /// The device must be individualized first.
    #[error("the device must be individualized first")]
    NeedsIndividualization,
    /// No usable answer.
    #[error(transparent)]
    Transport(TransportError),
    /// The answer does not verify.
    #[error("the service's answer is not acceptable: {0}")]
    BadAnswer(AnswerFault),
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
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys failed.
    #[error("the device's keys cannot be used")]
    Keys,
}

impl From<Cancelled> for RevokeError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<NotTaken> for RevokeError {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Older(kept) => Self::Older(kept),
            NotTaken::Conflict => Self::Conflict,
            NotTaken::Store(error) => Self::Store(error),
        }
    }
}

impl From<ListError> for RevokeError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::AuthorityNotTrusted => Self::AuthorityNotTrusted,
            ListError::TooLong => Self::TooLong,
            ListError::NotSigned => Self::NotSigned,
            ListError::Malformed(error) => Self::Malformed(error.to_string()),
            ListError::Ahead => Self::Ahead,
            ListError::Conflict => Self::Conflict,
            ListError::Store(error) => Self::Store(error),
        }
    }
}

impl From<SessionError> for RevokeError {
    fn from(error: SessionError) -> Self {
        match error {
            _ if error.is_unknown_device() => Self::NeedsIndividualization,
            SessionError::Cancelled => Self::Cancelled,
            SessionError::NoService => Self::NoService,
            SessionError::AuthorityNotTrusted => Self::AuthorityNotTrusted,
            SessionError::Transport(error) => Self::Transport(error),
            SessionError::BadAnswer(reason) => Self::BadAnswer(reason),
            SessionError::Store(error) => Self::Store(error),
            SessionError::Keys => Self::Keys,
        }
    }
}

impl From<IndividualizeError> for RevokeError {
    fn from(error: IndividualizeError) -> Self {
        match error {
            IndividualizeError::Cancelled => Self::Cancelled,
            IndividualizeError::NoService => Self::NoService,
            IndividualizeError::AuthorityNotTrusted => Self::AuthorityNotTrusted,
            IndividualizeError::Transport(error) => Self::Transport(error),
            IndividualizeError::BadAnswer(reason) => Self::BadAnswer(reason),
            IndividualizeError::Refused(reason, _) => Self::Refused { reason, url: None },
            IndividualizeError::Device(_) => Self::Keys,
            IndividualizeError::Store(error) => Self::Store(error),
        }
    }
}
