//! Connections to the database: how they are set up, made once by several processes, pooled for reading, and how a
//! write transaction runs. Reading where nothing can be written is in `still.rs`.

use super::migration::Keys;
pub(super) use super::moment::read;
use super::still::{self, Stamp};
use super::{Inner, StoreError, head::Head, schema};
use crate::logging::{Level, Log, target};
use crate::operation::patience::{OneBound, Patience};
use crate::turn::Turn;
use rusqlite::{Connection, MAIN_DB, OpenFlags, Transaction, TransactionBehavior};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Page cache of the writing connection, in KiB: what a large import changes stays in memory until its commit.
const WRITER_CACHE_KIB: i64 = 8 * 1024;
/// The log is copied into the database after a commit that left it longer than this: one commit in many pays for the copy,
/// the others are one sync each, and a page that many commits change is copied once.
const CHECKPOINT_BYTES: u64 = 32 << 20;
/// What the log keeps of its room after it was copied.
const LOG_ROOM_BYTES: i64 = 4 << 20;
const IDLE_READERS: usize = 8;

thread_local! {
    /// The wait for a lock of the database in which this thread is.
    static WAIT: RefCell<Option<Patience>> = const { RefCell::new(None) };
}

/// Called by SQLite while another process or connection holds a lock; false ends the wait.
fn wait_for_lock(tries: i32) -> bool {
    let waited = WAIT.try_with(|wait| {
        let mut wait = wait.borrow_mut();
        if tries == 0 {
            *wait = None;
        }
        wait.get_or_insert_with(Patience::begin).pause().is_ok()
    });
    waited.unwrap_or(false)
}

/// Opens the database, and makes schema and head if it is empty.
pub(super) fn open_or_create(path: &Path, keys: Keys<'_>, now: i64) -> Result<Connection, StoreError> {
    make_private(path)?;
    let mut connection = open(path)?;
    if connection.is_readonly(MAIN_DB)? {
        return Err(StoreError::ReadOnly);
    }
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_ROOM_BYTES)?;
    if schema::version(&connection)? < schema::KNOWN {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let from = schema::version(&transaction)?;
        if from < schema::KNOWN {
            schema::migrate(&transaction, from, keys, now)?;
        }
        if from == 0 {
            Head::create(&transaction, keys.1, now)?;
        }
        transaction.commit()?;
    }
    Ok(connection)
}

/// Opens the database as it is, and makes nothing.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    still::check_files(path)?;
    let mut patience = Patience::begin();
    loop {
        // Switching a database that is just being made to the log does not wait by itself.
        match open_once(path) {
            Err(StoreError::Busy) => patience.pause()?,
            other => return other.map_err(|error| still::explain(path, error)),
        }
    }
}

fn open_once(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait_for_lock))?;
    // Before anything is changed: what is not ours, or of a later version, stays as it is.
    schema::version(&connection)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Open("the file system does not support a write-ahead log".into()));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    schema::set_up(&connection)?;
    Ok(connection)
}

/// Makes an empty file that belongs to the user alone, unless there is one; SQLite gives its log the same mode.
fn make_private(path: &Path) -> Result<(), StoreError> {
    // Closing a file gives up the process's locks on it, also those of a connection that another thread opened meanwhile.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if std::fs::symlink_metadata(path).is_ok() {
        return Ok(());
    }
    match crate::file::open_own(std::fs::OpenOptions::new().write(true).create_new(true), path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::opening(error)),
    }
}

/// Reading connections with their held statements. None is shared by two threads at once.
pub(super) struct Pool {
    path: PathBuf,
    log: Log,
    idle: Mutex<Vec<Reader>>,
}

struct Reader {
    connection: Connection,
    /// What it reads as if it never changed, where nothing can be written.
    still: Option<Stamp>,
}

impl Pool {
    pub(super) fn new(path: PathBuf, log: Log) -> Self {
        Self { path, log, idle: Mutex::new(Vec::new()) }
    }

