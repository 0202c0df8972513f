//! Rows of what was taken back and of what waits: for a device in its mailbox, for a user on the page.

use super::super::Pending;
use super::For;
use crate::rules::interactions::{Decision, Interaction, NewInteraction};
use crate::rules::mailbox::RecipientRow;
use crate::rules::revocation::{ListedKey, NumberedOrder, Order, RevokedKeyRow, RevokedRow};
use crate::rules::rows::ExchangeKey;
use wmlicense_wire::id::{DeviceId, Lid, SignerId, TransactionId, UserId};
use wmlicense_wire::key::VerifyingKey;
use wmlicense_wire::revocation::Acknowledgement;

/// Orders of the owner, blobs and acknowledgements of devices, status lists.
pub(crate) trait RevocationRows {
    /// All orders that are rules, the oldest first.
    fn rules(&mut self) -> Pending<'_, Vec<NumberedOrder>>;
    /// Orders about licenses, with the license of each.
    fn orders_about<'a>(&'a mut self, licenses: &'a [Lid]) -> Pending<'a, Vec<(Lid, Order)>>;
    /// Orders about licenses that a device held when they were given.
    fn orders_held(&mut self, device: DeviceId) -> Pending<'_, Vec<NumberedOrder>>;
    /// Number of the newest order. For changing: orders commit in the order of their numbers.
    fn newest_order(&mut self, how: For) -> Pending<'_, Option<i64>>;
    /// Writes an order, and the devices that held its license.
    fn insert_order<'a>(
        &'a mut self,
        number: i64,
        order: &'a Order,
        reason: Option<&'a str>,
        holders: &'a [DeviceId],
    ) -> Pending<'a, ()>;
    /// The newest signed blob for a device, or for everybody, with its number.
    fn blob(&mut self, target: Option<DeviceId>, how: For) -> Pending<'_, Option<(u64, Vec<u8>)>>;
    /// Puts a signed blob in place of the one before.
    fn put_blob<'a>(&'a mut self, target: Option<DeviceId>, number: u64, blob: &'a [u8]) -> Pending<'a, ()>;
    /// The device that asked under these keys what was taken back.
    fn asker(&mut self, thumbprint: SignerId) -> Pending<'_, Option<(DeviceId, VerifyingKey)>>;
    /// Notes who asked, and when last.
    fn put_asker<'a>(
        &'a mut self,
        thumbprint: SignerId,
        device: DeviceId,
        key: &'a VerifyingKey,
        now: i64,
    ) -> Pending<'a, ()>;
    /// Number of the blob that a device acknowledged last.
    fn acknowledged(&mut self, device: DeviceId, how: For) -> Pending<'_, Option<u64>>;
    /// Puts an acknowledgement in place of the one before.
    fn put_acknowledgement<'a>(
        &'a mut self,
        acknowledgement: &'a Acknowledgement,
        document: &'a [u8],
        now: i64,
    ) -> Pending<'a, ()>;
    /// Notes licenses that a device acknowledged, where they are not noted yet.
    fn note_acknowledged<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], now: i64) -> Pending<'a, ()>;
    /// A revoked key beside those of devices.
    fn revoked_key(&mut self, kind: ListedKey, key: SignerId, how: For) -> Pending<'_, Option<RevokedKeyRow>>;
    /// Puts a revoked key in place of the same one.
    fn put_revoked_key<'a>(&'a mut self, row: &'a RevokedKeyRow) -> Pending<'a, ()>;
    /// Everything that the next status list names: devices, services and applications, what was revoked last first.
    fn revoked(&mut self) -> Pending<'_, Vec<RevokedRow>>;
    /// The newest status list with its number.
    fn status_list(&mut self, how: For) -> Pending<'_, Option<(u64, Vec<u8>)>>;
    /// Writes a status list.
    fn insert_status_list<'a>(&'a mut self, number: u64, list: &'a [u8]) -> Pending<'a, ()>;
}

/// Devices that can be given something, and what waits for them.
pub(crate) trait MailboxRows {
    /// Devices that have or asked for licenses of an account.
    fn devices_of(&mut self, user: UserId) -> Pending<'_, Vec<DeviceId>>;
    /// All keys of devices that were heard of.
    fn recipients_of<'a>(&'a mut self, devices: &'a [DeviceId]) -> Pending<'a, Vec<RecipientRow>>;
    /// Keys that were heard of.
    fn recipient(&mut self, thumbprint: SignerId, how: For) -> Pending<'_, Option<RecipientRow>>;
    /// Puts keys in place of the same ones.
    fn put_recipient<'a>(&'a mut self, row: &'a RecipientRow) -> Pending<'a, ()>;
    /// Answers that wait for a device and were made after a time, the oldest first.
    fn letters(&mut self, device: DeviceId, after: i64, limit: usize) -> Pending<'_, Vec<Vec<u8>>>;
    /// Puts an answer into the mailbox of a device.
    fn insert_letter<'a>(
        &'a mut self,
        device: DeviceId,
        transaction: TransactionId,
        now: i64,
        answer: &'a [u8],
    ) -> Pending<'a, ()>;
    /// Drops answers that wait for a device, and gives the number.
    fn drop_letters<'a>(&'a mut self, device: DeviceId, transactions: &'a [TransactionId]) -> Pending<'a, u64>;
    /// Drops what was made before this time, seconds UTC.
    fn drop_old_letters(&mut self, before: i64) -> Pending<'_, ()>;
}

/// Requests for which a user must act on the page.
pub(crate) trait InteractionRows {
    /// An interaction by the ID in the page's URL.
    fn interaction<'a>(&'a mut self, id: &'a str, how: For) -> Pending<'a, Option<Interaction>>;
    /// The interaction of an exchange.
    fn interaction_of(&mut self, key: ExchangeKey) -> Pending<'_, Option<Interaction>>;
    /// Writes an interaction, where there is none of its exchange.
    fn insert_interaction<'a>(&'a mut self, new: &'a NewInteraction) -> Pending<'a, ()>;
    /// Writes how a user decided.
    fn put_decision<'a>(&'a mut self, id: &'a str, decision: Decision) -> Pending<'a, ()>;
    /// Failed sign-ins on the pages of a device that end after a time.
    fn failed_sign_ins(&mut self, thumbprint: SignerId, after: i64) -> Pending<'_, u64>;
    /// Counts a failed sign-in.
    fn count_failed_sign_in<'a>(&'a mut self, id: &'a str) -> Pending<'a, ()>;
    /// Drops interactions that ended before this time, seconds UTC, and gives the number.
    fn drop_interactions(&mut self, before: i64) -> Pending<'_, u64>;
}
