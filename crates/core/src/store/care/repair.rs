//! Mending the store: damaged licenses go into quarantine, and rows that were changed from outside are replaced by ones
//! that grant nothing. No repair gives a right back.

use super::check::{Damaged, Walk, changed_buckets, lids};
use super::rebuild::rebuild;
use crate::store::head::Head;
use crate::store::index::Index;
use crate::store::integrity::{Integrity, Row, Table};
use crate::store::records::at_rest::{batch_of, place_in};
use crate::store::records::pages::{self, PageRow, Stored, cut_out, drop_if_empty, policy_of};
use crate::store::records::section::section_id;
use crate::store::{Store, StoreError};
use rusqlite::Connection;
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::Policy;

const JOIN_SECTIONS: &str = "
UPDATE page SET section = (
    SELECT min(other.id) FROM section AS own JOIN section AS other
    ON other.authority = own.authority AND other.management IS own.management AND other.user IS own.user
    WHERE own.id = page.section)
WHERE section IN (
    SELECT own.id FROM section AS own JOIN section AS other
    ON other.authority = own.authority AND other.management IS own.management AND other.user IS own.user
    WHERE other.id < own.id);
DELETE FROM section WHERE id NOT IN (SELECT section FROM page WHERE section IS NOT NULL);
";

/// What a repair did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repair {
    /// Licenses that were taken out of use; their rows are kept aside.
    pub quarantined: u64,
    /// Licenses that count as used up, because nobody can say what was left of them.
    pub used_up: u64,
}

impl Store {
    /// Makes the indexes of the database and that of the licenses anew.
    pub(crate) fn rebuild_indexes(&self) -> Result<(), StoreError> {
        let inner = &*self.inner;
        inner.write(|connection| {
            connection.execute_batch("REINDEX")?;
            rebuild(connection, &inner.index)
        })
    }

    /// Takes damaged licenses out of use, in one commit, and gives their number. Licenses that others may have removed meanwhile
    /// are passed over, and those that lost no more than their state stay.
    pub(crate) fn quarantine(&self, damaged: &[Damaged]) -> Result<u64, StoreError> {
        let inner = &*self.inner;
        let now = inner.clock.now();
        // What is looked up here may be undone, and is nobody else's.
        let index = Index::of(inner.device.store_key());
        inner.write(|connection| {
            let mut quarantined = 0;
            for damaged in damaged.iter().filter(|damaged| damaged.fault != crate::event::LicenseFault::StateLost) {
                quarantined += set_aside(connection, damaged, now)?;
            }
            if quarantined > 0 {
                // What a damaged license was found by is not known.
                rebuild(connection, &index)?;
            }
            Ok(quarantined)
        })
    }

    /// Lets the rows of pages say again what their licenses say, in one commit; false if none of them was found mislabelled.
    pub(crate) fn relabel(&self, walk: &mut Walk) -> Result<bool, StoreError> {
        let labels = std::mem::take(&mut walk.mislabelled);
        if labels.is_empty() {
            return Ok(false);
        }
        self.inner.write(|connection| {
            let mut put = connection.prepare("UPDATE page SET section = ?2, stateful = ?3 WHERE id = ?1")?;
            for (page, section, stateful) in &labels {
                let section = section.as_ref().map(|section| section_id(connection, section)).transpose()?;
                put.execute((page, section, stateful))?;
            }
            // A row that was made another one's double would hide that one's pages, and one that nothing is in is nobody's.
            connection.execute_batch(JOIN_SECTIONS)?;
            Ok(true)
        })
    }

    /// Mends the authenticated rows that were changed, in one commit, and gives the number of licenses that count as used up for it.
    /// The index must be sound: a license that it does not find is taken for one that is not there.
    /// A store whose rows were changed gets a new ID: what backups made before say of counters and removals is then compared with
    /// the service's word, because the store's own memory of them had holes.
    pub(crate) fn mend_rows(&self) -> Result<u64, StoreError> {
        let inner = &*self.inner;
        let now = inner.clock.now();
        let index = Index::of(inner.device.store_key());
        inner.write(|connection| {
            let mut head = Head::load(connection, &inner.integrity)?;
            let changed = changed_buckets(&head, connection, &inner.integrity)?;
            let mut used_up = 0;
            for bucket in &changed {
                used_up += mend_bucket(connection, (&inner.integrity, &index), *bucket, now)?;
            }
            if !changed.is_empty() {
                used_up += use_up_lost(connection, &inner.integrity, &changed)?;
                head.rename()?;
            }
            for bucket in changed {
                head.accept_bucket(connection, &inner.integrity, bucket)?;
            }
            head.save(connection, &inner.integrity)?;
            Ok(used_up)
        })
    }

