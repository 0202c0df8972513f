//! Uses that belong to accounts, in memory.

use super::super::super::Pending;
use super::super::super::rows::{For, LedgerRows};
use super::{Tables, found};
use crate::rules::granted::GrantId;
use crate::rules::ledger::LedgerRow;
use wmlicense_wire::id::{DeviceId, Kid, Lid};

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
