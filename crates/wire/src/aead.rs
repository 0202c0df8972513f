//! AES-256-GCM under derived keys with counted nonces, and the labelled expansion that derives them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hmac};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// A sealed value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed value does not open")]
pub struct OpenError;

/// Bytes that AES-GCM adds.
pub(crate) const TAG_LEN: usize = 16;

/// A 32-byte symmetric key. Neither shown nor copied; wiped when dropped.
pub struct SecretKey {
    bytes: Zeroizing<[u8; 32]>,
    /// The key schedule, made at the first use: a batch is opened and wrapped license by license under one key.
    cipher: OnceLock<LessSafeKey>,
}

impl SecretKey {
    /// Random bytes from the system.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self::new(bytes))
    }
    /// The key with these bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { bytes, cipher: OnceLock::new() }
    }
    /// Reads exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(bytes);
        Some(Self::new(key))
    }
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
    /// `X(k, label, more, 32)`: HKDF-Expand-SHA256 (RFC 5869 §2.3) with info = label ‖ 00 ‖ more.
    pub fn expand(&self, label: &str, more: &[u8]) -> SecretKey {
        Self::new(hmac_sha256(self.as_bytes(), &[label.as_bytes(), &[0], more, &[FIRST_BLOCK]]))
    }
    /// HMAC-SHA256 over the joined parts.
    pub fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        *hmac_sha256(self.as_bytes(), parts)
    }
    /// AES-256-GCM; a (key, nonce) pair is used once by construction of the callers.
    #[allow(clippy::expect_used)]
    pub fn seal(&self, nonce: &[u8; 12], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + TAG_LEN);
        sealed.extend_from_slice(plaintext);
        // The key has the length of its algorithm, and no message in memory comes near the 64 GiB that GCM takes.
        self.cipher()
            .and_then(|key| {
                key.seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut sealed)
            })
            .expect("AES-256-GCM seals every message that fits in memory");
        sealed
    }
    /// Opens what [`Self::seal`] made.
    pub fn open(&self, nonce: &[u8; 12], aad: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut opened = Zeroizing::new(ciphertext.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let key = self.cipher().map_err(|_| OpenError)?;
        let length = key.open_in_place(nonce, Aad::from(aad), &mut opened).map_err(|_| OpenError)?.len();
        opened.truncate(length);
        Ok(opened)
    }
    /// Opens what [`Self::seal`] made where it stands, and gives the bytes of it that are the plaintext.
    pub(crate) fn open_in_place<'b>(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        ciphertext: &'b mut [u8],
    ) -> Result<&'b [u8], OpenError> {
        let key = self.cipher().map_err(|_| OpenError)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        key.open_in_place(nonce, Aad::from(aad), ciphertext).map(|opened| &*opened).map_err(|_| OpenError)
    }
    fn cipher(&self) -> Result<&LessSafeKey, aws_lc_rs::error::Unspecified> {
        if let Some(cipher) = self.cipher.get() {
            return Ok(cipher);
        }
        let cipher = UnboundKey::new(&AES_256_GCM, self.as_bytes()).map(LessSafeKey::new)?;
        Ok(self.cipher.get_or_init(|| cipher))
    }
}

/// Counter of the first and only block of HKDF-Expand for outputs of up to 32 bytes (RFC 5869 §2.3): with it the
/// expansion is one HMAC, which cannot fail.
pub(crate) const FIRST_BLOCK: u8 = 1;

/// HMAC-SHA256 (RFC 2104) over the joined parts.
pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    let mut out = Zeroizing::new([0; 32]);
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// `ctr(i)`: the 12-byte nonce 00000000 ‖ u64(i), big-endian.
pub fn counter_nonce(index: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&index.to_be_bytes());
    nonce
}

/// Equality in constant time.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests;
