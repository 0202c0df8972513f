//! Backup, and restore on the same device: what was told, what is in the folder, what came back.

mod edges;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use wmlicense_core::backup::{BackupError, BackupReport, back_up, is_known_to_exist};
use wmlicense_core::contact::SessionError;
use wmlicense_core::event::{Event, LeftOut, Progress};
use wmlicense_core::restore::{RestoreError, Restored};
use wmlicense_testkit::home::Home;
use wmlicense_testkit::place::{Events, backed_up, names, restored};
use wmlicense_testkit::{World, content_key, kid};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::backup::{FILE_NAME, Header};
use wmlicense_wire::id::{Lid, UserId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{BackupRight, Conditions, Policy};

fn plain(world: &World, numbers: std::ops::Range<u64>) -> Vec<Policy> {
    numbers.map(|n| world.policy(kid(n))).collect()
}

fn counted(world: &World, number: u64) -> Policy {
    let conditions = Conditions { count: Some(5), ..Conditions::default() };
    Policy { backup: BackupRight::Stateful, ..world.policy_with(kid(number), conditions) }
}

fn progress(done: u64, total: u64) -> Event {
    Event::Progress(Progress { done, total })
}

/// Uses a license once.
fn spend(home: &Home<'_>, lid: Lid) {
    let change = &mut |_: &Policy, state: &State| {
        let mut next = state.clone();
        *next.actions.get_mut("Play").unwrap().counts_left.as_mut().unwrap() -= 1;
        Ok::<_, wmlicense_core::store::StoreError>(next)
    };
    home.client.store.change_state(lid, change).unwrap();
}

fn left(home: &Home<'_>, policy: &Policy) -> Option<u32> {
    let licenses = home.client.store.licenses(policy.kid).unwrap();
    licenses.first()?.state.as_ref()?.actions["Play"].counts_left
}

fn holds(home: &Home<'_>, policies: &[Policy]) -> bool {
    policies.iter().all(|policy| {
        let licenses = home.client.store.licenses(policy.kid).unwrap();
        licenses.len() == 1
            && licenses[0].policy == *policy
            && home.client.store.unwrap_key(&licenses[0]).unwrap().as_bytes() == content_key(policy.kid)
    })
}

#[test]
fn what_was_backed_up_comes_back_on_the_same_device_without_a_network() {
    let world = World::new();
    let home = Home::new(&world);
    let before = home.copied();
    let (first, second) = (plain(&world, 0..40), plain(&world, 40..50));
    home.acquire(&first).unwrap();
    home.acquire(&second).unwrap();
    home.client.store.set_title(kid(3), "A title of one's own").unwrap();
    let place = tempfile::tempdir().unwrap();
    assert!(!is_known_to_exist(place.path()));
    let (report, events) = backed_up(&home, place.path(), false);
    assert_eq!(report.unwrap(), BackupReport { backed_up: 50, restricted: 0 });
    assert_eq!(events.milestones(), [Event::BackupRestoreBegin]);
    let told = events.all();
    assert_eq!((&told[1], told.last()), (&progress(0, 50), Some(&progress(50, 50))));
    assert_eq!(names(place.path()), [FILE_NAME]);
    // What was written a moment ago is in the kernel's memory, where the kernel can be asked for that (since 5.12).
    assert_eq!(is_known_to_exist(place.path()), remembers(Path::new("/")));

    let (report, events) = restored(&before, place.path());
    assert_eq!(report.unwrap(), Restored { restored: 50, ..Restored::default() });
    assert_eq!(events.milestones(), [Event::BackupRestoreBegin]);
    assert!(matches!(events.all().last(), Some(Event::Progress(progress)) if progress.done == progress.total));
    assert!(holds(&before, &first) && holds(&before, &second));
    assert_eq!(before.client.store.title(kid(3)).unwrap().as_deref(), Some("A title of one's own"));

    // Once more is the same as once, and so is a backup of the restored store.
    assert_eq!(restored(&before, place.path()).0.unwrap().restored, 50);
    assert_eq!(before.client.store.license_count().unwrap(), 50);
    let again = tempfile::tempdir().unwrap();
    assert_eq!(backed_up(&before, again.path(), false).0.unwrap().backed_up, 50);
}

#[test]
fn restricted_licenses_are_told_once_each_and_left_out() {
    let world = World::new();
    let home = Home::new(&world);
    let fresh = home.copied();
    let mut policies = plain(&world, 0..3);
    policies.push(Policy { backup: BackupRight::No, ..world.policy(kid(10)) });
    policies.push(Policy { backup: BackupRight::No, ..world.policy(kid(10)) });
    policies.push(Policy { backup: BackupRight::Stateless, ..counted(&world, 11) });
    home.acquire(&policies).unwrap();
    let place = tempfile::tempdir().unwrap();
    let (report, events) = backed_up(&home, place.path(), false);
    assert_eq!(report.unwrap(), BackupReport { backed_up: 3, restricted: 3 });
    assert_eq!(events.all().last(), Some(&progress(3, 3)));
    let mut told = events.milestones();
    assert_eq!(told.remove(0), Event::BackupRestoreBegin);
    let mut expected = [kid(10), kid(10), kid(11)].map(Event::RestrictedLicense);
    let key = |event: &Event| format!("{event:?}");
    expected.sort_by_key(key);
    told.sort_by_key(key);
    assert_eq!(told, expected);
    assert_eq!(restored(&fresh, place.path()).0.unwrap().restored, 3);
}

#[test]
fn an_existing_backup_stays_unless_overwriting_is_asked_for() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..2)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join(FILE_NAME);
    backed_up(&home, place.path(), false).0.unwrap();
    let first = fs::read(&file).unwrap();
    let (result, events) = backed_up(&home, place.path(), false);
    assert!(matches!(result, Err(BackupError::Exists)) && events.all().is_empty());
    assert_eq!(fs::read(&file).unwrap(), first);
    backed_up(&home, place.path(), true).0.unwrap();
    assert_ne!(fs::read(&file).unwrap(), first);
    assert_eq!(names(place.path()), [FILE_NAME]);
}

