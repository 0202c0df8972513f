//! A route of the owner's API: what it is asked, who may, what it gives, and what runs.

use super::fields::{Field, Kind, Values, takes};
use crate::owner::Wrong;
use crate::owner::told::{Column, Told, names, object};
use crate::problem::{Fault, Refusal};
use crate::rules::admins::{Admin, Right};
use crate::service::Service;
use crate::store::{Acting, Listed, StoreError, cursor};
use axum::http::Method;
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Rows of a page where nobody says how many, and most of them.
const ROWS: u64 = 100;
const MAX_ROWS: u64 = 1000;

/// What a request has for a body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Taken {
    Nothing,
    Fields(&'static [Field]),
    /// A policy as JSON.
    Policy,
    /// A list of keys, in whatever form `content import` takes.
    Keys,
}

/// What an answer has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Gives {
    /// Nothing.
    Nothing,
    Object(&'static [Column]),
    /// Something new.
    Made(&'static [Column]),
    /// A page of rows, and the cursor of the next one.
    Page(&'static [Column]),
    /// All rows.
    Rows(&'static [Column]),
    /// Numbers by name.
    Counts,
    /// A policy as JSON.
    Policy,
    /// This document.
    Document,
}

pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) about: &'static str,
    pub(super) right: Right,
    pub(super) in_path: &'static [Field],
    pub(super) query: &'static [Field],
    pub(super) takes: Taken,
    pub(super) gives: Gives,
    pub(super) run: Run,
}

pub(super) type Run = fn(Asked) -> Pin<Box<dyn Future<Output = Result<Value, Refusal>> + Send>>;

/// A request that was checked.
pub(super) struct Asked {
    pub(super) service: Arc<Service>,
    pub(super) admin: Admin,
    pub(super) by: Acting,
    pub(super) values: Values,
    /// The body, where it is no JSON object of fields.
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Fields of every list that has pages.
pub(super) const PAGES: [Field; 2] = [
    takes("limit", Kind::Number(1, MAX_ROWS), "Rows of the page at most; 100 where nothing is said."),
    takes("cursor", Kind::Cursor, "The cursor that the page before gave; go on behind its last row."),
];

impl Route {
    /// The fields of its query.
    pub(super) fn queried(&self) -> Vec<Field> {
        let pages: &[Field] = if matches!(self.gives, Gives::Page(_)) { &PAGES } else { &[] };
        [self.query, pages].concat()
    }

    /// Status of its answer.
    pub(super) fn status(&self) -> u16 {
        match self.gives {
            Gives::Nothing => 204,
            Gives::Made(_) => 201,
            _ => 200,
        }
    }
}

impl Asked {
    pub(super) fn now(&self) -> i64 {
        self.by.now
    }

    /// The page of a list that was asked for.
    pub(super) async fn page<T: Listed + Told + Send + 'static>(&self, filter: T::Filter) -> Result<Value, Refusal> {
        let limit = usize::try_from(self.values.number("limit").unwrap_or(ROWS)).unwrap_or(1);
        let behind = self.values.text("cursor").map(|text| {
            let wrong = "The cursor is none of this list; take it as it was given, with the same filters.";
            cursor::from_text(T::LIST, &text).ok_or_else(|| Refusal::Wrong(wrong.to_owned()))
        });
        let behind: Option<T::Key> = behind.transpose()?;
        // One more than asked for tells whether more follow.
        let mut rows: Vec<T> = self.service.store.listed(filter, behind, limit + 1).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let cursor = rows.last().filter(|_| more).map(|last| cursor::to_text(T::LIST, &last.key()));
        Ok(json!({ "rows": self.told(rows), "cursor": cursor }))
    }

    /// Rows as an array of objects.
    pub(super) fn told<T: Told>(&self, rows: Vec<T>) -> Value {
        let names = names::<T>();
        Value::Array(rows.into_iter().map(|row| object(&names, row.cells(self.now()))).collect())
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Repeated => Self::Clash(
                "A request with this Idempotency-Key was done already, or is being done. Look what became of it, or \
                 send it again later."
                    .to_owned(),
            ),
            error => Self::Fault(Fault::from(error)),
        }
    }
}

impl From<getrandom::Error> for Refusal {
    fn from(error: getrandom::Error) -> Self {
        Self::Fault(Fault::from(error))
    }
}

impl From<Wrong> for Refusal {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Store(error) => error.into(),
            Wrong::Random | Wrong::MasterKey(_) => {
                tracing::error!(%wrong, "what the owner wants cannot be done");
                Self::Fault(Fault::Internal)
            }
            Wrong::NoPolicy(_) | Wrong::NoSubscription(_) => Self::Unfit(format!("{}.", sentence(&wrong.to_string()))),
            Wrong::NoContent(_) => Self::Missing(format!("{}.", sentence(&wrong.to_string()))),
            Wrong::NotForRoots(_) | Wrong::Policy(_) => Self::Unfit(format!("{}.", sentence(&wrong.to_string()))),
            Wrong::OtherKey(_) => Self::Clash(format!("{}.", sentence(&wrong.to_string()))),
            Wrong::Moves(told) => {
                Self::Clash(format!("{told}\nNothing was changed; with replace it is, and dryRun only tells."))
            }
        }
    }
}

/// A clause as the beginning of a sentence.
pub(super) fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
