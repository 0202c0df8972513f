//! Offers and grants as a shop uses them: one title is rented, sold and subscribed to, and what was granted changes and ends.

use wmlicense_testkit::daemon::device::{Device, Held, Known, kid, now};
use wmlicense_testkit::daemon::{Data, KEY, Serving, rfc3339};
use wmlicense_wire::answer::{Answer, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::Body;

pub(super) const FILM: &str = "c0000000000000000000000000000001";
const SONG: &str = "c0000000000000000000000000000002";

/// A film that only offers reach and a song of the club, to be rented, bought and subscribed to.
pub(super) fn shop(data: &Data) -> (Serving, Known) {
    data.admin(&["content", "add", "--kid", FILM, "--key", KEY, "--title", "Film"]);
    data.admin(&["content", "add", "--kid", SONG, "--key", KEY, "--title", "Song", "--scope", "songs"]);
    data.policy("rent", r#"{"actions":{"Play":{"secondsAfterFirstUse":172800}}}"#);
    data.policy("buy", r#"{"actions":{"Play":{},"Copy":{}},"backup":true}"#);
    data.policy("month", r#"{"backup":true}"#);
    data.admin(&["subscription", "add", "club", "--policy", "month"]);
    data.policy("leaf", r#"{"subscription":"club","backup":true}"#);
    data.admin(&["offer", "set", "rent-film", "--policy", "rent", "--kid", FILM]);
    data.admin(&["offer", "set", "buy-film", "--policy", "buy", "--kid", FILM]);
    data.admin(&["offer", "set", "club", "--policy", "leaf", "--scope", "songs", "--kid", FILM]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (serving, known)
}

pub(super) fn grant(data: &Data, words: &[&str]) -> String {
    let told = data.admin(&[&["grant", "add"], words].concat());
    told.trim().strip_prefix("grant: ").unwrap().to_owned()
}

fn policy<'h>(held: &'h [Held], of: &str) -> &'h Policy {
    &held.iter().find(|held| held.license.policy.kid == kid(of)).unwrap().license.policy
}

fn end(policy: &Policy) -> Option<i64> {
    policy.action("Play").unwrap().not_after
}

fn renew(device: &Device, known: &Known, lid: Lid, token: &str) -> (Answer, Vec<Held>) {
    let body = Body::Renewals { licenses: vec![(lid, State::default())], custom: None };
    let request = device.request(known, Role::Issuer, body);
    let bytes = device.sign(&request);
    let reply = known.post("renewals", &bytes, Some(token)).granted();
    let (answer, licenses, envelope) = device.verify(known, Role::Issuer, &bytes, request.transaction, &reply);
    (answer, licenses.into_iter().map(|license| Held { signed: envelope.signed.clone(), license }).collect())
}

pub(super) fn each_engine(test: impl Fn(Data)) {
    test(Data::new());
    test(Data::over_postgres(15));
}

#[test]
fn one_title_is_rented_sold_and_subscribed_to() {
    each_engine(|data| {
        let (_serving, known) = shop(&data);
        let [renter, buyer, member, nobody] =
            ["renter", "buyer", "member", "nobody"].map(|name| data.account(name, &[]));
        let until = now() + 86_400;
        grant(&data, &["renter", "rent-film", "--until", &rfc3339(until)]);
        grant(&data, &["buyer", "buy-film", "--reference", "order 7"]);
        grant(&data, &["member", "club", "--until", &rfc3339(until)]);
        let device = Device::individualized(&known);
        let ask = |token: &str| device.acquire(&known, &[FILM], Some(token));

        let (_, rented) = ask(&renter);
        let rented = policy(&rented, FILM);
        assert_eq!(rented.action("Play").unwrap().seconds_after_first_use, Some(172_800));
        assert_eq!((end(rented), rented.action("Copy").is_some()), (Some(until), false));

        let (_, bought) = ask(&buyer);
        let bought = policy(&bought, FILM);
        assert_eq!((end(bought), bought.action("Copy").is_some()), (None, true));

        // The root comes along and ends with the grant; the leaf ends with its root.
        let (_, held) = ask(&member);
        let leaf = policy(&held, FILM);
        let root = held.iter().find(|held| Some(held.license.policy.kid) == leaf.root_kid).unwrap();
        assert_eq!((held.len(), end(leaf), end(&root.license.policy)), (2, None, Some(until)));

        let (answer, held) = ask(&nobody);
        assert_eq!((answer.refusals[0].reason, held.len()), (Reason::NotEntitled, 0));
        assert!(answer.refusals[0].url.is_some());
        let (answer, _) = device.acquire(&known, &[FILM], None);
        assert_eq!(answer.refusals[0].reason, Reason::AccountRequired);
        let rows = data.json(&["grant", "list", "--account", "buyer"]);
        assert_eq!((rows[0]["reference"].as_str(), rows[0]["counts"].as_bool()), (Some("order 7"), Some(true)));
    });
}

#[test]
fn a_grant_that_is_shortened_extended_or_ended_changes_what_its_device_has() {
    each_engine(|data| {
        let (_serving, known) = shop(&data);
        let token = data.account("alice", &[]);
        let (month, week) = (now() + 30 * 86_400, now() + 7 * 86_400);
        let id = grant(&data, &["alice", "buy-film", "--until", &rfc3339(month)]);
        let device = Device::individualized(&known);
        let (_, held) = device.acquire(&known, &[FILM], Some(&token));
        let lid = held[0].license.policy.lid;
        assert_eq!(end(&held[0].license.policy), Some(month));
        let (_, same) = renew(&device, &known, lid, &token);
        assert_eq!(same[0].license.policy.lid, lid, "unchanged terms give the same license");

        data.admin(&["grant", "change", &id, "--until", &rfc3339(week)]);
        let (_, shorter) = renew(&device, &known, lid, &token);
        assert_eq!((end(&shorter[0].license.policy), shorter[0].license.policy.replaces), (Some(week), Some(lid)));
        data.admin(&["grant", "change", &id, "--until", "none"]);
        let lid = shorter[0].license.policy.lid;
        let (_, longer) = renew(&device, &known, lid, &token);
        let lid = longer[0].license.policy.lid;
        assert_eq!(end(&longer[0].license.policy), None);

        // It ends while the device is away: at the next contact the license is withdrawn.
        data.admin(&["grant", "end", &id]);
        let (answer, held) = renew(&device, &known, lid, &token);
        assert_eq!((answer.refusals[0].reason, held.len()), (Reason::NotEntitled, 0));
        assert_eq!(answer.withdrawn, [lid]);
        let (code, told) = data.fails(&["grant", "end", &id]);
        assert!(code == 1 && told.contains("was ended"), "{told}");
    });
}

#[test]
fn of_two_grants_the_better_counts_and_the_other_when_it_ends() {
    each_engine(|data| {
        let (_serving, known) = shop(&data);
        let token = data.account("alice", &[]);
        let week = now() + 7 * 86_400;
        grant(&data, &["alice", "rent-film", "--until", &rfc3339(week)]);
        let id = grant(&data, &["alice", "buy-film"]);
        let device = Device::individualized(&known);
        let (_, held) = device.acquire(&known, &[FILM], Some(&token));
        let bought = held[0].license.policy.clone();
        assert_eq!((end(&bought), bought.is_stateful()), (None, false));
        data.admin(&["grant", "end", &id]);
        let (answer, held) = renew(&device, &known, bought.lid, &token);
        let rented = &held[0].license.policy;
        assert_eq!((end(rented), rented.replaces, answer.withdrawn.len()), (Some(week), Some(bought.lid), 0));
    });
}

#[test]
fn everything_that_grants_cover_is_delivered_and_leaves_with_them() {
    each_engine(|data| {
        let (_serving, known) = shop(&data);
        let token = data.account("alice", &[]);
        let id = grant(&data, &["alice", "club"]);
        let device = Device::individualized(&known);
        let deliver = |scope, since| device.ask(&known, &device.delivery_request(&known, scope, since), Some(&token));
        let (answer, held) = deliver(None, None);
        let mut kids: Vec<_> = held.iter().map(|held| held.license.policy.kid).collect();
        kids.retain(|of| [kid(FILM), kid(SONG)].contains(of));
        kids.sort_unstable();
        assert_eq!((held.len(), kids), (3, vec![kid(FILM), kid(SONG)]), "the root comes, too");
        let (_, songs) = deliver(Some("songs"), None);
        assert_eq!(songs.iter().map(|held| held.license.policy.kid).collect::<Vec<_>>(), [kid(SONG)]);
        let (again, held) = deliver(None, answer.since);
        assert_eq!((held.len(), again.withdrawn.len()), (0, 0));
        data.admin(&["grant", "end", &id]);
        let (gone, held) = deliver(None, answer.since);
        assert_eq!((held.len(), gone.withdrawn.len()), (0, 3));
    });
}

#[test]
fn a_grant_that_begins_later_says_when() {
    let data = Data::new();
    let (_serving, known) = shop(&data);
    let token = data.account("alice", &[]);
    let from = now() + 3600;
    grant(&data, &["alice", "buy-film", "--from", &rfc3339(from)]);
    let device = Device::individualized(&known);
    let (answer, _) = device.acquire(&known, &[FILM], Some(&token));
    assert_eq!((answer.refusals[0].reason, answer.refusals[0].again), (Reason::NotEntitled, Some(from)));
}

#[test]
fn a_backup_brings_back_no_more_than_the_account_has_today() {
    each_engine(|data| {
        let (_serving, known) = shop(&data);
        let token = data.account("alice", &[]);
        let id = grant(&data, &["alice", "buy-film"]);
        let (device, other) = (Device::individualized(&known), Device::individualized(&known));
        let (_, held) = device.acquire(&known, &[FILM], Some(&token));
        let backup = device.back_up(&known, &held, held[0].license.policy.user);
        let lid = held[0].license.policy.lid;
        let told = || {
            let (preview, _) = other.preview(&known, &backup, vec![lid], Some(&token));
            let (answer, restored) = other.restore(&known, &backup, Some(&token));
            let refusal = answer.refusals.first().map(|refusal| refusal.reason);
            assert_eq!((preview.verdicts[0].refusal, restored.is_empty()), (refusal, refusal.is_some()));
            assert!((answer.outcome == Outcome::Refused) == refusal.is_some());
            refusal
        };
        // The license has no end, and what the account has today ends.
        data.admin(&["grant", "change", &id, "--until", &rfc3339(now() + 3600)]);
        assert_eq!(told(), Some(Reason::NotEntitled));
        data.admin(&["grant", "change", &id, "--until", "none"]);
        assert_eq!(told(), None);
        data.admin(&["grant", "end", &id]);
        assert_eq!(told(), Some(Reason::NotEntitled));
    });
}

#[test]
fn commands_say_what_is_wrong_and_change_nothing() {
    let data = Data::new();
    let (_serving, _) = shop(&data);
    data.account("alice", &[]);
    let later = rfc3339(now() + 3600);
    for (words, said) in [
        (vec!["offer", "set", "x", "--policy", "none", "--kid", FILM], "there is no policy none"),
        (vec!["grant", "add", "bob", "club"], "there is no account bob"),
        (vec!["grant", "add", "alice", "none"], "there is no offer none"),
        (vec!["grant", "add", "alice", "club", "--from", &later, "--until", &later], "end before it begins"),
        (vec!["grant", "end", "00000000000000000000000000000000"], "there is no grant"),
        (vec!["offer", "remove", "none"], "there is no offer none"),
    ] {
        let (code, told) = data.fails(&words);
        assert!(code == 1 && told.contains(said), "{told}");
    }
    assert_eq!(data.fails(&["offer", "set", "x", "--policy", "buy"]).0, 2, "it covers nothing");
    grant(&data, &["alice", "club"]);
    let (_, told) = data.fails(&["offer", "remove", "club"]);
    assert!(told.contains("1 grants of it are not over"), "{told}");
    let rows = data.json(&["content", "list"]);
    assert!(rows[0]["scope"].is_null() && rows[0]["open"] == false, "{rows}");
    let audit = data.admin(&["audit", "list", "--act", "offer"]);
    assert!(audit.contains("offer set") && audit.contains("scope songs"), "{audit}");
}

fn counts(left: u32) -> State {
    let play = ActionState { counts_left: Some(left), first_use: None };
    State { actions: [("Play".to_owned(), play)].into() }
}

/// What a device has left by its newest license.
fn left(held: &[Held]) -> Option<u32> {
    let license = &held.first()?.license;
    let state = license.binding.state.clone().unwrap_or_else(|| State::initial(&license.policy));
    state.actions["Play"].counts_left
}

/// A device asks for the film and tells what is left of what it has.
fn ask(device: &Device, known: &Known, token: &str, told: &[(Lid, State)]) -> (Answer, Vec<Held>) {
    let mut request = device.licenses_request(known, &[FILM]);
    if let Body::Licenses { usage, .. } = &mut request.body {
        *usage = told.to_vec();
    }
    device.ask(known, &request, Some(token))
}

fn give_back(device: &Device, known: &Known, lid: Lid, state: State) {
    let request = device.request(known, Role::Issuer, Body::Returns { licenses: vec![(lid, state)] });
    known.post("returns", &device.sign(&request), None).granted();
}

#[test]
fn uses_belong_to_the_account_whatever_its_devices_do() {
    each_engine(|data| {
        let (_serving, known) = shop(&data);
        data.policy("ten", r#"{"actions":{"Play":{"count":10}},"backup":"stateful"}"#);
        data.admin(&["offer", "set", "ten", "--policy", "ten", "--kid", FILM]);
        let token = data.account("alice", &[]);
        let id = grant(&data, &["alice", "ten", "--uses", "5"]);
        let [first, second, third] = [(); 3].map(|()| Device::individualized(&known));
        let (_, held) = ask(&first, &known, &token, &[]);
        let license = &held[0].license.policy;
        assert_eq!((left(&held), license.action("Play").unwrap().count), (Some(5), Some(5)), "all that are left");
        assert!(!license.may_back_up(), "another device asks for what is left, so that no backup takes it along");
        let refused = |device: &Device| ask(device, &known, &token, &[]).0.refusals[0].reason;
        assert_eq!(refused(&second), Reason::UsedUp, "what is out elsewhere counts as used");

        // Two of five are used when it is given back; the second device gets the other three.
        give_back(&first, &known, license.lid, counts(3));
        let (_, held) = ask(&second, &known, &token, &[]);
        assert_eq!(left(&held), Some(3));
        let lid = held[0].license.policy.lid;
        let (_, same) = ask(&second, &known, &token, &[(lid, counts(1))]);
        assert_eq!(
            (left(&same), same[0].license.policy.lid),
            (Some(1), lid),
            "what it tells counts, and it keeps the license"
        );
        assert_eq!(refused(&first), Reason::UsedUp);

        // More uses are granted while it is used up, and come to who asks or renews.
        data.admin(&["grant", "change", &id, "--uses", "7"]);
        let (_, more) = ask(&second, &known, &token, &[(lid, counts(0))]);
        assert_eq!((left(&more), more[0].license.policy.replaces), (Some(2), Some(lid)));

        // The device is lost with two uses: nobody has them until somebody says so.
        assert_eq!(refused(&third), Reason::UsedUp);
        let told = data.admin(&["device", "lost", &second.id().to_hex()]);
        assert!(told.contains("2 uses of 1 titles came back"), "{told}");
        assert_eq!(left(&ask(&third, &known, &token, &[]).1), Some(2));
        let audit = data.admin(&["audit", "list", "--act", "device"]);
        assert!(audit.contains("device lost"), "{audit}");
    });
}

#[test]
fn uses_taken_on_two_devices_at_once_are_counted_when_both_come_back_and_report() {
    each_engine(|data| {
        let (_serving, known) = shop(&data);
        data.policy("two", r#"{"allotment":2,"actions":{"Play":{"count":5}}}"#);
        data.admin(&["offer", "set", "two", "--policy", "two", "--kid", FILM]);
        let token = data.account("alice", &[]);
        grant(&data, &["alice", "two"]);
        let [first, second, third] = [(); 3].map(|()| Device::individualized(&known));
        let (one, two) = std::thread::scope(|scope| {
            let (known, token) = (&known, &token);
            let one = scope.spawn(|| self::ask(&first, known, token, &[]).1);
            let two = scope.spawn(|| self::ask(&second, known, token, &[]).1);
            (one.join().unwrap(), two.join().unwrap())
        });
        assert_eq!((left(&one), left(&two)), (Some(2), Some(2)));
        assert_eq!(left(&ask(&third, &known, &token, &[]).1), Some(1), "all five are out");
        // After a month without a network both report: one used all, the other one of two.
        let (one, two) = (one[0].license.policy.lid, two[0].license.policy.lid);
        let (answer, _) = ask(&first, &known, &token, &[(one, counts(0))]);
        assert_eq!(answer.refusals[0].reason, Reason::UsedUp, "the others still have what they took");
        let (_, kept) = ask(&second, &known, &token, &[(two, counts(1))]);
        assert_eq!((left(&kept), kept[0].license.policy.lid), (Some(1), two));
        give_back(&second, &known, two, counts(1));
        assert_eq!(left(&ask(&first, &known, &token, &[(one, counts(0))]).1), Some(1));
    });
}

#[test]
fn a_title_that_is_rented_again_begins_anew_and_its_time_is_that_of_all_devices() {
    each_engine(|data| {
        let (_serving, known) = shop(&data);
        let token = data.account("alice", &[]);
        let first = grant(&data, &["alice", "rent-film"]);
        let [phone, tv] = [(); 2].map(|()| Device::individualized(&known));
        let (_, held) = ask(&phone, &known, &token, &[]);
        let lid = held[0].license.policy.lid;
        let started = now() - 100;
        let used = State {
            actions: [("Play".to_owned(), ActionState { counts_left: None, first_use: Some(started) })].into(),
        };
        ask(&phone, &known, &token, &[(lid, used.clone())]);
        let (_, on_tv) = ask(&tv, &known, &token, &[]);
        assert_eq!(on_tv[0].license.binding.state, Some(used), "two days begin once, not once a device");
        data.admin(&["grant", "end", &first]);
        grant(&data, &["alice", "rent-film"]);
        let (_, again) = ask(&phone, &known, &token, &[]);
        let fresh = again[0].license.binding.state.clone().unwrap_or_default();
        assert!(fresh.actions.values().all(|action| action.first_use.is_none()), "{fresh:?}");
        assert_eq!(again[0].license.policy.replaces, Some(lid));
    });
}

#[test]
fn what_is_given_unasked_is_what_a_grant_gives_and_its_uses_are_out_from_then_on() {
    each_engine(|data| {
        let (_serving, known) = shop(&data);
        data.policy("ten", r#"{"actions":{"Play":{"count":10}}}"#);
        data.admin(&["offer", "set", "ten", "--policy", "ten", "--kid", FILM]);
        let token = data.account("alice", &[]);
        let [first, second] = [(); 2].map(|()| Device::individualized(&known));
        let (answer, _) = ask(&first, &known, &token, &[]);
        assert_eq!(answer.refusals[0].reason, Reason::NotEntitled);
        let (_, told) = data.fails(&["license", "give", &first.id().to_hex(), FILM, "--account", "alice"]);
        assert!(told.contains("were given nothing"), "{told}");
        grant(&data, &["alice", "ten", "--uses", "3"]);
        data.admin(&["license", "give", &first.id().to_hex(), FILM, "--account", "alice"]);
        let (answer, _) = ask(&second, &known, &token, &[]);
        assert_eq!(answer.refusals[0].reason, Reason::UsedUp, "they wait in the mailbox of the first device");
        give_none_twice(&data, &first);
    });
}

/// Given again before the device told anything, it is the same license with the same uses, twice a year.
fn give_none_twice(data: &Data, device: &Device) {
    let id = device.id().to_hex();
    let words = ["license", "give", &id, FILM, "--account", "alice"];
    data.admin(&words);
    data.admin(&words);
    assert_eq!(data.json(&["license", "list"]).as_array().unwrap().len(), 1);
    let (_, told) = data.fails(&words);
    assert!(told.contains("were given nothing"), "{told}");
}
