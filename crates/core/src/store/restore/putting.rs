//! What a restore puts into the store, inside its one transaction: what was revoked and removed where the backup was made, licenses
//! one by one, and pages as they are. The rules are in `store/records/merge.rs`.

use super::staging_file::{Entry, Staged, torn};
use crate::clock::Moment;
use crate::rights;
use crate::store::index::changes::Merge;
use crate::store::records::at_rest::AtRest;
use crate::store::records::import::start_state;
use crate::store::records::incoming::Incoming;
use crate::store::records::merge::Merger;
use crate::store::records::pages::{policy_of, unreadable};
use crate::store::records::revocation::{if_newer, keep_list, take};
use crate::store::records::section::{section_at, section_of};
use crate::store::records::tombstone;
use crate::store::{Inner, RestoreReport, StagedLicense, StoreError};
use rusqlite::Connection;
use wmlicense_wire::backup::page::{PageKey, PageView, PagedLicense};
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::{Binding, InnerKey, License, State};
use wmlicense_wire::policy::{Glance, Policy};
use wmlicense_wire::revocation::VerifiedRevocation;
use wmlicense_wire::status_list::StatusList;

/// The open transaction of a restore.
pub struct Putting<'a> {
    inner: &'a Inner,
    merger: Merger<'a>,
    at: Moment,
    /// Authority of the batch, and under which the keys of its staged licenses are kept, where they were staged.
    batch: Option<(Digest, Option<AtRest>)>,
    report: RestoreReport,
}

impl<'a> Putting<'a> {
    pub(super) fn new(connection: &'a Connection, inner: &'a Inner) -> Result<Self, StoreError> {
        let merger = Merger::new(connection, inner, inner.clock.now())?;
        let (at, report) = (inner.clock.moment(), RestoreReport::default());
        Ok(Self { inner, merger, at, batch: None, report })
    }

    /// Takes a verified status list, if it is newer than the one that is kept.
    pub(crate) fn put_status_list(&mut self, list: &StatusList, bytes: &[u8]) -> Result<(), StoreError> {
        let store = (self.merger.connection, &self.inner.integrity);
        if_newer(keep_list(store, &mut self.merger.head, (list, bytes), self.at.wall))
    }

    /// Takes a verified license revocation blob, if it is newer than the one that is kept.
    pub(crate) fn put_revocation(&mut self, blob: &VerifiedRevocation, bytes: &[u8]) -> Result<(), StoreError> {
        if_newer(take(self.merger.connection, &mut self.merger, blob, bytes, self.at.wall))
    }

    /// Takes a tombstone of the backup.
    pub fn put_tombstone(&mut self, tombstone: &[u8]) -> Result<(), StoreError> {
        self.merger.bury(&tombstone::read(tombstone)?)
    }

