//! Signed documents: tagged COSE_Sign1 and dual COSE_Sign (RFC 9052 §4) with one form of header and a bound document code.

use crate::cbor::write;
use crate::id::SignerId;
use crate::key::{BadSignature, DualSigningKey, DualVerifyingKey, KeyError, Signer, VerifyingKey};

/// Tag 18, COSE_Sign1.
const TAG_SIGN1: &[u8] = &[0xd2];
/// Tag 98, COSE_Sign.
const TAG_SIGN: &[u8] = &[0xd8, 0x62];
/// An array of four: protected, unprotected, payload, signature or signatures.
const BODY: &[u8] = &[0x84];
/// The unprotected header, always empty.
const UNPROTECTED: &[u8] = &[0xa0];
/// Array of two signatures.
const SIGNATURES: &[u8] = &[0x82];
/// One signature of a COSE_Sign: protected, unprotected, signature.
const SIGNATURE: &[u8] = &[0x83];
/// Header labels alg, kid (RFC 9052 §3.1) and typ (RFC 9596).
const ALG: u8 = 1;
const KID: u8 = 4;
const TYP: u8 = 16;
const ED25519_LEN: usize = 64;
/// ML-DSA-65 signature (FIPS 204 table 2).
const ML_DSA_LEN: usize = 3309;
/// Name of the protocol, the first 16 bytes of the external AAD.
const PROTOCOL: &[u8; 16] = b"wmlicense/1\0\0\0\0\0";

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
        match self {
            Self::AuthorityCertificate => "application/wmlicense-authority+cose",
            Self::ServiceCertificate => "application/wmlicense-service-certificate+cose",
            Self::StatusList => "application/wmlicense-status-list+cose",
            Self::DeviceCertificate => "application/wmlicense-device-certificate+cose",
            Self::ServiceDocument => "application/wmlicense-service-document+cose",
            Self::SignedTime => "application/wmlicense-time+cose",
            Self::Request => "application/wmlicense-request+cose",
            Self::Acknowledgement => "application/wmlicense-acknowledgement+cose",
            Self::BackupFooter => "application/wmlicense-backup-footer+cose",
            Self::Rekey => "application/wmlicense-rekey+cose",
            Self::Answer => "application/wmlicense-answer+cose",
            Self::LicenseRevocation => "application/wmlicense-revocation+cose",
        }
    }
    /// True for documents with an Ed25519 and an ML-DSA-65 signature.
    pub fn is_dual(self) -> bool {
        match self {
            Self::AuthorityCertificate | Self::ServiceCertificate | Self::StatusList | Self::LicenseRevocation => true,
            Self::DeviceCertificate
            | Self::ServiceDocument
            | Self::SignedTime
            | Self::Request
            | Self::Acknowledgement
            | Self::BackupFooter
            | Self::Rekey
            | Self::Answer => false,
        }
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
    document: Document,
    signer: SignerId,
    protected: &'a [u8],
    payload: &'a [u8],
    ed25519: &'a [u8],
    /// The second signature of a dual document.
    ml_dsa: Option<&'a [u8]>,
}

