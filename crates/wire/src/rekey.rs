//! The word of a device's old key for its new keys: whoever holds both stays the same device.

use crate::cbor::{CborError, Fields, MapWriter, read};
use crate::cose::{self, CoseError, Document, Unverified};
use crate::id::SignerId;
use crate::key::{KeyError, Signer, VerifyingKey};

/// Longest document accepted, in bytes.
pub const MAX_LEN: usize = 1024;

/// The document is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RekeyError {
    /// Not a well-formed, correctly signed document.
    #[error("rekey document: {0}")]
    Signature(#[from] CoseError),
    /// The content of the document is malformed.
    #[error("rekey document: {0}")]
    Content(#[from] CborError),
}

/// What the old key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rekey {
    /// Thumbprint of the new keys.
    pub successor: SignerId,
}

impl Rekey {
    /// Signs with the old key, known as `thumbprint`.
    pub fn sign(&self, signer: &dyn Signer, thumbprint: SignerId) -> Result<Vec<u8>, KeyError> {
        let payload = MapWriter::new().bytes(10, self.successor).finish();
        cose::sign(Document::Rekey, &payload, signer, thumbprint)
    }

    /// Reads a document that the old key, known as `thumbprint`, signed.
    pub fn verify(bytes: &[u8], key: &VerifyingKey, thumbprint: SignerId) -> Result<Self, RekeyError> {
        let document = Unverified::parse(Document::Rekey, bytes, MAX_LEN)?;
        let mut fields = Fields::parse(document.verify(key, thumbprint)?, MAX_LEN)?;
        let rekey = Self { successor: fields.required(10, read::id)? };
        fields.finish()?;
        Ok(rekey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    #[test]
    fn only_the_old_key_speaks_for_new_ones() {
        let (old, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let (thumbprint, said) = (SignerId::new([1; 32]), Rekey { successor: SignerId::new([2; 32]) });
        let bytes = said.sign(&old, thumbprint).unwrap();
        assert_eq!(Rekey::verify(&bytes, old.verifying_key(), thumbprint), Ok(said));
        assert!(Rekey::verify(&bytes, other.verifying_key(), thumbprint).is_err());
        assert!(Rekey::verify(&bytes, old.verifying_key(), SignerId::new([3; 32])).is_err());
        let more = MapWriter::new().bytes(10, said.successor).uint(11, 0u64).finish();
        let more = cose::sign(Document::Rekey, &more, &old, thumbprint).unwrap();
        assert!(Rekey::verify(&more, old.verifying_key(), thumbprint).is_err(), "a field that nobody knows");
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(Rekey::verify(&changed, old.verifying_key(), thumbprint).is_err(), "byte {place}");
        }
        for length in 0..bytes.len() {
            assert!(Rekey::verify(&bytes[..length], old.verifying_key(), thumbprint).is_err(), "length {length}");
        }
    }
}
