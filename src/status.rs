//! Statuses: their numbers, names and values, and how an event of the core becomes one.

use crate::error_info;
use crate::error_info::{Detail, Failure};
use crate::failure;
use crate::prop;
use crate::result::{WM_S_OK, wm_result};
use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;
use std::time::Duration;
use wmlicense_core::event::{Event, HttpPhase, IndividualizePhase, Network, Progress};
use wmlicense_core::restore::Verdict;

/// Number of a status.
pub type wm_status = i32;

pub(crate) const BACKUPRESTORE_BEGIN: wm_status = 21;
pub(crate) const ACQUIRE_LICENSE: wm_status = 23;
pub(crate) const INDIVIDUALIZE: wm_status = 24;
pub(crate) const NEEDS_INDIVIDUALIZATION: wm_status = 25;
pub(crate) const BACKUPRESTORE_END: wm_status = 27;
pub(crate) const BACKUPRESTORE_CONNECTING: wm_status = 28;
pub(crate) const BACKUPRESTORE_DISCONNECTING: wm_status = 29;
pub(crate) const ERROR_WITHURL: wm_status = 30;
pub(crate) const RESTRICTED_LICENSE: wm_status = 31;
pub(crate) const PROGRESS: wm_status = 0x1000;
pub(crate) const LICENSE_REFUSED: wm_status = 0x1001;
pub(crate) const RESTORE_VERDICT: wm_status = 0x1002;
pub(crate) const STORE_CHECKED: wm_status = 0x1003;
pub(crate) const STORE_CLEANED: wm_status = 0x1004;
pub(crate) const DAMAGED_LICENSE: wm_status = 0x1005;
pub(crate) const RENEWAL_DUE: wm_status = 0x1006;
pub(crate) const REVOCATIONS_REFRESHED: wm_status = 0x1007;
pub(crate) const NETWORK: wm_status = 0x1008;
pub(crate) const ACCOUNT_NOT_PRESENTED: wm_status = 0x100B;

/// Every status: name, number, meaning with the value it carries.
pub const STATUSES: &[(&CStr, wm_status, &str)] = &[
    (c"WM_STATUS_BACKUPRESTORE_BEGIN", BACKUPRESTORE_BEGIN, "Licenses are being written or read from here on."),
    (
        c"WM_STATUS_ACQUIRE_LICENSE",
        ACQUIRE_LICENSE,
        "Final status of an acquisition; STRING, a URL, where the user must act.",
    ),
    (
        c"WM_STATUS_INDIVIDUALIZE",
        INDIVIDUALIZE,
        "Progress and final status of an individualization; BINARY, wm_individualize_progress.",
    ),
    (c"WM_STATUS_NEEDS_INDIVIDUALIZATION", NEEDS_INDIVIDUALIZATION, "The device must be individualized first."),
    (c"WM_STATUS_BACKUPRESTORE_END", BACKUPRESTORE_END, "Final status of a backup or restore."),
    (c"WM_STATUS_BACKUPRESTORE_CONNECTING", BACKUPRESTORE_CONNECTING, "The license management service is being asked."),
    (
        c"WM_STATUS_BACKUPRESTORE_DISCONNECTING",
        BACKUPRESTORE_DISCONNECTING,
        "The license management service has answered everything.",
    ),
    (
        c"WM_STATUS_ERROR_WITHURL",
        ERROR_WITHURL,
        "As many devices as allowed hold the licenses; STRING, the URL of a page that helps.",
    ),
    (
        c"WM_STATUS_RESTRICTED_LICENSE",
        RESTRICTED_LICENSE,
        "A license may not be backed up; STRING, its key ID in base64.",
    ),
    (
        c"WM_STATUS_PROGRESS",
        PROGRESS,
        "How far the operation is; BINARY, wm_progress. At most every 100 ms, and the last one always.",
    ),
    (
        c"WM_STATUS_LICENSE_REFUSED",
        LICENSE_REFUSED,
        "A license is left out, the result says why; STRING, its key ID in base64.",
    ),
    (
        c"WM_STATUS_RESTORE_VERDICT",
        RESTORE_VERDICT,
        "What a restore would do with a license, 0 or why it would be left out; BINARY, wm_restore_verdict.",
    ),
    (c"WM_STATUS_STORE_CHECKED", STORE_CHECKED, "Final status of a check of the store."),
    (c"WM_STATUS_STORE_CLEANED", STORE_CLEANED, "Final status of a cleaning of the store."),
    (
        c"WM_STATUS_DAMAGED_LICENSE",
        DAMAGED_LICENSE,
        "A check found a license that cannot be used, the result says why; STRING, its key ID in base64.",
    ),
    (
        c"WM_STATUS_RENEWAL_DUE",
        RENEWAL_DUE,
        "The owner wants a stored license to be renewed by now; STRING, its key ID in base64.",
    ),
    (c"WM_STATUS_REVOCATIONS_REFRESHED", REVOCATIONS_REFRESHED, "Final status of a refresh of revocations."),
    (
        c"WM_STATUS_NETWORK",
        NETWORK,
        "How far a request to a service is, of every verb that asks one; BINARY, wm_network_progress. At every change of phase, attempt or host, else at most every 100 ms.",
    ),
    (
        c"WM_STATUS_ACCOUNT_NOT_PRESENTED",
        ACCOUNT_NOT_PRESENTED,
        "An answer was decided for nobody although an account is set: its token did not travel with the challenge, and what only the account may have is missing. The result is WM_E_ACCOUNT_NOT_PRESENTED.",
    ),
];

