//! The schedule against RFC 9180 appendix A.1 and, for both suites and both directions, against the crate `hpke`.

use super::*;
use crate::id::Digest;
use ::hpke::aead::AesGcm256;
use ::hpke::kdf::HkdfSha256;
use ::hpke::kem::{X25519HkdfSha256, XWing};
use ::hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, setup_receiver, setup_sender};

const INFO: &[u8] = b"Ode on a Grecian Urn";

fn hex(text: &str) -> [u8; 32] {
    *Digest::from_hex(text).unwrap().as_bytes()
}

#[test]
fn the_kem_and_the_schedule_are_those_of_rfc_9180_a_1_1() {
    let key = hex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8");
    let key = HpkePrivateKey::from_bytes(Suite::X25519, &key).unwrap();
    let public = hex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
    assert_eq!(key.public_key().as_bytes(), public);
    let enc = hex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
    let secret = key.decapsulate(&enc).unwrap();
    assert_eq!(*secret, hex("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"));
    // The appendix has AES-128-GCM in this place, which enters the schedule by its number.
    let mut suite_id = suite_id(Suite::X25519);
    suite_id[9] = 1;
    let context = Context::schedule(suite_id, &secret, INFO);
    let exporter = hex("45ff1c2e220db587171952c0592d5f5ebe103f1561a2614e38f2ffd47e99e3f8");
    assert_eq!(*context.exporter_secret, exporter);
    assert_eq!(context.base_nonce, [0x56, 0xd8, 0x90, 0xe5, 0xac, 0xca, 0xaf, 0x01, 0x1c, 0xff, 0x4b, 0x7d]);
    for (exporter_context, exported) in [
        (b"".as_slice(), "3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee"),
        (b"\0", "2e8f0b54673c7029649d4eb9d5e33bf1872cf76d623ff164ac185da9e88c21a5"),
        (b"TestContext", "e9e43065102c3836401bed8c3c3c75ae46be1639869391d62c61f1ec7af54931"),
    ] {
        assert_eq!(*context.export(exporter_context), hex(exported));
    }
}

fn ours_seals_and_the_twin_opens<K: Kem>(suite: Suite) {
    let (private, public) = K::gen_keypair();
    let public = HpkePublicKey::from_slice(suite, &public.to_bytes()).unwrap();
    let (enc, context) = Context::sender(&public, INFO).unwrap();
    let enc = K::EncappedKey::from_bytes(&enc).unwrap();
    let mut twin = setup_receiver::<AesGcm256, HkdfSha256, K>(&OpModeR::Base, &private, &enc, INFO).unwrap();
    let mut exported = [0; 32];
    twin.export(b"wmlicense/1 wrap", &mut exported).unwrap();
    assert_eq!(*context.export(b"wmlicense/1 wrap"), exported);
    assert_eq!(twin.open(&context.seal(b"message").unwrap(), b"").unwrap(), b"message");
}

fn the_twin_seals_and_ours_opens<K: Kem>(suite: Suite) {
    let key = HpkePrivateKey::generate(suite).unwrap();
    let public = K::PublicKey::from_bytes(key.public_key().as_bytes()).unwrap();
    let (enc, mut twin) = setup_sender::<AesGcm256, HkdfSha256, K>(&OpModeS::Base, &public, INFO).unwrap();
    let context = Context::recipient(&key, &enc.to_bytes(), INFO).unwrap();
    let mut exported = [0; 32];
    twin.export(b"wmlicense/1 unlock", &mut exported).unwrap();
    assert_eq!(*context.export(b"wmlicense/1 unlock"), exported);
    assert_eq!(**context.open(&twin.seal(b"message", b"").unwrap()).unwrap(), *b"message");
}

#[test]
fn an_independent_implementation_opens_ours_and_seals_for_us() {
    ours_seals_and_the_twin_opens::<X25519HkdfSha256>(Suite::X25519);
    the_twin_seals_and_ours_opens::<X25519HkdfSha256>(Suite::X25519);
    ours_seals_and_the_twin_opens::<XWing>(Suite::XWing);
    the_twin_seals_and_ours_opens::<XWing>(Suite::XWing);
}

#[test]
fn a_message_opens_only_with_its_key_info_and_encapsulation() {
    for suite in [Suite::X25519, Suite::XWing] {
        let key = HpkePrivateKey::generate(suite).unwrap();
        let (enc, context) = Context::sender(key.public_key(), INFO).unwrap();
        let wrap = context.export(b"wrap");
        assert_ne!(wrap, context.export(b"unlock"));
        let sealed = context.seal(b"message").unwrap();
        let open = |key: &HpkePrivateKey, enc: &[u8], info: &[u8]| {
            Context::recipient(key, enc, info).and_then(|context| context.open(&sealed))
        };
        assert_eq!(**open(&key, &enc, INFO).unwrap(), *b"message");
        assert!(open(&HpkePrivateKey::generate(suite).unwrap(), &enc, INFO).is_err());
        assert!(open(&key, &enc, b"another").is_err());
        for at in [0, enc.len() / 2, enc.len() - 1] {
            let mut changed = enc.clone();
            changed[at] ^= 1;
            assert!(open(&key, &changed, INFO).is_err(), "{at}");
        }
        let other = Context::recipient(&key, &enc, b"another").unwrap();
        assert_ne!(other.export(b"wrap"), wrap);
    }
}

#[test]
fn the_suites_do_not_open_each_other() {
    let xwing = HpkePrivateKey::generate(Suite::XWing).unwrap();
    let x25519 = HpkePrivateKey::generate(Suite::X25519).unwrap();
    let (enc, _) = Context::sender(x25519.public_key(), INFO).unwrap();
    assert!(Context::recipient(&xwing, &enc, INFO).is_err());
    assert_eq!(Suite::from_number(0), Some(Suite::X25519));
    assert_eq!(Suite::from_number(1), Some(Suite::XWing));
    assert_eq!(Suite::from_number(2), None);
}
