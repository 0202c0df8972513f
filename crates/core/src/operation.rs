//! The background worker that every verb uses: one operation at a time per object, cancel, deadline, wait, events.
//! What the work itself sees of its operation is in `operation/context.rs`.

mod context;
#[cfg(test)]
mod tests;

use crate::event::{Event, Flow};
use crate::sync::{Builder, Condvar, JoinHandle, Mutex};
use context::{Control, lock};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use context::NetworkTeller;
pub use context::{CancelGuard, Canceller, Context};

/// Stack of an operation's thread, in bytes.
const STACK: usize = 2 * 1024 * 1024;

/// Receives the events of an operation and its final result. Called on the operation's thread, one call at a time,
/// with no lock of the library held.
pub trait Observer<R>: Send {
    /// Called before everything else, with what tells of a cancel. It must not wait.
    fn begins(&mut self, _canceller: Canceller) {}
    /// One event.
    fn event(&mut self, event: &Event) -> Flow;
    /// The final result, exactly once, as the last call.
    fn finished(&mut self, result: &R);
    /// What is left to do as soon as another operation could begin, for receivers that react on another thread. Asked for
    /// after `finished`; waiters wait for it too. It must not wait itself.
    fn afterwards(&mut self) -> Option<Afterwards> {
        None
    }
}

/// The last step of an operation.
pub type Afterwards = Box<dyn FnOnce() + Send>;

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

/// One operation from its start to the return of its last callback. A waiter keeps the run that it waits for, so that a
/// restart of the object takes no result away from it.
struct Run<R> {
    control: Arc<Control>,
    result: Mutex<Option<R>>,
    ended: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<R: Clone> Run<R> {
    fn has_ended(&self) -> bool {
        lock(&self.result).is_some()
    }

    fn wait(&self, until: Option<Instant>) -> Option<R> {
        let mut result = lock(&self.result);
        while result.is_none() {
            result = match until {
                None => self.ended.wait(result).unwrap_or_else(|poisoned| poisoned.into_inner()),
                Some(until) => {
                    let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
                    self.ended.wait_timeout(result, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0
                }
            };
        }
        result.clone()
    }

    /// Waits until the thread of an ended run is gone, which it is about to be. The lock is held over the join: whoever
    /// comes second must not return earlier, because the thread may still have its last event to post.
    fn reap(&self) {
        let mut thread = lock(&self.thread);
        if let Some(thread) = thread.take() {
            // The thread catches every panic of the work and of the observer.
            let _ = thread.join();
        }
    }
}

/// The operations of one object, one at a time. `R` is the final result.
/// Dropping it cancels what runs; the final result is still told, unless [`Operation::silence`] was called.
pub struct Operation<R> {
    latest: Mutex<Option<Arc<Run<R>>>>,
}

impl<R: Clone + Send + 'static> Operation<R> {
    /// An object on which nothing was started.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { latest: Mutex::new(None) })
    }

    /// Runs `work` on a thread of its own (2 MiB stack; the signal mask is the caller's) and then tells the observer.
    /// A panic in `work` becomes `on_panic()`. The object is busy until the last callback has returned.
    pub fn start(
        self: &Arc<Self>,
        deadline: Option<Duration>,
        observer: Box<dyn Observer<R>>,
        work: impl FnOnce(&Context) -> R + Send + 'static,
        on_panic: fn() -> R,
    ) -> Result<(), StartError> {
        // Held until the thread's handle is stored: whoever finds the run finds its thread.
        let mut latest = lock(&self.latest);
        if let Some(previous) = latest.as_ref() {
            if !previous.has_ended() {
                return Err(StartError::Busy);
            }
            previous.reap();
        }
        let run = Arc::new(Run {
            control: Control::new(),
            result: Mutex::new(None),
            ended: Condvar::new(),
            thread: Mutex::new(None),
        });
        let own = Arc::clone(&run);
        let thread = Builder::new()
            .name("wmlicense".to_owned())
            .stack_size(STACK)
            .spawn(move || execute(&own, deadline, observer, work, on_panic))
            .map_err(|_| StartError::NoThread)?;
        *lock(&run.thread) = Some(thread);
        *latest = Some(run);
        Ok(())
    }

    fn latest(&self) -> Option<Arc<Run<R>>> {
        lock(&self.latest).clone()
    }

    /// True while an operation runs.
    pub fn is_running(&self) -> bool {
        self.latest().is_some_and(|run| !run.has_ended())
    }

    /// Cancels what runs; never waits.
    pub fn cancel(&self) {
        if let Some(run) = self.latest() {
            run.control.cancel();
        }
    }

    /// No further call of the observer begins (release inside the object's own callback); cancels as well.
    pub fn silence(&self) {
        if let Some(run) = self.latest() {
            run.control.silence();
            run.control.cancel();
        }
    }

    /// Waits for the end of the running operation and its last callback; `None` waits for ever. Repeated waits give the
    /// same result again.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<R, WaitError> {
        let run = self.latest().ok_or(WaitError::NothingStarted)?;
        if run.control.in_own_callback() {
            return Err(WaitError::WouldDeadlock);
        }
        // A time that the clock cannot express is for ever.
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let result = run.wait(until).ok_or(WaitError::Timeout)?;
        run.reap();
        Ok(result)
    }

    /// True on the thread that runs this object's callbacks.
    pub fn in_own_callback(&self) -> bool {
        self.latest().is_some_and(|run| run.control.in_own_callback())
    }
}

impl<R> Drop for Operation<R> {
    fn drop(&mut self) {
        let latest = self.latest.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(run) = latest.take() {
            run.control.cancel();
        }
    }
}

/// The body of an operation's thread.
fn execute<R: Clone + Send + 'static>(
    run: &Run<R>,
    deadline: Option<Duration>,
    observer: Box<dyn Observer<R>>,
    work: impl FnOnce(&Context) -> R,
    on_panic: fn() -> R,
) {
    run.control.enter_thread();
    let observer = Arc::new(Mutex::new(observer));
    lock(&observer).begins(Canceller(Arc::clone(&run.control)));
    let sink = Arc::clone(&observer);
    let context = Context::new(Arc::clone(&run.control), deadline, Box::new(move |event| lock(&sink).event(event)));
    let result = catch_unwind(AssertUnwindSafe(|| work(&context))).unwrap_or_else(|_| on_panic());
    drop(context);
    let told = run.control.call(|| catch_unwind(AssertUnwindSafe(|| lock(&observer).finished(&result))));
    if let Some(Err(_)) = told {
        log::error!("the observer of an operation panicked in its last call");
    }
    let afterwards = if told.is_some() { lock(&observer).afterwards() } else { None };
    // What the observer holds is gone before anybody learns that the operation is over.
    drop(observer);
    run.control.leave_thread();
    *lock(&run.result) = Some(result);
    run.ended.notify_all();
    if let Some(afterwards) = afterwards {
        afterwards();
    }
}
