//! Makes answers with and without licenses, and answers that only a faulty or hostile service could send.

use super::make::SERVICES;
use super::read::hex;
use crate::world::*;
use std::sync::LazyLock;
use wmlicense_testkit::vectors::Vector;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::{Answer, Beside, Envelope, Grant, Outcome, Reason, Refusal, Unlock, seal};
use wmlicense_wire::cbor::{read, write};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{BackupId, Digest};
use wmlicense_wire::kem::Suite;
use wmlicense_wire::policy::{LicenseKind, Policy};
use zeroize::Zeroizing;

pub(crate) static WEAK_DEVICE: LazyLock<Device> = LazyLock::new(|| device(7, Suite::X25519, &WORLD.individualization));

/// A vector of the issuer's answer to the world's device.
fn of(name: &str, about: &str, expect: &str, bytes: Vec<u8>) -> Vector {
    to(&DEVICE, "key-device", Role::Issuer, Vector::new(&format!("answer-{name}"), about, "answer", expect, bytes))
}

/// The inputs of an answer of this role to the world's device.
pub(crate) fn to_device(role: Role, vector: Vector) -> Vector {
    to(&DEVICE, "key-device", role, vector)
}

fn to(device: &Device, key: &str, role: Role, vector: Vector) -> Vector {
    vector
        .with("authority", "authority-certificate-ok")
        .with("certificates", SERVICES)
        .with("role", role.name())
        .with("transaction", TRANSACTION)
        .with("page", 0)
        .with("request-hash", Digest::of(REQUEST))
        .with("thumbprint", device.thumbprint())
        .with("device-id", DEVICE_ID)
        .with("recipient-key", key)
        .with("floor", 0)
}

fn keys(count: u8) -> String {
    (0..count).map(|byte| hex(&[byte; 16])).collect::<Vec<_>>().join(" ")
}

/// The answer with its licenses in another order and the manifest signed accordingly.
fn reordered(sealed: &[u8]) -> Vec<u8> {
    let swapped = edited(sealed, |map| {
        let mut licenses = read::items(&map[&3], 8).unwrap();
        licenses.reverse();
        let licenses = write::array(licenses);
        map.insert(3, licenses);
    });
    let licenses = map_of(&swapped)[&3].clone();
    let hashes = read::items(&licenses, 8).unwrap().into_iter().flat_map(|license| *Digest::of(license).as_bytes());
    let manifest: Vec<u8> = hashes.collect();
    resigned_answer(&swapped, &WORLD.issuer, |map| drop(map.insert(21, write::bytes(manifest))))
}

pub(crate) fn all() -> Vec<Vector> {
    [good(), refused(), special()].into_iter().flatten().collect()
}

fn good() -> Vec<Vector> {
    let refusal = Refusal { subject: Some([0xc0; 16]), kid: None, reason: Reason::NotEntitled, url: None, again: None };
    let refused = Answer { outcome: Outcome::Refused, refusals: vec![refusal], ..reply() };
    vec![
        of("refusal", "nothing was granted", "ok", sealed(refused, &[])),
        of("one", "one license", "ok", sealed(reply(), &grants(1))).with("gives-keys", keys(1)),
        of("three", "three licenses", "ok", sealed(reply(), &grants(3))).with("gives-keys", keys(3)),
    ]
}

