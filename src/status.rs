//! Statuses: their numbers and names, and how an event of the core becomes one. The structs of their values are in
//! `status/values.rs`.

pub(crate) mod phases;
mod values;

use crate::detail::{Detail, Failure};
use crate::input::fixed_text;
use crate::lists::numbers;
use crate::prop::{Type, wm_attr_type};
use crate::result::{WM_E_ACCOUNT_NOT_PRESENTED, WM_S_OK, wm_result};
use std::ffi::{CStr, c_char, c_void};
use std::sync::Arc;
use std::time::Duration;
pub use values::{wm_individualize_progress, wm_network_progress, wm_progress, wm_restore_verdict, wm_section_closed};
use wmlicense_core::event::{ClosedSections, LeftOut, RestoreVerdict};
use wmlicense_core::event::{Event, Network, Progress};

/// Number of a status.
pub type wm_status = i32;

numbers! {
    /// Every status, with the value that it carries.
    STATUSES = "WM_STATUS_": wm_status;
    BACKUPRESTORE_BEGIN = 21, "Licenses are being written or read from here on";
    ACQUIRE_LICENSE = 23, "Final status of an acquisition; STRING, a URL, where the user must act";
    INDIVIDUALIZE = 24, "Progress and end of an individualization, also of one within another operation; BINARY, wm_individualize_progress";
    NEEDS_INDIVIDUALIZATION = 25, "The device must be individualized first";
    BACKUPRESTORE_END = 27, "Final status of a backup or restore";
    BACKUPRESTORE_CONNECTING = 28, "The license management service is being asked";
    BACKUPRESTORE_DISCONNECTING = 29, "The license management service has answered everything";
    ERROR_WITHURL = 30, "Something is refused, the result says why: as many devices as allowed hold it, where that is among the reasons; STRING, the URL of a page that helps";
    RESTRICTED_LICENSE = 31, "A license may not be backed up; STRING, its key ID in base64";
    PROGRESS = 0x1000, "How far the operation is; BINARY, wm_progress. At most every 100 ms, and the last one always";
    LICENSE_REFUSED = 0x1001, "A license is left out, the result says why; STRING, its key ID in base64";
    RESTORE_VERDICT = 0x1002, "What a restore would do with a license, 0 or why it would be left out; BINARY, wm_restore_verdict";
    STORE_CHECKED = 0x1003, "Final status of a check of the store";
    STORE_CLEANED = 0x1004, "Final status of a cleaning of the store";
    DAMAGED_LICENSE = 0x1005, "A check found a license that cannot be used, the result says why; STRING, its key ID in base64";
    RENEWAL_DUE = 0x1006, "The owner wants a stored license to be renewed by now; STRING, its key ID in base64";
    REVOCATIONS_REFRESHED = 0x1007, "Final status of a refresh of revocations";
    NETWORK = 0x1008, "How far a request to a service is, of every verb that asks one; BINARY, wm_network_progress. At every change of phase, attempt or host, else at most every 100 ms";
    SECTION_CLOSED = 0x1009, "Sections of a backup stay closed, the result says why; BINARY, wm_section_closed. Once for each reason";
    ACCOUNT_NOT_PRESENTED = 0x100B, "An answer was decided for nobody although an account is set: its token did not travel with the challenge, and what only the account may have is missing. The result is WM_E_ACCOUNT_NOT_PRESENTED";
}

/// Name of a status, such as "WM_STATUS_BACKUPRESTORE_END"; "unknown status" for a number that is none. Static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wm_status_name(status: wm_status) -> *const c_char {
    name(status).as_ptr()
}

pub(crate) fn name(status: wm_status) -> &'static CStr {
    STATUSES.iter().find(|row| row.value == i64::from(status)).map_or(c"unknown status", |row| row.name)
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
    /// Sections that stay closed.
    Closed(Box<wm_section_closed>),
    /// How far a request is.
    Network(Box<wm_network_progress>),
    /// How far an individualization is.
    Individualize(wm_individualize_progress),
}

impl Payload {
    /// Calls `tell` with type, address and size as C receives them.
    pub(crate) fn with_c_form<R>(&self, tell: impl FnOnce(wm_attr_type, *const c_void, usize) -> R) -> R {
        let (address, size) = match self {
            Self::Nothing => return tell(Type::Dword.number(), std::ptr::null(), 0),
            Self::Text(text) => {
                let bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).chain([0]).collect();
                return tell(Type::String.number(), bytes.as_ptr().cast(), bytes.len());
            }
            Self::Progress(value) => place(value),
            Self::Verdict(value) => place(&**value),
            Self::Closed(value) => place(&**value),
            Self::Network(value) => place(&**value),
            Self::Individualize(value) => place(value),
        };
        tell(Type::Binary.number(), address, size)
    }
}

