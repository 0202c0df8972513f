//! What this program says of single errors beside the library's clause and the help for their kind: what was to be done, with
//! which place, and what helps where one kind stands for several errors. Words for whole kinds are in `failure.rs`.

use crate::failure::{OTHER_FOLDER, Wording, io_remedy};
use crate::left_out;
use wmlicense_core::acquire::AcquireError;
use wmlicense_core::backup::BackupError;
use wmlicense_core::client::OpenError;
use wmlicense_core::contact::SessionError;
use wmlicense_core::decryptor::UseError;
use wmlicense_core::device::DeviceError;
use wmlicense_core::ensure::EnsureError;
use wmlicense_core::failure::Failure;
use wmlicense_core::individualize::IndividualizeError;
use wmlicense_core::renew::RenewError;
use wmlicense_core::restore::RestoreError;
use wmlicense_core::store::StoreError;
use wmlicense_core::store_keeper::{CheckError, CleanError};
use wmlicense_wire::answer::Reason;

impl Wording for StoreError {}

impl Wording for UseError {}

impl Wording for CleanError {}

impl Wording for SessionError {}

impl Wording for AcquireError {
    fn said(&self, told: &Failure) -> String {
        match self {
            Self::Refused { refusals: _, wait } => {
                left_out::until_possible(format!("the service refuses the license: {told}"), *wait)
            }
            Self::Service(_)
            | Self::NothingAsked
            | Self::Header(_)
            | Self::NoKeyId
            | Self::InteractionRequired { .. }
            | Self::StillWaiting { .. }
            | Self::Over
            | Self::TooManyKeyIds
            | Self::Later { .. }
            | Self::TooOld
            | Self::IssuerNotTrusted
            | Self::RemovedForGood => told.to_string(),
        }
    }

    fn helps(&self) -> Option<&'static str> {
        match self {
            Self::Over => Some("run the same command again: it asks anew"),
            Self::NothingAsked => Some("name content, --scope, or the account whose licenses are meant"),
            Self::Service(_)
            | Self::Header(_)
            | Self::NoKeyId
            | Self::Refused { .. }
            | Self::InteractionRequired { .. }
            | Self::StillWaiting { .. }
            | Self::TooManyKeyIds
            | Self::Later { .. }
            | Self::TooOld
            | Self::IssuerNotTrusted
            | Self::RemovedForGood => None,
        }
    }
}

/// As the step that failed.
impl Wording for EnsureError {
    fn said(&self, told: &Failure) -> String {
        match self {
            Self::Individualize(error) => error.said(told),
            Self::Acquire(error) => error.said(told),
            Self::Withheld { wait, .. } => {
                left_out::until_possible(format!("the service refuses the license: {told}"), *wait)
            }
            Self::UserMustAct { .. } | Self::Refused(..) => told.to_string(),
        }
    }

    fn helps(&self) -> Option<&'static str> {
        match self {
            Self::Individualize(error) => error.helps(),
            Self::Acquire(error) => error.helps(),
            Self::Withheld { .. } | Self::UserMustAct { .. } | Self::Refused(..) => None,
        }
    }
}

impl Wording for RenewError {
    fn said(&self, told: &Failure) -> String {
        match self {
            Self::NothingStored => told.to_string(),
            Self::Acquire(error) => error.said(told),
            Self::Partly { failure, .. } => failure.error.said(told),
        }
    }

    fn helps(&self) -> Option<&'static str> {
        match self {
            Self::NothingStored => None,
            Self::Acquire(error) => error.helps(),
            Self::Partly { failure, .. } => failure.error.helps(),
        }
    }
}

impl Wording for CheckError {
    fn helps(&self) -> Option<&'static str> {
        match self {
            Self::Database(_) => Some("move the store away and restore a backup into a new one"),
            Self::Cancelled | Self::Licenses(_) | Self::Changed | Self::Store(_) => None,
        }
    }
}

impl Wording for DeviceError {
    fn helps(&self) -> Option<&'static str> {
        match self {
            Self::KeyGeneration => Some("try again"),
            Self::Damaged
            | Self::TooNew
            | Self::Missing
            | Self::Busy
            | Self::Cancelled
            | Self::DeadlinePassed
            | Self::Io(_) => None,
        }
    }
}

impl Wording for OpenError {
    fn helps(&self) -> Option<&'static str> {
        match self {
            Self::Folder { path: _, reason } => Some(io_remedy(reason, OTHER_FOLDER)),
            Self::Device(error) => error.helps(),
            Self::Store(error) => error.helps(),
        }
    }
}

impl Wording for IndividualizeError {
    fn said(&self, told: &Failure) -> String {
        match self {
            Self::Refused(..) => format!("the individualization service refuses: {told}"),
            Self::Service(_) | Self::Device(_) => told.to_string(),
        }
    }

    fn helps(&self) -> Option<&'static str> {
        match self {
            Self::Device(error) => error.helps(),
            Self::Service(_) | Self::Refused(..) => None,
        }
    }
}

impl Wording for BackupError {
    fn said(&self, told: &Failure) -> String {
        // The library's clause is the system's alone.
        if matches!(self, Self::Place(_)) { self.to_string() } else { told.to_string() }
    }

