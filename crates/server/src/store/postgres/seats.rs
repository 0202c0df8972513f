//! Devices that hold licenses, what is left of licenses, and what went out again, in PostgreSQL. All that is kept of a license is
//! changed under the guard of its ID.

use super::super::rows::{For, SeatRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, PostgresRows, Value, asked, ids, many_bytes, maybe_ids, nothing};
use crate::rules::rows::{AgainRow, Booked, SeatRow};
use deadpool_postgres::tokio_postgres::Row;
use std::collections::BTreeMap;
use wmlicense_wire::id::{DeviceId, Lid};
use wmlicense_wire::license::State;

statements!("licenses.sql":
    SEATS, LOCK_SEATS, SEATS_OF, LOCK_SEATS_OF, INSERT_SEATS, UPDATE_SEATS, WITHDRAW_SEATS, FREED, INSERT_FREED,
    STATES, LOCK_STATES, PUT_STATES, AGAIN, INSERT_AGAIN,
);

fn guards(licenses: &[Lid]) -> impl Iterator<Item = &[u8]> {
    licenses.iter().map(|lid| lid.as_bytes().as_slice())
}

/// The columns of seats, each as an array.
fn columns<'a>(seats: &[&'a SeatRow]) -> [Value<'a>; 10] {
    [
        ids(seats.iter().map(|seat| &seat.lid)),
        ids(seats.iter().map(|seat| &seat.device)),
        ids(seats.iter().map(|seat| &seat.kid)),
        Value::Flags(seats.iter().map(|seat| seat.restored).collect()),
        Value::Flags(seats.iter().map(|seat| seat.elsewhere).collect()),
        Value::Numbers(seats.iter().map(|seat| Some(seat.since)).collect()),
        maybe_ids(seats.iter().map(|seat| seat.line.as_ref())),
        Value::Numbers(seats.iter().map(|seat| seat.returned_at).collect()),
        Value::Flags(seats.iter().map(|seat| seat.freed).collect()),
        Value::Numbers(seats.iter().map(|seat| seat.withdrawn).collect()),
    ]
}

impl SeatRows for PostgresRows<'_> {
    fn seats<'a>(&'a mut self, licenses: &'a [Lid], how: For) -> Pending<'a, Vec<SeatRow>> {
        if licenses.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let asked = asked![ids(licenses)];
            self.read(how, guards(licenses), [SEATS, LOCK_SEATS], asked, read_seat).await
        })
    }

    fn seats_of<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], how: For) -> Pending<'a, Vec<SeatRow>> {
        if licenses.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let asked = asked![ids(licenses), &device];
            self.read(how, guards(licenses), [SEATS_OF, LOCK_SEATS_OF], asked, read_seat).await
        })
    }

    fn insert_seats<'a>(&'a mut self, seats: &'a [SeatRow]) -> Pending<'a, ()> {
        if seats.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let mut seats: Vec<&SeatRow> = seats.iter().collect();
            seats.sort_unstable_by_key(|seat| (seat.lid, seat.device));
            self.put(INSERT_SEATS, &columns(&seats)).await
        })
    }

    fn update_seats<'a>(&'a mut self, seats: &'a [SeatRow]) -> Pending<'a, ()> {
        if seats.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            // One row a seat, the last one; in the order of the table.
            let seats: BTreeMap<_, &SeatRow> = seats.iter().map(|seat| ((seat.lid, seat.device), seat)).collect();
            self.put(UPDATE_SEATS, &columns(&seats.into_values().collect::<Vec<_>>())).await
        })
    }

    fn withdraw_seats<'a>(&'a mut self, seats: &'a [(Lid, DeviceId)], mark: i64) -> Pending<'a, ()> {
        if seats.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let mut seats: Vec<_> = seats.to_vec();
            seats.sort_unstable();
            let (lids, devices) = (ids(seats.iter().map(|seat| &seat.0)), ids(seats.iter().map(|seat| &seat.1)));
            self.put(WITHDRAW_SEATS, asked![lids, devices, mark]).await
        })
    }

    fn freed<'a>(&'a mut self, licenses: &'a [Lid], after: i64) -> Pending<'a, Vec<(Lid, u64)>> {
        if licenses.is_empty() {
            return nothing();
        }
        let read = |row: &Row| Ok((row.id(0)?, row.count(1)?));
        Box::pin(async move { self.all(FREED, asked![ids(licenses), after], read).await })
    }

    fn insert_freed<'a>(&'a mut self, seats: &'a [(Lid, DeviceId)], at: i64) -> Pending<'a, ()> {
        if seats.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let (lids, devices) = (ids(seats.iter().map(|seat| &seat.0)), ids(seats.iter().map(|seat| &seat.1)));
            self.put(INSERT_FREED, asked![lids, devices, at]).await
        })
    }

    fn states<'a>(&'a mut self, licenses: &'a [Lid], how: For) -> Pending<'a, Vec<(Lid, State)>> {
        if licenses.is_empty() {
            return nothing();
        }
        let read = |row: &Row| {
            let state = State::decode(row.value(1)?).map_err(|_| StoreError::Damaged("state"))?;
            Ok((row.id(0)?, state))
        };
        Box::pin(async move {
            let asked = asked![ids(licenses)];
            self.read(how, guards(licenses), [STATES, LOCK_STATES], asked, read).await
        })
    }

    fn put_states<'a>(&'a mut self, states: &'a [(Lid, State)]) -> Pending<'a, ()> {
        if states.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            // One row a license, the last one; in the order of the table.
            let states: BTreeMap<&Lid, Vec<u8>> = states.iter().map(|(lid, state)| (lid, state.encode())).collect();
            let (lids, bytes) = (ids(states.keys().copied()), many_bytes(states.values().map(Vec::as_slice)));
            self.put(PUT_STATES, asked![lids, bytes]).await
        })
    }

    fn again<'a>(&'a mut self, device: DeviceId, lines: &'a [Lid], after: i64, how: For) -> Pending<'a, Vec<Booked>> {
        if lines.is_empty() {
            return nothing();
        }
        let read = |row: &Row| Ok(Booked { line: row.id(0)?, lid: row.id(1)?, at: row.value(2)? });
        Box::pin(async move {
            let (keys, asked) = ([device.as_bytes().as_slice()], asked![&device, ids(lines), after]);
            // Rows are added here and never changed, so the guard of the device is enough.
            self.read(how, keys, [AGAIN, AGAIN], asked, read).await
        })
    }

    fn insert_again<'a>(&'a mut self, device: DeviceId, rows: &'a [AgainRow]) -> Pending<'a, ()> {
        if rows.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let (lines, lids) = (ids(rows.iter().map(|row| &row.line)), ids(rows.iter().map(|row| &row.lid)));
            let times = Value::Numbers(rows.iter().map(|row| Some(row.granted_at)).collect());
            let states: Vec<Vec<u8>> = rows.iter().map(|row| row.state.encode()).collect();
            let states = many_bytes(states.iter().map(Vec::as_slice));
            self.put(INSERT_AGAIN, asked![&device, lines, lids, times, states]).await
        })
    }
}

fn read_seat(row: &Row) -> Result<SeatRow, StoreError> {
    Ok(SeatRow {
        lid: row.id(0)?,
        device: row.id(1)?,
        kid: row.id(2)?,
        restored: row.value(3)?,
        elsewhere: row.value(4)?,
        since: row.value(5)?,
        line: row.maybe_id(6)?,
        returned_at: row.value(7)?,
        freed: row.value(8)?,
        withdrawn: row.value(9)?,
    })
}
