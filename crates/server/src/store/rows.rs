//! The seam between rules and engines: small operations on rows, inside one transaction. An engine gives these and no decision;
//! what they are put together to is in the files beside, what is decided is in `rules/`.
//!
//! Where rows are read [`For::Changing`], nobody else changes them, or adds others under the same keys, until the transaction
//! ends: an engine locks them in the order of their keys, or runs one writer at a time, or finds out at the commit and says
//! [`StoreError::Overtaken`](super::StoreError::Overtaken). Lists of keys and rows are one round trip each.

mod admins;
mod catalogue;
mod deliveries;
mod ledger;
mod licenses;
mod lists;
mod offers;
mod revocation;
mod tally;

pub(crate) use admins::AdminRows;
pub(crate) use catalogue::{AccountRows, AuditRows, CatalogueRows};
pub(crate) use deliveries::DeliveryRows;
pub(crate) use ledger::{GrantDeviceRows, LedgerRows};
pub(crate) use licenses::{LicenseRows, SeatRows};
pub(crate) use lists::{
    AnyLicense, AuditFilter, ContentEntry, DeviceEntry, Filter, LicenseEntry, LicenseFacts, LicenseKey, ListRows,
    OrderEntry, RestoreEntry, RestoredSeat, SubscriptionEntry,
};
pub(crate) use offers::{GrantEntry, GrantFilter, OfferEntry, OfferRows};
pub(crate) use revocation::{InteractionRows, MailboxRows, RevocationRows};
pub(crate) use tally::TallyRows;

use super::Pending;
use crate::rules::epochs::{EpochRow, Epochs, Presented};
use crate::rules::exchanges::Exchange;
use crate::rules::rows::{AnsweredRow, ExchangeKey, Keeping, KeysRow};
use wmlicense_wire::id::{DeviceId, SignerId};

/// What rows are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// To know them.
    Reading,
    /// To write what is decided from them.
    Changing,
}

/// All rows of a transaction.
pub(crate) trait Rows:
    Send
    + ExchangeRows
    + EpochRows
    + DeviceRows
    + AccountRows
    + AuditRows
    + AdminRows
    + CatalogueRows
    + OfferRows
    + LedgerRows
    + GrantDeviceRows
    + DeliveryRows
    + LicenseRows
    + SeatRows
    + RevocationRows
    + MailboxRows
    + InteractionRows
    + TallyRows
    + ListRows
{
}

impl<T> Rows for T where
    T: Send
        + ExchangeRows
        + EpochRows
        + DeviceRows
        + AccountRows
        + AuditRows
        + AdminRows
        + CatalogueRows
        + OfferRows
        + LedgerRows
        + GrantDeviceRows
        + OfferRows
        + LedgerRows
        + GrantDeviceRows
        + DeliveryRows
        + LicenseRows
        + SeatRows
        + RevocationRows
        + MailboxRows
        + InteractionRows
        + TallyRows
        + ListRows
{
}

/// Requests that were answered, and those that were checked but not decided yet.
pub(crate) trait ExchangeRows {
    /// The row of an exchange that was answered.
    fn exchange(&mut self, key: ExchangeKey) -> Pending<'_, Option<AnsweredRow>>;
    /// Writes the row of an exchange with what is kept of its answer. False where there is a row; who comes second waits until the
    /// first one ended.
    fn claim_exchange<'a>(&'a mut self, exchange: &'a Exchange, answer: Keeping<'a>) -> Pending<'a, bool>;
    /// Takes back what was claimed.
    fn release_exchange(&mut self, key: ExchangeKey) -> Pending<'_, ()>;
    /// True if this very request was noted as checked.
    fn is_checked<'a>(&'a mut self, exchange: &'a Exchange) -> Pending<'a, bool>;
    /// Notes this very request as checked, where it is not noted yet.
    fn note_checked<'a>(&'a mut self, exchange: &'a Exchange) -> Pending<'a, ()>;
    /// Drops the bytes of answers given before this time, seconds UTC, and gives the number. The rows stay.
    fn drop_answers(&mut self, before: i64) -> Pending<'_, u64>;
    /// Drops the notes of requests that were checked before this time, seconds UTC.
    fn drop_checked(&mut self, before: i64) -> Pending<'_, ()>;
}

/// Epochs of devices, and what was noticed of them. Roles go by their numbers.
pub(crate) trait EpochRows {
    /// The epochs of a device at all roles. For changing also where there are none yet.
    fn epochs(&mut self, device: DeviceId, how: For) -> Pending<'_, Vec<EpochRow>>;
    /// Puts the epochs of a device at a role in place of those before.
    fn put_epochs<'a>(&'a mut self, device: DeviceId, role: i64, epochs: &'a Epochs) -> Pending<'a, ()>;
    /// Forks of keys of a device that were noticed after a time, by role.
    fn forks(&mut self, device: DeviceId, thumbprint: SignerId, after: i64) -> Pending<'_, Vec<(i64, u64)>>;
    /// True if a fork of these keys that presented this epoch at this role was noticed after a time.
    fn has_fork<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, after: i64) -> Pending<'a, bool>;
    /// When a fork of a device was noticed last, whatever its keys.
    fn last_fork(&mut self, device: DeviceId) -> Pending<'_, Option<i64>>;
    /// Notes a fork.
    fn insert_fork<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, at: i64) -> Pending<'a, ()>;
    /// How often keys presented a predecessor late after a time, and when last.
    fn late<'a>(
        &'a mut self,
        presented: &'a Presented,
        thumbprint: SignerId,
        after: i64,
    ) -> Pending<'a, (u64, Option<i64>)>;
    /// Notes that keys presented a predecessor late.
    fn insert_late<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, at: i64) -> Pending<'a, ()>;
    /// Drops what was noted of late predecessors before this time, seconds UTC.
    fn drop_late(&mut self, before: i64) -> Pending<'_, ()>;
}

/// Keys of devices.
pub(crate) trait DeviceRows {
    /// The row of keys.
    fn keys(&mut self, thumbprint: SignerId, how: For) -> Pending<'_, Option<KeysRow>>;
    /// The rows of all keys of a device.
    fn keys_of(&mut self, device: DeviceId, how: For) -> Pending<'_, Vec<KeysRow>>;
    /// Puts a row in place of the one of the same keys.
    fn put_keys<'a>(&'a mut self, row: &'a KeysRow) -> Pending<'a, ()>;
    /// True if a row of the device says that it was revoked.
    fn is_revoked(&mut self, device: DeviceId) -> Pending<'_, bool>;
    /// Devices behind one, in the order of their IDs.
    fn devices_behind(&mut self, after: DeviceId, limit: usize) -> Pending<'_, Vec<DeviceId>>;
    /// True if a device has or had something: a license, its own or a restored one, a letter in its mailbox, a fork, an order about
    /// what it held, an acknowledgement.
    fn has_traces(&mut self, device: DeviceId) -> Pending<'_, bool>;
    /// Drops the rows of a device's keys, with their epochs, certificates and requests.
    fn forget_device(&mut self, device: DeviceId) -> Pending<'_, ()>;
    /// Writes what a device is called into its rows that say otherwise.
    fn call_device<'a>(&'a mut self, device: DeviceId, name: Option<&'a str>) -> Pending<'a, ()>;
}
