//! Making the index anew from the pages.

use super::entry::{Entry, settle};
use super::{Index, buckets, runs};
use crate::store::StoreError;
use crate::store::records::at_rest::NUMBERS;
use crate::store::records::pages;
use rusqlite::Connection;

/// Entries that are sorted at once.
const SORTED: usize = 256 * 1024;

/// Takes the index away and makes it of what the pages have, inside the caller's transaction. What cannot be read is left out.
pub(in crate::store) fn rebuild(connection: &Connection, index: &Index) -> Result<(), StoreError> {
    const LAST: &str = "SELECT max(coalesce((SELECT max(id) FROM recent WHERE id BETWEEN 0 AND ?1), 0),
        coalesce((SELECT max(id) FROM batch WHERE id BETWEEN 0 AND ?1), 0))";
    // Of a number that was never given out none follows.
    let last: i64 = connection.query_row(LAST, [NUMBERS - 1], |row| row.get(0))?;
    connection.execute("DELETE FROM bucket", [])?;
    buckets::create(connection)?;
    runs::clear(connection, last)?;
    let mut entries: Vec<Entry> = Vec::new();
    pages::each(connection, i64::MIN, &mut |page| {
        entries.extend(pages::ids(page).into_iter().flat_map(|(ids, place)| index.entries(ids, place)));
        if entries.len() >= SORTED {
            settle(&mut entries);
            buckets::merge(connection, &entries)?;
            entries.clear();
        }
        Ok(())
    })?;
    settle(&mut entries);
    buckets::merge(connection, &entries)
}
