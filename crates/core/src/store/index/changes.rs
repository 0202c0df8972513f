//! Changes of the index in one write transaction: what was put in is found at once, and written in one go at the end.

use super::entry::{Entry, collect};
use super::runs::{self, NUMBERS, Runs};
use super::{Index, buckets, damaged, settled};
use crate::store::StoreError;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::sync::Arc;
use wmlicense_wire::id::{Kid, Lid};

/// Runs up to this number of entries are never merged: they are read at the first look-up of a process, and kept in memory.
const MIN_RUNS: usize = 32 * 1024;
/// Beyond this number they always are.
const MAX_RUNS: usize = 512 * 1024;
/// A merge writes nearly every bucket of a large index; it is made when the runs are this part of it.
const PART_OF_INDEX: u64 = 4;
/// Entries that are held loose, before they become a sorted run.
const LOOSE: usize = 16 * 1024;
/// Entries of one transaction that are held in memory.
const HELD: usize = 256 * 1024;

/// When runs become buckets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Merge {
    /// When there are many.
    InTime,
    /// With this transaction, which ends something long.
    Now,
}

/// The index in a write transaction.
pub(in crate::store) struct Changes<'a> {
    connection: &'a Connection,
    index: &'a Index,
    /// The runs as they were when the transaction began.
    runs: Arc<Runs>,
    /// Highest number that was given out, to a run or to a batch.
    last: i64,
    /// The table has entries, some of this transaction maybe.
    has_buckets: bool,
    /// What this transaction put in: sorted runs, and what came last.
    fresh: Vec<Arc<[Entry]>>,
    loose: BTreeSet<Entry>,
}

impl<'a> Changes<'a> {
    pub(in crate::store) fn new(connection: &'a Connection, index: &'a Index) -> Result<Self, StoreError> {
        let newest: Option<i64> =
            connection.prepare_cached("SELECT max(id) FROM recent")?.query_row([], |row| row.get(0))?;
        let newest = newest.filter(|number| (0..NUMBERS).contains(number)).ok_or_else(damaged)?;
        Ok(Self {
            connection,
            index,
            runs: index.runs(connection, newest)?,
            last: newest,
            has_buckets: !buckets::are_empty(connection)?,
            fresh: Vec::new(),
            loose: BTreeSet::new(),
        })
    }

    /// A number for a batch, which none had before.
    pub(in crate::store) fn next_batch(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// Places of licenses with this key ID, or with another one of the same hash.
    pub(in crate::store) fn of_kid(&self, kid: Kid) -> Result<Vec<i64>, StoreError> {
        self.places(self.index.kid(kid))
    }

    /// Places of licenses with this ID, or with another one of the same hash.
    pub(in crate::store) fn of_lid(&self, lid: Lid) -> Result<Vec<i64>, StoreError> {
        self.places(self.index.lid(lid))
    }

    fn places(&self, hash: i64) -> Result<Vec<i64>, StoreError> {
        let mut found = Vec::new();
        if self.has_buckets {
            let mut find = self.connection.prepare_cached(super::FIND)?;
            let mut rows = find.query([hash])?;
            let row = rows.next()?.ok_or_else(damaged)?;
            buckets::collect(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?, hash, &mut found)?;
        }
        self.runs.collect(hash, &mut found);
        for run in &self.fresh {
            collect(run, hash, &mut found);
        }
        let of_hash = Entry::at(hash, 0)..=Entry { hash, place: i64::MAX, gone: true };
        found.extend(self.loose.range(of_hash));
        Ok(settled(found))
    }

    /// A license was put in at this place.
    pub(in crate::store) fn came(&mut self, ids: (Kid, Lid), place: i64) -> Result<(), StoreError> {
        self.index.entries(ids, place).into_iter().try_for_each(|entry| self.change(entry))
    }

    /// A license was taken away from this place.
    pub(in crate::store) fn went(&mut self, ids: (Kid, Lid), place: i64) -> Result<(), StoreError> {
        self.index.entries(ids, place).into_iter().try_for_each(|entry| self.change(entry.opposite()))
    }

    fn change(&mut self, entry: Entry) -> Result<(), StoreError> {
        // What came and went in one transaction leaves nothing behind.
        if !self.loose.remove(&entry.opposite()) {
            self.loose.insert(entry);
        }
        if self.loose.len() >= LOOSE {
            self.gather();
        }
        if self.fresh.iter().map(|run| run.len()).sum::<usize>() >= HELD {
            self.spill()?;
        }
        Ok(())
    }

    fn gather(&mut self) {
        let run: Arc<[Entry]> = std::mem::take(&mut self.loose).into_iter().collect();
        runs::push(&mut self.fresh, run);
    }

    /// What this transaction put in, sorted; it holds nothing afterwards.
    fn take(&mut self) -> Vec<Entry> {
        self.gather();
        self.fresh.drain(..).fold(Vec::new(), |all, run| super::entry::merged(&all, &run))
    }

    /// Puts what a long transaction holds into the buckets, so that its memory has a bound.
    fn spill(&mut self) -> Result<(), StoreError> {
        let mut all = self.take();
        if all.iter().any(|entry| entry.gone) {
            // What went may be in a run that was there before.
            all = self.with_runs(all)?;
        }
        buckets::merge(self.connection, &all)?;
        self.has_buckets = true;
        Ok(())
    }

    /// The runs from before with what came, all of which goes into the buckets.
    fn with_runs(&mut self, fresh: Vec<Entry>) -> Result<Vec<Entry>, StoreError> {
        let all = super::entry::merged(&self.runs.all(), &fresh);
        runs::clear(self.connection, self.last)?;
        self.last += 1;
        self.runs = Arc::new(Runs::read(self.connection, &Runs::default())?);
        Ok(all)
    }

    /// Writes everything.
    pub(in crate::store) fn finish(mut self, merge: Merge) -> Result<(), StoreError> {
        let fresh = self.take();
        let total = self.runs.len() + fresh.len();
        if total == 0 || (fresh.is_empty() && merge == Merge::InTime) {
            return Ok(());
        }
        if merge == Merge::Now || self.are_many(total)? {
            let all = self.with_runs(fresh)?;
            return buckets::merge(self.connection, &all);
        }
        let tail = self.runs.tail().ok_or_else(damaged)?;
        runs::append(self.connection, tail, self.last, &fresh)
    }

    fn are_many(&self, total: usize) -> Result<bool, StoreError> {
        if total <= MIN_RUNS {
            return Ok(false);
        }
        Ok(total > MAX_RUNS || total as u64 > buckets::estimate(self.connection)? / PART_OF_INDEX)
    }
}
