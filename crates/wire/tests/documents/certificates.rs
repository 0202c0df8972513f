//! Certificates: the chain from a pinned authority, and everything that breaks it.

use crate::world::*;
use wmlicense_wire::cbor::{CborError, write};
use wmlicense_wire::certificate::{
    AuthorityCertificate, BackupKey, CertificateError, DeviceCertificate, DeviceKeys, Directory, Role,
    ServiceCertificate, service_id,
};
use wmlicense_wire::cose::{CoseError, Document, Unverified, sign_dual};
use wmlicense_wire::id::Digest;
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{DualSigningKey, KeyError, KeyKind, Signer as _, SigningKey};

/// A service certificate of the authority with its payload changed.
fn recertified(bytes: &[u8], key: &DualSigningKey, edit: impl FnOnce(&mut Map)) -> Vec<u8> {
    let document = Unverified::parse(Document::ServiceCertificate, bytes, 8192).unwrap();
    let payload = edited(document.unverified_payload(), edit);
    let signer_id = key.verifying_key().signer_id(KeyKind::Authority);
    sign_dual(Document::ServiceCertificate, &payload, key, signer_id).unwrap()
}

fn refusal(bytes: &[u8]) -> CertificateError {
    ServiceCertificate::parse(bytes, &WORLD.authority).err().unwrap()
}

fn changed_issuer(edit: impl FnOnce(&mut Map)) -> CertificateError {
    refusal(&recertified(&WORLD.issuer.certificate.bytes, &WORLD.authority_key, edit))
}

#[test]
fn an_authority_is_trusted_by_its_hash_alone() {
    let bytes = &WORLD.authority.bytes;
    let parsed = AuthorityCertificate::parse_pinned(bytes, &[Digest::of(b"other"), Digest::of(bytes)]).unwrap();
    assert_eq!((parsed.name.as_str(), parsed.issued_at), ("Example Media", NOW - 100 * DAY));
    assert!(parsed.key == *WORLD.authority_key.verifying_key());
    for pins in [&[][..], &[Digest::of(b"other")]] {
        assert_eq!(AuthorityCertificate::parse_pinned(bytes, pins).err(), Some(CertificateError::NotTrusted));
    }
    // The same key with another name is another authority.
    let renamed = authority("Example Media Inc", &WORLD.authority_key);
    let pinned = AuthorityCertificate::parse_pinned(&renamed.bytes, &[WORLD.authority.hash]);
    assert_eq!(pinned.err(), Some(CertificateError::NotTrusted));
}

#[test]
fn an_authority_certificate_is_signed_by_the_keys_inside() {
    let other = DualSigningKey::from_bytes(&[9; 64]).unwrap();
    let document = Unverified::parse(Document::AuthorityCertificate, &WORLD.authority.bytes, 8192).unwrap();
    let foreign =
        sign_dual(Document::AuthorityCertificate, document.unverified_payload(), &other, WORLD.authority.signer_id());
    let refused = AuthorityCertificate::parse(&foreign.unwrap()).err();
    assert_eq!(refused, Some(CertificateError::Signature(CoseError::BadSignature)));
}

#[test]
fn a_service_certificate_reads_back_what_was_certified() {
    let issuer = &WORLD.issuer.certificate;
    assert_eq!((issuer.name.as_str(), issuer.role, issuer.authority), ("issuer", Role::Issuer, WORLD.authority.hash));
    assert_eq!(issuer.service_id, service_id(WORLD.authority.hash, "issuer"));
    assert!(issuer.key == *WORLD.issuer.key.verifying_key());
    assert_eq!(issuer.appoints, [WORLD.management.id]);
    assert!(issuer.backup_key.is_none());
    let backup_key = WORLD.management.certificate.backup_key.as_ref().unwrap();
    assert!(backup_key.key == *WORLD.backup_key.public_key());
    assert_eq!(backup_key.until, NOW + 3650 * DAY);
    assert!(issuer.bytes.len() < 4200, "{}", issuer.bytes.len());
}

#[test]
fn a_certificate_of_another_authority_is_refused() {
    let key = DualSigningKey::from_bytes(&[9; 64]).unwrap();
    let other = authority("Example Media", &key);
    let claims = claims(&WORLD.issuer.key, Role::Issuer);
    let by_other = ServiceCertificate::issue(&claims, other.hash, &key).unwrap();
    assert_eq!(refusal(&by_other), CertificateError::Signature(CoseError::WrongSigner));
    // Another key under the name of ours.
    let forged = ServiceCertificate::issue(&claims, WORLD.authority.hash, &key).unwrap();
    assert_eq!(refusal(&forged), CertificateError::Signature(CoseError::WrongSigner));
    // Our key, but for a service of the other authority.
    let claimed = ServiceCertificate::issue(&claims, other.hash, &WORLD.authority_key).unwrap();
    assert_eq!(refusal(&claimed), CertificateError::WrongIssuer);
}

