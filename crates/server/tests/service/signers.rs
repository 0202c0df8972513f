//! Who signed what a restore brings, who appointed whom when, and which certificates come along with an answer.

use crate::clock::with_clock;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use wmlicense_testkit::daemon::device::{Backup, Device, Held, Known, kid, now};
use wmlicense_testkit::daemon::issuer::OtherIssuer;
use wmlicense_testkit::daemon::{Data, KEY, OPEN, Serving, rfc3339};
use wmlicense_wire::answer::{Answer, Envelope, Reason};
use wmlicense_wire::backup::Record;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Kid, ServiceId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{BackupRight, Conditions, Policy};
use wmlicense_wire::request::{Body, Request, RestoreBatch};

const ELSEWHERE: Kid = Kid::new([0xee; 16]);

fn management(known: &Known) -> ServiceId {
    known.directory.services().iter().find(|service| service.role == Role::Management).unwrap().service_id
}

fn reason((answer, held): &(Answer, Vec<Held>)) -> Option<Reason> {
    assert_eq!(held.is_empty(), !answer.refusals.is_empty());
    answer.refusals.first().map(|refusal| refusal.reason)
}

/// The one certificate of the issuer that `init` made.
fn issuers_certificate(data: &Data) -> PathBuf {
    let all = std::fs::read_dir(data.path().join("certificates")).unwrap().map(|entry| entry.unwrap().path());
    let mut issuers = all.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("issuer-"));
    issuers.next().unwrap()
}

#[test]
fn what_a_revoked_key_signed_is_restored_where_it_was_signed_before() {
    for (from, expected) in [(None, Some(Reason::Revoked)), (Some(50), None), (Some(-50), Some(Reason::Revoked))] {
        let data = Data::new();
        data.fill();
        let old = issuers_certificate(&data);
        let mut serving = data.serve(&[]);
        let known = Known::discover(&serving.url, data.authority);
        let (device, other) = (Device::individualized(&known), Device::individualized(&known));
        let (_, held) = device.acquire(&known, &[OPEN], None);
        let backup = device.back_up(&known, &held, None);
        serving.kill();
        data.admin(&["certificate", "renew"]);
        let mut words = vec!["certificate", "revoke", old.to_str().unwrap()];
        let from = from.map(|later: i64| rfc3339(now() + later));
        words.extend(from.iter().flat_map(|from| ["--from", from]));
        data.admin(&words);
        data.admin(&["status", "publish"]);
        with_clock(&data, |known, clock| {
            // Until then the key counts; what matters is the time of the signature.
            clock.0.fetch_add(100, Ordering::SeqCst);
            assert_eq!(reason(&other.restore(known, &backup, None)), expected, "{from:?}");
        });
    }
}

/// What two devices need to try a license of another issuer.
struct Elsewhere {
    known: Known,
    held: Held,
    backup: Backup,
}

/// A backup of a device with a license of another issuer, and who knows that issuer.
fn backed_up(known: &Known, issuer: &OtherIssuer, device: &Device, change: impl FnOnce(&mut Policy)) -> Elsewhere {
    let mut policy = issuer.policy(ELSEWHERE, management(known));
    change(&mut policy);
    let held = issuer.issue(known, device, &policy);
    let mut backup = device.back_up(known, std::slice::from_ref(&held), None);
    backup.certificates.push(issuer.certificate.clone());
    let mut known = known.clone();
    known.directory.add(&issuer.certificate).unwrap();
    Elsewhere { known, held, backup }
}

/// One that appointed this service.
fn issuer(data: &Data, known: &Known) -> OtherIssuer {
    OtherIssuer::certified(data, &[management(known)])
}

fn started() -> (Data, Serving, Known) {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

#[test]
fn an_issuer_that_appoints_this_service_no_more_has_nothing_restored_here() {
    let data = Data::new();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let issuer = OtherIssuer::certified(&data, &[management(known)]);
        let Elsewhere { known: mut knows, mut backup, .. } = backed_up(known, &issuer, &device, |_| {});
        assert_eq!(reason(&Device::individualized(known).restore(&knows, &backup, None)), None);
        let later = OtherIssuer::certified_at(&data, &[], now() + 50);
        knows.directory.add(&later.certificate).unwrap();
        backup.certificates.push(later.certificate);
        clock.0.fetch_add(100, Ordering::SeqCst);
        let refused = Device::individualized(known).restore(&knows, &backup, None);
        assert_eq!(reason(&refused), Some(Reason::UnknownIssuer));
    });
}

