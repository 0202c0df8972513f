//! Checking, mending and clearing the store: what is damaged is found and taken out, nothing else is touched, and no repair
//! gives a right back.

mod pages;

use rusqlite::Connection;
use std::sync::{Arc, Mutex};
use wmlicense_core::event::LicenseFault;
use wmlicense_core::event::{Event, Flow};
use wmlicense_core::operation::Context;
use wmlicense_core::store::{FILE_NAME, Repair};
use wmlicense_core::store_keeper::{CheckError, Checked, check, clean};
use wmlicense_testkit::home::Home;
use wmlicense_testkit::place::{backed_up, restored};
use wmlicense_testkit::tamper::{self, Kept};
use wmlicense_testkit::{NOW, World, content_key, kid};
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{Conditions, Policy};

const DAY: i64 = 86_400;

fn sql(home: &Home<'_>) -> Connection {
    Connection::open(home.path().join(FILE_NAME)).unwrap()
}

/// Checks the store and gives the damaged licenses that were told as well.
fn look(home: &Home<'_>, repair: bool) -> (Result<Checked, CheckError>, Vec<(Kid, LicenseFault)>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let context = Context::inline(None, move |event| {
        if let Event::DamagedLicense { kid, fault } = event {
            sink.lock().unwrap().push((*kid, *fault));
        }
        Flow::Continue
    });
    let result = check(&home.client, repair, &context);
    let told = told.lock().unwrap().clone();
    (result, told)
}

fn three(world: &World) -> (Home<'_>, Vec<Policy>) {
    let home = Home::new(world);
    let policies: Vec<_> = (1..=3).map(|number| world.policy(kid(number))).collect();
    home.acquire(&policies).unwrap();
    (home, policies)
}

fn counted(world: &World, number: u64) -> Policy {
    // The same first byte puts all of them into one bucket.
    let mut lid = *Lid::random().unwrap().as_bytes();
    lid[0] = 0x77;
    let conditions = Conditions { count: Some(5), ..Conditions::default() };
    Policy { lid: Lid::new(lid), ..world.policy_with(kid(number), conditions) }
}

fn left(home: &Home<'_>, kid: Kid) -> Option<u32> {
    home.client.store.licenses(kid).unwrap()[0].state.as_ref().and_then(|state| state.actions["Play"].counts_left)
}

fn opens(home: &Home<'_>, kid: Kid) -> bool {
    let store = &home.client.store;
    let licenses = store.licenses(kid).unwrap();
    licenses.iter().any(|license| store.unwrap_key(license).is_ok_and(|key| key.as_bytes() == content_key(kid)))
}

#[test]
fn a_sound_store_is_found_sound_and_a_repair_of_it_changes_nothing() {
    let world = World::new();
    let (home, _) = three(&world);
    let id = home.client.store.id().unwrap();
    let sound = Checked { licenses: 3, ..Checked::default() };
    assert_eq!(look(&home, false).0.unwrap(), sound);
    assert_eq!(look(&home, true).0.unwrap(), sound);
    assert_eq!(home.client.store.id().unwrap(), id);
}

#[test]
fn each_kind_of_damage_to_one_license_is_found_and_only_that_license_is_taken_out() {
    type Damage = fn(&mut Vec<Kept>);
    let damages: [(&str, Damage, Kid, LicenseFault); 6] = [
        ("no policy", |page| page[1].policy = vec![0xa0], Kid::new([0; 16]), LicenseFault::Unreadable),
        ("no binding", |page| page[1].binding = vec![0; 40], kid(2), LicenseFault::Unreadable),
        ("another's binding", |page| page[1].binding = page[0].binding.clone(), kid(2), LicenseFault::Unreadable),
        ("another key", |page| page[1].wrapped.fill(0), kid(2), LicenseFault::KeyLost),
        ("another's key", |page| page[1].wrapped = page[0].wrapped.clone(), kid(2), LicenseFault::KeyLost),
        (
            "a place that the batch has not",
            |page| {
                let mut moved = page.remove(1);
                moved.index = 7;
                page.push(moved)
            },
            kid(2),
            LicenseFault::NotSigned,
        ),
    ];
    for (damage, change, told_kid, fault) in damages {
        let world = World::new();
        let (home, policies) = three(&world);
        tamper::change_page(&sql(&home), kid(2), change);
        let (result, told) = look(&home, false);
        assert!(matches!(result, Err(CheckError::Licenses(1))), "{damage}");
        assert_eq!(told, [(told_kid, fault)], "{damage}");
        assert_eq!(home.client.store.license_count().unwrap(), 3, "a check changes nothing");

        let (result, told) = look(&home, true);
        let repair = Repair { quarantined: 1, used_up: 0 };
        assert_eq!(result.unwrap(), Checked { licenses: 3, repair, repaired: true });
        assert_eq!(told.len(), 1);
        assert_eq!(home.client.store.quarantined().unwrap(), 1);
        assert!(opens(&home, kid(1)) && opens(&home, kid(3)));
        assert!(home.client.store.licenses(kid(2)).unwrap().is_empty());
        assert!(look(&home, false).0.is_ok());
        home.acquire_at(&policies[1..2], NOW + 5).unwrap();
        assert!(opens(&home, kid(2)), "what was taken out can be acquired anew");
    }
}

