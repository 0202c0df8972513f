//! The kinds of failures: for each, once, what kind of trouble it is, what helps, whether the same may succeed later, and a
//! sentence for people. Which error is of which kind is said beside this file.

use std::ffi::CStr;

/// Kind of a failure, for statistics and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// No failure.
    None = 0,
    /// The call was wrong: a mistake of the application.
    Call = 1,
    /// The object cannot do this at present.
    State = 2,
    /// The network, or what answered in place of the service.
    Network = 3,
    /// The service failed or refused the request as such.
    Service = 4,
    /// Somebody's signature or certificate does not hold.
    Trust = 5,
    /// The service decided against it.
    Refused = 6,
    /// A stored license does not permit it.
    Rights = 7,
    /// Files and folders.
    Storage = 8,
    /// The media file or sample.
    Content = 9,
    /// The application cancelled.
    Cancelled = 10,
    /// The library or the system failed.
    Internal = 11,
}

/// What helps against a failure, for the application to switch on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing known.
    None = 0,
    /// The same again, later if it is said when.
    Retry = 1,
    /// A network connection.
    GoOnline = 2,
    /// Setting the clock.
    SetClock = 3,
    /// Individualizing the device.
    Individualize = 4,
    /// Acquiring the license again.
    Reacquire = 5,
    /// The content's owner.
    ContactIssuer = 6,
    /// Giving up the licenses on another device.
    FreeDevice = 7,
    /// Another file or folder.
    ChoosePlace = 8,
    /// Space on the disk.
    FreeSpace = 9,
    /// Signing in, with the right account.
    SignIn = 10,
    /// The page whose URL came with the status.
    OpenUrl = 11,
    /// A newer version of the application.
    Update = 12,
    /// Restoring a backup.
    RestoreBackup = 13,
    /// A correction in the application's code.
    FixCall = 14,
    /// Signing in to the network, on the page that any web address shows in a browser.
    NetworkSignIn = 15,
    /// Another proxy, or none.
    CheckProxy = 16,
    /// Individualizing the device anew.
    IndividualizeAnew = 17,
    /// More time or uses from the content's owner: a renewal, or buying it again. Asking for the same license changes nothing.
    Renew = 18,
}

/// What is always so for a kind of failure.
struct Facts {
    category: Category,
    remedy: Remedy,
    is_retryable: bool,
    sentence: &'static str,
    c_sentence: &'static CStr,
}

/// A text that ends with its only NUL; empty if it does not.
const fn c_text(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}

/// Builds the kinds from one list.
macro_rules! kinds {
    ($($kind:ident: $category:ident, $remedy:ident, $retryable:literal, $sentence:literal;)*) => {
        /// What went wrong, as an application can act on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FailureKind {
            $(#[doc = $sentence] $kind,)*
        }

        impl FailureKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            const fn facts(self) -> Facts {
                match self {
                    $(Self::$kind => Facts {
                        category: Category::$category,
                        remedy: Remedy::$remedy,
                        is_retryable: $retryable,
                        sentence: $sentence,
                        c_sentence: c_text(concat!($sentence, "\0")),
                    },)*
                }
            }
        }
    };
}

impl FailureKind {
    /// Kind of trouble, for statistics.
    pub const fn category(self) -> Category {
        self.facts().category
    }

    /// What helps.
    pub const fn remedy(self) -> Remedy {
        self.facts().remedy
    }

    /// True if the same may succeed later without anything else changing.
    pub const fn is_retryable(self) -> bool {
        self.facts().is_retryable
    }

    /// One sentence for people.
    pub const fn sentence(self) -> &'static str {
        self.facts().sentence
    }

    /// The same sentence as C reads it.
    pub const fn c_sentence(self) -> &'static CStr {
        self.facts().c_sentence
    }
}

