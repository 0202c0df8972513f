//! Policies: round trips of every field, and conditions that this version does not know.

use crate::world::{edited, policy};
use proptest::prelude::*;
use wmlicense_wire::cbor::{CborError, check, write};
use wmlicense_wire::id::{Id, Kid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{BackupRight, Conditions, Glance, LicenseKind, OnClockRollback, Policy};

fn id<const N: usize, K>() -> impl Strategy<Value = Id<N, K>> {
    any::<[u8; N]>().prop_map(Id::new)
}

prop_compose! {
    fn times()(not_before in any::<Option<i64>>(), not_after in any::<Option<i64>>(),
        first_use in any::<Option<u64>>(), storing in any::<Option<u64>>(), per_count in any::<Option<u64>>(),
        grace in any::<Option<u64>>(), renew_after in any::<Option<(i64, String)>>()) -> Conditions {
        Conditions {
            not_before,
            not_after,
            seconds_after_first_use: first_use,
            seconds_after_storing: storing,
            seconds_per_count: per_count,
            grace_seconds: grace,
            renew_after,
            ..Conditions::default()
        }
    }
}

prop_compose! {
    fn conditions()(times in times(), count in any::<Option<u32>>(),
        version in proptest::option::of("[0-9]{1,3}(\\.[0-9]{1,3}){3}"), level in any::<Option<u32>>(),
        output_protection in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)),
        delete in any::<bool>(), close_at_expiry in any::<bool>()) -> Conditions {
        Conditions {
            count,
            minimum_security_version: version,
            minimum_application_level: level,
            output_protection,
            on_clock_rollback: if delete { OnClockRollback::Delete } else { OnClockRollback::Disable },
            close_at_expiry,
            ..times
        }
    }
}

/// Names and values sorted as the encoding sorts them: shorter names first.
fn named<T: std::fmt::Debug>(value: impl Strategy<Value = T>, most: usize) -> impl Strategy<Value = Vec<(String, T)>> {
    proptest::collection::btree_map("[A-Za-z.]{1,30}", value, 0..most).prop_map(|map| {
        let mut entries: Vec<(String, T)> = map.into_iter().collect();
        entries.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
        entries
    })
}

prop_compose! {
    fn names()(lid in id(), kid in id(), issuer in id(), management in proptest::option::of(id()),
        root_kid in proptest::option::of(id()), revocation_key in proptest::option::of(id()),
        user in proptest::option::of(id()), replaces in proptest::option::of(id())) -> Policy {
        Policy { lid, kid, issuer, management, root_kid, revocation_key, user, replaces, ..policy(0) }
    }
}

prop_compose! {
    fn policies()(names in names(), actions in named(conditions(), 5), kind in 0..3, backup in 0..3,
        restore_limit in any::<Option<u32>>(), priority in any::<i64>(), title in any::<Option<String>>(),
        first_issued in any::<i64>(), minimum_status in any::<Option<u64>>(), content_id in any::<Option<String>>(),
        custom in named(any::<String>(), 5)) -> Policy {
        Policy {
            kind: [LicenseKind::Content, LicenseKind::Root, LicenseKind::Leaf][kind as usize],
            backup: [BackupRight::No, BackupRight::Stateless, BackupRight::Stateful][backup as usize],
            actions, restore_limit, priority, title, first_issued, minimum_status, content_id, custom,
            ..names
        }
    }
}

proptest! {
    #[test]
    fn every_policy_is_read_back_from_its_one_encoding(policy in policies()) {
        let bytes = policy.encode();
        prop_assume!(bytes.len() <= 4096);
        prop_assert_eq!(check(&bytes), Ok(()));
        let read = Policy::decode(&bytes).unwrap();
        prop_assert_eq!(read.encode(), bytes);
        prop_assert_eq!(read, policy);
    }

    #[test]
    fn arbitrary_bytes_are_no_policy_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Policy::decode(&bytes).is_err());
    }
}