#[test]
fn a_batch_whose_signature_does_not_verify_loses_its_licenses_and_no_other() {
    let world = World::new();
    let (home, _) = three(&world);
    home.acquire(&[world.policy(kid(9))]).unwrap();
    let first = "UPDATE batch SET signed = (SELECT signed FROM batch ORDER BY id DESC LIMIT 1) WHERE id = 1";
    assert_eq!(sql(&home).execute(first, []).unwrap(), 1);
    let (result, told) = look(&home, true);
    assert_eq!(result.unwrap().repair.quarantined, 3);
    assert!(told.iter().all(|(_, fault)| *fault == LicenseFault::NotSigned));
    assert!(opens(&home, kid(9)));
}

#[test]
fn a_batch_whose_signature_was_changed_and_nothing_else_loses_its_licenses() {
    let world = World::new();
    let (home, _) = three(&world);
    // The signature is what a signed answer ends with.
    let changed = "UPDATE batch SET signed = CAST(substr(signed, 1, length(signed) - 1)
        || CASE substr(signed, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB) WHERE id = 1";
    assert_eq!(sql(&home).execute(changed, []).unwrap(), 1);
    let (result, told) = look(&home, false);
    assert!(matches!(result, Err(CheckError::Licenses(3))));
    assert!(told.iter().all(|(_, fault)| *fault == LicenseFault::NotSigned));
}

#[test]
fn a_license_that_lost_its_state_is_found() {
    let world = World::new();
    let home = Home::new(&world);
    let policy = counted(&world, 1);
    home.acquire(&[policy.clone(), counted(&world, 2)]).unwrap();
    let lost = "UPDATE state SET content = x'a0' WHERE lid = ?1";
    assert_eq!(sql(&home).execute(lost, [policy.lid.as_bytes()]).unwrap(), 1);
    let (result, told) = look(&home, false);
    assert!(matches!(result, Err(CheckError::Changed)), "{result:?}");
    assert_eq!(told, [(kid(1), LicenseFault::StateLost)]);
}

#[test]
fn an_index_that_lost_an_entry_is_made_anew() {
    let world = World::new();
    let (home, _) = three(&world);
    let database = sql(&home);
    database.execute("INSERT INTO removed VALUES (x'01', x'02', x'03', x'04')", []).unwrap();
    // The index is told to be another one, which leaves its entries where they do not belong.
    database
        .execute_batch(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE INDEX removed_kid ON removed (lid)' WHERE name = 'removed_kid';
             PRAGMA writable_schema = OFF;",
        )
        .unwrap();
    drop(database);
    let home = home.again();
    assert!(matches!(look(&home, false).0, Err(CheckError::Database(_))));
    assert!(look(&home, true).0.unwrap().repaired);
    assert!(look(&home, false).0.is_ok());
}

