//! The one table of results: name, number, what an application can do about it, and a sentence for people.
//! Which core error becomes which result is decided in `failure.rs`.

use crate::kinds::{Category, Remedy};
use std::ffi::{CStr, c_char};

/// Result of a call or an operation: negative is a failure, 0 and positive numbers are successes that may carry
/// information. Numbers have HRESULT meaning; published ones keep their published value.
pub type wm_result = i32;

/// One row of the table.
pub struct Row {
    /// Name in the header.
    pub name: &'static CStr,
    /// Number.
    pub value: wm_result,
    /// One sentence for people.
    pub message: &'static CStr,
    /// Kind of failure.
    pub category: Category,
    /// What helps.
    pub remedy: Remedy,
    /// Whether the same call may succeed later without anything else changing.
    pub retryable: bool,
}

/// Builds the constants and the table from one list. The text of a C string literal is also the constant's doc comment.
macro_rules! results {
    ($($name:ident $text:literal = $value:literal, $category:ident, $remedy:ident, $retryable:literal, $message:literal;)*) => {
        $(pub(crate) const $name: wm_result = $value as u32 as i32;)*

        /// Every result, in the order of the header.
        pub const RESULTS: &[Row] = &[$(Row {
            name: $text,
            value: $name,
            message: $message,
            category: Category::$category,
            remedy: Remedy::$remedy,
            retryable: $retryable,
        }),*];
    };
}

