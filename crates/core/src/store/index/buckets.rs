//! The part of the index that is sorted through: a row has the entries of one range of hashes, from its own up to the next row's.

use super::damaged;
use super::entry::{Entry, collect_raw, decode, encode, has, merged, raw};
use crate::store::StoreError;
use rusqlite::Connection;

/// Entries of a row: as many as fill one page of the database, and no more, unless they have one hash.
pub(in crate::store) const MAX_ENTRIES: usize = 250;
/// Entries of a row that is made by splitting one; the room that is left is for those that come.
const SPLIT_ENTRIES: usize = 225;
/// Rows that an estimate looks at.
const SAMPLES: i64 = 8;

/// The bucket of a hash, and where the next one begins.
const TAKE: &str = "SELECT first, entries, (SELECT min(first) FROM bucket WHERE first > ?1) FROM bucket
    WHERE first <= ?1 ORDER BY first DESC LIMIT 1";

/// Makes the first bucket: that of all hashes.
pub(in crate::store) fn create(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("INSERT INTO bucket (first, entries) VALUES (?1, x'')", [i64::MIN])?;
    Ok(())
}

/// Appends the entries of a row that have this hash.
pub(in crate::store) fn collect(row: &[u8], hash: i64, found: &mut Vec<Entry>) -> Result<(), StoreError> {
    collect_raw(raw(row).ok_or_else(damaged)?, hash, found);
    Ok(())
}

/// A row of the table.
struct Bucket {
    first: i64,
    entries: Vec<Entry>,
    next: Option<i64>,
}

impl Bucket {
    fn of(connection: &Connection, hash: i64) -> Result<Self, StoreError> {
        let mut take = connection.prepare_cached(TAKE)?;
        let mut rows = take.query([hash])?;
        let row = rows.next()?.ok_or_else(damaged)?;
        let mut entries = Vec::new();
        decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, &mut entries).ok_or_else(damaged)?;
        Ok(Self { first: row.get(0)?, entries, next: row.get(2)? })
    }

    /// Writes the row, as several where it became too long.
    fn write(&self, connection: &Connection) -> Result<(), StoreError> {
        if self.entries.is_empty() && self.first != i64::MIN {
            connection.prepare_cached("DELETE FROM bucket WHERE first = ?1")?.execute([self.first])?;
            return Ok(());
        }
        let mut put = connection.prepare_cached("INSERT OR REPLACE INTO bucket (first, entries) VALUES (?1, ?2)")?;
        let parts = if self.entries.len() <= MAX_ENTRIES { 1 } else { self.entries.len().div_ceil(SPLIT_ENTRIES) };
        let length = self.entries.len().div_ceil(parts);
        let (mut first, mut rest) = (self.first, self.entries.as_slice());
        loop {
            let cut = end_of_part(rest, length);
            let (part, after) = rest.split_at(cut);
            put.execute((first, encode(part)))?;
            let Some(next) = after.first() else { return Ok(()) };
            (first, rest) = (next.hash, after);
        }
    }
}

/// Where a part of about this length ends: entries of one hash stay together.
fn end_of_part(entries: &[Entry], length: usize) -> usize {
    let Some(last) = entries.get(..length).and_then(<[Entry]>::last) else { return entries.len() };
    length + entries.iter().skip(length).take_while(|entry| entry.hash == last.hash).count()
}

/// Puts sorted entries into their buckets, in one pass.
pub(in crate::store) fn merge(connection: &Connection, mut entries: &[Entry]) -> Result<(), StoreError> {
    while let Some(head) = entries.first() {
        let mut bucket = Bucket::of(connection, head.hash)?;
        let here = entries.partition_point(|entry| bucket.next.is_none_or(|next| entry.hash < next));
        // The next bucket begins behind the hash that this one was found by.
        let (part, rest) = entries.split_at(here.max(1));
        bucket.entries = merged(&bucket.entries, part);
        // What takes an entry away that is not there has done its work.
        bucket.entries.retain(|entry| !entry.gone);
        bucket.write(connection)?;
        entries = rest;
    }
    Ok(())
}

/// Gives those of sorted hashes of which no bucket has an entry.
pub(in crate::store) fn absent(
    connection: &Connection,
    mut hashes: &[i64],
    give: &mut dyn FnMut(i64),
) -> Result<(), StoreError> {
    let mut take = connection.prepare_cached(TAKE)?;
    while let Some(head) = hashes.first() {
        let mut rows = take.query([head])?;
        let row = rows.next()?.ok_or_else(damaged)?;
        let entries = raw(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?).ok_or_else(damaged)?;
        let next: Option<i64> = row.get(2)?;
        let (here, rest) = hashes.split_at(hashes.partition_point(|hash| next.is_none_or(|next| *hash < next)).max(1));
        here.iter().filter(|hash| !has(entries, **hash)).for_each(|hash| give(*hash));
        hashes = rest;
    }
    Ok(())
}

/// True if no bucket has an entry.
pub(in crate::store) fn are_empty(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM bucket WHERE length(entries) > 0)";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// About how many entries there are, by how close they are in some buckets.
pub(in crate::store) fn estimate(connection: &Connection) -> Result<u64, StoreError> {
    let step = (i64::MAX / SAMPLES) * 2;
    let (mut entries, mut width) = (0.0, 0.0);
    for sample in 0..SAMPLES {
        let bucket =
            Bucket::of(connection, i64::MIN.saturating_add(step.saturating_mul(sample)).saturating_add(step / 2))?;
        entries += bucket.entries.len() as f64;
        width += bucket.next.unwrap_or(i64::MAX) as f64 - bucket.first as f64;
    }
    Ok((entries * (u64::MAX as f64 / width)) as u64)
}

/// Gives every bucket in order: its first hash and its entries.
pub(in crate::store) fn each(
    connection: &Connection,
    take: &mut dyn FnMut(i64, Vec<Entry>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("SELECT first, entries FROM bucket ORDER BY first")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut entries = Vec::new();
        decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, &mut entries).ok_or_else(damaged)?;
        take(row.get(0)?, entries)?;
    }
    Ok(())
}
