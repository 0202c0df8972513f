//! Uses that belong to accounts, in memory.

use super::super::super::Pending;
use super::super::super::rows::{For, GrantDeviceRows, LedgerRows};
use super::{Tables, found};
use crate::rules::granted::{GrantDevice, GrantId};
use crate::rules::ledger::LedgerRow;
use crate::rules::rows::LicenseRow;
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};

impl LedgerRows for Tables {
    fn ledger<'a>(&'a mut self, grants: &'a [GrantId], kids: &'a [Kid], _: For) -> Pending<'a, Vec<LedgerRow>> {
        let of = self.ledger.values().filter(|row| grants.contains(&row.grant) && kids.contains(&row.kid));
        found(of.cloned().collect())
    }

    fn ledger_held<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], _: For) -> Pending<'a, Vec<LedgerRow>> {
        let of = self.ledger.values().filter(|row| row.device == device && licenses.contains(&row.lid));
        found(of.cloned().collect())
    }

    fn ledger_of(&mut self, device: DeviceId, _: For) -> Pending<'_, Vec<LedgerRow>> {
        found(self.ledger.values().filter(|row| row.device == device).cloned().collect())
    }

    fn put_ledger<'a>(&'a mut self, rows: &'a [LedgerRow]) -> Pending<'a, ()> {
        for row in rows {
            self.ledger.insert((row.grant, row.kid, row.action.clone(), row.device), row.clone());
        }
        found(())
    }
}

impl GrantDeviceRows for Tables {
    fn grant_devices<'a>(&'a mut self, grants: &'a [GrantId]) -> Pending<'a, Vec<GrantDevice>> {
        found(self.grant_devices.values().filter(|row| grants.contains(&row.grant)).copied().collect())
    }

    fn grants_on(&mut self, device: DeviceId) -> Pending<'_, Vec<GrantDevice>> {
        found(self.grant_devices.values().filter(|row| row.device == device).copied().collect())
    }

    fn insert_grant_device(&mut self, row: GrantDevice) -> Pending<'_, ()> {
        self.grant_devices.entry((row.grant, row.device)).or_insert(row);
        found(())
    }

    fn remove_grant_devices(&mut self, device: DeviceId, user: UserId) -> Pending<'_, u64> {
        let before = self.grant_devices.len();
        self.grant_devices.retain(|_, row| row.device != device || row.user != user);
        found((before - self.grant_devices.len()) as u64)
    }

    fn has_licenses(&mut self, device: DeviceId, user: UserId) -> Pending<'_, bool> {
        let is_live = |row: &LicenseRow| row.user == Some(user) && row.withdrawn.is_none() && row.returned_at.is_none();
        let own = self.licenses.iter().any(|(key, (_, row, _))| key.device == device && is_live(row));
        let delivered = self
            .deliveries
            .values()
            .any(|row| row.device == device && row.user == Some(user) && row.live > 0 && row.withdrawn.is_none());
        let restored = self.seats.values().any(|seat| {
            let of_user = || self.licenses.values().any(|(_, row, _)| row.lid == seat.lid && row.user == Some(user));
            seat.device == device
                && seat.restored
                && seat.returned_at.is_none()
                && seat.withdrawn.is_none()
                && of_user()
        });
        found(own || delivered || restored)
    }
}
