//! Policies and subscriptions at the owner's API.

use super::fields::{Field, Kind, needs, takes};
use super::route::{Asked, Gives, Route, Taken};
use crate::owner::catalogue::{set_policy, set_subscription};
use crate::owner::told::{self, Column, Told, has};
use crate::problem::{Fault, Refusal};
use crate::rules::admins::Right;
use crate::rules::granted::OFFERS_ONLY;
use crate::store::{Offering, SubscriptionEntry};
use axum::http::Method;
use serde_json::{Value, json};

const POLICY: Field = needs("name", Kind::Name, "Name of the policy.");
const SUBSCRIPTION: Field = needs("name", Kind::Name, "Name of the subscription.");
const SET: [Column; 1] = [has("new", told::Kind::Flag)];

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/policies",
        about: "List policies by name.",
        right: Right::SeeCatalogue,
        in_path: &[],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Page(<(String, i64)>::COLUMNS),
        run: |asked| Box::pin(async move { asked.page::<(String, i64)>(()).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/policies/{name}",
        about: "Show the terms of a policy.",
        right: Right::SeeCatalogue,
        in_path: &[POLICY],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Policy,
        run: |asked| Box::pin(async move { policy(&asked).await }),
    },
    Route {
        method: Method::PUT,
        path: "/admin/v1/policies/{name}",
        about: "Set a policy. Content that refers to it is licensed on the changed terms from now on.",
        right: Right::ChangeEverything,
        in_path: &[POLICY],
        query: &[],
        takes: Taken::Policy,
        gives: Gives::Object(&SET),
        run: |asked| Box::pin(async move { put_policy(&asked).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/subscriptions",
        about: "List subscriptions by name.",
        right: Right::SeeCatalogue,
        in_path: &[],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Page(SubscriptionEntry::COLUMNS),
        run: |asked| Box::pin(async move { asked.page::<SubscriptionEntry>(()).await }),
    },
    Route {
        method: Method::PUT,
        path: "/admin/v1/subscriptions/{name}",
        about: "Add a subscription, or change the terms of the one of this name. Policies name it in `subscription`.",
        right: Right::ChangeEverything,
        in_path: &[SUBSCRIPTION],
        query: &[],
        takes: Taken::Fields(&[
            takes("policy", Kind::Name, "Policy of the subscription itself."),
            takes(
                "scope",
                Kind::Name,
                "Scope that an account must have; without it and without open only offers reach it.",
            ),
            takes("open", Kind::Flag, "Anybody may have it; said instead of a scope."),
        ]),
        gives: Gives::Object(&[has("kid", told::Kind::Text), has("new", told::Kind::Flag)]),
        run: |asked| Box::pin(async move { put_subscription(&asked).await }),
    },
];

async fn policy(asked: &Asked) -> Result<Value, Refusal> {
    let name = asked.values.needed("name");
    let definition = asked.service.store.policy(name.clone()).await?;
    let definition = definition.ok_or_else(|| Refusal::Missing(format!("There is no policy {name}.")))?;
    // What was set is JSON.
    Ok(serde_json::from_str(&definition).map_err(|_| Fault::Internal)?)
}

async fn put_policy(asked: &Asked) -> Result<Value, Refusal> {
    let text = std::str::from_utf8(&asked.body);
    let text = text.map_err(|_| Refusal::Wrong("The policy is no text in UTF-8.".to_owned()))?;
    let name = asked.values.needed("name");
    let new = set_policy(&asked.service.store, name, text.to_owned(), asked.by.clone()).await?;
    Ok(json!({ "new": new }))
}

async fn put_subscription(asked: &Asked) -> Result<Value, Refusal> {
    let (policy, scope) = (asked.values.text("policy"), asked.values.text("scope"));
    let (store, master) = (&asked.service.store, &asked.service.master);
    if scope.is_some() && asked.values.flag("open") {
        return Err(Refusal::Wrong("Scope and open cannot be said both.".to_owned()));
    }
    let scope = if asked.values.flag("open") { None } else { Some(scope.unwrap_or_else(|| OFFERS_ONLY.to_owned())) };
    let offering = Offering { policy, scope };
    let (kid, new) = set_subscription(store, master, asked.values.needed("name"), offering, asked.by.clone()).await?;
    Ok(json!({ "kid": kid.to_hex(), "new": new }))
}
