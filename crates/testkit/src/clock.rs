//! The client's clock in the hands of a test.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use wmlicense_core::clock::{Clock, SinceBoot};

/// A clock that a test moves. The time since the system started goes its own way, once a test says that it is known.
pub struct ManualClock {
    wall: AtomicI64,
    since_boot: Mutex<Option<SinceBoot>>,
}

impl ManualClock {
    pub fn at(time: i64) -> Arc<Self> {
        Arc::new(Self { wall: AtomicI64::new(time), since_boot: Mutex::default() })
    }
    pub fn set(&self, time: i64) {
        self.wall.store(time, Ordering::SeqCst);
    }
    pub fn advance(&self, seconds: i64) {
        self.wall.fetch_add(seconds, Ordering::SeqCst);
    }
    /// From here on the system tells that it runs for so long, in this run.
    pub fn boot(&self, run: u8, seconds: i64) {
        *self.since_boot.lock().unwrap() = Some(SinceBoot { boot: [run; 16], seconds });
    }
}

impl Clock for ManualClock {
    fn now(&self) -> i64 {
        self.wall.load(Ordering::SeqCst)
    }

    fn since_boot(&self) -> Option<SinceBoot> {
        *self.since_boot.lock().unwrap()
    }
}
