//! The staging area of a restore and its one commit. Its files are in `staging_file.rs`, the rules in `store/records/merge.rs`.

use super::staging_file::{ChunkLog, Entry, Scratch, Staged, torn};
use crate::clock::Moment;
use crate::logging::{Level, target};
use crate::rights;
use crate::store::head::Head;
use crate::store::index::changes::Merge;
use crate::store::integrity::{Row, Table};
use crate::store::records::at_rest::AtRest;
use crate::store::records::import::start_state;
use crate::store::records::merge::{Incoming, Merger, section_of};
use crate::store::records::revocation::{if_newer, keep_list, take};
use crate::store::records::tombstone;
use crate::store::{Inner, RestoreReport, StagedLicense, Store, StoreError};
use std::path::Path;
use std::sync::Arc;
use wmlicense_wire::answer::OpenedLicense;
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::{Binding, License, State};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::VerifiedRevocation;
use wmlicense_wire::status_list::StatusList;

/// Rows of a restore that are not part of the store until [`Staging::commit`]. Dropping it removes them.
pub struct Staging {
    inner: Arc<Inner>,
    scratch: Scratch,
    chunks: ChunkLog,
    /// Under which the keys of the batch are kept.
    batch: Option<AtRest>,
    /// Status lists and revocations that were kept where the backup was made, with their signed bytes.
    lists: Vec<(StatusList, Vec<u8>)>,
    revocations: Vec<(VerifiedRevocation, Vec<u8>)>,
    tombstones: Vec<Tombstone>,
    titles: Vec<(Kid, String)>,
}

impl Inner {
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    fn usage_of(&self, lids: &[Lid]) -> Result<Vec<(Lid, State)>, StoreError> {
        self.readers.with(|connection| {
            let mut usage = Vec::new();
            for lid in lids {
                if let Row::Sound(content) = self.integrity.row(connection, Table::State, *lid)? {
                    usage.push((*lid, State::decode(&content)?));
                }
            }
            Ok(usage)
        })
    }
}

impl Store {
    /// Opens the staging area of a restore from the backup with this header; an earlier one of another header is dropped.
    /// Another restore into this store at the same time, also of another process, is [`StoreError::Busy`].
    pub fn stage(&self, header_hash: Digest) -> Result<Staging, StoreError> {
        let inner = Arc::clone(&self.inner);
        let chunks = ChunkLog::open(inner.folder(), header_hash, &inner.integrity)?;
        Ok(Staging {
            chunks,
            scratch: Scratch::new(inner.folder())?,
            inner,
            batch: None,
            lists: Vec::new(),
            revocations: Vec::new(),
            tombstones: Vec::new(),
            titles: Vec::new(),
        })
    }

    /// Removes the staging area that a crash left, unless it can be resumed.
    pub(crate) fn drop_stale_staging(&self) -> Result<(), StoreError> {
        ChunkLog::drop_stale(self.inner.folder(), &self.inner.integrity)
    }
}

impl Store {
    /// What is left of these licenses as far as the store knows, those included that were deleted.
    pub(crate) fn usage_of(&self, lids: &[Lid]) -> Result<Vec<(Lid, State)>, StoreError> {
        self.inner.usage_of(lids)
    }

    /// True if a restore leaves a license with this state out because it ended.
    pub(crate) fn leaves_out_ended(&self, policy: &Policy, state: Option<&State>) -> Result<bool, StoreError> {
        let Some(end) = rights::end_of_all(policy, state.unwrap_or(&State::default())) else { return Ok(false) };
        let services = [policy.issuer].into_iter().chain(policy.management);
        let known = self.clock_record()?.read(self.inner.clock.moment(), services).known();
        let out = known >= end && self.licenses(policy.kid)?.iter().all(|license| license.policy.lid != policy.lid);
        if out {
            self.note_refusal();
        }
        Ok(out)
    }
}

impl Staging {
    /// What is left, as far as the live store knows, of these licenses, those included that were deleted there.
    pub fn usage(&self, lids: &[Lid]) -> Result<Vec<(Lid, State)>, StoreError> {
        self.inner.usage_of(lids)
    }

    /// Stages a batch; licenses follow.
    pub fn put_batch(&mut self, authority: Digest, signed: &[u8]) -> Result<(), StoreError> {
        let at_rest = AtRest::random(self.inner.device.store_key())?;
        self.scratch.put(&Entry::Batch { authority, at_rest: at_rest.id, signed })?;
        self.batch = Some(at_rest);
        Ok(())
    }

    /// Stages a license of the batch before, its key wrapped for the store.
    pub fn put_license(&mut self, license: &StagedLicense<'_>) -> Result<(), StoreError> {
        let Some(at_rest) = &self.batch else {
            return Err(StoreError::Damaged("a license without a batch".into()));
        };
        let policy_hash = license.license.policy_hash();
        let wrapped = at_rest.wrap(license.index, policy_hash, license.key);
        let staged = Staged {
            index: license.index,
            state: Some(license.state.clone()),
            license: &license.license.encode(),
            wrapped: &wrapped,
        };
        self.scratch.put(&Entry::License(staged))
    }

    /// Stages a verified status list.
    pub(crate) fn put_status_list(&mut self, list: StatusList, bytes: &[u8]) {
        self.lists.push((list, bytes.to_vec()));
    }

    /// Stages a verified license revocation blob.
    pub(crate) fn put_revocation(&mut self, revocation: VerifiedRevocation, bytes: &[u8]) {
        self.revocations.push((revocation, bytes.to_vec()));
    }

