//! Status lists, license revocation blobs and acknowledgements.

use crate::world::*;
use wmlicense_wire::cbor::{CborError, read, write};
use wmlicense_wire::cose::{CoseError, Document, Unverified, sign, sign_dual};
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid, SignerId, UserId};
use wmlicense_wire::key::{DualSigningKey, KeyError, KeyKind};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::{Acknowledgement, Entry, Revocation, RevocationError, Rule};
use wmlicense_wire::status_list::{Revoked, StatusList, StatusListError, application_id};

fn revoked(byte: u8, from: i64) -> Revoked {
    Revoked { key: SignerId::new([byte; 32]), from }
}

fn list() -> StatusList {
    StatusList {
        authority: WORLD.authority.hash,
        next_update: NOW + 30 * DAY,
        issued_at: NOW,
        number: NOW as u64,
        services: vec![revoked(1, 0)],
        devices: vec![revoked(2, NOW), revoked(3, 0)],
        applications: vec![Revoked { key: application_id("Player"), from: NOW }],
    }
}

fn revocation_key() -> DualSigningKey {
    DualSigningKey::from_bytes(&[6; 64]).unwrap()
}

fn key_id() -> SignerId {
    revocation_key().verifying_key().signer_id(KeyKind::Revocation)
}

fn blob() -> Revocation {
    let rule = Rule { user: Some(UserId::new([8; 16])), kid: Some(Kid::new([9; 16])), issued_before: Some(NOW) };
    Revocation {
        number: NOW as u64,
        target: Some(DEVICE_ID),
        entries: vec![Entry::License(Lid::new([7; 16])), Entry::Rule(rule), Entry::Rule(Rule::default())],
    }
}

/// The document with its payload changed and signed again by the owner of both keys.
fn resigned_dual(document: Document, bytes: &[u8], key: &DualSigningKey, edit: impl FnOnce(&mut Map)) -> Vec<u8> {
    let unverified = Unverified::parse(document, bytes, 1 << 21).unwrap();
    let payload = edited(unverified.unverified_payload(), edit);
    sign_dual(document, &payload, key, unverified.signer_id()).unwrap()
}

#[test]
fn a_status_list_says_from_when_on_a_key_counts_for_nothing() {
    let bytes = list().sign(&WORLD.authority_key).unwrap();
    let read = StatusList::parse(&bytes, &WORLD.authority).unwrap();
    assert_eq!(read, list());
    assert_eq!(StatusList::read_vouched(&bytes).unwrap(), list());
    assert!(read.revokes_service(SignerId::new([1; 32]), 0));
    assert!(read.revokes_device(SignerId::new([2; 32]), NOW));
    assert!(!read.revokes_device(SignerId::new([2; 32]), NOW - 1));
    assert!(read.names_device(SignerId::new([2; 32])) && !read.names_device(SignerId::new([4; 32])));
    assert!(!read.revokes_device(SignerId::new([1; 32]), NOW), "a service is no device");
    assert!(read.revokes_application("Player", NOW) && !read.revokes_application("player", NOW));
}

#[test]
fn a_status_list_is_put_in_order_and_of_two_entries_the_earlier_counts() {
    let unsorted = StatusList { services: vec![revoked(5, 9), revoked(4, 0), revoked(5, 3)], ..list() };
    let bytes = unsorted.sign(&WORLD.authority_key).unwrap();
    let read = StatusList::parse(&bytes, &WORLD.authority).unwrap();
    assert_eq!(read.services, [revoked(4, 0), revoked(5, 3)]);
    for entries in [[revoked(5, 0), revoked(4, 0)], [revoked(4, 0), revoked(4, 0)]] {
        let raw = entries.map(|entry| write::array([write::bytes(entry.key), write::int(entry.from)]));
        let changed = resigned_dual(Document::StatusList, &bytes, &WORLD.authority_key, |map| {
            map.insert(11, write::array(raw));
        });
        let refused = StatusList::parse(&changed, &WORLD.authority).err();
        assert_eq!(refused, Some(StatusListError::Content(CborError::Value { field: 11 })));
    }
}

