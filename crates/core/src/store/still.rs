//! Reading a store where nothing can be written: a full disk, a folder or file system that is read-only. Such connections take
//! the files as they lie there, and are used no longer than these stay as they were.

use super::{StoreError, schema};
use crate::logging::{Level, Log, target};
use crate::shortage::Shortage;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, StatVfs};
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What SQLite appends to the database's name for the log, the log's index and a journal of the older kind.
const COMPANIONS: [&str; 3] = [LOG, "-shm", "-journal"];
const LOG: &str = "-wal";

/// SQLite's implementation of files without locks, and so without an index of the log that others share.
const WITHOUT_LOCKS: &str = "unix-none";

fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Refuses what is no regular file under the names that SQLite opens: it would wait for a pipe's other end.
pub(super) fn check_files(path: &Path) -> Result<(), StoreError> {
    let all = COMPANIONS.iter().map(|suffix| companion(path, suffix)).chain([path.to_path_buf()]);
    for file in all {
        crate::file::check_own(&file).map_err(StoreError::opening)?;
    }
    Ok(())
}

/// Tells why a database could not be opened, where SQLite does not.
pub(super) fn explain(path: &Path, error: StoreError) -> StoreError {
    if !matches!(error, StoreError::Open(_)) {
        return error;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Err(reason) = std::fs::File::open(folder)
        && Shortage::of(&reason) == Some(Shortage::Descriptors)
    {
        return StoreError::NoDescriptor;
    }
    let is_full = |disk: StatVfs| disk.f_bavail == 0 || (disk.f_files > 0 && disk.f_favail == 0);
    if rustix::fs::access(folder, Access::WRITE_OK).is_err() {
        StoreError::ReadOnly
    } else if rustix::fs::statvfs(folder).is_ok_and(is_full) {
        StoreError::Full
    } else {
        error
    }
}

/// Tells one state of the files from another.
#[derive(PartialEq, Eq)]
pub(super) struct Stamp([Option<[i128; 4]>; 2]);

impl Stamp {
    /// `None` without a database.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let mark = |found: Metadata| {
            // Not when anything about the file changed: SQLite gives a log that it opens to the database's owner again and again.
            let written = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
            [found.dev().into(), found.ino().into(), found.len().into(), written]
        };
        let database = mark(std::fs::metadata(path).ok()?);
        Some(Self([Some(database), std::fs::metadata(companion(path, LOG)).ok().map(mark)]))
    }
}

/// Opens the database for reading alone, without making any file or taking a lock.
///
/// Nobody writes it at the moment, or the log's index were there and SQLite would have taken that. Whoever begins to makes a log,
/// which changes the stamp; what is read across that moment is under codes of its own, like everything in the store.
pub(super) fn open(path: &Path, log: &Log) -> Option<(Connection, Stamp)> {
    check_files(path).ok()?;
    let stamp = Stamp::of(path)?;
    let opened = match stamp.0[1] {
        // A log that was not copied back belongs to what is read.
        Some([_, _, length, ..]) if length > 0 => open_with_log(path),
        _ => open_without_log(path),
    };
    let tell = |error: &StoreError| {
        log.record(Level::Warn, target::STORE, format_args!("the store cannot be read as it lies there: {error}"));
    };
    let connection = opened.inspect_err(tell).ok()?;
    // Between the look at the files and the opening somebody may have begun to write.
    (Stamp::of(path)? == stamp).then_some((connection, stamp))
}

fn open_with_log(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(path, flags, WITHOUT_LOCKS)?;
    // Before the first look: then the index of the log is made in this process's memory.
    connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
    read_once(connection)
}

fn open_without_log(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    read_once(Connection::open_with_flags(format!("file:{}?immutable=1", escaped(path)), flags)?)
}

fn read_once(connection: Connection) -> Result<Connection, StoreError> {
    schema::version(&connection)?;
    schema::set_up(&connection)?;
    Ok(connection)
}

/// A path as it stands in a URI.
fn escaped(path: &Path) -> String {
    let escape = |byte: &u8| match byte {
        b'/' | b'-' | b'_' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    path.as_os_str().as_bytes().iter().map(escape).collect()
}

impl StoreError {
    /// Why a file of the store cannot be opened.
    pub(super) fn opening(error: io::Error) -> Self {
        match Self::from(error) {
            Self::Io(text) => Self::Open(text),
            other => other,
        }
    }

    /// True if what is stored may still be read.
    pub(super) fn forbids_writing(&self) -> bool {
        matches!(self, Self::Full | Self::ReadOnly | Self::Open(_))
    }
}
