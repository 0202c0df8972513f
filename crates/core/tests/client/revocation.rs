//! Blobs and status lists that a device takes: whole or not at all, from whoever may send them, and not to be had back from a
//! backup. What a service does with the acknowledgement is not here.

use std::path::Path;
use std::sync::Arc;
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::decryptor::{Decryptor, UseError};
use wmlicense_core::license::Standing;
use wmlicense_core::revoke::{RevokeError, process};
use wmlicense_core::rights::{Application, Refusal};
use wmlicense_core::store::{NotTaken, StoreError};
use wmlicense_testkit::crash::{Fault, at_each_point, can_trace, copy, folder_of_child};
use wmlicense_testkit::home::Home;
use wmlicense_testkit::place::{backed_up, restored};
use wmlicense_testkit::{ManualClock, NOW, World, kid};
use wmlicense_wire::id::{DeviceId, Digest};
use wmlicense_wire::key::{DualSigningKey, KeyKind};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::{Acknowledgement, Entry, Revocation};
use wmlicense_wire::status_list::{Revoked, StatusList, application_id};

const NUMBER: u64 = NOW as u64;

/// Terms of a license that this key takes back.
fn revocable(world: &World, number: u64, key: &DualSigningKey) -> Policy {
    let revocation_key = Some(key.verifying_key().signer_id(KeyKind::Revocation));
    Policy { revocation_key, ..world.policy(kid(number)) }
}

/// A blob that takes these licenses back.
fn blob(number: u64, target: Option<DeviceId>, policies: &[&Policy], key: &DualSigningKey) -> Vec<u8> {
    let entries = policies.iter().map(|policy| Entry::License(policy.lid)).collect();
    Revocation { number, target, entries }.sign(key).unwrap()
}

fn status_list(world: &World, number: u64) -> (StatusList, Vec<u8>) {
    let list = StatusList {
        authority: world.pin(),
        next_update: NOW + 86_400,
        issued_at: NOW,
        number,
        services: Vec::new(),
        devices: Vec::new(),
        applications: Vec::new(),
    };
    let bytes = list.sign(&world.authority_key).unwrap();
    (list, bytes)
}

fn holds(home: &Home<'_>, policy: &Policy) -> bool {
    !home.client.store.licenses(policy.kid).unwrap().is_empty()
}

#[test]
fn a_backup_carries_what_was_revoked_to_another_store_of_the_device() {
    let (world, key) = (World::new(), DualSigningKey::generate().unwrap());
    let (home, taken, plain) = (Home::new(&world), revocable(&world, 1, &key), world.policy(kid(2)));
    home.acquire(&[taken.clone(), plain.clone()]).unwrap();
    let (before, lost, control) = (home.copied(), home.without_store(), home.without_store());
    assert_eq!(process(&home.client, &blob(NUMBER, Some(home.device_id), &[&taken], &key)).unwrap().removed, 1);
    let (list, bytes) = status_list(&world, NUMBER);
    home.client.store.take_status_list(&list, &bytes).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();

    // A copy of the store from before the revocation learns of it.
    assert!(holds(&before, &taken));
    assert_eq!(restored(&before, place.path()).0.unwrap().restored, 1);
    assert!(!holds(&before, &taken) && holds(&before, &plain));
    assert_eq!(before.client.store.status_number(world.pin()).unwrap(), Some(NUMBER));

    // So does one that never had the license, and leaves it out when it comes.
    assert_eq!(restored(&lost, place.path()).0.unwrap().restored, 1);
    assert_eq!(lost.client.store.status_list(world.pin()).unwrap(), Some(list));
    assert_eq!(lost.acquire(std::slice::from_ref(&taken)).unwrap().forbidden, 1);
    assert_eq!(control.acquire(std::slice::from_ref(&taken)).unwrap().stored, 1, "without the backup it comes");
    let older = process(&lost.client, &blob(NUMBER - 1, None, &[&taken], &key));
    assert!(matches!(older, Err(RevokeError::Older(NUMBER))), "{older:?}");

    // What is older than what is kept says less, and does not stop a restore.
    let newer = status_list(&world, NUMBER + 1);
    lost.client.store.take_status_list(&newer.0, &newer.1).unwrap();
    process(&lost.client, &blob(NUMBER + 1, None, &[&taken], &key)).unwrap();
    assert_eq!(restored(&lost, place.path()).0.unwrap().restored, 1);
    assert_eq!(lost.client.store.status_number(world.pin()).unwrap(), Some(NUMBER + 1));
    lost.client.store.check_integrity().unwrap();
}

