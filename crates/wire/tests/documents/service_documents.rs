//! Service documents, signed times and problems.

use crate::world::*;
use wmlicense_wire::cbor::{CborError, write};
use wmlicense_wire::certificate::{CertificateError, Role};
use wmlicense_wire::cose::{CoseError, Document};
use wmlicense_wire::id::{Digest, SignerId};
use wmlicense_wire::key::DualSigningKey;
use wmlicense_wire::problem::{self, Problem, ProblemKind};
use wmlicense_wire::service_document::{ServiceDocument, ServiceDocumentError, sign_time, verify_time};

fn document() -> ServiceDocument {
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    ServiceDocument {
        expires_at: NOW + DAY,
        issued_at: NOW,
        authority: WORLD.authority.bytes.clone(),
        certificates: [&WORLD.individualization, &WORLD.issuer, &WORLD.management]
            .map(|service| service.certificate.bytes.clone())
            .to_vec(),
        urls: vec![text("time", "https://example.com/v1/time"), text("licenses", "https://example.com/v1/licenses")],
        limits: vec![("restoreDevices".to_owned(), 4)],
        privacy_url: Some("https://example.com/privacy".to_owned()),
        minimum_versions: vec![text("security", "1.0.0.0")],
        revocation_keys: vec![SignerId::new([7; 32])],
    }
}

fn read(bytes: &[u8]) -> Result<ServiceDocument, ServiceDocumentError> {
    ServiceDocument::parse(bytes, &[WORLD.authority.hash]).map(|(document, _)| document)
}

#[test]
fn a_service_document_gives_its_content_and_verified_certificates() {
    for service in [&WORLD.individualization, &WORLD.issuer, &WORLD.management] {
        let bytes = document().sign(&service.key).unwrap();
        let (read, directory) = ServiceDocument::parse(&bytes, &[WORLD.authority.hash]).unwrap();
        assert!(read == document());
        assert_eq!(read.url("licenses"), Some("https://example.com/v1/licenses"));
        assert_eq!(read.url("returns"), None);
        assert_eq!(directory.services().len(), 3);
        for role in Role::ALL {
            assert_eq!(directory.services().iter().filter(|service| service.role == role).count(), 1);
        }
    }
}

#[test]
fn a_service_document_counts_only_under_a_pinned_authority() {
    let bytes = document().sign(&WORLD.issuer.key).unwrap();
    let not_trusted = ServiceDocumentError::Certificate(CertificateError::NotTrusted);
    for pins in [&[][..], &[Digest::of(b"other")]] {
        assert_eq!(ServiceDocument::parse(&bytes, pins).err(), Some(not_trusted.clone()));
    }
    // A foreign authority that brings its own services along is foreign all the same.
    let key = DualSigningKey::from_bytes(&[9; 64]).unwrap();
    let foreign = ServiceDocument { authority: authority("Example Media", &key).bytes, ..document() };
    assert_eq!(read(&foreign.sign(&WORLD.issuer.key).unwrap()).err(), Some(not_trusted));
}

#[test]
fn a_service_document_with_one_foreign_certificate_is_refused() {
    let key = DualSigningKey::from_bytes(&[9; 64]).unwrap();
    let claims = claims(&WORLD.issuer.key, Role::Issuer);
    let foreign = wmlicense_wire::certificate::ServiceCertificate::issue(&claims, WORLD.authority.hash, &key).unwrap();
    let mut document = document();
    document.certificates.push(foreign);
    let expected = CertificateError::Signature(CoseError::WrongSigner);
    let refused = read(&document.sign(&WORLD.issuer.key).unwrap());
    assert_eq!(refused.err(), Some(ServiceDocumentError::Certificate(expected)));
}

#[test]
fn a_service_document_is_signed_by_a_service_that_it_certifies() {
    let by_device = document().sign(&DEVICE.signing).unwrap();
    assert_eq!(read(&by_device).err(), Some(ServiceDocumentError::UnknownSigner));
    let mut without = document();
    without.certificates.remove(1);
    let by_issuer = without.sign(&WORLD.issuer.key).unwrap();
    assert_eq!(read(&by_issuer).err(), Some(ServiceDocumentError::UnknownSigner));
}