#[test]
fn an_empty_store_gives_an_empty_backup_but_never_replaces_a_fuller_one() {
    let world = World::new();
    let home = Home::new(&world);
    let place = tempfile::tempdir().unwrap();
    assert_eq!(backed_up(&home, place.path(), false).0.unwrap(), BackupReport::default());
    assert_eq!(restored(&home, place.path()).0.unwrap(), Restored::default());
    let full = Home::new(&world);
    full.acquire(&plain(&world, 0..1)).unwrap();
    backed_up(&full, place.path(), true).0.unwrap();
    let kept = fs::read(place.path().join(FILE_NAME)).unwrap();
    let (report, events) = backed_up(&home, place.path(), true);
    assert_eq!(report.unwrap(), BackupReport::default());
    assert_eq!(events.all(), [Event::BackupRestoreBegin, progress(0, 0)]);
    assert_eq!(fs::read(place.path().join(FILE_NAME)).unwrap(), kept);
    assert_eq!(names(place.path()), [FILE_NAME]);
}

#[test]
fn a_cancel_at_any_event_leaves_the_folder_as_it_was() {
    let world = World::new();
    let home = Home::new(&world);
    let mut policies = plain(&world, 0..3);
    policies.push(Policy { backup: BackupRight::No, ..world.policy(kid(10)) });
    home.acquire(&policies).unwrap();
    let picks: [fn(&Event) -> bool; 3] = [
        |event| *event == Event::BackupRestoreBegin,
        |event| matches!(event, Event::RestrictedLicense(_)),
        |event| matches!(event, Event::Progress(progress) if progress.done == progress.total),
    ];
    for pick in picks {
        let place = tempfile::tempdir().unwrap();
        let cancelling = || Events::default().context(pick);
        assert!(matches!(back_up(&home.client, place.path(), false, &cancelling()), Err(BackupError::Cancelled)));
        assert!(names(place.path()).is_empty());
        backed_up(&home, place.path(), false).0.unwrap();
        let kept = fs::read(place.path().join(FILE_NAME)).unwrap();
        assert!(matches!(back_up(&home.client, place.path(), true, &cancelling()), Err(BackupError::Cancelled)));
        assert_eq!(fs::read(place.path().join(FILE_NAME)).unwrap(), kept);
        assert_eq!(names(place.path()), [FILE_NAME]);
    }
}

/// True if the kernel tells what it remembers of a path.
fn remembers(path: &Path) -> bool {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::CACHED).is_ok()
}

