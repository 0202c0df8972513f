//! Content, policies, subscriptions, accounts and their scopes, the audit, in PostgreSQL. What the owner changes is changed under the lock of
//! the mark.

use super::super::rows::{AccountRows, AuditRows, CatalogueRows, For};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, PostgresRows, Value, asked, ids, many_bytes, nothing, texts};
use crate::rules::catalogue::NewSubscription;
use crate::rules::content::{Content, Part, RootKey};
use crate::rules::rows::{AuditRow, ContentRow, ScopeRow, TokenRow};
use deadpool_postgres::tokio_postgres::Row;
use std::collections::BTreeMap;
use wmlicense_wire::id::{Digest, Kid, UserId};

statements!("catalogue.sql":
    MARK, LOCK_MARK, PUT_MARK, CATALOGUE_MARK, PUT_CATALOGUE_MARK, OFFERED, OFFERED_BEHIND, CONTENTS_OF, PUT_CONTENTS, REMOVE_CONTENTS,
    POLICY, PUT_POLICY, SUBSCRIPTION, PUT_SUBSCRIPTION,
    TOKEN, TOKENS_OF, PUT_TOKENS, ACCOUNT_BY_NAME, LOCK_ACCOUNT, ACCOUNT_NAME, SCOPES, INSERT_ACCOUNT, REMOVE_ACCOUNT,
    INSERT_SCOPES, REMOVE_SCOPES, INSERT_AUDIT, DONE_BY,
);

/// Columns that [`read_content`] reads.
pub(super) const CONTENT_COLUMNS: usize = 9;

/// Rows of content that are written at once.
const CONTENTS_AT_ONCE: usize = 8 * 1024;

/// Reads what is offered under a key ID, be it content or a subscription.
pub(super) fn read_content(row: &Row) -> Result<Content, StoreError> {
    let policy = row.value::<Option<String>>(3)?.zip(row.value::<Option<String>>(4)?);
    let part = match (row.value::<bool>(5)?, row.maybe_id(6)?) {
        (true, _) => Part::Root,
        (false, None) => Part::Content,
        (false, Some(kid)) => Part::Leaf(RootKey {
            kid,
            sealed_key: row.value::<Vec<u8>>(7)?.into(),
            scope: row.value::<Option<String>>(8)?.map(Into::into),
        }),
    };
    Ok(Content::catalogued(row.value(0)?, row.value(1)?, policy, row.value(2)?, part))
}

fn read_row(row: &Row) -> Result<ContentRow, StoreError> {
    let (kid, sealed_key) = (row.id(0)?, row.value(1)?);
    Ok(ContentRow { kid, sealed_key, title: row.value(2)?, policy: row.value(3)?, scope: row.value(4)? })
}

impl PostgresRows<'_> {
    /// Has the owner's changes come one after the other.
    pub(super) async fn lock_mark(&self) -> Result<i64, StoreError> {
        let mark = self.one(LOCK_MARK, &[], |row| row.value(0)).await?;
        mark.ok_or(StoreError::Damaged("mark"))
    }

    async fn write_contents(&self, rows: &[&ContentRow], mark: i64, now: i64) -> Result<(), StoreError> {
        let (kids, keys) = (ids(rows.iter().map(|row| &row.kid)), rows.iter().map(|row| row.sealed_key.as_slice()));
        let titles = texts(rows.iter().map(|row| row.title.as_deref()));
        let policies = texts(rows.iter().map(|row| row.policy.as_deref()));
        let scopes = texts(rows.iter().map(|row| row.scope.as_deref()));
        self.put(PUT_CONTENTS, asked![kids, many_bytes(keys), titles, policies, scopes, now, mark]).await
    }
}

