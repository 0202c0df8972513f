//! Kept revocations: the newest blob of each revocation key and the newest status list of each authority. The head vouches for
//! both, so that neither can be taken away or put back unnoticed.

use super::at_rest::batch_of;
use super::merge::Merger;
use super::pages::{self, PageRow, policy_of};
use super::standing::{mark_batches, read_list, vouched};
use crate::store::head::Head;
use crate::store::index::changes::Merge;
use crate::store::integrity::{Integrity, Row, Table};
use crate::store::kept::{Kept, KeptKind};
use crate::store::{Inner, Store, StoreError, error::fixed};
use rusqlite::Connection;
use std::sync::{Arc, PoisonError};
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::id::{Digest, Lid, ServiceId, SignerId};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::VerifiedRevocation;
use wmlicense_wire::status_list::StatusList;

/// A list or blob is not newer than the one that is kept. The store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It has a lower number than the kept one.
    #[error("number {0} is kept already, which is newer")]
    Older(u64),
    /// It has the number of the kept one and other bytes.
    #[error("another one of the same number is kept already")]
    Conflict,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Refuses what is not newer than the kept one; true if it is the kept one.
fn is_known(kept: Option<&Kept>, number: u64, hash: Digest) -> Result<bool, NotTaken> {
    match kept {
        Some(kept) if number < kept.number => Err(NotTaken::Older(kept.number)),
        Some(kept) if number == kept.number && hash != kept.hash => Err(NotTaken::Conflict),
        Some(kept) => Ok(number == kept.number),
        None => Ok(false),
    }
}

/// Removes the stored licenses that a blob matches, leaves tombstones and keeps the blob, all in the caller's transaction.
/// Gives the number of licenses removed.
pub(in crate::store) fn take(
    connection: &Connection,
    merger: &mut Merger<'_>,
    blob: &VerifiedRevocation,
    bytes: &[u8],
    now: i64,
) -> Result<u64, NotTaken> {
    let (hash, key) = (Digest::of(bytes), blob.key.as_bytes());
    let kept = merger.head.find_kept(KeptKind::Revocation, key);
    let taken_at = match is_known(kept, blob.content.number, hash)? {
        true => kept.map_or(now, |kept| kept.taken_at),
        false => now,
    };
    let number = i64::try_from(blob.content.number).map_err(|_| StoreError::Damaged("a number is too high".into()))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO revocation (revocation_key, number, bytes) VALUES (?1, ?2, ?3)")
        .and_then(|mut statement| statement.execute((key, number, bytes)))
        .map_err(StoreError::from)?;
    merger.head.keep(Kept { kind: KeptKind::Revocation, id: *key, number: blob.content.number, taken_at, hash });
    let mut removed = 0;
    merger.write_pages()?;
    for (lid, issuer) in matching(connection, blob)? {
        merger.bury(&Tombstone { lid, issuer, removed_at: now })?;
        connection
            .prepare_cached("INSERT OR IGNORE INTO taken_back (revocation_key, lid) VALUES (?1, ?2)")
            .and_then(|mut statement| statement.execute((key, lid.as_bytes())))
            .map_err(StoreError::from)?;
        removed += 1;
    }
    merger.forget_revocations();
    Ok(removed)
}

/// Stored licenses that a blob takes back, with their issuers.
fn matching(connection: &Connection, blob: &VerifiedRevocation) -> Result<Vec<(Lid, ServiceId)>, StoreError> {
    let mut found = Vec::new();
    each_with(connection, blob.key, &mut |_, policy| {
        if blob.matches(&policy) {
            found.push((policy.lid, policy.issuer));
        }
        Ok(true)
    })?;
    Ok(found)
}