#[test]
fn a_service_id_that_is_not_derived_from_authority_and_name_is_refused() {
    let other = write::bytes(WORLD.management.id);
    assert_eq!(changed_issuer(|map| drop(map.insert(10, other))), CertificateError::WrongIssuer);
    let renamed = changed_issuer(|map| drop(map.insert(2, write::text("management"))));
    assert_eq!(renamed, CertificateError::WrongIssuer);
    let moved = changed_issuer(|map| drop(map.insert(1, write::bytes(Digest::of(b"other")))));
    assert_eq!(moved, CertificateError::WrongIssuer);
}

#[test]
fn validity_includes_its_first_second_and_excludes_its_last() {
    let issuer = &WORLD.issuer.certificate;
    for (time, valid) in [
        (issuer.not_before - 1, false),
        (issuer.not_before, true),
        (issuer.not_after - 1, true),
        (issuer.not_after, false),
        (i64::MIN, false),
        (i64::MAX, false),
    ] {
        let expected = if valid { Ok(()) } else { Err(CertificateError::NotValid) };
        assert_eq!(issuer.check_valid_at(time), expected, "{time}");
    }
}

#[test]
fn unknown_fields_below_64_are_refused_and_others_skipped() {
    let unknown = changed_issuer(|map| drop(map.insert(63, write::uint(1))));
    assert_eq!(unknown, CertificateError::Content(CborError::Unknown { field: 63 }));
    let bytes = recertified(&WORLD.issuer.certificate.bytes, &WORLD.authority_key, |map| {
        map.insert(64, write::uint(1));
    });
    assert!(ServiceCertificate::parse(&bytes, &WORLD.authority).is_ok());
    let device = |field: u64| {
        let (bytes, service) = (&DEVICE.certificate.bytes, &WORLD.individualization);
        let bytes = resigned(Document::DeviceCertificate, bytes, &service.key, |map| {
            map.insert(field, write::uint(1));
        });
        DeviceCertificate::parse(&bytes, &service.certificate).map(|_| ())
    };
    assert_eq!(device(63), Err(CertificateError::Content(CborError::Unknown { field: 63 })));
    assert_eq!(device(64), Ok(()));
}

#[test]
fn fields_that_miss_or_have_wrong_values_are_refused() {
    for field in [1, 2, 4, 5, 6, 10, 11, 12, 14] {
        let missing = changed_issuer(|map| drop(map.remove(&field)));
        assert_eq!(missing, CertificateError::Content(CborError::Missing { field }));
        let wrong = changed_issuer(|map| drop(map.insert(field, vec![0xf6])));
        assert_eq!(wrong, CertificateError::Content(CborError::Value { field }));
    }
    for role in [0, 4, 1 << 40] {
        let unknown = changed_issuer(|map| drop(map.insert(11, write::uint(role))));
        assert_eq!(unknown, CertificateError::Content(CborError::Value { field: 11 }));
    }
    let many = write::array((0..65).map(|_| write::bytes([0; 16])));
    let appointed = changed_issuer(|map| drop(map.insert(14, many)));
    assert_eq!(appointed, CertificateError::Content(CborError::Value { field: 14 }));
}

#[test]
fn keys_that_are_not_valid_are_refused_when_a_certificate_is_read() {
    for key in [vec![0; 32], vec![0xff; 32], vec![3; 31]] {
        let refused = changed_issuer(|map| drop(map.insert(12, write::bytes(key))));
        assert_eq!(refused, CertificateError::Key(KeyError::Invalid));
    }
    let backup_key =
        |suite: u64, key: &[u8]| write::array([write::array([write::uint(suite), write::bytes(key)]), write::int(NOW)]);
    let good = WORLD.backup_key.public_key().as_bytes().to_vec();
    let mut unreduced = good.clone();
    unreduced[..3].copy_from_slice(&[0xff; 3]);
    for (suite, key) in [(1, &good[1..]), (2, &good), (0, &good), (1, &unreduced), (0, &[0; 32])] {
        let item = backup_key(suite, key);
        let bytes = recertified(&WORLD.management.certificate.bytes, &WORLD.authority_key, |map| {
            map.insert(13, item);
        });
        assert_eq!(refusal(&bytes), CertificateError::Content(CborError::Value { field: 13 }));
    }
}

