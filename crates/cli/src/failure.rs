//! What went wrong, in one sentence, and what helps, in another.

use crate::left_out;
use crate::text::plain;
use serde_json::Value;
use std::path::Path;
use std::{fmt, io};
use wmlicense_core::backup::BackupError;
use wmlicense_core::client::OpenError;
use wmlicense_core::contact::{AnswerFault, SessionError};
use wmlicense_core::device::DeviceError;
use wmlicense_core::individualize::IndividualizeError;
use wmlicense_core::keeper::{CheckError, CleanError};
use wmlicense_core::restore::{RestoreError, Why};
use wmlicense_core::shortage::Shortage;
use wmlicense_core::store::StoreError;
use wmlicense_core::transport::TransportError;

/// A command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What went wrong: one clause.
    pub(crate) sentence: String,
    /// What the user can do; empty if nothing.
    pub(crate) remedy: String,
    /// What else is told to people: lines.
    lines: String,
    /// What else is told to programs: an object, or nothing.
    pub(crate) fields: Value,
}

impl Failure {
    pub(crate) fn new(sentence: impl fmt::Display, remedy: &str) -> Self {
        let (sentence, remedy) = (plain(&sentence.to_string()), plain(remedy));
        Self { sentence, remedy, lines: String::new(), fields: Value::Null }
    }

    /// A file that the user named cannot be read; `remedy` helps where the machine lacks nothing.
    pub(crate) fn of_file(path: &Path, error: &io::Error, remedy: &'static str) -> Self {
        Self::new(format!("{}: {error}", path.display()), io_remedy(error, remedy))
    }

    /// The same with more to tell.
    pub(crate) fn telling(self, lines: String, fields: Value) -> Self {
        Self { lines, fields, ..self }
    }

    /// A panic in the library.
    pub(crate) fn internal() -> Self {
        Self::new("the operation failed inside the library", "please report what you did")
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

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let remedy = match &error {
            OpenError::Folder { reason, .. } => io_remedy(reason, OTHER_FOLDER),
            OpenError::Device(error) => device_remedy(error),
            OpenError::Store(error) => store_remedy(error),
        };
        Self::new(&error, remedy)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(&error, store_remedy(&error))
    }
}

impl From<&CheckError> for Failure {
    fn from(error: &CheckError) -> Self {
        let remedy = match error {
            CheckError::Cancelled => "",
            CheckError::Licenses(_) | CheckError::Changed => "run the same command with --repair",
            CheckError::Database(_) => "move the store away and restore a backup into a new one",
            CheckError::Store(error) => store_remedy(error),
        };
        Self::new(error, remedy)
    }
}

impl From<&CleanError> for Failure {
    fn from(error: &CleanError) -> Self {
        let remedy = match error {
            CleanError::Cancelled => "",
            CleanError::Store(error) => store_remedy(error),
        };
        Self::new(error, remedy)
    }
}

impl From<&BackupError> for Failure {
    fn from(error: &BackupError) -> Self {
        let remedy = match error {
            BackupError::Cancelled => "",
            BackupError::Exists => "choose another folder, or replace it with --overwrite",
            BackupError::Place(error) | BackupError::ReadOnly(error) => {
                io_remedy(error, "choose a folder that exists and that you may write")
            }
            BackupError::Occupied => "choose another folder, or move away what has the name licenses.wmbackup",
            BackupError::Medium(_) => {
                "check that the medium is still there, or choose another; an older backup is kept"
            }
            BackupError::Full => "make room or choose another folder; an older backup is still there",
            BackupError::Keys => "open the application once while it is online",
            BackupError::Store(error) => store_remedy(error),
        };
        Self::new(error, remedy)
    }
}

impl From<&RestoreError> for Failure {
    fn from(error: &RestoreError) -> Self {
        match error {
            RestoreError::Refused { reason, wait, url } => {
                let why = Why::Refused { reason: *reason, wait: *wait };
                let sentence = format!("the service refuses the restore: {}", left_out::text(&why));
                Self::new(sentence, &left_out::help(&why, url.as_deref()))
            }
            other => Self::new(other, restore_remedy(other)),
        }
    }
}

pub(crate) fn restore_remedy(error: &RestoreError) -> &str {
    match error {
        RestoreError::Refused { .. } => "",
        RestoreError::Service(error) => session_remedy(error),
        RestoreError::NotFound => "give the folder that holds licenses.wmbackup",
        RestoreError::Place(error) => io_remedy(error, READABLE),
        RestoreError::Occupied => READABLE,
        RestoreError::Medium(_) => "check that the medium is still there, or use another copy of the backup",
        RestoreError::Corrupt(_) => "nothing was changed; use another copy of the backup if there is one",
        RestoreError::TooNew => "use a newer version of this program",
        RestoreError::NotRestorable => "restore it on the device that made it",
        RestoreError::Individualize(error) => match &**error {
            IndividualizeError::Refused(..) => "",
            IndividualizeError::Service(error) => session_remedy(error),
            IndividualizeError::Device(error) => device_remedy(error),
        },
    }
}

fn session_remedy(error: &SessionError) -> &'static str {
    match error {
        SessionError::Cancelled => "",
        SessionError::NeedsIndividualization => {
            "add --individualize, if you agree that the service gives this device an ID"
        }
        SessionError::NoService => "name the license service with --service",
        SessionError::UnknownService | SessionError::Keys => "open the application once while it is online",
        SessionError::AuthorityNotTrusted => "give the authority that the service's owner publishes with --authority",
        SessionError::Transport(error) => transport_remedy(error),
        SessionError::BadAnswer(fault) => answer_remedy(fault),
        SessionError::Store(error) => store_remedy(error),
    }
}

