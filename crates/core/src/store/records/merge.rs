//! Putting licenses into the store, whether they come from a service or from a backup: what is left out, what replaces
//! what, and what becomes of the state. Runs inside one write transaction.

use super::at_rest::{Randomness, Scope, batch_of, id_of_verified, place, place_in};
use super::incoming::Incoming;
use super::packing::{self, Kind, Packing};
use super::pages::{Stored, drop_if_empty};
use super::removal::remove;
use super::section::section_id;
use super::{standing, tombstone};
use crate::clock::Moment;
use crate::store::head::Head;
use crate::store::index::changes::{Changes, Merge};
use crate::store::integrity::{Row, Table};
use crate::store::{Inner, Section, StoreError};
use rusqlite::Connection;
use std::collections::BTreeMap;
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::backup::page::PageKey;
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId};
use wmlicense_wire::policy::{Glance, Policy};
use wmlicense_wire::revocation::VerifiedRevocation;

/// The batch that licenses are put into.
struct Batch {
    at_rest: [u8; 16],
    authority: Digest,
    signed: Vec<u8>,
    /// Its pages, once a license went in.
    pages: Option<Packing>,
}

/// One run of puts in a write transaction.
pub(in crate::store) struct Merger<'a> {
    pub(in crate::store) connection: &'a Connection,
    inner: &'a Inner,
    pub(in crate::store) head: Head,
    pub(in crate::store) changes: Changes<'a>,
    random: Randomness,
    tombstones: bool,
    sections: BTreeMap<Section, i64>,
    batch: Option<Batch>,
    /// What the licenses were asked for with, where that is known.
    recipe: Option<i64>,
    now: i64,
    /// Kept revocations, read when the first license comes.
    revocations: Option<Vec<VerifiedRevocation>>,
}

impl<'a> Merger<'a> {
    pub(in crate::store) fn new(connection: &'a Connection, inner: &'a Inner, now: i64) -> Result<Self, StoreError> {
        let tombstones = "SELECT EXISTS (SELECT 1 FROM tombstone)";
        Ok(Self {
            connection,
            inner,
            head: Head::load(connection, &inner.integrity)?,
            changes: Changes::new(connection, &inner.index)?,
            random: Randomness::default(),
            tombstones: connection.prepare_cached(tombstones)?.query_row([], |row| row.get(0))?,
            sections: BTreeMap::new(),
            batch: None,
            recipe: None,
            now,
            revocations: None,
        })
    }

    /// Licenses that follow are of this batch. Its row is written with the first one that goes in.
    pub(in crate::store) fn batch(&mut self, authority: Digest, signed: &[u8]) -> Result<(), StoreError> {
        let at_rest = *self.random.take()?;
        self.begin(at_rest, authority, signed)
    }

    /// As [`Self::batch`], of one whose signature was verified just before. A backup takes that batch as it is.
    pub(in crate::store) fn verified_batch(&mut self, authority: Digest, signed: &[u8]) -> Result<(), StoreError> {
        let at_rest = id_of_verified(&self.inner.integrity, authority, signed);
        self.begin(at_rest, authority, signed)
    }

    fn begin(&mut self, at_rest: [u8; 16], authority: Digest, signed: &[u8]) -> Result<(), StoreError> {
        self.end_batch()?;
        self.batch = Some(Batch { at_rest, authority, signed: signed.to_vec(), pages: None });
        Ok(())
    }

    fn end_batch(&mut self) -> Result<(), StoreError> {
        let Some(mut pages) = self.batch.take().and_then(|batch| batch.pages) else { return Ok(()) };
        pages.flush(self.connection)?;
        drop_if_empty(self.connection, pages.batch())
    }

    /// Licenses that follow were asked for with this recipe; without one they keep that of the license they come in place of.
    pub(in crate::store) fn recipe(&mut self, recipe: Option<i64>) {
        self.recipe = recipe;
    }

    /// When the license that is stored was bound, seconds UTC.
    pub(in crate::store) fn bound_at(&mut self, lid: Lid) -> Result<Option<i64>, StoreError> {
        self.find(lid)?.map(|stored| stored.bound_at()).transpose()
    }

    /// The stored license with this ID.
    fn find(&mut self, lid: Lid) -> Result<Option<Stored>, StoreError> {
        let places = self.changes.of_lid(lid)?;
        self.write_pages_of(&places)?;
        Stored::with_lid(self.connection, &places, lid)
    }

    /// Pages that are still being made become rows where one of these places is in them.
    fn write_pages_of(&mut self, places: &[i64]) -> Result<(), StoreError> {
        let batch = self.batch.as_ref().and_then(|batch| batch.pages.as_ref()).map(Packing::batch);
        if places.iter().any(|found| batch == Some(batch_of(place(*found).0))) { self.write_pages() } else { Ok(()) }
    }

