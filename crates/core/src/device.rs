//! The device's keys: one pair per authority and the key of the store, sealed in `device.key` by a key protector.

use std::path::Path;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::certificate::{Assurance, DeviceKeys};
use wmlicense_wire::id::Digest;
use wmlicense_wire::kem::HpkePrivateKey;
use wmlicense_wire::key::SigningKey;

/// The device's keys could not be read, made or stored.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The key file is damaged or belongs to another protector.
    #[error("the device key file is damaged")]
    Damaged,
    /// There is a store but no key file.
    #[error("the device key file is missing")]
    Missing,
    /// Keys could not be made.
    #[error("keys could not be made")]
    KeyGeneration,
    /// The file could not be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
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

/// All keys of a store's device.
pub struct Device {
    _todo: (),
}

impl Device {
    /// Opens `device.key` in `folder`; makes it (0600) if `create` and it is not there.
    pub fn open(folder: &Path, create: bool) -> Result<Self, DeviceError> {
        let _ = (folder, create);
        todo!()
    }
    /// Key of the store.
    pub fn store_key(&self) -> &SecretKey {
        todo!()
    }
    /// The current keys for an authority, if they were made.
    pub fn identity(&self, authority: Digest) -> Option<std::sync::Arc<DeviceIdentity>> {
        let _ = authority;
        todo!()
    }
    /// Makes keys for an authority unless there are some, durably (temporary file, fsync, rename, fsync of the folder).
    pub fn create_identity(&self, authority: Digest) -> Result<std::sync::Arc<DeviceIdentity>, DeviceError> {
        let _ = authority;
        todo!()
    }
    /// Current and retired keys, newest first: what may open an old ticket.
    pub fn all_identities(&self) -> Vec<(Digest, std::sync::Arc<DeviceIdentity>)> {
        todo!()
    }
    /// How the keys are kept.
    pub fn assurance(&self) -> Assurance {
        todo!()
    }
}
