//! Content, policies, subscriptions and accounts in memory.

use super::super::super::Pending;
use super::super::super::rows::{AccountRows, CatalogueRows, For};
use super::{Policy, Tables, found};
use crate::rules::catalogue::NewSubscription;
use crate::rules::licenses::{Content, Part, RootKey};
use crate::rules::rows::{ContentRow, ScopeRow};
use wmlicense_wire::id::{Digest, Kid, UserId};

impl Tables {
    fn terms(&self, name: &Option<String>) -> Option<(&String, &Policy)> {
        self.policies.get_key_value(name.as_ref()?)
    }

    fn content_of(&self, row: &ContentRow) -> Content {
        let terms = self.terms(&row.policy);
        let root = terms.and_then(|(_, policy)| self.subscriptions.get(policy.subscription.as_ref()?));
        let part = root.map_or(Part::Content, |(root, _)| {
            Part::Leaf(RootKey { kid: root.kid, sealed_key: root.sealed_key.clone(), scope: root.scope.clone() })
        });
        Content {
            sealed_key: row.sealed_key.clone(),
            title: row.title.clone(),
            policy: terms.map(|(name, policy)| (name.clone(), policy.definition.clone())),
            scope: row.scope.clone(),
            part,
        }
    }

    fn root_of(&self, row: &NewSubscription) -> Content {
        Content {
            sealed_key: row.sealed_key.clone(),
            title: Some(row.name.clone()),
            policy: self.terms(&row.policy).map(|(name, policy)| (name.clone(), policy.definition.clone())),
            scope: row.scope.clone(),
            part: Part::Root,
        }
    }

    pub(super) fn find_offered(&self, kid: Kid) -> Option<Content> {
        let content = self.contents.get(&kid).map(|(row, _)| self.content_of(row));
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
        let contents = self.contents.values().map(|(row, changed)| (row.kid, &row.scope, &row.policy, *changed));
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
        found(kids.iter().filter_map(|kid| self.contents.get(kid)).map(|(row, _)| row.clone()).collect())
    }

    fn put_contents<'a>(&'a mut self, rows: &'a [ContentRow], mark: i64, _now: i64) -> Pending<'a, ()> {
        self.contents.extend(rows.iter().map(|row| (row.kid, (row.clone(), mark))));
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
    fn account_by_token(&mut self, token_hash: Digest) -> Pending<'_, Option<UserId>> {
        found(self.accounts.iter().find(|(_, (_, hash))| *hash == token_hash).map(|(user, _)| *user))
    }

    fn account_by_name<'a>(&'a mut self, name: &'a str, _: For) -> Pending<'a, Option<UserId>> {
        found(self.accounts.iter().find(|(_, (of, _))| of == name).map(|(user, _)| *user))
    }

    fn account_name(&mut self, user: UserId) -> Pending<'_, Option<String>> {
        found(self.accounts.get(&user).map(|(name, _)| name.clone()))
    }

    fn scopes<'a>(&'a mut self, users: &'a [UserId]) -> Pending<'a, Vec<ScopeRow>> {
        let of = self.scopes.iter().filter(|((user, _), _)| users.contains(user));
        found(
            of.map(|((user, scope), changed)| ScopeRow { user: *user, scope: scope.clone(), changed: *changed })
                .collect(),
        )
    }

    fn insert_account<'a>(
        &'a mut self,
        user: UserId,
        name: &'a str,
        token_hash: Digest,
        _now: i64,
    ) -> Pending<'a, bool> {
        let is_new = self.accounts.values().all(|(of, _)| of != name);
        if is_new {
            self.accounts.insert(user, (name.to_owned(), token_hash));
        }
        found(is_new)
    }

    fn put_token<'a>(&'a mut self, name: &'a str, token_hash: Digest) -> Pending<'a, bool> {
        let account = self.accounts.values_mut().find(|(of, _)| of == name);
        found(account.map(|(_, hash)| *hash = token_hash).is_some())
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
