//! The checksums by which a WRMHEADER tells whether a key is the right one, and the algorithms that have them.

use crate::text::guid_from_kid;
use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use aws_lc_rs::digest;
use wmlicense_wire::id::Kid;

/// How the samples under a key are encrypted, as a WRMHEADER names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// AES-128 in counter mode.
    AesCtr,
    /// AES-128 in cipher block chaining.
    AesCbc,
    /// The cipher of Windows Media DRM, with keys of seven bytes.
    Cocktail,
}

impl Algorithm {
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        [Self::AesCtr, Self::AesCbc, Self::Cocktail].into_iter().find(|known| known.name() == text)
    }

    /// The name in a header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCtr => "AESCTR",
            Self::AesCbc => "AESCBC",
            Self::Cocktail => "COCKTAIL",
        }
    }
}

/// The checksum that a header carries for a key; `None` for an algorithm without one, or a key of another length.
///
/// AESCTR: the first eight bytes of the key ID in GUID order, encrypted under the key. COCKTAIL: the first seven bytes
/// of a buffer of 21 (the key, then zeros) after it was replaced five times by its own SHA-1.
pub(crate) fn checksum(algorithm: Algorithm, kid: Kid, key: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        Algorithm::AesCtr => {
            let key: &[u8; 16] = key.try_into().ok()?;
            let mut block = guid_from_kid(kid).into();
            Aes128Enc::new(key.into()).encrypt_block(&mut block);
            Some(block.iter().take(8).copied().collect())
        }
        Algorithm::Cocktail => {
            let mut buffer = [0; 21];
            buffer.get_mut(..7)?.copy_from_slice(key.get(..7).filter(|_| key.len() == 7)?);
            for _ in 0..5 {
                let sum = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &buffer);
                buffer.get_mut(..20)?.copy_from_slice(sum.as_ref());
            }
            Some(buffer.iter().take(7).copied().collect())
        }
        Algorithm::AesCbc => None,
    }
}
