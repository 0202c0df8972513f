//! A mutex for which nobody waits without end.

use crate::logging::Keep;
use crate::operation::patience::{Impatience, LONGEST_PAUSE, Patience};
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Locks; a panic elsewhere leaves nothing half-done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value that one thread has at a time. As a mutex, but waiting for it ends.
pub(crate) struct Turn<T> {
    line: Mutex<Line>,
    free: Condvar,
    value: Mutex<T>,
}

#[derive(Default)]
struct Line {
    taken: bool,
    /// Threads that wait: waking nobody would ask the system all the same.
    waiting: usize,
}

impl<T> Turn<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { line: Mutex::default(), free: Condvar::new(), value: Mutex::new(value) }
    }

    /// Waits until no other thread has the value.
    pub(crate) fn take(&self) -> Result<Held<'_, T>, Impatience> {
        let mut line = lock(&self.line);
        if line.taken {
            let patience = Patience::begin();
            while line.taken {
                patience.check()?;
                line.waiting += 1;
                let woken = self.free.wait_timeout(line, LONGEST_PAUSE);
                line = woken.unwrap_or_else(PoisonError::into_inner).0;
                line.waiting -= 1;
            }
        }
        line.taken = true;
        drop(line);
        Ok(Held { value: lock(&self.value), _turn: Taken(self), _records: Keep::begin() })
    }
}

/// The value, until it is dropped.
pub(crate) struct Held<'t, T> {
    // Fields are dropped in this order: the value is free before its turn is, and both before records are told.
    value: MutexGuard<'t, T>,
    _turn: Taken<'t, T>,
    _records: Keep,
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

struct Taken<'t, T>(&'t Turn<T>);

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        let mut line = lock(&self.0.line);
        line.taken = false;
        let is_awaited = line.waiting > 0;
        drop(line);
        if is_awaited {
            self.0.free.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::{Level, Log, LogSink, target};
    use std::fmt;
    use std::sync::{Arc, Mutex};

    /// Takes the turn in every record, as an application that calls the library in its log would.
    struct Asking {
        turn: Turn<()>,
        lines: Mutex<Vec<String>>,
    }

    impl LogSink for Asking {
        fn wants(&self, level: Level) -> bool {
            level <= Level::Info
        }

        fn record(&self, level: Level, target: &str, message: fmt::Arguments<'_>) {
            let _turn = self.turn.take().unwrap();
            self.lines.lock().unwrap().push(format!("{level:?} {target} {message}"));
        }
    }

    #[test]
    fn records_made_under_a_turn_are_told_in_their_order_when_it_is_over() {
        let sink = Arc::new(Asking { turn: Turn::new(()), lines: Mutex::default() });
        let (log, other) = (Log::to(sink.clone()), Turn::new(()));
        log.record(Level::Warn, target::STORE, format_args!("at {}", "once"));
        {
            let _outer = sink.turn.take().unwrap();
            {
                let _inner = other.take().unwrap();
                log.record(Level::Info, target::STORE, format_args!("first"));
                log.record(Level::Debug, target::STORE, format_args!("not wanted"));
            }
            log.record(Level::Error, target::DEVICE, format_args!("second"));
            assert_eq!(sink.lines.lock().unwrap().len(), 1);
        }
        let told = sink.lines.lock().unwrap().join("\n");
        assert_eq!(told, "Warn wmlicense::store at once\nInfo wmlicense::store first\nError wmlicense::device second");
    }
}
