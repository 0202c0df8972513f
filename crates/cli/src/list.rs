//! `wmlicense list`.

use crate::backup::count;
use crate::failure::Failure;
use crate::open;
use crate::output::{Output, plain};
use serde_json::{Value, json};
use std::path::Path;
use wmlicense_core::client::Client;
use wmlicense_core::store::{Filter, StoredLicense};

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
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days from 0000-03-01, so that the leap day is the last of its year (400 years are 146 097 days).
    let days = days.saturating_add(719_468);
    if !(0..3_652_425).contains(&days) {
        return format!("{seconds} s");
    }
    let (era, day) = (days / 146_097, days % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
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
