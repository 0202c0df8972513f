//! Sections of a backup: to which one a license belongs, and the rows that name them. What is in them is `snapshot.rs`.

use crate::store::{Section, StoreError, error::fixed};
use rusqlite::{Connection, OptionalExtension as _};
use wmlicense_wire::id::{Digest, ServiceId, UserId};
use wmlicense_wire::policy::{Glance, Policy};

/// Section of a backup to which a license of this authority belongs, if it may be backed up.
pub(in crate::store) fn section_of(authority: Digest, policy: &Policy) -> Option<Section> {
    policy.may_back_up().then_some(Section { authority, management: policy.management, user: policy.user })
}

/// As [`section_of`], of a license whose policy was only glanced at.
pub(in crate::store) fn section_at(authority: Digest, policy: &Glance) -> Option<Section> {
    policy.may_back_up().then_some(Section { authority, management: policy.management, user: policy.user })
}

/// Row of a section, which is made where there is none.
pub(in crate::store) fn section_id(connection: &Connection, section: &Section) -> Result<i64, StoreError> {
    let columns = (
        section.authority.as_bytes(),
        section.management.as_ref().map(|management| management.as_bytes()),
        section.user.as_ref().map(|user| user.as_bytes()),
    );
    let found: Option<i64> = connection
        .prepare_cached("SELECT id FROM section WHERE authority = ?1 AND management IS ?2 AND user IS ?3")?
        .query_row(columns, |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO section (authority, management, user) VALUES (?1, ?2, ?3)")?
        .execute(columns)?;
    Ok(connection.last_insert_rowid())
}

/// The section of a row.
pub(in crate::store) fn section_by_id(connection: &Connection, id: i64) -> Result<Option<Section>, StoreError> {
    let mut find = connection.prepare_cached("SELECT authority, management, user FROM section WHERE id = ?1")?;
    let mut rows = find.query([id])?;
    rows.next()?.map(read_section).transpose()
}

/// From a row of authority, management and user.
pub(in crate::store) fn read_section(row: &rusqlite::Row<'_>) -> Result<Section, StoreError> {
    let (authority, management): (Vec<u8>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
    let user: Option<Vec<u8>> = row.get(2)?;
    Ok(Section {
        authority: Digest::new(fixed(&authority)?),
        management: management.map(|id| fixed(&id).map(ServiceId::new)).transpose()?,
        user: user.map(|id| fixed(&id).map(UserId::new)).transpose()?,
    })
}
