//! What a service is asked for and how: by whom, whether at all, and what becomes of what it says beside its licenses.

use super::*;
use std::sync::{Arc, Mutex};
use wmlicense_core::individualize::IndividualizeError;
use wmlicense_core::restore::restore;
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::place::restored;
use wmlicense_testkit::service::{Post, Shared, Step};
use wmlicense_wire::answer::{Beside, Grant, Unlock, seal};
use wmlicense_wire::backup::ContentKeys;
use wmlicense_wire::id::{Epoch, SignerId};
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::{Body, SentLicense};

#[test]
fn a_service_that_refuses_all_at_once_gives_its_reason_for_each() {
    let world = World::new();
    let folder = backup_of(&world, &plain(&world, 0..2));
    let fake = Fake::new(&world).with(Manner::RefuseRestore(Reason::DeviceCopied));
    let other = Home::new(&world);
    let (result, events) = restore_at(&other, &folder, &fake);
    assert!(matches!(result, Err(RestoreError::Refused { reason: Reason::DeviceCopied, url: Some(_), .. })));
    let told = events.milestones();
    assert!((0..2).all(|number| told.contains(&refused(number, Reason::DeviceCopied))), "{told:?}");
    assert!(told.contains(&page(Reason::DeviceCopied)) && !told.contains(&Event::BackupRestoreBegin));
}

