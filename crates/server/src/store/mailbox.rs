//! What is asked of the store about licenses that nobody asked for: whom they can be given to, and what waits for a device.

use super::{Committed, Exchange, Issue, Pending};
use wmlicense_wire::id::{DeviceId, SignerId, TransactionId, UserId};

/// To whom licenses are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addressee {
    /// One device.
    Device(DeviceId),
    /// Every device that has or asked for licenses of an account.
    Account(UserId),
}

/// A device that can be given something.
#[derive(Debug, Clone)]
pub(crate) struct Recipient {
    /// Its newest keys.
    pub(crate) thumbprint: SignerId,
    pub(crate) device: DeviceId,
    /// Their certificate.
    pub(crate) certificate: Vec<u8>,
    pub(crate) revoked: bool,
    /// It was copied too often to be given what counts.
    pub(crate) copied: bool,
}

/// What waits for a device.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// Answers that nobody asked for, the oldest first.
    pub(crate) letters: Vec<Vec<u8>>,
    /// The device is known with this certificate.
    pub(crate) known: bool,
}

/// Licenses that nobody asked for.
pub(crate) trait Mailbox: Send + Sync {
    /// Devices that something can be given to.
    fn recipients(&self, to: Addressee) -> Pending<'_, Vec<Recipient>>;
    /// Writes licenses that are given to a device, what goes out again, and with `keep` the answer for its mailbox.
    fn give(
        &self,
        exchange: Exchange,
        device: DeviceId,
        issue: Issue,
        answer: Vec<u8>,
        keep: bool,
    ) -> Pending<'_, Committed>;
    /// What waits for the device of these keys at `now`, seconds UTC: nothing for one that was revoked or has other keys.
    fn waiting(&self, thumbprint: SignerId, certificate: Vec<u8>, now: i64) -> Pending<'_, Waiting>;
    /// Remembers the certificate of a device.
    fn know(&self, recipient: Recipient, certified_at: i64) -> Pending<'_, ()>;
    /// Drops what a device took out of its mailbox, and gives the number.
    fn taken(&self, device: DeviceId, transactions: Vec<TransactionId>) -> Pending<'_, u64>;
}