fn answer_remedy(fault: &AnswerFault) -> &'static str {
    match fault {
        AnswerFault::Signature | AnswerFault::OtherRequest | AnswerFault::Manifest => {
            "try again; if it stays so, use another network"
        }
        AnswerFault::Malformed(_)
        | AnswerFault::Signer
        | AnswerFault::SignerRevoked
        | AnswerFault::SignerDates
        | AnswerFault::OtherDevice
        | AnswerFault::OtherIssuer(_)
        | AnswerFault::Twice(_)
        | AnswerFault::OtherTerms(_)
        | AnswerFault::UnaskedKid(_)
        | AnswerFault::UnaskedLicense(_)
        | AnswerFault::Pages
        | AnswerFault::DeviceCertificate(_)
        | AnswerFault::ServiceClock
        | AnswerFault::Undecided => "check the service's URL, and tell its owner",
    }
}

fn transport_remedy(error: &TransportError) -> &'static str {
    match error {
        TransportError::Cancelled => "",
        TransportError::DeadlinePassed | TransportError::Unavailable(_) => "try again later; it goes on where it was",
        TransportError::Offline => "",
        TransportError::Url(_) => "use an https URL",
        TransportError::Broken(_) => "try again; it goes on where it was",
        TransportError::Proxy(_) => "check https_proxy and no_proxy in the environment",
        TransportError::Unreachable(_) => "check the network and the service's URL, then try again",
        TransportError::Tls(_) => "check the service's URL",
        TransportError::TlsDate(_) => "check this machine's clock",
        TransportError::Refused(failure) => match failure.http_status {
            // Without a status it was not even sent.
            0 | 401 | 403 => "check the account token",
            409 | 410 => "try again",
            _ => "check the service's URL",
        },
        TransportError::NoMemory => shortage_remedy(Shortage::Memory),
        TransportError::NoDescriptor => shortage_remedy(Shortage::Descriptors),
        TransportError::NotTheService(_) | TransportError::TooLarge => "check the service's URL",
        TransportError::Redirect(_) => "ask for the service's present URL",
        TransportError::CaptivePortal(_) => "open any page in a browser, sign in to the network, then try again",
    }
}

/// What helps against an error of the system: more of what is lacking, else `otherwise`.
pub(crate) fn io_remedy(error: &io::Error, otherwise: &'static str) -> &'static str {
    Shortage::of(error).map_or(otherwise, shortage_remedy)
}

pub(crate) fn shortage_remedy(shortage: Shortage) -> &'static str {
    match shortage {
        Shortage::Memory => "close other programs, then try again",
        Shortage::Descriptors => "allow more open files (ulimit -n) or close other programs, then try again",
        Shortage::Room => "make room on the disk, then try again",
    }
}

const OTHER_FOLDER: &str = "give a folder that you may read and write";
const READABLE: &str = "choose a folder that you may read";
const IN_USE: &str = "close the application that uses the store, then try again";

fn device_remedy(error: &DeviceError) -> &'static str {
    match error {
        DeviceError::Damaged | DeviceError::Missing => {
            "move the folder away and restore a backup through the license management service"
        }
        DeviceError::TooNew => "use a newer version of this program",
        DeviceError::KeyGeneration | DeviceError::Cancelled => "try again",
        DeviceError::Busy | DeviceError::DeadlinePassed => IN_USE,
        DeviceError::Io(error) => io_remedy(error, OTHER_FOLDER),
    }
}

fn store_remedy(error: &StoreError) -> &'static str {
    match error {
        StoreError::Open(_) | StoreError::Io(_) | StoreError::ReadOnly => OTHER_FOLDER,
        StoreError::TooNew { .. } => "use a newer version of this program",
        StoreError::Damaged(_) | StoreError::Tampered => "move the folder away and restore a backup",
        StoreError::OtherDevice => "put the device.key back that belongs to this store",
        StoreError::Full => shortage_remedy(Shortage::Room),
        StoreError::Busy | StoreError::DeadlinePassed => IN_USE,
        StoreError::NoMemory => shortage_remedy(Shortage::Memory),
        StoreError::NoDescriptor => shortage_remedy(Shortage::Descriptors),
        StoreError::OtherPolicy(_) => "tell the owner of the content",
        StoreError::NoSuchLicense(_) | StoreError::NoTransaction | StoreError::Random | StoreError::Cancelled => {
            "try again"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_core::transport::ServiceFailure;

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
            assert_eq!(device_remedy(&DeviceError::Io(error())), shortage_remedy(shortage), "{kind}");
            assert_eq!(restore_remedy(&RestoreError::Place(error())), shortage_remedy(shortage), "{kind}");
            assert_eq!(Failure::from(&BackupError::Place(error())).remedy, shortage_remedy(shortage), "{kind}");
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(device_remedy(&DeviceError::Io(denied)), OTHER_FOLDER);
    }

    #[test]
    fn only_a_refusal_of_the_account_speaks_of_its_token() {
        let remedy = |http_status| {
            transport_remedy(&TransportError::Refused(ServiceFailure { http_status, ..ServiceFailure::default() }))
        };
        for status in [0, 401, 403] {
            assert_eq!(remedy(status), "check the account token");
        }
        for status in [400, 404, 405, 413] {
            assert_eq!(remedy(status), "check the service's URL");
        }
    }
}
