//! Which core error is which result. Every match names every variant, so that a new one gets its number here first.

mod answer;
mod ensure;
mod stored;

use crate::detail::Failure;
use crate::result::*;
pub(crate) use ensure::ensure;
use std::io;
use std::time::Duration;
pub(crate) use stored::decrypt;
use wmlicense_core::acquire::AcquireError;
use wmlicense_core::backup::BackupError;
use wmlicense_core::client::OpenError;
use wmlicense_core::contact::SessionError;
use wmlicense_core::device::DeviceError;
use wmlicense_core::individualize::IndividualizeError;
use wmlicense_core::keeper::{CheckError, CleanError};
use wmlicense_core::renew::RenewError;
use wmlicense_core::restore::{RestoreError, Why, wait};
use wmlicense_core::revoke::RevokeError;
use wmlicense_core::store::{Fault, StoreError};
use wmlicense_core::transport::{ServiceFailure, TransportError};
use wmlicense_media::HeaderError;
use wmlicense_wire::answer::{Reason, Refusal};
use wmlicense_wire::id::Kid;

/// HTTP status of a missing or refused account token.
const UNAUTHORIZED: u16 = 401;

/// Why a service refuses.
pub(crate) fn reason(reason: Reason) -> Failure {
    Failure::new(match reason {
        Reason::UnknownContent => WM_E_LICENSE_UNAVAILABLE,
        Reason::NotEntitled => WM_E_NOT_ENTITLED,
        Reason::UserMustAct => WM_E_NO_RIGHTS,
        Reason::LimitReached => WM_E_RESTORE_FRAUD,
        Reason::Revoked => WM_E_LICENSE_CONTENT_REVOKED,
        Reason::Expired => WM_E_LICENSE_EXPIRED,
        Reason::OtherAccount => WM_E_OTHER_ACCOUNT,
        Reason::NotAllowed => WM_E_NOT_ALLOWED,
        Reason::UnknownIssuer => WM_E_UNKNOWN_ISSUER,
        Reason::AccountRequired => WM_E_ACCOUNT_REQUIRED,
        Reason::Damaged => WM_E_INVALID_LICENSE,
        Reason::ConsentMissing => WM_E_INVALID_PROPERTY,
        Reason::DeviceRevoked => WM_E_CERTIFICATE_REVOKED,
        Reason::QuotaUsedUp => WM_E_INDIV_FRAUD,
        Reason::ApplicationRevoked => WM_E_APPCERT_REVOKED,
        Reason::Declined => return Failure::with(WM_E_LICENSE_NOTACQUIRED, "the user declined"),
        Reason::NotDecided => return Failure::with(WM_E_LICENSE_NOTACQUIRED, "the user did not decide in time"),
        Reason::Returned => WM_E_LICENSE_RETURNED,
        Reason::DeviceCopied => WM_E_DEVICE_COPIED,
        Reason::KeyReplaced => WM_E_KEY_REPLACED,
        Reason::GrantedTooOften => WM_E_GRANTED_TOO_OFTEN,
        Reason::UsedUp => WM_E_USED_UP,
    })
}

/// Why a license or a section of a backup is left out.
pub(crate) fn why(why: &Why) -> Failure {
    match why {
        Why::Refused { reason: why, wait } => later(reason(*why), *wait),
        Why::Unasked(unasked) => restore(unasked.error()),
        Why::NoKey => Failure::new(WM_E_NOT_RESTORABLE),
    }
}

/// An account whose token did not come with the request.
pub(crate) fn account_not_presented() -> Failure {
    Failure::new(WM_E_ACCOUNT_NOT_PRESENTED)
}

fn later(failure: Failure, wait: Option<Duration>) -> Failure {
    wait.into_iter().fold(failure, |failure, wait| failure.retry_after_seconds(wait.as_secs()))
}

/// A file or folder that the application named.
pub(crate) fn place(error: &io::Error) -> Failure {
    Failure::with(place_result(error), error.to_string())
}

