//! Frames that held a key: what computes with one leaves copies on the stack that no destructor reaches.

use std::hint::black_box;

/// Runs `work` and then overwrites the `BYTES` of stack below the caller, where the frames of `work` were.
///
/// What `work` returns is not wiped: it should be on the heap, or no secret. `BYTES` has to be as much as `work` goes deep; tests
/// that search a process's memory tell when it is not.
#[inline(always)]
pub fn wiped<const BYTES: usize, T>(work: impl FnOnce() -> T) -> T {
    let value = apart(work);
    overwrite::<BYTES>();
    value
}

/// A frame of its own: nothing of `work` is kept in the caller's, which stays.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// One store after the other, by the widest instructions: as little as possible for each sample.
#[inline(never)]
fn overwrite<const BYTES: usize>() {
    black_box(&mut [0u8; BYTES]);
}
