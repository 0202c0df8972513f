//! Copying a database while it is used, and looking whether one is whole, without changing it.

use super::super::deliveries::{Checked, check_behind};
use super::rows::{Columns as _, SqliteRows};
use super::{APPLICATION_ID, BUSY_TIMEOUT, SCHEMA_VERSION, StoreError, at_once};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use wmlicense_wire::id::Kid;

/// Most faults of a damaged file that are told.
const MAX_FAULTS: usize = 20;

/// A copy could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file for the copy.
    #[error(transparent)]
    File(#[from] io::Error),
    /// What was written is not what was read.
    #[error("the copy is damaged, and was removed: {0}")]
    Damaged(String),
}

/// What a database looks like.
#[derive(Debug, Default)]
pub(crate) struct Inspection {
    /// Its schema, and the newest one known here.
    pub(crate) schema: (i64, i64),
    /// It is a database of this program.
    pub(crate) is_ours: bool,
    /// What is damaged in it.
    pub(crate) faults: Vec<String>,
    /// Rows that refer to others which are not there.
    pub(crate) dangling: u64,
    /// Sealed keys in it.
    pub(crate) keys: u64,
    /// Those that do not open, and the key ID of the first.
    pub(crate) sealed: (u64, Option<Kid>),
    /// Deliveries in it, where it has the schema that is known here.
    pub(crate) deliveries: Checked,
    /// The newest status list.
    pub(crate) status_list: Option<Vec<u8>>,
}

fn read_only(path: &Path) -> Result<Connection, StoreError> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Copies a database as it is at one moment into a file that is not there yet, for its owner only. Others read and write
/// meanwhile.
pub(crate) fn copy(path: &Path, to: &Path) -> Result<(), CopyError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(to)?;
    let copied = || -> Result<(), CopyError> {
        let name = to.to_str().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
        // Into a file that is empty, so that it has the mode above.
        read_only(path)?.execute("VACUUM INTO ?1", [name]).map_err(StoreError::from)?;
        file.sync_all()?;
        let faults = faults(&read_only(to)?).map_err(StoreError::from)?;
        if faults.is_empty() { Ok(()) } else { Err(CopyError::Damaged(faults.join("; "))) }
    };
    copied().inspect_err(|_| {
        // A part of a copy would only mislead; that it cannot be removed changes nothing of the reason.
        let _ = std::fs::remove_file(to);
    })
}

/// True if a database has the schema of this version, so that opening it changes nothing.
pub(crate) fn is_current(path: &Path) -> Result<bool, StoreError> {
    let found: i64 = read_only(path)?.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(found == SCHEMA_VERSION)
}

/// What is damaged in a database; damage that keeps it from being read at all is one of it.
fn faults(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let looked = integrity(connection);
    match looked.as_ref().err().and_then(rusqlite::Error::sqlite_error_code) {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Ok(looked.err().iter().map(ToString::to_string).collect())
        }
        _ => looked,
    }
}

fn integrity(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({MAX_FAULTS})"))?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(if lines == ["ok"] { Vec::new() } else { lines })
}

/// Looks at all deliveries.
fn deliveries(connection: &mut Connection) -> Result<Checked, StoreError> {
    let mut all = Checked::default();
    loop {
        let more = at_once(Box::pin(check_behind(&mut SqliteRows(connection), all.behind)))?;
        all = all.and(more);
        if all.behind.is_none() {
            return Ok(all);
        }
    }
}

/// Looks at a database of whatever schema. `opens`: whether a sealed key opens.
pub(crate) fn inspect(path: &Path, opens: impl Fn(Kid, &[u8]) -> bool) -> Result<Inspection, StoreError> {
    let mut connection = read_only(path)?;
    let faults = faults(&connection)?;
    if !faults.is_empty() {
        return Ok(Inspection { faults, ..Inspection::default() });
    }
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let schema = number("user_version")?;
    let is_ours = number("application_id")? == APPLICATION_ID;
    let mut found = Inspection { schema: (schema, SCHEMA_VERSION), is_ours, ..Inspection::default() };
    if !is_ours {
        return Ok(found);
    }
    found.dangling = connection.prepare("PRAGMA foreign_key_check")?.query_map([], |_| Ok(()))?.count() as u64;
    let tables: &[&str] = if schema >= 2 { &["content", "subscription"] } else { &["content"] };
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT kid, sealed_key FROM {table}"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let kid: Kid = row.id(0)?;
            let sealed = row.get_ref(1)?.as_blob().map_err(|_| StoreError::Damaged("sealed key"))?;
            found.keys += 1;
            if !opens(kid, sealed) {
                found.sealed.0 += 1;
                found.sealed.1.get_or_insert(kid);
            }
        }
    }
    if schema >= 2 {
        let mut statement = connection.prepare("SELECT list FROM status_list ORDER BY number DESC LIMIT 1")?;
        found.status_list = statement.query([])?.next()?.map(|row| row.get(0)).transpose()?;
    }
    if schema == SCHEMA_VERSION {
        found.deliveries = deliveries(&mut connection)?;
    }
    Ok(found)
}
