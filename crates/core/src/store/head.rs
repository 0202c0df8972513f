//! The head: store ID, generation, clock and the sums of all buckets, under one MAC. Every change of an authenticated row
//! goes through it in the same transaction.

use super::integrity::{Integrity, Row, Sum, Table};
use super::kept::{Kept, KeptKind};
use super::{StoreError, clock_bytes, error::fixed};
use crate::clock::ClockRecord;
use rusqlite::Connection;
use wmlicense_wire::aead::constant_time_eq;
use wmlicense_wire::id::{Lid, StoreId};
use wmlicense_wire::license::State;

const BUCKETS: usize = 256;

/// The verified head inside a transaction.
pub(super) struct Head {
    pub(super) store_id: StoreId,
    pub(super) clock: ClockRecord,
    generation: i64,
    buckets: Vec<Sum>,
    /// Kept revocations and status lists.
    kept: Vec<Kept>,
    changed: bool,
}

/// What was read of a head whose MAC verified.
pub(super) struct SeenHead {
    mac: [u8; 32],
    pub(super) clock: ClockRecord,
    kept: Vec<Kept>,
}

impl SeenHead {
    /// The head's word on the kept status list of an authority.
    pub(super) fn status_list(&self, authority: &[u8]) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.kind == KeptKind::StatusList && kept.id == authority)
    }
}

impl Head {
    /// Writes the head of a store that is being made.
    pub(super) fn create(connection: &Connection, integrity: &Integrity, now: i64) -> Result<(), StoreError> {
        let store_id = StoreId::random().map_err(|_| StoreError::Random)?;
        let clock = ClockRecord { mark: now, ..ClockRecord::default() };
        let buckets = vec![Sum::default(); BUCKETS];
        let head = Self { store_id, clock, generation: 0, buckets, kept: Vec::new(), changed: true };
        connection.execute(
            "INSERT INTO head (one, store_id, key_check, generation, mark, floors, mac, buckets)
             VALUES (1, ?1, ?2, 0, 0, x'', x'', x'')",
            (store_id.as_bytes(), key_check(integrity, store_id)),
        )?;
        head.save(connection, integrity)
    }

    /// Reads and verifies the head.
    pub(super) fn load(connection: &Connection, integrity: &Integrity) -> Result<Self, StoreError> {
        let mut statement = connection.prepare_cached(
            "SELECT store_id, key_check, generation, mark, provisional, floors, mac, buckets, kept, anchors, clock
             FROM head WHERE one = 1",
        )?;
        let mut rows = statement.query([])?;
        let row = rows.next()?.ok_or(StoreError::Tampered)?;
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        let store_id = StoreId::new(fixed(blob(0)?)?);
        if !constant_time_eq(blob(1)?, &key_check(integrity, store_id)) {
            return Err(StoreError::OtherDevice);
        }
        let (buckets, rest) = blob(7)?.as_chunks();
        if buckets.len() != BUCKETS || !rest.is_empty() {
            return Err(StoreError::Tampered);
        }
        let (longest, doubts) = clock_bytes::decode_rest(blob(10)?)?;
        let clock = ClockRecord {
            mark: row.get(3)?,
            provisional: row.get(4)?,
            floors: clock_bytes::decode_floors(blob(5)?)?,
            doubts,
            anchors: clock_bytes::decode_anchors(blob(9)?)?,
            longest,
        };
        let buckets = buckets.iter().map(|sum| Sum(*sum)).collect();
        let kept = Kept::decode_all(blob(8)?)?;
        let head = Self { store_id, clock, generation: row.get(2)?, buckets, kept, changed: false };
        if constant_time_eq(blob(6)?, &head.mac(integrity)) { Ok(head) } else { Err(StoreError::Tampered) }
    }

