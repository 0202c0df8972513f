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

/// What is overwritten by one frame. Up to 2 KiB the C library clears memory with the widest stores; for more it takes an
/// instruction that needs longer to begin than this takes in all.
const PIECE: usize = 1 << 10;

/// Frames below each other, together at least `BYTES` deep.
#[inline(never)]
fn overwrite<const BYTES: usize>() {
    let pieces = const { BYTES.div_ceil(PIECE) };
    if pieces > 0 {
        overwrite_pieces(pieces);
    }
}

#[inline(never)]
fn overwrite_pieces(pieces: usize) {
    let mut piece = [0u8; PIECE];
    black_box(&mut piece);
    if pieces > 1 {
        overwrite_pieces(pieces - 1);
    }
    // The frame is needed until here: the next one cannot take its place.
    black_box(&piece);
}
