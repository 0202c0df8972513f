//! The detail of a failure: what `wm_get_error_info` tells, and where each thread keeps it.

use crate::gate;
use crate::input;
use crate::result::{self, wm_result};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use wmlicense_core::transport::ServiceFailure;
use wmlicense_wire::id::Kid;

/// Kind of a failure, for statistics and logs. Values of `wm_error_info::category`.
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

/// What helps against a failure, for the application to switch on. Values of `wm_error_info::remedy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing known.
    None = 0,
    /// The same again, after `retry_after_ms` if that is not 0.
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
    /// Individualizing the device anew, with `WM_INDIVIDUALIZE_FORCE`.
    IndividualizeAnew = 17,
    /// More time or uses from the content's owner: a renewal, or buying it again. Asking for the same license changes nothing.
    Renew = 18,
}

/// Names of the categories in the header, in the order of their values.
pub const CATEGORIES: &[(&str, Category)] = &[
    ("WM_CATEGORY_NONE", Category::None),
    ("WM_CATEGORY_CALL", Category::Call),
    ("WM_CATEGORY_STATE", Category::State),
    ("WM_CATEGORY_NETWORK", Category::Network),
    ("WM_CATEGORY_SERVICE", Category::Service),
    ("WM_CATEGORY_TRUST", Category::Trust),
    ("WM_CATEGORY_REFUSED", Category::Refused),
    ("WM_CATEGORY_RIGHTS", Category::Rights),
    ("WM_CATEGORY_STORAGE", Category::Storage),
    ("WM_CATEGORY_CONTENT", Category::Content),
    ("WM_CATEGORY_CANCELLED", Category::Cancelled),
    ("WM_CATEGORY_INTERNAL", Category::Internal),
];

/// Names of the remedies in the header, in the order of their values.
pub const REMEDIES: &[(&str, Remedy)] = &[
    ("WM_REMEDY_NONE", Remedy::None),
    ("WM_REMEDY_RETRY", Remedy::Retry),
    ("WM_REMEDY_GO_ONLINE", Remedy::GoOnline),
    ("WM_REMEDY_SET_CLOCK", Remedy::SetClock),
    ("WM_REMEDY_INDIVIDUALIZE", Remedy::Individualize),
    ("WM_REMEDY_REACQUIRE", Remedy::Reacquire),
    ("WM_REMEDY_CONTACT_ISSUER", Remedy::ContactIssuer),
    ("WM_REMEDY_FREE_DEVICE", Remedy::FreeDevice),
    ("WM_REMEDY_CHOOSE_PLACE", Remedy::ChoosePlace),
    ("WM_REMEDY_FREE_SPACE", Remedy::FreeSpace),
    ("WM_REMEDY_SIGN_IN", Remedy::SignIn),
    ("WM_REMEDY_OPEN_URL", Remedy::OpenUrl),
    ("WM_REMEDY_UPDATE", Remedy::Update),
    ("WM_REMEDY_RESTORE_BACKUP", Remedy::RestoreBackup),
    ("WM_REMEDY_FIX_CALL", Remedy::FixCall),
    ("WM_REMEDY_NETWORK_SIGN_IN", Remedy::NetworkSignIn),
    ("WM_REMEDY_CHECK_PROXY", Remedy::CheckProxy),
    ("WM_REMEDY_INDIVIDUALIZE_ANEW", Remedy::IndividualizeAnew),
    ("WM_REMEDY_RENEW", Remedy::Renew),
];