#[test]
fn a_license_that_can_be_revoked_does_not_go_into_another_store_without_the_service() {
    let world = World::new();
    let home = Home::new(&world);
    let revocable = Policy { revocation_key: Some(SignerId::new([7; 32])), ..world.policy(kid(5)) };
    home.acquire(&[world.policy(kid(0)), revocable.clone()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let (fresh, fake) = (home.without_store(), Fake::new(&world));
    let (alone, events) = restored(&fresh, folder.path());
    let alone = alone.unwrap();
    assert!(!events.all().contains(&Event::Disconnecting), "nobody was asked");
    assert_eq!((alone.restored, alone.left_out.len(), alone.left_out[0].kid), (1, 1, kid(5)));
    assert_eq!(restore_at(&fresh, &folder, &fake).0.unwrap().restored, 2);
    assert_eq!(fake.asked(), [revocable.lid]);
    // The store that it was backed up from knows what was revoked.
    assert_eq!(restored(&home, folder.path()).0.unwrap().restored, 2);
}

/// The length of the log of answered requests while a restore tells that it begins to go in.
fn logged(home: &Home<'_>, folder: &TempDir, fake: &Fake<'_>) -> u64 {
    let (log, length) = (home.path().join("restore.chunks"), Arc::new(Mutex::new(None)));
    let seen = Arc::clone(&length);
    let context = Events::default().context(move |event| {
        if *event == Event::BackupRestoreBegin {
            *seen.lock().unwrap() = Some(std::fs::metadata(&log).unwrap().len());
        }
        false
    });
    restore_in(home, folder, fake, &context).unwrap();
    let length = *length.lock().unwrap();
    length.unwrap()
}

#[test]
fn only_what_was_granted_wholly_need_not_be_asked_for_again_after_a_crash() {
    let world = World::new();
    let policies = plain(&world, 0..3);
    let folder = backup_of(&world, &policies);
    let fake = Fake::new(&world);
    assert!(logged(&Home::new(&world), &folder, &fake) > 0);
    fake.fill(policies[1].lid);
    let other = Home::new(&world);
    assert_eq!(logged(&other, &folder, &fake), 0);
    assert_eq!(other.client.store.license_count().unwrap(), 2);
}

#[test]
fn a_restore_tells_its_last_progress_once() {
    let world = World::new();
    let folder = backup_of(&world, &plain(&world, 0..4));
    let (_, events) = restore_at(&Home::new(&world), &folder, &Fake::new(&world));
    let last = Event::Progress(Progress { done: 4, total: 4 });
    assert_eq!(events.all().last(), Some(&last));
}

/// A backup of another device of the desk's owner.
fn of_another_device(desk: &Desk) -> (TempDir, Vec<Policy>) {
    let policies = vec![desk.world.policy(kid(0)), counted(&desk.world, 1)];
    (backup_of(&desk.world, &policies), policies)
}

fn restore_at_desk(desk: &Desk, folder: &TempDir, individualize: bool) -> Result<Restored, RestoreError> {
    restore(&desk.client, &desk.settings, folder.path(), individualize, &desk.context())
}

fn paths(desk: &Desk) -> Vec<String> {
    desk.service.posts().into_iter().map(|post| post.path).collect()
}

/// Opens the section that is asked about.
fn unlocked(shared: &Shared, post: &Post) -> Vec<u8> {
    let Body::RestorePreview { source, .. } = &post.request.body else { panic!("{}", post.path) };
    let ticket = source.ticket.open_as_service(&shared.world.backup_key, source.backup_id, source.section).unwrap();
    let (answer, keys) = shared.answer_for(post);
    let unlock = Unlock { backup_id: source.backup_id, section: source.section, key: &ticket.keys.meta };
    let key = &shared.world.management.key;
    seal(answer, shared.device_id(&keys), &keys, &[], Some(&unlock), &Beside::default(), key).unwrap()
}

/// Grants all that is asked for.
fn granted(shared: &Shared, post: &Post) -> Vec<u8> {
    let Body::Restore { source, batches, .. } = &post.request.body else { panic!("{}", post.path) };
    let ticket = source.ticket.open_as_service(&shared.world.backup_key, source.backup_id, source.section).unwrap();
    let content = ContentKeys::of(&ticket.keys.content);
    let grant = |sent: SentLicense| {
        let policy = Policy::decode(&sent.license().policy).unwrap();
        let (key, state) = (sent.open(policy.kind, &content).unwrap(), sent.state().cloned());
        Grant { policy: sent.into_license().policy, key, state }
    };
    let sent = batches.iter().flat_map(|batch| batch.licenses(&content).unwrap());
    let grants: Vec<Grant> = sent.map(grant).collect();
    let (answer, keys) = shared.answer_for(post);
    let key = &shared.world.management.key;
    seal(answer, shared.device_id(&keys), &keys, &grants, None, &Beside::default(), key).unwrap()
}

#[test]
fn a_restore_over_the_network_is_one_transaction_and_keeps_the_epoch_that_it_is_told() {
    let desk = Desk::certified();
    let (folder, policies) = of_another_device(&desk);
    let epoch = Some(Epoch::new([5; 16]));
    *desk.service.epoch.lock().unwrap() = epoch;
    desk.service.then_answer(unlocked);
    desk.service.then_answer(granted);
    assert_eq!(restore_at_desk(&desk, &folder, true).unwrap().restored, 2);
    assert!(policies.iter().all(|policy| opens(&desk.client.store, policy)));
    let mut told = desk.events();
    told.retain(|event| matches!(event, Event::Connecting | Event::Disconnecting | Event::BackupRestoreBegin));
    assert_eq!(told, [Event::Connecting, Event::Disconnecting, Event::BackupRestoreBegin]);
    assert_eq!(paths(&desk), ["/v1/individualize", "/v1/restores/preview", "/v1/restores"]);
    let posts = desk.service.posts();
    let [_, first, second] = &posts[..] else { panic!("three requests") };
    assert_eq!(first.request.transaction, second.request.transaction);
    assert_eq!((first.request.page, second.request.page), (0, 1));
    assert_eq!((first.request.epoch, second.request.epoch), (None, epoch));
}

#[test]
fn a_device_without_a_certificate_asks_for_one_only_when_it_is_told_to() {
    let desk = Desk::new();
    let (folder, _) = of_another_device(&desk);
    let result = restore_at_desk(&desk, &folder, false);
    assert!(matches!(result, Err(RestoreError::Service(SessionError::NeedsIndividualization))), "{result:?}");
    assert_eq!(desk.service.contacts(), 0);
    desk.service.then(Step::Problem(ProblemKind::Unavailable));
    let result = restore_at_desk(&desk, &folder, true);
    assert!(matches!(result, Err(RestoreError::Individualize(IndividualizeError::Service(_)))), "{result:?}");
    assert!(desk.events().iter().any(|event| matches!(event, Event::IndividualizeFailed(_))));
    desk.service.then_answer(Shared::answer);
    desk.service.then_answer(unlocked);
    desk.service.then_answer(granted);
    assert_eq!(restore_at_desk(&desk, &folder, true).unwrap().restored, 2);
    assert_eq!(paths(&desk)[1..], ["/v1/individualize", "/v1/restores/preview", "/v1/restores"]);
}

#[test]
fn without_the_name_of_a_service_nobody_is_asked() {
    let mut desk = Desk::certified();
    let (folder, _) = of_another_device(&desk);
    desk.settings.service_url = None;
    let result = restore_at_desk(&desk, &folder, false);
    assert!(matches!(result, Err(RestoreError::Service(SessionError::NoService))), "{result:?}");
    assert!(!desk.events().contains(&Event::Connecting));
}
