//! Batches: the licenses of an answer, their manifest, and the keys inside.

use crate::world::*;
use std::time::Instant;
use wmlicense_wire::answer::{
    Answer, AnswerError, Beside, Envelope, Grant, OpenedLicense, may_sign, seal, verify_signed,
};
use wmlicense_wire::cbor::{read, write};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{DeviceId, Digest, ServiceId, SignerId};
use wmlicense_wire::kem::Suite;
use wmlicense_wire::key::Signer as _;
use wmlicense_wire::license::{Binding, License, State};
use wmlicense_wire::policy::{LicenseKind, Policy};

/// Opens an answer as the device does.
fn opened(sealed: &[u8], role: Role) -> Result<Vec<OpenedLicense>, AnswerError> {
    Envelope::parse(sealed)?.verify(&expected(role), &WORLD.directory)?.open_licenses(
        &DEVICE.hpke,
        DEVICE_ID,
        &WORLD.directory,
    )
}

fn refused(sealed: &[u8]) -> AnswerError {
    opened(sealed, Role::Issuer).err().unwrap()
}

fn batch(count: u16) -> Vec<u8> {
    sealed(reply(), &grants(count))
}

/// A change of the encoded licenses beside an answer.
type LicensesChange<'c> = &'c dyn Fn(&mut Vec<Vec<u8>>);

/// The answer with its licenses changed and the manifest left as it was signed.
fn with_licenses(sealed: &[u8], edit: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    edited(sealed, |map| {
        let mut licenses: Vec<Vec<u8>> = read::items(&map[&3], 5000).unwrap().into_iter().map(<[u8]>::to_vec).collect();
        edit(&mut licenses);
        map.insert(3, write::array(&licenses));
    })
}

/// The answer with its licenses changed and the manifest signed anew: a faulty or hostile service.
fn with_signed_licenses(sealed: &[u8], service: &CertifiedService, edit: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let mut manifest = Vec::new();
    let changed = with_licenses(sealed, |licenses| {
        edit(licenses);
        manifest = licenses.iter().flat_map(|license| *Digest::of(license).as_bytes()).collect();
    });
    resigned_answer(&changed, service, |map| drop(map.insert(21, write::bytes(manifest))))
}

/// The one license of an answer with its binding changed, signed anew.
fn with_binding(edit: impl FnOnce(&mut Binding)) -> AnswerError {
    let changed = with_signed_licenses(&batch(1), &WORLD.issuer, |licenses| {
        let mut license = License::decode(&licenses[0]).unwrap();
        let mut binding = Binding::decode(&license.binding).unwrap();
        edit(&mut binding);
        license.binding = binding.encode();
        licenses[0] = license.encode();
    });
    refused(&changed)
}

#[test]
fn a_batch_gives_each_license_its_own_key_in_order() {
    let state = State::initial(&policy(0));
    let mut grants = grants(5);
    grants[3].state = Some(state.clone());
    let licenses = opened(&sealed(reply(), &grants), Role::Issuer).unwrap();
    assert_eq!(licenses.len(), 5);
    for (index, license) in licenses.iter().enumerate() {
        assert_eq!(license.index as usize, index);
        assert_eq!(license.policy, policy(index as u16));
        assert_eq!(license.key.as_bytes(), [index as u8; 16]);
        assert_eq!((license.binding.device_id, license.binding.issued_at), (DEVICE_ID, NOW));
        assert_eq!(license.binding.state.is_some(), index == 3);
    }
}

#[test]
fn keys_of_every_kind_and_suite_are_carried() {
    for suite in [Suite::X25519, Suite::XWing] {
        let device = device(7, suite, &WORLD.individualization);
        let of = |kind| grant(&Policy { kind, ..policy(9) });
        let grants = [of(LicenseKind::Content), of(LicenseKind::Root), of(LicenseKind::Leaf)];
        let answer = Answer { thumbprint: device.thumbprint(), ..reply() };
        let key = &WORLD.issuer.key;
        let sealed = seal(answer, DEVICE_ID, &device.keys, &grants, None, &Beside::default(), key).unwrap();
        let mut expected = expected(Role::Issuer);
        expected.thumbprint = device.thumbprint();
        let envelope = Envelope::parse(&sealed).unwrap();
        let verified = envelope.verify(&expected, &WORLD.directory).unwrap();
        let licenses = verified.open_licenses(&device.hpke, DEVICE_ID, &WORLD.directory).unwrap();
        let lengths: Vec<usize> = licenses.iter().map(|license| license.key.as_bytes().len()).collect();
        assert_eq!(lengths, [16, 32, 32]);
    }
}

#[test]
fn licenses_swapped_dropped_added_or_repeated_are_noticed() {
    let good = batch(3);
    let other = License { policy: policy(7).encode(), binding: Vec::new() }.encode();
    let changes: [LicensesChange; 6] = [
        &|licenses| licenses.swap(0, 2),
        &|licenses| drop(licenses.pop()),
        &|licenses| licenses.clear(),
        &|licenses| licenses.push(other.clone()),
        &|licenses| licenses.push(licenses[0].clone()),
        &|licenses| licenses[1] = licenses[0].clone(),
    ];
    for change in changes {
        assert_eq!(refused(&with_licenses(&good, change)), AnswerError::Manifest);
    }
}

