//! A content owner for tests: an authority, its services, and the answers they give, all made with the wire crate.
//! Nothing here knows the client, a store or a network.

use crate::policy::policy;
use wmlicense_wire::answer::{Answer, Beside, Envelope, Expected, Grant, OpenedLicense, seal};
use wmlicense_wire::certificate::{
    Assurance, AuthorityCertificate, BackupKey, DeviceClaims, DeviceKeys, Directory, Role, ServiceCertificate,
    ServiceClaims, service_id,
};
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid, ServiceId, SignerId, TransactionId};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{DualSigningKey, Signer as _, SigningKey};
use wmlicense_wire::license::InnerKey;
use wmlicense_wire::policy::{BackupRight, Conditions, LicenseKind, Policy};
use zeroize::Zeroizing;

/// The time at which every test world begins, seconds UTC.
pub const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

/// A service of the owner in one role.
pub struct CertifiedService {
    pub key: SigningKey,
    pub id: ServiceId,
    pub certificate: ServiceCertificate,
}

impl CertifiedService {
    pub fn signer_id(&self) -> SignerId {
        self.certificate.signer_id()
    }
}

/// The private keys of an owner: of the authority, and of the service in each role.
pub struct OwnerKeys {
    pub authority: DualSigningKey,
    pub individualization: SigningKey,
    pub issuer: SigningKey,
    pub management: SigningKey,
}

impl OwnerKeys {
    pub fn generate() -> Self {
        let service = || SigningKey::generate().unwrap();
        let authority = DualSigningKey::generate().unwrap();
        Self { authority, individualization: service(), issuer: service(), management: service() }
    }
}

/// The claims of a service whose name is that of its role, valid from the day before `now` on for 400 days.
pub fn service_claims(key: &SigningKey, role: Role, now: i64) -> ServiceClaims<'static> {
    ServiceClaims {
        name: role.name(),
        role,
        key: *key.verifying_key(),
        backup_key: None,
        appoints: &[],
        not_before: now - DAY,
        not_after: now + 400 * DAY,
        issued_at: now - DAY,
    }
}

/// A content owner: authority, individualization, issuer and management, the issuer appointing the management service.
pub struct World {
    pub authority_key: DualSigningKey,
    pub authority: AuthorityCertificate,
    pub individualization: CertifiedService,
    pub issuer: CertifiedService,
    pub management: CertifiedService,
    /// Opens the service tickets of backups.
    pub backup_key: HpkePrivateKey,
    pub directory: Directory,
}

impl World {
    /// A world that begins at [`NOW`].
    pub fn new() -> Self {
        Self::at(NOW)
    }

    /// A world that begins at another time.
    pub fn at(now: i64) -> Self {
        let keys = OwnerKeys::generate();
        let bytes = AuthorityCertificate::issue("Test Owner", now - DAY, &keys.authority).unwrap();
        Self::of(keys, AuthorityCertificate::parse(&bytes).unwrap(), now)
    }

    /// The world of an owner with these keys, whose authority has this certificate.
    pub fn of(keys: OwnerKeys, authority: AuthorityCertificate, now: i64) -> Self {
        let OwnerKeys { authority: authority_key, individualization, issuer, management } = keys;
        let backup_key = HpkePrivateKey::generate(Suite::XWing).unwrap();
        let certified = BackupKey { key: backup_key.public_key().clone(), until: now + 3650 * DAY };
        let service = |key: SigningKey, role: Role, backup_key: Option<&BackupKey>, appoints: &[ServiceId]| {
            let claims = ServiceClaims { backup_key, appoints, ..service_claims(&key, role, now) };
            let bytes = ServiceCertificate::issue(&claims, authority.hash, &authority_key).unwrap();
            let certificate = ServiceCertificate::parse(&bytes, &authority).unwrap();
            CertifiedService { key, id: certificate.service_id, certificate }
        };
        let individualization = service(individualization, Role::Individualization, None, &[]);
        let issuer = service(issuer, Role::Issuer, None, &[service_id(authority.hash, Role::Management.name())]);
        let management = service(management, Role::Management, Some(&certified), &[]);
        let mut directory = Directory::new(authority.clone());
        for service in [&individualization, &issuer, &management] {
            directory.add(&service.certificate.bytes).unwrap();
        }
        Self { authority_key, authority, individualization, issuer, management, backup_key, directory }
    }

    /// SHA-256 of the authority certificate: what a client pins.
    pub fn pin(&self) -> Digest {
        self.authority.hash
    }

    /// A device certificate for these keys, valid for a year.
    pub fn certify(&self, device_id: DeviceId, keys: &DeviceKeys) -> Vec<u8> {
        self.certify_at(device_id, keys, NOW)
    }

