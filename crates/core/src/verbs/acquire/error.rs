//! Why no license of a request was stored.

use crate::contact::SessionError;
use crate::contact::given::GivenError;
use crate::event::wait;
use crate::transport::TransportError;
use crate::verbs::individualize::IndividualizeError;
use std::time::Duration;
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
    Refused {
        /// What is refused, and why.
        refusals: Vec<Refusal>,
        /// How long the first will be so at least, where it is refused for a time only.
        wait: Option<Duration>,
    },
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
        /// Until the first of the two.
        wait: Duration,
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

impl AcquireError {
    /// A refusal of `now`, seconds UTC.
    pub(crate) fn refused(refusals: Vec<Refusal>, now: i64) -> Self {
        let wait = wait(refusals.first().and_then(|first| first.again), now);
        Self::Refused { refusals, wait }
    }

    /// What the service asks for at `now`: to come back between two times. All in seconds UTC.
    pub(super) fn later((from, until): (i64, i64), now: i64) -> Self {
        let wait = Duration::from_secs(u64::try_from(from.saturating_sub(now)).unwrap_or(0));
        Self::Later { from, until, wait }
    }

    /// The page that waits for the user, with the transaction that goes on after it.
    pub fn waiting_page(&self) -> Option<(&str, TransactionId)> {
        match self {
            Self::InteractionRequired { url, transaction } | Self::StillWaiting { url, transaction } => {
                Some((url, *transaction))
            }
            Self::Service(_)
            | Self::NothingAsked
            | Self::Header(_)
            | Self::NoKeyId
            | Self::Refused { .. }
            | Self::Over
            | Self::TooManyKeyIds
            | Self::Later { .. }
            | Self::TooOld
            | Self::IssuerNotTrusted
            | Self::RemovedForGood => None,
        }
    }
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