    /// Takes a title, unless the application gave the key ID one.
    pub fn put_title(&mut self, kid: Kid, title: &str) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO title (kid, title) VALUES (?1, ?2)";
        self.merger.connection.prepare_cached(sql)?.execute((kid.as_bytes(), title))?;
        Ok(())
    }

    /// A batch begins; its licenses and pages follow.
    pub fn put_batch(&mut self, authority: Digest, signed: &[u8]) -> Result<(), StoreError> {
        self.batch = Some((authority, None));
        self.merger.batch(authority, signed)
    }

    /// Puts a license of the batch before in.
    pub fn put_license(&mut self, license: &StagedLicense<'_>) -> Result<(), StoreError> {
        let encoded = license.license.encode();
        self.put((license.index, &encoded, license.license), Some(license.state), license.key)
    }

    /// Puts the licenses of a page of the batch before in, of each of which a glance at its policy is there: the page as it is,
    /// where all of them go in and are new.
    pub fn put_page(&mut self, key: &PageKey, page: &PageView<'_>, glances: &[Glance]) -> Result<(), StoreError> {
        let authority = self.authority()?;
        let Some(first) = glances.first() else { return Ok(()) };
        let wanted = section_at(authority, first);
        let (comes_twice, are_new) = (has_twins(glances), self.merger.are_new(glances));
        let mut new: Vec<(u32, &Glance)> = Vec::with_capacity(glances.len());
        for (license, policy) in page.licenses().zip(glances) {
            let is_first = !comes_twice || new.iter().all(|(_, earlier)| earlier.lid != policy.lid);
            let alike = !policy.stateful && policy.replaces.is_none() && section_at(authority, policy) == wanted;
            if alike
                && is_first
                && self.may_come(&license, policy)?
                && (are_new || self.merger.is_new(policy.lid, policy.issuer)?)
            {
                new.push((license.index, policy));
            }
        }
        let is_new = |index: u32| new.binary_search_by_key(&index, |(index, _)| *index).is_ok();
        let all = new.len() == page.count();
        let kept = if all { None } else { page.keep(is_new) };
        if let Some(kept) = kept.as_deref().or(all.then_some(page.bytes())) {
            self.report.restored += new.len() as u64;
            self.merger.put_page(wanted.as_ref(), key, kept, &new)?;
        }
        if all {
            return Ok(());
        }
        // What does not go in as it is goes in, or stays out, as any license does: the others of its page must be there for that.
        page.licenses().filter(|license| !is_new(license.index)).try_for_each(|license| self.put_paged(key, &license))
    }

    /// True if neither the time nor a revocation keeps a license out.
    fn may_come(&mut self, license: &PagedLicense<'_>, policy: &Glance) -> Result<bool, StoreError> {
        if !policy.dated && !self.merger.may_be_taken_back(policy)? {
            return Ok(true);
        }
        let policy = policy_of(license)?;
        Ok(!self.has_ended(&policy) && !self.merger.is_taken_back(&policy)?)
    }

    /// True if a license that was never used has ended by now.
    fn has_ended(&self, policy: &Policy) -> bool {
        let Some(end) = rights::end_of_all(policy, &State::default()) else { return false };
        let services = [policy.issuer].into_iter().chain(policy.management);
        self.merger.head.clock.read(self.at, services).known() >= end
    }

    fn put_paged(&mut self, key: &PageKey, paged: &PagedLicense<'_>) -> Result<(), StoreError> {
        let license = License::decode(paged.license)?;
        let kind = policy_of(paged)?.kind;
        let opened = key.unwrap(paged.index, license.policy_hash(), kind, paged.wrapped);
        let opened = opened.map_err(|_| crate::store::records::at_rest::key_lost())?;
        self.put((paged.index, paged.license, &license), None, &opened)
    }

    pub(super) fn put_staged(&mut self, entry: Entry<'_>) -> Result<(), StoreError> {
        match entry {
            Entry::Batch { authority, at_rest, signed } => {
                self.batch = Some((authority, Some(AtRest::of(self.inner.device.store_key(), at_rest))));
                self.merger.batch(authority, signed)
            }
            Entry::License(Staged { index, state, license: encoded, wrapped }) => {
                let license = License::decode(encoded)?;
                let Some((_, Some(at_rest))) = &self.batch else { return Err(torn()) };
                let kind = Policy::decode(&license.policy)?.kind;
                let key = at_rest.unwrap(index, license.policy_hash(), kind, wrapped)?;
                self.put((index, encoded, &license), state.as_ref(), &key)
            }
        }
    }

    fn authority(&self) -> Result<Digest, StoreError> {
        let without = || StoreError::Damaged("a license without a batch".into());
        self.batch.as_ref().map(|(authority, _)| *authority).ok_or_else(without)
    }

    fn put(
        &mut self,
        (index, encoded, license): (u32, &[u8], &License),
        state: Option<&State>,
        key: &InnerKey,
    ) -> Result<(), StoreError> {
        let authority = self.authority()?;
        let (policy, binding) = (Policy::decode(&license.policy)?, Binding::decode(&license.binding)?);
        if binding.policy_hash != license.policy_hash() {
            return Err(unreadable());
        }
        let state = start_state(&policy, state);
        let incoming = Incoming {
            index,
            kid: policy.kid,
            lid: policy.lid,
            issuer: policy.issuer,
            policy_hash: binding.policy_hash,
            issued_at: binding.issued_at,
            replaces: policy.replaces,
            ends_at: rights::end_of_all(&policy, state.as_ref().unwrap_or(&State::default())).unwrap_or(i64::MAX),
            section: section_of(authority, &policy),
            state,
            policy: &policy,
            license: encoded,
            key,
        };
        if self.merger.has_ended(&incoming, self.at)? {
            self.report.ended.push((policy.lid, policy.kid));
        } else if self.merger.put(&incoming)? {
            self.report.restored += 1;
        } else {
            self.report.forbidden.push((policy.lid, policy.kid));
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<RestoreReport, StoreError> {
        if !self.report.ended.is_empty() {
            // What is left out for the time is a time that was seen.
            let mut clock = self.merger.head.clock.clone();
            clock.note_use(self.at);
            self.merger.head.set_clock(clock);
        }
        self.merger.finish(Merge::Now)?;
        Ok(self.report)
    }
}

/// True if two licenses have one ID.
fn has_twins(glances: &[Glance]) -> bool {
    let mut lids: Vec<Lid> = glances.iter().map(|policy| policy.lid).collect();
    lids.sort_unstable();
    lids.windows(2).any(|pair| matches!(pair, [one, next] if one == next))
}
