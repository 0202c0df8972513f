//! What went wrong, in one sentence, and what helps, in another. What single errors add to it is said in `wording.rs`.

use crate::exit::Code;
use crate::text::{plain, with};
use serde_json::Value;
use std::path::Path;
use std::{fmt, io};
use wmlicense_core::failure::{self, Category, Explain, FailureKind, Remedy};
use wmlicense_core::shortage::Shortage;

/// A command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What went wrong: one clause.
    pub(crate) sentence: String,
    /// What the user can do; empty if nothing.
    pub(crate) remedy: String,
    /// What else is told to people: lines.
    pub(crate) lines: String,
    /// What else is told to programs: an object, or nothing.
    pub(crate) fields: Value,
    /// Which kind of failure of the library it is, if it is one.
    pub(crate) kind: Option<FailureKind>,
    /// With what the program ends.
    pub(crate) code: Code,
}

impl Failure {
    pub(crate) fn new(sentence: impl fmt::Display, remedy: &str) -> Self {
        let (sentence, remedy) = (plain(&sentence.to_string()), plain(remedy));
        Self { sentence, remedy, lines: String::new(), fields: Value::Null, kind: None, code: Code::Failed }
    }

    /// The same with another exit code.
    pub(crate) fn with(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// A file that the user named cannot be read; `remedy` helps where the machine lacks nothing.
    pub(crate) fn of_file(path: &Path, error: &io::Error, remedy: &'static str) -> Self {
        Self::new(format!("{}: {error}", path.display()), io_remedy(error, remedy))
    }

    /// The same with more to tell.
    pub(crate) fn telling(self, lines: String, fields: Value) -> Self {
        Self { lines, fields, ..self }
    }

    /// The same with more to tell to programs.
    pub(crate) fn adding(self, more: &Value) -> Self {
        let fields = if self.fields.is_null() { more.clone() } else { with(self.fields, more.clone()) };
        Self { fields, ..self }
    }

    /// A panic in the library.
    pub(crate) fn internal() -> Self {
        Self::new("the operation failed inside the library", REPORT)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.sentence)?;
        if !self.remedy.is_empty() {
            write!(f, "\nhelp: {}", self.remedy)?;
        }
        if self.lines.is_empty() { Ok(()) } else { write!(f, "\n{}", self.lines) }
    }
}

/// An error with what is to be said of it beside the library's clause and the help for its kind.
pub(crate) trait Wording: Explain {
    /// What went wrong, one clause.
    fn said(&self, told: &failure::Failure) -> String {
        told.clause().into_owned()
    }

    /// What helps, where the errors of its kind do not all need the same.
    fn helps(&self) -> Option<&'static str> {
        None
    }
}

impl<E: Wording> Wording for &E {
    fn said(&self, told: &failure::Failure) -> String {
        (**self).said(told)
    }

    fn helps(&self) -> Option<&'static str> {
        (**self).helps()
    }
}

/// What the core explains, in this program's words.
impl<E: Wording> From<E> for Failure {
    fn from(error: E) -> Self {
        let told = error.explain();
        let help = error.helps().map_or_else(|| help(&told), |words| with_page(words, &told));
        Self { kind: Some(told.kind), ..Self::new(error.said(&told), &help) }
    }
}

/// What helps; empty if nothing is known.
pub(crate) fn help(told: &failure::Failure) -> String {
    with_page(words(told), told)
}

fn with_page(words: &str, told: &failure::Failure) -> String {
    let page = told.page.as_deref().map(|url| format!("see {}", plain(url)));
    let own = Some(words.to_owned()).filter(|words| !words.is_empty());
    [own, page].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn words(told: &failure::Failure) -> &'static str {
    match (told.kind, told.http_status) {
        // Without a status it was not even sent.
        (FailureKind::ServiceRefused, 0 | 403) | (FailureKind::AccountRequired, UNAUTHORIZED) => {
            "check the account token"
        }
        (FailureKind::ServiceRefused, 409 | 410) => "try again",
        (kind, _) => {
            let own = OWN.iter().find(|(own, _)| *own == kind);
            own.map_or_else(|| general(kind), |(_, words)| words)
        }
    }
}

