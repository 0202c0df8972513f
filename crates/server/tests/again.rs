//! Licenses with a state that go out again: what was told of their use counts everywhere, and a device that does not tell that
//! it has them gets them twice a year.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::atomic::Ordering;
use support::client::{Device, Held, Known};
use support::clock::{DAY, with_clock};
use support::{COUNTED, Data, OPEN};
use wmlicense_wire::answer::{Answer, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::request::{Body, Request};

type Usage = Vec<(Lid, State)>;

fn play(left: u32, first_use: Option<i64>) -> State {
    State { actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use })].into() }
}

fn told(held: &[Held], state: State) -> Usage {
    vec![(held[0].license.policy.lid, state)]
}

fn left(held: &[Held]) -> Option<u32> {
    let state = held[0].license.binding.state.as_ref();
    state.map_or(Some(5), |state| state.actions["Play"].counts_left)
}

fn reason(answer: &Answer) -> Option<Reason> {
    answer.refusals.first().map(|refusal| refusal.reason)
}

fn send(
    known: &Known,
    device: &Device,
    role: Role,
    name: &str,
    request: &Request,
    token: Option<&str>,
) -> (Answer, Vec<Held>) {
    let bytes = device.sign(request);
    let reply = known.post(name, &bytes, token).granted();
    let (answer, licenses, envelope) = device.verify(known, role, &bytes, request.transaction, &reply);
    (answer, licenses.into_iter().map(|license| Held { signed: envelope.signed.clone(), license }).collect())
}

/// A license request for key IDs, or without any for whatever there is.
fn acquire(known: &Known, device: &Device, kids: &[&str], told: Usage, token: Option<&str>) -> (Answer, Vec<Held>) {
    let mut request = device.licenses_request(known, kids);
    let Body::Licenses { usage, .. } = &mut request.body else { unreachable!() };
    *usage = told;
    send(known, device, Role::Issuer, "licenses", &request, token)
}

fn filled() -> Data {
    let data = Data::new();
    data.fill();
    data
}

#[test]
fn use_told_with_a_license_request_counts_for_every_device() {
    let data = filled();
    let account = data.account("someone", &["gold"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    for kids in [&[COUNTED][..], &[OPEN], &[]] {
        for token in [None, Some(account.as_str())] {
            let (device, other) = (Device::individualized(&known), Device::individualized(&known));
            let (_, held) = device.acquire(&known, &[COUNTED], token);
            let backup = device.back_up(&known, &held, None);
            acquire(&known, &device, kids, told(&held, play(2, None)), token);
            // Who does not hold it is not believed.
            acquire(&known, &other, &[OPEN], told(&held, play(0, None)), token);
            assert_eq!(left(&other.restore(&known, &backup, None).1), Some(2), "{kids:?}");
            assert_eq!(left(&acquire(&known, &device, &[COUNTED], told(&held, play(5, None)), token).1), Some(2));
        }
    }
}

#[test]
fn a_first_use_in_the_future_is_believed_as_one_of_today() {
    let data = filled();
    data.policy("rent", r#"{"actions":{"Play":{"secondsAfterFirstUse":86400}},"backup":"stateful"}"#);
    data.open_content(OPEN, Some("rent"));
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (_, held) = device.acquire(known, &[OPEN], None);
        let state = State {
            actions: [("Play".to_owned(), ActionState { counts_left: None, first_use: Some(1 << 40) })].into(),
        };
        acquire(known, &device, &[OPEN], told(&held, state.clone()), None);
        clock.0.fetch_add(DAY + 60, Ordering::SeqCst);
        let (answer, none) = acquire(known, &device, &[OPEN], told(&held, state), None);
        assert_eq!((none.len(), answer.outcome.clone(), reason(&answer)), (0, Outcome::Refused, Some(Reason::Expired)));
    });
}

#[test]
fn a_lost_store_gets_a_license_again_twice_a_year() {
    let data = filled();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (_, held) = device.acquire(known, &[COUNTED], None);
        let backup = device.back_up(known, &held, None);
        let begin = support::client::now();
        assert_eq!(left(&device.restore(known, &backup, None).1), Some(5));
        assert_eq!(left(&device.acquire(known, &[COUNTED], None).1), Some(5));
        for (answer, held) in [device.restore(known, &backup, None), device.acquire(known, &[COUNTED], None)] {
            assert_eq!(
                (held.len(), answer.outcome.clone(), reason(&answer)),
                (0, Outcome::Refused, Some(Reason::GrantedTooOften))
            );
            let again = answer.refusals[0].again.unwrap();
            assert!((again - begin - 365 * DAY).abs() < 120, "{again}");
        }
        // Who has the license and says so gets it, however often.
        for _ in 0..5 {
            assert_eq!(left(&acquire(known, &device, &[COUNTED], told(&held, play(4, None)), None).1), Some(4));
            let mut request = device.restore_request(known, &backup);
            let Body::Restore { usage, .. } = &mut request.body else { unreachable!() };
            *usage = told(&held, play(4, None));
            assert_eq!(left(&send(known, &device, Role::Management, "restores", &request, None).1), Some(4));
        }
        clock.0.fetch_add(365 * DAY + 60, Ordering::SeqCst);
        let mut device = device;
        device.individualize(known);
        assert_eq!(left(&device.restore(known, &backup, None).1), Some(4));
    });
}

