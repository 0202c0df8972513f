//! What is offered, as rows of content and subscriptions: one key ID with its terms and the license that a device has for it.

use super::super::{Content, Issued, Part, RootKey, StoreError};
use super::id;
use rusqlite::{Connection, Row, params};
use wmlicense_wire::id::Kid;

/// Columns of [`read_content`], in its order, of content that a query has.
macro_rules! content_columns {
    () => {
        "content.sealed_key, content.title, content.scope, policy.name, policy.definition, 0, \
         root.kid, root.sealed_key, root.scope"
    };
}

/// The same of a subscription.
macro_rules! subscription_columns {
    () => {
        "subscription.sealed_key, subscription.name, subscription.scope, policy.name, policy.definition, 1, \
         NULL, NULL, NULL"
    };
}

/// Content with its policy and the subscription that the policy names.
macro_rules! content_tables {
    () => {
        "content LEFT JOIN policy ON policy.name = content.policy \
         LEFT JOIN subscription AS root ON root.name = policy.subscription"
    };
}

/// A subscription with its policy.
macro_rules! subscription_tables {
    () => {
        "subscription LEFT JOIN policy ON policy.name = subscription.policy"
    };
}

pub(super) use {content_columns, content_tables, subscription_columns, subscription_tables};

/// Number of columns of content.
pub(super) const CONTENT_COLUMNS: usize = 9;

/// Reads content from the columns at `at`.
pub(super) fn read_content(row: &Row<'_>, at: usize) -> Result<Content, StoreError> {
    let policy = row.get::<_, Option<String>>(at + 3)?.zip(row.get::<_, Option<String>>(at + 4)?);
    let part = match (row.get::<_, bool>(at + 5)?, row.get::<_, Option<Vec<u8>>>(at + 6)?) {
        (true, _) => Part::Root,
        (false, None) => Part::Content,
        (false, Some(kid)) => Part::Leaf(RootKey {
            kid: id(&kid, "subscription")?,
            sealed_key: row.get(at + 7)?,
            scope: row.get(at + 8)?,
        }),
    };
    Ok(Content { sealed_key: row.get(at)?, title: row.get(at + 1)?, scope: row.get(at + 2)?, policy, part })
}

/// What is offered under a key ID, be it content or a subscription.
pub(super) fn find_content(connection: &Connection, kid: Kid) -> Result<Option<Content>, StoreError> {
    const CONTENT: &str =
        concat!("SELECT ", content_columns!(), " FROM ", content_tables!(), " WHERE content.kid = $1");
    const SUBSCRIPTION: &str =
        concat!("SELECT ", subscription_columns!(), " FROM ", subscription_tables!(), " WHERE subscription.kid = $1");
    for sql in [CONTENT, SUBSCRIPTION] {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([kid.as_bytes()])?;
        if let Some(row) = rows.next()? {
            return read_content(row, 0).map(Some);
        }
    }
    Ok(None)
}

/// Reads the license of a device from the columns lid, terms, policy and withdrawn at `at`; none if they are null.
pub(super) fn read_issued(row: &Row<'_>, at: usize) -> Result<Option<Issued>, StoreError> {
    let Some(lid) = row.get::<_, Option<Vec<u8>>>(at)? else { return Ok(None) };
    let terms: Vec<u8> = row.get(at + 1)?;
    let lid = id(&lid, "license")?;
    let withdrawn = row.get::<_, Option<i64>>(at + 3)?.is_some();
    Ok(Some(Issued { withdrawn, ..Issued::new(lid, id(&terms, "license")?, row.get(at + 2)?) }))
}

/// Number of the last change.
pub(super) fn mark(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.prepare_cached("SELECT number FROM mark")?.query_row([], |row| row.get(0))?)
}

/// A number for a change that is being made.
pub(super) fn next_mark(connection: &Connection, now: i64) -> Result<i64, StoreError> {
    let mut next = connection.prepare_cached("UPDATE mark SET number = max(number + 1, $1) RETURNING number")?;
    let mut rows = next.query(params![now])?;
    let number = rows.next()?.map(|row| row.get(0)).transpose()?;
    // Read to the end, or the statement would not count as done.
    while rows.next()?.is_some() {}
    number.ok_or(StoreError::Damaged("mark"))
}
