//! What the owner's commands change of what is offered: content, policies, subscriptions.

use super::audit::note;
use super::revocations::next_catalogue_mark;
use super::rows::Rows;
use super::{End, Pending, Store, StoreError};
use crate::rules::audit::{Act, Acting};
use crate::rules::catalogue::{self, Added, Changes, NewContent, NewSubscription};
use crate::rules::granted::audience;
use crate::rules::rows::ContentRow;
use std::collections::{BTreeSet, HashMap};
use wmlicense_wire::id::Kid;

/// Content that is to be added, and how.
#[derive(Debug, Clone)]
pub(crate) struct Adding {
    /// The command, by its words.
    pub(crate) act: &'static str,
    pub(crate) contents: Vec<NewContent>,
    /// Known key IDs whose keys the caller compared, and which are equal.
    pub(crate) same: Vec<Kid>,
    /// What is there may get other terms, or be for others.
    pub(crate) replace: bool,
    /// Nothing is written: what would change is told.
    pub(crate) dry: bool,
}

/// A content key under the master key.
type SealedKey = Vec<u8>;

impl Store {
    /// Adds content, or tells what that would change.
    pub(crate) fn add(&self, adding: Adding, by: impl Into<Acting>) -> Pending<'_, Added> {
        self.write_once((adding, by.into()), |(adding, by), rows| Box::pin(add_content(rows, adding, by)))
    }

    /// The sealed keys of content that is handed out, which is written down; the first key ID of which there is no content.
    pub(crate) fn hand_out(&self, kids: Vec<Kid>, by: impl Into<Acting>) -> Pending<'_, Result<Vec<SealedKey>, Kid>> {
        self.write_once((kids, by.into()), |(kids, by), rows| {
            Box::pin(async move {
                let found = rows.contents(kids).await?.into_iter().map(|row| (row.kid, row.sealed_key));
                let found: HashMap<Kid, SealedKey> = found.collect();
                let sealed: Vec<_> = match kids.iter().map(|kid| found.get(kid).cloned().ok_or(*kid)).collect() {
                    Ok(sealed) => sealed,
                    Err(missing) => return Ok(End::Undo(Err(missing))),
                };
                // Each by its ID: who looks for a key that got out asks for that.
                let each = kids.iter().map(Kid::to_hex).collect::<Vec<_>>().join(" ");
                let became = (kids.len() > 1).then_some(each);
                note(rows, by, Act { act: "content export", about: named(kids), was: None, became }).await?;
                Ok(End::Keep(Ok(sealed)))
            })
        })
    }

    /// Forgets content; the number of key IDs that were there.
    pub(crate) fn remove_content(&self, kids: Vec<Kid>, by: impl Into<Acting>) -> Pending<'_, u64> {
        self.write_once((kids, by.into()), |(kids, by), rows| {
            Box::pin(async move {
                let mark = next_catalogue_mark(rows, by.now).await?;
                let was = rows.contents(kids).await?;
                rows.note_left(&scoped(was.iter()), mark).await?;
                let was = match was.as_slice() {
                    [] => None,
                    [row] => Some(told(row.policy.as_ref(), row.scope.as_ref(), row.title.as_ref())),
                    rows => Some(format!("{} key IDs", rows.len())),
                };
                let removed = rows.remove_contents(kids).await?;
                note(rows, by, Act { act: "content remove", about: named(kids), was, became: None }).await?;
                Ok(End::Keep(removed))
            })
        })
    }

    /// Adds a subscription or changes policy and scope of the one of this name. Gives its key ID and whether it is new.
    pub(crate) fn set_subscription(
        &self,
        subscription: NewSubscription,
        by: impl Into<Acting>,
    ) -> Pending<'_, (Kid, bool)> {
        self.write_once((subscription, by.into()), |(subscription, by), rows| {
            Box::pin(async move {
                let mark = next_catalogue_mark(rows, by.now).await?;
                let known = rows.subscription(&subscription.name).await?;
                let new = known.is_none();
                let was = known.as_ref().map(|row| told(row.policy.as_ref(), row.scope.as_ref(), None));
                let row = catalogue::subscribe(subscription.clone(), known);
                rows.put_subscription(&row, mark, by.now).await?;
                let became = Some(told(row.policy.as_ref(), row.scope.as_ref(), None));
                note(rows, by, Act { act: "subscription add", about: Some(row.name.clone()), was, became }).await?;
                Ok(End::Keep((row.kid, new)))
            })
        })
    }

    /// Writes a policy; true if it is new.
    pub(crate) fn set_policy(
        &self,
        name: String,
        definition: String,
        subscription: Option<String>,
        by: impl Into<Acting>,
    ) -> Pending<'_, bool> {
        self.write_once((name, definition, subscription, by.into()), |(name, definition, subscription, by), rows| {
            Box::pin(async move {
                let mark = next_catalogue_mark(rows, by.now).await?;
                let was = rows.policy(name).await?;
                rows.put_policy(name, definition, subscription.as_deref(), mark, by.now).await?;
                let (new, became) = (was.is_none(), Some(definition.clone()));
                note(rows, by, Act { act: "policy set", about: Some(name.clone()), was, became }).await?;
                Ok(End::Keep(new))
            })
        })
    }

    /// The definition of a policy.
    pub(crate) fn policy(&self, name: String) -> Pending<'_, Option<String>> {
        self.read(name, |name, rows| rows.policy(name))
    }
}

