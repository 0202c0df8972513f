//! The license store: SQLite (WAL, FULL) in the client's folder, safe for several threads and processes.
//! This file is the room's face; schema, integrity, import, backup snapshot and staging live in `store/`.

use crate::clock::SharedClock;
use crate::device::Device;
use std::path::Path;
use wmlicense_wire::answer::OpenedLicense;
use wmlicense_wire::backup::DeviceTicket;
use wmlicense_wire::certificate::{DeviceCertificate, Directory};
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId, StoreId, TransactionId, UserId};
use wmlicense_wire::license::{Binding, InnerKey, License, State};
use wmlicense_wire::policy::Policy;

/// The store could not do what was asked. The store is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder or file cannot be opened.
    #[error("the license store cannot be opened: {0}")]
    Open(String),
    /// Written by a later version.
    #[error("the license store was written by a later version ({found}, this one reads {known})")]
    TooNew {
        /// Schema version found.
        found: i64,
        /// Newest schema version known.
        known: i64,
    },
    /// The file is damaged, or not a license store.
    #[error("the license store is damaged: {0}")]
    Damaged(String),
    /// The keys beside the store are not the store's keys.
    #[error("the key file belongs to another license store")]
    OtherDevice,
    /// Rows were changed by somebody else than the library.
    #[error("the license store was changed from outside")]
    Tampered,
    /// No space left.
    #[error("the disk is full")]
    Full,
    /// Another process holds the store for too long.
    #[error("the license store is in use by another process")]
    Busy,
    /// Reading or writing failed.
    #[error("the license store could not be read or written: {0}")]
    Io(String),
    /// The same license ID came with other terms.
    #[error("license {0} came with other terms than the stored one")]
    OtherPolicy(Lid),
    /// The transaction is not pending (any more).
    #[error("no such pending transaction")]
    NoTransaction,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
}

/// A stored license as rights and enumeration see it. The key stays wrapped until [`Store::unwrap_key`].
#[derive(Clone)]
pub struct StoredLicense {
    /// Row of its batch.
    pub batch: i64,
    /// Place in the batch.
    pub index: u32,
    /// Its policy.
    pub policy: Policy,
    /// Its binding.
    pub binding: Binding,
    /// What is left of it; `None` where a stateful license lost its state row or the row was changed: unusable.
    pub state: Option<State>,
    /// Key under the batch's at-rest key.
    pub(crate) wrapped: Vec<u8>,
    /// At-rest ID of the batch.
    pub(crate) at_rest: [u8; 16],
    /// SHA-256 of the policy bytes.
    pub(crate) policy_hash: Digest,
}

/// A batch that arrived from a service and was verified.
pub struct Import<'a> {
    /// Authority of the service.
    pub authority: Digest,
    /// The signed answer.
    pub signed: &'a [u8],
    /// Its licenses, opened.
    pub licenses: Vec<OpenedLicense>,
    /// Transaction that this answers; ended in the same commit.
    pub transaction: TransactionId,
    /// Recorded end of the transaction.
    pub end: TransactionState,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Licenses that are stored now, the ones known before included.
    pub stored: u64,
    /// Licenses left out because a tombstone forbids them.
    pub forbidden: u64,
}

/// State of a transaction with a service (`docs/protocol.md`, Messages).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum TransactionState {
    /// The request's bytes are stored and synced.
    Prepared = 0,
    /// Sent at least once.
    Sent = 1,
    /// The service asked for patience or for the user.
    Waiting = 2,
    /// Answered.
    Answered = 3,
    /// Refused.
    Refused = 4,
    /// Given up by the user.
    Cancelled = 5,
    /// Too old.
    Expired = 6,
}

/// A request that may have to be sent again, byte for byte.
#[derive(Clone)]
pub struct Transaction {
    /// Its ID.
    pub id: TransactionId,
    /// Authority of the service.
    pub authority: Digest,
    /// Where it goes.
    pub url: String,
    /// What it asks for, as a digest of the wish: equal wishes resume the same transaction.
    pub wish: Digest,
    /// The signed request.
    pub request: Vec<u8>,
    /// State.
    pub state: TransactionState,
    /// When it was prepared, seconds UTC.
    pub created_at: i64,
}

/// What an enumeration passes over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this key ID.
    pub kid: Option<Kid>,
    /// Only licenses that name this action.
    pub action: Option<String>,
    /// Only this issuer.
    pub issuer: Option<ServiceId>,
    /// Only licenses whose rights end before then, seconds UTC.
    pub expiring_before: Option<i64>,
}

