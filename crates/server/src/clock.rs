//! The time of day, injected so that tests can move it.

use std::time::{SystemTime, UNIX_EPOCH};

/// A day, in seconds.
pub(crate) const DAY: i64 = 24 * 60 * 60;

/// Gives the time.
pub trait Clock: Send + Sync {
    /// Seconds UTC.
    fn now(&self) -> i64;
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
}