/// Detail of a failure. Set struct_size to sizeof(wm_error_info) before the call. No field ever holds a secret.
#[repr(C)]
pub struct wm_error_info {
    /// Size of the struct that the caller knows, in bytes.
    pub struct_size: usize,
    /// The failure; 0 if nothing failed on this thread.
    pub result: wm_result,
    /// WM_CATEGORY_*: kind of failure.
    pub category: u32,
    /// WM_REMEDY_*: what helps.
    pub remedy: u32,
    /// 1 if the same call may succeed later, else 0.
    pub retryable: u32,
    /// When to try again, milliseconds from the failure; 0 if unknown.
    pub retry_after_ms: u64,
    /// HTTP status of the service's answer; 0 if there was none.
    pub http_status: u32,
    /// The service's own number for the problem; 0 if there was none.
    pub server_code: i32,
    /// 1 if kid is set, else 0.
    pub has_kid: u32,
    /// Key ID that the failure is about.
    pub kid: [u8; 16],
    /// Finds the request in the service's log; empty if there was none.
    pub request_id: [std::ffi::c_char; 40],
    /// One English sentence, UTF-8, cut at the end if it is too long.
    pub message: [std::ffi::c_char; 512],
}

/// Everything known about a failure.
#[derive(Debug, Clone)]
pub(crate) struct Detail {
    pub(crate) result: wm_result,
    pub(crate) retry_after_ms: u64,
    pub(crate) http_status: u16,
    pub(crate) server_code: i32,
    pub(crate) kid: Option<Kid>,
    pub(crate) request_id: Option<String>,
    pub(crate) message: Cow<'static, str>,
}

/// Why a call or an operation failed. Boxed so that the happy path moves a pointer.
#[derive(Debug, Clone)]
pub(crate) struct Failure(Box<Detail>);

impl Failure {
    /// A failure that the result's own sentence explains.
    pub(crate) fn new(result: wm_result) -> Self {
        let message = result::row(result).and_then(|row| row.message.to_str().ok()).unwrap_or("Unknown result.");
        Self::with(result, message)
    }

    /// A failure with a sentence, or a clause that becomes one.
    pub(crate) fn with(result: wm_result, message: impl Into<Cow<'static, str>>) -> Self {
        let message = sentence(message.into());
        Self(Box::new(Detail {
            result,
            retry_after_ms: 0,
            http_status: 0,
            server_code: 0,
            kid: None,
            request_id: None,
            message,
        }))
    }

    /// Adds the key ID that it is about.
    pub(crate) fn about(mut self, kid: Kid) -> Self {
        self.0.kid = Some(kid);
        self
    }

    /// Adds when to try again.
    pub(crate) fn retry_after_seconds(mut self, seconds: u64) -> Self {
        self.0.retry_after_ms = seconds.saturating_mul(1000);
        self
    }

    /// Adds what the service told.
    pub(crate) fn told_by_service(mut self, told: &ServiceFailure) -> Self {
        self.0.http_status = told.http_status;
        self.0.server_code = told.server_code;
        self.0.request_id = told.request_id.clone();
        self.retry_after_seconds(told.retry_after.unwrap_or(0))
    }

    /// The result.
    pub(crate) fn result(&self) -> wm_result {
        self.0.result
    }

    /// A failure that was told already, for another caller.
    pub(crate) fn of_detail(detail: &Detail) -> Self {
        Self(Box::new(detail.clone()))
    }

    /// The detail, to share.
    pub(crate) fn into_detail(self) -> Arc<Detail> {
        Arc::new(*self.0)
    }
}

/// Core errors are lower-case clauses without a full stop; people read sentences.
fn sentence(text: Cow<'static, str>) -> Cow<'static, str> {
    let upper = text.chars().next().is_some_and(char::is_uppercase);
    if upper && text.ends_with('.') {
        return text;
    }
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().collect::<String>()).unwrap_or_default();
    Cow::Owned(format!("{first}{}.", letters.as_str().trim_end_matches('.')))
}

thread_local! {
    static LAST: RefCell<Option<Arc<Detail>>> = const { RefCell::new(None) };
}

/// Makes a detail the calling thread's own; `None` where a callback reports a success.
pub(crate) fn set(detail: Option<Arc<Detail>>) {
    // A thread whose locals are gone already keeps nothing, and nobody can ask it any more.
    let _ = LAST.try_with(|last| last.replace(detail));
}

pub(crate) fn last() -> Option<Arc<Detail>> {
    LAST.try_with(|last| last.borrow().clone()).ok().flatten()
}

