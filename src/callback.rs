//! The status callback, and the worker that every object with a background verb has: starting, telling, waiting, ending.
//! Whose turn it is to call is in `callback/turn.rs`, what an operation tells in `callback/teller.rs`.

mod teller;
mod turn;

use crate::client::ClientObject;
use crate::error_info::{self, Detail, Failure};
use crate::event_queue::{Entry, Queue};
use crate::memory;
use crate::object::Life;
use crate::prop::wm_attr_type;
use crate::result::{
    WM_E_INTERNAL, WM_E_INVALID_HANDLE, WM_E_NO_OPERATION, WM_E_OUTOFMEMORY, WM_E_TIMEOUT, WM_E_WOULD_DEADLOCK,
    wm_result,
};
use crate::status::{Told, wm_status};
use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use teller::{Mailbox, Teller};
use turn::{Aside, Turn};
use wmlicense_core::event::{Event, Flow};
use wmlicense_core::logging::{Level, Log, target};
use wmlicense_core::operation::{Context, Operation, StartError, Started, WaitError};

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
fn inside_a_callback() -> bool {
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

    fn tell(&self, told: &Told) -> Flow {
        let Some(function) = self.function else {
            return Flow::Continue;
        };
        error_info::set(told.detail.clone());
        let answer = told.payload.with_c_form(|kind, value, size| {
            // SAFETY: `new` made the application answer for the function; the value lives until it returns.
            as_callback(|| unsafe { function(told.status, told.result, kind, value, size, self.context) })
        });
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

/// The operations of one object.
pub(crate) struct Worker {
    life: Life,
    operation: Arc<Operation<Outcome>>,
    callback: Callback,
    turn: Arc<Turn>,
    queue: Option<Arc<Queue>>,
    log: Log,
    /// The object's handle, which events in a queue name.
    token: AtomicU64,
    /// Nothing more may be told: the object was released in its own callback.
    silenced: Arc<AtomicBool>,
}

impl Worker {
    /// A worker without an operation so far. Without a callback its events go to the queue of the client, if there is one.
    pub(crate) fn new(client: &ClientObject, callback: Callback) -> Self {
        let queue = if callback.is_null() { client.event_queue() } else { None };
        Self::telling(callback, queue, client.log())
    }

    fn telling(callback: Callback, queue: Option<Arc<Queue>>, log: Log) -> Self {
        let (token, silenced, turn) = (AtomicU64::new(0), Arc::default(), Arc::default());
        Self { life: Life::new(), operation: Operation::new(), callback, turn, queue, log, token, silenced }
    }

    /// Learns the object's handle.
    pub(crate) fn known_as(&self, token: u64) {
        self.token.store(token, Ordering::Relaxed);
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
        self.begin(final_status, busy, deadline, work).map(drop)
    }

    /// As `start`, but returns with the outcome when the last callback has returned. Not for the object's own callback.
    pub(crate) fn run(
        &self,
        final_status: wm_status,
        busy: wm_result,
        deadline: Option<Duration>,
        work: impl FnOnce(&Context) -> Outcome + Send + 'static,
    ) -> Result<Outcome, Failure> {
        let started = self.begin(final_status, busy, deadline, work)?;
        started.wait().ok_or_else(|| Failure::new(WM_E_INTERNAL))
    }

    fn begin(
        &self,
        final_status: wm_status,
        busy: wm_result,
        deadline: Option<Duration>,
        work: impl FnOnce(&Context) -> Outcome + Send + 'static,
    ) -> Result<Started<Outcome>, Failure> {
        // Held until it runs: a release waits for an operation that begins, or the operation does not begin.
        let life = self.life.hold();
        let live = life.clone().ok_or_else(|| Failure::new(WM_E_INVALID_HANDLE))?;
        let token = self.token.load(Ordering::Relaxed);
        let mailbox = self.queue.as_ref().map(|queue| Mailbox::new(queue, token));
        let (turn, log) = (Arc::clone(&self.turn), self.log.clone());
        let teller = Teller::new((self.callback, turn), mailbox, log, final_status, live);
        let on_panic = || Outcome::failure(Failure::new(WM_E_INTERNAL));
        memory::check(memory::FOR_AN_OPERATION)?;
        self.operation.start(deadline, Box::new(teller), work, on_panic).map_err(|error| match error {
            StartError::Busy => Failure::new(busy),
            StartError::NoThread => Failure::with(WM_E_OUTOFMEMORY, error.to_string()),
        })
    }

    /// Tells what a call came upon that is no operation and is done when it returns. May be told after it returned where
    /// another callback of the object has not.
    pub(crate) fn tell(&self, events: &[Event]) {
        let told: Vec<Told> = events.iter().map(Told::of).collect();
        if told.is_empty() {
            return;
        }
        // Of a released object nothing is told.
        let Some(live) = self.life.hold().clone() else { return };
        let callback = self.callback;
        if let Some(queue) = &self.queue {
            let token = self.token.load(Ordering::Relaxed);
            told.into_iter().for_each(|told| queue.push_last(Entry { token, callback, told }));
        } else if !callback.is_null() {
            let aside = Aside { callback, told, silenced: Arc::clone(&self.silenced), live };
            if let Err(error) = self.turn.tell(aside) {
                self.log.record(Level::Error, target::OPERATION, format_args!("statuses are lost: {error}"));
            }
        }
    }

    /// True on the thread that runs this object's callbacks.
    pub(crate) fn in_own_callback(&self) -> bool {
        self.operation.in_own_callback() || self.turn.is_mine()
    }

    /// Asks a running operation to stop.
    pub(crate) fn cancel(&self) {
        self.operation.cancel();
    }

    /// Waits for the end of a running operation.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<Outcome, Failure> {
        if self.turn.is_mine() {
            return Err(Failure::new(WM_E_WOULD_DEADLOCK));
        }
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
        if self.in_own_callback() {
            self.silenced.store(true, Ordering::Release);
            self.operation.silence();
            return;
        }
        self.operation.cancel();
        if !inside_a_callback() {
            // Only the end matters; an object on which nothing was started has none.
            let _ = self.operation.wait(None);
            self.turn.finish();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;
