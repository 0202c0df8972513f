//! What was counted by day and title, in PostgreSQL. Rows are added to in the order of their keys, so that nobody waits in a circle.

use super::super::rows::TallyRows;
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, PostgresRows, Value, asked, texts};
use crate::rules::tally::{DayRow, Outcome, TallyRow, TitleRow};
use deadpool_postgres::tokio_postgres::Row;

statements!("tally.sql": ADD_TALLY, TALLY_BY_DAY, TALLY_BY_TITLE, DROP_TALLY);

fn outcome(row: &Row) -> Result<Outcome, StoreError> {
    Outcome::of_name(&row.value::<String>(1)?).ok_or(StoreError::Damaged("tally"))
}

impl TallyRows for PostgresRows<'_> {
    fn add_tally<'a>(&'a mut self, rows: &'a [TallyRow]) -> Pending<'a, ()> {
        Box::pin(async move {
            let days = Value::Numbers(rows.iter().map(|row| Some(row.day)).collect());
            let outcomes = texts(rows.iter().map(|row| Some(row.outcome.name())));
            let subjects = texts(rows.iter().map(|row| Some(row.subject.as_str())));
            let numbers = rows.iter().map(|row| Some(i64::try_from(row.number).unwrap_or(i64::MAX)));
            self.put(ADD_TALLY, &[days, outcomes, subjects, Value::Numbers(numbers.collect())]).await
        })
    }

    fn tally_by_day(&mut self, from: i64) -> Pending<'_, Vec<DayRow>> {
        Box::pin(async move {
            let read = |row: &Row| Ok(DayRow { day: row.value(0)?, outcome: outcome(row)?, number: row.count(2)? });
            self.all(TALLY_BY_DAY, asked![from], read).await
        })
    }

    fn tally_by_title(&mut self, from: i64, limit: usize) -> Pending<'_, Vec<TitleRow>> {
        Box::pin(async move {
            let read =
                |row: &Row| Ok(TitleRow { subject: row.value(0)?, outcome: outcome(row)?, number: row.count(2)? });
            self.all(TALLY_BY_TITLE, asked![from, limit], read).await
        })
    }

    fn drop_tally(&mut self, before: i64) -> Pending<'_, ()> {
        Box::pin(async move { self.put(DROP_TALLY, asked![before]).await })
    }
}
