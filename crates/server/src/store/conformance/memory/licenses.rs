//! Licenses and the devices that hold them, in memory.

use super::super::super::Pending;
use super::super::super::rows::{For, LicenseKey, LicenseRows, SeatRows};
use super::{Tables, found};
use crate::rules::delivery::HeldKey;
use crate::rules::licenses::NewLicense;
use crate::rules::rows::{AgainRow, Booked, HeldRow, Holder, LicenseRow, Openness, SeatRow};
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};
use wmlicense_wire::license::State;

impl Tables {
    fn openness(&self, kid: Kid) -> Option<Openness> {
        let content = self.find_offered(kid)?;
        Some(content.scope.map_or(Openness::Open, |scope| Openness::Scope(scope.to_string())))
    }

    /// The license as it was issued, where it still stands in the row of a device that holds it.
    pub(super) fn first(&self, kid: Kid, lid: Lid) -> Option<&LicenseRow> {
        let of = |key: &LicenseKey| key.kid == kid && self.seats.contains_key(&(lid, key.device));
        let found = self.licenses.iter().find(|(key, (_, row, _))| row.lid == lid && of(key));
        found.map(|(_, (_, row, _))| row)
    }

    /// All that a device holds and did not give back.
    fn held(&self, device: DeviceId) -> Vec<HeldRow> {
        let holder = |user: Option<UserId>| user.map_or(Holder::Anybody, Holder::Account);
        let own = self.licenses.iter().filter(|(key, (_, row, _))| key.device == device && row.returned_at.is_none());
        let own = own.map(|(key, (kid, row, _))| HeldRow {
            kid: *kid,
            lid: row.lid,
            holder: holder(key.user),
            withdrawn: row.withdrawn,
            content: self.openness(*kid),
        });
        let restored = self.seats.values().filter(|seat| seat.device == device && seat.restored);
        let restored = restored.filter(|seat| seat.returned_at.is_none()).map(|seat| HeldRow {
            kid: seat.kid,
            lid: seat.lid,
            holder: self.first(seat.kid, seat.lid).map_or(Holder::Unknown, |first| holder(first.user)),
            withdrawn: seat.withdrawn,
            content: self.openness(seat.kid),
        });
        let mut held: Vec<HeldRow> = own.chain(restored).collect();
        held.sort_by_key(|row| (row.kid, row.holder.user(), row.lid));
        held
    }

    fn row_of(&self, device: DeviceId, kid: Kid, lid: Lid) -> Option<LicenseKey> {
        let of = |(key, (_, row, _)): &(&LicenseKey, &(Kid, LicenseRow, i64))| {
            (key.device, key.kid, row.lid) == (device, kid, lid)
        };
        self.licenses.iter().find(of).map(|(key, _)| *key)
    }

    fn put_license(&mut self, device: DeviceId, license: &NewLicense, now: i64) {
        let (kid, user, issued) = (license.kid, license.user, license.issued.clone());
        let row = LicenseRow {
            user,
            lid: issued.lid,
            terms: issued.terms,
            policy: issued.policy,
            withdrawn: None,
            returned_at: None,
        };
        self.licenses.insert(LicenseKey { device, kid, user }, (kid, row, now));
    }
}

impl LicenseRows for Tables {
    fn licenses<'a>(
        &'a mut self,
        device: DeviceId,
        keys: &'a [(Kid, Option<UserId>)],
    ) -> Pending<'a, Vec<Option<LicenseRow>>> {
        let key = |(kid, user): &(Kid, Option<UserId>)| LicenseKey { device, kid: *kid, user: *user };
        found(keys.iter().map(|of| self.licenses.get(&key(of)).map(|(_, row, _)| row.clone())).collect())
    }

    fn first_licenses<'a>(&'a mut self, licenses: &'a [(Kid, Lid)]) -> Pending<'a, Vec<Option<LicenseRow>>> {
        found(licenses.iter().map(|(kid, lid)| self.first(*kid, *lid).cloned()).collect())
    }

    fn insert_licenses<'a>(
        &'a mut self,
        device: DeviceId,
        licenses: &'a [&'a NewLicense],
        now: i64,
    ) -> Pending<'a, usize> {
        let mut written = 0;
        for license in licenses {
            let key = LicenseKey { device, kid: license.kid, user: license.user };
            if !self.licenses.contains_key(&key) {
                self.put_license(device, license, now);
                written += 1;
            }
        }
        found(written)
    }

    fn replace_licenses<'a>(
        &'a mut self,
        device: DeviceId,
        licenses: &'a [&'a NewLicense],
        now: i64,
    ) -> Pending<'a, usize> {
        let mut written = 0;
        for license in licenses {
            let key = LicenseKey { device, kid: license.kid, user: license.user };
            if self.licenses.get(&key).map(|(_, row, _)| row.lid) == license.replaces {
                self.put_license(device, license, now);
                written += 1;
            }
        }
        found(written)
    }

    fn return_licenses<'a>(&'a mut self, device: DeviceId, licenses: &'a [(Kid, Lid)], now: i64) -> Pending<'a, ()> {
        for (kid, lid) in licenses {
            if let Some(key) = self.row_of(device, *kid, *lid) {
                self.licenses.get_mut(&key).unwrap().1.returned_at = Some(now);
            }
        }
        found(())
    }

    fn withdraw_licenses<'a>(&'a mut self, licenses: &'a [(DeviceId, Kid, Lid)], mark: i64) -> Pending<'a, Vec<bool>> {
        let mut there = Vec::new();
        for (device, kid, lid) in licenses {
            let key = self.row_of(*device, *kid, *lid);
            if let Some(key) = &key {
                self.licenses.get_mut(key).unwrap().1.withdrawn.get_or_insert(mark);
            }
            there.push(key.is_some());
        }
        found(there)
    }

    fn held_behind<'a>(&'a mut self, device: DeviceId, behind: &'a HeldKey, limit: usize) -> Pending<'a, Vec<HeldRow>> {
        let at = |key: &HeldKey| (key.kid.clone(), key.user.clone(), key.lid.clone());
        let mut held = self.held(device);
        held.retain(|row| at(&HeldKey::of(row.kid, row.holder.user(), row.lid)) > at(behind));
        held.truncate(limit);
        found(held)
    }

    fn held_for<'a>(&'a mut self, device: DeviceId, kids: &'a [Kid]) -> Pending<'a, Vec<HeldRow>> {
        let held = self.held(device);
        found(kids.iter().flat_map(|kid| held.iter().filter(|row| row.kid == *kid)).cloned().collect())
    }
}