#[test]
fn a_blob_that_is_not_this_device_s_newest_is_refused_and_takes_nothing() {
    let (world, key, other) = (World::new(), DualSigningKey::generate().unwrap(), DualSigningKey::generate().unwrap());
    let (home, first, second) = (Home::new(&world), revocable(&world, 1, &key), revocable(&world, 2, &key));
    home.acquire(&[first.clone(), second.clone()]).unwrap();
    let refused = |bytes: &[u8]| {
        let error = process(&home.client, bytes).unwrap_err();
        assert!(holds(&home, &second), "{error}");
        error
    };
    let good = blob(NUMBER, None, &[&first], &key);
    assert!(matches!(refused(&blob(NUMBER, None, &[&second], &other)), RevokeError::UnknownKey));
    let stranger = Some(DeviceId::new([9; 16]));
    assert!(matches!(refused(&blob(NUMBER, stranger, &[&second], &key)), RevokeError::OtherDevice));
    assert!(matches!(refused(&blob(NUMBER + 86_401, None, &[&second], &key)), RevokeError::Ahead));
    assert!(matches!(refused(&good[..good.len() - 1]), RevokeError::Malformed(_)));
    assert!(matches!(refused(&vec![0; (1 << 20) + 1]), RevokeError::TooLong));
    assert!(matches!(refused(&[]), RevokeError::Malformed(_)));
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert!(matches!(refused(&changed), RevokeError::NotSigned));
    let mut extended = good.clone();
    extended.push(0);
    assert!(matches!(refused(&extended), RevokeError::Malformed(_)));

    let taken = process(&home.client, &good).unwrap();
    assert_eq!((taken.removed, taken.number, holds(&home, &first)), (1, NUMBER, false));
    let again = process(&home.client, &good).unwrap();
    assert_eq!((again.removed, again.acknowledgement == taken.acknowledgement), (0, true));
    assert!(matches!(refused(&blob(NUMBER - 1, None, &[&second], &key)), RevokeError::Older(NUMBER)));
    assert!(matches!(refused(&blob(NUMBER, None, &[&first, &second], &key)), RevokeError::Conflict));
    let (home_keys, word) = (home.identity(), &taken.acknowledgement);
    let thumbprint = home_keys.keys.thumbprint();
    let document = Acknowledgement::parse(word).unwrap();
    let read_word = Acknowledgement::verify(document, &home_keys.keys.signing, thumbprint).unwrap();
    assert_eq!((read_word.number, read_word.removed, read_word.lids), (NUMBER, 1, vec![first.lid]));
    assert_eq!(read_word.blob, Digest::of(&good));
}

#[test]
fn a_status_list_never_goes_back() {
    let world = World::new();
    let home = Home::new(&world);
    let (list, bytes) = status_list(&world, NUMBER);
    home.client.store.take_status_list(&list, &bytes).unwrap();
    home.client.store.take_status_list(&list, &bytes).unwrap();
    let (older, older_bytes) = status_list(&world, NUMBER - 1);
    let result = home.client.store.take_status_list(&older, &older_bytes);
    assert!(matches!(result, Err(NotTaken::Older(NUMBER))), "{result:?}");
    let conflicting = StatusList { next_update: NOW + 1, ..list.clone() };
    let conflicting_bytes = conflicting.sign(&world.authority_key).unwrap();
    let result = home.client.store.take_status_list(&conflicting, &conflicting_bytes);
    assert!(matches!(result, Err(NotTaken::Conflict)), "{result:?}");
    assert_eq!(home.client.store.status_list(world.pin()).unwrap(), Some(list));
}

