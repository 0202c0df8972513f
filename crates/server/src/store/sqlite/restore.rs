//! Seats in SQLite: which devices hold a license, counted and limited in the transaction of the writer.

use super::super::{Claim, Claimed, Exchange, Holding, Prior, Seat, StoreError};
use super::issue::find_content;
use super::{Verdict, id, prior, write_exchange};
use rusqlite::{Connection, OptionalExtension as _, params};
use wmlicense_wire::id::{DeviceId, Kid, Lid};
use wmlicense_wire::license::State;

pub(super) fn holdings(connection: &Connection, licenses: &[Lid]) -> Result<Vec<Holding>, StoreError> {
    let holding = |lid: &Lid| -> Result<Holding, StoreError> {
        let (devices, kid) = seats(connection, *lid)?;
        let content = match kid {
            Some(kid) => find_content(connection, kid)?,
            None => None,
        };
        Ok(Holding { devices, content })
    };
    licenses.iter().map(holding).collect()
}

/// The devices that hold a license, and the key ID that it is for.
fn seats(connection: &Connection, lid: Lid) -> Result<(Vec<DeviceId>, Option<Kid>), StoreError> {
    let mut statement = connection.prepare_cached("SELECT device_id, kid FROM seat WHERE lid = $1")?;
    let mut rows = statement.query([lid.as_bytes()])?;
    let (mut devices, mut kid) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let blob = |column| row.get_ref(column)?.as_blob().map_err(|_| StoreError::Damaged("seat"));
        devices.push(id(blob(0)?, "seat")?);
        kid = Some(id(blob(1)?, "seat")?);
    }
    Ok((devices, kid))
}

fn find_state(connection: &Connection, lid: Lid) -> Result<Option<State>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT state FROM license_state WHERE lid = $1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([lid.as_bytes()], |row| row.get(0)).optional()?;
    bytes.map(|bytes| State::decode(&bytes).map_err(|_| StoreError::Damaged("state"))).transpose()
}

pub(super) fn claim(
    connection: &Connection,
    exchange: &Exchange,
    device: DeviceId,
    claims: &[Claim],
) -> Result<Verdict<Claimed>, StoreError> {
    match prior(connection, exchange)? {
        Prior::None => write_exchange(connection, exchange, None)?,
        Prior::Answered(_) => {}
        Prior::Gone | Prior::Conflict => return Ok(Verdict::Undo(Claimed::Conflict)),
    }
    // In the order of the table, because scattered inserts cost several times as much.
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by_key(|index| claims[*index].lid);
    let mut seats = vec![Seat::Full; claims.len()];
    for index in order {
        seats[index] = take_seat(connection, device, &claims[index], exchange.now)?;
    }
    Ok(Verdict::Keep(Claimed::Seats(seats)))
}

fn take_seat(connection: &Connection, device: DeviceId, claim: &Claim, now: i64) -> Result<Seat, StoreError> {
    let (mut holders, _) = seats(connection, claim.lid)?;
    if !holders.contains(&claim.bound) {
        write_seat(connection, claim, claim.bound, false, now)?;
        holders.push(claim.bound);
    }
    if !holders.contains(&device) {
        if holders.len() >= claim.limit as usize {
            return Ok(Seat::Full);
        }
        write_seat(connection, claim, device, true, now)?;
    }
    let Some(in_file) = &claim.state else { return Ok(Seat::Held(None)) };
    let state = match find_state(connection, claim.lid)? {
        Some(known) => known.strictest(in_file),
        None => in_file.clone(),
    };
    const KEEP: &str = "INSERT INTO license_state (lid, state) VALUES ($1, $2) \
                        ON CONFLICT (lid) DO UPDATE SET state = $2";
    connection.prepare_cached(KEEP)?.execute(params![claim.lid.as_bytes(), state.encode()])?;
    Ok(Seat::Held(Some(state)))
}

fn write_seat(
    connection: &Connection,
    claim: &Claim,
    device: DeviceId,
    restored: bool,
    now: i64,
) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO seat (lid, device_id, kid, restored, since) VALUES ($1, $2, $3, $4, $5)";
    let (lid, device, kid) = (claim.lid.as_bytes(), device.as_bytes(), claim.kid.as_bytes());
    connection.prepare_cached(INSERT)?.execute(params![lid, device, kid, restored, now])?;
    Ok(())
}
