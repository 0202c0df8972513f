//! Why no license of a request was stored.

use crate::contact::given::GivenError;
use crate::contact::{AnswerFault, SessionError};
use crate::header::HeaderError;
use crate::operation::Cancelled;
use crate::store::StoreError;
use crate::transport::TransportError;
use crate::verbs::individualize::IndividualizeError;
use wmlicense_wire::answer::Refusal;
use wmlicense_wire::id::TransactionId;

/// No license of the request was stored.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// Cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// Neither key IDs nor a header was given, and neither a scope nor an account says what to deliver.
    #[error("nothing was asked for: set KeyIDs, Header, Scope or AccountToken")]
    NothingAsked,
    /// The header cannot be read.
    #[error("the content header cannot be read: {0}")]
    Header(HeaderError),
    /// The header names no key ID.
    #[error("the content header names no key ID")]
    NoKeyId,
    /// `ServiceURL` and `URL` are not set.
    #[error("no service URL is set")]
    NoService,
    /// The service's authority is none of the client's.
    #[error("the service belongs to an authority that this client does not trust")]
    AuthorityNotTrusted,
    /// Nothing was ever heard from the service, and a request that is carried makes no contact.
    #[error(
        "the service is not known yet: individualize the device there, or acquire something over the network, first"
    )]
    UnknownService,
    /// The device must be individualized first.
    #[error("the device must be individualized first")]
    NeedsIndividualization,
    /// No usable answer.
    #[error(transparent)]
    Transport(TransportError),
    /// The answer does not verify.
    #[error("the service's answer is not acceptable: {0}")]
    BadAnswer(AnswerFault),
    /// The service refuses everything.
    #[error("the service refuses the licenses")]
    Refused(Vec<Refusal>),
    /// The user must act at this URL.
    #[error("the user must act first")]
    InteractionRequired {
        /// The page.
        url: String,
        /// The transaction that waits.
        transaction: TransactionId,
    },
    /// The deadline passed before the user acted at this URL. The transaction still waits.
    #[error("the user did not act before the deadline; the request still waits")]
    StillWaiting {
        /// The page.
        url: String,
        /// The transaction that waits.
        transaction: TransactionId,
    },
    /// The transaction ended without a license.
    #[error("the request ended without a license")]
    Over,
    /// More key IDs than one request carries.
    #[error(
        "one request carries at most 1024 key IDs, fewer where many of their licenses count uses; ask for them in parts"
    )]
    TooManyKeyIds,
    /// The service asks for patience.
    #[error("the service asks to come back later")]
    Later {
        /// Seconds UTC.
        from: i64,
        /// Seconds UTC.
        until: i64,
    },
    /// Licenses that nobody asked for, made so long ago that somebody may have kept them back.
    #[error("the licenses were given more than 30 days ago")]
    TooOld,
    /// Licenses that nobody asked for, of an issuer that none of the client's authorities knows.
    #[error("the licenses are of an issuer that this client does not trust")]
    IssuerNotTrusted,
    /// Licenses that nobody asked for, each of which was removed from this device for good.
    #[error("the licenses were removed from this device for good")]
    RemovedForGood,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys failed.
    #[error("the device's keys cannot be used")]
    Keys,
}

impl From<Cancelled> for AcquireError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<SessionError> for AcquireError {
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

impl From<GivenError> for AcquireError {
    fn from(error: GivenError) -> Self {
        match error {
            GivenError::Session(error) => error.into(),
            GivenError::NeedsIndividualization => Self::NeedsIndividualization,
            GivenError::IssuerNotTrusted => Self::IssuerNotTrusted,
            GivenError::TooOld => Self::TooOld,
        }
    }
}

/// The device's certificate could not be renewed on the way to a license.
impl From<IndividualizeError> for AcquireError {
    fn from(error: IndividualizeError) -> Self {
        match error {
            IndividualizeError::Cancelled => Self::Cancelled,
            IndividualizeError::NoService => Self::NoService,
            IndividualizeError::AuthorityNotTrusted => Self::AuthorityNotTrusted,
            IndividualizeError::Transport(TransportError::Refused(_)) | IndividualizeError::Refused(..) => {
                Self::NeedsIndividualization
            }
            IndividualizeError::Transport(error) => Self::Transport(error),
            IndividualizeError::BadAnswer(reason) => Self::BadAnswer(reason),
            IndividualizeError::Device(_) => Self::Keys,
            IndividualizeError::Store(error) => Self::Store(error),
        }
    }
}
