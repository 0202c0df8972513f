//! Content, policies, subscriptions, accounts and their scopes, in SQLite.

use super::super::rows::{AccountRows, AuditRows, CatalogueRows, For};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, done};
use crate::rules::catalogue::NewSubscription;
use crate::rules::content::{Content, Part, RootKey};
use crate::rules::rows::{AuditRow, ContentRow, ScopeRow, TokenRow};
use rusqlite::{Row, params};
use wmlicense_wire::id::{Digest, Kid, UserId};

statements!("catalogue.sql":
    MARK, PUT_MARK, CATALOGUE_MARK, PUT_CATALOGUE_MARK, OFFERED_CONTENT, OFFERED_SUBSCRIPTION, OFFERED_BEHIND, CONTENT, PUT_CONTENT, REMOVE_CONTENT,
    POLICY, PUT_POLICY, SUBSCRIPTION, PUT_SUBSCRIPTION,
    TOKEN, TOKENS_OF, PUT_TOKEN, ACCOUNT_BY_NAME, ACCOUNT_NAME, SCOPES, INSERT_ACCOUNT, REMOVE_ACCOUNT, INSERT_SCOPE,
    REMOVE_SCOPE, INSERT_AUDIT, DONE_BY,
);

/// Columns that [`read_content`] reads.
pub(super) const CONTENT_COLUMNS: usize = 9;

/// Reads what is offered under a key ID, be it content or a subscription.
pub(super) fn read_content(row: &Row<'_>) -> Result<Content, StoreError> {
    let policy = row.get::<_, Option<String>>(3)?.zip(row.get::<_, Option<String>>(4)?);
    let part = match (row.get::<_, bool>(5)?, row.maybe_id(6)?) {
        (true, _) => Part::Root,
        (false, None) => Part::Content,
        (false, Some(kid)) => Part::Leaf(RootKey { kid, sealed_key: row.get(7)?, scope: row.get(8)? }),
    };
    Ok(Content::catalogued(row.get(0)?, row.get(1)?, policy, row.get(2)?, part))
}

fn read_token(row: &Row<'_>) -> Result<TokenRow, StoreError> {
    let (hash, user, name) = (row.id(0)?, row.id(1)?, row.get(2)?);
    Ok(TokenRow { hash, user, name, created_at: row.get(3)?, ends_at: row.get(4)?, ended_at: row.get(5)? })
}

impl CatalogueRows for SqliteRows<'_> {
    fn mark(&mut self, _: For) -> Pending<'_, i64> {
        let mark = self.one(MARK, [], |row| Ok(row.get(0)?));
        done(mark.and_then(|mark| mark.ok_or(StoreError::Damaged("mark"))))
    }

    fn put_mark(&mut self, number: i64) -> Pending<'_, ()> {
        done(self.put(PUT_MARK, [number]))
    }

    fn catalogue_mark(&mut self) -> Pending<'_, i64> {
        let mark = self.one(CATALOGUE_MARK, [], |row| Ok(row.get(0)?));
        done(mark.and_then(|mark| mark.ok_or(StoreError::Damaged("mark"))))
    }

    fn put_catalogue_mark(&mut self, number: i64) -> Pending<'_, ()> {
        done(self.put(PUT_CATALOGUE_MARK, [number]))
    }

    fn offered<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, Vec<Option<Content>>> {
        let find = |kid: &Kid| match self.one(OFFERED_CONTENT, [kid.as_bytes()], read_content)? {
            Some(content) => Ok(Some(content)),
            None => self.one(OFFERED_SUBSCRIPTION, [kid.as_bytes()], read_content),
        };
        done(kids.iter().map(find).collect())
    }

    fn offered_behind<'a>(
        &'a mut self,
        scope: &'a str,
        kid: &'a [u8],
        after: i64,
        limit: usize,
    ) -> Pending<'a, Vec<(Kid, Content)>> {
        let asked = params![scope, kid, after, limit as i64];
        done(self.all(OFFERED_BEHIND, asked, |row| Ok((row.id(CONTENT_COLUMNS)?, read_content(row)?))))
    }

    fn contents<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, Vec<ContentRow>> {
        let read = |row: &Row<'_>| {
            let (kid, sealed_key) = (row.id(0)?, row.get(1)?);
            Ok(ContentRow { kid, sealed_key, title: row.get(2)?, policy: row.get(3)?, scope: row.get(4)? })
        };
        let find = |kid: &Kid| self.one(CONTENT, [kid.as_bytes()], read).transpose();
        done(kids.iter().filter_map(find).collect())
    }

    fn put_contents<'a>(&'a mut self, rows: &'a [ContentRow], mark: i64, now: i64) -> Pending<'a, ()> {
        let put = |ContentRow { kid, sealed_key, title, policy, scope }: &ContentRow| {
            self.put(PUT_CONTENT, params![kid.as_bytes(), sealed_key, title, policy, scope, now, mark])
        };
        done(rows.iter().try_for_each(put))
    }

    fn remove_contents<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, u64> {
        let remove = |sum, kid: &Kid| Ok(sum + self.change(REMOVE_CONTENT, [kid.as_bytes()])? as u64);
        done(kids.iter().try_fold(0, remove))
    }

    fn policy<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<String>> {
        done(self.one(POLICY, [name], |row| Ok(row.get(0)?)))
    }

    fn put_policy<'a>(
        &'a mut self,
        name: &'a str,
        definition: &'a str,
        subscription: Option<&'a str>,
        mark: i64,
        now: i64,
    ) -> Pending<'a, ()> {
        done(self.put(PUT_POLICY, params![name, definition, subscription, mark, now]))
    }

    fn subscription<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<NewSubscription>> {
        done(self.one(SUBSCRIPTION, [name], |row| {
            let (name, kid) = (row.get(0)?, row.id(1)?);
            Ok(NewSubscription { name, kid, sealed_key: row.get(2)?, policy: row.get(3)?, scope: row.get(4)? })
        }))
    }

    fn put_subscription<'a>(&'a mut self, row: &'a NewSubscription, mark: i64, now: i64) -> Pending<'a, ()> {
        let NewSubscription { name, kid, sealed_key, policy, scope } = row;
        done(self.put(PUT_SUBSCRIPTION, params![kid.as_bytes(), name, sealed_key, policy, scope, now, mark]))
    }
}

