//! What somebody decided against: a service, a stored license, a check of the store.

use super::{Explain, Failure, FailureKind};
use crate::decryptor::UseError;
use crate::event::{LicenseFault, Why};
use crate::rights;
use wmlicense_media::cenc::SampleError;
use wmlicense_wire::answer::Reason;

/// Why a service refuses.
impl Explain for Reason {
    fn explain(&self) -> Failure {
        Failure::new(match self {
            Self::UnknownContent => FailureKind::ContentUnknown,
            Self::NotEntitled => FailureKind::NotEntitled,
            Self::UserMustAct => FailureKind::UserMustAct,
            Self::LimitReached => FailureKind::DeviceLimit,
            Self::Revoked => FailureKind::LicenseRevoked,
            Self::Expired => FailureKind::LicenseEnded,
            Self::OtherAccount => FailureKind::OtherAccount,
            Self::NotAllowed => FailureKind::NotAllowed,
            Self::UnknownIssuer => FailureKind::IssuerUnknown,
            Self::AccountRequired => FailureKind::AccountRequired,
            Self::Damaged => FailureKind::LicenseDamaged,
            Self::ConsentMissing => FailureKind::ConsentMissing,
            Self::DeviceRevoked => FailureKind::DeviceRevoked,
            Self::QuotaUsedUp => FailureKind::QuotaUsedUp,
            Self::ApplicationRevoked => FailureKind::ApplicationRevoked,
            Self::Declined => return Failure::with(FailureKind::NotAcquired, "the user declined"),
            Self::NotDecided => return Failure::with(FailureKind::NotAcquired, "the user did not decide in time"),
            Self::Returned => FailureKind::LicenseReturned,
            Self::DeviceCopied => FailureKind::DeviceCopied,
            Self::KeyReplaced => FailureKind::KeyReplaced,
            Self::GrantedTooOften => FailureKind::GrantedTooOften,
            Self::UsedUp => FailureKind::UsedUp,
        })
    }
}

/// Why a license or a section of a backup is left out.
impl Explain for Why {
    fn explain(&self) -> Failure {
        match self {
            Self::Refused { reason, wait } => reason.explain().after(*wait),
            Self::Unasked(failure) => failure.clone(),
            Self::NoKey => Failure::new(FailureKind::NotRestorable),
        }
    }
}

/// What a check finds wrong with a license.
impl Explain for LicenseFault {
    fn explain(&self) -> Failure {
        let damaged = |text| Failure::with(FailureKind::LicenseDamaged, text);
        match self {
            Self::Unreadable => damaged("The license's row cannot be read."),
            Self::NotSigned => damaged("No service signed the license as it is stored, or it was removed for good."),
            Self::KeyLost => damaged("The license's key does not open."),
            Self::StateLost => Failure::new(FailureKind::StateLost),
        }
    }
}

/// Why a stored license does not permit an action.
impl Explain for rights::Refusal {
    fn explain(&self) -> Failure {
        Failure::new(match self {
            Self::NoLicense => FailureKind::NoLicense,
            Self::NoRight => FailureKind::NoRight,
            Self::Exhausted => FailureKind::UsedUp,
            Self::Expired => FailureKind::Expired,
            Self::NotStarted => FailureKind::NotStarted,
            Self::ApplicationLevelTooLow => FailureKind::ApplicationLevelTooLow,
            Self::NeedsIndividualization => FailureKind::NeedsIndividualization,
            Self::Clock => FailureKind::Clock,
            Self::RootMissing => FailureKind::RootMissing,
            Self::SubscriptionEnded => FailureKind::SubscriptionEnded,
            Self::StateLost => FailureKind::StateLost,
            Self::IssuerRevoked => FailureKind::IssuerRevoked,
            Self::DeviceRevoked => FailureKind::DeviceRevoked,
            Self::ApplicationRevoked => FailureKind::ApplicationRevoked,
            Self::StatusListTooOld => FailureKind::StatusListTooOld,
            Self::UnknownCondition => FailureKind::UnknownCondition,
        })
    }
}

impl Explain for UseError {
    fn explain(&self) -> Failure {
        match self {
            Self::Refused(refusal) => refusal.explain(),
            Self::Store(error) => error.explain(),
            Self::Sample(error) => match error {
                SampleError::Subsamples { .. } | SampleError::IvLength { .. } | SampleError::Pattern { .. } => {
                    Failure::with(FailureKind::SampleContradicts, error.to_string())
                }
            },
        }
    }
}
