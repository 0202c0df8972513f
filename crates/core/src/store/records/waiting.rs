//! Transactions that wait for the user: the page to act on, and how one that is over ended.

use crate::store::{Store, StoreError, TransactionState};
use rusqlite::OptionalExtension as _;
use wmlicense_wire::id::TransactionId;

impl Store {
    /// Notes that a request is about to leave the device.
    pub(crate) fn mark_sent(&self, id: TransactionId) -> Result<(), StoreError> {
        if self.transaction_state(id)? != Some(TransactionState::Prepared) {
            return Ok(());
        }
        self.inner.write(|connection| {
            let (sent, prepared) = (TransactionState::Sent as i64, TransactionState::Prepared as i64);
            connection.prepare_cached("UPDATE exchange SET state = ?2 WHERE id = ?1 AND state = ?3")?.execute((
                id.as_bytes(),
                sent,
                prepared,
            ))?;
            Ok(())
        })
    }

    /// Notes that a pending transaction waits for the user to act on this page. One that another thread or process ended
    /// meanwhile stays as it is.
    pub(crate) fn wait_for_user(&self, id: TransactionId, page: &str) -> Result<(), StoreError> {
        self.inner.write(|connection| {
            connection
                .prepare_cached("UPDATE exchange SET state = ?2, user_page = ?3 WHERE id = ?1 AND state <= 2")?
                .execute((id.as_bytes(), TransactionState::Waiting as i64, page))?;
            Ok(())
        })
    }

    /// The page on which the user must act for a pending transaction.
    pub fn page(&self, id: TransactionId) -> Result<Option<String>, StoreError> {
        self.inner.readers.with(|connection| {
            let sql = "SELECT user_page FROM exchange WHERE id = ?1 AND state <= 2 AND user_page IS NOT NULL";
            Ok(connection.prepare_cached(sql)?.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
        })
    }

    /// State of a transaction, also of one that is over; `None` if there never was one.
    pub(crate) fn transaction_state(&self, id: TransactionId) -> Result<Option<TransactionState>, StoreError> {
        self.inner.readers.with(|connection| {
            let sql = "SELECT state FROM exchange WHERE id = ?1";
            let state = connection.prepare_cached(sql)?.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
            state.map(TransactionState::of).transpose()
        })
    }
}
