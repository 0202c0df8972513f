//! Taking licenses back through a running service: orders, blobs, acknowledgements, status lists.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::client::*;
use support::*;
use wmlicense_wire::answer::{Envelope, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Digest;
use wmlicense_wire::request::Body;
use wmlicense_wire::revocation::{Acknowledgement, Entry, Revocation, VerifiedRevocation};
use wmlicense_wire::status_list::StatusList;

/// What the service says was taken back from a device; none where nothing ever was.
fn told(device: &Device, known: &Known) -> Option<(Vec<u8>, VerifiedRevocation)> {
    let request = device.request(known, Role::Issuer, Body::Revocations { machine_id: Vec::new() });
    let reply = known.post("revocations", &device.sign(&request), None);
    if reply.status == 204 {
        return None;
    }
    let bytes = reply.granted();
    let verified = Revocation::verify(&bytes).unwrap();
    Some((bytes, verified))
}

#[test]
fn a_license_that_was_taken_back_is_told_acknowledged_and_not_issued_again() {
    let data = Data::new();
    data.policy("revocable", r#"{"revocationKey":"default","backup":true}"#);
    data.open_content(OPEN, Some("revocable"));
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let policy = &held[0].license.policy;
    assert!(told(&device, &known).is_none());
    data.admin(&["license", "revoke", "--lid", &policy.lid.to_hex(), "--reason", "test"]);
    let (bytes, blob) = told(&device, &known).unwrap();
    assert_eq!((Some(blob.key), blob.content.target), (policy.revocation_key, Some(device.id())));
    assert_eq!(blob.content.entries, [Entry::License(policy.lid)]);
    assert!(blob.matches(policy));
    assert_eq!(told(&device, &known).unwrap().0, bytes, "the same number has the same bytes");
    assert!(told(&Device::individualized(&known), &known).is_none(), "it is nobody else's business");
    let word = Acknowledgement {
        taken_at: now(),
        blob: Digest::of(&bytes),
        number: blob.content.number,
        device_id: device.id(),
        removed: 1,
        lids: vec![policy.lid],
    };
    let word = word.sign(&device.signing, device.thumbprint()).unwrap();
    assert_eq!(known.post("revocations", &word, None).status, 204);
    let list = data.admin(&["license", "list", "--json"]);
    assert!(list.contains("\"revoked\":true") && !list.contains("\"acknowledged\":null"), "{list}");
    let request = device.licenses_request(&known, &[OPEN]);
    let signed = device.sign(&request);
    let reply = known.post("licenses", &signed, None).granted();
    let (answer, _, _) = device.verify(&known, Role::Issuer, &signed, request.transaction, &reply);
    assert_eq!((answer.outcome, answer.refusals[0].reason), (Outcome::Refused, Reason::Revoked));
    let backup = device.back_up(&known, &held, None);
    let (restored, _) = Device::individualized(&known).restore(&known, &backup, None);
    assert_eq!(restored.refusals[0].reason, Reason::Revoked);
}

#[test]
fn a_status_list_names_the_revoked_device_and_the_device_is_told_why() {
    let data = Data::new();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    assert_eq!(get(&format!("{}/v1/status-list", known.url)).status, 204);
    data.admin(&["device", "revoke", &device.id().to_hex()]);
    data.admin(&["status", "publish"]);
    let list = get(&format!("{}/v1/status-list", known.url)).granted();
    let list = StatusList::parse(&list, &known.directory.authority).unwrap();
    assert!(list.revokes_device(device.thumbprint(), 0) && list.names_device(device.thumbprint()));
    let request = device.request(&known, Role::Issuer, Body::Revocations { machine_id: Vec::new() });
    let signed = device.sign(&request);
    let reply = known.post("revocations", &signed, None).granted();
    let (answer, _, envelope) = device.verify(&known, Role::Issuer, &signed, request.transaction, &reply);
    assert_eq!(answer.refusals[0].reason, Reason::DeviceRevoked);
    assert!(answer.refusals[0].url.is_some() && answer.status_number == Some(list.number));
    assert!(envelope.status_list.is_some() && Envelope::parse(&reply).is_ok());
}
