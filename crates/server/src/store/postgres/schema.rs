//! The tables of a database: made, and changed to those of this version, by whoever comes first of several at once. And whose
//! database it is.

use super::super::{Failure, StoreError};
use super::errors::{of_commit, told};
use super::rows::{Columns as _, PostgresRows, asked};
use super::{BEGIN_WRITING, Client};
use crate::keyring::MasterKey;
use deadpool_postgres::tokio_postgres::error::SqlState;
use std::time::Duration;
use wmlicense_wire::id::{Digest, Kid};

/// One step a version, oldest first. A step that was released is never changed.
const MIGRATIONS: [&str; 11] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
    include_str!("schema_8.sql"),
    include_str!("schema_9.sql"),
    include_str!("schema_10.sql"),
    include_str!("schema_11.sql"),
];
const VERSION: i64 = MIGRATIONS.len() as i64;

const MAKE_VERSION: &str = "CREATE TABLE IF NOT EXISTS wmlicensed_schema (
    one bigint NOT NULL PRIMARY KEY CHECK (one = 1), version bigint NOT NULL)";
const FIRST_VERSION: &str = "INSERT INTO wmlicensed_schema (one, version) VALUES (1, 0) ON CONFLICT DO NOTHING";
const FIND_VERSION: &str = "SELECT version FROM wmlicensed_schema";
const LOCK_VERSION: &str = "SELECT version FROM wmlicensed_schema FOR UPDATE";
const PUT_VERSION: &str = "UPDATE wmlicensed_schema SET version = $1";
const OWN: &str = "INSERT INTO service (one, authority, sealed) VALUES (1, $1, $2)";
const FIND_OWNER: &str = "SELECT authority, sealed FROM service";

/// How often those who make the tables at once are parted.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);
/// What is sealed under the master key, as if it were the key of this content.
const WORD: &[u8] = b"wmlicensed";
const WORD_KID: Kid = Kid::new([0; 16]);

/// The service that a database belongs to.
pub(crate) struct Owner {
    /// Hash of its authority's certificate.
    pub(crate) authority: Digest,
    /// What content keys are sealed under.
    pub(crate) master: MasterKey,
}

impl Owner {
    fn check(&self, authority: Digest, sealed: &[u8]) -> Result<(), StoreError> {
        if authority != self.authority {
            return Err(StoreError::OtherService { found: authority.to_base64(), own: self.authority.to_base64() });
        }
        match self.master.open(WORD_KID, sealed) {
            Some(word) if *word == WORD => Ok(()),
            Some(_) | None => Err(StoreError::OtherMaster),
        }
    }
}

/// Brings the tables to this version, and checks whose they are. `make`: also where there are none.
pub(super) async fn prepare(client: &Client, owner: &Owner, make: bool) -> Result<(), StoreError> {
    match version(client).await? {
        Some(_) => {}
        None if !make => return Err(StoreError::NoTables),
        None => parted(client, MAKE_VERSION).await?,
    }
    migrated(client, owner).await?;
    let rows = PostgresRows(client);
    let found = rows.one(FIND_OWNER, &[], |row| Ok((row.id(0)?, row.value::<Vec<u8>>(1)?))).await?;
    let (authority, sealed) = found.ok_or(StoreError::Damaged("owner"))?;
    owner.check(authority, &sealed)
}

/// The version of the tables; none where there are none.
async fn version(client: &Client) -> Result<Option<i64>, StoreError> {
    let found = match client.query_typed(FIND_VERSION, &[]).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        other => other.map_err(told)?,
    };
    // A table without its row is one whose making did not come to its end.
    found.first().map_or(Ok(Some(0)), |row| row.value(0).map(Some))
}

/// Runs what makes a table if there is none: of two that do so at once one may be told that it is there.
async fn parted(client: &Client, sql: &str) -> Result<(), StoreError> {
    for _ in 1..TRIES {
        match client.batch_execute(sql).await {
            Err(error) if error.code().is_some_and(is_conflict) => tokio::time::sleep(PAUSE).await,
            other => return other.map_err(told),
        }
    }
    client.batch_execute(sql).await.map_err(told)
}

fn is_conflict(state: &SqlState) -> bool {
    [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_OBJECT, SqlState::INTERNAL_ERROR]
        .contains(state)
}

/// As [`migrate`], again where another does so at the same time.
async fn migrated(client: &Client, owner: &Owner) -> Result<(), StoreError> {
    for _ in 1..TRIES {
        match migrate(client, owner).await {
            Err(StoreError::Overtaken) => tokio::time::sleep(PAUSE).await,
            other => return other,
        }
    }
    migrate(client, owner).await
}

/// Runs the steps that are missing, in one transaction.
async fn migrate(client: &Client, owner: &Owner) -> Result<(), StoreError> {
    client.batch_execute(BEGIN_WRITING).await.map_err(told)?;
    match steps(client, owner).await {
        Ok(()) => client.batch_execute("COMMIT").await.map_err(of_commit),
        Err(error) => {
            // What failed stays the reason, whatever becomes of this.
            let _ = client.batch_execute("ROLLBACK").await;
            Err(error)
        }
    }
}

async fn steps(client: &Client, owner: &Owner) -> Result<(), StoreError> {
    let rows = PostgresRows(client);
    rows.put(FIRST_VERSION, &[]).await?;
    let found: Option<i64> = rows.one(LOCK_VERSION, &[], |row| row.value(0)).await?;
    let found = found.ok_or(StoreError::Damaged("schema version"))?;
    let done = usize::try_from(found).ok().filter(|done| *done <= MIGRATIONS.len());
    let done = done.ok_or(StoreError::Newer { found, known: VERSION })?;
    if done == MIGRATIONS.len() {
        return Ok(());
    }
    for step in &MIGRATIONS[done..] {
        client.batch_execute(step).await.map_err(|error| match error.code() {
            Some(&SqlState::DUPLICATE_TABLE) => StoreError::Taken,
            _ => told(error),
        })?;
    }
    if done == 0 {
        let sealed = owner.master.seal(WORD_KID, WORD);
        let sealed = sealed.map_err(|_| StoreError::Failed(Failure::Other, "no random bytes".to_owned()))?;
        rows.put(OWN, asked![&owner.authority, &sealed]).await?;
    }
    rows.put(PUT_VERSION, asked![VERSION]).await?;
    tracing::info!(from = found, to = VERSION, "the tables of the database were brought to this version");
    Ok(())
}
