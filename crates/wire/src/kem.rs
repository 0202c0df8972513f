//! HPKE recipient keys: X-Wing (suite 1) and X25519 (suite 0, interoperability only).

use crate::id::SignerId;
use crate::key::{KeyError, KeyKind, VerifyingKey, signer_id};
use crate::labeled::{labeled_expand, labeled_extract};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::digest;
use aws_lc_rs::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_768};
use zeroize::Zeroizing;

const X25519_LEN: usize = 32;
/// ML-KEM-768 encapsulation key (FIPS 203 table 3).
const ML_KEM_PUBLIC_LEN: usize = 1184;
/// ML-KEM-768 expanded decapsulation key: secret vector 1152 ‖ encapsulation key 1184 ‖ its hash 32 ‖ z 32.
const ML_KEM_PRIVATE_LEN: usize = 2400;
/// Bytes of encoded coefficients, 12 bits each, before the 32-byte seed of the matrix.
const ML_KEM_VECTOR_LEN: usize = 1152;
const ML_KEM_MODULUS: u16 = 3329;
/// `\.//^\`, the domain separator of the X-Wing combiner (draft-connolly-cfrg-xwing-kem §5.3).
const XWING_LABEL: &[u8; 6] = b"\\.//^\\";

/// HPKE suite of a key. KDF is HKDF-SHA256 and AEAD is AES-256-GCM in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Suite {
    /// KEM 0x0020, DHKEM(X25519, HKDF-SHA256): for tests against other implementations. Services certify no keys of it.
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
    pub(crate) const fn enc_len(self) -> usize {
        match self {
            Self::X25519 => 32,
            Self::XWing => 1120,
        }
    }
    /// Bytes of a public key: 32 or 1216.
    pub(crate) const fn key_len(self) -> usize {
        match self {
            Self::X25519 => 32,
            Self::XWing => 1216,
        }
    }
    /// HPKE KEM number.
    pub(crate) const fn kem_number(self) -> u16 {
        match self {
            Self::X25519 => 0x0020,
            Self::XWing => 0x647a,
        }
    }
    /// Bytes of a private key as [`HpkePrivateKey::to_bytes`] writes it: 32 or 2432.
    pub const fn private_len(self) -> usize {
        match self {
            Self::X25519 => X25519_LEN,
            Self::XWing => ML_KEM_PRIVATE_LEN + X25519_LEN,
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
    ///
    /// Other X25519 points of small order are refused when a secret is agreed with them (RFC 7748 §6.1).
    pub fn from_slice(suite: Suite, bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() != suite.key_len() {
            return Err(KeyError::Invalid);
        }
        let key = Self { suite, bytes: bytes.to_vec() };
        let (ml_kem, x25519) = key.parts();
        // Without a matrix of ML-KEM there is nothing to reduce.
        let vector = ml_kem.get(..ML_KEM_VECTOR_LEN).unwrap_or_default();
        if vector.as_chunks::<3>().0.iter().all(is_reduced) && x25519.iter().any(|byte| *byte != 0) {
            Ok(key)
        } else {
            Err(KeyError::Invalid)
        }
    }
    /// The ML-KEM part, empty in suite 0, and the X25519 part.
    fn parts(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at(self.bytes.len() - X25519_LEN)
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
        signer_id(KeyKind::Service, &[(self.suite as i64, &self.bytes)])
    }
    /// A fresh shared secret and its encapsulation. Suite 1 starts the library's own generator.
    pub(crate) fn encapsulate(&self) -> Result<(Zeroizing<[u8; 32]>, Vec<u8>), KeyError> {
        self.encapsulate_with(&random_scalar()?)
    }
    /// As [`Self::encapsulate`] with this ephemeral X25519 private key.
    fn encapsulate_with(&self, ephemeral: &PrivateKey) -> Result<(Zeroizing<[u8; 32]>, Vec<u8>), KeyError> {
        let (ml_kem, x25519) = self.parts();
        let ephemeral_public = x25519_public(ephemeral)?;
        let x_secret = x25519_secret(ephemeral, x25519)?;
        match self.suite {
            Suite::X25519 => Ok((dhkem_secret(&x_secret, &ephemeral_public, x25519), ephemeral_public)),
            Suite::XWing => {
                let key = EncapsulationKey::new(&ML_KEM_768, ml_kem).map_err(|_| KeyError::Invalid)?;
                let (ciphertext, m_secret) = key.encapsulate().map_err(|_| KeyError::Invalid)?;
                let secret = xwing_secret(m_secret.as_ref(), &x_secret, &ephemeral_public, x25519);
                Ok((secret, [ciphertext.as_ref(), &ephemeral_public].concat()))
            }
        }
    }
}

/// True if both 12-bit coefficients in three bytes are below the modulus (FIPS 203 §7.2).
fn is_reduced(pair: &[u8; 3]) -> bool {
    let [a, b, c] = pair.map(u16::from);
    (a | (b & 0x0f) << 8) < ML_KEM_MODULUS && (b >> 4 | c << 4) < ML_KEM_MODULUS
}

/// Private key that opens what was wrapped.
pub struct HpkePrivateKey {
    public: HpkePublicKey,
    bytes: Zeroizing<Vec<u8>>,
    x25519: PrivateKey,
    /// Present in suite 1.
    ml_kem: Option<DecapsulationKey>,
}

impl HpkePrivateKey {
    /// A new key. The only call here that starts the library's own generator (30 ms in a fresh process).
    pub fn generate(suite: Suite) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new(vec![0; suite.private_len()]);
        let (ml_kem, x25519) = bytes.split_at_mut(suite.private_len() - X25519_LEN);
        if suite == Suite::XWing {
            let key = DecapsulationKey::generate(&ML_KEM_768).map_err(|_| KeyError::Unavailable)?;
            ml_kem.copy_from_slice(key.key_bytes().map_err(|_| KeyError::Unavailable)?.as_ref());
        }
        getrandom::fill(x25519).map_err(|_| KeyError::Unavailable)?;
        Self::from_bytes(suite, &bytes)
    }
    /// Reads what [`Self::to_bytes`] wrote: X25519 32 bytes, or ML-KEM-768 expanded 2400 bytes ‖ X25519 32 bytes.
    pub fn from_bytes(suite: Suite, bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() != suite.private_len() {
            return Err(KeyError::Invalid);
        }
        let (ml_kem_bytes, x25519_bytes) = bytes.split_at(suite.private_len() - X25519_LEN);
        let x25519 = PrivateKey::from_private_key(&X25519, x25519_bytes).map_err(|_| KeyError::Invalid)?;
        let mut public = Vec::with_capacity(suite.key_len());
        let ml_kem = match suite {
            Suite::X25519 => None,
            Suite::XWing => {
                public.extend_from_slice(ml_kem_public(ml_kem_bytes)?);
                Some(DecapsulationKey::new(&ML_KEM_768, ml_kem_bytes).map_err(|_| KeyError::Invalid)?)
            }
        };
        public.extend_from_slice(&x25519_public(&x25519)?);
        let public = HpkePublicKey::from_slice(suite, &public)?;
        Ok(Self { public, bytes: Zeroizing::new(bytes.to_vec()), x25519, ml_kem })
    }
    /// The private key, for sealing only.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.bytes.clone()
    }
    /// The public half.
    pub fn public_key(&self) -> &HpkePublicKey {
        &self.public
    }
    /// The shared secret of an encapsulation.
    pub(crate) fn decapsulate(&self, enc: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        if enc.len() != self.public.suite.enc_len() {
            return Err(KeyError::Invalid);
        }
        let (ciphertext, x_public) = enc.split_at(enc.len() - X25519_LEN);
        let (_, own_x25519) = self.public.parts();
        let x_secret = x25519_secret(&self.x25519, x_public)?;
        match &self.ml_kem {
            None => Ok(dhkem_secret(&x_secret, x_public, own_x25519)),
            Some(key) => {
                let m_secret = key.decapsulate(Ciphertext::from(ciphertext)).map_err(|_| KeyError::Invalid)?;
                Ok(xwing_secret(m_secret.as_ref(), &x_secret, x_public, own_x25519))
            }
        }
    }
}

