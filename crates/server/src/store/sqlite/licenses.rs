//! Licenses and the devices that hold them, in SQLite.

use super::super::rows::{For, LicenseRows, SeatRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, bytes, done, user_key};
use crate::rules::delivery::HeldKey;
use crate::rules::licenses::{Issued, NewLicense};
use crate::rules::rows::{AgainRow, Booked, HeldRow, Holder, LicenseRow, Openness, SeatRow};
use rusqlite::{Row, params};
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};
use wmlicense_wire::license::State;

statements!("licenses.sql":
    LICENSE, FIRST, INSERT_LICENSE, REPLACE_LICENSE, RETURN_LICENSE, WITHDRAW_LICENSE, HELD_BEHIND, HELD_FOR,
    SEATS, SEAT_OF, INSERT_SEAT, UPDATE_SEAT, WITHDRAW_SEAT, FREED, INSERT_FREED, STATE, PUT_STATE, AGAIN, INSERT_AGAIN,
);

/// The key of a row's account that is nobody's.
const NOBODY: &[u8] = &[];

impl LicenseRows for SqliteRows<'_> {
    fn licenses<'a>(
        &'a mut self,
        device: DeviceId,
        keys: &'a [(Kid, Option<UserId>)],
    ) -> Pending<'a, Vec<Option<LicenseRow>>> {
        let find = |(kid, user): &(Kid, Option<UserId>)| {
            self.one(LICENSE, params![device.as_bytes(), kid.as_bytes(), user_key(user.as_ref())], read_license)
        };
        done(keys.iter().map(find).collect())
    }

    fn first_licenses<'a>(&'a mut self, licenses: &'a [(Kid, Lid)]) -> Pending<'a, Vec<Option<LicenseRow>>> {
        let find = |(kid, lid): &(Kid, Lid)| self.one(FIRST, params![kid.as_bytes(), lid.as_bytes()], read_license);
        done(licenses.iter().map(find).collect())
    }

    fn insert_licenses<'a>(
        &'a mut self,
        device: DeviceId,
        licenses: &'a [&'a NewLicense],
        now: i64,
    ) -> Pending<'a, usize> {
        let insert = |sum, license: &&NewLicense| {
            let NewLicense { kid, user, issued: Issued { lid, terms, policy, .. }, .. } = *license;
            let (kid, user, lid) = (kid.as_bytes(), user_key(user.as_ref()), lid.as_bytes());
            let asked = params![device.as_bytes(), kid, user, lid, terms.as_bytes(), policy, now];
            Ok(sum + self.change(INSERT_LICENSE, asked)?)
        };
        done(licenses.iter().try_fold(0, insert))
    }

    fn replace_licenses<'a>(
        &'a mut self,
        device: DeviceId,
        licenses: &'a [&'a NewLicense],
        now: i64,
    ) -> Pending<'a, usize> {
        let replace = |sum, license: &&NewLicense| {
            let NewLicense { kid, user, issued: Issued { lid, terms, policy, .. }, replaces, .. } = *license;
            let (kid, user, lid) = (kid.as_bytes(), user_key(user.as_ref()), lid.as_bytes());
            let old = bytes(replaces.as_ref());
            let asked = params![lid, terms.as_bytes(), policy, now, device.as_bytes(), kid, user, old];
            Ok(sum + self.change(REPLACE_LICENSE, asked)?)
        };
        done(licenses.iter().try_fold(0, replace))
    }

    fn return_licenses<'a>(&'a mut self, device: DeviceId, licenses: &'a [(Kid, Lid)], now: i64) -> Pending<'a, ()> {
        let put = |(kid, lid): &(Kid, Lid)| {
            self.put(RETURN_LICENSE, params![now, device.as_bytes(), kid.as_bytes(), lid.as_bytes()])
        };
        done(licenses.iter().try_for_each(put))
    }

    fn withdraw_licenses<'a>(&'a mut self, licenses: &'a [(DeviceId, Kid, Lid)], mark: i64) -> Pending<'a, Vec<bool>> {
        let put = |(device, kid, lid): &(DeviceId, Kid, Lid)| {
            let asked = params![mark, device.as_bytes(), kid.as_bytes(), lid.as_bytes()];
            Ok(self.change(WITHDRAW_LICENSE, asked)? > 0)
        };
        done(licenses.iter().map(put).collect())
    }

    fn held_behind<'a>(&'a mut self, device: DeviceId, behind: &'a HeldKey, limit: usize) -> Pending<'a, Vec<HeldRow>> {
        let HeldKey { kid, user, lid } = behind;
        done(self.all(HELD_BEHIND, params![device.as_bytes(), kid, user, lid, NOBODY, limit as i64], read_held))
    }

    fn held_for<'a>(&'a mut self, device: DeviceId, kids: &'a [Kid]) -> Pending<'a, Vec<HeldRow>> {
        let mut found = Vec::new();
        let mut find = |kid: &Kid| {
            self.each(HELD_FOR, params![device.as_bytes(), kid.as_bytes(), NOBODY], |row| {
                found.push(read_held(row)?);
                Ok(())
            })
        };
        let all = kids.iter().try_for_each(&mut find);
        done(all.map(|()| found))
    }
}