/// Phases in wm_individualize_progress: name and number.
pub const INDIVIDUALIZE_PHASES: &[(&str, u32)] = &[
    ("WM_INDIVIDUALIZE_BEGIN", PHASE_BEGIN),
    ("WM_INDIVIDUALIZE_SUCCEED", PHASE_SUCCEED),
    ("WM_INDIVIDUALIZE_FAIL", PHASE_FAIL),
    ("WM_INDIVIDUALIZE_CANCEL", PHASE_CANCEL),
    ("WM_INDIVIDUALIZE_DOWNLOAD", PHASE_DOWNLOAD),
    ("WM_INDIVIDUALIZE_INSTALL", PHASE_INSTALL),
];

pub(crate) const PHASE_BEGIN: u32 = 0x1;
pub(crate) const PHASE_SUCCEED: u32 = 0x2;
pub(crate) const PHASE_FAIL: u32 = 0x4;
pub(crate) const PHASE_CANCEL: u32 = 0x8;
pub(crate) const PHASE_DOWNLOAD: u32 = 0x10;
pub(crate) const PHASE_INSTALL: u32 = 0x20;

/// HTTP phases in wm_individualize_progress: name and number.
pub const HTTP_PHASES: &[(&str, u32)] = &[
    ("WM_HTTP_NOTINITIATED", 0),
    ("WM_HTTP_CONNECTING", 1),
    ("WM_HTTP_REQUESTING", 2),
    ("WM_HTTP_RECEIVING", 3),
    ("WM_HTTP_COMPLETED", 4),
];

/// Value of WM_STATUS_PROGRESS.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wm_progress {
    /// Size of this struct as the library knows it, in bytes.
    pub struct_size: usize,
    /// Done so far: licenses, or bytes of the backup while a restore reads it on the device that made it.
    pub done: u64,
    /// The same in all; 0 if unknown.
    pub total: u64,
}

/// Value of WM_STATUS_INDIVIDUALIZE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wm_individualize_progress {
    /// Size of this struct as the library knows it, in bytes.
    pub struct_size: usize,
    /// 0 while it goes on, then the final result.
    pub result: wm_result,
    /// WM_INDIVIDUALIZE_*.
    pub phase: u32,
    /// Requests completed.
    pub requests: u32,
    /// WM_HTTP_*: phase of the request under way.
    pub http_phase: u32,
    /// Bytes of the answer received.
    pub bytes: u64,
    /// Bytes of the answer in all; 0 if unknown.
    pub bytes_total: u64,
}

/// Value of WM_STATUS_NETWORK: one request, of which a verb may make several, and the attempts at it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wm_network_progress {
    /// Size of this struct as the library knows it, in bytes.
    pub struct_size: usize,
    /// WM_HTTP_*: phase of the attempt under way; WM_HTTP_NOTINITIATED while the next one is waited for.
    pub http_phase: u32,
    /// Which attempt, from 1 on; while the next one is waited for, the one that failed.
    pub attempt: u32,
    /// Attempts at most, as WM_PROP_RETRY_LIMIT allows; 0: no limit.
    pub attempts: u32,
    /// 0.
    pub reserved: u32,
    /// Bytes of the answer received.
    pub bytes: u64,
    /// Bytes of the answer in all; 0 if unknown.
    pub bytes_total: u64,
    /// Milliseconds until the next attempt, counted from this status; 0: none waits.
    pub next_try_ms: u64,
    /// Host that is asked, without a port; cut at the end if it is too long.
    pub host: [c_char; 256],
}

