//! What this process counts for the owner by day and title, and how it comes into the database: beside requests, which only add to
//! memory. What a process did not write yet ends with it where it is killed.

use crate::rules::tally::{Counts, Gathered, Outcome, day};
use crate::store::{Store, StoreError};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
pub(crate) struct Tally {
    gathered: Mutex<Gathered>,
    /// Whoever writes holds it: who comes then finds in the database what was taken out before.
    writing: tokio::sync::Mutex<()>,
}

impl Tally {
    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts at `now`, seconds UTC.
    pub(crate) fn add(&self, counts: &Counts, now: i64) {
        self.gathered().add(day(now), counts);
    }

    /// Counts what has no title of its own.
    pub(crate) fn add_untitled(&self, numbers: &[(Outcome, usize)], now: i64) {
        let mut counts = Counts::default();
        for (outcome, number) in numbers {
            counts.add(*outcome, None, *number);
        }
        self.add(&counts, now);
    }

    /// Adds to the database what was counted since the last time. What is not written stays for the next time.
    /// It must not be dropped before its end: what it holds then is lost.
    pub(crate) async fn flush(&self, store: &Store) {
        let _writing = self.writing.lock().await;
        let rows = self.gathered().take();
        if rows.is_empty() {
            return;
        }
        match store.add_tally(rows.clone()).await {
            Ok(()) => {}
            // Perhaps it is written: counted twice is worse than not counted.
            Err(error @ StoreError::Unknown) => tracing::warn!(%error, "counts of some seconds may be lost"),
            Err(error) => {
                tracing::warn!(%error, "counts could not be written; they are kept for the next time");
                self.gathered().give_back(rows);
            }
        }
    }
}
