//! Content and its keys at the owner's API.

use super::fields::{Field, Kind, needs, takes};
use super::route::{Asked, Gives, Route, Taken, sentence};
use crate::catalogue::{ContentError, ContentKey, bento4, cpix_document, read, read_title, shaka};
use crate::owner::catalogue::{How, add, became, hand_out, told};
use crate::owner::told::{self, Column, Told, has};
use crate::problem::{Fault, Refusal};
use crate::rules::admins::Right;
use crate::rules::granted::OFFERS_ONLY;
use crate::store::{ContentEntry, Filter, Offering};
use axum::http::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use wmlicense_wire::id::Kid;
use zeroize::Zeroizing;

const KID: Field = needs("kid", Kind::Hex(16), "Key ID.");
const TITLE: Field = takes("title", Kind::Text, "Title for people.");
const POLICY: Field = takes("policy", Kind::Name, "Policy that the content is licensed on.");
const SCOPE: Field = takes(
    "scope",
    Kind::Name,
    "Scope that an account must have; without it and without open only offers that name it reach it.",
);
const OPEN: Field = takes("open", Kind::Flag, "Anybody may have it; said instead of a scope.");
const ADDED: [Column; 2] = [has("kid", told::Kind::Text), has("became", told::Kind::Text)];
const IMPORTED: [Column; 6] = [
    has("keys", told::Kind::Number),
    has("new", told::Kind::Number),
    has("changed", told::Kind::Flag),
    has("told", told::Kind::Texts),
    has("keyless", told::Kind::Texts),
    has("dryRun", told::Kind::Flag),
];
const FILTER: [Field; 7] = [
    takes("account", Kind::Name, "What this account may have."),
    takes("device", Kind::Hex(16), "What this device has a license for."),
    takes("kid", Kind::Hex(16), "Of this key ID."),
    takes("title", Kind::Text, "Titles that have this text in them."),
    takes("scope", Kind::Name, "Of this scope."),
    takes("since", Kind::Time, "Added from this time on."),
    takes("until", Kind::Time, "Added before this time."),
];

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/content",
        about: "List content by key ID. Keys are not shown.",
        right: Right::SeeCatalogue,
        in_path: &[],
        query: &FILTER,
        takes: Taken::Nothing,
        gives: Gives::Page(ContentEntry::COLUMNS),
        run: |asked| Box::pin(async move { list(&asked).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/content",
        about: "Add one content key, or change the terms of the one that is there. Without a key a random one is made.",
        right: Right::ChangeContent,
        in_path: &[],
        query: &[],
        takes: Taken::Fields(&[
            takes("kid", Kind::Hex(16), "Key ID; a random one where neither it nor a key is named."),
            takes("key", Kind::Hex(16), "Content key."),
            TITLE,
            POLICY,
            SCOPE,
            OPEN,
        ]),
        gives: Gives::Object(&ADDED),
        run: |asked| Box::pin(async move { add_one(&asked).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/content/import",
        about: "Add the content keys of a list, all or none: CPIX in clear, JSON, CSV kid,key,title, or keys as Shaka Packager or Bento4 take them.",
        right: Right::ChangeContent,
        in_path: &[],
        query: &[
            takes("title", Kind::Text, "Title of those keys that have none in the list."),
            POLICY,
            SCOPE,
            OPEN,
            takes("replace", Kind::Flag, "Let content that is there already get these terms, or be for others."),
            takes("dryRun", Kind::Flag, "Only tell what would change."),
        ],
        takes: Taken::Keys,
        gives: Gives::Object(&IMPORTED),
        run: |asked| Box::pin(async move { import(asked).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/content/export",
        about: "Have content keys as a packager takes them. The audit tells who had them.",
        right: Right::ChangeContent,
        in_path: &[],
        query: &[],
        takes: Taken::Fields(&[
            needs("kids", Kind::Hexes, "Key IDs."),
            needs("form", Kind::Choice(&["shaka", "bento4", "cpix"]), "For which packager."),
        ]),
        gives: Gives::Object(&[has("text", told::Kind::Text)]),
        run: |asked| Box::pin(async move { export(&asked).await }),
    },
    Route {
        method: Method::DELETE,
        path: "/admin/v1/content/{kid}",
        about: "Forget content: its licenses are withdrawn at the next pre-delivery.",
        right: Right::ChangeContent,
        in_path: &[KID],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Nothing,
        run: |asked| Box::pin(async move { remove(&asked).await }),
    },
];

async fn list(asked: &Asked) -> Result<Value, Refusal> {
    let values = &asked.values;
    let filter = Filter { title: values.text("title"), scope: values.text("scope"), ..super::facts(asked).await? };
    asked.page::<ContentEntry>(filter).await
}

/// The terms that a request names: without scope and open only offers reach the content.
fn offering(asked: &Asked) -> Result<Offering, Refusal> {
    let (policy, scope, open) = (asked.values.text("policy"), asked.values.text("scope"), asked.values.flag("open"));
    if scope.is_some() && open {
        return Err(Refusal::Wrong("Scope and open cannot be said both.".to_owned()));
    }
    let scope = if open { None } else { Some(scope.unwrap_or_else(|| OFFERS_ONLY.to_owned())) };
    Ok(Offering { policy, scope })
}

fn unfit(error: &ContentError) -> Refusal {
    Refusal::Unfit(format!("{}.", sentence(&error.to_string())))
}

async fn add_one(asked: &Asked) -> Result<Value, Refusal> {
    let offering = offering(asked)?;
    let (kid, title) = (asked.values.text("kid"), asked.values.text("title"));
    let content = match asked.values.text("key").map(Zeroizing::new) {
        Some(key) => ContentKey::read(&kid.unwrap_or_default(), &key, title.as_deref()),
        None => ContentKey::random(kid.as_deref(), title.as_deref()),
    };
    let content = content.map_err(|error| unfit(&error))?;
    let kid = content.kid;
    // Who names one key ID names its terms, too.
    let how = How { act: "content add", replace: true, dry: false, offering };
    let changes = add(&asked.service.store, &asked.service.master, &[content], &how, asked.by.clone()).await?;
    Ok(json!({ "kid": kid.to_hex(), "became": became(&changes) }))
}

async fn import(asked: Asked) -> Result<Value, Refusal> {
    let offering = offering(&asked)?;
    let (dry, replace) = (asked.values.flag("dryRun"), asked.values.flag("replace"));
    let title = read_title(asked.values.text("title").as_deref()).map_err(|error| unfit(&error))?;
    let body = asked.body;
    // A long list takes as long as many short requests.
    let list = tokio::task::spawn_blocking(move || read(&body, None)).await;
    let mut list = list.map_err(|_| Fault::Internal)?.map_err(|error| unfit(&error))?;
    for key in list.keys.iter_mut().filter(|key| key.title.is_none()) {
        key.title.clone_from(&title);
    }
    let how = How { act: "content import", replace, dry, offering };
    let (service, by) = (Arc::clone(&asked.service), asked.by);
    let keys = std::mem::take(&mut list.keys);
    let (count, runtime) = (keys.len(), tokio::runtime::Handle::current());
    // So does the sealing of its keys.
    let adding = move || runtime.block_on(async move { add(&service.store, &service.master, &keys, &how, by).await });
    let changes = tokio::task::spawn_blocking(adding).await.map_err(|_| Fault::Internal)??;
    let keyless: Vec<String> = list.keyless.iter().map(Kid::to_hex).collect();
    let changed = changes.moves() > 0;
    let told = told(&changes);
    Ok(json!({
        "keys": count, "new": changes.new, "changed": changed, "told": told, "keyless": keyless, "dryRun": dry
    }))
}

async fn export(asked: &Asked) -> Result<Value, Refusal> {
    let labelled = asked.values.ids("kids").into_iter().map(|kid| (String::new(), kid)).collect();
    let keys = hand_out(&asked.service.store, &asked.service.master, labelled, asked.by.clone()).await?;
    let text = match asked.values.needed("form").as_str() {
        "shaka" => shaka(&keys),
        "bento4" => bento4(&keys),
        _ => cpix_document(&keys, &[]).map_err(|_| Fault::Internal)?,
    };
    Ok(json!({ "text": *text }))
}

async fn remove(asked: &Asked) -> Result<Value, Refusal> {
    let kid: Option<Kid> = asked.values.id("kid");
    let kids: Vec<Kid> = kid.into_iter().collect();
    match asked.service.store.remove_content(kids, asked.by.clone()).await? {
        0 => Err(Refusal::Missing(format!("There is no content {}.", asked.values.needed("kid")))),
        _ => Ok(Value::Null),
    }
}
