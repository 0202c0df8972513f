//! What the table of handles and the event queue synchronize with. `crates/models` compiles the same files against the
//! types of a model checker, which have these names there.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::thread::yield_now;

use std::cell::UnsafeCell;
use std::sync::atomic::fence;

/// Stores a value that every thread sees before this one loads anything else with `SeqCst`. A swap in place of a store and a fence:
/// it takes half the time on x86-64.
pub(crate) fn announce(place: &AtomicUsize, value: usize) {
    place.swap(value, Ordering::SeqCst);
}

/// The other side: what this thread stored with `SeqCst` is seen by who announces later.
pub(crate) fn settle() {
    fence(Ordering::SeqCst);
}

/// A value that several threads see and that is changed by who has it alone.
pub(crate) struct Shared<T>(UnsafeCell<T>);

impl<T> Shared<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
        look(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
        change(self.0.get())
    }
}
