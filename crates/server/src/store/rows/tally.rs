//! Rows of what was counted by day and title.

use super::super::Pending;
use crate::rules::tally::{DayRow, TallyRow, TitleRow};

/// Numbers by day, outcome and title. Who adds to several does so in their order.
pub(crate) trait TallyRows {
    /// Adds to the numbers that are there.
    fn add_tally<'a>(&'a mut self, rows: &'a [TallyRow]) -> Pending<'a, ()>;
    /// The sums of each day and outcome from a day on, in this order.
    fn tally_by_day(&mut self, from: i64) -> Pending<'_, Vec<DayRow>>;
    /// The sums of each title and outcome from a day on, the greatest first; equal ones by title and outcome.
    fn tally_by_title(&mut self, from: i64, limit: usize) -> Pending<'_, Vec<TitleRow>>;
    /// Drops the days before one.
    fn drop_tally(&mut self, before: i64) -> Pending<'_, ()>;
}
