//! What operations synchronize with. `crates/models` compiles the same files against the types of a model checker, which
//! have these names there.

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
pub(crate) use std::thread::{Builder, JoinHandle};

thread_local! {
    static MARK: u8 = const { 0 };
}

/// Of one thread, while it lives.
pub(crate) type ThreadMark = usize;

/// The mark of the calling thread. Asking the standard library instead would leave a handle behind in each thread of the
/// application that waits or releases.
pub(crate) fn this_thread() -> ThreadMark {
    MARK.with(|mark| std::ptr::from_ref(mark).addr())
}
