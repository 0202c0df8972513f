//! Stores that earlier schemas wrote open in this version with everything in them. `data/store-N` was written with schema N:
//! a plain license with a title of the application's, one that was used once out of five times, and the tombstone of a third.
//! The one of schema 3 has more: see [`assert_all_of_schema_3`].

use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::event::Flow;
use wmlicense_core::operation::Context;
use wmlicense_core::store::FILE_NAME;
use wmlicense_core::store_keeper::check;
use wmlicense_testkit::crash::{Fault, at_each_point, can_trace, folder_of_child};
use wmlicense_testkit::{ManualClock, NOW, content_key, kid};
use wmlicense_wire::license::{ActionState, Binding, MAX_LEN, State};

fn stores() -> Vec<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let entries = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let stores: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("store-")).collect();
    assert!(!stores.is_empty());
    stores
}

fn copied(store: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(store).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    folder
}

fn open(folder: &Path) -> Arc<Client> {
    let settings = OpenSettings { store_path: folder.to_path_buf(), authorities: Vec::new() };
    Client::open(&settings, ManualClock::at(NOW)).unwrap()
}

fn schema(folder: &Path) -> i64 {
    let database = Connection::open(folder.join(FILE_NAME)).unwrap();
    database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// Licenses, counts, tombstones and titles are as they were written.
fn assert_whole(client: &Client) {
    let licenses = client.store.licenses(kid(1)).unwrap();
    assert_eq!(client.store.unwrap_key(&licenses[0]).unwrap().as_bytes(), content_key(kid(1)));
    assert_eq!(client.store.title(kid(1)).unwrap().as_deref(), Some("First title"));
    let counted = client.store.licenses(kid(2)).unwrap();
    assert_eq!(counted[0].state.as_ref().unwrap().actions["Play"].counts_left, Some(4));
    assert!(client.store.licenses(kid(3)).unwrap().is_empty());
    let context = Context::inline(None, |_| Flow::Continue);
    let licenses = client.store.license_count().unwrap();
    assert_eq!(check(client, false, &context).unwrap().licenses, licenses);
    assert!(licenses == 2 || licenses == OF_SCHEMA_3);
    if licenses == OF_SCHEMA_3 {
        assert_all_of_schema_3(client);
    }
}

/// Licenses of the store of schema 3.
const OF_SCHEMA_3: u64 = 46;

/// Licenses that may not be backed up, of an account, without a management service, and asked for with a recipe; one that was
/// deleted after a use, one in quarantine, one that waits to be given back, a request that waits, and a status list.
fn assert_all_of_schema_3(client: &Client) {
    let store = &client.store;
    for number in [4, 6, 7].into_iter().chain(100..140) {
        let licenses = store.licenses(kid(number)).unwrap();
        assert_eq!(store.unwrap_key(&licenses[0]).unwrap().as_bytes(), content_key(kid(number)), "{number}");
        let recipe = store.recipe(licenses[0].policy.lid).unwrap().unwrap();
        assert_eq!((recipe.url.as_str(), recipe.scope.as_deref()), ("https://recipe.test", Some("all")));
    }
    let counted = store.licenses(kid(5)).unwrap();
    assert_eq!(counted[0].state.as_ref().unwrap().actions["Play"].counts_left, Some(5));
    let plain = store.licenses(kid(1)).unwrap();
    let (authority, issuer) = (plain[0].authority, plain[0].policy.issuer);
    let used = store.usage(authority, issuer, &[kid(8)], 9).unwrap();
    assert_eq!(used[0].1.actions["Play"].counts_left, Some(4), "what was used of a deleted one");
    assert_eq!(store.quarantined().unwrap(), 1);
    assert_eq!(store.returns(authority, issuer, "https://back.test").unwrap().len(), 1);
    assert_eq!(store.pending_count().unwrap(), 2);
    assert_eq!(store.status_number(authority).unwrap(), Some(NOW as u64));
    let (snapshot, mut restricted) = (store.snapshot().unwrap(), Vec::new());
    assert_eq!(snapshot.sections().unwrap().len(), 3);
    snapshot
        .restricted(&mut |kid| {
            restricted.push(kid);
            Ok(())
        })
        .unwrap();
    assert_eq!(restricted.len(), 2);
}

#[test]
fn a_store_of_each_earlier_schema_opens_with_its_licenses_counts_tombstones_and_titles() {
    for store in stores() {
        let folder = copied(&store);
        let before = schema(folder.path());
        for _ in 0..2 {
            assert_whole(&open(folder.path()));
        }
        assert!(schema(folder.path()) > before, "{} was migrated", store.display());
    }
}

#[test]
fn a_migration_that_many_begin_at_once_happens_once() {
    for store in stores() {
        let folder = copied(&store);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| open(folder.path()).store.license_count())).collect();
            for thread in threads {
                assert!([2, OF_SCHEMA_3].contains(&thread.join().unwrap().unwrap()));
            }
        });
    }
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_migrates() {
    let Some(base) = folder_of_child() else { return };
    open(&base);
}

