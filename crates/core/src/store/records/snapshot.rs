//! A consistent view of the whole store for a backup, read in the order of the file and in constant memory.

use super::at_rest::{Scope, batch_of, id_of_verified, key_lost, place_in};
use super::lookup::read_state;
use super::pages::{self, PageRow, policy_of, unreadable};
use super::section::read_section;
use super::standing::vouched;
use crate::store::head::Head;
use crate::store::integrity::{Row, Table};
use crate::store::kept::KeptKind;
use crate::store::{BackupItem, BackupLicense, Inner, Section, Store, StoreError, error::fixed};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::sync::Arc;
use wmlicense_wire::aead::constant_time_eq;
use wmlicense_wire::backup::page::{PageKey, PagedLicense};
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::{License, State};
use wmlicense_wire::policy::{Glance, Policy};

/// Key IDs of restricted licenses that are sorted at once.
const SORTED: usize = 64 * 1024;

/// A consistent view of the store for a backup, on a connection of its own.
pub struct Snapshot {
    inner: Arc<Inner>,
    connection: Connection,
}

impl Store {
    /// A consistent view for a backup.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let connection = self.inner.readers.take()?;
        // The store is read from end to end once: mapped, all of it would count as this process's memory.
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.execute_batch("BEGIN")?;
        // The view is of the moment of the first read, not of the BEGIN.
        Head::load(&connection, &self.inner.integrity)?;
        Ok(Snapshot { inner: Arc::clone(&self.inner), connection })
    }
}