fn place_result(error: &io::Error) -> wm_result {
    match error.kind() {
        io::ErrorKind::NotFound => WM_E_PATH_NOT_FOUND,
        _ => scarce(error).unwrap_or(WM_E_PATH_UNUSABLE),
    }
}

/// What the system has no more of.
pub(crate) fn scarce(error: &io::Error) -> Option<wm_result> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(WM_E_DISK_FULL),
        io::ErrorKind::OutOfMemory => Some(WM_E_OUTOFMEMORY),
        _ if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => Some(WM_E_NO_DESCRIPTORS),
        _ => None,
    }
}

pub(crate) fn store(error: &StoreError) -> Failure {
    let result = match error {
        StoreError::Open(_) => WM_E_UNABLE_TO_OPEN_DATA_STORE,
        StoreError::TooNew { .. } => WM_E_STORE_TOO_NEW,
        StoreError::Damaged(_) => WM_E_DATASTORE_CORRUPT,
        StoreError::OtherDevice => WM_E_HDS_KEY_MISMATCH,
        StoreError::Tampered => WM_E_CHECKPOINT_FAILED,
        StoreError::Full => WM_E_DISK_FULL,
        StoreError::ReadOnly => WM_E_STORE_READ_ONLY,
        StoreError::Busy => WM_E_BUSY,
        StoreError::Cancelled => WM_E_OPERATION_CANCELED,
        StoreError::DeadlinePassed => WM_E_DEADLINE,
        StoreError::NoMemory => WM_E_OUTOFMEMORY,
        StoreError::NoDescriptor => WM_E_NO_DESCRIPTORS,
        StoreError::Io(_) => WM_E_LICENSE_STORE_ERROR,
        StoreError::OtherPolicy(_) => WM_E_LICENSE_TERMS,
        StoreError::NoSuchLicense(_) => WM_E_LICENSE_REQUIRED,
        StoreError::NoTransaction => WM_E_NO_TRANSACTION,
        StoreError::Random => WM_E_INTERNAL,
    };
    Failure::with(result, error.to_string())
}

fn device(error: &DeviceError) -> Failure {
    let result = match error {
        DeviceError::Damaged => WM_E_SECURE_STORE_ERROR,
        DeviceError::TooNew => WM_E_STORE_TOO_NEW,
        DeviceError::Missing => WM_E_SECURE_STORE_NOT_FOUND,
        DeviceError::KeyGeneration => WM_E_SECURE_STORE_UNLOCK_ERROR,
        DeviceError::Busy => WM_E_BUSY,
        DeviceError::Cancelled => WM_E_OPERATION_CANCELED,
        DeviceError::DeadlinePassed => WM_E_DEADLINE,
        DeviceError::Io(error) => scarce(error).unwrap_or(WM_E_SECURE_STORE_UNLOCK_ERROR),
    };
    Failure::with(result, error.to_string())
}

pub(crate) fn open(error: &OpenError) -> Failure {
    match error {
        OpenError::Folder { reason, .. } => Failure::with(place_result(reason), error.to_string()),
        OpenError::Device(error) => device(error),
        OpenError::Store(error) => store(error),
    }
}

/// What a check finds wrong with a license.
pub(crate) fn fault(fault: Fault) -> Failure {
    match fault {
        Fault::Unreadable => Failure::with(WM_E_INVALID_LICENSE, "The license's row cannot be read."),
        Fault::NotSigned => Failure::with(WM_E_INVALID_LICENSE, "No service signed the license as it is stored."),
        Fault::KeyLost => Failure::with(WM_E_INVALID_LICENSE, "The license's key does not open."),
        Fault::StateLost => Failure::new(WM_E_LICENSE_UNUSABLE),
    }
}

pub(crate) fn check(error: &CheckError) -> Failure {
    let text = error.to_string();
    match error {
        CheckError::Cancelled => Failure::new(WM_E_OPERATION_CANCELED),
        CheckError::Licenses(_) => Failure::with(WM_E_INVALID_LICENSE, text),
        CheckError::Changed => Failure::with(WM_E_CHECKPOINT_FAILED, text),
        CheckError::Database(_) => Failure::with(WM_E_DATASTORE_CORRUPT, text),
        CheckError::Store(error) => store(error),
    }
}

