//! A transaction of SQLite as rules see it: statements with what they are asked, and columns as values. Everything is ready at
//! once, because SQLite works on the thread that asks.

use super::super::{Pending, StoreError};
use rusqlite::{Connection, Params, Row};
use std::future::ready;
use wmlicense_wire::id::{Id, UserId};

/// Rows of the transaction that is open on a connection.
pub(super) struct SqliteRows<'c>(pub(super) &'c mut Connection);

/// What is known already.
pub(super) fn done<'a, T: Send + 'a>(result: Result<T, StoreError>) -> Pending<'a, T> {
    Box::pin(ready(result))
}

impl SqliteRows<'_> {
    /// The first row of a query.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        asked: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(asked)?;
        rows.next()?.map(read).transpose()
    }

    /// All rows of a query.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        asked: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut found = Vec::new();
        self.each(sql, asked, |row| {
            found.push(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Reads all rows of a query.
    pub(super) fn each(
        &self,
        sql: &str,
        asked: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(asked)?;
        while let Some(row) = rows.next()? {
            read(row)?;
        }
        Ok(())
    }

    /// True if a query gives a row.
    pub(super) fn exists(&self, sql: &str, asked: impl Params) -> Result<bool, StoreError> {
        Ok(self.0.prepare_cached(sql)?.exists(asked)?)
    }

    /// Runs a statement that writes, and gives the number of rows written.
    pub(super) fn change(&self, sql: &str, asked: impl Params) -> Result<usize, StoreError> {
        Ok(self.0.prepare_cached(sql)?.execute(asked)?)
    }

    /// As [`Self::change`], for what nobody counts.
    pub(super) fn put(&self, sql: &str, asked: impl Params) -> Result<(), StoreError> {
        self.change(sql, asked).map(|_| ())
    }
}

/// Columns as values.
pub(super) trait Columns {
    /// An identifier.
    fn id<const N: usize, K>(&self, at: usize) -> Result<Id<N, K>, StoreError>;
    /// An identifier, or none.
    fn maybe_id<const N: usize, K>(&self, at: usize) -> Result<Option<Id<N, K>>, StoreError>;
    /// An account; none where the column is empty, because a key column is never null.
    fn user(&self, at: usize) -> Result<Option<UserId>, StoreError>;
    /// A number that is never below zero.
    fn count(&self, at: usize) -> Result<u64, StoreError>;
}

impl Columns for Row<'_> {
    fn id<const N: usize, K>(&self, at: usize) -> Result<Id<N, K>, StoreError> {
        let bytes = self.get_ref(at)?.as_blob().map_err(|_| StoreError::Damaged("identifier"))?;
        Id::from_slice(bytes).map_err(|_| StoreError::Damaged("identifier"))
    }

    fn maybe_id<const N: usize, K>(&self, at: usize) -> Result<Option<Id<N, K>>, StoreError> {
        match self.get_ref(at)?.as_blob_or_null().map_err(|_| StoreError::Damaged("identifier"))? {
            Some(bytes) => Id::from_slice(bytes).map(Some).map_err(|_| StoreError::Damaged("identifier")),
            None => Ok(None),
        }
    }

    fn user(&self, at: usize) -> Result<Option<UserId>, StoreError> {
        let bytes = self.get_ref(at)?.as_blob().map_err(|_| StoreError::Damaged("identifier"))?;
        if bytes.is_empty() { Ok(None) } else { self.id(at).map(Some) }
    }

    fn count(&self, at: usize) -> Result<u64, StoreError> {
        Ok(self.get::<_, i64>(at)?.unsigned_abs())
    }
}

/// The key of a row's account: empty where there is none, because a key column is never null.
pub(super) fn user_key(user: Option<&UserId>) -> &[u8] {
    user.map_or(&[], |user| user.as_bytes().as_slice())
}

/// The bytes of an identifier, or none.
pub(super) fn bytes<const N: usize, K>(id: Option<&Id<N, K>>) -> Option<&[u8]> {
    id.map(|id| id.as_bytes().as_slice())
}
