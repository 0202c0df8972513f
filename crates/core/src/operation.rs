//! The background worker that every verb uses: one operation at a time per object, cancel, deadline, wait, events.
//! What the work itself sees of its operation is in `operation/context.rs`.

mod context;
mod control;
pub(crate) mod patience;
#[cfg(test)]
mod tests;

use crate::event::{Event, Flow};
use crate::logging::{Level, Log, target};
use crate::sync::{Builder, Condvar, JoinHandle, Mutex};
use control::{Control, lock};
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
    /// Where it is recorded that its last calls panicked.
    fn log(&self) -> Log {
        Log::default()
    }
    /// The work is over with this result and the object still busy: the last chance to tell what must be told before that.
    fn closing(&mut self, _result: &R) {}
    /// The final result, exactly once, as the last call. The object is idle by then: the next operation may be started in
    /// it, or by whoever learns of it; that one begins when this call has returned.
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

/// How far a run is.
enum Stage<R> {
    /// The work is being done: the object is busy.
    Working,
    /// The work is done and the object is idle; the last callback has not returned.
    Telling,
    /// The last callback has returned.
    Told(R),
}

/// One operation from its start to the return of its last callback. A waiter keeps the run that it waits for, so that a
/// restart of the object takes no result away from it.
struct Run<R> {
    control: Arc<Control>,
    stage: Mutex<Stage<R>>,
    told: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The run before, until its thread is gone: it may still be in its last callback when this one is started.
    previous: Mutex<Option<Arc<Run<R>>>>,
}

impl<R: Clone> Run<R> {
    fn is_working(&self) -> bool {
        matches!(*lock(&self.stage), Stage::Working)
    }

    /// Waits for the last callback's return and gives the result; `None` if `until` comes first.
    fn wait(&self, until: Option<Instant>) -> Option<R> {
        let mut stage = lock(&self.stage);
        loop {
            if let Stage::Told(result) = &*stage {
                return Some(result.clone());
            }
            stage = match until {
                None => self.told.wait(stage).unwrap_or_else(|poisoned| poisoned.into_inner()),
                Some(until) => {
                    let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
                    self.told.wait_timeout(stage, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0
                }
            };
        }
    }

    /// Waits until the thread of a run that was told is gone, which it is about to be. The lock is held over the join, so
    /// that it is gone for whoever comes second, too.
    fn reap(&self) {
        let mut thread = lock(&self.thread);
        if let Some(thread) = thread.take() {
            // The thread catches every panic of the work and of the observer.
            let _ = thread.join();
        }
    }

    /// One call of the observer at a time, and the last one of an operation before the first one of the next.
    fn follow_previous(&self) {
        let previous = lock(&self.previous).clone();
        if let Some(previous) = previous {
            let _ = previous.wait(None);
            previous.reap();
        }
        *lock(&self.previous) = None;
    }

    /// True on the thread that runs callbacks of this run, or the last one of the run before.
    fn in_own_callback(&self) -> bool {
        let previous = lock(&self.previous).clone();
        self.control.in_own_callback() || previous.is_some_and(|previous| previous.control.in_own_callback())
    }
}

/// One operation that was started, for whoever waits for that one and not for the latest.
pub struct Started<R>(Arc<Run<R>>);

impl<R: Clone> Started<R> {
    /// Waits for its end and its last callback. Never call it inside the object's own callback.
    pub fn wait(&self) -> Option<R> {
        let result = self.0.wait(None);
        self.0.reap();
        result
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
    /// A panic in `work` becomes `on_panic()`. The object is busy until `work` is over. Where the last callback of the run
    /// before has not returned, this one begins as soon as it has, and its deadline counts from there.
    pub fn start(
        self: &Arc<Self>,
        deadline: Option<Duration>,
        observer: Box<dyn Observer<R>>,
        work: impl FnOnce(&Context) -> R + Send + 'static,
        on_panic: fn() -> R,
    ) -> Result<Started<R>, StartError> {
        // Held until the thread's handle is stored: whoever finds the run finds its thread.
        let mut latest = lock(&self.latest);
        if latest.as_ref().is_some_and(|previous| previous.is_working()) {
            return Err(StartError::Busy);
        }
        let run = Arc::new(Run {
            control: Control::new(),
            stage: Mutex::new(Stage::Working),
            told: Condvar::new(),
            thread: Mutex::new(None),
            previous: Mutex::new(latest.clone()),
        });
        let own = Arc::clone(&run);
        let thread = Builder::new()
            .name("wmlicense".to_owned())
            .stack_size(STACK)
            .spawn(move || execute(&own, deadline, observer, work, on_panic))
            .map_err(|_| StartError::NoThread)?;
        *lock(&run.thread) = Some(thread);
        *latest = Some(Arc::clone(&run));
        Ok(Started(run))
    }

    fn latest(&self) -> Option<Arc<Run<R>>> {
        lock(&self.latest).clone()
    }

    /// True while an operation runs; no longer when its final result is told.
    pub fn is_running(&self) -> bool {
        self.latest().is_some_and(|run| run.is_working())
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
        if run.in_own_callback() {
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
        self.latest().is_some_and(|run| run.in_own_callback())
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
    run.follow_previous();
    let log = observer.log();
    let observer = Arc::new(Mutex::new(observer));
    lock(&observer).begins(Canceller(Arc::clone(&run.control)));
    let sink = Arc::clone(&observer);
    let context = Context::new(Arc::clone(&run.control), deadline, Box::new(move |event| lock(&sink).event(event)));
    let result = catch_unwind(AssertUnwindSafe(|| work(&context))).unwrap_or_else(|_| on_panic());
    // How far the work came is told before its end, however that came; who cancels there comes too late.
    let last = catch_unwind(AssertUnwindSafe(|| context.last_progress()));
    drop(context);
    let closed = run.control.call(|| catch_unwind(AssertUnwindSafe(|| lock(&observer).closing(&result))));
    *lock(&run.stage) = Stage::Telling;
    let told = run.control.call(|| catch_unwind(AssertUnwindSafe(|| lock(&observer).finished(&result))));
    if last.is_err() || matches!(closed, Some(Err(_))) || matches!(told, Some(Err(_))) {
        let text = format_args!("the observer of an operation panicked in its last call");
        log.record(Level::Error, target::OPERATION, text);
    }
    // What the observer holds is gone before a waiter learns that the operation is over.
    drop(observer);
    run.control.leave_thread();
    *lock(&run.stage) = Stage::Told(result);
    run.told.notify_all();
}