/// One section that a backup of the store would have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Section {
    /// Authority.
    pub authority: Digest,
    /// Management service of its licenses, if they have one.
    pub management: Option<ServiceId>,
    /// Account of its licenses, if they have one.
    pub user: Option<UserId>,
}

/// One license on its way into a backup.
pub struct BackupLicense {
    /// Place in the manifest.
    pub index: u32,
    /// The license.
    pub license: License,
    /// Its policy.
    pub policy: Policy,
    /// Its state.
    pub state: State,
    /// Its key.
    pub key: InnerKey,
}

/// What a snapshot yields, in file order.
pub enum BackupItem {
    /// A batch begins.
    Batch(Vec<u8>),
    /// A license of the batch before.
    License(Box<BackupLicense>),
}

/// A license read from a backup, to be staged.
pub struct StagedLicense<'a> {
    /// Place in the manifest of its batch.
    pub index: u32,
    /// The license.
    pub license: &'a License,
    /// State to merge with what the store knows.
    pub state: &'a State,
    /// Its key.
    pub key: &'a InnerKey,
}

/// What the commit of a restore did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Licenses that are in the store now.
    pub restored: u64,
    /// Licenses left out because of a tombstone.
    pub forbidden: Vec<(Lid, Kid)>,
}

/// The license store of one folder.
pub struct Store {
    _todo: (),
}

/// A consistent view of the store for a backup, on a connection of its own.
pub struct Snapshot {
    _todo: (),
}

/// Rows of a restore that are not part of the store until [`Staging::commit`]. Dropping it removes them.
pub struct Staging {
    _todo: (),
}

#[allow(unused_variables)]
impl Store {
    /// Opens the store in `folder`, or makes it. Makes no network call. `device` must be the one of the same folder.
    pub fn open(folder: &Path, device: std::sync::Arc<Device>, clock: SharedClock) -> Result<Self, StoreError> {
        todo!()
    }
    /// Random ID of this store.
    pub fn id(&self) -> StoreId {
        todo!()
    }

    /// Authority certificate and service certificates known under an authority.
    pub fn directory(&self, authority: Digest) -> Result<Option<Directory>, StoreError> {
        todo!()
    }
    /// Adds what is new of a verified directory.
    pub fn save_directory(&self, directory: &Directory) -> Result<(), StoreError> {
        todo!()
    }
    /// The newest service document known for a service URL.
    pub fn service_document(&self, url: &str) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }
    /// Keeps a verified service document; an older one than the known is ignored.
    pub fn save_service_document(&self, url: &str, document: &[u8], issued_at: i64) -> Result<(), StoreError> {
        todo!()
    }
    /// The device's certificate at an authority.
    pub fn device_certificate(&self, authority: Digest) -> Result<Option<DeviceCertificate>, StoreError> {
        todo!()
    }
    /// Keeps the certificate and ends the transaction that brought it, in one commit.
    pub fn save_device_certificate(
        &self,
        authority: Digest,
        certificate: &[u8],
        transaction: TransactionId,
    ) -> Result<(), StoreError> {
        todo!()
    }

    /// Stores a request durably before it is sent.
    pub fn prepare(&self, transaction: &Transaction) -> Result<(), StoreError> {
        todo!()
    }
    /// A pending transaction by ID.
    pub fn transaction(&self, id: TransactionId) -> Result<Option<Transaction>, StoreError> {
        todo!()
    }
    /// The newest pending (prepared, sent or waiting) transaction with this wish that is not older than 30 days.
    pub fn pending(&self, wish: Digest) -> Result<Option<Transaction>, StoreError> {
        todo!()
    }
    /// Number of pending transactions.
    pub fn pending_count(&self) -> Result<u64, StoreError> {
        todo!()
    }
    /// Moves a transaction to another state. Ended ones drop their request.
    pub fn set_transaction_state(&self, id: TransactionId, state: TransactionState) -> Result<(), StoreError> {
        todo!()
    }

    /// Stores a batch, its licenses and the end of its transaction in one durable commit.
    pub fn import(&self, import: &Import<'_>) -> Result<ImportReport, StoreError> {
        todo!()
    }
    /// All licenses for a key ID, in no particular order. A held statement on a pooled connection; no write.
    pub fn licenses(&self, kid: Kid) -> Result<Vec<StoredLicense>, StoreError> {
        todo!()
    }
    /// Opens the key of a stored license.
    pub fn unwrap_key(&self, license: &StoredLicense) -> Result<InnerKey, StoreError> {
        todo!()
    }
    /// Changes the state of a license durably in one transaction: `change` sees the committed state and gives the next, or
    /// refuses. Checks and updates row MAC, bucket and head. Exactly once under many threads and processes.
    pub fn change_state<E: From<StoreError>>(
        &self,
        lid: Lid,
        change: &mut dyn FnMut(&Policy, &State) -> Result<State, E>,
    ) -> Result<State, E> {
        todo!()
    }
    /// The next license after `after` in the order (KID, LID). No read transaction stays open.
    pub fn next_license(
        &self,
        filter: &Filter,
        after: Option<(Kid, Lid)>,
    ) -> Result<Option<StoredLicense>, StoreError> {
        todo!()
    }
    /// Number of licenses.
    pub fn license_count(&self) -> Result<u64, StoreError> {
        todo!()
    }
    /// Title of a key ID: the application's, else the one that came with a license.
    pub fn title(&self, kid: Kid) -> Result<Option<String>, StoreError> {
        todo!()
    }
    /// Sets the application's title of a key ID.
    pub fn set_title(&self, kid: Kid, title: &str) -> Result<(), StoreError> {
        todo!()
    }

    /// A consistent view for a backup.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        todo!()
    }
    /// Opens the staging area of a restore from the backup with this header; an earlier one of another header is dropped.
    pub fn stage(&self, header_hash: Digest) -> Result<Staging, StoreError> {
        todo!()
    }
    /// Removes the staging area that a crash left, unless it can be resumed.
    pub fn drop_stale_staging(&self) -> Result<(), StoreError> {
        todo!()
    }
}

