//! Room for the many small pieces of memory whose lack would end the process: nothing begins without it. What grows with an
//! input is taken piece by piece in the core, and may fail there.

use crate::detail::Failure;
use crate::result::WM_E_OUTOFMEMORY;
use std::ptr::null_mut;

/// What an operation needs beside what grows with its input, in bytes: its thread's stack, buffers, pages of the store.
pub(crate) const FOR_AN_OPERATION: usize = 16 << 20;
/// What a call that starts no operation needs, in bytes.
pub(crate) const FOR_A_CALL: usize = 1 << 20;

/// Fails if the system does not give this much address space, which is given back at once. The allocator is not asked: it would
/// keep what it got, and from then on take large pieces from elsewhere.
pub(crate) fn check(bytes: usize) -> Result<(), Failure> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a mapping at a place of the system's choice overlaps no other, and nothing refers to it when it goes.
    let is_there = unsafe {
        let at = libc::mmap(null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        at != libc::MAP_FAILED && libc::munmap(at, bytes) == 0
    };
    let lacking = || Failure::with(WM_E_OUTOFMEMORY, format!("less than {} MiB of memory are left", bytes >> 20));
    if is_there { Ok(()) } else { Err(lacking()) }
}
