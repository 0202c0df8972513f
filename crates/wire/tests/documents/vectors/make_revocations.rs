//! Makes status lists, license revocation blobs and acknowledgements.

use super::make::SERVICES;
use crate::world::*;
use wmlicense_testkit::vectors::Vector;
use wmlicense_wire::cbor::write;
use wmlicense_wire::cose::{Document, Unverified, sign_dual};
use wmlicense_wire::id::{Digest, Kid, Lid, SignerId, UserId};
use wmlicense_wire::key::{DualSigningKey, KeyKind, SigningKey};
use wmlicense_wire::revocation::{Acknowledgement, Entry, Revocation, Rule};
use wmlicense_wire::status_list::{Revoked, StatusList, application_id};

/// Every vector about revocation.
pub(crate) fn all() -> Vec<Vector> {
    [status_lists(), revocations(), acknowledgements()].concat()
}

fn status_lists() -> Vec<Vector> {
    let revoked = |key, from| Revoked { key, from };
    let list = StatusList {
        authority: WORLD.authority.hash,
        next_update: NOW + 30 * DAY,
        issued_at: NOW,
        number: NOW as u64,
        services: vec![revoked(SignerId::new([0x51; 32]), 0)],
        devices: vec![revoked(DEVICE.thumbprint(), NOW)],
        applications: vec![revoked(application_id("Example Player"), NOW)],
    };
    let good = list.sign(&WORLD.authority_key).unwrap();
    let payload = Unverified::parse(Document::StatusList, &good, 1 << 20).unwrap().unverified_payload().to_vec();
    let unsorted = edited(&payload, |map| {
        let entry = |byte| write::array([write::bytes([byte; 32]), write::int(0)]);
        map.insert(11, write::array([entry(2), entry(1)]));
    });
    let unsorted =
        sign_dual(Document::StatusList, &unsorted, &WORLD.authority_key, WORLD.authority.signer_id()).unwrap();
    let stranger = DualSigningKey::from_bytes(&[9; 64]).unwrap();
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let foreign = StatusList { authority: Digest::of(b"another"), ..list.clone() }.sign(&WORLD.authority_key).unwrap();
    let of = |name: &str, about, expect, bytes: Vec<u8>| {
        let vector = Vector::new(&format!("status-list-{name}"), about, "status-list", expect, bytes);
        vector.with("authority", "authority-certificate-ok")
    };
    vec![
        of("ok", "a service, a device and an application", "ok", good)
            .with("gives-number", list.number)
            .with("gives-revoked", 3),
        of("by-stranger", "signed by a stranger", "wrong-signer", list.sign(&stranger).unwrap()),
        of("changed", "the ML-DSA-65 signature is wrong", "bad-signature", changed),
        of("foreign", "of another authority", "wrong-issuer", foreign),
        of("unsorted", "keys that do not ascend", "value", unsorted),
    ]
}

fn revocations() -> Vec<Vector> {
    let key = DualSigningKey::from_bytes(&[6; 64]).unwrap();
    let id = key.verifying_key().signer_id(KeyKind::Revocation);
    let rule = Rule { user: Some(UserId::new([8; 16])), kid: Some(Kid::new([0xc0; 16])), issued_before: Some(NOW) };
    let content = Revocation {
        number: NOW as u64,
        target: Some(DEVICE_ID),
        entries: vec![Entry::License(Lid::new([0x11; 16])), Entry::Rule(rule), Entry::Rule(Rule::default())],
    };
    let good = content.sign(&key).unwrap();
    let for_all = Revocation { target: None, ..content.clone() }.sign(&key).unwrap();
    let payload = |edit: &dyn Fn(&mut Map)| {
        let document = Unverified::parse(Document::LicenseRevocation, &good, 1 << 20).unwrap();
        sign_dual(Document::LicenseRevocation, &edited(document.unverified_payload(), edit), &key, id).unwrap()
    };
    let other = DualSigningKey::from_bytes(&[7; 64]).unwrap();
    let other_keys = payload(&|map| drop(map.insert(11, write::bytes(other.verifying_key().ml_dsa()))));
    let unknown = payload(&|map| drop(map.insert(14, write::array([write::array([write::uint(2)])]))));
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    let truncated = good[..good.len() - 1].to_vec();
    let of = |name: &str, about, expect, bytes: Vec<u8>| {
        Vector::new(&format!("revocation-{name}"), about, "revocation", expect, bytes)
    };
    let gives = |vector: Vector| vector.with("gives-key", id).with("gives-number", NOW).with("gives-entries", 3);
    vec![
        gives(of("ok", "a license, a rule and everything, for one device", "ok", good.clone())),
        gives(of("for-all", "the same for every device", "ok", for_all)),
        of("changed", "the ML-DSA-65 signature is wrong", "bad-signature", changed),
        of("other-keys", "keys whose ID is not that of the signer", "wrong-signer", other_keys),
        of("truncated", "the last byte is missing", "malformed", truncated),
        of("unknown-entry", "an entry that no reader knows", "value", unknown),
    ]
}

fn acknowledgements() -> Vec<Vector> {
    let device = &DEVICE;
    let acknowledgement = Acknowledgement {
        taken_at: NOW,
        blob: Digest::of(b"the blob"),
        number: NOW as u64,
        device_id: DEVICE_ID,
        removed: 2,
        lids: vec![Lid::new([0x11; 16]), Lid::new([0x12; 16])],
    };
    let sign = |key: &SigningKey| acknowledgement.sign(key, device.thumbprint()).unwrap();
    let of = |name: &str, about, expect, bytes| {
        Vector::new(&format!("acknowledgement-{name}"), about, "acknowledgement", expect, bytes)
            .with("authority", "authority-certificate-ok")
            .with("certificates", SERVICES)
            .with("device", "device-certificate-ok")
    };
    let forged = sign(&SigningKey::from_seed(&[9; 32]).unwrap());
    vec![
        of("ok", "two licenses removed", "ok", sign(&device.signing))
            .with("gives-number", NOW)
            .with("gives-removed", 2),
        of("forged", "signed by another key under the thumbprint of the device", "bad-signature", forged),
    ]
}