pub(crate) fn clean(error: &CleanError) -> Failure {
    match error {
        CleanError::Cancelled => Failure::new(WM_E_OPERATION_CANCELED),
        CleanError::Store(error) => store(error),
    }
}

/// The results by which a verb names its own service and what went wrong with it.
struct Words {
    unreachable: wm_result,
    cancelled: wm_result,
    broken: wm_result,
    bad_answer: wm_result,
}

const INDIVIDUALIZATION: Words = Words {
    unreachable: WM_E_INDIV_SERVICE_UNAVAILABLE,
    cancelled: WM_E_OPERATION_CANCELED,
    broken: WM_E_CONNECTION_LOST,
    bad_answer: WM_E_BAD_ANSWER,
};
const ISSUER: Words = Words {
    unreachable: WM_E_UNABLE_TO_ACQUIRE_LICENSE,
    cancelled: WM_S_ACQUIRE_CANCELLED,
    broken: WM_E_CONNECTION_LOST,
    bad_answer: WM_E_INVALID_LICENSE_ACQUIRED,
};
const MANAGEMENT: Words = Words {
    unreachable: WM_E_RESTORE_SERVICE_UNAVAILABLE,
    cancelled: WM_E_OPERATION_CANCELED,
    broken: WM_E_BACKUP_RESTORE_TOO_MANY_RESETS,
    bad_answer: WM_E_BAD_ANSWER,
};
const REVOCATION: Words = Words {
    unreachable: WM_E_REVOCATION_SERVICE_UNAVAILABLE,
    cancelled: WM_E_OPERATION_CANCELED,
    broken: WM_E_CONNECTION_LOST,
    bad_answer: WM_E_BAD_ANSWER,
};
/// Of a deletion, which asks no service.
const NOBODY: Words = REVOCATION;

fn session(error: &SessionError, words: &Words) -> Failure {
    let text = error.to_string();
    match error {
        SessionError::Cancelled => Failure::new(words.cancelled),
        SessionError::NoService => Failure::with(WM_E_INVALID_PROPERTY, text),
        SessionError::UnknownService => Failure::with(WM_E_SERVICE_UNKNOWN, text),
        SessionError::AuthorityNotTrusted => Failure::with(WM_E_AUTHORITY_NOT_TRUSTED, text),
        SessionError::NeedsIndividualization => Failure::with(WM_E_NEEDS_INDIVIDUALIZATION, text),
        SessionError::Transport(error) => transport(error, words),
        SessionError::BadAnswer(fault) => Failure::with(answer::result(fault, words.bad_answer), text),
        SessionError::Store(error) => store(error),
        SessionError::Keys => Failure::with(WM_E_SECURE_STORE_UNLOCK_ERROR, text),
    }
}

fn refused_request(failure: &ServiceFailure, text: String) -> Failure {
    let result = if failure.http_status == UNAUTHORIZED { WM_E_ACCOUNT_REQUIRED } else { WM_E_SERVICE_REFUSED };
    Failure::with(result, text).told_by_service(failure)
}

