//! Moving what earlier schemas kept: licenses of rows of their own into pages, and the sums of the head into rows. Inside the
//! transaction that changes the schema, in constant memory. Nothing is given up: what is damaged goes into quarantine.

use super::head::Head;
use super::index::changes::{Changes, Merge};
use super::index::runs::NUMBERS;
use super::index::{Index, buckets, runs};
use super::integrity::Integrity;
use super::records::at_rest::{AtRest, BATCHES, PageKeys, Randomness, Scope};
use super::records::incoming::Incoming;
use super::records::packing::{Kind, Packing};
use super::records::pages::drop_if_empty;
use super::records::section::{section_id, section_of};
use super::{Section, StoreError, error::fixed};
use crate::device::Device;
use crate::event::LicenseFault;
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::collections::BTreeMap;
use wmlicense_wire::id::Digest;
use wmlicense_wire::license::{Binding, License, MAX_LEN};
use wmlicense_wire::policy::Policy;

/// What the store is sealed and authenticated with.
pub(super) type Keys<'k> = (&'k Device, &'k Integrity);

/// Rows of a batch in the table that was: 4096 row IDs each.
const ROWS: i64 = 4096;

/// Moves everything into the tables of schema 4, which are there and empty, and drops those that it was in.
pub(super) fn to_pages(connection: &Connection, (device, integrity): Keys<'_>, now: i64) -> Result<(), StoreError> {
    // After a number that was never given out none follows.
    let last: Option<i64> =
        connection
            .query_row("SELECT max(id) FROM batch_3 WHERE id BETWEEN 0 AND ?1", [NUMBERS - 1], |row| row.get(0))?;
    buckets::create(connection)?;
    runs::create(connection, last.unwrap_or(0))?;
    if connection.query_row("SELECT EXISTS (SELECT 1 FROM head)", [], |row| row.get(0))? {
        Head::convert(connection, integrity)?;
    }
    let (index, page_keys) = (Index::of(device.store_key()), PageKeys::of(device.store_key()));
    let mut mover = Mover {
        connection,
        device,
        page_keys: &page_keys,
        changes: Changes::new(connection, &index)?,
        random: Randomness::default(),
        sections: BTreeMap::new(),
        now,
    };
    let mut from = Some(i64::MIN);
    while let Some(batch) = from.map_or(Ok(None), |from| mover.next_batch(from))? {
        mover.batch(batch)?;
        // No row follows those of the last batch that fits into a number.
        from = (batch + 1).checked_mul(ROWS);
    }
    mover.changes.finish(Merge::Now)?;
    Ok(connection.execute_batch("DROP TABLE license; DROP TABLE batch_3")?)
}

struct Mover<'m> {
    connection: &'m Connection,
    device: &'m Device,
    page_keys: &'m PageKeys,
    changes: Changes<'m>,
    random: Randomness,
    sections: BTreeMap<Section, i64>,
    now: i64,
}

/// A row of the table that was.
struct OldLicense {
    index: u32,
    recipe: Option<i64>,
    wrapped: Vec<u8>,
    license: License,
}

