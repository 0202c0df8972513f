//! Rows changed, put back or taken away by hand are refused; files that are not a store, or not of this version, as well.

use rusqlite::Connection;
use std::path::Path;
use wmlicense_core::client::OpenError;
use wmlicense_core::clock::Clock as _;
use wmlicense_core::store::{FILE_NAME, StoreError};
use wmlicense_testkit::home::{Home, open};
use wmlicense_testkit::{NOW, World, kid, tamper};
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{Conditions, Policy};
use wmlicense_wire::status_list::StatusList;

fn counted(world: &World, number: u64) -> Policy {
    // The same first byte puts all of them into one bucket.
    let mut lid = *Lid::random().unwrap().as_bytes();
    lid[0] = 0x77;
    let conditions = Conditions { count: Some(5), ..Conditions::default() };
    Policy { lid: Lid::new(lid), ..world.policy_with(kid(number), conditions) }
}

fn use_once(home: &Home<'_>, lid: Lid) -> Result<(), StoreError> {
    let change = home.client.store.change_state(lid, &mut |_, state: &State| {
        let mut next = state.clone();
        let play = next.actions.get_mut("Play").unwrap();
        play.counts_left = play.counts_left.map(|left| left - 1);
        Ok::<_, StoreError>(next)
    });
    change.map(|_| ())
}

fn left(home: &Home<'_>, policy: &Policy) -> Option<u32> {
    let licenses = home.client.store.licenses(policy.kid).unwrap();
    licenses[0].state.as_ref().and_then(|state| state.actions["Play"].counts_left)
}

fn sql(home: &Home<'_>) -> Connection {
    Connection::open(home.path().join(FILE_NAME)).unwrap()
}

fn tampered(result: Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Tampered))
}

/// A store with two counted licenses of one bucket, the first used once.
fn home(world: &World) -> (Home<'_>, Policy, Policy) {
    let home = Home::new(world);
    let (one, other) = (counted(world, 1), counted(world, 2));
    home.acquire(&[one.clone(), other.clone()]).unwrap();
    use_once(&home, one.lid).unwrap();
    home.client.store.check_integrity().unwrap();
    (home, one, other)
}