#[allow(unused_variables)]
impl Snapshot {
    /// Sections with at least one license that may be backed up.
    pub fn sections(&self) -> Result<Vec<Section>, StoreError> {
        todo!()
    }
    /// Licenses in all, those that may not be backed up included.
    pub fn license_count(&self) -> Result<u64, StoreError> {
        todo!()
    }
    /// Key IDs of licenses that may not be backed up, each once a license.
    pub fn restricted(&self, each: &mut dyn FnMut(Kid) -> Result<(), StoreError>) -> Result<(), StoreError> {
        todo!()
    }
    /// Streams the batches and licenses of a section in batch and manifest order, in constant memory.
    pub fn stream<E: From<StoreError>>(
        &self,
        section: &Section,
        each: &mut dyn FnMut(BackupItem) -> Result<(), E>,
    ) -> Result<(), E> {
        todo!()
    }
    /// Tombstones of a section's licenses, encoded.
    pub fn tombstones(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        todo!()
    }
    /// Titles that the application set.
    pub fn titles(&self) -> Result<Vec<(Kid, String)>, StoreError> {
        todo!()
    }
}

#[allow(unused_variables)]
impl Staging {
    /// Stages a batch; licenses follow.
    pub fn put_batch(&mut self, authority: Digest, signed: &[u8]) -> Result<(), StoreError> {
        todo!()
    }
    /// Stages a license of the batch before, its key wrapped for the store.
    pub fn put_license(&mut self, license: &StagedLicense<'_>) -> Result<(), StoreError> {
        todo!()
    }
    /// Stages a tombstone of the backup.
    pub fn put_tombstone(&mut self, tombstone: &[u8]) -> Result<(), StoreError> {
        todo!()
    }
    /// Stages a title.
    pub fn put_title(&mut self, kid: Kid, title: &str) -> Result<(), StoreError> {
        todo!()
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
        todo!()
    }
    /// True if the chunk was answered in an earlier run.
    pub fn chunk_done(&self, section: u32, chunk: u32) -> Result<bool, StoreError> {
        todo!()
    }
    /// Takes everything staged over in one transaction: tombstones first; a license that a tombstone forbids stays out; one
    /// already there keeps the stricter state and the later binding; the staging area is empty afterwards.
    pub fn commit(self) -> Result<RestoreReport, StoreError> {
        todo!()
    }
    /// Drops everything staged.
    pub fn discard(self) -> Result<(), StoreError> {
        todo!()
    }
}

/// The part of a device ticket that decides whether a section is this very store's.
pub fn is_own_section(ticket: &DeviceTicket, store: &Store) -> bool {
    ticket.store_id == store.id()
}
