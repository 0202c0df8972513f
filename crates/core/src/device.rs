//! The device's keys: one pair per authority and the key of the store, sealed in `device.key` by a key protector.
//! The file's form is in `device/file.rs`, how it is sealed in `device/protector.rs`.

mod file;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod protector;
#[cfg(test)]
mod tests;

use crate::file::LockError;
use crate::logging::{Level, Log, target};
use crate::operation::patience::Impatience;
use file::{Entry, KeyFile, Use};
pub use protector::{FileProtector, KeyProtector};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::certificate::{Assurance, DeviceKeys};
use wmlicense_wire::id::Digest;
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{Signer as _, SigningKey};

/// Name of the key file in the client's folder.
pub const FILE_NAME: &str = "device.key";

/// Security version of this library, four dotted numbers: what it claims when it asks for a certificate.
pub(crate) const SECURITY_VERSION: &str = "1.0.0.0";

/// Most retired keys that are kept for one authority; the oldest go first.
const MAX_RETIRED: usize = 64;

/// The device's keys could not be read, made or stored.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The key file is damaged or belongs to another protector.
    #[error("the device key file is damaged")]
    Damaged,
    /// Written by a later version.
    #[error("the device key file was written by a later version")]
    TooNew,
    /// There is a store but no key file.
    #[error("the device key file is missing")]
    Missing,
    /// Keys could not be made.
    #[error("keys could not be made")]
    KeyGeneration,
    /// Another process or thread held the keys for too long.
    #[error("the device's keys are in use by another process")]
    Busy,
    /// The operation was cancelled while it waited for the keys.
    #[error("the operation was cancelled")]
    Cancelled,
    /// The operation's deadline passed while it waited for the keys.
    #[error("the operation's deadline passed while another process or thread held the device's keys")]
    DeadlinePassed,
    /// The file could not be read or written.
    #[error("the device key file cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
}

impl From<LockError> for DeviceError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held(Impatience::Bound) => Self::Busy,
            LockError::Held(Impatience::Cancelled) => Self::Cancelled,
            LockError::Held(Impatience::DeadlinePassed) => Self::DeadlinePassed,
            LockError::Io(error) => Self::Io(error),
        }
    }
}

/// Private keys for one authority.
pub struct DeviceIdentity {
    /// Signs requests and backup footers.
    pub signing: SigningKey,
    /// Opens licenses and backups.
    pub hpke: HpkePrivateKey,
    /// Both public keys.
    pub keys: DeviceKeys,
}

impl DeviceIdentity {
    fn new(signing: SigningKey, hpke: HpkePrivateKey) -> Arc<Self> {
        let keys = DeviceKeys { signing: *signing.verifying_key(), hpke: hpke.public_key().clone() };
        Arc::new(Self { signing, hpke, keys })
    }

    fn generate() -> Result<Arc<Self>, DeviceError> {
        let signing = SigningKey::generate().map_err(|_| DeviceError::KeyGeneration)?;
        let hpke = HpkePrivateKey::generate(Suite::XWing).map_err(|_| DeviceError::KeyGeneration)?;
        Ok(Self::new(signing, hpke))
    }
}

/// All keys of a store's device. Several processes may have it open; each sees keys that another one made when it asks.
pub struct Device {
    folder: PathBuf,
    protector: Arc<dyn KeyProtector>,
    store_key: SecretKey,
    entries: RwLock<Vec<Entry>>,
}

impl Device {
    /// Opens `device.key` in `folder`; makes it (0600) if `create` and it is not there.
    pub fn open(folder: &Path, create: bool) -> Result<Self, DeviceError> {
        Self::open_with(folder, Arc::new(FileProtector), create)
    }

    /// As [`Self::open`], with what `protector` sealed.
    pub fn open_with(folder: &Path, protector: Arc<dyn KeyProtector>, create: bool) -> Result<Self, DeviceError> {
        let stored = match KeyFile::read(folder, &*protector)? {
            Some(stored) => stored,
            None if create => Self::make(folder, &*protector)?,
            None => return Err(DeviceError::Missing),
        };
        let KeyFile { store_key, entries } = stored;
        Ok(Self { folder: folder.to_path_buf(), protector, store_key, entries: RwLock::new(entries) })
    }

    /// Makes the file, unless another process was first.
    fn make(folder: &Path, protector: &dyn KeyProtector) -> Result<KeyFile, DeviceError> {
        let lock = file::lock(folder)?;
        if let Some(stored) = KeyFile::read(folder, protector)? {
            return Ok(stored);
        }
        let store_key = SecretKey::random().map_err(|_| DeviceError::KeyGeneration)?;
        let stored = KeyFile { store_key, entries: Vec::new() };
        stored.write(folder, protector, &lock)?;
        Ok(stored)
    }

    /// Key of the store.
    pub(crate) fn store_key(&self) -> &SecretKey {
        &self.store_key
    }

    /// The current keys for an authority, if they were made.
    pub fn identity(&self, authority: Digest) -> Option<Arc<DeviceIdentity>> {
        self.known(authority).or_else(|| {
            // Another process may have made them since. A file that cannot be read shows when keys are made.
            self.reload().ok()?;
            self.known(authority)
        })
    }

