//! What is restored must be what the account may still have, and what its issuer lets this service restore.

use wmlicense_testkit::daemon::device::{Backup, Device, Held, Known, kid};
use wmlicense_testkit::daemon::{COUNTED, Data, GOLD, KEY, OPEN, Serving};
use wmlicense_wire::answer::{Outcome, Reason};
use wmlicense_wire::backup::Record;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::license::{Binding, License, State};
use wmlicense_wire::policy::{Conditions, Policy, policy_hash};
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::{Body, MAX_LICENSES, RestoreBatch};

fn started() -> (Data, Serving, Known) {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

/// What preview and restore say to a device; they must agree.
fn told(known: &Known, other: &Device, held: &Held, backup: &Backup, token: Option<&str>) -> Option<Reason> {
    let lid = held.license.policy.lid;
    let (preview, _) = other.preview(known, backup, vec![lid], token);
    let previewed = preview.verdicts[0].refusal;
    let (answer, restored) = other.restore(known, backup, token);
    assert_eq!(restored.is_empty(), previewed.is_some());
    let refusal = answer.refusals.first();
    assert!(refusal.is_none_or(|refusal| refusal.subject == Some(*lid.as_bytes()) && refusal.url.is_some()));
    assert_eq!(refusal.map(|refusal| refusal.reason), previewed);
    previewed
}

#[test]
fn an_account_that_lost_the_scope_gets_nothing_back_until_it_has_it_again() {
    let (data, _serving, known) = started();
    let token = data.account("owner", &["gold"]);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[GOLD], Some(&token));
    let backup = device.back_up(&known, &held, held[0].license.policy.user);
    let other = Device::individualized(&known);
    data.admin(&["account", "change", "owner", "--remove-scope", "gold"]);
    assert_eq!(told(&known, &other, &held[0], &backup, Some(&token)), Some(Reason::NotEntitled));
    assert_eq!(told(&known, &device, &held[0], &backup, Some(&token)), Some(Reason::NotEntitled));
    assert!(data.json(&["restore", "list"]).as_array().unwrap().is_empty(), "a refusal takes no seat");
    data.admin(&["account", "change", "owner", "--add-scope", "gold"]);
    assert_eq!(told(&known, &other, &held[0], &backup, Some(&token)), None);
}

#[test]
fn open_content_that_became_an_accounts_is_nobodys_any_more() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let backup = device.back_up(&known, &held, None);
    let other = Device::individualized(&known);
    data.admin(&["content", "add", "--kid", OPEN, "--key", KEY, "--scope", "gold"]);
    let (has, lacks) = (data.account("has", &["gold"]), data.account("lacks", &["silver"]));
    assert_eq!(told(&known, &other, &held[0], &backup, None), Some(Reason::AccountRequired));
    assert_eq!(told(&known, &other, &held[0], &backup, Some(&lacks)), Some(Reason::NotEntitled));
    assert_eq!(told(&known, &other, &held[0], &backup, Some(&has)), None);
}

#[test]
fn a_license_of_an_account_stays_its_own_when_the_content_is_anybodys() {
    let (data, _serving, known) = started();
    let (owner, another) = (data.account("owner", &["gold"]), data.account("another", &["gold"]));
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[GOLD], Some(&owner));
    data.open_content(GOLD, None);
    // The section itself is open to anybody.
    let backup = device.back_up(&known, &held, None);
    let other = Device::individualized(&known);
    for (token, reason) in
        [(None, Some(Reason::AccountRequired)), (Some(&another), Some(Reason::OtherAccount)), (Some(&owner), None)]
    {
        let (answer, restored) = other.restore(&known, &backup, token.map(String::as_str));
        assert_eq!(answer.refusals.first().map(|refusal| refusal.reason), reason);
        assert_eq!(restored.is_empty(), reason.is_some());
    }
}

