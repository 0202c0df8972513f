//! Noticing commits to a store's database, by whatever process: the header of the index that SQLite keeps of the log in memory
//! which all processes share. Its form is part of SQLite's file format (<https://www.sqlite.org/walformat.html>, 2.1); a commit
//! writes it last.

use rusqlite::{Connection, ffi};
use std::ffi::{c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU32, Ordering, fence};
use wmlicense_core::store::{LastCommit, Watched};

/// Bytes of a piece of the index.
const PIECE: c_int = 32 << 10;
/// The only form of the header that there is.
const VERSION: u32 = 3_007_000;
/// Words of the header, which is there twice.
const WORDS: usize = size_of::<LastCommit>() / size_of::<u32>();

/// A connection with the index of its log.
struct LogIndex {
    /// Both copies, in memory of the connection.
    header: NonNull<[[AtomicU32; WORDS]; 2]>,
    /// Keeps the memory mapped as long as it is open.
    _connection: Connection,
}

// SAFETY: what the pointer leads to is read by any thread, and lives as long as the connection beside it, which moves along.
unsafe impl Send for LogIndex {}

impl Watched for LogIndex {
    fn last_commit(&self) -> Option<LastCommit> {
        // SAFETY: mapped and aligned until the connection closes; other processes write there in whole words.
        let [first, second] = unsafe { self.header.as_ref() };
        let read = |copy: &[AtomicU32; WORDS]| copy.each_ref().map(|word| word.load(Ordering::Relaxed));
        // A commit writes the second copy before the first one, so that one of them differs in the middle of it.
        let found = read(first);
        fence(Ordering::SeqCst);
        let is_whole = found == read(second);
        fence(Ordering::SeqCst);
        let [version, _, _, flags, ..] = found;
        let [is_made, ..] = flags.to_ne_bytes();
        (is_whole && version == VERSION && is_made == 1).then_some(found)
    }
}

/// Begins to watch the database of a connection. `None` where it has no log, or one that no other process sees.
pub(crate) fn watch(connection: Connection) -> Option<Box<dyn Watched>> {
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).ok()?;
    // Whoever has read has mapped the index.
    let _: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).ok()?;
    if mode != "wal" {
        return None;
    }
    let header = header_of(&connection)?;
    Some(Box::new(LogIndex { header, _connection: connection }))
}

/// The beginning of the index of a connection's log.
fn header_of(connection: &Connection) -> Option<NonNull<[[AtomicU32; WORDS]; 2]>> {
    let mut file: *mut ffi::sqlite3_file = null_mut();
    let mut piece: *mut c_void = null_mut();
    // SAFETY: the connection is open and used by nobody else meanwhile. It gives its own file, whose methods are asked for a piece that
    // the connection has mapped already, of the size that it has; nothing is made or made longer.
    unsafe {
        let database = c"main".as_ptr();
        let place = (&raw mut file).cast();
        let given = ffi::sqlite3_file_control(connection.handle(), database, ffi::SQLITE_FCNTL_FILE_POINTER, place);
        if given != ffi::SQLITE_OK {
            return None;
        }
        let methods = file.as_ref()?.pMethods.as_ref()?;
        let map = methods.xShmMap.filter(|_| methods.iVersion >= 2)?;
        if map(file, 0, PIECE, 0, (&raw mut piece).cast()) != ffi::SQLITE_OK {
            return None;
        }
    }
    NonNull::new(piece.cast())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn open(path: &std::path::Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        let _: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).unwrap();
        connection
    }

    /// Has another process work on the database.
    fn elsewhere(path: &std::path::Path, sql: &str) {
        let done = Command::new("sqlite3").arg(path).arg(sql).output().expect("sqlite3 is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    #[test]
    fn every_commit_is_noticed_of_whatever_process_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let here = open(&path);
        here.execute_batch("CREATE TABLE t (a)").unwrap();
        let watched = watch(open(&path)).unwrap();
        let mut last = watched.last_commit().unwrap();
        let changed = |last: &mut LastCommit| {
            let before = std::mem::replace(last, watched.last_commit().unwrap());
            before != *last
        };
        for _ in 0..3 {
            let _: i64 = here.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
            assert!(!changed(&mut last), "reading is no commit");
            here.execute("INSERT INTO t VALUES (1)", []).unwrap();
            assert!(changed(&mut last));
            here.execute_batch("BEGIN; INSERT INTO t VALUES (1); ROLLBACK").unwrap();
            assert!(!changed(&mut last), "what is undone is no commit");
            elsewhere(&path, "INSERT INTO t VALUES (2)");
            assert!(changed(&mut last));
            elsewhere(&path, "SELECT count(*) FROM t");
            assert!(!changed(&mut last));
        }
        // The log begins anew, and has as many pages as before.
        let _: i64 = here.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        last = watched.last_commit().unwrap();
        here.execute("INSERT INTO t VALUES (3)", []).unwrap();
        assert!(changed(&mut last));
    }

    #[test]
    fn a_database_whose_log_nobody_shares_is_not_watched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let journal = Connection::open(&path).unwrap();
        journal.execute_batch("CREATE TABLE t (a)").unwrap();
        assert!(watch(journal).is_none());
        assert!(watch(Connection::open_in_memory().unwrap()).is_none());
    }
}
