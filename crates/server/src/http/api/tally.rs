//! What was counted by day and title, at the owner's API.

use super::fields::{Field, Kind, takes};
use super::route::{Asked, Gives, Route, Taken};
use crate::clock::DAY;
use crate::owner::told::{self, Column, Told, has};
use crate::policy::to_rfc3339;
use crate::problem::Refusal;
use crate::rules::admins::Right;
use crate::rules::tally::{DayRow, TitleRow, day};
use axum::http::Method;
use serde_json::{Value, json};

/// Days that are told where nobody says how many.
const DAYS: u64 = 30;
const DAYS_BACK: Field = takes("days", Kind::Number(1, 400), "Days back, today included; 30 where nothing is said.");
/// Rows of titles where nobody says how many.
const TITLES: u64 = 100;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/tally/days",
        about: "Count what was issued, renewed, restored, given to pages and refused on each day, by UTC.",
        right: Right::SeeAccounts,
        in_path: &[],
        query: &[DAYS_BACK],
        takes: Taken::Nothing,
        gives: Gives::Rows(DayRow::COLUMNS),
        run: |asked| Box::pin(async move { days(&asked).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/tally/titles",
        about: "Count the same by title, the greatest numbers first. What is pre-delivered counts under its scope.",
        right: Right::SeeAccounts,
        in_path: &[],
        query: &[DAYS_BACK, takes("limit", Kind::Number(1, 1000), "Rows at most; 100 where nothing is said.")],
        takes: Taken::Nothing,
        gives: Gives::Rows(TitleRow::COLUMNS),
        run: |asked| Box::pin(async move { titles(&asked).await }),
    },
];

/// The first day that is asked for, after what this process counted is written.
async fn first_day(asked: &Asked) -> i64 {
    asked.service.write_counts().await;
    let days = asked.values.number("days").unwrap_or(DAYS);
    day(asked.now()) + 1 - i64::try_from(days).unwrap_or(1)
}

async fn days(asked: &Asked) -> Result<Value, Refusal> {
    let from = first_day(asked).await;
    Ok(asked.told(asked.service.store.tally_by_day(from).await?))
}

async fn titles(asked: &Asked) -> Result<Value, Refusal> {
    let (from, limit) = (first_day(asked).await, asked.values.number("limit").unwrap_or(TITLES));
    let limit = usize::try_from(limit).unwrap_or(1);
    Ok(asked.told(asked.service.store.tally_by_title(from, limit).await?))
}

impl Told for DayRow {
    const COLUMNS: &'static [Column] =
        &[has("day", told::Kind::Time), has("outcome", told::Kind::Text), has("number", told::Kind::Number)];

    fn cells(self, _: i64) -> Vec<Value> {
        vec![json!(to_rfc3339(self.day.saturating_mul(DAY))), json!(self.outcome.name()), json!(self.number)]
    }
}

impl Told for TitleRow {
    const COLUMNS: &'static [Column] =
        &[has("title", told::Kind::Text), has("outcome", told::Kind::Text), has("number", told::Kind::Number)];

    fn cells(self, _: i64) -> Vec<Value> {
        vec![json!(self.subject), json!(self.outcome.name()), json!(self.number)]
    }
}