impl<'a> Unverified<'a> {
    /// Parses strictly. `cap` is the largest length accepted.
    pub fn parse(document: Document, bytes: &'a [u8], cap: usize) -> Result<Self, CoseError> {
        if bytes.len() > cap {
            return Err(CoseError::TooLong(cap));
        }
        let mut reader = Reader(bytes);
        let parsed = if bytes.starts_with(TAG_SIGN1) {
            Self::read_single(document, &mut reader)
        } else {
            Self::read_dual(document, &mut reader)
        }?;
        // Whether one signature or two is decided by the kind of document, never by the bytes.
        if reader.0.is_empty() && parsed.ml_dsa.is_some() == document.is_dual() {
            Ok(parsed)
        } else {
            Err(CoseError::Malformed)
        }
    }
    fn read_single(document: Document, reader: &mut Reader<'a>) -> Result<Self, CoseError> {
        reader.literal(TAG_SIGN1)?;
        reader.literal(BODY)?;
        let protected = reader.byte_string()?;
        let mut header = Reader(protected);
        header.literal(&[0xa3])?;
        let signer = header.alg_and_kid(VerifyingKey::ALGORITHM)?;
        header.media_type(document)?;
        reader.literal(UNPROTECTED)?;
        let payload = reader.byte_string()?;
        let ed25519 = reader.byte_string_of(ED25519_LEN)?;
        Ok(Self { document, signer, protected, payload, ed25519, ml_dsa: None })
    }
    fn read_dual(document: Document, reader: &mut Reader<'a>) -> Result<Self, CoseError> {
        reader.literal(TAG_SIGN)?;
        reader.literal(BODY)?;
        let protected = reader.byte_string()?;
        let mut header = Reader(protected);
        header.literal(&[0xa1])?;
        header.media_type(document)?;
        reader.literal(UNPROTECTED)?;
        let payload = reader.byte_string()?;
        reader.literal(SIGNATURES)?;
        let (signer, ed25519) = reader.signature(VerifyingKey::ALGORITHM, ED25519_LEN)?;
        let (second_signer, ml_dsa) = reader.signature(DualVerifyingKey::ML_DSA_65, ML_DSA_LEN)?;
        if signer != second_signer {
            return Err(CoseError::Malformed);
        }
        Ok(Self { document, signer, protected, payload, ed25519, ml_dsa: Some(ml_dsa) })
    }
    /// The `kid` header: ID of the key that has to verify it.
    pub fn signer_id(&self) -> SignerId {
        self.signer
    }
    /// The payload before verification, only to find the key that must verify it (a self-signed or self-certifying document).
    pub fn unverified_payload(&self) -> &'a [u8] {
        self.payload
    }
    /// Verifies a COSE_Sign1 whose `kid` is `signer_id` and gives the payload.
    pub fn verify(self, key: &VerifyingKey, signer_id: SignerId) -> Result<&'a [u8], CoseError> {
        if self.ml_dsa.is_some() {
            return Err(CoseError::Malformed);
        }
        self.check_signer(signer_id)?;
        key.verify(&single_message(self.document, self.protected, self.payload, signer_id), self.ed25519)?;
        Ok(self.payload)
    }
    /// Verifies both signatures of a COSE_Sign whose `kid`s are `signer_id` and gives the payload.
    pub fn verify_dual(self, key: &DualVerifyingKey, signer_id: SignerId) -> Result<&'a [u8], CoseError> {
        let ml_dsa = self.ml_dsa.ok_or(CoseError::Malformed)?;
        self.check_signer(signer_id)?;
        let message = |algorithm| dual_message(self.document, algorithm, self.protected, self.payload, signer_id);
        key.ed25519().verify(&message(VerifyingKey::ALGORITHM), self.ed25519)?;
        key.verify_ml_dsa(&message(DualVerifyingKey::ML_DSA_65), ml_dsa)?;
        Ok(self.payload)
    }
    fn check_signer(&self, signer_id: SignerId) -> Result<(), CoseError> {
        if self.signer == signer_id { Ok(()) } else { Err(CoseError::WrongSigner) }
    }
}

/// The rest of the bytes of a document. Everything but lengths, IDs, payload and signatures is one fixed byte sequence,
/// so whatever else CBOR could say there is refused by comparison.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn literal(&mut self, expected: &[u8]) -> Result<(), CoseError> {
        self.0 = self.0.strip_prefix(expected).ok_or(CoseError::Malformed)?;
        Ok(())
    }
    fn take(&mut self, length: usize) -> Result<&'a [u8], CoseError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CoseError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }
    /// A byte or text string whose length is in its shortest form.
    fn string(&mut self, major: u8) -> Result<&'a [u8], CoseError> {
        let (first, rest) = self.0.split_first().ok_or(CoseError::Malformed)?;
        let width = match first & 0x1f {
            0..=23 => 0,
            24 => 1,
            25 => 2,
            26 => 4,
            _ => return Err(CoseError::Malformed),
        };
        let value = match width {
            0 => u64::from(first & 0x1f),
            _ => {
                let number = rest.get(..width).ok_or(CoseError::Malformed)?;
                number.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
            }
        };
        // A head of another width or kind is not this one.
        self.literal(&write::head(major, value))?;
        self.take(usize::try_from(value).map_err(|_| CoseError::Malformed)?)
    }
    fn byte_string(&mut self) -> Result<&'a [u8], CoseError> {
        self.string(2)
    }
    fn byte_string_of(&mut self, length: usize) -> Result<&'a [u8], CoseError> {
        self.byte_string().and_then(|bytes| if bytes.len() == length { Ok(bytes) } else { Err(CoseError::Malformed) })
    }
    fn alg_and_kid(&mut self, algorithm: i64) -> Result<SignerId, CoseError> {
        self.literal(&[ALG])?;
        self.literal(&write::int(algorithm))?;
        self.literal(&[KID])?;
        SignerId::from_slice(self.byte_string()?).map_err(|_| CoseError::Malformed)
    }
    /// The `typ` header, the last of a protected header.
    fn media_type(&mut self, document: Document) -> Result<(), CoseError> {
        self.literal(&[TYP])?;
        let media_type = self.string(3)?;
        if !self.0.is_empty() {
            Err(CoseError::Malformed)
        } else if media_type != document.media_type().as_bytes() {
            Err(CoseError::WrongType)
        } else {
            Ok(())
        }
    }
    /// One signature of a COSE_Sign with its signer.
    fn signature(&mut self, algorithm: i64, length: usize) -> Result<(SignerId, &'a [u8]), CoseError> {
        self.literal(SIGNATURE)?;
        let mut header = Reader(self.byte_string()?);
        header.literal(&[0xa2])?;
        let signer = header.alg_and_kid(algorithm)?;
        if !header.0.is_empty() {
            return Err(CoseError::Malformed);
        }
        self.literal(UNPROTECTED)?;
        Ok((signer, self.byte_string_of(length)?))
    }
}

