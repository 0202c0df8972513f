//! Uses that belong to accounts, in SQLite.

use super::super::rows::{For, LedgerRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, done};
use crate::rules::granted::GrantId;
use crate::rules::ledger::LedgerRow;
use rusqlite::{Row, params};
use wmlicense_wire::id::{DeviceId, Kid, Lid};

statements!("ledger.sql": LEDGER, LEDGER_HELD, LEDGER_OF, HAS_LEDGER, PUT_LEDGER);

fn read(row: &Row<'_>) -> Result<LedgerRow, StoreError> {
    let (grant, kid, action, device, lid) = (row.id(0)?, row.id(1)?, row.get(2)?, row.id(3)?, row.id(4)?);
    Ok(LedgerRow { grant, kid, action, device, lid, given: row.get(5)?, used: row.get(6)?, first_use: row.get(7)? })
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
