//! Accounts, their tokens and scopes: what the owner changes, and what a token says of who sends it.

use super::audit::note;
use super::offers::end_grants;
use super::revocations::next_mark;
use super::rows::{For, Rows};
use super::{End, Pending, Store, StoreError};
use crate::accounts::{Account, NewAccount};
use crate::rules::accounts::{Presented, ended, presented};
use crate::rules::audit::{Act, Acting};
use crate::rules::rows::TokenRow;
use wmlicense_wire::id::{Digest, UserId};

/// What a token is called that nobody named.
pub(crate) const DEFAULT_TOKEN: &str = "default";

/// A token to be made: only its hash is kept.
#[derive(Debug, Clone)]
pub(crate) struct NewToken {
    pub(crate) hash: Digest,
    pub(crate) name: String,
    /// Seconds UTC; none: until it is ended.
    pub(crate) ends_at: Option<i64>,
}

impl NewToken {
    /// A token without a name or an end.
    pub(crate) fn unnamed(hash: Digest) -> Self {
        Self { hash, name: DEFAULT_TOKEN.to_owned(), ends_at: None }
    }

    fn row(&self, user: UserId, now: i64) -> TokenRow {
        let Self { hash, name, ends_at } = self.clone();
        TokenRow { hash, user, name, created_at: now, ends_at, ended_at: None }
    }

    fn told(&self) -> String {
        let end = self.ends_at.map(crate::policy::to_rfc3339);
        format!("token {}{}", self.name, end.map(|end| format!(" until {end}")).unwrap_or_default())
    }
}

/// What became of a token that was to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenEnd {
    Ended,
    NoToken,
    NoAccount,
}

