//! What an operation tells while it runs. Numbers and text forms of the C API are the boundary's.

use crate::failure::Failure;
use std::time::Duration;
use wmlicense_wire::answer::{Reason, Refusal};
use wmlicense_wire::id::Kid;

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 if unknown.
    pub total: u64,
}

/// Phase of an individualization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndividualizePhase {
    /// Keys are being made.
    Begin,
    /// The service is being asked.
    Download,
    /// The certificate is being stored.
    Install,
    /// Over: certified.
    Succeed,
}

/// Phase of one HTTP request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpPhase {
    /// No request yet.
    NotInitiated,
    /// Connecting.
    Connecting,
    /// Sending the request and waiting.
    Requesting,
    /// Receiving the answer.
    Receiving,
    /// Received.
    Completed,
}

/// A request to a service, as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Phase of the attempt under way; [`HttpPhase::NotInitiated`] while the next one is waited for.
    pub phase: HttpPhase,
    /// Which attempt, from 1 on; while the next one is waited for, the one that failed.
    pub attempt: u32,
    /// Attempts at most; 0 if there is no limit.
    pub attempts: u32,
    /// Bytes of the answer received.
    pub bytes: u64,
    /// Bytes of the answer in all; 0 if unknown.
    pub bytes_total: u64,
    /// Until the next attempt, where one is waited for.
    pub next_try: Option<Duration>,
    /// Who is asked, without a port.
    pub host: String,
}

/// One status of a running operation. The final result is not an event: the verb returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Licenses are being written or read from here on.
    BackupRestoreBegin,
    /// The license management service is being asked.
    Connecting,
    /// The license management service has answered everything.
    Disconnecting,
    /// Something is refused, and the user finds help at a page of the service.
    ErrorWithUrl {
        /// The page.
        url: String,
        /// What it helps with.
        reason: Reason,
    },
    /// A license that may not be backed up.
    RestrictedLicense(Kid),
    /// A license that a service refuses, or that a restore leaves out for another reason.
    LicenseRefused(LeftOut),
    /// Sections of a backup that stay closed, those with one reason together.
    SectionsClosed(ClosedSections),
    /// What a restore would do with one license of a backup.
    RestoreVerdict(RestoreVerdict),
    /// A license that a check of the store found damaged.
    DamagedLicense {
        /// Its key ID.
        kid: Kid,
        /// What is wrong with it.
        fault: LicenseFault,
    },
    /// A stored license that its owner wants to be renewed by now.
    RenewalDue(Kid),
    /// The service answered nobody in particular although an account is set: its token did not come with the request.
    AccountNotPresented,
    /// Progress, at most every 100 ms, and the last one always.
    Progress(Progress),
    /// A request to a service goes on: at every change of phase, attempt or host, and else at most every 100 ms.
    Network(Network),
    /// Individualization goes on.
    Individualize {
        /// Phase.
        phase: IndividualizePhase,
        /// Requests completed.
        requests: u32,
        /// Phase of the request under way.
        http: HttpPhase,
        /// Bytes received.
        bytes: u64,
        /// Bytes expected; 0 if unknown.
        bytes_total: u64,
    },
    /// The individualization that another operation began with failed.
    IndividualizeFailed(Failure),
    /// The device must be individualized first.
    NeedsIndividualization,
}

/// What a receiver of events answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Cancel the operation.
    Cancel,
}

/// What is wrong with a license.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LicenseFault {
    /// Its policy or binding cannot be read, or its columns name something else.
    Unreadable,
    /// It is not one of those that a service signed, or was removed for good.
    NotSigned,
    /// Its key does not open.
    KeyLost,
    /// What is left of it is missing or was changed.
    StateLost,
}

/// Why a license or a section is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A service decided so, or this store: it was revoked, or it has ended.
    Refused {
        /// Why.
        reason: Reason,
        /// How long it will be so at least, where it is refused for a time only.
        wait: Option<Duration>,
    },
    /// A service must be asked, and could not be.
    Unasked(Failure),
    /// No key here opens the section, and no service has one.
    NoKey,
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        Self::Refused { reason, wait: None }
    }
}

impl Why {
    /// What a refusal says that was made at `now`, seconds UTC.
    pub fn refused(refusal: &Refusal, now: i64) -> Self {
        Self::Refused { reason: refusal.reason, wait: wait(refusal.again, now) }
    }

    /// The reason of a refusal.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused { reason, .. } => Some(*reason),
            Self::Unasked(_) | Self::NoKey => None,
        }
    }
}

/// How long to wait at `now` for what is refused until `again`, both in seconds UTC.
pub fn wait(again: Option<i64>, now: i64) -> Option<Duration> {
    again.map(|again| Duration::from_secs(again.saturating_sub(now).max(1).unsigned_abs()))
}

/// A license that is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its key ID.
    pub kid: Kid,
    /// Why.
    pub why: Why,
}

/// Sections that stay closed for one reason: what they hold is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedSections {
    /// Why.
    pub why: Why,
    /// How many.
    pub sections: u32,
    /// Bytes of the backup in them.
    pub bytes: u64,
    /// Page of the service that helps.
    pub url: Option<String>,
}

/// What a restore would give for one license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreVerdict {
    /// Its key ID.
    pub kid: Kid,
    /// Its title: the application's in the backup, else the one that came with it.
    pub title: Option<String>,
    /// Why it would be left out; `None` if it would be restored. Where the service could not be asked it is undecided.
    pub refusal: Option<Why>,
    /// Devices that hold it; 0 where the service need not be asked.
    pub devices_used: u32,
    /// Devices that may hold it in all; 0 where the service need not be asked.
    pub devices_limit: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_at_least_a_second() {
        assert_eq!(wait(Some(100), 40), Some(Duration::from_secs(60)));
        assert_eq!(wait(Some(100), 100), Some(Duration::from_secs(1)));
        assert_eq!(wait(None, 100), None);
    }
}
