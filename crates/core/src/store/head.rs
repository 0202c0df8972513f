//! The head: store ID, generation, clock and what the sums of all buckets are, under one MAC. Every change of an authenticated row
//! goes through it in the same transaction. The sums stand in rows of their own, of which a change writes one.

use super::integrity::{self, Integrity, Sum, Table};
use super::kept::{Kept, KeptKind};
use super::{StoreError, clock_bytes, error::fixed};
use crate::clock::ClockRecord;
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::collections::BTreeMap;
use std::sync::Arc;
use wmlicense_wire::aead::constant_time_eq;
use wmlicense_wire::id::{Digest, Lid, StoreId};
use wmlicense_wire::license::State;

/// Rows of sums, and sums of a row.
const PARTS: usize = 16;
const SUMS: usize = 16;

const SELECT: &str =
    "SELECT store_id, key_check, generation, mark, provisional, floors, mac, buckets, kept, anchors, clock
    FROM head WHERE one = 1";

/// The sums of a row.
type Sums = [Sum; SUMS];

/// The verified head inside a transaction.
pub(super) struct Head {
    pub(super) store_id: StoreId,
    pub(super) clock: ClockRecord,
    generation: i64,
    /// SHA-256 of each row of sums.
    parts: [Digest; PARTS],
    /// The rows of sums that changed.
    sums: BTreeMap<usize, Sums>,
    /// Kept revocations and status lists.
    kept: Vec<Kept>,
    changed: bool,
}

