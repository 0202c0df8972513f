//! Whose turn it is to call an object's callback: an operation, or a call that tells statuses without being one. One call at
//! a time, always on a thread of the library.

use crate::callback::{Callback, inside_a_callback};
use crate::life::Live;
use crate::status::Told;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, ThreadId};

/// Stack of a thread that only tells statuses, in bytes: that of an operation, because the application's code runs on it.
const STACK: usize = 2 * 1024 * 1024;

/// The turns of one object.
#[derive(Default)]
pub(crate) struct Turn {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// A call is made, or the turn is kept for one that begins.
    taken: bool,
    /// The thread that makes it.
    thread: Option<ThreadId>,
    /// Calls of functions whose statuses are not told yet.
    waiting: usize,
}

/// What a function tells whose work is done when it returns.
pub(crate) struct Aside {
    pub(crate) callback: Callback,
    pub(crate) told: Vec<Told>,
    /// Set once nothing more may be told.
    pub(crate) silenced: Arc<AtomicBool>,
    /// Keeps the object counted until it is told.
    pub(crate) live: Arc<Live>,
}

impl Turn {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the application when nobody else does.
    pub(crate) fn during<R>(&self, call: impl FnOnce() -> R) -> R {
        let mut state = self.state();
        while state.taken {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.taken = true;
        state.thread = Some(std::thread::current().id());
        drop(state);
        let _leave = Leave(self);
        call()
    }

    /// True on the thread that is inside a call of the application.
    pub(crate) fn is_mine(&self) -> bool {
        self.state().thread == Some(std::thread::current().id())
    }

    /// Tells statuses on a thread of its own, and returns when they are told. It does not wait where it could wait for ever:
    /// inside a callback, or while another callback of the object has not returned, which may wait for this very caller.
    pub(crate) fn tell(self: &Arc<Self>, aside: Aside) -> io::Result<()> {
        let (turn, kept) = (Arc::clone(self), {
            let mut state = self.state();
            state.waiting += 1;
            let kept = !state.taken && !inside_a_callback();
            state.taken |= kept;
            kept
        });
        let spawned = Builder::new()
            .name("wmlicense".to_owned())
            .stack_size(STACK)
            .spawn(move || turn.tell_here(aside, kept))
            // What the application's code does there is not this call's to judge.
            .map(|thread| drop(kept.then(|| thread.join())));
        if spawned.is_err() {
            self.told(kept);
        }
        spawned
    }

    fn tell_here(&self, aside: Aside, kept: bool) {
        let Aside { callback, told, silenced, live } = aside;
        let call = || {
            for told in told {
                if !silenced.load(Ordering::Acquire) {
                    // Nothing runs that a failing answer could cancel.
                    let _ = callback.tell(&told);
                }
            }
        };
        if kept {
            self.state().thread = Some(std::thread::current().id());
            call();
        } else {
            self.during(call);
        }
        drop(live);
        self.told(kept);
    }

    fn told(&self, kept: bool) {
        let mut state = self.state();
        state.waiting -= 1;
        if kept {
            (state.taken, state.thread) = (false, None);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until everything is told that calls had to tell.
    pub(crate) fn finish(&self) {
        let mut state = self.state();
        while state.waiting > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Ends a turn.
struct Leave<'t>(&'t Turn);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        (state.taken, state.thread) = (false, None);
        drop(state);
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;
