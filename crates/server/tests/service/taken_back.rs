//! Restores of what was taken back by a rule, and returns that tell more than they may.

use crate::clock::with_clock;
use std::sync::atomic::Ordering;
use wmlicense_testkit::daemon::device::{Backup, Device, Held, Known, kid, now};
use wmlicense_testkit::daemon::{COUNTED, Data, NO_BACKUP, OPEN, Serving, rfc3339};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::request::Body;

const LONG_AGO: &str = "2001-01-01T00:00:00Z";
const FAR_AHEAD: &str = "2100-01-01T00:00:00Z";

fn started() -> (Data, Serving, Known) {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

fn backed_up(known: &Known, kid: &str) -> (Device, Vec<Held>, Backup) {
    let device = Device::individualized(known);
    let (_, held) = device.acquire(known, &[kid], None);
    let backup = device.back_up(known, &held, None);
    (device, held, backup)
}

fn restored(known: &Known, device: &Device, backup: &Backup) -> Option<Reason> {
    let (answer, held) = device.restore(known, backup, None);
    let reason = answer.refusals.first().map(|refusal| refusal.reason);
    assert_eq!(held.is_empty(), reason.is_some());
    reason
}

#[test]
fn a_rule_takes_back_what_it_matches_at_a_restore_with_and_without_a_date() {
    let (data, _serving, known) = started();
    let (_, _, backup) = backed_up(&known, OPEN);
    let other = Device::individualized(&known);
    data.admin(&["license", "revoke", "--kid", NO_BACKUP]);
    data.admin(&["license", "revoke", "--kid", OPEN, "--issued-before", LONG_AGO]);
    assert_eq!(restored(&known, &other, &backup), None, "another title, and licenses before this one");
    data.admin(&["license", "revoke", "--kid", OPEN, "--issued-before", FAR_AHEAD]);
    assert_eq!(restored(&known, &other, &backup), Some(Reason::Revoked));
    let (_, _, backup) = backed_up(&known, COUNTED);
    assert_eq!(restored(&known, &other, &backup), None);
    data.admin(&["license", "revoke", "--kid", COUNTED]);
    assert_eq!(restored(&known, &other, &backup), Some(Reason::Revoked));
}

#[test]
fn a_rule_counts_at_issue_too_and_one_with_a_date_lets_another_license_follow() {
    let data = Data::new();
    data.fill();
    with_clock(&data, |known, clock| {
        let (device, named) = (Device::individualized(known), Device::individualized(known));
        let ask = |device: &Device, kid: &str| {
            let (answer, held) = device.acquire(known, &[kid], None);
            let policy = held.into_iter().next().map(|held| held.license.policy);
            policy.ok_or_else(|| answer.refusals[0].reason)
        };
        let first = ask(&device, OPEN).unwrap();
        data.admin(&["license", "revoke", "--kid", OPEN, "--issued-before", LONG_AGO]);
        data.admin(&["license", "revoke", "--kid", NO_BACKUP, "--device", &named.id().to_hex()]);
        assert_eq!(ask(&device, OPEN).unwrap().lid, first.lid, "an older one is meant");
        let date = now() + 100;
        data.admin(&["license", "revoke", "--kid", OPEN, "--issued-before", &rfc3339(date)]);
        assert_eq!(ask(&device, OPEN), Err(Reason::Revoked), "its own, and another one that it would get");
        clock.0.fetch_add(200, Ordering::SeqCst);
        let second = ask(&device, OPEN).unwrap();
        assert_eq!(second.replaces, Some(first.lid));
        assert!(second.first_issued >= date);
        assert!(ask(&device, NO_BACKUP).is_ok());
        assert_eq!(ask(&named, NO_BACKUP), Err(Reason::Revoked));
        data.admin(&["license", "revoke", "--kid", OPEN]);
        for device in [&device, &named] {
            assert_eq!(ask(device, OPEN), Err(Reason::Revoked));
        }
    });
}

#[test]
fn a_license_that_was_written_while_a_rule_was_is_not_given_again() {
    let data = Data::new();
    data.fill();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (_, first) = device.acquire(known, &[OPEN], None);
        // As if the order had come between the decision and its commit: no row says that the license is withdrawn.
        let database = rusqlite::Connection::open(data.path().join("wmlicensed.db")).unwrap();
        let order = "INSERT INTO revocation (number, kid, issued_before) VALUES (1, ?1, ?2)";
        database.execute(order, rusqlite::params![kid(OPEN).as_bytes(), now() + 100]).unwrap();
        clock.0.fetch_add(200, Ordering::SeqCst);
        let (_, second) = device.acquire(known, &[OPEN], None);
        assert_eq!(second[0].license.policy.replaces, Some(first[0].license.policy.lid));
    });
}

#[test]
fn a_rule_for_one_device_counts_at_a_restore_to_it_and_from_its_backup() {
    let (data, _serving, known) = started();
    let (from, _, backup) = backed_up(&known, OPEN);
    let (named, free) = (Device::individualized(&known), Device::individualized(&known));
    let revoke = |device: &Device| {
        data.admin(&["license", "revoke", "--kid", OPEN, "--device", &device.id().to_hex()]);
    };
    revoke(&named);
    assert_eq!(restored(&known, &named, &backup), Some(Reason::Revoked));
    assert_eq!(restored(&known, &free, &backup), None);
    revoke(&from);
    assert_eq!(restored(&known, &free, &backup), Some(Reason::Revoked));
}

fn counts(left: u32) -> State {
    State { actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use: None })].into() }
}

fn give_back(known: &Known, device: &Device, lid: Lid, state: State) {
    let request = device.request(known, Role::Issuer, Body::Returns { licenses: vec![(lid, state)] });
    known.post("returns", &device.sign(&request), None).granted();
}

#[test]
fn who_never_held_a_license_tells_nothing_of_its_use() {
    let (_data, _serving, known) = started();
    let (_, held, backup) = backed_up(&known, COUNTED);
    let stranger = Device::individualized(&known);
    let lid = held[0].license.policy.lid;
    give_back(&known, &stranger, lid, counts(0));
    let mut request = stranger.licenses_request(&known, &[OPEN]);
    let Body::Licenses { usage, .. } = &mut request.body else { panic!("another body") };
    usage.push((lid, counts(0)));
    known.post("licenses", &stranger.sign(&request), None).granted();
    let (_, restored) = Device::individualized(&known).restore(&known, &backup, None);
    let state = restored[0].license.binding.state.clone().unwrap();
    assert_eq!(state.actions["Play"].counts_left, Some(5));
}

#[test]
fn a_license_given_back_twice_frees_one_seat() {
    let (data, _serving, known) = started();
    data.policy("many", r#"{"backup":true,"restoreDevices":5}"#);
    data.open_content(OPEN, Some("many"));
    let (device, held, backup) = backed_up(&known, OPEN);
    let lid = held[0].license.policy.lid;
    let others: Vec<Device> = (0..2).map(|_| Device::individualized(&known)).collect();
    for other in &others {
        assert_eq!(restored(&known, other, &backup), None);
    }
    for _ in 0..3 {
        give_back(&known, &others[0], lid, State::default());
    }
    // Had a repetition spent what a year allows, this one would stay taken.
    give_back(&known, &others[1], lid, State::default());
    assert_eq!(data.json(&["license", "list"])[0]["devices"], 1);
    drop(device);
}
