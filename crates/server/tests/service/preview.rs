//! A preview says of each license what a restore then does, with the same reason and the same time.

use crate::clock::{DAY, with_clock};
use std::sync::atomic::Ordering;
use wmlicense_testkit::daemon::device::{Backup, Device, Held, Known};
use wmlicense_testkit::daemon::{COUNTED, Data, ENDED, OPEN};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::request::Body;

const LONG_AGO: &str = "2001-01-01T00:00:00Z";
const FAR_AHEAD: &str = "2100-01-01T00:00:00Z";

type Usage = Vec<(Lid, State)>;

fn filled() -> Data {
    let data = Data::new();
    data.fill();
    data
}

fn backed_up(known: &Known, kid: &str) -> (Device, Vec<Held>, Backup) {
    let device = Device::individualized(known);
    let (_, held) = device.acquire(known, &[kid], None);
    let backup = device.back_up(known, &held, None);
    (device, held, backup)
}

fn play(left: u32) -> State {
    State { actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use: None })].into() }
}

/// What preview and restore say to a device that tells of this usage; they must agree. A restore that was granted is one time.
fn agreed(known: &Known, device: &Device, held: &Held, backup: &Backup, told: &Usage) -> Option<(Reason, Option<i64>)> {
    let (source, lids) = (backup.source.clone(), vec![held.license.policy.lid]);
    let body = Body::RestorePreview { source, lids, usage: told.clone() };
    let (preview, _) = device.ask_preview(known, backup, body, None);
    let verdict = &preview.verdicts[0];
    let mut request = device.restore_request(known, backup);
    let Body::Restore { usage, .. } = &mut request.body else { unreachable!() };
    *usage = told.clone();
    let bytes = device.sign(&request);
    let reply = known.post("restores", &bytes, None).granted();
    let (answer, licenses, _) = device.verify(known, Role::Management, &bytes, request.transaction, &reply);
    let refusal = answer.refusals.first().map(|refusal| (refusal.reason, refusal.again));
    assert_eq!(licenses.is_empty(), refusal.is_some());
    assert_eq!(verdict.refusal.map(|reason| (reason, verdict.again)), refusal);
    refusal
}

#[test]
fn what_has_ended_is_said_before() {
    let data = filled();
    data.policy("rent", r#"{"actions":{"Play":{"secondsAfterFirstUse":86400}},"backup":"stateful"}"#);
    data.open_content(COUNTED, Some("rent"));
    with_clock(&data, |known, clock| {
        let other = Device::individualized(known);
        let (_, held, backup) = backed_up(known, ENDED);
        assert_eq!(agreed(known, &other, &held[0], &backup, &Usage::new()), Some((Reason::Expired, None)));
        let (device, held, backup) = backed_up(known, COUNTED);
        let first_use = Some(wmlicense_testkit::daemon::device::now());
        let used = State { actions: [("Play".to_owned(), ActionState { counts_left: None, first_use })].into() };
        let told = vec![(held[0].license.policy.lid, used)];
        assert_eq!(agreed(known, &device, &held[0], &backup, &told), None);
        clock.0.fetch_add(DAY + 60, Ordering::SeqCst);
        assert_eq!(agreed(known, &other, &held[0], &backup, &Usage::new()), Some((Reason::Expired, None)));
    });
}

#[test]
fn what_is_used_up_is_said_before_and_whoever_holds_it_has_no_part_in_that() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    data.policy("counted", r#"{"actions":{"Play":{"count":5}},"backup":"stateful","restoreDevices":1}"#);
    let (device, held, backup) = backed_up(&known, COUNTED);
    let other = Device::individualized(&known);
    let full = Some((Reason::LimitReached, None));
    assert_eq!(agreed(&known, &other, &held[0], &backup, &Usage::new()), full);
    // The device that has it says so in the preview already.
    let told = vec![(held[0].license.policy.lid, play(0))];
    let over = Some((Reason::UsedUp, None));
    assert_eq!(agreed(&known, &device, &held[0], &backup, &told), over);
    assert_eq!(agreed(&known, &other, &held[0], &backup, &Usage::new()), over, "no seat would help");
}

#[test]
fn what_a_year_allows_no_more_is_said_before_with_the_time_from_which_it_does() {
    let data = filled();
    with_clock(&data, |known, clock| {
        let (device, held, backup) = backed_up(known, COUNTED);
        let begin = wmlicense_testkit::daemon::device::now();
        for _ in 0..2 {
            assert_eq!(agreed(known, &device, &held[0], &backup, &Usage::new()), None);
        }
        let (reason, again) = agreed(known, &device, &held[0], &backup, &Usage::new()).unwrap();
        assert_eq!(reason, Reason::GrantedTooOften);
        assert!((again.unwrap() - begin - 365 * DAY).abs() < 120, "{again:?}");
        // Who still has it gets it, and hears so.
        let told = vec![(held[0].license.policy.lid, play(5))];
        assert_eq!(agreed(known, &device, &held[0], &backup, &told), None);
        clock.0.fetch_add(365 * DAY + 60, Ordering::SeqCst);
        let mut device = device;
        device.individualize(known);
        assert_eq!(agreed(known, &device, &held[0], &backup, &Usage::new()), None);
    });
}

#[test]
fn what_a_rule_takes_back_is_said_before_with_and_without_a_date() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let (_, held, backup) = backed_up(&known, OPEN);
    let other = Device::individualized(&known);
    data.admin(&["license", "revoke", "--kid", OPEN, "--issued-before", LONG_AGO]);
    assert_eq!(agreed(&known, &other, &held[0], &backup, &Usage::new()), None, "licenses before this one");
    data.admin(&["license", "revoke", "--kid", OPEN, "--issued-before", FAR_AHEAD]);
    assert_eq!(agreed(&known, &other, &held[0], &backup, &Usage::new()), Some((Reason::Revoked, None)));
}

#[test]
fn what_was_taken_back_from_the_device_of_the_backup_is_said_before() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let other = Device::individualized(&known);
    for whole in [false, true] {
        let (device, held, backup) = backed_up(&known, OPEN);
        let (lid, id) = (held[0].license.policy.lid.to_hex(), device.id().to_hex());
        let what = if whole { ["--lid", &lid] } else { ["--kid", OPEN] };
        data.admin(&[&["license", "revoke", "--device", &id], &what[..]].concat());
        let revoked = Some((Reason::Revoked, None));
        assert_eq!(agreed(&known, &other, &held[0], &backup, &Usage::new()), revoked, "{what:?}");
    }
}
