//! Renewals: the same terms give the same license, other terms one in its place, and what was used stays used.

use crate::clock::with_clock;
use std::sync::atomic::Ordering;
use wmlicense_testkit::daemon::device::{Device, Held, Known, now};
use wmlicense_testkit::daemon::{COUNTED, Data, GOLD, KEY, OPEN, Serving, rfc3339};
use wmlicense_wire::answer::{Answer, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Lid};
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::LicenseKind;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::{Body, MAX_NAMED, Request};

fn started() -> (Data, Serving, Known) {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

fn renew(device: &Device, known: &Known, licenses: &[(Lid, State)], token: Option<&str>) -> (Answer, Vec<Held>) {
    let body = Body::Renewals { licenses: licenses.to_vec(), custom: None };
    let request = device.request(known, Role::Issuer, body);
    let bytes = device.sign(&request);
    let reply = known.post("renewals", &bytes, token).granted();
    let (answer, licenses, envelope) = device.verify(known, Role::Issuer, &bytes, request.transaction, &reply);
    (answer, licenses.into_iter().map(|license| Held { signed: envelope.signed.clone(), license }).collect())
}

fn counts(left: u32) -> State {
    State { actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use: None })].into() }
}

fn lid(held: &[Held]) -> Lid {
    held[0].license.policy.lid
}

fn reason(answer: &Answer) -> Option<Reason> {
    answer.refusals.first().map(|refusal| refusal.reason)
}

#[test]
fn unchanged_terms_give_the_same_license_with_what_is_left() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let (answer, again) = renew(&device, &known, &[(lid(&held), counts(3))], None);
    assert_eq!((answer.outcome, lid(&again)), (Outcome::Done, lid(&held)));
    assert_eq!(again[0].license.binding.state, Some(counts(3)));
    // What was told once counts, whatever is told later.
    let (_, again) = renew(&device, &known, &[(lid(&held), counts(5))], None);
    assert_eq!(again[0].license.binding.state, Some(counts(3)));
}

#[test]
fn other_terms_give_a_license_in_place_of_the_old_and_uses_stay_made() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    data.policy("counted", r#"{"actions":{"Play":{"count":20}},"backup":"stateful"}"#);
    let (_, renewed) = renew(&device, &known, &[(lid(&held), counts(2))], None);
    let policy = &renewed[0].license.policy;
    assert_eq!((policy.replaces, policy.first_issued), (Some(lid(&held)), held[0].license.policy.first_issued));
    assert_eq!(renewed[0].license.binding.state, Some(counts(17)));
    // It is the license from now on, and the old LID leads to it.
    let (_, again) = renew(&device, &known, &[(lid(&renewed), counts(16))], None);
    assert_eq!((lid(&again), again[0].license.binding.state.clone()), (lid(&renewed), Some(counts(16))));
    let (answer, later) = renew(&device, &known, &[(lid(&held), counts(2)), (lid(&renewed), counts(16))], None);
    assert_eq!((later.len(), lid(&later), answer.withdrawn), (1, lid(&renewed), vec![lid(&held)]));
}

#[test]
fn what_is_used_up_is_refused_until_the_owner_extends_it() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let (answer, none) = renew(&device, &known, &[(lid(&held), counts(0))], None);
    assert!(none.is_empty());
    assert_eq!((answer.outcome.clone(), reason(&answer)), (Outcome::Refused, Some(Reason::UsedUp)));
    assert_eq!(answer.refusals[0].kid, Some(held[0].license.policy.kid));
    data.policy("counted", r#"{"actions":{"Play":{"count":6}},"backup":"stateful"}"#);
    let (_, renewed) = renew(&device, &known, &[(lid(&held), counts(0))], None);
    assert_eq!(renewed[0].license.binding.state, Some(counts(1)));
}

#[test]
fn an_owner_may_extend_the_time_or_grant_everything_anew() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let terms = |renewal: &str| {
        format!(r#"{{"actions":{{"Play":{{"count":5,"secondsAfterStoring":1000}}}},"renewal":"{renewal}"}}"#)
    };
    for (renewal, left) in [("extend", Some(counts(2))), ("fresh", None)] {
        data.policy("lease", &terms(renewal));
        data.open_content(OPEN, Some("lease"));
        let (_, held) = device.acquire(&known, &[OPEN], None);
        let (_, renewed) = renew(&device, &known, &[(lid(&held), counts(2))], None);
        let license = &renewed[0].license;
        assert_eq!(license.policy.replaces, Some(lid(&held)), "{renewal}");
        assert_eq!(license.binding.state, left, "{renewal}");
        assert!((license.policy.first_issued - now()).abs() < 60);
    }
    assert!(data.fails(&["policy", "set", "x", "/dev/null"]).0 != 0);
}

