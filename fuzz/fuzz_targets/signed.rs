//! Signed documents: strict in form, and then as if their signer had gone mad: payloads signed anew with a key that counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use wmlicense_wire::answer::verify_signed;
use wmlicense_wire::backup::Footer;
use wmlicense_wire::certificate::{
    AuthorityCertificate, DeviceCertificate, Directory, Role, ServiceCertificate, ServiceClaims,
};
use wmlicense_wire::cose::{Document, Unverified, sign};
use wmlicense_wire::id::SignerId;
use wmlicense_wire::key::{DualSigningKey, KeyKind, Signer, SigningKey};
use wmlicense_wire::rekey::Rekey;
use wmlicense_wire::request::Request;
use wmlicense_wire::revocation::{Acknowledgement, Revocation};
use wmlicense_wire::service_document::{ServiceDocument, verify_time};
use wmlicense_wire::status_list::StatusList;

const CAP: usize = 1 << 20;

struct World {
    key: SigningKey,
    dual: DualSigningKey,
    directory: Directory,
}

/// One key with a certificate for every role.
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let authority_key = DualSigningKey::from_bytes(&[1; 64]).expect("seeds");
    let bytes = AuthorityCertificate::issue("fuzz", 0, &authority_key).expect("a certificate");
    let authority = AuthorityCertificate::parse(&bytes).expect("a certificate");
    let key = SigningKey::from_seed(&[2; 32]).expect("a seed");
    let mut directory = Directory::new(authority.clone());
    for role in Role::ALL {
        let claims = ServiceClaims {
            name: role.name(),
            role,
            key: *key.verifying_key(),
            backup_key: None,
            appoints: &[],
            not_before: i64::MIN,
            not_after: i64::MAX,
            issued_at: 0,
        };
        let bytes = ServiceCertificate::issue(&claims, authority.hash, &authority_key).expect("a certificate");
        directory.add(&bytes).expect("a certificate");
    }
    World { key, dual: authority_key, directory }
});

fuzz_target!(|data: &[u8]| {
    let Some((document, unverified)) =
        Document::ALL.into_iter().find_map(|document| Some((document, Unverified::parse(document, data, CAP).ok()?)))
    else {
        return;
    };
    let signer_id = unverified.signer_id();
    let payload = unverified.unverified_payload();
    if document.is_dual() {
        let _ = AuthorityCertificate::parse(data);
        let _ = ServiceCertificate::parse(data, &WORLD.directory.authority);
        let _ = StatusList::parse(data, &WORLD.directory.authority);
        let _ = Revocation::verify(data);
        read_dual(document, data);
        return;
    }
    assert!(sign(document, payload, &WORLD.key, signer_id).expect("signs").len() == data.len());
    let own = WORLD.key.verifying_key().signer_id(KeyKind::Service);
    let signed = sign(document, payload, &WORLD.key, own).expect("signs");
    read(document, &signed, own);
});

/// As if both signatures had held: what is accepted is written again alike.
fn read_dual(document: Document, data: &[u8]) {
    if document == Document::StatusList
        && let Ok(list) = StatusList::read_vouched(data)
    {
        let again = list.sign(&WORLD.dual).expect("signs");
        assert!(StatusList::read_vouched(&again).is_ok_and(|again| again == list));
    }
    if document == Document::LicenseRevocation
        && let Ok(revocation) = Revocation::read_vouched(data)
    {
        let again = revocation.content.sign(&WORLD.dual).expect("signs");
        assert!(Revocation::verify(&again).is_ok_and(|again| again.content == revocation.content));
    }
}

fn read(document: Document, signed: &[u8], own: SignerId) {
    let (key, directory) = (WORLD.key.verifying_key(), &WORLD.directory);
    match document {
        Document::DeviceCertificate => {
            for service in directory.services().iter().filter(|service| service.role == Role::Individualization) {
                let _ = DeviceCertificate::parse(signed, service).map(|certificate| certificate.thumbprint());
            }
        }
        Document::ServiceDocument => {
            let _ = ServiceDocument::parse(signed, &[directory.authority.hash]);
        }
        Document::SignedTime => {
            let _ = verify_time(signed, &[7; 16], directory);
        }
        Document::Request => {
            let request = Request::parse(signed, CAP).and_then(|parsed| Request::verify(parsed, key, own));
            if let Ok(request) = request {
                let again = request.sign(&WORLD.key, own).expect("signs");
                let again = Request::parse(&again, CAP).and_then(|parsed| Request::verify(parsed, key, own));
                assert!(again.is_ok_and(|again| again == request));
            }
        }
        Document::BackupFooter => {
            if let Ok(footer) = Footer::verify(signed, key, own) {
                let again = footer.sign(&WORLD.key, own).expect("signs");
                assert!(Footer::verify(&again, key, own).is_ok_and(|again| again == footer));
            }
        }
        Document::Answer => {
            let _ = verify_signed(signed, directory, &Role::ALL);
        }
        Document::Acknowledgement => {
            let parse = |signed: &[u8]| Acknowledgement::verify(Acknowledgement::parse(signed)?, key, own);
            if let Ok(acknowledgement) = parse(signed) {
                let again = acknowledgement.sign(&WORLD.key, own).expect("signs");
                assert!(parse(&again).is_ok_and(|again| again == acknowledgement));
            }
        }
        Document::Rekey => {
            if let Ok(rekey) = Rekey::verify(signed, key, own) {
                let again = rekey.sign(&WORLD.key, own).expect("signs");
                assert!(Rekey::verify(&again, key, own).is_ok_and(|again| again == rekey));
            }
        }
        Document::AuthorityCertificate
        | Document::ServiceCertificate
        | Document::StatusList
        | Document::LicenseRevocation => {}
    }
}
