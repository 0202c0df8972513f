//! The staging area of a restore, for what a service grants, and the one commit. Its files are in `staging_file.rs`, what goes in in
//! `putting.rs`.

use super::putting::Putting;
use super::staging_file::{ChunkLog, Entry, Scratch, Staged};
use crate::logging::{Level, target};
use crate::rights;
use crate::store::head::Head;
use crate::store::integrity::{Row, Table};
use crate::store::records::at_rest::AtRest;
use crate::store::{Inner, RestoreReport, StagedLicense, Store, StoreError};
use std::path::Path;
use std::sync::Arc;
use wmlicense_wire::answer::OpenedLicense;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;

/// Rows of a restore that are not part of the store until [`Staging::commit`]. Dropping it removes them.
pub struct Staging {
    inner: Arc<Inner>,
    /// What a service granted and no chunk keeps; made when it is needed.
    scratch: Option<Scratch>,
    chunks: ChunkLog,
    /// Under which the keys of the batch are kept.
    batch: Option<AtRest>,
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
        Ok(Staging { chunks, scratch: None, inner, batch: None, titles: Vec::new() })
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
        let scratch = match &mut self.scratch {
            Some(scratch) => scratch,
            none => none.insert(Scratch::new(self.inner.folder())?),
        };
        scratch.put(&Entry::Batch { authority, at_rest: at_rest.id, signed })?;
        self.batch = Some(at_rest);
        Ok(())
    }

    /// Stages a license of the batch before, its key wrapped for the store.
    pub fn put_license(&mut self, license: &StagedLicense<'_>) -> Result<(), StoreError> {
        let (Some(at_rest), Some(scratch)) = (&self.batch, &mut self.scratch) else {
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
        scratch.put(&Entry::License(staged))
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

    /// As [`Self::commit_with`], where nothing but what was staged goes in.
    pub fn commit(self) -> Result<RestoreReport, StoreError> {
        self.commit_with(|_| Ok(()))
    }

    /// Takes over in one transaction what `put` puts in, then everything staged; an error undoes all of it. What a tombstone or
    /// revocation forbids that came before stays out, and what ended; a license that is there already keeps the stricter state and
    /// the later binding. The staging area is empty afterwards. Nobody else writes to the store meanwhile: `put` tells nobody.
    pub fn commit_with<E: From<StoreError>>(
        mut self,
        put: impl FnOnce(&mut Putting<'_>) -> Result<(), E>,
    ) -> Result<RestoreReport, E> {
        let inner = Arc::clone(&self.inner);
        inner.write(|transaction| {
            let begin = || {
                Head::load(transaction, &inner.integrity)?.check_all(transaction, &inner.integrity)?;
                Putting::new(transaction, &inner)
            };
            let mut putting = begin()?;
            put(&mut putting)?;
            if let Some(scratch) = &mut self.scratch {
                scratch.each(&mut |entry| putting.put_staged(entry))?;
            }
            self.chunks.each(&inner.integrity, &mut |entry| putting.put_staged(entry))?;
            for (kid, title) in &self.titles {
                putting.put_title(*kid, title)?;
            }
            Ok(putting.finish()?)
        })
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