/// What helps against most failures of a kind of trouble.
fn general(kind: FailureKind) -> &'static str {
    match kind.remedy() {
        Remedy::None | Remedy::FixCall => "",
        Remedy::Retry => "try again",
        Remedy::GoOnline => "check the network and the service's URL, then try again",
        Remedy::SetClock => "check this machine's clock",
        Remedy::Individualize => CONSENT,
        Remedy::Reacquire | Remedy::OpenUrl => "acquire it with `wmlicense acquire`",
        Remedy::ContactIssuer => match kind.category() {
            Category::Trust | Category::Service | Category::Network => TELL_OWNER,
            Category::Content => "the file is damaged or cut short; get it again",
            Category::None
            | Category::Call
            | Category::State
            | Category::Refused
            | Category::Rights
            | Category::Storage
            | Category::Cancelled
            | Category::Internal => "ask the owner of the content",
        },
        Remedy::FreeDevice => "give it back on another device first",
        Remedy::ChoosePlace => "choose a folder that exists and that you may read and write",
        Remedy::FreeSpace => "make room on the disk, then try again",
        Remedy::SignIn => "give the account's token with --token-file",
        Remedy::Update => "use a newer version of this program",
        Remedy::RestoreBackup => "move the folder away and restore a backup",
        Remedy::NetworkSignIn => "open any page in a browser, sign in to the network, then try again",
        Remedy::CheckProxy => "check https_proxy and no_proxy in the environment",
        Remedy::IndividualizeAnew => "individualize the device anew with `wmlicense individualize --force`",
        Remedy::Renew => RENEW,
    }
}

/// HTTP status of a missing or refused account token.
const UNAUTHORIZED: u16 = 401;
pub(crate) const CONSENT: &str = "add --individualize, if you agree that the service gives this device an ID";
pub(crate) const OTHER_FOLDER: &str = "give a folder that you may read and write";
const ON_ANOTHER_WAY: &str = "try again; if it stays so, use another network";
const GOES_ON: &str = "try again; it goes on where it was";
const LATER: &str = "try again later; it goes on where it was";
const OTHER_KEYS: &str = "move the folder away and restore a backup through the license management service";
const TELL_OWNER: &str = "check the service's URL, and tell its owner";
const OTHER_COPY: &str = "use another copy of the backup if there is one";

/// Where this program has more to say than what helps in general: an option, a file's name, the next step.
const OWN: &[(FailureKind, &str)] = &[
    (FailureKind::AnswerChanged, ON_ANOTHER_WAY),
    (FailureKind::AnswerManifest, ON_ANOTHER_WAY),
    (FailureKind::AnswerReplayed, ON_ANOTHER_WAY),
    (FailureKind::AnswerTooLarge, "check the service's URL"),
    (FailureKind::AuthorityNotTrusted, "give the authority that the service's owner publishes with --authority"),
    (FailureKind::BackupCorrupt, "nothing was changed; use another copy of the backup if there is one"),
    (FailureKind::BackupExists, "choose another folder, or replace it with --overwrite"),
    (FailureKind::BackupNotFound, "give the folder that holds licenses.wmbackup"),
    (FailureKind::BackupUnreadable, OTHER_COPY),
    (FailureKind::Busy, "close the application that uses the store, then try again"),
    (FailureKind::ConnectionLost, GOES_ON),
    (FailureKind::ConsentMissing, CONSENT),
    (FailureKind::DeadlinePassed, LATER),
    (
        FailureKind::HeaderUnknown,
        "give a media file (MP4, WebM, ASF), initialization data, an HLS playlist or a DASH manifest",
    ),
    (FailureKind::Internal, REPORT),
    // No stored license is used here: it is the key that signed an answer.
    (FailureKind::IssuerRevoked, TELL_OWNER),
    (FailureKind::IssuerUnknown, "name the service that manages it with --service"),
    (FailureKind::KeysDamaged, OTHER_KEYS),
    (FailureKind::KeysMissing, OTHER_KEYS),
    (FailureKind::KeysUnreadable, OTHER_FOLDER),
    (FailureKind::KeysUnusable, INDIVIDUALIZE_ONCE),
    (FailureKind::LicenseDamaged, OTHER_COPY),
    (FailureKind::LicenseReturned, "acquire it anew with `wmlicense acquire`"),
    (FailureKind::LicensesDamaged, REPAIR),
    (FailureKind::ManagementLost, GOES_ON),
    (FailureKind::NoDescriptors, "allow more open files (ulimit -n) or close other programs, then try again"),
    (FailureKind::NoMemory, "close other programs, then try again"),
    (FailureKind::NoService, "name the license service with --service"),
    (FailureKind::NotEntitled, "buy it, or give the token of an account that may have it with --token-file"),
    (FailureKind::NotRestorable, "restore it on the device that made it"),
    (FailureKind::OtherAccount, "give the token of that account with --token-file"),
    (FailureKind::PlaceOccupied, "choose another folder, or move away what has the name licenses.wmbackup"),
    (FailureKind::QuotaUsedUp, "try again tomorrow"),
    (FailureKind::RedirectRefused, "ask for the service's present URL"),
    (FailureKind::RowsChanged, REPAIR),
    (FailureKind::ServerCertificate, "check the service's URL"),
    (FailureKind::ServiceFailing, LATER),
    (FailureKind::ServiceRefused, "check the service's URL"),
    (FailureKind::StoreFailed, OTHER_FOLDER),
    (FailureKind::StoreOtherKey, "put the device.key back that belongs to this store"),
    (FailureKind::StoreReadOnly, OTHER_FOLDER),
    (FailureKind::StoreUnopened, OTHER_FOLDER),
    (FailureKind::UrlNotAllowed, "use an https URL"),
];
pub(crate) const NAME_KEY_ID: &str = "give its key ID";
const REPAIR: &str = "run `wmlicense check --repair`";
const RENEW: &str = "renew it with `wmlicense renew`, or buy it again";
const INDIVIDUALIZE_ONCE: &str = "run `wmlicense individualize` once while this machine is online";
const REPORT: &str = "please report what you did";