impl Mover<'_> {
    /// The batch of the first license from this row on, whether it has a row of its own or not.
    fn next_batch(&self, from: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT min(id) FROM license WHERE id >= ?1";
        let found: Option<i64> = self.connection.prepare_cached(sql)?.query_row([from], |row| row.get(0))?;
        Ok(found.map(|id| id.div_euclid(ROWS)))
    }

    fn batch(&mut self, batch: i64) -> Result<(), StoreError> {
        const COPY: &str = "INSERT INTO batch (id, at_rest, authority, signed)
            SELECT id, at_rest, authority, signed FROM batch_3 WHERE id = ?1";
        const LICENSES: &str = "SELECT id, recipe, wrapped, policy, binding, kid, lid FROM license
            WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
        let connection = self.connection;
        connection.prepare_cached(COPY)?.execute([batch])?;
        let signed = self.signed(batch)?;
        let mut pages = Packing::new(batch);
        let mut find = connection.prepare_cached(LICENSES)?;
        let mut rows = find.query((batch * ROWS, batch * ROWS + (ROWS - 1)))?;
        while let Some(row) = rows.next()? {
            let moved = match &signed {
                None => Err(LicenseFault::NotSigned),
                Some((authority, at_rest)) => self.license(row, (*authority, at_rest), &mut pages)?,
            };
            if let Err(fault) = moved {
                self.set_aside(row.get(0)?, fault)?;
            }
        }
        pages.flush(connection)?;
        drop_if_empty(connection, batch)
    }

    /// Authority and key of a batch, if it has a row.
    fn signed(&self, batch: i64) -> Result<Option<(Digest, AtRest)>, StoreError> {
        if !(0..BATCHES).contains(&batch) {
            return Ok(None);
        }
        let mut find = self.connection.prepare_cached("SELECT authority, at_rest FROM batch WHERE id = ?1")?;
        let found: Option<(Vec<u8>, Vec<u8>)> =
            find.query_row([batch], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((authority, at_rest)) = found else { return Ok(None) };
        let (Ok(authority), Ok(id)) = (fixed(&authority), fixed(&at_rest)) else { return Ok(None) };
        Ok(Some((Digest::new(authority), AtRest::of(self.device.store_key(), id))))
    }

    /// Puts a license into a page of its batch, or tells what is wrong with it.
    fn license(
        &mut self,
        row: &Row<'_>,
        (authority, at_rest): (Digest, &AtRest),
        pages: &mut Packing,
    ) -> Result<Result<(), LicenseFault>, StoreError> {
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        let old = OldLicense {
            index: row.get::<_, i64>(0)?.rem_euclid(ROWS) as u32,
            recipe: row.get(1)?,
            wrapped: blob(2)?.to_vec(),
            license: License { policy: blob(3)?.to_vec(), binding: blob(4)?.to_vec() },
        };
        let read = (Policy::decode(&old.license.policy), Binding::decode(&old.license.binding));
        let (Ok(policy), Ok(binding)) = read else { return Ok(Err(LicenseFault::Unreadable)) };
        let encoded = old.license.encode();
        let named = policy.kid.as_bytes() == blob(5)? && policy.lid.as_bytes() == blob(6)?;
        // One that is too long for a page was never taken from a service.
        if !named || binding.policy_hash != old.license.policy_hash() || encoded.len() > MAX_LEN {
            return Ok(Err(LicenseFault::Unreadable));
        }
        let Ok(key) = at_rest.unwrap(old.index, binding.policy_hash, policy.kind, &old.wrapped) else {
            return Ok(Err(LicenseFault::KeyLost));
        };
        let section = section_of(authority, &policy);
        let kind = Kind {
            section: section.as_ref().map(|section| self.section(section)).transpose()?,
            stateful: policy.is_stateful(),
            recipe: old.recipe,
        };
        let scope = || Scope::new(authority, section.as_ref(), kind.stateful, &at_rest.id);
        let incoming = Incoming {
            index: old.index,
            kid: policy.kid,
            lid: policy.lid,
            issuer: policy.issuer,
            policy_hash: binding.policy_hash,
            issued_at: binding.issued_at,
            replaces: None,
            ends_at: i64::MAX,
            section: section.clone(),
            state: None,
            policy: &policy,
            license: &encoded,
            key: &key,
        };
        let place = pages.put(self.connection, (self.page_keys, &mut self.random), (kind, &scope), &incoming)?;
        self.changes.came((policy.kid, policy.lid), place)?;
        Ok(Ok(()))
    }

    fn section(&mut self, section: &Section) -> Result<i64, StoreError> {
        if let Some(id) = self.sections.get(section) {
            return Ok(*id);
        }
        let id = section_id(self.connection, section)?;
        self.sections.insert(section.clone(), id);
        Ok(id)
    }

    fn set_aside(&self, row: i64, fault: LicenseFault) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO quarantine (license, found_at, fault, kid, lid, wrapped, policy, binding)
                 SELECT id, ?2, ?3, kid, lid, wrapped, policy, binding FROM license WHERE id = ?1",
            )?
            .execute((row, self.now, fault as i64))?;
        Ok(())
    }
}
