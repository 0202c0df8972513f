//! HPKE base mode (RFC 9180 §5, §6) over the two suites of [`crate::kem`].

use crate::aead::SecretKey;
use crate::kem::{HpkePrivateKey, HpkePublicKey, Suite};
use crate::key::KeyError;
use crate::labeled::{labeled_expand, labeled_extract};
use zeroize::Zeroizing;

/// Mode without sender authentication or pre-shared key.
const MODE_BASE: u8 = 0;
/// HKDF-SHA256.
const KDF: u16 = 0x0001;
/// AES-256-GCM.
const AEAD: u16 = 0x0002;

/// An HPKE message does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message does not open with this key")]
pub struct OpenError;

/// One side's context after the key schedule.
pub struct Context {
    suite_id: [u8; 10],
    key: SecretKey,
    base_nonce: [u8; 12],
    exporter_secret: Zeroizing<[u8; 32]>,
}

impl Context {
    /// Sets up the sender's side: the encapsulated key and the context.
    pub fn sender(recipient: &HpkePublicKey, info: &[u8]) -> Result<(Vec<u8>, Self), KeyError> {
        let (shared_secret, enc) = recipient.encapsulate()?;
        Ok((enc, Self::schedule(suite_id(recipient.suite()), &shared_secret, info)))
    }
    /// Sets up the recipient's side.
    pub fn recipient(key: &HpkePrivateKey, enc: &[u8], info: &[u8]) -> Result<Self, OpenError> {
        let shared_secret = key.decapsulate(enc).map_err(|_| OpenError)?;
        Ok(Self::schedule(suite_id(key.public_key().suite()), &shared_secret, info))
    }
    /// The key schedule (RFC 9180 §5.1) with neither pre-shared key nor its ID.
    fn schedule(suite_id: [u8; 10], shared_secret: &[u8; 32], info: &[u8]) -> Self {
        let psk_id_hash = labeled_extract(&suite_id, &[], "psk_id_hash", &[]);
        let info_hash = labeled_extract(&suite_id, &[], "info_hash", info);
        let context: [&[u8]; 3] = [&[MODE_BASE], &*psk_id_hash, &*info_hash];
        let secret = labeled_extract(&suite_id, shared_secret, "secret", &[]);
        Self {
            suite_id,
            key: SecretKey::new(labeled_expand(&suite_id, &secret, "key", &context)),
            base_nonce: *labeled_expand(&suite_id, &secret, "base_nonce", &context),
            exporter_secret: labeled_expand(&suite_id, &secret, "exp", &context),
        }
    }
    /// Secret export (RFC 9180 §5.3), 32 bytes.
    pub(crate) fn export(&self, exporter_context: &[u8]) -> Zeroizing<[u8; 32]> {
        labeled_expand(&self.suite_id, &self.exporter_secret, "sec", &[exporter_context])
    }
    /// Seals one message at sequence 0 with empty AAD. A context seals once.
    pub fn seal(self, plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.key.seal(&self.base_nonce, &[], plaintext))
    }
    /// Opens the message at sequence 0 with empty AAD.
    pub fn open(self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.key.open(&self.base_nonce, &[], ciphertext).map_err(|_| OpenError)
    }
}

/// `HPKE` ‖ KEM ‖ KDF ‖ AEAD.
fn suite_id(suite: Suite) -> [u8; 10] {
    let [kem_high, kem_low] = suite.kem_number().to_be_bytes();
    let [kdf_high, kdf_low] = KDF.to_be_bytes();
    let [aead_high, aead_low] = AEAD.to_be_bytes();
    [b'H', b'P', b'K', b'E', kem_high, kem_low, kdf_high, kdf_low, aead_high, aead_low]
}

#[cfg(test)]
mod tests;
