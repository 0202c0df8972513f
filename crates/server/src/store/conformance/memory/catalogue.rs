//! Content, policies, subscriptions and accounts in memory.

use super::super::super::Pending;
use super::super::super::rows::{AccountRows, AuditRows, CatalogueRows, For};
use super::{Policy, Tables, found};
use crate::rules::catalogue::NewSubscription;
use crate::rules::content::{Content, Part, RootKey};
use crate::rules::rows::{AccountRow, AuditRow, ContentRow, ScopeRow, TokenRow};
use wmlicense_wire::id::{Digest, Kid, UserId};

impl Tables {
    pub(super) fn terms(&self, name: &Option<String>) -> Option<(&String, &Policy)> {
        self.policies.get_key_value(name.as_ref()?)
    }

    pub(super) fn content_of(&self, row: &ContentRow) -> Content {
        let terms = self.terms(&row.policy);
        let root = terms.and_then(|(_, policy)| self.subscriptions.get(policy.subscription.as_ref()?));
        let part = root.map_or(Part::Content, |(root, _)| {
            Part::Leaf(RootKey {
                kid: root.kid,
                sealed_key: root.sealed_key.clone().into(),
                scope: root.scope.clone().map(Into::into),
            })
        });
        let policy = terms.map(|(name, policy)| (name.clone(), policy.definition.clone()));
        Content::catalogued(row.sealed_key.clone(), row.title.clone(), policy, row.scope.clone(), part)
    }

    pub(super) fn root_of(&self, row: &NewSubscription) -> Content {
        let policy = self.terms(&row.policy).map(|(name, policy)| (name.clone(), policy.definition.clone()));
        Content::catalogued(row.sealed_key.clone(), Some(row.name.clone()), policy, row.scope.clone(), Part::Root)
    }

    pub(super) fn find_offered(&self, kid: Kid) -> Option<Content> {
        let content = self.contents.get(&kid).map(|(row, ..)| self.content_of(row));
        let subscription = || self.subscriptions.values().find(|(row, _)| row.kid == kid);
        content.or_else(|| subscription().map(|(row, _)| self.root_of(row)))
    }
}

impl CatalogueRows for Tables {
    fn mark(&mut self, _: For) -> Pending<'_, i64> {
        found(self.mark)
    }

    fn put_mark(&mut self, number: i64) -> Pending<'_, ()> {
        self.mark = number;
        found(())
    }

    fn catalogue_mark(&mut self) -> Pending<'_, i64> {
        found(self.catalogue_mark)
    }

    fn put_catalogue_mark(&mut self, number: i64) -> Pending<'_, ()> {
        self.catalogue_mark = number;
        found(())
    }

    fn offered<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, Vec<Option<Content>>> {
        found(kids.iter().map(|kid| self.find_offered(*kid)).collect())
    }

    fn offered_behind<'a>(
        &'a mut self,
        scope: &'a str,
        kid: &'a [u8],
        after: i64,
        limit: usize,
    ) -> Pending<'a, Vec<(Kid, Content)>> {
        let contents = self.contents.values().map(|(row, changed, _)| (row.kid, &row.scope, &row.policy, *changed));
        let roots = self.subscriptions.values().map(|(row, changed)| (row.kid, &row.scope, &row.policy, *changed));
        let is_new = |policy: &Option<String>, changed: i64| {
            changed > after || self.terms(policy).map_or(0, |(_, policy)| policy.changed) > after
        };
        let mut kids: Vec<Kid> = contents
            .chain(roots)
            .filter(|(of, in_scope, ..)| of.as_bytes().as_slice() > kid && in_scope.as_deref().unwrap_or("") == scope)
            .filter_map(|(of, _, policy, changed)| is_new(policy, changed).then_some(of))
            .collect();
        kids.sort_unstable();
        kids.truncate(limit);
        found(kids.into_iter().filter_map(|kid| Some((kid, self.find_offered(kid)?))).collect())
    }

    fn contents<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, Vec<ContentRow>> {
        found(kids.iter().filter_map(|kid| self.contents.get(kid)).map(|(row, ..)| row.clone()).collect())
    }

    fn put_contents<'a>(&'a mut self, rows: &'a [ContentRow], mark: i64, now: i64) -> Pending<'a, ()> {
        for row in rows {
            let added_at = self.contents.get(&row.kid).map_or(now, |(_, _, added_at)| *added_at);
            self.contents.insert(row.kid, (row.clone(), mark, added_at));
        }
        found(())
    }

    fn remove_contents<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, u64> {
        found(kids.iter().filter(|kid| self.contents.remove(kid).is_some()).count() as u64)
    }

    fn policy<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<String>> {
        found(self.policies.get(name).map(|policy| policy.definition.clone()))
    }

    fn put_policy<'a>(
        &'a mut self,
        name: &'a str,
        definition: &'a str,
        subscription: Option<&'a str>,
        mark: i64,
        now: i64,
    ) -> Pending<'a, ()> {
        let (definition, subscription) = (definition.to_owned(), subscription.map(str::to_owned));
        self.policies.insert(name.to_owned(), Policy { definition, subscription, changed: mark, changed_at: now });
        found(())
    }

    fn subscription<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<NewSubscription>> {
        found(self.subscriptions.get(name).map(|(row, _)| row.clone()))
    }

    fn put_subscription<'a>(&'a mut self, row: &'a NewSubscription, mark: i64, _now: i64) -> Pending<'a, ()> {
        self.subscriptions.insert(row.name.clone(), (row.clone(), mark));
        found(())
    }
}