    /// The keys that a stored certificate is for, if they are the device's and were not replaced since. Where a crash came
    /// between the certificate and the change of keys, the change is made up for.
    pub(crate) fn identity_of(&self, authority: Digest, keys: &DeviceKeys, log: &Log) -> Option<Arc<DeviceIdentity>> {
        let found = self.certified(authority, keys).filter(|(purpose, _)| *purpose == Use::Current);
        let (purpose, identity) = found.or_else(|| {
            // Another process may have made or changed them since.
            self.reload().ok()?;
            self.certified(authority, keys)
        })?;
        if purpose == Use::Coming {
            self.try_install(authority, keys, log);
        }
        Some(identity)
    }

    /// As [`Self::install`]. Where it fails, the certificate says which keys count, and the change is made up for when they are
    /// used.
    pub(crate) fn try_install(&self, authority: Digest, keys: &DeviceKeys, log: &Log) {
        if let Err(error) = self.install(authority, keys) {
            let text = format_args!("the device's new keys wait to take the place of the old ones: {error}");
            log.record(Level::Warn, target::DEVICE, text);
        }
    }

    /// Makes keys for an authority unless there are some, durably (temporary file, fsync, rename, fsync of the folder).
    pub fn create_identity(&self, authority: Digest) -> Result<Arc<DeviceIdentity>, DeviceError> {
        if let Some(identity) = self.known(authority) {
            return Ok(identity);
        }
        let lock = file::lock(&self.folder)?;
        self.reload()?;
        if let Some(identity) = self.known(authority) {
            return Ok(identity);
        }
        let identity = DeviceIdentity::generate()?;
        let mut entries = self.copy_entries();
        entries.push(Entry { authority, purpose: Use::Current, identity: Arc::clone(&identity) });
        self.write(entries, &lock)?;
        Ok(identity)
    }

    /// Keys that may take the place of the current ones: those that are waiting, else others, made durably.
    pub fn coming_identity(&self, authority: Digest) -> Result<Arc<DeviceIdentity>, DeviceError> {
        let lock = file::lock(&self.folder)?;
        self.reload()?;
        let mut entries = self.copy_entries();
        let waiting = entries.iter().find(|entry| entry.authority == authority && entry.purpose == Use::Coming);
        if let Some(waiting) = waiting {
            return Ok(Arc::clone(&waiting.identity));
        }
        let identity = DeviceIdentity::generate()?;
        entries.push(Entry { authority, purpose: Use::Coming, identity: Arc::clone(&identity) });
        self.write(entries, &lock)?;
        Ok(identity)
    }

    /// Makes certified keys the current ones. Those that were stay, to open what was sealed to them.
    pub fn install(&self, authority: Digest, keys: &DeviceKeys) -> Result<(), DeviceError> {
        let lock = file::lock(&self.folder)?;
        self.reload()?;
        let mut entries = self.copy_entries();
        let is_new = |entry: &Entry| entry.authority == authority && entry.identity.keys == *keys;
        if !entries.iter().any(|entry| is_new(entry) && entry.purpose == Use::Coming) {
            return Ok(());
        }
        for entry in entries.iter_mut().filter(|entry| entry.authority == authority) {
            entry.purpose = if is_new(entry) { Use::Current } else { Use::Retired };
        }
        let of_authority = |entry: &Entry| entry.authority == authority && entry.purpose == Use::Retired;
        if entries.iter().filter(|entry| of_authority(entry)).count() > MAX_RETIRED
            && let Some(oldest) = entries.iter().position(of_authority)
        {
            entries.remove(oldest);
        }
        self.write(entries, &lock)
    }

    fn copy_entries(&self) -> Vec<Entry> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, entries: Vec<Entry>, lock: &file::Lock) -> Result<(), DeviceError> {
        let store_key = SecretKey::from_slice(self.store_key.as_bytes()).ok_or(DeviceError::Damaged)?;
        let stored = KeyFile { store_key, entries };
        stored.write(&self.folder, &*self.protector, lock)?;
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = stored.entries;
        Ok(())
    }

    /// All keys, newest first: what may open an old ticket.
    pub fn all_identities(&self) -> Vec<(Digest, Arc<DeviceIdentity>)> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.iter().rev().map(|entry| (entry.authority, Arc::clone(&entry.identity))).collect()
    }

    /// How the keys are kept.
    pub fn assurance(&self) -> Assurance {
        self.protector.assurance()
    }

    fn known(&self, authority: Digest) -> Option<Arc<DeviceIdentity>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let is_current = |entry: &&Entry| entry.purpose == Use::Current && entry.authority == authority;
        Some(Arc::clone(&entries.iter().rev().find(is_current)?.identity))
    }

    fn certified(&self, authority: Digest, keys: &DeviceKeys) -> Option<(Use, Arc<DeviceIdentity>)> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let found = entries.iter().find(|entry| entry.authority == authority && entry.identity.keys == *keys)?;
        (found.purpose != Use::Retired).then(|| (found.purpose, Arc::clone(&found.identity)))
    }

    /// Takes over what the file has. A file with another store key is another device's.
    fn reload(&self) -> Result<(), DeviceError> {
        let stored = KeyFile::read(&self.folder, &*self.protector)?.ok_or(DeviceError::Missing)?;
        if !wmlicense_wire::aead::constant_time_eq(stored.store_key.as_bytes(), self.store_key.as_bytes()) {
            return Err(DeviceError::Damaged);
        }
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = stored.entries;
        Ok(())
    }
}
