//! Each condition refuses where it should and nowhere else, and the right license is used first.

use super::*;
use wmlicense_testkit::policy::policy;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::policy::BackupRight;

const NOW: i64 = 1_800_000_000;

fn license(number: u8, conditions: Conditions) -> StoredLicense {
    let policy = Policy {
        lid: Lid::new([number; 16]),
        kid: Kid::new([1; 16]),
        first_issued: NOW - 100,
        ..policy(&[("Play", conditions)])
    };
    StoredLicense {
        batch: 1,
        index: 0,
        authority: Digest::new([9; 32]),
        state: Some(State::initial(&policy)),
        policy_hash: Digest::of(&policy.encode()),
        policy,
        binding: Vec::new(),
        standing: Standing::Good,
        reading: None,
        timed_by: None,
        held_key: std::sync::Arc::default(),
        wrapped: Vec::new(),
        page_key: Vec::new(),
        at_rest: [0; 16],
        roots: std::sync::Arc::default(),
    }
}

fn environment() -> Environment {
    Environment { now: NOW, security_version: "1.2.0.0".into(), application_level: 5, barred_by: Vec::new() }
}

fn refused(license: &StoredLicense) -> Vec<Refusal> {
    choose(std::slice::from_ref(license), "Play", &environment()).err().unwrap_or_default()
}

fn conditions(set: impl FnOnce(&mut Conditions)) -> StoredLicense {
    let mut conditions = Conditions::default();
    set(&mut conditions);
    license(1, conditions)
}

#[test]
fn each_condition_refuses_on_its_own_side_of_its_limit() {
    let nothing: &[Refusal] = &[];
    type Case = (&'static str, fn(&mut Conditions), &'static [Refusal]);
    let cases: [Case; 18] = [
        ("none", |_| {}, nothing),
        ("begins later", |c| c.not_before = Some(NOW + 1), &[Refusal::NotStarted]),
        ("begins now", |c| c.not_before = Some(NOW), nothing),
        ("ended", |c| c.not_after = Some(NOW), &[Refusal::Expired]),
        ("ends in a second", |c| c.not_after = Some(NOW + 1), nothing),
        ("stored too long ago", |c| c.seconds_after_storing = Some(100), &[Refusal::Expired]),
        ("stored lately", |c| c.seconds_after_storing = Some(101), nothing),
        ("never used", |c| c.seconds_after_first_use = Some(0), nothing),
        ("no uses", |c| c.count = Some(0), &[Refusal::Exhausted]),
        ("one use", |c| c.count = Some(1), nothing),
        ("application too low", |c| c.minimum_application_level = Some(6), &[Refusal::ApplicationLevelTooLow]),
        ("application enough", |c| c.minimum_application_level = Some(5), nothing),
        ("device too low", |c| c.minimum_security_version = Some("1.10".into()), &[Refusal::NeedsIndividualization]),
        ("device enough in short", |c| c.minimum_security_version = Some("1.2".into()), nothing),
        ("device enough", |c| c.minimum_security_version = Some("1.2.0.0".into()), nothing),
        ("unreadable version", |c| c.minimum_security_version = Some("1.x".into()), &[Refusal::NoRight]),
        ("unknown and critical", |c| c.unknown_critical = true, &[Refusal::UnknownCondition]),
        ("huge length", |c| c.seconds_after_storing = Some(u64::MAX), nothing),
    ];
    for (name, set, expected) in cases {
        assert_eq!(refused(&conditions(set)), expected, "{name}");
    }
}

#[test]
fn a_right_that_runs_from_the_first_use_ends() {
    let mut license = conditions(|c| c.seconds_after_first_use = Some(50));
    license.state.as_mut().unwrap().actions.get_mut("Play").unwrap().first_use = Some(NOW - 49);
    assert_eq!(refused(&license), []);
    license.state.as_mut().unwrap().actions.get_mut("Play").unwrap().first_use = Some(NOW - 50);
    assert_eq!(refused(&license), [Refusal::Expired]);
}