#[test]
fn what_the_store_s_rows_say_of_a_revoked_key_cannot_be_edited() {
    let world = World::new();
    let (home, policy) = (Home::new(&world), world.policy(kid(1)));
    home.acquire(std::slice::from_ref(&policy)).unwrap();
    let standing = || home.client.store.licenses(policy.kid).unwrap()[0].standing;
    let edit = |sql: &str| {
        let database = rusqlite::Connection::open(home.path().join("licenses.db")).unwrap();
        assert_eq!(database.execute(sql, []).unwrap(), 1, "{sql}");
    };
    edit("INSERT INTO standing (batch, revoked, vouched) SELECT id, 1, x'' FROM batch");
    assert_eq!(standing(), Standing::Good, "nothing was revoked");
    let (empty, _) = status_list(&world, NUMBER);
    let keep = |list: &StatusList| {
        home.client.store.take_status_list(list, &list.sign(&world.authority_key).unwrap()).unwrap();
    };
    keep(&empty);
    assert_eq!(standing(), Standing::Good);
    let before = rusqlite::Connection::open(home.path().join("licenses.db")).unwrap();
    before.execute_batch("CREATE TEMP TABLE before AS SELECT revoked, vouched FROM standing").unwrap();
    let device = Revoked { key: home.identity().keys.thumbprint(), from: 0 };
    keep(&StatusList { number: NUMBER + 1, devices: vec![device], ..empty.clone() });
    assert_eq!(standing(), Standing::DeviceRevoked);
    for sql in ["UPDATE standing SET revoked = 0", "UPDATE standing SET vouched = x''", "DELETE FROM standing"] {
        edit(sql);
        assert_eq!(standing(), Standing::DeviceRevoked, "{sql}");
    }
    let put_back = "INSERT INTO standing SELECT batch.id, revoked, vouched FROM batch, before";
    assert_eq!(before.execute(put_back, []).unwrap(), 1);
    assert_eq!(standing(), Standing::DeviceRevoked, "a row of an older list was put back");
    let signer = home.client.store.directory(world.pin()).unwrap().unwrap();
    let issuer = signer.services().iter().find(|service| service.service_id == world.issuer.id).unwrap().signer_id();
    keep(&StatusList { number: NUMBER + 2, services: vec![Revoked { key: issuer, from: NOW }], ..empty.clone() });
    assert_eq!(standing(), Standing::IssuerRevoked);
    keep(&StatusList { number: NUMBER + 3, ..empty });
    assert_eq!(standing(), Standing::Good, "the newest list counts");
}

#[test]
fn a_license_waits_for_the_list_that_it_demands_and_a_revoked_device_for_nothing() {
    let world = World::new();
    let home = Home::new(&world);
    let demanding = |number, minimum_status| Policy { minimum_status, ..world.policy(kid(number)) };
    home.acquire(&[demanding(1, Some(NUMBER)), demanding(2, Some(0)), demanding(3, None)]).unwrap();
    let standing = |number| home.client.store.licenses(kid(number)).unwrap()[0].standing;
    let keep = |list: StatusList| {
        home.client.store.take_status_list(&list, &list.sign(&world.authority_key).unwrap()).unwrap();
    };
    assert_eq!([standing(1), standing(2), standing(3)], [Standing::StatusListTooOld, Standing::Good, Standing::Good]);
    keep(status_list(&world, NUMBER - 1).0);
    assert_eq!(standing(1), Standing::StatusListTooOld);
    keep(status_list(&world, NUMBER).0);
    assert_eq!(standing(1), Standing::Good);
    home.acquire(&[demanding(4, Some(NUMBER + 9))]).unwrap();
    assert_eq!(standing(4), Standing::StatusListTooOld);
    // That the device was revoked no newer list takes away.
    let device = Revoked { key: home.identity().keys.thumbprint(), from: 0 };
    keep(StatusList { devices: vec![device], ..status_list(&world, NUMBER + 1).0 });
    assert_eq!([standing(1), standing(4)], [Standing::DeviceRevoked; 2]);
    home.acquire(&[demanding(5, None)]).unwrap();
    assert_eq!(standing(5), Standing::DeviceRevoked, "what comes later is bound to the same keys");
}