#[test]
fn a_status_list_of_another_authority_or_signer_is_refused() {
    let bytes = list().sign(&WORLD.authority_key).unwrap();
    let stranger = DualSigningKey::from_bytes(&[9; 64]).unwrap();
    let by_stranger = StatusList::parse(&list().sign(&stranger).unwrap(), &WORLD.authority);
    assert_eq!(by_stranger.err(), Some(StatusListError::Signature(CoseError::WrongSigner)));
    let foreign = StatusList { authority: Digest::of(b"other"), ..list() };
    let foreign = StatusList::parse(&foreign.sign(&WORLD.authority_key).unwrap(), &WORLD.authority);
    assert_eq!(foreign.err(), Some(StatusListError::WrongAuthority));
    for at in (0..bytes.len()).step_by(53) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x21;
        assert!(StatusList::parse(&changed, &WORLD.authority).is_err(), "{at}");
        assert!(StatusList::parse(&bytes[..at], &WORLD.authority).is_err(), "{at}");
    }
    for field in [1, 4, 6, 10, 11, 12, 13] {
        let missing = resigned_dual(Document::StatusList, &bytes, &WORLD.authority_key, |map| drop(map.remove(&field)));
        let refused = StatusList::parse(&missing, &WORLD.authority).err();
        assert_eq!(refused, Some(StatusListError::Content(CborError::Missing { field })));
    }
}

#[test]
fn a_blob_is_verified_under_the_keys_that_it_brings_along() {
    let bytes = blob().sign(&revocation_key()).unwrap();
    let verified = Revocation::verify(&bytes).unwrap();
    assert_eq!((verified.key, &verified.content), (key_id(), &blob()));
    assert_eq!(Revocation::read_vouched(&bytes).unwrap(), verified);
    assert_eq!(Revocation::unverified_key(&bytes), Ok(key_id()));
    // Both keys are hashed into the ID, so neither half can be exchanged under it.
    let other = DualSigningKey::from_bytes(&[[6; 32], [5; 32]].concat()).unwrap();
    let payload =
        edited(Unverified::parse(Document::LicenseRevocation, &bytes, 1 << 20).unwrap().unverified_payload(), |map| {
            map.insert(11, write::bytes(other.verifying_key().ml_dsa()));
        });
    let mixed = sign_dual(Document::LicenseRevocation, &payload, &other, key_id()).unwrap();
    let refused = Revocation::verify(&mixed).err();
    assert_eq!(refused, Some(RevocationError::Signature(CoseError::WrongSigner)));
    let as_authority = blob().sign(&WORLD.authority_key).unwrap();
    assert_ne!(Revocation::verify(&as_authority).unwrap().key, WORLD.authority.signer_id());
}

#[test]
fn changed_truncated_and_long_blobs_are_refused() {
    let bytes = blob().sign(&revocation_key()).unwrap();
    for at in (0..bytes.len()).step_by(59).chain(bytes.len() - 40..bytes.len()) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(Revocation::verify(&changed).is_err(), "{at}");
        assert!(Revocation::verify(&bytes[..at]).is_err(), "{at}");
    }
    let entries = vec![Entry::License(Lid::new([1; 16])); 60_000];
    let long = Revocation { entries, ..blob() }.sign(&revocation_key()).unwrap();
    assert!(long.len() > 1 << 20);
    assert_eq!(Revocation::verify(&long).err(), Some(RevocationError::Signature(CoseError::TooLong(1 << 20))));
}

