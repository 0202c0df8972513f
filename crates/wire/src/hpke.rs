//! HPKE base mode (RFC 9180 §5, §6) over the two suites of [`crate::kem`].

use crate::kem::{HpkePrivateKey, HpkePublicKey};
use crate::key::KeyError;
use zeroize::Zeroizing;

/// An HPKE message does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message does not open with this key")]
pub struct OpenError;

/// One side's context after the key schedule.
pub struct Context {}

impl Context {
    /// Sets up the sender's side: the encapsulated key and the context.
    pub fn sender(recipient: &HpkePublicKey, info: &[u8]) -> Result<(Vec<u8>, Self), KeyError> {
        todo!()
    }
    /// Sets up the recipient's side.
    pub fn recipient(key: &HpkePrivateKey, enc: &[u8], info: &[u8]) -> Result<Self, OpenError> {
        todo!()
    }
    /// Secret export (RFC 9180 §5.3), 32 bytes.
    pub fn export(&self, exporter_context: &[u8]) -> Zeroizing<[u8; 32]> {
        todo!()
    }
    /// Seals one message at sequence 0 with empty AAD. A context seals once.
    pub fn seal(self, plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
        todo!()
    }
    /// Opens the message at sequence 0 with empty AAD.
    pub fn open(self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        todo!()
    }
}
