//! Answers that say more than they may, and answers that a crash leaves half used.

use super::*;
use wmlicense_core::contact::{AnswerFault, SessionError};

#[test]
fn a_license_that_an_answer_grants_twice_makes_it_no_answer() {
    let world = World::new();
    let policies = plain(&world, 0..2);
    let folder = backup_of(&world, &policies);
    let (other, fake) = (Home::new(&world), Fake::new(&world).with(Manner::GrantTwice));
    let result = restore_at(&other, &folder, &fake).0;
    assert!(
        matches!(result, Err(RestoreError::Service(SessionError::BadAnswer(AnswerFault::Twice(lid)))) if lid == policies[1].lid)
    );
    assert_eq!(other.client.store.license_count().unwrap(), 0);
}

#[test]
fn what_was_granted_in_part_before_a_crash_is_asked_for_again_and_its_refusals_are_told() {
    let world = World::new();
    let policies: Vec<_> = (0..1200).map(|n| bulky(&world, n)).collect();
    let folder = backup_of(&world, &policies);
    let other = Home::new(&world);
    let (log, kept) = (other.path().join("restore.chunks"), other.path().join("kept"));
    let fake = Fake::new(&world).with(Manner::CopyThenFail(log.clone(), kept.clone()));
    fake.fill(policies[0].lid);
    assert!(matches!(restore_at(&other, &folder, &fake).0, Err(RestoreError::Service(SessionError::Transport(_)))));
    // What a crash would have left.
    std::fs::copy(&kept, &log).unwrap();
    let fake = Fake::sharing(&fake);
    let expected =
        Restored { restored: 1199, left_out: vec![left_out(0, Reason::LimitReached)], ..Restored::default() };
    assert_eq!(restore_at(&other, &folder, &fake).0.unwrap(), expected);
    assert_eq!(fake.restores.load(Ordering::SeqCst), 5);
    assert!(!opens(&other.client.store, &policies[0]) && opens(&other.client.store, &policies[1]));
}