#[test]
fn a_clock_that_is_behind_closes_dated_rights_beyond_their_grace() {
    let behind = |set: fn(&mut Conditions)| {
        let mut license = conditions(set);
        license.reading = Some(Reading { now: NOW, behind: Some(NOW + 1000) });
        refused(&license)
    };
    assert_eq!(behind(|_| {}), []);
    assert_eq!(behind(|c| c.not_after = Some(NOW + 5000)), [Refusal::Clock]);
    assert_eq!(behind(|c| (c.not_after, c.grace_seconds) = (Some(NOW + 5000), Some(999))), [Refusal::Clock]);
    assert_eq!(behind(|c| (c.not_after, c.grace_seconds) = (Some(NOW + 5000), Some(1000))), []);
    assert_eq!(behind(|c| (c.not_after, c.grace_seconds) = (Some(NOW + 1000), Some(1000))), [Refusal::Expired]);
    let mut second = conditions(|c| c.not_after = Some(NOW + 5000));
    second.reading = Some(Reading { now: NOW, behind: Some(NOW + 1) });
    assert_eq!(refused(&second), [Refusal::Clock], "without a grace no second passes");
}

#[test]
fn lost_state_roots_leaves_and_other_actions_are_refused() {
    let mut lost = conditions(|c| c.count = Some(1));
    lost.state = None;
    assert_eq!(refused(&lost), [Refusal::StateLost]);
    lost.state = Some(State::default());
    assert_eq!(refused(&lost), [Refusal::StateLost]);
    let mut other = license(1, Conditions::default());
    other.policy.kind = LicenseKind::Root;
    assert_eq!(refused(&other), [Refusal::NoRight]);
    other.policy.kind = LicenseKind::Leaf;
    assert_eq!(refused(&other), [Refusal::RootMissing]);
    other.policy.kind = LicenseKind::Content;
    assert_eq!(refused(&other), []);
    for (standing, refusal) in [
        (Standing::IssuerRevoked, Refusal::IssuerRevoked),
        (Standing::DeviceRevoked, Refusal::DeviceRevoked),
        (Standing::StatusListTooOld, Refusal::StatusListTooOld),
    ] {
        other.standing = standing;
        assert_eq!(refused(&other), [refusal]);
    }
    let play = license(1, Conditions::default());
    assert_eq!(choose(&[play], "Copy", &environment()).err().unwrap(), [Refusal::NoRight]);
    assert_eq!(choose(&[], "Play", &environment()).err().unwrap(), [Refusal::NoLicense]);
}

#[test]
fn a_right_that_has_no_end_outlives_those_that_ended() {
    let mut license = conditions(|c| c.not_after = Some(NOW));
    let state = State::default();
    assert_eq!(end_of_all(&license.policy, &state), Some(NOW));
    license.policy.actions.push(("Copy".into(), Conditions { not_after: Some(NOW + 5), ..Conditions::default() }));
    assert_eq!(end_of_all(&license.policy, &state), Some(NOW + 5), "the last end counts");
    license.policy.actions.push(("Print".into(), Conditions::default()));
    assert_eq!(end_of_all(&license.policy, &state), None);
}

const DELETES: OnClockRollback = OnClockRollback::Delete;

#[test]
fn a_clock_that_is_set_back_costs_dated_rights_only_where_the_policy_says_so() {
    let reading = Some(Reading { now: NOW, behind: Some(NOW + 1000) });
    let forfeited = |set: fn(&mut Conditions), reading| is_forfeited(&conditions(set).policy, reading, "Play");
    assert!(!forfeited(|c| c.on_clock_rollback = DELETES, reading), "a right without dates does not look at the clock");
    assert!(!forfeited(|c| (c.not_after, c.count) = (Some(NOW), Some(1)), reading), "the policy does not say so");
    assert!(forfeited(|c| (c.not_after, c.on_clock_rollback) = (Some(NOW + 5), DELETES), reading));
    assert!(!forfeited(|c| (c.not_after, c.on_clock_rollback) = (Some(NOW + 5), DELETES), None));
    let in_grace = |c: &mut Conditions| {
        (c.not_after, c.on_clock_rollback, c.grace_seconds) = (Some(NOW + 5), DELETES, Some(1000));
    };
    assert!(!forfeited(in_grace, reading));
    let license = conditions(|c| (c.not_after, c.on_clock_rollback) = (Some(NOW + 5), DELETES));
    assert!(!is_forfeited(&license.policy, reading, "Copy"), "another action is none of its business");
}

/// A leaf under these roots.
fn leaf(roots: Vec<StoredLicense>) -> StoredLicense {
    let mut leaf = license(1, Conditions::default());
    leaf.policy.kind = LicenseKind::Leaf;
    leaf.roots = roots.into();
    leaf
}

fn root(number: u8, set: impl FnOnce(&mut Conditions)) -> StoredLicense {
    let mut conditions = Conditions::default();
    set(&mut conditions);
    let mut root = license(number, conditions);
    root.policy.kind = LicenseKind::Root;
    root
}

