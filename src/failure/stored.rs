//! Why a stored license does not decrypt, as a result.

use super::store;
use crate::detail::Failure;
use crate::result::*;
use wmlicense_core::decryptor::UseError;
use wmlicense_core::rights;
use wmlicense_media::cenc::SampleError;

/// Why a stored license does not permit an action.
pub(super) fn right(refusal: rights::Refusal) -> Failure {
    Failure::new(match refusal {
        rights::Refusal::NoLicense => WM_E_LICENSE_REQUIRED,
        rights::Refusal::NoRight => WM_E_LICENSE_INCORRECT_RIGHTS,
        rights::Refusal::Exhausted => WM_E_USED_UP,
        rights::Refusal::Expired => WM_E_LICENSE_OUTOFDATE,
        rights::Refusal::NotStarted => WM_E_LICENSE_NOTENABLED,
        rights::Refusal::ApplicationLevelTooLow => WM_E_LICENSE_APPSECLOW,
        rights::Refusal::NeedsIndividualization => WM_E_NEEDS_INDIVIDUALIZATION,
        rights::Refusal::Clock => WM_E_CLOCK,
        rights::Refusal::RootMissing => WM_E_NO_UPLINK_LICENSE,
        rights::Refusal::SubscriptionEnded => WM_E_SUBSCRIPTION_ENDED,
        rights::Refusal::StateLost => WM_E_LICENSE_UNUSABLE,
        rights::Refusal::IssuerRevoked => WM_E_ISSUER_REVOKED,
        rights::Refusal::DeviceRevoked => WM_E_CERTIFICATE_REVOKED,
        rights::Refusal::ApplicationRevoked => WM_E_APPCERT_REVOKED,
        rights::Refusal::StatusListTooOld => WM_E_RIV_TOO_SMALL,
        rights::Refusal::UnknownCondition => WM_E_NEED_UPGRADE_PD,
    })
}

pub(crate) fn decrypt(error: &UseError) -> Failure {
    match error {
        UseError::Refused(refusal) => right(*refusal),
        UseError::Store(error) => store(error),
        UseError::Sample(error) => match error {
            SampleError::Subsamples { .. } | SampleError::IvLength { .. } | SampleError::Pattern { .. } => {
                Failure::with(WM_E_INVALID_DATA, error.to_string())
            }
        },
    }
}
