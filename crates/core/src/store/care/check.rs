//! Looking at everything in the store: the database's own structure, every license against its batch, every
//! authenticated row against the head. Nothing is written; `store/care/repair.rs` mends.

use crate::event::LicenseFault;
use crate::store::head::Head;
use crate::store::integrity::Table;
use crate::store::records::at_rest::{AtRest, place};
use crate::store::{Store, StoreError, error::fixed};
use rusqlite::{Connection, OptionalExtension as _, Row};
use wmlicense_wire::answer::{read_vouched, verify_signed};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::{Binding, License};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::MAX_LICENSES;

/// Licenses that are read in one go.
const CHUNK: i64 = MAX_LICENSES as i64;

/// A license with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged {
    /// Row of the table.
    pub(in crate::store) row: i64,
    /// Its key ID, as the row says.
    pub kid: Kid,
    /// What is wrong.
    pub fault: LicenseFault,
}

/// A place in a walk over all licenses.
#[derive(Default)]
pub(crate) struct Walk {
    after: Option<i64>,
    batch: Option<SignedBatch>,
    /// Licenses seen so far.
    pub seen: u64,
}

/// The batch that licenses are compared with.
struct SignedBatch {
    number: i64,
    /// `None` where there is no batch, or its signature does not verify.
    sound: Option<Sound>,
}

/// A batch that verified.
struct Sound {
    at_rest: AtRest,
    manifest: Vec<Digest>,
}

impl Store {
    /// Checks the pages and indexes of the database. `interruptible` gets a function that ends the check early.
    pub fn check_database(&self, interruptible: &mut dyn FnMut(rusqlite::InterruptHandle)) -> Result<(), StoreError> {
        self.inner.readers.with(|connection| {
            interruptible(connection.get_interrupt_handle());
            let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            if found == "ok" { Ok(()) } else { Err(StoreError::Damaged(found)) }
        })
    }

    /// Checks the next licenses and gives those with a fault; `None` at the end.
    pub(crate) fn check_licenses(&self, walk: &mut Walk) -> Result<Option<Vec<Damaged>>, StoreError> {
        const SQL: &str =
            "SELECT id, kid, lid, policy, binding, wrapped FROM license WHERE id > ?1 ORDER BY id LIMIT ?2";
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::connection::read(connection)?;
            let mut statement = transaction.prepare_cached(SQL)?;
            let mut rows = statement.query((walk.after.unwrap_or(i64::MIN), CHUNK))?;
            let (mut damaged, mut any) = (Vec::new(), false);
            while let Some(row) = rows.next()? {
                any = true;
                walk.seen += 1;
                let id = row.get(0)?;
                walk.after = Some(id);
                let (number, _) = place(id);
                if walk.batch.as_ref().is_none_or(|batch| batch.number != number) {
                    walk.batch = Some(SignedBatch { number, sound: self.signed_batch(&transaction, number)? });
                }
                let sound = walk.batch.as_ref().and_then(|batch| batch.sound.as_ref());
                if let Some(fault) = self.fault(&transaction, row, sound)? {
                    // A key ID of another length names nothing.
                    let kid = fixed(blob(row, 1)?).map_or(Kid::new([0; 16]), Kid::new);
                    damaged.push(Damaged { row: id, kid, fault });
                }
            }
            Ok(any.then_some(damaged))
        })
    }

    /// Whether every authenticated row is the one that the head knows.
    pub(crate) fn check_rows(&self) -> Result<bool, StoreError> {
        match self.check_integrity() {
            Ok(()) => Ok(true),
            Err(StoreError::Tampered) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn signed_batch(&self, connection: &Connection, number: i64) -> Result<Option<Sound>, StoreError> {
        let found: Option<(Vec<u8>, Vec<u8>, Vec<u8>)> = connection
            .prepare_cached("SELECT at_rest, authority, signed FROM batch WHERE id = ?1")?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((at_rest, authority, signed)) = found else { return Ok(None) };
        let (Ok(at_rest), Ok(authority)) = (fixed(&at_rest), fixed(&authority)) else { return Ok(None) };
        let answer = match self.directory(Digest::new(authority))? {
            Some(directory) => {
                verify_signed(&signed, &directory, &[Role::Issuer, Role::Management]).map(|(answer, _)| answer)
            }
            None => read_vouched(&signed),
        };
        let at_rest = AtRest::of(self.inner.device.store_key(), at_rest);
        Ok(answer.ok().map(|answer| Sound { at_rest, manifest: answer.manifest }))
    }

    fn fault(
        &self,
        connection: &Connection,
        row: &Row<'_>,
        sound: Option<&Sound>,
    ) -> Result<Option<LicenseFault>, StoreError> {
        let license = License { policy: blob(row, 3)?.to_vec(), binding: blob(row, 4)?.to_vec() };
        let (Ok(policy), Ok(binding)) = (Policy::decode(&license.policy), Binding::decode(&license.binding)) else {
            return Ok(Some(LicenseFault::Unreadable));
        };
        let named = policy.kid.as_bytes() == blob(row, 1)? && policy.lid.as_bytes() == blob(row, 2)?;
        if !named || binding.policy_hash != license.policy_hash() {
            return Ok(Some(LicenseFault::Unreadable));
        }
        let (_, index) = place(row.get(0)?);
        let Some(Sound { at_rest, manifest }) = sound else { return Ok(Some(LicenseFault::NotSigned)) };
        if manifest.get(index as usize) != Some(&license.hash()) {
            return Ok(Some(LicenseFault::NotSigned));
        }
        if at_rest.unwrap(index, binding.policy_hash, policy.kind, blob(row, 5)?).is_err() {
            return Ok(Some(LicenseFault::KeyLost));
        }
        let state = crate::store::records::lookup::read_state(connection, &self.inner.integrity, &policy)?;
        Ok(state.is_none().then_some(LicenseFault::StateLost))
    }
}

/// A column of bytes.
fn blob<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], StoreError> {
    Ok(row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?)
}

/// The buckets whose rows are not those that the head knows.
pub(in crate::store) fn changed_buckets(
    head: &Head,
    connection: &Connection,
    integrity: &crate::store::integrity::Integrity,
) -> Result<Vec<u8>, StoreError> {
    let mut changed = Vec::new();
    for bucket in 0..=u8::MAX {
        match head.check_bucket(connection, integrity, bucket) {
            Ok(()) => {}
            Err(StoreError::Tampered) => changed.push(bucket),
            Err(error) => return Err(error),
        }
    }
    Ok(changed)
}

/// License IDs of a bucket's rows in a table, whether their codes verify or not.
pub(in crate::store) fn lids(connection: &Connection, table: Table, bucket: u8) -> Result<Vec<Lid>, StoreError> {
    let (first, last) = crate::store::integrity::bucket_bounds(bucket);
    let mut statement = connection.prepare_cached(table.select_bucket())?;
    let mut rows = statement.query((first, last))?;
    let mut lids = Vec::new();
    while let Some(row) = rows.next()? {
        lids.push(Lid::new(fixed(blob(row, 0)?)?));
    }
    Ok(lids)
}
