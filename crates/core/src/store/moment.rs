//! Reading of one moment. How connections are made and written to is `connection.rs`.

use super::StoreError;
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Begins a read transaction: everything read in it is of one moment.
pub(super) fn read(connection: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Deferred)?)
}
