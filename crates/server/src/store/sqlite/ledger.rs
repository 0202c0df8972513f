//! Uses that belong to accounts, in SQLite.

use super::super::rows::{For, GrantDeviceRows, LedgerRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, done};
use crate::rules::granted::{GrantDevice, GrantId};
use crate::rules::ledger::LedgerRow;
use rusqlite::{Row, params};
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};

statements!("ledger.sql":
    LEDGER, LEDGER_HELD, LEDGER_OF, HAS_LEDGER, PUT_LEDGER, GRANT_DEVICES, GRANTS_ON,
    INSERT_GRANT_DEVICE, REMOVE_GRANT_DEVICES, HAS_LICENSES,
);

fn read(row: &Row<'_>) -> Result<LedgerRow, StoreError> {
    let (grant, kid, action, device, lid) = (row.id(0)?, row.id(1)?, row.get(2)?, row.id(3)?, row.id(4)?);
    Ok(LedgerRow { grant, kid, action, device, lid, given: row.get(5)?, used: row.get(6)?, first_use: row.get(7)? })
}

fn read_device(row: &Row<'_>) -> Result<GrantDevice, StoreError> {
    Ok(GrantDevice { grant: row.id(0)?, device: row.id(1)?, user: row.id(2)?, since: row.get(3)? })
}

impl SqliteRows<'_> {
    fn find_ledger(&self, grants: &[GrantId], kids: &[Kid]) -> Result<Vec<LedgerRow>, StoreError> {
        let mut found = Vec::new();
        for grant in grants {
            // Most grants count nothing, however many titles they cover.
            if self.exists(HAS_LEDGER, [grant.as_bytes()])? {
                for kid in kids {
                    found.extend(self.all(LEDGER, params![grant.as_bytes(), kid.as_bytes()], read)?);
                }
            }
        }
        Ok(found)
    }

    fn find_held(&self, device: DeviceId, licenses: &[Lid]) -> Result<Vec<LedgerRow>, StoreError> {
        let mut found = Vec::new();
        for lid in licenses {
            found.extend(self.all(LEDGER_HELD, params![device.as_bytes(), lid.as_bytes()], read)?);
        }
        Ok(found)
    }
}

impl LedgerRows for SqliteRows<'_> {
    fn ledger<'a>(&'a mut self, grants: &'a [GrantId], kids: &'a [Kid], _: For) -> Pending<'a, Vec<LedgerRow>> {
        done(self.find_ledger(grants, kids))
    }

    fn ledger_held<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], _: For) -> Pending<'a, Vec<LedgerRow>> {
        done(self.find_held(device, licenses))
    }

    fn ledger_of(&mut self, device: DeviceId, _: For) -> Pending<'_, Vec<LedgerRow>> {
        done(self.all(LEDGER_OF, [device.as_bytes()], read))
    }

    fn put_ledger<'a>(&'a mut self, rows: &'a [LedgerRow]) -> Pending<'a, ()> {
        let put = |LedgerRow { grant, kid, action, device, lid, given, used, first_use }: &LedgerRow| {
            let (grant, kid, device, lid) = (grant.as_bytes(), kid.as_bytes(), device.as_bytes(), lid.as_bytes());
            self.put(PUT_LEDGER, params![grant, kid, action, device, lid, given, used, first_use])
        };
        done(rows.iter().try_for_each(put))
    }
}

impl GrantDeviceRows for SqliteRows<'_> {
    fn grant_devices<'a>(&'a mut self, grants: &'a [GrantId]) -> Pending<'a, Vec<GrantDevice>> {
        let find = |grant: &GrantId| self.all(GRANT_DEVICES, [grant.as_bytes()], read_device);
        done(grants.iter().map(find).collect::<Result<Vec<_>, _>>().map(|found| found.concat()))
    }

    fn grants_on(&mut self, device: DeviceId) -> Pending<'_, Vec<GrantDevice>> {
        done(self.all(GRANTS_ON, [device.as_bytes()], read_device))
    }

    fn insert_grant_device(&mut self, row: GrantDevice) -> Pending<'_, ()> {
        let GrantDevice { grant, device, user, since } = row;
        done(self.put(INSERT_GRANT_DEVICE, params![grant.as_bytes(), device.as_bytes(), user.as_bytes(), since]))
    }

    fn remove_grant_devices(&mut self, device: DeviceId, user: UserId) -> Pending<'_, u64> {
        let removed = self.change(REMOVE_GRANT_DEVICES, params![device.as_bytes(), user.as_bytes()]);
        done(removed.map(|removed| removed as u64))
    }

    fn has_licenses(&mut self, device: DeviceId, user: UserId) -> Pending<'_, bool> {
        done(self.exists(HAS_LICENSES, params![device.as_bytes(), user.as_bytes()]))
    }
}
