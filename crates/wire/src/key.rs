//! Signature keys: Ed25519 for daily use, Ed25519 with ML-DSA-65 for keys that live for years, and the ID of each.

use crate::id::SignerId;
use zeroize::Zeroizing;

/// What kind of key a signer ID names; part of the hashed bytes, so that no key of one kind passes as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum KeyKind {
    /// The offline root of one content owner.
    Authority = 1,
    /// A service role's signing or HPKE key.
    Service = 2,
    /// A device's signing and HPKE key together.
    Device = 3,
    /// A key that signs license revocation blobs.
    Revocation = 4,
}

/// A key could not be read or made, or could not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Wrong length, non-canonical or of small order (RFC 8032 §5.1.7, FIPS 203 §7.2, FIPS 204).
    #[error("the key is not valid")]
    Invalid,
    /// The system gave no random bytes, or the cryptographic library failed.
    #[error("the key could not be made or used")]
    Unavailable,
}

/// A signature does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// Something that signs with an Ed25519 key: a key in memory, or one in hardware.
pub trait Signer: Send + Sync {
    /// The public half.
    fn verifying_key(&self) -> &VerifyingKey;
    /// Signs `message` (Ed25519, RFC 8032).
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError>;
}

/// Ed25519 public key, canonical and not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// COSE algorithm number of fully specified Ed25519 (RFC 9864).
    pub const ALGORITHM: i64 = -19;
    /// Reads a key and refuses non-canonical encodings and the eight points of small order.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyError> {
        todo!()
    }
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// Strict verification: S < L, R compared as bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        todo!()
    }
    /// ID of this key alone.
    pub fn signer_id(&self, kind: KeyKind) -> SignerId {
        todo!()
    }
}

/// Ed25519 private key.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
}

impl SigningKey {
    /// A new key from the system's random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        todo!()
    }
    /// The key of a 32-byte seed.
    pub fn from_seed(seed: &[u8]) -> Result<Self, KeyError> {
        todo!()
    }
    /// The seed, for sealing only.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}

impl Signer for SigningKey {
    fn verifying_key(&self) -> &VerifyingKey {
        todo!()
    }
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        todo!()
    }
}

/// Ed25519 and ML-DSA-65 public keys that count only together.
#[derive(Clone, PartialEq, Eq)]
pub struct DualVerifyingKey {
    ed25519: VerifyingKey,
    ml_dsa: Vec<u8>,
}

impl DualVerifyingKey {
    /// COSE algorithm number of ML-DSA-65.
    pub const ML_DSA_65: i64 = -49;
    /// Bytes of an ML-DSA-65 public key (FIPS 204).
    pub const ML_DSA_LEN: usize = 1952;
    /// Reads both keys.
    pub fn from_slices(ed25519: &[u8], ml_dsa: &[u8]) -> Result<Self, KeyError> {
        todo!()
    }
    /// The Ed25519 half.
    pub fn ed25519(&self) -> &VerifyingKey {
        &self.ed25519
    }
    /// The ML-DSA-65 half.
    pub fn ml_dsa(&self) -> &[u8] {
        &self.ml_dsa
    }
    /// ID of both keys together.
    pub fn signer_id(&self, kind: KeyKind) -> SignerId {
        todo!()
    }
    /// Verifies the ML-DSA-65 half (empty context).
    pub fn verify_ml_dsa(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        todo!()
    }
}

/// Ed25519 and ML-DSA-65 private keys.
pub struct DualSigningKey {
    ed25519: SigningKey,
    public: DualVerifyingKey,
}

impl DualSigningKey {
    /// New keys.
    pub fn generate() -> Result<Self, KeyError> {
        todo!()
    }
    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        todo!()
    }
    /// Both private keys, for sealing only.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        todo!()
    }
    /// The public halves.
    pub fn verifying_key(&self) -> &DualVerifyingKey {
        &self.public
    }
    /// The Ed25519 half.
    pub fn ed25519(&self) -> &SigningKey {
        &self.ed25519
    }
    /// Signs with the ML-DSA-65 half (empty context).
    pub fn sign_ml_dsa(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        todo!()
    }
}

/// Signer ID of a list of (algorithm, public key) pairs:
/// SHA-256(`wmlicense/1 key` ‖ 00 ‖ kind ‖ CBOR [[algorithm, key], …]).
pub fn signer_id(kind: KeyKind, keys: &[(i64, &[u8])]) -> SignerId {
    todo!()
}
