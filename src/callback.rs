//! The status callback of the application, and which threads are inside one. Whose turn it is to call is in `teller/turn.rs`.

use crate::detail;
use crate::prop::wm_attr_type;
use crate::result::wm_result;
use crate::status::{Told, wm_status};
use std::cell::Cell;
use std::ffi::c_void;
use wmlicense_core::event::Flow;

/// Tells what a running operation does. NULL is allowed where one is asked for: then nothing is told, or the events go to
/// the client's event queue if there is one when the object is created (wm_create_event_queue).
/// status: WM_STATUS_*. result: 0 or the reason. type, value, size: what comes with the status, WM_TYPE_*; value is
/// valid until the callback returns, and NULL with size 0 where there is none; the size of a STRING includes its NUL.
/// context: as given, never touched. A failing answer cancels the operation; 0 goes on. Called on a thread of the
/// library, one call at a time per object, with no lock held; any function may be called from it. When the final status
/// comes, the object is idle: its next verb may be called, its properties set and the object released in that call, or by
/// a thread that learns of it there. A verb called there begins when the callback has returned. It must not throw or longjmp.
pub type wm_status_callback = Option<
    unsafe extern "C" fn(
        status: wm_status,
        result: wm_result,
        type_: wm_attr_type,
        value: *const c_void,
        size: usize,
        context: *mut c_void,
    ) -> wm_result,
>;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// True on a thread that is inside a callback of the library.
pub(crate) fn inside_a_callback() -> bool {
    INSIDE.get()
}

/// Calls a function of the application: on this thread nothing waits for an operation meanwhile.
pub(crate) fn as_callback<R>(call: impl FnOnce() -> R) -> R {
    let outer = INSIDE.replace(true);
    let answer = call();
    INSIDE.set(outer);
    answer
}

/// The application's function and its context.
#[derive(Clone, Copy)]
pub(crate) struct Callback {
    function: wm_status_callback,
    context: *mut c_void,
}

// SAFETY: the header says that the callback is called on threads of the library, so the application made the context
// fit for that; the library itself never touches what it points to.
unsafe impl Send for Callback {}
// SAFETY: as above.
unsafe impl Sync for Callback {}

impl Callback {
    /// The caller guarantees that the function may be called with this context until the object's release is finished.
    pub(crate) unsafe fn new(function: wm_status_callback, context: *mut c_void) -> Self {
        Self { function, context }
    }

    /// True if the application gave no function.
    pub(crate) fn is_null(&self) -> bool {
        self.function.is_none()
    }

    /// The application's context.
    pub(crate) fn context(&self) -> *mut c_void {
        self.context
    }

    /// Tells a status; a failing answer cancels.
    pub(crate) fn tell(&self, told: &Told) -> Flow {
        let Some(function) = self.function else {
            return Flow::Continue;
        };
        detail::set(told.detail.clone());
        let answer = told.payload.with_c_form(|kind, value, size| {
            // SAFETY: `new` made the application answer for the function; the value lives until it returns.
            as_callback(|| unsafe { function(told.status, told.result, kind, value, size, self.context) })
        });
        if answer < 0 { Flow::Cancel } else { Flow::Continue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Payload;

    unsafe extern "C" fn answers_its_context(
        _: wm_status,
        _: wm_result,
        _: wm_attr_type,
        _: *const c_void,
        _: usize,
        context: *mut c_void,
    ) -> wm_result {
        assert!(inside_a_callback());
        context.addr() as wm_result
    }

    fn told() -> Told {
        Told { status: 1, result: 0, payload: Payload::Nothing, detail: None }
    }

    #[test]
    fn only_a_failing_answer_cancels_and_the_context_comes_as_it_was_given() {
        for (answer, flow) in [(-1, Flow::Cancel), (0, Flow::Continue), (1, Flow::Continue)] {
            let context = std::ptr::without_provenance_mut(answer as usize);
            // SAFETY: the function does not look at what the context points to.
            let callback = unsafe { Callback::new(Some(answers_its_context), context) };
            assert!(!callback.is_null());
            assert_eq!((callback.tell(&told()), callback.context()), (flow, context));
        }
        assert!(!inside_a_callback());
    }

    #[test]
    fn without_a_function_nothing_is_called_and_everything_goes_on() {
        // SAFETY: there is no function to call.
        let callback = unsafe { Callback::new(None, std::ptr::null_mut()) };
        assert!(callback.is_null());
        assert_eq!(callback.tell(&told()), Flow::Continue);
    }

    #[test]
    fn a_thread_is_inside_a_callback_until_the_outermost_returns() {
        assert!(!inside_a_callback());
        as_callback(|| {
            as_callback(|| assert!(inside_a_callback()));
            assert!(inside_a_callback());
        });
        assert!(!inside_a_callback());
    }
}
