//! Tombstones: licenses that were removed for good and must not come back from a backup.

use super::StoreError;
use super::integrity::{Integrity, Row, Table};
use rusqlite::Connection;
use wmlicense_wire::cbor::{self, read, write};
use wmlicense_wire::id::{Lid, ServiceId};

/// One removed license, as the store and a backup keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tombstone {
    pub(super) lid: Lid,
    /// Issuer of the license: no other issuer's license of the same ID is meant.
    pub(super) issuer: ServiceId,
    /// When it was removed, seconds UTC.
    pub(super) removed_at: i64,
}

/// In the place of an issuer: no license of this ID may come back, whoever issued it.
pub(super) const EVERY_ISSUER: ServiceId = ServiceId::new([0; 16]);

/// Whether a tombstone keeps a license out. One that was changed from outside keeps out every license of its ID.
pub(super) fn forbids(
    connection: &Connection,
    integrity: &Integrity,
    lid: Lid,
    issuer: ServiceId,
) -> Result<bool, StoreError> {
    Ok(match integrity.row(connection, Table::Tombstone, lid)? {
        Row::Missing => false,
        Row::Changed => true,
        Row::Sound(tombstone) => Tombstone::decode(&tombstone)?.forbids(issuer),
    })
}

impl Tombstone {
    /// Whether it keeps a license of this issuer out.
    pub(super) fn forbids(&self, issuer: ServiceId) -> bool {
        self.issuer == issuer || self.issuer == EVERY_ISSUER
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        write::array([write::bytes(self.lid), write::bytes(self.issuer), write::int(self.removed_at)])
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        cbor::check(bytes)?;
        let read = || {
            let [lid, issuer, removed_at] = read::tuple(bytes)?;
            Some(Self { lid: read::id(lid)?, issuer: read::id(issuer)?, removed_at: read::int(removed_at)? })
        };
        read().ok_or_else(|| StoreError::Damaged("a tombstone cannot be read".into()))
    }
}
