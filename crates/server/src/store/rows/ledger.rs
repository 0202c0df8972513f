//! Rows of uses that belong to accounts, and of the devices that have some of a grant.

use super::super::Pending;
use super::For;
use crate::rules::granted::{GrantDevice, GrantId};
use crate::rules::ledger::LedgerRow;
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};

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

/// Devices that have licenses under grants.
pub(crate) trait GrantDeviceRows {
    /// The devices of grants, in the order of grants and devices.
    fn grant_devices<'a>(&'a mut self, grants: &'a [GrantId]) -> Pending<'a, Vec<GrantDevice>>;
    /// The grants that a device has something of, in their order.
    fn grants_on(&mut self, device: DeviceId) -> Pending<'_, Vec<GrantDevice>>;
    /// Writes a device of a grant, where it is not there.
    fn insert_grant_device(&mut self, row: GrantDevice) -> Pending<'_, ()>;
    /// Takes a device from all grants of an account, and gives of how many.
    fn remove_grant_devices(&mut self, device: DeviceId, user: UserId) -> Pending<'_, u64>;
    /// True if a device has a license of an account, restored ones included, that it did not give back and need not drop.
    fn has_licenses(&mut self, device: DeviceId, user: UserId) -> Pending<'_, bool>;
}
