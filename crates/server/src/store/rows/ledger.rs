//! Rows of uses that belong to accounts.

use super::super::Pending;
use super::For;
use crate::rules::granted::GrantId;
use crate::rules::ledger::LedgerRow;
use wmlicense_wire::id::{DeviceId, Kid, Lid};

/// Uses under grants. For changing: nobody else changes those of the same grants, or adds to them, until the transaction ends.
pub(crate) trait LedgerRows {
    /// The uses of key IDs under grants, in the order of grants, key IDs, actions and devices.
    fn ledger<'a>(&'a mut self, grants: &'a [GrantId], kids: &'a [Kid], how: For) -> Pending<'a, Vec<LedgerRow>>;
    /// The uses that a device has in these licenses, in the same order.
    fn ledger_held<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], how: For) -> Pending<'a, Vec<LedgerRow>>;
    /// All uses that a device has or had, in the same order.
    fn ledger_of(&mut self, device: DeviceId, how: For) -> Pending<'_, Vec<LedgerRow>>;
    /// Puts rows in place of those of the same grant, key ID, action and device.
    fn put_ledger<'a>(&'a mut self, rows: &'a [LedgerRow]) -> Pending<'a, ()>;
}
