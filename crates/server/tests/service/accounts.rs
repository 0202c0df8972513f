//! Accounts from their making to their end: several tokens, ends of tokens, what a removed account leaves.

use crate::clock::{DAY, with_clock};
use std::sync::atomic::Ordering;
use wmlicense_testkit::daemon::device::{Device, Known, Reply, now};
use wmlicense_testkit::daemon::{Data, GOLD, rfc3339};
use wmlicense_wire::problem::{Problem, ProblemKind};

fn token(data: &Data, words: &[&str]) -> String {
    let printed = data.admin(&[&["account", "token"], words].concat());
    printed.strip_prefix("token: ").unwrap().trim().to_owned()
}

fn asks(known: &Known, device: &Device, token: &str) -> Reply {
    known.post("licenses", &device.sign(&device.licenses_request(known, &[GOLD])), Some(token))
}

/// What a token is refused with; nothing if it is taken.
fn refusal(known: &Known, device: &Device, token: &str) -> Option<String> {
    let reply = asks(known, device, token);
    if reply.status == 200 {
        return None;
    }
    assert_eq!((reply.status, reply.problem()), (401, ProblemKind::Unauthorized));
    Problem::parse(&reply.body).unwrap().detail
}

#[test]
fn an_account_has_a_token_for_each_purpose_and_each_is_replaced_and_ended_for_itself() {
    let data = Data::new();
    data.fill();
    let first = data.account("alice", &["gold"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (phone, tv) = (token(&data, &["alice", "--name", "phone"]), token(&data, &["alice", "--name", "tv"]));
    for token in [&first, &phone, &tv] {
        assert_eq!(refusal(&known, &device, token), None);
    }
    let other = token(&data, &["alice", "--name", "phone"]);
    assert_eq!(data.admin(&["account", "token", "alice", "--name", "tv", "--end"]), "ended: tv\n");
    assert_eq!((refusal(&known, &device, &first), refusal(&known, &device, &other)), (None, None));
    for ended in [&phone, &tv] {
        let told = refusal(&known, &device, ended).unwrap();
        assert!(told.contains("has ended") && told.contains("Get a new one"), "{told}");
    }
    let told = refusal(&known, &device, "wrong").unwrap();
    assert!(!told.contains("ended"), "{told}");
    let list = data.json(&["account", "token", "alice", "--list"]);
    let counts = |name: &str| {
        let rows = list.as_array().unwrap().iter().filter(|row| row["token"] == name);
        rows.map(|row| row["counts"].as_bool().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((counts("default"), counts("phone").len(), counts("tv")), (vec![true], 2, vec![false]));
    assert!(!list.to_string().contains(&other));
    let (status, complaint) = data.fails(&["account", "token", "alice", "--name", "tv", "--end"]);
    assert!(status == 1 && complaint.contains("has no token tv") && complaint.contains("--list"), "{complaint}");
    assert!(data.fails(&["account", "token", "bob", "--end"]).1.contains("no account bob"));
    assert!(data.fails(&["account", "token", "bob", "--list"]).1.contains("no account bob"));
}

#[test]
fn a_token_ends_when_its_time_is_over() {
    let data = Data::new();
    data.fill();
    data.account("alice", &["gold"]);
    let token = token(&data, &["alice", "--name", "guest", "--until", &rfc3339(now() + DAY)]);
    let (status, complaint) = data.fails(&["account", "token", "alice", "--until", "2001-01-01T00:00:00Z"]);
    assert!(status == 1 && complaint.contains("ends later than now"), "{complaint}");
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        assert_eq!(refusal(known, &device, &token), None);
        clock.0.store(DAY + 1, Ordering::SeqCst);
        assert!(refusal(known, &device, &token).unwrap().contains("has ended"));
    });
    // The names of tokens are of one account each.
    data.account("bob", &[]);
    assert_eq!(data.json(&["account", "token", "bob", "--list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_removed_account_keeps_no_right_and_is_still_named_where_it_had_one() {
    let data = Data::new();
    data.fill();
    let old = data.account("alice", &["gold"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[GOLD], Some(&old));
    assert_eq!(data.admin(&["account", "remove", "alice"]), "removed: alice\n");
    assert!(data.fails(&["account", "remove", "alice"]).1.contains("no account alice"));
    assert!(refusal(&known, &device, &old).unwrap().contains("has ended"));
    // The device is told to drop what it had, whoever asks with it.
    let (answer, _) = device.ask(&known, &device.delivery_request(&known, None, None), None);
    assert_eq!(answer.withdrawn, [held[0].license.policy.lid]);
    assert_eq!(data.json(&["license", "list", "--account", "alice"])[0]["lid"], held[0].license.policy.lid.to_hex());
    // The name is free, and another account has nothing of the first one.
    let new = data.account("alice", &[]);
    assert_eq!(refusal(&known, &device, &new), None);
    assert!(device.acquire(&known, &[GOLD], Some(&new)).1.is_empty());
    assert_eq!(data.json(&["account", "list"]).as_array().unwrap().len(), 1);
    let all = data.json(&["account", "list", "--removed"]);
    let removed = all.as_array().unwrap().iter().filter(|row| !row["removed"].is_null());
    assert_eq!(
        removed.map(|row| (row["account"].as_str(), row["tokens"].as_u64())).collect::<Vec<_>>(),
        [(Some("alice"), Some(0))]
    );
}

#[test]
fn accounts_are_listed_by_what_they_have() {
    let data = Data::new();
    for (name, scopes) in [("zoe", &["gold"][..]), ("adam", &["gold", "silver"]), ("Zoë B.", &[])] {
        data.account(name, scopes);
    }
    let names = |words: &[&str]| -> Vec<String> {
        let list = data.json(&[&["account", "list"], words].concat());
        list.as_array().unwrap().iter().map(|row| row["account"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&[]), ["Zoë B.", "adam", "zoe"]);
    assert_eq!(names(&["--scope", "gold"]), ["adam", "zoe"]);
    assert_eq!(names(&["--account", "Zoë B."]), ["Zoë B."]);
    assert_eq!(names(&["--since", "2090-01-01T00:00:00Z"]), Vec::<String>::new());
    let row = &data.json(&["account", "list", "--account", "adam"])[0];
    assert_eq!((&row["scopes"], &row["tokens"]), (&serde_json::json!(["gold", "silver"]), &serde_json::json!(1)));
    assert!(data.admin(&["account", "list"]).contains("gold, silver"));
}