/// Value of WM_STATUS_RESTORE_VERDICT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wm_restore_verdict {
    /// Size of this struct as the library knows it, in bytes.
    pub struct_size: usize,
    /// Key ID of the license.
    pub kid: [u8; 16],
    /// Devices that hold the license, the one it was issued to included; 0 where the service need not be asked.
    pub devices_used: u32,
    /// Devices that may hold it in all; 0 where the service need not be asked.
    pub devices_limit: u32,
    /// Title, UTF-8, cut at the end if it is too long; empty if there is none.
    pub title: [c_char; 256],
}

/// Name of a status, such as "WM_STATUS_BACKUPRESTORE_END"; "unknown status" for a number that is none. Static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wm_status_name(status: wm_status) -> *const c_char {
    name(status).as_ptr()
}

pub(crate) fn name(status: wm_status) -> &'static CStr {
    STATUSES.iter().find(|row| row.1 == status).map_or(c"unknown status", |row| row.0)
}

/// The value that travels with a status.
pub(crate) enum Payload {
    /// NULL.
    Nothing,
    /// Text without its NUL.
    Text(String),
    /// How far.
    Progress(wm_progress),
    /// What a restore would do.
    Verdict(Box<wm_restore_verdict>),
    /// How far a request is.
    Network(Box<wm_network_progress>),
    /// How far an individualization is.
    Individualize(wm_individualize_progress),
}

impl Payload {
    /// Calls `tell` with type, address and size as C receives them.
    pub(crate) fn with_c_form<R>(&self, tell: impl FnOnce(prop::wm_attr_type, *const c_void, usize) -> R) -> R {
        match self {
            Self::Nothing => tell(prop::TYPE_DWORD, std::ptr::null(), 0),
            Self::Text(text) => {
                let bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).chain([0]).collect();
                tell(prop::TYPE_STRING, bytes.as_ptr().cast(), bytes.len())
            }
            Self::Progress(value) => tell(prop::TYPE_BINARY, std::ptr::from_ref(value).cast(), size_of_val(value)),
            Self::Verdict(value) => {
                tell(prop::TYPE_BINARY, std::ptr::from_ref(&**value).cast(), size_of::<wm_restore_verdict>())
            }
            Self::Network(value) => {
                tell(prop::TYPE_BINARY, std::ptr::from_ref(&**value).cast(), size_of::<wm_network_progress>())
            }
            Self::Individualize(value) => tell(prop::TYPE_BINARY, std::ptr::from_ref(value).cast(), size_of_val(value)),
        }
    }
}

/// One status on its way to the callback.
pub(crate) struct Told {
    pub(crate) status: wm_status,
    pub(crate) result: wm_result,
    pub(crate) payload: Payload,
    pub(crate) detail: Option<Arc<Detail>>,
}

impl Told {
    fn plain(status: wm_status, payload: Payload) -> Self {
        Self { status, result: WM_S_OK, payload, detail: None }
    }

    fn failed(status: wm_status, failure: Failure, payload: Payload) -> Self {
        Self { status, result: failure.result(), payload, detail: Some(failure.into_detail()) }
    }