/// Gives the policies that name a revocation key, each with the row of its page, until `take` says that it is enough. Pages that
/// do not even hold the key's ID are not read.
fn each_with(
    connection: &Connection,
    key: SignerId,
    take: &mut dyn FnMut(i64, Policy) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {} FROM page WHERE instr(licenses, ?1) > 0 ORDER BY id", pages::COLUMNS);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([key.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let page = PageRow::read(row)?;
        for license in page.view()?.licenses() {
            let policy = policy_of(&license)?;
            if policy.revocation_key == Some(key) && !take(page.id, policy)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Keeps a status list in place of the one before and marks what it revokes, in the caller's transaction.
pub(in crate::store) fn keep_list(
    (connection, integrity): (&Connection, &Integrity),
    head: &mut Head,
    (list, bytes): (&StatusList, &[u8]),
    now: i64,
) -> Result<(), NotTaken> {
    let (id, hash) = (list.authority.as_bytes(), Digest::of(bytes));
    if is_known(head.find_kept(KeptKind::StatusList, id), list.number, hash)? {
        return Ok(());
    }
    let number = i64::try_from(list.number).map_err(|_| StoreError::Damaged("a number is too high".into()))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO status_list (authority, number, bytes) VALUES (?1, ?2, ?3)")
        .and_then(|mut statement| statement.execute((id, number, bytes)))
        .map_err(StoreError::from)?;
    head.keep(Kept { kind: KeptKind::StatusList, id: *id, number: list.number, taken_at: now, hash });
    Ok(mark_batches(connection, integrity, list, hash)?)
}

/// What a backup brings counts where it is newer than what is kept; otherwise it says less and is passed over.
pub(in crate::store) fn if_newer<T>(taken: Result<T, NotTaken>) -> Result<(), StoreError> {
    match taken {
        Ok(_) | Err(NotTaken::Older(_) | NotTaken::Conflict) => Ok(()),
        Err(NotTaken::Store(error)) => Err(error),
    }
}

impl Store {
    /// Removes every license that a verified blob takes back, leaves tombstones and keeps the blob, in one durable commit.
    /// The kept one again changes nothing. Gives the number of licenses removed by this call.
    pub(crate) fn take_revocation(&self, blob: &VerifiedRevocation, bytes: &[u8]) -> Result<u64, NotTaken> {
        let inner = &*self.inner;
        let now = inner.clock.now();
        inner.write(|transaction| {
            let mut merger = Merger::new(transaction, inner, now)?;
            let removed = take(transaction, &mut merger, blob, bytes, now)?;
            merger.finish(Merge::InTime)?;
            Ok(removed)
        })
    }

    /// When the kept blob of a revocation key was taken, and what it took back so far: the number of licenses, and the first
    /// `limit` of them in ascending order.
    pub(crate) fn taken_back_by(
        &self,
        key: SignerId,
        limit: usize,
    ) -> Result<Option<(i64, u64, Vec<Lid>)>, StoreError> {
        self.with_head(|connection, integrity, head| {
            let Some(kept) = head.find_kept(KeptKind::Revocation, key.as_bytes()) else { return Ok(None) };
            let mut statement =
                connection.prepare_cached("SELECT lid FROM taken_back WHERE revocation_key = ?1 ORDER BY lid")?;
            let mut rows = statement.query([key.as_bytes()])?;
            let (mut count, mut lids) = (0, Vec::new());
            while let Some(row) = rows.next()? {
                let lid = Lid::new(fixed(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?);
                // Only a tombstone shows that the license is gone.
                if let Row::Sound(_) = integrity.row(connection, Table::Tombstone, lid)? {
                    count += 1;
                    if lids.len() < limit {
                        lids.push(lid);
                    }
                }
            }
            Ok(Some((kept.taken_at, count, lids)))
        })
    }

    /// The authority of a stored license that names a revocation key, or of none where a blob of the key is kept.
    pub(crate) fn revocation_key_of(&self, key: SignerId) -> Result<Option<Option<Digest>>, StoreError> {
        self.with_head(|connection, _, head| {
            let mut page = None;
            each_with(connection, key, &mut |found, _| {
                page = Some(found);
                Ok(false)
            })?;
            let authority = page.map(|page| pages::authority_of(connection, batch_of(page))).transpose()?;
            if let Some(authority) = authority.flatten() {
                return Ok(Some(Some(authority)));
            }
            Ok(head.find_kept(KeptKind::Revocation, key.as_bytes()).map(|_| None))
        })
    }

    /// Keeps a verified status list and marks what it revokes, in one durable commit. The kept one again changes nothing.
    pub fn take_status_list(&self, list: &StatusList, bytes: &[u8]) -> Result<(), NotTaken> {
        let inner = &*self.inner;
        let (now, id) = (inner.clock.now(), list.authority.as_bytes());
        let kept = self.with_head(|_, _, head| Ok(head.find_kept(KeptKind::StatusList, id).copied()))?;
        if is_known(kept.as_ref(), list.number, Digest::of(bytes))? {
            return Ok(());
        }
        inner.write(|transaction| {
            let mut head = Head::load(transaction, &inner.integrity)?;
            keep_list((transaction, &inner.integrity), &mut head, (list, bytes), now)?;
            head.save(transaction, &inner.integrity)?;
            Ok(())
        })
    }

    /// Number of the kept status list of an authority.
    pub fn status_number(&self, authority: Digest) -> Result<Option<u64>, StoreError> {
        self.with_head(|_, _, head| {
            Ok(head.find_kept(KeptKind::StatusList, authority.as_bytes()).map(|kept| kept.number))
        })
    }

    /// The kept status list of an authority.
    pub fn status_list(&self, authority: Digest) -> Result<Option<StatusList>, StoreError> {
        self.with_head(|connection, _, head| {
            let kept = head.find_kept(KeptKind::StatusList, authority.as_bytes());
            kept.map(|kept| read_list(&vouched(connection, kept)?)).transpose()
        })
    }

    /// True if the newest status list of the authority names the application. `now` is seconds UTC; a clock that is behind the
    /// list itself changes nothing.
    pub(crate) fn bars_application(&self, authority: Digest, id: &str, now: i64) -> Result<bool, StoreError> {
        let inner: &Inner = &self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::moment::read(connection)?;
            let kept = {
                let mut seen = inner.seen_head.lock().unwrap_or_else(PoisonError::into_inner);
                let head = Head::load_current(&transaction, &inner.integrity, &mut seen)?;
                head.status_list(authority.as_bytes()).copied()
            };
            let Some(kept) = kept else { return Ok(false) };
            let mut seen = inner.seen_list.lock().unwrap_or_else(PoisonError::into_inner);
            let list = match seen.as_ref().filter(|(hash, _)| *hash == kept.hash) {
                Some((_, list)) => Arc::clone(list),
                None => {
                    let list = Arc::new(read_list(&vouched(&transaction, &kept)?)?);
                    *seen = Some((kept.hash, Arc::clone(&list)));
                    list
                }
            };
            Ok(list.revokes_application(id, now.max(list.issued_at)))
        })
    }

    fn with_head<T>(
        &self,
        read: impl FnOnce(&Connection, &Integrity, &Head) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let inner: &Inner = &self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::moment::read(connection)?;
            let head = Head::load(&transaction, &inner.integrity)?;
            read(&transaction, &inner.integrity, &head)
        })
    }
}
