//! AES-256-GCM under derived keys with counted nonces, and the labelled expansion that derives them.

use zeroize::Zeroizing;

/// A sealed value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open")]
pub struct OpenError;

/// Bytes that AES-GCM adds.
pub const TAG_LEN: usize = 16;

/// A 32-byte symmetric key. Neither shown nor copied; wiped when dropped.
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// Random bytes from the system.
    pub fn random() -> Result<Self, getrandom::Error> {
        todo!()
    }
    /// The key with these bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }
    /// Reads exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        todo!()
    }
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// `X(k, label, more, 32)`: HKDF-Expand-SHA256 (RFC 5869 §2.3) with info = label ‖ 00 ‖ more.
    pub fn expand(&self, label: &str, more: &[u8]) -> SecretKey {
        todo!()
    }
    /// HMAC-SHA256 over the joined parts.
    pub fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        todo!()
    }
    /// AES-256-GCM; a (key, nonce) pair is used once by construction of the callers.
    pub fn seal(&self, nonce: &[u8; 12], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        todo!()
    }
    /// Opens what [`Self::seal`] made.
    pub fn open(&self, nonce: &[u8; 12], aad: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        todo!()
    }
}

/// `ctr(i)`: the 12-byte nonce 00000000 ‖ u64(i), big-endian.
pub fn counter_nonce(index: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&index.to_be_bytes());
    nonce
}

/// Equality in constant time.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    todo!()
}
