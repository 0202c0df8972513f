//! `wmlicense list`.

use crate::failure::Failure;
use crate::open;
use crate::output::Output;
use crate::text::count;
use crate::text::plain;
use serde_json::{Value, json};
use std::path::Path;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use wmlicense_core::client::Client;
use wmlicense_core::license::StoredLicense;
use wmlicense_core::store::Filter;

pub(crate) fn run(store: &Path) -> Result<Output, Failure> {
    let client = open::open(store)?;
    let mut text = String::new();
    let mut licenses = Vec::new();
    let mut after = None;
    while let Some(license) = client.store.next_license(&Filter::default(), after)? {
        after = Some((license.policy.kid, license.policy.lid));
        let title = client.store.title(license.policy.kid)?;
        text.push_str(&line(&license, title.as_deref()));
        licenses.push(object(&license, title.as_deref()));
    }
    text.push_str(&count(licenses.len() as u64, "license"));
    let pending = pending(&client)?;
    if pending > 0 {
        text.push_str(&format!(", {} waiting for an answer", count(pending, "request")));
    }
    Ok(Output::done(text, json!({ "licenses": licenses, "pendingRequests": pending })))
}

fn pending(client: &Client) -> Result<u64, Failure> {
    Ok(client.store.pending_count()?)
}

fn line(license: &StoredLicense, title: Option<&str>) -> String {
    let policy = &license.policy;
    let actions: Vec<String> = policy.actions.iter().map(|(action, _)| action_text(license, action)).collect();
    let backup = if policy.may_back_up() { "" } else { "  no backup" };
    let title = title.map_or_else(String::new, |title| format!("  {}", plain(title)));
    format!("{}  {}{backup}{title}\n", policy.kid, actions.join(", "))
}

/// An action with what is left of it.
fn action_text(license: &StoredLicense, action: &str) -> String {
    let action_name = plain(action);
    let Some(state) = &license.state else { return format!("{action_name} (unusable: its state is lost)") };
    let left = state.actions.get(action).and_then(|state| state.counts_left);
    let ends = license.policy.action(action).and_then(|conditions| conditions.not_after);
    let notes: Vec<String> = left
        .map(|left| format!("{left} left"))
        .into_iter()
        .chain(ends.map(|end| format!("until {}", utc(end))))
        .collect();
    if notes.is_empty() { action_name } else { format!("{action_name} ({})", notes.join(", ")) }
}

fn object(license: &StoredLicense, title: Option<&str>) -> Value {
    let policy = &license.policy;
    let action = |(name, conditions): &(String, wmlicense_wire::policy::Conditions)| -> Value {
        let state = license.state.as_ref().and_then(|state| state.actions.get(name)).copied().unwrap_or_default();
        json!({
            "action": name,
            "notBefore": conditions.not_before.map(utc),
            "notAfter": conditions.not_after.map(utc),
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
        "usable": license.state.is_some(),
        "actions": policy.actions.iter().map(action).collect::<Vec<_>>(),
    })
}

/// A time as RFC 3339 has it; a time that no calendar has as its seconds.
pub(crate) fn utc(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{seconds} s"))
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_800_000_000), "2027-01-15T08:00:00Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59Z");
        assert_eq!(utc(253_402_300_799), "9999-12-31T23:59:59Z");
        assert_eq!(utc(i64::MAX), format!("{} s", i64::MAX));
    }
}
