//! The store in one SQLite file: connections, the one writer, and how errors are told. The queries are in `sqlite/`.
//! SQLite numbers `$n` by first appearance, so in every query they appear in ascending order.

mod admin;
mod again;
mod delivery;
mod device;
mod epoch;
mod give_back;
mod interaction;
mod issue;
mod mailbox;
mod offer;
mod renewal;
mod restore;
mod revocation;
mod writer;

use super::{ANSWER_LIFETIME, Exchange, Pending, Prior, StoreError};
use crate::accounts::Account;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wmlicense_wire::id::{Digest, Id, UserId};
use writer::Writer;

/// One step a version, oldest first. A step that was released is never changed.
const MIGRATIONS: [&str; 7] = [
    include_str!("sqlite/schema.sql"),
    include_str!("sqlite/schema_2.sql"),
    include_str!("sqlite/schema_3.sql"),
    include_str!("sqlite/schema_4.sql"),
    include_str!("sqlite/schema_5.sql"),
    include_str!("sqlite/schema_6.sql"),
    include_str!("sqlite/schema_7.sql"),
];
const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;
/// `wmls` as the application ID of the file.
const APPLICATION_ID: i64 = 0x776d_6c73;
/// Page cache of the writing connection, in KiB: a page of a pre-delivery is not written before its commit.
const WRITER_CACHE_KIB: i64 = 8 * 1024;
/// Pages in the log before it is copied into the database: several pages of pre-deliveries, so that few commits pay for it.
const CHECKPOINT_PAGES: i64 = 4096;
/// Bytes that the question whether the database can be written writes.
const PROBE_LEN: i64 = 32 * 1024;
/// For how long a committed probe says that the database can be written, so that asking costs a write a second at most.
const PROBE_LIFETIME: Duration = Duration::from_secs(1);
/// How long a command waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// SQLite behind the traits of the store. Readers run side by side; one thread writes, and commits what came meanwhile
/// together.
pub(crate) struct SqliteStore {
    readers: Arc<Readers>,
    writer: Writer,
    /// When a probe was committed last.
    probed: Mutex<Option<Instant>>,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl SqliteStore {
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
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        migrate(&connection)?;
        let readers = Arc::new(Readers { path: path.to_owned(), idle: Mutex::new(Vec::new()) });
        Ok(Self { readers, writer: Writer::start(connection)?, probed: Mutex::default() })
    }

    /// Runs `query` in a read transaction of its own, off the asynchronous threads.
    fn read<'a, T, F>(&self, query: F) -> Pending<'a, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        Box::pin(async move {
            let task = tokio::task::spawn_blocking(move || readers.with(query));
            task.await.map_err(|_| StoreError::Closed)?
        })
    }

    /// Runs `change` in a transaction that is committed before this is ready. `Err` and `Ok` with [`Verdict::Undo`] leave no
    /// trace.
    fn write<'a, T, F>(&self, change: F) -> Pending<'a, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<Verdict<T>, StoreError> + Send + 'static,
    {
        let waiting = self.writer.submit(change);
        Box::pin(async move { waiting.await.map_err(|_| StoreError::Closed)? })
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
            Ok(Verdict::Keep(()))
        });
        Box::pin(async move {
            written.await?;
            *known() = Some(Instant::now());
            Ok(())
        })
    }
}

/// What a change says at its end. It is told when the commit of its group succeeded, and only then: what it rests on may be a
/// change of the same group.
enum Verdict<T> {
    /// Commit.
    Keep(T),
    /// Roll back and give this.
    Undo(T),
}

impl Readers {
    fn with<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.path, OpenFlags::empty())?,
        };
        connection.prepare_cached("BEGIN")?.execute([])?;
        let result = query(&connection);
        // A connection that cannot end its transaction is closed instead of kept.
        connection.prepare_cached("COMMIT")?.execute([])?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        result
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
            connection.set_prepared_statement_cache_capacity(64);
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
        if is_busy(&error) { Self::Busy } else { Self::Failed(error) }
    }
}

/// Reads an identifier out of a row.
fn id<const N: usize, K>(bytes: &[u8], what: &'static str) -> Result<Id<N, K>, StoreError> {
    Id::from_slice(bytes).map_err(|_| StoreError::Damaged(what))
}

fn optional_id<const N: usize, K>(bytes: Option<Vec<u8>>, what: &'static str) -> Result<Option<Id<N, K>>, StoreError> {
    bytes.map(|bytes| id(&bytes, what)).transpose()
}

/// What is known about an exchange.
fn prior(connection: &Connection, exchange: &Exchange) -> Result<Prior, StoreError> {
    const FIND: &str = "SELECT request_hash, account, kept, answered_at, answer FROM exchange \
                        WHERE thumbprint = $1 AND transaction_id = $2 AND page = $3";
    let mut statement = connection.prepare_cached(FIND)?;
    let keys = params![exchange.thumbprint.as_bytes(), exchange.transaction.as_bytes(), exchange.page];
    let row = statement
        .query_row(keys, |row| {
            let (hash, account): (Vec<u8>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
            let (kept, answered_at): (i64, i64) = (row.get(2)?, row.get(3)?);
            Ok((hash, account, kept, answered_at, row.get::<_, Option<Vec<u8>>>(4)?))
        })
        .optional()?;
    let Some((hash, account, kept, answered_at, answer)) = row else { return Ok(Prior::None) };
    let account: Option<UserId> = optional_id(account, "exchange")?;
    if hash != exchange.request_hash.as_bytes() || account != exchange.account {
        return Ok(Prior::Conflict);
    }
    match (kept, answer) {
        (0, _) => Ok(Prior::Answered(None)),
        (1, Some(answer)) if exchange.now < answered_at.saturating_add(ANSWER_LIFETIME) => {
            Ok(Prior::Answered(Some(answer)))
        }
        _ => Ok(Prior::Gone),
    }
}

/// Writes an exchange that was not there.
fn write_exchange(connection: &Connection, exchange: &Exchange, answer: Option<&[u8]>) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO exchange \
        (thumbprint, transaction_id, page, request_hash, account, answered_at, kept, answer) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    connection.prepare_cached(INSERT)?.execute(params![
        exchange.thumbprint.as_bytes(),
        exchange.transaction.as_bytes(),
        exchange.page,
        exchange.request_hash.as_bytes(),
        exchange.account.as_ref().map(|user| user.as_bytes().as_slice()),
        exchange.now,
        i64::from(answer.is_some()),
        answer,
    ])?;
    Ok(())
}

fn account(connection: &Connection, token_hash: Digest) -> Result<Option<Account>, StoreError> {
    let mut find = connection.prepare_cached("SELECT user_id FROM account WHERE token_hash = $1")?;
    let user: Option<Vec<u8>> = find.query_row([token_hash.as_bytes()], |row| row.get(0)).optional()?;
    user.map(|user| account_of(connection, id(&user, "account")?)).transpose()
}

fn account_of(connection: &Connection, user: UserId) -> Result<Account, StoreError> {
    let mut list = connection.prepare_cached("SELECT scope FROM account_scope WHERE user_id = $1")?;
    let scopes = list.query_map([user.as_bytes()], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Account { user, scopes })
}

#[cfg(test)]
mod tests;