#[test]
fn a_place_that_cannot_be_used_is_told_before_anything_is_written() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..1)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("a file");
    fs::write(&file, b"").unwrap();
    for bad in [place.path().join("missing"), file] {
        let (result, events) = backed_up(&home, &bad, true);
        assert!(matches!(result, Err(BackupError::Place(_))), "{}", bad.display());
        assert!(events.all().is_empty() && !is_known_to_exist(&bad));
    }
    // A folder or a link that has the backup's name is nobody's to replace.
    fs::create_dir(place.path().join(FILE_NAME)).unwrap();
    assert!(matches!(backed_up(&home, place.path(), true).0, Err(BackupError::Occupied)));
    fs::remove_dir(place.path().join(FILE_NAME)).unwrap();
    symlink(place.path().join("a file"), place.path().join(FILE_NAME)).unwrap();
    assert!(matches!(backed_up(&home, place.path(), true).0, Err(BackupError::Occupied)));
    assert!(fs::read(place.path().join("a file")).unwrap().is_empty());
}

#[test]
fn a_restore_from_nowhere_says_that_there_is_no_backup() {
    let world = World::new();
    let home = Home::new(&world);
    let place = tempfile::tempdir().unwrap();
    for folder in [place.path().to_path_buf(), place.path().join("missing")] {
        let (result, events) = restored(&home, &folder);
        assert!(matches!(result, Err(RestoreError::NotFound)) && events.all().is_empty());
    }
    fs::create_dir(place.path().join(FILE_NAME)).unwrap();
    assert!(matches!(restored(&home, place.path()).0, Err(RestoreError::Occupied)));
}

#[test]
fn a_damaged_backup_leaves_the_store_as_it_was() {
    let world = World::new();
    let home = Home::new(&world);
    let fresh = home.copied();
    home.acquire(&plain(&world, 0..30)).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    let file = place.path().join(FILE_NAME);
    let whole = fs::read(&file).unwrap();
    // The last byte is found after every license was staged.
    for at in [0, 12, 700, 5000, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x80;
        fs::write(&file, &damaged).unwrap();
        let (result, _) = restored(&fresh, place.path());
        assert!(matches!(result, Err(RestoreError::Corrupt(_))), "byte {at}: {result:?}");
        fs::write(&file, &whole[..at]).unwrap();
        assert!(matches!(restored(&fresh, place.path()).0, Err(RestoreError::Corrupt(_))));
        assert_eq!(fresh.client.store.license_count().unwrap(), 0);
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(restored(&fresh, place.path()).0.unwrap().restored, 30);
}

#[test]
fn a_cancelled_restore_leaves_the_store_as_it_was() {
    let world = World::new();
    let home = Home::new(&world);
    let fresh = home.copied();
    home.acquire(&plain(&world, 0..30)).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    let picks: [fn(&Event) -> bool; 2] = [
        |event| *event == Event::BackupRestoreBegin,
        |event| matches!(event, Event::Progress(progress) if progress.done < progress.total),
    ];
    for pick in picks {
        let context = Events::default().context(pick);
        let settings = wmlicense_core::client::Settings::default();
        let result = wmlicense_core::restore::restore(&fresh.client, &settings, place.path(), false, &context);
        assert!(matches!(result, Err(RestoreError::Service(SessionError::Cancelled))));
        assert_eq!(fresh.client.store.license_count().unwrap(), 0);
    }
}

#[test]
fn a_restore_gives_back_no_count_that_was_used() {
    let world = World::new();
    let home = Home::new(&world);
    let fresh = home.copied();
    let policy = counted(&world, 1);
    home.acquire(std::slice::from_ref(&policy)).unwrap();
    spend(&home, policy.lid);
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    spend(&home, policy.lid);
    spend(&home, policy.lid);
    restored(&home, place.path()).0.unwrap();
    assert_eq!(left(&home, &policy), Some(2));
    // Where nothing is known of it, the backup's state counts.
    restored(&fresh, place.path()).0.unwrap();
    assert_eq!(left(&fresh, &policy), Some(4));
}

#[test]
fn a_license_that_was_replaced_does_not_come_back() {
    let world = World::new();
    let home = Home::new(&world);
    let old = plain(&world, 0..2);
    home.acquire(&old).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    let new = Policy { replaces: Some(old[0].lid), ..world.policy(kid(0)) };
    home.acquire(std::slice::from_ref(&new)).unwrap();
    let (result, events) = restored(&home, place.path());
    let left_out = vec![LeftOut { kid: kid(0), why: Reason::Revoked.into() }];
    assert_eq!(result.unwrap(), Restored { restored: 1, left_out: left_out.clone(), ..Restored::default() });
    assert!(events.all().contains(&Event::LicenseRefused(left_out[0].clone())));
    assert!(holds(&home, &[new]));

    // The tombstone travels: a later backup keeps the old license away from an earlier store as well.
    let later = tempfile::tempdir().unwrap();
    let earlier = home.copied();
    backed_up(&home, later.path(), false).0.unwrap();
    restored(&earlier, later.path()).0.unwrap();
    assert_eq!(restored(&earlier, place.path()).0.unwrap().left_out.len(), 1);
}

#[test]
fn a_store_that_was_lost_gets_offline_what_nobody_can_use_up_or_revoke() {
    let world = World::new();
    let home = Home::new(&world);
    let mut policies = plain(&world, 0..2);
    let unmanaged = Policy { management: None, ..counted(&world, 2) };
    policies.push(unmanaged);
    home.acquire(&policies).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    let fresh = home.without_store();
    assert_ne!(fresh.client.store.id().unwrap(), home.client.store.id().unwrap());
    let (result, events) = restored(&fresh, place.path());
    let left_out = vec![LeftOut { kid: kid(2), why: Reason::NotAllowed.into() }];
    assert_eq!(result.unwrap(), Restored { restored: 2, left_out: left_out.clone(), ..Restored::default() });
    let told = Event::LicenseRefused(left_out[0].clone());
    assert_eq!(events.milestones(), [Event::BackupRestoreBegin, told]);
    assert!(holds(&fresh, &policies[..2]));
}

#[test]
fn a_store_that_was_lost_asks_the_service_for_what_can_be_used_up() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[counted(&world, 2)]).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    let fresh = home.without_store();
    assert!(matches!(restored(&fresh, place.path()).0, Err(RestoreError::Service(SessionError::NoService))));
    assert_eq!(fresh.client.store.license_count().unwrap(), 0);
}

