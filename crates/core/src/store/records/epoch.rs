//! The newest epoch of each service, and requests that are signed anew because it moved. What an epoch is for is in the
//! protocol.

use crate::store::{Store, StoreError, error::fixed};
use rusqlite::{Connection, OptionalExtension as _};
use wmlicense_wire::id::{Epoch, ServiceId, TransactionId};

/// Keeps what a verified answer tells. Of two answers that arrive out of order the later made one counts.
pub(in crate::store) fn note(
    connection: &Connection,
    service: ServiceId,
    epoch: Epoch,
    issued_at: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO epoch (service, epoch, issued_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (service) DO UPDATE SET epoch = ?2, issued_at = ?3 WHERE issued_at <= ?3",
        )?
        .execute((service.as_bytes(), epoch.as_bytes(), issued_at))?;
    Ok(())
}

/// Lets an epoch count as told no later than at a time, after the service dated answers ahead.
pub(in crate::store) fn date_back(connection: &Connection, service: ServiceId, latest: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE epoch SET issued_at = ?2 WHERE service = ?1 AND issued_at > ?2")?
        .execute((service.as_bytes(), latest))?;
    Ok(())
}

impl Store {
    /// The newest epoch that a service gave this device.
    pub fn epoch(&self, service: ServiceId) -> Result<Option<Epoch>, StoreError> {
        self.inner.readers.with(|connection| {
            let mut find = connection.prepare_cached("SELECT epoch FROM epoch WHERE service = ?1")?;
            let found: Option<Vec<u8>> = find.query_row([service.as_bytes()], |row| row.get(0)).optional()?;
            found.map(|bytes| Ok(Epoch::new(fixed(&bytes)?))).transpose()
        })
    }

    /// Keeps the epoch of a verified answer that brings nothing else to be stored.
    pub fn note_epoch(&self, service: ServiceId, epoch: Epoch, issued_at: i64) -> Result<(), StoreError> {
        self.inner.write(|connection| note(connection, service, epoch, issued_at))
    }

    /// Puts a request that was signed anew in place of the one that is stored, which stays beside it. False if another
    /// thread or process was first, or the transaction waits for its user or is over.
    pub(crate) fn sign_anew(&self, id: TransactionId, stored: &[u8], anew: &[u8]) -> Result<bool, StoreError> {
        self.inner.write(|connection| {
            let changed = connection
                .prepare_cached(
                    "UPDATE exchange SET request = ?3, earlier = request WHERE id = ?1 AND request = ?2 AND state <= 1",
                )?
                .execute((id.as_bytes(), stored, anew))?;
            Ok(changed == 1)
        })
    }

    /// The other request of a pending transaction that may be the one that the service knows: the stored one, or where that is
    /// `known` the one before it.
    pub(crate) fn other_request(&self, id: TransactionId, known: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.readers.with(|connection| {
            let sql = "SELECT CASE WHEN request = ?2 THEN earlier ELSE request END FROM exchange
                WHERE id = ?1 AND state <= 2";
            let found: Option<Option<Vec<u8>>> =
                connection.prepare_cached(sql)?.query_row((id.as_bytes(), known), |row| row.get(0)).optional()?;
            Ok(found.flatten())
        })
    }
}