fn transport(error: &TransportError, words: &Words) -> Failure {
    let text = error.to_string();
    match error {
        TransportError::Cancelled => Failure::new(words.cancelled),
        TransportError::DeadlinePassed => Failure::with(WM_E_DEADLINE, text),
        TransportError::Offline => Failure::with(WM_E_POLICY_DISABLE_ONLINE, text),
        TransportError::Url(_) => Failure::with(WM_E_URL_NOT_ALLOWED, text),
        TransportError::Unreachable(_) => Failure::with(words.unreachable, text),
        TransportError::Broken(_) => Failure::with(words.broken, text),
        TransportError::Proxy(_) => Failure::with(WM_E_PROXY, text),
        TransportError::Tls(_) => Failure::with(WM_E_SERVER_CERTIFICATE, text),
        TransportError::TlsDate(_) => Failure::with(WM_E_SERVER_CERTIFICATE_DATE, text),
        TransportError::Refused(failure) => refused_request(failure, text),
        TransportError::Unavailable(failure) => Failure::with(WM_E_SERVICE_FAILING, text).told_by_service(failure),
        TransportError::NotTheService(_) => Failure::with(WM_E_ERROR_BAD_NET_RESP, text),
        TransportError::CaptivePortal(_) => Failure::with(WM_E_CAPTIVE_PORTAL, text),
        TransportError::Redirect(_) => Failure::with(WM_E_REDIRECT_REFUSED, text),
        TransportError::NoDescriptor => Failure::with(WM_E_NO_DESCRIPTORS, text),
        TransportError::NoMemory => Failure::with(WM_E_OUTOFMEMORY, text),
        TransportError::TooLarge => Failure::with(WM_E_ANSWER_TOO_LARGE, text),
    }
}

pub(crate) fn individualize(error: &IndividualizeError) -> Failure {
    match error {
        IndividualizeError::Service(error) => session(error, &INDIVIDUALIZATION),
        IndividualizeError::Refused(why, failure) => reason(*why).told_by_service(failure),
        IndividualizeError::Device(error) => device(error),
    }
}

fn first_refusal(refusals: &[Refusal], now: i64) -> Failure {
    let Some(first) = refusals.first() else {
        return Failure::new(WM_E_LICENSE_UNAVAILABLE);
    };
    let failure = reason(first.reason);
    let failure = refused_kid(first).into_iter().fold(failure, Failure::about);
    later(failure, wait(first.again, now))
}

/// The key ID that a service refused: named as such, or as what was asked for.
pub(crate) fn refused_kid(refusal: &Refusal) -> Option<Kid> {
    refusal.kid.or(refusal.subject.map(Kid::new))
}

/// `now`: seconds UTC, to tell how long to wait.
pub(crate) fn acquire(error: &AcquireError, now: i64) -> Failure {
    let text = error.to_string();
    match error {
        AcquireError::Service(error) => session(error, &ISSUER),
        AcquireError::NothingAsked => Failure::with(WM_E_INVALID_PROPERTY, text),
        AcquireError::Over => Failure::with(WM_E_LICENSE_NOTACQUIRED, text),
        AcquireError::StillWaiting { .. } => Failure::with(WM_E_DEADLINE, text),
        AcquireError::Header(error) => header(error),
        AcquireError::NoKeyId | AcquireError::TooManyKeyIds => Failure::with(WM_E_INVALID_LICENSE_REQUEST, text),
        AcquireError::Refused(refusals) => first_refusal(refusals, now),
        AcquireError::InteractionRequired { .. } => Failure::with(WM_E_NO_RIGHTS, text),
        AcquireError::Later { from, .. } => {
            let wait = u64::try_from(from.saturating_sub(now)).unwrap_or(0);
            Failure::with(WM_E_SERVICE_FAILING, text).retry_after_seconds(wait)
        }
        AcquireError::TooOld => Failure::with(WM_E_LICENSE_TOO_OLD, text),
        AcquireError::IssuerNotTrusted => Failure::with(WM_E_ISSUER_NOT_TRUSTED, text),
        AcquireError::RemovedForGood => Failure::with(WM_E_LICENSE_REMOVED, text),
    }
}

pub(crate) fn renew(error: &RenewError, now: i64) -> Failure {
    match error {
        RenewError::NothingStored => Failure::with(WM_E_LICENSE_REQUIRED, error.to_string()),
        RenewError::Acquire(error) => acquire(error, now),
    }
}

pub(crate) fn delete(error: &SessionError) -> Failure {
    session(error, &NOBODY)
}

