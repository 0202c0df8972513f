//! Content, policies, subscriptions, accounts and their scopes, in SQLite.

use super::super::rows::{AccountRows, CatalogueRows, For};
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, done};
use super::statement::statements;
use crate::rules::catalogue::NewSubscription;
use crate::rules::licenses::{Content, Part, RootKey};
use crate::rules::rows::{ContentRow, ScopeRow};
use rusqlite::{Row, params};
use wmlicense_wire::id::{Digest, Kid, UserId};

statements!("catalogue.sql":
    MARK, PUT_MARK, OFFERED_CONTENT, OFFERED_SUBSCRIPTION, OFFERED_BEHIND, CONTENT, PUT_CONTENT, REMOVE_CONTENT,
    POLICY, PUT_POLICY, SUBSCRIPTION, PUT_SUBSCRIPTION,
    ACCOUNT_BY_TOKEN, ACCOUNT_BY_NAME, ACCOUNT_NAME, SCOPES, INSERT_ACCOUNT, PUT_TOKEN, INSERT_SCOPE, REMOVE_SCOPE,
);

/// Columns that [`read_content`] reads.
const CONTENT_COLUMNS: usize = 9;

/// Reads what is offered under a key ID, be it content or a subscription.
fn read_content(row: &Row<'_>) -> Result<Content, StoreError> {
    let policy = row.get::<_, Option<String>>(3)?.zip(row.get::<_, Option<String>>(4)?);
    let part = match (row.get::<_, bool>(5)?, row.maybe_id(6)?) {
        (true, _) => Part::Root,
        (false, None) => Part::Content,
        (false, Some(kid)) => Part::Leaf(RootKey { kid, sealed_key: row.get(7)?, scope: row.get(8)? }),
    };
    Ok(Content { sealed_key: row.get(0)?, title: row.get(1)?, scope: row.get(2)?, policy, part })
}

impl CatalogueRows for SqliteRows<'_> {
    fn mark(&mut self, _: For) -> Pending<'_, i64> {
        let mark = self.one(MARK, [], |row| Ok(row.get(0)?));
        done(mark.and_then(|mark| mark.ok_or(StoreError::Damaged("mark"))))
    }

    fn put_mark(&mut self, number: i64) -> Pending<'_, ()> {
        done(self.put(PUT_MARK, [number]))
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
    fn account_by_token(&mut self, token_hash: Digest) -> Pending<'_, Option<UserId>> {
        done(self.one(ACCOUNT_BY_TOKEN, [token_hash.as_bytes()], |row| row.id(0)))
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

    fn insert_account<'a>(
        &'a mut self,
        user: UserId,
        name: &'a str,
        token_hash: Digest,
        now: i64,
    ) -> Pending<'a, bool> {
        let asked = params![user.as_bytes(), name, token_hash.as_bytes(), now];
        done(self.change(INSERT_ACCOUNT, asked).map(|rows| rows == 1))
    }

    fn put_token<'a>(&'a mut self, name: &'a str, token_hash: Digest) -> Pending<'a, bool> {
        done(self.change(PUT_TOKEN, params![token_hash.as_bytes(), name]).map(|rows| rows == 1))
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