results! {
    // Successes.
    WM_S_OK c"WM_S_OK" = 0x0000_0000, None, None, false, c"Done.";
    WM_S_FALSE c"WM_S_FALSE" = 0x0000_0001, None, None, false, c"Done; the answer is no.";
    WM_S_LICENSE_ACQUIRED c"WM_S_LICENSE_ACQUIRED" = 0x000D_2726, None, None, false, c"The license is stored.";
    WM_S_INDIVIDUALIZED c"WM_S_INDIVIDUALIZED" = 0x000D_2727, None, None, false, c"The device is individualized.";
    WM_S_ACQUIRE_CANCELLED c"WM_S_ACQUIRE_CANCELLED" = 0x000D_2747, Cancelled, None, true, c"The acquisition was cancelled; no license is stored.";
    WM_S_BACKUP_CLOSED c"WM_S_BACKUP_CLOSED" = 0x000D_2A04, None, None, false, c"What this device opens of the backup is whole; the rest only its own device or a service can open.";
    WM_S_STORE_REPAIRED c"WM_S_STORE_REPAIRED" = 0x000D_2A01, None, None, false, c"The store was damaged and is repaired.";
    WM_S_NOTHING_NEW c"WM_S_NOTHING_NEW" = 0x000D_2A02, None, None, false, c"The service has nothing new for this device.";
    WM_S_LICENSE_KNOWN c"WM_S_LICENSE_KNOWN" = 0x000D_2A07, None, None, false, c"The device has these licenses already; nothing changed.";
    WM_S_MONITOR_CANCELLED c"WM_S_MONITOR_CANCELLED" = 0x000D_2746, Cancelled, None, true, c"The monitor was cancelled; no license is stored.";
    WM_S_RESTORE_PARTIAL c"WM_S_RESTORE_PARTIAL" = 0x000D_2A00, None, None, false, c"Some licenses are restored; statuses told why the others are not.";
    WM_S_MORE_TO_FETCH c"WM_S_MORE_TO_FETCH" = 0x000D_2A05, None, None, false, c"What came is stored; further pages wait to be fetched with the next challenge.";
    WM_S_NOTHING_TO_RENEW c"WM_S_NOTHING_TO_RENEW" = 0x000D_2A03, None, None, false, c"No stored license is to be renewed.";
    // Calls.
    WM_E_OUTOFMEMORY c"WM_E_OUTOFMEMORY" = 0x8007_000E, Internal, Retry, true, c"The system has no memory or thread left.";
    WM_E_NO_DESCRIPTORS c"WM_E_NO_DESCRIPTORS" = 0xC00D_2A61, Internal, Retry, true, c"The process or the system has no file descriptor left.";
    WM_E_INVALIDARG c"WM_E_INVALIDARG" = 0x8007_0057, Call, FixCall, false, c"An argument is NULL or out of range.";
    WM_E_NO_MORE_ITEMS c"WM_E_NO_MORE_ITEMS" = 0x8007_0103, None, None, false, c"There are no more items.";
    WM_E_INVALID_HANDLE c"WM_E_INVALID_HANDLE" = 0xC00D_2A00, Call, FixCall, false, c"The handle was released, is of another type, or never was one.";
    WM_E_FORKED c"WM_E_FORKED" = 0xC00D_2A01, Call, FixCall, false, c"The process was forked; the library works only in the parent.";
    WM_E_TIMEOUT c"WM_E_TIMEOUT" = 0xC00D_2A02, State, Retry, true, c"The operation is still running.";
    WM_E_WOULD_DEADLOCK c"WM_E_WOULD_DEADLOCK" = 0xC00D_2A03, Call, FixCall, false, c"Waiting inside the object's own callback would never end.";
    WM_E_NO_OPERATION c"WM_E_NO_OPERATION" = 0xC00D_2A04, State, FixCall, false, c"No operation was started on this object.";
    WM_E_NOT_OPEN c"WM_E_NOT_OPEN" = 0xC00D_2A05, State, FixCall, false, c"The client is not open.";
    WM_E_ALREADY_OPEN c"WM_E_ALREADY_OPEN" = 0xC00D_2A06, State, FixCall, false, c"It is open already, and what is fixed at opening stays as it is.";
    WM_E_WRONG_TYPE c"WM_E_WRONG_TYPE" = 0xC00D_2A07, Call, FixCall, false, c"The property has another type.";
    WM_E_BAD_VALUE c"WM_E_BAD_VALUE" = 0xC00D_2A08, Call, FixCall, false, c"The value or its size is not acceptable.";
    WM_E_INTERNAL c"WM_E_INTERNAL" = 0xC00D_2A09, Internal, None, false, c"The library made a mistake.";
    WM_E_INVALID_PROPERTY c"WM_E_INVALID_PROPERTY" = 0xC00D_2749, Call, FixCall, false, c"A required property is not set.";
    WM_E_BUFFER_TOO_SMALL c"WM_E_BUFFER_TOO_SMALL" = 0xC00D_275C, Call, FixCall, false, c"The buffer is too small.";
    WM_E_UNSUPPORTED_PROPERTY c"WM_E_UNSUPPORTED_PROPERTY" = 0xC00D_275D, Call, FixCall, false, c"The object has no such property, or it has no value.";
    WM_E_BUSY c"WM_E_BUSY" = 0xC00D_2841, State, Retry, true, c"An operation is running on this object, or another process holds the store.";
    WM_E_BACKUPRESTORE_BUSY c"WM_E_BACKUPRESTORE_BUSY" = 0xC00D_2744, State, Retry, true, c"A backup or restore is running on this object.";
    WM_E_ACQUIRING_LICENSE c"WM_E_ACQUIRING_LICENSE" = 0xC00D_272B, State, Retry, true, c"An acquisition is running on this object.";
    WM_E_INDIVIDUALIZING c"WM_E_INDIVIDUALIZING" = 0xC00D_272C, State, Retry, true, c"An individualization is running on this object.";
    WM_E_OPERATION_CANCELED c"WM_E_OPERATION_CANCELED" = 0xC00D_2768, Cancelled, None, true, c"The operation was cancelled; nothing changed.";
    // Network and service.
    WM_E_INDIV_SERVICE_UNAVAILABLE c"WM_E_INDIV_SERVICE_UNAVAILABLE" = 0xC00D_2845, Network, GoOnline, true, c"The individualization service cannot be reached.";
    WM_E_RESTORE_SERVICE_UNAVAILABLE c"WM_E_RESTORE_SERVICE_UNAVAILABLE" = 0xC00D_2846, Network, GoOnline, true, c"The license management service cannot be reached.";
    WM_E_UNABLE_TO_ACQUIRE_LICENSE c"WM_E_UNABLE_TO_ACQUIRE_LICENSE" = 0xC00D_271E, Network, GoOnline, true, c"The license service cannot be reached.";
    WM_E_SERVICE_UNKNOWN c"WM_E_SERVICE_UNKNOWN" = 0xC00D_2A59, State, GoOnline, false, c"Nothing was ever heard from the service; it has to be asked over the network once before.";
    WM_E_SERVICE_FAILING c"WM_E_SERVICE_FAILING" = 0xC00D_2A22, Service, Retry, true, c"The service is failing or overloaded.";
    WM_E_DEADLINE c"WM_E_DEADLINE" = 0xC00D_2A23, Network, Retry, true, c"The operation's deadline passed.";
    WM_E_SERVER_CERTIFICATE c"WM_E_SERVER_CERTIFICATE" = 0xC00D_2A24, Trust, ContactIssuer, false, c"The server's TLS certificate is not trusted or not valid.";
    WM_E_AUTHORITY_NOT_TRUSTED c"WM_E_AUTHORITY_NOT_TRUSTED" = 0xC00D_2A25, Trust, ContactIssuer, false, c"The service belongs to an authority that this client does not trust.";
    WM_E_SERVICE_REFUSED c"WM_E_SERVICE_REFUSED" = 0xC00D_2A26, Service, ContactIssuer, false, c"The service refused the request.";
    WM_E_BAD_ANSWER c"WM_E_BAD_ANSWER" = 0xC00D_2A27, Trust, ContactIssuer, false, c"The service's answer cannot be verified.";
    WM_E_SIGNATURE_FAILURE c"WM_E_SIGNATURE_FAILURE" = 0xC00D_283F, Trust, Retry, true, c"The answer was changed after the service signed it.";
    WM_E_ANSWER_SIGNER c"WM_E_ANSWER_SIGNER" = 0xC00D_2A4C, Trust, ContactIssuer, false, c"The answer is signed by another service than the one asked.";
    WM_E_LICENSE_CERT_EXPIRED c"WM_E_LICENSE_CERT_EXPIRED" = 0xC00D_27DF, Trust, ContactIssuer, false, c"The service's certificate does not hold at the time of its answer.";
    WM_E_ANSWER_REPLAYED c"WM_E_ANSWER_REPLAYED" = 0xC00D_2A45, Trust, Retry, true, c"The answer belongs to another request.";
    WM_E_INVALID_MACHINE c"WM_E_INVALID_MACHINE" = 0xC00D_2719, Trust, ContactIssuer, false, c"The answer or a license in it is for another device.";
    WM_E_ANSWER_MANIFEST c"WM_E_ANSWER_MANIFEST" = 0xC00D_2A46, Trust, Retry, true, c"What comes with the answer is not what the service signed.";
    WM_E_LICENSE_ISSUER c"WM_E_LICENSE_ISSUER" = 0xC00D_2A47, Trust, ContactIssuer, false, c"A license in the answer is one that this service may not issue.";
    WM_E_LICENSE_TWICE c"WM_E_LICENSE_TWICE" = 0xC00D_2A48, Service, ContactIssuer, false, c"The answer holds the same license twice.";
    WM_E_LICENSE_TERMS c"WM_E_LICENSE_TERMS" = 0xC00D_2A4E, Service, ContactIssuer, false, c"A license that is stored came with other terms.";
    WM_E_LICENSE_TOO_OLD c"WM_E_LICENSE_TOO_OLD" = 0xC00D_2A6C, Refused, ContactIssuer, false, c"The licenses were given more than 30 days ago.";
    WM_E_LICENSE_REMOVED c"WM_E_LICENSE_REMOVED" = 0xC00D_2A6D, Refused, Reacquire, false, c"The licenses were removed from this device for good.";
    WM_E_ISSUER_NOT_TRUSTED c"WM_E_ISSUER_NOT_TRUSTED" = 0xC00D_2A6E, Trust, ContactIssuer, false, c"The licenses are of an issuer that this client does not trust.";
    WM_E_LICENSE_UNASKED c"WM_E_LICENSE_UNASKED" = 0xC00D_2A49, Service, ContactIssuer, false, c"The answer holds a license that was not asked for.";
    WM_E_ENDLESS_ANSWER c"WM_E_ENDLESS_ANSWER" = 0xC00D_2A4A, Service, ContactIssuer, false, c"The service announces pages that nobody asked for, or without end.";
    WM_E_INVALID_CERTIFICATE c"WM_E_INVALID_CERTIFICATE" = 0xC00D_28A0, Trust, ContactIssuer, false, c"The certificate in the answer is not the one that this device asked for.";
    WM_E_SERVICE_CLOCK c"WM_E_SERVICE_CLOCK" = 0xC00D_2A4B, Service, ContactIssuer, true, c"The answer is dated more than a day ahead of the time that services told before.";
    WM_E_URL_NOT_ALLOWED c"WM_E_URL_NOT_ALLOWED" = 0xC00D_2A28, Call, FixCall, false, c"The URL is malformed, or plain HTTP is not allowed.";
    WM_E_ERROR_BAD_NET_RESP c"WM_E_ERROR_BAD_NET_RESP" = 0xC00D_275E, Network, GoOnline, true, c"Something that is not the license service answered.";
    WM_E_CONNECTION_LOST c"WM_E_CONNECTION_LOST" = 0xC00D_2A33, Network, Retry, true, c"The connection to the service broke or fell silent.";
    WM_E_PROXY c"WM_E_PROXY" = 0xC00D_2A34, Network, CheckProxy, true, c"The proxy cannot be used, cannot be reached, or refuses.";
    WM_E_CAPTIVE_PORTAL c"WM_E_CAPTIVE_PORTAL" = 0xC00D_2A35, Network, NetworkSignIn, true, c"The network wants a login on its own page first.";
    WM_E_REDIRECT_REFUSED c"WM_E_REDIRECT_REFUSED" = 0xC00D_2A36, Service, ContactIssuer, false, c"The service leads to a place that may not be asked, such as plain HTTP.";
    WM_E_ANSWER_TOO_LARGE c"WM_E_ANSWER_TOO_LARGE" = 0xC00D_2A37, Service, ContactIssuer, false, c"The answer is longer than allowed.";
    WM_E_SERVER_CERTIFICATE_DATE c"WM_E_SERVER_CERTIFICATE_DATE" = 0xC00D_2A38, Trust, SetClock, true, c"By this device's clock the server's TLS certificate has ended or not begun.";
    WM_E_POLICY_DISABLE_ONLINE c"WM_E_POLICY_DISABLE_ONLINE" = 0xC00D_2762, State, GoOnline, false, c"The client is set to work offline.";
    // What a service decides.
    WM_E_NO_RIGHTS c"WM_E_NO_RIGHTS" = 0xC00D_2720, Refused, OpenUrl, false, c"The account may not have the license until the user acts.";
    WM_E_LICENSE_NOTACQUIRED c"WM_E_LICENSE_NOTACQUIRED" = 0xC00D_2759, Refused, Reacquire, false, c"The user declined, or did not decide in time.";
    WM_E_LICENSE_UNAVAILABLE c"WM_E_LICENSE_UNAVAILABLE" = 0xC00D_28A2, Refused, ContactIssuer, false, c"The service has no such content.";
    WM_E_RESTORE_FRAUD c"WM_E_RESTORE_FRAUD" = 0xC00D_2753, Refused, FreeDevice, false, c"As many devices as allowed hold the licenses.";
    WM_E_LICENSE_CONTENT_REVOKED c"WM_E_LICENSE_CONTENT_REVOKED" = 0xC00D_27E1, Refused, ContactIssuer, false, c"The license was revoked.";
    WM_E_LICENSE_EXPIRED c"WM_E_LICENSE_EXPIRED" = 0xC00D_27D8, Refused, Renew, false, c"The license has ended.";
    WM_E_OTHER_ACCOUNT c"WM_E_OTHER_ACCOUNT" = 0xC00D_2A29, Refused, SignIn, false, c"The license belongs to another account.";
    WM_E_NOT_ALLOWED c"WM_E_NOT_ALLOWED" = 0xC00D_2A2A, Refused, ContactIssuer, false, c"The license's policy does not allow this.";
    WM_E_NOT_ENTITLED c"WM_E_NOT_ENTITLED" = 0xC00D_2A4D, Refused, ContactIssuer, false, c"The account may not have the license.";
    WM_E_LICENSE_RETURNED c"WM_E_LICENSE_RETURNED" = 0xC00D_2A44, Refused, Reacquire, false, c"The license was given back to the service.";
    WM_E_UNKNOWN_ISSUER c"WM_E_UNKNOWN_ISSUER" = 0xC00D_2A2B, Refused, ContactIssuer, false, c"The service does not manage licenses of this issuer.";
    WM_E_ACCOUNT_NOT_PRESENTED c"WM_E_ACCOUNT_NOT_PRESENTED" = 0xC00D_2A58, Call, FixCall, false, c"The challenge was answered without the account that is set: send its token along, as Authorization: Bearer.";
    WM_E_ACCOUNT_REQUIRED c"WM_E_ACCOUNT_REQUIRED" = 0xC00D_2A2C, Refused, SignIn, false, c"The service needs a valid account token.";
    WM_E_CERTIFICATE_REVOKED c"WM_E_CERTIFICATE_REVOKED" = 0xC00D_28A1, Refused, ContactIssuer, false, c"The device's certificate was revoked.";
    WM_E_DEVICE_COPIED c"WM_E_DEVICE_COPIED" = 0xC00D_2A4F, Refused, IndividualizeAnew, false, c"Too many copies of the device's store asked the service; what counts is refused until the device is individualized anew.";
    WM_E_KEY_REPLACED c"WM_E_KEY_REPLACED" = 0xC00D_2A53, Refused, IndividualizeAnew, false, c"The device has other keys by now; these are the keys of an old copy.";
    WM_E_GRANTED_TOO_OFTEN c"WM_E_GRANTED_TOO_OFTEN" = 0xC00D_2A54, Refused, ContactIssuer, true, c"The device lost the license and got it again as often as a year allows.";
    WM_E_INDIV_FRAUD c"WM_E_INDIV_FRAUD" = 0xC00D_2843, Refused, Retry, true, c"The day's quota of individualizations is used up.";
    WM_E_INVALID_LICENSE c"WM_E_INVALID_LICENSE" = 0xC00D_2718, Trust, Reacquire, false, c"The license is damaged.";
    WM_E_INVALID_LICENSE_ACQUIRED c"WM_E_INVALID_LICENSE_ACQUIRED" = 0xC00D_271F, Trust, ContactIssuer, false, c"The service's license cannot be verified.";
    WM_E_INVALID_LICENSE_REQUEST c"WM_E_INVALID_LICENSE_REQUEST" = 0xC00D_271C, Call, FixCall, false, c"The content header names no key ID.";
    WM_E_NO_TRANSACTION c"WM_E_NO_TRANSACTION" = 0xC00D_2A2F, State, Reacquire, false, c"There is no such pending transaction.";
    WM_E_NEEDS_INDIVIDUALIZATION c"WM_E_NEEDS_INDIVIDUALIZATION" = 0xC00D_2728, State, Individualize, false, c"The device must be individualized first.";
    // Rights.
    WM_E_LICENSE_REQUIRED c"WM_E_LICENSE_REQUIRED" = 0xC00D_0BBE, Rights, Reacquire, false, c"There is no license for this content.";
    WM_E_LICENSE_OUTOFDATE c"WM_E_LICENSE_OUTOFDATE" = 0xC00D_0BC0, Rights, Renew, false, c"The license has expired.";
    WM_E_LICENSE_INCORRECT_RIGHTS c"WM_E_LICENSE_INCORRECT_RIGHTS" = 0xC00D_0BC1, Rights, ContactIssuer, false, c"The license does not grant this action.";
    WM_E_NEED_UPGRADE_PD c"WM_E_NEED_UPGRADE_PD" = 0xC00D_283E, Rights, Update, false, c"The license has a condition that this version does not know.";
    WM_E_LICENSE_NOTENABLED c"WM_E_LICENSE_NOTENABLED" = 0xC00D_27D9, Rights, Retry, true, c"The license is not yet valid.";
    WM_E_LICENSE_APPSECLOW c"WM_E_LICENSE_APPSECLOW" = 0xC00D_27DA, Rights, Update, false, c"The application's security level is too low.";
    WM_E_LICENSE_UNUSABLE c"WM_E_LICENSE_UNUSABLE" = 0xC00D_2748, Rights, Reacquire, false, c"The license lost its state and cannot be used.";
    WM_E_NO_UPLINK_LICENSE c"WM_E_NO_UPLINK_LICENSE" = 0xC00D_2848, Rights, Reacquire, false, c"The root license of the subscription is missing.";
    WM_E_SUBSCRIPTION_ENDED c"WM_E_SUBSCRIPTION_ENDED" = 0xC00D_2A3A, Rights, Renew, false, c"The subscription has ended.";
    WM_E_RIV_TOO_SMALL c"WM_E_RIV_TOO_SMALL" = 0xC00D_28B7, Rights, GoOnline, false, c"The license demands a newer status list.";
    WM_E_ISSUER_REVOKED c"WM_E_ISSUER_REVOKED" = 0xC00D_2A3B, Rights, Reacquire, false, c"The key that signed the license was revoked.";
    WM_E_INVALID_CRL c"WM_E_INVALID_CRL" = 0xC00D_28B1, Trust, ContactIssuer, false, c"Not a revocation or status list: truncated or malformed.";
    WM_E_REVOCATION_NOT_SIGNED c"WM_E_REVOCATION_NOT_SIGNED" = 0xC00D_2A3C, Trust, ContactIssuer, false, c"A signature of the revocation or status list does not verify.";
    WM_E_REVOCATION_UNKNOWN_KEY c"WM_E_REVOCATION_UNKNOWN_KEY" = 0xC00D_2A3D, Trust, ContactIssuer, false, c"No license and no trusted service names the key that signed the revocation.";
    WM_E_REVOCATION_OLDER c"WM_E_REVOCATION_OLDER" = 0xC00D_2A3E, State, None, false, c"A newer revocation is kept already.";
    WM_E_REVOCATION_OTHER_DEVICE c"WM_E_REVOCATION_OTHER_DEVICE" = 0xC00D_2A3F, Call, FixCall, false, c"The revocation is for another device.";
    WM_E_REVOCATION_CONFLICT c"WM_E_REVOCATION_CONFLICT" = 0xC00D_2A40, Trust, ContactIssuer, false, c"Another revocation of the same number is kept already.";
    WM_E_REVOCATION_AHEAD c"WM_E_REVOCATION_AHEAD" = 0xC00D_2A41, Trust, SetClock, true, c"The revocation is more than a day ahead of this device's clock.";
    WM_E_REVOCATION_TOO_LONG c"WM_E_REVOCATION_TOO_LONG" = 0xC00D_2A42, Call, ContactIssuer, false, c"The revocation or machine ID is longer than it may be.";
    WM_E_REFRESHING_REVOCATIONS c"WM_E_REFRESHING_REVOCATIONS" = 0xC00D_2A43, State, Retry, true, c"The revocation agent is refreshing already.";
    WM_E_REVOCATION_SERVICE_UNAVAILABLE c"WM_E_REVOCATION_SERVICE_UNAVAILABLE" = 0xC00D_2A68, Network, GoOnline, true, c"The issuer of revocations cannot be reached.";
    WM_E_APPCERT_REVOKED c"WM_E_APPCERT_REVOKED" = 0xC00D_2752, Refused, Update, false, c"The application was revoked.";
    WM_E_USED_UP c"WM_E_USED_UP" = 0xC00D_2A10, Rights, Renew, false, c"All uses of the license are used up.";
    WM_E_CLOCK c"WM_E_CLOCK" = 0xC00D_2A11, Rights, SetClock, false, c"The clock cannot be trusted, and the license has dates.";
    // Backup and restore.
    WM_E_BACKUP_EXISTS c"WM_E_BACKUP_EXISTS" = 0xC00D_2742, Storage, ChoosePlace, false, c"A backup exists at this place already.";
    WM_E_BACKUP_CORRUPT c"WM_E_BACKUP_CORRUPT" = 0xC00D_2743, Storage, ChoosePlace, false, c"The backup is truncated, changed, or not a backup.";
    WM_E_BACKUP_RESTORE_BAD_DATA c"WM_E_BACKUP_RESTORE_BAD_DATA" = 0xC00D_2745, Service, ChoosePlace, false, c"The service cannot read what the backup holds for it.";
    WM_E_BACKUP_RESTORE_TOO_MANY_RESETS c"WM_E_BACKUP_RESTORE_TOO_MANY_RESETS" = 0xC00D_2766, Network, Retry, true, c"The connection to the license management service broke again and again.";
    WM_E_BACKUP_NOT_FOUND c"WM_E_BACKUP_NOT_FOUND" = 0xC00D_2A20, Storage, ChoosePlace, false, c"There is no backup at this place.";
    WM_E_PATH_UNUSABLE c"WM_E_PATH_UNUSABLE" = 0xC00D_2A21, Storage, ChoosePlace, false, c"The file or folder cannot be used.";
    WM_E_PATH_NOT_FOUND c"WM_E_PATH_NOT_FOUND" = 0xC00D_2A30, Storage, ChoosePlace, false, c"The file or folder does not exist.";
    WM_E_PATH_READ_ONLY c"WM_E_PATH_READ_ONLY" = 0xC00D_2A50, Storage, ChoosePlace, false, c"The place may not be written.";
    WM_E_PATH_OCCUPIED c"WM_E_PATH_OCCUPIED" = 0xC00D_2A51, Storage, ChoosePlace, false, c"Something that is not a file has the backup's name.";
    WM_E_MEDIUM_FAILED c"WM_E_MEDIUM_FAILED" = 0xC00D_2A52, Storage, ChoosePlace, true, c"The medium failed, or was taken out.";
    WM_E_DISK_FULL c"WM_E_DISK_FULL" = 0xC00D_2A2E, Storage, FreeSpace, true, c"No space is left at the place.";
    WM_E_BACKUP_TOO_NEW c"WM_E_BACKUP_TOO_NEW" = 0xC00D_2A31, Storage, Update, false, c"The backup was written by a later version.";
    WM_E_NOT_RESTORABLE c"WM_E_NOT_RESTORABLE" = 0xC00D_2A32, Refused, Reacquire, false, c"No service can restore this backup on another device.";
    // License store and device keys.
    WM_E_LICENSE_STORE_ERROR c"WM_E_LICENSE_STORE_ERROR" = 0xC00D_2712, Storage, Retry, true, c"The license store could not be read or written.";
    WM_E_UNABLE_TO_OPEN_DATA_STORE c"WM_E_UNABLE_TO_OPEN_DATA_STORE" = 0xC00D_2782, Storage, ChoosePlace, false, c"The license store cannot be opened.";
    WM_E_STORE_READ_ONLY c"WM_E_STORE_READ_ONLY" = 0xC00D_2A60, Storage, ChoosePlace, false, c"The license store may not be written; what needs no write still works.";
    WM_E_DATASTORE_CORRUPT c"WM_E_DATASTORE_CORRUPT" = 0xC00D_2783, Storage, RestoreBackup, false, c"The license store is damaged, or not a license store.";
    WM_E_STORE_TOO_NEW c"WM_E_STORE_TOO_NEW" = 0xC00D_2A2D, Storage, Update, false, c"The license store was written by a later version.";
    WM_E_HDS_KEY_MISMATCH c"WM_E_HDS_KEY_MISMATCH" = 0xC00D_2799, Storage, RestoreBackup, false, c"The key file belongs to another license store.";
    WM_E_CHECKPOINT_FAILED c"WM_E_CHECKPOINT_FAILED" = 0xC00D_277F, Storage, RestoreBackup, false, c"The license store was changed from outside the library.";
    WM_E_SECURE_STORE_ERROR c"WM_E_SECURE_STORE_ERROR" = 0xC00D_2713, Storage, RestoreBackup, false, c"The device key file is damaged.";
    WM_E_SECURE_STORE_NOT_FOUND c"WM_E_SECURE_STORE_NOT_FOUND" = 0xC00D_274A, Storage, RestoreBackup, false, c"The device key file is missing.";
    WM_E_SECURE_STORE_UNLOCK_ERROR c"WM_E_SECURE_STORE_UNLOCK_ERROR" = 0xC00D_2715, Storage, Retry, true, c"The device's keys cannot be read, made or used.";
    // Content.
    WM_E_MALFORMED_CONTENT_HEADER c"WM_E_MALFORMED_CONTENT_HEADER" = 0xC00D_279C, Content, ContactIssuer, false, c"The content header is malformed or of an unknown kind.";
    WM_E_CONTENT_HEADER_TOO_NEW c"WM_E_CONTENT_HEADER_TOO_NEW" = 0xC00D_2A39, Content, Update, false, c"The content header has a version that is not known.";
    WM_E_UNSUPPORTED_ALGORITHM c"WM_E_UNSUPPORTED_ALGORITHM" = 0xC00D_284D, Content, Update, false, c"The protection scheme is not supported.";
    WM_E_INVALID_DATA c"WM_E_INVALID_DATA" = 0xC00D_2761, Content, FixCall, false, c"The sample's description contradicts itself or its data.";
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
    fn every_sentence_ends_with_a_full_stop() {
        for row in RESULTS {
            assert!(row.message.to_bytes().ends_with(b"."), "{:?}", row.name);
        }
    }
}
