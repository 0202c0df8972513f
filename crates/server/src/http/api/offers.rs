//! Offers and grants at the owner's API.

use super::fields::{Field, Kind, Values, needs, takes};
use super::route::{Asked, Gives, Route, Taken};
use crate::owner::told::{self, Column, Told, has};
use crate::problem::Refusal;
use crate::rules::admins::Right;
use crate::rules::granted::{GrantId, NewOffer};
use crate::store::{GrantChange, GrantEntry, GrantFilter, GrantTerms, Granting, OfferEnd, OfferEntry, OfferSet};
use axum::http::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const OFFER: Field = needs("name", Kind::Name, "Name of the offer.");
const GRANT: Field = needs("id", Kind::Hex(16), "ID of the grant.");
const FROM: Field = takes("from", Kind::Time, "It counts from this time on.");
const UNTIL: Field =
    takes("until", Kind::Time, "It ends at this time, and so do its licenses, whatever later date their policy says.");
const USES: Field = takes(
    "uses",
    Kind::Number(1, u32::MAX as u64),
    "So many uses of each title on all devices together, in place of what the policy counts; of playing, where it counts nothing.",
);
const DEVICES: Field = takes(
    "devices",
    Kind::Number(0, u32::MAX as u64),
    "So many devices may have licenses under it at a time; 0 for no limit.",
);
const REFERENCE: Field = takes("reference", Kind::Text, "What the shop calls it.");
const NEVER: &str = "The grant would end before it begins; until is a later time than from.";
const MADE: [Column; 1] = [has("grant", told::Kind::Text)];

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/offers",
        about: "List offers with what they cover, by name.",
        right: Right::SeeCatalogue,
        in_path: &[],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Page(OfferEntry::COLUMNS),
        run: |asked| Box::pin(async move { asked.page::<OfferEntry>(asked.now()).await }),
    },
    Route {
        method: Method::PUT,
        path: "/admin/v1/offers/{name}",
        about: "Set an offer, or change the one of this name: content, and the terms on which accounts that have a grant of it get licenses.",
        right: Right::ChangeEverything,
        in_path: &[OFFER],
        query: &[],
        takes: Taken::Fields(&[
            takes("policy", Kind::Name, "Policy of its licenses."),
            takes("scopes", Kind::Names, "It covers all content of these scopes."),
            takes("kids", Kind::Hexes, "It covers these key IDs, whatever their scope."),
            takes("open", Kind::Flag, "Everybody has it, without a grant."),
        ]),
        gives: Gives::Object(&[has("new", told::Kind::Flag)]),
        run: |asked| Box::pin(async move { set_offer(&asked).await }),
    },
    Route {
        method: Method::DELETE,
        path: "/admin/v1/offers/{name}",
        about: "Remove an offer. One of which an account has a grant that is not over is kept.",
        right: Right::ChangeEverything,
        in_path: &[OFFER],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Nothing,
        run: |asked| Box::pin(async move { remove_offer(&asked).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/grants",
        about: "List grants, the latest first.",
        right: Right::SeeAccounts,
        in_path: &[],
        query: &[
            takes("account", Kind::Name, "Of this account."),
            takes("offer", Kind::Name, "Of this offer."),
            takes("reference", Kind::Text, "That the shop calls so."),
            takes("current", Kind::Flag, "Only those that are not over."),
        ],
        takes: Taken::Nothing,
        gives: Gives::Page(GrantEntry::COLUMNS),
        run: |asked| Box::pin(async move { grants(&asked).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/grants",
        about: "Give an account an offer. Of several grants that cover a title the best gives its terms.",
        right: Right::ChangeAccounts,
        in_path: &[],
        query: &[],
        takes: Taken::Fields(&[
            needs("account", Kind::Name, "Name of the account."),
            needs("offer", Kind::Name, "Name of the offer."),
            FROM,
            UNTIL,
            USES,
            DEVICES,
            REFERENCE,
        ]),
        gives: Gives::Made(&MADE),
        run: |asked| Box::pin(async move { add_grant(&asked).await }),
    },
    Route {
        method: Method::PATCH,
        path: "/admin/v1/grants/{id}",
        about: "Change a grant. Its licenses get the changed terms when they are renewed or asked for again.",
        right: Right::ChangeAccounts,
        in_path: &[GRANT],
        query: &[],
        takes: Taken::Fields(&[
            FROM,
            UNTIL,
            USES,
            DEVICES,
            REFERENCE,
            takes("unbound", Kind::Flag, "It ends not by itself any more; said instead of until."),
        ]),
        gives: Gives::Nothing,
        run: |asked| Box::pin(async move { change_grant(&asked).await }),
    },
    Route {
        method: Method::DELETE,
        path: "/admin/v1/grants/{id}",
        about: "End a grant: what it alone gave is withdrawn from devices.",
        right: Right::ChangeAccounts,
        in_path: &[GRANT],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Nothing,
        run: |asked| Box::pin(async move { end_grant(&asked).await }),
    },
];

async fn set_offer(asked: &Asked) -> Result<Value, Refusal> {
    let (name, policy) = (asked.values.needed("name"), asked.values.text("policy"));
    let scopes: Vec<String> = asked.values.texts("scopes").into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let kids: Vec<_> = asked.values.ids("kids").into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    if scopes.is_empty() && kids.is_empty() {
        return Err(Refusal::Wrong("Say scopes or kids, to tell what the offer covers.".to_owned()));
    }
    let offer = NewOffer { name, policy, open: asked.values.flag("open"), scopes, kids };
    match asked.service.store.set_offer(offer, asked.by.clone()).await? {
        OfferSet::Done(new) => Ok(json!({ "new": new })),
        OfferSet::NoPolicy(policy) => Err(Refusal::Unfit(format!("There is no policy {policy}."))),
    }
}

async fn remove_offer(asked: &Asked) -> Result<Value, Refusal> {
    let name = asked.values.needed("name");
    match asked.service.store.remove_offer(name.clone(), asked.by.clone()).await? {
        OfferEnd::Removed => Ok(Value::Null),
        OfferEnd::NoOffer => Err(Refusal::Missing(format!("There is no offer {name}."))),
        OfferEnd::InUse(grants) => {
            Err(Refusal::Clash(format!("Offer {name} stays: {grants} grants of it are not over.")))
        }
    }
}

async fn grants(asked: &Asked) -> Result<Value, Refusal> {
    let values = &asked.values;
    let (account, offer, reference) = (values.text("account"), values.text("offer"), values.text("reference"));
    let after = values.flag("current").then_some(asked.now());
    asked.page::<GrantEntry>(GrantFilter { account, offer, reference, after }).await
}

/// A limit of devices, where one is said; 0 says that there is none.
fn devices(values: &Values) -> Option<Option<u32>> {
    values.number("devices").map(|devices| u32::try_from(devices).ok().filter(|devices| *devices > 0))
}

async fn add_grant(asked: &Asked) -> Result<Value, Refusal> {
    let (values, id) = (&asked.values, GrantId::random()?);
    let (account, offer) = (values.needed("account"), values.needed("offer"));
    let (from, until, reference) = (values.time("from"), values.time("until"), values.text("reference"));
    let uses = values.number("uses").and_then(|uses| u32::try_from(uses).ok());
    let devices = devices(values).flatten();
    let terms = GrantTerms { from, until, uses, devices, reference };
    let of = (account.clone(), offer.clone());
    match asked.service.store.add_grant(id, of, terms, asked.by.clone()).await? {
        Granting::Done => Ok(json!({ "grant": id.to_hex() })),
        Granting::NoAccount => Err(Refusal::Unfit(format!("There is no account {account}."))),
        Granting::NoOffer => Err(Refusal::Unfit(format!("There is no offer {offer}."))),
        Granting::Never => Err(Refusal::Unfit(NEVER.to_owned())),
        Granting::NoGrant | Granting::Ended => Err(missing(asked)),
    }
}

fn missing(asked: &Asked) -> Refusal {
    Refusal::Missing(format!("There is no grant {}.", asked.values.needed("id")))
}

fn granted(asked: &Asked, granting: Granting) -> Result<Value, Refusal> {
    match granting {
        Granting::Done => Ok(Value::Null),
        Granting::Ended => {
            Err(Refusal::Clash(format!("Grant {} was ended; add another one.", asked.values.needed("id"))))
        }
        Granting::Never => Err(Refusal::Unfit(NEVER.to_owned())),
        Granting::NoGrant | Granting::NoAccount | Granting::NoOffer => Err(missing(asked)),
    }
}

async fn change_grant(asked: &Asked) -> Result<Value, Refusal> {
    let values = &asked.values;
    let (until, unbound) = (values.time("until"), values.flag("unbound"));
    if until.is_some() && unbound {
        return Err(Refusal::Wrong("Until and unbound cannot be said both.".to_owned()));
    }
    let change = GrantChange {
        from: values.time("from").map(Some),
        until: if unbound { Some(None) } else { until.map(Some) },
        uses: values.number("uses").map(|uses| u32::try_from(uses).ok()),
        devices: devices(values),
        reference: values.text("reference").map(Some),
    };
    if change == GrantChange::default() {
        return Err(Refusal::Wrong("The body says nothing that changes.".to_owned()));
    }
    let id: GrantId = values.id("id").ok_or_else(|| missing(asked))?;
    granted(asked, asked.service.store.change_grant(id, change, asked.by.clone()).await?)
}

async fn end_grant(asked: &Asked) -> Result<Value, Refusal> {
    let id: GrantId = asked.values.id("id").ok_or_else(|| missing(asked))?;
    granted(asked, asked.service.store.end_grant(id, asked.by.clone()).await?)
}
