//! `wmlicense list`.

use crate::content;
use crate::failure::Failure;
use crate::open;
use crate::output::Output;
use crate::settings::{Common, Settings, StoreOptions};
use crate::standing;
use crate::text::{count, plain, utc};
use crate::times;
use clap::ValueHint;
use serde_json::{Value, json};
use std::path::PathBuf;
use wmlicense_core::client::Client;
use wmlicense_core::license::StoredLicense;
use wmlicense_core::rights::{self, Refusal, action_name};
use wmlicense_core::store::Filter;
use wmlicense_wire::id::Kid;
use wmlicense_wire::policy::{Conditions, LicenseKind};

const DAY: i64 = 24 * 60 * 60;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    store: StoreOptions,
    /// Only this content: key IDs and media files.
    #[arg(value_name = "KID|FILE", value_hint = ValueHint::AnyPath)]
    content: Vec<PathBuf>,
    /// Only licenses with this in their title.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Only licenses that name this action.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only licenses of which something may be done now.
    #[arg(long)]
    usable: bool,
    /// Only licenses that are over: expired, used up, revoked.
    #[arg(long, conflicts_with = "usable")]
    ended: bool,
    /// Only licenses whose rights end within so many days; those that ended are among them.
    #[arg(long, value_name = "DAYS")]
    within_days: Option<u32>,
}

/// A license with what is said of it.
struct Listed {
    license: StoredLicense,
    title: Option<String>,
    /// Why nothing of it may be done now.
    obstacle: Option<Refusal>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Output, Failure> {
    let kids = content::kids(&arguments.content)?;
    let client = open::open(&Settings::of_store(common, &arguments.store)?)?;
    let within = |days: u32| client.clock.now().saturating_add(i64::from(days) * DAY).saturating_add(1);
    let filter = Filter {
        action: arguments.action.as_deref().map(|action| action_name(action).to_owned()),
        expiring_before: arguments.within_days.map(within),
        ..Filter::default()
    };
    let mut text = String::new();
    let mut licenses = Vec::new();
    each(&client, &filter, &kids, &mut |listed| {
        if arguments.takes(&listed) {
            text.push_str(&line(&listed));
            licenses.push(object(&listed));
        }
    })?;
    text.push_str(&count(licenses.len() as u64, "license"));
    let pending = client.store.pending_count()?;
    if pending > 0 {
        text.push_str(&format!(", {} waiting for an answer", count(pending, "request")));
    }
    Ok(Output::done(text, json!({ "licenses": licenses, "pendingRequests": pending })))
}

impl Arguments {
    fn takes(&self, Listed { license: _, title, obstacle }: &Listed) -> bool {
        let titled = self.title.as_ref().is_none_or(|wanted| {
            title.as_ref().is_some_and(|title| title.to_lowercase().contains(&wanted.to_lowercase()))
        });
        let ended = obstacle.is_some_and(standing::is_final);
        titled && (!self.usable || obstacle.is_none()) && (!self.ended || ended)
    }
}

/// Shows each license that the filter passes, of these key IDs or of all.
fn each(client: &Client, filter: &Filter, kids: &[Kid], show: &mut dyn FnMut(Listed)) -> Result<(), Failure> {
    let filters = match kids {
        [] => vec![filter.clone()],
        some => some.iter().map(|kid| Filter { kid: Some(*kid), ..filter.clone() }).collect(),
    };
    for filter in filters {
        let mut after = None;
        while let Some(license) = client.store.next_license(&filter, after)? {
            after = Some((license.policy.kid, license.policy.lid));
            let title = client.store.title(license.policy.kid)?;
            let environment = standing::environment(client, std::slice::from_ref(&license))?;
            let obstacle = standing::obstacle(&license, &environment);
            show(Listed { license, title, obstacle });
        }
    }
    Ok(())
}

fn line(Listed { license, title, obstacle }: &Listed) -> String {
    let policy = &license.policy;
    let actions: Vec<String> = policy.actions.iter().map(|named| action_text(license, named)).collect();
    let mark = obstacle.map_or_else(String::new, |obstacle| format!("  [{}]", standing::word(obstacle)));
    let root = if policy.kind == LicenseKind::Root { "  opens a subscription" } else { "" };
    let backup = if policy.may_back_up() { "" } else { "  no backup" };
    let title = title.as_deref().map_or_else(String::new, |title| format!("  {}", plain(title)));
    format!("{}  {}{mark}{root}{backup}{title}\n", policy.kid, actions.join(", "))
}

/// An action with what is left of it.
fn action_text(license: &StoredLicense, (action, conditions): &(String, Conditions)) -> String {
    let action_name = plain(action);
    let Some(state) = &license.state else { return format!("{action_name} (unusable: its state is lost)") };
    let state = state.actions.get(action).copied().unwrap_or_default();
    let begins = conditions.not_before.filter(|_| conditions.not_after.is_none() || state.first_use.is_none());
    let notes: Vec<String> = state
        .counts_left
        .map(|left| format!("{left} left"))
        .into_iter()
        .chain(begins.map(|begin| format!("from {}", times::local(begin))))
        .chain(rights::end(license, action).map(|end| format!("until {}", times::local(end))))
        .collect();
    if notes.is_empty() { action_name } else { format!("{action_name} ({})", notes.join(", ")) }
}

fn object(Listed { license, title, obstacle }: &Listed) -> Value {
    let policy = &license.policy;
    let action = |(name, conditions): &(String, Conditions)| -> Value {
        let state = license.state.as_ref().and_then(|state| state.actions.get(name)).copied().unwrap_or_default();
        json!({
            "action": name,
            "notBefore": conditions.not_before.map(utc),
            "notAfter": conditions.not_after.map(utc),
            "ends": rights::end(license, name).map(utc),
            "countsLeft": state.counts_left,
            "firstUse": state.first_use.map(utc),
        })
    };
    json!({
        "kid": policy.kid.to_hex(),
        "lid": policy.lid.to_hex(),
        "title": title,
        "issuer": policy.issuer.to_hex(),
        "mayBackUp": policy.may_back_up(),
        "usable": obstacle.is_none(),
        "ended": obstacle.is_some_and(standing::is_final),
        "status": obstacle.map_or("usable", standing::word),
        "actions": policy.actions.iter().map(action).collect::<Vec<_>>(),
    })
}
