//! The license store: SQLite (WAL, FULL) in the client's folder, safe for several threads and processes.
//! This file is the room's face: what is kept is in `store/records`, how a restore comes in in `store/restore`, and how it is
//! looked after in `store/care`.

mod care;
mod clock_bytes;
mod connection;
mod error;
mod head;
mod held;
mod index;
mod integrity;
mod kept;
mod migration;
mod moment;
mod records;
mod restore;
mod schema;
mod still;
#[cfg(test)]
mod tests;

use crate::clock::SharedClock;
use crate::device::Device;
use crate::logging::Log;
pub use care::check::Damaged;
pub(crate) use care::check::Walk;
pub use care::repair::Repair;
use connection::{Pool, Writer};
use held::Held;
pub use held::{LastCommit, Watch, Watched};
use index::Index;
use integrity::Integrity;
use records::at_rest::PageKeys;
pub use records::give_back::{GiveBackTo, PrepareGiveBack, QueuedGiveBack};
pub(crate) use records::import::GivenLicenses;
pub use records::recipe::{Recipe, RenewalChoice, RenewalGroup};
pub use records::revocation::NotTaken;
pub use records::snapshot::Snapshot;
pub use restore::putting::Putting;
pub use restore::staging::Staging;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use wmlicense_wire::answer::OpenedLicense;
use wmlicense_wire::backup::DeviceTicket;
use wmlicense_wire::backup::page::PageKey;
use wmlicense_wire::certificate::Directory;
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId, StoreId, TransactionId, UserId};
use wmlicense_wire::license::{InnerKey, License, State};
use wmlicense_wire::status_list::StatusList;

/// Name of the database in the client's folder.
pub const FILE_NAME: &str = "licenses.db";

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
    /// Nothing can be written where the store is. What is in it can be read.
    #[error("the license store may not be written")]
    ReadOnly,
    /// Another process or thread held the store, or the keys beside it, for too long.
    #[error("the license store is in use by another process")]
    Busy,
    /// The operation was cancelled while it waited for the store.
    #[error("the operation was cancelled")]
    Cancelled,
    /// The operation's deadline passed while it waited for the store.
    #[error("the operation's deadline passed while another process or thread held the license store")]
    DeadlinePassed,
    /// The system gave no memory.
    #[error("the system has no memory left")]
    NoMemory,
    /// The process or the system has no file descriptor left.
    #[error("no file descriptor is left")]
    NoDescriptor,
    /// Reading or writing failed.
    #[error("the license store could not be read or written: {0}")]
    Io(String),
    /// The same license ID came with other terms.
    #[error("license {0} came with other terms than the stored one")]
    OtherPolicy(Lid),
    /// The license is not in the store (any more).
    #[error("license {0} is not in the store")]
    NoSuchLicense(Lid),
    /// The transaction is not pending (any more).
    #[error("no such pending transaction")]
    NoTransaction,
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random,
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
    /// Which page of the transaction this is, and what follows it.
    pub page: Page<'a>,
}

/// Where in its transaction an answer stands.
#[derive(Clone, Copy, Default)]
pub struct Page<'a> {
    /// Number of the page; 0 is the first.
    pub number: u32,
    /// Request for the page after it: the transaction goes on with this request instead of ending.
    pub next: Option<&'a [u8]>,
    /// Name of a pre-delivery, and where its next run begins; recorded with the last page.
    pub delivered: Option<(Digest, i64)>,
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
    /// Its state.
    pub state: State,
    /// Its key.
    pub key: InnerKey,
}

/// What a snapshot yields, in file order.
pub enum BackupItem {
    /// A batch begins.
    Batch {
        /// Its signed answer.
        signed: Vec<u8>,
        /// The signature was verified when it came from the service, and the answer is as it was then.
        vouched: bool,
    },
    /// Licenses without a state of the batch before.
    Page {
        /// The page's own key, in one place of the heap until it is wiped.
        key: Box<PageKey>,
        /// The page.
        page: Vec<u8>,
    },
    /// A license with a state of the batch before.
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
    /// Licenses left out because of a tombstone or a revocation.
    pub forbidden: Vec<(Lid, Kid)>,
    /// Licenses left out because they ended.
    pub ended: Vec<(Lid, Kid)>,
}

/// The license store of one folder.
pub struct Store {
    inner: Arc<Inner>,
}

/// What the store's objects share.
struct Inner {
    path: PathBuf,
    device: Arc<Device>,
    clock: SharedClock,
    log: Log,
    integrity: Integrity,
    readers: Pool,
    writer: Writer,
    /// Directories verified so far, because each certificate costs a post-quantum verification.
    directories: Mutex<HashMap<Digest, Arc<Directory>>>,
    /// Where licenses are found by their IDs.
    index: Index,
    /// Under which the keys of pages are kept.
    page_keys: PageKeys,
    /// Key IDs in their order, as an enumeration left them.
    order: Mutex<Option<records::order::Order>>,
    /// What the head said that was verified last, by its MAC.
    seen_head: Mutex<Option<head::SeenHead>>,
    /// Licenses as they were found last.
    held: Held,
    /// The status list that was read last, by its hash: an application asks it at every use.
    seen_list: Mutex<Option<(Digest, Arc<StatusList>)>>,
}

impl Store {
    /// Opens the store in `folder`, or makes it. Makes no network call. `device` must be the one of the same folder.
    pub fn open(folder: &Path, device: Arc<Device>, clock: SharedClock, log: Log) -> Result<Self, StoreError> {
        let path = folder.join(FILE_NAME);
        let integrity = Integrity::of(device.store_key());
        let readers = Pool::new(path.clone(), log.clone());
        let index = Index::of(device.store_key());
        let page_keys = PageKeys::of(device.store_key());
        let writer = connection::writer(&path, &readers, (&device, &integrity), clock.now())?;
        readers.with(|connection| head::Head::load(&*connection::read(connection)?, &integrity))?;
        let inner = Inner {
            readers,
            path,
            device,
            clock,
            log,
            integrity,
            index,
            page_keys,
            writer,
            directories: Mutex::new(HashMap::new()),
            order: Mutex::new(None),
            seen_head: Mutex::new(None),
            held: Held::new()?,
            seen_list: Mutex::new(None),
        };
        let store = Self { inner: Arc::new(inner) };
        store.drop_stale_staging()?;
        Ok(store)
    }

    /// Random ID of this store. A repair may change it.
    pub fn id(&self) -> Result<StoreId, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = connection::read(connection)?;
            Ok(head::Head::load(&transaction, &inner.integrity)?.store_id)
        })
    }
}

/// The part of a device ticket that decides whether a section is this very store's.
pub(crate) fn is_own_section(ticket: &DeviceTicket, store: &Store) -> Result<bool, StoreError> {
    Ok(ticket.store_id == store.id()?)
}
