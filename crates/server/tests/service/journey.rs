//! Individualizing and acquiring over HTTP, as the protocol has it.

use wmlicense_testkit::daemon::device::{Device, Known, get, kid, now};
use wmlicense_testkit::daemon::{Data, GOLD, KEY, OPEN};
use wmlicense_wire::answer::{Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::policy::BackupRight;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::service_document::verify_time;

fn started() -> (Data, wmlicense_testkit::daemon::Serving, Known) {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

#[test]
fn a_device_gets_a_certificate_and_keeps_its_id_when_it_asks_again() {
    let (_data, _serving, known) = started();
    let mut device = Device::new();
    device.individualize(&known);
    let first = device.certificate.clone().unwrap();
    assert_eq!(first.not_after - first.issued_at, 365 * 24 * 60 * 60);
    device.individualize(&known);
    let renewed = device.certificate.take().unwrap();
    assert_eq!((renewed.device_id, renewed.thumbprint()), (first.device_id, first.thumbprint()));
    // A device that lost its certificate is known by its keys.
    device.individualize(&known);
    assert_eq!(device.id(), first.device_id);
    assert_ne!(Device::individualized(&known).id(), first.device_id);
}

#[test]
fn without_consent_no_device_is_made() {
    let (data, _serving, known) = started();
    let device = Device::new();
    let request = device.individualize_request(&known, false);
    let bytes = device.sign(&request);
    let reply = known.post("individualize", &bytes, None).granted();
    let (answer, _, envelope) = device.verify(&known, Role::Individualization, &bytes, request.transaction, &reply);
    assert_eq!(answer.outcome, Outcome::Refused);
    assert_eq!(answer.refusals[0].reason, Reason::ConsentMissing);
    assert!(envelope.device_certificate.is_none());
    assert_eq!(data.json(&["stats"])["devices"], 0);
}

#[test]
fn open_content_needs_no_account() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (answer, held) = device.acquire(&known, &[OPEN], None);
    assert_eq!(answer.outcome, Outcome::Done);
    let license = &held[0].license;
    assert_eq!(license.key.as_bytes(), kid(KEY).as_bytes());
    assert_eq!(license.policy.title.as_deref(), Some("A title"));
    assert_eq!((license.policy.user, license.policy.backup), (None, BackupRight::Stateless));
    assert_eq!(license.policy.restore_limit, Some(4));
    assert!((license.policy.first_issued - now()).abs() < 60);
    assert_eq!(data.json(&["license", "list"])[0]["lid"], license.policy.lid.to_hex());
}

#[test]
fn scoped_content_needs_an_account_with_the_scope() {
    let (data, _serving, known) = started();
    let (gold, plain) = (data.account("gold", &["gold"]), data.account("plain", &[]));
    let device = Device::individualized(&known);
    let refused = |token| {
        let (answer, held) = device.acquire(&known, &[GOLD], token);
        assert!(held.is_empty());
        assert_eq!(answer.outcome, Outcome::Refused);
        assert_eq!(answer.refusals[0].subject, Some(*kid(GOLD).as_bytes()));
        answer.refusals[0].reason
    };
    assert_eq!(refused(None), Reason::AccountRequired);
    assert_eq!(refused(Some(&plain)), Reason::NotEntitled);
    let (_, held) = device.acquire(&known, &[GOLD], Some(&gold));
    assert!(held[0].license.policy.user.is_some());
    let bytes = device.sign(&device.licenses_request(&known, &[GOLD]));
    let reply = known.post("licenses", &bytes, Some("wrong"));
    assert_eq!((reply.status, reply.problem()), (401, ProblemKind::Unauthorized));
}

#[test]
fn what_is_not_known_is_refused_by_key_id_and_the_rest_is_granted() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let other = "ff000000000000000000000000000000";
    let (answer, held) = device.acquire(&known, &[other, OPEN, OPEN], None);
    assert_eq!((answer.outcome, held.len()), (Outcome::Done, 1));
    assert_eq!(answer.refusals.len(), 1);
    assert_eq!(answer.refusals[0].reason, Reason::UnknownContent);
    assert_eq!(answer.refusals[0].url.as_deref(), Some(format!("{}/support", known.url).as_str()));
}

