//! What every connection to the database has, how many are held, and how long the log becomes.

use super::super::connection::Pool;
use super::super::{schema, still};
use super::*;
use crate::logging::{Level, LogSink};
use rusqlite::config::DbConfig;

fn length(room: &Room, suffix: &str) -> u64 {
    let name = format!("{FILE_NAME}{suffix}");
    std::fs::metadata(room.folder.path().join(name)).map_or(0, |found| found.len())
}

#[test]
fn every_connection_waits_for_the_disk_and_keeps_its_plans() {
    let room = Room::new();
    let look = |connection: &mut rusqlite::Connection| {
        let pragma =
            |name: &str| -> i64 { connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap() };
        assert_eq!(pragma("synchronous"), 2, "a commit is on the disk when it returns");
        assert_eq!(pragma("mmap_size"), 1 << 30);
        assert!(connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG).unwrap());
        Ok::<_, StoreError>(())
    };
    room.store.inner.readers.with(look).unwrap();
    room.store.inner.with_writer(look).unwrap();
}

#[test]
fn connections_that_nobody_uses_are_held_up_to_a_bound() {
    fn nested(pool: &Pool, depth: usize) {
        let deeper = |_: &mut rusqlite::Connection| {
            if depth > 1 {
                nested(pool, depth - 1);
            }
            Ok::<_, StoreError>(())
        };
        pool.with(deeper).unwrap();
    }
    let room = Room::new();
    let pool = Pool::new(room.folder.path().join(FILE_NAME), Log::default());
    for (depth, held) in [(1, 1), (1, 1), (3, 3), (12, 8)] {
        nested(&pool, depth);
        assert_eq!(pool.held(), held, "after {depth} at once");
    }
}

#[test]
fn a_long_log_is_copied_into_the_database_and_does_not_stay_long() {
    let room = Room::new();
    let document = vec![7; 40 << 20];
    room.store.save_service_document("a", &document[..16 << 20], (1, NOW)).unwrap();
    assert!(length(&room, "") < 16 << 20, "a short log waits");
    room.store.save_service_document("b", &document, (1, NOW)).unwrap();
    assert!(length(&room, "") > 40 << 20);
    room.store.set_title(kid(1), "A title").unwrap();
    assert!(length(&room, "-wal") <= 4 << 20);
    assert_eq!(room.store.service_document("b").unwrap().unwrap().len(), document.len());
}

#[test]
fn what_stands_under_the_names_of_the_database_and_is_no_file_is_refused() {
    let room = Room::new();
    let path = room.folder.path().join("other.db");
    assert!(still::check_files(&path).is_ok());
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let occupied = room.folder.path().join(format!("other.db{suffix}"));
        std::fs::create_dir(&occupied).unwrap();
        assert!(matches!(still::check_files(&path), Err(StoreError::Open(_))), "{suffix}");
        std::fs::remove_dir(occupied).unwrap();
    }
}

#[test]
fn a_database_that_is_written_meanwhile_is_another_one() {
    let room = Room::new();
    let path = room.folder.path().join(FILE_NAME);
    let stamp = || still::Stamp::of(&path);
    let before = stamp();
    assert!(before.is_some() && before == stamp());
    room.store.set_title(kid(1), "A title").unwrap();
    assert!(before != stamp());
    assert!(still::Stamp::of(&room.folder.path().join("missing")).is_none());
}

#[test]
fn a_store_is_read_as_it_lies_there_with_and_without_its_log() {
    let room = Room::new();
    room.store.set_title(kid(1), "in the log").unwrap();
    for with_log in [true, false] {
        // Characters that mean something in a URI.
        let folder = room.folder.path().join(format!("a copy?of={with_log}&100%#"));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join(FILE_NAME);
        if !with_log {
            room.sql().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
        for suffix in ["", "-wal"] {
            let of = |path: &Path| path.with_file_name(format!("{FILE_NAME}{suffix}"));
            std::fs::copy(of(&room.folder.path().join(FILE_NAME)), of(&path)).unwrap();
        }
        let (connection, stamp) = still::open(&path, &Log::default()).unwrap();
        let title: String = connection.query_row("SELECT title FROM title", [], |row| row.get(0)).unwrap();
        assert_eq!((title.as_str(), schema::version(&connection).unwrap()), ("in the log", schema::KNOWN));
        assert!(connection.execute("DELETE FROM title", []).is_err());
        assert!(connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG).unwrap());
        drop(connection);
        // Nothing was made beside it, and nothing written.
        assert!(still::Stamp::of(&path) == Some(stamp) && !folder.join(format!("{FILE_NAME}-shm")).exists());
    }
    assert!(still::open(&room.folder.path().join("missing"), &Log::default()).is_none());
    let (foreign, told) = (room.folder.path().join("foreign"), Arc::new(Told::default()));
    std::fs::write(&foreign, b"no database").unwrap();
    assert!(still::open(&foreign, &Log::to(told.clone())).is_none());
    assert_eq!(told.0.lock().unwrap().len(), 1, "why it is not read is told");
}

/// The records that are told.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl LogSink for Told {
    fn wants(&self, level: Level) -> bool {
        level == Level::Warn
    }

    fn record(&self, _: Level, target: &str, message: std::fmt::Arguments<'_>) {
        assert_eq!(target, crate::logging::target::STORE);
        self.0.lock().unwrap().push(message.to_string());
    }
}

#[test]
fn a_file_that_does_not_open_in_a_folder_that_can_be_used_says_what_the_database_said() {
    let explain = |path: &str, error| still::explain(Path::new(path), error);
    let said = || StoreError::Open("said".into());
    let room = Room::new();
    let here = room.folder.path().join("missing.db");
    for path in [here.to_str().unwrap(), "missing.db"] {
        assert!(matches!(explain(path, said()), StoreError::Open(text) if text == "said"), "{path}");
    }
    assert!(matches!(explain("/nowhere/missing.db", said()), StoreError::ReadOnly));
    // A file system without any room: whoever may write to it finds it full.
    assert!(matches!(explain("/proc/missing.db", said()), StoreError::Full | StoreError::ReadOnly));
    assert!(matches!(explain("/nowhere/missing.db", StoreError::Busy), StoreError::Busy));
}
