//! Why a service could not be asked, and what that means for a transaction.

use super::AnswerFault;
use crate::operation::Cancelled;
use crate::store::{StoreError, TransactionState};
use crate::transport::{ServiceFailure, TransportError};
use wmlicense_wire::answer::AnswerError;
use wmlicense_wire::certificate::CertificateError;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::service_document::ServiceDocumentError;

/// A service could not be asked, or its answer cannot be used. The error of every verb that asks one holds this.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// No URL of a service is set.
    #[error("no service URL is set")]
    NoService,
    /// Nothing was ever heard from the service, and a request that is carried makes no contact.
    #[error(
        "the service is not known yet: individualize the device there, or ask it for something over the network, first"
    )]
    UnknownService,
    /// The service's authority is none of the client's.
    #[error("the service belongs to an authority that this client does not trust")]
    AuthorityNotTrusted,
    /// The device has no certificate that the service accepts.
    #[error("the device must be individualized first")]
    NeedsIndividualization,
    /// No usable answer.
    #[error(transparent)]
    Transport(TransportError),
    /// The answer does not verify.
    #[error("the service's answer is not acceptable: {0}")]
    BadAnswer(AnswerFault),
    /// The store.
    #[error(transparent)]
    Store(StoreError),
    /// The device's keys failed.
    #[error("the device's keys cannot be used")]
    Keys,
}

impl From<Cancelled> for SessionError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<TransportError> for SessionError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Cancelled => Self::Cancelled,
            other => Self::Transport(other),
        }
    }
}

impl From<AnswerFault> for SessionError {
    fn from(fault: AnswerFault) -> Self {
        Self::BadAnswer(fault)
    }
}

impl From<AnswerError> for SessionError {
    fn from(error: AnswerError) -> Self {
        Self::BadAnswer(error.into())
    }
}

impl From<CertificateError> for SessionError {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::NotTrusted => Self::AuthorityNotTrusted,
            other => Self::BadAnswer(other.into()),
        }
    }
}

impl From<ServiceDocumentError> for SessionError {
    fn from(error: ServiceDocumentError) -> Self {
        match error {
            ServiceDocumentError::Certificate(error) => error.into(),
            other => Self::BadAnswer(other.into()),
        }
    }
}

impl SessionError {
    /// Of a request that the device signed with its certificate, which the service may not accept.
    pub(super) fn of_certified(error: TransportError) -> Self {
        match error {
            TransportError::Refused(failure) if failure.server_code == ProblemKind::UnknownDevice.code() => {
                Self::NeedsIndividualization
            }
            other => other.into(),
        }
    }

    /// True if the operation was cancelled, also while it waited for the store.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Store(StoreError::Cancelled))
    }

    /// True if it says something of the contact with the service, not of this device or its store.
    pub(crate) fn is_of_contact(&self) -> bool {
        match self {
            Self::NoService
            | Self::UnknownService
            | Self::AuthorityNotTrusted
            | Self::NeedsIndividualization
            | Self::Transport(_)
            | Self::BadAnswer(_) => true,
            Self::Cancelled | Self::Store(_) | Self::Keys => false,
        }
    }

    fn refusal(&self) -> Option<&ServiceFailure> {
        if let Self::Transport(TransportError::Refused(failure)) = self { Some(failure) } else { None }
    }

    /// How the transaction ends whose request got this error; `None` if the same bytes may still succeed. An unsigned
    /// refusal ends at most the transaction.
    pub(crate) fn transaction_end(&self) -> Option<TransactionState> {
        if self.is_unknown_device() {
            return Some(TransactionState::Refused);
        }
        let code = self.refusal()?.server_code;
        if code == ProblemKind::Gone.code() {
            return Some(TransactionState::Expired);
        }
        let ends = [ProblemKind::Conflict, ProblemKind::BadRequest, ProblemKind::TooLarge, ProblemKind::UnknownDevice];
        ends.iter().any(|kind| kind.code() == code).then_some(TransactionState::Refused)
    }

    /// True if the service knows the transaction with other bytes.
    pub(crate) fn is_conflict(&self) -> bool {
        self.refusal().is_some_and(|failure| failure.server_code == ProblemKind::Conflict.code())
    }

    /// True if the request was longer than the service, or a proxy before it, takes.
    pub(crate) fn is_request_too_long(&self) -> bool {
        self.refusal().is_some_and(|failure| failure.http_status == 413)
    }

    /// True if the service does not accept the device's certificate.
    pub(crate) fn is_unknown_device(&self) -> bool {
        matches!(self, Self::NeedsIndividualization)
    }
}
