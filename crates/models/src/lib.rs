//! The files of the library in which threads meet, compiled once more with the types of the model checker `loom` in place of
//! the standard library's: what is checked here is what runs. The models beside them are run by `tests/models.rs`.
// The files bring unit tests of their own, which run where they belong.
#![cfg(not(test))]

// The event queue names the operation by its crate; here both are in one.
extern crate self as wmlicense_core;
extern crate wmlicense_core as core_as_it_is;

pub use core_as_it_is::{event, logging};

/// What `sync.rs` of both crates names.
mod sync {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread::{Builder, JoinHandle, yield_now};

    /// A value whose accesses the checker watches.
    pub(crate) struct Shared<T>(loom::cell::UnsafeCell<T>);

    impl<T> Shared<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::cell::UnsafeCell::new(value))
        }

        pub(crate) fn with<R>(&self, look: impl FnOnce(*const T) -> R) -> R {
            self.0.with(look)
        }

        pub(crate) fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
            self.0.with_mut(change)
        }
    }

    /// The checker knows no order of all `SeqCst` operations but by fences.
    pub(crate) fn announce(place: &AtomicUsize, value: usize) {
        place.store(value, Ordering::SeqCst);
        settle();
    }

    pub(crate) fn settle() {
        loom::sync::atomic::fence(Ordering::SeqCst);
    }

    /// Of one thread of a model.
    pub(crate) type ThreadMark = loom::thread::ThreadId;

    /// The mark of the calling thread, which is not a thread of the system.
    pub(crate) fn this_thread() -> ThreadMark {
        loom::thread::current().id()
    }
}

// By path, and only here: what is compiled has to be these very files, under other types of `sync` than the crates that this build
// links; a feature in place of it would change them for every crate beside this one.
#[allow(dead_code, unused_imports)]
#[path = "../../core/src"]
mod from_core {
    pub mod operation;
}
pub use from_core::operation;

#[allow(dead_code)]
#[path = "../../../src/object"]
mod object {
    pub(crate) mod table;
}

#[allow(dead_code)]
#[path = "../../../src/teller"]
mod teller {
    pub(crate) mod queue;

    /// An event is no more than its number.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(crate) struct Entry(pub(crate) u32);
}

pub mod handles;
pub mod operations;
pub mod queues;

/// Runs `body` in every order of its threads in which at most `preemptions` of them are interrupted where they need not wait.
fn in_every_order(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(body);
}
