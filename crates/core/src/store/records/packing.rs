//! Making pages of the licenses of a batch as they come: each page is of one section, one recipe, and either of licenses that count
//! or of others. A row is made so long that it fills one page of the database.

use super::at_rest::{PageKeys, Randomness, Scope, page_id, place_in};
use super::incoming::Incoming;
use crate::store::StoreError;
use rusqlite::Connection;
use wmlicense_wire::backup::page::{PageBuilder, PageKey};
use wmlicense_wire::request::MAX_LICENSES;

/// Longest page made here: with the other columns of its row it fits into one page of the database.
pub(in crate::store) const PAGE_LEN: usize = 3960;
/// Bytes that wrapping adds to a key.
const KEY_OVERHEAD: usize = 16;

/// What the licenses of a page have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Kind {
    pub(in crate::store) section: Option<i64>,
    pub(in crate::store) stateful: bool,
    pub(in crate::store) recipe: Option<i64>,
}

/// A page that licenses are put into.
struct Open {
    kind: Kind,
    id: i64,
    /// Stays where it is made: what is moved leaves copies that nobody wipes.
    key: Box<PageKey>,
    sealed: Vec<u8>,
    page: PageBuilder,
    /// Least index that may follow.
    next: u32,
}

/// The pages of one batch.
pub(in crate::store) struct Packing {
    batch: i64,
    /// Number of the next page.
    next: i64,
    open: Vec<Open>,
}

impl Packing {
    pub(in crate::store) fn new(batch: i64) -> Self {
        Self { batch, next: 0, open: Vec::new() }
    }

    pub(in crate::store) fn batch(&self) -> i64 {
        self.batch
    }

    /// Row ID for a page that is put in whole.
    pub(in crate::store) fn next_page(&mut self) -> Result<i64, StoreError> {
        // Each page has a license, and each license a place in the manifest of its own.
        if self.next >= MAX_LICENSES as i64 {
            return Err(StoreError::Damaged("a batch has more licenses than a manifest".into()));
        }
        self.next += 1;
        Ok(page_id(self.batch, self.next - 1))
    }

    /// Puts a license in, and gives its place. The row of its page may be written later.
    pub(in crate::store) fn put(
        &mut self,
        connection: &Connection,
        keys: (&PageKeys, &mut Randomness),
        (kind, scope): (Kind, &dyn Fn() -> Scope),
        incoming: &Incoming<'_>,
    ) -> Result<i64, StoreError> {
        let wrapped = incoming.key.as_bytes().len() + KEY_OVERHEAD;
        let fits = |open: &Open| {
            incoming.index >= open.next && open.page.len_with(incoming.license.len(), wrapped) <= PAGE_LEN
        };
        let found = self.open.iter().position(|open| open.kind == kind);
        let at = match found {
            Some(at) if self.open.get(at).is_some_and(fits) => at,
            found => {
                if let Some(full) = found {
                    self.open.swap_remove(full).write(connection)?;
                }
                let (page_keys, random) = keys;
                let key = Box::new(PageKeys::fresh(random)?);
                let sealed = page_keys.seal(&scope(), &key, random)?;
                let id = self.next_page()?;
                self.open.push(Open { kind, id, key, sealed, page: PageBuilder::default(), next: 0 });
                self.open.len() - 1
            }
        };
        let open = self.open.get_mut(at).ok_or_else(super::pages::unreadable)?;
        let wrapped = open.key.wrap(incoming.index, incoming.policy_hash, incoming.key);
        let pushed = open.page.push(incoming.index, incoming.license, &wrapped);
        pushed.map_err(|error| StoreError::Damaged(error.to_string()))?;
        open.next = incoming.index + 1;
        Ok(place_in(open.id, incoming.index))
    }

    /// Writes the pages that are not full.
    pub(in crate::store) fn flush(&mut self, connection: &Connection) -> Result<(), StoreError> {
        self.open.drain(..).try_for_each(|open| open.write(connection))
    }
}

impl Open {
    fn write(mut self, connection: &Connection) -> Result<(), StoreError> {
        match self.page.finish() {
            Some(page) => write(connection, self.id, self.kind, (&self.sealed, &page)),
            None => Ok(()),
        }
    }
}

/// Writes the row of a page.
pub(in crate::store) fn write(
    connection: &Connection,
    id: i64,
    kind: Kind,
    (sealed, page): (&[u8], &[u8]),
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO page (id, section, stateful, recipe, key, licenses) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((id, kind.section, kind.stateful, kind.recipe, sealed, page))?;
    Ok(())
}