pub(crate) fn backup(error: &BackupError) -> Failure {
    let text = error.to_string();
    match error {
        BackupError::Cancelled => Failure::new(WM_E_OPERATION_CANCELED),
        BackupError::Exists => Failure::with(WM_E_BACKUP_EXISTS, text),
        BackupError::Place(error) => place(error),
        BackupError::Occupied => Failure::with(WM_E_PATH_OCCUPIED, text),
        BackupError::ReadOnly(_) => Failure::with(WM_E_PATH_READ_ONLY, text),
        BackupError::Medium(_) => Failure::with(WM_E_MEDIUM_FAILED, text),
        BackupError::Full => Failure::with(WM_E_DISK_FULL, text),
        BackupError::Keys => Failure::with(WM_E_SECURE_STORE_UNLOCK_ERROR, text),
        BackupError::Store(error) => store(error),
    }
}

pub(crate) fn restore(error: &RestoreError) -> Failure {
    let text = error.to_string();
    match error {
        RestoreError::Service(error) => session(error, &MANAGEMENT),
        RestoreError::NotFound => Failure::with(WM_E_BACKUP_NOT_FOUND, text),
        RestoreError::Place(error) => place(error),
        RestoreError::Occupied => Failure::with(WM_E_PATH_OCCUPIED, text),
        RestoreError::Medium(_) => Failure::with(WM_E_MEDIUM_FAILED, text),
        RestoreError::Corrupt(_) => Failure::with(WM_E_BACKUP_CORRUPT, text),
        RestoreError::TooNew => Failure::with(WM_E_BACKUP_TOO_NEW, text),
        RestoreError::NotRestorable => Failure::with(WM_E_NOT_RESTORABLE, text),
        RestoreError::Individualize(error) => individualize(error),
        RestoreError::Refused { reason: Reason::Damaged, .. } => Failure::with(WM_E_BACKUP_RESTORE_BAD_DATA, text),
        RestoreError::Refused { reason: why, wait, .. } => later(reason(*why), *wait),
    }
}

pub(crate) fn revoke(error: &RevokeError) -> Failure {
    let text = error.to_string();
    match error {
        RevokeError::Service(error) => session(error, &REVOCATION),
        RevokeError::Refused { reason: why, .. } => Failure::with(reason(*why).result(), text),
        RevokeError::Malformed(_) => Failure::with(WM_E_INVALID_CRL, text),
        RevokeError::TooLong => Failure::with(WM_E_REVOCATION_TOO_LONG, text),
        RevokeError::NotSigned => Failure::with(WM_E_REVOCATION_NOT_SIGNED, text),
        RevokeError::UnknownKey => Failure::with(WM_E_REVOCATION_UNKNOWN_KEY, text),
        RevokeError::OtherDevice => Failure::with(WM_E_REVOCATION_OTHER_DEVICE, text),
        RevokeError::Older(_) => Failure::with(WM_E_REVOCATION_OLDER, text),
        RevokeError::Conflict => Failure::with(WM_E_REVOCATION_CONFLICT, text),
        RevokeError::Ahead => Failure::with(WM_E_REVOCATION_AHEAD, text),
    }
}

pub(crate) fn header(error: &HeaderError) -> Failure {
    match error {
        HeaderError::Io(error) => place(error),
        HeaderError::UnknownVersion { .. } => Failure::with(WM_E_CONTENT_HEADER_TOO_NEW, error.to_string()),
        HeaderError::UnknownScheme { .. } | HeaderError::NotSupported { .. } => {
            Failure::with(WM_E_UNSUPPORTED_ALGORITHM, error.to_string())
        }
        HeaderError::NotRecognised
        | HeaderError::Truncated { .. }
        | HeaderError::BadSize { .. }
        | HeaderError::BadValue { .. }
        | HeaderError::BadText { .. }
        | HeaderError::TooMany { .. }
        | HeaderError::TooLarge { .. }
        | HeaderError::Missing { .. }
        | HeaderError::NotAllowed { .. }
        | HeaderError::Inside { .. }
        | HeaderError::NoSuchTrack { .. }
        | HeaderError::NoSampleData { .. }
        | HeaderError::SampleCountMismatch { .. } => Failure::with(WM_E_MALFORMED_CONTENT_HEADER, error.to_string()),
    }
}

#[cfg(test)]
mod tests;