/// The encapsulation key inside an expanded decapsulation key, after the hash check of FIPS 203 §7.3: the library checks
/// lengths only when it reads such a key, and a damaged one would fail at its first use.
fn ml_kem_public(private: &[u8]) -> Result<&[u8], KeyError> {
    let rest = private.get(ML_KEM_VECTOR_LEN..).ok_or(KeyError::Invalid)?;
    let (public, rest) = rest.split_at_checked(ML_KEM_PUBLIC_LEN).ok_or(KeyError::Invalid)?;
    let hash = digest::digest(&digest::SHA3_256, public);
    if rest.starts_with(hash.as_ref()) { Ok(public) } else { Err(KeyError::Invalid) }
}

/// An X25519 private key from the system's random bytes, so that the library's own generator is not started.
fn random_scalar() -> Result<PrivateKey, KeyError> {
    let mut scalar = Zeroizing::new([0; X25519_LEN]);
    getrandom::fill(&mut *scalar).map_err(|_| KeyError::Unavailable)?;
    PrivateKey::from_private_key(&X25519, &*scalar).map_err(|_| KeyError::Unavailable)
}

fn x25519_public(key: &PrivateKey) -> Result<Vec<u8>, KeyError> {
    Ok(key.compute_public_key().map_err(|_| KeyError::Unavailable)?.as_ref().to_vec())
}

/// X25519 (RFC 7748 §6.1); an all-zero secret is refused by the library.
fn x25519_secret(key: &PrivateKey, peer: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    agree(key, UnparsedPublicKey::new(&X25519, peer), KeyError::Invalid, |secret| {
        let mut out = Zeroizing::new([0; 32]);
        out.copy_from_slice(secret);
        Ok(out)
    })
}

/// ExtractAndExpand of DHKEM(X25519, HKDF-SHA256) (RFC 9180 §4.1).
fn dhkem_secret(dh: &[u8; 32], enc: &[u8], recipient: &[u8]) -> Zeroizing<[u8; 32]> {
    let [high, low] = Suite::X25519.kem_number().to_be_bytes();
    let suite_id = [b'K', b'E', b'M', high, low];
    let prk = labeled_extract(&suite_id, &[], "eae_prk", dh);
    labeled_expand(&suite_id, &prk, "shared_secret", &[enc, recipient])
}

/// The combiner of X-Wing: SHA3-256(ss_M ‖ ss_X ‖ ct_X ‖ pk_X ‖ label).
fn xwing_secret(m_secret: &[u8], x_secret: &[u8; 32], x_public: &[u8], recipient: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut context = digest::Context::new(&digest::SHA3_256);
    for part in [m_secret, x_secret, x_public, recipient, XWING_LABEL] {
        context.update(part);
    }
    let mut out = Zeroizing::new([0; 32]);
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// Device thumbprint: one ID over a device's Ed25519 and HPKE key. HPKE keys stand in it with the suite number as algorithm.
pub(crate) fn device_thumbprint(signing: &VerifyingKey, hpke: &HpkePublicKey) -> SignerId {
    let keys = [(VerifyingKey::ALGORITHM, &signing.as_bytes()[..]), (hpke.suite as i64, &hpke.bytes)];
    signer_id(KeyKind::Device, &keys)
}

#[cfg(test)]
mod tests;
