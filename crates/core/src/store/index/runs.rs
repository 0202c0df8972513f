//! The part of the index that is not sorted through yet: what came and went since the buckets were made, as it is kept in memory.
//! Rows are only appended, the last one is replaced by one of a higher number while it grows, and all of them go at once when
//! they are merged: so the highest number tells one state from another. Batches take their numbers from the same sequence.

use super::damaged;
use super::entry::{Entry, collect, decode, encode, merged};
use crate::store::StoreError;
use rusqlite::Connection;
use std::sync::Arc;

/// Entries of a row that is still added to: as many as fill one page of the database.
pub(in crate::store) const ROW_ENTRIES: usize = 250;

/// Numbers of runs and batches that are given out stay below this one, so that every place of a license is a number: a higher one
/// was written by somebody else, and what would come after it has no room.
pub(in crate::store) const NUMBERS: i64 = (1 << 38) - 1;

/// All runs of one state of the store.
#[derive(Default)]
pub(in crate::store) struct Runs {
    /// Number of the first and of the last row; `None` before anything was read.
    rows: Option<(i64, i64)>,
    /// What the rows before the last one say: sorted runs, each less than half as long as the one before it.
    body: Vec<Arc<[Entry]>>,
    /// The last row.
    tail: Arc<[Entry]>,
}

/// Adds a run, and joins runs of about the same length to such of at most `longest` entries.
pub(in crate::store) fn push(body: &mut Vec<Arc<[Entry]>>, run: Arc<[Entry]>, longest: usize) {
    if run.is_empty() {
        return;
    }
    body.push(run);
    while let [.., before, last] = body.as_slice()
        && before.len() < 2 * last.len()
        && before.len() + last.len() <= longest
    {
        let joined = merged(before, last).into();
        body.truncate(body.len() - 2);
        body.push(joined);
    }
}

impl Runs {
    /// Number of the last row.
    pub(in crate::store) fn newest(&self) -> Option<i64> {
        self.rows.map(|(_, last)| last)
    }

    /// Entries in all.
    pub(in crate::store) fn len(&self) -> usize {
        self.body.iter().map(|run| run.len()).sum::<usize>() + self.tail.len()
    }

    /// The last row: its number and what it says.
    pub(in crate::store) fn tail(&self) -> Option<(i64, &[Entry])> {
        Some((self.newest()?, &self.tail))
    }

    /// Appends the entries with this hash.
    pub(in crate::store) fn collect(&self, hash: i64, found: &mut Vec<Entry>) {
        for run in self.body.iter().chain([&self.tail]) {
            collect(run, hash, found);
        }
    }

    /// Leaves those of sorted hashes of which no row has an entry.
    pub(in crate::store) fn keep_absent(&self, hashes: &mut Vec<i64>) {
        for run in self.body.iter().chain([&self.tail]) {
            let mut rest: &[Entry] = run;
            hashes.retain(|hash| {
                // They are about as close in a run as among the hashes.
                let at = rest.iter().position(|entry| entry.hash >= *hash).unwrap_or(rest.len());
                rest = rest.split_at(at).1;
                rest.first().is_none_or(|entry| entry.hash != *hash)
            });
        }
    }

    /// All entries, sorted.
    pub(in crate::store) fn all(&self) -> Vec<Entry> {
        self.body.iter().chain([&self.tail]).fold(Vec::new(), |all, run| merged(&all, run))
    }

    /// Reads what the caller's transaction has; of an earlier state that is held, only what is new.
    pub(in crate::store) fn read(connection: &Connection, held: &Self) -> Result<Self, StoreError> {
        let first: Option<i64> =
            connection.prepare_cached("SELECT min(id) FROM recent")?.query_row([], |row| row.get(0))?;
        let first = first.ok_or_else(damaged)?;
        let (mut read, from) = match held.rows {
            Some((held_first, last)) if held_first == first => {
                (Self { rows: Some((first, last)), body: held.body.clone(), tail: Arc::default() }, last)
            }
            _ => (Self::default(), first),
        };
        let mut statement = connection.prepare_cached("SELECT id, entries FROM recent WHERE id >= ?1 ORDER BY id")?;
        let mut rows = statement.query([from])?;
        while let Some(row) = rows.next()? {
            let mut entries = Vec::new();
            decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?, &mut entries).ok_or_else(damaged)?;
            // Every row but the last one is as it will be.
            push(&mut read.body, std::mem::replace(&mut read.tail, entries.into()), usize::MAX);
            read.rows = Some((first, row.get(0)?));
        }
        Ok(read)
    }
}

/// Makes the first row: without entries, and with a number that no batch has.
pub(in crate::store) fn create(connection: &Connection, number: i64) -> Result<(), StoreError> {
    connection.execute("INSERT INTO recent (id, entries) VALUES (?1, x'')", [number])?;
    Ok(())
}

/// Appends sorted entries under numbers after `last`, into the last row as long as there is room in it.
pub(in crate::store) fn append(
    connection: &Connection,
    (tail, tail_entries): (i64, &[Entry]),
    last: i64,
    entries: &[Entry],
) -> Result<(), StoreError> {
    if tail_entries.len() + entries.len() <= ROW_ENTRIES {
        connection.prepare_cached("UPDATE recent SET id = ?2, entries = ?3 WHERE id = ?1")?.execute((
            tail,
            last + 1,
            encode(&merged(tail_entries, entries)),
        ))?;
        return Ok(());
    }
    let mut insert = connection.prepare_cached("INSERT INTO recent (id, entries) VALUES (?1, ?2)")?;
    for (number, part) in (last + 1..).zip(entries.chunks(ROW_ENTRIES)) {
        insert.execute((number, encode(part)))?;
    }
    Ok(())
}

/// Takes all rows away, after they were merged; what comes next has a number after `last`.
pub(in crate::store) fn clear(connection: &Connection, last: i64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM recent")?.execute([])?;
    create(connection, last + 1)
}
