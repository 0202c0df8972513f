//! Tables of the store, the way from any earlier version of them to the current one, and what each connection to them has.

use super::StoreError;
use super::migration::{self, Keys};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// Stands in the database's front, so that other programs' databases are not taken for ours: `WMLs`.
pub(super) const APPLICATION_ID: i64 = 0x574d_4c73;

/// Pages of a store this large are read without a copy; beyond it, with one.
const MMAP_BYTES: i64 = 1 << 30;
const HELD_STATEMENTS: usize = 32;

/// One step a version, oldest first. A step that was released is never changed. What a step moves is moved by `migration.rs`.
const MIGRATIONS: [&str; 4] = [VERSION_1, VERSION_2, VERSION_3, VERSION_4];

/// Newest version that this library reads and writes.
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

/// A license's row ID is batch × 4096 + place in the manifest: batches are appended, read for backups and removed as
/// ranges, and only the two small indexes are written in scattered places.
const VERSION_1: &str = "
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1), store_id BLOB NOT NULL, key_check BLOB NOT NULL, generation INTEGER NOT NULL,
    mark INTEGER NOT NULL, provisional INTEGER, floors BLOB NOT NULL, mac BLOB NOT NULL, buckets BLOB NOT NULL) STRICT;
CREATE TABLE section (
    id INTEGER PRIMARY KEY, authority BLOB NOT NULL, management BLOB, user BLOB) STRICT;
CREATE TABLE batch (
    id INTEGER PRIMARY KEY, at_rest BLOB NOT NULL UNIQUE, authority BLOB NOT NULL, signed BLOB NOT NULL) STRICT;
CREATE TABLE license (
    id INTEGER PRIMARY KEY, kid BLOB NOT NULL, lid BLOB NOT NULL, section INTEGER, wrapped BLOB NOT NULL,
    policy BLOB NOT NULL, binding BLOB NOT NULL) STRICT;
