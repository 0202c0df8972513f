//! The time, injected: what the wall clock says, and nothing about whether to trust it.

use std::sync::Arc;

/// Gives the wall clock's seconds UTC.
pub trait Clock: Send + Sync {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    fn now(&self) -> i64;
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or_else(|before| -(before.duration().as_secs() as i64), |since| since.as_secs() as i64)
    }
}

/// A clock to share.
pub type SharedClock = Arc<dyn Clock>;