impl CatalogueRows for PostgresRows<'_> {
    fn mark(&mut self, how: For) -> Pending<'_, i64> {
        Box::pin(async move {
            match how {
                For::Changing => self.lock_mark().await,
                For::Reading => {
                    let mark = self.one(MARK, &[], |row| row.value(0)).await?;
                    mark.ok_or(StoreError::Damaged("mark"))
                }
            }
        })
    }

    fn put_mark(&mut self, number: i64) -> Pending<'_, ()> {
        Box::pin(async move { self.put(PUT_MARK, asked![number]).await })
    }

    fn catalogue_mark(&mut self) -> Pending<'_, i64> {
        Box::pin(async move {
            let mark = self.one(CATALOGUE_MARK, &[], |row| row.value(0)).await?;
            mark.ok_or(StoreError::Damaged("mark"))
        })
    }

    fn put_catalogue_mark(&mut self, number: i64) -> Pending<'_, ()> {
        Box::pin(async move { self.put(PUT_CATALOGUE_MARK, asked![number]).await })
    }

    fn offered<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, Vec<Option<Content>>> {
        if kids.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let read = |row: &Row| Ok((row.place(CONTENT_COLUMNS)?, read_content(row)?));
            let mut offered: Vec<Option<Content>> = kids.iter().map(|_| None).collect();
            for (at, content) in self.all(OFFERED, asked![ids(kids)], read).await? {
                let place = offered.get_mut(at).ok_or(StoreError::Damaged("column"))?;
                // Content goes before a subscription of the same key ID.
                if place.is_none() || !matches!(content.part, Part::Root) {
                    *place = Some(content);
                }
            }
            Ok(offered)
        })
    }

    fn offered_behind<'a>(
        &'a mut self,
        scope: &'a str,
        kid: &'a [u8],
        after: i64,
        limit: usize,
    ) -> Pending<'a, Vec<(Kid, Content)>> {
        Box::pin(async move {
            let read = |row: &Row| Ok((row.id(CONTENT_COLUMNS)?, read_content(row)?));
            self.all(OFFERED_BEHIND, asked![scope, kid, after, limit], read).await
        })
    }

    fn contents<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, Vec<ContentRow>> {
        Box::pin(async move { self.all(CONTENTS_OF, asked![ids(kids)], read_row).await })
    }

    fn put_contents<'a>(&'a mut self, rows: &'a [ContentRow], mark: i64, now: i64) -> Pending<'a, ()> {
        Box::pin(async move {
            // One row a key ID, the last one; in the order of the table.
            let rows: BTreeMap<Kid, &ContentRow> = rows.iter().map(|row| (row.kid, row)).collect();
            let rows: Vec<&ContentRow> = rows.into_values().collect();
            for some in rows.chunks(CONTENTS_AT_ONCE) {
                self.write_contents(some, mark, now).await?;
            }
            Ok(())
        })
    }

    fn remove_contents<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, u64> {
        Box::pin(async move { self.change(REMOVE_CONTENTS, asked![ids(kids)]).await })
    }

    fn policy<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<String>> {
        Box::pin(async move { self.one(POLICY, asked![name], |row| row.value(0)).await })
    }

    fn put_policy<'a>(
        &'a mut self,
        name: &'a str,
        definition: &'a str,
        subscription: Option<&'a str>,
        mark: i64,
        now: i64,
    ) -> Pending<'a, ()> {
        Box::pin(async move { self.put(PUT_POLICY, asked![name, definition, subscription, mark, now]).await })
    }

    fn subscription<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<NewSubscription>> {
        let read = |row: &Row| {
            let (name, kid, sealed_key) = (row.value(0)?, row.id(1)?, row.value(2)?);
            Ok(NewSubscription { name, kid, sealed_key, policy: row.value(3)?, scope: row.value(4)? })
        };
        Box::pin(async move { self.one(SUBSCRIPTION, asked![name], read).await })
    }

    fn put_subscription<'a>(&'a mut self, row: &'a NewSubscription, mark: i64, now: i64) -> Pending<'a, ()> {
        Box::pin(async move {
            let NewSubscription { name, kid, sealed_key, policy, scope } = row;
            self.put(PUT_SUBSCRIPTION, asked![kid, name, sealed_key, policy, scope, now, mark]).await
        })
    }
}

