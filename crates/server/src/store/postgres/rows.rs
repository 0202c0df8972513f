//! A transaction of PostgreSQL as rules see it: statements without names, with what they are asked and of which type, rows that
//! are locked before they are read, and columns as values.

use super::super::rows::For;
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::errors::told;
use deadpool_postgres::tokio_postgres::types::{FromSql, IsNull, ToSql, Type, private::BytesMut};
use deadpool_postgres::tokio_postgres::{Client, Row};
use std::borrow::Cow;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use wmlicense_wire::id::{Id, UserId};

statements!("exchanges.sql": LOCK_KEYS);

/// Rows of the transaction that is open on a connection.
pub(super) struct PostgresRows<'c>(pub(super) &'c Client);

/// What a statement is asked.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Bytes(Option<&'a [u8]>),
    Number(Option<i64>),
    Text(Option<Cow<'a, str>>),
    Flag(bool),
    ManyBytes(Vec<Option<&'a [u8]>>),
    Numbers(Vec<Option<i64>>),
    Texts(Vec<Option<Cow<'a, str>>>),
    Flags(Vec<bool>),
}

impl Value<'_> {
    fn kind(&self) -> Type {
        match self {
            Self::Bytes(_) => Type::BYTEA,
            Self::Number(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Flag(_) => Type::BOOL,
            Self::ManyBytes(_) => Type::BYTEA_ARRAY,
            Self::Numbers(_) => Type::INT8_ARRAY,
            Self::Texts(_) => Type::TEXT_ARRAY,
            Self::Flags(_) => Type::BOOL_ARRAY,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Bytes(value) => value.to_sql(kind, out),
            Self::Number(value) => value.to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
            Self::Flag(value) => value.to_sql(kind, out),
            Self::ManyBytes(values) => values.to_sql(kind, out),
            Self::Numbers(values) => values.to_sql(kind, out),
            Self::Texts(values) => values.to_sql(kind, out),
            Self::Flags(values) => values.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    deadpool_postgres::tokio_postgres::types::to_sql_checked!();
}

/// Text as the database takes it: it has no character of value zero.
fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

impl<'a, const N: usize, K> From<&'a Id<N, K>> for Value<'a> {
    fn from(id: &'a Id<N, K>) -> Self {
        Self::Bytes(Some(id.as_bytes()))
    }
}

impl<'a, const N: usize, K> From<Option<&'a Id<N, K>>> for Value<'a> {
    fn from(id: Option<&'a Id<N, K>>) -> Self {
        Self::Bytes(bytes(id))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(bytes: Option<&'a [u8]>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

/// A number of rows, which is never so large that it means another one.
impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Self::Number(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(storable(text)))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(storable(text)))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(storable))
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::Text(text.as_deref().map(storable))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// A list of identifiers.
pub(super) fn ids<'a, const N: usize, K: 'a>(ids: impl IntoIterator<Item = &'a Id<N, K>>) -> Value<'a> {
    Value::ManyBytes(ids.into_iter().map(|id| Some(id.as_bytes().as_slice())).collect())
}

/// A list of identifiers of which some may be missing.
pub(super) fn maybe_ids<'a, const N: usize, K: 'a>(ids: impl IntoIterator<Item = Option<&'a Id<N, K>>>) -> Value<'a> {
    Value::ManyBytes(ids.into_iter().map(bytes).collect())
}

/// A list of byte strings.
pub(super) fn many_bytes<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Value<'a> {
    Value::ManyBytes(values.into_iter().map(Some).collect())
}

/// A list of texts.
pub(super) fn texts<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> Value<'a> {
    Value::Texts(texts.into_iter().map(|text| text.map(storable)).collect())
}

/// What a statement is asked, each as a [`Value`].
macro_rules! asked {
    ($($value:expr),* $(,)?) => { &[$($crate::store::postgres::rows::Value::from($value)),*] };
}

pub(super) use asked;

impl PostgresRows<'_> {
    /// All rows of a query.
    pub(super) async fn all<T: Send>(
        &self,
        sql: &str,
        asked: &[Value<'_>],
        read: impl Fn(&Row) -> Result<T, StoreError> + Send + Sync,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.0.query_typed(sql, &typed(asked)).await.map_err(told)?;
        rows.iter().map(read).collect()
    }

    /// The first row of a query.
    pub(super) async fn one<T: Send>(
        &self,
        sql: &str,
        asked: &[Value<'_>],
        read: impl Fn(&Row) -> Result<T, StoreError> + Send + Sync,
    ) -> Result<Option<T>, StoreError> {
        let rows = self.0.query_typed(sql, &typed(asked)).await.map_err(told)?;
        rows.first().map(read).transpose()
    }

    /// True if a query gives a row.
    pub(super) async fn exists(&self, sql: &str, asked: &[Value<'_>]) -> Result<bool, StoreError> {
        Ok(self.one(sql, asked, |_| Ok(())).await?.is_some())
    }

    /// Runs a statement that writes, and gives the number of rows written.
    pub(super) async fn change(&self, sql: &str, asked: &[Value<'_>]) -> Result<u64, StoreError> {
        self.0.execute_typed(sql, &typed(asked)).await.map_err(told)
    }

    /// As [`Self::change`], for what nobody counts.
    pub(super) async fn put(&self, sql: &str, asked: &[Value<'_>]) -> Result<(), StoreError> {
        self.change(sql, asked).await.map(|_| ())
    }

    /// Keeps all others, until the transaction ends, from what is kept under these keys and from adding to it. In the order of
    /// the keys, so that of two that want the same ones none waits for the other.
    pub(super) async fn lock<'k>(&self, keys: impl IntoIterator<Item = &'k [u8]>) -> Result<(), StoreError> {
        let mut keys: Vec<&[u8]> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() { Ok(()) } else { self.put(LOCK_KEYS, &[many_bytes(keys)]).await }
    }

    /// Reads rows by the one statement, or, where they are changed, locks these keys and reads them by the other one: both
    /// statements are on their way at once, and what the second one sees is what is there when the keys are locked.
    pub(super) async fn read<'k, T: Send>(
        &self,
        how: For,
        keys: impl IntoIterator<Item = &'k [u8]> + Send,
        [reading, changing]: [&str; 2],
        asked: &[Value<'_>],
        read: impl Fn(&Row) -> Result<T, StoreError> + Send + Sync,
    ) -> Result<Vec<T>, StoreError> {
        match how {
            For::Reading => self.all(reading, asked, read).await,
            For::Changing => {
                let keys: Vec<&[u8]> = keys.into_iter().collect();
                let mut locked = pin!(self.lock(keys));
                // The driver sends a statement when it is first polled; the next one is behind it.
                let first = poll_fn(|context| Poll::Ready(locked.as_mut().poll(context))).await;
                let locked = async { if let Poll::Ready(end) = first { end } else { locked.await } };
                let (locked, rows) = tokio::join!(locked, self.all(changing, asked, read));
                // Where there is no lock the rows only say that the transaction failed before.
                locked.and(rows)
            }
        }
    }
}

fn typed<'a>(asked: &'a [Value<'_>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    asked.iter().map(|value| (value as &(dyn ToSql + Sync), value.kind())).collect()
}

/// What an operation gives that has nothing to do.
pub(super) fn nothing<'a, T: Default + Send + 'a>() -> Pending<'a, T> {
    Box::pin(std::future::ready(Ok(T::default())))
}

/// Columns as values.
pub(super) trait Columns {
    /// A value of any type that the driver knows.
    fn value<'r, T: FromSql<'r>>(&'r self, at: usize) -> Result<T, StoreError>;
    /// An identifier.
    fn id<const N: usize, K>(&self, at: usize) -> Result<Id<N, K>, StoreError>;
    /// An identifier, or none.
    fn maybe_id<const N: usize, K>(&self, at: usize) -> Result<Option<Id<N, K>>, StoreError>;
    /// An account; none where the column is empty, because a key column is never null.
    fn user(&self, at: usize) -> Result<Option<UserId>, StoreError>;
    /// A number that is never below zero.
    fn count(&self, at: usize) -> Result<u64, StoreError>;
    /// The place in a list that was asked about, counted from zero; the database counts from one.
    fn place(&self, at: usize) -> Result<usize, StoreError>;
}

impl Columns for Row {
    fn value<'r, T: FromSql<'r>>(&'r self, at: usize) -> Result<T, StoreError> {
        self.try_get(at).map_err(|_| StoreError::Damaged("column"))
    }

    fn id<const N: usize, K>(&self, at: usize) -> Result<Id<N, K>, StoreError> {
        Id::from_slice(self.value(at)?).map_err(|_| StoreError::Damaged("identifier"))
    }

    fn maybe_id<const N: usize, K>(&self, at: usize) -> Result<Option<Id<N, K>>, StoreError> {
        let bytes: Option<&[u8]> = self.value(at)?;
        bytes.map(Id::from_slice).transpose().map_err(|_| StoreError::Damaged("identifier"))
    }

    fn user(&self, at: usize) -> Result<Option<UserId>, StoreError> {
        let bytes: &[u8] = self.value(at)?;
        if bytes.is_empty() { Ok(None) } else { self.id(at).map(Some) }
    }

    fn count(&self, at: usize) -> Result<u64, StoreError> {
        Ok(self.value::<i64>(at)?.unsigned_abs())
    }

    fn place(&self, at: usize) -> Result<usize, StoreError> {
        usize::try_from(self.value::<i64>(at)? - 1).map_err(|_| StoreError::Damaged("column"))
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