/// External AAD: name of the protocol, code of the document, ID of the signer; 50 bytes.
fn external_aad(document: Document, signer_id: SignerId) -> Vec<u8> {
    [&PROTOCOL[..], &(document as u16).to_be_bytes(), signer_id.as_bytes()].concat()
}

fn alg_and_kid(algorithm: i64, signer_id: SignerId) -> [Vec<u8>; 4] {
    [vec![ALG], write::int(algorithm), vec![KID], write::bytes(signer_id)]
}

fn media_type(document: Document) -> [Vec<u8>; 2] {
    [vec![TYP], write::text(document.media_type())]
}

/// Protected header of a COSE_Sign1.
fn single_protected(document: Document, signer_id: SignerId) -> Vec<u8> {
    [vec![0xa3], alg_and_kid(VerifyingKey::ALGORITHM, signer_id).concat(), media_type(document).concat()].concat()
}

/// Protected header of the body of a COSE_Sign.
fn body_protected(document: Document) -> Vec<u8> {
    [vec![0xa1], media_type(document).concat()].concat()
}

/// Protected header of one signature of a COSE_Sign.
fn signature_protected(algorithm: i64, signer_id: SignerId) -> Vec<u8> {
    [vec![0xa2], alg_and_kid(algorithm, signer_id).concat()].concat()
}

/// Sig_structure of a COSE_Sign1 (RFC 9052 §4.4).
fn single_message(document: Document, protected: &[u8], payload: &[u8], signer_id: SignerId) -> Vec<u8> {
    let aad = external_aad(document, signer_id);
    write::array([write::text("Signature1"), write::bytes(protected), write::bytes(aad), write::bytes(payload)])
}

/// Sig_structure of one signature of a COSE_Sign (RFC 9052 §4.4).
fn dual_message(document: Document, algorithm: i64, protected: &[u8], payload: &[u8], signer_id: SignerId) -> Vec<u8> {
    write::array([
        write::text("Signature"),
        write::bytes(protected),
        write::bytes(signature_protected(algorithm, signer_id)),
        write::bytes(external_aad(document, signer_id)),
        write::bytes(payload),
    ])
}

/// Signs `payload` as `document`. `signer_id` is the ID under which verifiers know the key (for a device its thumbprint).
pub fn sign(document: Document, payload: &[u8], signer: &dyn Signer, signer_id: SignerId) -> Result<Vec<u8>, KeyError> {
    debug_assert!(!document.is_dual(), "a dual document is signed by both keys");
    let protected = single_protected(document, signer_id);
    let signature = signer.sign(&single_message(document, &protected, payload, signer_id))?;
    let body = [TAG_SIGN1, BODY, &write::bytes(&protected), UNPROTECTED].concat();
    Ok([body, write::bytes(payload), write::bytes(signature)].concat())
}

/// Signs `payload` as `document` with both keys.
pub fn sign_dual(
    document: Document,
    payload: &[u8],
    signer: &DualSigningKey,
    signer_id: SignerId,
) -> Result<Vec<u8>, KeyError> {
    debug_assert!(document.is_dual(), "a document with one signature is signed by one key");
    let protected = body_protected(document);
    let message = |algorithm| dual_message(document, algorithm, &protected, payload, signer_id);
    let ed25519 = signer.ed25519().sign(&message(VerifyingKey::ALGORITHM))?;
    let ml_dsa = signer.sign_ml_dsa(&message(DualVerifyingKey::ML_DSA_65))?;
    let signature = |algorithm, bytes: &[u8]| {
        let protected = write::bytes(signature_protected(algorithm, signer_id));
        [SIGNATURE, &protected, UNPROTECTED, &write::bytes(bytes)].concat()
    };
    Ok([
        &[TAG_SIGN, BODY, &write::bytes(&protected), UNPROTECTED].concat(),
        &write::bytes(payload),
        SIGNATURES,
        &signature(VerifyingKey::ALGORITHM, &ed25519),
        &signature(DualVerifyingKey::ML_DSA_65, &ml_dsa),
    ]
    .concat())
}

impl From<BadSignature> for CoseError {
    fn from(_: BadSignature) -> Self {
        Self::BadSignature
    }
}

#[cfg(test)]
mod tests;
