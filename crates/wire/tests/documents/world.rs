//! An owner with known keys and one device, made once; and edits of documents that only their signer could make.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::LazyLock;
use wmlicense_testkit::{Asked, OwnerKeys, service_claims};
use wmlicense_wire::answer::{Answer, Beside, Envelope, Expected, Grant, seal};
use wmlicense_wire::cbor::{read, write};
use wmlicense_wire::certificate::{
    Assurance, AuthorityCertificate, DeviceCertificate, DeviceClaims, DeviceKeys, Directory, Role, ServiceCertificate,
    ServiceClaims,
};
use wmlicense_wire::cose::{Document, Unverified, sign};
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid, ServiceId, SignerId, TransactionId};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{DualSigningKey, KeyKind, Signer as _, SigningKey};
use wmlicense_wire::license::{Binding, InnerKey, License};
use wmlicense_wire::policy::{LicenseKind, Policy};
use zeroize::Zeroizing;

pub(crate) use wmlicense_testkit::{CertifiedService, NOW, World};

/// Days of seconds; everything here is at [`NOW`].
pub(crate) const DAY: i64 = 86_400;
pub(crate) const TRANSACTION: TransactionId = TransactionId::new([0x77; 16]);
pub(crate) const DEVICE_ID: DeviceId = DeviceId::new([0xd1; 16]);
/// Stands for the bytes of a request that is answered.
pub(crate) const REQUEST: &[u8] = b"the request";

/// A device with its certificate.
pub(crate) struct Device {
    pub(crate) signing: SigningKey,
    pub(crate) hpke: HpkePrivateKey,
    pub(crate) keys: DeviceKeys,
    pub(crate) certificate: DeviceCertificate,
}

impl Device {
    pub(crate) fn thumbprint(&self) -> SignerId {
        self.keys.thumbprint()
    }
}

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key = |seed| SigningKey::from_seed(&[seed; 32]).unwrap();
    let keys = OwnerKeys {
        authority: DualSigningKey::from_bytes(&[1; 64]).unwrap(),
        individualization: key(2),
        issuer: key(3),
        management: key(4),
    };
    let authority = authority("Example Media", &keys.authority);
    World::of(keys, authority, NOW)
});

pub(crate) static DEVICE: LazyLock<Device> = LazyLock::new(|| device(5, Suite::XWing, &WORLD.individualization));

pub(crate) fn authority(name: &str, key: &DualSigningKey) -> AuthorityCertificate {
    AuthorityCertificate::parse(&AuthorityCertificate::issue(name, NOW - 100 * DAY, key).unwrap()).unwrap()
}

/// The claims of a service at [`NOW`].
pub(crate) fn claims(key: &SigningKey, role: Role) -> ServiceClaims<'static> {
    service_claims(key, role, NOW)
}

/// The claims of a device certificate with these keys.
pub(crate) fn device_claims<'a>(issuer: ServiceId, keys: &'a DeviceKeys) -> DeviceClaims<'a> {
    DeviceClaims {
        issuer,
        device_id: DEVICE_ID,
        keys,
        security_version: "1.0.0.0",
        assurance: Assurance::File,
        not_before: NOW - DAY,
        not_after: NOW + 365 * DAY,
        issued_at: NOW - DAY,
    }
}

/// A device whose signing key has this seed, certified by `issuer`.
pub(crate) fn device(seed: u8, suite: Suite, issuer: &CertifiedService) -> Device {
    let signing = SigningKey::from_seed(&[seed; 32]).unwrap();
    let hpke = HpkePrivateKey::generate(suite).unwrap();
    let keys = DeviceKeys { signing: *signing.verifying_key(), hpke: hpke.public_key().clone() };
    let bytes = DeviceCertificate::issue(&device_claims(issuer.id, &keys), &issuer.key).unwrap();
    let certificate = DeviceCertificate::parse(&bytes, &issuer.certificate).unwrap();
    Device { signing, hpke, keys, certificate }
}

/// The terms of license `number`: playing without conditions, backup allowed, re-bound by the management service.
pub(crate) fn policy(number: u16) -> Policy {
    let id = |first: u8| {
        let mut bytes = [first; 16];
        bytes[14..].copy_from_slice(&number.to_be_bytes());
        bytes
    };
    let title = Some(format!("Title {number}"));
    Policy { lid: Lid::new(id(0x11)), restore_limit: None, title, ..WORLD.policy(Kid::new(id(0xc0))) }
}

/// License `number` as its issuer bound it to the device, with zeros in place of the wrapped key.
pub(crate) fn license(number: u16) -> License {
    let policy = policy(number).encode();
    let binding = Binding {
        policy_hash: Digest::of(&policy),
        device_id: DEVICE_ID,
        thumbprint: DEVICE.thumbprint(),
        wrapped: vec![0; 32],
        issued_at: NOW,
        state: None,
    };
    License { policy, binding: binding.encode() }
}