    fn helps(&self) -> Option<&'static str> {
        match self {
            Self::Medium(_) => Some("check that the medium is still there, or choose another; an older backup is kept"),
            Self::Full => Some("make room or choose another folder; an older backup is still there"),
            Self::Cancelled
            | Self::Exists
            | Self::Place(_)
            | Self::Occupied
            | Self::ReadOnly(_)
            | Self::Keys
            | Self::Store(_) => None,
        }
    }
}

impl Wording for RestoreError {
    fn said(&self, told: &Failure) -> String {
        match self {
            Self::Place(_) => self.to_string(),
            // The library's clause for this reason says by itself who refuses.
            Self::Refused { reason: Reason::Damaged, wait, url: _ } => {
                left_out::until_possible(told.to_string(), *wait)
            }
            Self::Refused { reason: _, wait, url: _ } => {
                left_out::until_possible(format!("the service refuses the restore: {told}"), *wait)
            }
            Self::Individualize(error) => error.said(told),
            Self::Service(_)
            | Self::NotFound
            | Self::Occupied
            | Self::Medium(_)
            | Self::Corrupt(_)
            | Self::TooNew
            | Self::NotRestorable => told.to_string(),
        }
    }

    fn helps(&self) -> Option<&'static str> {
        match self {
            Self::Place(error) => Some(io_remedy(error, "choose a folder that you may read")),
            Self::Medium(_) => Some("check that the medium is still there, or use another copy of the backup"),
            Self::Individualize(error) => error.helps(),
            Self::Service(_)
            | Self::NotFound
            | Self::Occupied
            | Self::Corrupt(_)
            | Self::TooNew
            | Self::NotRestorable
            | Self::Refused { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::failure::Failure;
    use crate::left_out;
    use std::io;
    use std::time::Duration;
    use wmlicense_core::backup::BackupError;
    use wmlicense_core::client::OpenError;
    use wmlicense_core::contact::{AnswerFault, SessionError};
    use wmlicense_core::device::DeviceError;
    use wmlicense_core::event::Why;
    use wmlicense_core::failure::Explain as _;
    use wmlicense_core::individualize::IndividualizeError;
    use wmlicense_core::restore::RestoreError;
    use wmlicense_core::store_keeper::CheckError;
    use wmlicense_core::transport::ServiceFailure;
    use wmlicense_wire::answer::Reason;

    const REFUSES: &str = "the service refuses the restore: ";

    #[test]
    fn a_refused_restore_says_who_refuses_and_for_how_long() {
        for reason in Reason::ALL {
            let of = |wait| RestoreError::Refused { reason, wait, url: None };
            let said = |wait| Failure::from(of(wait)).sentence;
            let library = of(None).explain().clause().into_owned();
            let clause = library.strip_prefix(REFUSES).unwrap_or(&library);
            assert_eq!(said(None), format!("{REFUSES}{clause}"));
            let two_days = Duration::from_secs(2 * 24 * 60 * 60);
            assert_eq!(said(Some(two_days)), format!("{REFUSES}{clause}; possible in 2 days"));
        }
        let refused = IndividualizeError::Refused(Reason::DeviceRevoked, ServiceFailure::default());
        let said = Failure::from(RestoreError::Individualize(refused)).sentence;
        assert_eq!(said, "the individualization service refuses: the device's certificate was revoked");
    }

    #[test]
    fn a_place_is_told_with_what_was_wanted_of_it() {
        let denied = || io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(
            Failure::from(BackupError::Place(denied())).sentence,
            format!("the folder cannot be used: {}", denied())
        );
        assert_eq!(
            Failure::from(RestoreError::Place(denied())).sentence,
            format!("the place cannot be read: {}", denied())
        );
    }

    #[test]
    fn where_a_kind_stands_for_several_errors_each_has_its_own_help() {
        let other = || io::Error::from(io::ErrorKind::PermissionDenied);
        let no_keys = || DeviceError::KeyGeneration;
        let individualized = RestoreError::Individualize(no_keys().into());
        let folder = OpenError::Folder { path: "a".into(), reason: other() };
        let helps = [
            (Failure::from(no_keys()), "try again"),
            (Failure::from(OpenError::Device(no_keys())), "try again"),
            (Failure::from(individualized), "try again"),
            (Failure::from(BackupError::Keys), "run `wmlicense individualize` once while this machine is online"),
            (Failure::from(folder), "give a folder that you may read and write"),
            (
                Failure::from(CheckError::Database(String::new())),
                "move the store away and restore a backup into a new one",
            ),
            (Failure::from(RestoreError::Place(other())), "choose a folder that you may read"),
        ];
        for (failure, help) in helps {
            assert_eq!(failure.remedy, help, "{failure}");
        }
        let backup = Failure::from(BackupError::Medium(other())).remedy;
        assert!(backup.ends_with("or choose another; an older backup is kept"), "{backup}");
        let full = Failure::from(BackupError::Full).remedy;
        assert!(full.ends_with("an older backup is still there"), "{full}");
        let restore = Failure::from(RestoreError::Medium(other())).remedy;
        assert!(restore.ends_with("or use another copy of the backup"), "{restore}");
    }

    /// It is no stored license that somebody would have to get anew.
    #[test]
    fn an_answer_that_a_revoked_key_signed_is_the_matter_of_the_services_owner() {
        let error = RestoreError::from(SessionError::BadAnswer(AnswerFault::SignerRevoked));
        let help = "check the service's URL, and tell its owner";
        assert_eq!(left_out::help(&Why::Unasked(error.explain()), None), help);
        assert_eq!(Failure::from(error).remedy, help);
    }
}