impl SeatRows for SqliteRows<'_> {
    fn seats<'a>(&'a mut self, licenses: &'a [Lid], _: For) -> Pending<'a, Vec<SeatRow>> {
        let mut found = Vec::with_capacity(licenses.len());
        let mut find = |lid: &Lid| {
            self.each(SEATS, [lid.as_bytes()], |row| {
                found.push(read_seat(row)?);
                Ok(())
            })
        };
        let all = licenses.iter().try_for_each(&mut find);
        done(all.map(|()| found))
    }

    fn seats_of<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], _: For) -> Pending<'a, Vec<SeatRow>> {
        let find = |lid: &Lid| self.one(SEAT_OF, params![lid.as_bytes(), device.as_bytes()], read_seat).transpose();
        done(licenses.iter().filter_map(find).collect())
    }

    fn insert_seats<'a>(&'a mut self, seats: &'a [SeatRow]) -> Pending<'a, ()> {
        let insert = |seat: &SeatRow| {
            self.put(
                INSERT_SEAT,
                params![
                    seat.lid.as_bytes(),
                    seat.device.as_bytes(),
                    seat.kid.as_bytes(),
                    seat.restored,
                    seat.elsewhere,
                    seat.since,
                    bytes(seat.line.as_ref()),
                    seat.returned_at,
                    seat.freed,
                    seat.withdrawn,
                ],
            )
        };
        done(seats.iter().try_for_each(insert))
    }

    fn update_seats<'a>(&'a mut self, seats: &'a [SeatRow]) -> Pending<'a, ()> {
        let update = |seat: &SeatRow| {
            self.put(
                UPDATE_SEAT,
                params![
                    seat.kid.as_bytes(),
                    seat.restored,
                    seat.elsewhere,
                    seat.since,
                    bytes(seat.line.as_ref()),
                    seat.returned_at,
                    seat.freed,
                    seat.withdrawn,
                    seat.lid.as_bytes(),
                    seat.device.as_bytes(),
                ],
            )
        };
        done(seats.iter().try_for_each(update))
    }

    fn withdraw_seats<'a>(&'a mut self, seats: &'a [(Lid, DeviceId)], mark: i64) -> Pending<'a, ()> {
        let put =
            |(lid, device): &(Lid, DeviceId)| self.put(WITHDRAW_SEAT, params![mark, lid.as_bytes(), device.as_bytes()]);
        done(seats.iter().try_for_each(put))
    }

    fn freed<'a>(&'a mut self, licenses: &'a [Lid], after: i64) -> Pending<'a, Vec<(Lid, u64)>> {
        let count = |lid: &Lid| {
            let count = self.one(FREED, params![lid.as_bytes(), after], |row| row.count(0))?;
            Ok((*lid, count.unwrap_or_default()))
        };
        done(licenses.iter().map(count).collect())
    }

    fn insert_freed<'a>(&'a mut self, seats: &'a [(Lid, DeviceId)], at: i64) -> Pending<'a, ()> {
        let insert =
            |(lid, device): &(Lid, DeviceId)| self.put(INSERT_FREED, params![lid.as_bytes(), device.as_bytes(), at]);
        done(seats.iter().try_for_each(insert))
    }

    fn states<'a>(&'a mut self, licenses: &'a [Lid], _: For) -> Pending<'a, Vec<(Lid, State)>> {
        let read = |row: &Row<'_>| {
            let bytes = row.get_ref(0)?.as_blob().map_err(|_| StoreError::Damaged("state"))?;
            State::decode(bytes).map_err(|_| StoreError::Damaged("state"))
        };
        let find = |lid: &Lid| {
            let state = self.one(STATE, [lid.as_bytes()], read).transpose();
            state.map(|state| Ok((*lid, state?)))
        };
        done(licenses.iter().filter_map(find).collect())
    }

    fn put_states<'a>(&'a mut self, states: &'a [(Lid, State)]) -> Pending<'a, ()> {
        let put = |(lid, state): &(Lid, State)| self.put(PUT_STATE, params![lid.as_bytes(), state.encode()]);
        done(states.iter().try_for_each(put))
    }

    fn again<'a>(&'a mut self, device: DeviceId, lines: &'a [Lid], after: i64, _: For) -> Pending<'a, Vec<Booked>> {
        let mut found = Vec::new();
        let mut find = |line: &Lid| {
            self.each(AGAIN, params![device.as_bytes(), line.as_bytes(), after], |row| {
                found.push(Booked { line: *line, lid: row.id(0)?, at: row.get(1)? });
                Ok(())
            })
        };
        let all = lines.iter().try_for_each(&mut find);
        done(all.map(|()| found))
    }

    fn insert_again<'a>(&'a mut self, device: DeviceId, rows: &'a [AgainRow]) -> Pending<'a, ()> {
        let insert = |AgainRow { line, lid, granted_at, state }: &AgainRow| {
            let (device, line, lid) = (device.as_bytes(), line.as_bytes(), lid.as_bytes());
            self.put(INSERT_AGAIN, params![device, line, lid, granted_at, state.encode()])
        };
        done(rows.iter().try_for_each(insert))
    }
}

