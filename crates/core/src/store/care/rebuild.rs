//! The index beside the pages: whether it says what they have, each license found by both of its IDs and nothing else, and
//! making it anew from them.

use crate::store::StoreError;
use crate::store::index::entry::{Entry, settle};
use crate::store::index::runs::{self, NUMBERS};
use crate::store::index::verify::{check_shape, entries};
use crate::store::index::{Index, buckets};
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

/// Refuses an index that lies or has holes, in the caller's transaction.
pub(in crate::store) fn verify(connection: &Connection, index: &Index) -> Result<(), StoreError> {
    check_shape(connection)?;
    let (mut licenses, mut unreadable) = (0_i64, false);
    pages::each(connection, i64::MIN, &mut |page| {
        let found = pages::ids(page);
        unreadable |= page.view().map_or(true, |view| view.count() != found.len());
        licenses += found.len() as i64;
        for (ids, place) in found {
            for entry in index.entries(ids, place) {
                if !index.places(connection, entry.hash)?.contains(&place) {
                    return Err(StoreError::Damaged("the index misses a license".into()));
                }
            }
        }
        Ok(())
    })?;
    // What is unreadable may be in the index or not.
    if !unreadable && entries(connection)? != 2 * licenses {
        return Err(StoreError::Damaged("the index names a license that is not there".into()));
    }
    Ok(())
}