/// The certificates beside the answer to a request.
fn beside(known: &Known, device: &Device, name: &str, request: &Request) -> Vec<Vec<u8>> {
    let reply = known.post(name, &device.sign(request), None).granted();
    Envelope::parse(&reply).unwrap().certificates
}

#[test]
fn certificates_that_a_device_does_not_hold_come_along() {
    let data = Data::new();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let issuer = OtherIssuer::certified(&data, &[management(&known)]);
    let Elsewhere { backup, .. } = backed_up(&known, &issuer, &device, |_| {});
    let service = known.directory.services().iter().find(|service| service.role == Role::Management).unwrap();
    let own = service.bytes.clone();
    let preview = || {
        let body = Body::RestorePreview { source: backup.source.clone(), lids: Vec::new(), usage: Vec::new() };
        other.request(&known, Role::Management, body)
    };
    assert_eq!(beside(&known, &other, "restores/preview", &preview()), std::slice::from_ref(&own));
    assert_eq!(beside(&known, &other, "restores", &other.restore_request(&known, &backup)), std::slice::from_ref(&own));
    let held = vec![Digest::of(&own)];
    let request = Request { held: held.clone(), ..preview() };
    assert!(beside(&known, &other, "restores/preview", &request).is_empty());
    let request = Request { held, ..other.restore_request(&known, &backup) };
    assert!(beside(&known, &other, "restores", &request).is_empty());
}

#[test]
fn the_issuer_that_appoints_comes_along_where_this_service_knows_it() {
    let data = Data::new();
    let issuer = {
        let authority = data.authority;
        let management = wmlicense_wire::certificate::service_id(authority, Role::Management.name());
        OtherIssuer::certified(&data, &[management])
    };
    std::fs::write(data.path().join("certificates/another.cose"), &issuer.certificate).unwrap();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let held = issuer.issue(&known, &device, &issuer.policy(ELSEWHERE, management(&known)));
    let backup = device.back_up(&known, &[held], None);
    let certificates = beside(&known, &other, "restores", &other.restore_request(&known, &backup));
    assert!(certificates.contains(&issuer.certificate));
}

#[test]
fn content_of_another_issuer_is_restored_by_what_its_license_says() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let Elsewhere { known: knows, backup, .. } =
        backed_up(&known, &issuer(&data, &known), &device, |policy| policy.restore_limit = Some(2));
    for reason in [None, Some(Reason::LimitReached)] {
        let other = Device::individualized(&known);
        let (answer, restored) = other.restore(&knows, &backup, None);
        assert_eq!(answer.refusals.first().map(|refusal| refusal.reason), reason);
        assert_eq!(restored.is_empty(), reason.is_some(), "the license's hint is all that is known of a limit");
    }
}

#[test]
fn who_has_a_license_of_another_issuer_is_counted_from_the_first_restore_on() {
    let (data, _serving, known) = started();
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let Elsewhere { known: knows, held, backup } =
        backed_up(&known, &issuer(&data, &known), &device, |policy| policy.restore_limit = Some(2));
    assert_eq!(other.restore(&knows, &backup, None).1.len(), 1);
    let lid = held.license.policy.lid;
    let returns = device.request(&known, Role::Issuer, Body::Returns { licenses: vec![(lid, State::default())] });
    let bytes = device.sign(&returns);
    let reply = known.post("returns", &bytes, None).granted();
    let (answer, ..) = device.verify(&known, Role::Issuer, &bytes, returns.transaction, &reply);
    assert!(answer.refusals.is_empty(), "the device that made the backup holds it");
    let (answer, _) = Device::individualized(&known).restore(&knows, &backup, None);
    assert_eq!(answer.refusals[0].reason, Reason::Returned);
}

#[test]
fn a_counted_license_of_another_issuer_goes_again_to_its_device_twice_a_year() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let Elsewhere { known: knows, backup, .. } = backed_up(&known, &issuer(&data, &known), &device, |policy| {
        policy.actions = vec![("Play".into(), Conditions { count: Some(5), ..Conditions::default() })];
        policy.backup = BackupRight::Stateful;
    });
    for _ in 0..2 {
        assert_eq!(device.restore(&knows, &backup, None).1.len(), 1);
    }
    assert_eq!(device.restore(&knows, &backup, None).0.refusals[0].reason, Reason::GrantedTooOften);
}