pub(super) fn read_license(row: &Row<'_>) -> Result<LicenseRow, StoreError> {
    Ok(LicenseRow {
        user: row.user(0)?,
        lid: row.id(1)?,
        terms: row.id(2)?,
        policy: row.get(3)?,
        withdrawn: row.get(4)?,
        returned_at: row.get(5)?,
    })
}

fn read_held(row: &Row<'_>) -> Result<HeldRow, StoreError> {
    let holder = match (row.get(4)?, row.user(1)?) {
        (false, _) => Holder::Unknown,
        (true, None) => Holder::Anybody,
        (true, Some(user)) => Holder::Account(user),
    };
    let content = match (row.get(5)?, row.get(6)?) {
        (false, _) => None,
        (true, None) => Some(Openness::Open),
        (true, Some(scope)) => Some(Openness::Scope(scope)),
    };
    Ok(HeldRow { kid: row.id(0)?, lid: row.id(2)?, holder, withdrawn: row.get(3)?, content })
}

fn read_seat(row: &Row<'_>) -> Result<SeatRow, StoreError> {
    Ok(SeatRow {
        lid: row.id(0)?,
        device: row.id(1)?,
        kid: row.id(2)?,
        restored: row.get(3)?,
        elsewhere: row.get(4)?,
        since: row.get(5)?,
        line: row.maybe_id(6)?,
        returned_at: row.get(7)?,
        freed: row.get(8)?,
        withdrawn: row.get(9)?,
    })
}