/// What helps against an error of the system: more of what is lacking, else `otherwise`.
pub(crate) fn io_remedy(error: &io::Error, otherwise: &'static str) -> &'static str {
    Shortage::of(error).map_or(otherwise, shortage_remedy)
}

pub(crate) fn shortage_remedy(shortage: Shortage) -> &'static str {
    let kind = FailureKind::from(shortage);
    OWN.iter().find(|(own, _)| *own == kind).map_or_else(|| general(kind), |(_, words)| words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use wmlicense_core::backup::BackupError;
    use wmlicense_core::client::OpenError;
    use wmlicense_core::contact::SessionError;
    use wmlicense_core::device::DeviceError;
    use wmlicense_core::restore::RestoreError;
    use wmlicense_core::transport::{ServiceFailure, TransportError};
    use wmlicense_wire::answer::Reason;

    impl Wording for Reason {}

    #[test]
    fn what_the_machine_lacks_is_what_helps_wherever_it_shows() {
        let kinds = [
            (io::ErrorKind::StorageFull, Shortage::Room),
            (io::ErrorKind::QuotaExceeded, Shortage::Room),
            (io::ErrorKind::OutOfMemory, Shortage::Memory),
        ];
        for (kind, shortage) in kinds {
            let error = || io::Error::from(kind);
            let folder = OpenError::Folder { path: "a".into(), reason: error() };
            assert_eq!(Failure::from(folder).remedy, shortage_remedy(shortage), "{kind}");
            assert_eq!(Failure::from(DeviceError::Io(error())).remedy, shortage_remedy(shortage), "{kind}");
            assert_eq!(Failure::from(RestoreError::Place(error())).remedy, shortage_remedy(shortage), "{kind}");
            assert_eq!(Failure::from(BackupError::Place(error())).remedy, shortage_remedy(shortage), "{kind}");
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(Failure::from(DeviceError::Io(denied)).remedy, OTHER_FOLDER);
    }

    #[test]
    fn only_a_refusal_of_the_account_speaks_of_its_token() {
        let remedy = |http_status| {
            let refused = ServiceFailure { http_status, ..ServiceFailure::default() };
            Failure::from(RestoreError::from(TransportError::Refused(refused))).remedy
        };
        for status in [0, 401, 403] {
            assert_eq!(remedy(status), "check the account token");
        }
        for status in [400, 404, 405, 413] {
            assert_eq!(remedy(status), "check the service's URL");
        }
    }

    /// An error of which there is nothing to add has the sentence and the kind of help that the library tells for it.
    #[test]
    fn the_library_says_the_same() {
        fn both<E: Wording>(error: E) -> (failure::Failure, Failure) {
            (error.explain(), Failure::from(error))
        }
        let unreachable = TransportError::Unreachable("nobody".into());
        let mut errors = vec![
            both(RestoreError::NotFound),
            both(RestoreError::NotRestorable),
            both(RestoreError::Corrupt("cut short".into())),
            both(RestoreError::from(SessionError::Cancelled)),
            both(RestoreError::from(SessionError::NeedsIndividualization)),
            both(RestoreError::from(unreachable)),
            both(BackupError::Exists),
            both(DeviceError::Missing),
        ];
        errors.extend(Reason::ALL.map(both));
        for (told, failure) in errors {
            let sentence = failure.sentence[..1].to_uppercase() + &failure.sentence[1..] + ".";
            assert_eq!(sentence, told.sentence());
            assert_eq!(failure.remedy.is_empty(), told.kind.remedy() == Remedy::None, "{sentence}");
        }
    }

    #[test]
    fn words_of_its_own_stand_once_for_each_kind() {
        let kinds: BTreeSet<_> = OWN.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds.len(), OWN.len());
    }
}
