//! How many licenses a second are pre-delivered: a device that comes beyond that is told when to come again.

use std::sync::{Mutex, PoisonError};

/// Licenses that may go out at once after a quiet time: one full answer.
const BURST: i64 = 4096;

/// A limit, or none.
pub(crate) struct Pace {
    /// Licenses a second.
    rate: Option<u32>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Licenses that may go out; below 0 after an answer that was longer than what was left.
    left: i64,
    /// Seconds UTC of the last look.
    at: Option<i64>,
}

impl Pace {
    pub(crate) fn new(rate: Option<u32>) -> Self {
        Self { rate, state: Mutex::default() }
    }

    /// `None` if an answer may go out at `now`, else when to come again; seconds UTC.
    pub(crate) fn wait(&self, now: i64) -> Option<i64> {
        let rate = i64::from(self.rate?).max(1);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = state.at.map_or(BURST, |at| now.saturating_sub(at).max(0));
        state.left = state.left.saturating_add(passed.saturating_mul(rate)).min(BURST.max(rate));
        state.at = Some(now);
        // Up, so that there is something again by then.
        (state.left <= 0).then(|| now.saturating_add(1 - state.left / rate))
    }

    /// Counts an answer that goes out.
    pub(crate) fn spend(&self, licenses: usize) {
        if self.rate.is_some() {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.left = state.left.saturating_sub(i64::try_from(licenses).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_over_time_and_nobody_waits_without_one() {
        let pace = Pace::new(Some(1000));
        assert_eq!(pace.wait(100), None);
        pace.spend(4096);
        pace.spend(4096);
        let again = pace.wait(100).unwrap_or(0);
        assert_eq!(again, 105);
        assert!(pace.wait(again - 2).is_some());
        assert_eq!(pace.wait(again), None);
        let free = Pace::new(None);
        free.spend(1 << 40);
        assert_eq!(free.wait(0), None);
    }
}
