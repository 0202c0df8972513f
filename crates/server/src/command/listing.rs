//! What the commands list: as a table for people, as JSON for programs, whole or page by page.

use super::error::{CommandError, plain};
use super::{Data, List, Opened, print, time};
use crate::clock::{Clock as _, SystemClock};
use crate::owner::told::{Told, names, object};
use crate::store::cursor;
use crate::store::{
    AccountEntry, AuditFilter, AuditRow, ContentEntry, DeviceEntry, Filter, LicenseEntry, Listed, OrderEntry,
    RestoreEntry, SubscriptionEntry,
};
use clap::Args;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use wmlicense_wire::id::{DeviceId, Kid};

/// Rows that are read at once where they are printed line by line.
const CHUNK: usize = 4096;

/// How rows are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Table,
    /// An array of objects.
    Json,
    /// An object a line.
    Lines,
}

impl Format {
    /// JSON, or a table.
    pub(super) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Table }
    }
}

/// How a list is printed, and which part of it.
#[derive(Args)]
pub(super) struct Pages {
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
    /// Print JSON, an object a line. With --limit, and where more rows follow, the last line is {"cursor": TEXT}.
    #[arg(long, conflicts_with = "json")]
    json_lines: bool,
    /// Print so many rows at most; where more follow, standard error says with which cursor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Go on behind the last row of the page before. Rows that came or went meanwhile move no others.
    #[arg(long, value_name = "TEXT")]
    cursor: Option<String>,
}

/// From when to when.
#[derive(Args)]
pub(super) struct Times {
    /// From this time on, as 2027-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
}

impl Times {
    pub(super) fn bounds(&self) -> (Option<i64>, Option<i64>) {
        (self.since, self.until)
    }
}

/// A list of licenses, restores, devices or content, and which rows of it.
#[derive(Args)]
pub(super) struct Facts {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    pages: Pages,
    /// Of this account; of content, what it may have.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// On this device.
    #[arg(long, value_name = "HEX", value_parser = DeviceId::from_hex)]
    device: Option<DeviceId>,
    /// For this key ID.
    #[arg(long, value_name = "HEX", value_parser = Kid::from_hex)]
    kid: Option<Kid>,
    #[command(flatten)]
    times: Times,
}

/// The same, for lists that have titles.
#[derive(Args)]
pub(super) struct Titled {
    #[command(flatten)]
    facts: Facts,
    /// Titles that have this text in them, in capitals or not.
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
}

/// The same for content.
#[derive(Args)]
pub(super) struct Scoped {
    #[command(flatten)]
    titled: Titled,
    /// Content of this scope.
    #[arg(long, value_name = "NAME")]
    scope: Option<String>,
}

/// What was done in the owner's name, and which of it.
#[derive(Args)]
pub(super) struct Audited {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    pages: Pages,
    /// What this user did.
    #[arg(long, value_name = "USER")]
    who: Option<String>,
    /// Commands that begin with these words, such as "account" or "account remove".
    #[arg(long, value_name = "WORDS")]
    act: Option<String>,
    /// What has this text in its subject, in capitals or not.
    #[arg(long, value_name = "TEXT")]
    about: Option<String>,
    #[command(flatten)]
    times: Times,
}

/// Prints rows.
pub(super) fn show(format: Format, columns: &[&str], rows: Vec<Vec<Value>>) -> Result<(), CommandError> {
    match format {
        Format::Json => print(&Value::Array(rows.into_iter().map(|row| object(columns, row)).collect()).to_string()),
        Format::Lines => rows.into_iter().try_for_each(|row| print(&object(columns, row).to_string())),
        Format::Table => table(columns, &rows),
    }
}

