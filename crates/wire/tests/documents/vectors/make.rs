//! Makes certificates, CBOR, policies, requests and service documents. What is random once is committed.

use super::read::hex;
use super::{make_answers, make_backups, make_given, make_restores, make_revocations};
use crate::world::*;
use wmlicense_testkit::vectors::Vector;
use wmlicense_wire::cbor::write;
use wmlicense_wire::certificate::{Assurance, DeviceCertificate, Role, ServiceCertificate};
use wmlicense_wire::cose::{Document, Unverified, sign, sign_dual};
use wmlicense_wire::id::{Epoch, Kid};
use wmlicense_wire::kem::Suite;
use wmlicense_wire::key::{DualSigningKey, KeyKind, SigningKey};
use wmlicense_wire::policy::{Conditions, Policy};
use wmlicense_wire::request::{Body, ClientInfo, Request};
use wmlicense_wire::service_document::{ServiceDocument, sign_time};

/// The certificates of the world's services, as vectors name them.
pub(crate) const SERVICES: &str =
    "service-certificate-individualization service-certificate-issuer service-certificate-management";

/// Every vector.
pub(crate) fn all() -> Vec<Vector> {
    [
        cbor(),
        keys(),
        authorities(),
        services(),
        devices(),
        service_documents(),
        policies(),
        requests(),
        make_answers::all(),
        make_given::all(),
        make_backups::all(),
        make_restores::all(),
        make_revocations::all(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn cbor() -> Vec<Vector> {
    let of =
        |name: &str, about, expect, bytes: &[u8]| Vector::new(&format!("cbor-{name}"), about, "cbor", expect, bytes);
    vec![
        of(
            "ok",
            "every type that documents consist of",
            "ok",
            b"\x87\x18\x64\x20\x41\x01\x61a\xf5\xf6\xa2\x01\x80\x18\x40\xa0",
        ),
        of("long-number", "a number in more bytes than it needs", "encoding", b"\x18\x17"),
        of("long-length", "a length in more bytes than it needs", "encoding", b"\x58\x01\x00"),
        of("indefinite", "an array of indefinite length", "encoding", b"\x9f\xff"),
        of("unsorted", "a map whose keys are not in order", "encoding", b"\xa2\x02\x00\x01\x00"),
        of("duplicate", "a map with a key twice", "encoding", b"\xa2\x01\x00\x01\x00"),
        of("float", "a floating-point number", "encoding", b"\xf9\x00\x00"),
        of("undefined", "the value undefined", "encoding", b"\xf7"),
        of("tag", "a tag", "encoding", b"\xc0\x00"),
        of("text", "text that is not UTF-8", "encoding", b"\x61\xff"),
        of("truncated", "a byte string that ends early", "encoding", b"\x5a\xff\xff\xff\xff\x00"),
        of("deep", "nested deeper than eight", "depth", &[[0x81; 9].as_slice(), &[0]].concat()),
        of("trailing", "a byte after the item", "trailing", b"\x80\x00"),
    ]
}

fn keys() -> Vec<Vector> {
    let of = |name, about, expect, key: &wmlicense_wire::kem::HpkePrivateKey| {
        let public = wmlicense_wire::id::Digest::of(key.public_key().as_bytes());
        let vector = Vector::new(name, about, "hpke-private-key", expect, key.to_bytes().to_vec());
        vector.with("suite", key.public_key().suite() as u8).with("gives-public", public)
    };
    let device = "ML-KEM-768 expanded key, then X25519 key: opens what is wrapped for the device";
    let management = "opens tickets for the management service";
    let mut damaged = DEVICE.hpke.to_bytes().to_vec();
    damaged[1200] ^= 1;
    let about = "a private key whose public half does not match its hash";
    vec![
        of("key-device", device, "ok", &DEVICE.hpke),
        of("key-device-suite-0", "X25519 key of the device of suite 0", "ok", &make_answers::WEAK_DEVICE.hpke),
        of("key-management", management, "ok", &WORLD.backup_key),
        Vector::new("key-damaged", about, "hpke-private-key", "key", damaged).with("suite", 1),
    ]
}

fn authorities() -> Vec<Vector> {
    let bytes = || WORLD.authority.bytes.clone();
    let of = |name: &str, about, expect, bytes: Vec<u8>| {
        let name = format!("authority-certificate-{name}");
        Vector::new(&name, about, "authority-certificate", expect, bytes).with("pin", WORLD.authority.hash)
    };
    let other = authority("Other Media", &DualSigningKey::from_bytes(&[9; 64]).unwrap());
    let mut changed = bytes();
    *changed.last_mut().unwrap() ^= 1;
    let pin = wmlicense_wire::id::Digest::of(&changed);
    vec![
        of("ok", "self-signed with Ed25519 and ML-DSA-65, pinned by its SHA-256", "ok", bytes()),
        of("other", "another authority than the pinned one", "not-trusted", other.bytes),
        Vector::new(
            "authority-certificate-second-signature",
            "the ML-DSA-65 signature is wrong, and the pin is of these very bytes",
            "authority-certificate",
            "bad-signature",
            changed,
        )
        .with("pin", pin),
    ]
}

fn services() -> Vec<Vector> {
    let of = |name: &str, about, expect, bytes: Vec<u8>| {
        let name = format!("service-certificate-{name}");
        let vector = Vector::new(&name, about, "service-certificate", expect, bytes);
        vector.with("authority", "authority-certificate-ok").with("time", NOW)
    };
    let good = |name: &str, about, service: &CertifiedService| {
        of(name, about, "ok", service.certificate.bytes.clone())
            .with("gives-service", service.id)
            .with("gives-signer", service.signer_id())
    };
    let edit = |edit: &dyn Fn(&mut Map)| {
        let document = Unverified::parse(Document::ServiceCertificate, &WORLD.issuer.certificate.bytes, 8192).unwrap();
        let payload = edited(document.unverified_payload(), edit);
        sign_dual(Document::ServiceCertificate, &payload, &WORLD.authority_key, WORLD.authority.signer_id()).unwrap()
    };
    let stranger = DualSigningKey::from_bytes(&[9; 64]).unwrap();
    let claims = claims(&WORLD.issuer.key, Role::Issuer);
    let foreign = ServiceCertificate::issue(&claims, WORLD.authority.hash, &stranger).unwrap();
    let ended = service_with(15, |claims| claims.not_after = NOW).certificate.bytes;
    let other_id = edit(&|map| drop(map.insert(10, write::bytes(WORLD.management.id))));
    let unknown = edit(&|map| drop(map.insert(63, vec![1])));
    let small_order = edit(&|map| drop(map.insert(12, write::bytes([0; 32]))));
    vec![
        good("individualization", "certifies devices", &WORLD.individualization),
        good("issuer", "signs licenses and appoints the management service", &WORLD.issuer),
        good("management", "re-binds licenses; has a key that opens backups", &WORLD.management),
        of("foreign", "signed by a stranger", "wrong-signer", foreign),
        of("other-id", "a service ID that is not derived from its name", "wrong-issuer", other_id),
        of("ended", "valid until the second in question, which is excluded", "not-valid", ended),
        of("unknown-field", "a field below 64 that no reader knows", "unknown", unknown),
        of("small-order", "a signing key of small order", "key", small_order),
    ]
}

fn devices() -> Vec<Vector> {
    let of = |name: &str, about, expect, bytes: Vec<u8>| {
        let vector = Vector::new(&format!("device-certificate-{name}"), about, "device-certificate", expect, bytes);
        vector.with("authority", "authority-certificate-ok").with("certificates", SERVICES)
    };
    let good = |name, about, device: &Device| {
        of(name, about, "ok", device.certificate.bytes.clone())
            .with("gives-device", DEVICE_ID)
            .with("gives-thumbprint", device.thumbprint())
    };
    let keys = &DEVICE.keys;
    let by_issuer = DeviceCertificate::issue(&device_claims(WORLD.issuer.id, keys), &WORLD.issuer.key).unwrap();
    let mut changed = DEVICE.certificate.bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    let for_other = device_claims(WORLD.issuer.id, keys);
    let for_other = DeviceCertificate::issue(&for_other, &WORLD.individualization.key).unwrap();
    vec![
        good("ok", "a device with an X-Wing key", &DEVICE),
        good("suite-0", "a device with an X25519 key", &make_answers::WEAK_DEVICE),
        of("by-issuer", "signed by a service that may not certify devices", "wrong-issuer", by_issuer),
        of("for-other", "names another service than the one that signed", "wrong-issuer", for_other),
        of("changed", "the signature is wrong", "bad-signature", changed),
    ]
}

fn service_documents() -> Vec<Vector> {
    let document = ServiceDocument {
        expires_at: NOW + DAY,
        issued_at: NOW,
        authority: WORLD.authority.bytes.clone(),
        certificates: vec![WORLD.issuer.certificate.bytes.clone()],
        urls: vec![("licenses".to_owned(), "https://example.com/v1/licenses".to_owned())],
        limits: vec![("restoreDevices".to_owned(), 4)],
        privacy_url: None,
        minimum_versions: Vec::new(),
        revocation_keys: Vec::new(),
    };
    let good = document.sign(&WORLD.issuer.key).unwrap();
    let by_device = document.sign(&DEVICE.signing).unwrap();
    let of = |name: &str, about, expect, bytes: &[u8]| {
        let vector = Vector::new(&format!("service-document-{name}"), about, "service-document", expect, bytes);
        vector.with("pin", WORLD.authority.hash)
    };
    let time = |name: &str, about, expect, nonce: [u8; 16], document| {
        let payload = wmlicense_wire::cbor::MapWriter::new().int(6, NOW).bytes(10, [7; 16]).finish();
        let time = match document {
            Document::SignedTime => sign_time(NOW, &[7; 16], &WORLD.issuer.key),
            _ => sign(document, &payload, &WORLD.issuer.key, WORLD.issuer.signer_id()),
        };
        Vector::new(&format!("signed-time-{name}"), about, "signed-time", expect, time.unwrap())
            .with("authority", "authority-certificate-ok")
            .with("certificates", SERVICES)
            .with("nonce", hex(&nonce))
    };
    vec![
        of("ok", "signed by a service that it certifies", "ok", &good).with("gives-certificates", 1),
        of("by-device", "signed by a key that it does not certify", "unknown-signer", &by_device),
        of("truncated", "the last byte is missing", "malformed", &good[..good.len() - 1]),
        time("ok", "the time over a nonce", "ok", [7; 16], Document::SignedTime).with("gives-time", NOW),
        time("other-nonce", "over another nonce", "wrong-nonce", [8; 16], Document::SignedTime),
        time("other-type", "the same payload as another document", "wrong-type", [7; 16], Document::Answer),
    ]
}

fn policies() -> Vec<Vector> {
    let of = |name: &str, about, expect, bytes: Vec<u8>| {
        Vector::new(&format!("policy-{name}"), about, "policy", expect, bytes)
    };
    let gives = |vector: Vector, play: bool| vector.with("gives-kid", policy(1).kid).with("gives-play", play);
    let full = Conditions {
        not_before: Some(NOW),
        not_after: Some(NOW + DAY),
        seconds_after_first_use: Some(48 * 3600),
        count: Some(3),
        minimum_security_version: Some("1.0.0.0".to_owned()),
        ..Conditions::default()
    };
    let full = Policy {
        actions: vec![("Play".to_owned(), full), ("Copy".to_owned(), Conditions::default())],
        custom: vec![("series".to_owned(), "1".to_owned())],
        ..policy(1)
    };
    let with = |number: u8, critical: u8| {
        let actions = write::text_map([("Play", vec![0x81, 0x83, 0x18, number, critical, 0x80])]);
        edited(&policy(1).encode(), |map| drop(map.insert(12, actions)))
    };
    let long = Policy { custom: vec![("long".to_owned(), "x".repeat(4096))], ..policy(1) };
    let license = license(1).encode();
    let of_license = |name: &str, about, expect, bytes: Vec<u8>| {
        Vector::new(&format!("license-{name}"), about, "license", expect, bytes)
    };
    vec![
        gives(of("ok", "playing without conditions", "ok", policy(1).encode()), true),
        gives(of("full", "conditions, a second action, the owner's own names", "ok", full.encode()), true),
        gives(of("unknown-critical", "an unknown critical condition: no right", "ok", with(99, 0xf5)), false),
        gives(of("unknown-skipped", "an unknown condition that may be skipped", "ok", with(99, 0xf4)), true),
        of(
            "unknown-field",
            "a field that no reader knows",
            "unknown",
            edited(&policy(1).encode(), |map| {
                map.insert(24, vec![0]);
            }),
        ),
        of("without-kid", "no key ID", "missing", edited(&policy(1).encode(), |map| drop(map.remove(&10)))),
        of("long", "more than 4 KiB", "too-long", long.encode()),
        of_license("ok", "policy and binding, not interpreted", "ok", license.clone()),
        of_license("trailing", "a byte after the license", "trailing", [license, vec![0]].concat()),
    ]
}

/// A request to a service that says nothing beyond its body.
pub(crate) fn request(to: &CertifiedService, body: Body, certificate: Option<Vec<u8>>) -> Request {
    Request {
        audience: to.id,
        time: NOW,
        transaction: TRANSACTION,
        page: 0,
        cursor: None,
        epoch: None,
        status_number: None,
        held: Vec::new(),
        client: ClientInfo {
            library: "0.1.0".to_owned(),
            security_version: "1.0.0.0".to_owned(),
            ..Default::default()
        },
        device_certificate: certificate,
        body,
    }
}

fn requests() -> Vec<Vector> {
    let device = &DEVICE;
    let request = |body, certificate| request(&WORLD.issuer, body, certificate);
    let licenses = Body::Licenses {
        kids: vec![Kid::new([0xc0; 16])],
        header: None,
        scope: None,
        since: None,
        actions: vec!["Play".to_owned()],
        custom: None,
        usage: Vec::new(),
    };
    let keys = device.keys.clone();
    let individualize =
        Body::Individualize { keys, assurance: Assurance::File, consent: true, current: None, rekey: None };
    let sign = |request: &Request, key: &SigningKey| request.sign(key, device.thumbprint()).unwrap();
    let challenge = request(licenses, Some(device.certificate.bytes.clone()));
    let good = sign(&challenge, &device.signing);
    let later = sign(&Request { epoch: Some(Epoch::new([0xe0; 16])), ..challenge.clone() }, &device.signing);
    let short =
        resigned(Document::Request, &later, &device.signing, |map| drop(map.insert(13, write::bytes([0xe0; 15]))));
    let forged = sign(&challenge, &SigningKey::from_seed(&[9; 32]).unwrap());
    let unknown = resigned(Document::Request, &good, &device.signing, |map| drop(map.insert(10, vec![9])));
    let revocations = request(Body::Revocations { machine_id: Vec::new() }, Some(device.certificate.bytes.clone()));
    let revocations = sign(&revocations, &device.signing);
    let taken = Body::Mailbox { taken: vec![TRANSACTION, TRANSACTION] };
    let mailbox = sign(&request(taken, Some(device.certificate.bytes.clone())), &device.signing);
    let cut = write::array([write::bytes([0x77; 15])]);
    let cut_taken = resigned(Document::Request, &mailbox, &device.signing, |map| {
        map.insert(18, [vec![0xa1, 0x01], cut].concat());
    });
    let by_service_kind = {
        let id = wmlicense_wire::key::Signer::verifying_key(&device.signing).signer_id(KeyKind::Service);
        challenge.sign(&device.signing, id).unwrap()
    };
    let first = sign(&request(individualize, None), &device.signing);
    let of = |name: &str, about, expect, bytes| {
        Vector::new(&format!("request-{name}"), about, "request", expect, bytes)
            .with("authority", "authority-certificate-ok")
            .with("certificates", SERVICES)
            .with("device", "device-certificate-ok")
    };
    let ok = |name, about, bytes| {
        let vector = of(name, about, "ok", bytes);
        vector.with("gives-audience", WORLD.issuer.id).with("gives-transaction", TRANSACTION)
    };
    assert_eq!(DEVICE.keys.hpke.suite(), Suite::XWing);
    vec![
        ok("licenses", "one license for a key ID", good),
        ok("epoch", "the same with the newest epoch of the service", later),
        ok("revocations", "what was taken back from this device", revocations),
        ok("mailbox", "what was taken out of the mailbox", mailbox),
        ok("individualize", "a certificate for the keys inside, one of which signs", first),
        of("forged", "signed by another key under the thumbprint of the device", "bad-signature", forged),
        of("other-kind", "the signer ID of the key as that of a service", "wrong-signer", by_service_kind),
        of("mailbox-short", "a taken transaction of 15 bytes", "value", cut_taken),
        of("short-epoch", "an epoch of 15 bytes", "value", short),
        of("unknown-kind", "a kind of request that no reader knows", "value", unknown),
    ]
}
