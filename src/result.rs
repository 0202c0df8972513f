//! The one table of results: name, number, what an application can do about it, and a sentence for people. Of what the core
//! explains the table says the number only.

use crate::kinds::{Category, Remedy};
use crate::lists::c_name;
use std::ffi::{CStr, c_char};
use wmlicense_core::failure::FailureKind;

/// Result of a call or an operation: negative is a failure, 0 and positive numbers are successes that may carry
/// information. Numbers have HRESULT meaning; published ones keep their published value.
pub type wm_result = i32;

/// One row of the table.
pub(crate) struct Row {
    /// Name in the header.
    pub(crate) name: &'static CStr,
    /// Number.
    pub(crate) value: wm_result,
    /// One sentence for people.
    pub(crate) message: &'static CStr,
    /// Kind of failure.
    pub(crate) category: Category,
    /// What helps.
    pub(crate) remedy: Remedy,
    /// Whether the same call may succeed later without anything else changing.
    pub(crate) retryable: bool,
}

impl Row {
    const fn of(name: &'static CStr, value: wm_result, kind: FailureKind) -> Self {
        let (message, retryable) = (kind.c_sentence(), kind.is_retryable());
        Self { name, value, message, category: kind.category(), remedy: kind.remedy(), retryable }
    }
}

/// Builds the constants, the table and the number of each kind of failure from one list.
macro_rules! results {
    ($($name:ident = $value:literal $(is $kind:ident $(or $other:ident)*)?
        $(, $category:ident, $remedy:ident, $retryable:literal, $message:literal)?;)*) => {
        $(pub(crate) const $name: wm_result = $value as u32 as i32;)*

        /// Every result, in the order of the header.
        pub(crate) const RESULTS: &[Row] = &[$(
            $(Row::of(c_name(concat!(stringify!($name), "\0")), $name, FailureKind::$kind))?
            $(Row {
                name: c_name(concat!(stringify!($name), "\0")),
                value: $name,
                message: $message,
                category: Category::$category,
                remedy: Remedy::$remedy,
                retryable: $retryable,
            })?
        ),*];

        /// The result of a kind of failure.
        pub(crate) const fn of(kind: FailureKind) -> wm_result {
            match kind {
                $($(FailureKind::$kind $(| FailureKind::$other)* => $name,)?)*
            }
        }
    };
}

