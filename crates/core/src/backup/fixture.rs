//! An authority with its services, a device, and signed batches: what tests of backup and restore are made of.
#![allow(clippy::unwrap_used)]

use super::writer::{BackupWriter, Maker, WriteError};
use crate::device::DeviceIdentity;
use std::fs::File;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::{Answer, Beside, Envelope, Expected, Grant, OpenedLicense, seal};
use wmlicense_wire::backup::{DeviceTicket, Header, Item, SectionHeader, SectionKeys, ServiceTicket, Ticket};
use wmlicense_wire::certificate::{
    Assurance, AuthorityCertificate, BackupKey, DeviceCertificate, DeviceClaims, DeviceKeys, Directory, Role,
    ServiceCertificate, ServiceClaims, service_id,
};
use wmlicense_wire::id::{BackupId, DeviceId, Digest, Kid, Lid, ServiceId, StoreId, TransactionId};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{DualSigningKey, Signer as _, SigningKey};
use wmlicense_wire::license::{InnerKey, State};
use wmlicense_wire::policy::{BackupRight, Conditions, LicenseKind, Policy};
use zeroize::Zeroizing;

/// The time at which everything here happens.
pub(crate) const NOW: i64 = 1_800_000_000;
/// The store that everything here is made of.
pub(crate) const STORE: StoreId = StoreId::new([0x53; 16]);

/// One content owner with one service in each role.
pub(crate) struct Authority {
    pub(crate) directory: Directory,
    pub(crate) individualization: SigningKey,
    pub(crate) issuer: SigningKey,
    pub(crate) management: SigningKey,
    pub(crate) management_hpke: HpkePrivateKey,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let root = DualSigningKey::generate().unwrap();
        let certificate = AuthorityCertificate::parse(&AuthorityCertificate::issue(name, NOW, &root).unwrap()).unwrap();
        let hash = certificate.hash;
        let mut authority = Self {
            directory: Directory::new(certificate),
            individualization: SigningKey::generate().unwrap(),
            issuer: SigningKey::generate().unwrap(),
            management: SigningKey::generate().unwrap(),
            management_hpke: HpkePrivateKey::generate(Suite::XWing).unwrap(),
        };
        let backup_key = BackupKey { key: authority.management_hpke.public_key().clone(), until: NOW + 1_000_000 };
        let management = service_id(hash, Role::Management.name());
        for role in Role::ALL {
            let claims = ServiceClaims {
                name: role.name(),
                role,
                key: *authority.key(role).verifying_key(),
                backup_key: (role == Role::Management).then_some(&backup_key),
                appoints: if role == Role::Issuer { &[management] } else { &[] },
                not_before: NOW - 1000,
                not_after: NOW + 1000,
                issued_at: NOW,
            };
            authority.directory.add(&ServiceCertificate::issue(&claims, hash, &root).unwrap()).unwrap();
        }
        authority
    }

    pub(crate) fn key(&self, role: Role) -> &SigningKey {
        match role {
            Role::Individualization => &self.individualization,
            Role::Issuer => &self.issuer,
            Role::Management => &self.management,
        }
    }

    pub(crate) fn hash(&self) -> Digest {
        self.directory.authority.hash
    }

    pub(crate) fn service(&self, role: Role) -> ServiceId {
        service_id(self.hash(), role.name())
    }

    /// Certifies a device.
    pub(crate) fn certify(&self, keys: &DeviceKeys, device_id: DeviceId) -> DeviceCertificate {
        let claims = DeviceClaims {
            issuer: self.service(Role::Individualization),
            device_id,
            keys,
            security_version: "2.4.0.0",
            assurance: Assurance::File,
            not_before: NOW,
            not_after: NOW + 1000,
            issued_at: NOW,
        };
        let bytes = DeviceCertificate::issue(&claims, &self.individualization).unwrap();
        self.directory.device(&bytes).unwrap()
    }

    /// Terms of the license numbered `number`: playing, stateless, with backup.
    pub(crate) fn policy(&self, number: u32) -> Policy {
        let mut id = [0; 16];
        id[12..].copy_from_slice(&number.to_be_bytes());
        Policy {
            lid: Lid::new(id),
            kid: Kid::new(id),
            issuer: self.service(Role::Issuer),
            kind: LicenseKind::Content,
            actions: vec![("Play".into(), Conditions::default())],
            backup: BackupRight::Stateless,
            restore_limit: None,
            management: Some(self.service(Role::Management)),
            root_kid: None,
            priority: 0,
            title: None,
            revocation_key: None,
            user: None,
            first_issued: NOW,
            replaces: None,
            minimum_status: None,
            content_id: None,
            custom: Vec::new(),
        }
    }

    /// A signed batch of these terms for a device, and its opened licenses. The key of each is its KID.
    pub(crate) fn batch(&self, device: &Device, policies: &[Policy]) -> (Vec<u8>, Vec<OpenedLicense>) {
        let thumbprint = device.identity.keys.thumbprint();
        let transaction = TransactionId::random().unwrap();
        let request_hash = Digest::of(b"request");
        let answer = Answer::to(transaction, 0, request_hash, thumbprint, NOW);
        let grants: Vec<Grant> = policies.iter().map(grant).collect();
        let id = device.certificate.device_id;
        let bytes = seal(answer, id, &device.identity.keys, &grants, None, &Beside::default(), &self.issuer).unwrap();
        let envelope = Envelope::parse(&bytes).unwrap();
        let expected = Expected { role: Role::Issuer, transaction, page: 0, request_hash, thumbprint, floor: NOW };
        let opened = envelope
            .verify(&expected, &self.directory)
            .unwrap()
            .open_licenses(&device.identity.hpke, id, &self.directory)
            .unwrap();
        (envelope.signed, opened)
    }
}

