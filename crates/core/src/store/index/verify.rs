//! How many licenses the index names, and whether it can be read. That it says what the pages have is `care/rebuild.rs`.

use super::entry::{Entry, decode};
use super::{buckets, damaged};
use crate::store::StoreError;
use rusqlite::Connection;

/// Number of licenses, as far as the index knows, in the caller's read transaction.
pub(in crate::store) fn count(connection: &Connection) -> Result<u64, StoreError> {
    Ok((entries(connection)? / 2).unsigned_abs())
}

/// Number of entries, as far as the index knows: two a license.
pub(in crate::store) fn entries(connection: &Connection) -> Result<i64, StoreError> {
    let sorted: i64 = connection
        .prepare_cached("SELECT coalesce(sum(length(entries)), 0) / 16 FROM bucket")?
        .query_row([], |row| row.get(0))?;
    const { assert!(super::entry::ENTRY_LEN == 16) };
    let mut entries = sorted;
    each_run(connection, &mut |run| {
        entries += run.iter().map(|entry| if entry.gone { -1 } else { 1 }).sum::<i64>();
        Ok(())
    })?;
    Ok(entries)
}

fn each_run(
    connection: &Connection,
    take: &mut dyn FnMut(&[Entry]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("SELECT entries FROM recent ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut entries = Vec::new();
        decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?, &mut entries).ok_or_else(damaged)?;
        take(&entries)?;
    }
    Ok(())
}

/// Refuses an index that cannot be read: each bucket has the hashes of its range, in their order, and each run its own.
pub(in crate::store) fn check_shape(connection: &Connection) -> Result<(), StoreError> {
    each_run(connection, &mut |_| Ok(()))?;
    let wrong = || StoreError::Damaged("the index is out of order".into());
    let mut before: Option<Entry> = None;
    let mut starts = false;
    buckets::each(connection, &mut |first, entries| {
        starts |= first == i64::MIN;
        let in_range = entries.first().is_none_or(|entry| entry.hash >= first);
        let behind = before.is_none_or(|before| before.hash < first);
        if !starts || !in_range || !behind || entries.iter().any(|entry| entry.gone) {
            return Err(wrong());
        }
        before = entries.last().copied().or(before);
        Ok(())
    })?;
    if starts { Ok(()) } else { Err(wrong()) }
}
