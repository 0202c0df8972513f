//! The failures of a contact with a service: one mapping for all verbs, each with its own words.

use super::{Explain, Failure, FailureKind};
use crate::contact::{AnswerFault, SessionError};
use crate::transport::{ServiceFailure, TransportError};
use std::borrow::Cow;
use std::time::Duration;

/// HTTP status of a missing or refused account token.
const UNAUTHORIZED: u16 = 401;

/// How a verb names its own service and what went wrong with it.
#[derive(Clone, Copy)]
pub(super) struct Words {
    pub(super) unreachable: FailureKind,
    pub(super) cancelled: FailureKind,
    pub(super) broken: FailureKind,
    pub(super) bad_answer: FailureKind,
    said: Said,
}

/// What a verb says in place of the error's own text.
#[derive(Clone, Copy)]
struct Said {
    no_service: Option<&'static str>,
    unknown_service: Option<&'static str>,
    keys: Option<&'static str>,
}

const AS_IT_IS: Said = Said { no_service: None, unknown_service: None, keys: None };

pub(super) const INDIVIDUALIZATION: Words = Words {
    unreachable: FailureKind::IndividualizationUnreachable,
    cancelled: FailureKind::Cancelled,
    broken: FailureKind::ConnectionLost,
    bad_answer: FailureKind::BadAnswer,
    said: Said { keys: Some("keys could not be made"), ..AS_IT_IS },
};
pub(super) const ISSUER: Words = Words {
    unreachable: FailureKind::IssuerUnreachable,
    cancelled: FailureKind::AcquisitionCancelled,
    broken: FailureKind::ConnectionLost,
    bad_answer: FailureKind::BadLicense,
    said: Said {
        unknown_service: Some(
            "the service is not known yet: individualize the device there, \
             or acquire something over the network, first",
        ),
        ..AS_IT_IS
    },
};
pub(super) const MANAGEMENT: Words = Words {
    unreachable: FailureKind::ManagementUnreachable,
    cancelled: FailureKind::Cancelled,
    broken: FailureKind::ManagementLost,
    bad_answer: FailureKind::BadAnswer,
    said: AS_IT_IS,
};
pub(super) const REVOCATION: Words = Words {
    unreachable: FailureKind::RevocationUnreachable,
    cancelled: FailureKind::Cancelled,
    broken: FailureKind::ConnectionLost,
    bad_answer: FailureKind::BadAnswer,
    said: Said {
        no_service: Some("no service is known; set ServiceURL and individualize"),
        unknown_service: Some(
            "the service is not known yet: individualize the device there, \
             or refresh revocations over the network, first",
        ),
        ..AS_IT_IS
    },
};

impl SessionError {
    pub(super) fn explain_in(&self, words: &Words) -> Failure {
        let text = self.to_string();
        let said = |text: Option<&'static str>| text.map_or_else(|| self.to_string().into(), Cow::Borrowed);
        match self {
            Self::Cancelled => Failure::new(words.cancelled),
            Self::NoService => Failure::with(FailureKind::NoService, said(words.said.no_service)),
            Self::UnknownService => Failure::with(FailureKind::ServiceUnknown, said(words.said.unknown_service)),
            Self::AuthorityNotTrusted => Failure::with(FailureKind::AuthorityNotTrusted, text),
            Self::NeedsIndividualization => Failure::with(FailureKind::NeedsIndividualization, text),
            Self::Transport(error) => transport(error, words),
            Self::BadAnswer(fault) => Failure::with(answer(fault, words.bad_answer), text),
            Self::Store(error) => error.explain(),
            Self::Keys => Failure::with(FailureKind::KeysUnusable, said(words.said.keys)),
        }
    }
}

/// Giving back is the issuer's matter, but no acquisition: who cancels that has licenses yet.
impl Explain for SessionError {
    fn explain(&self) -> Failure {
        self.explain_in(&Words { cancelled: FailureKind::Cancelled, ..ISSUER })
    }
}

fn transport(error: &TransportError, words: &Words) -> Failure {
    let text = error.to_string();
    match error {
        TransportError::Cancelled => Failure::new(words.cancelled),
        TransportError::DeadlinePassed => Failure::with(FailureKind::DeadlinePassed, text),
        TransportError::Offline => Failure::with(FailureKind::OfflineOnly, text),
        TransportError::Url(_) => Failure::with(FailureKind::UrlNotAllowed, text),
        TransportError::Unreachable(_) => Failure::with(words.unreachable, text),
        TransportError::Broken(_) => Failure::with(words.broken, text),
        TransportError::Proxy(_) => Failure::with(FailureKind::Proxy, text),
        TransportError::Tls(_) => Failure::with(FailureKind::ServerCertificate, text),
        TransportError::TlsDate(_) => Failure::with(FailureKind::ServerCertificateDate, text),
        TransportError::Refused(failure) => refused(failure, text),
        TransportError::Unavailable(failure) => Failure::with(FailureKind::ServiceFailing, text).told_by(failure),
        TransportError::NotTheService(_) => Failure::with(FailureKind::NotTheService, text),
        TransportError::CaptivePortal(_) => Failure::with(FailureKind::CaptivePortal, text),
        TransportError::Redirect(_) => Failure::with(FailureKind::RedirectRefused, text),
        TransportError::NoDescriptor => Failure::with(FailureKind::NoDescriptors, text),
        TransportError::NoMemory => Failure::with(FailureKind::NoMemory, text),
        TransportError::TooLarge => Failure::with(FailureKind::AnswerTooLarge, text),
    }
}

fn refused(failure: &ServiceFailure, text: String) -> Failure {
    let is_of_account = failure.http_status == UNAUTHORIZED;
    let kind = if is_of_account { FailureKind::AccountRequired } else { FailureKind::ServiceRefused };
    Failure::with(kind, text).told_by(failure)
}

impl Failure {
    /// Adds what the service told.
    pub(super) fn told_by(self, service: &ServiceFailure) -> Self {
        // Each field is named, so that none that comes later can be forgotten here.
        let ServiceFailure { http_status, server_code, request_id, retry_after, message: _ } = service.clone();
        Self { http_status, server_code, request_id, ..self }.after(retry_after.map(Duration::from_secs))
    }
}

/// `general`: what the verb says of an answer with which there is no more to be done than to refuse it.
fn answer(fault: &AnswerFault, general: FailureKind) -> FailureKind {
    match fault {
        AnswerFault::Malformed(_) | AnswerFault::Undecided => general,
        AnswerFault::Signature => FailureKind::AnswerChanged,
        AnswerFault::Signer => FailureKind::AnswerSigner,
        AnswerFault::SignerRevoked => FailureKind::IssuerRevoked,
        AnswerFault::SignerDates => FailureKind::SignerDates,
        AnswerFault::OtherRequest => FailureKind::AnswerReplayed,
        AnswerFault::OtherDevice => FailureKind::OtherDevice,
        AnswerFault::Manifest => FailureKind::AnswerManifest,
        AnswerFault::OtherIssuer(_) => FailureKind::LicenseIssuer,
        AnswerFault::Twice(_) => FailureKind::LicenseTwice,
        AnswerFault::OtherTerms(_) => FailureKind::LicenseTerms,
        AnswerFault::UnaskedKid(_) | AnswerFault::UnaskedLicense(_) => FailureKind::LicenseUnasked,
        AnswerFault::Pages => FailureKind::EndlessAnswer,
        AnswerFault::DeviceCertificate(_) => FailureKind::DeviceCertificate,
        AnswerFault::ServiceClock => FailureKind::ServiceClock,
    }
}
