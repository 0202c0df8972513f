//! What was counted by day and title, in memory.

use super::super::super::Pending;
use super::super::super::rows::TallyRows;
use super::{Tables, found};
use crate::rules::tally::{DayRow, Outcome, TallyRow, TitleRow};
use std::collections::BTreeMap;

impl TallyRows for Tables {
    fn add_tally<'a>(&'a mut self, rows: &'a [TallyRow]) -> Pending<'a, ()> {
        for TallyRow { day, outcome, subject, number } in rows {
            *self.tally.entry((*day, *outcome, subject.clone())).or_default() += number;
        }
        found(())
    }

    fn tally_by_day(&mut self, from: i64) -> Pending<'_, Vec<DayRow>> {
        let mut sums: BTreeMap<(i64, Outcome), u64> = BTreeMap::new();
        for ((day, outcome, _), number) in self.tally.iter().filter(|((day, _, _), _)| *day >= from) {
            *sums.entry((*day, *outcome)).or_default() += number;
        }
        found(sums.into_iter().map(|((day, outcome), number)| DayRow { day, outcome, number }).collect())
    }

    fn tally_by_title(&mut self, from: i64, limit: usize) -> Pending<'_, Vec<TitleRow>> {
        let mut sums: BTreeMap<(&str, Outcome), u64> = BTreeMap::new();
        for ((day, outcome, subject), number) in &self.tally {
            if *day >= from && !subject.is_empty() {
                *sums.entry((subject, *outcome)).or_default() += number;
            }
        }
        let row =
            |((subject, outcome), number): ((&str, _), _)| TitleRow { subject: subject.to_owned(), outcome, number };
        let mut rows: Vec<TitleRow> = sums.into_iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.number));
        rows.truncate(limit);
        found(rows)
    }

    fn drop_tally(&mut self, before: i64) -> Pending<'_, ()> {
        self.tally.retain(|(day, _, _), _| *day >= before);
        found(())
    }
}