#[test]
fn a_restored_license_is_renewed_where_it_is() {
    let (data, _serving, known) = started();
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let backup = device.back_up(&known, &held, None);
    other.restore(&known, &backup, None);
    let (_, same) = renew(&other, &known, &[(lid(&held), counts(4))], None);
    assert_eq!(lid(&same), lid(&held));
    data.policy("counted", r#"{"actions":{"Play":{"count":10}},"backup":"stateful"}"#);
    let (_, renewed) = renew(&other, &known, &[(lid(&held), counts(4))], None);
    assert_eq!(renewed[0].license.policy.replaces, Some(lid(&held)));
    assert_eq!(renewed[0].license.binding.state, Some(counts(9)));
    let (_, again) = renew(&other, &known, &[(lid(&renewed), counts(9))], None);
    assert_eq!(lid(&again), lid(&renewed));
}

#[test]
fn who_does_not_hold_a_license_or_may_not_have_it_is_refused() {
    let (data, _serving, known) = started();
    let (gold, plain) = (data.account("gold", &["gold"]), data.account("plain", &["gold"]));
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let (_, held) = device.acquire(&known, &[GOLD], Some(&gold));
    let ask = |device: &Device, token| reason(&renew(device, &known, &[(lid(&held), State::default())], token).0);
    assert_eq!(ask(&device, Some(&gold)), None);
    assert_eq!(ask(&device, Some(&plain)), Some(Reason::OtherAccount));
    assert_eq!(ask(&device, None), Some(Reason::AccountRequired));
    assert_eq!(ask(&other, Some(&gold)), Some(Reason::UnknownContent));
    data.admin(&["device", "revoke", &device.id().to_hex()]);
    assert_eq!(ask(&device, Some(&gold)), Some(Reason::DeviceRevoked));
}

#[test]
fn fifty_renewals_at_once_make_one_license() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    data.policy("counted", r#"{"actions":{"Play":{"count":20}},"backup":"stateful"}"#);
    let asked = [(lid(&held), counts(2))];
    let lids: Vec<(Lid, Option<State>)> = std::thread::scope(|scope| {
        let run = || {
            let (_, held) = renew(&device, &known, &asked, None);
            (lid(&held), held[0].license.binding.state.clone())
        };
        let running: Vec<_> = (0..50).map(|_| scope.spawn(run)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(lids.iter().all(|got| *got == (lids[0].0, Some(counts(17)))), "{lids:?}");
    assert_eq!(data.json(&["stats"])["licenses"], 1);
}

#[test]
fn terms_that_want_the_users_word_are_refused_with_a_reason_of_their_own() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    data.policy("counted", r#"{"actions":{"Play":{"count":9}},"interaction":"page"}"#);
    let (answer, none) = renew(&device, &known, &[(lid(&held), counts(4))], None);
    assert!(none.is_empty());
    assert_eq!((answer.outcome.clone(), reason(&answer)), (Outcome::Refused, Some(Reason::UserMustAct)));
    assert_eq!((answer.refusals[0].kid, &answer.refusals[0].url), (Some(held[0].license.policy.kid), &None));
}

#[test]
fn certificates_that_the_device_has_are_not_sent_again() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let ask = |kid: &str, held: Vec<Digest>| {
        let request = Request { held, ..device.licenses_request(&known, &[kid]) };
        let bytes = device.sign(&request);
        let reply = known.post("licenses", &bytes, None).granted();
        // Both answers verify by what the device knows.
        let (_, licenses, envelope) = device.verify(&known, Role::Issuer, &bytes, request.transaction, &reply);
        assert_eq!(licenses.len(), 1);
        envelope.certificates.iter().map(|bytes| Digest::of(bytes)).collect::<Vec<_>>()
    };
    let all = ask(OPEN, Vec::new());
    assert_eq!(all.len(), 2);
    assert_eq!(ask(COUNTED, vec![all[0]]), [all[1]]);
    assert!(ask(COUNTED, all).is_empty());
}

#[test]
fn a_certificate_in_place_of_a_held_one_is_sent_and_verifies() {
    let (data, mut serving, known) = started();
    let device = Device::individualized(&known);
    let (_, old) = device.acquire(&known, &[OPEN], None);
    serving.terminate();
    data.admin(&["certificate", "renew"]);
    let serving = data.serve(&[]);
    let later = Known::discover(&serving.url, data.authority);
    // The device knows the certificates of before, and asks the same service under the ID that they name.
    let held: Vec<Digest> = known.directory.services().iter().map(|service| service.hash).collect();
    let mut request = device.licenses_request(&later, &[COUNTED]);
    request.held.clone_from(&held);
    let bytes = device.sign(&request);
    let reply = later.post("licenses", &bytes, None).granted();
    let (_, licenses, envelope) = device.verify(&known, Role::Issuer, &bytes, request.transaction, &reply);
    assert_eq!((licenses.len(), old.len()), (1, 1));
    let sent: Vec<Digest> = envelope.certificates.iter().map(|bytes| Digest::of(bytes)).collect();
    assert!(!sent.is_empty() && sent.iter().all(|hash| !held.contains(hash)), "{sent:?}");
}

#[test]
fn a_renewal_of_as_many_as_a_request_may_name_is_answered_for_each_and_of_more_refused() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let unknown = |number: usize| Lid::new((1u128 << 64 | number as u128).to_be_bytes());
    let mut asked: Vec<(Lid, State)> = (1..MAX_NAMED).map(|number| (unknown(number), State::default())).collect();
    asked.push((lid(&held), State::default()));
    let (answer, again) = renew(&device, &known, &asked, None);
    assert_eq!((again.len(), answer.refusals.len()), (1, MAX_NAMED - 1));
    asked.push((unknown(0), State::default()));
    let body = Body::Renewals { licenses: asked, custom: None };
    let request = device.request(&known, Role::Issuer, body);
    assert_eq!(known.post("renewals", &device.sign(&request), None).problem(), ProblemKind::BadRequest);
}

#[test]
fn open_content_is_renewed_for_whoever_asks() {
    let (data, _serving, known) = started();
    let token = data.account("someone", &["gold"]);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let (answer, same) = renew(&device, &known, &[(lid(&held), State::default())], Some(&token));
    assert_eq!((reason(&answer), lid(&same)), (None, lid(&held)));
}

#[test]
fn a_restored_license_that_was_replaced_on_its_first_device_keeps_its_uses() {
    let (data, _serving, known) = started();
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    other.restore(&known, &device.back_up(&known, &held, None), None);
    data.policy("counted", r#"{"actions":{"Play":{"count":6}},"backup":"stateful"}"#);
    let (_, later) = device.acquire(&known, &[COUNTED], None);
    assert_ne!(lid(&later), lid(&held));
    // Nobody knows how many there were; what is left of them is all that is left.
    let (_, renewed) = renew(&other, &known, &[(lid(&held), counts(2))], None);
    let license = &renewed[0].license;
    assert_eq!((license.policy.replaces, &license.binding.state), (Some(lid(&held)), &Some(counts(2))));
    // It is of one line with what it took the place of: together they go again twice a year.
    for _ in 0..2 {
        let (_, again) = other.acquire(&known, &[COUNTED], None);
        assert_eq!((lid(&again), &again[0].license.binding.state), (lid(&renewed), &Some(counts(2))));
    }
    let (answer, _) = other.restore(&known, &device.back_up(&known, &held, None), None);
    assert_eq!(reason(&answer), Some(Reason::GrantedTooOften));
}

#[test]
fn what_was_taken_back_is_not_renewed_where_it_came_from_a_backup_either() {
    let (data, _serving, known) = started();
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let (_, held) = device.acquire(&known, &[OPEN], None);
    other.restore(&known, &device.back_up(&known, &held, None), None);
    let ask = |device: &Device| reason(&renew(device, &known, &[(lid(&held), State::default())], None).0);
    data.admin(&["license", "revoke", "--lid", &lid(&held).to_hex(), "--device", &other.id().to_hex()]);
    assert_eq!((ask(&device), ask(&other)), (None, Some(Reason::Revoked)));
    data.admin(&["license", "revoke", "--lid", &lid(&held).to_hex()]);
    assert_eq!(ask(&device), Some(Reason::Revoked));
}

#[test]
fn what_a_rule_takes_back_is_not_renewed_although_another_one_may_be_had() {
    let data = Data::new();
    data.fill();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (_, held) = device.acquire(known, &[OPEN], None);
        data.admin(&["license", "revoke", "--kid", OPEN, "--issued-before", &rfc3339(now() + 100)]);
        clock.0.fetch_add(200, Ordering::SeqCst);
        let (answer, _) = renew(&device, known, &[(lid(&held), State::default())], None);
        assert_eq!(reason(&answer), Some(Reason::Revoked));
        assert_ne!(lid(&device.acquire(known, &[OPEN], None).1), lid(&held));
    });
}

#[test]
fn what_runs_out_is_extended_and_the_rest_is_the_same_license() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    for (number, (actions, runs_out)) in [
        (r#"{"Play":{}}"#, false),
        (r#"{"Play":{"count":5}}"#, true),
        (r#"{"Play":{"notAfter":"2100-01-01T00:00:00Z"}}"#, true),
        // Of one of two actions.
        (r#"{"Copy":{},"Play":{"notAfter":"2100-01-01T00:00:00Z"}}"#, true),
        (r#"{"Copy":{"count":5},"Play":{}}"#, true),
    ]
    .into_iter()
    .enumerate()
    {
        for renewal in ["carry", "extend", "fresh"] {
            let kid = format!("c{number:030x}{}", renewal.len() % 4);
            data.policy("terms", &format!(r#"{{"actions":{actions},"renewal":"{renewal}"}}"#));
            data.open_content(&kid, Some("terms"));
            let (_, held) = device.acquire(&known, &[&kid], None);
            let state = State::initial(&held[0].license.policy);
            let (_, renewed) = renew(&device, &known, &[(lid(&held), state)], None);
            assert_eq!(lid(&renewed) != lid(&held), runs_out && renewal != "carry", "{actions} {renewal}");
        }
    }
}

#[test]
fn on_other_terms_the_time_since_the_first_issue_counts_on_unless_it_is_extended() {
    let data = Data::new();
    data.fill();
    let lease = |seconds: u32, renewal: &str| {
        let text = format!(r#"{{"actions":{{"Play":{{"secondsAfterStoring":{seconds}}}}},"renewal":"{renewal}"}}"#);
        data.policy("lease", &text);
    };
    lease(1000, "carry");
    data.open_content(OPEN, Some("lease"));
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (_, held) = device.acquire(known, &[OPEN], None);
        let first = held[0].license.policy.first_issued;
        clock.0.fetch_add(2000, Ordering::SeqCst);
        lease(5000, "carry");
        let (_, renewed) = renew(&device, known, &[(lid(&held), State::default())], None);
        assert_eq!(renewed[0].license.policy.first_issued, first);
        let (_, same) = device.acquire(known, &[OPEN], None);
        assert_eq!(same[0].license.policy, renewed[0].license.policy, "it is that license from now on");
        lease(1500, "carry");
        let (answer, _) = renew(&device, known, &[(lid(&renewed), State::default())], None);
        assert_eq!(reason(&answer), Some(Reason::Expired), "another license would begin anew");
        lease(1500, "extend");
        let (_, extended) = renew(&device, known, &[(lid(&renewed), State::default())], None);
        assert!(extended[0].license.policy.first_issued >= first + 2000);
    });
}

#[test]
fn a_leaf_that_is_renewed_opens_under_its_root() {
    let data = Data::new();
    data.admin(&["subscription", "add", "music", "--open"]);
    data.policy("leaf", r#"{"subscription":"music"}"#);
    data.open_content(OPEN, Some("leaf"));
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let (_, held) = device.acquire(known, &[OPEN], None);
        let of = |kind| held.iter().find(|held| held.license.policy.kind == kind).unwrap();
        let (leaf, root) = (of(LicenseKind::Leaf), of(LicenseKind::Root));
        data.policy("leaf", r#"{"subscription":"music","priority":3}"#);
        // The policy has the time of the first issue, and the key is for this policy alone.
        clock.0.fetch_add(1000, Ordering::SeqCst);
        let (_, renewed) = renew(&device, known, &[(leaf.license.policy.lid, State::default())], None);
        let license = &renewed[0].license;
        assert_eq!(license.policy.replaces, Some(leaf.license.policy.lid));
        let opened = license.key.open_leaf(&root.license.key, license.license.policy_hash()).unwrap();
        assert_eq!(opened.as_bytes(), wmlicense_testkit::daemon::device::kid(KEY).as_bytes());
    });
}
