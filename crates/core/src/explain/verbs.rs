//! The failures of the verbs that ask services, each with its own words for the service.

use super::contact::{INDIVIDUALIZATION, ISSUER, MANAGEMENT, REVOCATION};
use super::storage::place;
use super::{Explain, Failure, FailureKind};
use crate::verbs::acquire::AcquireError;
use crate::verbs::ensure::EnsureError;
use crate::verbs::individualize::IndividualizeError;
use crate::verbs::renew::RenewError;
use crate::verbs::restore::RestoreError;
use crate::verbs::revoke::RevokeError;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::Kid;

impl Explain for IndividualizeError {
    fn explain(&self) -> Failure {
        match self {
            Self::Service(error) => error.explain_in(&INDIVIDUALIZATION),
            Self::Refused(why, failure) => why.explain().told_by(failure),
            Self::Device(error) => error.explain(),
        }
    }
}

impl Explain for AcquireError {
    fn explain(&self) -> Failure {
        let text = self.to_string();
        match self {
            // The same wherever the cancel found it.
            Self::Service(error) if error.is_cancelled() => Failure::new(ISSUER.cancelled),
            Self::Service(error) => error.explain_in(&ISSUER),
            Self::NothingAsked => Failure::with(FailureKind::NotSet, text),
            Self::Over => Failure::with(FailureKind::NotAcquired, text),
            Self::StillWaiting { .. } => Failure::with(FailureKind::DeadlinePassed, text),
            Self::Header(error) => error.explain(),
            Self::NoKeyId | Self::TooManyKeyIds => Failure::with(FailureKind::NoKeyId, text),
            Self::Refused { refusals, wait } => {
                let Some(first) = refusals.first() else { return Failure::new(FailureKind::ContentUnknown) };
                let page = refusals.iter().find_map(|refusal| refusal.url.clone());
                let failure = Failure { page, ..first.reason.explain().after(*wait) };
                // Named as such, or as what was asked for.
                let kid = first.kid.or(first.subject.map(Kid::new));
                kid.into_iter().fold(failure, Failure::about)
            }
            Self::InteractionRequired { .. } => Failure::with(FailureKind::UserMustAct, text),
            Self::Later { wait, .. } => Failure::with(FailureKind::ServiceFailing, text).after(Some(*wait)),
            Self::TooOld => Failure::with(FailureKind::LicensesTooOld, text),
            Self::IssuerNotTrusted => Failure::with(FailureKind::IssuerNotTrusted, text),
            Self::RemovedForGood => Failure::with(FailureKind::LicensesRemoved, text),
        }
    }
}

impl Explain for RenewError {
    fn explain(&self) -> Failure {
        match self {
            Self::NothingStored => Failure::with(FailureKind::NoLicense, self.to_string()),
            Self::Acquire(error) => error.explain(),
            Self::Partly { failure, .. } => failure.error.explain(),
        }
    }
}

/// As the step that failed.
impl Explain for EnsureError {
    fn explain(&self) -> Failure {
        match self {
            Self::Individualize(error) => error.explain(),
            // There is no status that could carry the page.
            Self::UserMustAct { kid, .. } => Failure::with(FailureKind::UserMustAct, self.to_string()).about(*kid),
            Self::Acquire(error) => error.explain(),
            Self::Withheld { kid, reason, wait } => reason.explain().after(*wait).about(*kid),
            Self::Refused(kid, refusal) => refusal.explain().about(*kid),
        }
    }
}

impl Explain for RestoreError {
    fn explain(&self) -> Failure {
        let text = self.to_string();
        match self {
            Self::Service(error) => error.explain_in(&MANAGEMENT),
            Self::NotFound => Failure::with(FailureKind::BackupNotFound, text),
            Self::Place(error) => place(error),
            Self::Occupied => Failure::with(FailureKind::PlaceOccupied, text),
            Self::Medium(_) => Failure::with(FailureKind::MediumFailed, text),
            Self::Corrupt(_) => Failure::with(FailureKind::BackupCorrupt, text),
            Self::TooNew => Failure::with(FailureKind::BackupTooNew, text),
            Self::NotRestorable => Failure::with(FailureKind::NotRestorable, text),
            Self::Individualize(error) => error.explain(),
            Self::Refused { reason, wait, url } => {
                let failure = match reason {
                    Reason::Damaged => Failure::with(FailureKind::BackupUnreadable, text),
                    reason => reason.explain().after(*wait),
                };
                Failure { page: url.clone(), ..failure }
            }
        }
    }
}

impl Explain for RevokeError {
    fn explain(&self) -> Failure {
        let text = self.to_string();
        match self {
            Self::Service(error) => error.explain_in(&REVOCATION),
            Self::Refused { reason, url } => {
                Failure { page: url.clone(), ..Failure::with(reason.explain().kind, text) }
            }
            Self::Malformed(_) => Failure::with(FailureKind::RevocationMalformed, text),
            Self::TooLong => Failure::with(FailureKind::RevocationTooLong, text),
            Self::NotSigned => Failure::with(FailureKind::RevocationNotSigned, text),
            Self::UnknownKey => Failure::with(FailureKind::RevocationUnknownKey, text),
            Self::OtherDevice => Failure::with(FailureKind::RevocationOtherDevice, text),
            Self::Older(_) => Failure::with(FailureKind::RevocationOlder, text),
            Self::Conflict => Failure::with(FailureKind::RevocationConflict, text),
            Self::Ahead => Failure::with(FailureKind::RevocationAhead, text),
        }
    }
}
