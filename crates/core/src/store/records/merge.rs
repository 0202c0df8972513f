//! Putting licenses into the store, whether they come from a service or from a backup: what is left out, what replaces
//! what, and what becomes of the state. Runs inside one write transaction.

use super::at_rest::row_id;
use super::removal::remove;
use super::{recipe, standing, tombstone};
use crate::clock::Moment;
use crate::store::head::Head;
use crate::store::integrity::{Integrity, Row, Table};
use crate::store::{Section, StoreError};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _};
use std::collections::BTreeMap;
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId};
use wmlicense_wire::license::{Binding, State};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::VerifiedRevocation;

const INSERT: &str = "INSERT INTO license (id, kid, lid, section, wrapped, policy, binding, recipe) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const INSERT_UNLESS_KNOWN: &str =
    "INSERT INTO license (id, kid, lid, section, wrapped, policy, binding, recipe) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (lid) DO NOTHING";

/// What the store needs to know of a license on its way in.
pub(in crate::store) struct Incoming<'a> {
    pub(in crate::store) index: u32,
    pub(in crate::store) kid: Kid,
    pub(in crate::store) lid: Lid,
    pub(in crate::store) issuer: ServiceId,
    pub(in crate::store) policy_hash: Digest,
    pub(in crate::store) issued_at: i64,
    pub(in crate::store) replaces: Option<Lid>,
    /// First second without a right to anything; `i64::MAX` if some right has no end.
    pub(in crate::store) ends_at: i64,
    /// `None` if it may not be backed up.
    pub(in crate::store) section: Option<Section>,
    /// State to start from or to merge; `None` for a stateless license.
    pub(in crate::store) state: Option<State>,
    pub(in crate::store) policy: &'a [u8],
    pub(in crate::store) binding: &'a [u8],
    pub(in crate::store) wrapped: &'a [u8],
}

/// Section of a backup to which a license of this authority belongs, if it may be backed up.
pub(in crate::store) fn section_of(authority: Digest, policy: &Policy) -> Option<Section> {
    policy.may_back_up().then_some(Section { authority, management: policy.management, user: policy.user })
}

struct Batch {
    id: i64,
    at_rest: [u8; 16],
    authority: Digest,
    signed: Vec<u8>,
    written: bool,
}

/// One run of puts in a write transaction.
pub(in crate::store) struct Merger<'a> {
    pub(in crate::store) connection: &'a Connection,
    integrity: &'a Integrity,
    pub(in crate::store) head: Head,
    tombstones: bool,
    sections: BTreeMap<Section, i64>,
    batch: Option<Batch>,
    /// What the licenses were asked for with, where that is known.
    recipe: Option<i64>,
    next_batch: i64,
    now: i64,
    insert: CachedStatement<'a>,
    /// Kept revocations, read when the first license comes.
    revocations: Option<Vec<VerifiedRevocation>>,
}

impl<'a> Merger<'a> {
    pub(in crate::store) fn new(
        connection: &'a Connection,
        integrity: &'a Integrity,
        now: i64,
    ) -> Result<Self, StoreError> {
        Self::inserting(connection, integrity, now, INSERT_UNLESS_KNOWN)
    }

    fn inserting(
        connection: &'a Connection,
        integrity: &'a Integrity,
        now: i64,
        insert: &str,
    ) -> Result<Self, StoreError> {
        let one = |sql: &str| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
        Ok(Self {
            connection,
            integrity,
            head: Head::load(connection, integrity)?,
            tombstones: one("SELECT EXISTS (SELECT 1 FROM tombstone)")? != 0,
            sections: BTreeMap::new(),
            batch: None,
            recipe: None,
            next_batch: one("SELECT coalesce(max(id), 0) + 1 FROM batch")?,
            now,
            insert: connection.prepare_cached(insert)?,
            revocations: None,
        })
    }