#[test]
fn a_backup_key_of_either_suite_fits_into_a_certificate() {
    for suite in [Suite::X25519, Suite::XWing] {
        let key = HpkePrivateKey::generate(suite).unwrap();
        let backup_key = BackupKey { key: key.public_key().clone(), until: NOW };
        let signing = SigningKey::from_seed(&[8; 32]).unwrap();
        let mut claims = claims(&signing, Role::Management);
        claims.backup_key = Some(&backup_key);
        let bytes = ServiceCertificate::issue(&claims, WORLD.authority.hash, &WORLD.authority_key).unwrap();
        let parsed = ServiceCertificate::parse(&bytes, &WORLD.authority).unwrap();
        assert!(parsed.backup_key == Some(backup_key));
    }
}

#[test]
fn a_device_certificate_reads_back_what_was_certified() {
    let device = &DEVICE;
    let parsed = WORLD.directory.device(&device.certificate.bytes).unwrap();
    assert_eq!((parsed.device_id, parsed.issuer), (DEVICE_ID, WORLD.individualization.id));
    assert_eq!(parsed.thumbprint(), device.thumbprint());
    assert_eq!(parsed.security_version, "1.0.0.0");
    assert_eq!((parsed.not_before, parsed.not_after, parsed.issued_at), (NOW - DAY, NOW + 365 * DAY, NOW - DAY));
    assert_eq!(parsed.hash, Digest::of(&device.certificate.bytes));
}

#[test]
fn only_an_individualization_service_certifies_devices() {
    let keys = &DEVICE.keys;
    for service in [&WORLD.issuer, &WORLD.management] {
        let bytes = DeviceCertificate::issue(&device_claims(service.id, keys), &service.key).unwrap();
        let by_service = DeviceCertificate::parse(&bytes, &service.certificate);
        assert_eq!(by_service.err(), Some(CertificateError::WrongRole));
        assert_eq!(WORLD.directory.device(&bytes).err(), Some(CertificateError::WrongIssuer));
    }
    let stranger = SigningKey::from_seed(&[9; 32]).unwrap();
    let bytes = DeviceCertificate::issue(&device_claims(WORLD.individualization.id, keys), &stranger).unwrap();
    assert_eq!(WORLD.directory.device(&bytes).err(), Some(CertificateError::WrongIssuer));
    let forged = DeviceCertificate::parse(&bytes, &WORLD.individualization.certificate);
    assert_eq!(forged.err(), Some(CertificateError::Signature(CoseError::WrongSigner)));
}

#[test]
fn a_device_certificate_names_the_service_that_signed_it() {
    let claims = device_claims(WORLD.issuer.id, &DEVICE.keys);
    let bytes = DeviceCertificate::issue(&claims, &WORLD.individualization.key).unwrap();
    let parsed = DeviceCertificate::parse(&bytes, &WORLD.individualization.certificate);
    assert_eq!(parsed.err(), Some(CertificateError::WrongIssuer));
}

#[test]
fn the_thumbprint_covers_both_keys_of_a_device() {
    let keys = &DEVICE.keys;
    let other_signing = DeviceKeys { signing: *WORLD.issuer.key.verifying_key(), hpke: keys.hpke.clone() };
    let other_hpke = DeviceKeys { signing: keys.signing, hpke: WORLD.backup_key.public_key().clone() };
    assert!(other_signing.thumbprint() != keys.thumbprint());
    assert!(other_hpke.thumbprint() != keys.thumbprint());
}

#[test]
fn a_directory_holds_each_certificate_once_and_gives_the_newest_of_a_service() {
    let mut directory = WORLD.directory.clone();
    directory.add(&WORLD.issuer.certificate.bytes).unwrap();
    assert_eq!(directory.services().len(), 3);
    let renewed = service_with(12, |claims| claims.issued_at = NOW);
    directory.add(&renewed.certificate.bytes).unwrap();
    let newest = directory.by_service(WORLD.issuer.id, Role::Issuer).unwrap();
    assert_eq!(newest.hash, renewed.certificate.hash);
    assert!(directory.by_service(WORLD.issuer.id, Role::Management).is_none());
    assert!(directory.by_signer(WORLD.issuer.signer_id(), Role::Issuer).is_some());
    assert!(directory.by_signer(WORLD.issuer.signer_id(), Role::Management).is_none());
}

#[test]
fn a_directory_stays_as_it_was_when_a_certificate_is_refused() {
    let mut directory = Directory::new(WORLD.authority.clone());
    let mut broken = WORLD.issuer.certificate.bytes.clone();
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(directory.add(&broken).err(), Some(CertificateError::Signature(CoseError::BadSignature)));
    assert!(directory.services().is_empty());
}
