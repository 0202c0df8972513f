//! Accounts, their tokens and scopes, at the owner's API.

use super::fields::{Field, Kind, needs, takes};
use super::route::{Asked, Gives, Route, Taken};
use crate::accounts::{NewAccount, new_token};
use crate::owner::told::{self, Column, Told, has};
use crate::problem::Refusal;
use crate::rules::admins::Right;
use crate::rules::rows::TokenRow;
use crate::store::{AccountEntry, DEFAULT_TOKEN, Filter, NewToken, TokenEnd};
use axum::http::Method;
use serde_json::{Value, json};
use wmlicense_wire::id::UserId;

const NAME: Field = needs("name", Kind::Name, "Name of the account.");
const TOKEN: [Column; 1] = [has("token", told::Kind::Text)];
const FILTER: [Field; 6] = [
    takes("account", Kind::Name, "The account of this name."),
    takes("scope", Kind::Name, "Accounts that have this scope."),
    takes("device", Kind::Hex(16), "Accounts that licenses were issued to on this device."),
    takes("since", Kind::Time, "Made from this time on."),
    takes("until", Kind::Time, "Made before this time."),
    takes("removed", Kind::Flag, "Those that were removed as well."),
];

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/accounts",
        about: "List accounts by name.",
        right: Right::SeeAccounts,
        in_path: &[],
        query: &FILTER,
        takes: Taken::Nothing,
        gives: Gives::Page(AccountEntry::COLUMNS),
        run: |asked| Box::pin(async move { list(&asked).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/accounts",
        about: "Add an account. Its token is not stored and not shown again.",
        right: Right::ChangeAccounts,
        in_path: &[],
        query: &[],
        takes: Taken::Fields(&[NAME, takes("scopes", Kind::Names, "Scopes that the account has.")]),
        gives: Gives::Made(&TOKEN),
        run: |asked| Box::pin(async move { add(&asked).await }),
    },
    Route {
        method: Method::PATCH,
        path: "/admin/v1/accounts/{name}",
        about: "Give an account scopes or take them away. What it may not have any more is withdrawn at the next pre-delivery.",
        right: Right::ChangeAccounts,
        in_path: &[NAME],
        query: &[],
        takes: Taken::Fields(&[
            takes("addScopes", Kind::Names, "Scopes to give."),
            takes("removeScopes", Kind::Names, "Scopes to take away."),
        ]),
        gives: Gives::Nothing,
        run: |asked| Box::pin(async move { change(&asked).await }),
    },
    Route {
        method: Method::DELETE,
        path: "/admin/v1/accounts/{name}",
        about: "Remove an account: its tokens end, and what it had is withdrawn at the next pre-delivery.",
        right: Right::ChangeAccounts,
        in_path: &[NAME],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Nothing,
        run: |asked| Box::pin(async move { remove(&asked).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/accounts/{name}/tokens",
        about: "List the tokens of an account; they themselves are not stored.",
        right: Right::SeeAccounts,
        in_path: &[NAME],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Rows(TokenRow::COLUMNS),
        run: |asked| Box::pin(async move { tokens(&asked).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/accounts/{name}/tokens",
        about: "Give an account a token in place of the one of the same name, which counts no more.",
        right: Right::ChangeAccounts,
        in_path: &[NAME],
        query: &[],
        takes: Taken::Fields(&[
            takes("called", Kind::Name, "What the token is called; default where nothing is said."),
            takes("until", Kind::Time, "From when on it counts no more."),
        ]),
        gives: Gives::Made(&TOKEN),
        run: |asked| Box::pin(async move { set_token(&asked).await }),
    },
    Route {
        method: Method::DELETE,
        path: "/admin/v1/accounts/{name}/tokens/{called}",
        about: "End a token of an account.",
        right: Right::ChangeAccounts,
        in_path: &[NAME, needs("called", Kind::Name, "What the token is called.")],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Nothing,
        run: |asked| Box::pin(async move { end_token(&asked).await }),
    },
];

/// There is no account of this name.
pub(super) fn missing(name: &str) -> Refusal {
    Refusal::Missing(format!("There is no account {name}."))
}

async fn list(asked: &Asked) -> Result<Value, Refusal> {
    let values = &asked.values;
    let (since, until, removed) = (values.time("since"), values.time("until"), values.flag("removed"));
    let (account, scope, device) = (values.text("account"), values.text("scope"), values.id("device"));
    asked.page::<AccountEntry>(Filter { account, scope, device, since, until, removed, ..Filter::default() }).await
}

async fn add(asked: &Asked) -> Result<Value, Refusal> {
    let name = asked.values.needed("name");
    let (token, hash) = new_token()?;
    let account = NewAccount { user: UserId::random()?, scopes: asked.values.texts("scopes") };
    if !asked.service.store.add_account(name.clone(), account, hash, asked.by.clone()).await? {
        return Err(Refusal::Clash(format!("There is an account {name} already.")));
    }
    Ok(json!({ "token": *token }))
}

async fn change(asked: &Asked) -> Result<Value, Refusal> {
    let (name, add, remove) =
        (asked.values.needed("name"), asked.values.texts("addScopes"), asked.values.texts("removeScopes"));
    if add.is_empty() && remove.is_empty() {
        return Err(Refusal::Wrong("The body says neither addScopes nor removeScopes.".to_owned()));
    }
    match asked.service.store.change_account(name.clone(), add, remove, asked.by.clone()).await? {
        true => Ok(Value::Null),
        false => Err(missing(&name)),
    }
}

async fn remove(asked: &Asked) -> Result<Value, Refusal> {
    let name = asked.values.needed("name");
    match asked.service.store.remove_account(name.clone(), asked.by.clone()).await? {
        true => Ok(Value::Null),
        false => Err(missing(&name)),
    }
}

async fn tokens(asked: &Asked) -> Result<Value, Refusal> {
    let name = asked.values.needed("name");
    let rows = asked.service.store.tokens(name.clone()).await?.ok_or_else(|| missing(&name))?;
    Ok(asked.told(rows))
}

async fn set_token(asked: &Asked) -> Result<Value, Refusal> {
    let (name, ends_at) = (asked.values.needed("name"), asked.values.time("until"));
    super::check_end(ends_at, asked.now())?;
    let (token, hash) = new_token()?;
    let called = asked.values.text("called").unwrap_or_else(|| DEFAULT_TOKEN.to_owned());
    let new = NewToken { hash, name: called, ends_at };
    match asked.service.store.set_token(name.clone(), new, asked.by.clone()).await? {
        true => Ok(json!({ "token": *token })),
        false => Err(missing(&name)),
    }
}

async fn end_token(asked: &Asked) -> Result<Value, Refusal> {
    let (name, called) = (asked.values.needed("name"), asked.values.needed("called"));
    match asked.service.store.end_token(name.clone(), called.clone(), asked.by.clone()).await? {
        TokenEnd::Ended => Ok(Value::Null),
        TokenEnd::NoToken => Err(Refusal::Missing(format!("Account {name} has no token {called}."))),
        TokenEnd::NoAccount => Err(missing(&name)),
    }
}