#[test]
fn an_issuer_that_appointed_nobody_and_licenses_of_another_management_are_refused() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let other = Device::individualized(&known);
    let mut knows = known.clone();
    let nobody = OtherIssuer::certified(&data, &[]);
    knows.directory.add(&nobody.certificate).unwrap();
    for managed_by in [management(&known), ServiceId::new([9; 16])] {
        let held = [nobody.issue(&known, &device, &nobody.policy(ELSEWHERE, managed_by))];
        let mut backup = device.back_up(&known, &held, None);
        backup.certificates.push(nobody.certificate.clone());
        let (answer, restored) = other.restore(&knows, &backup, None);
        assert!(restored.is_empty());
        assert_eq!(answer.refusals[0].reason, Reason::UnknownIssuer);
    }
    assert!(data.json(&["restore", "list"]).as_array().unwrap().is_empty());
    // One that appointed only this service does not let another one's licenses be restored here.
    let appointing = OtherIssuer::certified(&data, &[management(&known), ServiceId::new([9; 16])]);
    let held = [appointing.issue(&known, &device, &appointing.policy(ELSEWHERE, ServiceId::new([9; 16])))];
    let mut backup = device.back_up(&known, &held, None);
    backup.certificates.push(appointing.certificate.clone());
    assert_eq!(other.restore(&known, &backup, None).0.refusals[0].reason, Reason::UnknownIssuer);
}

#[test]
fn a_license_that_names_nobody_to_restore_it_is_not_restored() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let Elsewhere { known: knows, backup, .. } =
        backed_up(&known, &issuer(&data, &known), &device, |policy| policy.management = None);
    let (answer, restored) = Device::individualized(&known).restore(&knows, &backup, None);
    assert!(restored.is_empty());
    assert_eq!(answer.refusals[0].reason, Reason::NotAllowed);
}

#[test]
fn an_issuer_that_signs_in_the_name_of_another_one_is_refused() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let issuer = OtherIssuer::certified(&data, &[management(&known)]);
    let own = known.directory.services().iter().find(|service| service.role == Role::Issuer).unwrap().service_id;
    // All is as the service's own issuer would have it, but for the signature.
    let policy = Policy { issuer: own, ..issuer.policy(kid(OPEN), management(&known)) };
    let (signed, license, key) = issuer.sign(&device, &policy, kid(KEY).as_bytes());
    let mut backup = device.back_up_as(&known, None, |content| {
        let record = Record::seal(0, 0, license, State::initial(&policy), &key, &content.records);
        vec![RestoreBatch { signed, records: vec![record.encode()], ..RestoreBatch::default() }]
    });
    backup.certificates.push(issuer.certificate.clone());
    let (answer, restored) = Device::individualized(&known).restore(&known, &backup, None);
    assert!(restored.is_empty());
    assert_eq!(answer.refusals[0].reason, Reason::UnknownIssuer);
}

#[test]
fn a_preview_of_what_another_issuer_issued_agrees_with_the_restore_before_and_after() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let Elsewhere { known: knows, held, backup } = backed_up(&known, &issuer(&data, &known), &device, |_| {});
    let lid = held.license.policy.lid;
    for _ in 0..2 {
        let other = Device::individualized(&known);
        assert_eq!(other.preview(&knows, &backup, vec![lid], None).0.verdicts[0].refusal, None);
        assert_eq!(reason(&other.restore(&knows, &backup, None)), None);
    }
}

#[test]
fn a_service_that_issues_no_more_decides_by_what_the_license_says() {
    let (data, mut serving, known) = started();
    let device = Device::individualized(&known);
    let other = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let backup = device.back_up(&known, &held, None);
    data.admin(&["content", "remove", OPEN]);
    let lid = held[0].license.policy.lid;
    assert_eq!(other.preview(&known, &backup, vec![lid], None).0.verdicts[0].refusal, Some(Reason::UnknownContent));
    serving.kill();
    let managing = data.serve(&["--roles", "management"]);
    let mut alone = Known::discover(&managing.url, data.authority);
    alone.directory = known.directory.clone();
    assert_eq!(other.preview(&alone, &backup, vec![lid], None).0.verdicts[0].refusal, None);
    assert_eq!(reason(&other.restore(&alone, &backup, None)), None);
}