#[test]
fn the_scope_of_a_leafs_root_counts_at_a_restore_too() {
    let (data, _serving, known) = started();
    data.policy("month", r#"{"backup":true}"#);
    data.admin(&["subscription", "add", "music", "--policy", "month", "--scope", "music"]);
    let file = data.path().join("leaf.json");
    std::fs::write(&file, r#"{"subscription":"music","backup":true}"#).unwrap();
    data.admin(&["policy", "set", "leaf", file.to_str().unwrap()]);
    let leaf = "c00000000000000000000000000000aa";
    data.open_content(leaf, Some("leaf"));
    let token = data.account("owner", &["music"]);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[leaf], Some(&token));
    let leaf = held.iter().find(|held| held.license.policy.kid == kid(leaf)).unwrap();
    let backup = device.back_up(&known, std::slice::from_ref(leaf), None);
    let other = Device::individualized(&known);
    data.admin(&["account", "change", "owner", "--remove-scope", "music"]);
    assert_eq!(told(&known, &other, leaf, &backup, Some(&token)), Some(Reason::NotEntitled));
    assert_eq!(told(&known, &other, leaf, &backup, None), Some(Reason::AccountRequired));
}

#[test]
fn the_scope_of_a_leafs_root_counts_at_issue() {
    let (data, _serving, known) = started();
    data.admin(&["subscription", "add", "music", "--scope", "music"]);
    data.policy("leaf", r#"{"subscription":"music"}"#);
    let (leaf, leaf_of_gold) = ("c00000000000000000000000000000aa", "c00000000000000000000000000000ab");
    data.open_content(leaf, Some("leaf"));
    data.admin(&["content", "add", "--kid", leaf_of_gold, "--key", KEY, "--scope", "gold", "--policy", "leaf"]);
    let (both, gold) = (data.account("both", &["music", "gold"]), data.account("gold", &["gold"]));
    let device = Device::individualized(&known);
    let ask = |leaf: &str, token: Option<&str>| {
        let (answer, held) = device.acquire(&known, &[leaf], token);
        let refused = answer
            .refusals
            .iter()
            .find(|refusal| refusal.kid == Some(kid(leaf)) || refusal.subject == Some(*kid(leaf).as_bytes()));
        assert_eq!(held.iter().any(|held| held.license.policy.kid == kid(leaf)), refused.is_none());
        refused.map(|refusal| refusal.reason)
    };
    for leaf in [leaf, leaf_of_gold] {
        assert_eq!(ask(leaf, None), Some(Reason::AccountRequired));
        assert_eq!(ask(leaf, Some(&gold)), Some(Reason::NotEntitled));
        assert_eq!(ask(leaf, Some(&both)), None);
    }
}

#[test]
fn who_may_not_have_it_is_not_asked_on_a_page() {
    let (data, _serving, known) = started();
    data.policy("asks", r#"{"interaction":"page"}"#);
    data.admin(&["content", "add", "--kid", GOLD, "--key", KEY, "--scope", "gold", "--policy", "asks"]);
    let token = data.account("lacks", &["silver"]);
    let (answer, _) = Device::individualized(&known).acquire(&known, &[GOLD], Some(&token));
    assert_eq!(answer.outcome, Outcome::Refused);
    assert_eq!(answer.refusals[0].reason, Reason::NotEntitled);
}

#[test]
fn a_preview_tells_of_rules_what_a_restore_will() {
    let (data, _serving, known) = started();
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let token = data.account("alice", &["gold"]);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let backup = device.back_up(&known, &held, None);
    let elsewhere = Device::individualized(&known).id().to_hex();
    for rule in [
        &["--kid", OPEN, "--account", "alice"][..],
        &["--kid", OPEN, "--issued-before", "2001-01-01T00:00:00Z"],
        &["--kid", COUNTED],
        &["--kid", OPEN, "--device", &elsewhere],
    ] {
        data.admin(&[&["license", "revoke"], rule].concat());
        assert_eq!(told(&known, &other, &held[0], &backup, Some(&token)), None, "{rule:?}");
    }
    data.admin(&["license", "revoke", "--kid", OPEN]);
    assert_eq!(told(&known, &other, &held[0], &backup, None), Some(Reason::Revoked));
}

#[test]
fn content_that_its_owner_removed_is_restored_nowhere() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let backup = device.back_up(&known, &held, None);
    data.admin(&["content", "remove", OPEN]);
    let other = Device::individualized(&known);
    assert_eq!(told(&known, &other, &held[0], &backup, None), Some(Reason::UnknownContent));
}

#[test]
fn a_license_of_the_kind_that_its_content_had_before_is_restored() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let backup = device.back_up(&known, &held, None);
    data.admin(&["subscription", "add", "music", "--open"]);
    data.policy("leaf", r#"{"subscription":"music","backup":true}"#);
    data.open_content(OPEN, Some("leaf"));
    // The key of a leaf is another one than the content's, so it proves nothing here.
    assert_eq!(told(&known, &Device::individualized(&known), &held[0], &backup, None), None);
}

#[test]
fn a_policy_that_was_rewritten_and_sealed_anew_is_damaged() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[COUNTED], None);
    let license = &held[0].license;
    let policy = Policy { actions: vec![("Play".into(), Conditions::default())], ..license.policy.clone() }.encode();
    let binding = Binding { policy_hash: policy_hash(&policy), ..license.binding.clone() }.encode();
    let forged = device.back_up_as(&known, None, |content| {
        let record = Record::seal(
            0,
            license.index,
            License { policy, binding },
            State::default(),
            &license.key,
            &content.records,
        );
        vec![RestoreBatch { signed: held[0].signed.clone(), records: vec![record.encode()], ..RestoreBatch::default() }]
    });
    let (answer, restored) = Device::individualized(&known).restore(&known, &forged, None);
    assert!(restored.is_empty());
    assert_eq!(answer.refusals[0].reason, Reason::Damaged);
}

