//! Licenses given back: once, freed within a limit also when all come at once, and not to be had from a backup any more.

use wmlicense_testkit::daemon::device::{Device, Held, Known};
use wmlicense_testkit::daemon::{COUNTED, Data, OPEN, Serving};
use wmlicense_wire::answer::{Answer, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::request::{Body, Request};

fn started(data: &Data) -> (Serving, Known) {
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (serving, known)
}

fn request(device: &Device, known: &Known, licenses: &[(Lid, State)]) -> Request {
    device.request(known, Role::Issuer, Body::Returns { licenses: licenses.to_vec() })
}

fn give_back(device: &Device, known: &Known, lid: Lid) -> Answer {
    let request = request(device, known, &[(lid, State::default())]);
    let bytes = device.sign(&request);
    let reply = known.post("returns", &bytes, None).granted();
    device.verify(known, Role::Issuer, &bytes, request.transaction, &reply).0
}

fn lid(held: &[Held]) -> Lid {
    held[0].license.policy.lid
}

fn refusal(answer: &Answer) -> Option<Reason> {
    answer.refusals.first().map(|refusal| refusal.reason)
}

#[test]
fn a_returned_license_shows_and_the_next_one_is_another() {
    let data = Data::new();
    data.fill();
    let (_serving, known) = started(&data);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let answer = give_back(&device, &known, lid(&held));
    assert_eq!((answer.outcome.clone(), answer.refusals.len()), (Outcome::Done, 0));
    let listed = data.json(&["license", "list"]);
    assert!(listed[0]["returned"].is_string(), "{listed}");
    assert_eq!(listed[0]["devices"], 0);
    // Said again, it changes nothing.
    assert_eq!(give_back(&device, &known, lid(&held)).outcome, Outcome::Done);
    let (_, again) = device.acquire(&known, &[OPEN], None);
    assert_ne!(lid(&again), lid(&held));
    assert_eq!(again[0].license.policy.replaces, Some(lid(&held)));
    let listed = data.json(&["license", "list"]);
    assert!(listed[0]["returned"].is_null() && listed[0]["devices"] == 1, "{listed}");
}

#[test]
fn the_same_return_gets_the_same_answer() {
    let data = Data::new();
    data.fill();
    let (_serving, known) = started(&data);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let bytes = device.sign(&request(&device, &known, &[(lid(&held), State::default())]));
    let first = known.post("returns", &bytes, None).granted();
    assert_eq!(known.post("returns", &bytes, None).granted(), first);
}

#[test]
fn only_who_holds_a_license_gives_it_back() {
    let data = Data::new();
    data.fill();
    let (_serving, known) = started(&data);
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let (_, held) = device.acquire(&known, &[OPEN], None);
    assert_eq!(refusal(&give_back(&other, &known, lid(&held))), Some(Reason::UnknownContent));
    assert!(data.json(&["license", "list"])[0]["returned"].is_null());
    let revoke = device.id().to_hex();
    data.admin(&["device", "revoke", &revoke]);
    let answer = give_back(&device, &known, lid(&held));
    assert_eq!((answer.outcome.clone(), refusal(&answer)), (Outcome::Refused, Some(Reason::DeviceRevoked)));
    assert!(data.json(&["license", "list"])[0]["returned"].is_null());
}

#[test]
fn a_freed_seat_serves_another_device_and_a_returned_backup_none() {
    let data = Data::new();
    data.fill();
    data.policy("two", r#"{"backup":true,"restoreDevices":2}"#);
    data.open_content(OPEN, Some("two"));
    let (_serving, known) = started(&data);
    let devices: Vec<Device> = (0..3).map(|_| Device::individualized(&known)).collect();
    let (_, held) = devices[0].acquire(&known, &[OPEN], None);
    let first = devices[0].back_up(&known, &held, None);
    let (_, second) = devices[1].restore(&known, &first, None);
    let backup = devices[1].back_up(&known, &second, None);
    assert_eq!(refusal(&devices[2].restore(&known, &backup, None).0), Some(Reason::LimitReached));
    give_back(&devices[0], &known, lid(&held));
    // The backup of the device that gave the license back is good for nobody, that of the other one is.
    assert_eq!(refusal(&devices[2].restore(&known, &first, None).0), Some(Reason::Returned));
    assert_eq!(refusal(&devices[0].restore(&known, &first, None).0), Some(Reason::Returned));
    let (_, held_by_third) = devices[2].restore(&known, &backup, None);
    assert_eq!(held_by_third.len(), 1);
    assert_eq!(refusal(&devices[0].restore(&known, &backup, None).0), Some(Reason::LimitReached));
    give_back(&devices[1], &known, lid(&held));
    let third = devices[2].back_up(&known, &held_by_third, None);
    assert_eq!(devices[0].restore(&known, &third, None).1.len(), 1);
    // Two seats were freed this year; a third stays taken.
    give_back(&devices[0], &known, lid(&held));
    assert_eq!(refusal(&devices[1].restore(&known, &third, None).0), Some(Reason::LimitReached));
}

#[test]
fn fifty_returns_at_once_free_as_many_seats_as_one_after_the_other() {
    let data = Data::new();
    data.fill();
    data.policy("many", r#"{"backup":true,"restoreDevices":5}"#);
    data.open_content(OPEN, Some("many"));
    let (_serving, known) = started(&data);
    let devices: Vec<Device> = (0..5).map(|_| Device::individualized(&known)).collect();
    let (_, held) = devices[0].acquire(&known, &[OPEN], None);
    let backup = devices[0].back_up(&known, &held, None);
    let all: Vec<_> = devices[1..].iter().map(|device| device.restore(&known, &backup, None).1).collect();
    assert!(all.iter().all(|held| held.len() == 1));
    std::thread::scope(|scope| {
        for _ in 0..10 {
            for device in &devices {
                scope.spawn(|| assert_eq!(give_back(device, &known, lid(&held)).outcome, Outcome::Done));
            }
        }
    });
    assert_eq!(data.json(&["license", "list"])[0]["devices"], 3);
}

#[test]
fn what_was_used_of_a_returned_license_is_kept() {
    let data = Data::new();
    data.fill();
    let (_serving, known) = started(&data);
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let backup = device.back_up(&known, &held, None);
    let (_, restored) = other.restore(&known, &backup, None);
    let counts = |left| State {
        actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use: None })].into(),
    };
    let request = request(&device, &known, &[(lid(&held), counts(1))]);
    known.post("returns", &device.sign(&request), None).granted();
    let again = other.back_up(&known, &restored, None);
    let (_, now) = other.restore(&known, &again, None);
    assert_eq!(now[0].license.binding.state, Some(counts(1)));
}

#[test]
fn giving_a_license_back_makes_no_use_undone() {
    let data = Data::new();
    data.fill();
    let (_serving, known) = started(&data);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let left = State { actions: [("Play".to_owned(), ActionState { counts_left: Some(1), first_use: None })].into() };
    known.post("returns", &device.sign(&request(&device, &known, &[(lid(&held), left.clone())])), None).granted();
    let (_, again) = device.acquire(&known, &[COUNTED], None);
    assert_ne!(lid(&again), lid(&held));
    assert_eq!(again[0].license.binding.state, Some(left));
}
