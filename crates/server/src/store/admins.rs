//! Those who act for the owner from elsewhere: let in, given another token, let go.

use super::audit::note;
use super::rows::{For, Rows};
use super::{End, Pending, Store};
use crate::rules::admins::{Admin, AdminRole, AdminRow, REPEAT_LIFETIME, Repeat};
use crate::rules::audit::{Act, Acting};
use wmlicense_wire::id::Digest;

/// What a token says of who sends it to the owner's listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AdminKnown {
    /// Who it is.
    Admin(Admin),
    /// It counted once.
    Ended,
    /// It was never one.
    Unknown,
}

/// Requests of one admin that are known at most.
const MAX_REQUESTS: u64 = 10_000;

/// What is known of a request that names a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// Nothing.
    New,
    /// It was answered: under which claim, with which status and sealed body.
    Answered([u8; 16], u16, Vec<u8>),
    /// It is being done, or was and nobody knows the answer.
    Begun,
    /// Another request had the key.
    Other,
    /// The admin had as many keys as there may be in a day.
    TooMany,
}

/// A token for an admin to be made: only its hash is kept.
#[derive(Debug, Clone)]
pub(crate) struct NewAdminToken {
    pub(crate) hash: Digest,
    /// Seconds UTC; none: until it is ended.
    pub(crate) ends_at: Option<i64>,
}

impl NewAdminToken {
    fn row(&self, name: &str, role: AdminRole, now: i64) -> AdminRow {
        let Self { hash, ends_at } = *self;
        AdminRow { hash, name: name.to_owned(), role, created_at: now, ends_at, ended_at: None }
    }
}

fn told(row: &AdminRow) -> String {
    let end = row.ends_at.map(crate::policy::to_rfc3339);
    format!("role {}{}", row.role, end.map(|end| format!(" until {end}")).unwrap_or_default())
}

impl Store {
    /// Who sends a token at `now`, seconds UTC.
    pub(crate) fn admin(&self, hash: Digest, now: i64) -> Pending<'_, AdminKnown> {
        self.read((hash, now), |(hash, now), rows| {
            Box::pin(async move {
                Ok(match rows.admin(*hash).await? {
                    Some(row) if row.counts(*now) => AdminKnown::Admin(Admin { name: row.name, role: row.role }),
                    Some(_) => AdminKnown::Ended,
                    None => AdminKnown::Unknown,
                })
            })
        })
    }

    /// What is known of a request that names a key, at `now`, seconds UTC.
    pub(crate) fn repeated(&self, repeat: Repeat, now: i64) -> Pending<'_, Repeated> {
        self.read((repeat, now), |(repeat, now), rows| {
            Box::pin(async move {
                let known = rows.request(&repeat.admin, &repeat.key).await?;
                let from = now.saturating_sub(REPEAT_LIFETIME);
                Ok(match known.filter(|row| row.done_at >= from) {
                    Some(row) if row.repeat.request != repeat.request => Repeated::Other,
                    Some(row) => row.answer.map_or(Repeated::Begun, |(status, answer)| {
                        Repeated::Answered(row.repeat.claim, status, answer)
                    }),
                    None if rows.requests_of(&repeat.admin).await? >= MAX_REQUESTS => Repeated::TooMany,
                    None => Repeated::New,
                })
            })
        })
    }

    /// Keeps the answer to a request that was done.
    pub(crate) fn keep_answer(&self, repeat: Repeat, status: u16, answer: Vec<u8>) -> Pending<'_, ()> {
        self.write((repeat, status, answer), |(repeat, status, answer), rows| {
            Box::pin(async move { Ok(End::Keep(rows.answer_request(repeat, *status, answer).await?)) })
        })
    }

    /// Drops what is known of requests from before `now` less a day.
    pub(crate) fn drop_requests(&self, now: i64) -> Pending<'_, ()> {
        self.write(now.saturating_sub(REPEAT_LIFETIME), |before, rows| {
            Box::pin(async move { Ok(End::Keep(rows.drop_requests(*before).await?)) })
        })
    }

    /// All tokens of admins, whatever became of them.
    pub(crate) fn admins(&self) -> Pending<'_, Vec<AdminRow>> {
        self.read((), |(), rows| rows.admins())
    }

    /// Lets somebody in; false if the name is taken.
    pub(crate) fn add_admin(
        &self,
        name: String,
        role: AdminRole,
        token: NewAdminToken,
        by: impl Into<Acting>,
    ) -> Pending<'_, bool> {
        self.write_once((name, role, token, by.into()), |(name, role, token, by), rows| {
            Box::pin(async move {
                rows.mark(For::Changing).await?;
                if rows.admin_by_name(name).await?.is_some() {
                    return Ok(End::Undo(false));
                }
                let row = token.row(name, *role, by.now);
                rows.put_admin(&row).await?;
                let became = Some(told(&row));
                note(rows, by, Act { act: "admin add", about: Some(name.clone()), was: None, became }).await?;
                Ok(End::Keep(true))
            })
        })
    }

    /// Gives an admin a token in place of the one before; false if there is none of the name.
    pub(crate) fn set_admin_token(
        &self,
        name: String,
        token: NewAdminToken,
        by: impl Into<Acting>,
    ) -> Pending<'_, bool> {
        self.write_once((name, token, by.into()), |(name, token, by), rows| {
            Box::pin(async move {
                rows.mark(For::Changing).await?;
                let Some(was) = rows.admin_by_name(name).await? else { return Ok(End::Undo(false)) };
                let row = token.row(name, was.role, by.now);
                end(rows, &was, by).await?;
                rows.put_admin(&row).await?;
                let (was, became) = (Some(told(&was)), Some(told(&row)));
                note(rows, by, Act { act: "admin token", about: Some(name.clone()), was, became }).await?;
                Ok(End::Keep(true))
            })
        })
    }

    /// Lets an admin go; false if there is none of the name.
    pub(crate) fn remove_admin(&self, name: String, by: impl Into<Acting>) -> Pending<'_, bool> {
        self.write_once((name, by.into()), |(name, by), rows| {
            Box::pin(async move {
                rows.mark(For::Changing).await?;
                let Some(was) = rows.admin_by_name(name).await? else { return Ok(End::Undo(false)) };
                end(rows, &was, by).await?;
                let was = Some(told(&was));
                note(rows, by, Act { act: "admin remove", about: Some(name.clone()), was, became: None }).await?;
                Ok(End::Keep(true))
            })
        })
    }
}

async fn end(rows: &mut dyn Rows, row: &AdminRow, by: &Acting) -> Result<(), super::StoreError> {
    rows.put_admin(&AdminRow { ended_at: Some(by.now), ..row.clone() }).await
}
