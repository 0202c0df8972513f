//! Cancel and silence of one run, and the threads that it concerns. What work sees of them is `context.rs`.

use super::Cancelled;
use crate::sync::{AtomicBool, Condvar, Mutex, MutexGuard, Ordering, ThreadMark, this_thread};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// Locks; a panic elsewhere leaves nothing half-done under these locks.
pub(super) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

type CancelAction = Arc<dyn Fn() + Send + Sync>;

/// Cancel, silence and the threads of one run.
pub(super) struct Control {
    cancelled: AtomicBool,
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    silenced: bool,
    /// The operation's thread, while it runs.
    thread: Option<ThreadMark>,
    /// The thread inside a call of the observer.
    calling: Option<ThreadMark>,
    actions: BTreeMap<u64, CancelAction>,
    next_action: u64,
}

impl Control {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { cancelled: AtomicBool::new(false), state: Mutex::default(), woken: Condvar::new() })
    }

    pub(super) fn enter_thread(&self) {
        lock(&self.state).thread = Some(this_thread());
    }

    pub(super) fn leave_thread(&self) {
        lock(&self.state).thread = None;
    }

    pub(super) fn in_own_callback(&self) -> bool {
        let here = Some(this_thread());
        let state = lock(&self.state);
        state.thread == here || state.calling == here
    }

    pub(super) fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    /// Cancels once; the actions run on the caller's thread with no lock held.
    pub(super) fn cancel(&self) {
        let actions = {
            let state = lock(&self.state);
            if self.cancelled.swap(true, Ordering::AcqRel) {
                return;
            }
            state.actions.values().cloned().collect::<Vec<_>>()
        };
        self.woken.notify_all();
        for action in actions {
            action();
        }
    }

    pub(super) fn silence(&self) {
        lock(&self.state).silenced = true;
    }

    /// Makes a call of the observer unless silenced. A silence either comes before the call begins, or after.
    pub(super) fn call<T>(&self, call: impl FnOnce() -> T) -> Option<T> {
        {
            let mut state = lock(&self.state);
            if state.silenced {
                return None;
            }
            state.calling = Some(this_thread());
        }
        let leave = Leave(self);
        let answer = call();
        drop(leave);
        Some(answer)
    }

    pub(super) fn wait_until(&self, until: Instant) -> Result<(), Cancelled> {
        let mut state = lock(&self.state);
        loop {
            if self.is_cancelled() {
                return Err(Cancelled);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            state = self.woken.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    pub(super) fn register(&self, action: CancelAction) -> Option<u64> {
        let mut state = lock(&self.state);
        if self.is_cancelled() {
            return None;
        }
        let id = state.next_action;
        state.next_action += 1;
        state.actions.insert(id, action);
        Some(id)
    }

    /// A registered action is called no more.
    pub(super) fn forget(&self, action: u64) {
        lock(&self.state).actions.remove(&action);
    }
}

/// Ends a call of the observer, also when it panics.
struct Leave<'c>(&'c Control);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).calling = None;
    }
}
