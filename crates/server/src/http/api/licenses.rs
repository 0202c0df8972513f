//! Licenses, devices, restores, and what was taken back, at the owner's API.

use super::accounts::missing;
use super::fields::{Field, Kind, needs, takes};
use super::route::{Asked, Gives, Route, Taken};
use crate::owner::told::{self, Column, Told, has};
use crate::problem::Refusal;
use crate::rules::admins::Right;
use crate::rules::revocation::{ListedKey, NewRevokedKey, Order, RevokedRow, rule};
use crate::store::{CameBack, DeviceEntry, Filter, Freeing, LicenseEntry, OrderEntry, RestoreEntry};
use axum::http::Method;
use serde_json::{Value, json};
use wmlicense_wire::id::{DeviceId, Lid};
use wmlicense_wire::revocation::Entry;
use wmlicense_wire::status_list::application_id;

const FACTS: [Field; 5] = [
    takes("account", Kind::Name, "Of this account."),
    takes("device", Kind::Hex(16), "On this device."),
    takes("kid", Kind::Hex(16), "For this key ID."),
    takes("since", Kind::Time, "From this time on."),
    takes("until", Kind::Time, "Before this time."),
];
const TITLED: [Field; 6] = [
    FACTS[0],
    FACTS[1],
    FACTS[2],
    FACTS[3],
    FACTS[4],
    takes("title", Kind::Text, "Titles that have this text in them."),
];
const REASON: Field = takes("reason", Kind::Text, "Why, for your own records.");
const CAME_BACK: [Column; 2] = [has("titles", told::Kind::Number), has("uses", told::Kind::Number)];
const TAKEN_BACK: [Column; 3] =
    [has("number", told::Kind::Number), has("devices", told::Kind::Number), has("unread", told::Kind::Number)];

