//! Certificates of authorities, service roles and devices, and the chain from a pinned authority down to each.

use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::cose::{self, CoseError, Document, Unverified};
use crate::id::{DeviceId, Digest, ServiceId, SignerId};
use crate::kem::{HpkePublicKey, Suite, device_thumbprint};
use crate::key::{DualSigningKey, DualVerifyingKey, KeyError, KeyKind, Signer, VerifyingKey};

/// Longest certificate accepted, in bytes.
pub const MAX_LEN: usize = 8 * 1024;
const SERVICE_LABEL: &[u8] = b"wmlicense/1 service";
const MAX_APPOINTED: usize = 64;

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

fn hpke_key_item(key: &HpkePublicKey) -> Vec<u8> {
    write::array([write::uint(key.suite() as u64), write::bytes(key.as_bytes())])
}

fn read_hpke_key(raw: &[u8]) -> Option<HpkePublicKey> {
    let [suite, key] = read::tuple(raw)?;
    HpkePublicKey::from_slice(Suite::from_number(read::uint(suite)?)?, read::bytes(key)?).ok()
}

fn read_backup_key(raw: &[u8]) -> Option<BackupKey> {
    let [key, until] = read::tuple(raw)?;
    Some(BackupKey { key: read_hpke_key(key)?, until: read::int(until)? })
}

/// How a device keeps its keys. A claim of the device, not attested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Assurance {
    /// In a file beside the store.
    File = 1,
    /// Sealed by a TPM 2.0.
    Tpm2 = 2,
    /// In a PKCS #11 token.
    Pkcs11 = 3,
}

impl Assurance {
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        [Self::File, Self::Tpm2, Self::Pkcs11].into_iter().find(|level| *level as u64 == number)
    }
}

/// The two public keys of a device.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceKeys {
    /// Signs requests and backup footers.
    pub signing: VerifyingKey,
    /// Licenses and backups are wrapped to it.
    pub hpke: HpkePublicKey,
}

impl DeviceKeys {
    /// One ID over both keys.
    pub fn thumbprint(&self) -> SignerId {
        device_thumbprint(&self.signing, &self.hpke)
    }

    pub(crate) fn write(&self, map: MapWriter, first_field: u64) -> MapWriter {
        map.bytes(first_field, self.signing.as_bytes()).raw(first_field + 1, &hpke_key_item(&self.hpke))
    }

    pub(crate) fn read(fields: &mut Fields<'_>, first_field: u64) -> Result<Self, CborError> {
        Ok(Self {
            signing: fields.required(first_field, |raw| VerifyingKey::from_slice(read::bytes(raw)?).ok())?,
            hpke: fields.required(first_field + 1, read_hpke_key)?,
        })
    }
}

/// What an individualization service says about a device when it certifies it.
pub struct DeviceClaims<'a> {
    /// The individualization service.
    pub issuer: ServiceId,
    /// The device.
    pub device_id: DeviceId,
    /// Its public keys.
    pub keys: &'a DeviceKeys,
    /// Four dotted numbers.
    pub security_version: &'a str,
    /// How the keys are kept.
    pub assurance: Assurance,
    /// First second of validity, UTC.
    pub not_before: i64,
    /// First second after validity, UTC.
    pub not_after: i64,
    /// When it was made, seconds UTC.
    pub issued_at: i64,
}

/// Certificate of one device at one authority.
#[derive(Clone)]
pub struct DeviceCertificate {
    /// The individualization service that signed it.
    pub issuer: ServiceId,
    /// The device.
    pub device_id: DeviceId,
    /// Its public keys.
    pub keys: DeviceKeys,
    /// Four dotted numbers.
    pub security_version: String,
    /// How the keys are kept.
    pub assurance: Assurance,
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

impl DeviceCertificate {
    /// Signs `claims` with an individualization service's key.
    pub fn issue(claims: &DeviceClaims<'_>, signer: &dyn Signer) -> Result<Vec<u8>, KeyError> {
        let map = MapWriter::new()
            .bytes(1, claims.issuer)
            .int(4, claims.not_after)
            .int(5, claims.not_before)
            .int(6, claims.issued_at)
            .bytes(10, claims.device_id);
        let payload =
            claims.keys.write(map, 11).text(13, claims.security_version).uint(14, claims.assurance as u8).finish();
        let signer_id = signer.verifying_key().signer_id(KeyKind::Service);
        cose::sign(Document::DeviceCertificate, &payload, signer, signer_id)
    }

    /// Reads a certificate and verifies it under the individualization service `issuer`. Time is checked by the caller.
    pub fn parse(bytes: &[u8], issuer: &ServiceCertificate) -> Result<Self, CertificateError> {
        if issuer.role != Role::Individualization {
            return Err(CertificateError::WrongRole);
        }
        let document = Unverified::parse(Document::DeviceCertificate, bytes, MAX_LEN)?;
        let payload = document.verify(&issuer.key, issuer.signer_id())?;
        let mut fields = Fields::parse(payload, MAX_LEN)?;
        let certificate = Self {
            issuer: fields.required(1, read::id)?,
            not_after: fields.required(4, read::int)?,
            not_before: fields.required(5, read::int)?,
            issued_at: fields.required(6, read::int)?,
            device_id: fields.required(10, read::id)?,
            keys: DeviceKeys::read(&mut fields, 11)?,
            security_version: fields.required(13, read::text)?,
            assurance: fields.required(14, |raw| Assurance::from_number(read::uint(raw)?))?,
            bytes: bytes.to_vec(),
            hash: Digest::of(bytes),
        };
        fields.finish()?;
        if certificate.issuer != issuer.service_id {
            return Err(CertificateError::WrongIssuer);
        }
        Ok(certificate)
    }

    /// The service whose key has to verify this certificate, read before verification to find its certificate.
    pub fn unverified_signer(bytes: &[u8]) -> Result<SignerId, CertificateError> {
        Ok(Unverified::parse(Document::DeviceCertificate, bytes, MAX_LEN)?.signer_id())
    }

    /// The device's thumbprint.
    pub fn thumbprint(&self) -> SignerId {
        self.keys.thumbprint()
    }
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

    /// The newest certificate of a service in a role.
    pub fn by_service(&self, id: ServiceId, role: Role) -> Option<&ServiceCertificate> {
        self.services
            .iter()
            .filter(|service| service.service_id == id && service.role == role)
            .max_by_key(|service| service.issued_at)
    }

    /// Verifies a device certificate under whichever known individualization service signed it.
    pub fn device(&self, bytes: &[u8]) -> Result<DeviceCertificate, CertificateError> {
        let signer = DeviceCertificate::unverified_signer(bytes)?;
        let issuer = self.by_signer(signer, Role::Individualization).ok_or(CertificateError::WrongIssuer)?;
        DeviceCertificate::parse(bytes, issuer)
    }
}