#[test]
fn the_same_restore_again_is_not_handed_out_again() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let request = device.restore_request(&known, &device.back_up(&known, &held, None));
    for _ in 0..5 {
        assert_eq!(left(&send(&known, &device, Role::Management, "restores", &request, None).1), Some(5));
    }
    assert_eq!(device.acquire(&known, &[COUNTED], None).1.len(), 1, "the restore was one time");
    assert_eq!(reason(&device.acquire(&known, &[COUNTED], None).0), Some(Reason::GrantedTooOften));
}

#[test]
fn sixteen_requests_at_once_get_what_a_year_allows() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    device.acquire(&known, &[COUNTED], None);
    let granted: usize = std::thread::scope(|scope| {
        let ask = || device.acquire(&known, &[COUNTED], None).1.len();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted, 2);
}

#[test]
fn neither_other_terms_nor_a_return_open_what_a_year_allows() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    device.acquire(&known, &[COUNTED], None);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let returned = device.request(&known, Role::Issuer, Body::Returns { licenses: told(&held, play(3, None)) });
    send(&known, &device, Role::Issuer, "returns", &returned, None);
    let (_, other) = device.acquire(&known, &[COUNTED], None);
    assert_eq!((other[0].license.policy.replaces, left(&other)), (Some(held[0].license.policy.lid), Some(3)));
    // What it starts from stays known although the device tells nothing of it.
    data.policy("counted", r#"{"actions":{"Play":{"count":6}},"backup":"stateful"}"#);
    assert_eq!(left(&device.acquire(&known, &[COUNTED], None).1), Some(4));
    assert_eq!(reason(&device.acquire(&known, &[COUNTED], None).0), Some(Reason::GrantedTooOften));
}

#[test]
fn what_is_over_is_not_handed_out_again() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let backup = device.back_up(&known, &held, None);
    let (answer, none) = acquire(&known, &device, &[COUNTED], told(&held, play(0, None)), None);
    assert_eq!((none.len(), answer.outcome.clone(), reason(&answer)), (0, Outcome::Refused, Some(Reason::UsedUp)));
    let (answer, none) = Device::individualized(&known).restore(&known, &backup, None);
    assert_eq!((none.len(), reason(&answer)), (0, Some(Reason::UsedUp)));
    // A pre-delivery passes over what is over.
    let (answer, all) = acquire(&known, &device, &[], Vec::new(), None);
    let kid = held[0].license.policy.kid;
    assert!(reason(&answer).is_none() && all.iter().all(|held| held.license.policy.kid != kid));
    data.policy("counted", r#"{"actions":{"Play":{"count":7}},"backup":"stateful"}"#);
    assert_eq!(left(&acquire(&known, &device, &[COUNTED], told(&held, play(0, None)), None).1), Some(2));
}
