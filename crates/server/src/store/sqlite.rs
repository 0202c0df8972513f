//! SQLite as an engine: connections, the one writer, and how errors are told. Rows are in `sqlite/`, their statements in the
//! files beside. SQLite numbers `$n` by first appearance, so in every statement they appear in ascending order.

mod admins;
pub(super) mod care;
mod catalogue;
mod deliveries;
mod exchanges;
mod ledger;
mod licenses;
mod lists;
mod offers;
mod revocation;
mod rows;
mod snapshot;
mod tally;
mod waiting;
mod writer;

pub(super) use snapshot::{Snapshot, snapshot};

use super::transact::{Access, Engine, Work};
use super::{Failure, Load, Pending, StoreError};
use crate::jobs;
use rows::SqliteRows;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use writer::Writer;

/// One step a version, oldest first. A step that was released is never changed.
const MIGRATIONS: [&str; 18] = [
    include_str!("sqlite/schema.sql"),
    include_str!("sqlite/schema_2.sql"),
    include_str!("sqlite/schema_3.sql"),
    include_str!("sqlite/schema_4.sql"),
    include_str!("sqlite/schema_5.sql"),
    include_str!("sqlite/schema_6.sql"),
    include_str!("sqlite/schema_7.sql"),
    include_str!("sqlite/schema_8.sql"),
    include_str!("sqlite/schema_9.sql"),
    include_str!("sqlite/schema_10.sql"),
    include_str!("sqlite/schema_11.sql"),
    include_str!("sqlite/schema_12.sql"),
    include_str!("sqlite/schema_13.sql"),
    include_str!("sqlite/schema_14.sql"),
    include_str!("sqlite/schema_15.sql"),
    include_str!("sqlite/schema_16.sql"),
    include_str!("sqlite/schema_17.sql"),
    include_str!("sqlite/schema_18.sql"),
];
const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;
/// `wmls` as the application ID of the file.
const APPLICATION_ID: i64 = 0x776d_6c73;
/// Page cache of the writing connection between its transactions, in KiB. Where siblings in a tree change places, SQLite goes
/// through all of it at the commit (`pcache1Truncate`): they pass under the number of a page that is beyond the end.
const WRITER_CACHE_KIB: i64 = 2 * 1024;
/// What it holds of changed pages before it writes some of them ahead of their commit, in KiB: all of a long restore.
const WRITER_SPILL_KIB: i64 = 8 * 1024;
/// Pages in the log before it is copied into the database: several pages of pre-deliveries, so that few commits pay for it.
const CHECKPOINT_PAGES: i64 = 4096;
/// Bytes that the question whether the database can be written writes.
const PROBE_LEN: i64 = 32 * 1024;
/// For how long a committed probe says that the database can be written, so that asking costs a write a second at most.
const PROBE_LIFETIME: Duration = Duration::from_secs(1);
/// Statements that a connection keeps prepared: all that there are.
const STATEMENTS: usize = 192;
/// How long a command waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// SQLite behind the traits of the store. Readers run side by side; one thread writes, and commits what came meanwhile
/// together.
pub(crate) struct Sqlite {
    readers: Arc<Readers>,
    writer: Writer,
    /// When a probe was committed last.
    probed: Mutex<Option<Instant>>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens the database, which must be there.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Self::over(path, connect(path, OpenFlags::empty())?)
    }

    /// Opens the database, and makes it if there is none.
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        Self::over(path, connect(path, OpenFlags::SQLITE_OPEN_CREATE)?)
    }

    fn over(path: &Path, connection: Connection) -> Result<Self, StoreError> {
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        connection.pragma_update(None, "cache_spill", -WRITER_SPILL_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        migrate(&connection)?;
        let readers = Arc::new(Readers { path: path.to_owned(), idle: Mutex::new(Vec::new()) });
        Ok(Self { readers, writer: Writer::start(connection)?, probed: Mutex::default() })
    }

    /// Runs a change that is committed, where it says so, before this is ready. What it errs with leaves no trace.
    fn write(
        &self,
        change: impl FnOnce(&mut Connection) -> Result<bool, StoreError> + Send + 'static,
    ) -> Pending<'static, ()> {
        // What is read behind a change is read with it, also where it ended before anybody waited for it.
        drop(jobs::take::<View>());
        let waiting = self.writer.submit(Box::new(change));
        Box::pin(async move {
            let end = waiting.await;
            drop(jobs::take::<View>());
            end.map_err(|_| StoreError::Closed)?
        })
    }

    /// Commits as much as a short answer takes, once in [`PROBE_LIFETIME`]. A transaction that is rolled back would not reach
    /// the disk.
    fn probe(&self) -> Pending<'_, ()> {
        const WRITE: &str = "UPDATE probe SET bytes = randomblob($1)";
        if self.writer.failed_lately() {
            return Box::pin(async { Err(StoreError::NotCommitted) });
        }
        let known = || self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        if known().is_some_and(|probed| probed.elapsed() < PROBE_LIFETIME) {
            return Box::pin(async { Ok(()) });
        }
        let written = self.write(|connection| {
            connection.prepare_cached(WRITE)?.execute([PROBE_LEN])?;
            Ok(true)
        });
        Box::pin(async move {
            written.await?;
            *known() = Some(Instant::now());
            Ok(())
        })
    }
}

