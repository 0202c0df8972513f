//! Certificates of authorities, service roles and devices, and the chain from a pinned authority down to each.

use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::cose::{self, CoseError, Document, Unverified};
use crate::id::{Digest, ServiceId, SignerId};
use crate::kem::{HpkePublicKey, Suite};
use crate::key::{DualSigningKey, DualVerifyingKey, KeyError, KeyKind};

mod device;
mod service;

pub use device::{Assurance, DeviceCertificate, DeviceClaims, DeviceKeys};
pub use service::{BackupKey, Role, ServiceCertificate, ServiceClaims, service_id};

/// Longest certificate accepted, in bytes.
pub const MAX_LEN: usize = 8 * 1024;

/// A certificate is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a well-formed, correctly signed document.
    #[error("certificate: {0}")]
    Signature(#[from] CoseError),
    /// The content of the document is malformed.
    #[error("certificate: {0}")]
    Content(#[from] CborError),
    /// A key in it is not valid.
    #[error("certificate: {0}")]
    Key(#[from] KeyError),
    /// The authority is none of those the client trusts.
    #[error("the authority is not one that is trusted here")]
    NotTrusted,
    /// Issued by somebody else than the issuer given, or for a service ID that is not its own.
    #[error("the certificate belongs to another issuer or service")]
    WrongIssuer,
    /// Not valid at the time in question.
    #[error("the certificate is not valid at that time")]
    NotValid,
    /// The certificate is for another role.
    #[error("the certificate is for another role")]
    WrongRole,
}

/// Self-signed root of one content owner. Clients pin its SHA-256.
#[derive(Clone)]
pub struct AuthorityCertificate {
    /// Name for people.
    pub name: String,
    /// Seconds UTC.
    pub issued_at: i64,
    /// Both keys.
    pub key: DualVerifyingKey,
    /// The signed document.
    pub bytes: Vec<u8>,
    /// SHA-256 of the signed document: what clients pin.
    pub hash: Digest,
}

impl AuthorityCertificate {
    /// Makes the certificate of `key`.
    pub fn issue(name: &str, issued_at: i64, key: &DualSigningKey) -> Result<Vec<u8>, KeyError> {
        let public = key.verifying_key();
        let payload = MapWriter::new()
            .text(2, name)
            .int(6, issued_at)
            .bytes(10, public.ed25519().as_bytes())
            .bytes(11, public.ml_dsa())
            .finish();
        cose::sign_dual(Document::AuthorityCertificate, &payload, key, public.signer_id(KeyKind::Authority))
    }

    /// Reads a certificate and checks that it is signed by its own keys. That gives no trust: compare [`Self::hash`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CertificateError> {
        let document = Unverified::parse(Document::AuthorityCertificate, bytes, MAX_LEN)?;
        let mut fields = Fields::parse(document.unverified_payload(), MAX_LEN)?;
        let name = fields.required(2, read::text)?;
        let issued_at = fields.required(6, read::int)?;
        let key = DualVerifyingKey::from_slices(fields.required(10, read::bytes)?, fields.required(11, read::bytes)?)?;
        fields.finish()?;
        document.verify_dual(&key, key.signer_id(KeyKind::Authority))?;
        Ok(Self { name, issued_at, key, hash: Digest::of(bytes), bytes: bytes.to_vec() })
    }

    /// Reads a certificate whose SHA-256 is one of `pins`.
    pub fn parse_pinned(bytes: &[u8], pins: &[Digest]) -> Result<Self, CertificateError> {
        if !pins.contains(&Digest::of(bytes)) {
            return Err(CertificateError::NotTrusted);
        }
        Self::parse(bytes)
    }

    /// ID under which the authority signs.
    pub fn signer_id(&self) -> SignerId {
        self.key.signer_id(KeyKind::Authority)
    }
}

fn hpke_key_item(key: &HpkePublicKey) -> Vec<u8> {
    write::array([write::uint(key.suite() as u64), write::bytes(key.as_bytes())])
}

fn read_hpke_key(raw: &[u8]) -> Option<HpkePublicKey> {
    let [suite, key] = read::tuple(raw)?;
    HpkePublicKey::from_slice(Suite::from_number(read::uint(suite)?)?, read::bytes(key)?).ok()
}

/// An authority and the service certificates known under it.
#[derive(Clone)]
pub struct Directory {
    /// The pinned authority.
    pub authority: AuthorityCertificate,
    services: Vec<ServiceCertificate>,
}

impl Directory {
    /// A directory with no services yet.
    pub fn new(authority: AuthorityCertificate) -> Self {
        Self { authority, services: Vec::new() }
    }

    /// Verifies a service certificate and adds it, unless it is there. Gives its SHA-256.
    pub fn add(&mut self, bytes: &[u8]) -> Result<Digest, CertificateError> {
        let hash = Digest::of(bytes);
        if !self.services.iter().any(|known| known.hash == hash) {
            self.services.push(ServiceCertificate::parse(bytes, &self.authority)?);
        }
        Ok(hash)
    }

    /// All certificates.
    pub fn services(&self) -> &[ServiceCertificate] {
        &self.services
    }

    /// The certificate of the key with this signer ID and role. Two roles may share neither key nor certificate.
    pub fn by_signer(&self, signer: SignerId, role: Role) -> Option<&ServiceCertificate> {
        self.services.iter().find(|service| service.role == role && service.signer_id() == signer)
    }

    /// The newest certificate of the key with this signer ID and role that is valid at `time` (seconds UTC). A certificate
    /// that was renewed for the same key stands beside the one before.
    pub fn by_signer_at(&self, signer: SignerId, role: Role, time: i64) -> Option<&ServiceCertificate> {
        self.services
            .iter()
            .filter(|service| service.role == role && service.signer_id() == signer)
            .filter(|service| service.check_valid_at(time).is_ok())
            .max_by_key(|service| service.issued_at)
    }

    /// The newest certificate of a service in a role.
    pub fn by_service(&self, id: ServiceId, role: Role) -> Option<&ServiceCertificate> {
        self.services
            .iter()
            .filter(|service| service.service_id == id && service.role == role)
            .max_by_key(|service| service.issued_at)
    }

    /// The newest certificate of a service in a role among those that count at `time`, seconds UTC.
    pub(crate) fn by_service_at(&self, id: ServiceId, role: Role, time: i64) -> Option<&ServiceCertificate> {
        self.services
            .iter()
            .filter(|service| service.service_id == id && service.role == role)
            .filter(|service| service.check_valid_at(time).is_ok())
            .max_by_key(|service| service.issued_at)
    }

    /// Verifies a device certificate under whichever known individualization service signed it.
    pub fn device(&self, bytes: &[u8]) -> Result<DeviceCertificate, CertificateError> {
        let signer = DeviceCertificate::unverified_signer(bytes)?;
        let issuer = self.by_signer(signer, Role::Individualization).ok_or(CertificateError::WrongIssuer)?;
        DeviceCertificate::parse(bytes, issuer)
    }
}
