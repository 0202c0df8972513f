//! Looking at a backup: what a restore would do is told license by license, and nothing is done.

use super::super::preview::run;
use super::*;
use crate::backup::fixture::{backup_under, batch};
use crate::test_support::TestDevice;
use crate::verbs::restore::{Preview, Verdict, Verified, verify};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::SectionKeys;
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::SigningKey;

fn look(home: &Home<'_>, folder: &TempDir, fake: &Fake<'_>) -> (Result<Preview, RestoreError>, Vec<Verdict>, Events) {
    let events = Events::default();
    let context = events.context(|_| false);
    let result = run(&home.client, folder.path(), &|| fake.connect(home, &context), &context);
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

/// The device of a home, as the maker of backups that need no store.
fn device_of(home: &Home<'_>) -> TestDevice {
    let identity = home.identity();
    let hpke = identity.hpke.to_bytes();
    TestDevice {
        device_id: home.device_id,
        signing: SigningKey::from_seed(identity.signing.seed()).unwrap(),
        hpke: HpkePrivateKey::from_bytes(Suite::XWing, &hpke).unwrap(),
        keys: identity.keys.clone(),
    }
}

#[test]
fn a_backup_whose_keys_do_not_open_is_not_whole_although_every_byte_is_as_it_was_signed() {
    let world = World::new();
    let home = Home::new(&world);
    let device = device_of(&home);
    let folder = tempfile::tempdir().unwrap();
    let verified = |change: fn(&mut SectionKeys)| {
        let bytes = backup_under(&world, &device, &[vec![batch(&world, &device, 0..3)]], change);
        std::fs::write(folder.path().join(FILE_NAME), bytes).unwrap();
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
