//! Licenses with a state that go to a device again, in SQLite: how often a year saw that, counted in the transaction of the
//! writer.

use super::super::epoch::YEAR;
use super::super::{Again, HandedOut, Issued, StoreError};
use super::restore::find_state;
use rusqlite::{Connection, OptionalExtension as _, params};
use wmlicense_wire::id::{DeviceId, Lid};

/// The first license of those that took the place of each other on a device, of which this is one; none if the device never
/// had it.
pub(super) fn line(connection: &Connection, device: DeviceId, lid: Lid) -> Result<Option<Lid>, StoreError> {
    const FIND: &str = "SELECT coalesce(line, lid) FROM seat WHERE lid = $1 AND device_id = $2";
    let mut find = connection.prepare_cached(FIND)?;
    let line: Option<Vec<u8>> =
        find.query_row(params![lid.as_bytes(), device.as_bytes()], |row| row.get(0)).optional()?;
    super::optional_id(line, "seat")
}

/// How often the device got a license of a line again within the year before `now`.
pub(super) fn again(connection: &Connection, device: DeviceId, line: Lid, now: i64) -> Result<Again, StoreError> {
    const COUNT: &str = "SELECT count(*), min(granted_at) FROM granted_again \
                         WHERE device_id = $1 AND line = $2 AND granted_at > $3";
    let mut count = connection.prepare_cached(COUNT)?;
    let keys = params![device.as_bytes(), line.as_bytes(), now.saturating_sub(YEAR)];
    let (times, first): (i64, Option<i64>) = count.query_row(keys, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let from = first.map_or(now, |first| first.saturating_add(YEAR));
    Ok(Again { times: times.unsigned_abs(), from })
}

/// Adds to a license of the device what was used of it and how it was handed out.
pub(super) fn look_up(
    connection: &Connection,
    device: DeviceId,
    license: &mut Issued,
    now: i64,
) -> Result<(), StoreError> {
    license.state = find_state(connection, license.lid)?;
    license.line = line(connection, device, license.lid)?.unwrap_or(license.lid);
    license.again = again(connection, device, license.line, now)?;
    Ok(())
}

/// Books that a license goes to a device again; or how it stands if that happened too often.
pub(super) fn book(
    connection: &Connection,
    device: DeviceId,
    handed: &HandedOut,
    now: i64,
) -> Result<Result<(), Again>, StoreError> {
    const BOOK: &str =
        "INSERT INTO granted_again (device_id, line, lid, granted_at, state) VALUES ($1, $2, $3, $4, $5)";
    let line = line(connection, device, handed.lid)?.unwrap_or(handed.lid);
    let again = again(connection, device, line, now)?;
    if again.is_too_often() {
        return Ok(Err(again));
    }
    let (device, line, lid) = (device.as_bytes(), line.as_bytes(), handed.lid.as_bytes());
    connection.prepare_cached(BOOK)?.execute(params![device, line, lid, now, handed.state.encode()])?;
    Ok(Ok(()))
}

#[cfg(test)]
mod tests;
