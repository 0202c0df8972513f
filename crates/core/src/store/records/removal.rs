//! Removing licenses without an answer of a service or a backup. What was used of them stays known.

use super::at_rest::{place, row_id};
use crate::store::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension as _};
use wmlicense_wire::id::Kid;
use wmlicense_wire::policy::Policy;

impl Store {
    /// Removes the licenses of a key ID and gives their number. What was used of them stays known: one that comes again, from
    /// a service or a backup, goes on from there. [`Self::give_back`] removes them for good.
    pub fn delete(&self, kid: Kid) -> Result<u64, StoreError> {
        self.inner.write(|connection| {
            let ids: Vec<i64> = connection
                .prepare_cached("SELECT id FROM license WHERE kid = ?1")?
                .query_map([kid.as_bytes()], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for id in &ids {
                remove(connection, *id)?;
            }
            Ok(ids.len() as u64)
        })
    }
}

/// Removes a license's row, and its batch when that was the last one.
pub(in crate::store) fn remove(connection: &Connection, id: i64) -> Result<(), StoreError> {
    let (batch, _) = place(id);
    note_removed(connection, id, batch)?;
    connection.prepare_cached("DELETE FROM license WHERE id = ?1")?.execute([id])?;
    let removed = connection
        .prepare_cached(
            "DELETE FROM batch WHERE id = ?1
             AND NOT EXISTS (SELECT 1 FROM license WHERE license.id >= ?2 AND license.id < ?3)",
        )?
        .execute((batch, row_id(batch, 0), row_id(batch + 1, 0)))?;
    if removed > 0 {
        connection.prepare_cached("DELETE FROM standing WHERE batch = ?1")?.execute([batch])?;
    }
    Ok(())
}

/// Remembers whose license it was whose state stays.
fn note_removed(connection: &Connection, id: i64, batch: i64) -> Result<(), StoreError> {
    const FIND: &str = "SELECT lid, kid, policy, (SELECT authority FROM batch WHERE batch.id = ?1) FROM license
        WHERE id = ?2 AND EXISTS (SELECT 1 FROM state WHERE state.lid = license.lid)";
    const NOTE: &str = "INSERT OR REPLACE INTO removed (lid, kid, authority, issuer) VALUES (?1, ?2, ?3, ?4)";
    type Columns = (Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>);
    let found: Option<Columns> = connection
        .prepare_cached(FIND)?
        .query_row((batch, id), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    // Of a damaged license nobody is told.
    if let Some((lid, kid, policy, Some(authority))) = found
        && let Ok(policy) = Policy::decode(&policy)
    {
        connection.prepare_cached(NOTE)?.execute((lid, kid, authority, policy.issuer.as_bytes()))?;
    }
    Ok(())
}