#[test]
fn a_malformed_blob_is_refused_even_from_the_owner_of_the_key() {
    let bytes = blob().sign(&revocation_key()).unwrap();
    let changed = |edit: &dyn Fn(&mut Map)| {
        let bytes = resigned_dual(Document::LicenseRevocation, &bytes, &revocation_key(), edit);
        Revocation::verify(&bytes).err().unwrap()
    };
    for field in [10, 11, 12, 14] {
        let missing = changed(&|map| drop(map.remove(&field)));
        assert_eq!(missing, RevocationError::Content(CborError::Missing { field }));
    }
    assert_eq!(
        changed(&|map| drop(map.insert(63, vec![0]))),
        RevocationError::Content(CborError::Unknown { field: 63 })
    );
    let short = changed(&|map| drop(map.insert(11, write::bytes([0; 32]))));
    assert_eq!(short, RevocationError::Key(KeyError::Invalid));
    // An entry of a kind, or with a part, that no reader knows.
    for entry in [&b"\x82\x02\x41\x00"[..], b"\x85\x01\xf6\xf6\xf6\xf6", b"\x81\x00", b"\x83\x01\xf6\xf6"] {
        let refused = changed(&|map| drop(map.insert(14, write::array([entry]))));
        assert_eq!(refused, RevocationError::Content(CborError::Value { field: 14 }));
    }
}

#[test]
fn a_blob_touches_only_licenses_that_name_its_key_and_match_an_entry() {
    let verified = |entries: Vec<Entry>| {
        Revocation::verify(&Revocation { entries, ..blob() }.sign(&revocation_key()).unwrap()).unwrap()
    };
    let user = UserId::new([8; 16]);
    let ours = Policy { revocation_key: Some(key_id()), user: Some(user), ..policy(1) };
    let all = verified(vec![Entry::Rule(Rule::default())]);
    assert!(all.matches(&ours));
    assert!(!all.matches(&policy(1)), "it names no revocation key");
    let other_key = Policy { revocation_key: Some(SignerId::new([1; 32])), ..policy(1) };
    assert!(!all.matches(&other_key));
    assert!(verified(vec![Entry::License(ours.lid)]).matches(&ours));
    assert!(!verified(vec![Entry::License(policy(2).lid)]).matches(&ours));
    let rules = [
        (Rule { user: Some(user), ..Rule::default() }, true),
        (Rule { user: Some(UserId::new([9; 16])), ..Rule::default() }, false),
        (Rule { kid: Some(ours.kid), ..Rule::default() }, true),
        (Rule { kid: Some(policy(2).kid), ..Rule::default() }, false),
        (Rule { kid: Some(ours.kid), user: Some(user), issued_before: Some(NOW + 1) }, true),
        (Rule { issued_before: Some(NOW), ..Rule::default() }, false),
    ];
    for (rule, matches) in rules {
        assert_eq!(verified(vec![Entry::Rule(rule)]).matches(&ours), matches, "{rule:?}");
    }
    assert!(!verified(Vec::new()).matches(&ours));
}

#[test]
fn an_acknowledgement_is_the_word_of_one_device() {
    let device = &DEVICE;
    let acknowledgement = Acknowledgement {
        taken_at: NOW,
        blob: Digest::of(b"blob"),
        number: 3,
        device_id: DeviceId::new([1; 16]),
        removed: 2,
        lids: vec![Lid::new([1; 16]), Lid::new([2; 16])],
    };
    let bytes = acknowledgement.sign(&device.signing, device.thumbprint()).unwrap();
    assert_eq!(bytes, acknowledgement.sign(&device.signing, device.thumbprint()).unwrap());
    let parse = |bytes: &[u8]| {
        Acknowledgement::verify(Acknowledgement::parse(bytes)?, &device.keys.signing, device.thumbprint())
    };
    assert_eq!(parse(&bytes), Ok(acknowledgement));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(parse(&changed).is_err() && parse(&bytes[..at]).is_err(), "{at}");
    }
    let payload = Unverified::parse(Document::Acknowledgement, &bytes, 1 << 20).unwrap().unverified_payload().to_vec();
    let as_request = sign(Document::Request, &payload, &device.signing, device.thumbprint()).unwrap();
    assert_eq!(parse(&as_request), Err(RevocationError::Signature(CoseError::WrongType)));
    for field in [6, 10, 11, 12, 13, 14] {
        let missing = resigned(Document::Acknowledgement, &bytes, &device.signing, |map| drop(map.remove(&field)));
        assert_eq!(parse(&missing), Err(RevocationError::Content(CborError::Missing { field })));
    }
    assert!(read::bytes(&map_of(&payload)[&10]).is_some());
}