results! {
    // Successes.
    WM_S_OK = 0x0000_0000, None, None, false, c"Done.";
    WM_S_FALSE = 0x0000_0001, None, None, false, c"Done; the answer is no.";
    WM_S_LICENSE_ACQUIRED = 0x000D_2726, None, None, false, c"The license is stored.";
    WM_S_INDIVIDUALIZED = 0x000D_2727, None, None, false, c"The device is individualized.";
    WM_S_ACQUIRE_CANCELLED = 0x000D_2747 is AcquisitionCancelled;
    WM_S_BACKUP_CLOSED = 0x000D_2A04, None, None, false, c"What this device opens of the backup is whole; the rest only its own device or a service can open.";
    WM_S_STORE_REPAIRED = 0x000D_2A01, None, None, false, c"The store was damaged and is repaired.";
    WM_S_NOTHING_NEW = 0x000D_2A02, None, None, false, c"The service has nothing new for this device.";
    WM_S_LICENSE_KNOWN = 0x000D_2A07, None, None, false, c"The device has these licenses already; nothing changed.";
    WM_S_MONITOR_CANCELLED = 0x000D_2746, Cancelled, None, true, c"The monitor was cancelled; no license is stored.";
    WM_S_RESTORE_PARTIAL = 0x000D_2A00, None, None, false, c"Some licenses are restored; statuses told why the others are not.";
    WM_S_MORE_TO_FETCH = 0x000D_2A05, None, None, false, c"What came is stored; further pages wait to be fetched with the next challenge.";
    WM_S_NOTHING_TO_RENEW = 0x000D_2A03, None, None, false, c"No stored license is to be renewed.";
    // Calls.
    WM_E_OUTOFMEMORY = 0x8007_000E is NoMemory;
    WM_E_NO_DESCRIPTORS = 0xC00D_2A61 is NoDescriptors;
    WM_E_INVALIDARG = 0x8007_0057, Call, FixCall, false, c"An argument is NULL or out of range.";
    WM_E_NO_MORE_ITEMS = 0x8007_0103, None, None, false, c"There are no more items.";
    WM_E_INVALID_HANDLE = 0xC00D_2A00, Call, FixCall, false, c"The handle was released, is of another type, or never was one.";
    WM_E_FORKED = 0xC00D_2A01, Call, FixCall, false, c"The process was forked; the library works only in the parent.";
    WM_E_TIMEOUT = 0xC00D_2A02, State, Retry, true, c"The operation is still running.";
    WM_E_WOULD_DEADLOCK = 0xC00D_2A03, Call, FixCall, false, c"Waiting inside the object's own callback would never end.";
    WM_E_NO_OPERATION = 0xC00D_2A04, State, FixCall, false, c"No operation was started on this object.";
    WM_E_NOT_OPEN = 0xC00D_2A05, State, FixCall, false, c"The client is not open.";
    WM_E_ALREADY_OPEN = 0xC00D_2A06, State, FixCall, false, c"It is open already, and what is fixed at opening stays as it is.";
    WM_E_WRONG_TYPE = 0xC00D_2A07, Call, FixCall, false, c"The property has another type.";
    WM_E_BAD_VALUE = 0xC00D_2A08, Call, FixCall, false, c"The value or its size is not acceptable.";
    WM_E_INTERNAL = 0xC00D_2A09 is Internal;
    WM_E_INVALID_PROPERTY = 0xC00D_2749 is NotSet or NoService or ConsentMissing;
    WM_E_BUFFER_TOO_SMALL = 0xC00D_275C, Call, FixCall, false, c"The buffer is too small.";
    WM_E_UNSUPPORTED_PROPERTY = 0xC00D_275D, Call, FixCall, false, c"The object has no such property, or it has no value.";
    WM_E_BUSY = 0xC00D_2841 is Busy;
    WM_E_BACKUPRESTORE_BUSY = 0xC00D_2744, State, Retry, true, c"A backup or restore is running on this object.";
    WM_E_ACQUIRING_LICENSE = 0xC00D_272B, State, Retry, true, c"An acquisition is running on this object.";
    WM_E_INDIVIDUALIZING = 0xC00D_272C, State, Retry, true, c"An individualization is running on this object.";
    WM_E_OPERATION_CANCELED = 0xC00D_2768 is Cancelled;
    // Network and service.
    WM_E_INDIV_SERVICE_UNAVAILABLE = 0xC00D_2845 is IndividualizationUnreachable;
    WM_E_RESTORE_SERVICE_UNAVAILABLE = 0xC00D_2846 is ManagementUnreachable;
    WM_E_UNABLE_TO_ACQUIRE_LICENSE = 0xC00D_271E is IssuerUnreachable;
    WM_E_SERVICE_UNKNOWN = 0xC00D_2A59 is ServiceUnknown;
    WM_E_SERVICE_FAILING = 0xC00D_2A22 is ServiceFailing;
    WM_E_DEADLINE = 0xC00D_2A23 is DeadlinePassed;
    WM_E_SERVER_CERTIFICATE = 0xC00D_2A24 is ServerCertificate;
    WM_E_AUTHORITY_NOT_TRUSTED = 0xC00D_2A25 is AuthorityNotTrusted;
    WM_E_SERVICE_REFUSED = 0xC00D_2A26 is ServiceRefused;
    WM_E_BAD_ANSWER = 0xC00D_2A27 is BadAnswer;
    WM_E_SIGNATURE_FAILURE = 0xC00D_283F is AnswerChanged;
    WM_E_ANSWER_SIGNER = 0xC00D_2A4C is AnswerSigner;
    WM_E_LICENSE_CERT_EXPIRED = 0xC00D_27DF is SignerDates;
    WM_E_ANSWER_REPLAYED = 0xC00D_2A45 is AnswerReplayed;
    WM_E_INVALID_MACHINE = 0xC00D_2719 is OtherDevice;
    WM_E_ANSWER_MANIFEST = 0xC00D_2A46 is AnswerManifest;
    WM_E_LICENSE_ISSUER = 0xC00D_2A47 is LicenseIssuer;
    WM_E_LICENSE_TWICE = 0xC00D_2A48 is LicenseTwice;
    WM_E_LICENSE_TERMS = 0xC00D_2A4E is LicenseTerms;
    WM_E_LICENSE_TOO_OLD = 0xC00D_2A6C is LicensesTooOld;
    WM_E_LICENSE_REMOVED = 0xC00D_2A6D is LicensesRemoved;
    WM_E_ISSUER_NOT_TRUSTED = 0xC00D_2A6E is IssuerNotTrusted;
    WM_E_LICENSE_UNASKED = 0xC00D_2A49 is LicenseUnasked;
    WM_E_ENDLESS_ANSWER = 0xC00D_2A4A is EndlessAnswer;
    WM_E_INVALID_CERTIFICATE = 0xC00D_28A0 is DeviceCertificate;
    WM_E_SERVICE_CLOCK = 0xC00D_2A4B is ServiceClock;
    WM_E_URL_NOT_ALLOWED = 0xC00D_2A28 is UrlNotAllowed;
    WM_E_ERROR_BAD_NET_RESP = 0xC00D_275E is NotTheService;
    WM_E_CONNECTION_LOST = 0xC00D_2A33 is ConnectionLost;
    WM_E_PROXY = 0xC00D_2A34 is Proxy;
    WM_E_CAPTIVE_PORTAL = 0xC00D_2A35 is CaptivePortal;
    WM_E_REDIRECT_REFUSED = 0xC00D_2A36 is RedirectRefused;
    WM_E_ANSWER_TOO_LARGE = 0xC00D_2A37 is AnswerTooLarge;
    WM_E_SERVER_CERTIFICATE_DATE = 0xC00D_2A38 is ServerCertificateDate;
    WM_E_POLICY_DISABLE_ONLINE = 0xC00D_2762 is OfflineOnly;
    // What a service decides.
    WM_E_NO_RIGHTS = 0xC00D_2720 is UserMustAct;
    WM_E_LICENSE_NOTACQUIRED = 0xC00D_2759 is NotAcquired;
    WM_E_LICENSE_UNAVAILABLE = 0xC00D_28A2 is ContentUnknown;
    WM_E_RESTORE_FRAUD = 0xC00D_2753 is DeviceLimit;
    WM_E_LICENSE_CONTENT_REVOKED = 0xC00D_27E1 is LicenseRevoked;
    WM_E_LICENSE_EXPIRED = 0xC00D_27D8 is LicenseEnded;
    WM_E_OTHER_ACCOUNT = 0xC00D_2A29 is OtherAccount;
    WM_E_NOT_ALLOWED = 0xC00D_2A2A is NotAllowed;
    WM_E_NOT_ENTITLED = 0xC00D_2A4D is NotEntitled;
    WM_E_LICENSE_RETURNED = 0xC00D_2A44 is LicenseReturned;
    WM_E_UNKNOWN_ISSUER = 0xC00D_2A2B is IssuerUnknown;
    WM_E_ACCOUNT_NOT_PRESENTED = 0xC00D_2A58, Call, FixCall, false, c"The challenge was answered without the account that is set: send its token along, as Authorization: Bearer.";
    WM_E_ACCOUNT_REQUIRED = 0xC00D_2A2C is AccountRequired;
    WM_E_CERTIFICATE_REVOKED = 0xC00D_28A1 is DeviceRevoked;
    WM_E_DEVICE_COPIED = 0xC00D_2A4F is DeviceCopied;
    WM_E_KEY_REPLACED = 0xC00D_2A53 is KeyReplaced;
    WM_E_GRANTED_TOO_OFTEN = 0xC00D_2A54 is GrantedTooOften;
    WM_E_INDIV_FRAUD = 0xC00D_2843 is QuotaUsedUp;
    WM_E_INVALID_LICENSE = 0xC00D_2718 is LicenseDamaged or LicensesDamaged;
    WM_E_INVALID_LICENSE_ACQUIRED = 0xC00D_271F is BadLicense;
    WM_E_INVALID_LICENSE_REQUEST = 0xC00D_271C is NoKeyId;
    WM_E_NO_TRANSACTION = 0xC00D_2A2F is NoTransaction;
    WM_E_NEEDS_INDIVIDUALIZATION = 0xC00D_2728 is NeedsIndividualization;
    // Rights.
    WM_E_LICENSE_REQUIRED = 0xC00D_0BBE is NoLicense;
    WM_E_LICENSE_OUTOFDATE = 0xC00D_0BC0 is Expired;
    WM_E_LICENSE_INCORRECT_RIGHTS = 0xC00D_0BC1 is NoRight;
    WM_E_NEED_UPGRADE_PD = 0xC00D_283E is UnknownCondition;
    WM_E_LICENSE_NOTENABLED = 0xC00D_27D9 is NotStarted;
    WM_E_LICENSE_APPSECLOW = 0xC00D_27DA is ApplicationLevelTooLow;
    WM_E_LICENSE_UNUSABLE = 0xC00D_2748 is StateLost;
    WM_E_NO_UPLINK_LICENSE = 0xC00D_2848 is RootMissing;
    WM_E_SUBSCRIPTION_ENDED = 0xC00D_2A3A is SubscriptionEnded;
    WM_E_RIV_TOO_SMALL = 0xC00D_28B7 is StatusListTooOld;
    WM_E_ISSUER_REVOKED = 0xC00D_2A3B is IssuerRevoked;
    WM_E_INVALID_CRL = 0xC00D_28B1 is RevocationMalformed;
    WM_E_REVOCATION_NOT_SIGNED = 0xC00D_2A3C is RevocationNotSigned;
    WM_E_REVOCATION_UNKNOWN_KEY = 0xC00D_2A3D is RevocationUnknownKey;
    WM_E_REVOCATION_OLDER = 0xC00D_2A3E is RevocationOlder;
    WM_E_REVOCATION_OTHER_DEVICE = 0xC00D_2A3F is RevocationOtherDevice;
    WM_E_REVOCATION_CONFLICT = 0xC00D_2A40 is RevocationConflict;
    WM_E_REVOCATION_AHEAD = 0xC00D_2A41 is RevocationAhead;
    WM_E_REVOCATION_TOO_LONG = 0xC00D_2A42 is RevocationTooLong;
    WM_E_REFRESHING_REVOCATIONS = 0xC00D_2A43, State, Retry, true, c"The revocation agent is refreshing already.";
    WM_E_REVOCATION_SERVICE_UNAVAILABLE = 0xC00D_2A68 is RevocationUnreachable;
    WM_E_APPCERT_REVOKED = 0xC00D_2752 is ApplicationRevoked;
    WM_E_USED_UP = 0xC00D_2A10 is UsedUp;
    WM_E_CLOCK = 0xC00D_2A11 is Clock;
    // Backup and restore.
    WM_E_BACKUP_EXISTS = 0xC00D_2742 is BackupExists;
    WM_E_BACKUP_CORRUPT = 0xC00D_2743 is BackupCorrupt;
    WM_E_BACKUP_RESTORE_BAD_DATA = 0xC00D_2745 is BackupUnreadable;
    WM_E_BACKUP_RESTORE_TOO_MANY_RESETS = 0xC00D_2766 is ManagementLost;
    WM_E_BACKUP_NOT_FOUND = 0xC00D_2A20 is BackupNotFound;
    WM_E_PATH_UNUSABLE = 0xC00D_2A21 is PlaceUnusable;
    WM_E_PATH_NOT_FOUND = 0xC00D_2A30 is PlaceNotFound;
    WM_E_PATH_READ_ONLY = 0xC00D_2A50 is PlaceReadOnly;
    WM_E_PATH_OCCUPIED = 0xC00D_2A51 is PlaceOccupied;
    WM_E_MEDIUM_FAILED = 0xC00D_2A52 is MediumFailed;
    WM_E_DISK_FULL = 0xC00D_2A2E is DiskFull;
    WM_E_BACKUP_TOO_NEW = 0xC00D_2A31 is BackupTooNew;
    WM_E_NOT_RESTORABLE = 0xC00D_2A32 is NotRestorable;
    // License store and device keys.
    WM_E_LICENSE_STORE_ERROR = 0xC00D_2712 is StoreFailed;
    WM_E_UNABLE_TO_OPEN_DATA_STORE = 0xC00D_2782 is StoreUnopened;
    WM_E_STORE_READ_ONLY = 0xC00D_2A60 is StoreReadOnly;
    WM_E_DATASTORE_CORRUPT = 0xC00D_2783 is StoreDamaged;
    WM_E_STORE_TOO_NEW = 0xC00D_2A2D is StoreTooNew;
    WM_E_HDS_KEY_MISMATCH = 0xC00D_2799 is StoreOtherKey;
    WM_E_CHECKPOINT_FAILED = 0xC00D_277F is StoreChanged or RowsChanged;
    WM_E_SECURE_STORE_ERROR = 0xC00D_2713 is KeysDamaged;
    WM_E_SECURE_STORE_NOT_FOUND = 0xC00D_274A is KeysMissing;
    WM_E_SECURE_STORE_UNLOCK_ERROR = 0xC00D_2715 is KeysUnusable or KeysUnreadable;
    // Content.
    WM_E_MALFORMED_CONTENT_HEADER = 0xC00D_279C is HeaderMalformed or HeaderUnknown;
    WM_E_CONTENT_HEADER_TOO_NEW = 0xC00D_2A39 is HeaderTooNew;
    WM_E_UNSUPPORTED_ALGORITHM = 0xC00D_284D is SchemeUnsupported;
    WM_E_INVALID_DATA = 0xC00D_2761 is SampleContradicts;
}

