//! Room for the many small pieces of memory whose lack would end the process: nothing begins without it. What grows with an
//! input is taken piece by piece in the core, and may fail there.

use crate::detail::Failure;
use crate::result::WM_E_OUTOFMEMORY;
use std::ptr::null_mut;
use std::sync::OnceLock;

/// What an operation needs beside what grows with its input, in bytes: its thread's stack, buffers, pages of the store.
pub(crate) const FOR_AN_OPERATION: usize = 16 << 20;
/// What a call that starts no operation needs, in bytes.
pub(crate) const FOR_A_CALL: usize = 1 << 20;

/// How the system promises memory, and the mode in which it promises no more than it has.
const OVERCOMMIT: &str = "/proc/sys/vm/overcommit_memory";
const STRICT: &str = "2";

/// Fails if the system does not give this much address space, which is given back at once. The allocator is not asked: it would
/// keep what it got, and from then on take large pieces from elsewhere.
pub(crate) fn check(bytes: usize) -> Result<(), Failure> {
    if is_unlimited() {
        return Ok(());
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a mapping at a place of the system's choice overlaps no other, and nothing refers to it when it goes.
    let is_there = unsafe {
        let at = libc::mmap(null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        at != libc::MAP_FAILED && libc::munmap(at, bytes) == 0
    };
    let lacking = || Failure::with(WM_E_OUTOFMEMORY, format!("less than {} MiB of memory are left", bytes >> 20));
    if is_there { Ok(()) } else { Err(lacking()) }
}

/// True where no such piece is refused: the process has no limit, and the system promises more than it has. Mapping and unmapping
/// costs as much as finding a license.
fn is_unlimited() -> bool {
    static PROMISES: OnceLock<bool> = OnceLock::new();
    let has_none = |resource| {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the place is ours and writable.
        let answered = unsafe { libc::getrlimit(resource, &raw mut limit) } == 0;
        answered && limit.rlim_cur == libc::RLIM_INFINITY
    };
    let promises = || std::fs::read_to_string(OVERCOMMIT).is_ok_and(|mode| mode.trim() != STRICT);
    *PROMISES.get_or_init(promises) && has_none(libc::RLIMIT_AS) && has_none(libc::RLIMIT_DATA)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than any system has.
    const TOO_MUCH: usize = 1 << 60;

    #[test]
    fn without_a_limit_the_system_is_not_asked() {
        let asked = check(TOO_MUCH).is_err();
        assert_eq!(asked, !is_unlimited());
        assert!(check(FOR_AN_OPERATION).is_ok());
    }
}
