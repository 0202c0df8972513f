//! Kept revocations: the newest blob of each revocation key and the newest status list of each authority. The head vouches for
//! both, so that neither can be taken away or put back unnoticed.

mod kept;

use super::head::Head;
use super::integrity::{Integrity, Row, Table};
use super::merge::Merger;
use super::{Inner, Standing, Store, StoreError, error::fixed};
pub(super) use kept::{Kept, KeptKind};
use rusqlite::{Connection, OptionalExtension as _};
use std::sync::{Arc, PoisonError};
use wmlicense_wire::aead::constant_time_eq;
use wmlicense_wire::answer::read_vouched;
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::cose::{Document, Unverified};
use wmlicense_wire::id::{Digest, Lid, SignerId};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::{Revocation, VerifiedRevocation};
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

impl Standing {
    pub(super) fn of_column(value: i64) -> Self {
        match value {
            0 => Self::Good,
            1 => Self::IssuerRevoked,
            _ => Self::DeviceRevoked,
        }
    }

    fn column(self) -> i64 {
        match self {
            Self::Good | Self::StatusListTooOld => 0,
            Self::IssuerRevoked => 1,
            Self::DeviceRevoked => 2,
        }
    }
}

/// What a status list says of a signed answer and the licenses in it.
fn standing_of(list: &StatusList, signed: &[u8]) -> Result<Standing, StoreError> {
    let damaged = || StoreError::Damaged("a signed answer cannot be read".into());
    let document =
        Unverified::parse(Document::Answer, signed, wmlicense_wire::answer::MAX_LEN).map_err(|_| damaged())?;
    let answer = read_vouched(signed).map_err(|_| damaged())?;
    Ok(if list.revokes_service(document.signer_id(), answer.issued_at) {
        Standing::IssuerRevoked
    } else if list.revokes_device(answer.thumbprint, answer.issued_at) {
        Standing::DeviceRevoked
    } else {
        Standing::Good
    })
}

/// Bytes that the head vouches for; a row that is gone or was changed is told.
pub(super) fn vouched(connection: &Connection, kept: &Kept) -> Result<Vec<u8>, StoreError> {
    let sql = match kept.kind {
        KeptKind::Revocation => "SELECT bytes FROM revocation WHERE revocation_key = ?1",
        KeptKind::StatusList => "SELECT bytes FROM status_list WHERE authority = ?1",
    };
    let bytes: Option<Vec<u8>> = connection.prepare_cached(sql)?.query_row([kept.id], |row| row.get(0)).optional()?;
    bytes.filter(|bytes| Digest::of(bytes) == kept.hash).ok_or(StoreError::Tampered)
}