    /// Number of licenses in quarantine.
    pub fn quarantined(&self) -> Result<u64, StoreError> {
        self.inner.readers.with(|connection| {
            let count: i64 = connection.query_row("SELECT count(*) FROM quarantine", [], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }
}

/// Moves a license out of use, or a page that cannot be read; 0 if it is gone. Its state stays.
fn set_aside(connection: &Connection, damaged: &Damaged, now: i64) -> Result<u64, StoreError> {
    let sql = format!("SELECT {} FROM page WHERE id = ?1", pages::COLUMNS);
    let mut find = connection.prepare(&sql)?;
    let mut rows = find.query([damaged.page])?;
    let Some(row) = rows.next()? else { return Ok(0) };
    let page = PageRow::read(row)?;
    let fault = damaged.fault as i64;
    let mut put = connection.prepare_cached(
        "INSERT INTO quarantine (license, found_at, fault, kid, lid, wrapped, policy, binding, key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let Some(index) = damaged.index else {
        // A page that cannot be read stands where a policy would.
        let place = place_in(page.id, 0);
        let none: &[u8] = &[];
        put.execute((place, now, fault, [0; 16], [0; 16], none, page.licenses, none, page.key))?;
        connection.prepare_cached("DELETE FROM page WHERE id = ?1")?.execute([page.id])?;
        drop_if_empty(connection, batch_of(page.id))?;
        return Ok(1);
    };
    let Some(license) = page.view().ok().and_then(|view| view.find(index)) else { return Ok(0) };
    let (policy, binding) = license.parts().unwrap_or((license.license, &[]));
    let lid = Policy::decode(policy).map_or([0; 16], |policy| *policy.lid.as_bytes());
    let place = place_in(page.id, index);
    put.execute((place, now, fault, damaged.kid.as_bytes(), lid, license.wrapped, policy, binding, page.key))?;
    cut_out(connection, page.id, index)?;
    drop_if_empty(connection, batch_of(page.id))?;
    Ok(1)
}

/// Replaces the rows of a bucket, of which some were changed, put back or taken away, by ones that grant nothing.
fn mend_bucket(
    connection: &Connection,
    (integrity, index): (&Integrity, &Index),
    bucket: u8,
    now: i64,
) -> Result<u64, StoreError> {
    let mut used_up = 0;
    for lid in lids(connection, Table::Tombstone, bucket)? {
        if let Row::Changed = integrity.row(connection, Table::Tombstone, lid)? {
            forbid(connection, integrity, lid, now)?;
        }
    }
    for lid in lids(connection, Table::State, bucket)? {
        let left = match (integrity.row(connection, Table::State, lid)?, stored_policy(connection, index, lid)?) {
            (_, Some(policy)) => State::initial(&policy),
            (Row::Sound(content), None) => State::decode(&content)?,
            (Row::Changed | Row::Missing, None) => {
                // Whose state it was is not known, so it may not come back at all.
                connection.prepare_cached("DELETE FROM state WHERE lid = ?1")?.execute([lid.as_bytes()])?;
                forbid(connection, integrity, lid, now)?;
                continue;
            }
        };
        integrity.write_row(connection, Table::State, lid, &nothing_left(left).encode())?;
        used_up += 1;
    }
    Ok(used_up)
}

/// Gives licenses that count and lost their state in one of these buckets a state that grants nothing.
fn use_up_lost(connection: &Connection, integrity: &Integrity, buckets: &[u8]) -> Result<u64, StoreError> {
    let sql = format!("SELECT {} FROM page WHERE stateful ORDER BY id", pages::COLUMNS);
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut used_up = 0;
    while let Some(row) = rows.next()? {
        // What is damaged since the check is told by the next one.
        let Ok(view) = PageRow::read(row)?.view() else { continue };
        for policy in view.licenses().filter_map(|license| policy_of(&license).ok()) {
            if buckets.contains(&policy.lid.as_bytes()[0])
                && policy.is_stateful()
                && let Row::Missing = integrity.row(connection, Table::State, policy.lid)?
            {
                let left = nothing_left(State::initial(&policy));
                integrity.write_row(connection, Table::State, policy.lid, &left.encode())?;
                used_up += 1;
            }
        }
    }
    Ok(used_up)
}

fn stored_policy(connection: &Connection, index: &Index, lid: Lid) -> Result<Option<Policy>, StoreError> {
    let places = index.places(connection, index.lid(lid))?;
    Ok(Stored::with_lid(connection, &places, lid)?.map(|stored| stored.policy))
}

fn forbid(connection: &Connection, integrity: &Integrity, lid: Lid, now: i64) -> Result<(), StoreError> {
    let tombstone = Tombstone { lid, issuer: Tombstone::EVERY_ISSUER, removed_at: now };
    integrity.write_row(connection, Table::Tombstone, lid, &tombstone.encode())?;
    Ok(())
}

/// The strictest state of the same actions: no counts, and a first use so long ago that its time is over.
fn nothing_left(mut state: State) -> State {
    for left in state.actions.values_mut() {
        *left = ActionState { counts_left: left.counts_left.map(|_| 0), first_use: Some(0) };
    }
    state
}