fn grant(policy: &Policy) -> Grant {
    let key = Zeroizing::new(policy.kid.as_bytes().to_vec());
    Grant { policy: policy.encode(), key: InnerKey::new(LicenseKind::Content, key).unwrap(), state: None }
}

/// A device certified by one authority.
pub(crate) struct Device {
    pub(crate) identity: DeviceIdentity,
    pub(crate) certificate: DeviceCertificate,
}

impl Device {
    pub(crate) fn new(authority: &Authority) -> Self {
        let signing = SigningKey::generate().unwrap();
        let hpke = HpkePrivateKey::generate(Suite::XWing).unwrap();
        let keys = DeviceKeys { signing: *signing.verifying_key(), hpke: hpke.public_key().clone() };
        let certificate = authority.certify(&keys, DeviceId::random().unwrap());
        Self { identity: DeviceIdentity { signing, hpke, keys }, certificate }
    }

    pub(crate) fn maker(&self) -> Maker<'_> {
        Maker {
            signer: &self.identity.signing,
            thumbprint: self.identity.keys.thumbprint(),
            store_id: STORE,
            created_at: NOW,
        }
    }
}

/// Fresh keys of a section and its tickets.
pub(crate) fn tickets(
    authority: &Authority,
    device: &Device,
    backup_id: BackupId,
    section: u32,
) -> (SectionKeys, SectionHeader) {
    let kept = SectionKeys::random().unwrap();
    let copy = |key: &SecretKey| SecretKey::from_slice(key.as_bytes()).unwrap();
    let copies = || SectionKeys { meta: copy(&kept.meta), content: copy(&kept.content) };
    let own = DeviceTicket { keys: copies(), store_id: STORE };
    let service = ServiceTicket {
        keys: copies(),
        device_id: device.certificate.device_id,
        thumbprint: device.identity.keys.thumbprint(),
        user: None,
        created_at: NOW,
    };
    let backup_key = authority
        .directory
        .by_service(authority.service(Role::Management), Role::Management)
        .and_then(|certificate| certificate.backup_key.as_ref())
        .unwrap();
    let header = SectionHeader {
        device: Ticket::for_device(&device.identity.keys, backup_id, section, &own).unwrap(),
        service: Some(Ticket::for_service(backup_key, backup_id, section, &service).unwrap()),
    };
    (kept, header)
}

/// A backup with one section of these batches a list.
pub(crate) fn backup(
    authority: &Authority,
    device: &Device,
    sections: &[Vec<(Vec<u8>, Vec<OpenedLicense>)>],
) -> Vec<u8> {
    let backup_id = BackupId::random().unwrap();
    let (keys, headers): (Vec<_>, Vec<_>) =
        (0..sections.len()).map(|section| tickets(authority, device, backup_id, section as u32)).unzip();
    let file = tempfile::tempfile().unwrap();
    let mut writer = BackupWriter::new(&file, Header { backup_id, sections: headers }).unwrap();
    for (batches, keys) in sections.iter().zip(&keys) {
        writer
            .section::<WriteError>(keys, &device.maker(), |section| {
                section.put(&Item::DeviceCertificate(device.certificate.bytes.clone()))?;
                for service in authority.directory.services() {
                    section.put(&Item::ServiceCertificate(service.bytes.clone()))?;
                }
                section.put(&Item::Title(Kid::new([1; 16]), "a title".into()))?;
                for (signed, licenses) in batches {
                    section.put(&Item::Batch(signed.clone()))?;
                    for license in licenses {
                        let state = State::initial(&license.policy);
                        section.put_license(license.index, &license.license, &state, &license.key)?;
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    writer.finish().unwrap();
    read_all(&file)
}

fn read_all(file: &File) -> Vec<u8> {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}
