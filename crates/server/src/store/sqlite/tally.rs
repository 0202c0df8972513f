//! What was counted by day and title, in SQLite.

use super::super::rows::TallyRows;
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, done};
use crate::rules::tally::{DayRow, Outcome, TallyRow, TitleRow};
use rusqlite::{Row, params};

statements!("tally.sql": ADD_TALLY, TALLY_BY_DAY, TALLY_BY_TITLE, DROP_TALLY);

fn outcome(row: &Row<'_>) -> Result<Outcome, StoreError> {
    Outcome::of_name(&row.get::<_, String>(1)?).ok_or(StoreError::Damaged("tally"))
}

impl TallyRows for SqliteRows<'_> {
    fn add_tally<'a>(&'a mut self, rows: &'a [TallyRow]) -> Pending<'a, ()> {
        done(rows.iter().try_for_each(|TallyRow { day, outcome, subject, number }| {
            let number = i64::try_from(*number).unwrap_or(i64::MAX);
            self.put(ADD_TALLY, params![day, outcome.name(), subject, number])
        }))
    }

    fn tally_by_day(&mut self, from: i64) -> Pending<'_, Vec<DayRow>> {
        done(self.all(TALLY_BY_DAY, [from], |row| {
            Ok(DayRow { day: row.get(0)?, outcome: outcome(row)?, number: row.count(2)? })
        }))
    }

    fn tally_by_title(&mut self, from: i64, limit: usize) -> Pending<'_, Vec<TitleRow>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        done(self.all(TALLY_BY_TITLE, [from, limit], |row| {
            Ok(TitleRow { subject: row.get(0)?, outcome: outcome(row)?, number: row.count(2)? })
        }))
    }

    fn drop_tally(&mut self, before: i64) -> Pending<'_, ()> {
        done(self.put(DROP_TALLY, [before]))
    }
}