fn refused() -> Vec<Vector> {
    let good = sealed(reply(), &grants(2));
    let envelope = Envelope::parse(&good).unwrap();
    let mut changed = good.clone();
    let at = changed.windows(envelope.signed.len()).position(|part| part == envelope.signed).unwrap();
    changed[at + envelope.signed.len() - 1] ^= 1;
    let swapped = edited(&good, |map| {
        let mut licenses = read::items(&map[&3], 8).unwrap();
        licenses.reverse();
        let licenses = write::array(licenses);
        map.insert(3, licenses);
    });
    let dropped = edited(&good, |map| {
        let licenses = write::array(&read::items(&map[&3], 8).unwrap()[..1]);
        map.insert(3, licenses);
    });
    let enc = map_of(&sealed(reply(), &grants(1)))[&2].clone();
    let other_enc = edited(&good, |map| drop(map.insert(2, enc)));
    let other_request = sealed(Answer { request_hash: Digest::of(b"other"), ..reply() }, &[]);
    let other_page = sealed(Answer { page: 1, ..reply() }, &[]);
    let by_management = sealed_by(&WORLD.management, reply(), &grants(1));
    let early = sealed(Answer { issued_at: NOW - 2 * DAY, ..reply() }, &[]);
    let other_issuer = Policy { issuer: WORLD.management.id, ..policy(1) };
    let short_key = Grant { policy: policy(1).encode(), key: inner(LicenseKind::Root, 1), state: None };
    let repeated = Answer { thumbprint: WEAK_DEVICE.thumbprint(), ..reply() };
    vec![
        of("changed", "the signature is wrong", "bad-signature", changed),
        of("swapped", "licenses in another order than the manifest", "manifest", swapped),
        of("dropped", "a license is missing", "manifest", dropped),
        of("other-enc", "another encapsulation than the signed one", "manifest", other_enc),
        of("reordered", "signed in another order than wrapped", "license", reordered(&good)),
        of("other-request", "to another request", "mismatch", other_request),
        of("other-page", "to another page", "mismatch", other_page),
        of("other-device", "to another device", "mismatch", sealed(repeated, &[])),
        of("wrong-role", "the management service where the issuer was asked", "signer", by_management),
        of("early", "from before the signer's certificate", "signer", early),
        of("other-issuer", "a policy of another issuer", "license", sealed(reply(), &[grant(&other_issuer)])),
        of("key-length", "a content license with a key of 32 bytes", "license", sealed(reply(), &[short_key])),
        of("trailing", "a byte after the answer", "trailing", [good, vec![0]].concat()),
    ]
}

/// Answers of the management service, and those of the suite for interoperability tests.
fn special() -> Vec<Vector> {
    let rebound = sealed_by(&WORLD.management, reply(), &grants(1));
    let vector = Vector::new("answer-rebound", "re-bound by the appointed management service", "answer", "ok", rebound);
    let rebound = to(&DEVICE, "key-device", Role::Management, vector).with("gives-keys", keys(1));

    let meta = SecretKey::new(Zeroizing::new([0x4d; 32]));
    let backup_id = BackupId::new([0xbb; 16]);
    let unlock = Unlock { backup_id, section: 2, key: &meta };
    let (device_keys, beside) = (&DEVICE.keys, Beside::default());
    let signer = &WORLD.management.key;
    let unlocking = seal(reply(), DEVICE_ID, device_keys, &[], Some(&unlock), &beside, signer).unwrap();
    let unlock_vector = |name, about, expect, section: u32| {
        let vector = Vector::new(name, about, "answer", expect, unlocking.clone());
        let vector = to(&DEVICE, "key-device", Role::Management, vector);
        vector.with("backup-id", backup_id).with("section", section)
    };
    let unlocked = unlock_vector("answer-unlock", "the key that opens a section", "ok", 2);

    let weak = &*WEAK_DEVICE;
    let answer = Answer { thumbprint: weak.thumbprint(), ..reply() };
    let issuer = &WORLD.issuer.key;
    let suite_0 = seal(answer, DEVICE_ID, &weak.keys, &grants(2), None, &beside, issuer).unwrap();
    let about = "two licenses under suite 0, for readers without X-Wing";
    let vector = Vector::new("answer-suite-0", about, "answer", "ok", suite_0);
    let suite_0 = to(weak, "key-device-suite-0", Role::Issuer, vector).with("gives-keys", keys(2));
    let downgraded = seal(reply(), DEVICE_ID, &weak.keys, &grants(1), None, &beside, issuer).unwrap();
    vec![
        rebound,
        unlocked.with("gives-meta-key", hex(meta.as_bytes())),
        unlock_vector("answer-unlock-other-section", "the key of another section", "mismatch", 3),
        suite_0,
        of("downgraded", "suite 0 for a device whose key is of suite 1", "suite", downgraded),
    ]
}