#[test]
fn of_several_roots_the_one_that_permits_longest_opens() {
    let until = |end: i64| move |c: &mut Conditions| c.not_after = Some(end);
    let opens = |roots| root_of(&leaf(roots), "Play", &environment()).map(|root| root.policy.lid.as_bytes()[0]);
    assert_eq!(opens(vec![root(2, until(NOW + 5)), root(3, until(NOW + 9)), root(4, until(NOW + 7))]), Ok(3));
    assert_eq!(opens(vec![root(2, until(NOW + 5)), root(3, |_| {}), root(4, until(NOW + 7))]), Ok(3));
    assert_eq!(opens(vec![root(2, until(NOW)), root(3, until(NOW + 1))]), Ok(3), "one that ended does not count");
    assert_eq!(root_end(&leaf(vec![root(2, until(NOW + 5)), root(3, until(NOW + 9))]), "Play"), Some(NOW + 9));
    assert_eq!(root_end(&leaf(vec![root(2, until(NOW + 5)), root(3, |_| {})]), "Play"), None);
}

#[test]
fn a_root_must_permit_by_itself() {
    let refused = |root| root_of(&leaf(vec![root]), "Play", &environment()).err().unwrap_or_default();
    assert_eq!(refused(root(2, |_| {})), []);
    let newer = |c: &mut Conditions| c.minimum_security_version = Some("1.3.0.0".into());
    assert_eq!(refused(root(2, newer)), [Refusal::NeedsIndividualization]);
    assert_eq!(refused(root(2, |c| c.minimum_application_level = Some(6))), [Refusal::ApplicationLevelTooLow]);
    assert_eq!(refused(root(2, |c| c.not_after = Some(NOW))), [Refusal::Expired, Refusal::SubscriptionEnded]);
    assert_eq!(refused(root(2, |c| c.count = Some(5))), [Refusal::NoRight], "a root is not counted");
    let mut lost = root(2, |_| {});
    lost.state = None;
    assert_eq!(refused(lost), [Refusal::StateLost]);
}

#[test]
fn refusals_of_all_licenses_are_told_once() {
    let ended = |number| license(number, Conditions { not_after: Some(NOW), ..Conditions::default() });
    let used_up = license(2, Conditions { count: Some(0), ..Conditions::default() });
    let licenses = [ended(1), used_up, ended(3)];
    assert_eq!(allowed(&licenses, "Play", &environment()).unwrap_err(), [Refusal::Exhausted, Refusal::Expired]);
}

#[test]
fn an_application_is_barred_from_the_licenses_of_the_authority_that_barred_it() {
    let license = license(1, Conditions::default());
    let refused = |barred_by| {
        let environment = Environment { barred_by, ..environment() };
        allowed(std::slice::from_ref(&license), "Play", &environment)
    };
    assert_eq!(refused(vec![Digest::new([8; 32])]), Ok(()));
    assert_eq!(refused(vec![Digest::new([8; 32]), license.authority]), Err(vec![Refusal::ApplicationRevoked]));
}

#[test]
fn only_a_refusal_for_a_date_tells_the_time() {
    let tells = |set: fn(&mut Conditions)| refused(&conditions(set)).iter().any(|refusal| refusal.tells_time());
    assert!(tells(|c| c.not_after = Some(NOW)));
    assert!(tells(|c| c.not_before = Some(NOW + 1)));
    assert!(!tells(|c| c.count = Some(0)));
    assert!(!tells(|c| c.minimum_application_level = Some(6)));
    assert!(!tells(|c| c.unknown_critical = true));
}

#[test]
fn the_license_that_is_used_first_is_the_one_that_costs_least() {
    let expired = license(1, Conditions { not_after: Some(NOW), ..Conditions::default() });
    let counted = license(2, Conditions { count: Some(9), ..Conditions::default() });
    let forever = license(3, Conditions::default());
    let late = license(4, Conditions { not_after: Some(NOW + 90), ..Conditions::default() });
    let soon = license(6, Conditions { not_after: Some(NOW + 50), ..Conditions::default() });
    let twin = license(5, Conditions { not_after: Some(NOW + 50), ..Conditions::default() });
    let mut preferred = license(7, Conditions { count: Some(9), ..Conditions::default() });
    preferred.policy.priority = 1;
    let mut all = vec![expired, counted, forever, late, soon, twin, preferred];
    let mut order = Vec::new();
    while let Ok(next) = choose(&all, "Play", &environment()) {
        let lid = next.policy.lid;
        order.push(lid.as_bytes()[0]);
        all.retain(|license| license.policy.lid != lid);
    }
    assert_eq!(order, [7, 5, 6, 4, 3, 2]);
}

