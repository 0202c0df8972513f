//! What the machine has no more of, by an error of the system: one mapping for the store, the network and whoever tells people.

use std::io::{self, ErrorKind};

/// What there is no more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// Memory.
    Memory,
    /// File descriptors, of the process or of the system.
    Descriptors,
    /// Room on a disk, or what the user may have of it.
    Room,
}

impl Shortage {
    /// What the error says to be lacking; none if it says something else.
    pub fn of(error: &io::Error) -> Option<Self> {
        match error.kind() {
            ErrorKind::OutOfMemory => Some(Self::Memory),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(Self::Room),
            _ if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => Some(Self::Descriptors),
            _ => None,
        }
    }
}