    /// What an event of the core is to C.
    pub(crate) fn of(event: &Event) -> Self {
        match event {
            Event::BackupRestoreBegin => Self::plain(BACKUPRESTORE_BEGIN, Payload::Nothing),
            Event::Connecting => Self::plain(BACKUPRESTORE_CONNECTING, Payload::Nothing),
            Event::Disconnecting => Self::plain(BACKUPRESTORE_DISCONNECTING, Payload::Nothing),
            Event::ErrorWithUrl(url) => {
                Self::failed(ERROR_WITHURL, failure::limit_reached(), Payload::Text(url.clone()))
            }
            Event::RestrictedLicense(kid) => Self::plain(RESTRICTED_LICENSE, Payload::Text(kid.to_base64())),
            Event::RenewalDue(kid) => Self::plain(RENEWAL_DUE, Payload::Text(kid.to_base64())),
            Event::LicenseRefused { kid, reason } => {
                Self::failed(LICENSE_REFUSED, failure::reason(*reason).about(*kid), Payload::Text(kid.to_base64()))
            }
            Event::LicenseUnasked(kid) => {
                Self::failed(LICENSE_REFUSED, failure::not_asked().about(*kid), Payload::Text(kid.to_base64()))
            }
            Event::RestoreVerdict(verdict) => told_verdict(verdict),
            Event::DamagedLicense { kid, fault } => {
                Self::failed(DAMAGED_LICENSE, failure::fault(*fault).about(*kid), Payload::Text(kid.to_base64()))
            }
            Event::Progress(Progress { done, total }) => Self::plain(
                PROGRESS,
                Payload::Progress(wm_progress { struct_size: size_of::<wm_progress>(), done: *done, total: *total }),
            ),
            Event::Network(network) => Self::plain(NETWORK, Payload::Network(Box::new(network_progress(network)))),
            Event::Individualize { phase, requests, http, bytes, bytes_total } => Self::plain(
                INDIVIDUALIZE,
                Payload::Individualize(wm_individualize_progress {
                    struct_size: size_of::<wm_individualize_progress>(),
                    result: WM_S_OK,
                    phase: phase_number(*phase),
                    requests: *requests,
                    http_phase: http_number(*http),
                    bytes: *bytes,
                    bytes_total: *bytes_total,
                }),
            ),
            Event::AccountNotPresented => {
                Self::failed(ACCOUNT_NOT_PRESENTED, failure::account_not_presented(), Payload::Nothing)
            }
            Event::NeedsIndividualization => Self::plain(NEEDS_INDIVIDUALIZATION, Payload::Nothing),
        }
    }
}

fn told_verdict(verdict: &Verdict) -> Told {
    let payload = Payload::Verdict(Box::new(wm_restore_verdict {
        struct_size: size_of::<wm_restore_verdict>(),
        kid: *verdict.kid.as_bytes(),
        devices_used: verdict.devices_used,
        devices_limit: verdict.devices_limit,
        title: error_info::text(verdict.title.as_deref().unwrap_or("")),
    }));
    match verdict.refusal {
        None => Told::plain(RESTORE_VERDICT, payload),
        Some(reason) => Told::failed(RESTORE_VERDICT, failure::reason(reason).about(verdict.kid), payload),
    }
}

fn network_progress(network: &Network) -> wm_network_progress {
    // A wait that is almost over is one all the same.
    let milliseconds = |pause: Duration| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1);
    wm_network_progress {
        struct_size: size_of::<wm_network_progress>(),
        http_phase: http_number(network.phase),
        attempt: network.attempt,
        attempts: network.attempts,
        reserved: 0,
        bytes: network.bytes,
        bytes_total: network.bytes_total,
        next_try_ms: network.next_try.map_or(0, milliseconds),
        host: error_info::text(&network.host),
    }
}

fn phase_number(phase: IndividualizePhase) -> u32 {
    match phase {
        IndividualizePhase::Begin => PHASE_BEGIN,
        IndividualizePhase::Download => PHASE_DOWNLOAD,
        IndividualizePhase::Install => PHASE_INSTALL,
        IndividualizePhase::Succeed => PHASE_SUCCEED,
    }
}

fn http_number(phase: HttpPhase) -> u32 {
    match phase {
        HttpPhase::NotInitiated => 0,
        HttpPhase::Connecting => 1,
        HttpPhase::Requesting => 2,
        HttpPhase::Receiving => 3,
        HttpPhase::Completed => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_core::event::Event;
    use wmlicense_wire::answer::Reason;
    use wmlicense_wire::id::Kid;

    #[test]
    fn text_is_told_with_its_nul_and_without_others() {
        let read = |_, value: *const c_void, size| {
            // SAFETY: the payload tells its own bytes.
            (unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) }).to_vec()
        };
        assert_eq!(Payload::Text("a\0b".to_owned()).with_c_form(read), b"ab\0");
    }

    #[test]
    fn a_refused_license_carries_reason_and_key_id() {
        let kid = Kid::new([7; 16]);
        let told = Told::of(&Event::LicenseRefused { kid, reason: Reason::OtherAccount });
        assert_eq!((told.status, told.result), (LICENSE_REFUSED, crate::result::WM_E_OTHER_ACCOUNT));
        assert_eq!(told.detail.and_then(|detail| detail.kid), Some(kid));
    }

    #[test]
    fn statuses_have_numbers_of_their_own() {
        let numbers: std::collections::BTreeSet<_> = STATUSES.iter().map(|row| row.1).collect();
        assert_eq!(numbers.len(), STATUSES.len());
    }
}
