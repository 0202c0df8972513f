//! The form of `device.key` and how it gets to the disk whole. What is done with the keys is not here.
//!
//! `WMDEVKEY` ‖ version ‖ protector ‖ u32 length ‖ sealed ‖ SHA-256 of all before. The sum finds damage; it proves nothing.

use super::{DeviceError, DeviceIdentity, FILE_NAME, KeyProtector};
use crate::file::open_own;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::id::Digest;
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::SigningKey;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"WMDEVKEY";
/// Newest version; a file without keys to come is written as the first one.
const VERSION: u8 = 2;
const VERSION_WITHOUT_COMING: u8 = 1;
const LOCK_NAME: &str = "device.lock";
const TEMPORARY_NAME: &str = "device.key.new";
/// About 400 identities; read into memory at once.
const MAX_LEN: u64 = 1 << 20;

/// What keys are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Every request and backup.
    Current = 0,
    /// Old tickets only.
    Retired = 1,
    /// They are to take the place of the current ones once they are certified.
    Coming = 2,
}

/// Keys for one authority, in the order in which they were made.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) authority: Digest,
    pub(super) purpose: Use,
    pub(super) identity: Arc<DeviceIdentity>,
}

/// Everything in the file.
pub(super) struct KeyFile {
    pub(super) store_key: SecretKey,
    pub(super) entries: Vec<Entry>,
}

/// Held while the file is made or rewritten. The system lets go of it when the process ends, however it ends.
pub(super) struct Lock {
    _held: File,
}

/// Waits until no other process or thread writes the key file; a cancel, the operation's deadline or a bound ends the wait.
pub(super) fn lock(folder: &Path) -> Result<Lock, DeviceError> {
    let mut options = OpenOptions::new();
    let file = open_own(options.create(true).truncate(false).write(true), &folder.join(LOCK_NAME))?;
    crate::file::lock(&file)?;
    Ok(Lock { _held: file })
}

/// Makes a rename durable. Where folders cannot be opened, the system orders renames by itself.
fn sync_folder(folder: &Path) -> Result<(), DeviceError> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

impl KeyFile {
    /// Reads the file, if there is one.
    pub(super) fn read(folder: &Path, protector: &dyn KeyProtector) -> Result<Option<Self>, DeviceError> {
        let file = match open_own(OpenOptions::new().read(true), &folder.join(FILE_NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut bytes =
            Zeroizing::new(Vec::with_capacity(usize::try_from(file.metadata()?.len().min(MAX_LEN)).unwrap_or(0) + 1));
        file.take(MAX_LEN + 1).read_to_end(&mut bytes)?;
        Self::decode(&bytes, protector).map(Some)
    }

    /// Replaces the file, so that at any time one of the two versions is on the disk, whole.
    pub(super) fn write(&self, folder: &Path, protector: &dyn KeyProtector, _: &Lock) -> Result<(), DeviceError> {
        let bytes = self.encode(protector)?;
        let temporary = folder.join(TEMPORARY_NAME);
        match std::fs::remove_file(&temporary) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let mut file = open_own(OpenOptions::new().create_new(true).write(true), &temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, folder.join(FILE_NAME))?;
        sync_folder(folder)
    }

    pub(super) fn encode(&self, protector: &dyn KeyProtector) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let sealed = protector.seal(&self.content())?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(sealed.len() + 64));
        bytes.extend_from_slice(MAGIC);
        let coming = self.entries.iter().any(|entry| entry.purpose == Use::Coming);
        let version = if coming { VERSION } else { VERSION_WITHOUT_COMING };
        bytes.extend_from_slice(&[version, protector.assurance() as u8]);
        let length = u32::try_from(sealed.len()).map_err(|_| DeviceError::Damaged)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&sealed);
        let sum = Digest::of(&bytes);
        bytes.extend_from_slice(sum.as_bytes());
        Ok(bytes)
    }

    /// Store key ‖ per entry: flags ‖ authority ‖ suite ‖ seed ‖ HPKE private key. Reserved up front, so that no copy
    /// stays behind where the buffer grew.
    fn content(&self) -> Zeroizing<Vec<u8>> {
        let entry_len = 2 + 32 + 32 + Suite::XWing.private_len();
        let mut content = Zeroizing::new(Vec::with_capacity(32 + self.entries.len() * entry_len));
        content.extend_from_slice(self.store_key.as_bytes());
        for entry in &self.entries {
            content.push(entry.purpose as u8);
            content.extend_from_slice(entry.authority.as_bytes());
            content.push(entry.identity.hpke.public_key().suite() as u8);
            content.extend_from_slice(entry.identity.signing.seed());
            content.extend_from_slice(&entry.identity.hpke.to_bytes());
        }
        content
    }

    pub(super) fn decode(bytes: &[u8], protector: &dyn KeyProtector) -> Result<Self, DeviceError> {
        let damaged = || DeviceError::Damaged;
        let (front, sum) = bytes.split_at_checked(bytes.len().saturating_sub(32)).ok_or_else(damaged)?;
        let rest = front.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let (&version, rest) = rest.split_first().ok_or_else(damaged)?;
        if Digest::of(front).as_bytes() != sum {
            return Err(DeviceError::Damaged);
        }
        if version > VERSION {
            return Err(DeviceError::TooNew);
        }
        let (&kind, rest) = rest.split_first().ok_or_else(damaged)?;
        let (length, sealed) = rest.split_first_chunk().ok_or_else(damaged)?;
        let whole = usize::try_from(u32::from_be_bytes(*length)).is_ok_and(|length| length == sealed.len());
        if version < VERSION_WITHOUT_COMING || kind != protector.assurance() as u8 || !whole {
            return Err(DeviceError::Damaged);
        }
        Self::of_content(&protector.open(sealed)?).ok_or_else(damaged)
    }

    fn of_content(content: &[u8]) -> Option<Self> {
        let (store_key, mut rest) = content.split_at_checked(32)?;
        let mut entries = Vec::new();
        while let Some((&flags, after)) = rest.split_first() {
            let (authority, after) = after.split_first_chunk()?;
            let (&suite, after) = after.split_first()?;
            let suite = Suite::from_number(suite.into())?;
            let (seed, after) = after.split_at_checked(32)?;
            let (private, after) = after.split_at_checked(suite.private_len())?;
            let identity = DeviceIdentity::new(
                SigningKey::from_seed(seed).ok()?,
                HpkePrivateKey::from_bytes(suite, private).ok()?,
            );
            let purpose = [Use::Current, Use::Retired, Use::Coming].into_iter().find(|known| *known as u8 == flags)?;
            entries.push(Entry { authority: Digest::new(*authority), purpose, identity });
            rest = after;
        }
        Some(Self { store_key: SecretKey::from_slice(store_key)?, entries })
    }
}