impl SeatRows for Tables {
    fn seats<'a>(&'a mut self, licenses: &'a [Lid], _: For) -> Pending<'a, Vec<SeatRow>> {
        let of = |lid: &Lid| self.seats.values().filter(move |seat| seat.lid == *lid).cloned().collect::<Vec<_>>();
        found(licenses.iter().flat_map(of).collect())
    }

    fn seats_of<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], _: For) -> Pending<'a, Vec<SeatRow>> {
        found(licenses.iter().filter_map(|lid| self.seats.get(&(*lid, device)).cloned()).collect())
    }

    fn insert_seats<'a>(&'a mut self, seats: &'a [SeatRow]) -> Pending<'a, ()> {
        for seat in seats {
            let before = self.seats.insert((seat.lid, seat.device), seat.clone());
            assert!(before.is_none(), "a seat is taken twice");
        }
        found(())
    }

    fn update_seats<'a>(&'a mut self, seats: &'a [SeatRow]) -> Pending<'a, ()> {
        for seat in seats {
            let before = self.seats.insert((seat.lid, seat.device), seat.clone());
            assert!(before.is_some(), "there is no such seat");
        }
        found(())
    }

    fn withdraw_seats<'a>(&'a mut self, seats: &'a [(Lid, DeviceId)], mark: i64) -> Pending<'a, ()> {
        for key in seats {
            self.seats.get_mut(key).unwrap().withdrawn.get_or_insert(mark);
        }
        found(())
    }

    fn freed<'a>(&'a mut self, licenses: &'a [Lid], after: i64) -> Pending<'a, Vec<(Lid, u64)>> {
        let count = |lid: &Lid| self.freed.iter().filter(|(of, at)| of == lid && *at > after).count() as u64;
        found(licenses.iter().map(|lid| (*lid, count(lid))).collect())
    }

    fn insert_freed<'a>(&'a mut self, seats: &'a [(Lid, DeviceId)], at: i64) -> Pending<'a, ()> {
        self.freed.extend(seats.iter().map(|(lid, _)| (*lid, at)));
        found(())
    }

    fn states<'a>(&'a mut self, licenses: &'a [Lid], _: For) -> Pending<'a, Vec<(Lid, State)>> {
        found(licenses.iter().filter_map(|lid| Some((*lid, self.states.get(lid)?.clone()))).collect())
    }

    fn put_states<'a>(&'a mut self, states: &'a [(Lid, State)]) -> Pending<'a, ()> {
        self.states.extend(states.iter().cloned());
        found(())
    }

    fn again<'a>(&'a mut self, device: DeviceId, lines: &'a [Lid], after: i64, _: For) -> Pending<'a, Vec<Booked>> {
        let of = self.again.iter().filter(|(of, row)| *of == device && lines.contains(&row.line));
        let booked = |row: &AgainRow| Booked { line: row.line, lid: row.lid, at: row.granted_at };
        found(of.filter(|(_, row)| row.granted_at > after).map(|(_, row)| booked(row)).collect())
    }

    fn insert_again<'a>(&'a mut self, device: DeviceId, rows: &'a [AgainRow]) -> Pending<'a, ()> {
        self.again.extend(rows.iter().map(|row| (device, row.clone())));
        found(())
    }
}