impl Snapshot {
    /// Sections with at least one license that may be backed up.
    pub fn sections(&self) -> Result<Vec<Section>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT authority, management, user FROM section
             WHERE EXISTS (SELECT 1 FROM page WHERE page.section = section.id) ORDER BY authority, management, user",
        )?;
        let mut rows = statement.query([])?;
        let mut sections = Vec::new();
        while let Some(row) = rows.next()? {
            sections.push(read_section(row)?);
        }
        Ok(sections)
    }

    /// Licenses in all, those that may not be backed up included.
    pub fn license_count(&self) -> Result<u64, StoreError> {
        crate::store::index::verify::count(&self.connection)
    }

    /// Key IDs of licenses that may not be backed up, each once a license, in the order of the key IDs.
    pub fn restricted(&self, each: &mut dyn FnMut(Kid) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let (kids, complete) = self.restricted_after(after)?;
            for (kid, place) in kids {
                each(kid)?;
                after = Some((kid, place));
            }
            if complete {
                return Ok(());
            }
        }
    }

    /// The next key IDs of licenses that may not be backed up, with their places, and whether those are the last.
    fn restricted_after(&self, after: Option<(Kid, i64)>) -> Result<(BTreeSet<(Kid, i64)>, bool), StoreError> {
        let sql = format!("SELECT {} FROM page WHERE section IS NULL ORDER BY id", pages::COLUMNS);
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let (mut kids, mut complete) = (BTreeSet::new(), true);
        while let Some(row) = rows.next()? {
            let page = PageRow::read(row)?;
            for license in page.view()?.licenses() {
                let found = (policy_of(&license)?.kid, place_in(page.id, license.index));
                if after.is_none_or(|after| found > after) {
                    kids.insert(found);
                }
                if kids.len() > SORTED {
                    complete = false;
                    kids.pop_last();
                }
            }
        }
        Ok((kids, complete))
    }

    /// Streams the batches of a section in their order, each with its pages and the licenses that count, in constant memory.
    pub fn stream<E: From<StoreError>>(
        &self,
        section: &Section,
        each: &mut dyn FnMut(BackupItem) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT {} FROM page WHERE section =
            (SELECT id FROM section WHERE authority = ?1 AND management IS ?2 AND user IS ?3) ORDER BY id",
            pages::COLUMNS
        );
        let mut statement = self.connection.prepare(&sql).map_err(StoreError::from)?;
        let management = section.management.as_ref().map(|id| id.as_bytes());
        let user = section.user.as_ref().map(|id| id.as_bytes());
        let rows = statement.query((section.authority.as_bytes(), management, user));
        let mut rows = rows.map_err(StoreError::from)?;
        let mut batch: Option<(i64, [u8; 16])> = None;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let page = PageRow::read(row)?;
            let number = batch_of(page.id);
            let at_rest = match batch {
                Some((current, at_rest)) if current == number => at_rest,
                _ => {
                    let (at_rest, signed) = self.batch(number)?;
                    let verified = id_of_verified(&self.inner.integrity, section.authority, &signed);
                    let vouched = constant_time_eq(&verified, &at_rest);
                    each(BackupItem::Batch { signed, vouched })?;
                    at_rest
                }
            };
            batch = Some((number, at_rest));
            let scope = Scope::new(section.authority, Some(section), page.stateful, &at_rest);
            let key = Box::new(self.inner.page_keys.open(&scope, page.key)?);
            let view = page.view()?;
            if page.stateful {
                for license in view.licenses() {
                    self.license(&license, &key)?
                        .map_or(Ok(()), |license| each(BackupItem::License(license.into())))?;
                }
            } else {
                each(BackupItem::Page { key, page: view.bytes().to_vec() })?;
            }
        }
        Ok(())
    }

    /// The kept status list of an authority, as it was signed.
    pub fn status_list(&self, authority: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let head = Head::load(&self.connection, &self.inner.integrity)?;
        let kept = head.find_kept(KeptKind::StatusList, authority.as_bytes());
        kept.map(|kept| vouched(&self.connection, kept)).transpose()
    }

    /// The kept license revocation blobs, as they were signed.
    pub fn revocations(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let head = Head::load(&self.connection, &self.inner.integrity)?;
        let kept = head.kept().iter().filter(|kept| kept.kind == KeptKind::Revocation);
        kept.map(|kept| vouched(&self.connection, kept)).collect()
    }

    /// Tombstones, encoded.
    pub fn tombstones(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let lids: Vec<Vec<u8>> = self
            .connection
            .prepare("SELECT lid FROM tombstone ORDER BY lid")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut tombstones = Vec::with_capacity(lids.len());
        for lid in lids {
            match self.inner.integrity.row(&self.connection, Table::Tombstone, Lid::new(fixed(&lid)?))? {
                Row::Sound(tombstone) => tombstones.push(tombstone),
                Row::Missing | Row::Changed => return Err(StoreError::Tampered),
            }
        }
        Ok(tombstones)
    }

    /// Titles that the application set.
    pub fn titles(&self) -> Result<Vec<(Kid, String)>, StoreError> {
        let mut statement = self.connection.prepare("SELECT kid, title FROM title ORDER BY kid")?;
        let mut rows = statement.query([])?;
        let mut titles = Vec::new();
        while let Some(row) = rows.next()? {
            let kid: Vec<u8> = row.get(0)?;
            titles.push((Kid::new(fixed(&kid)?), row.get(1)?));
        }
        Ok(titles)
    }

    fn batch(&self, number: i64) -> Result<([u8; 16], Vec<u8>), StoreError> {
        let sql = "SELECT at_rest, signed FROM batch WHERE id = ?1";
        let (at_rest, signed): (Vec<u8>, Vec<u8>) =
            self.connection.prepare_cached(sql)?.query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((fixed(&at_rest)?, signed))
    }

    /// A license of a page; none where its state was lost, for such a license is good for nothing anywhere.
    fn license(&self, paged: &PagedLicense<'_>, key: &PageKey) -> Result<Option<BackupLicense>, StoreError> {
        let (policy, binding) = paged.parts().ok_or_else(unreadable)?;
        let license = License { policy: policy.to_vec(), binding: binding.to_vec() };
        let damaged = || StoreError::Damaged("a policy cannot be read".into());
        let glance = Glance::at(policy).ok_or_else(damaged)?;
        let state = match glance.stateful {
            true => read_state(&self.connection, &self.inner.integrity, &Policy::decode(policy)?)?,
            false => Some(State::default()),
        };
        let Some(state) = state else { return Ok(None) };
        let key = key.unwrap(paged.index, license.policy_hash(), glance.kind, paged.wrapped);
        let key = key.map_err(|_| key_lost())?;
        Ok(Some(BackupLicense { index: paged.index, license, state, key }))
    }
}
