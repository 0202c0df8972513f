//! Seats in SQLite: which devices hold a license, counted and limited in the transaction of the writer.

use super::super::revocation::Order;
use super::super::seats::Sitting;
use super::super::{
    Asker, Claim, Claimed, Exchange, Facts, HandedOut, Holding, Out, Prior, Room, Seat, StoreError, Told, room,
};
use super::offer::find_content;
use super::renewal::first_of;
use super::revocation::{is_taken_back, rules};
use super::{Verdict, again, epoch, id, prior, write_exchange};
use crate::policy::{known_state, over};
use rusqlite::{Connection, OptionalExtension as _, params};
use wmlicense_wire::id::{DeviceId, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::{Entry, Rule};

pub(super) fn holdings(
    connection: &Connection,
    licenses: &[Lid],
    asker: Asker,
    told: &Told,
) -> Result<Vec<Holding>, StoreError> {
    let rules = rules(connection)?;
    let Asker { device, bound, now } = asker;
    let asking = Asking { connection, rules: &rules, device, now, told, is_repeated: false };
    let holding = |lid: &Lid| -> Result<Holding, StoreError> {
        let (seats, of) = seats(connection, *lid)?;
        let (kid, issued_here) = of.unzip();
        let (content, policy) = match kid {
            Some(kid) => (find_content(connection, kid)?, issued(connection, kid, *lid)?),
            None => (None, None),
        };
        let named = Named { lid: *lid, kid, policy: policy.as_ref() };
        let (facts, _) = asking.facts(&named, bound, seats, None)?;
        Ok(Holding { content, issued_here: issued_here.unwrap_or(false), facts })
    };
    licenses.iter().map(holding).collect()
}

/// The terms of a license that this service issued; none where another one took its place since.
fn issued(connection: &Connection, kid: Kid, lid: Lid) -> Result<Option<Policy>, StoreError> {
    let first = first_of(connection, kid, lid)?;
    first.map(|(issued, _)| Policy::decode(&issued.policy).map_err(|_| StoreError::Damaged("policy"))).transpose()
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
    told: &Told,
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
    let mut seats = vec![Err(Out::Full); claims.len()];
    let (rules, now) = (rules(connection)?, exchange.now);
    // An answer that is made once more is not handed out once more.
    let asking = Asking { connection, rules: &rules, device, now, told, is_repeated: prior != Prior::None };
    for index in order {
        seats[index] = asking.take_seat(&claims[index])?;
    }
    Ok(Verdict::Keep(Claimed::Seats(seats, standing)))
}

/// A license by what is known of it.
struct Named<'a> {
    lid: Lid,
    kid: Option<Kid>,
    policy: Option<&'a Policy>,
}

/// A device that wants to hold licenses.
struct Asking<'c> {
    connection: &'c Connection,
    rules: &'c [Order],
    device: DeviceId,
    /// Seconds UTC.
    now: i64,
    /// Lines of the licenses that it tells that it has.
    told: &'c Told,
    /// This very request was granted before.
    is_repeated: bool,
}

impl Asking<'_> {
    /// What decides about a license that a backup binds to `bound`, and the state that it would start from: the strictest of
    /// what is known and of what the file says.
    fn facts(
        &self,
        license: &Named<'_>,
        bound: DeviceId,
        seats: Vec<Sitting>,
        in_file: Option<&State>,
    ) -> Result<(Facts, Option<State>), StoreError> {
        let Self { connection, device, now, .. } = *self;
        let taken_back = self.is_taken_back(license, bound)?;
        let (mut state, mut again) = (None, None);
        if let Some(policy) = license.policy.filter(|policy| policy.is_stateful()) {
            let known = match (find_state(connection, license.lid)?, in_file) {
                (Some(known), Some(in_file)) => Some(known.strictest(in_file)),
                (known, in_file) => known.or_else(|| in_file.cloned()),
            };
            state = Some(known_state(policy, known.as_ref()).unwrap_or_else(|| State::initial(policy)));
            let had = device == bound || seats.iter().any(|seat| seat.device == device && !seat.returned);
            let line = again::line(connection, device, license.lid)?.unwrap_or(license.lid);
            if had && !self.is_repeated && !self.told.contains(&line) {
                again = Some(again::again(connection, device, line, now)?);
            }
        }
        let left = state.clone().unwrap_or_default();
        let over = license.policy.and_then(|policy| over(policy, &left, now));
        Ok((Facts { seats, taken_back, over, again }, state))
    }

    /// True if a license was taken back from this device or from the one that made the backup.
    fn is_taken_back(&self, license: &Named<'_>, bound: DeviceId) -> Result<bool, StoreError> {
        let devices = [self.device, bound];
        for device in devices {
            if is_taken_back(self.connection, license.lid, device)? {
                return Ok(true);
            }
        }
        let matches = |order: &Order, device| match license.policy {
            Some(policy) => order.matches(policy, device),
            None => names(order, license.kid, device),
        };
        Ok(self.rules.iter().any(|order| devices.iter().any(|device| matches(order, *device))))
    }

    fn take_seat(&self, claim: &Claim) -> Result<Seat, StoreError> {
        let Self { connection, device, now, .. } = *self;
        let named = Named { lid: claim.lid, kid: Some(claim.kid), policy: Some(&claim.policy) };
        let (seats, _) = seats(connection, claim.lid)?;
        let (facts, state) = self.facts(&named, claim.bound, seats, claim.state.as_ref())?;
        let (judged, _) = facts.judge(claim.bound, device, claim.limit);
        let of = |device: DeviceId| facts.seats.iter().find(|seat| seat.device == device);
        if !matches!(judged, Err(Out::TakenBack | Out::Returned)) {
            if of(claim.bound).is_none() {
                write_seat(connection, claim, claim.bound, false, now)?;
            }
            if let Some(state) = state.as_ref().filter(|_| self.has_room(&facts, claim)) {
                keep_state(connection, claim.lid, state)?;
            }
        }
        if let Err(out) = judged {
            return Ok(Err(out));
        }
        if let (Some(state), Some(_)) = (&state, facts.again) {
            let handed = HandedOut { lid: claim.lid, state: state.clone() };
            if let Err(again) = again::book(connection, device, &handed, now)? {
                return Ok(Err(Out::TooOften(again.from)));
            }
        }
        match of(device) {
            // What it gave back came in another device's backup again.
            Some(seat) if seat.returned => take_again(connection, claim, device, now)?,
            None if device != claim.bound => write_seat(connection, claim, device, true, now)?,
            Some(_) | None => {}
        }
        Ok(Ok(state))
    }

    /// Who has no room changes nothing of what is known of the license.
    fn has_room(&self, facts: &Facts, claim: &Claim) -> bool {
        room(&facts.seats, claim.bound, self.device, claim.limit).0 == Room::Free
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
