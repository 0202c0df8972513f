//! Message authentication of rows, and the sums of them that show a row that was put back or taken away.

use super::{StoreError, error::fixed};
use rusqlite::{Connection, OptionalExtension as _};
use wmlicense_wire::aead::{SecretKey, constant_time_eq};
use wmlicense_wire::id::Lid;

const LABEL: &str = "wmlicense/1 state";

/// Tables whose rows are authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    State,
    Tombstone,
}

impl Table {
    pub(super) const ALL: [Self; 2] = [Self::State, Self::Tombstone];

    fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Tombstone => "tombstone",
        }
    }
    fn select(self) -> &'static str {
        match self {
            Self::State => "SELECT content, mac FROM state WHERE lid = ?1",
            Self::Tombstone => "SELECT content, mac FROM tombstone WHERE lid = ?1",
        }
    }
    pub(super) fn select_bucket(self) -> &'static str {
        match self {
            Self::State => "SELECT lid, content, mac FROM state WHERE lid >= ?1 AND lid <= ?2",
            Self::Tombstone => "SELECT lid, content, mac FROM tombstone WHERE lid >= ?1 AND lid <= ?2",
        }
    }
    fn replace(self) -> &'static str {
        match self {
            Self::State => "INSERT OR REPLACE INTO state (lid, content, mac) VALUES (?1, ?2, ?3)",
            Self::Tombstone => "INSERT OR REPLACE INTO tombstone (lid, content, mac) VALUES (?1, ?2, ?3)",
        }
    }
}

/// What an authenticated row turned out to be.
pub(super) enum Row {
    Missing,
    /// Its bytes were changed.
    Changed,
    Sound(Vec<u8>),
}

/// Sum of the row codes of one bucket, modulo 2^256, big-endian.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum(pub(super) [u8; 32]);

impl Sum {
    pub(super) fn add(&mut self, code: &[u8; 32]) {
        let mut carry = 0;
        for (sum, code) in self.0.iter_mut().zip(code).rev() {
            let total = u16::from(*sum) + u16::from(*code) + carry;
            *sum = total as u8;
            carry = total >> 8;
        }
    }
    pub(super) fn subtract(&mut self, code: &[u8; 32]) {
        let mut borrow = 0;
        for (sum, code) in self.0.iter_mut().zip(code).rev() {
            let total = 256 + u16::from(*sum) - u16::from(*code) - borrow;
            *sum = total as u8;
            borrow = 1 - (total >> 8);
        }
    }
}

/// First and last license ID of a bucket.
pub(super) fn bucket_bounds(bucket: u8) -> ([u8; 16], [u8; 16]) {
    let (mut first, mut last) = ([0; 16], [0xff; 16]);
    (first[0], last[0]) = (bucket, bucket);
    (first, last)
}

/// The key under which rows and head are authenticated.
pub(super) struct Integrity {
    key: SecretKey,
}

impl Integrity {
    /// X(store key, `wmlicense/1 state`, "", 32).
    pub(super) fn of(store_key: &SecretKey) -> Self {
        Self { key: store_key.expand(LABEL, &[]) }
    }

    /// HMAC-SHA256 over the joined parts.
    pub(super) fn code(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.key.hmac(parts)
    }

    fn row_code(&self, table: Table, lid: Lid, content: &[u8]) -> [u8; 32] {
        self.code(&[table.name().as_bytes(), &[0], lid.as_bytes(), content])
    }

    /// Reads one row.
    pub(super) fn row(&self, connection: &Connection, table: Table, lid: Lid) -> Result<Row, StoreError> {
        let mut statement = connection.prepare_cached(table.select())?;
        let found: Option<(Vec<u8>, Vec<u8>)> =
            statement.query_row([lid.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(match found {
            None => Row::Missing,
            Some((content, mac)) if constant_time_eq(&mac, &self.row_code(table, lid, &content)) => Row::Sound(content),
            Some(_) => Row::Changed,
        })
    }

    /// Writes one row and keeps the sum of its bucket. `before` is the row that it takes the place of.
    pub(super) fn put_row(
        &self,
        connection: &Connection,
        table: Table,
        lid: Lid,
        (before, content): (Option<&[u8]>, &[u8]),
        sum: &mut Sum,
    ) -> Result<(), StoreError> {
        let code = self.write_row(connection, table, lid, content)?;
        if let Some(before) = before {
            sum.subtract(&self.row_code(table, lid, before));
        }
        sum.add(&code);
        Ok(())
    }

    /// Writes one row as it is and gives its code; the sum of its bucket is the caller's.
    pub(super) fn write_row(
        &self,
        connection: &Connection,
        table: Table,
        lid: Lid,
        content: &[u8],
    ) -> Result<[u8; 32], StoreError> {
        let code = self.row_code(table, lid, content);
        connection.prepare_cached(table.replace())?.execute((lid.as_bytes(), content, &code))?;
        Ok(code)
    }

    /// Adds up the rows of a bucket; `None` if one of them was changed.
    pub(super) fn sum(&self, connection: &Connection, bucket: u8) -> Result<Option<Sum>, StoreError> {
        let (first, last) = bucket_bounds(bucket);
        let mut sum = Sum::default();
        for table in Table::ALL {
            let mut statement = connection.prepare_cached(table.select_bucket())?;
            let mut rows = statement.query((first, last))?;
            while let Some(row) = rows.next()? {
                let lid = Lid::new(fixed(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?);
                let content: &[u8] = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
                let code = self.row_code(table, lid, content);
                if !constant_time_eq(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?, &code) {
                    return Ok(None);
                }
                sum.add(&code);
            }
        }
        Ok(Some(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::Sum;

    #[test]
    fn a_sum_wraps_and_gives_back_what_was_added() {
        let mut sum = Sum([0xff; 32]);
        let mut one = [0; 32];
        one[31] = 1;
        sum.add(&one);
        assert_eq!(sum.0, [0; 32]);
        sum.subtract(&one);
        assert_eq!(sum.0, [0xff; 32]);
        let (a, b) = ([0x9c; 32], [0xe1; 32]);
        sum.add(&a);
        sum.add(&b);
        sum.subtract(&a);
        sum.subtract(&b);
        assert_eq!(sum.0, [0xff; 32]);
    }
}
