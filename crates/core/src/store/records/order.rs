//! Key IDs in their order. The index has none, so an enumeration reads all pages once for some thousands of them, and keeps these.

use super::pages::{self, policy_of};
use crate::store::{Inner, StoreError};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::sync::PoisonError;
use wmlicense_wire::id::Kid;

/// Key IDs that are kept: a mebibyte of them.
const KEPT: usize = 64 * 1024;

/// The key IDs that follow one.
pub(in crate::store) struct Order {
    /// The state of the index that it was made of.
    newest: i64,
    after: Option<Kid>,
    kids: Vec<Kid>,
    /// Nothing comes behind the last of them.
    complete: bool,
}

impl Order {
    fn read(connection: &Connection, newest: i64, after: Option<Kid>) -> Result<Self, StoreError> {
        let mut kids = BTreeSet::new();
        let mut complete = true;
        pages::each(connection, i64::MIN, &mut |page| {
            for license in page.view()?.licenses() {
                let kid = policy_of(&license)?.kid;
                if after.is_none_or(|after| kid > after) {
                    kids.insert(kid);
                }
                if kids.len() > KEPT {
                    complete = false;
                    kids.pop_last();
                }
            }
            Ok(())
        })?;
        Ok(Self { newest, after, kids: kids.into_iter().collect(), complete })
    }

    /// The next one, if it is known which that is.
    fn next(&self, after: Option<Kid>) -> Option<Option<Kid>> {
        if self.after > after {
            return None;
        }
        let at = after.map_or(0, |after| self.kids.partition_point(|kid| *kid <= after));
        match self.kids.get(at) {
            None => self.complete.then_some(None),
            found => Some(found.copied()),
        }
    }
}

impl Inner {
    /// The first key ID, in the caller's transaction.
    pub(in crate::store) fn first_kid(&self, connection: &Connection) -> Result<Option<Kid>, StoreError> {
        let newest = connection.prepare_cached("SELECT max(id) FROM recent")?.query_row([], |row| row.get(0))?;
        self.next_kid(connection, None, newest)
    }

    /// The key ID after this one, in the caller's transaction. One that came since an enumeration began may be passed over.
    pub(in crate::store) fn kid_after(&self, connection: &Connection, kid: Kid) -> Result<Option<Kid>, StoreError> {
        self.next_kid(connection, Some(kid), i64::MIN)
    }

    fn next_kid(&self, connection: &Connection, after: Option<Kid>, least: i64) -> Result<Option<Kid>, StoreError> {
        let mut held = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = held.as_ref().filter(|order| order.newest >= least).and_then(|order| order.next(after)) {
            return Ok(next);
        }
        let newest = connection.prepare_cached("SELECT max(id) FROM recent")?.query_row([], |row| row.get(0))?;
        let read = held.insert(Order::read(connection, newest, after)?);
        Ok(read.next(after).flatten())
    }
}