#[test]
fn the_same_request_gets_the_same_bytes_and_another_is_in_conflict() {
    let (data, mut serving, known) = started();
    let token = data.account("gold", &["gold"]);
    let device = Device::individualized(&known);
    let request = device.licenses_request(&known, &[OPEN]);
    let bytes = device.sign(&request);
    let first = known.post("licenses", &bytes, None).granted();
    assert_eq!(known.post("licenses", &bytes, None).granted(), first);
    serving.kill();
    let again = data.serve(&[]);
    let known = Known::discover(&again.url, data.authority);
    assert_eq!(known.post("licenses", &bytes, None).granted(), first);
    assert_eq!(known.post("licenses", &bytes, Some(&token)).problem(), ProblemKind::Conflict);
    let mut other = device.licenses_request(&known, &[GOLD]);
    other.transaction = request.transaction;
    let reply = known.post("licenses", &device.sign(&other), None);
    assert_eq!((reply.status, reply.problem()), (409, ProblemKind::Conflict));
    assert_eq!(data.json(&["stats"])["licenses"], 1);
}

#[test]
fn asking_again_gives_the_same_license_until_its_terms_change() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, first) = device.acquire(&known, &[wmlicense_testkit::daemon::COUNTED], None);
    let (_, again) = device.acquire(&known, &[wmlicense_testkit::daemon::COUNTED], None);
    assert_eq!(first[0].license.license.policy, again[0].license.license.policy);
    assert_ne!(first[0].license.license.binding, again[0].license.license.binding);
    data.policy("counted", r#"{"actions":{"Play":{"count":7}}}"#);
    let (_, changed) = device.acquire(&known, &[wmlicense_testkit::daemon::COUNTED], None);
    let policy = &changed[0].license.policy;
    assert_ne!(policy.lid, first[0].license.policy.lid);
    assert_eq!(policy.replaces, Some(first[0].license.policy.lid));
    assert_eq!(policy.action("Play").unwrap().count, Some(7));
}

#[test]
fn a_revoked_device_is_told_so() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    data.admin(&["device", "revoke", &device.id().to_hex()]);
    let (answer, held) = device.acquire(&known, &[OPEN], None);
    assert!(held.is_empty());
    assert_eq!((answer.outcome, answer.refusals[0].reason), (Outcome::Refused, Reason::DeviceRevoked));
    let bytes = device.sign(&device.individualize_request(&known, true));
    let reply = known.post("individualize", &bytes, None).granted();
    assert!(wmlicense_wire::answer::Envelope::parse(&reply).unwrap().device_certificate.is_none());
}

#[test]
fn certificates_that_are_held_are_not_sent_again() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let mut request = device.licenses_request(&known, &[OPEN]);
    let sent = |request: &wmlicense_wire::request::Request| {
        let reply = known.post("licenses", &device.sign(request), None).granted();
        wmlicense_wire::answer::Envelope::parse(&reply).unwrap().certificates.len()
    };
    assert_eq!(sent(&request), 2);
    request.transaction = wmlicense_wire::id::TransactionId::random().unwrap();
    request.held = known.directory.services().iter().map(|service| service.hash).collect();
    assert_eq!(sent(&request), 0);
}

#[test]
fn the_time_is_signed_over_the_nonce() {
    let (_data, serving, known) = started();
    let nonce = [0xa5; 24];
    let url = format!("{}?nonce={}", known.document.url("time").unwrap(), "a5".repeat(24));
    let (time, _) = verify_time(&get(&url).granted(), &nonce, &known.directory).unwrap();
    assert!((time - now()).abs() < 60);
    for query in ["", "?nonce=", "?nonce=00", "?other=1"] {
        assert_eq!(get(&format!("{}/v1/time{query}", serving.url)).problem(), ProblemKind::BadRequest);
    }
}

#[test]
fn renewed_certificates_serve_the_devices_of_the_old_ones() {
    let (data, mut serving, known) = started();
    let device = Device::individualized(&known);
    let printed = data.admin(&["certificate", "renew"]);
    assert_eq!(printed.lines().count(), 3);
    assert!(printed.contains("issuer: valid until 2"));
    serving.kill();
    let again = data.serve(&[]);
    let renewed = Known::discover(&again.url, data.authority);
    let (old, new) = (&known.directory.services()[1], &renewed.directory.services()[1]);
    assert_eq!(old.service_id, new.service_id);
    assert_ne!(old.key.as_bytes(), new.key.as_bytes());
    assert_eq!(device.acquire(&renewed, &[OPEN], None).1.len(), 1);
}

#[test]
fn a_process_offers_only_its_roles() {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&["--roles", "issuer", "--public-url", "https://licenses.example/"]);
    let known = Known::discover(&serving.url, data.authority);
    assert_eq!(known.document.url("licenses"), Some("https://licenses.example/v1/licenses"));
    assert_eq!(known.document.url("individualize"), None);
    let reply = get(&format!("{}/v1/individualize", serving.url));
    assert_eq!((reply.status, reply.problem()), (404, ProblemKind::NotFound));
}
