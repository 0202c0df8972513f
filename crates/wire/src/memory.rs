//! Memory that grows with what is read: had, or told to be missing.

use std::io;

/// An empty list with room for this many items.
pub fn with_capacity<T>(count: usize) -> io::Result<Vec<T>> {
    let mut list = Vec::new();
    list.try_reserve_exact(count)?;
    Ok(list)
}

/// This many zeros.
pub fn zeroed(length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = with_capacity(length)?;
    bytes.resize(length, 0);
    Ok(bytes)
}
