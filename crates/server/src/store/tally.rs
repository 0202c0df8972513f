//! What was counted by day and title.

use super::{End, Pending, Store};
use crate::rules::tally::{DayRow, KEPT_DAYS, TallyRow, TitleRow, day};

impl Store {
    /// Adds to what was counted. Rows come in the order of their keys, each key once.
    pub(crate) fn add_tally(&self, added: Vec<TallyRow>) -> Pending<'_, ()> {
        self.write_once(added, |added, rows| Box::pin(async move { Ok(End::Keep(rows.add_tally(added).await?)) }))
    }

    /// What came on each day from one on, by its number.
    pub(crate) fn tally_by_day(&self, from: i64) -> Pending<'_, Vec<DayRow>> {
        self.read(from, |from, rows| rows.tally_by_day(*from))
    }

    /// What came of each title from a day on, most first.
    pub(crate) fn tally_by_title(&self, from: i64, limit: usize) -> Pending<'_, Vec<TitleRow>> {
        self.read((from, limit), |(from, limit), rows| rows.tally_by_title(*from, *limit))
    }

    /// Drops days that are too old at `now`, seconds UTC.
    pub(crate) fn drop_tally(&self, now: i64) -> Pending<'_, ()> {
        self.write(day(now) - KEPT_DAYS, |before, rows| {
            Box::pin(async move { Ok(End::Keep(rows.drop_tally(*before).await?)) })
        })
    }
}