    /// As [`Self::new`], for a store without licenses and without their indexes: no LID is looked up, and whether one came
    /// twice shows when the indexes are made.
    pub(in crate::store) fn of_fresh(
        connection: &'a Connection,
        integrity: &'a Integrity,
        now: i64,
    ) -> Result<Self, StoreError> {
        Self::inserting(connection, integrity, now, INSERT)
    }

    /// Licenses that follow are of this batch. Its row is written with the first one that goes in.
    pub(in crate::store) fn batch(&mut self, authority: Digest, at_rest: [u8; 16], signed: &[u8]) {
        self.batch = Some(Batch { id: self.next_batch, at_rest, authority, signed: signed.to_vec(), written: false });
    }

    /// Licenses that follow were asked for with this recipe; without one they keep that of the license they come in place of.
    pub(in crate::store) fn recipe(&mut self, recipe: Option<i64>) {
        self.recipe = recipe;
    }

    /// When the license that is stored was bound, seconds UTC.
    pub(in crate::store) fn bound_at(&self, lid: Lid) -> Result<Option<i64>, StoreError> {
        let binding: Option<Vec<u8>> = self
            .connection
            .prepare_cached("SELECT binding FROM license WHERE lid = ?1")?
            .query_row([lid.as_bytes()], |row| row.get(0))
            .optional()?;
        Ok(binding.map(|binding| Binding::decode(&binding)).transpose()?.map(|binding| binding.issued_at))
    }

    /// Puts a license in; false if a tombstone forbids it.
    pub(in crate::store) fn put(&mut self, incoming: &Incoming<'_>) -> Result<bool, StoreError> {
        if self.is_forbidden(incoming)? || self.is_taken_back(incoming)? {
            return Ok(false);
        }
        let section = incoming.section.as_ref().map(|section| self.section(section)).transpose()?;
        let recipe = self.recipe_for(incoming)?;
        let known = !self.insert(incoming, section, recipe)?;
        if known {
            self.replace_older(incoming, section)?;
        }
        if let Some(state) = incoming.state.clone() {
            self.head.merge_state(self.connection, self.integrity, (incoming.lid, known), state)?;
        }
        if let Some(replaced) = incoming.replaces {
            self.bury(&Tombstone { lid: replaced, issuer: incoming.issuer, removed_at: self.now })?;
        }
        Ok(true)
    }

    /// True if a license that is not in the store ended already, by the latest time that is known to have passed. One that is
    /// there stays: it may still be renewed.
    pub(in crate::store) fn has_ended(&self, incoming: &Incoming<'_>, at: Moment) -> Result<bool, StoreError> {
        if incoming.ends_at == i64::MAX {
            return Ok(false);
        }
        let management = incoming.section.as_ref().and_then(|section| section.management);
        let reading = self.head.clock.read(at, [incoming.issuer].into_iter().chain(management));
        if reading.known() < incoming.ends_at {
            return Ok(false);
        }
        let known = self
            .connection
            .prepare_cached("SELECT 1 FROM license WHERE lid = ?1")?
            .exists([incoming.lid.as_bytes()])?;
        Ok(!known)
    }

