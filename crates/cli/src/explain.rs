//! `wmlicense explain`: for each content, what its licenses permit, what is left, why something is refused and what helps. The
//! sentences are in `explain/sentences.rs`.

mod sentences;

use crate::content;
use crate::failure::{self, Failure};
use crate::open;
use crate::output::Output;
use crate::settings::{Common, Settings, StoreOptions};
use crate::standing;
use crate::text::{plain, utc};
use clap::ValueHint;
use sentences::{Said, ends};
use serde_json::{Value, json};
use std::path::PathBuf;
use wmlicense_core::client::Client;
use wmlicense_core::clock::ClockVerdict;
use wmlicense_core::failure::Explain as _;
use wmlicense_core::license::StoredLicense;
use wmlicense_core::rights::action::{BACKUP, PLAY};
use wmlicense_core::rights::{self, Environment, Refusal, action_name, renew_after};
use wmlicense_core::store::Filter;
use wmlicense_wire::id::Kid;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    store: StoreOptions,
    /// Content: key IDs and media files; all that is stored where none is named.
    #[arg(value_name = "KID|FILE", value_hint = ValueHint::AnyPath)]
    content: Vec<PathBuf>,
    /// What is to be done with it, such as Play, Copy or Backup; may stand more than once. All that the licenses name where
    /// none is given.
    #[arg(long, value_name = "ACTION")]
    action: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Output, Failure> {
    let mut kids = content::kids(&arguments.content)?;
    let client = open::open(&Settings::of_store(common, &arguments.store)?)?;
    if arguments.content.is_empty() {
        kids = all(&client)?;
    }
    let wanted: Vec<&str> = arguments.action.iter().map(|action| action_name(action)).collect();
    let mut text = String::new();
    let mut contents = Vec::new();
    for kid in kids {
        let (lines, object) = of_content(&client, kid, &wanted)?;
        text.push_str(&lines);
        contents.push(object);
    }
    if contents.is_empty() {
        text.push_str("the store holds no license\n");
    }
    let verdict = client.store.clock_verdict()?;
    text.push_str(clock_line(verdict));
    Ok(Output::done(text, json!({ "contents": contents, "clock": clock_word(verdict) })))
}

/// Every key ID of the store.
fn all(client: &Client) -> Result<Vec<Kid>, Failure> {
    let (mut kids, mut after) = (Vec::new(), None);
    while let Some(license) = client.store.next_license(&Filter::default(), after)? {
        let kid = license.policy.kid;
        after = Some((kid, license.policy.lid));
        if kids.last() != Some(&kid) {
            kids.push(kid);
        }
    }
    Ok(kids)
}

fn of_content(client: &Client, kid: Kid, wanted: &[&str]) -> Result<(String, Value), Failure> {
    let licenses = client.store.licenses(kid)?;
    let environment = standing::environment(client, &licenses)?;
    let title = client.store.title(kid)?;
    let shown = title.as_deref().map_or_else(String::new, |title| format!("  {}", plain(title)));
    let mut text = format!("{kid}{shown}\n");
    let mut objects = Vec::new();
    for action in actions(&licenses, wanted) {
        let (lines, object) = of_action(&licenses, kid, &action, &environment);
        text.push_str(&lines);
        objects.push(object);
    }
    let due = licenses.iter().filter_map(|license| renew_after(&license.policy)).min();
    if let Some((time, page)) = due {
        text.push_str(&sentences::renewal(time, page, environment.now));
    }
    let object = json!({
        "kid": kid.to_hex(),
        "title": title,
        "licenses": licenses.len(),
        "actions": objects,
        "renewAfter": due.map(|(time, _)| utc(time)),
        "renewalPage": due.map(|(_, page)| page),
    });
    Ok((text, object))
}

/// The actions to tell of: those that are wanted, else those that the licenses name, and whether a backup takes them.
fn actions(licenses: &[StoredLicense], wanted: &[&str]) -> Vec<String> {
    let mut actions: Vec<String> = wanted.iter().map(|action| (*action).to_owned()).collect();
    if !actions.is_empty() {
        return actions;
    }
    for (action, _) in licenses.iter().flat_map(|license| &license.policy.actions) {
        if !actions.contains(action) {
            actions.push(action.clone());
        }
    }
    match actions.is_empty() {
        true => actions.push(PLAY.to_owned()),
        false => actions.push(BACKUP.to_owned()),
    }
    actions
}

fn of_action(licenses: &[StoredLicense], kid: Kid, action: &str, environment: &Environment) -> (String, Value) {
    let name = plain(action);
    match rights::allowed(licenses, action, environment) {
        Ok(()) => {
            let state = rights::license_state(licenses, action, environment);
            let Said { text, counts_left, not_before, not_after } = sentences::permitted(&state, environment.now);
            let first = if action == BACKUP { "a backup takes it".to_owned() } else { format!("permitted{text}") };
            let object = json!({
                "action": action,
                "permitted": true,
                "text": first,
                "countsLeft": counts_left,
                "notBefore": not_before.map(utc),
                "notAfter": not_after.map(utc),
                "refusals": [],
            });
            (format!("  {name}: {first}\n"), object)
        }
        Err(refusals) => {
            let mut text = String::new();
            let mut objects = Vec::new();
            for refusal in refusals {
                let clause = of_refusal(licenses, action, refusal, environment);
                let help = help(kid, action, refusal);
                text.push_str(&format!("  {name}: refused: {clause}\n"));
                if !help.is_empty() {
                    text.push_str(&format!("    help: {help}\n"));
                }
                objects.push(json!({ "reason": standing::word(refusal), "text": clause, "help": help }));
            }
            let object = json!({
                "action": action,
                "permitted": false,
                "text": "refused",
                "notAfter": ends(licenses, action).map(utc),
                "refusals": objects,
            });
            (text, object)
        }
    }
}

/// The library's clause, with the dates and numbers behind it.
fn of_refusal(licenses: &[StoredLicense], action: &str, refusal: Refusal, environment: &Environment) -> String {
    if action == BACKUP && refusal == Refusal::NoRight {
        return "its terms do not let it into a backup".to_owned();
    }
    let said = refusal.explain().clause().into_owned();
    match sentences::detail(licenses, action, refusal, environment) {
        Some(detail) => format!("{said}: {detail}"),
        None => said,
    }
}

fn help(kid: Kid, action: &str, refusal: Refusal) -> String {
    match refusal {
        Refusal::NoLicense => format!("acquire it with `wmlicense acquire {kid}`"),
        Refusal::NoRight if action == BACKUP => "acquire it again on another device".to_owned(),
        _ => failure::help(&refusal.explain()),
    }
}

/// What the clock is worth, where it keeps something from being used.
fn clock_line(verdict: ClockVerdict) -> &'static str {
    match verdict {
        ClockVerdict::Good | ClockVerdict::Unknown => "",
        ClockVerdict::Behind => "this machine's clock is behind the time that is known to have passed; set it\n",
        ClockVerdict::Ahead => "this machine's clock is over 30 days ahead of what is known; check it\n",
    }
}

fn clock_word(verdict: ClockVerdict) -> &'static str {
    match verdict {
        ClockVerdict::Good => "good",
        ClockVerdict::Unknown => "unknown",
        ClockVerdict::Behind => "behind",
        ClockVerdict::Ahead => "ahead",
    }
}