impl Store {
    /// The account of a token that is presented at `now`, seconds UTC.
    pub(crate) fn account(&self, token_hash: Digest, now: i64) -> Pending<'_, Presented<Account>> {
        self.read((token_hash, now), |(token_hash, now), rows| {
            Box::pin(async move {
                Ok(match presented(rows.token(*token_hash).await?.as_ref(), *now) {
                    Presented::Account(user) => Presented::Account(Account { user }),
                    Presented::Ended => Presented::Ended,
                    Presented::Unknown => Presented::Unknown,
                })
            })
        })
    }

    /// Adds an account; false if the name is taken.
    pub(crate) fn add_account(
        &self,
        name: String,
        account: NewAccount,
        token_hash: Digest,
        by: impl Into<Acting>,
    ) -> Pending<'_, bool> {
        self.write_once(
            (name, account, NewToken::unnamed(token_hash), by.into()),
            |(name, account, token, by), rows| {
                Box::pin(async move {
                    let NewAccount { user, scopes } = account;
                    if !rows.insert_account(*user, name, by.now).await? {
                        return Ok(End::Undo(false));
                    }
                    rows.put_tokens(&[token.row(*user, by.now)]).await?;
                    let mark = next_mark(rows, by.now).await?;
                    rows.insert_scopes(*user, scopes, mark).await?;
                    let became = Some(told_scopes(scopes.iter()));
                    note(rows, by, Act { act: "account add", about: Some(name.clone()), was: None, became }).await?;
                    Ok(End::Keep(true))
                })
            },
        )
    }

    /// Gives an account a token, in place of the one of the same name; false if there is no such account.
    pub(crate) fn set_token(&self, name: String, token: NewToken, by: impl Into<Acting>) -> Pending<'_, bool> {
        self.write((name, token, by.into()), |(name, token, by), rows| {
            Box::pin(async move {
                let Some(user) = rows.account_by_name(name, For::Changing).await? else {
                    return Ok(End::Undo(false));
                };
                // A run before this one may have written the same token, which takes no other one's place.
                let known: Vec<TokenRow> = rows.tokens_of(&[user]).await?;
                let known = known.into_iter().filter(|row| row.hash != token.hash).collect();
                let mut tokens = ended(known, Some(&token.name), by.now);
                let was = (!tokens.is_empty()).then(|| format!("token {}", token.name));
                tokens.push(token.row(user, by.now));
                rows.put_tokens(&tokens).await?;
                let became = Some(token.told());
                note(rows, by, Act { act: "account token", about: Some(name.clone()), was, became }).await?;
                Ok(End::Keep(true))
            })
        })
    }

    /// Ends a token of an account.
    pub(crate) fn end_token(&self, name: String, token: String, by: impl Into<Acting>) -> Pending<'_, TokenEnd> {
        self.write_once((name, token, by.into()), |(name, token, by), rows| {
            Box::pin(async move {
                let Some(user) = rows.account_by_name(name, For::Changing).await? else {
                    return Ok(End::Undo(TokenEnd::NoAccount));
                };
                let tokens = ended(rows.tokens_of(&[user]).await?, Some(token), by.now);
                if tokens.is_empty() {
                    return Ok(End::Undo(TokenEnd::NoToken));
                }
                rows.put_tokens(&tokens).await?;
                let was = Some(format!("token {token}"));
                note(rows, by, Act { act: "account token end", about: Some(name.clone()), was, became: None }).await?;
                Ok(End::Keep(TokenEnd::Ended))
            })
        })
    }

    /// Tokens of an account, whatever became of them; none if there is no such account.
    pub(crate) fn tokens(&self, name: String) -> Pending<'_, Option<Vec<TokenRow>>> {
        self.read(name, |name, rows| {
            Box::pin(async move {
                match rows.account_by_name(name, For::Reading).await? {
                    Some(user) => rows.tokens_of(&[user]).await.map(Some),
                    None => Ok(None),
                }
            })
        })
    }

    /// Gives an account scopes and takes others from it; false if there is no such account. A change without new scopes counts as
    /// one, too.
    pub(crate) fn change_account(
        &self,
        name: String,
        add: Vec<String>,
        remove: Vec<String>,
        by: impl Into<Acting>,
    ) -> Pending<'_, bool> {
        self.write((name, add, remove, by.into()), |(name, add, remove, by), rows| {
            Box::pin(async move {
                let Some(user) = rows.account_by_name(name, For::Changing).await? else {
                    return Ok(End::Undo(false));
                };
                let was = scopes_of(rows, user).await?;
                rows.remove_scopes(user, remove).await?;
                let mark = next_mark(rows, by.now).await?;
                rows.insert_scopes(user, add, mark).await?;
                let became = scopes_of(rows, user).await?;
                let (was, became) = (Some(told_scopes(was.iter())), Some(told_scopes(became.iter())));
                note(rows, by, Act { act: "account change", about: Some(name.clone()), was, became }).await?;
                Ok(End::Keep(true))
            })
        })
    }

    /// Removes an account: its tokens end, and what it had by its scopes is withdrawn. False if there is none of the name.
    pub(crate) fn remove_account(&self, name: String, by: impl Into<Acting>) -> Pending<'_, bool> {
        self.write_once((name, by.into()), |(name, by), rows| {
            Box::pin(async move {
                let Some(user) = rows.account_by_name(name, For::Changing).await? else {
                    return Ok(End::Undo(false));
                };
                let scopes = scopes_of(rows, user).await?;
                let tokens = ended(rows.tokens_of(&[user]).await?, None, by.now);
                rows.put_tokens(&tokens).await?;
                let mark = next_mark(rows, by.now).await?;
                rows.remove_scopes(user, &scopes).await?;
                let grants = end_grants(rows, user, (mark, by.now)).await?;
                rows.remove_account(user, by.now).await?;
                let was = Some(format!("{}, {grants} grants, {} tokens", told_scopes(scopes.iter()), tokens.len()));
                note(rows, by, Act { act: "account remove", about: Some(name.clone()), was, became: None }).await?;
                Ok(End::Keep(true))
            })
        })
    }
}

/// The scopes that an account has of its own.
async fn scopes_of(rows: &mut dyn Rows, user: UserId) -> Result<Vec<String>, StoreError> {
    Ok(rows.scopes(&[user]).await?.into_iter().map(|row| row.scope).collect())
}

fn told_scopes<'a>(scopes: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = scopes.map(String::as_str).collect();
    if names.is_empty() { "no scope".to_owned() } else { format!("scopes {}", names.join(", ")) }
}
