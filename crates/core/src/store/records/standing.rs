//! What the kept status list of an authority says of each batch, and kept blobs as they are read. The head vouches for the
//! bytes, a code for each word about a batch. How they are taken is `revocation.rs`.

use crate::license::Standing;
use crate::store::StoreError;
use crate::store::head::Head;
use crate::store::integrity::Integrity;
use crate::store::kept::{Kept, KeptKind};
use rusqlite::{Connection, OptionalExtension as _};
use wmlicense_wire::aead::constant_time_eq;
use wmlicense_wire::answer::read_vouched;
use wmlicense_wire::cose::{Document, Unverified};
use wmlicense_wire::id::Digest;
use wmlicense_wire::revocation::{Revocation, VerifiedRevocation};
use wmlicense_wire::status_list::StatusList;

impl Standing {
    pub(in crate::store) fn of_column(value: i64) -> Self {
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
pub(in crate::store) fn vouched(connection: &Connection, kept: &Kept) -> Result<Vec<u8>, StoreError> {
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

pub(in crate::store) fn read_list(bytes: &[u8]) -> Result<StatusList, StoreError> {
    StatusList::read_vouched(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// All kept blobs.
pub(in crate::store) fn revocations(
    connection: &Connection,
    head: &Head,
) -> Result<Vec<VerifiedRevocation>, StoreError> {
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
pub(in crate::store) fn mark_fresh(
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
pub(in crate::store) fn standing_in(
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

/// Marks the batches of a list's authority as it has them.
pub(in crate::store) fn mark_batches(
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
