//! Tombstones: licenses that were removed for good and must not come back from a backup.

use crate::store::StoreError;
use crate::store::integrity::{Integrity, Row, Table};
use rusqlite::Connection;
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::id::{Lid, ServiceId};

/// Whether a tombstone keeps a license out. One that was changed from outside keeps out every license of its ID.
pub(in crate::store) fn forbids(
    connection: &Connection,
    integrity: &Integrity,
    lid: Lid,
    issuer: ServiceId,
) -> Result<bool, StoreError> {
    Ok(match integrity.row(connection, Table::Tombstone, lid)? {
        Row::Missing => false,
        Row::Changed => true,
        Row::Sound(tombstone) => read(&tombstone)?.forbids(issuer),
    })
}

/// Reads what the store or a backup noted.
pub(in crate::store) fn read(bytes: &[u8]) -> Result<Tombstone, StoreError> {
    Tombstone::decode(bytes).map_err(|_| StoreError::Damaged("a tombstone cannot be read".into()))
}