#[test]
fn changed_bytes_of_a_service_document_are_noticed() {
    let bytes = document().sign(&WORLD.issuer.key).unwrap();
    for at in (0..bytes.len()).step_by(61).chain(bytes.len() - 80..bytes.len()) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        assert!(read(&changed).is_err(), "{at}");
        assert!(read(&bytes[..at]).is_err(), "{at}");
    }
}

#[test]
fn a_malformed_service_document_is_refused() {
    let bytes = document().sign(&WORLD.issuer.key).unwrap();
    let changed = |edit: &dyn Fn(&mut Map)| {
        read(&resigned(Document::ServiceDocument, &bytes, &WORLD.issuer.key, edit)).err().unwrap()
    };
    for field in [4, 6, 10, 11, 12, 13, 15] {
        let missing = changed(&|map| drop(map.remove(&field)));
        assert_eq!(missing, ServiceDocumentError::Content(CborError::Missing { field }));
    }
    let many = write::array((0..9).map(|_| write::bytes([])));
    let refused = changed(&|map| drop(map.insert(11, many.clone())));
    assert_eq!(refused, ServiceDocumentError::Content(CborError::Value { field: 11 }));
}

#[test]
fn a_signed_time_is_read_over_its_nonce_only() {
    let nonce = [7; 16];
    for service in [&WORLD.individualization, &WORLD.issuer, &WORLD.management] {
        let bytes = sign_time(NOW, &nonce, &service.key).unwrap();
        assert_eq!(verify_time(&bytes, &nonce, &WORLD.directory), Ok((NOW, service.signer_id())));
        let other = verify_time(&bytes, &[8; 16], &WORLD.directory);
        assert_eq!(other, Err(ServiceDocumentError::WrongNonce));
    }
    let by_device = sign_time(NOW, &nonce, &DEVICE.signing).unwrap();
    assert_eq!(verify_time(&by_device, &nonce, &WORLD.directory), Err(ServiceDocumentError::UnknownSigner));
    let bytes = sign_time(NOW, &nonce, &WORLD.issuer.key).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        assert!(verify_time(&changed, &nonce, &WORLD.directory).is_err(), "{at}");
    }
}

#[test]
fn every_kind_of_problem_is_read_back() {
    let mut names: Vec<&str> = ProblemKind::ALL.iter().map(|kind| kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ProblemKind::ALL.len());
    for kind in ProblemKind::ALL {
        let mut problem = Problem::new(kind, "one sentence");
        problem.retry_after = Some(5);
        problem.request_id = Some("r1".to_owned());
        problem.detail = Some("what to do".to_owned());
        let json = serde_json::to_vec(&problem).unwrap();
        let read = Problem::parse(&json).unwrap();
        assert_eq!(read, problem);
        assert_eq!(read.kind, format!("urn:wmlicense:problem:{}", kind.name()));
        assert_eq!(read.code, kind.code());
        assert_eq!(i32::from(read.status), read.code / 100);
    }
}

#[test]
fn what_is_no_problem_of_ours_is_not_taken_for_one() {
    let foreign = br#"{"type":"about:blank","title":"Bad Gateway","status":502}"#;
    assert_eq!(Problem::parse(foreign).unwrap().code, 0);
    let unknown = br#"{"type":"urn:wmlicense:problem:later","title":"Later","status":499}"#;
    assert_eq!(Problem::parse(unknown).unwrap().code, 0);
    for bytes in [&b""[..], b"<html>", b"{}", b"[]", br#"{"type":1}"#] {
        assert!(Problem::parse(bytes).is_none());
    }
    let long = format!(r#"{{"type":"about:blank","title":"{}","status":502}}"#, "x".repeat(problem::MAX_LEN));
    assert!(Problem::parse(long.as_bytes()).is_none());
}