/// A policy whose only action has these encoded conditions.
fn with_conditions(conditions: &[Vec<u8>]) -> Result<Policy, CborError> {
    let actions = write::text_map([("Play", write::array(conditions))]);
    Policy::decode(&edited(&policy(1).encode(), |map| drop(map.insert(12, actions))))
}

fn condition(number: u64, critical: bool, value: &[u8]) -> Vec<u8> {
    write::array([write::uint(number), vec![if critical { 0xf5 } else { 0xf4 }], value.to_vec()])
}

fn play(policy: &Policy) -> &Conditions {
    policy.action("Play").unwrap()
}

#[test]
fn an_unknown_critical_condition_is_noticed() {
    for number in [14, 63, 1 << 33] {
        let policy = with_conditions(&[condition(5, true, &[3]), condition(number, true, &[0x80])]).unwrap();
        assert!(play(&policy).unknown_critical, "{number}");
        assert_eq!(play(&policy).count, Some(3));
    }
}

#[test]
fn an_unknown_condition_that_is_not_critical_is_skipped() {
    let policy = with_conditions(&[condition(2, true, &[9]), condition(14, false, &[0xa0])]).unwrap();
    let expected = Conditions { not_after: Some(9), ..Conditions::default() };
    assert_eq!(play(&policy), &expected);
}

#[test]
fn a_known_condition_with_an_unknown_value_counts_as_unknown() {
    let too_many = write::uint(1 << 32);
    for (number, value) in [(5, too_many.as_slice()), (12, &[2]), (1, &[0x60]), (11, &[0x80]), (13, &[0])] {
        assert!(play(&with_conditions(&[condition(number, true, value)]).unwrap()).unknown_critical, "{number}");
        let skipped = with_conditions(&[condition(number, false, value)]).unwrap();
        assert_eq!(play(&skipped), &Conditions::default(), "{number}");
    }
}

#[test]
fn a_known_condition_holds_whether_it_is_marked_critical_or_not() {
    let policy = with_conditions(&[condition(5, false, &[3])]).unwrap();
    assert_eq!(play(&policy).count, Some(3));
}

#[test]
fn conditions_stand_once_and_in_order() {
    let wrong = Err(CborError::Value { field: 12 });
    assert_eq!(with_conditions(&[condition(2, true, &[9]), condition(1, true, &[9])]), wrong);
    assert_eq!(with_conditions(&[condition(2, true, &[9]), condition(2, true, &[8])]), wrong);
    assert_eq!(with_conditions(&[condition(0, true, &[9])]), wrong);
    assert_eq!(with_conditions(&[write::array([[1], [0xf5]])]), wrong);
    let many: Vec<Vec<u8>> = (1..=33).map(|number| condition(number, false, &[0x40])).collect();
    assert_eq!(with_conditions(&many), wrong);
    assert!(with_conditions(&many[..32]).is_ok());
}

#[test]
fn fields_that_miss_or_have_wrong_values_are_refused() {
    let bytes = policy(1).encode();
    for field in [1, 6, 7, 10, 11, 12, 13, 17] {
        let missing = edited(&bytes, |map| drop(map.remove(&field)));
        assert_eq!(Policy::decode(&missing), Err(CborError::Missing { field }));
        let wrong = edited(&bytes, |map| drop(map.insert(field, vec![0xf6])));
        assert_eq!(Policy::decode(&wrong), Err(CborError::Value { field }));
    }
    for field in [11, 13] {
        let wrong = edited(&bytes, |map| drop(map.insert(field, vec![3])));
        assert_eq!(Policy::decode(&wrong), Err(CborError::Value { field }));
    }
    let unknown = edited(&bytes, |map| drop(map.insert(24, vec![0])));
    assert_eq!(Policy::decode(&unknown), Err(CborError::Unknown { field: 24 }));
    let optional = edited(&bytes, |map| drop(map.insert(65, vec![0])));
    assert_eq!(Policy::decode(&optional), Ok(policy(1)));
}