impl AccountRows for PostgresRows<'_> {
    fn token(&mut self, hash: Digest) -> Pending<'_, Option<TokenRow>> {
        Box::pin(async move { self.one(TOKEN, asked![&hash], read_token).await })
    }

    fn tokens_of<'a>(&'a mut self, users: &'a [UserId]) -> Pending<'a, Vec<TokenRow>> {
        Box::pin(async move { self.all(TOKENS_OF, asked![ids(users)], read_token).await })
    }

    fn put_tokens<'a>(&'a mut self, rows: &'a [TokenRow]) -> Pending<'a, ()> {
        if rows.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let (hashes, users) = (ids(rows.iter().map(|row| &row.hash)), ids(rows.iter().map(|row| &row.user)));
            let names = texts(rows.iter().map(|row| Some(row.name.as_str())));
            let made = Value::Numbers(rows.iter().map(|row| Some(row.created_at)).collect());
            let ends = Value::Numbers(rows.iter().map(|row| row.ends_at).collect());
            let ended = Value::Numbers(rows.iter().map(|row| row.ended_at).collect());
            self.put(PUT_TOKENS, asked![hashes, users, names, made, ends, ended]).await
        })
    }

    fn account_by_name<'a>(&'a mut self, name: &'a str, how: For) -> Pending<'a, Option<UserId>> {
        let sql = if how == For::Changing { LOCK_ACCOUNT } else { ACCOUNT_BY_NAME };
        Box::pin(async move { self.one(sql, asked![name], |row| row.id(0)).await })
    }

    fn account_name(&mut self, user: UserId) -> Pending<'_, Option<String>> {
        Box::pin(async move { self.one(ACCOUNT_NAME, asked![&user], |row| row.value(0)).await })
    }

    fn scopes<'a>(&'a mut self, users: &'a [UserId]) -> Pending<'a, Vec<ScopeRow>> {
        if users.is_empty() {
            return nothing();
        }
        let read = |row: &Row| Ok(ScopeRow { user: row.id(0)?, scope: row.value(1)?, changed: row.value(2)? });
        Box::pin(async move { self.all(SCOPES, asked![ids(users)], read).await })
    }

    fn insert_account<'a>(&'a mut self, user: UserId, name: &'a str, now: i64) -> Pending<'a, bool> {
        Box::pin(async move { Ok(self.change(INSERT_ACCOUNT, asked![&user, name, now]).await? == 1) })
    }

    fn remove_account(&mut self, user: UserId, now: i64) -> Pending<'_, ()> {
        Box::pin(async move { self.put(REMOVE_ACCOUNT, asked![now, &user]).await })
    }

    fn insert_scopes<'a>(&'a mut self, user: UserId, scopes: &'a [String], mark: i64) -> Pending<'a, ()> {
        Box::pin(async move {
            let scopes = texts(scopes.iter().map(|scope| Some(scope.as_str())));
            self.put(INSERT_SCOPES, asked![&user, scopes, mark]).await
        })
    }

    fn remove_scopes<'a>(&'a mut self, user: UserId, scopes: &'a [String]) -> Pending<'a, ()> {
        Box::pin(async move {
            let scopes = texts(scopes.iter().map(|scope| Some(scope.as_str())));
            self.put(REMOVE_SCOPES, asked![&user, scopes]).await
        })
    }
}

impl AuditRows for PostgresRows<'_> {
    fn insert_audit<'a>(&'a mut self, row: &'a AuditRow) -> Pending<'a, ()> {
        Box::pin(async move {
            let AuditRow { done_at, id, who, act, about, was, became } = row;
            self.put(INSERT_AUDIT, asked![*done_at, id.as_slice(), who, act, about, was, became]).await
        })
    }

    fn done_by<'a>(&'a mut self, who: &'a str, act: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<i64>> {
        Box::pin(async move { self.all(DONE_BY, asked![who, act, after, limit], |row| row.value(0)).await })
    }
}

fn read_token(row: &Row) -> Result<TokenRow, StoreError> {
    let (hash, user, name) = (row.id(0)?, row.id(1)?, row.value(2)?);
    Ok(TokenRow { hash, user, name, created_at: row.value(3)?, ends_at: row.value(4)?, ended_at: row.value(5)? })
}
