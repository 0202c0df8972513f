//! Changes of the index in one write transaction: what was put in is found at once, and written in one go at the end.

use super::entry::{Entry, collect, settle};
use super::filter::Filter;
use super::runs::{self, NUMBERS, Runs};
use super::{Index, buckets, damaged, settled};
use crate::store::StoreError;
use rusqlite::Connection;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use wmlicense_wire::id::{Kid, Lid};

/// Runs up to this number of entries are never merged: they are read at the first look-up of a process, and kept in memory.
const MIN_RUNS: usize = 64 * 1024;
/// Beyond this number they always are.
const MAX_RUNS: usize = 512 * 1024;
/// A merge writes nearly every bucket of a large index; it is made when the runs are this part of it.
const PART_OF_INDEX: u64 = 2;
/// Entries that are held loose, before they become a sorted run: who may be among them is searched for in all of them.
const LOOSE: usize = 4 * 1024;
/// Entries of one transaction that are held in memory.
pub(super) const HELD: usize = 256 * 1024;

/// Runs of one transaction are not joined to longer ones: while they are joined, there are two copies of them.
const JOINED: usize = 64 * 1024;
/// Ranges of hashes that go into the buckets one after the other, as a power of two.
const RANGES_POWER: u32 = 4;

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
    /// The table has entries that another transaction made.
    has_old_buckets: bool,
    /// Hashes of which neither a run nor a bucket has an entry of another transaction, as far as that was looked up.
    absent: HashSet<i64, Hashed>,
    /// What this transaction put in and the buckets have not: sorted runs, and what came last.
    fresh: Vec<Arc<[Entry]>>,
    loose: Vec<Entry>,
    /// Hashes of license IDs that this transaction wrote of.
    lids: Filter,
}

/// For sets of what is a hash already.
#[derive(Default, Clone, Copy)]
struct Hashed;

impl BuildHasher for Hashed {
    type Hasher = AsItIs;

    fn build_hasher(&self) -> AsItIs {
        AsItIs(0)
    }
}

struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_i64(&mut self, hash: i64) {
        self.0 = hash.cast_unsigned();
    }
}

impl<'a> Changes<'a> {
    pub(in crate::store) fn new(connection: &'a Connection, index: &'a Index) -> Result<Self, StoreError> {
        let newest: Option<i64> =
            connection.prepare_cached("SELECT max(id) FROM recent")?.query_row([], |row| row.get(0))?;
        let newest = newest.filter(|number| (0..NUMBERS).contains(number)).ok_or_else(damaged)?;
        let has_buckets = !buckets::are_empty(connection)?;
        Ok(Self {
            connection,
            index,
            runs: index.runs(connection, newest)?,
            last: newest,
            has_buckets,
            has_old_buckets: has_buckets,
            absent: HashSet::default(),
            fresh: Vec::new(),
            loose: Vec::new(),
            lids: Filter::default(),
        })
    }

