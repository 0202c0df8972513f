//! Signature keys: Ed25519 for daily use, Ed25519 with ML-DSA-65 for keys that live for years, and the ID of each.

use crate::cbor::write;
use crate::id::{Digest, SignerId};
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, ML_DSA_65, ML_DSA_65_SIGNING, ParsedPublicKey, PqdsaKeyPair,
    UnparsedPublicKey,
};
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

/// The least significant byte first, as in a key: the y coordinates of the eight points of small order on
/// edwards25519, sign bit cleared (y = 0, 1, −1 and the two of order 8).
const SMALL_ORDER: [[u8; 32]; 5] = [
    [0; 32],
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    {
        let mut minus_one = PRIME;
        minus_one[0] -= 1;
        minus_one
    },
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
];

/// 2^255 − 19, the least significant byte first.
const PRIME: [u8; 32] = {
    let mut prime = [0xff; 32];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    prime
};

impl VerifyingKey {
    /// COSE algorithm number of fully specified Ed25519 (RFC 9864).
    pub(crate) const ALGORITHM: i64 = -19;
    /// Reads a key and refuses non-canonical encodings and the eight points of small order.
    ///
    /// Whether the bytes are a point at all shows when a signature is verified: none verifies under one that is not.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, KeyError> {
        let key: [u8; 32] = bytes.try_into().map_err(|_| KeyError::Invalid)?;
        let mut y = key;
        y[31] &= 0x7f;
        let canonical = y.iter().rev().lt(PRIME.iter().rev());
        if canonical && !SMALL_ORDER.contains(&y) { Ok(Self(key)) } else { Err(KeyError::Invalid) }
    }
    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
    /// Strict verification: S < L, R compared as bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).map_err(|_| BadSignature)
    }
    /// ID of this key alone.
    pub fn signer_id(&self, kind: KeyKind) -> SignerId {
        signer_id(kind, &[(Self::ALGORITHM, &self.0)])
    }
}

/// Ed25519 private key.
pub struct SigningKey {
    seed: Zeroizing<[u8; 32]>,
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl SigningKey {
    /// A new key from the system's random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        Self::from_seed(&*random_seed()?)
    }
    /// The key of a 32-byte seed.
    pub fn from_seed(seed: &[u8]) -> Result<Self, KeyError> {
        let seed = read_seed(seed)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&*seed).map_err(|_| KeyError::Invalid)?;
        let public = VerifyingKey::from_slice(pair.public_key().as_ref())?;
        Ok(Self { seed, pair, public })
    }
    /// The seed, for sealing only.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}

impl Signer for SigningKey {
    fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let signature = self.pair.try_sign(message).map_err(|_| KeyError::Unavailable)?;
        signature.as_ref().try_into().map_err(|_| KeyError::Unavailable)
    }
}

fn random_seed() -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|_| KeyError::Unavailable)?;
    Ok(seed)
}

fn read_seed(bytes: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    if bytes.len() != seed.len() {
        return Err(KeyError::Invalid);
    }
    seed.copy_from_slice(bytes);
    Ok(seed)
}

/// Ed25519 and ML-DSA-65 public keys that count only together.
#[derive(Clone, PartialEq, Eq)]
pub struct DualVerifyingKey {
    ed25519: VerifyingKey,
    ml_dsa: Vec<u8>,
}

impl DualVerifyingKey {
    /// COSE algorithm number of ML-DSA-65.
    pub(crate) const ML_DSA_65: i64 = -49;
    /// Bytes of an ML-DSA-65 public key (FIPS 204).
    pub(crate) const ML_DSA_LEN: usize = 1952;
    /// Reads both keys.
    pub(crate) fn from_slices(ed25519: &[u8], ml_dsa: &[u8]) -> Result<Self, KeyError> {
        let ed25519 = VerifyingKey::from_slice(ed25519)?;
        // The length comes first because the library would read a DER form of the key as well.
        if ml_dsa.len() != Self::ML_DSA_LEN || ParsedPublicKey::new(&ML_DSA_65, ml_dsa).is_err() {
            return Err(KeyError::Invalid);
        }
        Ok(Self { ed25519, ml_dsa: ml_dsa.to_vec() })
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
        signer_id(kind, &[(VerifyingKey::ALGORITHM, self.ed25519.as_bytes()), (Self::ML_DSA_65, &self.ml_dsa)])
    }
    /// Verifies the ML-DSA-65 half (empty context).
    pub(crate) fn verify_ml_dsa(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ML_DSA_65, &self.ml_dsa).verify(message, signature).map_err(|_| BadSignature)
    }
}

/// Ed25519 and ML-DSA-65 private keys.
pub struct DualSigningKey {
    ed25519: SigningKey,
    ml_dsa_seed: Zeroizing<[u8; 32]>,
    ml_dsa: PqdsaKeyPair,
    public: DualVerifyingKey,
}

impl DualSigningKey {
    /// New keys.
    pub fn generate() -> Result<Self, KeyError> {
        Self::from_seeds(SigningKey::generate()?, random_seed()?)
    }
    /// Reads what [`Self::to_bytes`] wrote: the Ed25519 seed and the ML-DSA-65 seed (FIPS 204 §5.1), 32 bytes each.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (ed25519, ml_dsa) = bytes.split_at_checked(32).ok_or(KeyError::Invalid)?;
        Self::from_seeds(SigningKey::from_seed(ed25519)?, read_seed(ml_dsa)?)
    }
    fn from_seeds(ed25519: SigningKey, ml_dsa_seed: Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        let ml_dsa = PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &*ml_dsa_seed).map_err(|_| KeyError::Unavailable)?;
        let public =
            DualVerifyingKey { ed25519: *ed25519.verifying_key(), ml_dsa: ml_dsa.public_key().as_ref().to_vec() };
        Ok(Self { ed25519, ml_dsa_seed, ml_dsa, public })
    }
    /// Both private keys, for sealing only.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        Ok(Zeroizing::new([&self.ed25519.seed()[..], &self.ml_dsa_seed[..]].concat()))
    }
    /// The public halves.
    pub fn verifying_key(&self) -> &DualVerifyingKey {
        &self.public
    }
    /// The Ed25519 half.
    pub fn ed25519(&self) -> &SigningKey {
        &self.ed25519
    }
    /// Signs with the ML-DSA-65 half (empty context). Starts the library's own generator, because the signature is hedged.
    pub(crate) fn sign_ml_dsa(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; ML_DSA_65_SIGNING.signature_len()];
        let length = self.ml_dsa.sign(message, &mut signature).map_err(|_| KeyError::Unavailable)?;
        signature.truncate(length);
        Ok(signature)
    }
}

/// Signer ID of a list of (algorithm, public key) pairs:
/// SHA-256(`wmlicense/1 key` ‖ 00 ‖ kind ‖ CBOR [[algorithm, key], …]).
pub fn signer_id(kind: KeyKind, keys: &[(i64, &[u8])]) -> SignerId {
    let list =
        write::array(keys.iter().map(|(algorithm, key)| write::array([write::int(*algorithm), write::bytes(key)])));
    SignerId::new(*Digest::of_parts(&[b"wmlicense/1 key\0", &[kind as u8], &list]).as_bytes())
}

#[cfg(test)]
mod tests;