CREATE INDEX license_kid ON license (kid);
CREATE UNIQUE INDEX license_lid ON license (lid);
CREATE INDEX license_restricted ON license (kid) WHERE section IS NULL;
CREATE TABLE state (lid BLOB PRIMARY KEY, content BLOB NOT NULL, mac BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tombstone (lid BLOB PRIMARY KEY, content BLOB NOT NULL, mac BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE title (kid BLOB PRIMARY KEY, title TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE authority (hash BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE service_certificate (
    authority BLOB NOT NULL, hash BLOB NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (authority, hash)) STRICT, WITHOUT ROWID;
CREATE TABLE service_document (
    url TEXT PRIMARY KEY, issued_at INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE device_certificate (authority BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE revocation (
    revocation_key BLOB PRIMARY KEY, number INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE exchange (
    id BLOB PRIMARY KEY, authority BLOB NOT NULL, url TEXT NOT NULL, wish BLOB NOT NULL, request BLOB,
    state INTEGER NOT NULL, created_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX exchange_wish ON exchange (wish) WHERE state <= 2;
";

/// A recipe is what a license was asked for with: many licenses share one. It is written with the request that waits for
/// an answer, and the licenses of the answer take it over. Quarantine
/// keeps licenses that a check found damaged, as they were, for whoever has to find out why. A transaction goes on page by
/// page, and a pre-delivery remembers where its next run begins. What a status list says of a batch is apart from the batch:
/// behind its long signed answer it would cost every lookup a walk over that answer's pages.
const VERSION_2: &str = "
CREATE TABLE recipe (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, url TEXT NOT NULL, scope TEXT, actions BLOB NOT NULL,
    header BLOB, custom BLOB) STRICT;
ALTER TABLE license ADD COLUMN recipe INTEGER;
ALTER TABLE exchange ADD COLUMN recipe INTEGER;
CREATE TABLE give_back (
    id BLOB PRIMARY KEY, authority BLOB NOT NULL, issuer BLOB NOT NULL, url TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
    license INTEGER NOT NULL, found_at INTEGER NOT NULL, fault INTEGER NOT NULL, kid BLOB NOT NULL, lid BLOB NOT NULL,
    wrapped BLOB NOT NULL, policy BLOB NOT NULL, binding BLOB NOT NULL) STRICT;
ALTER TABLE exchange ADD COLUMN page INTEGER NOT NULL DEFAULT 0;
CREATE TABLE delivery (name BLOB PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE status_list (authority BLOB PRIMARY KEY, number INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE taken_back (
    revocation_key BLOB NOT NULL, lid BLOB NOT NULL, PRIMARY KEY (revocation_key, lid)) STRICT, WITHOUT ROWID;
ALTER TABLE head ADD COLUMN kept BLOB NOT NULL DEFAULT x'';
CREATE TABLE standing (batch INTEGER PRIMARY KEY, revoked INTEGER NOT NULL, vouched BLOB NOT NULL) STRICT;
ALTER TABLE exchange ADD COLUMN user_page TEXT;
ALTER TABLE head ADD COLUMN anchors BLOB NOT NULL DEFAULT x'';
CREATE TABLE epoch (service BLOB PRIMARY KEY, epoch BLOB NOT NULL, issued_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
ALTER TABLE exchange ADD COLUMN earlier BLOB;
";

/// A state outlives its license. For whom and what the license was is kept beside it, because its issuer is told of it when the
/// license is asked for again. The head keeps the longest time since the start of the system, and which floors are in doubt.
const VERSION_3: &str = "
CREATE TABLE removed (
    lid BLOB PRIMARY KEY, kid BLOB NOT NULL, authority BLOB NOT NULL, issuer BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX removed_kid ON removed (kid);
ALTER TABLE head ADD COLUMN clock BLOB NOT NULL DEFAULT x'';
";

/// Licenses stand in pages, as they arrived. The row ID of a page is batch × 4096 + number, so that batches are appended, read for
/// backups and removed as ranges. What finds a license by its IDs is `bucket` and `recent`, see `index.rs`. The sums of the head
/// stand in rows of their own.
const VERSION_4: &str = "
CREATE TABLE page (
    id INTEGER PRIMARY KEY, section INTEGER, stateful INTEGER NOT NULL, recipe INTEGER, key BLOB NOT NULL,
    licenses BLOB NOT NULL) STRICT;
CREATE INDEX page_restricted ON page (id) WHERE section IS NULL;
CREATE TABLE bucket (first INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
CREATE TABLE recent (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
CREATE TABLE sum (part INTEGER PRIMARY KEY, sums BLOB NOT NULL) STRICT;
ALTER TABLE quarantine ADD COLUMN key BLOB;
ALTER TABLE batch RENAME TO batch_3;
CREATE TABLE batch (
    id INTEGER PRIMARY KEY, at_rest BLOB NOT NULL, authority BLOB NOT NULL, signed BLOB NOT NULL) STRICT;
";

/// Version of an existing store. A database without one is empty, or not ours.
pub(super) fn version(connection: &Connection) -> Result<i64, StoreError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (found, application, tables) {
        (0, 0, 0) => Ok(0),
        (found, APPLICATION_ID, _) if found > KNOWN => Err(StoreError::TooNew { found, known: KNOWN }),
        (1.., APPLICATION_ID, _) => Ok(found),
        _ => Err(StoreError::Damaged("not a license store".into())),
    }
}

/// Brings the schema from version `from` to the current one, inside the caller's transaction.
pub(super) fn migrate(connection: &Connection, from: i64, keys: Keys<'_>, now: i64) -> Result<(), StoreError> {
    for step in MIGRATIONS.iter().skip(usize::try_from(from).unwrap_or(0)) {
        connection.execute_batch(step)?;
    }
    migration::to_pages(connection, keys, now)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", KNOWN)?;
    Ok(())
}

/// What every connection has.
pub(super) fn set_up(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "mmap_size", MMAP_BYTES)?;
    // Plans that depend on bound values would be made anew at each use of a held statement.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(HELD_STATEMENTS);
    Ok(())
}