    /// Stages a tombstone of the backup.
    pub fn put_tombstone(&mut self, tombstone: &[u8]) -> Result<(), StoreError> {
        self.tombstones.push(tombstone::read(tombstone)?);
        Ok(())
    }

    /// Stages a title.
    pub fn put_title(&mut self, kid: Kid, title: &str) -> Result<(), StoreError> {
        self.titles.push((kid, title.to_owned()));
        Ok(())
    }

    /// Stages the licenses of an answered chunk and records the chunk as answered, in one durable commit.
    pub fn put_chunk(
        &mut self,
        section: u32,
        chunk: u32,
        authority: Digest,
        signed: &[u8],
        licenses: &[OpenedLicense],
    ) -> Result<(), StoreError> {
        let at_rest = AtRest::random(self.inner.device.store_key())?;
        let mut entries = Vec::new();
        Entry::Batch { authority, at_rest: at_rest.id, signed }.append(&mut entries);
        for opened in licenses {
            let wrapped = at_rest.wrap(opened.index, opened.binding.policy_hash, &opened.key);
            let state = opened.binding.state.clone();
            let license = opened.license.encode();
            Entry::License(Staged { index: opened.index, state, license: &license, wrapped: &wrapped })
                .append(&mut entries);
        }
        self.chunks.put((section, chunk), &entries, &self.inner.integrity)
    }

    /// True if the chunk was answered in an earlier run.
    pub fn chunk_done(&self, section: u32, chunk: u32) -> Result<bool, StoreError> {
        Ok(self.chunks.is_done(section, chunk))
    }

    /// Takes everything staged over in one transaction: what was revoked and tombstones first; a license that a tombstone forbids or that ended stays out; one
    /// already there keeps the stricter state and the later binding; the staging area is empty afterwards.
    pub fn commit(mut self) -> Result<RestoreReport, StoreError> {
        let inner = Arc::clone(&self.inner);
        inner.write(|transaction| {
            Head::load(transaction, &inner.integrity)?.check_all(transaction, &inner.integrity)?;
            let report = self.put_all(Merger::new(transaction, &inner, inner.clock.now())?)?;
            let mut statement =
                transaction.prepare_cached("INSERT OR IGNORE INTO title (kid, title) VALUES (?1, ?2)")?;
            for (kid, title) in &self.titles {
                statement.execute((kid.as_bytes(), title))?;
            }
            Ok::<_, StoreError>(report)
        })
    }

    fn put_all(&mut self, mut merger: Merger<'_>) -> Result<RestoreReport, StoreError> {
        let at = self.inner.clock.moment();
        let now = at.wall;
        for (list, bytes) in &self.lists {
            if_newer(keep_list((merger.connection, &self.inner.integrity), &mut merger.head, (list, bytes), now))?;
        }
        for (revocation, bytes) in &self.revocations {
            let connection = merger.connection;
            if_newer(take(connection, &mut merger, revocation, bytes, now))?;
        }
        for tombstone in &self.tombstones {
            merger.bury(tombstone)?;
        }
        let mut report = RestoreReport::default();
        let mut batch = None;
        let inner = Arc::clone(&self.inner);
        let mut put = |entry: Entry<'_>| match entry {
            Entry::Batch { authority, at_rest, signed } => {
                batch = Some((authority, AtRest::of(inner.device.store_key(), at_rest)));
                merger.batch(authority, signed)
            }
            Entry::License(staged) => {
                let Some((authority, at_rest)) = &batch else { return Err(torn()) };
                put_staged(&mut merger, (*authority, at_rest), &staged, at, &mut report)
            }
        };
        self.scratch.each(&mut put)?;
        self.chunks.each(&self.inner.integrity, &mut put)?;
        if !report.ended.is_empty() {
            // What is left out for the time is a time that was seen.
            let mut clock = merger.head.clock.clone();
            clock.note_use(at);
            merger.head.set_clock(clock);
        }
        merger.finish(Merge::Now)?;
        Ok(report)
    }

    /// Drops everything staged.
    pub fn discard(mut self) -> Result<(), StoreError> {
        self.chunks.clear()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What stays is found by its codes and taken up again or dropped; committing it twice changes nothing.
        if let Err(error) = self.chunks.clear() {
            let text = format_args!("the staging area of a restore could not be emptied: {error}");
            self.inner.log.record(Level::Warn, target::STORE, text);
        }
    }
}

/// Puts what was staged where a license goes that comes in.
fn put_staged(
    merger: &mut Merger<'_>,
    (authority, at_rest): (Digest, &AtRest),
    staged: &Staged<'_>,
    at: Moment,
    report: &mut RestoreReport,
) -> Result<(), StoreError> {
    let license = License::decode(staged.license)?;
    let policy = Policy::decode(&license.policy)?;
    let binding = Binding::decode(&license.binding)?;
    let key = at_rest.unwrap(staged.index, license.policy_hash(), policy.kind, staged.wrapped)?;
    let state = start_state(&policy, staged.state.as_ref());
    let incoming = Incoming {
        index: staged.index,
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
        license: staged.license,
        key: &key,
    };
    if merger.has_ended(&incoming, at)? {
        report.ended.push((policy.lid, policy.kid));
    } else if merger.put(&incoming)? {
        report.restored += 1;
    } else {
        report.forbidden.push((policy.lid, policy.kid));
    }
    Ok(())
}
