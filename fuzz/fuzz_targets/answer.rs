//! What a service sends, as the device takes it: the envelope as it comes, and licenses of any terms that a service gone mad seals
//! for a device whose key is known.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wmlicense_wire::answer::{Answer, Beside, Envelope, Expected, Grant, MAX_GIVEN, read_vouched, seal};
use wmlicense_wire::certificate::{
    AuthorityCertificate, DeviceKeys, Directory, Role, ServiceCertificate, ServiceClaims, service_id,
};
use wmlicense_wire::id::{DeviceId, Digest, ServiceId, TransactionId};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{DualSigningKey, Signer as _, SigningKey};
use wmlicense_wire::license::{Binding, InnerKey, License, State};
use wmlicense_wire::policy::{LicenseKind, Policy};
use zeroize::Zeroizing;

const NOW: i64 = 1_800_000_000;
const DEVICE: DeviceId = DeviceId::new([5; 16]);
const TRANSACTION: TransactionId = TransactionId::new([6; 16]);

struct World {
    issuer: SigningKey,
    issuer_id: ServiceId,
    directory: Directory,
    keys: DeviceKeys,
    hpke: HpkePrivateKey,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let authority_key = DualSigningKey::from_bytes(&[1; 64]).expect("seeds");
    let bytes = AuthorityCertificate::issue("fuzz", 0, &authority_key).expect("a certificate");
    let authority = AuthorityCertificate::parse(&bytes).expect("a certificate");
    let issuer = SigningKey::from_seed(&[2; 32]).expect("a seed");
    let claims = ServiceClaims {
        name: Role::Issuer.name(),
        role: Role::Issuer,
        key: *issuer.verifying_key(),
        backup_key: None,
        appoints: &[],
        not_before: i64::MIN,
        not_after: i64::MAX,
        issued_at: 0,
    };
    let issuer_id = service_id(authority.hash, Role::Issuer.name());
    let mut directory = Directory::new(authority.clone());
    directory
        .add(&ServiceCertificate::issue(&claims, authority.hash, &authority_key).expect("a certificate"))
        .expect("good");
    // The cheaper suite; what is wrapped is the same.
    let hpke = HpkePrivateKey::generate(Suite::X25519).expect("a key");
    let signing = SigningKey::from_seed(&[3; 32]).expect("a seed");
    let keys = DeviceKeys { signing: *signing.verifying_key(), hpke: hpke.public_key().clone() };
    World { issuer, issuer_id, directory, keys, hpke }
});

fuzz_target!(|data: &[u8]| {
    if let Ok(envelope) = Envelope::parse(data) {
        assert!(envelope.certificates.len() <= 64 && envelope.given.len() <= MAX_GIVEN);
        for letter in &envelope.given {
            let _ = Envelope::parse(letter).map(|letter| read_vouched(&letter.signed));
        }
        if let Ok(answer) = read_vouched(&envelope.signed) {
            assert!(answer.manifest.len() <= 4096 && answer.verdicts.len() <= 4096);
        }
    }
    if let Ok(license) = License::decode(data) {
        let _ = (Policy::decode(&license.policy), Binding::decode(&license.binding));
    }
    opened(data);
});

/// Policies, each after its length, sealed and opened as a device does: as the issuer's own where they can be read, or else as they are.
fn opened(mut data: &[u8]) {
    let (world, mut grants) = (&*WORLD, Vec::new());
    while let Some((front, rest)) = data.split_first_chunk()
        && grants.len() < 8
    {
        let (policy, rest) = rest.split_at(rest.len().min(u16::from_be_bytes(*front).into()));
        let own = Policy::decode(policy).ok().map(|policy| Policy { issuer: world.issuer_id, ..policy });
        let kind = own.as_ref().map_or(LicenseKind::Content, |policy| policy.kind);
        let key = InnerKey::new(kind, Zeroizing::new(vec![7; len_of(kind)])).expect("a key of its kind");
        let state = own.as_ref().map(State::initial);
        grants.push(Grant { policy: own.map_or_else(|| policy.to_vec(), |policy| policy.encode()), key, state });
        data = rest;
    }
    if grants.is_empty() {
        return;
    }
    let hash = Digest::of(b"request");
    let answer = Answer::to(TRANSACTION, 0, hash, world.keys.thumbprint(), NOW);
    let bytes = seal(answer, DEVICE, &world.keys, &grants, None, &Beside::default(), &world.issuer).expect("seals");
    let expected = Expected {
        role: Role::Issuer,
        transaction: TRANSACTION,
        page: 0,
        request_hash: hash,
        thumbprint: world.keys.thumbprint(),
        floor: 0,
    };
    // What is longer than an answer may be is no answer.
    let Ok(envelope) = Envelope::parse(&bytes) else { return };
    let verified = envelope.verify(&expected, &world.directory).expect("the issuer signed it");
    let Ok(licenses) = verified.open_licenses(&world.hpke, DEVICE, &world.directory) else { return };
    assert_eq!(licenses.len(), grants.len());
    for (license, grant) in licenses.iter().zip(&grants) {
        assert!(license.policy.issuer == world.issuer_id, "a license of another issuer");
        assert!(license.license.policy == grant.policy && license.key.as_bytes() == grant.key.as_bytes());
        assert!(license.binding.state == grant.state && license.binding.device_id == DEVICE);
    }
}

/// Bytes of what a license of this kind wraps.
fn len_of(kind: LicenseKind) -> usize {
    match kind {
        LicenseKind::Content => 16,
        LicenseKind::Root | LicenseKind::Leaf => 32,
    }
}