impl Engine for Sqlite {
    fn run(&self, access: Access, work: Arc<dyn Work>) -> Pending<'_, ()> {
        match access {
            Access::Reading => {
                let readers = Arc::clone(&self.readers);
                Box::pin(async move {
                    if jobs::is_here() {
                        return readers.run_in_job(&*work);
                    }
                    let task = tokio::task::spawn_blocking(move || View::of(&readers)?.run(&*work));
                    task.await.map_err(|_| StoreError::Closed)?
                })
            }
            Access::Repeatable | Access::Once => {
                self.write(move |connection| at_once(work.run(&mut SqliteRows(connection))))
            }
        }
    }

    fn ready(&self) -> Pending<'_, ()> {
        self.probe()
    }

    fn reads_here(&self) -> bool {
        true
    }

    fn load(&self) -> Load {
        Load { waiting: self.writer.waiting(), ..Load::default() }
    }
}

/// The end of work whose every step is ready at once.
fn at_once<T>(mut work: Pending<'_, T>) -> Result<T, StoreError> {
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(end) => end,
        Poll::Pending => {
            Err(StoreError::Failed(Failure::Other, "a transaction waits for more than its rows".to_owned()))
        }
    }
}

/// One state of the database, until this is dropped.
struct View {
    readers: Arc<Readers>,
    connection: Option<Connection>,
}

impl Readers {
    /// Runs work in the job of this thread, which sees one state of the database until it writes or computes.
    fn run_in_job(self: &Arc<Self>, work: &dyn Work) -> Result<(), StoreError> {
        let known = jobs::take::<View>().filter(|view| Arc::ptr_eq(&view.readers, self));
        let mut view = known.map_or_else(|| View::of(self).map(Box::new), Ok)?;
        view.run(work)?;
        jobs::keep(view);
        Ok(())
    }
}

impl View {
    fn of(readers: &Arc<Readers>) -> Result<Self, StoreError> {
        let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&readers.path, OpenFlags::empty())?,
        };
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self { readers: Arc::clone(readers), connection: Some(connection) })
    }

    fn run(&mut self, work: &dyn Work) -> Result<(), StoreError> {
        let connection = self.connection.as_mut().ok_or(StoreError::Closed)?;
        at_once(work.run(&mut SqliteRows(connection))).map(|_| ())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        let ended = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        // A connection that cannot end its transaction, or was in use when the work panicked, is closed instead of kept.
        if ended.is_ok() && !std::thread::panicking() {
            self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

/// Opens a connection. Changing a file that is just being made to WAL ignores the busy time-out, so that is tried again.
fn connect(path: &Path, more: OpenFlags) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
            // Plans that depend on bound values would be made anew at each use of a held statement.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            Ok(connection)
        });
        match opened {
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            other => return other.map_err(StoreError::from),
        }
    }
}

fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let version = |connection: &Connection| -> Result<i64, StoreError> {
        Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
    };
    if version(connection)? == SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    let done = usize::try_from(found).ok().filter(|done| *done <= MIGRATIONS.len());
    let done = done.ok_or(StoreError::Newer { found, known: SCHEMA_VERSION })?;
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(transaction.commit()?)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // What a reader saw was changed before it wrote; waiting would change nothing.
        if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_BUSY_SNAPSHOT) {
            return Self::Overtaken;
        }
        if is_busy(&error) {
            return Self::Busy;
        }
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                Failure::Disk
            }
            _ => Failure::Other,
        };
        Self::Failed(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests;
