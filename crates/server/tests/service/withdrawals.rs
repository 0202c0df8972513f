//! What an account may not have any more leaves its devices with the very answer that refuses it: by scope, by key ID, at a
//! renewal, whoever asks.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use wmlicense_testkit::daemon::device::{Device, Held, Known};
use wmlicense_testkit::daemon::{COUNTED, Data, GOLD, KEY, OPEN};
use wmlicense_wire::answer::{Answer, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::State;
use wmlicense_wire::request::Body;

/// An owner with `count` titles in the scope `gold`, and the token of an account that has it.
fn with_gold(count: u32) -> (Data, String) {
    let data = Data::new();
    let mut list = String::new();
    for number in 0..count {
        writeln!(list, "{number:032x},{KEY},Title {number}").unwrap();
    }
    let file = data.path().join("list.csv");
    std::fs::write(&file, list).unwrap();
    data.admin(&["content", "import", file.to_str().unwrap(), "--scope", "gold"]);
    let token = data.account("alice", &["gold"]);
    (data, token)
}

fn lose(data: &Data) {
    data.admin(&["account", "change", "alice", "--remove-scope", "gold"]);
}

fn regain(data: &Data) {
    data.admin(&["account", "change", "alice", "--add-scope", "gold"]);
}

fn deliver(
    device: &Device,
    known: &Known,
    (scope, since): (Option<&str>, Option<i64>),
    token: Option<&str>,
) -> (Answer, Vec<Held>) {
    device.ask(known, &device.delivery_request(known, scope, since), token)
}

fn lids(held: &[Held]) -> BTreeSet<Lid> {
    held.iter().map(|held| held.license.policy.lid).collect()
}

fn set(withdrawn: &[Lid]) -> BTreeSet<Lid> {
    withdrawn.iter().copied().collect()
}

fn why(answer: &Answer) -> (Outcome, Option<Reason>) {
    (answer.outcome.clone(), answer.refusals.first().map(|refusal| refusal.reason))
}

#[test]
fn a_scope_that_the_account_lost_is_refused_together_with_what_goes() {
    let (data, token) = with_gold(3);
    let (bob, token) = (data.account("bob", &[]), Some(token.as_str()));
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let gold = |since, token| deliver(&device, &known, (Some("gold"), since), token);
    let (first, held) = gold(None, token);
    assert_eq!((held.len(), first.withdrawn.len()), (3, 0));
    lose(&data);
    // Whoever asks next for this device: the licenses are alice's, and she may not have them.
    for (asks, reason) in
        [(token, Reason::NotEntitled), (None, Reason::AccountRequired), (Some(bob.as_str()), Reason::NotEntitled)]
    {
        let (answer, licenses) = gold(first.since, asks);
        assert_eq!((why(&answer), licenses.len()), ((Outcome::Refused, Some(reason)), 0));
        assert_eq!(set(&answer.withdrawn), lids(&held));
        assert!(answer.since > first.since && answer.next_cursor.is_none());
        // What was told once is not told again to who knows.
        let (again, _) = gold(answer.since, asks);
        assert_eq!((why(&again), again.withdrawn.len()), ((Outcome::Refused, Some(reason)), 0));
    }
    let other = Device::individualized(&known);
    let (stranger, _) = deliver(&other, &known, (Some("gold"), None), token);
    assert_eq!((why(&stranger), stranger.withdrawn.len()), ((Outcome::Refused, Some(Reason::NotEntitled)), 0));
}

#[test]
fn more_than_an_answer_takes_goes_in_pages_and_the_last_one_refuses() {
    let (data, token) = with_gold(4100);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let run = || {
        let mut request = device.delivery_request(&known, Some("gold"), None);
        let (mut answers, mut licenses) = (Vec::new(), Vec::new());
        loop {
            let (answer, more) = device.ask(&known, &request, Some(&token));
            licenses.extend(more);
            answers.push(answer.clone());
            let Some(cursor) = answer.next_cursor else { return (answers, licenses) };
            (request.page, request.cursor) = (request.page + 1, Some(cursor));
        }
    };
    let (_, held) = run();
    assert_eq!(held.len(), 4100);
    lose(&data);
    let (answers, licenses) = run();
    let [first, last] = answers.as_slice() else { panic!("{} pages", answers.len()) };
    // Those with rows of their own first; what was delivered at once goes at once.
    assert_eq!((why(first), first.withdrawn.len()), ((Outcome::Done, None), 4));
    assert_eq!((why(last), last.withdrawn.len()), ((Outcome::Refused, Some(Reason::NotEntitled)), 4096));
    assert_eq!((set(&[first.withdrawn.clone(), last.withdrawn.clone()].concat()), licenses.len()), (lids(&held), 0));
}

#[test]
fn a_license_refused_by_its_key_id_goes_and_the_others_wait_for_their_turn() {
    let (data, token) = with_gold(3);
    data.open_content(OPEN, None);
    let token = Some(token.as_str());
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let kids: Vec<String> = (0..3).map(|number| format!("{number:032x}")).collect();
    let (_, held) = device.acquire(&known, &[&kids[0], &kids[1], &kids[2], OPEN], token);
    let of = |kid: &str| held.iter().find(|held| held.license.policy.kid.to_hex() == kid).unwrap().license.policy.lid;
    lose(&data);
    let ask = |kids: &[&str], token| device.ask(&known, &device.licenses_request(&known, kids), token).0;
    let refused = ask(&[&kids[0]], token);
    assert_eq!((why(&refused), refused.withdrawn), ((Outcome::Refused, Some(Reason::NotEntitled)), vec![of(&kids[0])]));
    let partly = ask(&[&kids[1], OPEN], None);
    assert_eq!((why(&partly), partly.withdrawn), ((Outcome::Done, Some(Reason::AccountRequired)), vec![of(&kids[1])]));
    // Content that is gone, and content of which the device never heard.
    data.admin(&["content", "remove", OPEN]);
    let gone = ask(&[OPEN, GOLD], token);
    assert_eq!((why(&gone), gone.withdrawn), ((Outcome::Refused, Some(Reason::UnknownContent)), vec![of(OPEN)]));
    let (rest, _) = deliver(&device, &known, (Some("gold"), None), token);
    assert_eq!(set(&rest.withdrawn), lids(&held));
}

#[test]
fn a_license_refused_at_a_renewal_goes_with_the_refusal() {
    let (data, token) = with_gold(1);
    data.fill();
    let token = Some(token.as_str());
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[GOLD, COUNTED], token);
    let of = |kid: &str| held.iter().find(|held| held.license.policy.kid.to_hex() == kid).unwrap().license.policy.lid;
    let renew = |kids: &[&str], token| {
        let licenses = kids.iter().map(|kid| (of(kid), State::default())).collect();
        let request = device.request(&known, Role::Issuer, Body::Renewals { licenses, custom: None });
        device.ask(&known, &request, token)
    };
    lose(&data);
    let (answer, licenses) = renew(&[GOLD], token);
    assert_eq!((why(&answer), licenses.len()), ((Outcome::Refused, Some(Reason::NotEntitled)), 0));
    assert_eq!(answer.withdrawn, [of(GOLD)]);
    let (answer, licenses) = renew(&[GOLD, COUNTED], None);
    assert_eq!((licenses.len(), answer.withdrawn), (1, vec![of(GOLD)]));
}

#[test]
fn a_device_that_missed_the_word_gets_the_regained_scope_all_the_same() {
    let (data, token) = with_gold(3);
    let token = Some(token.as_str());
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (first, held) = deliver(&device, &known, (Some("gold"), None), token);
    lose(&data);
    // This answer gets lost.
    deliver(&device, &known, (Some("gold"), first.since), token);
    regain(&data);
    let (answer, licenses) = deliver(&device, &known, (Some("gold"), first.since), token);
    // The new ones take the place of the old ones, which need not be named.
    let replaced: BTreeSet<Lid> = licenses.iter().filter_map(|held| held.license.policy.replaces).collect();
    assert_eq!((answer.outcome, replaced, answer.withdrawn.len()), (Outcome::Done, lids(&held), 0));
    let (answer, by_name) = device.acquire(&known, &[&format!("{:032x}", 1)], token);
    assert_eq!((answer.withdrawn.len(), by_name.len()), (0, 1));
    assert!(lids(&licenses).is_superset(&lids(&by_name)));
}