    /// Pages that are still being made become rows, for whoever looks at the rows of all.
    pub(in crate::store) fn write_pages(&mut self) -> Result<(), StoreError> {
        let pages = self.batch.as_mut().and_then(|batch| batch.pages.as_mut());
        pages.map_or(Ok(()), |pages| pages.flush(self.connection))
    }

    /// Puts a license in; false if a tombstone forbids it.
    pub(in crate::store) fn put(&mut self, incoming: &Incoming<'_>) -> Result<bool, StoreError> {
        if self.is_forbidden(incoming.lid, incoming.issuer)? || self.is_taken_back(incoming.policy)? {
            return Ok(false);
        }
        let section = incoming.section.as_ref().map(|section| self.section(section)).transpose()?;
        let known = self.find(incoming.lid)?;
        match &known {
            None => {
                let recipe = self.recipe_for(incoming)?;
                self.insert(incoming, section, recipe)?;
            }
            Some(known) => self.replace_older(known, incoming, section)?,
        }
        if let Some(state) = incoming.state.clone() {
            let known = (incoming.lid, known.is_some());
            self.head.merge_state(self.connection, &self.inner.integrity, known, state)?;
        }
        if let Some(replaced) = incoming.replaces {
            self.bury(&Tombstone { lid: replaced, issuer: incoming.issuer, removed_at: self.now })?;
        }
        Ok(true)
    }

    /// True if a license that is not in the store ended already, by the latest time that is known to have passed. One that is
    /// there stays: it may still be renewed.
    pub(in crate::store) fn has_ended(&mut self, incoming: &Incoming<'_>, at: Moment) -> Result<bool, StoreError> {
        if incoming.ends_at == i64::MAX {
            return Ok(false);
        }
        let management = incoming.section.as_ref().and_then(|section| section.management);
        let reading = self.head.clock.read(at, [incoming.issuer].into_iter().chain(management));
        Ok(reading.known() >= incoming.ends_at && self.find(incoming.lid)?.is_none())
    }

    /// Removes a license for good, and keeps it from coming back.
    pub(in crate::store) fn bury(&mut self, tombstone: &Tombstone) -> Result<(), StoreError> {
        if let Some(stored) = self.find(tombstone.lid)? {
            if stored.policy.issuer != tombstone.issuer {
                return Ok(());
            }
            self.remove(&stored)?;
        }
        let integrity = &self.inner.integrity;
        if let Row::Missing = integrity.row(self.connection, Table::Tombstone, tombstone.lid)? {
            let place = (Table::Tombstone, tombstone.lid);
            self.head.put_row(self.connection, integrity, place, None, &tombstone.encode())?;
            self.tombstones = true;
        }
        Ok(())
    }

    /// The stored licenses with this key ID.
    pub(in crate::store) fn of_kid(&mut self, kid: Kid) -> Result<Vec<Stored>, StoreError> {
        let places = self.changes.of_kid(kid)?;
        self.write_pages_of(&places)?;
        Stored::with_kid(self.connection, &places, kid)
    }

    fn remove(&mut self, stored: &Stored) -> Result<(), StoreError> {
        let putting = self.batch.as_ref().and_then(|batch| batch.pages.as_ref()).map(Packing::batch);
        remove(self.connection, &mut self.changes, stored, putting)
    }

    /// Writes what is left to write: pages, index and head.
    pub(in crate::store) fn finish(mut self, merge: Merge) -> Result<(), StoreError> {
        self.end_batch()?;
        self.changes.finish(merge)?;
        self.head.save(self.connection, &self.inner.integrity)
    }

    fn is_forbidden(&self, lid: Lid, issuer: ServiceId) -> Result<bool, StoreError> {
        if !self.tombstones {
            return Ok(false);
        }
        tombstone::forbids(self.connection, &self.inner.integrity, lid, issuer)
    }

    /// True if a kept revocation matches the license.
    pub(in crate::store) fn is_taken_back(&mut self, policy: &Policy) -> Result<bool, StoreError> {
        Ok(self.revocations()?.iter().any(|revocation| revocation.matches(policy)))
    }

    fn revocations(&mut self) -> Result<&[VerifiedRevocation], StoreError> {
        match &mut self.revocations {
            Some(revocations) => Ok(revocations),
            none => Ok(none.insert(standing::revocations(self.connection, &self.head)?)),
        }
    }

    /// Another revocation is kept from here on.
    pub(in crate::store) fn forget_revocations(&mut self) {
        self.revocations = None;
    }

