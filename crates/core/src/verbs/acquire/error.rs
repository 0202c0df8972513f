//! Why no license of a request was stored.

use crate::contact::SessionError;
use crate::contact::given::GivenError;
use crate::transport::TransportError;
use crate::verbs::individualize::IndividualizeError;
use wmlicense_media::HeaderError;
use wmlicense_wire::answer::Refusal;
use wmlicense_wire::id::TransactionId;

/// No license of the request was stored.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// The service could not be asked, or its answer cannot be used.
    #[error(transparent)]
    Service(SessionError),
    /// Neither key IDs nor a header was given, and neither a scope nor an account says what to deliver.
    #[error("nothing was asked for: set KeyIDs, Header, Scope or AccountToken")]
    NothingAsked,
    /// The header cannot be read.
    #[error("the content header cannot be read: {0}")]
    Header(HeaderError),
    /// The header names no key ID.
    #[error("the content header names no key ID")]
    NoKeyId,
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
}

impl<E: Into<SessionError>> From<E> for AcquireError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// Licenses that nobody asked for were not taken.
impl From<GivenError> for AcquireError {
    fn from(error: GivenError) -> Self {
        match error {
            GivenError::Service(error) => Self::Service(error),
            GivenError::IssuerNotTrusted => Self::IssuerNotTrusted,
            GivenError::TooOld => Self::TooOld,
        }
    }
}

/// The device's certificate could not be renewed on the way to a license.
impl From<IndividualizeError> for AcquireError {
    fn from(error: IndividualizeError) -> Self {
        Self::Service(match error {
            IndividualizeError::Service(SessionError::Transport(TransportError::Refused(_)))
            | IndividualizeError::Refused(..) => SessionError::NeedsIndividualization,
            IndividualizeError::Service(error) => error,
            IndividualizeError::Device(_) => SessionError::Keys,
        })
    }
}
