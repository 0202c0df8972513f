//! Taking licenses back through a running service: orders, blobs, acknowledgements, status lists.

use wmlicense_testkit::daemon::device::*;
use wmlicense_testkit::daemon::*;
use wmlicense_wire::answer::{Envelope, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Lid};
use wmlicense_wire::license::State;
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

/// What every endpoint answers to a device or application: all of a refusal's parts that a user is told.
fn everywhere(
    device: &Device,
    known: &Known,
    held: &[Held],
    backup: &Backup,
    application: &str,
) -> Vec<(&'static str, Outcome, Option<Reason>)> {
    let lid = held[0].license.policy.lid;
    let preview = Body::RestorePreview { source: backup.source.clone(), lids: vec![lid], usage: Vec::new() };
    let asked = [
        ("individualize", Role::Individualization, device.individualize_request(known, true).body),
        ("licenses", Role::Issuer, device.licenses_request(known, &[OPEN]).body),
        ("renewals", Role::Issuer, Body::Renewals { licenses: vec![(lid, State::default())], custom: None }),
        ("returns", Role::Issuer, Body::Returns { licenses: vec![(Lid::new([7; 16]), State::default())] }),
        ("revocations", Role::Issuer, Body::Revocations { machine_id: Vec::new() }),
        ("restores/preview", Role::Management, preview),
        ("restores", Role::Management, device.restore_request(known, backup).body),
    ];
    let answers = asked.into_iter().filter_map(|(endpoint, role, body)| {
        let mut request = device.request(known, role, body);
        request.client.application = Some(application.to_owned());
        let signed = device.sign(&request);
        let reply = known.post(endpoint, &signed, None);
        if reply.status == 204 {
            return None; // Nothing was taken back.
        }
        let answer = device.verify(known, role, &signed, request.transaction, &reply.granted()).0;
        let whole = answer.refusals.first().filter(|refusal| refusal.subject.is_none() && refusal.url.is_some());
        Some((endpoint, answer.outcome, whole.map(|refusal| refusal.reason)))
    });
    answers.collect()
}

fn all_say(answers: &[(&'static str, Outcome, Option<Reason>)], reason: Reason) {
    assert_eq!(answers.len(), 7, "{answers:?}");
    for (endpoint, outcome, told) in answers {
        assert_eq!((outcome, told), (&Outcome::Refused, &Some(reason)), "{endpoint}");
    }
}

#[test]
fn a_revoked_device_or_application_is_told_why_at_every_endpoint() {
    let data = Data::new();
    data.policy("plain", r#"{"backup":true}"#);
    data.open_content(OPEN, Some("plain"));
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let backup = device.back_up(&known, &held, None);
    let publish = || {
        data.admin(&["status", "publish"]);
        // The service looks for a new list from time to time, and when somebody asks for it.
        get(&format!("{}/v1/status-list", known.url)).granted();
    };
    let asked = |application| everywhere(&device, &known, &held, &backup, application);
    assert!(asked("player").iter().all(|(_, outcome, reason)| *outcome == Outcome::Done && reason.is_none()));

    data.admin(&["application", "revoke", "player"]);
    publish();
    all_say(&asked("player"), Reason::ApplicationRevoked);
    assert!(asked("another").iter().all(|(_, outcome, _)| *outcome == Outcome::Done));

    data.admin(&["device", "revoke", &device.id().to_hex()]);
    all_say(&asked("another"), Reason::DeviceRevoked);

    // A service with a database of its own knows it from the status list alone.
    publish();
    let database = rusqlite::Connection::open(data.path().join("wmlicensed.db")).unwrap();
    assert_eq!(database.execute("UPDATE device SET revoked_at = NULL", []).unwrap(), 1);
    all_say(&asked("another"), Reason::DeviceRevoked);
}

#[test]
fn a_status_list_that_cannot_be_read_keeps_the_service_from_starting_until_there_is_another() {
    let data = Data::new();
    data.admin(&["status", "publish"]);
    data.serve(&[]);
    let database = rusqlite::Connection::open(data.path().join("wmlicensed.db")).unwrap();
    database.execute("UPDATE status_list SET list = x'00'", []).unwrap();
    let complaint = data.fails(&["serve", "--listen", "127.0.0.1:0"]).1;
    assert!(complaint.contains("`wmlicensed status publish` makes another one"), "{complaint}");
    data.admin(&["status", "publish"]);
    data.serve(&[]);
}