#[test]
fn what_is_left_is_told_in_the_published_categories() {
    let state = |set: fn(&mut Conditions)| license_state(&[conditions(set)], "Play", &environment());
    let told = |set| {
        let state = state(set);
        (state.category as u32, state.counts, state.dates)
    };
    assert_eq!(told(|c| c.count = Some(0)), (0, vec![], vec![]));
    assert_eq!(told(|_| {}), (1, vec![], vec![]));
    assert_eq!(told(|c| c.count = Some(3)), (2, vec![3], vec![]));
    assert_eq!(told(|c| c.not_before = Some(NOW)), (3, vec![], vec![NOW]));
    assert_eq!(told(|c| c.seconds_after_storing = Some(200)), (4, vec![], vec![NOW + 100]));
    assert_eq!(told(|c| (c.not_before, c.not_after) = (Some(1), Some(NOW + 9))), (5, vec![], vec![1, NOW + 9]));
    assert_eq!(told(|c| (c.count, c.not_before) = (Some(2), Some(1))), (6, vec![2], vec![1]));
    assert_eq!(told(|c| (c.count, c.not_after) = (Some(2), Some(NOW + 9))), (7, vec![2], vec![NOW + 9]));
    let all: fn(&mut Conditions) = |c| (c.count, c.not_before, c.not_after) = (Some(2), Some(1), Some(NOW + 9));
    assert_eq!(told(all), (8, vec![2], vec![1, NOW + 9]));
    let after = state(|c| c.seconds_after_first_use = Some(60));
    assert_eq!((after.category, after.seconds_after_first_use), (Category::AfterFirstUse, 60));
}

#[test]
fn states_of_several_licenses_are_told_as_one_where_they_add_up() {
    let told = |all: &[Conditions]| {
        let licenses: Vec<_> = (1..).zip(all).map(|(number, of)| license(number, of.clone())).collect();
        let state = license_state(&licenses, "Play", &environment());
        (state.category as u32, state.counts, state.dates, state.vague)
    };
    let any = Conditions::default;
    let count = |count| Conditions { count: Some(count), ..any() };
    let from = |time| Conditions { not_before: Some(time), ..any() };
    let until = |time| Conditions { not_after: Some(time), ..any() };
    let last = |uses, time| Conditions { count: Some(uses), not_after: Some(time), ..any() };
    let expired = until(NOW);
    assert_eq!(told(&[]), (0, vec![], vec![], false));
    assert_eq!(told(&[any(), expired.clone(), count(1), until(NOW + 5)]), (1, vec![], vec![], false));
    assert_eq!(told(&[count(2), count(3), count(0), expired.clone()]), (2, vec![5], vec![], false));
    assert_eq!(told(&[from(NOW - 9), from(NOW - 5), from(NOW + 1)]), (3, vec![], vec![NOW - 9], false));
    assert_eq!(told(&[until(NOW + 7), until(NOW + 9), expired]), (4, vec![], vec![NOW + 9], false));
    assert_eq!(told(&[until(NOW + 7), from(NOW - 9)]), (1, vec![], vec![], false));
    assert_eq!(told(&[last(2, NOW + 7), last(3, NOW + 7)]), (7, vec![5], vec![NOW + 7], false));
    assert_eq!(told(&[last(2, NOW + 7), last(3, NOW + 9)]), (7, vec![2], vec![NOW + 7], true));
    assert_eq!(told(&[until(NOW + 7), count(3)]), (4, vec![], vec![NOW + 7], true));
    assert_eq!(told(&[from(NOW + 9), from(NOW + 5)]), (3, vec![], vec![NOW + 5], true));
    assert_eq!(told(&[from(NOW + 9)]), (3, vec![], vec![NOW + 9], false));
    let between = |begin, end| Conditions { not_before: Some(begin), ..until(end) };
    assert_eq!(told(&[between(1, NOW + 5), between(9, NOW + 9)]), (5, vec![], vec![1, NOW + 9], false));
    // Each runs from a first use of its own.
    let unused = |uses| Conditions { seconds_after_first_use: Some(60), ..count(uses) };
    assert_eq!(told(&[unused(2)]), (9, vec![2], vec![], false));
    assert_eq!(told(&[unused(2), unused(2)]), (9, vec![2], vec![], true));
}

