//! A consistent view of the whole store for a backup, read in the order of the file and in constant memory.

use super::at_rest::{AtRest, place};
use super::lookup::read_state;
use super::standing::vouched;
use crate::store::head::Head;
use crate::store::integrity::{Row, Table};
use crate::store::kept::KeptKind;
use crate::store::{BackupItem, BackupLicense, Inner, Section, Store, StoreError, error::fixed};
use rusqlite::Connection;
use std::sync::Arc;
use wmlicense_wire::backup::page::{MAX_PAGE_LEN, PageBuilder, PageKey, WRAPPING};
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId, UserId};
use wmlicense_wire::license::{License, State};
use wmlicense_wire::policy::{Glance, Policy};

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
             WHERE EXISTS (SELECT 1 FROM license WHERE section = section.id) ORDER BY authority, management, user",
        )?;
        let mut rows = statement.query([])?;
        let mut sections = Vec::new();
        while let Some(row) = rows.next()? {
            let management: Option<Vec<u8>> = row.get(1)?;
            let user: Option<Vec<u8>> = row.get(2)?;
            let authority: Vec<u8> = row.get(0)?;
            sections.push(Section {
                authority: Digest::new(fixed(&authority)?),
                management: management.map(|id| fixed(&id).map(ServiceId::new)).transpose()?,
                user: user.map(|id| fixed(&id).map(UserId::new)).transpose()?,
            });
        }
        Ok(sections)
    }

    /// Licenses in all, those that may not be backed up included.
    pub fn license_count(&self) -> Result<u64, StoreError> {
        super::lookup::count(&self.connection)
    }

    /// Key IDs of licenses that may not be backed up, each once a license, in the order of the key IDs.
    pub fn restricted(&self, each: &mut dyn FnMut(Kid) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare("SELECT kid FROM license WHERE section IS NULL ORDER BY kid")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(Kid::new(fixed(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?)?))?;
        }
        Ok(())
    }

    /// Streams the batches and licenses of a section in batch and manifest order, in constant memory.
    pub fn stream<E: From<StoreError>>(
        &self,
        section: &Section,
        each: &mut dyn FnMut(BackupItem) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT id, policy, binding, wrapped FROM license WHERE section =
            (SELECT id FROM section WHERE authority = ?1 AND management IS ?2 AND user IS ?3) ORDER BY id";
        let mut statement = self.connection.prepare(sql).map_err(StoreError::from)?;
        let management = section.management.as_ref().map(|id| id.as_bytes());
        let user = section.user.as_ref().map(|id| id.as_bytes());
        let rows = statement.query((section.authority.as_bytes(), management, user));
        let mut rows = rows.map_err(StoreError::from)?;
        let mut batch: Option<(i64, AtRest)> = None;
        let mut pages = Pages::default();
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let (number, index) = place(row.get(0).map_err(StoreError::from)?);
            if batch.as_ref().is_none_or(|(current, _)| *current != number) {
                let (at_rest, signed) = self.batch(number)?;
                pages.take().map_or(Ok(()), &mut *each)?;
                each(BackupItem::Batch(signed))?;
                batch = Some((number, at_rest));
            }
            let Some((_, at_rest)) = &batch else { continue };
            match self.license(row, index, at_rest)? {
                None => {}
                Some((Glance { stateful: true, .. }, license)) => each(BackupItem::License(Box::new(license)))?,
                Some((_, license)) => pages.put(&license)?.map_or(Ok(()), &mut *each)?,
            }
        }
        pages.take().map_or(Ok(()), each)
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

    fn batch(&self, number: i64) -> Result<(AtRest, Vec<u8>), StoreError> {
        let sql = "SELECT at_rest, signed FROM batch WHERE id = ?1";
        let (at_rest, signed): (Vec<u8>, Vec<u8>) =
            self.connection.prepare_cached(sql)?.query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((AtRest::of(self.inner.device.store_key(), fixed(&at_rest)?), signed))
    }

    /// A license of the current row; none where its state was lost, for such a license is good for nothing anywhere.
    fn license(
        &self,
        row: &rusqlite::Row<'_>,
        index: u32,
        at_rest: &AtRest,
    ) -> Result<Option<(Glance, BackupLicense)>, StoreError> {
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        let license = License { policy: blob(1)?.to_vec(), binding: blob(2)?.to_vec() };
        let damaged = || StoreError::Damaged("a policy cannot be read".into());
        let glance = Glance::at(&license.policy).ok_or_else(damaged)?;
        let state = match glance.stateful {
            true => read_state(&self.connection, &self.inner.integrity, &Policy::decode(&license.policy)?)?,
            false => Some(State::default()),
        };
        let Some(state) = state else { return Ok(None) };
        let key = at_rest.unwrap(index, license.policy_hash(), glance.kind, blob(3)?)?;
        Ok(Some((glance, BackupLicense { index, license, state, key })))
    }
}

/// Licenses of one batch on their way into pages.
#[derive(Default)]
struct Pages {
    builder: PageBuilder,
    /// The key of the page that is being made.
    key: Option<PageKey>,
}

impl Pages {
    /// Puts a license into a page; gives the page before, where this one needs another.
    fn put(&mut self, license: &BackupLicense) -> Result<Option<BackupItem>, StoreError> {
        let encoded = license.license.encode();
        let wrapped_len = license.key.as_bytes().len() + WRAPPING;
        let full = self.builder.len_with(encoded.len(), wrapped_len) > MAX_PAGE_LEN;
        let before = if full { self.take() } else { None };
        let key = match &self.key {
            Some(key) => key,
            None => self.key.insert(PageKey::random().map_err(|_| StoreError::Random)?),
        };
        let wrapped = key.wrap(license.index, license.license.policy_hash(), &license.key);
        let put = self.builder.push(license.index, &encoded, &wrapped);
        put.map_err(|error| StoreError::Damaged(error.to_string()))?;
        Ok(before)
    }

    fn take(&mut self) -> Option<BackupItem> {
        self.builder.finish().zip(self.key.take()).map(|(page, key)| BackupItem::Page { key, page })
    }
}
