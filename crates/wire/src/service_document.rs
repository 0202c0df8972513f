//! What a service says about itself: roles, certificates, URLs, limits; and the time it signs over a nonce.

use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::certificate::{self, AuthorityCertificate, CertificateError, Directory, Role};
use crate::cose::{self, CoseError, Document, Unverified};
use crate::id::{Digest, SignerId};
use crate::key::{KeyError, KeyKind, Signer};

/// Longest service document accepted, in bytes.
pub const MAX_LEN: usize = 64 * 1024;
/// Longest signed time accepted, in bytes.
pub const MAX_TIME_LEN: usize = 512;
const MAX_CERTIFICATES: usize = 8;
const MAX_ENTRIES: usize = 32;

/// A service document or signed time is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceDocumentError {
    /// Not a well-formed, correctly signed document.
    #[error("service document: {0}")]
    Signature(#[from] CoseError),
    /// The content is malformed.
    #[error("service document: {0}")]
    Content(#[from] CborError),
    /// A certificate in it is not acceptable.
    #[error("service document: {0}")]
    Certificate(#[from] CertificateError),
    /// Signed by a key that none of its certificates names.
    #[error("service document: signed by a key that it does not certify")]
    UnknownSigner,
    /// The time answers another nonce.
    #[error("signed time: another nonce")]
    WrongNonce,
}

/// What a service is and where.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceDocument {
    /// First second after validity, UTC.
    pub expires_at: i64,
    /// Seconds UTC; an older document than the one known is ignored.
    pub issued_at: i64,
    /// The authority's certificate.
    pub authority: Vec<u8>,
    /// Certificates of the services, one a role.
    pub certificates: Vec<Vec<u8>>,
    /// URLs by name: `individualize`, `licenses`, `restores`, `restores/preview`, `time`, `support`, …
    pub urls: Vec<(String, String)>,
    /// Numbers by name: `restoreDevices`, …
    pub limits: Vec<(String, u64)>,
    /// Privacy statement.
    pub privacy_url: Option<String>,
    /// Least versions by name.
    pub minimum_versions: Vec<(String, String)>,
    /// Keys that revoke licenses of its issuer.
    pub revocation_keys: Vec<SignerId>,
}

impl ServiceDocument {
    /// Signs the document with the key of one of its services.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, KeyError> {
        let texts = |entries: &[(String, String)]| {
            write::text_map(entries.iter().map(|(name, text)| (name.as_str(), write::text(text))))
        };
        let revocation_keys = Some(&self.revocation_keys).filter(|keys| !keys.is_empty());
        let payload = MapWriter::new()
            .int(4, self.expires_at)
            .int(6, self.issued_at)
            .bytes(10, &self.authority)
            .raw(11, &write::array(self.certificates.iter().map(write::bytes)))
            .raw(12, &texts(&self.urls))
            .raw(13, &write::text_map(self.limits.iter().map(|(name, number)| (name.as_str(), write::uint(*number)))))
            .optional(14, self.privacy_url.as_deref(), MapWriter::text)
            .raw(15, &texts(&self.minimum_versions))
            .optional(64, revocation_keys, |map, field, keys| {
                map.raw(field, &write::array(keys.iter().map(write::bytes)))
            })
            .finish();
        let signer_id = signer.verifying_key().signer_id(KeyKind::Service);
        cose::sign(Document::ServiceDocument, &payload, signer, signer_id)
    }

    /// Reads a document under one of the pinned authorities: the document and its verified certificates.
    /// The authority is checked first, then the certificates, then the document's own signature; time is the caller's.
    pub fn parse(bytes: &[u8], pins: &[Digest]) -> Result<(Self, Directory), ServiceDocumentError> {
        let document = Unverified::parse(Document::ServiceDocument, bytes, MAX_LEN)?;
        let content = Self::decode(document.unverified_payload())?;
        let mut directory = Directory::new(AuthorityCertificate::parse_pinned(&content.authority, pins)?);
        for certificate in &content.certificates {
            directory.add(certificate)?;
        }
        let signer = document.signer_id();
        let key = Role::ALL
            .into_iter()
            .find_map(|role| directory.by_signer(signer, role))
            .ok_or(ServiceDocumentError::UnknownSigner)?
            .key;
        document.verify(&key, signer)?;
        Ok((content, directory))
    }

    fn decode(payload: &[u8]) -> Result<Self, CborError> {
        let bytes = |raw| read::bytes_up_to(certificate::MAX_LEN)(raw).map(<[u8]>::to_vec);
        let mut fields = Fields::parse(payload, MAX_LEN)?;
        let document = Self {
            expires_at: fields.required(4, read::int)?,
            issued_at: fields.required(6, read::int)?,
            authority: fields.required(10, bytes)?,
            certificates: fields.required(11, read::array(MAX_CERTIFICATES, bytes))?,
            urls: fields.required(12, read::text_map(MAX_ENTRIES, read::text))?,
            limits: fields.required(13, read::text_map(MAX_ENTRIES, read::uint))?,
            privacy_url: fields.optional(14, read::text)?,
            minimum_versions: fields.required(15, read::text_map(MAX_ENTRIES, read::text))?,
            revocation_keys: fields.optional(64, read::array(MAX_ENTRIES, read::id))?.unwrap_or_default(),
        };
        fields.finish()?;
        Ok(document)
    }

    /// A URL by name.
    pub fn url(&self, name: &str) -> Option<&str> {
        self.urls.iter().find(|(known, _)| known == name).map(|(_, url)| url.as_str())
    }
}

/// Signs the time over a client's nonce of 16 to 32 bytes.
pub fn sign_time(time: i64, nonce: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, KeyError> {
    let payload = MapWriter::new().int(6, time).bytes(10, nonce).finish();
    cose::sign(Document::SignedTime, &payload, signer, signer.verifying_key().signer_id(KeyKind::Service))
}

/// Reads a signed time over `nonce`: seconds UTC and who signed it.
pub fn verify_time(bytes: &[u8], nonce: &[u8], directory: &Directory) -> Result<(i64, SignerId), ServiceDocumentError> {
    let document = Unverified::parse(Document::SignedTime, bytes, MAX_TIME_LEN)?;
    let signer = document.signer_id();
    let service = Role::ALL
        .into_iter()
        .find_map(|role| directory.by_signer(signer, role))
        .ok_or(ServiceDocumentError::UnknownSigner)?;
    let mut fields = Fields::parse(document.verify(&service.key, signer)?, MAX_TIME_LEN)?;
    let time = fields.required(6, read::int)?;
    let over = fields.required(10, read::bytes)?;
    fields.finish()?;
    if over == nonce { Ok((time, signer)) } else { Err(ServiceDocumentError::WrongNonce) }
}