#[test]
fn a_state_row_that_is_put_back_is_refused_at_the_next_use() {
    let world = World::new();
    let (home, one, other) = home(&world);
    let database = sql(&home);
    let row = |connection: &Connection| -> (Vec<u8>, Vec<u8>) {
        let select = "SELECT content, mac FROM state WHERE lid = ?1";
        connection.query_row(select, [one.lid.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let before = row(&database);
    use_once(&home, one.lid).unwrap();
    let update = "UPDATE state SET content = ?2, mac = ?3 WHERE lid = ?1";
    database.execute(update, (one.lid.as_bytes(), &before.0, &before.1)).unwrap();
    assert_eq!(left(&home, &one), Some(4), "the row proves itself, so only the bucket's sum shows it");
    assert!(tampered(use_once(&home, one.lid)));
    assert!(tampered(use_once(&home, other.lid)), "one bucket stands together");
    assert!(tampered(home.client.store.check_integrity()));
}

#[test]
fn an_edited_state_row_makes_its_license_unusable() {
    let world = World::new();
    let (home, one, _) = home(&world);
    let content = State::initial(&one).encode();
    sql(&home).execute("UPDATE state SET content = ?2 WHERE lid = ?1", (one.lid.as_bytes(), content)).unwrap();
    assert_eq!(left(&home, &one), None);
    assert!(tampered(use_once(&home, one.lid)));
}

#[test]
fn a_deleted_state_row_is_not_made_anew_by_another_import() {
    let world = World::new();
    let (home, one, _) = home(&world);
    sql(&home).execute("DELETE FROM state WHERE lid = ?1", [one.lid.as_bytes()]).unwrap();
    assert_eq!(left(&home, &one), None);
    home.acquire_at(std::slice::from_ref(&one), NOW + 5).unwrap();
    assert_eq!(left(&home, &one), None);
    assert!(tampered(use_once(&home, one.lid)));
}

#[test]
fn a_license_deleted_with_its_state_comes_back_but_cannot_be_used() {
    let world = World::new();
    let (home, one, _) = home(&world);
    let database = sql(&home);
    database.execute("DELETE FROM state WHERE lid = ?1", [one.lid.as_bytes()]).unwrap();
    tamper::change_page(&database, one.kid, |licenses| {
        licenses.retain(|kept| Policy::decode(&kept.policy).unwrap().lid != one.lid);
    });
    home.acquire_at(std::slice::from_ref(&one), NOW + 5).unwrap();
    assert!(tampered(use_once(&home, one.lid)));
}

#[test]
fn swapped_rows_are_refused() {
    let world = World::new();
    let (home, one, other) = home(&world);
    let swap = "UPDATE state SET (content, mac) = (SELECT content, mac FROM state WHERE lid = ?2) WHERE lid = ?1";
    sql(&home).execute(swap, (one.lid.as_bytes(), other.lid.as_bytes())).unwrap();
    assert_eq!(left(&home, &one), None);
    assert!(tampered(use_once(&home, one.lid)));
}

#[test]
fn a_removed_tombstone_shows() {
    let world = World::new();
    let (home, one, other) = home(&world);
    home.acquire(&[Policy { replaces: Some(one.lid), ..world.policy(kid(1)) }]).unwrap();
    home.client.store.check_integrity().unwrap();
    sql(&home).execute("DELETE FROM tombstone", []).unwrap();
    assert!(tampered(home.client.store.check_integrity()));
    assert!(tampered(use_once(&home, other.lid)));
}

#[test]
fn an_edited_head_is_refused_when_the_store_opens() {
    let world = World::new();
    for edit in [
        "UPDATE head SET mark = mark - 86400",
        "UPDATE head SET generation = generation - 1",
        "UPDATE head SET floors = x''",
        "UPDATE head SET buckets = zeroblob(512)",
        "UPDATE head SET provisional = 5",
        "DELETE FROM head",
    ] {
        let (home, ..) = home(&world);
        sql(&home).execute(edit, []).unwrap();
        let result = open(&world, home.path(), &home.clock);
        assert!(matches!(result, Err(OpenError::Store(StoreError::Tampered))), "{edit}");
    }
}

/// A store whose head remembers something in every column: a clock that jumped far ahead, or an anchor and a status list.
fn full_head<'w>(world: &'w World, column: &str) -> Home<'w> {
    let (home, ..) = home(world);
    let store = &home.client.store;
    if column == "provisional" {
        home.clock.set(NOW + 40 * 86_400);
        store.note_use().unwrap();
        return home;
    }
    home.clock.boot(1, 1000);
    let begun = home.clock.since_boot();
    store.note_anchor(world.issuer.id, NOW, begun).unwrap();
    store.note_contact(world.issuer.id, NOW).unwrap();
    let list = StatusList {
        authority: world.pin(),
        next_update: NOW + 86_400,
        issued_at: NOW,
        number: NOW as u64,
        services: Vec::new(),
        devices: Vec::new(),
        applications: Vec::new(),
    };
    store.take_status_list(&list, &list.sign(&world.authority_key).unwrap()).unwrap();
    home
}

#[test]
fn everything_that_the_head_remembers_is_under_its_code() {
    let world = World::new();
    for (column, other) in [
        ("anchors", "x''"),
        ("clock", "x''"),
        ("kept", "x''"),
        ("floors", "x''"),
        ("provisional", "NULL"),
        ("mark", "mark - 1"),
        ("generation", "generation + 1"),
        ("buckets", "zeroblob(512)"),
    ] {
        let home = full_head(&world, column);
        let edit = format!("UPDATE head SET {column} = {other} WHERE {column} IS NOT {other}");
        assert_eq!(sql(&home).execute(&edit, []).unwrap(), 1, "the head remembers nothing in {column}");
        let result = open(&world, home.path(), &home.clock);
        assert!(matches!(result, Err(OpenError::Store(StoreError::Tampered))), "{column}");
    }
}

#[test]
fn bytes_after_what_the_head_remembers_are_refused() {
    let world = World::new();
    for column in ["buckets", "kept", "floors", "anchors", "clock"] {
        let home = full_head(&world, column);
        let database = sql(&home);
        let select = format!("SELECT {column} FROM head");
        let mut bytes: Vec<u8> = database.query_row(&select, [], |row| row.get(0)).unwrap();
        bytes.push(0);
        database.execute(&format!("UPDATE head SET {column} = ?1"), [bytes]).unwrap();
        let result = open(&world, home.path(), &home.clock);
        assert!(matches!(result, Err(OpenError::Store(StoreError::Tampered))), "{column}");
    }
}

#[test]
fn edited_terms_do_not_open_the_key() {
    let world = World::new();
    let home = Home::new(&world);
    let policy = world.policy(kid(1));
    home.acquire(std::slice::from_ref(&policy)).unwrap();
    let longer = Policy { priority: 5, ..policy };
    tamper::change_license(&sql(&home), kid(1), |kept| kept.policy = longer.encode());
    let license = &home.client.store.licenses(kid(1)).unwrap()[0];
    assert!(matches!(home.client.store.unwrap_key(license), Err(StoreError::Damaged(_))));
}

fn open_error(home: &Home<'_>) -> StoreError {
    match open(home.world, home.path(), &home.clock) {
        Err(OpenError::Store(error)) => error,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the store opened"),
    }
}

/// Closes the client and gives the path of the database.
fn closed(home: &mut Home<'_>, other: &Home<'_>) -> std::path::PathBuf {
    home.client = other.client.clone();
    home.path().join(FILE_NAME)
}

#[test]
fn a_store_of_a_later_version_is_refused_and_left_alone() {
    let world = World::new();
    let (mut home, elsewhere) = (Home::new(&world), Home::new(&world));
    let path = closed(&mut home, &elsewhere);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(open_error(&home), StoreError::TooNew { found: 99, known: 4 }));
    let version: i64 = Connection::open(&path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[test]
fn files_that_are_not_a_license_store_are_refused_and_left_alone() {
    let world = World::new();
    let (mut home, elsewhere) = (Home::new(&world), Home::new(&world));
    let path = closed(&mut home, &elsewhere);
    std::fs::write(&path, vec![b'x'; 5000]).unwrap();
    assert!(matches!(open_error(&home), StoreError::Damaged(_)));
    assert_eq!(std::fs::read(&path).unwrap(), vec![b'x'; 5000]);
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE notes (text)").unwrap();
    let foreign = std::fs::read(&path).unwrap();
    assert!(matches!(open_error(&home), StoreError::Damaged(_)));
    assert!(std::fs::read(&path).unwrap() == foreign);
}

#[test]
fn a_database_damaged_anywhere_never_panics_and_never_gives_a_wrong_key() {
    let world = World::new();
    let (mut home, elsewhere) = (Home::new(&world), Home::new(&world));
    let policies: Vec<_> = (0..40).map(|n| world.policy(kid(n))).collect();
    home.acquire(&policies).unwrap();
    let path = closed(&mut home, &elsewhere);
    let whole = std::fs::read(&path).unwrap();
    for place in (0..whole.len()).step_by(997) {
        let mut damaged = whole.clone();
        damaged[place..(place + 16).min(whole.len())].fill(0xee);
        std::fs::write(&path, &damaged).unwrap();
        remove_log(&path);
        let Ok(client) = open(&world, home.path(), &home.clock) else { continue };
        for policy in &policies {
            for license in client.store.licenses(policy.kid).unwrap_or_default() {
                if let Ok(key) = client.store.unwrap_key(&license) {
                    assert_eq!(key.as_bytes(), wmlicense_testkit::content_key(license.policy.kid), "byte {place}");
                }
            }
        }
    }
}

fn remove_log(path: &Path) {
    for end in ["-wal", "-shm"] {
        let mut log = path.as_os_str().to_owned();
        log.push(end);
        std::fs::remove_file(log).ok();
    }
}

#[test]
fn a_store_cut_off_anywhere_or_without_its_log_gives_what_is_sound_or_says_so() {
    let world = World::new();
    let home = Home::new(&world);
    let policies: Vec<_> = (0..10).map(|n| world.policy(kid(n))).collect();
    home.acquire(&policies).unwrap();
    // What was acquired is in the log as long as the store is open: without it, the store of before is there.
    let (_folder, logless) = home.copied_without(|name| name.ends_with("-wal") || name.ends_with("-shm"));
    match logless {
        Ok(client) => assert!(client.store.license_count().is_ok_and(|count| count == 0 || count == 10)),
        Err(error) => assert!(matches!(error, OpenError::Store(StoreError::Damaged(_) | StoreError::OtherDevice))),
    }
    let (mut home, elsewhere) = (home, Home::new(&world));
    let path = closed(&mut home, &elsewhere);
    let whole = std::fs::read(&path).unwrap();
    for length in (1..whole.len()).step_by(2048).chain([whole.len() - 1]) {
        std::fs::write(&path, &whole[..length]).unwrap();
        remove_log(&path);
        let Ok(client) = open(&world, home.path(), &home.clock) else { continue };
        for policy in &policies {
            for license in client.store.licenses(policy.kid).unwrap_or_default() {
                if let Ok(key) = client.store.unwrap_key(&license) {
                    assert_eq!(key.as_bytes(), wmlicense_testkit::content_key(policy.kid), "{length} bytes");
                }
            }
        }
    }
}

#[test]
fn a_store_from_another_device_is_refused_and_left_alone() {
    let world = World::new();
    let (mut home, mut other) = (Home::new(&world), Home::new(&world));
    other.acquire(&[world.policy(kid(1))]).unwrap();
    let elsewhere = Home::new(&world);
    let (own, foreign) = (closed(&mut home, &elsewhere), closed(&mut other, &elsewhere));
    remove_log(&own);
    std::fs::copy(&foreign, &own).unwrap();
    assert!(matches!(open_error(&home), StoreError::OtherDevice));
    assert_eq!(std::fs::read(&own).unwrap(), std::fs::read(&foreign).unwrap());
}

#[test]
fn a_path_that_cannot_be_a_folder_is_told_apart_from_a_damaged_store() {
    let world = World::new();
    let home = Home::new(&world);
    let file = home.path().join("a file");
    std::fs::write(&file, b"").unwrap();
    assert!(matches!(open(&world, &file, &home.clock), Err(OpenError::Folder { .. })));
    assert!(matches!(open(&world, &file.join("below"), &home.clock), Err(OpenError::Folder { .. })));
    assert!(matches!(open(&world, &home.path().join("no/such"), &home.clock), Err(OpenError::Folder { .. })));
    std::fs::create_dir(home.path().join("occupied")).unwrap();
    std::fs::create_dir(home.path().join("occupied").join(FILE_NAME)).unwrap();
    let occupied = open(&world, &home.path().join("occupied"), &home.clock);
    assert!(matches!(occupied, Err(OpenError::Device(_))), "where a store is, keys must be");
}

#[test]
fn many_who_make_a_store_at_once_share_it() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let clock = wmlicense_testkit::ManualClock::at(NOW);
    let ids: Vec<_> = std::thread::scope(|scope| {
        let make = || open(&world, folder.path(), &clock).unwrap().store.id().unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
}
