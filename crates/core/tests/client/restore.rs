//! Restores through a management service that grants, refuses, fails and lies. The service is made of the wire crate and
//! asked without a network; the real one is tested from outside.

mod answers;
mod asked;
mod fake;
mod forged;
mod independent;
mod large;
mod left_out;
mod offline;
mod preview;

use fake::{Fake, Manner};
use std::sync::atomic::Ordering;
use tempfile::TempDir;
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::contact::SessionError;
use wmlicense_core::event::{ClosedSections, LeftOut, Why};
use wmlicense_core::event::{Event, Progress};
use wmlicense_core::operation::Context;
use wmlicense_core::restore::{RestoreError, Restored, through};
use wmlicense_core::store::{Store, StoreError};
use wmlicense_core::transport::TransportError;
use wmlicense_testkit::home::{Home, pending};
use wmlicense_testkit::place::{Events, backed_up};
use wmlicense_testkit::{World, content_key, kid};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::backup::FILE_NAME;
use wmlicense_wire::id::{DeviceId, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{BackupRight, Conditions, Policy};

/// Restores through the fake service.
fn restore_at(home: &Home<'_>, folder: &TempDir, fake: &Fake<'_>) -> (Result<Restored, RestoreError>, Events) {
    let events = Events::default();
    let result = restore_in(home, folder, fake, &events.context(|_| false));
    (result, events)
}

fn restore_in(home: &Home<'_>, folder: &TempDir, fake: &Fake<'_>, context: &Context) -> Result<Restored, RestoreError> {
    through::restore(&home.client, folder.path(), &|| fake.connect(home, context), context)
}

/// A backup of a device that holds these licenses.
fn backup_of(world: &World, policies: &[Policy]) -> TempDir {
    let home = Home::new(world);
    home.acquire(policies).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    folder
}

fn plain(world: &World, numbers: std::ops::Range<u64>) -> Vec<Policy> {
    numbers.map(|n| world.policy(kid(n))).collect()
}

fn opens(store: &Store, policy: &Policy) -> bool {
    let licenses = store.licenses(policy.kid).unwrap();
    licenses.len() == 1
        && licenses[0].policy == *policy
        && store.unwrap_key(&licenses[0]).unwrap().as_bytes() == content_key(policy.kid)
}

fn left_out(number: u64, why: impl Into<Why>) -> LeftOut {
    LeftOut { kid: kid(number), why: why.into() }
}

fn refused(number: u64, reason: Reason) -> Event {
    Event::LicenseRefused(left_out(number, reason))
}

fn page(reason: Reason) -> Event {
    Event::ErrorWithUrl { url: fake::URL.into(), reason }
}

/// True if one section each stays closed for these reasons, and its size is told.
fn is_closed_for(closed: &[ClosedSections], why: &[Why]) -> bool {
    closed.iter().map(|closed| &closed.why).eq(why)
        && closed.iter().all(|closed| closed.sections == 1 && closed.bytes > 0)
}

/// A license that may be played five times, in a backup that holds its state.
fn counted(world: &World, number: u64) -> Policy {
    let conditions = Conditions { count: Some(5), ..Conditions::default() };
    Policy { backup: BackupRight::Stateful, ..world.policy_with(kid(number), conditions) }
}

#[test]
fn another_device_gets_everything_through_the_service() {
    let world = World::new();
    let policies = plain(&world, 0..5);
    let folder = backup_of(&world, &policies);
    let (other, fake) = (Home::new(&world), Fake::new(&world));
    let (result, events) = restore_at(&other, &folder, &fake);
    let result = result.unwrap();
    assert_eq!(result, Restored { restored: 5, ..Restored::default() });
    assert!(!result.is_partial());
    assert_eq!(events.milestones(), [Event::Connecting, Event::Disconnecting, Event::BackupRestoreBegin]);
    assert_eq!(fake.pages(), [0, 1], "the pages of one transaction");
    assert!(matches!(events.all().last(), Some(Event::Progress(progress)) if progress.done == progress.total));
    assert!(policies.iter().all(|policy| opens(&other.client.store, policy)));
    // What was restored can be backed up and restored again, and costs no further device.
    let again = tempfile::tempdir().unwrap();
    backed_up(&other, again.path(), false).0.unwrap();
    assert_eq!(restore_at(&other, &folder, &fake).0.unwrap().restored, 5);
    assert_eq!(fake.devices(policies[0].lid), 2);
}

#[test]
fn what_the_service_refuses_is_told_and_the_rest_goes_in() {
    let world = World::new();
    let policies = plain(&world, 0..4);
    let folder = backup_of(&world, &policies);
    let (other, fake) = (Home::new(&world), Fake::new(&world));
    fake.fill(policies[1].lid);
    fake.fill(policies[3].lid);
    let (result, events) = restore_at(&other, &folder, &fake);
    let reason = Reason::LimitReached;
    let expected = vec![left_out(1, reason), left_out(3, reason)];
    assert_eq!(result.unwrap(), Restored { restored: 2, left_out: expected, ..Restored::default() });
    let expected = [
        Event::Connecting,
        Event::Disconnecting,
        Event::BackupRestoreBegin,
        refused(1, reason),
        refused(3, reason),
        page(reason),
    ];
    assert_eq!(events.milestones(), expected);
    assert!(opens(&other.client.store, &policies[0]) && !opens(&other.client.store, &policies[1]));
}

#[test]
fn a_restore_that_gives_nothing_fails_with_reason_and_url() {
    let world = World::new();
    let policies = plain(&world, 0..2);
    let folder = backup_of(&world, &policies);
    let (other, fake) = (Home::new(&world), Fake::new(&world));
    policies.iter().for_each(|policy| fake.fill(policy.lid));
    let (result, events) = restore_at(&other, &folder, &fake);
    let url = Some(fake::URL.to_owned());
    assert!(
        matches!(result, Err(RestoreError::Refused { reason: Reason::LimitReached, url: found, .. }) if found == url)
    );
    let told = events.milestones();
    assert_eq!(told.iter().filter(|event| matches!(event, Event::ErrorWithUrl { .. })).count(), 1);
    assert_eq!(told.iter().filter(|event| matches!(event, Event::LicenseRefused(_))).count(), 2);
    assert_eq!(other.client.store.license_count().unwrap(), 0);
}

#[test]
fn a_section_that_the_service_does_not_open_gives_the_service_s_reason() {
    let world = World::new();
    let folder = backup_of(&world, &plain(&world, 0..2));
    let (other, fake) = (Home::new(&world), Fake::new(&world).with(Manner::RefuseUnlock(Reason::OtherAccount)));
    let (result, _) = restore_at(&other, &folder, &fake);
    assert!(matches!(result, Err(RestoreError::Refused { reason: Reason::OtherAccount, url: Some(_), .. })));
    assert_eq!(fake.restores.load(Ordering::SeqCst), 0);
}

#[test]
fn damage_is_found_before_a_single_device_is_counted() {
    let world = World::new();
    let policies = plain(&world, 0..2);
    let folder = backup_of(&world, &policies);
    let file = folder.path().join(FILE_NAME);
    let whole = std::fs::read(&file).unwrap();
    let (other, fake) = (Home::new(&world), Fake::new(&world));
    for at in [2000, whole.len() - 40_000, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        std::fs::write(&file, &damaged).unwrap();
        let result = restore_at(&other, &folder, &fake).0;
        // A byte of the service's ticket is found by the service, every other one here.
        assert!(
            matches!(result, Err(RestoreError::Corrupt(_) | RestoreError::Refused { .. })),
            "byte {at}: {result:?}"
        );
    }
    assert_eq!(fake.restores.load(Ordering::SeqCst), 0);
    assert_eq!(other.client.store.license_count().unwrap(), 0);
}

#[test]
fn a_backup_that_another_device_forged_is_refused_before_it_is_sent() {
    let world = World::new();
    let stranger = World::new();
    // The device is certified by an authority that the restoring device does not trust.
    let folder = backup_of(&stranger, &plain(&stranger, 0..1));
    let (other, fake) = (Home::new(&world), Fake::new(&world).with(Manner::OpenFor(&stranger)));
    let result = restore_at(&other, &folder, &fake).0;
    assert!(matches!(result, Err(RestoreError::Corrupt(_))), "{result:?}");
    assert_eq!(fake.restores.load(Ordering::SeqCst), 0);
}

#[test]
fn an_answer_with_licenses_that_nobody_asked_for_is_refused() {
    let world = World::new();
    let folder = backup_of(&world, &plain(&world, 0..2));
    let (other, fake) = (Home::new(&world), Fake::new(&world).with(Manner::AddLicense));
    assert!(matches!(restore_at(&other, &folder, &fake).0, Err(RestoreError::Service(SessionError::BadAnswer(_)))));
    assert_eq!(other.client.store.license_count().unwrap(), 0);
}

/// Terms that fill most of a policy, so that few licenses fill a request.
fn bulky(world: &World, number: u64) -> Policy {
    let custom = (0..3).map(|n| (format!("name{n}"), "x".repeat(1024))).collect();
    Policy { custom, ..world.policy(kid(number)) }
}

#[test]
fn a_large_section_travels_in_several_requests() {
    let world = World::new();
    let home = Home::new(&world);
    let policies: Vec<_> = (0..1500).map(|n| bulky(&world, n)).collect();
    home.acquire(&policies[..1000]).unwrap();
    home.acquire(&policies[1000..]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let (other, fake) = (Home::new(&world), Fake::new(&world));
    assert_eq!(restore_at(&other, &folder, &fake).0.unwrap().restored, 1500);
    assert!(policies.iter().step_by(100).all(|policy| opens(&other.client.store, policy)));
    assert!((6..9).contains(&fake.restores.load(Ordering::SeqCst)));

    // A service that goes away in the middle, and a cancel there, leave everything as it was.
    let third = Home::new(&world);
    fake.restores.store(0, Ordering::SeqCst);
    let failing = Fake::sharing(&fake).with(Manner::FailAfter(1));
    let (result, events) = restore_at(&third, &folder, &failing);
    assert!(matches!(result, Err(RestoreError::Service(SessionError::Transport(_)))));
    assert!(!events.all().contains(&Event::BackupRestoreBegin));
    let context = Events::default().context(|event| matches!(event, Event::Progress(_)));
    assert!(matches!(
        restore_in(&third, &folder, &fake, &context),
        Err(RestoreError::Service(SessionError::Cancelled))
    ));
    assert_eq!(third.client.store.license_count().unwrap(), 0);
}

#[test]
fn a_restore_that_a_crash_broke_off_asks_only_for_what_is_missing() {
    let world = World::new();
    let folder = backup_of(&world, &(0..1200).map(|n| bulky(&world, n)).collect::<Vec<_>>());
    let other = Home::new(&world);
    let log = other.path().join("restore.chunks");
    let kept = other.path().join("kept");
    let fake = Fake::new(&world).with(Manner::CopyThenFail(log.clone(), kept.clone()));
    assert!(matches!(restore_at(&other, &folder, &fake).0, Err(RestoreError::Service(SessionError::Transport(_)))));
    // What a crash would have left.
    std::fs::copy(&kept, &log).unwrap();
    let fake = Fake::sharing(&fake);
    let (result, events) = restore_at(&other, &folder, &fake);
    assert_eq!((result.unwrap().restored, fake.restores.load(Ordering::SeqCst)), (1200, 4));
    assert_eq!(events.all().last(), Some(&Event::Progress(Progress { done: 1200, total: 1200 })));
}

#[test]
fn a_store_that_was_lost_gets_its_counted_licenses_through_the_service() {
    let world = World::new();
    let home = Home::new(&world);
    let counted = counted(&world, 9);
    let mut policies = plain(&world, 0..2);
    policies.push(counted.clone());
    home.acquire(&policies).unwrap();
    let spend = &mut |_: &Policy, state: &State| {
        let mut next = state.clone();
        next.actions.get_mut("Play").unwrap().counts_left = Some(3);
        Ok::<_, StoreError>(next)
    };
    home.client.store.change_state(counted.lid, spend).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();

    let fresh = home.without_store();
    let fake = Fake::new(&world);
    let (result, events) = restore_at(&fresh, &folder, &fake);
    assert_eq!(result.unwrap(), Restored { restored: 3, ..Restored::default() });
    assert_eq!(events.milestones(), [Event::Connecting, Event::Disconnecting, Event::BackupRestoreBegin]);
    assert_eq!(fake.asked(), [counted.lid], "the others go in offline");
    assert_eq!(fake.devices(counted.lid), 1, "the device has its seat already");
    let stored = fresh.client.store.licenses(kid(9)).unwrap();
    assert_eq!(stored[0].state.as_ref().unwrap().actions["Play"].counts_left, Some(3));
}

#[test]
fn a_section_that_nobody_opens_is_told_and_the_others_go_in() {
    let world = World::new();
    let mut policies = plain(&world, 0..2);
    policies.push(Policy { management: None, ..world.policy(kid(2)) });
    let folder = backup_of(&world, &policies);
    let (other, fake) = (Home::new(&world), Fake::new(&world));
    let restored = restore_at(&other, &folder, &fake).0.unwrap();
    assert_eq!((restored.restored, restored.left_out.len()), (2, 0));
    assert!(is_closed_for(&restored.closed, &[Why::NoKey]), "{:?}", restored.closed);
    assert!(restored.is_partial() && opens(&other.client.store, &policies[1]));
}

/// The same device as `home`, certified by another owner as well: as it is at either of them.
fn at_both<'w>(home: &Home<'w>, second: &'w World) -> (Home<'w>, Home<'w>) {
    let settings =
        OpenSettings { store_path: home.path().to_path_buf(), authorities: vec![home.world.pin(), second.pin()] };
    let client = Client::open(&settings, home.clock.clone()).unwrap();
    let device_id = DeviceId::random().unwrap();
    client.store.save_directory(&second.directory).unwrap();
    let certificate = second.certify(device_id, &client.device.create_identity(second.pin()).unwrap().keys);
    let transaction = pending(&client, second, TransactionId::random().unwrap());
    client.store.save_device_certificate(second.pin(), &certificate, transaction).unwrap();
    let at = |world, device_id| Home {
        world,
        folder: home.folder.clone(),
        clock: home.clock.clone(),
        client: client.clone(),
        device_id,
    };
    (at(home.world, home.device_id), at(second, device_id))
}

#[test]
fn licenses_of_two_owners_are_in_sections_of_their_own_and_each_opens_by_itself() {
    let (first, second) = (World::new(), World::new());
    let alone = Home::new(&first);
    let (at_first, at_second) = at_both(&alone, &second);
    let (ours, theirs) = (plain(&first, 0..2), plain(&second, 2..3));
    at_first.acquire(&ours).unwrap();
    at_second.acquire(&theirs).unwrap();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(backed_up(&at_first, folder.path(), false).0.unwrap().backed_up, 3);
    // The device itself opens both.
    for policy in ours.iter().chain(&theirs) {
        assert_eq!(at_first.client.store.delete(policy.kid).unwrap(), 1);
    }
    let here = restore_at(&at_first, &folder, &Fake::new(&first)).0.unwrap();
    assert_eq!(here, Restored { restored: 3, ..Restored::default() });
    assert!(ours.iter().chain(&theirs).all(|policy| opens(&at_first.client.store, policy)));
    // Another device of the first owner gets the first owner's, and hears of the rest.
    let other = Home::new(&first);
    let there = restore_at(&other, &folder, &Fake::new(&first)).0.unwrap();
    assert_eq!((there.restored, there.left_out.len()), (2, 0));
    assert!(is_closed_for(&there.closed, &[Reason::UnknownIssuer.into()]), "{:?}", there.closed);
    assert!(ours.iter().all(|policy| opens(&other.client.store, policy)));
}
