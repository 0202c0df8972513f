//! A bell that ends the wait between two polls of a monitor.

use crate::operation::{Cancelled, Context};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// Rung by whoever knows that the user has decided. It only says when to ask again.
#[derive(Default)]
pub struct Wake {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Wake {
    /// Ends the present wait, or the next one if there is none.
    pub fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    /// Waits until `until`, until rung, or until cancelled.
    pub(super) fn wait_until(self: &Arc<Self>, until: Instant, context: &Context) -> Result<(), Cancelled> {
        let own = Arc::clone(self);
        let _guard = context.on_cancel(Arc::new(move || own.ring()));
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !*rung {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            rung = self.bell.wait_timeout(rung, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *rung = false;
        drop(rung);
        context.check()
    }
}