    /// Runs `work` on a connection of its own.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut reader = self.reader()?;
        let result = work(&mut reader.connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(reader);
        }
        result
    }

    /// A connection that its user keeps.
    pub(super) fn take(&self) -> Result<Connection, StoreError> {
        Ok(self.reader()?.connection)
    }

    /// Connections that nobody uses.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Closes the connections that nobody uses.
    fn close_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn reader(&self) -> Result<Reader, StoreError> {
        loop {
            let Some(idle) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() else { break };
            if idle.still.as_ref().is_none_or(|stamp| Stamp::of(&self.path).as_ref() == Some(stamp)) {
                return Ok(idle);
            }
        }
        match open(&self.path) {
            Ok(connection) => Ok(Reader { connection, still: None }),
            Err(error) if error.forbids_writing() => {
                let (connection, stamp) = still::open(&self.path, &self.log).ok_or(error)?;
                Ok(Reader { connection, still: Some(stamp) })
            }
            Err(error) => Err(error),
        }
    }
}

/// The writing connection; none while nothing can be written.
pub(super) type Writer = Turn<Option<Connection>>;

/// Opens the writing connection. Where the store is there and nothing can be written, it is opened by the first write that can.
pub(super) fn writer(path: &Path, readers: &Pool, keys: Keys<'_>, now: i64) -> Result<Writer, StoreError> {
    let connection = match open_or_create(path, keys, now) {
        Ok(connection) => Some(connection),
        Err(error) if error.forbids_writing() => {
            let found = readers.with(|connection| schema::version(connection));
            // An older store has to be changed before it can be read.
            if !found.is_ok_and(|found| found == schema::KNOWN) {
                return Err(error);
            }
            let text = format_args!("licenses that must count cannot be used: {error}");
            readers.log.record(Level::Warn, target::STORE, text);
            None
        }
        Err(error) => return Err(error),
    };
    Ok(Turn::new(connection))
}

impl Inner {
    /// Runs `work` on the writing connection.
    pub(super) fn with_writer<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let _bound = OneBound::begin();
        let mut writer = self.writer.take().map_err(StoreError::from)?;
        let connection = match &mut *writer {
            Some(connection) => connection,
            none => {
                // All connections of a process share the log's index, and what the first of them may do with it.
                self.readers.close_idle();
                self.held.end();
                none.insert(open_or_create(&self.path, (&self.device, &self.integrity), self.clock.now())?)
            }
        };
        work(connection)
    }

    /// Runs `work` in one durable write transaction; an error undoes all of it.
    pub(super) fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.with_writer(|connection| {
            let begin = connection.transaction_with_behavior(TransactionBehavior::Immediate);
            let transaction = begin.map_err(StoreError::from)?;
            let value = match work(&transaction) {
                Ok(value) => value,
                Err(error) => {
                    drop(transaction);
                    // What was undone may have left a long log; after the copy the next write begins it anew.
                    self.copy_log(connection);
                    return Err(error);
                }
            };
            transaction.commit().map_err(StoreError::from)?;
            self.copy_log(connection);
            Ok(value)
        })
    }

    /// Copies a long log into the database, and gives the page cache of the large commit back, so that the memory of many
    /// commits in a row is that of one. What was committed stays committed whatever comes of it.
    fn copy_log(&self, connection: &Connection) {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        if std::fs::metadata(log).is_ok_and(|log| log.len() > CHECKPOINT_BYTES) {
            let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            if let Err(error) = copied {
                let text = format_args!("the store's log could not be copied into the database: {error}");
                self.log.record(Level::Warn, target::STORE, text);
            }
            if let Err(error) = connection.execute_batch("PRAGMA shrink_memory") {
                let text = format_args!("the store's page cache could not be given back: {error}");
                self.log.record(Level::Warn, target::STORE, text);
            }
        }
    }
}
