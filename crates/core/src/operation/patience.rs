//! How long a thread waits for what others hold: until its operation is cancelled, until the operation's deadline, and never
//! beyond a bound. Whoever waits for a lock asks here, however far below the verb.

use super::control::Control;
use crate::logging::Keep;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longest wait for a lock, also of a call that belongs to no operation.
const BOUND: Duration = Duration::from_secs(10);
/// The first pause between two looks at a lock of another process; each that follows is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest such pause, and the time within which a thread that waits for another one notices a cancel.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// What was waited for did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Impatience {
    /// The operation was cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// The operation's deadline passed.
    #[error("the operation's deadline passed while another process or thread held a lock")]
    DeadlinePassed,
    /// Somebody held the lock for longer than anybody waits.
    #[error("another process or thread held a lock for too long")]
    Bound,
}

struct Running {
    control: Arc<Control>,
    deadline: Option<Instant>,
}

thread_local! {
    /// The operations whose work this thread is doing; the innermost is the last.
    static RUNNING: RefCell<Vec<Running>> = const { RefCell::new(Vec::new()) };
    /// When waiting ends for work of this thread that takes several locks.
    static UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Until it is dropped, what this thread waits for counts against one bound, however many locks there are. What receives the
/// records of that work has a bound of its own.
pub(crate) struct OneBound {
    begins_here: bool,
    /// Dropped when the bound counts no more.
    _records: Keep,
}

impl OneBound {
    pub(crate) fn begin() -> Self {
        let begins = |until: &Cell<Option<Instant>>| {
            let begins_here = until.get().is_none();
            if begins_here {
                until.set(Some(Instant::now() + BOUND));
            }
            begins_here
        };
        Self { begins_here: UNTIL.try_with(begins).unwrap_or(false), _records: Keep::begin() }
    }
}

impl Drop for OneBound {
    fn drop(&mut self) {
        if self.begins_here {
            let _ = UNTIL.try_with(|until| until.set(None));
        }
    }
}

/// Makes the waits of this thread those of an operation, until it is dropped.
pub(super) struct Entered(Arc<Control>);

impl Entered {
    pub(super) fn new(control: &Arc<Control>, deadline: Option<Instant>) -> Self {
        let running = Running { control: Arc::clone(control), deadline };
        let _ = RUNNING.try_with(|all| all.borrow_mut().push(running));
        Self(Arc::clone(control))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = RUNNING.try_with(|all| all.borrow_mut().retain(|running| !Arc::ptr_eq(&running.control, &self.0)));
    }
}

/// One wait.
pub(crate) struct Patience {
    running: Option<Running>,
    until: Instant,
    pause: Duration,
}

impl Patience {
    /// Begins to wait, for the operation that this thread works for.
    pub(crate) fn begin() -> Self {
        let innermost = |all: &RefCell<Vec<Running>>| {
            let all = all.borrow();
            let last = all.last()?;
            Some(Running { control: Arc::clone(&last.control), deadline: last.deadline })
        };
        let running = RUNNING.try_with(innermost).ok().flatten();
        let until = UNTIL.try_with(Cell::get).ok().flatten().unwrap_or_else(|| Instant::now() + BOUND);
        Self { running, until, pause: FIRST_PAUSE }
    }

    /// Fails once waiting is over.
    pub(crate) fn check(&self) -> Result<(), Impatience> {
        let now = Instant::now();
        match &self.running {
            Some(running) if running.control.is_cancelled() => Err(Impatience::Cancelled),
            Some(running) if running.deadline.is_some_and(|deadline| deadline <= now) => {
                Err(Impatience::DeadlinePassed)
            }
            _ if self.until <= now => Err(Impatience::Bound),
            _ => Ok(()),
        }
    }

    /// Lets some time pass before the next look at the lock; a cancel ends it at once.
    pub(crate) fn pause(&mut self) -> Result<(), Impatience> {
        self.check()?;
        let deadline = self.running.as_ref().and_then(|running| running.deadline);
        let end = (Instant::now() + self.pause).min(self.until).min(deadline.unwrap_or(self.until));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        match &self.running {
            Some(running) => running.control.wait_until(end).map_err(|_| Impatience::Cancelled)?,
            None => std::thread::sleep(end.saturating_duration_since(Instant::now())),
        }
        self.check()
    }
}

/// Why a wait of this thread that somebody else counted came to its end.
pub(crate) fn why_ended() -> Impatience {
    Patience::begin().check().err().unwrap_or(Impatience::Bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::{Level, Log, LogSink, target};
    use std::fmt;
    use std::sync::Mutex;

    /// Writes down whether the waits of a record are bounded by somebody else's.
    #[derive(Default)]
    struct Bounds(Mutex<Vec<bool>>);

    impl LogSink for Bounds {
        fn wants(&self, _: Level) -> bool {
            true
        }

        fn record(&self, _: Level, _: &str, _: fmt::Arguments<'_>) {
            self.0.lock().unwrap().push(UNTIL.get().is_some());
        }
    }

    #[test]
    fn what_receives_a_record_waits_as_long_as_anybody() {
        let sink = Arc::new(Bounds::default());
        let log = Log::to(sink.clone());
        {
            let _outer = OneBound::begin();
            {
                let _inner = OneBound::begin();
                log.record(Level::Warn, target::STORE, format_args!("under both"));
            }
            log.record(Level::Warn, target::STORE, format_args!("under one"));
            assert!(UNTIL.get().is_some());
        }
        assert_eq!(*sink.0.lock().unwrap(), [false, false]);
    }
}