    /// As [`Self::load_seen`], where the MAC was not read beside something else.
    pub(super) fn load_current<'s>(
        connection: &Connection,
        integrity: &Integrity,
        seen: &'s mut Option<SeenHead>,
    ) -> Result<&'s SeenHead, StoreError> {
        let mut statement = connection.prepare_cached("SELECT mac FROM head WHERE one = 1")?;
        let mac: Vec<u8> = statement.query_row([], |row| row.get(0))?;
        Self::load_seen(connection, integrity, seen, &mac)
    }

    /// What was verified under the MAC that the head has at the moment, read in the caller's transaction or statement. The head
    /// itself is read only where that is another one than `seen` has.
    pub(super) fn load_seen<'s>(
        connection: &Connection,
        integrity: &Integrity,
        seen: &'s mut Option<SeenHead>,
        mac: &[u8],
    ) -> Result<&'s SeenHead, StoreError> {
        if let Some(known) = seen.take().filter(|seen| constant_time_eq(&seen.mac, mac)) {
            return Ok(seen.insert(known));
        }
        let head = Self::load(connection, integrity)?;
        Ok(seen.insert(SeenHead { mac: head.mac(integrity), clock: head.clock, kept: head.kept }))
    }

    /// Kept revocations and status lists.
    pub(super) fn kept(&self) -> &[Kept] {
        &self.kept
    }

    /// The kept document of a revocation key or authority.
    pub(super) fn find_kept(&self, kind: KeptKind, id: &[u8; 32]) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.kind == kind && kept.id == *id)
    }

    /// Vouches for a kept document in place of the one before.
    pub(super) fn keep(&mut self, fresh: Kept) {
        self.kept.retain(|kept| kept.kind != fresh.kind || kept.id != fresh.id);
        self.kept.push(fresh);
        self.changed = true;
    }

    /// Replaces the clock.
    pub(super) fn set_clock(&mut self, clock: ClockRecord) {
        self.changed |= clock != self.clock;
        self.clock = clock;
    }

    /// Refuses if the rows of a license's bucket are not those that the head knows.
    pub(super) fn check(&self, connection: &Connection, integrity: &Integrity, lid: Lid) -> Result<(), StoreError> {
        self.check_bucket(connection, integrity, lid.as_bytes()[0])
    }

    /// As [`Self::check`], for all rows of the store.
    pub(super) fn check_all(&self, connection: &Connection, integrity: &Integrity) -> Result<(), StoreError> {
        (0..=u8::MAX).try_for_each(|bucket| self.check_bucket(connection, integrity, bucket))
    }

    /// As [`Self::check`], for one bucket.
    pub(super) fn check_bucket(
        &self,
        connection: &Connection,
        integrity: &Integrity,
        bucket: u8,
    ) -> Result<(), StoreError> {
        let sum = integrity.sum(connection, bucket)?;
        if sum == self.buckets.get(usize::from(bucket)).copied() { Ok(()) } else { Err(StoreError::Tampered) }
    }

    /// Takes the rows of a bucket as they are, after a repair.
    pub(super) fn accept_bucket(
        &mut self,
        connection: &Connection,
        integrity: &Integrity,
        bucket: u8,
    ) -> Result<(), StoreError> {
        let sum = integrity.sum(connection, bucket)?.ok_or(StoreError::Tampered)?;
        *self.buckets.get_mut(usize::from(bucket)).ok_or(StoreError::Tampered)? = sum;
        self.changed = true;
        Ok(())
    }

    /// Gives the store another ID.
    pub(super) fn rename(&mut self) -> Result<(), StoreError> {
        self.store_id = StoreId::random().map_err(|_| StoreError::Random)?;
        self.changed = true;
        Ok(())
    }

    /// Writes a row; `before` is the sound row that it takes the place of.
    pub(super) fn put_row(
        &mut self,
        connection: &Connection,
        integrity: &Integrity,
        (table, lid): (Table, Lid),
        before: Option<&[u8]>,
        content: &[u8],
    ) -> Result<(), StoreError> {
        let sum = self.buckets.get_mut(usize::from(lid.as_bytes()[0])).ok_or(StoreError::Tampered)?;
        integrity.put_row(connection, table, lid, (before, content), sum)?;
        self.changed = true;
        Ok(())
    }

    /// Merges what is known of a license's use with `start`: the stricter stays. `known` says that the license was stored
    /// before: its row must be there then, and a row that is missing or was changed stays so, and the license unusable.
    pub(super) fn merge_state(
        &mut self,
        connection: &Connection,
        integrity: &Integrity,
        (lid, known): (Lid, bool),
        start: State,
    ) -> Result<(), StoreError> {
        let table = (Table::State, lid);
        match integrity.row(connection, Table::State, lid)? {
            Row::Missing if known => Ok(()),
            Row::Missing => self.put_row(connection, integrity, table, None, &start.encode()),
            Row::Changed => Ok(()),
            Row::Sound(before) => {
                let merged = State::decode(&before)?.strictest(&start).encode();
                if merged == before {
                    Ok(())
                } else {
                    self.put_row(connection, integrity, table, Some(&before), &merged)
                }
            }
        }
    }

    /// Writes the head if anything in it changed.
    pub(super) fn save(mut self, connection: &Connection, integrity: &Integrity) -> Result<(), StoreError> {
        if !self.changed {
            return Ok(());
        }
        self.generation += 1;
        let buckets: Vec<u8> = self.buckets.iter().flat_map(|sum| sum.0).collect();
        let mut statement = connection.prepare_cached(
            "UPDATE head SET generation = ?1, mark = ?2, provisional = ?3, floors = ?4, mac = ?5, buckets = ?6, store_id = ?7,
             key_check = ?8, kept = ?9, anchors = ?10, clock = ?11",
        )?;
        let clock = &self.clock;
        let floors = clock_bytes::encode_floors(&clock.floors);
        statement.execute((
            self.generation,
            clock.mark,
            clock.provisional,
            floors,
            self.mac(integrity),
            buckets,
            self.store_id.as_bytes(),
            key_check(integrity, self.store_id),
            Kept::encode_all(&self.kept),
            clock_bytes::encode_anchors(clock.anchors.as_ref()),
            clock_bytes::encode_rest(clock),
        ))?;
        Ok(())
    }

    fn mac(&self, integrity: &Integrity) -> [u8; 32] {
        let clock = &self.clock;
        let floors = clock_bytes::encode_floors(&clock.floors);
        let provisional = clock.provisional.map_or_else(Vec::new, |time| [&[1], &time.to_be_bytes()[..]].concat());
        let lengths = [provisional.len() as u64, floors.len() as u64].map(u64::to_be_bytes).concat();
        let (generation, mark) = (self.generation.to_be_bytes(), clock.mark.to_be_bytes());
        let (anchors, rest) = (clock_bytes::encode_anchors(clock.anchors.as_ref()), clock_bytes::encode_rest(clock));
        let more = [anchors.len() as u64, rest.len() as u64].map(u64::to_be_bytes);
        // The code of a store of an earlier version was made without what it does not have.
        let (label, more): (&[u8], Vec<&[u8]>) = match (anchors.is_empty(), rest.is_empty()) {
            (true, true) => (b"head\0", vec![]),
            (false, true) => (b"head anchored\0", vec![&more[0], &anchors]),
            (_, false) => (b"head timed\0", vec![&more[0], &more[1], &anchors, &rest]),
        };
        let mut parts = vec![label, self.store_id.as_bytes(), &generation, &mark, &lengths, &provisional, &floors];
        parts.extend(more);
        parts.extend(self.buckets.iter().map(|sum| sum.0.as_slice()));
        // The sums have one length in all, so what follows them is told apart from them; a store that keeps nothing has the
        // code that it had before anything could be kept.
        let kept = Kept::encode_all(&self.kept);
        parts.push(&kept);
        integrity.code(&parts)
    }
}

/// Tells a store of another device from one that was changed.
fn key_check(integrity: &Integrity, store_id: StoreId) -> [u8; 32] {
    integrity.code(&[b"store\0", store_id.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_wire::id::Digest;

    #[test]
    fn a_revocation_and_a_status_list_of_one_id_are_kept_apart() {
        let kept = |kind, number| Kept { kind, id: [7; 32], number, taken_at: 0, hash: Digest::new([0; 32]) };
        let mut head = Head {
            store_id: StoreId::new([1; 16]),
            clock: ClockRecord::default(),
            generation: 0,
            buckets: Vec::new(),
            kept: Vec::new(),
            changed: false,
        };
        for number in [1, 2] {
            head.keep(kept(KeptKind::Revocation, number));
            head.keep(kept(KeptKind::StatusList, 10 * number));
        }
        assert_eq!(head.kept().len(), 2);
        let number = |kind| head.find_kept(kind, &[7; 32]).map(|kept| kept.number);
        assert_eq!((number(KeptKind::Revocation), number(KeptKind::StatusList)), (Some(2), Some(20)));
    }
}
