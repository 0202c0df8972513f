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
        assert_eq!((enter_silently(|| Ok(())), enter_silently(|| Err(Failure::new(WM_E_BUSY)))), (WM_S_OK, WM_E_BUSY));
    }

    #[test]
    fn a_failure_is_the_threads_detail_unless_the_call_says_nothing() {
        let last = || detail::last().map(|detail| detail.result);
        detail::set(None);
        enter_silently(|| Err(Failure::new(WM_E_BUSY)));
        assert_eq!(last(), None);
        enter(|| Err(Failure::new(WM_E_BUSY)));
        assert_eq!(last(), Some(WM_E_BUSY));
        enter(|| Ok(()));
        assert_eq!(last(), Some(WM_E_BUSY), "a success leaves it");
    }

    /// What a forked child answers when it ends with the first thing that is wrong there; it does nothing that takes a lock.
    fn child() -> i32 {
        // SAFETY: no value is a handle there, and NULL may be released everywhere.
        let released = unsafe { crate::object::wm_release(std::ptr::without_provenance_mut(7)) };
        match (enter(|| Ok(())), enter_silently(|| Ok(())), released, is_forked()) {
            (WM_E_FORKED, WM_E_FORKED, WM_S_OK, true) => 0,
            (WM_E_FORKED, WM_E_FORKED, _, true) => 1,
            _ => 2,
        }
    }

    #[test]
    fn in_a_forked_child_every_call_is_refused_but_a_release_which_does_nothing() {
        watch_forks().unwrap();
        assert!(!is_forked());
        let mut status = -1;
        // SAFETY: the child calls only what is allowed between fork and exec, and leaves at once.
        unsafe {
            match libc::fork() {
                0 => libc::_exit(child()),
                pid => assert_eq!(libc::waitpid(pid, &mut status, 0), pid),
            }
        }
        assert!(libc::WIFEXITED(status));
        assert_eq!(libc::WEXITSTATUS(status), 0);
        assert!(!is_forked(), "the parent goes on");
    }
}
