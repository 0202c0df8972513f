//! Mending the store: damaged licenses go into quarantine, and rows that were changed from outside are replaced by ones
//! that grant nothing. No repair gives a right back.

use super::check::{Damaged, changed_buckets, lids};
use crate::store::head::Head;
use crate::store::integrity::{Integrity, Row, Table};
use crate::store::records::removal::remove;
use crate::store::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension as _};
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::Policy;

/// What a repair did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repair {
    /// Licenses that were taken out of use; their rows are kept aside.
    pub quarantined: u64,
    /// Licenses that count as used up, because nobody can say what was left of them.
    pub used_up: u64,
}

impl Store {
    /// Makes the indexes of the database anew.
    pub(crate) fn rebuild_indexes(&self) -> Result<(), StoreError> {
        self.inner.write(|connection| Ok(connection.execute_batch("REINDEX")?))
    }

    /// Mends what a check found, in one commit. Licenses that others may have removed meanwhile are passed over.
    /// A store whose authenticated rows were changed gets a new ID: what backups made before say of counters and
    /// removals is then compared with the service's word, because the store's own memory of them had holes.
    pub fn repair(&self, damaged: &[Damaged]) -> Result<Repair, StoreError> {
        let inner = &*self.inner;
        let now = inner.clock.now();
        inner.write(|connection| {
            let mut head = Head::load(connection, &inner.integrity)?;
            let mut repair = Repair::default();
            for damaged in damaged.iter().filter(|damaged| damaged.fault != crate::event::LicenseFault::StateLost) {
                repair.quarantined += set_aside(connection, damaged, now)?;
            }
            let changed = changed_buckets(&head, connection, &inner.integrity)?;
            for bucket in &changed {
                repair.used_up += mend_bucket(connection, &inner.integrity, *bucket, now)?;
                head.accept_bucket(connection, &inner.integrity, *bucket)?;
            }
            if !changed.is_empty() {
                head.rename()?;
            }
            head.save(connection, &inner.integrity)?;
            Ok(repair)
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

/// Moves a license's row out of use; 0 if it is gone.
fn set_aside(connection: &Connection, damaged: &Damaged, now: i64) -> Result<u64, StoreError> {
    let moved = connection
        .prepare_cached(
            "INSERT INTO quarantine (license, found_at, fault, kid, lid, wrapped, policy, binding)
             SELECT id, ?2, ?3, kid, lid, wrapped, policy, binding FROM license WHERE id = ?1",
        )?
        .execute((damaged.row, now, damaged.fault as i64))?;
    remove(connection, damaged.row)?;
    Ok(moved as u64)
}

/// Replaces the rows of a bucket, of which some were changed, put back or taken away, by ones that grant nothing.
fn mend_bucket(connection: &Connection, integrity: &Integrity, bucket: u8, now: i64) -> Result<u64, StoreError> {
    let mut used_up = 0;
    for lid in lids(connection, Table::Tombstone, bucket)? {
        if let Row::Changed = integrity.row(connection, Table::Tombstone, lid)? {
            forbid(connection, integrity, lid, now)?;
        }
    }
    for lid in lids(connection, Table::State, bucket)? {
        let left = match (integrity.row(connection, Table::State, lid)?, stored_policy(connection, lid)?) {
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
    for (lid, policy) in stored_policies(connection, bucket)? {
        if policy.is_stateful()
            && let Row::Missing = integrity.row(connection, Table::State, lid)?
        {
            let left = nothing_left(State::initial(&policy));
            integrity.write_row(connection, Table::State, lid, &left.encode())?;
            used_up += 1;
        }
    }
    Ok(used_up)
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

fn stored_policy(connection: &Connection, lid: Lid) -> Result<Option<Policy>, StoreError> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT policy FROM license WHERE lid = ?1")?
        .query_row([lid.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(bytes.map(|bytes| Policy::decode(&bytes)).transpose()?)
}

fn stored_policies(connection: &Connection, bucket: u8) -> Result<Vec<(Lid, Policy)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT policy FROM license WHERE lid >= ?1 AND lid <= ?2 ORDER BY lid")?;
    let mut rows = statement.query(crate::store::integrity::bucket_bounds(bucket))?;
    let mut policies = Vec::new();
    while let Some(row) = rows.next()? {
        let policy = Policy::decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
        policies.push((policy.lid, policy));
    }
    Ok(policies)
}
