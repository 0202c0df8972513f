//! Looking at a backup: what a restore would do is told license by license, and nothing is done.

use super::*;
use wmlicense_core::event::RestoreVerdict;
use wmlicense_core::restore::{Preview, Verified, verify};
use wmlicense_testkit::NOW;

fn look(
    home: &Home<'_>,
    folder: &TempDir,
    fake: &Fake<'_>,
) -> (Result<Preview, RestoreError>, Vec<RestoreVerdict>, Events) {
    let events = Events::default();
    let context = events.context(|_| false);
    let result = through::preview(&home.client, folder.path(), &|| fake.connect(home, &context), &context);
    let verdicts = events
        .all()
        .into_iter()
        .filter_map(|event| if let Event::RestoreVerdict(verdict) = event { Some(verdict) } else { None })
        .collect();
    (result, verdicts, events)
}

#[test]
fn another_device_learns_what_it_would_get_and_no_seat_is_taken() {
    let world = World::new();
    let mut policies = plain(&world, 0..3);
    policies[1].title = Some("Second".to_owned());
    let folder = backup_of(&world, &policies);
    let (other, fake) = (Home::new(&world), Fake::new(&world));
    fake.fill(policies[2].lid);
    let (result, verdicts, events) = look(&other, &folder, &fake);
    assert_eq!(result.unwrap(), Preview { restorable: 2, refused: 1, ..Preview::default() });
    let told = events.all();
    assert_eq!(told[0], Event::Connecting);
    assert_eq!(told[told.len() - 2..], [Event::Disconnecting, page(Reason::LimitReached)]);
    assert_eq!(verdicts[1].title.as_deref(), Some("Second"));
    assert_eq!(verdicts[2].refusal, Some(Reason::LimitReached.into()));
    assert_eq!((verdicts[2].devices_used, verdicts[2].devices_limit), (4, 4));
    assert_eq!(fake.devices(policies[0].lid), 0);
    assert_eq!(other.client.store.license_count().unwrap(), 0);
    assert_eq!(fake.pages(), [0, 1], "one question for the section's key, one for its licenses");
}

#[test]
fn a_title_of_the_application_goes_through_the_service_and_is_shown_before() {
    let world = World::new();
    let home = Home::new(&world);
    let policies = [Policy { title: Some("The owner's".into()), ..world.policy(kid(0)) }, world.policy(kid(1))];
    home.acquire(&policies).unwrap();
    home.client.store.set_title(kid(0), "Mine").unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let (other, fake) = (Home::new(&world), Fake::new(&world));
    let titles: Vec<_> = look(&other, &folder, &fake).1.into_iter().map(|verdict| verdict.title).collect();
    assert_eq!(titles, [Some("Mine".to_owned()), None]);
    assert_eq!(restore_at(&other, &folder, &fake).0.unwrap().restored, 2);
    assert_eq!(other.client.store.title(kid(0)).unwrap().as_deref(), Some("Mine"));
}

