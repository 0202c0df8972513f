//! The one way in: no call runs in a forked child, no panic leaves, every failure's detail is kept for its thread.

use crate::detail::{self, Failure};
use crate::result::{WM_E_FORKED, WM_E_INTERNAL, WM_E_OUTOFMEMORY, WM_S_OK, wm_result};
use once_cell::sync::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set in a forked child, for ever: locks and threads of the library did not come along.
static FORKED: AtomicBool = AtomicBool::new(false);
static FORK_HOOK: OnceCell<()> = OnceCell::new();

extern "C" fn in_child() {
    FORKED.store(true, Ordering::Relaxed);
}

/// Registers the library's only process-wide hook, once.
pub(crate) fn watch_forks() -> Result<(), Failure> {
    FORK_HOOK.get_or_try_init(|| {
        // SAFETY: the child's handler only stores to an atomic, which is allowed between fork and exec.
        match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
            0 => Ok(()),
            _ => Err(Failure::new(WM_E_OUTOFMEMORY)),
        }
    })?;
    Ok(())
}

/// True in a child process that was forked after the library was first used.
pub(crate) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// Runs the body of an exported function that succeeds with 0.
pub(crate) fn enter(body: impl FnOnce() -> Result<(), Failure>) -> wm_result {
    enter_with(|| body().map(|()| WM_S_OK))
}

/// Runs the body of an exported function that has success codes of its own.
pub(crate) fn enter_with(body: impl FnOnce() -> Result<wm_result, Failure>) -> wm_result {
    guarded(body, |failure| detail::set(Some(failure.into_detail())))
}

/// As [`enter`], but a failure leaves the thread's detail as it is.
pub(crate) fn enter_silently(body: impl FnOnce() -> Result<(), Failure>) -> wm_result {
    guarded(|| body().map(|()| WM_S_OK), drop)
}

fn guarded(body: impl FnOnce() -> Result<wm_result, Failure>, keep: impl FnOnce(Failure)) -> wm_result {
    if is_forked() {
        // Without a detail: another thread may have held the allocator when the process was forked.
        return WM_E_FORKED;
    }
    // Locks of the boundary recover from poison, and an operation's state is its own thread's: nothing is left half-done
    // that a later call would trust.
    let ended = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        // Dropping a payload may panic again; leaking a few bytes of it is the lesser harm.
        std::mem::forget(payload);
        Err(Failure::new(WM_E_INTERNAL))
    });
    ended.unwrap_or_else(|failure| {
        let result = failure.result();
        keep(failure);
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::WM_E_BUSY;

    #[test]
    fn a_panic_becomes_a_result_and_the_next_call_works() {
        assert_eq!(enter(|| panic!("deliberate")), WM_E_INTERNAL);
        assert_eq!(enter(|| Ok(())), WM_S_OK);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_does_no_harm() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        assert_eq!(enter(|| std::panic::panic_any(Bomb)), WM_E_INTERNAL);
    }

    #[test]
    fn failures_and_success_codes_pass_through() {
        assert_eq!(enter(|| Err(Failure::new(WM_E_BUSY))), WM_E_BUSY);
        assert_eq!(enter_with(|| Ok(7)), 7);
    }
}