#[test]
fn another_device_needs_the_service_and_says_so() {
    let world = World::new();
    let (home, other) = (Home::new(&world), Home::new(&world));
    home.acquire(&plain(&world, 0..2)).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    assert!(matches!(restored(&other, place.path()).0, Err(RestoreError::Service(SessionError::NoService))));
    let stranger = World::new();
    let unknown = Home::new(&stranger);
    assert!(matches!(restored(&unknown, place.path()).0, Err(RestoreError::Service(SessionError::NoService))));
    // Without a management service nobody else opens it.
    let unmanaged = Home::new(&world);
    unmanaged.acquire(&[Policy { management: None, ..world.policy(kid(1)) }]).unwrap();
    backed_up(&unmanaged, place.path(), true).0.unwrap();
    let (result, events) = restored(&other, place.path());
    assert!(matches!(result, Err(RestoreError::NotRestorable)) && events.all().is_empty());
}

#[test]
fn licenses_of_different_accounts_and_services_are_in_different_sections() {
    let world = World::new();
    let home = Home::new(&world);
    let fresh = home.copied();
    let user = |byte| Some(UserId::new([byte; 16]));
    let policies = [
        world.policy(kid(0)),
        Policy { user: user(1), ..world.policy(kid(1)) },
        Policy { user: user(2), ..world.policy(kid(2)) },
        Policy { management: None, ..world.policy(kid(3)) },
        Policy { user: user(1), ..world.policy(kid(4)) },
    ];
    home.acquire(&policies).unwrap();
    let place = tempfile::tempdir().unwrap();
    assert_eq!(backed_up(&home, place.path(), false).0.unwrap().backed_up, 5);
    let bytes = fs::read(place.path().join(FILE_NAME)).unwrap();
    let length = Header::body_len(bytes[..12].try_into().unwrap()).unwrap();
    let header = Header::decode(&bytes[12..12 + length]).unwrap();
    assert_eq!(header.sections.len(), 4);
    assert_eq!(header.sections.iter().filter(|section| section.service.is_none()).count(), 1);
    assert_eq!(restored(&fresh, place.path()).0.unwrap().restored, 5);
    assert!(holds(&fresh, &policies));
}
