//! Connections to the database: how they are set up, made once by several processes, pooled for reading, and how a
//! write transaction runs.

use super::integrity::Integrity;
use super::{Inner, StoreError, head::Head, schema};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a statement waits for another process's write transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Between tries where SQLite does not wait by itself.
const RETRY_PAUSE: Duration = Duration::from_millis(2);
/// Pages of a store this large are read without a copy; beyond it, with one.
const MMAP_BYTES: i64 = 1 << 30;
/// Page cache of the writing connection, in KiB: the indexes' pages of a large import stay in memory until its commit.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// The log is copied into the database after a commit that left it longer than this: one commit in many pays for the copy,
/// the others are one sync each, and reads seldom have to look into a long log.
const CHECKPOINT_BYTES: u64 = 4 << 20;
const IDLE_READERS: usize = 8;
const HELD_STATEMENTS: usize = 32;

/// Opens the database, and makes schema and head if it is empty.
pub(super) fn open_or_create(path: &Path, integrity: &Integrity, now: i64) -> Result<Connection, StoreError> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    let mut connection = loop {
        // Switching a database that is just being made to the log ignores the busy timeout.
        match open(path) {
            Err(StoreError::Busy) if Instant::now() < deadline => std::thread::sleep(RETRY_PAUSE),
            other => break other?,
        }
    };
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", CHECKPOINT_BYTES as i64)?;
    if schema::version(&connection)? < schema::KNOWN {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let from = schema::version(&transaction)?;
        if from < schema::KNOWN {
            schema::migrate(&transaction, from)?;
        }
        if from == 0 {
            Head::create(&transaction, integrity, now)?;
        }
        transaction.commit()?;
    }
    Ok(connection)
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    make_private(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Before anything is changed: what is not ours, or of a later version, stays as it is.
    schema::version(&connection)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Open("the file system does not support a write-ahead log".into()));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "mmap_size", MMAP_BYTES)?;
    // Plans that depend on bound values would be made anew at each use of a held statement.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(HELD_STATEMENTS);
    Ok(connection)
}

/// Makes an empty file that belongs to the user alone; SQLite gives its log the same mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    // Closing a file gives up the process's locks on it, also those of a connection that another thread opened meanwhile.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::StorageFull => Err(StoreError::Full),
        Err(error) => Err(StoreError::Open(error.to_string())),
    }
}

/// Begins a read transaction: everything read in it is of one moment.
pub(super) fn read(connection: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Deferred)?)
}

/// Reading connections with their held statements. None is shared by two threads at once.
pub(super) struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Vec::new()) }
    }

    /// Runs `work` on a connection of its own.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut connection = self.take()?;
        let result = work(&mut connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        result
    }

    /// A connection that its user keeps.
    pub(super) fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| open(&self.path), Ok)
    }
}

impl Inner {
    /// Runs `work` in one durable write transaction; an error undoes all of it.
    pub(super) fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begin.map_err(StoreError::from)?;
        let value = work(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        self.copy_log(&connection);
        Ok(value)
    }

    /// Copies a long log into the database, and gives the page cache of the large commit back, so that the memory of many
    /// commits in a row is that of one. What was committed stays committed whatever comes of it.
    fn copy_log(&self, connection: &Connection) {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        if std::fs::metadata(log).is_ok_and(|log| log.len() > CHECKPOINT_BYTES) {
            let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if let Err(error) = copied {
                log::warn!("the store's log could not be copied into the database: {error}");
            }
            if let Err(error) = connection.execute_batch("PRAGMA shrink_memory") {
                log::warn!("the store's page cache could not be given back: {error}");
            }
        }
    }
}