impl AccountRows for Tables {
    fn token(&mut self, hash: Digest) -> Pending<'_, Option<TokenRow>> {
        found(self.tokens.get(&hash).cloned())
    }

    fn tokens_of<'a>(&'a mut self, users: &'a [UserId]) -> Pending<'a, Vec<TokenRow>> {
        let mut tokens: Vec<TokenRow> = self.tokens.values().filter(|row| users.contains(&row.user)).cloned().collect();
        tokens.sort_by_key(|row| (row.created_at, row.hash));
        found(tokens)
    }

    fn put_tokens<'a>(&'a mut self, rows: &'a [TokenRow]) -> Pending<'a, ()> {
        self.tokens.extend(rows.iter().map(|row| (row.hash, row.clone())));
        found(())
    }

    fn account_by_name<'a>(&'a mut self, name: &'a str, _: For) -> Pending<'a, Option<UserId>> {
        let is_meant = |row: &&AccountRow| row.name == name && row.removed_at.is_none();
        found(self.accounts.values().find(is_meant).map(|row| row.user))
    }

    fn account_name(&mut self, user: UserId) -> Pending<'_, Option<String>> {
        found(self.accounts.get(&user).filter(|row| row.removed_at.is_none()).map(|row| row.name.clone()))
    }

    fn scopes<'a>(&'a mut self, users: &'a [UserId]) -> Pending<'a, Vec<ScopeRow>> {
        let of = self.scopes.iter().filter(|((user, _), _)| users.contains(user));
        found(
            of.map(|((user, scope), changed)| ScopeRow { user: *user, scope: scope.clone(), changed: *changed })
                .collect(),
        )
    }

    fn insert_account<'a>(&'a mut self, user: UserId, name: &'a str, now: i64) -> Pending<'a, bool> {
        let is_new = self.accounts.values().all(|row| row.name != name || row.removed_at.is_some());
        if is_new {
            let name = name.to_owned();
            self.accounts.insert(user, AccountRow { user, name, created_at: now, removed_at: None });
        }
        found(is_new)
    }

    fn remove_account(&mut self, user: UserId, now: i64) -> Pending<'_, ()> {
        if let Some(row) = self.accounts.get_mut(&user) {
            row.removed_at = row.removed_at.or(Some(now));
        }
        found(())
    }

    fn insert_scopes<'a>(&'a mut self, user: UserId, scopes: &'a [String], mark: i64) -> Pending<'a, ()> {
        for scope in scopes {
            self.scopes.entry((user, scope.clone())).or_insert(mark);
        }
        found(())
    }

    fn remove_scopes<'a>(&'a mut self, user: UserId, scopes: &'a [String]) -> Pending<'a, ()> {
        self.scopes.retain(|(of, scope), _| *of != user || !scopes.contains(scope));
        found(())
    }
}

impl AuditRows for Tables {
    fn insert_audit<'a>(&'a mut self, row: &'a AuditRow) -> Pending<'a, ()> {
        self.audit.entry((row.done_at, row.id)).or_insert_with(|| row.clone());
        found(())
    }

    fn done_by<'a>(&'a mut self, who: &'a str, act: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<i64>> {
        let is = |row: &&AuditRow| row.who == who && row.act == act && row.done_at > after;
        found(self.audit.values().rev().filter(is).map(|row| row.done_at).take(limit).collect())
    }
}
