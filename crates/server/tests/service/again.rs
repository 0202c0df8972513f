//! Licenses with a state that go out again: what was told of their use counts everywhere, and a device that does not tell that
//! it has them gets them twice a year.

use crate::clock::{DAY, with_clock};
use std::sync::atomic::Ordering;
use wmlicense_testkit::daemon::device::{Backup, Device, Held, Known};
use wmlicense_testkit::daemon::{COUNTED, Data, OPEN};
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
        let begin = wmlicense_testkit::daemon::device::now();
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

#[test]
fn terms_that_begin_anew_do_so_at_an_acquisition_as_well() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let terms = |renewal: &str| format!(r#"{{"actions":{{"Play":{{"count":7}}}},"renewal":"{renewal}"}}"#);
    for (renewal, left_then) in [("carry", 4), ("extend", 4), ("fresh", 7)] {
        data.policy("counted", r#"{"actions":{"Play":{"count":5}},"backup":"stateful"}"#);
        let device = Device::individualized(&known);
        let (_, held) = device.acquire(&known, &[COUNTED], None);
        data.policy("counted", &terms(renewal));
        let (_, other) = acquire(&known, &device, &[COUNTED], told(&held, play(2, None)), None);
        let start = left(&other).filter(|_| other[0].license.binding.state.is_some()).unwrap_or(7);
        assert_eq!(
            (other[0].license.policy.replaces, start),
            (Some(held[0].license.policy.lid), left_then),
            "{renewal}"
        );
    }
}

#[test]
fn other_terms_of_which_nothing_is_left_are_refused_with_the_reason() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let ended = r#"{"actions":{"Play":{"notAfter":"2001-01-01T00:00:00Z","count":9}}}"#;
    for (terms, why) in [(r#"{"actions":{"Play":{"count":3}}}"#, Reason::UsedUp), (ended, Reason::Expired)] {
        data.policy("counted", terms);
        let (answer, none) = acquire(&known, &device, &[COUNTED], told(&held, play(1, None)), None);
        assert_eq!((none.len(), reason(&answer)), (0, Some(why)));
    }
}

#[test]
fn what_a_year_allows_counts_licenses_with_a_state_in_place_of_such() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let count = |uses: u32| data.policy("counted", &format!(r#"{{"actions":{{"Play":{{"count":{uses}}}}}}}"#));
    // Who tells that it has it gets other terms as often as they change.
    let (_, mut held) = device.acquire(&known, &[COUNTED], None);
    for uses in 6..10 {
        count(uses);
        held = acquire(&known, &device, &[COUNTED], told(&held, play(uses - 1, None)), None).1;
        assert_eq!(held.len(), 1, "{uses}");
    }
    // Neither the way to terms without a state nor the way back hands out what counts to whom had it.
    data.policy("counted", "{}");
    assert_eq!(device.acquire(&known, &[COUNTED], None).1.len(), 1);
    count(20);
    assert_eq!(device.acquire(&known, &[COUNTED], None).1.len(), 1);
    for uses in 21..23 {
        count(uses);
        assert_eq!(device.acquire(&known, &[COUNTED], None).1.len(), 1, "{uses}");
    }
    count(23);
    let (answer, none) = device.acquire(&known, &[COUNTED], None);
    assert_eq!((none.len(), reason(&answer)), (0, Some(Reason::GrantedTooOften)));
    assert!(answer.refusals[0].again.unwrap() > wmlicense_testkit::daemon::device::now());
}

fn restore(known: &Known, device: &Device, backup: &Backup, told: Usage) -> Result<Option<u32>, Reason> {
    let mut request = device.restore_request(known, backup);
    let Body::Restore { usage, .. } = &mut request.body else { unreachable!() };
    *usage = told;
    let (answer, held) = send(known, device, Role::Management, "restores", &request, None);
    if held.is_empty() { Err(reason(&answer).unwrap()) } else { Ok(left(&held)) }
}

#[test]
fn a_restore_to_whom_never_had_it_or_gave_it_back_is_none_of_the_times_of_a_year() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let (device, other, third) =
        (Device::individualized(&known), Device::individualized(&known), Device::individualized(&known));
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let backup = device.back_up(&known, &held, None);
    let again = |device: &Device| restore(&known, device, &backup, Vec::new());
    let grants = |device: &Device| (0..9).map_while(|_| again(device).ok()).count();
    assert_eq!(grants(&other), 3, "the first time, and twice again");
    assert_eq!(again(&other), Err(Reason::GrantedTooOften));
    assert_eq!(again(&third), Ok(Some(5)));
    let returned = third.request(&known, Role::Issuer, Body::Returns { licenses: told(&held, play(5, None)) });
    send(&known, &third, Role::Issuer, "returns", &returned, None);
    assert_eq!(grants(&third), 3, "another first time, and twice again");
}

#[test]
fn who_tells_of_a_license_that_took_the_place_of_another_has_it() {
    let data = filled();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    data.policy("counted", r#"{"actions":{"Play":{"count":6}},"backup":"stateful"}"#);
    let (_, later) = acquire(&known, &device, &[COUNTED], told(&held, play(5, None)), None);
    let backup = device.back_up(&known, &later, None);
    for _ in 0..5 {
        assert_eq!(restore(&known, &device, &backup, told(&later, play(6, None))), Ok(Some(6)));
    }
    assert_eq!(restore(&known, &device, &backup, Vec::new()), Ok(Some(6)));
}
