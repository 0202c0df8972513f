//! HPKE recipient keys: X-Wing (suite 1) and X25519 (suite 0, interoperability only).

use crate::id::SignerId;
use crate::key::{KeyError, KeyKind, VerifyingKey};
use zeroize::Zeroizing;

/// HPKE suite of a key. KDF is HKDF-SHA256 and AEAD is AES-256-GCM in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Suite {
    /// KEM 0x0020, DHKEM(X25519, HKDF-SHA256); refused unless a setting says otherwise.
    X25519 = 0,
    /// KEM 0x647a, X-Wing: ML-KEM-768 with X25519.
    XWing = 1,
}

impl Suite {
    /// The suite of a number.
    pub fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::X25519),
            1 => Some(Self::XWing),
            _ => None,
        }
    }
    /// Bytes of an encapsulated key: 32 or 1120.
    pub const fn enc_len(self) -> usize {
        match self {
            Self::X25519 => 32,
            Self::XWing => 1120,
        }
    }
    /// Bytes of a public key: 32 or 1216.
    pub const fn key_len(self) -> usize {
        match self {
            Self::X25519 => 32,
            Self::XWing => 1216,
        }
    }
    /// HPKE KEM number.
    pub const fn kem_number(self) -> u16 {
        match self {
            Self::X25519 => 0x0020,
            Self::XWing => 0x647a,
        }
    }
}

/// Public key to which keys are wrapped.
#[derive(Clone, PartialEq, Eq)]
pub struct HpkePublicKey {
    suite: Suite,
    bytes: Vec<u8>,
}

impl HpkePublicKey {
    /// Reads a key and checks it (FIPS 203 §7.2 modulus check; X25519 part not all-zero).
    pub fn from_slice(suite: Suite, bytes: &[u8]) -> Result<Self, KeyError> {
        todo!()
    }
    /// The suite.
    pub fn suite(&self) -> Suite {
        self.suite
    }
    /// The bytes; X-Wing: ML-KEM-768 key ‖ X25519 key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// ID of a service's HPKE key.
    pub fn key_id(&self) -> SignerId {
        todo!()
    }
    /// A fresh shared secret and its encapsulation.
    pub(crate) fn encapsulate(&self) -> Result<(Zeroizing<[u8; 32]>, Vec<u8>), KeyError> {
        todo!()
    }
}

/// Private key that opens what was wrapped.
pub struct HpkePrivateKey {
    public: HpkePublicKey,
}

impl HpkePrivateKey {
    /// A new key. The only call here that starts the library's own generator (30 ms in a fresh process).
    pub fn generate(suite: Suite) -> Result<Self, KeyError> {
        todo!()
    }
    /// Reads what [`Self::to_bytes`] wrote: X25519 32 bytes, or ML-KEM-768 expanded 2400 bytes ‖ X25519 32 bytes.
    pub fn from_bytes(suite: Suite, bytes: &[u8]) -> Result<Self, KeyError> {
        todo!()
    }
    /// The private key, for sealing only.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        todo!()
    }
    /// The public half.
    pub fn public_key(&self) -> &HpkePublicKey {
        &self.public
    }
    /// The shared secret of an encapsulation.
    pub(crate) fn decapsulate(&self, enc: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        todo!()
    }
}

/// Device thumbprint: one ID over a device's Ed25519 and HPKE key. HPKE keys stand in it with the suite number as algorithm.
pub fn device_thumbprint(signing: &VerifyingKey, hpke: &HpkePublicKey) -> SignerId {
    todo!()
}
