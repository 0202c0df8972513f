//! Seats in SQLite: which devices hold a license, counted and limited in the transaction of the writer.

use super::super::revocation::Order;
use super::super::seats::Sitting;
use super::super::{Claim, Claimed, Exchange, HandedOut, Holding, Prior, Room, Seat, StoreError, room};
use super::offer::find_content;
use super::revocation::{is_taken_back, rules};
use super::{Verdict, again, epoch, id, prior, write_exchange};
use crate::policy::{known_state, over};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::HashSet;
use wmlicense_wire::id::{DeviceId, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::{Entry, Rule};

pub(super) fn holdings(
    connection: &Connection,
    licenses: &[Lid],
    device: DeviceId,
) -> Result<Vec<Holding>, StoreError> {
    let rules = rules(connection)?;
    let holding = |lid: &Lid| -> Result<Holding, StoreError> {
        let (seats, of) = seats(connection, *lid)?;
        let (kid, issued_here) = of.unzip();
        let issued_here = issued_here.unwrap_or(false);
        let content = match kid {
            Some(kid) => find_content(connection, kid)?,
            None => None,
        };
        let taken_back =
            is_taken_back(connection, *lid, device)? || rules.iter().any(|order| names(order, kid, device));
        Ok(Holding { seats, content, issued_here, taken_back })
    };
    licenses.iter().map(holding).collect()
}

/// True if a rule takes back every license of this key ID from a device, whoever has it and since when.
fn names(order: &Order, kid: Option<Kid>, device: DeviceId) -> bool {
    match order.entry {
        Entry::License(_) => false,
        Entry::Rule(Rule { user, kid: only, issued_before }) => {
            user.is_none()
                && issued_before.is_none()
                && only.is_none_or(|only| kid == Some(only))
                && order.device.is_none_or(|only| only == device)
        }
    }
}

/// The seats of a license; the key ID that it is for, and whether this service issued it.
type Seats = (Vec<Sitting>, Option<(Kid, bool)>);

fn seats(connection: &Connection, lid: Lid) -> Result<Seats, StoreError> {
    const FIND: &str = "SELECT device_id, kid, elsewhere = 0, returned_at IS NOT NULL, freed FROM seat WHERE lid = $1";
    let mut statement = connection.prepare_cached(FIND)?;
    let mut rows = statement.query([lid.as_bytes()])?;
    let (mut seats, mut of) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let blob = |column| row.get_ref(column)?.as_blob().map_err(|_| StoreError::Damaged("seat"));
        seats.push(Sitting { device: id(blob(0)?, "seat")?, returned: row.get(3)?, freed: row.get(4)? });
        of = Some((id(blob(1)?, "seat")?, row.get(2)?));
    }
    Ok((seats, of))
}

pub(super) fn find_state(connection: &Connection, lid: Lid) -> Result<Option<State>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT state FROM license_state WHERE lid = $1")?;
    let bytes: Option<Vec<u8>> = statement.query_row([lid.as_bytes()], |row| row.get(0)).optional()?;
    bytes.map(|bytes| State::decode(&bytes).map_err(|_| StoreError::Damaged("state"))).transpose()
}

pub(super) fn claim(
    connection: &Connection,
    exchange: &Exchange,
    device: DeviceId,
    claims: &[Claim],
    told: &HashSet<Lid>,
) -> Result<Verdict<Claimed>, StoreError> {
    let prior = prior(connection, exchange)?;
    match prior {
        Prior::None | Prior::Answered(_) => {}
        Prior::Gone | Prior::Conflict => return Ok(Verdict::Undo(Claimed::Conflict)),
    }
    let standing = epoch::decide(connection, exchange)?;
    if standing.stopped {
        return Ok(Verdict::Keep(Claimed::Stopped(standing)));
    }
    if prior == Prior::None {
        write_exchange(connection, exchange, None)?;
    }
    // In the order of the table, because scattered inserts cost several times as much.
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by_key(|index| claims[*index].lid);
    let mut seats = vec![Seat::Full; claims.len()];
    let rules = rules(connection)?;
    // An answer that is made once more is not handed out once more.
    let claiming = Claiming { connection, device, now: exchange.now, told, is_repeated: prior != Prior::None };
    for index in order {
        let claim = &claims[index];
        seats[index] = match is_claim_taken_back(connection, &rules, claim, device)? {
            true => Seat::TakenBack,
            false => claiming.take_seat(claim)?,
        };
    }
    Ok(Verdict::Keep(Claimed::Seats(seats, standing)))
}