kinds! {
    // Of every verb.
    AcquisitionCancelled: Cancelled, None, true, "The acquisition was cancelled; no license is stored.";
    NoMemory: Internal, Retry, true, "The system has no memory or thread left.";
    NoDescriptors: Internal, Retry, true, "The process or the system has no file descriptor left.";
    Internal: Internal, None, false, "The library made a mistake.";
    NotSet: Call, FixCall, false, "A required property is not set.";
    NoService: Call, FixCall, false, "No service URL is set.";
    ConsentMissing: Call, FixCall, false, "The user did not agree.";
    Busy: State, Retry, true, "An operation is running on this object, or another process holds the store.";
    Cancelled: Cancelled, None, true, "The operation was cancelled; nothing changed.";
    // Network and service.
    IndividualizationUnreachable: Network, GoOnline, true, "The individualization service cannot be reached.";
    ManagementUnreachable: Network, GoOnline, true, "The license management service cannot be reached.";
    IssuerUnreachable: Network, GoOnline, true, "The license service cannot be reached.";
    ServiceUnknown: State, GoOnline, false, "Nothing was ever heard from the service; it has to be asked over the network once before.";
    ServiceFailing: Service, Retry, true, "The service is failing or overloaded.";
    DeadlinePassed: Network, Retry, true, "The operation's deadline passed.";
    ServerCertificate: Trust, ContactIssuer, false, "The server's TLS certificate is not trusted or not valid.";
    AuthorityNotTrusted: Trust, ContactIssuer, false, "The service belongs to an authority that this client does not trust.";
    ServiceRefused: Service, ContactIssuer, false, "The service refused the request.";
    BadAnswer: Trust, ContactIssuer, false, "The service's answer cannot be verified.";
    AnswerChanged: Trust, Retry, true, "The answer was changed after the service signed it.";
    AnswerSigner: Trust, ContactIssuer, false, "The answer is signed by another service than the one asked.";
    SignerDates: Trust, ContactIssuer, false, "The service's certificate does not hold at the time of its answer.";
    AnswerReplayed: Trust, Retry, true, "The answer belongs to another request.";
    OtherDevice: Trust, ContactIssuer, false, "The answer or a license in it is for another device.";
    AnswerManifest: Trust, Retry, true, "What comes with the answer is not what the service signed.";
    LicenseIssuer: Trust, ContactIssuer, false, "A license in the answer is one that this service may not issue.";
    LicenseTwice: Service, ContactIssuer, false, "The answer holds the same license twice.";
    LicenseTerms: Service, ContactIssuer, false, "A license that is stored came with other terms.";
    LicensesTooOld: Refused, ContactIssuer, false, "The licenses were given more than 30 days ago.";
    LicensesRemoved: Refused, Reacquire, false, "The licenses were removed from this device for good.";
    IssuerNotTrusted: Trust, ContactIssuer, false, "The licenses are of an issuer that this client does not trust.";
    LicenseUnasked: Service, ContactIssuer, false, "The answer holds a license that was not asked for.";
    EndlessAnswer: Service, ContactIssuer, false, "The service announces pages that nobody asked for, or without end.";
    DeviceCertificate: Trust, ContactIssuer, false, "The certificate in the answer is not the one that this device asked for.";
    ServiceClock: Service, ContactIssuer, true, "The answer is dated more than a day ahead of the time that services told before.";
    UrlNotAllowed: Call, FixCall, false, "The URL is malformed, or plain HTTP is not allowed.";
    NotTheService: Network, GoOnline, true, "Something that is not the license service answered.";
    ConnectionLost: Network, Retry, true, "The connection to the service broke or fell silent.";
    Proxy: Network, CheckProxy, true, "The proxy cannot be used, cannot be reached, or refuses.";
    CaptivePortal: Network, NetworkSignIn, true, "The network wants a login on its own page first.";
    RedirectRefused: Service, ContactIssuer, false, "The service leads to a place that may not be asked, such as plain HTTP.";
    AnswerTooLarge: Service, ContactIssuer, false, "The answer is longer than allowed.";
    ServerCertificateDate: Trust, SetClock, true, "By this device's clock the server's TLS certificate has ended or not begun.";
    OfflineOnly: State, GoOnline, false, "The client is set to work offline.";
    // What a service decides.
    UserMustAct: Refused, OpenUrl, false, "The account may not have the license until the user acts.";
    NotAcquired: Refused, Reacquire, false, "The user declined, or did not decide in time.";
    ContentUnknown: Refused, ContactIssuer, false, "The service has no such content.";
    DeviceLimit: Refused, FreeDevice, false, "As many devices as allowed hold the licenses.";
    LicenseRevoked: Refused, ContactIssuer, false, "The license was revoked.";
    LicenseEnded: Refused, Renew, false, "The license has ended.";
    OtherAccount: Refused, SignIn, false, "The license belongs to another account.";
    NotAllowed: Refused, ContactIssuer, false, "The license's policy does not allow this.";
    NotEntitled: Refused, ContactIssuer, false, "The account may not have the license.";
    LicenseReturned: Refused, Reacquire, false, "The license was given back to the service.";
    IssuerUnknown: Refused, ContactIssuer, false, "The service does not manage licenses of this issuer.";
    AccountRequired: Refused, SignIn, false, "The service needs a valid account token.";
    DeviceRevoked: Refused, ContactIssuer, false, "The device's certificate was revoked.";
    DeviceCopied: Refused, IndividualizeAnew, false, "Too many copies of the device's store asked the service; what counts is refused until the device is individualized anew.";
    KeyReplaced: Refused, IndividualizeAnew, false, "The device has other keys by now; these are the keys of an old copy.";
    GrantedTooOften: Refused, ContactIssuer, true, "The device lost the license and got it again as often as a year allows.";
    QuotaUsedUp: Refused, Retry, true, "The day's quota of individualizations is used up.";
    LicenseDamaged: Trust, Reacquire, false, "The license is damaged.";
    LicensesDamaged: Trust, Reacquire, false, "Licenses of the store are damaged.";
    BadLicense: Trust, ContactIssuer, false, "The service's license cannot be verified.";
    NoKeyId: Call, FixCall, false, "The content header names no key ID.";
    NoTransaction: State, Reacquire, false, "There is no such pending transaction.";
    NeedsIndividualization: State, Individualize, false, "The device must be individualized first.";
    // Rights.
    NoLicense: Rights, Reacquire, false, "There is no license for this content.";
    Expired: Rights, Renew, false, "The license has expired.";
    NoRight: Rights, ContactIssuer, false, "The license does not grant this action.";
    UnknownCondition: Rights, Update, false, "The license has a condition that this version does not know.";
    NotStarted: Rights, Retry, true, "The license is not yet valid.";
    ApplicationLevelTooLow: Rights, Update, false, "The application's security level is too low.";
    StateLost: Rights, Reacquire, false, "The license lost its state and cannot be used.";
    RootMissing: Rights, Reacquire, false, "The root license of the subscription is missing.";
    SubscriptionEnded: Rights, Renew, false, "The subscription has ended.";
    StatusListTooOld: Rights, GoOnline, false, "The license demands a newer status list.";
    IssuerRevoked: Rights, Reacquire, false, "The key that signed the license was revoked.";
    RevocationMalformed: Trust, ContactIssuer, false, "Not a revocation or status list: truncated or malformed.";
    RevocationNotSigned: Trust, ContactIssuer, false, "A signature of the revocation or status list does not verify.";
    RevocationUnknownKey: Trust, ContactIssuer, false, "No license and no trusted service names the key that signed the revocation.";
    RevocationOlder: State, None, false, "A newer revocation is kept already.";
    RevocationOtherDevice: Call, FixCall, false, "The revocation is for another device.";
    RevocationConflict: Trust, ContactIssuer, false, "Another revocation of the same number is kept already.";
    RevocationAhead: Trust, SetClock, true, "The revocation is more than a day ahead of this device's clock.";
    RevocationTooLong: Call, ContactIssuer, false, "The revocation or machine ID is longer than it may be.";
    RevocationUnreachable: Network, GoOnline, true, "The issuer of revocations cannot be reached.";
    ApplicationRevoked: Refused, Update, false, "The application was revoked.";
    UsedUp: Rights, Renew, false, "All uses of the license are used up.";
    Clock: Rights, SetClock, false, "The clock cannot be trusted, and the license has dates.";
    // Backup and restore.
    BackupExists: Storage, ChoosePlace, false, "A backup exists at this place already.";
    BackupCorrupt: Storage, ChoosePlace, false, "The backup is truncated, changed, or not a backup.";
    BackupUnreadable: Service, ChoosePlace, false, "The service cannot read what the backup holds for it.";
    ManagementLost: Network, Retry, true, "The connection to the license management service broke again and again.";
    BackupNotFound: Storage, ChoosePlace, false, "There is no backup at this place.";
    PlaceUnusable: Storage, ChoosePlace, false, "The file or folder cannot be used.";
    PlaceNotFound: Storage, ChoosePlace, false, "The file or folder does not exist.";
    PlaceReadOnly: Storage, ChoosePlace, false, "The place may not be written.";
    PlaceOccupied: Storage, ChoosePlace, false, "Something that is not a file has the backup's name.";
    MediumFailed: Storage, ChoosePlace, true, "The medium failed, or was taken out.";
    DiskFull: Storage, FreeSpace, true, "No space is left at the place.";
    BackupTooNew: Storage, Update, false, "The backup was written by a later version.";
    NotRestorable: Refused, Reacquire, false, "No service can restore this backup on another device.";
    // License store and device keys.
    StoreFailed: Storage, Retry, true, "The license store could not be read or written.";
    StoreUnopened: Storage, ChoosePlace, false, "The license store cannot be opened.";
    StoreReadOnly: Storage, ChoosePlace, false, "The license store may not be written; what needs no write still works.";
    StoreDamaged: Storage, RestoreBackup, false, "The license store is damaged, or not a license store.";
    StoreTooNew: Storage, Update, false, "The license store was written by a later version.";
    StoreOtherKey: Storage, RestoreBackup, false, "The key file belongs to another license store.";
    StoreChanged: Storage, RestoreBackup, false, "The license store was changed from outside the library.";
    RowsChanged: Storage, RestoreBackup, false, "Rows of the license store were changed from outside.";
    KeysDamaged: Storage, RestoreBackup, false, "The device key file is damaged.";
    KeysMissing: Storage, RestoreBackup, false, "The device key file is missing.";
    KeysUnusable: Storage, Retry, true, "The device's keys cannot be read, made or used.";
    KeysUnreadable: Storage, Retry, true, "The device key file cannot be read or written.";
    // Content.
    HeaderMalformed: Content, ContactIssuer, false, "The content header is malformed or of an unknown kind.";
    HeaderUnknown: Content, ContactIssuer, false, "The content header is of no known kind.";
    HeaderTooNew: Content, Update, false, "The content header has a version that is not known.";
    SchemeUnsupported: Content, Update, false, "The protection scheme is not supported.";
    SampleContradicts: Content, FixCall, false, "The sample's description contradicts itself or its data.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_a_sentence_of_its_own_for_c_too() {
        let sentences: BTreeSet<_> = FailureKind::ALL.iter().map(|kind| kind.sentence()).collect();
        assert_eq!(sentences.len(), FailureKind::ALL.len());
        for kind in FailureKind::ALL {
            assert!(kind.sentence().ends_with('.'), "{kind:?}");
            assert_eq!(kind.c_sentence().to_str(), Ok(kind.sentence()), "{kind:?}");
        }
    }
}
