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
use crate::store::records::section::section_of;
use crate::store::records::tombstone;
use crate::store::{Inner, RestoreReport, StagedLicense, StoreError};
use rusqlite::Connection;
use std::collections::HashSet;
use wmlicense_wire::backup::page::{PageKey, PageView, PagedLicense};
use wmlicense_wire::id::{Digest, Kid};
use wmlicense_wire::license::{Binding, InnerKey, License, State};
use wmlicense_wire::policy::Policy;
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

    /// Puts the licenses of a page of the batch before in: the page as it is, where all of them go in and are new.
    pub fn put_page(&mut self, key: &PageKey, page: &PageView<'_>) -> Result<(), StoreError> {
        let authority = self.authority()?;
        let licenses: Vec<(PagedLicense<'_>, Policy)> =
            page.licenses().map(|license| Ok((license, policy_of(&license)?))).collect::<Result<_, StoreError>>()?;
        let wanted = match licenses.first() {
            Some((_, first)) => section_of(authority, first),
            None => return Ok(()),
        };
        let mut lids = HashSet::with_capacity(licenses.len());
        let mut new = Vec::with_capacity(licenses.len());
        for (license, policy) in &licenses {
            let alike = section_of(authority, policy) == wanted && !policy.is_stateful() && policy.replaces.is_none();
            if alike && lids.insert(policy.lid) && self.is_new(policy)? {
                new.push((license.index, policy));
            }
        }
        let is_new = |index: u32| new.binary_search_by_key(&index, |(index, _)| *index).is_ok();
        let kept = if new.len() == licenses.len() { Some(page.bytes().to_vec()) } else { page.keep(is_new) };
        if let Some(kept) = kept {
            self.report.restored += new.len() as u64;
            self.merger.put_page(wanted.as_ref(), key, &kept, &new)?;
        }
        // What does not go in as it is goes in, or stays out, as any license does: the others of its page must be there for that.
        for (license, policy) in licenses.iter().filter(|(license, _)| !is_new(license.index)) {
            self.put_paged(key, license, policy)?;
        }
        Ok(())
    }

    /// True if nothing keeps a license out, and it is not there.
    fn is_new(&mut self, policy: &Policy) -> Result<bool, StoreError> {
        let ended = match rights::end_of_all(policy, &State::default()) {
            None => false,
            Some(end) => {
                let services = [policy.issuer].into_iter().chain(policy.management);
                self.merger.head.clock.read(self.at, services).known() >= end
            }
        };
        Ok(!ended && self.merger.is_new(policy)?)
    }

    fn put_paged(&mut self, key: &PageKey, paged: &PagedLicense<'_>, policy: &Policy) -> Result<(), StoreError> {
        let license = License::decode(paged.license)?;
        let opened = key.unwrap(paged.index, license.policy_hash(), policy.kind, paged.wrapped);
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
