//! What goes in without the service does, whatever becomes of the rest, and nobody is asked for what no service decides on.

use super::*;
use std::cell::Cell;
use wmlicense_core::restore::restore;
use wmlicense_core::restore::through::{Management, NotConnected};
use wmlicense_testkit::desk::Desk;

#[test]
fn a_section_of_another_owner_keeps_none_of_the_device_s_own_licenses_out() {
    let (first, second) = (World::new(), World::new());
    let alone = Home::new(&first);
    let before = alone.copied();
    let (at_first, at_second) = at_both(&alone, &second);
    let ours = plain(&first, 0..2);
    at_first.acquire(&ours).unwrap();
    at_second.acquire(&plain(&second, 2..3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(backed_up(&at_first, folder.path(), false).0.unwrap().backed_up, 3);
    // The service does not open the other owner's section.
    let fake = Fake::new(&first);
    let (result, events) = restore_at(&before, &folder, &fake);
    let restored = result.unwrap();
    assert_eq!((restored.restored, restored.left_out.len()), (2, 0));
    assert!(is_closed_for(&restored.closed, &[Reason::UnknownIssuer.into()]), "{:?}", restored.closed);
    assert_eq!(events.all().last(), Some(&Event::Progress(Progress { done: 1, total: 1 })));
    assert!(ours.iter().all(|policy| opens(&before.client.store, policy)));
    // Nobody can be asked.
    assert_eq!(before.client.store.delete(kid(0)).unwrap(), 1);
    let error = Cell::new(Some(SessionError::NoService));
    let connect =
        || -> Result<Box<dyn Management>, NotConnected> { Err(RestoreError::from(error.take().unwrap()).into()) };
    let context = Events::default().context(|_| false);
    let restored = through::restore(&before.client, folder.path(), &connect, &context).unwrap();
    assert_eq!(restored.restored, 2);
    assert!(matches!(restored.closed[..], [ClosedSections { why: Why::Unasked(_), .. }]), "{:?}", restored.closed);
    assert!(ours.iter().all(|policy| opens(&before.client.store, policy)));
}

#[test]
fn nobody_is_asked_for_what_nobody_can_use_up_or_no_service_decides_on() {
    let world = World::new();
    let home = Home::new(&world);
    let unmanaged = Policy { management: None, ..counted(&world, 9) };
    for (policies, left) in [
        (plain(&world, 0..2), vec![]),
        ([plain(&world, 0..2), vec![unmanaged]].concat(), vec![left_out(9, Reason::NotAllowed)]),
    ] {
        home.acquire(&policies).unwrap();
        let folder = tempfile::tempdir().unwrap();
        backed_up(&home, folder.path(), false).0.unwrap();
        let (result, events) = restore_at(&home.without_store(), &folder, &Fake::new(&world));
        assert_eq!(result.unwrap(), Restored { restored: 2, left_out: left, ..Restored::default() });
        assert!(!events.all().contains(&Event::Connecting));
        for policy in &policies {
            home.client.store.delete(policy.kid).unwrap();
        }
    }
}

#[test]
fn a_backup_of_nothing_but_licenses_that_were_taken_back_fails_with_that_reason() {
    let world = World::new();
    let home = Home::new(&world);
    let policies = plain(&world, 0..2);
    home.acquire(&policies).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    home.import(home.receive_withdrawing(policies.iter().map(|policy| policy.lid).collect())).unwrap();
    let (result, events) = restore_at(&home, &folder, &Fake::new(&world));
    assert!(matches!(result, Err(RestoreError::Refused { reason: Reason::Revoked, .. })), "{result:?}");
    let told = events.milestones();
    assert!((0..2).all(|number| told.contains(&refused(number, Reason::Revoked))), "{told:?}");
    assert_eq!(home.client.store.license_count().unwrap(), 0);
}

#[test]
fn what_was_removed_before_the_backup_is_removed_from_an_earlier_copy_of_that_store_and_of_no_other() {
    let world = World::new();
    let home = Home::new(&world);
    let policies = plain(&world, 0..2);
    home.acquire(&policies).unwrap();
    let earlier = home.copied();
    home.import(home.receive_withdrawing(vec![policies[0].lid])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let elsewhere = home.without_store();
    elsewhere.acquire(&policies).unwrap();
    for (at, stays) in [(&earlier, false), (&elsewhere, true)] {
        assert_eq!(restore_at(at, &folder, &Fake::new(&world)).0.unwrap().restored, 1);
        assert_eq!(opens(&at.client.store, &policies[0]), stays);
        assert!(opens(&at.client.store, &policies[1]));
    }
}

#[test]
fn where_nobody_is_asked_the_progress_is_that_through_the_file() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let total = std::fs::metadata(folder.path().join(FILE_NAME)).unwrap().len();
    let (result, events) = restore_at(&home, &folder, &Fake::new(&world));
    assert_eq!(result.unwrap().restored, 2);
    let told = events.all();
    assert_eq!(told.last(), Some(&Event::Progress(Progress { done: total, total })));
    assert!(matches!(told[1], Event::Progress(first) if (1..total).contains(&first.done)), "{told:?}");
}

#[test]
fn of_what_the_service_is_gone_for_each_license_is_told() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[world.policy(kid(0)), counted(&world, 8), counted(&world, 9)]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let (result, events) = restore_at(&home.without_store(), &folder, &Fake::new(&world).with(Manner::FailAfter(0)));
    let restored = result.unwrap();
    assert!(restored.restored == 1 && restored.is_partial());
    let [LeftOut { kid: first, why: Why::Unasked(_) }, LeftOut { kid: second, why: Why::Unasked(_) }] =
        &restored.left_out[..]
    else {
        panic!("{:?}", restored.left_out)
    };
    assert_eq!([*first, *second], [kid(8), kid(9)]);
    assert_eq!(events.milestones().iter().filter(|event| matches!(event, Event::LicenseRefused(_))).count(), 2);
}

#[test]
fn what_the_service_neither_grants_nor_names_is_not_allowed_whatever_it_says_of_another() {
    let world = World::new();
    let policies = plain(&world, 0..3);
    let folder = backup_of(&world, &policies);
    let fake = Fake::new(&world).with(Manner::Silent(vec![policies[2].lid]));
    fake.fill(policies[1].lid);
    let (result, events) = restore_at(&Home::new(&world), &folder, &fake);
    let expected = vec![left_out(1, Reason::LimitReached), left_out(2, Reason::NotAllowed)];
    assert_eq!(result.unwrap(), Restored { restored: 1, left_out: expected, ..Restored::default() });
    let all = events.all();
    assert!(all.contains(&Event::Progress(Progress { done: 3, total: 3 })), "three were asked for: {all:?}");
}

#[test]
fn the_service_is_told_what_this_store_knows_of_the_use_of_what_it_is_asked_for() {
    let world = World::new();
    let home = Home::new(&world);
    let policy = counted(&world, 9);
    home.acquire(std::slice::from_ref(&policy)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let fresh = home.without_store();
    fresh.acquire(std::slice::from_ref(&policy)).unwrap();
    let spend = &mut |_: &Policy, state: &State| {
        let mut next = state.clone();
        next.actions.get_mut("Play").unwrap().counts_left = Some(3);
        Ok::<_, StoreError>(next)
    };
    let used = fresh.client.store.change_state(policy.lid, spend).unwrap();
    // A license that is deleted is as well remembered.
    fresh.client.store.delete(kid(9)).unwrap();
    let (preview, restore) = (Fake::new(&world), Fake::new(&world));
    let context = Events::default().context(|_| false);
    through::preview(&fresh.client, folder.path(), &|| preview.connect(&fresh, &context), &context).unwrap();
    assert_eq!(preview.usage(), [(policy.lid, used.clone())]);
    assert_eq!(restore_at(&fresh, &folder, &restore).0.unwrap().restored, 1);
    assert_eq!(restore.usage(), [(policy.lid, used)]);
}

#[test]
fn a_cancel_while_the_device_gets_its_certificate_is_a_cancel_and_no_failure() {
    let desk = Desk::new();
    let folder = backup_of(&desk.world, &plain(&desk.world, 0..1));
    let events = Events::default();
    let context = events.context(|event| matches!(event, Event::Individualize { .. }));
    let result = restore(&desk.client, &desk.settings, folder.path(), true, &context);
    assert!(matches!(result, Err(RestoreError::Service(SessionError::Cancelled))), "{result:?}");
    assert!(!events.all().iter().any(|event| matches!(event, Event::IndividualizeFailed(_))));
    assert_eq!(desk.client.store.license_count().unwrap(), 0);
}

#[test]
fn a_place_that_is_no_folder_cannot_be_read_and_no_medium_is_blamed() {
    let world = World::new();
    let home = Home::new(&world);
    let file = home.path().join("a file");
    std::fs::write(&file, b"").unwrap();
    let result = through::restore(&home.client, &file, &|| panic!("asked"), &Events::default().context(|_| false));
    assert!(matches!(result, Err(RestoreError::Place(_))), "{result:?}");
}
