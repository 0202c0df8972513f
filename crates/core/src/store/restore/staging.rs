//! The staging area of a restore and its one commit. Its files are in `staging_file.rs`, the rules in `store/records/merge.rs`.

use super::staging_file::{ChunkLog, Entry, Scratch};
use crate::logging::{Level, target};
use crate::rights;
use crate::store::head::Head;
use crate::store::integrity::{Row, Table};
use crate::store::records::at_rest::AtRest;
use crate::store::records::import::start_state;
use crate::store::records::merge::{Incoming, Merger, section_of};
use crate::store::records::revocation::{if_newer, keep_list, take};
use crate::store::records::tombstone;
use crate::store::{Inner, RestoreReport, StagedLicense, Store, StoreError, schema};
use rusqlite::Transaction;
use std::path::Path;
use std::sync::Arc;
use wmlicense_wire::answer::OpenedLicense;
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::{Binding, State};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::VerifiedRevocation;
use wmlicense_wire::status_list::StatusList;

/// Rows of a restore that are not part of the store until [`Staging::commit`]. Dropping it removes them.
pub struct Staging {
    inner: Arc<Inner>,
    scratch: Scratch,
    chunks: ChunkLog,
    batch: Option<(Digest, AtRest)>,
    /// Status lists and revocations that were kept where the backup was made, with their signed bytes.
    lists: Vec<(StatusList, Vec<u8>)>,
    revocations: Vec<(VerifiedRevocation, Vec<u8>)>,
    tombstones: Vec<Tombstone>,
    titles: Vec<(Kid, String)>,
    /// Licenses staged in this run.
    licenses: usize,
    /// One of those staged replaces another license, or may.
    replaces: bool,
}

/// From this number of licenses on, sorting their indexes once costs less than keeping them sorted.
const SORTING_PAYS: usize = 2048;

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
            // What an earlier run was answered is not looked through for it.
            replaces: !chunks.is_empty(),
            chunks,
            scratch: Scratch::new(inner.folder())?,
            inner,
            batch: None,
            lists: Vec::new(),
            revocations: Vec::new(),
            tombstones: Vec::new(),
            titles: Vec::new(),
            licenses: 0,
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
        self.batch = Some((authority, at_rest));
        Ok(())
    }

    /// Stages a license of the batch before, its key wrapped for the store.
    pub fn put_license(&mut self, license: &StagedLicense<'_>) -> Result<(), StoreError> {
        let Some((authority, at_rest)) = &self.batch else {
            return Err(StoreError::Damaged("a license without a batch".into()));
        };
        let policy = Policy::decode(&license.license.policy)?;
        let binding = Binding::decode(&license.license.binding)?;
        let wrapped = at_rest.wrap(license.index, binding.policy_hash, license.key);
        let state = start_state(&policy, Some(license.state));
        let parts = (license.license.policy.as_slice(), license.license.binding.as_slice(), wrapped.as_slice());
        let incoming = incoming((*authority, license.index), &policy, &binding, state, parts);
        self.scratch.put(&Entry::License(incoming))?;
        self.licenses += 1;
        self.replaces |= policy.replaces.is_some();
        Ok(())
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
            let state = start_state(&opened.policy, opened.binding.state.as_ref());
            let parts = (opened.license.policy.as_slice(), opened.license.binding.as_slice(), wrapped.as_slice());
            let place = (authority, opened.index);
            Entry::License(incoming(place, &opened.policy, &opened.binding, state, parts)).append(&mut entries);
        }
        self.licenses += licenses.len();
        self.replaces |= licenses.iter().any(|opened| opened.policy.replaces.is_some());
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
            let report = match self.put_into_fresh(transaction)? {
                Some(report) => report,
                None => self.put_all(Merger::new(transaction, &inner.integrity, inner.clock.now())?)?,
            };
            let mut statement =
                transaction.prepare_cached("INSERT OR IGNORE INTO title (kid, title) VALUES (?1, ?2)")?;
            for (kid, title) in &self.titles {
                statement.execute((kid.as_bytes(), title))?;
            }
            Ok::<_, StoreError>(report)
        })
    }

    /// Puts many licenses into a store that has none: the indexes are made once at the end instead of entry by entry. `None`,
    /// and nothing done, where that does not fit.
    fn put_into_fresh(&mut self, transaction: &Transaction<'_>) -> Result<Option<RestoreReport>, StoreError> {
        let occupied: bool = transaction.query_row("SELECT EXISTS (SELECT 1 FROM license)", [], |row| row.get(0))?;
        if occupied || self.replaces || self.licenses < SORTING_PAYS {
            return Ok(None);
        }
        transaction.execute_batch("SAVEPOINT fresh")?;
        schema::drop_license_indexes(transaction)?;
        let inner = Arc::clone(&self.inner);
        let report = self.put_all(Merger::of_fresh(transaction, &inner.integrity, inner.clock.now())?)?;
        let unique = schema::add_license_indexes(transaction)?;
        transaction.execute_batch(if unique { "RELEASE fresh" } else { "ROLLBACK TO fresh; RELEASE fresh" })?;
        Ok(unique.then_some(report))
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
        let mut put = |entry: Entry<'_>| {
            match entry {
                Entry::Batch { authority, at_rest, signed } => merger.batch(authority, at_rest, signed),
                Entry::License(license) => {
                    if merger.has_ended(&license, at)? {
                        report.ended.push((license.lid, license.kid));
                    } else if merger.put(&license)? {
                        report.restored += 1;
                    } else {
                        report.forbidden.push((license.lid, license.kid));
                    }
                }
            }
            Ok(())
        };
        self.scratch.each(&mut put)?;
        self.chunks.each(&self.inner.integrity, &mut put)?;
        if !report.ended.is_empty() {
            // What is left out for the time is a time that was seen.
            let mut clock = merger.head.clock.clone();
            clock.note_use(at);
            merger.head.set_clock(clock);
        }
        merger.finish()?;
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

fn incoming<'a>(
    (authority, index): (Digest, u32),
    policy: &Policy,
    binding: &Binding,
    state: Option<State>,
    (policy_bytes, binding_bytes, wrapped): (&'a [u8], &'a [u8], &'a [u8]),
) -> Incoming<'a> {
    Incoming {
        index,
        kid: policy.kid,
        lid: policy.lid,
        issuer: policy.issuer,
        policy_hash: binding.policy_hash,
        issued_at: binding.issued_at,
        replaces: policy.replaces,
        ends_at: rights::end_of_all(policy, state.as_ref().unwrap_or(&State::default())).unwrap_or(i64::MAX),
        section: section_of(authority, policy),
        state,
        policy: policy_bytes,
        binding: binding_bytes,
        wrapped,
    }
}
