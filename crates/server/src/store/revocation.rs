//! What the store keeps about revocation: orders of the owner, blobs and acknowledgements of devices, status lists.

use super::Pending;
use wmlicense_wire::id::{DeviceId, Kid, SignerId, UserId};
use wmlicense_wire::key::VerifyingKey;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::{Acknowledgement, Entry, Rule};
use wmlicense_wire::status_list::Revoked;

/// Licenses that the owner takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    /// One license, or all that a rule matches.
    pub(crate) entry: Entry,
    /// Only on this device.
    pub(crate) device: Option<DeviceId>,
}

impl Order {
    /// True if a license with these terms is taken back from a device.
    pub(crate) fn matches(&self, policy: &Policy, device: DeviceId) -> bool {
        self.device.is_none_or(|only| only == device)
            && match self.entry {
                Entry::License(lid) => policy.lid == lid,
                Entry::Rule(rule) => rule.matches(policy),
            }
    }
}

/// An order with its number.
pub(crate) struct OrderRow {
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

/// What a device has to be told.
pub(crate) struct Due {
    /// Number of the newest order for it.
    pub(crate) number: u64,
    /// The device, where something is said to it alone.
    pub(crate) target: Option<DeviceId>,
    pub(crate) entries: Vec<Entry>,
    /// The signed blob, where one of this number was made before.
    pub(crate) signed: Option<Vec<u8>>,
}

/// Keys that a status list may name beside devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum ListedKey {
    /// Signing key of a service.
    Service = 1,
    /// Application, by what it calls itself.
    Application = 2,
}

/// One row of `status show`.
pub(crate) struct RevokedRow {
    pub(crate) kind: &'static str,
    pub(crate) key: SignerId,
    pub(crate) name: String,
    pub(crate) from: i64,
    pub(crate) revoked_at: i64,
    pub(crate) reason: Option<String>,
}

impl RevokedRow {
    /// As a status list has it.
    pub(crate) fn listed(&self) -> Revoked {
        Revoked { key: self.key, from: self.from }
    }
}

/// A revoked key as the owner names it.
pub(crate) struct NewRevokedKey {
    pub(crate) kind: ListedKey,
    pub(crate) key: SignerId,
    pub(crate) name: String,
    pub(crate) from: i64,
    pub(crate) reason: Option<String>,
}

/// Revocation, for roles and commands.
pub(crate) trait Revocations: Send + Sync {
    /// Writes an order down and gives its number and the devices that are known to hold what is taken back.
    fn take_back(&self, order: Order, reason: Option<String>, now: i64) -> Pending<'_, (u64, u64)>;
    /// All orders, the latest first.
    fn orders(&self) -> Pending<'_, Vec<OrderRow>>;
    /// User ID of an account.
    fn user_of(&self, account: String) -> Pending<'_, Option<UserId>>;
    /// What a device has to be told; none where nothing was ever taken back from it.
    fn due(&self, device: DeviceId) -> Pending<'_, Option<Due>>;
    /// Keeps a signed blob, and gives the one of that number that was kept first.
    fn keep_blob(&self, target: Option<DeviceId>, number: u64, blob: Vec<u8>) -> Pending<'_, Vec<u8>>;
    /// Remembers who asked, to know the key of the acknowledgement.
    fn note_asker(&self, device: DeviceId, thumbprint: SignerId, key: VerifyingKey, now: i64) -> Pending<'_, ()>;
    /// The device that asked under these keys.
    fn asker(&self, thumbprint: SignerId) -> Pending<'_, Option<(DeviceId, VerifyingKey)>>;
    /// Writes an acknowledgement down; false if it is for no blob that the device was given.
    fn acknowledge(&self, acknowledgement: Acknowledgement, document: Vec<u8>, now: i64) -> Pending<'_, bool>;
    /// Puts a key on the next status list.
    fn revoke_key(&self, key: NewRevokedKey, now: i64) -> Pending<'_, ()>;
    /// Everything that the next status list names: devices, services and applications.
    fn revoked(&self) -> Pending<'_, Vec<RevokedRow>>;
    /// The newest status list with its number.
    fn status_list(&self) -> Pending<'_, Option<(u64, Vec<u8>)>>;
    /// Keeps a status list; false if there is one of its number or a higher one.
    fn add_status_list(&self, number: u64, list: Vec<u8>) -> Pending<'_, bool>;
}

/// The rule of a row.
pub(crate) fn rule(user: Option<UserId>, kid: Option<Kid>, issued_before: Option<i64>) -> Entry {
    Entry::Rule(Rule { user, kid, issued_before })
}