#[test]
fn a_license_that_is_twice_in_a_chunk_is_refused_and_takes_no_seat() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let mut backup = device.back_up(&known, &held, None);
    let again = backup.batches[0].records[0].clone();
    backup.batches[0].records.push(again);
    let other = Device::individualized(&known);
    let request = other.sign(&other.restore_request(&known, &backup));
    assert_eq!(known.post("restores", &request, None).problem(), ProblemKind::BadRequest);
    assert!(data.json(&["restore", "list"]).as_array().unwrap().is_empty());
}

#[test]
fn more_records_than_a_chunk_takes_are_refused_by_their_number() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let mut backup = device.back_up(&known, &held, None);
    let record = backup.batches[0].records[0].clone();
    let why = |backup: &Backup| {
        let reply = known.post("restores", &device.sign(&device.restore_request(&known, backup)), None);
        assert_eq!(reply.problem(), ProblemKind::BadRequest);
        String::from_utf8(reply.body).unwrap()
    };
    backup.batches[0].records = vec![record.clone(); MAX_LICENSES];
    assert!(why(&backup).contains("twice"), "as many as may be, though all the same");
    backup.batches.push(RestoreBatch {
        signed: held[0].signed.clone(),
        records: vec![record],
        ..RestoreBatch::default()
    });
    assert!(why(&backup).contains("malformed"));
}

#[test]
fn a_preview_tells_what_was_given_back_and_what_was_taken_back() {
    let (data, _serving, known) = started();
    let (device, other) = (Device::individualized(&known), Device::individualized(&known));
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let backup = device.back_up(&known, &held, None);
    let lid = held[0].license.policy.lid;
    let returns = device.request(&known, Role::Issuer, Body::Returns { licenses: vec![(lid, State::default())] });
    known.post("returns", &device.sign(&returns), None).granted();
    assert_eq!(told(&known, &other, &held[0], &backup, None), Some(Reason::Returned));
    let (_, held) = other.acquire(&known, &[OPEN], None);
    let backup = other.back_up(&known, &held, None);
    assert_eq!(told(&known, &device, &held[0], &backup, None), None);
    data.admin(&["license", "revoke", "--lid", &held[0].license.policy.lid.to_hex()]);
    assert_eq!(told(&known, &device, &held[0], &backup, None), Some(Reason::Revoked));
}

#[test]
fn a_preview_has_room_for_the_bound_device_and_for_one_that_holds_the_license() {
    let (data, _serving, known) = started();
    data.policy("two", r#"{"backup":true,"restoreDevices":2}"#);
    data.open_content(OPEN, Some("two"));
    let devices: Vec<Device> = (0..3).map(|_| Device::individualized(&known)).collect();
    let (_, held) = devices[0].acquire(&known, &[OPEN], None);
    let backup = devices[0].back_up(&known, &held, None);
    for (device, reason) in [(1, None), (2, Some(Reason::LimitReached)), (0, None), (1, None)] {
        assert_eq!(told(&known, &devices[device], &held[0], &backup, None), reason, "device {device}");
    }
}
