//! The status callback, and the worker that every object with a background verb has: starting, telling, waiting, ending.

use crate::error_info::{self, Detail, Failure};
use crate::object::{Life, Live};
use crate::prop::wm_attr_type;
use crate::result::{
    WM_E_INTERNAL, WM_E_INVALID_HANDLE, WM_E_NO_OPERATION, WM_E_OPERATION_CANCELED, WM_E_OUTOFMEMORY, WM_E_TIMEOUT,
    WM_E_WOULD_DEADLOCK, WM_S_OK, wm_result,
};
use crate::status::{self, Payload, Told, wm_individualize_progress, wm_status};
use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;
use wmlicense_core::event::{Event, Flow, IndividualizePhase};
use wmlicense_core::operation::{Context, Observer, Operation, StartError, WaitError};

/// Tells what a running operation does. NULL is allowed where one is asked for.
/// status: WM_STATUS_*. result: 0 or the reason. type, value, size: what comes with the status, WM_TYPE_*; value is
/// valid until the callback returns, and NULL with size 0 where there is none; the size of a STRING includes its NUL.
/// context: as given, never touched. A failing answer cancels the operation; 0 goes on. Called on a thread of the
/// library, one call at a time per object, with no lock held; any function may be called from it. It must not throw or
/// longjmp.
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
fn inside_a_callback() -> bool {
    INSIDE.get()
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

    fn tell(&self, told: &Told) -> Flow {
        let Some(function) = self.function else {
            return Flow::Continue;
        };
        error_info::set(told.detail.clone());
        INSIDE.set(true);
        let answer = told.payload.with_c_form(|kind, value, size| {
            // SAFETY: `new` made the application answer for the function; the value lives until it returns.
            unsafe { function(told.status, told.result, kind, value, size, self.context) }
        });
        INSIDE.set(false);
        if answer < 0 { Flow::Cancel } else { Flow::Continue }
    }
}

/// How an operation ended.
#[derive(Clone)]
pub(crate) struct Outcome {
    /// Result of the final status.
    pub(crate) result: wm_result,
    /// Detail, if the result is a failure.
    pub(crate) detail: Option<Arc<Detail>>,
    /// URL that comes with the final status.
    pub(crate) url: Option<String>,
}

impl Outcome {
    /// Ended with this success.
    pub(crate) fn success(result: wm_result) -> Self {
        Self { result, detail: None, url: None }
    }

    /// Ended without doing what was asked. A cancelled acquisition is a success by its number and has no detail.
    pub(crate) fn failure(failure: Failure) -> Self {
        let result = failure.result();
        Self { result, detail: (result < 0).then(|| failure.into_detail()), url: None }
    }

    /// The final status carries this URL.
    pub(crate) fn with_url(mut self, url: Option<String>) -> Self {
        self.url = url;
        self
    }
}

/// Turns events into statuses and the outcome into the final one.
struct Teller {
    callback: Callback,
    final_status: wm_status,
    progress: wm_individualize_progress,
    /// Keeps the object counted until the last status was told.
    _live: Arc<Live>,
}

impl Observer<Outcome> for Teller {
    fn event(&mut self, event: &Event) -> Flow {
        let told = Told::of(event);
        if let Payload::Individualize(progress) = told.payload {
            self.progress = progress;
        }
        // Success is told once, by the final status, which carries the result.
        if matches!(event, Event::Individualize { phase: IndividualizePhase::Succeed, .. }) {
            return Flow::Continue;
        }
        self.callback.tell(&told)
    }

    fn finished(&mut self, outcome: &Outcome) {
        let payload = if self.final_status == status::INDIVIDUALIZE {
            Payload::Individualize(wm_individualize_progress {
                result: outcome.result,
                phase: match outcome.result {
                    WM_E_OPERATION_CANCELED => status::PHASE_CANCEL,
                    result if result < 0 => status::PHASE_FAIL,
                    _ => status::PHASE_SUCCEED,
                },
                ..self.progress
            })
        } else {
            outcome.url.clone().map_or(Payload::Nothing, Payload::Text)
        };
        let (result, detail) = (outcome.result, outcome.detail.clone());
        // The operation is over: whether the application would go on makes no difference.
        let _ = self.callback.tell(&Told { status: self.final_status, result, payload, detail });
    }
}

/// The operations of one object.
pub(crate) struct Worker {
    life: Life,
    operation: Arc<Operation<Outcome>>,
    callback: Callback,
}

impl Worker {
    /// A worker without an operation so far.
    pub(crate) fn new(callback: Callback) -> Self {
        Self { life: Life::new(), operation: Operation::new(), callback }
    }

    pub(crate) fn life(&self) -> &Life {
        &self.life
    }

    /// Fails with the busy code of the verb that runs.
    pub(crate) fn idle(&self, busy: wm_result) -> Result<(), Failure> {
        if self.operation.is_running() { Err(Failure::new(busy)) } else { Ok(()) }
    }

    /// Runs `work` in the background; its outcome is told as `final_status`.
    pub(crate) fn start(
        &self,
        final_status: wm_status,
        busy: wm_result,
        deadline: Option<Duration>,
        work: impl FnOnce(&Context) -> Outcome + Send + 'static,
    ) -> Result<(), Failure> {
        // Held until it runs: a release waits for an operation that begins, or the operation does not begin.
        let life = self.life.hold();
        let live = life.clone().ok_or_else(|| Failure::new(WM_E_INVALID_HANDLE))?;
        let teller = Teller { callback: self.callback, final_status, progress: nothing_yet(), _live: live };
        let on_panic = || Outcome::failure(Failure::new(WM_E_INTERNAL));
        self.operation.start(deadline, Box::new(teller), work, on_panic).map_err(|error| match error {
            StartError::Busy => Failure::new(busy),
            StartError::NoThread => Failure::with(WM_E_OUTOFMEMORY, error.to_string()),
        })
    }

    /// Asks a running operation to stop.
    pub(crate) fn cancel(&self) {
        self.operation.cancel();
    }

    /// Waits for the end of a running operation.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<Outcome, Failure> {
        self.operation.wait(timeout).map_err(|error| {
            Failure::new(match error {
                WaitError::Timeout => WM_E_TIMEOUT,
                WaitError::NothingStarted => WM_E_NO_OPERATION,
                WaitError::WouldDeadlock => WM_E_WOULD_DEADLOCK,
            })
        })
    }

    /// Ends what runs, as the last release does.
    pub(crate) fn end(&self) {
        if self.operation.in_own_callback() {
            self.operation.silence();
            return;
        }
        self.operation.cancel();
        if !inside_a_callback() {
            // Only the end matters; an object on which nothing was started has none.
            let _ = self.operation.wait(None);
        }
    }
}

fn nothing_yet() -> wm_individualize_progress {
    wm_individualize_progress {
        struct_size: size_of::<wm_individualize_progress>(),
        result: WM_S_OK,
        phase: status::PHASE_BEGIN,
        requests: 0,
        http_phase: 0,
        bytes: 0,
        bytes_total: 0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
