//! Certificates of devices.

use super::{CertificateError, MAX_LEN, Role, ServiceCertificate, hpke_key_item, read_hpke_key};
use crate::cbor::{CborError, Fields, MapWriter, read};
use crate::cose::{self, Document, Unverified};
use crate::id::{DeviceId, Digest, ServiceId, SignerId};
use crate::kem::{HpkePublicKey, device_thumbprint};
use crate::key::{KeyError, KeyKind, Signer, VerifyingKey};

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
    pub(crate) fn unverified_signer(bytes: &[u8]) -> Result<SignerId, CertificateError> {
        Ok(Unverified::parse(Document::DeviceCertificate, bytes, MAX_LEN)?.signer_id())
    }

    /// The device's thumbprint.
    pub fn thumbprint(&self) -> SignerId {
        self.keys.thumbprint()
    }
}