/// Tells the detail of the last failing call on this thread; inside a callback, of the event that is being told; after a
/// wm_wait that delivered a failing result, of that operation. Successful calls leave it as it is. Without any failure
/// so far, result is 0. The smaller of the two sizes is written and the rest of the caller's struct is zeroed.
/// Fails with WM_E_INVALIDARG if info is NULL or struct_size is less than sizeof(size_t) or more than 4096; that
/// failure leaves the detail as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_get_error_info(info: *mut wm_error_info) -> wm_result {
    gate::enter_silently(|| {
        // SAFETY: the header makes the caller answer for `info` and its struct_size.
        let out = unsafe { input::SizedOut::new(info)? };
        let info = describe(last().as_deref(), out.struct_size());
        out.write(info);
        Ok(())
    })
}

fn describe(detail: Option<&Detail>, struct_size: usize) -> wm_error_info {
    let row = detail.and_then(|detail| result::row(detail.result));
    let kid = detail.and_then(|detail| detail.kid);
    wm_error_info {
        struct_size,
        result: detail.map_or(0, |detail| detail.result),
        category: row.map_or(Category::None, |row| row.category) as u32,
        remedy: row.map_or(Remedy::None, |row| row.remedy) as u32,
        retryable: u32::from(row.is_some_and(|row| row.retryable)),
        retry_after_ms: detail.map_or(0, |detail| detail.retry_after_ms),
        http_status: detail.map_or(0, |detail| detail.http_status.into()),
        server_code: detail.map_or(0, |detail| detail.server_code),
        has_kid: u32::from(kid.is_some()),
        kid: kid.map_or([0; 16], |kid| *kid.as_bytes()),
        request_id: text(detail.and_then(|detail| detail.request_id.as_deref()).unwrap_or("")),
        message: text(detail.map_or("", |detail| &detail.message)),
    }
}

/// Text for a fixed field: cut between characters, always with a NUL.
pub(crate) fn text<const N: usize>(text: &str) -> [std::ffi::c_char; N] {
    let mut end = text.len().min(N - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut field = [0; N];
    for (to, from) in field.iter_mut().zip(&text.as_bytes()[..end]) {
        *to = *from as std::ffi::c_char;
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{WM_E_BAD_VALUE, WM_E_BUSY};

    #[test]
    fn names_stand_in_the_order_of_their_values() {
        for (place, (name, category)) in CATEGORIES.iter().enumerate() {
            assert_eq!(*category as usize, place, "{name}");
        }
        for (place, (name, remedy)) in REMEDIES.iter().enumerate() {
            assert_eq!(*remedy as usize, place, "{name}");
        }
    }

    #[test]
    fn clauses_become_sentences() {
        assert_eq!(sentence("the disk is full".into()), "The disk is full.");
        assert_eq!(sentence("Done.".into()), "Done.");
        assert_eq!(sentence("".into()), ".");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let field: [std::ffi::c_char; 4] = text("aéé");
        assert_eq!(field.map(|byte| byte as u8), [b'a', 0xc3, 0xa9, 0]);
        let field: [std::ffi::c_char; 4] = text("aaé");
        assert_eq!(field.map(|byte| byte as u8), [b'a', b'a', 0, 0]);
    }

    #[test]
    fn a_detail_carries_what_the_table_says_of_its_result() {
        let detail = Failure::new(WM_E_BUSY).retry_after_seconds(3).into_detail();
        let info = describe(Some(&detail), 8);
        assert_eq!((info.result, info.retryable, info.remedy), (WM_E_BUSY, 1, Remedy::Retry as u32));
        assert_eq!((info.retry_after_ms, info.struct_size), (3000, 8));
    }

    #[test]
    fn each_thread_has_a_detail_of_its_own() {
        set(Some(Failure::new(WM_E_BUSY).into_detail()));
        std::thread::spawn(|| set(Some(Failure::new(WM_E_BAD_VALUE).into_detail()))).join().ok();
        assert_eq!(last().map(|detail| detail.result), Some(WM_E_BUSY));
    }
}