async fn add_content(rows: &mut dyn Rows, adding: &Adding, by: &Acting) -> Result<End<Added>, StoreError> {
    let Adding { act, contents, same, replace, dry } = adding;
    // First, because what is there is read under the lock of the mark.
    let mark = next_catalogue_mark(rows, by.now).await?;
    let mut seen = BTreeSet::new();
    for name in contents.iter().filter_map(|content| content.policy.as_deref()).filter(|name| seen.insert(*name)) {
        if rows.policy(name).await?.is_none() {
            return Ok(End::Undo(Added::NoPolicy(name.to_owned())));
        }
    }
    let kids: Vec<Kid> = contents.iter().map(|content| content.kid).collect();
    let known = rows.contents(&kids).await?;
    let was = match (known.as_slice(), kids.as_slice()) {
        ([row], [_]) => Some(told(row.policy.as_ref(), row.scope.as_ref(), row.title.as_ref())),
        _ => None,
    };
    let before = known.clone();
    let (content, changes) = match catalogue::add(contents, known, same) {
        Ok(added) => added,
        Err(known) => return Ok(End::Undo(Added::Existing(known))),
    };
    if *dry {
        return Ok(End::Undo(Added::Done(changes)));
    }
    if !replace && !changes.moved.is_empty() {
        return Ok(End::Undo(Added::Moves(changes)));
    }
    rows.note_left(&moving(&before, &content), mark).await?;
    rows.put_contents(&content, mark, by.now).await?;
    let became = match (contents.as_slice(), content.as_slice()) {
        ([_], [row]) => told(row.policy.as_ref(), row.scope.as_ref(), row.title.as_ref()),
        _ => counted(&changes),
    };
    note(rows, by, Act { act, about: named(&kids), was, became: Some(became) }).await?;
    Ok(End::Keep(Added::Done(changes)))
}

/// Content with its scope; empty: open to all.
fn scoped<'a>(rows: impl Iterator<Item = &'a ContentRow>) -> Vec<(String, Kid)> {
    rows.map(|row| (row.scope.clone().unwrap_or_default(), row.kid)).collect()
}

/// Content that leaves its scope where it becomes what is written.
fn moving(before: &[ContentRow], written: &[ContentRow]) -> Vec<(String, Kid)> {
    let written: HashMap<Kid, &ContentRow> = written.iter().map(|row| (row.kid, row)).collect();
    scoped(before.iter().filter(|row| written.get(&row.kid).is_some_and(|to| to.scope != row.scope)))
}

/// What an act on key IDs was about.
fn named(kids: &[Kid]) -> Option<String> {
    Some(match kids {
        [kid] => kid.to_hex(),
        kids => format!("{} key IDs", kids.len()),
    })
}

fn told(policy: Option<&String>, scope: Option<&String>, title: Option<&String>) -> String {
    let policy = policy.map_or("no policy".to_owned(), |name| format!("policy {name}"));
    let scope = audience(scope.map(String::as_str));
    let title = title.map(|title| format!(", title {title}"));
    format!("{policy}, {scope}{}", title.unwrap_or_default())
}

fn counted(changes: &Changes) -> String {
    let Changes { new, unchanged, retitled, moved } = changes;
    let mut text =
        format!("{new} new, {unchanged} unchanged, {retitled} with another title, {} moved", changes.moves());
    for ((from, to), count) in moved {
        let (from, to) =
            (told(from.policy.as_ref(), from.scope.as_ref(), None), told(to.policy.as_ref(), to.scope.as_ref(), None));
        text.push_str(&format!("; {count} from {from} to {to}"));
    }
    text
}