/// What was read of a head whose MAC verified.
pub(super) struct SeenHead {
    mac: [u8; 32],
    pub(super) clock: Arc<ClockRecord>,
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
        let sums: BTreeMap<usize, Sums> = (0..PARTS).map(|part| (part, Sums::default())).collect();
        let parts = [Digest::new([0; 32]); PARTS];
        let head = Self { store_id, clock, generation: 0, parts, sums, kept: Vec::new(), changed: true };
        connection.execute(
            "INSERT INTO head (one, store_id, key_check, generation, mark, floors, mac, buckets)
             VALUES (1, ?1, ?2, 0, 0, x'', x'', x'')",
            (store_id.as_bytes(), key_check(integrity, store_id)),
        )?;
        head.save(connection, integrity)
    }

    /// Makes the head of an earlier schema, which holds all sums itself, one of this schema, if its code verifies.
    pub(super) fn convert(connection: &Connection, integrity: &Integrity) -> Result<(), StoreError> {
        let mut statement = connection.prepare(SELECT)?;
        let mut rows = statement.query([])?;
        let row = rows.next()?.ok_or(StoreError::Tampered)?;
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        let all = blob(7)?;
        let (sums, rest) = all.as_chunks();
        if sums.len() != PARTS * SUMS || !rest.is_empty() {
            return Err(StoreError::Tampered);
        }
        let mut head = Self::read(row, integrity, [Digest::new([0; 32]); PARTS])?;
        if !constant_time_eq(blob(6)?, &head.earlier_mac(integrity, all)) {
            return Err(StoreError::Tampered);
        }
        for (part, sums) in sums.chunks(SUMS).enumerate() {
            let sums: [[u8; 32]; SUMS] = sums.try_into().map_err(|_| StoreError::Tampered)?;
            head.sums.insert(part, sums.map(Sum));
        }
        head.changed = true;
        head.save(connection, integrity)
    }

    /// The code of schemas 1 to 3. That of a store without something was made without it.
    fn earlier_mac(&self, integrity: &Integrity, sums: &[u8]) -> [u8; 32] {
        let clock = &self.clock;
        let floors = clock_bytes::encode_floors(&clock.floors);
        let provisional = encode_provisional(clock);
        let lengths = [provisional.len() as u64, floors.len() as u64].map(u64::to_be_bytes).concat();
        let (generation, mark) = (self.generation.to_be_bytes(), clock.mark.to_be_bytes());
        let (anchors, rest) = (clock_bytes::encode_anchors(clock.anchors.as_ref()), clock_bytes::encode_rest(clock));
        let more = [anchors.len() as u64, rest.len() as u64].map(u64::to_be_bytes);
        let (label, more): (&[u8], Vec<&[u8]>) = match (anchors.is_empty(), rest.is_empty()) {
            (true, true) => (b"head\0", vec![]),
            (false, true) => (b"head anchored\0", vec![&more[0], &anchors]),
            (_, false) => (b"head timed\0", vec![&more[0], &more[1], &anchors, &rest]),
        };
        let mut parts = vec![label, self.store_id.as_bytes(), &generation, &mark, &lengths, &provisional, &floors];
        parts.extend(more);
        parts.push(sums);
        let kept = Kept::encode_all(&self.kept);
        parts.push(&kept);
        integrity.code(&parts)
    }

    /// Reads and verifies the head.
    pub(super) fn load(connection: &Connection, integrity: &Integrity) -> Result<Self, StoreError> {
        let mut statement = connection.prepare_cached(SELECT)?;
        let mut rows = statement.query([])?;
        let row = rows.next()?.ok_or(StoreError::Tampered)?;
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        let (parts, rest) = blob(7)?.as_chunks();
        let parts: [[u8; 32]; PARTS] = parts.try_into().map_err(|_| StoreError::Tampered)?;
        if !rest.is_empty() {
            return Err(StoreError::Tampered);
        }
        let head = Self::read(row, integrity, parts.map(Digest::new))?;
        if constant_time_eq(blob(6)?, &head.mac(integrity)) { Ok(head) } else { Err(StoreError::Tampered) }
    }

    /// Everything but the sums, from a row of [`SELECT`].
    fn read(row: &Row<'_>, integrity: &Integrity, parts: [Digest; PARTS]) -> Result<Self, StoreError> {
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        let store_id = StoreId::new(fixed(blob(0)?)?);
        if !constant_time_eq(blob(1)?, &key_check(integrity, store_id)) {
            return Err(StoreError::OtherDevice);
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
        let (sums, kept) = (BTreeMap::new(), Kept::decode_all(blob(8)?)?);
        Ok(Self { store_id, clock, generation: row.get(2)?, parts, sums, kept, changed: false })
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
        Ok(seen.insert(SeenHead { mac: head.mac(integrity), clock: Arc::new(head.clock), kept: head.kept }))
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
        let (part, place) = place_of(bucket);
        let known = self.sums_of(connection, part)?.get(place).copied();
        if integrity.sum(connection, bucket)? == known { Ok(()) } else { Err(StoreError::Tampered) }
    }

    /// The sums of a row, if they are those that the head knows.
    fn sums_of(&self, connection: &Connection, part: usize) -> Result<Sums, StoreError> {
        if let Some(sums) = self.sums.get(&part) {
            return Ok(*sums);
        }
        let mut find = connection.prepare_cached("SELECT sums FROM sum WHERE part = ?1")?;
        let bytes: Option<Vec<u8>> = find.query_row([part as i64], |row| row.get(0)).optional()?;
        let bytes = bytes.filter(|bytes| Some(&Digest::of(bytes)) == self.parts.get(part));
        let bytes = bytes.ok_or(StoreError::Tampered)?;
        let (sums, _) = bytes.as_chunks();
        let sums: [[u8; 32]; SUMS] = sums.try_into().map_err(|_| StoreError::Tampered)?;
        Ok(sums.map(Sum))
    }

    fn sum_mut(&mut self, connection: &Connection, bucket: u8) -> Result<&mut Sum, StoreError> {
        let (part, place) = place_of(bucket);
        let sums = self.sums_of(connection, part)?;
        self.changed = true;
        self.sums.entry(part).or_insert(sums).get_mut(place).ok_or(StoreError::Tampered)
    }

    /// Takes the rows of a bucket as they are, after a repair.
    pub(super) fn accept_bucket(
        &mut self,
        connection: &Connection,
        integrity: &Integrity,
        bucket: u8,
    ) -> Result<(), StoreError> {
        let sum = integrity.sum(connection, bucket)?.ok_or(StoreError::Tampered)?;
        let (part, place) = place_of(bucket);
        // A row of sums that was changed says nothing: its other buckets are taken as they are as well.
        let before = match self.sums_of(connection, part) {
            Err(StoreError::Tampered) => Sums::default(),
            before => before?,
        };
        self.changed = true;
        *self.sums.entry(part).or_insert(before).get_mut(place).ok_or(StoreError::Tampered)? = sum;
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
        let sum = self.sum_mut(connection, lid.as_bytes()[0])?;
        integrity.put_row(connection, table, lid, (before, content), sum)
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
            integrity::Row::Missing if known => Ok(()),
            integrity::Row::Missing => self.put_row(connection, integrity, table, None, &start.encode()),
            integrity::Row::Changed => Ok(()),
            integrity::Row::Sound(before) => {
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
        for (part, sums) in &self.sums {
            let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.0).collect();
            if let Some(digest) = self.parts.get_mut(*part) {
                *digest = Digest::of(&bytes);
            }
            connection
                .prepare_cached("INSERT OR REPLACE INTO sum (part, sums) VALUES (?1, ?2)")?
                .execute((*part as i64, bytes))?;
        }
        let parts: Vec<u8> = self.parts.iter().flat_map(|digest| *digest.as_bytes()).collect();
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
            parts,
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
        let provisional = encode_provisional(clock);
        let lengths = [provisional.len() as u64, floors.len() as u64].map(u64::to_be_bytes).concat();
        let (generation, mark) = (self.generation.to_be_bytes(), clock.mark.to_be_bytes());
        let (anchors, rest) = (clock_bytes::encode_anchors(clock.anchors.as_ref()), clock_bytes::encode_rest(clock));
        let more = [anchors.len() as u64, rest.len() as u64].map(u64::to_be_bytes).concat();
        let store_id = self.store_id.as_bytes();
        let mut parts: Vec<&[u8]> = vec![b"head 4\0", store_id, &generation, &mark, &lengths, &more];
        parts.extend([&provisional[..], &floors, &anchors, &rest]);
        parts.extend(self.parts.iter().map(|digest| digest.as_bytes().as_slice()));
        let kept = Kept::encode_all(&self.kept);
        parts.push(&kept);
        integrity.code(&parts)
    }
}