    /// A number for a batch, which none had before.
    pub(in crate::store) fn next_batch(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// These license IDs are looked up next: those that nothing has are found in one pass over buckets and runs.
    pub(in crate::store) fn expect(&mut self, lids: impl Iterator<Item = Lid>) -> Result<(), StoreError> {
        if !self.may_have_old() {
            return Ok(());
        }
        let mut hashes = self.index.lids(lids);
        hashes.sort_unstable();
        self.runs.keep_absent(&mut hashes);
        if !self.has_old_buckets {
            self.absent.extend(hashes);
            return Ok(());
        }
        buckets::absent(self.connection, &hashes, &mut |hash| {
            self.absent.insert(hash);
        })
    }

    /// False if another transaction put nothing in that is still there.
    fn may_have_old(&self) -> bool {
        self.has_old_buckets || self.runs.len() > 0
    }

    /// Places of licenses with this key ID, or with another one of the same hash.
    pub(in crate::store) fn of_kid(&self, kid: Kid) -> Result<Vec<i64>, StoreError> {
        self.places(self.index.kid(kid), (self.has_buckets, true), true)
    }

    /// Places of licenses with this ID, or with another one of the same hash.
    pub(in crate::store) fn of_lid(&self, lid: Lid) -> Result<Vec<i64>, StoreError> {
        let hash = self.index.lid(lid);
        let may_be_fresh = self.lids.may_have(hash);
        let may_be_old = self.may_have_old() && !self.absent.contains(&hash);
        let in_buckets = (may_be_old && self.has_old_buckets) || (may_be_fresh && self.has_buckets);
        self.places(hash, (in_buckets, may_be_old), may_be_fresh)
    }

    /// Places in the buckets, in the runs, and among what this transaction put in, where they may be.
    fn places(&self, hash: i64, (in_buckets, in_runs): (bool, bool), is_fresh: bool) -> Result<Vec<i64>, StoreError> {
        let mut found = Vec::new();
        if in_buckets {
            let mut find = self.connection.prepare_cached(super::FIND)?;
            let mut rows = find.query([hash])?;
            let row = rows.next()?.ok_or_else(damaged)?;
            buckets::collect(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?, hash, &mut found)?;
        }
        if in_runs {
            self.runs.collect(hash, &mut found);
        }
        if is_fresh {
            self.fresh.iter().for_each(|run| collect(run, hash, &mut found));
            found.extend(self.loose.iter().filter(|entry| entry.hash == hash));
        }
        Ok(settled(found))
    }

    /// A license was put in at this place.
    pub(in crate::store) fn came(&mut self, ids: (Kid, Lid), place: i64) -> Result<(), StoreError> {
        self.change(self.index.entries(ids, place))
    }

    /// Licenses were put in at these places.
    pub(in crate::store) fn came_all(
        &mut self,
        licenses: impl Iterator<Item = ((Kid, Lid), i64)> + Clone,
    ) -> Result<(), StoreError> {
        let kids = self.index.kids(licenses.clone().map(|((kid, _), _)| kid));
        let lids = self.index.lids(licenses.clone().map(|((_, lid), _)| lid));
        let mut hashes = kids.into_iter().zip(lids);
        licenses
            .zip(&mut hashes)
            .try_for_each(|((_, place), (kid, lid))| self.change([Entry::at(kid, place), Entry::at(lid, place)]))
    }

    /// True if none of these license IDs is there, as far as a look shows that searches for none of them.
    pub(in crate::store) fn are_absent(&self, lids: impl Iterator<Item = Lid>) -> bool {
        if self.may_have_old() {
            return false;
        }
        // All of them are looked at, because the looks go on side by side.
        !self.index.lids(lids).into_iter().fold(false, |found, hash| found | self.lids.may_have(hash))
    }

    /// A license was taken away from this place.
    pub(in crate::store) fn went(&mut self, ids: (Kid, Lid), place: i64) -> Result<(), StoreError> {
        self.change(self.index.entries(ids, place).map(Entry::opposite))
    }

    fn change(&mut self, entries: [Entry; 2]) -> Result<(), StoreError> {
        let [_, of_lid] = entries;
        self.lids.insert(of_lid.hash);
        self.loose.extend(entries);
        if self.loose.len() < LOOSE {
            return Ok(());
        }
        self.gather();
        if self.fresh.iter().map(|run| run.len()).sum::<usize>() >= HELD { self.spill() } else { Ok(()) }
    }

    fn gather(&mut self) {
        // What came and went in one transaction leaves nothing behind.
        self.loose.sort_unstable();
        settle(&mut self.loose);
        runs::push(&mut self.fresh, self.loose.as_slice().into(), JOINED);
        self.loose.clear();
    }

    /// What this transaction put in, sorted; it holds nothing afterwards.
    fn take(&mut self) -> Vec<Entry> {
        self.gather();
        self.fresh.drain(..).rev().fold(Vec::new(), |all, run| super::entry::merged(&all, &run))
    }

    /// Puts what a long transaction holds into the buckets, so that its memory has a bound.
    fn spill(&mut self) -> Result<(), StoreError> {
        self.gather();
        self.has_buckets = true;
        if !self.took_away() {
            return self.pour();
        }
        // What went may be in a run that was there before.
        let fresh = self.take();
        let all = self.with_runs(fresh)?;
        self.has_old_buckets = true;
        self.absent.clear();
        buckets::merge(self.connection, &all)
    }

    /// True if something went in what this transaction holds.
    fn took_away(&self) -> bool {
        self.fresh.iter().any(|run| run.iter().any(|entry| entry.gone))
    }

    /// Puts the runs of this transaction, in which nothing went, into the buckets: one range of hashes after the other, so that of
    /// little there are two copies. It holds nothing afterwards.
    fn pour(&mut self) -> Result<(), StoreError> {
        let fresh = std::mem::take(&mut self.fresh);
        let mut rest: Vec<&[Entry]> = fresh.iter().map(AsRef::as_ref).collect();
        for range in 1..=1_i64 << RANGES_POWER {
            // The last one ends where the first one begins.
            let end = i64::MIN.wrapping_add(range << (i64::BITS - RANGES_POWER));
            let mut entries = Vec::new();
            for run in &mut rest {
                let is_before = |entry: &Entry| entry.hash < end || end == i64::MIN;
                let (here, after) = run.split_at(run.partition_point(is_before));
                entries.extend_from_slice(here);
                *run = after;
            }
            settle(&mut entries);
            buckets::merge(self.connection, &entries)?;
        }
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
        self.gather();
        if merge == Merge::Now && self.runs.len() == 0 && !self.fresh.is_empty() && !self.took_away() {
            self.with_runs(Vec::new())?;
            return self.pour();
        }
        let fresh = self.take();
        let total = self.runs.len() + fresh.len();
        // A number that was given out must not be given out again, although all of its entries went into the buckets already.
        let is_numbered = self.runs.newest() == Some(self.last);
        if is_numbered && (total == 0 || (fresh.is_empty() && merge == Merge::InTime)) {
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