#[test]
fn a_kept_document_that_was_put_back_by_hand_is_not_believed() {
    let (world, key) = (World::new(), DualSigningKey::generate().unwrap());
    let (home, taken, other) = (Home::new(&world), revocable(&world, 1, &key), revocable(&world, 2, &key));
    home.acquire(std::slice::from_ref(&other)).unwrap();
    let database = rusqlite::Connection::open(home.path().join("licenses.db")).unwrap();
    let bytes = |table: &str| -> Vec<u8> {
        database.query_row(&format!("SELECT bytes FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    let put_back = |table: &str, bytes: &[u8]| {
        assert_eq!(database.execute(&format!("UPDATE {table} SET bytes = ?1"), [bytes]).unwrap(), 1);
    };
    let (list, signed) = status_list(&world, NUMBER);
    home.client.store.take_status_list(&list, &signed).unwrap();
    let device = Revoked { key: home.identity().keys.thumbprint(), from: 0 };
    let newer = StatusList { number: NUMBER + 1, devices: vec![device], ..list };
    home.client.store.take_status_list(&newer, &newer.sign(&world.authority_key).unwrap()).unwrap();
    let kept = bytes("status_list");
    put_back("status_list", &signed);
    database.execute("DELETE FROM standing", []).unwrap();
    assert!(matches!(home.client.store.licenses(kid(2)), Err(StoreError::Tampered)));
    put_back("status_list", &kept);
    assert_eq!(home.client.store.licenses(kid(2)).unwrap()[0].standing, Standing::DeviceRevoked);

    process(&home.client, &blob(NUMBER, None, &[], &key)).unwrap();
    let empty = bytes("revocation");
    process(&home.client, &blob(NUMBER + 1, None, &[&taken], &key)).unwrap();
    assert_eq!(home.acquire(std::slice::from_ref(&taken)).unwrap().forbidden, 1);
    put_back("revocation", &empty);
    assert!(matches!(home.acquire(std::slice::from_ref(&taken)), Err(StoreError::Tampered)));
    assert!(!holds(&home, &taken));
}

#[test]
fn an_application_that_the_newest_list_names_may_use_nothing_of_that_authority() {
    let world = World::new();
    let (home, policy) = (Home::new(&world), world.policy(kid(1)));
    home.acquire(std::slice::from_ref(&policy)).unwrap();
    let named = |id: &str| Application { id: Some(id.to_owned()), level: 0 };
    let use_by = |application: &Application| Decryptor::create(&home.client, policy.kid, "Play", application).map(drop);
    let refused = |id: &str| matches!(use_by(&named(id)), Err(UseError::Refused(Refusal::ApplicationRevoked)));
    let keep = |number: u64, applications: Vec<Revoked>| {
        let list = StatusList { applications, ..status_list(&world, number).0 };
        home.client.store.take_status_list(&list, &list.sign(&world.authority_key).unwrap()).unwrap();
    };
    assert!(!refused("Player"));
    keep(NUMBER, vec![Revoked { key: application_id("Player"), from: NOW }]);
    assert!(refused("Player") && !refused("Other Player"));
    use_by(&Application::default()).unwrap();
    home.clock.set(NOW - 3600);
    assert!(refused("Player"), "a clock that is set back does not help");
    home.clock.set(NOW);
    keep(NUMBER + 1, vec![Revoked { key: application_id("Player"), from: NOW + 60 }]);
    assert!(!refused("Player"), "the newest list counts, from its date on");
    home.clock.set(NOW + 60);
    assert!(refused("Player"));
}

/// Opens the store of a folder whose pin is in a file beside it.
fn open(base: &Path) -> Arc<Client> {
    let pin = Digest::from_slice(&std::fs::read(base.join("pin")).unwrap()).unwrap();
    let settings = OpenSettings { store_path: base.join("store"), authorities: vec![pin] };
    Client::open(&settings, ManualClock::at(NOW)).unwrap()
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_takes_a_blob() {
    let Some(base) = folder_of_child() else { return };
    process(&open(&base), &std::fs::read(base.join("blob")).unwrap()).unwrap();
}

#[test]
fn a_blob_is_taken_whole_or_not_at_all_and_acknowledged_the_same() {
    if !can_trace() {
        return;
    }
    let (world, key) = (World::new(), DualSigningKey::generate().unwrap());
    let home = Home::new(&world);
    let policies: Vec<_> = (0..20).map(|number| revocable(&world, number, &key)).collect();
    home.acquire(&policies).unwrap();
    let base = tempfile::tempdir().unwrap();
    let bytes = blob(NUMBER, None, &policies[..10].iter().collect::<Vec<_>>(), &key);
    std::fs::write(base.path().join("blob"), &bytes).unwrap();
    std::fs::write(base.path().join("pin"), world.pin().as_bytes()).unwrap();
    let folder = Arc::clone(&home.folder);
    drop(home);
    copy(folder.path(), &base.path().join("store"));
    let mut tried = 0;
    for (most, fault) in [(30, Fault::Kill), (10, Fault::Error("ENOSPC")), (10, Fault::Error("EIO"))] {
        tried += at_each_point(
            "revocation::child_takes_a_blob",
            base.path(),
            most,
            fault,
            &mut |folder, point, ended_well| {
                let client = open(folder);
                client.store.check_integrity().unwrap();
                let count = client.store.license_count().unwrap();
                assert!(count == 10 || count == 20 && !ended_well, "{count} licenses after {point:?}");
                let first = process(&client, &bytes).unwrap();
                assert_eq!((first.removed, client.store.license_count().unwrap()), (count - 10, 10), "after {point:?}");
                let document = Acknowledgement::parse(&first.acknowledgement).unwrap();
                let keys = &client.device.identity(client.authorities[0]).unwrap().keys;
                let word = Acknowledgement::verify(document, &keys.signing, keys.thumbprint()).unwrap();
                assert_eq!((word.removed, word.lids.len()), (10, 10), "after {point:?}");
                assert!(process(&client, &bytes).unwrap().acknowledgement == first.acknowledgement, "after {point:?}");
            },
        );
    }
    assert!(tried >= 20, "{tried} points");
}