fn read_revocation(bytes: &[u8]) -> Result<VerifiedRevocation, StoreError> {
    Revocation::read_vouched(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

fn read_list(bytes: &[u8]) -> Result<StatusList, StoreError> {
    StatusList::read_vouched(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// All kept blobs.
pub(super) fn revocations(connection: &Connection, head: &Head) -> Result<Vec<VerifiedRevocation>, StoreError> {
    let kept = head.kept().iter().filter(|kept| kept.kind == KeptKind::Revocation);
    kept.map(|kept| read_revocation(&vouched(connection, kept)?)).collect()
}

/// Vouches for what a status list says of a batch. The code names the list, so that no row outlives its list or is copied from
/// another batch.
fn code_of(integrity: &Integrity, at_rest: &[u8], list: Digest, standing: Standing) -> [u8; 32] {
    integrity.code(&[b"standing\0", at_rest, list.as_bytes(), &standing.column().to_be_bytes()])
}

/// Writes down what a status list says of a batch.
fn mark(
    connection: &Connection,
    integrity: &Integrity,
    list: Digest,
    (batch, at_rest, standing): (i64, &[u8], Standing),
) -> Result<(), StoreError> {
    let code = code_of(integrity, at_rest, list, standing);
    let sql = "INSERT OR REPLACE INTO standing (batch, revoked, vouched) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(sql)?.execute((batch, standing.column(), code))?;
    Ok(())
}

/// Writes down what the kept status list of an authority says of a batch that comes in; nothing where none is kept.
pub(super) fn mark_fresh(
    connection: &Connection,
    integrity: &Integrity,
    head: &Head,
    batch: i64,
    (authority, at_rest, signed): (Digest, &[u8], &[u8]),
) -> Result<(), StoreError> {
    let Some(kept) = head.find_kept(KeptKind::StatusList, authority.as_bytes()) else { return Ok(()) };
    let list = read_list(&vouched(connection, kept)?)?;
    mark(connection, integrity, kept.hash, (batch, at_rest, standing_of(&list, signed)?))
}

/// What is written down of a batch under the kept list. A row that was changed or taken away is not believed: what it said is
/// worked out again.
pub(super) fn standing_in(
    connection: &Connection,
    integrity: &Integrity,
    kept: &Kept,
    (batch, at_rest): (i64, &[u8]),
) -> Result<Standing, StoreError> {
    let mut find = connection.prepare_cached("SELECT revoked, vouched FROM standing WHERE batch = ?1")?;
    if let Some(row) = find.query([batch])?.next()? {
        let standing = Standing::of_column(row.get(0)?);
        let code = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        if constant_time_eq(&code_of(integrity, at_rest, kept.hash, standing), code) {
            return Ok(standing);
        }
    }
    let sql = "SELECT signed FROM batch WHERE id = ?1";
    let signed: Vec<u8> = connection.prepare_cached(sql)?.query_row([batch], |row| row.get(0))?;
    standing_of(&read_list(&vouched(connection, kept)?)?, &signed)
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
pub(super) fn take(
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

/// Stored licenses that a blob takes back, with their issuers. Policies that do not even hold the key's ID are not read.
fn matching(
    connection: &Connection,
    blob: &VerifiedRevocation,
) -> Result<Vec<(Lid, wmlicense_wire::id::ServiceId)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT policy FROM license WHERE instr(policy, ?1) > 0")?;
    let mut rows = statement.query([blob.key.as_bytes()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let policy = Policy::decode(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?;
        if blob.matches(&policy) {
            found.push((policy.lid, policy.issuer));
        }
    }
    Ok(found)
}

/// Keeps a status list in place of the one before and marks what it revokes, in the caller's transaction.
pub(super) fn keep_list(
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
pub(super) fn if_newer<T>(taken: Result<T, NotTaken>) -> Result<(), StoreError> {
    match taken {
        Ok(_) | Err(NotTaken::Older(_) | NotTaken::Conflict) => Ok(()),
        Err(NotTaken::Store(error)) => Err(error),
    }
}

/// Marks the batches of a list's authority as it has them.
fn mark_batches(
    connection: &Connection,
    integrity: &Integrity,
    list: &StatusList,
    hash: Digest,
) -> Result<(), StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT id, at_rest, signed FROM batch WHERE authority = ?1 AND id > ?2
        ORDER BY id LIMIT 1",
    )?;
    let mut last = 0;
    loop {
        let mut rows = find.query((list.authority.as_bytes(), last))?;
        let Some(row) = rows.next()? else { return Ok(()) };
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        last = row.get::<_, i64>(0)?;
        mark(connection, integrity, hash, (last, blob(1)?, standing_of(list, blob(2)?)?))?;
    }
}

impl Store {
    /// Removes every license that a verified blob takes back, leaves tombstones and keeps the blob, in one durable commit.
    /// The kept one again changes nothing. Gives the number of licenses removed by this call.
    pub fn take_revocation(&self, blob: &VerifiedRevocation, bytes: &[u8]) -> Result<u64, NotTaken> {
        let inner = &*self.inner;
        let now = inner.clock.now();
        inner.write(|transaction| {
            let mut merger = Merger::new(transaction, &inner.integrity, now)?;
            let removed = take(transaction, &mut merger, blob, bytes, now)?;
            merger.finish()?;
            Ok(removed)
        })
    }

    /// When the kept blob of a revocation key was taken, and what it took back so far: the number of licenses, and the first
    /// `limit` of them in ascending order.
    pub fn taken_back_by(&self, key: SignerId, limit: usize) -> Result<Option<(i64, u64, Vec<Lid>)>, StoreError> {
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
    pub fn revocation_key_of(&self, key: SignerId) -> Result<Option<Option<Digest>>, StoreError> {
        self.with_head(|connection, _, head| {
            const FIND: &str = "SELECT authority, policy FROM license JOIN batch ON batch.id = license.id / 4096
                WHERE instr(policy, ?1) > 0";
            let mut statement = connection.prepare_cached(FIND)?;
            let mut rows = statement.query([key.as_bytes()])?;
            while let Some(row) = rows.next()? {
                let policy = Policy::decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)?;
                if policy.revocation_key == Some(key) {
                    let authority = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                    return Ok(Some(Some(Digest::new(fixed(authority)?))));
                }
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
    pub fn bars_application(&self, authority: Digest, id: &str, now: i64) -> Result<bool, StoreError> {
        let inner: &Inner = &self.inner;
        inner.readers.with(|connection| {
            let transaction = super::connection::read(connection)?;
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
            let transaction = super::connection::read(connection)?;
            let head = Head::load(&transaction, &inner.integrity)?;
            read(&transaction, &inner.integrity, &head)
        })
    }
}