/// The row of a result.
pub(crate) fn row(result: wm_result) -> Option<&'static Row> {
    RESULTS.iter().find(|row| row.value == result)
}

/// Name of a result, such as "WM_E_BACKUP_EXISTS"; "unknown result" for a number that is none. Static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wm_result_name(result: wm_result) -> *const c_char {
    row(result).map_or(c"unknown result", |row| row.name).as_ptr()
}

/// What a result means, one English sentence. Static, never NULL. wm_get_error_info tells more about a failure.
#[unsafe(no_mangle)]
pub extern "C" fn wm_result_message(result: wm_result) -> *const c_char {
    row(result).map_or(c"Unknown result.", |row| row.message).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_result_has_a_name_a_number_and_a_sentence_of_its_own() {
        let names: BTreeSet<_> = RESULTS.iter().map(|row| row.name).collect();
        let numbers: BTreeSet<_> = RESULTS.iter().map(|row| row.value).collect();
        let messages: BTreeSet<_> = RESULTS.iter().map(|row| row.message).collect();
        assert_eq!([names.len(), numbers.len(), messages.len()], [RESULTS.len(); 3]);
    }

    #[test]
    fn names_tell_success_from_failure() {
        for row in RESULTS {
            let name = row.name.to_bytes();
            assert_eq!(name.starts_with(b"WM_E_"), row.value < 0, "{:?}", row.name);
            assert_eq!(name.starts_with(b"WM_S_"), row.value >= 0, "{:?}", row.name);
        }
    }

    #[test]
    fn kinds_of_one_result_are_treated_alike() {
        for kind in FailureKind::ALL {
            let row = row(of(*kind)).map(|row| (row.category, row.remedy, row.retryable));
            assert_eq!(row, Some((kind.category(), kind.remedy(), kind.is_retryable())), "{kind:?}");
        }
    }

    #[test]
    fn every_sentence_ends_with_a_full_stop() {
        for row in RESULTS {
            assert!(row.message.to_bytes().ends_with(b"."), "{:?}", row.name);
        }
    }
}