#[test]
fn a_state_row_that_is_put_back_makes_the_licenses_of_its_bucket_used_up() {
    let world = World::new();
    let home = Home::new(&world);
    let (one, other, apart) = (counted(&world, 1), counted(&world, 2), world.policy(kid(3)));
    home.acquire(&[one.clone(), other.clone(), apart]).unwrap();
    let database = sql(&home);
    let row: (Vec<u8>, Vec<u8>) = database
        .query_row("SELECT content, mac FROM state WHERE lid = ?1", [one.lid.as_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    spend(&home, one.lid);
    database
        .execute("UPDATE state SET content = ?2, mac = ?3 WHERE lid = ?1", (one.lid.as_bytes(), &row.0, &row.1))
        .unwrap();
    assert!(matches!(look(&home, false).0, Err(CheckError::Changed)));
    let id = home.client.store.id().unwrap();
    assert_eq!(look(&home, true).0.unwrap().repair.used_up, 2);
    assert_eq!((left(&home, kid(1)), left(&home, kid(2))), (Some(0), Some(0)));
    assert!(opens(&home, kid(3)));
    assert!(look(&home, false).0.is_ok());
    assert_ne!(home.client.store.id().unwrap(), id, "backups made before are another store's");
}

#[test]
fn a_repair_makes_no_count_and_no_removed_license_come_back() {
    let world = World::new();
    for damage in [
        "UPDATE state SET mac = zeroblob(32)",
        "UPDATE state SET content = x'a0'",
        "DELETE FROM state",
        "UPDATE tombstone SET content = x'80'",
    ] {
        let home = Home::new(&world);
        let (one, gone) = (counted(&world, 1), counted(&world, 2));
        home.acquire(&[one.clone(), gone.clone()]).unwrap();
        spend(&home, one.lid);
        home.import(home.receive_withdrawing(vec![gone.lid])).unwrap();
        sql(&home).execute(damage, []).unwrap();
        let (result, _) = look(&home, true);
        assert!(result.unwrap().repaired, "{damage}");
        assert!(look(&home, false).0.is_ok(), "{damage}");
        let report = home.acquire_at(&[one.clone(), gone.clone()], NOW + 5).unwrap();
        assert!(left(&home, one.kid).is_none_or(|left| left < 5), "{damage}");
        if !damage.starts_with("DELETE") {
            assert!(report.forbidden >= 1, "{damage}: the removed one stays away");
        }
    }
}

#[test]
fn a_deleted_license_of_which_nobody_can_say_what_was_used_does_not_come_back() {
    let world = World::new();
    let home = Home::new(&world);
    let (used, other) = (counted(&world, 1), counted(&world, 2));
    home.acquire(&[used.clone(), other.clone()]).unwrap();
    spend(&home, used.lid);
    home.client.store.delete(kid(1)).unwrap();
    sql(&home).execute("UPDATE state SET mac = zeroblob(32) WHERE lid = ?1", [used.lid.as_bytes()]).unwrap();
    assert_eq!(look(&home, true).0.unwrap().repair, Repair { quarantined: 0, used_up: 1 });
    let report = home.acquire_at(&[used, other], NOW + 5).unwrap();
    assert_eq!((report.stored, report.forbidden), (1, 1));
    assert!(home.client.store.licenses(kid(1)).unwrap().is_empty());
    assert_eq!(left(&home, kid(2)), Some(0));
}

#[test]
fn each_license_whose_state_is_gone_counts_as_used_up_and_is_counted_once() {
    let world = World::new();
    for damage in ["DELETE FROM state", "UPDATE state SET mac = zeroblob(32)"] {
        let home = Home::new(&world);
        // One that counts nothing is in the same bucket.
        let plain = Policy { lid: counted(&world, 3).lid, ..world.policy(kid(3)) };
        home.acquire(&[counted(&world, 1), counted(&world, 2), plain]).unwrap();
        sql(&home).execute(damage, []).unwrap();
        assert_eq!(look(&home, true).0.unwrap().repair, Repair { quarantined: 0, used_up: 2 }, "{damage}");
        assert_eq!((left(&home, kid(1)), left(&home, kid(2))), (Some(0), Some(0)), "{damage}");
        assert!(opens(&home, kid(3)));
    }
}

#[test]
fn the_first_and_the_last_bucket_are_looked_at_as_well() {
    let world = World::new();
    for first in [0, u8::MAX] {
        let home = Home::new(&world);
        let mut lid = *Lid::random().unwrap().as_bytes();
        lid[0] = first;
        home.acquire(&[Policy { lid: Lid::new(lid), ..counted(&world, 1) }]).unwrap();
        sql(&home).execute("DELETE FROM state", []).unwrap();
        assert!(matches!(look(&home, false).0, Err(CheckError::Changed)), "{first}");
        assert_eq!(look(&home, true).0.unwrap().repair.used_up, 1, "{first}");
        assert!(look(&home, false).0.is_ok(), "{first}");
    }
}

#[test]
fn a_backup_made_before_a_repair_of_changed_rows_is_not_taken_offline_where_it_counts() {
    let world = World::new();
    let home = Home::new(&world);
    let one = Policy { backup: wmlicense_wire::policy::BackupRight::Stateful, ..counted(&world, 1) };
    home.acquire(std::slice::from_ref(&one)).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    spend(&home, one.lid);
    let database = sql(&home);
    database.execute("DELETE FROM state", []).unwrap();
    tamper::empty(&database);
    look(&home, true).0.unwrap();
    assert!(restored(&home, place.path()).0.is_err(), "only the service knows what is left of it");
}

#[test]
fn clearing_removes_what_is_over_and_keeps_what_was_used_known() {
    let world = World::new();
    let home = Home::new(&world);
    let ended = |number, end| {
        let conditions = Conditions { not_after: Some(end), ..Conditions::default() };
        world.policy_with(kid(number), conditions)
    };
    let used = counted(&world, 4);
    home.acquire(&[ended(1, NOW - 31 * DAY), ended(2, NOW - DAY), world.policy(kid(3)), used.clone()]).unwrap();
    for _ in 0..5 {
        spend(&home, used.lid);
    }
    let context = Context::inline(None, |_| Flow::Continue);
    assert_eq!(clean(&home.client, &context).unwrap().removed, 2);
    assert_eq!(home.client.store.license_count().unwrap(), 2, "one that ended yesterday can still be renewed");
    home.acquire_at(std::slice::from_ref(&used), NOW + 5).unwrap();
    assert_eq!(left(&home, used.kid), Some(0));
    assert!(look(&home, false).0.is_ok());
}

#[test]
fn only_what_no_action_permits_any_more_is_over_and_only_after_its_month() {
    let world = World::new();
    let home = Home::new(&world);
    let ended = |end| Conditions { not_after: Some(end), ..Conditions::default() };
    let (over, month) = (ended(NOW - 31 * DAY), NOW - 30 * DAY);
    let of = |number, actions: &[(&str, Conditions)]| Policy {
        actions: actions.iter().map(|(name, conditions)| ((*name).to_owned(), conditions.clone())).collect(),
        ..world.policy(kid(number))
    };
    home.acquire(&[
        of(1, &[("Play", ended(month))]),
        of(2, &[("Play", ended(month + 1))]),
        of(3, &[("Copy", over.clone()), ("Play", over.clone())]),
        of(4, &[("Copy", over.clone()), ("Play", Conditions::default())]),
        of(5, &[("Copy", over), ("Play", Conditions { count: Some(1), ..Conditions::default() })]),
        of(6, &[]),
    ])
    .unwrap();
    let context = || Context::inline(None, |_| Flow::Continue);
    assert_eq!(clean(&home.client, &context()).unwrap().removed, 2);
    let left = |number| home.client.store.licenses(kid(number)).unwrap().len();
    assert_eq!([1, 2, 3, 4, 5, 6].map(left), [0, 1, 0, 1, 1, 1]);
    spend(&home, home.client.store.licenses(kid(5)).unwrap()[0].policy.lid);
    assert_eq!(clean(&home.client, &context()).unwrap().removed, 1, "used up in one way and ended in the other");
    assert_eq!(left(5), 0);
}

#[test]
fn clearing_gives_room_back_to_the_file_system() {
    let world = World::new();
    let home = Home::new(&world);
    let end = Some(NOW - 31 * DAY);
    let policies: Vec<_> = (0..2000)
        .map(|number| world.policy_with(kid(number), Conditions { not_after: end, ..Conditions::default() }))
        .collect();
    home.acquire(&policies).unwrap();
    let size = || std::fs::metadata(home.path().join(FILE_NAME)).unwrap().len();
    let context = Context::inline(None, |_| Flow::Continue);
    assert_eq!(clean(&home.client, &context).unwrap().removed, 2000);
    assert!(size() < 300_000, "{} bytes", size());
}

fn spend(home: &Home<'_>, lid: Lid) {
    home.client
        .store
        .change_state(lid, &mut |_, state: &State| {
            let mut next = state.clone();
            let play = next.actions.get_mut("Play").unwrap();
            play.counts_left = play.counts_left.map(|left| left - 1);
            Ok::<_, wmlicense_core::store::StoreError>(next)
        })
        .unwrap();
}
