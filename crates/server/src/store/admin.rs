//! What the owner's commands change: content, policies, subscriptions, accounts.

use super::revocations::next_mark;
use super::rows::{For, Rows};
use super::{End, Pending, Store, StoreError};
use crate::accounts::Account;
use crate::rules::catalogue::{self, Added, NewContent, NewSubscription};
use std::collections::BTreeSet;
use wmlicense_wire::id::{Digest, Kid};

impl Store {
    /// Adds content. Keys of known key IDs are compared by the caller, who lists them in `same` when they are equal.
    pub(crate) fn add_content(&self, contents: Vec<NewContent>, same: Vec<Kid>, now: i64) -> Pending<'_, Added> {
        self.write_once((contents, same, now), |(contents, same, now), rows| {
            Box::pin(add_content(rows, contents, same, *now))
        })
    }

    /// Forgets content; the number of key IDs that were there.
    pub(crate) fn remove_content(&self, kids: Vec<Kid>, now: i64) -> Pending<'_, u64> {
        self.write_once((kids, now), |(kids, now), rows| {
            Box::pin(async move {
                next_mark(rows, *now).await?;
                Ok(End::Keep(rows.remove_contents(kids).await?))
            })
        })
    }

    /// Adds a subscription or changes policy and scope of the one of this name. Gives its key ID and whether it is new.
    pub(crate) fn set_subscription(&self, subscription: NewSubscription, now: i64) -> Pending<'_, (Kid, bool)> {
        self.write_once((subscription, now), |(subscription, now), rows| {
            Box::pin(async move {
                let known = rows.subscription(&subscription.name).await?;
                let (mark, new) = (next_mark(rows, *now).await?, known.is_none());
                let row = catalogue::subscribe(subscription.clone(), known);
                rows.put_subscription(&row, mark, *now).await?;
                Ok(End::Keep((row.kid, new)))
            })
        })
    }

    /// Writes a policy; true if it is new.
    pub(crate) fn set_policy(
        &self,
        name: String,
        definition: String,
        subscription: Option<String>,
        now: i64,
    ) -> Pending<'_, bool> {
        self.write_once((name, definition, subscription, now), |(name, definition, subscription, now), rows| {
            Box::pin(async move {
                let (new, mark) = (rows.policy(name).await?.is_none(), next_mark(rows, *now).await?);
                rows.put_policy(name, definition, subscription.as_deref(), mark, *now).await?;
                Ok(End::Keep(new))
            })
        })
    }

    /// The definition of a policy.
    pub(crate) fn policy(&self, name: String) -> Pending<'_, Option<String>> {
        self.read(name, |name, rows| rows.policy(name))
    }

    /// Adds an account; false if the name is taken.
    pub(crate) fn add_account(
        &self,
        name: String,
        account: Account,
        token_hash: Digest,
        now: i64,
    ) -> Pending<'_, bool> {
        self.write_once((name, account, token_hash, now), |(name, account, token_hash, now), rows| {
            Box::pin(async move {
                let Account { user, scopes } = account;
                if !rows.insert_account(*user, name, *token_hash, *now).await? {
                    return Ok(End::Undo(false));
                }
                let mark = next_mark(rows, *now).await?;
                rows.insert_scopes(*user, scopes, mark).await?;
                Ok(End::Keep(true))
            })
        })
    }

    /// Puts the hash of another token in place of an account's; false if there is no such account.
    pub(crate) fn set_token(&self, name: String, token_hash: Digest) -> Pending<'_, bool> {
        self.write((name, token_hash), |(name, token_hash), rows| {
            Box::pin(async move { Ok(End::Keep(rows.put_token(name, *token_hash).await?)) })
        })
    }

    /// Gives an account scopes and takes others from it; false if there is no such account. A change without new scopes counts as
    /// one, too.
    pub(crate) fn change_account(
        &self,
        name: String,
        add: Vec<String>,
        remove: Vec<String>,
        now: i64,
    ) -> Pending<'_, bool> {
        self.write((name, add, remove, now), |(name, add, remove, now), rows| {
            Box::pin(async move {
                let Some(user) = rows.account_by_name(name, For::Changing).await? else {
                    return Ok(End::Undo(false));
                };
                rows.remove_scopes(user, remove).await?;
                let mark = next_mark(rows, *now).await?;
                rows.insert_scopes(user, add, mark).await?;
                Ok(End::Keep(true))
            })
        })
    }
}

async fn add_content(
    rows: &mut dyn Rows,
    contents: &[NewContent],
    same: &[Kid],
    now: i64,
) -> Result<End<Added>, StoreError> {
    let mut seen = BTreeSet::new();
    for name in contents.iter().filter_map(|content| content.policy.as_deref()).filter(|name| seen.insert(*name)) {
        if rows.policy(name).await?.is_none() {
            return Ok(End::Undo(Added::NoPolicy(name.to_owned())));
        }
    }
    let kids: Vec<Kid> = contents.iter().map(|content| content.kid).collect();
    let known = rows.contents(&kids).await?;
    let (content, new) = match catalogue::add(contents, known, same) {
        Ok(added) => added,
        Err(known) => return Ok(End::Undo(Added::Existing(known))),
    };
    let mark = next_mark(rows, now).await?;
    rows.put_contents(&content, mark, now).await?;
    Ok(End::Keep(Added::Done { new }))
}
