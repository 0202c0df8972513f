//! An owner who grew: everything that a file of SQLite holds, into an empty database of PostgreSQL, all of it or nothing. What there
//! is to copy the file itself tells, so that no table and no column is forgotten.

use super::super::sqlite::{self, Snapshot};
use super::super::{Failure, StoreError};
use super::errors::{of_commit, told};
use super::rows::{Columns as _, PostgresRows, Value, asked, texts};
use super::{BEGIN_WRITING, Client, Owner, Place, Postgres};
use rusqlite::types::ValueRef;
use std::path::Path;

/// Rows that are written at once, and bytes, of which one row may have more.
const ROWS: usize = 2048;
const BYTES: usize = 8 * 1024 * 1024;

const COLUMNS: &str = "SELECT column_name::text, data_type::text FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = $1 ORDER BY column_name::text COLLATE \"C\"";

/// A table that was copied, and its rows.
pub(crate) type Counted = (String, u64);

/// Copies a file of SQLite and gives how many rows each table has.
pub(crate) async fn copy(from: &Path, to: &Place, owner: &Owner) -> Result<Vec<Counted>, StoreError> {
    let source = sqlite::snapshot(from)?;
    let postgres = Postgres::open(to, owner, true).await?;
    let mut lent = postgres.lend().await?;
    let client = lent.client()?;
    client.batch_execute(BEGIN_WRITING).await.map_err(told)?;
    let copied = whole(client, &source).await;
    let ended = match &copied {
        Ok(_) => client.batch_execute("COMMIT").await.map_err(of_commit),
        // Where not even that succeeds, the connection ends with this process, and the transaction with it.
        Err(_) => client.batch_execute("ROLLBACK").await.map_err(told),
    };
    let copied = copied?;
    ended?;
    lent.give_back();
    Ok(copied)
}

async fn whole(client: &Client, source: &Snapshot) -> Result<Vec<Counted>, StoreError> {
    let rows = PostgresRows(client);
    // Nobody changes anything here meanwhile, and who tries the same finds it done.
    rows.lock_mark().await?;
    let tables = source.tables()?;
    for table in &tables {
        if table != "mark" && rows.exists(&format!("SELECT 1 FROM {table} LIMIT 1"), &[]).await? {
            return Err(StoreError::NotEmpty(table.clone()));
        }
    }
    rows.put("DELETE FROM mark", &[]).await?;
    let mut counted = Vec::new();
    for table in tables {
        let written = one(&rows, source, &table).await?;
        let there = rows.one(&format!("SELECT count(*) FROM {table}"), &[], |row| row.count(0)).await?;
        if there != Some(written) || source.count(&table)? != written {
            return Err(StoreError::Failed(Failure::Other, format!("{table} has not all of its rows")));
        }
        counted.push((table, written));
    }
    if source.changed()? {
        return Err(StoreError::Changing);
    }
    Ok(counted)
}

/// Copies a table, and gives the number of its rows.
async fn one(rows: &PostgresRows<'_>, source: &Snapshot, table: &str) -> Result<u64, StoreError> {
    let columns: Vec<(String, String)> =
        rows.all(COLUMNS, asked![table], |row| Ok((row.value(0)?, row.value(1)?))).await?;
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    if names != source.columns(table)? {
        return Err(StoreError::Failed(Failure::Other, format!("{table} has other columns than the source")));
    }
    let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
    let (names, places) = (names.join(", "), places.join(", "));
    let insert = format!("INSERT INTO {table} ({names}) SELECT * FROM unnest({places})");
    let kinds: Vec<&str> = columns.iter().map(|(_, kind)| kind.as_str()).collect();
    let mut statement = source.statement(&format!("SELECT {names} FROM {table}"))?;
    let mut found = statement.query([])?;
    let mut written = 0;
    loop {
        let mut batch = Batch::new(&kinds)?;
        while batch.has_room() {
            let Some(row) = found.next()? else { break };
            for (at, column) in batch.columns.iter_mut().enumerate() {
                batch.bytes += column.push(row.get_ref(at)?)?;
            }
            batch.rows += 1;
        }
        if batch.rows == 0 {
            return Ok(written);
        }
        let values: Vec<Value<'_>> = batch.columns.iter().map(Column::value).collect();
        written += rows.change(&insert, &values).await?;
    }
}

/// Rows on their way, column by column.
struct Batch {
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

enum Column {
    Bytes(Vec<Option<Vec<u8>>>),
    Numbers(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Flags(Vec<bool>),
}

impl Batch {
    fn new(kinds: &[&str]) -> Result<Self, StoreError> {
        let column = |kind: &&str| match *kind {
            "bytea" => Ok(Column::Bytes(Vec::new())),
            "bigint" => Ok(Column::Numbers(Vec::new())),
            "text" => Ok(Column::Texts(Vec::new())),
            "boolean" => Ok(Column::Flags(Vec::new())),
            _ => Err(StoreError::Damaged("column")),
        };
        Ok(Self { columns: kinds.iter().map(column).collect::<Result<_, _>>()?, rows: 0, bytes: 0 })
    }

    fn has_room(&self) -> bool {
        self.rows < ROWS && self.bytes < BYTES
    }
}

impl Column {
    /// Takes a value over, and gives its size.
    fn push(&mut self, value: ValueRef<'_>) -> Result<usize, StoreError> {
        match (self, value) {
            (Self::Bytes(values), ValueRef::Null) => values.push(None),
            (Self::Numbers(values), ValueRef::Null) => values.push(None),
            (Self::Texts(values), ValueRef::Null) => values.push(None),
            (Self::Numbers(values), ValueRef::Integer(number)) => values.push(Some(number)),
            (Self::Flags(values), ValueRef::Integer(number)) => values.push(number != 0),
            (Self::Bytes(values), ValueRef::Blob(bytes)) => {
                values.push(Some(bytes.to_vec()));
                return Ok(bytes.len());
            }
            (Self::Texts(values), ValueRef::Text(text)) => {
                values.push(Some(String::from_utf8_lossy(text).into_owned()));
                return Ok(text.len());
            }
            _ => return Err(StoreError::Damaged("column")),
        }
        Ok(size_of::<i64>())
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::Bytes(values) => Value::ManyBytes(values.iter().map(Option::as_deref).collect()),
            Self::Numbers(values) => Value::Numbers(values.clone()),
            Self::Texts(values) => texts(values.iter().map(Option::as_deref)),
            Self::Flags(values) => Value::Flags(values.clone()),
        }
    }
}
