//! What `wm_get_error_info` tells of a failure.

use crate::detail::{self, Detail};
use crate::gate;
use crate::input::{self, fixed_text};
use crate::kinds::{Category, Remedy};
use crate::result::{self, wm_result};

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
        let info = describe(detail::last().as_deref(), out.struct_size());
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
        request_id: fixed_text(detail.and_then(|detail| detail.request_id.as_deref()).unwrap_or("")),
        message: fixed_text(detail.map_or("", |detail| &detail.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detail::Failure;
    use crate::result::WM_E_INDIV_FRAUD;
    use std::time::Duration;
    use wmlicense_core::event::Why;
    use wmlicense_wire::answer::Reason;

    #[test]
    fn a_detail_carries_what_the_table_says_of_its_result() {
        let why = Why::Refused { reason: Reason::QuotaUsedUp, wait: Some(Duration::from_secs(3)) };
        let detail = Failure::from(why).into_detail();
        let info = describe(Some(&detail), 8);
        assert_eq!((info.result, info.retryable, info.remedy), (WM_E_INDIV_FRAUD, 1, Remedy::Retry as u32));
        assert_eq!((info.retry_after_ms, info.struct_size), (3000, 8));
    }
}
