//! Requests that may have to be sent again, and what became of them.

use crate::store::{Page, Recipe, Store, StoreError, Transaction, TransactionState, error::fixed};
use rusqlite::{Connection, OptionalExtension as _, Row};
use wmlicense_wire::cbor::write;
use wmlicense_wire::id::{Digest, TransactionId};

/// A pending transaction that is older than this is not taken up again, in seconds.
pub(in crate::store) const LIFETIME: i64 = 30 * 86_400;
pub(in crate::store) const COLUMNS: &str = "id, authority, url, wish, request, state, created_at";

impl TransactionState {
    const ALL: [Self; 7] =
        [Self::Prepared, Self::Sent, Self::Waiting, Self::Answered, Self::Refused, Self::Cancelled, Self::Expired];

    pub(in crate::store) fn of(number: i64) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|state| *state as i64 == number);
        found.ok_or_else(|| StoreError::Damaged("a transaction has an unknown state".into()))
    }
}

/// Moves a pending transaction to `state`; an ended one drops its request.
pub(in crate::store) fn end(
    connection: &Connection,
    id: TransactionId,
    state: TransactionState,
) -> Result<(), StoreError> {
    let changed = connection
        .prepare_cached(
            "UPDATE exchange SET state = ?2, request = CASE WHEN ?2 <= 2 THEN request END,
             earlier = CASE WHEN ?2 <= 2 THEN earlier END WHERE id = ?1 AND state <= 2",
        )?
        .execute((id.as_bytes(), state as i64))?;
    if changed == 1 { Ok(()) } else { Err(StoreError::NoTransaction) }
}

/// Ends a transaction with the answer to this page of it, or goes on with the request for the page after it. Refuses where
/// another thread or process took that answer first.
pub(in crate::store) fn answered(
    connection: &Connection,
    id: TransactionId,
    state: TransactionState,
    page: &Page<'_>,
) -> Result<(), StoreError> {
    let (state, next) = match page.next {
        None => (state, None),
        Some(request) => (TransactionState::Prepared, Some(request)),
    };
    let changed = connection
        .prepare_cached(
            "UPDATE exchange SET state = ?3, request = ?4, earlier = NULL, page = page + 1
             WHERE id = ?1 AND page = ?2 AND state <= 2",
        )?
        .execute((id.as_bytes(), page.number, state as i64, next))?;
    if changed != 1 {
        return Err(StoreError::NoTransaction);
    }
    if let (None, Some((name, since))) = (page.next, page.delivered) {
        connection
            .prepare_cached("INSERT OR REPLACE INTO delivery (name, since) VALUES (?1, ?2)")?
            .execute((name.as_bytes(), since))?;
    }
    Ok(())
}

pub(in crate::store) fn read(row: &Row<'_>) -> Result<Transaction, StoreError> {
    let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
    Ok(Transaction {
        id: TransactionId::new(fixed(blob(0)?)?),
        authority: Digest::new(fixed(blob(1)?)?),
        url: row.get(2)?,
        wish: Digest::new(fixed(blob(3)?)?),
        request: blob(4)?.to_vec(),
        state: TransactionState::of(row.get(5)?)?,
        created_at: row.get(6)?,
    })
}

/// Writes a request down.
pub(in crate::store) fn insert(
    connection: &Connection,
    transaction: &Transaction,
    recipe: Option<i64>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO exchange (id, authority, url, wish, request, state, created_at, recipe)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute((
            transaction.id.as_bytes(),
            transaction.authority.as_bytes(),
            &transaction.url,
            transaction.wish.as_bytes(),
            &transaction.request,
            transaction.state as i64,
            transaction.created_at,
            recipe,
        ))?;
    Ok(())
}

impl Store {
    /// Stores a request durably before it is sent.
    pub fn prepare(&self, transaction: &Transaction) -> Result<(), StoreError> {
        self.inner.write(|connection| insert(connection, transaction, None))
    }

    /// As [`Self::prepare`], with what the licenses of the answer can be asked for again later.
    pub(crate) fn prepare_with(&self, transaction: &Transaction, recipe: &Recipe) -> Result<(), StoreError> {
        self.inner.write(|connection| {
            let recipe = super::recipe::keep(connection, recipe)?;
            insert(connection, transaction, Some(recipe))
        })
    }

    /// A pending transaction by ID.
    pub fn transaction(&self, id: TransactionId) -> Result<Option<Transaction>, StoreError> {
        self.inner.readers.with(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM exchange WHERE id = ?1 AND state <= 2");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([id.as_bytes()])?;
            rows.next()?.map(read).transpose()
        })
    }

    /// The newest pending (prepared, sent or waiting) transaction with this wish that is not older than 30 days.
    pub fn pending(&self, wish: Digest) -> Result<Option<Transaction>, StoreError> {
        let oldest = self.inner.clock.now().saturating_sub(LIFETIME);
        self.inner.readers.with(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM exchange WHERE wish = ?1 AND state <= 2 AND created_at >= ?2
                 ORDER BY created_at DESC, id LIMIT 1"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query((wish.as_bytes(), oldest))?;
            rows.next()?.map(read).transpose()
        })
    }

    /// Name under which a pre-delivery of this account and scope is remembered. Only this store can tell what it is the name
    /// of, because it holds a secret of the account.
    pub(crate) fn delivery_name(&self, authority: Digest, scope: Option<&str>, token: Option<&str>) -> Digest {
        let said = [scope, token].map(|text| text.map_or_else(write::null, write::text)).concat();
        Digest::new(self.inner.integrity.code(&[b"delivery\0", authority.as_bytes(), &said]))
    }

    /// Where the next run of a pre-delivery begins; `None` if none was completed.
    pub(crate) fn delivered_since(&self, name: Digest) -> Result<Option<i64>, StoreError> {
        self.inner.readers.with(|connection| {
            let sql = "SELECT since FROM delivery WHERE name = ?1";
            Ok(connection.prepare_cached(sql)?.query_row([name.as_bytes()], |row| row.get(0)).optional()?)
        })
    }

    /// Number of pending transactions. Licenses that wait to be given back do so for any time.
    pub fn pending_count(&self) -> Result<u64, StoreError> {
        let oldest = self.inner.clock.now().saturating_sub(LIFETIME);
        self.inner.readers.with(|connection| {
            let sql = "SELECT count(*) FROM exchange
                WHERE state <= 2 AND (created_at >= ?1 OR id IN (SELECT id FROM give_back))";
            let count: Option<i64> =
                connection.prepare_cached(sql)?.query_row([oldest], |row| row.get(0)).optional()?;
            Ok(count.map_or(0, i64::unsigned_abs))
        })
    }

    /// Moves a transaction to another state. Ended ones drop their request.
    pub fn set_transaction_state(&self, id: TransactionId, state: TransactionState) -> Result<(), StoreError> {
        self.inner.write(|connection| end(connection, id, state))
    }
}