/// True if a license was taken back from this device or from the one that made the backup.
fn is_claim_taken_back(
    connection: &Connection,
    rules: &[Order],
    claim: &Claim,
    device: DeviceId,
) -> Result<bool, StoreError> {
    let devices = [device, claim.bound];
    for device in devices {
        if is_taken_back(connection, claim.lid, device)? {
            return Ok(true);
        }
    }
    if rules.is_empty() {
        return Ok(false);
    }
    let policy = Policy::decode(&claim.policy).map_err(|_| StoreError::Damaged("policy"))?;
    Ok(rules.iter().any(|order| devices.iter().any(|device| order.matches(&policy, *device))))
}

/// A device that wants to hold licenses.
struct Claiming<'c> {
    connection: &'c Connection,
    device: DeviceId,
    /// Seconds UTC.
    now: i64,
    /// Lines of the licenses that it tells that it has.
    told: &'c HashSet<Lid>,
    /// This very request was granted before.
    is_repeated: bool,
}

impl Claiming<'_> {
    fn take_seat(&self, claim: &Claim) -> Result<Seat, StoreError> {
        let Self { connection, device, now, .. } = *self;
        let (seats, _) = seats(connection, claim.lid)?;
        let of = |device: DeviceId| seats.iter().find(|seat| seat.device == device);
        let (room, _) = room(&seats, claim.bound, device, claim.limit);
        if room != Room::Returned && of(claim.bound).is_none() {
            write_seat(connection, claim, claim.bound, false, now)?;
        }
        match room {
            Room::Free => {}
            Room::Full => return Ok(Seat::Full),
            Room::Returned => return Ok(Seat::Returned),
        }
        let had = device == claim.bound || of(device).is_some_and(|seat| !seat.returned);
        let state = match self.state(claim, had)? {
            Ok(state) => state,
            Err(seat) => return Ok(seat),
        };
        match of(device) {
            // What it gave back came in another device's backup again.
            Some(seat) if seat.returned => take_again(connection, claim, device, now)?,
            None if device != claim.bound => write_seat(connection, claim, device, true, now)?,
            Some(_) | None => {}
        }
        Ok(Seat::Held(state))
    }

    /// What a license starts from, which is booked where the device `had` it; or why it stays out.
    fn state(&self, claim: &Claim, had: bool) -> Result<Result<Option<State>, Seat>, StoreError> {
        let Self { connection, device, now, .. } = *self;
        let Some(in_file) = &claim.state else { return Ok(Ok(None)) };
        let policy = Policy::decode(&claim.policy).map_err(|_| StoreError::Damaged("policy"))?;
        let kept = keep_state(connection, claim.lid, in_file)?;
        let state = known_state(&policy, Some(&kept)).unwrap_or_else(|| State::initial(&policy));
        if let Some(reason) = over(&policy, &state, now) {
            return Ok(Err(Seat::Over(reason)));
        }
        let line = again::line(connection, device, claim.lid)?.unwrap_or(claim.lid);
        if had && !self.is_repeated && !self.told.contains(&line) {
            let handed = HandedOut { lid: claim.lid, state: state.clone() };
            if let Err(again) = again::book(connection, device, &handed, now)? {
                return Ok(Err(Seat::TooOften(again.from)));
            }
        }
        Ok(Ok(Some(state)))
    }
}

/// Keeps the strictest of what was known of a license and what is told now, and gives it.
pub(super) fn keep_state(connection: &Connection, lid: Lid, told: &State) -> Result<State, StoreError> {
    const KEEP: &str = "INSERT INTO license_state (lid, state) VALUES ($1, $2) \
                        ON CONFLICT (lid) DO UPDATE SET state = $2";
    let state = match find_state(connection, lid)? {
        Some(known) => known.strictest(told),
        None => told.clone(),
    };
    connection.prepare_cached(KEEP)?.execute(params![lid.as_bytes(), state.encode()])?;
    Ok(state)
}

fn take_again(connection: &Connection, claim: &Claim, device: DeviceId, now: i64) -> Result<(), StoreError> {
    const TAKE: &str = "UPDATE seat SET returned_at = NULL, withdrawn = NULL, freed = 0, restored = 1, since = $1 \
                        WHERE lid = $2 AND device_id = $3";
    connection.prepare_cached(TAKE)?.execute(params![now, claim.lid.as_bytes(), device.as_bytes()])?;
    Ok(())
}

fn write_seat(
    connection: &Connection,
    claim: &Claim,
    device: DeviceId,
    restored: bool,
    now: i64,
) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO seat (lid, device_id, kid, restored, since, elsewhere) \
                          VALUES ($1, $2, $3, $4, $5, $6)";
    let (lid, device, kid) = (claim.lid.as_bytes(), device.as_bytes(), claim.kid.as_bytes());
    connection.prepare_cached(INSERT)?.execute(params![lid, device, kid, restored, now, !claim.issued_here])?;
    Ok(())
}
