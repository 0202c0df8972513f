//! The background worker that every verb uses: one operation at a time per object, cancel, deadline, wait, events.

use crate::event::{Event, Flow};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Receives the events of an operation and its final result. Called on the operation's thread, one call at a time,
/// with no lock of the library held.
pub trait Observer<R>: Send {
    /// One event.
    fn event(&mut self, event: &Event) -> Flow;
    /// The final result, exactly once, as the last call.
    fn finished(&mut self, result: &R);
}

/// The operation was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operation was cancelled")]
pub struct Cancelled;

/// An operation could not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Another operation runs on this object.
    #[error("another operation is running on this object")]
    Busy,
    /// The system gave no thread.
    #[error("the system gave no thread")]
    NoThread,
}

/// Waiting gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The operation is still running.
    #[error("the operation is still running")]
    Timeout,
    /// Nothing was ever started on this object.
    #[error("no operation was started on this object")]
    NothingStarted,
    /// Called inside the object's own callback.
    #[error("waiting here would never end")]
    WouldDeadlock,
}

/// What work sees of its operation.
pub struct Context {
    _todo: (),
}

impl Context {
    /// A context for work on the caller's own thread (command line, tests): events go to `event`.
    pub fn inline(deadline: Option<Duration>, event: impl FnMut(&Event) -> Flow + Send + 'static) -> Self {
        let _ = (deadline, event);
        todo!()
    }
    /// Tells an event; a receiver that answers [`Flow::Cancel`] cancels the operation.
    pub fn emit(&self, event: Event) -> Result<(), Cancelled> {
        let _ = event;
        todo!()
    }
    /// Tells progress, at most every 100 ms unless `done == total`.
    pub fn progress(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        let _ = (done, total);
        todo!()
    }
    /// Fails once the operation was cancelled. Long loops ask at least every 10 ms.
    pub fn check(&self) -> Result<(), Cancelled> {
        todo!()
    }
    /// When the operation must be over.
    pub fn deadline(&self) -> Option<Instant> {
        todo!()
    }
    /// Waits until `until`, or until cancelled.
    pub fn wait_until(&self, until: Instant) -> Result<(), Cancelled> {
        let _ = until;
        todo!()
    }
    /// Calls `action` when the operation is cancelled (at once if it is already), until the guard is dropped.
    pub fn on_cancel(&self, action: Arc<dyn Fn() + Send + Sync>) -> CancelGuard {
        let _ = action;
        todo!()
    }
}

/// Keeps an action registered with [`Context::on_cancel`].
pub struct CancelGuard {}

/// The operations of one object, one at a time. `R` is the final result.
pub struct Operation<R> {
    _todo: std::marker::PhantomData<R>,
}

impl<R: Clone + Send + 'static> Operation<R> {
    /// An object on which nothing was started.
    pub fn new() -> Arc<Self> {
        todo!()
    }
    /// Runs `work` on a thread of its own (2 MiB stack, all signals blocked where possible) and then tells the observer.
    /// A panic in `work` becomes `on_panic()`.
    pub fn start(
        self: &Arc<Self>,
        deadline: Option<Duration>,
        observer: Box<dyn Observer<R>>,
        work: impl FnOnce(&Context) -> R + Send + 'static,
        on_panic: fn() -> R,
    ) -> Result<(), StartError> {
        let _ = (deadline, observer, work, on_panic);
        todo!()
    }
    /// True while an operation runs.
    pub fn is_running(&self) -> bool {
        todo!()
    }
    /// Cancels what runs; never waits.
    pub fn cancel(&self) {
        todo!()
    }
    /// No further call of the observer begins (release inside the object's own callback); cancels as well.
    pub fn silence(&self) {
        todo!()
    }
    /// Waits for the end of the running operation and its last callback; `None` waits for ever. Repeated waits give the
    /// same result again.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<R, WaitError> {
        let _ = timeout;
        todo!()
    }
    /// True on the thread that runs this object's callbacks.
    pub fn in_own_callback(&self) -> bool {
        todo!()
    }
}
