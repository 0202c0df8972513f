//! What an operation tells while it runs. Numbers and text forms of the C API are the boundary's.

use crate::restore::{ClosedSections, LeftOut, Unasked, Verdict};
use crate::store::Fault;
use std::time::Duration;
use wmlicense_wire::answer::Reason;
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
    RestoreVerdict(Verdict),
    /// A license that a check of the store found damaged.
    DamagedLicense {
        /// Its key ID.
        kid: Kid,
        /// What is wrong with it.
        fault: Fault,
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
    IndividualizeFailed(Unasked),
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
