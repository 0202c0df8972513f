//! Rows as they are listed: in pages, each behind the last key of the one before.

use super::super::Pending;
use crate::rules::revocation::Order;
use crate::rules::rows::{AccountRow, AuditRow};
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid, SignerId, UserId};

/// Which rows are listed: those that everything named here is true of. Each list says what it looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Name of an account, also of one that was removed.
    pub(crate) account: Option<String>,
    pub(crate) device: Option<DeviceId>,
    pub(crate) kid: Option<Kid>,
    /// Part of a title, whatever the case of its ASCII letters.
    pub(crate) title: Option<String>,
    pub(crate) scope: Option<String>,
    /// Seconds UTC, the first one that counts.
    pub(crate) since: Option<i64>,
    /// Seconds UTC, the first one that counts no more.
    pub(crate) until: Option<i64>,
    /// Accounts that were removed as well.
    pub(crate) removed: bool,
}

impl Filter {
    /// First second, and first one behind.
    pub(crate) fn times(&self) -> (i64, i64) {
        (self.since.unwrap_or(i64::MIN), self.until.unwrap_or(i64::MAX))
    }
}

/// Which rows of the audit are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AuditFilter {
    pub(crate) who: Option<String>,
    /// Words of a command, or the first of them.
    pub(crate) act: Option<String>,
    /// Part of what it was about, whatever the case of its ASCII letters.
    pub(crate) about: Option<String>,
    /// As in [`Filter`].
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
}

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
    /// Name of the account that it was issued to, where that is known.
    pub(crate) account: Option<String>,
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
    /// Names of the accounts that its licenses were issued to or that it asked for, in their order.
    pub(crate) accounts: Vec<String>,
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
    /// Content by key ID: what an account may have, what a device has a license for, key ID, title, scope, times of adding.
    /// `delivered`: for what it has one beside its rows.
    fn list_contents<'a>(
        &'a mut self,
        filter: &'a Filter,
        delivered: &'a [Kid],
        behind: Option<Kid>,
        limit: usize,
    ) -> Pending<'a, Vec<ContentEntry>>;
    /// Accounts by name and user: name, scope, a device that licenses were issued to, times of making.
    fn list_accounts<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(String, UserId)>,
        limit: usize,
    ) -> Pending<'a, Vec<AccountRow>>;
    /// Subscriptions by name.
    fn list_subscriptions<'a>(
        &'a mut self,
        behind: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<SubscriptionEntry>>;
    /// Names and times of change of policies, by name.
    fn list_policies<'a>(&'a mut self, behind: Option<&'a str>, limit: usize) -> Pending<'a, Vec<(String, i64)>>;
    /// Licenses, the latest first; those of one second by license ID and device. Account, device, key ID, title, times of issue.
    fn list_licenses<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(i64, Lid, DeviceId)>,
        limit: usize,
    ) -> Pending<'a, Vec<LicenseFacts>>;
    /// Licenses that were restored, the latest first; those of one second by license ID and device. Account, device, key ID,
    /// title, times of restoring.
    fn list_restores<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(i64, Lid, DeviceId)>,
        limit: usize,
    ) -> Pending<'a, Vec<RestoreEntry>>;
    /// Devices by their present keys, the latest first; those of one second by device ID and keys. Account, device, a key ID that
    /// it has a license for, times of the first certificate. `pages`: those of deliveries that have the key ID.
    fn list_devices<'a>(
        &'a mut self,
        filter: &'a Filter,
        pages: &'a [Digest],
        behind: Option<(i64, DeviceId, SignerId)>,
        limit: usize,
    ) -> Pending<'a, Vec<DeviceEntry>>;
    /// The audit, the latest first.
    fn list_audit<'a>(
        &'a mut self,
        filter: &'a AuditFilter,
        behind: Option<(i64, [u8; 16])>,
        limit: usize,
    ) -> Pending<'a, Vec<AuditRow>>;
    /// Orders, the latest first.
    fn list_orders(&mut self, behind: Option<u64>, limit: usize) -> Pending<'_, Vec<OrderEntry>>;
    /// Licenses by their keys.
    fn any_licenses(&mut self, behind: Option<LicenseKey>, limit: usize) -> Pending<'_, Vec<AnyLicense>>;
    /// Restored licenses whose terms are known, by license ID and device.
    fn restored_seats(&mut self, behind: Option<(Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<RestoredSeat>>;
    /// Counts of everything, with what is counted.
    fn counts(&mut self) -> Pending<'_, Vec<(&'static str, u64)>>;
}