#[test]
fn a_migration_that_a_crash_or_the_disk_breaks_off_is_made_by_the_next_run() {
    if !can_trace() {
        return;
    }
    for store in stores() {
        let faults = [(Fault::Kill, 10), (Fault::Error("ENOSPC"), 4), (Fault::Error("EIO"), 4)];
        for (fault, most) in faults {
            let tried = at_each_point("migrations::child_migrates", &store, most, fault, &mut |folder, _, _| {
                assert_whole(&open(folder));
            });
            assert!(tried >= 3, "{tried} points");
        }
    }
}

#[test]
fn licenses_with_row_ids_at_the_ends_of_numbers_are_set_aside_and_the_migration_ends() {
    for store in stores() {
        for id in [i64::MIN, i64::MIN + 4096, -1, i64::MAX - 4096, i64::MAX] {
            let folder = copied(&store);
            let database = Connection::open(folder.path().join(FILE_NAME)).unwrap();
            let count = |table: &str| -> i64 {
                database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
            };
            let (licenses, first) =
                (count("license"), "UPDATE license SET id = ?1 WHERE id = (SELECT min(id) FROM license)");
            assert_eq!(database.execute(first, [id]).unwrap(), 1);
            drop(database);
            let client = open(folder.path());
            assert_eq!(client.store.license_count().unwrap() as i64, licenses - 1, "{}, {id}", store.display());
            let database = Connection::open(folder.path().join(FILE_NAME)).unwrap();
            let set_aside = "SELECT count(*) FROM quarantine WHERE license = ?1";
            assert_eq!(database.query_row(set_aside, [id], |row| row.get(0)), Ok(1), "{}, {id}", store.display());
            let context = Context::inline(None, |_| Flow::Continue);
            assert!(check(&client, false, &context).is_ok(), "{}, {id}", store.display());
        }
    }
}

#[test]
fn batches_with_numbers_that_were_never_given_out_keep_no_store_from_being_migrated() {
    for store in stores() {
        for id in [i64::MIN, -1, 1 << 38, i64::MAX] {
            let folder = copied(&store);
            let database = Connection::open(folder.path().join(FILE_NAME)).unwrap();
            let put =
                "INSERT INTO batch (id, at_rest, authority, signed) VALUES (?1, zeroblob(16), zeroblob(32), x'00')";
            assert_eq!(database.execute(put, [id]).unwrap(), 1);
            drop(database);
            assert_whole(&open(folder.path()));
        }
    }
}

#[test]
fn a_license_that_is_too_long_for_a_page_is_set_aside_and_the_others_are_migrated() {
    for store in stores() {
        let folder = copied(&store);
        let database = Connection::open(folder.path().join(FILE_NAME)).unwrap();
        let first = "SELECT id, binding, length(policy) FROM license ORDER BY id LIMIT 1";
        let (id, binding, policy): (i64, Vec<u8>, i64) =
            database.query_row(first, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let long = |length: usize| {
            let action = |number: usize| (format!("{number:0length$}"), ActionState::default());
            let state = State { actions: (0..32).map(action).collect() };
            Binding { state: Some(state), ..Binding::decode(&binding).unwrap() }.encode()
        };
        let fits = |binding: &Vec<u8>| binding.len() <= MAX_LEN && binding.len() + policy as usize > MAX_LEN;
        let binding = (1..300).map(long).find(fits).unwrap();
        assert!(Binding::decode(&binding).is_ok());
        database.execute("UPDATE license SET binding = ?2 WHERE id = ?1", (id, binding)).unwrap();
        drop(database);
        let client = open(folder.path());
        let database = Connection::open(folder.path().join(FILE_NAME)).unwrap();
        let set_aside = "SELECT count(*) FROM quarantine WHERE license = ?1 AND length(binding) > 4096";
        assert_eq!(database.query_row(set_aside, [id], |row| row.get(0)), Ok(1), "{}", store.display());
        let context = Context::inline(None, |_| Flow::Continue);
        assert!(check(&client, false, &context).is_ok(), "{}", store.display());
    }
}

/// What somebody did to an older store, and how it is undone.
const HALVES: [(&str, &str); 7] = [
    ("PRAGMA user_version = 4", "PRAGMA user_version = 3"),
    ("PRAGMA user_version = 5", "PRAGMA user_version = 3"),
    ("PRAGMA user_version = -1", "PRAGMA user_version = 3"),
    ("CREATE TABLE page (id INTEGER PRIMARY KEY)", "DROP TABLE page"),
    ("CREATE TABLE bucket (first INTEGER PRIMARY KEY)", "DROP TABLE bucket"),
    ("ALTER TABLE batch RENAME TO batch_3", "ALTER TABLE batch_3 RENAME TO batch"),
    ("ALTER TABLE license RENAME TO gone", "ALTER TABLE gone RENAME TO license"),
];

#[test]
fn a_store_that_is_half_of_one_schema_and_half_of_another_is_refused_and_stays_as_it_is() {
    let store = stores().into_iter().find(|store| schema(store) == 3).unwrap();
    for (half, back) in HALVES {
        let folder = copied(&store);
        let run = |sql: &str| Connection::open(folder.path().join(FILE_NAME)).unwrap().execute_batch(sql).unwrap();
        run(half);
        let settings = OpenSettings { store_path: folder.path().to_path_buf(), authorities: Vec::new() };
        for _ in 0..2 {
            assert!(Client::open(&settings, ManualClock::at(NOW)).is_err(), "{half}");
        }
        run(back);
        assert_whole(&open(folder.path()));
    }
}