#[test]
fn a_policy_of_more_than_four_kib_is_refused() {
    let of_length = |length| {
        let custom = (0..4).map(|number| (format!("name{number}"), "v".repeat(length))).collect();
        Policy { custom, ..policy(1) }.encode()
    };
    assert!(Policy::decode(&of_length(900)).is_ok());
    assert_eq!(Policy::decode(&of_length(1000)), Err(CborError::TooLong { cap: 4096 }));
}

#[test]
fn counts_and_time_since_first_use_are_state_and_dates_are_not() {
    let with = |conditions| Policy { actions: vec![("Play".to_owned(), conditions)], ..policy(1) };
    let counted = with(Conditions { count: Some(2), ..Conditions::default() });
    let rented = with(Conditions { seconds_after_first_use: Some(60), ..Conditions::default() });
    let dated = with(Conditions { not_after: Some(60), ..Conditions::default() });
    assert!(counted.is_stateful() && rented.is_stateful() && !dated.is_stateful());
    assert!(!play(&counted).is_dated() && play(&rented).is_dated() && play(&dated).is_dated());
    assert_eq!(State::initial(&counted).actions["Play"].counts_left, Some(2));
    assert_eq!(State::initial(&rented).actions["Play"].counts_left, None);
    assert!(State::initial(&dated).actions.is_empty());
}

#[test]
fn the_right_to_back_up_depends_on_state_only_where_the_policy_says_so() {
    let counted = Conditions { count: Some(2), ..Conditions::default() };
    for (backup, stateful, may) in [
        (BackupRight::No, false, false),
        (BackupRight::No, true, false),
        (BackupRight::Stateless, false, true),
        (BackupRight::Stateless, true, false),
        (BackupRight::Stateful, false, true),
        (BackupRight::Stateful, true, true),
    ] {
        let conditions = if stateful { counted.clone() } else { Conditions::default() };
        let policy = Policy { backup, actions: vec![("Play".to_owned(), conditions)], ..policy(1) };
        assert_eq!(policy.may_back_up(), may, "{backup:?} {stateful}");
    }
}

#[test]
fn an_action_that_is_not_named_is_not_granted() {
    let policy = policy(1);
    assert!(policy.action("Play").is_some());
    assert!(policy.action("Copy").is_none() && policy.action("play").is_none());
    assert_ne!(policy.kid, Kid::new([0; 16]));
}

/// The policy with one condition of its one action, which must be understood.
fn with_condition(number: u64, value: Vec<u8>) -> Vec<u8> {
    let condition = write::array([write::uint(number), vec![0xf5], value]);
    let actions = write::text_map([("Play", write::array([condition]))]);
    edited(&policy(0).encode(), |map| drop(map.insert(12, actions)))
}

#[test]
fn the_usual_answer_to_a_clock_that_is_behind_may_be_written_out() {
    let read = Policy::decode(&with_condition(12, write::uint(0))).unwrap();
    assert_eq!(read.action("Play"), Some(&Conditions::default()));
    let unknown = Policy::decode(&with_condition(12, write::uint(2))).unwrap();
    assert!(unknown.action("Play").is_some_and(|conditions| conditions.unknown_critical));
}

#[test]
fn a_condition_that_cannot_be_read_makes_no_license_stateful_at_a_glance_either() {
    for (number, value, stateful) in [
        (3, write::uint(1), true),
        (3, write::text("1"), false),
        (5, write::uint(1), true),
        (5, write::uint(1 << 32), false),
        (5, write::text("1"), false),
    ] {
        let bytes = with_condition(number, value);
        assert_eq!(Policy::decode(&bytes).unwrap().is_stateful(), stateful);
        assert_eq!(Glance::at(&bytes).map(|glance| glance.stateful), Some(stateful));
    }
}
