//! The time, injected, and what it is worth. What a store remembers of it is `clock/record.rs`; asking services for the time is
//! the session's.

mod record;
mod system;
#[cfg(test)]
mod tests;

pub use record::{Anchors, ClockRecord, Doubt};
use std::sync::Arc;
pub use system::SystemClock;

/// A moment by the clock that nobody sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinceBoot {
    /// Names this run of the system; another run has another.
    pub boot: [u8; 16],
    /// Seconds since the system started, sleep included.
    pub seconds: i64,
}

/// One moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, seconds UTC.
    pub wall: i64,
    /// Since the system started, where it tells.
    pub since_boot: Option<SinceBoot>,
}

/// Gives the wall clock's seconds UTC, and the time since the system started.
pub trait Clock: Send + Sync {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    fn now(&self) -> i64;

    /// Since the system started. `None` where the system does not tell, or tells another time than the machine's; then no
    /// answer becomes an anchor, and none that is one counts.
    fn since_boot(&self) -> Option<SinceBoot> {
        None
    }

    /// Seconds by a clock that nobody sets while this process runs, counted from anywhere; the wall clock's where there is none.
    fn steady(&self) -> i64 {
        self.since_boot().map_or_else(|| self.now(), |since| since.seconds)
    }
}

impl dyn Clock {
    /// Both clocks at once.
    pub fn moment(&self) -> Moment {
        Moment { wall: self.now(), since_boot: self.since_boot() }
    }
}

/// A clock to share.
pub type SharedClock = Arc<dyn Clock>;

/// What the time is for one license.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Seconds UTC: of an anchor where there is one, else the wall clock's.
    pub now: i64,
    /// The time that is known to have passed, where `now` is behind it.
    pub behind: Option<i64>,
}

impl Reading {
    /// The latest time that is known to have passed.
    pub(crate) fn known(&self) -> i64 {
        self.behind.unwrap_or(self.now)
    }
}

/// What the clock is worth, and thereby what the user can do (`docs/protocol.md`, Clock).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum ClockVerdict {
    /// A service told the time since the system started: the wall clock does not matter.
    Good = 0,
    /// Nothing speaks against the wall clock, and nothing for it.
    Unknown = 1,
    /// The wall clock is behind what is known to have passed.
    Behind = 2,
    /// The wall clock is over 30 days ahead of what is known.
    Ahead = 3,
}