const FREED: [Column; 1] = [has("licenses", told::Kind::Number)];

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::GET,
        path: "/admin/v1/licenses",
        about: "List licenses, the latest first.",
        right: Right::SeeAccounts,
        in_path: &[],
        query: &TITLED,
        takes: Taken::Nothing,
        gives: Gives::Page(LicenseEntry::COLUMNS),
        run: |asked| Box::pin(async move { asked.page::<LicenseEntry>(titled(&asked).await?).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/restores",
        about: "List licenses restored to further devices, the latest first.",
        right: Right::SeeAccounts,
        in_path: &[],
        query: &TITLED,
        takes: Taken::Nothing,
        gives: Gives::Page(RestoreEntry::COLUMNS),
        run: |asked| Box::pin(async move { asked.page::<RestoreEntry>(titled(&asked).await?).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/devices",
        about: "List devices, the latest first.",
        right: Right::SeeAccounts,
        in_path: &[],
        query: &FACTS,
        takes: Taken::Nothing,
        gives: Gives::Page(DeviceEntry::COLUMNS),
        run: |asked| Box::pin(async move { asked.page::<DeviceEntry>(super::facts(&asked).await?).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/devices/{device}/revoke",
        about: "Answer no request of a device any more.",
        right: Right::ChangeEverything,
        in_path: &[needs("device", Kind::Hex(16), "ID of the device.")],
        query: &[],
        takes: Taken::Fields(&[takes("keepLicenses", Kind::Flag, "Leave it the licenses that it has."), REASON]),
        gives: Gives::Nothing,
        run: |asked| Box::pin(async move { revoke_device(&asked).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/devices/{device}/lose",
        about: "Give back to accounts the uses that a lost device holds, and have it make room for another device.",
        right: Right::FreeDevices,
        in_path: &[needs("device", Kind::Hex(16), "ID of the device.")],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Object(&CAME_BACK),
        run: |asked| Box::pin(async move { lose(&asked).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/accounts/{name}/devices/{device}/free",
        about: "Free an account of a device: it makes room for another one, and drops the account's licenses.",
        right: Right::FreeDevices,
        in_path: &[
            needs("name", Kind::Name, "Name of the account."),
            needs("device", Kind::Hex(16), "ID of the device."),
        ],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Object(&FREED),
        run: |asked| Box::pin(async move { free(&asked).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/revocations",
        about: "List orders that take licenses back, the latest first.",
        right: Right::SeeAccounts,
        in_path: &[],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Page(OrderEntry::COLUMNS),
        run: |asked| Box::pin(async move { asked.page::<OrderEntry>(()).await }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/revocations",
        about: "Take licenses back: one by its ID, or by rule those that all that is said is true of.",
        right: Right::ChangeEverything,
        in_path: &[],
        query: &[],
        takes: Taken::Fields(&[
            takes("lid", Kind::Hex(16), "One license, by its ID."),
            takes("kid", Kind::Hex(16), "Licenses for this key ID."),
            takes("account", Kind::Name, "Licenses of this account."),
            takes("issuedBefore", Kind::Time, "Licenses first issued before then."),
            takes("all", Kind::Flag, "Every license."),
            takes("device", Kind::Hex(16), "Only on this device."),
            REASON,
        ]),
        gives: Gives::Made(&TAKEN_BACK),
        run: |asked| Box::pin(async move { take_back(&asked).await }),
    },
    Route {
        method: Method::GET,
        path: "/admin/v1/revoked-keys",
        about: "List keys that the next status list will name.",
        right: Right::SeeAccounts,
        in_path: &[],
        query: &[],
        takes: Taken::Nothing,
        gives: Gives::Rows(RevokedRow::COLUMNS),
        run: |asked| Box::pin(async move { Ok(asked.told(asked.service.store.revoked().await?)) }),
    },
    Route {
        method: Method::POST,
        path: "/admin/v1/applications/{name}/revoke",
        about: "Answer no request of an application any more, once the next status list is published.",
        right: Right::ChangeEverything,
        in_path: &[needs("name", Kind::Name, "What the application calls itself.")],
        query: &[],
        takes: Taken::Fields(&[takes("from", Kind::Time, "From when on."), REASON]),
        gives: Gives::Nothing,
        run: |asked| Box::pin(async move { revoke_application(&asked).await }),
    },
];

async fn titled(asked: &Asked) -> Result<Filter, Refusal> {
    Ok(Filter { title: asked.values.text("title"), ..super::facts(asked).await? })
}

fn no_device(asked: &Asked) -> Refusal {
    Refusal::Missing(format!("There is no device {}.", asked.values.needed("device")))
}

async fn lose(asked: &Asked) -> Result<Value, Refusal> {
    let device: DeviceId = asked.values.id("device").ok_or_else(|| no_device(asked))?;
    let back = asked.service.store.lose_device(device, asked.by.clone()).await?;
    let CameBack { entries, uses } = back.ok_or_else(|| no_device(asked))?;
    Ok(json!({ "titles": entries, "uses": uses }))
}

async fn free(asked: &Asked) -> Result<Value, Refusal> {
    let device: DeviceId = asked.values.id("device").ok_or_else(|| no_device(asked))?;
    let account = asked.values.needed("name");
    match asked.service.store.free_device(account.clone(), device, false, asked.by.clone()).await? {
        Freeing::Freed(licenses) => Ok(json!({ "licenses": licenses })),
        Freeing::NoAccount => Err(missing(&account)),
        Freeing::NotIts | Freeing::TooOften(_) => {
            Err(Refusal::Missing(format!("Account {account} has no license on device {}.", device.to_hex())))
        }
    }
}

async fn revoke_device(asked: &Asked) -> Result<Value, Refusal> {
    let device: DeviceId = asked.values.id("device").ok_or_else(|| no_device(asked))?;
    let from = if asked.values.flag("keepLicenses") { asked.now() } else { 0 };
    match asked.service.store.revoke_device(device, from, asked.values.text("reason"), asked.by.clone()).await? {
        true => Ok(Value::Null),
        false => Err(no_device(asked)),
    }
}

async fn take_back(asked: &Asked) -> Result<Value, Refusal> {
    let values = &asked.values;
    let (kid, before, account) = (values.id("kid"), values.time("issuedBefore"), values.text("account"));
    let (lid, by_rule): (Option<Lid>, _) = (values.id("lid"), kid.is_some() || before.is_some() || account.is_some());
    if [lid.is_some(), by_rule, values.flag("all")].iter().filter(|said| **said).count() != 1 {
        let help = "Say lid, or all, or one or several of kid, account and issuedBefore.";
        return Err(Refusal::Wrong(help.to_owned()));
    }
    let user = match account {
        None => None,
        Some(name) => Some(asked.service.store.user_of(name.clone()).await?.ok_or_else(|| missing(&name))?),
    };
    let entry = lid.map_or_else(|| rule(user, kid, before), Entry::License);
    let order = Order { entry, device: values.id("device") };
    let taken = asked.service.store.take_back(order, values.text("reason"), asked.by.clone()).await?;
    Ok(json!({ "number": taken.number, "devices": taken.devices, "unread": taken.unread }))
}

async fn revoke_application(asked: &Asked) -> Result<Value, Refusal> {
    let name = asked.values.needed("name");
    let (key, from) = (application_id(&name), asked.values.time("from").unwrap_or(0));
    let key = NewRevokedKey { kind: ListedKey::Application, key, name, from, reason: asked.values.text("reason") };
    asked.service.store.revoke_key(key, asked.by.clone()).await?;
    Ok(Value::Null)
}
