//! Signed documents: tagged COSE_Sign1 and dual COSE_Sign (RFC 9052 §4) with one form of header and a bound document code.

use crate::id::SignerId;
use crate::key::{BadSignature, DualSigningKey, DualVerifyingKey, KeyError, Signer, VerifyingKey};

/// What a signed document is. The number is part of the signed bytes, so no document passes as any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Document {
    /// Root of one content owner (dual).
    AuthorityCertificate = 1,
    /// Certificate of a service role (dual).
    ServiceCertificate = 2,
    /// List of revoked keys (dual).
    StatusList = 3,
    /// Certificate of a device.
    DeviceCertificate = 4,
    /// What a service is and where.
    ServiceDocument = 5,
    /// Time over a client's nonce.
    SignedTime = 6,
    /// Anything a device asks for.
    Request = 7,
    /// A device's acknowledgement of a license revocation blob.
    Acknowledgement = 8,
    /// End of a backup section.
    BackupFooter = 9,
    /// An old device key's word for a new one.
    Rekey = 10,
    /// A service's answer to a request.
    Answer = 11,
    /// License revocation blob (dual).
    LicenseRevocation = 12,
}

impl Document {
    /// All documents, in the order of their codes.
    pub const ALL: [Document; 12] = [
        Self::AuthorityCertificate,
        Self::ServiceCertificate,
        Self::StatusList,
        Self::DeviceCertificate,
        Self::ServiceDocument,
        Self::SignedTime,
        Self::Request,
        Self::Acknowledgement,
        Self::BackupFooter,
        Self::Rekey,
        Self::Answer,
        Self::LicenseRevocation,
    ];
    /// `typ` of the protected header, `application/wmlicense-NAME+cose`.
    pub fn media_type(self) -> &'static str {
        todo!()
    }
    /// True for documents with an Ed25519 and an ML-DSA-65 signature.
    pub fn is_dual(self) -> bool {
        todo!()
    }
}

/// A signed document could not be read or does not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CoseError {
    /// Not the one allowed form of a signed document (tag, headers, lengths, encoding).
    #[error("not a well-formed signed document")]
    Malformed,
    /// Longer than this kind of document may be.
    #[error("the signed document is longer than {0} bytes")]
    TooLong(usize),
    /// The `typ` names another document.
    #[error("another kind of document was expected")]
    WrongType,
    /// Signed by another key than the one given.
    #[error("signed by another key")]
    WrongSigner,
    /// A signature does not verify.
    #[error("the signature does not verify")]
    BadSignature,
}

/// A parsed but *unverified* document: who says to have signed it, and its bytes.
pub struct Unverified<'a> {
    bytes: &'a [u8],
}

impl<'a> Unverified<'a> {
    /// Parses strictly. `cap` is the largest length accepted.
    pub fn parse(document: Document, bytes: &'a [u8], cap: usize) -> Result<Self, CoseError> {
        todo!()
    }
    /// The `kid` header: ID of the key that has to verify it.
    pub fn signer_id(&self) -> SignerId {
        todo!()
    }
    /// The payload before verification, only to find the key that must verify it (a self-signed or self-certifying document).
    pub fn unverified_payload(&self) -> &'a [u8] {
        todo!()
    }
    /// Verifies a COSE_Sign1 whose `kid` is `signer_id` and gives the payload.
    pub fn verify(self, key: &VerifyingKey, signer_id: SignerId) -> Result<&'a [u8], CoseError> {
        todo!()
    }
    /// Verifies both signatures of a COSE_Sign whose `kid`s are `signer_id` and gives the payload.
    pub fn verify_dual(self, key: &DualVerifyingKey, signer_id: SignerId) -> Result<&'a [u8], CoseError> {
        todo!()
    }
}

/// Signs `payload` as `document`. `signer_id` is the ID under which verifiers know the key (for a device its thumbprint).
pub fn sign(document: Document, payload: &[u8], signer: &dyn Signer, signer_id: SignerId) -> Result<Vec<u8>, KeyError> {
    todo!()
}

/// Signs `payload` as `document` with both keys.
pub fn sign_dual(
    document: Document,
    payload: &[u8],
    signer: &DualSigningKey,
    signer_id: SignerId,
) -> Result<Vec<u8>, KeyError> {
    todo!()
}

impl From<BadSignature> for CoseError {
    fn from(_: BadSignature) -> Self {
        Self::BadSignature
    }
}