#[test]
fn an_encapsulation_that_is_not_the_signed_one_is_refused() {
    let good = batch(1);
    let enc = |sealed: &[u8]| map_of(sealed)[&2].clone();
    let other = enc(&batch(1));
    assert!(other != enc(&good));
    for changed in [
        edited(&good, |map| drop(map.insert(2, other.clone()))),
        edited(&good, |map| drop(map.remove(&2))),
        edited(&sealed(reply(), &[]), |map| drop(map.insert(2, other.clone()))),
    ] {
        assert_eq!(refused(&changed), AnswerError::Manifest);
    }
    let hash = Digest::of(read::bytes(&other).unwrap());
    let resigned = resigned_answer(&good, &WORLD.issuer, |map| drop(map.insert(20, write::bytes(hash))));
    let changed = edited(&resigned, |map| drop(map.insert(2, other)));
    assert_eq!(refused(&changed), AnswerError::License { index: 0 });
}

#[test]
fn a_wrapped_key_of_another_place_in_the_batch_does_not_open() {
    let swapped = with_signed_licenses(&batch(3), &WORLD.issuer, |licenses| licenses.swap(0, 2));
    assert_eq!(refused(&swapped), AnswerError::License { index: 0 });
    let repeated = with_signed_licenses(&batch(3), &WORLD.issuer, |licenses| licenses[1] = licenses[0].clone());
    assert_eq!(refused(&repeated), AnswerError::License { index: 1 });
    let last = with_signed_licenses(&batch(3), &WORLD.issuer, |licenses| licenses.push(licenses[0].clone()));
    assert_eq!(refused(&last), AnswerError::License { index: 3 });
}

#[test]
fn a_binding_to_another_device_or_policy_is_refused() {
    let refused = AnswerError::License { index: 0 };
    assert_eq!(with_binding(|binding| binding.device_id = DeviceId::new([0; 16])), AnswerError::OtherDevice);
    assert_eq!(with_binding(|binding| binding.thumbprint = SignerId::new([0; 32])), AnswerError::OtherDevice);
    assert_eq!(with_binding(|binding| binding.policy_hash = Digest::of(b"other")), refused);
    assert_eq!(with_binding(|binding| binding.wrapped[0] ^= 1), refused);
    assert_eq!(with_binding(|binding| binding.wrapped.truncate(31)), refused);
    assert_eq!(with_binding(|binding| binding.wrapped.clear()), refused);
}

#[test]
fn a_policy_exchanged_under_its_binding_is_refused() {
    let changed = with_signed_licenses(&batch(1), &WORLD.issuer, |licenses| {
        let mut license = License::decode(&licenses[0]).unwrap();
        license.policy = policy(8).encode();
        licenses[0] = license.encode();
    });
    assert_eq!(refused(&changed), AnswerError::License { index: 0 });
}

#[test]
fn a_license_wrapped_for_another_device_does_not_open() {
    let other = device(6, Suite::XWing, &WORLD.individualization);
    let key = &WORLD.issuer.key;
    // Addressed to this device, wrapped for the other.
    let sealed = seal(reply(), DEVICE_ID, &other.keys, &grants(1), None, &Beside::default(), key).unwrap();
    assert_eq!(refused(&sealed), AnswerError::License { index: 0 });
    // The right answer, asked for with another device ID.
    let good = batch(1);
    let envelope = Envelope::parse(&good).unwrap();
    let verified = envelope.verify(&expected(Role::Issuer), &WORLD.directory).unwrap();
    let opened = verified.open_licenses(&DEVICE.hpke, DeviceId::new([0; 16]), &WORLD.directory);
    assert_eq!(opened.err(), Some(AnswerError::OtherDevice));
}

#[test]
fn a_key_of_a_length_that_its_kind_does_not_have_is_refused() {
    for (claimed, carried) in [
        (LicenseKind::Content, LicenseKind::Root),
        (LicenseKind::Root, LicenseKind::Content),
        (LicenseKind::Leaf, LicenseKind::Content),
    ] {
        let policy = Policy { kind: claimed, ..policy(1) };
        let grant = Grant { policy: policy.encode(), key: inner(carried, 1), state: None };
        assert_eq!(refused(&sealed(reply(), &[grant])), AnswerError::License { index: 0 });
    }
}

#[test]
fn suite_zero_is_refused_by_a_device_with_a_hybrid_key() {
    let weak = device(7, Suite::X25519, &WORLD.individualization);
    let key = &WORLD.issuer.key;
    let sealed = seal(reply(), DEVICE_ID, &weak.keys, &grants(1), None, &Beside::default(), key).unwrap();
    assert_eq!(refused(&sealed), AnswerError::Suite);
    // The claim of the stronger suite does not help: the encapsulation has the wrong length.
    let lying = resigned_answer(&sealed, &WORLD.issuer, |map| drop(map.insert(19, write::uint(1))));
    assert_eq!(refused(&lying), AnswerError::Manifest);
    let without = resigned_answer(&batch(1), &WORLD.issuer, |map| drop(map.remove(&19)));
    assert_eq!(refused(&without), AnswerError::Suite);
}

