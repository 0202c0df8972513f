//! What the service itself is about, at the owner's API: who acts for the owner, who did what, counts, certificates, this document.

use super::fields::{Field, Kind, needs, takes};
use super::route::{Asked, Gives, Route, Taken};
use crate::accounts::new_admin_token;
use crate::owner::certificates;
use crate::owner::told::{self, Column, Told, has, object};
use crate::problem::{Fault, Refusal};
use crate::rules::admins::{AdminRole, AdminRow, Right};
use crate::store::{AuditFilter, AuditRow, NewAdminToken};
use axum::http::Method;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const NAME: Field = needs("name", Kind::Name, "Name of the person or program.");
const UNTIL: Field = takes("until", Kind::Time, "From when on the token counts no more.");
const ROLES: [&str; 5] = ["owner", "shop", "packager", "support", "reader"];
const TOKEN: [Column; 1] = [has("token", told::Kind::Text)];
const ME: [Column; 3] =
    [has("admin", told::Kind::Text), has("role", told::Kind::Text), has("rights", told::Kind::Texts)];

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/openapi.json",
        about: "This document.",
        right: Right::SeeCatalogue,
        in_path: &[],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Document,
        run: |_| Box::pin(async { Ok(super::document::document()) }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/me",
        about: "Whose token it is, and what it is good for.",
        right: Right::SeeCatalogue,
        in_path: &[],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Object(&ME),
        run: |asked| Box::pin(async move { Ok(me(&asked)) }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/admins",
        about: "List those who act for the owner, by name.",
        right: Right::SeeService,
        in_path: &[],
        query: &[takes("removed", Kind::Flag, "Those that were removed and tokens that were replaced as well.")],
        takes: Taken::Nothing,
        gives: Gives::Rows(AdminRow::COLUMNS),
        run: |asked| Box::pin(async move { admins(&asked).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/admins",
        about: "Let somebody act for the owner. The token is not stored and not shown again.",
        right: Right::ChangeEverything,
        in_path: &[],
        query: &[],
        takes: Taken::Fields(&[NAME, needs("role", Kind::Choice(&ROLES), "What they may."), UNTIL]),
        gives: Gives::Made(&TOKEN),
        run: |asked| Box::pin(async move { add(&asked).await }),
    },
    Route {
        method: Method::DELETE,
        path: "/admin/v1/admins/{name}",
        about: "Let somebody act for the owner no more.",
        right: Right::ChangeEverything,
        in_path: &[NAME],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Nothing,
        run: |asked| Box::pin(async move { remove(&asked).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/admins/{name}/token",
        about: "Give somebody another token; the one before counts no more.",
        right: Right::ChangeEverything,
        in_path: &[NAME],
        query: &[],
        takes: Taken::Fields(&[UNTIL]),
        gives: Gives::Made(&TOKEN),
        run: |asked| Box::pin(async move { set_token(&asked).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/audit",
        about: "List acts of the owner, the latest first.",
        right: Right::SeeService,
        in_path: &[],
        query: &[
            takes("who", Kind::Text, "What this one did; those with a token are called admin NAME."),
            takes("act", Kind::Text, "Commands that begin with these words."),
            takes("about", Kind::Text, "What has this text in its subject."),
            takes("since", Kind::Time, "From this time on."),
            takes("until", Kind::Time, "Before this time."),
        ],
        takes: Taken::Nothing,
        gives: Gives::Page(AuditRow::COLUMNS),
        run: |asked| Box::pin(async move { audit(&asked).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/stats",
        about: "Count everything.",
        right: Right::SeeAccounts,
        in_path: &[],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Counts,
        run: |asked| Box::pin(async move { stats(&asked).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/certificates",
        about: "List certificates of the roles, backup keys and the status list, with what ends when.",
        right: Right::SeeService,
        in_path: &[],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Rows(&certificates::COLUMNS),
        run: |asked| Box::pin(async move { certificates(&asked).await }),
    },
];

fn me(asked: &Asked) -> Value {
    let rights: Vec<&str> = asked.admin.role.rights().iter().map(|right| right.name()).collect();
    json!({ "admin": asked.admin.name, "role": asked.admin.role.name(), "rights": rights })
}

fn missing(name: &str) -> Refusal {
    Refusal::Missing(format!("There is no admin {name}."))
}

async fn admins(asked: &Asked) -> Result<Value, Refusal> {
    let mut rows = asked.service.store.admins().await?;
    rows.retain(|row| asked.values.flag("removed") || row.ended_at.is_none());
    Ok(asked.told(rows))
}

async fn add(asked: &Asked) -> Result<Value, Refusal> {
    let (name, ends_at) = (asked.values.needed("name"), asked.values.time("until"));
    super::check_end(ends_at, asked.now())?;
    let role = AdminRole::of_name(&asked.values.needed("role")).ok_or(Fault::Internal)?;
    let (token, hash) = new_admin_token()?;
    let new = NewAdminToken { hash, ends_at };
    match asked.service.store.add_admin(name.clone(), role, new, asked.by.clone()).await? {
        true => Ok(json!({ "token": *token })),
        false => Err(Refusal::Clash(format!("There is an admin {name} already."))),
    }
}

async fn remove(asked: &Asked) -> Result<Value, Refusal> {
    let name = asked.values.needed("name");
    match asked.service.store.remove_admin(name.clone(), asked.by.clone()).await? {
        true => Ok(Value::Null),
        false => Err(missing(&name)),
    }
}

async fn set_token(asked: &Asked) -> Result<Value, Refusal> {
    let (name, ends_at) = (asked.values.needed("name"), asked.values.time("until"));
    super::check_end(ends_at, asked.now())?;
    let (token, hash) = new_admin_token()?;
    let new = NewAdminToken { hash, ends_at };
    match asked.service.store.set_admin_token(name.clone(), new, asked.by.clone()).await? {
        true => Ok(json!({ "token": *token })),
        false => Err(missing(&name)),
    }
}

async fn audit(asked: &Asked) -> Result<Value, Refusal> {
    let values = &asked.values;
    let (who, act, about) = (values.text("who"), values.text("act"), values.text("about"));
    let (since, until) = (values.time("since"), values.time("until"));
    asked.page::<AuditRow>(AuditFilter { who, act, about, since, until }).await
}

async fn stats(asked: &Asked) -> Result<Value, Refusal> {
    let rows = asked.service.store.stats().await?;
    let counts: Map<String, Value> = rows.into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect();
    Ok(Value::Object(counts))
}

async fn certificates(asked: &Asked) -> Result<Value, Refusal> {
    let store = &asked.service.store;
    let (revoked, list, now) = (store.revoked().await?, store.status_list().await?, asked.now());
    let service = Arc::clone(&asked.service);
    let rows = tokio::task::spawn_blocking(move || certificates::rows(service.folder(), &revoked, list, now)).await;
    let rows = rows.map_err(|_| Fault::Internal)?.map_err(|error| {
        tracing::error!(%error, "the certificates cannot be listed");
        Fault::Internal
    })?;
    let names: Vec<&str> = certificates::COLUMNS.iter().map(|column| column.name).collect();
    Ok(Value::Array(rows.into_iter().map(|row| object(&names, row)).collect()))
}
