//! Removing licenses without an answer of a service or a backup. What was used of them stays known.

use super::pages::{Stored, take_out};
use crate::store::index::changes::{Changes, Merge};
use crate::store::{Store, StoreError};
use rusqlite::Connection;
use wmlicense_wire::id::Kid;

impl Store {
    /// Removes the licenses of a key ID and gives their number. What was used of them stays known: one that comes again, from
    /// a service or a backup, goes on from there. [`Self::give_back`] removes them for good.
    pub fn delete(&self, kid: Kid) -> Result<u64, StoreError> {
        let inner = &*self.inner;
        inner.write(|connection| {
            let mut changes = Changes::new(connection, &inner.index)?;
            let found = Stored::with_kid(connection, &changes.of_kid(kid)?, kid)?;
            for stored in &found {
                remove(connection, &mut changes, stored, None)?;
            }
            changes.finish(Merge::InTime)?;
            Ok(found.len() as u64)
        })
    }
}

/// Removes a license, and its batch when that was the last one; the batch that is being put in stays.
pub(in crate::store) fn remove(
    connection: &Connection,
    changes: &mut Changes<'_>,
    stored: &Stored,
    putting: Option<i64>,
) -> Result<(), StoreError> {
    note_removed(connection, stored)?;
    take_out(connection, changes, (stored.place, (stored.policy.kid, stored.policy.lid)), putting)?;
    Ok(())
}

/// Remembers whose license it was whose state stays.
fn note_removed(connection: &Connection, stored: &Stored) -> Result<(), StoreError> {
    const NOTE: &str = "INSERT OR REPLACE INTO removed (lid, kid, authority, issuer)
        SELECT lid, ?2, ?3, ?4 FROM state WHERE lid = ?1";
    let Some(authority) = stored.authority(connection)? else { return Ok(()) };
    let policy = &stored.policy;
    connection.prepare_cached(NOTE)?.execute((
        policy.lid.as_bytes(),
        policy.kid.as_bytes(),
        authority.as_bytes(),
        policy.issuer.as_bytes(),
    ))?;
    Ok(())
}
