//! The index of licenses: a hash of a key ID or license ID, and the place of a license that has it. What is old stands sorted in
//! buckets, what is new in runs. Nothing here is believed: who finds a license by it looks at the license.

pub(super) mod buckets;
pub(super) mod changes;
pub(super) mod entry;
mod filter;
pub(super) mod runs;
pub(super) mod verify;

use super::StoreError;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128Enc, Block};
use entry::{Entry, settle};
use runs::Runs;
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::id::{Kid, Lid};

const LABEL: &str = "wmlicense/1 index";

/// The bucket of a hash, and the number of the newest run: everything that a look-up needs of the index, of one moment.
pub(super) const FIND: &str =
    "SELECT entries, (SELECT max(id) FROM recent) FROM bucket WHERE first <= ?1 ORDER BY first DESC LIMIT 1";

/// What of the index a store keeps in memory: how it hashes, and the runs that are not merged yet.
pub(super) struct Index {
    kids: Aes128Enc,
    lids: Aes128Enc,
    runs: Mutex<Arc<Runs>>,
}

impl Index {
    /// Hashes are the first 8 bytes of AES-128 under a half of X(store key, `wmlicense/1 index`, "", 32) each for key IDs and
    /// license IDs: nobody can choose IDs that meet, and the index tells nothing of them.
    pub(super) fn of(store_key: &SecretKey) -> Self {
        let key = store_key.expand(LABEL, &[]);
        let (kids, lids) = key.as_bytes().split_at(16);
        let cipher = |half: &[u8]| {
            let mut key = aes::cipher::Key::<Aes128Enc>::default();
            key.copy_from_slice(half);
            Aes128Enc::new(&key)
        };
        Self { kids: cipher(kids), lids: cipher(lids), runs: Mutex::default() }
    }

    pub(super) fn kid(&self, kid: Kid) -> i64 {
        hash(&self.kids, kid.as_bytes())
    }

    pub(super) fn lid(&self, lid: Lid) -> i64 {
        hash(&self.lids, lid.as_bytes())
    }

    /// As [`Self::kid`] of many, which costs a part of what it does one by one.
    fn kids(&self, kids: impl Iterator<Item = Kid>) -> Vec<i64> {
        hash_all(&self.kids, kids.map(|kid| *kid.as_bytes()))
    }

    /// As [`Self::lid`] of many.
    fn lids(&self, lids: impl Iterator<Item = Lid>) -> Vec<i64> {
        hash_all(&self.lids, lids.map(|lid| *lid.as_bytes()))
    }

    /// The entries of a license at a place.
    pub(super) fn entries(&self, (kid, lid): (Kid, Lid), place: i64) -> [Entry; 2] {
        [Entry::at(self.kid(kid), place), Entry::at(self.lid(lid), place)]
    }

    /// The runs, given the number of the newest one in the caller's transaction, which must not have written any: what is held is
    /// shared, and a number that is undone comes again. Those that are held already are not read again.
    pub(super) fn runs(&self, connection: &Connection, newest: i64) -> Result<Arc<Runs>, StoreError> {
        let held = Arc::clone(&self.runs.lock().unwrap_or_else(PoisonError::into_inner));
        if held.newest() == Some(newest) {
            return Ok(held);
        }
        // Of a later state than the caller's nothing is known that holds in his.
        let base = if held.newest() < Some(newest) { held } else { Arc::default() };
        let read = Arc::new(Runs::read(connection, &base)?);
        if read.newest() != Some(newest) {
            return Err(damaged());
        }
        let mut known = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have read later ones meanwhile.
        if known.newest() < read.newest() {
            *known = Arc::clone(&read);
        }
        Ok(read)
    }

    /// Places of licenses with this hash, from the row that [`FIND`] gave.
    pub(super) fn places_in(
        &self,
        connection: &Connection,
        hash: i64,
        (bucket, newest): (&[u8], i64),
    ) -> Result<Vec<i64>, StoreError> {
        let runs = self.runs(connection, newest)?;
        let mut found = Vec::new();
        buckets::collect(bucket, hash, &mut found)?;
        runs.collect(hash, &mut found);
        Ok(settled(found))
    }

    /// As [`Self::places_in`], in the caller's read transaction.
    pub(super) fn places(&self, connection: &Connection, hash: i64) -> Result<Vec<i64>, StoreError> {
        let mut find = connection.prepare_cached(FIND)?;
        let mut rows = find.query([hash])?;
        let row = rows.next()?.ok_or_else(damaged)?;
        let bucket = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        self.places_in(connection, hash, (bucket, row.get(1)?))
    }
}

/// Places that are left of what entries of one hash say.
fn settled(mut found: Vec<Entry>) -> Vec<i64> {
    if found.len() > 1 {
        settle(&mut found);
    }
    found.iter().filter(|entry| !entry.gone).map(|entry| entry.place).collect()
}

pub(super) fn damaged() -> StoreError {
    StoreError::Damaged("the index of licenses cannot be read".into())
}

fn hash(cipher: &Aes128Enc, id: &[u8; 16]) -> i64 {
    let mut block = (*id).into();
    cipher.encrypt_block(&mut block);
    of_block(&block)
}

fn hash_all(cipher: &Aes128Enc, ids: impl Iterator<Item = [u8; 16]>) -> Vec<i64> {
    let mut blocks: Vec<Block> = ids.map(Block::from).collect();
    cipher.encrypt_blocks(&mut blocks);
    blocks.iter().map(of_block).collect()
}

fn of_block(block: &Block) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = block.0;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests;
