//! When a license is over.

use wmlicense_testkit::policy::{counted, played, policy};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::over::{end_of, over};
use wmlicense_wire::policy::{Conditions, Policy};

#[test]
fn a_license_is_over_when_no_action_is_left() {
    let license = counted(Some(5));
    assert_eq!(over(&license, &played(Some(1), None), 1000), None);
    assert_eq!(over(&license, &played(Some(1), Some(900)), 1000), Some(Reason::Expired));
    assert_eq!(over(&license, &played(Some(1), Some(901)), 1000), None, "the last second counts");
    assert_eq!(over(&license, &played(Some(0), None), 1000), Some(Reason::UsedUp));
    assert_eq!(over(&policy(&[]), &State::default(), 1000), None);
}

#[test]
fn one_action_that_is_left_keeps_a_license_from_being_over() {
    let until = |not_after| Conditions { not_after: Some(not_after), ..Conditions::default() };
    let counts = Conditions { count: Some(2), ..Conditions::default() };
    let left = |counts_left| State {
        actions: [("Copy".to_owned(), ActionState { counts_left: Some(counts_left), first_use: None })].into(),
    };
    let both = policy(&[("Copy", counts.clone()), ("Play", until(1000))]);
    assert_eq!(over(&both, &left(1), 1000), None);
    assert_eq!(over(&both, &left(0), 999), None);
    assert_eq!(over(&both, &left(0), 1000), Some(Reason::Expired), "the end itself is out");
    let dated = policy(&[("Copy", until(900)), ("Play", until(1000))]);
    assert_eq!(over(&dated, &State::default(), 1000), Some(Reason::Expired));
    assert_eq!(over(&dated, &State::default(), 999), None);
    let endless = policy(&[("Copy", counts), ("Play", Conditions::default())]);
    assert_eq!(over(&endless, &left(0), i64::MAX), None);
    let stored = Conditions { seconds_after_storing: Some(50), ..Conditions::default() };
    let stored = Policy { first_issued: 950, ..policy(&[("Play", stored)]) };
    assert_eq!(over(&stored, &State::default(), 999), None);
    assert_eq!(over(&stored, &State::default(), 1000), Some(Reason::Expired));
}

#[test]
fn a_right_ends_with_the_first_of_its_ends() {
    let ends = |not_after, storing, first_use| {
        let policy = Policy { first_issued: 100, ..policy(&[]) };
        let conditions = Conditions {
            not_after: Some(not_after),
            seconds_after_storing: Some(storing),
            seconds_after_first_use: Some(first_use),
            ..Conditions::default()
        };
        end_of(&policy, &conditions, ActionState { counts_left: None, first_use: Some(200) })
    };
    assert_eq!(ends(1000, 901, 801), Some(1000));
    assert_eq!(ends(1001, 900, 801), Some(1000));
    assert_eq!(ends(1001, 901, 800), Some(1000));
}
