//! Looking after the store: checking it, mending it, and clearing it of what is over. What is wrong and how it is mended is
//! the store's matter; this is the operation around it.

use crate::client::Client;
use crate::clock::ClockVerdict;
use crate::event::Event;
use crate::operation::{Cancelled, Context};
use crate::store::{Damaged, Repair, StoreError, Walk};
use rusqlite::InterruptHandle;
use std::sync::Arc;

/// A look at the database that gives what ends it early.
type Look<'l> = dyn FnMut(&mut dyn FnMut(InterruptHandle)) -> Result<(), StoreError> + 'l;

/// Damaged licenses that one repair takes at a time.
const REPAIRED_AT_ONCE: usize = 4096;
/// Licenses that one commit of a cleaning removes.
const REMOVED_AT_ONCE: usize = 4096;

/// The store was not found sound, or could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Cancelled. What was repaired until then stays so.
    #[error("the operation was cancelled")]
    Cancelled,
    /// Some licenses are damaged.
    #[error("{0} licenses are damaged; a repair takes them out of use and leaves the others alone")]
    Licenses(u64),
    /// Rows that say what is left or what was removed were changed from outside.
    #[error("rows were changed from outside; a repair makes the licenses concerned count as used up")]
    Changed,
    /// The database itself is damaged beyond its indexes.
    #[error("the database is damaged: {0}")]
    Database(String),
    /// The store.
    #[error(transparent)]
    Store(StoreError),
}

impl From<Cancelled> for CheckError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<StoreError> for CheckError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(reason) => Self::Database(reason),
            error => Self::Store(error),
        }
    }
}

/// What a check found, and did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Licenses looked at.
    pub licenses: u64,
    /// What was mended.
    pub repair: Repair,
    /// Anything was mended, the database's indexes included.
    pub repaired: bool,
}

/// Checks every page, license and authenticated row. Each damaged license is told as it is found; with `repair`, it is taken
/// out of use and the others stay as they are. Without, a store that is not sound is an error that says what is wrong.
pub fn check(client: &Client, repair: bool, context: &Context) -> Result<Checked, CheckError> {
    context.check()?;
    let mut checked = Checked { repaired: check_database(client, repair, context)?, ..Checked::default() };
    let total = client.store.license_count()?;
    let (mut walk, mut damaged) = (Walk::default(), 0);
    while let Some(found) = client.store.check_licenses(&mut walk)? {
        for license in &found {
            context.emit(Event::DamagedLicense { kid: license.kid, fault: license.fault })?;
        }
        damaged += found.len() as u64;
        if repair {
            take_out(client, &found, &mut walk, &mut checked)?;
        }
        context.progress(walk.seen.min(total), total)?;
    }
    checked.licenses = walk.seen;
    let sound_rows = client.store.check_rows()?;
    let index = look_with(context, &mut |guard| client.store.check_index(guard));
    if repair {
        if let Err(CheckError::Database(_)) = index {
            client.store.rebuild_indexes()?;
            checked.repaired = true;
        } else {
            index?;
        }
        // Whose a changed row is, is looked up in the index: that has to be sound first.
        if !sound_rows {
            checked.repair.used_up = client.store.mend_rows()?;
            checked.repaired = true;
        }
        return Ok(checked);
    }
    match (sound_rows, damaged) {
        (true, 0) if walk.has_mislabelled() => {
            Err(CheckError::Database("pages of licenses are of another section than their licenses".into()))
        }
        (true, 0) => index.map(|()| checked),
        (false, _) => Err(CheckError::Changed),
        (true, damaged) => Err(CheckError::Licenses(damaged)),
    }
}

/// Takes the damaged licenses out of use that a step of the walk found, and mends what rows of pages say.
fn take_out(client: &Client, found: &[Damaged], walk: &mut Walk, checked: &mut Checked) -> Result<(), CheckError> {
    for part in found.chunks(REPAIRED_AT_ONCE) {
        checked.repair.quarantined += client.store.quarantine(part)?;
    }
    checked.repaired |= client.store.relabel(walk)? || checked.repair.quarantined > 0;
    Ok(())
}

/// Lets `look` read for long, until the operation is cancelled.
fn look_with(context: &Context, look: &mut Look<'_>) -> Result<(), CheckError> {
    let mut guard = None;
    let result = look(&mut |handle| guard = Some(context.on_cancel(Arc::new(move || handle.interrupt()))));
    drop(guard);
    context.check()?;
    Ok(result?)
}

/// Checks the database's own structure; true if its indexes had to be made anew.
fn check_database(client: &Client, repair: bool, context: &Context) -> Result<bool, CheckError> {
    let look = || look_with(context, &mut |guard| client.store.check_database(guard));
    match look() {
        Err(CheckError::Database(_)) if repair => {
            client.store.rebuild_indexes()?;
            look()?;
            Ok(true)
        }
        result => result.map(|()| false),
    }
}

/// The store could not be cleared, or not wholly. What was removed until then stays removed.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// Cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Cancelled> for CleanError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// What a cleaning did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Licenses removed.
    pub removed: u64,
}

/// Removes licenses that can never be used again (used up, or ended over 30 days ago) and transactions long over, then gives
/// their room back. What was used of them stays known.
pub fn clean(client: &Client, context: &Context) -> Result<Cleaned, CleanError> {
    context.check()?;
    let store = &client.store;
    // A clock that jumped far ahead takes nothing away until a service confirms it.
    let jumped = store.clock_verdict()? == ClockVerdict::Ahead;
    let total = store.license_count()?;
    let (mut cleaned, mut seen) = (Cleaned::default(), 0);
    let (mut after, mut over) = (None, Vec::new());
    while let Some(license) = store.next_license(&crate::store::Filter::default(), after)? {
        seen += 1;
        let key = (license.policy.kid, license.policy.lid);
        after = Some(key);
        if license.is_over(jumped) {
            over.push(key);
        }
        if over.len() == REMOVED_AT_ONCE {
            cleaned.removed += store.remove_over(&std::mem::take(&mut over))?;
        }
        context.progress(seen.min(total), total)?;
    }
    cleaned.removed += store.remove_over(&over)?;
    if cleaned.removed > 0 {
        store.note_refusal();
    }
    store.remove_old_transactions()?;
    store.compact()?;
    context.check()?;
    Ok(cleaned)
}