    /// Removes a license for good, and keeps it from coming back.
    pub(in crate::store) fn bury(&mut self, tombstone: &Tombstone) -> Result<(), StoreError> {
        let found: Option<(i64, Vec<u8>)> = self
            .connection
            .prepare_cached("SELECT id, policy FROM license WHERE lid = ?1")?
            .query_row([tombstone.lid.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((id, policy)) = found {
            if Policy::decode(&policy)?.issuer != tombstone.issuer {
                return Ok(());
            }
            remove(self.connection, id)?;
        }
        if let Row::Missing = self.integrity.row(self.connection, Table::Tombstone, tombstone.lid)? {
            let place = (Table::Tombstone, tombstone.lid);
            self.head.put_row(self.connection, self.integrity, place, None, &tombstone.encode())?;
            self.tombstones = true;
        }
        Ok(())
    }

    /// Writes the head.
    pub(in crate::store) fn finish(self) -> Result<(), StoreError> {
        self.head.save(self.connection, self.integrity)
    }

    fn is_forbidden(&self, incoming: &Incoming<'_>) -> Result<bool, StoreError> {
        if !self.tombstones {
            return Ok(false);
        }
        tombstone::forbids(self.connection, self.integrity, incoming.lid, incoming.issuer)
    }

    /// True if a kept revocation matches the license.
    fn is_taken_back(&mut self, incoming: &Incoming<'_>) -> Result<bool, StoreError> {
        let revocations = match &self.revocations {
            Some(revocations) => revocations,
            None => self.revocations.insert(standing::revocations(self.connection, &self.head)?),
        };
        if revocations.is_empty() {
            return Ok(false);
        }
        let policy = Policy::decode(incoming.policy)?;
        Ok(revocations.iter().any(|revocation| revocation.matches(&policy)))
    }

    /// Another revocation is kept from here on.
    pub(in crate::store) fn forget_revocations(&mut self) {
        self.revocations = None;
    }

    /// Inserts a license unless its LID is there.
    fn insert(
        &mut self,
        incoming: &Incoming<'_>,
        section: Option<i64>,
        recipe: Option<i64>,
    ) -> Result<bool, StoreError> {
        let batch = self.batch.as_mut().ok_or_else(|| StoreError::Damaged("a license without a batch".into()))?;
        let id = row_id(batch.id, incoming.index);
        let inserted = self.insert.execute((
            id,
            incoming.kid.as_bytes(),
            incoming.lid.as_bytes(),
            section,
            incoming.wrapped,
            incoming.policy,
            incoming.binding,
            recipe,
        ))?;
        if inserted == 1 && !batch.written {
            let place = (batch.authority, batch.at_rest.as_slice(), batch.signed.as_slice());
            standing::mark_fresh(self.connection, self.integrity, &self.head, batch.id, place)?;
            self.connection
                .prepare_cached("INSERT INTO batch (id, at_rest, authority, signed) VALUES (?1, ?2, ?3, ?4)")?
                .execute((batch.id, batch.at_rest, batch.authority.as_bytes(), &batch.signed))?;
            batch.written = true;
            self.next_batch = batch.id + 1;
        }
        Ok(inserted == 1)
    }

    /// Lets the later binding of the two win; other terms are refused.
    fn replace_older(&mut self, incoming: &Incoming<'_>, section: Option<i64>) -> Result<(), StoreError> {
        let (id, policy, binding, recipe): (i64, Vec<u8>, Vec<u8>, Option<i64>) = self
            .connection
            .prepare_cached("SELECT id, policy, binding, recipe FROM license WHERE lid = ?1")?
            .query_row([incoming.lid.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
        if Digest::of(&policy) != incoming.policy_hash {
            return Err(StoreError::OtherPolicy(incoming.lid));
        }
        if Binding::decode(&binding)?.issued_at < incoming.issued_at {
            remove(self.connection, id)?;
            self.insert(incoming, section, self.recipe.or(recipe))?;
        }
        Ok(())
    }

    fn recipe_for(&self, incoming: &Incoming<'_>) -> Result<Option<i64>, StoreError> {
        match (self.recipe, incoming.replaces) {
            (None, Some(replaced)) => Ok(recipe::of_license(self.connection, replaced)?),
            (known, _) => Ok(known),
        }
    }

    fn section(&mut self, section: &Section) -> Result<i64, StoreError> {
        if let Some(id) = self.sections.get(section) {
            return Ok(*id);
        }
        let columns = (
            section.authority.as_bytes(),
            section.management.as_ref().map(|management| management.as_bytes()),
            section.user.as_ref().map(|user| user.as_bytes()),
        );
        let found: Option<i64> = self
            .connection
            .prepare_cached("SELECT id FROM section WHERE authority = ?1 AND management IS ?2 AND user IS ?3")?
            .query_row(columns, |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                self.connection
                    .prepare_cached("INSERT INTO section (authority, management, user) VALUES (?1, ?2, ?3)")?
                    .execute(columns)?;
                self.connection.last_insert_rowid()
            }
        };
        self.sections.insert(section.clone(), id);
        Ok(id)
    }
}
