//! Rows of what the owner offers, and to whom.

use super::super::Pending;
use super::For;
use crate::rules::catalogue::NewSubscription;
use crate::rules::content::Content;
use crate::rules::rows::{AuditRow, ContentRow, ScopeRow, TokenRow};
use wmlicense_wire::id::{Digest, Kid, UserId};

/// Content, policies and subscriptions.
pub(crate) trait CatalogueRows {
    /// Number of the last change to what is offered. For changing: changes commit in the order of their numbers.
    fn mark(&mut self, how: For) -> Pending<'_, i64>;
    /// Puts the number of a change in place of the one before.
    fn put_mark(&mut self, number: i64) -> Pending<'_, ()>;
    /// Number of the last change to content, policies or subscriptions.
    fn catalogue_mark(&mut self) -> Pending<'_, i64>;
    /// Puts the number of such a change in place of the one before.
    fn put_catalogue_mark(&mut self, number: i64) -> Pending<'_, ()>;
    /// What is offered under key IDs, be it content or subscriptions, in order.
    fn offered<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, Vec<Option<Content>>>;
    /// What is offered in a scope (empty: to all) behind a key ID (empty: from the first on) and has changed, or its policy has,
    /// after a mark, in the order of key IDs.
    fn offered_behind<'a>(
        &'a mut self,
        scope: &'a str,
        kid: &'a [u8],
        after: i64,
        limit: usize,
    ) -> Pending<'a, Vec<(Kid, Content)>>;
    /// The content that is there of key IDs.
    fn contents<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, Vec<ContentRow>>;
    /// Puts content in place of that of the same key IDs, each row over those before it.
    fn put_contents<'a>(&'a mut self, rows: &'a [ContentRow], mark: i64, now: i64) -> Pending<'a, ()>;
    /// Forgets content, and gives the number of key IDs that were there.
    fn remove_contents<'a>(&'a mut self, kids: &'a [Kid]) -> Pending<'a, u64>;
    /// The definition of a policy.
    fn policy<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<String>>;
    /// Puts a policy in place of the one of the same name.
    fn put_policy<'a>(
        &'a mut self,
        name: &'a str,
        definition: &'a str,
        subscription: Option<&'a str>,
        mark: i64,
        now: i64,
    ) -> Pending<'a, ()>;
    /// A subscription.
    fn subscription<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<NewSubscription>>;
    /// Puts a subscription in place of the one of the same name.
    fn put_subscription<'a>(&'a mut self, row: &'a NewSubscription, mark: i64, now: i64) -> Pending<'a, ()>;
}

/// Accounts, their tokens and scopes.
pub(crate) trait AccountRows {
    /// A token by its hash, whatever became of it.
    fn token(&mut self, hash: Digest) -> Pending<'_, Option<TokenRow>>;
    /// The tokens of accounts, whatever became of them, each account's in the order of their making.
    fn tokens_of<'a>(&'a mut self, users: &'a [UserId]) -> Pending<'a, Vec<TokenRow>>;
    /// Writes tokens, or when those of the same hashes end, in this order.
    fn put_tokens<'a>(&'a mut self, rows: &'a [TokenRow]) -> Pending<'a, ()>;
    /// The account of a name that was not removed.
    fn account_by_name<'a>(&'a mut self, name: &'a str, how: For) -> Pending<'a, Option<UserId>>;
    /// The name of an account that was not removed.
    fn account_name(&mut self, user: UserId) -> Pending<'_, Option<String>>;
    /// The scopes of accounts, each account's in their order.
    fn scopes<'a>(&'a mut self, users: &'a [UserId]) -> Pending<'a, Vec<ScopeRow>>;
    /// Writes an account; false where one that was not removed has the name.
    fn insert_account<'a>(&'a mut self, user: UserId, name: &'a str, now: i64) -> Pending<'a, bool>;
    /// Notes that an account was removed. Its tokens and scopes stay.
    fn remove_account(&mut self, user: UserId, now: i64) -> Pending<'_, ()>;
    /// Gives an account scopes that it has not.
    fn insert_scopes<'a>(&'a mut self, user: UserId, scopes: &'a [String], mark: i64) -> Pending<'a, ()>;
    /// Takes scopes from an account.
    fn remove_scopes<'a>(&'a mut self, user: UserId, scopes: &'a [String]) -> Pending<'a, ()>;
}

/// What was done in the owner's name; listed with everything else.
pub(crate) trait AuditRows {
    /// Writes a row, where it is not there.
    fn insert_audit<'a>(&'a mut self, row: &'a AuditRow) -> Pending<'a, ()>;
    /// When somebody did something after a time, seconds UTC, the latest first, so many at most.
    fn done_by<'a>(&'a mut self, who: &'a str, act: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<i64>>;
}
