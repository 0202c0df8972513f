//! Rows as they are listed: in pages, each behind the last key of the one before.

use super::super::Pending;
use crate::rules::revocation::Order;
use wmlicense_wire::id::{DeviceId, Kid, Lid, SignerId, UserId};

/// One row of `content list`.
#[derive(Debug, Clone)]
pub(crate) struct ContentEntry {
    pub(crate) kid: Kid,
    pub(crate) title: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) scope: Option<String>,
}

/// One row of `subscription list`.
#[derive(Debug, Clone)]
pub(crate) struct SubscriptionEntry {
    pub(crate) name: String,
    pub(crate) kid: Kid,
    pub(crate) policy: Option<String>,
    pub(crate) scope: Option<String>,
    /// Key IDs whose licenses are its leaves.
    pub(crate) leaves: u64,
}

/// One row of `license list`, as far as it is told.
#[derive(Debug, Clone)]
pub(crate) struct LicenseEntry {
    pub(crate) lid: Lid,
    pub(crate) kid: Kid,
    pub(crate) title: Option<String>,
    pub(crate) device: DeviceId,
    pub(crate) account: Option<String>,
    pub(crate) issued_at: i64,
    /// When that device gave it back.
    pub(crate) returned_at: Option<i64>,
    pub(crate) devices: u64,
    /// It was taken back by its ID or by a rule.
    pub(crate) taken_back: bool,
    /// When the device acknowledged that, seconds UTC.
    pub(crate) acknowledged_at: Option<i64>,
}

/// A license as it is listed, with what tells whether it was taken back by a rule.
#[derive(Debug, Clone)]
pub(crate) struct LicenseFacts {
    /// Not taken back, as far as the rows tell.
    pub(crate) entry: LicenseEntry,
    pub(crate) policy: Vec<u8>,
}

/// One row of `restore list`: a device that holds a license because of a restore.
#[derive(Debug, Clone)]
pub(crate) struct RestoreEntry {
    pub(crate) lid: Lid,
    pub(crate) kid: Kid,
    pub(crate) title: Option<String>,
    pub(crate) device: DeviceId,
    pub(crate) since: i64,
    pub(crate) devices: u64,
}

/// One row of `device list`.
#[derive(Debug, Clone)]
pub(crate) struct DeviceEntry {
    pub(crate) device: DeviceId,
    /// Its present keys.
    pub(crate) thumbprint: SignerId,
    pub(crate) name: Option<String>,
    pub(crate) since: i64,
    pub(crate) certified_at: i64,
    pub(crate) security_version: String,
    pub(crate) revoked_at: Option<i64>,
    pub(crate) reason: Option<String>,
    /// How often a copy of its store was noticed, and when last.
    pub(crate) forks: u64,
    pub(crate) forked_at: Option<i64>,
}

/// One row of `revocation list`.
#[derive(Debug, Clone)]
pub(crate) struct OrderEntry {
    pub(crate) number: u64,
    pub(crate) order: Order,
    /// Name of the account of a rule.
    pub(crate) account: Option<String>,
    pub(crate) reason: Option<String>,
    /// Devices that are known to have held the licenses.
    pub(crate) devices: u64,
    /// Devices that acknowledged it.
    pub(crate) acknowledged: u64,
}

/// What names a license among all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LicenseKey {
    pub(crate) device: DeviceId,
    pub(crate) kid: Kid,
    /// None where the content is open, which sorts first.
    pub(crate) user: Option<UserId>,
}

/// A license among all, with its terms.
#[derive(Debug, Clone)]
pub(crate) struct AnyLicense {
    pub(crate) key: LicenseKey,
    pub(crate) lid: Lid,
    pub(crate) policy: Vec<u8>,
}

/// A license that a device has from another one's backup, with the terms that it was issued on.
#[derive(Debug, Clone)]
pub(crate) struct RestoredSeat {
    pub(crate) lid: Lid,
    pub(crate) device: DeviceId,
    pub(crate) policy: Vec<u8>,
}

/// Pages of everything. `behind`: the last of the page before, or none for the first page.
pub(crate) trait ListRows {
    /// Content by key ID.
    fn list_contents(&mut self, behind: Option<Kid>, limit: usize) -> Pending<'_, Vec<ContentEntry>>;
    /// Subscriptions by name.
    fn list_subscriptions<'a>(
        &'a mut self,
        behind: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<SubscriptionEntry>>;
    /// Names and times of change of policies, by name.
    fn list_policies<'a>(&'a mut self, behind: Option<&'a str>, limit: usize) -> Pending<'a, Vec<(String, i64)>>;
    /// Licenses, the latest first; those of one second by license ID and device.
    fn list_licenses(&mut self, behind: Option<(i64, Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<LicenseFacts>>;
    /// Licenses that were restored, the latest first; those of one second by license ID and device.
    fn list_restores(&mut self, behind: Option<(i64, Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<RestoreEntry>>;
    /// Devices by their present keys, the latest first; those of one second by device ID and keys.
    fn list_devices(
        &mut self,
        behind: Option<(i64, DeviceId, SignerId)>,
        limit: usize,
    ) -> Pending<'_, Vec<DeviceEntry>>;
    /// Orders, the latest first.
    fn list_orders(&mut self, behind: Option<u64>, limit: usize) -> Pending<'_, Vec<OrderEntry>>;
    /// Licenses by their keys.
    fn any_licenses(&mut self, behind: Option<LicenseKey>, limit: usize) -> Pending<'_, Vec<AnyLicense>>;
    /// Restored licenses whose terms are known, by license ID and device.
    fn restored_seats(&mut self, behind: Option<(Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<RestoredSeat>>;
    /// Counts of everything, with what is counted.
    fn counts(&mut self) -> Pending<'_, Vec<(&'static str, u64)>>;
}
