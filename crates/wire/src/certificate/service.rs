//! Certificates of service roles.

use super::{AuthorityCertificate, CertificateError, MAX_LEN, hpke_key_item, read_hpke_key};
use crate::cbor::{Fields, MapWriter, read, write};
use crate::cose::{self, Document, Unverified};
use crate::id::{Digest, ServiceId, SignerId};
use crate::kem::HpkePublicKey;
use crate::key::{DualSigningKey, KeyError, KeyKind, VerifyingKey};

const SERVICE_LABEL: &[u8] = b"wmlicense/1 service";
const MAX_APPOINTED: usize = 64;

/// What a service may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Certifies devices.
    Individualization = 1,
    /// Issues licenses.
    Issuer = 2,
    /// Re-binds licenses at restore and counts restores.
    Management = 3,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Individualization, Self::Issuer, Self::Management];

    fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|role| *role as u64 == number)
    }

    /// Name in commands and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Individualization => "individualization",
            Self::Issuer => "issuer",
            Self::Management => "management",
        }
    }
}

/// First 16 bytes of SHA-256(`wmlicense/1 service` ‖ 00 ‖ authority certificate hash ‖ name): nobody outside that
/// authority can certify the same ID.
pub fn service_id(authority: Digest, name: &str) -> ServiceId {
    let digest = Digest::of_parts(&[SERVICE_LABEL, &[0], authority.as_bytes(), name.as_bytes()]);
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_bytes()[..16]);
    ServiceId::new(id)
}

/// HPKE key of a management service, to which backups are sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct BackupKey {
    /// The key.
    pub key: HpkePublicKey,
    /// The service keeps the private key at least until then. Seconds UTC.
    pub until: i64,
}

/// What an authority says about a service when it certifies it.
pub struct ServiceClaims<'a> {
    /// Name that the service ID is derived from.
    pub name: &'a str,
    /// The one role of this certificate.
    pub role: Role,
    /// Key that signs answers.
    pub key: VerifyingKey,
    /// Key that opens backups; management only.
    pub backup_key: Option<&'a BackupKey>,
    /// Management services that may re-bind this issuer's licenses.
    pub appoints: &'a [ServiceId],
    /// First second of validity, UTC.
    pub not_before: i64,
    /// First second after validity, UTC.
    pub not_after: i64,
    /// When it was made, seconds UTC.
    pub issued_at: i64,
}

/// Certificate of one service role.
#[derive(Clone)]
pub struct ServiceCertificate {
    /// SHA-256 of the authority's certificate.
    pub authority: Digest,
    /// Name for people and for the service ID.
    pub name: String,
    /// Derived from authority and name.
    pub service_id: ServiceId,
    /// The one role.
    pub role: Role,
    /// Key that signs answers.
    pub key: VerifyingKey,
    /// Key that opens backups.
    pub backup_key: Option<BackupKey>,
    /// Management services appointed by this issuer.
    pub appoints: Vec<ServiceId>,
    /// First second of validity, UTC.
    pub not_before: i64,
    /// First second after validity, UTC.
    pub not_after: i64,
    /// When it was made, seconds UTC.
    pub issued_at: i64,
    /// The signed document.
    pub bytes: Vec<u8>,
    /// SHA-256 of the signed document.
    pub hash: Digest,
}

impl ServiceCertificate {
    /// Signs `claims` for a service under the authority whose certificate hashes to `authority`.
    pub fn issue(claims: &ServiceClaims<'_>, authority: Digest, key: &DualSigningKey) -> Result<Vec<u8>, KeyError> {
        let payload = MapWriter::new()
            .bytes(1, authority)
            .text(2, claims.name)
            .int(4, claims.not_after)
            .int(5, claims.not_before)
            .int(6, claims.issued_at)
            .bytes(10, service_id(authority, claims.name))
            .uint(11, claims.role as u8)
            .bytes(12, claims.key.as_bytes())
            .optional(13, claims.backup_key, |map, field, backup| {
                let key = [hpke_key_item(&backup.key), write::int(backup.until)];
                map.raw(field, &write::array(key))
            })
            .raw(14, &write::array(claims.appoints.iter().map(write::bytes)))
            .finish();
        let signer_id = key.verifying_key().signer_id(KeyKind::Authority);
        cose::sign_dual(Document::ServiceCertificate, &payload, key, signer_id)
    }

    /// Reads a certificate and verifies it under `authority`. Time is checked by [`Self::check_valid_at`].
    pub fn parse(bytes: &[u8], authority: &AuthorityCertificate) -> Result<Self, CertificateError> {
        let document = Unverified::parse(Document::ServiceCertificate, bytes, MAX_LEN)?;
        let payload = document.verify_dual(&authority.key, authority.signer_id())?;
        let mut fields = Fields::parse(payload, MAX_LEN)?;
        let certificate = Self {
            authority: fields.required(1, read::id)?,
            name: fields.required(2, read::text)?,
            not_after: fields.required(4, read::int)?,
            not_before: fields.required(5, read::int)?,
            issued_at: fields.required(6, read::int)?,
            service_id: fields.required(10, read::id)?,
            role: fields.required(11, |raw| Role::from_number(read::uint(raw)?))?,
            key: VerifyingKey::from_slice(fields.required(12, read::bytes)?)?,
            backup_key: fields.optional(13, read_backup_key)?,
            appoints: fields.required(14, read::array(MAX_APPOINTED, read::id))?,
            bytes: bytes.to_vec(),
            hash: Digest::of(bytes),
        };
        fields.finish()?;
        let own_id = service_id(authority.hash, &certificate.name);
        if certificate.authority != authority.hash || certificate.service_id != own_id {
            return Err(CertificateError::WrongIssuer);
        }
        Ok(certificate)
    }

    /// ID under which this service signs.
    pub fn signer_id(&self) -> SignerId {
        self.key.signer_id(KeyKind::Service)
    }

    /// Refuses a certificate outside its validity at `time` (seconds UTC).
    pub fn check_valid_at(&self, time: i64) -> Result<(), CertificateError> {
        if (self.not_before..self.not_after).contains(&time) { Ok(()) } else { Err(CertificateError::NotValid) }
    }
}

fn read_backup_key(raw: &[u8]) -> Option<BackupKey> {
    let [key, until] = read::tuple(raw)?;
    Some(BackupKey { key: read_hpke_key(key)?, until: read::int(until)? })
}