fn table(columns: &[&str], rows: &[Vec<Value>]) -> Result<(), CommandError> {
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
        Value::Array(values) if values.is_empty() => "-".to_owned(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    plain(&text)
}

/// Prints a list, or the page of it that was asked for.
pub(super) fn list<T: Listed + Told + Send + 'static>(
    opened: &Opened,
    pages: &Pages,
    filter: T::Filter,
) -> Result<(), CommandError> {
    let (columns, now) = (&*names::<T>(), SystemClock.now());
    let row = |row: T| row.cells(now);
    let behind = pages.cursor.as_deref().map(|text| cursor::from_text(T::LIST, text).ok_or(CommandError::Cursor));
    let mut behind: Option<T::Key> = behind.transpose()?;
    let Some(limit) = pages.limit else {
        if !pages.json_lines {
            let rows: Vec<T> = opened.wait(opened.store.listed(filter, behind, usize::MAX))?;
            return show(Format::of(pages.json), columns, rows.into_iter().map(row).collect());
        }
        loop {
            let rows: Vec<T> = opened.wait(opened.store.listed(filter.clone(), behind, CHUNK))?;
            behind = rows.last().map(T::key);
            let is_last = rows.len() < CHUNK;
            show(Format::Lines, columns, rows.into_iter().map(row).collect())?;
            if is_last {
                return Ok(());
            }
        }
    };
    // One more than asked for tells whether more follow.
    let limit = limit as usize;
    let mut rows: Vec<T> = opened.wait(opened.store.listed(filter, behind, limit + 1))?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let cursor = rows.last().filter(|_| more).map(|last| cursor::to_text(T::LIST, &last.key()));
    let format = if pages.json_lines { Format::Lines } else { Format::of(pages.json) };
    show(format, columns, rows.into_iter().map(row).collect())?;
    match (cursor, format) {
        (None, _) => Ok(()),
        (Some(cursor), Format::Lines) => print(&json!({ "cursor": cursor }).to_string()),
        (Some(cursor), Format::Table | Format::Json) => Ok(writeln!(std::io::stderr(), "more: --cursor {cursor}")?),
    }
}

impl Facts {
    /// The database and which rows are meant; an account that never was is said to be none.
    fn opened(&self, title: Option<&String>, scope: Option<&String>) -> Result<(Opened, Filter), CommandError> {
        let opened = Opened::new(&self.data)?;
        if let Some(name) = &self.account {
            let named = Filter { account: Some(name.clone()), removed: true, ..Filter::default() };
            if opened.wait(opened.store.listed::<AccountEntry>(named, None, 1))?.is_empty() {
                return Err(CommandError::NoAccount(name.clone()));
            }
        }
        let Self { account, device, kid, times, .. } = self;
        let (since, until) = times.bounds();
        let (account, title, scope) = (account.clone(), title.cloned(), scope.cloned());
        Ok((opened, Filter { account, device: *device, kid: *kid, title, scope, since, until, removed: false }))
    }
}

pub(super) fn contents(asked: &Scoped) -> Result<(), CommandError> {
    let Titled { facts, title } = &asked.titled;
    let (opened, filter) = facts.opened(title.as_ref(), asked.scope.as_ref())?;
    list::<ContentEntry>(&opened, &facts.pages, filter)
}

pub(super) fn accounts(opened: &Opened, pages: &Pages, filter: Filter) -> Result<(), CommandError> {
    list::<AccountEntry>(opened, pages, filter)
}

pub(super) fn licenses(asked: &Titled) -> Result<(), CommandError> {
    let (opened, filter) = asked.facts.opened(asked.title.as_ref(), None)?;
    list::<LicenseEntry>(&opened, &asked.facts.pages, filter)
}

pub(super) fn restores(asked: &Titled) -> Result<(), CommandError> {
    let (opened, filter) = asked.facts.opened(asked.title.as_ref(), None)?;
    list::<RestoreEntry>(&opened, &asked.facts.pages, filter)
}

pub(super) fn devices(asked: &Facts) -> Result<(), CommandError> {
    let (opened, filter) = asked.opened(None, None)?;
    list::<DeviceEntry>(&opened, &asked.pages, filter)
}

pub(super) fn audit(asked: Audited) -> Result<(), CommandError> {
    let Audited { data, pages, who, act, about, times } = asked;
    let (since, until) = times.bounds();
    let filter = AuditFilter { who, act, about, since, until };
    list::<AuditRow>(&Opened::new(&data)?, &pages, filter)
}

pub(super) fn orders(opened: &Opened, pages: &Pages) -> Result<(), CommandError> {
    list::<OrderEntry>(opened, pages, ())
}

/// Prints all of some rows.
pub(super) fn show_rows<T: Told>(format: Format, rows: Vec<T>) -> Result<(), CommandError> {
    let now = SystemClock.now();
    show(format, &names::<T>(), rows.into_iter().map(|row| row.cells(now)).collect())
}

pub(super) fn subscriptions(list: &List) -> Result<(), CommandError> {
    show_rows(Format::of(list.json), Opened::new(&list.data)?.all::<SubscriptionEntry>()?)
}

pub(super) fn policies(list: &List) -> Result<(), CommandError> {
    show_rows(Format::of(list.json), Opened::new(&list.data)?.all::<(String, i64)>()?)
}

pub(super) fn stats(list: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    let rows = opened.wait(opened.store.stats())?;
    if list.json {
        let counts: Map<_, _> = rows.into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect();
        return print(&json!(counts).to_string());
    }
    let rows = rows.into_iter().map(|(name, count)| vec![json!(name), json!(count)]);
    show(Format::Table, &["what", "count"], rows.collect())
}