pub(crate) fn inner(kind: LicenseKind, byte: u8) -> InnerKey {
    InnerKey::new(kind, Zeroizing::new(vec![byte; InnerKey::len_of(kind)])).unwrap()
}

pub(crate) fn grant(policy: &Policy) -> Grant {
    let last = policy.kid.as_bytes()[15];
    Grant { policy: policy.encode(), key: inner(policy.kind, last), state: None }
}

pub(crate) fn grants(count: u16) -> Vec<Grant> {
    (0..count).map(|number| grant(&policy(number))).collect()
}

/// What the device waits for from a service of this role.
pub(crate) fn expected(role: Role) -> Expected {
    let device = &*DEVICE;
    let request_hash = Digest::of(REQUEST);
    Asked { transaction: TRANSACTION, request_hash, device_id: DEVICE_ID, keys: &device.keys }.expected(role)
}

/// The unsealed answer to what [`expected`] waits for.
pub(crate) fn reply() -> Answer {
    Answer::to(TRANSACTION, 0, Digest::of(REQUEST), DEVICE.thumbprint(), NOW)
}

/// An answer of the issuer with these grants for the device.
pub(crate) fn sealed(answer: Answer, grants: &[Grant]) -> Vec<u8> {
    sealed_by(&WORLD.issuer, answer, grants)
}

pub(crate) fn sealed_by(service: &CertifiedService, answer: Answer, grants: &[Grant]) -> Vec<u8> {
    seal(answer, DEVICE_ID, &DEVICE.keys, grants, None, &Beside::default(), &service.key).unwrap()
}

/// The signed part of an answer.
pub(crate) fn signed_part(sealed: &[u8]) -> Vec<u8> {
    Envelope::parse(sealed).unwrap().signed
}

/// The entries of a map with numeric keys, the values encoded.
pub(crate) type Map = BTreeMap<u64, Vec<u8>>;

pub(crate) fn map_of(bytes: &[u8]) -> Map {
    let mut decoder = minicbor::Decoder::new(bytes);
    let length = decoder.map().unwrap().unwrap();
    (0..length)
        .map(|_| {
            let key = decoder.u64().unwrap();
            let start = decoder.position();
            decoder.skip().unwrap();
            (key, bytes[start..decoder.position()].to_vec())
        })
        .collect()
}

pub(crate) fn bytes_of(map: &Map) -> Vec<u8> {
    let entries = map.iter().flat_map(|(key, value)| [write::uint(*key), value.clone()].concat());
    write::head(5, map.len() as u64).into_iter().chain(entries).collect()
}

/// The map with some entries changed.
pub(crate) fn edited(bytes: &[u8], edit: impl FnOnce(&mut Map)) -> Vec<u8> {
    let mut map = map_of(bytes);
    edit(&mut map);
    bytes_of(&map)
}

/// The document with its payload changed and signed again: what a faulty or hostile owner of the key could make.
pub(crate) fn resigned(document: Document, bytes: &[u8], key: &SigningKey, edit: impl FnOnce(&mut Map)) -> Vec<u8> {
    let unverified = Unverified::parse(document, bytes, 1 << 23).unwrap();
    let payload = edited(unverified.unverified_payload(), edit);
    sign(document, &payload, key, unverified.signer_id()).unwrap()
}

/// The answer with its signed part changed and signed again by `service`.
pub(crate) fn resigned_answer(sealed: &[u8], service: &CertifiedService, edit: impl FnOnce(&mut Map)) -> Vec<u8> {
    edited(sealed, |map| {
        let signed = read::bytes(&map[&1]).unwrap().to_vec();
        map.insert(1, write::bytes(resigned(Document::Answer, &signed, &service.key, edit)));
    })
}

/// A service with a key of its own and a certificate of these claims.
pub(crate) fn service_with(seed: u8, change: impl FnOnce(&mut ServiceClaims<'static>)) -> CertifiedService {
    let key = SigningKey::from_seed(&[seed; 32]).unwrap();
    let mut claims = claims(&key, Role::Issuer);
    change(&mut claims);
    let bytes = ServiceCertificate::issue(&claims, WORLD.authority.hash, &WORLD.authority_key).unwrap();
    let certificate = ServiceCertificate::parse(&bytes, &WORLD.authority).unwrap();
    CertifiedService { key, id: certificate.service_id, certificate }
}

/// The directory of the world and these services.
pub(crate) fn directory_with(services: &[&CertifiedService]) -> Directory {
    let mut directory = WORLD.directory.clone();
    for service in services {
        directory.add(&service.certificate.bytes).unwrap();
    }
    directory
}

/// The ID of a key as that of a service.
pub(crate) fn service_signer(key: &SigningKey) -> SignerId {
    key.verifying_key().signer_id(KeyKind::Service)
}
