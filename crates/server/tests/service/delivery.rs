//! Pre-delivery by the real service: pages, what changed since, what is taken back, subscriptions, and the service's pace.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use wmlicense_testkit::daemon::device::{Device, Known};
use wmlicense_testkit::daemon::{Data, GOLD, KEY, OPEN};
use wmlicense_wire::answer::{OpenedLicense, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::LicenseKind;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::{Body, Request};

/// A whole run.
struct Run {
    pages: usize,
    licenses: Vec<OpenedLicense>,
    withdrawn: BTreeSet<Lid>,
    since: Option<i64>,
}

fn run(device: &Device, known: &Known, scope: Option<&str>, since: Option<i64>, token: Option<&str>) -> Run {
    let mut request = device.delivery_request(known, scope, since);
    let mut run = Run { pages: 0, licenses: Vec::new(), withdrawn: BTreeSet::new(), since: None };
    loop {
        let (answer, licenses) = device.ask(known, &request, token);
        assert_eq!(answer.outcome, Outcome::Done);
        assert!(run.since.is_none_or(|since| answer.since == Some(since)));
        run.pages += 1;
        run.licenses.extend(licenses.into_iter().map(|held| held.license));
        run.withdrawn.extend(answer.withdrawn);
        run.since = answer.since;
        let Some(cursor) = answer.next_cursor else { return run };
        (request.page, request.cursor) = (request.page + 1, Some(cursor));
    }
}

pub(super) fn import(data: &Data, count: u32, scope: &str) {
    let mut list = String::new();
    for number in 0..count {
        writeln!(list, "{number:032x},{KEY},Title {number}").unwrap();
    }
    let file = data.path().join("list.csv");
    std::fs::write(&file, list).unwrap();
    data.admin(&["content", "import", file.to_str().unwrap(), "--scope", scope]);
}

#[test]
fn a_large_scope_comes_in_pages_and_then_only_what_changed() {
    let data = Data::new();
    import(&data, 5000, "gold");
    data.open_content(OPEN, None);
    let token = data.account("alice", &["gold", "silver"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let token = Some(token.as_str());
    let first = run(&device, &known, None, None, token);
    let kids: BTreeSet<Kid> = first.licenses.iter().map(|license| license.policy.kid).collect();
    assert_eq!((first.pages, first.licenses.len(), kids.len()), (2, 5001, 5001));
    let again = run(&device, &known, None, first.since, token);
    assert_eq!((again.licenses.len(), again.withdrawn.len(), again.since), (0, 0, first.since));
    // One is new, one has other terms, one is gone.
    data.admin(&["content", "add", "--kid", GOLD, "--key", KEY, "--scope", "silver"]);
    data.policy("counted", r#"{"actions":{"Play":{"count":5}}}"#);
    let (changed, gone) = (format!("{:032x}", 7), format!("{:032x}", 8));
    data.admin(&["content", "add", "--kid", &changed, "--key", KEY, "--scope", "gold", "--policy", "counted"]);
    assert_eq!(data.admin(&["content", "remove", &gone]), "removed: 1\n");
    let next = run(&device, &known, None, first.since, token);
    let kids: BTreeSet<String> = next.licenses.iter().map(|license| license.policy.kid.to_hex()).collect();
    assert_eq!(kids, [changed, GOLD.to_owned()].into());
    let lid = |run: &Run, hex: &str| {
        run.licenses.iter().find(|license| license.policy.kid.to_hex() == hex).unwrap().policy.lid
    };
    assert_eq!(next.withdrawn, [lid(&first, &gone)].into());
    assert!(next.since > first.since);
    // A device that never got that answer is told once more; a mark from nowhere means everything.
    assert_eq!(run(&device, &known, None, first.since, token).withdrawn, next.withdrawn);
    assert_eq!(run(&device, &known, Some("silver"), Some(i64::MAX), token).licenses.len(), 1);
}

#[test]
fn the_same_page_again_has_the_same_licenses_sealed_anew_and_one_that_counts_the_same_bytes() {
    let data = Data::new();
    import(&data, 200, "gold");
    let token = data.account("alice", &["gold"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let request = device.delivery_request(&known, None, None);
    let bytes = device.sign(&request);
    let ask = || {
        let reply = known.post("licenses", &bytes, Some(&token)).granted();
        let (answer, held, _) = device.verify(&known, Role::Issuer, &bytes, request.transaction, &reply);
        let licenses: Vec<_> = held.iter().map(|held| held.license.policy.clone()).collect();
        (reply, answer.since, licenses)
    };
    let (first, again) = (ask(), ask());
    assert_ne!(first.0, again.0, "it was kept, or encapsulated with the same randomness");
    assert_eq!((first.2.len(), first.1, &first.2), (200, again.1, &again.2));
    // Other bytes of the same transaction stay a conflict, and an account that is not theirs.
    let named = device.delivery_request(&known, Some("gold"), None);
    let other = device.sign(&Request { transaction: request.transaction, ..named });
    assert_eq!(known.post("licenses", &other, Some(&token)).problem(), ProblemKind::Conflict);
    assert_eq!(known.post("licenses", &bytes, None).problem(), ProblemKind::Conflict);
    // A page on which one counts is handed out once.
    data.policy("counted", r#"{"actions":{"Play":{"count":5}}}"#);
    data.open_content(OPEN, Some("counted"));
    let request = device.delivery_request(&known, None, first.1);
    let bytes = device.sign(&request);
    let ask = || known.post("licenses", &bytes, Some(&token)).granted();
    assert_eq!(ask(), ask());
}

#[test]
fn what_was_delivered_is_restored_given_back_and_taken_back_as_what_was_acquired() {
    let data = Data::new();
    import(&data, 40, "gold");
    let token = data.account("alice", &["gold"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.ask(&known, &device.delivery_request(&known, None, None), Some(&token));
    let lid = |number: usize| held[number].license.policy.lid;
    let front = |lid: Lid| lid.as_bytes()[..12].to_vec();
    assert!(held.len() == 40 && held.iter().all(|held| front(held.license.policy.lid) == front(lid(0))));
    let listed =
        |arguments: &[&str]| data.json(&[&["license", "list"], arguments].concat()).as_array().unwrap().clone();
    assert_eq!(listed(&[]).len(), 40);
    let by_kid = format!("{:032x}", 7);
    let entry = listed(&["--kid", &by_kid]).remove(0);
    assert_eq!((entry["lid"].as_str().unwrap(), entry["devices"].as_u64()), (lid(7).to_hex().as_str(), Some(1)));
    let (_, again) = device.acquire(&known, &[&by_kid], Some(&token));
    assert_eq!(again[0].license.license.policy, held[7].license.license.policy);
    let backup = device.back_up(&known, &held, held[0].license.policy.user);
    let others: Vec<Device> = (0..4).map(|_| Device::individualized(&known)).collect();
    for other in &others[..3] {
        let (answer, restored) = other.restore(&known, &backup, Some(&token));
        assert_eq!((restored.len(), answer.refusals.len()), (40, 0));
        assert_eq!(restored[7].license.license.policy, held[7].license.license.policy);
    }
    let (answer, restored) = others[3].restore(&known, &backup, Some(&token));
    assert_eq!((restored.len(), answer.refusals.len()), (0, 40), "four devices in all");
    assert!(answer.refusals.iter().all(|refusal| refusal.reason == Reason::LimitReached));
    assert_eq!(listed(&["--kid", &by_kid]).remove(0)["devices"].as_u64(), Some(4));
    // The first device gives one back, so that the last one may have it no more: who had it first gave it back.
    let returns = Body::Returns { licenses: vec![(lid(7), State::default())] };
    known.post("returns", &device.sign(&device.request(&known, Role::Issuer, returns)), None).granted();
    let (answer, _) = others[3].restore(&known, &backup, Some(&token));
    let reasons: Vec<Reason> = answer.refusals.iter().map(|refusal| refusal.reason).collect();
    assert_eq!(reasons.iter().filter(|reason| **reason == Reason::Returned).count(), 1);
    let (_, again) = device.acquire(&known, &[&by_kid], Some(&token));
    assert_eq!(again[0].license.policy.replaces, Some(lid(7)));
    // One is taken back by its ID from all that have it.
    data.admin(&["license", "revoke", "--lid", &lid(8).to_hex()]);
    assert_eq!(data.json(&["revocation", "list"])[0]["devices"], 4);
    let next = run(&device, &known, None, None, Some(&token));
    assert_eq!(next.withdrawn, [lid(8)].into());
    data.admin(&["check"]);
    assert_eq!(listed(&[]).len(), 40);
}

#[test]
fn a_scope_that_is_taken_away_takes_its_licenses_along_and_brings_new_ones_back() {
    let data = Data::new();
    import(&data, 3, "gold");
    let token = data.account("alice", &["gold"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let first = run(&device, &known, None, None, Some(&token));
    let lids = |run: &Run| run.licenses.iter().map(|license| license.policy.lid).collect::<BTreeSet<_>>();
    data.admin(&["account", "change", "alice", "--remove-scope", "gold"]);
    let second = run(&device, &known, None, first.since, Some(&token));
    assert_eq!((second.withdrawn, second.licenses.len()), (lids(&first), 0));
    data.admin(&["account", "change", "alice", "--add-scope", "gold"]);
    let third = run(&device, &known, None, second.since, Some(&token));
    assert_eq!(third.licenses.len(), 3);
    assert!(lids(&third).is_disjoint(&lids(&first)));
    // By name it gives the same ones.
    let (_, held) = device.acquire(&known, &[&format!("{:032x}", 1)], Some(&token));
    assert!(lids(&third).contains(&held[0].license.policy.lid));
    assert!(data.fails(&["account", "change", "nobody", "--add-scope", "x"]).1.contains("no account"));
}

#[test]
fn a_license_that_takes_the_place_of_another_has_the_uses_that_are_left() {
    let data = Data::new();
    let terms = |count| format!(r#"{{"actions":{{"Play":{{"count":{count}}}}}}}"#);
    data.policy("counted", &terms(5));
    data.open_content(OPEN, Some("counted"));
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let first = run(&device, &known, None, None, None);
    let lid = first.licenses[0].policy.lid;
    let left = |left| State {
        actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use: None })].into(),
    };
    let renewal = device.request(&known, Role::Issuer, Body::Renewals { licenses: vec![(lid, left(2))], custom: None });
    known.post("renewals", &device.sign(&renewal), None).granted();
    let again = run(&device, &known, None, None, None);
    assert_eq!((again.licenses[0].policy.lid, &again.licenses[0].binding.state), (lid, &Some(left(2))));
    data.policy("counted", &terms(6));
    let changed = run(&device, &known, None, first.since, None);
    assert_eq!(changed.licenses[0].policy.replaces, Some(lid));
    assert_eq!(changed.licenses[0].binding.state, Some(left(3)));
}

#[test]
fn a_license_from_another_devices_backup_is_taken_back_where_it_was_restored() {
    let data = Data::new();
    import(&data, 4, "gold");
    let token = data.account("alice", &["gold"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let (first, second) = (Device::individualized(&known), Device::individualized(&known));
    let kids: Vec<String> = (0..4).map(|number| format!("{number:032x}")).collect();
    let named: Vec<&str> = kids.iter().map(String::as_str).collect();
    let (_, held) = first.acquire(&known, &named, Some(&token));
    let backup = first.back_up(&known, &held, held[0].license.policy.user);
    let (_, restored) = second.restore(&known, &backup, Some(&token));
    let lid_of = |kid: &str| {
        let held = restored.iter().find(|held| held.license.policy.kid.to_hex() == kid);
        held.unwrap().license.policy.lid
    };
    let own = run(&second, &known, None, None, Some(&token));
    assert_eq!((own.licenses.len(), own.withdrawn.len()), (4, 0));
    let own_of = |kid: &str| own.licenses.iter().find(|license| license.policy.kid.to_hex() == kid).unwrap().policy.lid;
    // Content goes, one license is taken back by its ID, one by a rule.
    data.admin(&["content", "remove", &kids[0]]);
    data.admin(&["license", "revoke", "--lid", &lid_of(&kids[1]).to_hex()]);
    data.admin(&["license", "revoke", "--kid", &kids[2], "--device", &second.id().to_hex()]);
    let next = run(&second, &known, None, own.since, Some(&token));
    let gone = [lid_of(&kids[0]), own_of(&kids[0]), lid_of(&kids[1]), lid_of(&kids[2]), own_of(&kids[2])];
    assert_eq!(next.withdrawn, gone.into());
    assert!(run(&second, &known, None, next.since, Some(&token)).withdrawn.is_empty());
    // One that never got that answer is told again.
    assert_eq!(run(&second, &known, None, own.since, Some(&token)).withdrawn, gone.into());
    data.admin(&["account", "change", "alice", "--remove-scope", "gold"]);
    let last = run(&second, &known, None, next.since, Some(&token));
    assert_eq!(last.withdrawn, [own_of(&kids[1]), lid_of(&kids[3]), own_of(&kids[3])].into());
}

#[test]
fn a_scope_is_delivered_to_those_who_have_it_only() {
    let data = Data::new();
    data.fill();
    let token = data.account("bob", &[]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let refused = |token: Option<&str>| {
        let request = device.delivery_request(&known, Some("gold"), None);
        let bytes = device.sign(&request);
        let reply = known.post("licenses", &bytes, token).granted();
        let (answer, ..) = device.verify(&known, Role::Issuer, &bytes, request.transaction, &reply);
        assert_eq!(answer.outcome, Outcome::Refused);
        answer.refusals[0].reason
    };
    assert_eq!(refused(None), Reason::AccountRequired);
    assert_eq!(refused(Some(&token)), Reason::NotEntitled);
    let open = run(&device, &known, None, None, Some(&token));
    assert_eq!(open.licenses.len(), 4);
}

#[test]
fn a_cursor_is_good_for_its_page_of_its_transaction_device_and_account_only() {
    let data = Data::new();
    import(&data, 4100, "gold");
    let token = data.account("alice", &["gold"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let request = device.delivery_request(&known, None, None);
    let cursor = device.ask(&known, &request, Some(&token)).0.next_cursor.unwrap();
    let with = |page: u32, cursor: Option<Vec<u8>>| Request { page, cursor, ..request.clone() };
    let mut forged = cursor.clone();
    forged[1] ^= 1;
    let stranger = Request { page: 1, cursor: Some(cursor.clone()), ..device.delivery_request(&known, None, None) };
    for bad in
        [with(1, None), with(0, Some(cursor.clone())), with(2, Some(cursor.clone())), with(1, Some(forged)), stranger]
    {
        let problem = known.post("licenses", &device.sign(&bad), Some(&token)).problem();
        // The page that was answered is known by its number, with other bytes.
        assert!([ProblemKind::BadRequest, ProblemKind::Conflict].contains(&problem), "{problem:?}");
    }
    let elsewhere = Request {
        page: 1,
        cursor: Some(cursor.clone()),
        transaction: request.transaction,
        ..other.delivery_request(&known, None, None)
    };
    assert_eq!(known.post("licenses", &other.sign(&elsewhere), Some(&token)).problem(), ProblemKind::BadRequest);
    // Nor is it good for another account with the same scope.
    let bob = data.account("bob", &["gold"]);
    let next = device.sign(&with(1, Some(cursor.clone())));
    assert_eq!(known.post("licenses", &next, Some(&bob)).problem(), ProblemKind::BadRequest);
    assert_eq!(device.ask(&known, &with(1, Some(cursor)), Some(&token)).1.len(), 4);
}

#[test]
fn a_service_at_its_pace_asks_for_patience_and_keeps_no_trace_of_it() {
    let data = Data::new();
    import(&data, 5000, "gold");
    let token = data.account("alice", &["gold"]);
    let serving = data.serve(&["--predelivery-rate", "1"]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let request = device.delivery_request(&known, None, None);
    let bytes = device.sign(&request);
    let reply = known.post("licenses", &bytes, Some(&token)).granted();
    let (_, licenses, _) = device.verify(&known, Role::Issuer, &bytes, request.transaction, &reply);
    assert_eq!(licenses.len(), 4096);
    // To make the page again is as much work, so that the same request would have to wait as well. A second of waiting lets one
    // license more out, and with it a page; the one after it has to wait for long.
    let told = (0..3).find_map(|_| {
        let request = device.delivery_request(&known, None, None);
        let bytes = device.sign(&request);
        let reply = known.post("licenses", &bytes, Some(&token)).granted();
        let (answer, licenses, _) = device.verify(&known, Role::Issuer, &bytes, request.transaction, &reply);
        let Outcome::Later { from, until } = answer.outcome else { return None };
        assert!(answer.issued_at < from && from < until && licenses.is_empty());
        Some(())
    });
    assert!(told.is_some());
}

#[test]
fn leaves_come_with_the_root_that_opens_them() {
    let data = Data::new();
    data.policy("month", r#"{"actions":{"Play":{"notAfter":"2099-01-01T00:00:00Z"}}}"#);
    let added = data.admin(&["subscription", "add", "music", "--policy", "month", "--scope", "music"]);
    let root_kid = Kid::from_hex(added.strip_prefix("added: ").unwrap().trim()).unwrap();
    data.policy("leaf", r#"{"subscription":"music"}"#);
    data.admin(&["content", "add", "--kid", GOLD, "--key", KEY, "--policy", "leaf", "--scope", "music"]);
    let token = data.account("alice", &["music"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[GOLD], Some(&token));
    let of = |kind| held.iter().map(|held| &held.license).find(|license| license.policy.kind == kind).unwrap();
    let (leaf, root) = (of(LicenseKind::Leaf), of(LicenseKind::Root));
    assert_eq!((held.len(), root.policy.kid, leaf.policy.root_kid), (2, root_kid, Some(root_kid)));
    let opened = leaf.key.open_leaf(&root.key, leaf.license.policy_hash()).unwrap();
    assert_eq!(opened.as_bytes()[15], 0xff);
    let delivered = run(&device, &known, None, None, Some(&token));
    assert_eq!(delivered.licenses.len(), 2);
    // Other terms of the root bring a new root, and no leaf.
    data.policy("month", r#"{"actions":{"Play":{"notAfter":"2099-02-01T00:00:00Z"}}}"#);
    let renewed = run(&device, &known, None, delivered.since, Some(&token));
    let [license] = renewed.licenses.as_slice() else { panic!("{}", renewed.licenses.len()) };
    assert_eq!((license.policy.kid, license.policy.replaces), (root_kid, Some(root.policy.lid)));
    assert_eq!(license.key.as_bytes(), root.key.as_bytes());
    assert_eq!(data.json(&["subscription", "list"])[0]["leaves"], 1);
}

#[test]
fn terms_that_no_root_can_have_are_refused() {
    let data = Data::new();
    data.policy("counted", r#"{"actions":{"Play":{"count":5}}}"#);
    let (_, complaint) = data.fails(&["subscription", "add", "music", "--policy", "counted", "--open"]);
    assert!(complaint.contains("counts uses"), "{complaint}");
    let file = data.path().join("leaf.json");
    std::fs::write(&file, r#"{"subscription":"music"}"#).unwrap();
    let (_, complaint) = data.fails(&["policy", "set", "leaf", file.to_str().unwrap()]);
    assert!(complaint.contains("no subscription music"), "{complaint}");
    data.policy("month", r#"{"actions":{"Play":{}}}"#);
    data.admin(&["subscription", "add", "music", "--policy", "month", "--open"]);
    let (_, complaint) = data.fails(&["policy", "set", "month", file.to_str().unwrap()]);
    assert!(complaint.contains("counts uses or names a subscription"), "{complaint}");
}

#[test]
fn a_cursor_is_good_for_the_account_that_it_was_given_to() {
    let data = Data::new();
    let list: Vec<_> =
        (0..4097).map(|n| serde_json::json!({ "kid": format!("{:032x}", 0xe000_0000_u64 + n), "key": KEY })).collect();
    let file = data.path().join("list.json");
    std::fs::write(&file, serde_json::to_vec(&list).unwrap()).unwrap();
    data.admin(&["content", "import", file.to_str().unwrap(), "--scope", "gold"]);
    let (owner, other) = (data.account("owner", &["gold"]), data.account("other", &["gold"]));
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let mut request = device.licenses_request(&known, &[]);
    let bytes = device.sign(&request);
    let reply = known.post("licenses", &bytes, Some(&owner)).granted();
    let (answer, first, _) = device.verify(&known, Role::Issuer, &bytes, request.transaction, &reply);
    (request.page, request.cursor, request.epoch) = (1, answer.next_cursor, answer.epoch);
    assert!(request.cursor.is_some());
    let bytes = device.sign(&request);
    for token in [Some(other.as_str()), None] {
        assert_eq!(known.post("licenses", &bytes, token).problem(), ProblemKind::BadRequest);
    }
    let reply = known.post("licenses", &bytes, Some(&owner)).granted();
    let (_, rest, _) = device.verify_page(&known, Role::Issuer, &bytes, (request.transaction, 1), &reply);
    assert_eq!(first.len() + rest.len(), 4097);
}