#[test]
fn a_right_that_runs_from_a_first_use_is_told_as_a_date_once_it_was_used() {
    let mut license = conditions(|c| c.seconds_after_first_use = Some(60));
    license.state.as_mut().unwrap().actions.get_mut("Play").unwrap().first_use = Some(NOW - 10);
    let state = license_state(&[license], "Play", &environment());
    let expected = (Category::Until, vec![NOW + 50], 0);
    assert_eq!((state.category, state.dates, state.seconds_after_first_use), expected);
}

#[test]
fn a_leaf_ends_with_its_root_or_before() {
    let until = |end: i64| move |c: &mut Conditions| c.not_after = Some(end);
    let mut leaf = leaf(vec![root(2, until(NOW + 5))]);
    assert_eq!(end(&leaf, "Play"), Some(NOW + 5));
    leaf.policy.actions[0].1.not_after = Some(NOW + 9);
    assert_eq!(end(&leaf, "Play"), Some(NOW + 5));
    leaf.policy.actions[0].1.not_after = Some(NOW + 3);
    assert_eq!(end(&leaf, "Play"), Some(NOW + 3));
}

#[test]
fn a_renewal_is_due_where_the_first_action_ends_or_says_so() {
    let mut policy = conditions(|c| c.not_after = Some(NOW + 9)).policy;
    let later = Conditions { not_after: Some(NOW + 20), ..Conditions::default() };
    policy.actions.push(("Copy".into(), later));
    assert_eq!(due_at(&policy, &State::default()), Some(NOW + 9));
    assert_eq!((renew_after(&policy), is_renewal_due(&policy, i64::MAX)), (None, false));
    for (action, time) in [(0, NOW + 7), (1, NOW + 5)] {
        policy.actions[action].1.renew_after = Some((time, format!("https://example.org/{time}")));
        assert_eq!(due_at(&policy, &State::default()), Some(time));
        assert_eq!(renew_after(&policy), Some((time, format!("https://example.org/{time}").as_str())));
        assert_eq!([time - 1, time].map(|now| is_renewal_due(&policy, now)), [false, true]);
    }
}

#[test]
fn whether_a_backup_takes_a_license_follows_its_policy_and_opens_nothing() {
    use super::action::BACKUP;
    let of = |backup, set: fn(&mut Conditions)| {
        let mut license = conditions(set);
        license.policy.backup = backup;
        [license]
    };
    let asked = |licenses: &[StoredLicense]| {
        let state = license_state(licenses, BACKUP, &environment()).category;
        (allowed(licenses, BACKUP, &environment()), state)
    };
    let (no, yes) = ((Err(vec![Refusal::NoRight]), Category::NoRight), (Ok(()), Category::Unlimited));
    assert_eq!(asked(&[]), (Err(vec![Refusal::NoLicense]), Category::NoRight));
    assert_eq!(asked(&of(BackupRight::No, |_| {})), no);
    assert_eq!(asked(&of(BackupRight::Stateless, |_| {})), yes);
    assert_eq!(asked(&of(BackupRight::Stateless, |c| c.count = Some(3))), no);
    assert_eq!(asked(&of(BackupRight::Stateful, |c| c.count = Some(0))), yes);
    let [one] = of(BackupRight::No, |_| {});
    let [other] = of(BackupRight::Stateless, |_| {});
    assert_eq!(asked(&[one, other]), yes, "one that it takes is enough");
    let refused = choose(&of(BackupRight::Stateful, |_| {}), BACKUP, &environment()).map(|_| ());
    assert_eq!(refused, Err(vec![Refusal::NoRight]), "no key is opened for a backup");
}

#[test]
fn outputs_are_to_be_protected_where_any_license_or_its_root_says_so() {
    let plain = || conditions(|_| {});
    let protecting = |c: &mut Conditions| c.output_protection = Some(vec![1]);
    assert!(!demands_protected_outputs(&[], "Play"));
    assert!(!demands_protected_outputs(&[plain(), leaf(vec![root(2, |_| {})])], "Play"));
    assert!(demands_protected_outputs(&[plain(), conditions(protecting)], "Play"));
    assert!(!demands_protected_outputs(&[conditions(protecting)], "Copy"));
    // One that is used up may be renewed before the first sample.
    let used_up = conditions(|c| (c.count, c.output_protection) = (Some(0), Some(Vec::new())));
    assert!(demands_protected_outputs(&[plain(), used_up], "Play"));
    assert!(demands_protected_outputs(&[leaf(vec![root(2, |_| {}), root(3, protecting)])], "Play"));
}