/// Where a struct is, and how large.
fn place<T>(value: &T) -> (*const c_void, usize) {
    (std::ptr::from_ref(value).cast(), size_of::<T>())
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
            Event::ErrorWithUrl { url, reason } => {
                Self::failed(ERROR_WITHURL, Failure::from(*reason), Payload::Text(url.clone()))
            }
            Event::RestrictedLicense(kid) => Self::plain(RESTRICTED_LICENSE, Payload::Text(kid.to_base64())),
            Event::RenewalDue(kid) => Self::plain(RENEWAL_DUE, Payload::Text(kid.to_base64())),
            Event::LicenseRefused(LeftOut { kid, why }) => {
                Self::failed(LICENSE_REFUSED, Failure::from(why).about(*kid), Payload::Text(kid.to_base64()))
            }
            Event::SectionsClosed(closed) => told_closed(closed),
            Event::RestoreVerdict(verdict) => told_verdict(verdict),
            Event::DamagedLicense { kid, fault } => {
                Self::failed(DAMAGED_LICENSE, Failure::from(*fault).about(*kid), Payload::Text(kid.to_base64()))
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
                    phase: phases::of_individualization(*phase),
                    requests: *requests,
                    http_phase: phases::of_request(*http),
                    bytes: *bytes,
                    bytes_total: *bytes_total,
                }),
            ),
            Event::AccountNotPresented => {
                Self::failed(ACCOUNT_NOT_PRESENTED, Failure::new(WM_E_ACCOUNT_NOT_PRESENTED), Payload::Nothing)
            }
            Event::IndividualizeFailed(why) => Self::failed(INDIVIDUALIZE, Failure::from(why), Payload::Nothing),
            Event::NeedsIndividualization => Self::plain(NEEDS_INDIVIDUALIZATION, Payload::Nothing),
        }
    }
}

fn told_verdict(verdict: &RestoreVerdict) -> Told {
    let payload = Payload::Verdict(Box::new(wm_restore_verdict {
        struct_size: size_of::<wm_restore_verdict>(),
        kid: *verdict.kid.as_bytes(),
        devices_used: verdict.devices_used,
        devices_limit: verdict.devices_limit,
        title: fixed_text(verdict.title.as_deref().unwrap_or("")),
    }));
    match &verdict.refusal {
        None => Told::plain(RESTORE_VERDICT, payload),
        Some(why) => Told::failed(RESTORE_VERDICT, Failure::from(why).about(verdict.kid), payload),
    }
}

fn told_closed(closed: &ClosedSections) -> Told {
    let ClosedSections { why, sections, bytes, url } = closed;
    let payload = Payload::Closed(Box::new(wm_section_closed {
        struct_size: size_of::<wm_section_closed>(),
        sections: *sections,
        reserved: 0,
        bytes: *bytes,
        url: fixed_text(url.as_deref().unwrap_or("")),
    }));
    Told::failed(SECTION_CLOSED, Failure::from(why), payload)
}

fn network_progress(network: &Network) -> wm_network_progress {
    // A wait that is almost over is one all the same.
    let milliseconds = |pause: Duration| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1);
    wm_network_progress {
        struct_size: size_of::<wm_network_progress>(),
        http_phase: phases::of_request(network.phase),
        attempt: network.attempt,
        attempts: network.attempts,
        reserved: 0,
        bytes: network.bytes,
        bytes_total: network.bytes_total,
        next_try_ms: network.next_try.map_or(0, milliseconds),
        host: fixed_text(&network.host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_core::contact::SessionError;
    use wmlicense_core::event::Event;
    use wmlicense_core::event::Why;
    use wmlicense_core::failure::Explain as _;
    use wmlicense_core::restore::RestoreError;
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
        let why = Why::Refused { reason: Reason::GrantedTooOften, wait: Some(Duration::from_secs(7)) };
        let told = Told::of(&Event::LicenseRefused(LeftOut { kid, why }));
        assert_eq!((told.status, told.result), (LICENSE_REFUSED, crate::result::WM_E_GRANTED_TOO_OFTEN));
        let detail = told.detail.unwrap();
        assert_eq!((detail.kid, detail.retry_after_ms), (Some(kid), 7000));
        let unasked = Why::Unasked(RestoreError::from(SessionError::NeedsIndividualization).explain());
        let told = Told::of(&Event::LicenseRefused(LeftOut { kid, why: unasked }));
        assert_eq!(told.result, crate::result::WM_E_NEEDS_INDIVIDUALIZATION);
    }

    #[test]
    fn a_page_is_told_with_what_it_helps_with() {
        for (reason, result) in [
            (Reason::LimitReached, crate::result::WM_E_RESTORE_FRAUD),
            (Reason::OtherAccount, crate::result::WM_E_OTHER_ACCOUNT),
        ] {
            let told = Told::of(&Event::ErrorWithUrl { url: "https://license.test/".to_owned(), reason });
            assert_eq!((told.status, told.result), (ERROR_WITHURL, result));
        }
    }

    #[test]
    fn closed_sections_are_told_with_reason_number_and_page() {
        let url = Some("https://license.test/".to_owned());
        let closed = ClosedSections { why: Reason::AccountRequired.into(), sections: 2, bytes: 9, url };
        let told = Told::of(&Event::SectionsClosed(closed));
        assert_eq!((told.status, told.result), (SECTION_CLOSED, crate::result::WM_E_ACCOUNT_REQUIRED));
        let Payload::Closed(value) = told.payload else { panic!("another payload") };
        assert_eq!((value.sections, value.bytes, value.url[0]), (2, 9, b'h' as c_char));
    }

    #[test]
    fn statuses_have_numbers_of_their_own() {
        let numbers: std::collections::BTreeSet<_> = STATUSES.iter().map(|row| row.value).collect();
        assert_eq!(numbers.len(), STATUSES.len());
    }
}