/// 01 ‖ time of an unconfirmed jump; empty without one.
fn encode_provisional(clock: &ClockRecord) -> Vec<u8> {
    clock.provisional.map_or_else(Vec::new, |time| [&[1], &time.to_be_bytes()[..]].concat())
}

/// Row of a bucket's sum, and its place there.
fn place_of(bucket: u8) -> (usize, usize) {
    (usize::from(bucket) / SUMS, usize::from(bucket) % SUMS)
}

/// Tells a store of another device from one that was changed.
fn key_check(integrity: &Integrity, store_id: StoreId) -> [u8; 32] {
    integrity.code(&[b"store\0", store_id.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_and_a_status_list_of_one_id_are_kept_apart() {
        let kept = |kind, number| Kept { kind, id: [7; 32], number, taken_at: 0, hash: Digest::new([0; 32]) };
        let mut head = Head {
            store_id: StoreId::new([1; 16]),
            clock: ClockRecord::default(),
            generation: 0,
            parts: [Digest::new([0; 32]); PARTS],
            sums: BTreeMap::new(),
            kept: Vec::new(),
            changed: false,
        };
        for (kind, number) in [(KeptKind::Revocation, 1), (KeptKind::StatusList, 10), (KeptKind::Revocation, 2)] {
            head.keep(kept(kind, number));
        }
        let number = |kind| head.find_kept(kind, &[7; 32]).map(|kept| kept.number);
        let found = [KeptKind::Revocation, KeptKind::StatusList].map(number);
        assert_eq!((head.kept().len(), found), (2, [Some(2), Some(10)]));
    }
}
