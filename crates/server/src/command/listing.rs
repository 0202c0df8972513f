//! What the commands list: as a table for people, as JSON for programs.

use super::{CommandError, List, Opened, plain, print};
use crate::policy::to_rfc3339;
use crate::store::{ContentEntry, DeviceEntry, LicenseEntry, RestoreEntry, SubscriptionEntry};
use serde_json::{Value, json};

/// Prints rows as JSON, or as lines with a heading.
pub(super) fn show(list: &List, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<(), CommandError> {
    if list.json {
        let object = |row: Vec<Value>| {
            columns.iter().zip(row).map(|(name, value)| ((*name).to_owned(), value)).collect::<serde_json::Map<_, _>>()
        };
        let rows: Vec<_> = rows.into_iter().map(object).collect();
        return print(&json!(rows).to_string());
    }
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let head: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    let width = |column: usize| {
        let lengths = cells.iter().chain([&head]).map(|row| row[column].chars().count());
        lengths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    for row in [&head].into_iter().chain(&cells) {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        print(line.join("  ").trim_end())?;
    }
    Ok(())
}

/// A value as people read it.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    plain(&text)
}

pub(super) fn contents(list: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    let rows = opened.all::<ContentEntry>()?.into_iter();
    let rows = rows.map(|row| {
        vec![json!(row.kid.to_hex()), json!(row.title), json!(row.policy), json!(row.scope), json!(row.scope.is_none())]
    });
    show(list, &["kid", "title", "policy", "scope", "open"], rows.collect())
}

pub(super) fn subscriptions(list: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    let rows = opened.all::<SubscriptionEntry>()?.into_iter();
    let rows = rows.map(|row| {
        vec![json!(row.name), json!(row.kid.to_hex()), json!(row.policy), json!(row.scope), json!(row.leaves)]
    });
    show(list, &["name", "kid", "policy", "scope", "leaves"], rows.collect())
}

pub(super) fn policies(list: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    let rows = opened.all::<(String, i64)>()?.into_iter();
    let rows = rows.map(|(name, changed_at)| vec![json!(name), json!(to_rfc3339(changed_at))]);
    show(list, &["name", "changed"], rows.collect())
}

pub(super) fn licenses(list: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    let rows = opened.all::<LicenseEntry>()?.into_iter();
    let rows = rows.map(|row| {
        vec![
            json!(row.lid.to_hex()),
            json!(row.kid.to_hex()),
            json!(row.title),
            json!(row.account),
            json!(row.device.to_hex()),
            json!(row.devices),
            json!(to_rfc3339(row.issued_at)),
            json!(row.returned_at.map(to_rfc3339)),
            json!(row.taken_back),
            json!(row.acknowledged_at.map(to_rfc3339)),
        ]
    });
    let columns =
        ["lid", "kid", "title", "account", "device", "devices", "issued", "returned", "revoked", "acknowledged"];
    show(list, &columns, rows.collect())
}

pub(super) fn restores(list: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    let rows = opened.all::<RestoreEntry>()?.into_iter();
    let rows = rows.map(|row| {
        vec![
            json!(row.lid.to_hex()),
            json!(row.kid.to_hex()),
            json!(row.title),
            json!(row.device.to_hex()),
            json!(row.devices),
            json!(to_rfc3339(row.since)),
        ]
    });
    show(list, &["lid", "kid", "title", "device", "devices", "restored"], rows.collect())
}

pub(super) fn devices(list: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    let rows = opened.all::<DeviceEntry>()?.into_iter();
    let rows = rows.map(|row| {
        vec![
            json!(row.device.to_hex()),
            json!(row.name),
            json!(row.security_version),
            json!(to_rfc3339(row.since)),
            json!(to_rfc3339(row.certified_at)),
            json!(row.revoked_at.map(to_rfc3339)),
            json!(row.reason),
            json!(row.forks),
            json!(row.forked_at.map(to_rfc3339)),
        ]
    });
    let columns = ["device", "name", "securityVersion", "since", "certified", "revoked", "reason", "forks", "lastFork"];
    show(list, &columns, rows.collect())
}

pub(super) fn stats(list: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    let rows = opened.wait(opened.store.stats())?;
    if list.json {
        let counts: serde_json::Map<_, _> =
            rows.into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect();
        return print(&json!(counts).to_string());
    }
    show(list, &["what", "count"], rows.into_iter().map(|(name, count)| vec![json!(name), json!(count)]).collect())
}
