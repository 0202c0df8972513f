//! One state of a file as a whole, for those who take all of it elsewhere: its tables, columns and rows as the file tells them.

use super::super::StoreError;
use super::{connect, migrate};
use rusqlite::{Connection, OpenFlags, Statement};
use std::path::Path;

/// A file as it was when this was made. Others may write to it; they are noticed.
pub(crate) struct Snapshot {
    connection: Connection,
    /// Asks what the other one cannot see.
    watching: Connection,
    version: i64,
}

/// The present state of a file, which must be there. Its schema is brought to that of this version.
pub(crate) fn snapshot(path: &Path) -> Result<Snapshot, StoreError> {
    let connection = connect(path, OpenFlags::empty())?;
    migrate(&connection)?;
    let watching = connect(path, OpenFlags::empty())?;
    let version = data_version(&watching)?;
    connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_master")?;
    Ok(Snapshot { connection, watching, version })
}

fn data_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, "data_version", |row| row.get(0))?)
}

impl Snapshot {
    /// The tables, those that others refer to before them.
    pub(crate) fn tables(&self) -> Result<Vec<String>, StoreError> {
        let mut statement = self.statement(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'probe' ORDER BY rowid",
        )?;
        let names = statement.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// The columns of a table, in alphabetical order.
    pub(crate) fn columns(&self, table: &str) -> Result<Vec<String>, StoreError> {
        let mut statement = self.statement("SELECT name FROM pragma_table_info($1) ORDER BY name")?;
        let names = statement.query_map([table], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// The rows of a table.
    pub(crate) fn count(&self, table: &str) -> Result<u64, StoreError> {
        let count: i64 = self.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// A statement over this state.
    pub(crate) fn statement(&self, sql: &str) -> Result<Statement<'_>, StoreError> {
        Ok(self.connection.prepare(sql)?)
    }

    /// True if somebody wrote to the file meanwhile.
    pub(crate) fn changed(&self) -> Result<bool, StoreError> {
        Ok(data_version(&self.watching)? != self.version)
    }
}