    /// As [`Self::certify`], made at `issued_at`.
    pub fn certify_at(&self, device_id: DeviceId, keys: &DeviceKeys, issued_at: i64) -> Vec<u8> {
        let claims = DeviceClaims {
            issuer: self.individualization.id,
            device_id,
            keys,
            security_version: "1.0.0.0",
            assurance: Assurance::File,
            not_before: issued_at - DAY,
            not_after: issued_at + 365 * DAY,
            issued_at,
        };
        wmlicense_wire::certificate::DeviceCertificate::issue(&claims, &self.individualization.key).unwrap()
    }

    /// A content license's terms: `Play` without conditions, stateless backup, this world's management service.
    pub fn policy(&self, kid: Kid) -> Policy {
        Policy {
            lid: Lid::random().unwrap(),
            kid,
            issuer: self.issuer.id,
            backup: BackupRight::Stateless,
            restore_limit: Some(4),
            management: Some(self.management.id),
            first_issued: NOW,
            ..policy(&[("Play", Conditions::default())])
        }
    }

    /// As [`Self::policy`], with these conditions on `Play`.
    pub fn policy_with(&self, kid: Kid, conditions: Conditions) -> Policy {
        Policy { actions: vec![("Play".into(), conditions)], ..self.policy(kid) }
    }

    /// An answer of `service` with these licenses, made at [`NOW`]: the bytes as they travel.
    pub fn answer(&self, service: &CertifiedService, to: &Asked<'_>, grants: &[Grant]) -> Vec<u8> {
        self.answer_at(service, to, grants, NOW)
    }

    /// As [`Self::answer`], made at `issued_at`.
    pub fn answer_at(&self, service: &CertifiedService, to: &Asked<'_>, grants: &[Grant], issued_at: i64) -> Vec<u8> {
        let answer = Answer::to(to.transaction, 0, to.request_hash, to.keys.thumbprint(), issued_at);
        seal(answer, to.device_id, to.keys, grants, None, &Beside::default(), &service.key).unwrap()
    }

    /// Verifies and opens an answer as a client does: its signed part and its licenses.
    pub fn open(
        &self,
        role: Role,
        to: &Asked<'_>,
        hpke: &HpkePrivateKey,
        bytes: &[u8],
    ) -> (Vec<u8>, Vec<OpenedLicense>) {
        let envelope = Envelope::parse(bytes).unwrap();
        let licenses = {
            let verified = envelope.verify(&to.expected(role), &self.directory).unwrap();
            verified.open_licenses(hpke, to.device_id, &self.directory).unwrap()
        };
        (envelope.signed, licenses)
    }
}

/// The device and request that an answer belongs to.
pub struct Asked<'a> {
    pub transaction: TransactionId,
    pub request_hash: Digest,
    pub device_id: DeviceId,
    pub keys: &'a DeviceKeys,
}

impl<'a> Asked<'a> {
    /// A transaction with random names.
    pub fn by(device_id: DeviceId, keys: &'a DeviceKeys) -> Self {
        Self { transaction: TransactionId::random().unwrap(), request_hash: Digest::random().unwrap(), device_id, keys }
    }

    /// What a client that sent this request demands of the answer.
    pub fn expected(&self, role: Role) -> Expected {
        Expected {
            role,
            transaction: self.transaction,
            page: 0,
            request_hash: self.request_hash,
            thumbprint: self.keys.thumbprint(),
            floor: 0,
        }
    }
}

/// The device's keys outside any store.
pub struct TestDevice {
    pub device_id: DeviceId,
    pub signing: SigningKey,
    pub hpke: HpkePrivateKey,
    pub keys: DeviceKeys,
}

impl TestDevice {
    pub fn new() -> Self {
        let signing = SigningKey::generate().unwrap();
        let hpke = HpkePrivateKey::generate(Suite::XWing).unwrap();
        let keys = DeviceKeys { signing: *signing.verifying_key(), hpke: hpke.public_key().clone() };
        Self { device_id: DeviceId::random().unwrap(), signing, hpke, keys }
    }
    pub fn thumbprint(&self) -> SignerId {
        self.keys.thumbprint()
    }
}

/// A grant of a content key.
pub fn grant(policy: &Policy, key: [u8; 16]) -> Grant {
    let key = InnerKey::new(LicenseKind::Content, Zeroizing::new(key.to_vec())).unwrap();
    Grant { policy: policy.encode(), key, state: None }
}

/// A key ID with this number.
pub fn kid(number: u64) -> Kid {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Kid::new(bytes)
}

/// The content key that tests give to a key ID.
pub fn content_key(kid: Kid) -> [u8; 16] {
    kid.as_bytes().map(|byte| byte ^ 0x5a)
}