impl AccountRows for SqliteRows<'_> {
    fn token(&mut self, hash: Digest) -> Pending<'_, Option<TokenRow>> {
        done(self.one(TOKEN, [hash.as_bytes()], read_token))
    }

    fn tokens_of<'a>(&'a mut self, users: &'a [UserId]) -> Pending<'a, Vec<TokenRow>> {
        let mut found = Vec::new();
        let mut find = |user: &UserId| {
            found.extend(self.all(TOKENS_OF, [user.as_bytes()], read_token)?);
            Ok(())
        };
        let all = users.iter().try_for_each(&mut find);
        done(all.map(|()| found))
    }

    fn put_tokens<'a>(&'a mut self, rows: &'a [TokenRow]) -> Pending<'a, ()> {
        let put = |TokenRow { hash, user, name, created_at, ends_at, ended_at }: &TokenRow| {
            self.put(PUT_TOKEN, params![hash.as_bytes(), user.as_bytes(), name, created_at, ends_at, ended_at])
        };
        done(rows.iter().try_for_each(put))
    }

    fn account_by_name<'a>(&'a mut self, name: &'a str, _: For) -> Pending<'a, Option<UserId>> {
        done(self.one(ACCOUNT_BY_NAME, [name], |row| row.id(0)))
    }

    fn account_name(&mut self, user: UserId) -> Pending<'_, Option<String>> {
        done(self.one(ACCOUNT_NAME, [user.as_bytes()], |row| Ok(row.get(0)?)))
    }

    fn scopes<'a>(&'a mut self, users: &'a [UserId]) -> Pending<'a, Vec<ScopeRow>> {
        let mut found = Vec::new();
        let mut find = |user: &UserId| {
            self.each(SCOPES, [user.as_bytes()], |row| {
                found.push(ScopeRow { user: row.id(0)?, scope: row.get(1)?, changed: row.get(2)? });
                Ok(())
            })
        };
        let all = users.iter().try_for_each(&mut find);
        done(all.map(|()| found))
    }

    fn insert_account<'a>(&'a mut self, user: UserId, name: &'a str, now: i64) -> Pending<'a, bool> {
        done(self.change(INSERT_ACCOUNT, params![user.as_bytes(), name, now]).map(|rows| rows == 1))
    }

    fn remove_account(&mut self, user: UserId, now: i64) -> Pending<'_, ()> {
        done(self.put(REMOVE_ACCOUNT, params![now, user.as_bytes()]))
    }

    fn insert_scopes<'a>(&'a mut self, user: UserId, scopes: &'a [String], mark: i64) -> Pending<'a, ()> {
        let insert = |scope: &String| self.put(INSERT_SCOPE, params![user.as_bytes(), scope, mark]);
        done(scopes.iter().try_for_each(insert))
    }

    fn remove_scopes<'a>(&'a mut self, user: UserId, scopes: &'a [String]) -> Pending<'a, ()> {
        let remove = |scope: &String| self.put(REMOVE_SCOPE, params![user.as_bytes(), scope]);
        done(scopes.iter().try_for_each(remove))
    }
}

impl AuditRows for SqliteRows<'_> {
    fn insert_audit<'a>(&'a mut self, row: &'a AuditRow) -> Pending<'a, ()> {
        let AuditRow { done_at, id, who, act, about, was, became } = row;
        done(self.put(INSERT_AUDIT, params![done_at, id, who, act, about, was, became]))
    }

    fn done_by<'a>(&'a mut self, who: &'a str, act: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<i64>> {
        done(self.all(DONE_BY, params![who, act, after, limit as i64], |row| Ok(row.get(0)?)))
    }
}