    /// Puts a license into a page of its kind.
    fn insert(&mut self, incoming: &Incoming<'_>, section: Option<i64>, recipe: Option<i64>) -> Result<(), StoreError> {
        let kind = Kind { section, stateful: incoming.state.is_some(), recipe };
        self.begin_batch()?;
        let Some(Batch { at_rest, authority, pages: Some(pages), .. }) = &mut self.batch else {
            return Err(without_batch());
        };
        let scope = || Scope::new(*authority, incoming.section.as_ref(), kind.stateful, at_rest);
        let keys = (&self.inner.page_keys, &mut self.random);
        let place = pages.put(self.connection, keys, (kind, &scope), incoming)?;
        self.changes.came((incoming.kid, incoming.lid), place)
    }

    /// True if no tombstone keeps a license out, and none of its ID is there.
    pub(in crate::store) fn is_new(&mut self, lid: Lid, issuer: ServiceId) -> Result<bool, StoreError> {
        Ok(!self.is_forbidden(lid, issuer)? && self.find(lid)?.is_none())
    }

    /// True if all of these licenses are new, as far as that shows without searching for any.
    pub(in crate::store) fn are_new(&self, licenses: &[Glance]) -> bool {
        !self.tombstones && self.changes.are_absent(licenses.iter().map(|policy| policy.lid))
    }

    /// True if a kept revocation may match the license, which is for its whole policy to say.
    pub(in crate::store) fn may_be_taken_back(&mut self, policy: &Glance) -> Result<bool, StoreError> {
        let Some(key) = policy.revocation_key else { return Ok(false) };
        Ok(self.revocations()?.iter().any(|revocation| revocation.key == key))
    }

    /// Puts a page of the batch in as it is, whose licenses are new, of one section, and without a state.
    pub(in crate::store) fn put_page(
        &mut self,
        section: Option<&Section>,
        key: &PageKey,
        page: &[u8],
        licenses: &[(u32, &Glance)],
    ) -> Result<(), StoreError> {
        let kind = Kind {
            section: section.map(|section| self.section(section)).transpose()?,
            stateful: false,
            recipe: self.recipe,
        };
        self.begin_batch()?;
        let Some(Batch { at_rest, authority, pages: Some(pages), .. }) = &mut self.batch else {
            return Err(without_batch());
        };
        let scope = Scope::new(*authority, section, false, at_rest);
        let sealed = self.inner.page_keys.seal(&scope, key, &mut self.random)?;
        let id = pages.next_page()?;
        packing::write(self.connection, id, kind, (&sealed, page))?;
        self.changes.came_all(licenses.iter().map(|(index, policy)| ((policy.kid, policy.lid), place_in(id, *index))))
    }

    /// Writes the row of the batch, once.
    fn begin_batch(&mut self) -> Result<(), StoreError> {
        let batch = self.batch.as_mut().ok_or_else(without_batch)?;
        if batch.pages.is_some() {
            return Ok(());
        }
        let id = self.changes.next_batch();
        let place = (batch.authority, batch.at_rest.as_slice(), batch.signed.as_slice());
        standing::mark_fresh(self.connection, &self.inner.integrity, &self.head, id, place)?;
        self.connection
            .prepare_cached("INSERT INTO batch (id, at_rest, authority, signed) VALUES (?1, ?2, ?3, ?4)")?
            .execute((id, batch.at_rest, batch.authority.as_bytes(), &batch.signed))?;
        batch.signed = Vec::new();
        batch.pages = Some(Packing::new(id));
        Ok(())
    }

    /// Lets the later binding of the two win; other terms are refused.
    fn replace_older(
        &mut self,
        known: &Stored,
        incoming: &Incoming<'_>,
        section: Option<i64>,
    ) -> Result<(), StoreError> {
        if known.policy_hash != incoming.policy_hash {
            return Err(StoreError::OtherPolicy(incoming.lid));
        }
        if known.bound_at()? < incoming.issued_at {
            self.remove(known)?;
            self.insert(incoming, section, self.recipe.or(known.recipe))?;
        }
        Ok(())
    }

    fn recipe_for(&mut self, incoming: &Incoming<'_>) -> Result<Option<i64>, StoreError> {
        match (self.recipe, incoming.replaces) {
            (None, Some(replaced)) => Ok(self.find(replaced)?.and_then(|stored| stored.recipe)),
            (known, _) => Ok(known),
        }
    }

    fn section(&mut self, section: &Section) -> Result<i64, StoreError> {
        if let Some(id) = self.sections.get(section) {
            return Ok(*id);
        }
        let id = section_id(self.connection, section)?;
        self.sections.insert(section.clone(), id);
        Ok(id)
    }
}

fn without_batch() -> StoreError {
    StoreError::Damaged("a license without a batch".into())
}
