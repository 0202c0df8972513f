//! Looking at a backup: what a restore would do is told license by license, and nothing is done.

use super::*;
use std::io::Write as _;
use wmlicense_core::event::RestoreVerdict;
use wmlicense_core::restore::{Preview, Verified, verify};
use wmlicense_testkit::NOW;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::{Footer, Header, Item, SectionKeys, Ticket, section_context};
use wmlicense_wire::chunked::{Opener, Sealer};
use wmlicense_wire::id::Digest;

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
    let (result, verdicts, _) = look(&other, &folder, &fake);
    assert_eq!(result.unwrap(), Preview { restorable: 2, refused: 1, ..Preview::default() });
    assert_eq!(verdicts[1].title.as_deref(), Some("Second"));
    assert_eq!(verdicts[2].refusal, Some(Reason::LimitReached.into()));
    assert_eq!((verdicts[2].devices_used, verdicts[2].devices_limit), (4, 4));
    assert_eq!(fake.devices(policies[0].lid), 0);
    assert_eq!(other.client.store.license_count().unwrap(), 0);
    assert_eq!(fake.pages(), [0, 1], "one question for the section's key, one for its licenses");
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
    let refused: Vec<_> = verdicts.into_iter().filter_map(|verdict| Some((verdict.kid, verdict.refusal?))).collect();
    assert_eq!(refused, [(kid(9), Why::from(Reason::OtherAccount))]);
    assert!(events.all().contains(&page(Reason::OtherAccount)));
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
    let refused: Vec<_> = verdicts.into_iter().filter_map(|verdict| Some((verdict.kid, verdict.refusal?))).collect();
    assert_eq!(refused, [(kid(1), Why::from(Reason::Revoked))]);
    assert!(!events.all().contains(&Event::Connecting));
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

/// A backup of this device in which the ticket of the only section holds the keys that `change` makes, and nothing else is otherwise:
/// every byte is encrypted and signed as it should be.
fn under_other_keys(home: &Home<'_>, bytes: &[u8], change: fn(&mut SectionKeys)) -> Vec<u8> {
    let identity = home.identity();
    let begin = 12 + Header::body_len(bytes.first_chunk().unwrap()).unwrap();
    let mut header = Header::decode(&bytes[12..begin]).unwrap();
    let id = header.backup_id;
    let mut ticket = header.sections[0].device.open_as_device(&identity.hpke, id, 0).unwrap();
    let context = |front: &[u8]| section_context(0, Digest::of(front));
    let sealed = &bytes[begin + 8..];
    let mut opener = Opener::new(&ticket.keys.meta, &context(&bytes[..begin]), sealed, sealed.len() as u64).unwrap();
    let mut items = Vec::new();
    while !opener.at_end().unwrap() {
        let mut length = [0; 4];
        opener.read_up_to(&mut length).unwrap();
        let mut item = vec![0; u32::from_be_bytes(length) as usize];
        opener.read_up_to(&mut item).unwrap();
        items.push(item);
    }
    change(&mut ticket.keys);
    header.sections[0].device = Ticket::for_device(&identity.keys, id, 0, &ticket).unwrap();
    let front = header.encode();
    let Item::Footer(footer) = Item::decode(&items.pop().unwrap()).unwrap() else { panic!("no footer") };
    let thumbprint = identity.keys.thumbprint();
    let mut footer = Footer::verify(&footer, &identity.keys.signing, thumbprint).unwrap();
    footer.header_hash = Digest::of(&front);
    items.push(Item::Footer(footer.sign(&identity.signing, thumbprint).unwrap()).encode());
    let mut sealer = Sealer::new(&ticket.keys.meta, &context(&front), Vec::new()).unwrap();
    for item in items {
        sealer.write_all(&(item.len() as u32).to_be_bytes()).unwrap();
        sealer.write_all(&item).unwrap();
    }
    let sealed = sealer.finish().unwrap();
    [&front[..], &(sealed.len() as u64).to_be_bytes(), &sealed].concat()
}

#[test]
fn a_backup_whose_keys_do_not_open_is_not_whole_although_every_byte_is_as_it_was_signed() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..3)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let file = folder.path().join(FILE_NAME);
    let bytes = std::fs::read(&file).unwrap();
    let verified = |change: fn(&mut SectionKeys)| {
        std::fs::write(&file, under_other_keys(&home, &bytes, change)).unwrap();
        verify(&home.client, folder.path(), &Events::default().context(|_| false))
    };
    assert_eq!(verified(|_| {}).unwrap(), Verified { licenses: 3, closed_sections: 0 });
    let closed = verified(|keys| keys.content = SecretKey::random().unwrap());
    assert!(matches!(&closed, Err(RestoreError::Corrupt(why)) if why == "a record does not open"), "{closed:?}");
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