#[test]
fn what_no_service_decides_on_is_told_without_one() {
    let world = World::new();
    let home = Home::new(&world);
    let unmanaged = |policy: Policy| Policy { management: None, ..policy };
    home.acquire(&[unmanaged(world.policy(kid(1))), unmanaged(counted(&world, 2))]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let (found, verdicts, events) = look(&home.without_store(), &folder, &Fake::new(&world));
    assert_eq!(found.unwrap(), Preview { restorable: 1, refused: 1, ..Preview::default() });
    let refused: Vec<_> = verdicts.iter().filter_map(|verdict| Some((verdict.kid, verdict.refusal.clone()?))).collect();
    assert_eq!(refused, [(kid(2), Why::from(Reason::NotAllowed))]);
    assert!(verdicts.iter().all(|verdict| (verdict.devices_used, verdict.devices_limit) == (0, 0)));
    assert!(!events.all().contains(&Event::Connecting));
    // Another device learns nothing of such a section but that it stays closed.
    let (found, _, events) = look(&Home::new(&world), &folder, &Fake::new(&world));
    assert!(matches!(found, Err(RestoreError::NotRestorable)), "{found:?}");
    assert!(matches!(&events.all()[..], [Event::SectionsClosed(closed)] if closed.sections == 1 && closed.bytes > 0));
}

#[test]
fn a_section_that_nobody_opens_is_told_beside_the_others() {
    let world = World::new();
    let folder = backup_of(&world, &[world.policy(kid(0)), Policy { management: None, ..world.policy(kid(1)) }]);
    let found = look(&Home::new(&world), &folder, &Fake::new(&world)).0.unwrap();
    assert_eq!((found.restorable, found.refused, found.undecided), (1, 0, 0));
    assert!(is_closed_for(&found.closed, &[Why::NoKey]) && found.is_partial(), "{:?}", found.closed);
}

#[test]
fn a_backup_of_nothing_promises_nothing_and_fails_nobody() {
    let world = World::new();
    let folder = backup_of(&world, &[]);
    let (found, _, events) = look(&Home::new(&world), &folder, &Fake::new(&world));
    assert_eq!((found.unwrap(), events.all()), (Preview::default(), Vec::new()));
}

#[test]
fn only_what_the_service_decides_on_is_asked_about() {
    let world = World::new();
    let home = Home::new(&world);
    let user = Some(wmlicense_wire::id::UserId::new([7; 16]));
    home.acquire(&[world.policy(kid(1)), Policy { user, ..counted(&world, 2) }]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let fake = Fake::new(&world);
    let (found, ..) = look(&home.without_store(), &folder, &fake);
    assert_eq!(found.unwrap(), Preview { restorable: 2, ..Preview::default() });
    assert_eq!((fake.pages(), fake.previewed()), (vec![0], vec![1]), "the first section asks nothing");
}

#[test]
fn a_preview_of_many_licenses_asks_in_questions_that_a_service_takes() {
    let world = World::new();
    let folder = backup_of(&world, &plain(&world, 0..2100));
    let fake = Fake::new(&world);
    let (found, verdicts, _) = look(&Home::new(&world), &folder, &fake);
    assert_eq!((found.unwrap().restorable, verdicts.len()), (2100, 2100));
    assert_eq!(fake.previewed(), [0, 2048, 52]);
}

#[test]
fn a_question_that_has_no_room_for_what_was_used_is_split() {
    const MANY: u64 = 1000;
    let world = World::new();
    let home = Home::new(&world);
    let conditions = Conditions { count: Some(u32::MAX), ..Conditions::default() };
    let policy =
        |number| Policy { backup: BackupRight::Stateful, ..world.policy_with(kid(number), conditions.clone()) };
    let policies: Vec<_> = (0..MANY).map(policy).collect();
    home.acquire(&policies).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let (fresh, fake) = (home.without_store(), Fake::new(&world));
    fresh.acquire(&policies).unwrap();
    let (found, verdicts, _) = look(&fresh, &folder, &fake);
    assert_eq!((found.unwrap().restorable, verdicts.len() as u64), (MANY, MANY));
    assert_eq!((fake.previewed(), fake.usage().len() as u64), (vec![500, 500], MANY));
}

#[test]
fn a_preview_is_partial_where_anything_would_stay_out_and_only_there() {
    let closed = vec![ClosedSections { why: Why::NoKey, sections: 1, bytes: 9, url: None }];
    assert!(!Preview { restorable: 1, ..Preview::default() }.is_partial());
    assert!(Preview { restorable: 1, refused: 1, ..Preview::default() }.is_partial());
    assert!(Preview { restorable: 1, undecided: 1, ..Preview::default() }.is_partial());
    assert!(Preview { restorable: 1, closed, ..Preview::default() }.is_partial());
}

#[test]
fn what_ended_since_the_backup_is_told_as_a_restore_would_leave_it_out() {
    let world = World::new();
    let home = Home::new(&world);
    let conditions = Conditions { not_after: Some(NOW + 100), ..Conditions::default() };
    let policies = [world.policy(kid(0)), world.policy_with(kid(1), conditions)];
    home.acquire(&policies).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    home.client.store.delete(kid(1)).unwrap();
    home.clock.set(NOW + 1000);
    let fake = Fake::new(&world);
    let (found, verdicts, _) = look(&home, &folder, &fake);
    assert_eq!(found.unwrap(), Preview { restorable: 1, refused: 1, ..Preview::default() });
    let refused: Vec<_> = verdicts.into_iter().filter_map(|verdict| Some((verdict.kid, verdict.refusal?))).collect();
    assert_eq!(refused, [(kid(1), Why::from(Reason::Expired))]);
    // A clock that is put back afterwards changes nothing.
    home.clock.set(NOW);
    assert_eq!(look(&home, &folder, &fake).0.unwrap().refused, 1);
    let restored = restore_at(&home, &folder, &fake).0.unwrap();
    assert_eq!((restored.restored, restored.left_out), (1, vec![left_out(1, Reason::Expired)]));
}

#[test]
fn the_page_of_a_service_that_refuses_what_it_is_asked_about_is_told() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[world.policy(kid(0)), counted(&world, 9)]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let fake = Fake::new(&world).with(Manner::RefuseUnlock(Reason::OtherAccount));
    let (found, verdicts, events) = look(&home.without_store(), &folder, &fake);
    assert_eq!(found.unwrap(), Preview { restorable: 1, refused: 1, ..Preview::default() });
    let told = verdicts.clone();
    let refused: Vec<_> = verdicts.into_iter().filter_map(|verdict| Some((verdict.kid, verdict.refusal?))).collect();
    assert_eq!(refused, [(kid(9), Why::from(Reason::OtherAccount))]);
    assert!(events.all().contains(&page(Reason::OtherAccount)));
    assert!(told.iter().all(|verdict| (verdict.devices_used, verdict.devices_limit) == (0, 0)));
}

#[test]
fn the_device_itself_learns_it_without_a_network_and_removed_licenses_are_named() {
    let world = World::new();
    let home = Home::new(&world);
    let policies = plain(&world, 0..3);
    home.acquire(&policies).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    home.import(home.receive_withdrawing(vec![policies[1].lid])).unwrap();
    let fake = Fake::new(&world);
    let (result, verdicts, events) = look(&home, &folder, &fake);
    assert_eq!(result.unwrap(), Preview { restorable: 2, refused: 1, ..Preview::default() });
    let told = verdicts.clone();
    let refused: Vec<_> = verdicts.into_iter().filter_map(|verdict| Some((verdict.kid, verdict.refusal?))).collect();
    assert_eq!(refused, [(kid(1), Why::from(Reason::Revoked))]);
    assert!(!events.all().contains(&Event::Connecting));
    assert!(told.iter().all(|verdict| (verdict.devices_used, verdict.devices_limit) == (0, 0)), "nobody was asked");
}

#[test]
fn what_this_store_removed_is_left_out_although_the_service_would_grant_it() {
    let world = World::new();
    let home = Home::new(&world);
    let (gone, ended) =
        (counted(&world, 1), Conditions { count: Some(5), not_after: Some(NOW + 10), ..Conditions::default() });
    let ended = Policy { backup: BackupRight::Stateful, ..world.policy_with(kid(2), ended) };
    home.acquire(&[gone.clone(), ended, counted(&world, 3)]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let fresh = home.without_store();
    fresh.import(fresh.receive_withdrawing(vec![gone.lid])).unwrap();
    fresh.clock.set(NOW + 1000);
    let (found, verdicts, _) = look(&fresh, &folder, &Fake::new(&world));
    assert_eq!(found.unwrap(), Preview { restorable: 1, refused: 2, ..Preview::default() });
    let refused: Vec<_> = verdicts.into_iter().filter_map(|verdict| Some((verdict.kid, verdict.refusal?))).collect();
    assert_eq!(refused, [(kid(1), Why::from(Reason::Revoked)), (kid(2), Why::from(Reason::Expired))]);
}

#[test]
fn what_a_preview_promises_a_restore_keeps() {
    let world = World::new();
    let policies = plain(&world, 0..1100);
    let folder = backup_of(&world, &policies);
    let (other, fake) = (Home::new(&world), Fake::new(&world));
    for policy in &policies[..30] {
        fake.fill(policy.lid);
    }
    let (promised, verdicts, _) = look(&other, &folder, &fake);
    let promised = promised.unwrap();
    assert_eq!(verdicts.len(), 1100);
    let restored = restore_at(&other, &folder, &fake).0.unwrap();
    assert_eq!((restored.restored, restored.left_out.len() as u64), (promised.restorable, promised.refused));
}

#[test]
fn a_section_that_the_service_keeps_shut_gives_the_failure_of_the_restore() {
    let world = World::new();
    let folder = backup_of(&world, &plain(&world, 0..2));
    let (other, fake) = (Home::new(&world), Fake::new(&world).with(Manner::RefuseUnlock(Reason::OtherAccount)));
    let refused =
        |error| matches!(error, Some(RestoreError::Refused { reason: Reason::OtherAccount, url: Some(_), .. }));
    assert!(refused(look(&other, &folder, &fake).0.err()));
    assert!(refused(restore_at(&other, &folder, &fake).0.err()));
}

#[test]
fn a_whole_backup_is_verified_where_it_was_made_and_every_change_of_it_is_found() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let look = |home: &Home<'_>| verify(&home.client, folder.path(), &Events::default().context(|_| false));
    assert_eq!(look(&home).unwrap(), Verified { licenses: 3, closed_sections: 0 });
    let (events, total) = (Events::default(), std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().len());
    verify(&home.client, folder.path(), &events.context(|_| false)).unwrap();
    let told = events.all();
    assert_eq!(told.last(), Some(&Event::Progress(Progress { done: total, total })));
    assert!(matches!(told[0], Event::Progress(first) if (1..total).contains(&first.done)), "{told:?}");
    assert_eq!(look(&Home::new(&world)).unwrap(), Verified { licenses: 0, closed_sections: 1 });
    let file = folder.path().join(FILE_NAME);
    let bytes = std::fs::read(&file).unwrap();
    for place in (0..bytes.len()).step_by(bytes.len() / 60) {
        let mut changed = bytes.clone();
        changed[place] ^= 0x10;
        std::fs::write(&file, &changed).unwrap();
        let found = look(&home);
        // A change of the recipient's name makes it a section of somebody else.
        assert!(!matches!(found, Ok(Verified { closed_sections: 0, .. })), "byte {place}");
    }
}