#[test]
fn one_bad_license_refuses_the_whole_batch() {
    let mut grants = grants(4);
    grants[2] = Grant { policy: vec![0xa0], key: inner(LicenseKind::Content, 1), state: None };
    assert_eq!(refused(&sealed(reply(), &grants)), AnswerError::License { index: 2 });
}

#[test]
fn an_appointment_ends_with_the_issuers_next_certificate() {
    let management = &WORLD.management.certificate;
    let later = service_with(31, |claims| {
        claims.key = *WORLD.issuer.key.verifying_key();
        (claims.not_before, claims.issued_at) = (NOW + DAY, NOW + DAY);
    });
    let directory = directory_with(&[&later]);
    assert!(may_sign(management, &policy(1), &directory, NOW), "it was appointed then");
    assert!(!may_sign(management, &policy(1), &directory, NOW + DAY), "the newest certificate names nobody");
    assert!(!may_sign(management, &policy(1), &directory, NOW - 2 * DAY), "nothing was valid yet");
}

#[test]
fn only_the_issuer_and_its_appointed_manager_sign_a_policy() {
    let (issuer, management) = (&WORLD.issuer, &WORLD.management);
    let other_id = ServiceId::new([0; 16]);
    let of = |issuer, management| Policy { issuer, management, ..policy(1) };
    let ours = of(issuer.id, Some(management.id));
    for (signer, policy, may) in [
        (issuer, ours.clone(), true),
        (management, ours.clone(), true),
        (&WORLD.individualization, ours, false),
        (issuer, of(other_id, None), false),
        (issuer, of(management.id, Some(issuer.id)), false),
        (management, of(issuer.id, None), false),
        (management, of(issuer.id, Some(other_id)), false),
        (management, of(management.id, Some(management.id)), false),
        (management, of(other_id, Some(management.id)), false),
    ] {
        assert_eq!(may_sign(&signer.certificate, &policy, &WORLD.directory, NOW), may, "{policy:?}");
        let role = signer.certificate.role;
        let opened = opened(&sealed_by(signer, reply(), &[grant(&policy)]), role);
        assert_eq!(opened.err(), if may { None } else { Some(AnswerError::OtherIssuer { index: 0 }) });
    }
}

#[test]
fn a_manager_that_the_issuer_does_not_appoint_is_refused() {
    let lone = service_with(14, |claims| claims.name = "lone issuer");
    let directory = directory_with(&[&lone]);
    let policy = Policy { issuer: lone.id, ..policy(1) };
    let sealed = sealed_by(&WORLD.management, reply(), &[grant(&policy)]);
    let envelope = Envelope::parse(&sealed).unwrap();
    let verified = envelope.verify(&expected(Role::Management), &directory).unwrap();
    let opened = verified.open_licenses(&DEVICE.hpke, DEVICE_ID, &directory);
    assert_eq!(opened.err(), Some(AnswerError::OtherIssuer { index: 0 }));
}

#[test]
fn the_signed_part_proves_its_licenses_without_the_rest() {
    let sealed = batch(3);
    let (answer, signer) = verify_signed(&signed_part(&sealed), &WORLD.directory, &[Role::Issuer]).unwrap();
    assert_eq!(signer.service_id, WORLD.issuer.id);
    let licenses = opened(&sealed, Role::Issuer).unwrap();
    for license in licenses {
        assert_eq!(answer.manifest[license.index as usize], license.license.hash());
    }
}

#[test]
fn every_changed_byte_of_a_batch_is_noticed() {
    let good = batch(2);
    assert!(opened(&good, Role::Issuer).is_ok());
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x41;
        assert!(opened(&changed, Role::Issuer).is_err(), "{at}");
    }
}

#[test]
fn a_full_batch_has_one_signature_and_one_encapsulation_and_fits() {
    let grants = grants(4096);
    let begin = Instant::now();
    let sealed = sealed(reply(), &grants);
    let made = begin.elapsed();
    assert!(sealed.len() < 4 << 20, "{}", sealed.len());
    let one = batch(1);
    // Each further license adds itself and 32 bytes of the manifest, and nothing else.
    let license = Envelope::parse(&one).map(|_| map_of(&one)[&3].len() - 1).unwrap();
    assert!(sealed.len() - one.len() < 4095 * (license + 40), "{}", sealed.len());
    let begin = Instant::now();
    let licenses = opened(&sealed, Role::Issuer).unwrap();
    let read = begin.elapsed();
    assert_eq!(licenses.len(), 4096);
    assert_eq!(licenses[4095].key.as_bytes(), [0xff; 16]);
    println!("4096 licenses: {} bytes, made in {made:?}, verified and opened in {read:?}", sealed.len());
}

#[test]
fn more_licenses_than_allowed_are_refused() {
    let one = map_of(&batch(1))[&3].clone();
    let license = &one[1..];
    let many = with_licenses(&batch(1), |licenses| *licenses = vec![license.to_vec(); 4097]);
    assert!(matches!(refused(&many), AnswerError::Content(_)));
}
