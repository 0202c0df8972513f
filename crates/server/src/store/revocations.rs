//! Revocation: orders and whom they are told to, blobs and acknowledgements, keys that count no more, status lists.

use super::audit::note;
use super::deliveries;
use super::rows::{For, LicenseKey, Rows};
use super::{End, Pending, Store, StoreError};
use crate::policy::to_rfc3339;
use crate::rules::audit::{Act, Acting};
use crate::rules::devices;
use crate::rules::revocation::{
    self, Due, ListedKey, NewRevokedKey, Order, RevokedRow, due, is_acknowledged, is_newer, next_number,
};
use wmlicense_wire::id::{DeviceId, Lid, SignerId, UserId};
use wmlicense_wire::key::VerifyingKey;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::{Acknowledgement, Entry, Rule};

/// Licenses that are read at once to find those of a rule.
const PAGE: usize = 4096;

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TakenBack {
    /// Its number.
    pub(crate) number: u64,
    /// Devices that are known to hold what is taken back.
    pub(crate) devices: u64,
    /// Deliveries that may be meant and could not be looked into, because their pages are damaged.
    pub(crate) unread: u64,
}

impl Store {
    /// Writes an order down.
    pub(crate) fn take_back(
        &self,
        order: Order,
        reason: Option<String>,
        by: impl Into<Acting>,
    ) -> Pending<'_, TakenBack> {
        self.write_once((order, reason, by.into()), |(order, reason, by), rows| {
            Box::pin(async move {
                let number = next_number(rows.newest_order(For::Changing).await?, by.now);
                let holders = match order.entry {
                    Entry::Rule(_) => Vec::new(),
                    Entry::License(lid) => {
                        deliveries::give_rows(rows, &[lid], None).await?;
                        holders(rows, lid, order.device).await?
                    }
                };
                rows.insert_order(number, order, reason.as_deref(), &holders).await?;
                let mark = next_mark(rows, by.now).await?;
                let (about, became) = (told(rows, order).await?, Some(format!("revocation {number}")));
                note(rows, by, Act { act: "license revoke", about: Some(about), was: None, became }).await?;
                let (devices, unread) = match order.entry {
                    Entry::Rule(_) => withdraw_by_rule(rows, order, mark).await?,
                    Entry::License(lid) => {
                        withdraw_one(rows, lid, order.device, mark).await?;
                        (holders.len(), 0)
                    }
                };
                Ok(End::Keep(TakenBack { number: number.unsigned_abs(), devices: devices as u64, unread }))
            })
        })
    }

    /// User ID of an account.
    pub(crate) fn user_of(&self, account: String) -> Pending<'_, Option<UserId>> {
        self.read(account, |account, rows| rows.account_by_name(account, For::Reading))
    }

    /// What a device has to be told; none where nothing was ever taken back from it.
    pub(crate) fn due(&self, device: DeviceId) -> Pending<'_, Option<Due>> {
        self.read(device, |device, rows| {
            Box::pin(async move {
                let (rules, held) = (rows.rules().await?, rows.orders_held(*device).await?);
                let Some(due) = due(*device, &rules, &held) else { return Ok(None) };
                let signed = blob_of(rows, due.target, due.number).await?;
                Ok(Some(Due { signed, ..due }))
            })
        })
    }

    /// Keeps a signed blob, and gives the one of that number that was kept first.
    pub(crate) fn keep_blob(&self, target: Option<DeviceId>, number: u64, blob: Vec<u8>) -> Pending<'_, Vec<u8>> {
        self.write((target, number, blob), |(target, number, blob), rows| {
            Box::pin(async move {
                let known = rows.blob(*target, For::Changing).await?;
                if is_newer(known.as_ref().map(|(known, _)| *known), *number) {
                    rows.put_blob(*target, *number, blob).await?;
                }
                let first = known.filter(|(known, _)| known == number).map(|(_, blob)| blob);
                Ok(End::Keep(first.unwrap_or_else(|| blob.clone())))
            })
        })
    }

    /// Remembers who asked, to know the key of the acknowledgement.
    pub(crate) fn note_asker(
        &self,
        device: DeviceId,
        thumbprint: SignerId,
        key: VerifyingKey,
        now: i64,
    ) -> Pending<'_, ()> {
        self.write((device, thumbprint, key, now), |(device, thumbprint, key, now), rows| {
            Box::pin(async move { Ok(End::Keep(rows.put_asker(*thumbprint, *device, key, *now).await?)) })
        })
    }

    /// The device that asked under these keys.
    pub(crate) fn asker(&self, thumbprint: SignerId) -> Pending<'_, Option<(DeviceId, VerifyingKey)>> {
        self.read(thumbprint, |thumbprint, rows| rows.asker(*thumbprint))
    }

    /// Writes an acknowledgement down; false if it is for no blob that the device was given.
    pub(crate) fn acknowledge(
        &self,
        acknowledgement: Acknowledgement,
        document: Vec<u8>,
        now: i64,
    ) -> Pending<'_, bool> {
        self.write((acknowledgement, document, now), |(acknowledgement, document, now), rows| {
            Box::pin(async move {
                let (device, number) = (acknowledgement.device_id, acknowledgement.number);
                let mut given = false;
                for target in [Some(device), None] {
                    let blob = blob_of(rows, target, number).await?;
                    given |= blob.is_some_and(|blob| is_acknowledged(acknowledgement, target, &blob));
                }
                if !given {
                    return Ok(End::Undo(false));
                }
                let known = rows.acknowledged(device, For::Changing).await?;
                if known.is_none_or(|known| known <= number) {
                    rows.put_acknowledgement(acknowledgement, document, *now).await?;
                }
                rows.note_acknowledged(device, &acknowledgement.lids, *now).await?;
                Ok(End::Keep(true))
            })
        })
    }

    /// Revokes a device; false if it is not known. Licenses from `counts_from` on count for nothing once the next status list
    /// is out.
    pub(crate) fn revoke_device(
        &self,
        device: DeviceId,
        counts_from: i64,
        reason: Option<String>,
        by: impl Into<Acting>,
    ) -> Pending<'_, bool> {
        self.write((device, counts_from, reason, by.into()), |(device, counts_from, reason, by), rows| {
            Box::pin(async move {
                let keys = rows.keys_of(*device, For::Changing).await?;
                if keys.is_empty() {
                    return Ok(End::Undo(false));
                }
                let was = keys.iter().find_map(|row| row.revoked_at);
                for row in keys {
                    rows.put_keys(&devices::revoked(row, *counts_from, reason.as_deref(), by.now)).await?;
                }
                let was = was.map(|at| format!("revoked {}", to_rfc3339(at)));
                let became = Some(format!("licenses from {} on do not count", to_rfc3339(*counts_from)));
                note(rows, by, Act { act: "device revoke", about: Some(device.to_hex()), was, became }).await?;
                Ok(End::Keep(true))
            })
        })
    }

    /// Puts a key on the next status list.
    pub(crate) fn revoke_key(&self, key: NewRevokedKey, by: impl Into<Acting>) -> Pending<'_, ()> {
        self.write((key, by.into()), |(key, by), rows| {
            Box::pin(async move {
                let known = rows.revoked_key(key.kind, key.key, For::Changing).await?;
                let was = known.as_ref().map(|row| format!("from {}", to_rfc3339(row.counts_from)));
                let row = revocation::revoke(key.clone(), known, by.now);
                rows.put_revoked_key(&row).await?;
                let act = match key.kind {
                    ListedKey::Service => "certificate revoke",
                    ListedKey::Application => "application revoke",
                };
                let became = Some(format!("from {}", to_rfc3339(row.counts_from)));
                note(rows, by, Act { act, about: Some(key.name.clone()), was, became }).await?;
                Ok(End::Keep(()))
            })
        })
    }

    /// Everything that the next status list names: devices, services and applications.
    pub(crate) fn revoked(&self) -> Pending<'_, Vec<RevokedRow>> {
        self.read((), |(), rows| rows.revoked())
    }

    /// The newest status list with its number.
    pub(crate) fn status_list(&self) -> Pending<'_, Option<(u64, Vec<u8>)>> {
        self.read((), |(), rows| rows.status_list(For::Reading))
    }

    /// Keeps a status list; false if there is one of its number or a higher one.
    pub(crate) fn add_status_list(&self, number: u64, list: Vec<u8>, by: impl Into<Acting>) -> Pending<'_, bool> {
        self.write_once((number, list, by.into()), |(number, list, by), rows| {
            Box::pin(async move {
                let newest = rows.status_list(For::Changing).await?;
                if !is_newer(newest.as_ref().map(|(number, _)| *number), *number) {
                    return Ok(End::Undo(false));
                }
                rows.insert_status_list(*number, list).await?;
                let was = newest.map(|(number, _)| number.to_string());
                note(rows, by, Act { act: "status publish", about: None, was, became: Some(number.to_string()) })
                    .await?;
                Ok(End::Keep(true))
            })
        })
    }
}

/// What an order takes back, in words.
async fn told(rows: &mut dyn Rows, order: &Order) -> Result<String, StoreError> {
    let mut words = Vec::new();
    match order.entry {
        Entry::License(lid) => words.push(format!("license {}", lid.to_hex())),
        Entry::Rule(Rule { user, kid, issued_before }) => {
            words.push("licenses".to_owned());
            if let Some(user) = user {
                let name = rows.account_name(user).await?;
                words.push(format!("of {}", name.unwrap_or_else(|| user.to_hex())));
            }
            words.extend(kid.map(|kid| format!("for {}", kid.to_hex())));
            words.extend(issued_before.map(|at| format!("issued before {}", to_rfc3339(at))));
        }
    }
    words.extend(order.device.map(|device| format!("on {}", device.to_hex())));
    Ok(words.join(" "))
}

/// Makes a number for a change to what is offered.
pub(super) async fn next_mark(rows: &mut dyn Rows, now: i64) -> Result<i64, StoreError> {
    let mark = next_number(Some(rows.mark(For::Changing).await?), now);
    rows.put_mark(mark).await?;
    Ok(mark)
}

/// The same of a change to content, policies or subscriptions.
pub(super) async fn next_catalogue_mark(rows: &mut dyn Rows, now: i64) -> Result<i64, StoreError> {
    let mark = next_mark(rows, now).await?;
    rows.put_catalogue_mark(mark).await?;
    Ok(mark)
}

/// The newest blob, where it has this number.
async fn blob_of(rows: &mut dyn Rows, target: Option<DeviceId>, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let newest = rows.blob(target, For::Reading).await?;
    Ok(newest.filter(|(newest, _)| *newest == number).map(|(_, blob)| blob))
}

/// Devices that a license is taken back from: those that held it, or the only one that is meant.
async fn holders(rows: &mut dyn Rows, lid: Lid, only: Option<DeviceId>) -> Result<Vec<DeviceId>, StoreError> {
    match only {
        Some(device) => Ok(vec![device]),
        None => Ok(rows.seats(&[lid], For::Changing).await?.into_iter().map(|seat| seat.device).collect()),
    }
}

/// Has devices told of a license at their next pre-delivery.
async fn withdraw_one(rows: &mut dyn Rows, lid: Lid, only: Option<DeviceId>, mark: i64) -> Result<(), StoreError> {
    let mut seats = rows.seats(&[lid], For::Changing).await?;
    seats.retain(|seat| only.is_none_or(|only| only == seat.device));
    let licenses: Vec<_> = seats.iter().map(|seat| (seat.device, seat.kid, lid)).collect();
    rows.withdraw_licenses(&licenses, mark).await?;
    let restored: Vec<_> = seats.iter().filter(|seat| seat.restored).map(|seat| (lid, seat.device)).collect();
    rows.withdraw_seats(&restored, mark).await
}

/// Has devices told of the licenses of a rule at their next pre-delivery, and counts the devices: those that licenses were
/// issued to, and those that have them from a backup; and deliveries that could not be looked into.
async fn withdraw_by_rule(rows: &mut dyn Rows, order: &Order, mark: i64) -> Result<(usize, u64), StoreError> {
    let (mut devices, unread) = deliveries::withdraw_by_rule(rows, order, mark).await?;
    let mut behind = None;
    loop {
        let page = rows.any_licenses(behind, PAGE).await?;
        behind = page.last().map(|license| license.key);
        let mut meant = Vec::new();
        for license in &page {
            let LicenseKey { device, kid, user: _ } = license.key;
            if matches(&[*order], &license.policy, device)? {
                meant.push((device, kid, license.lid));
                devices.insert(device);
            }
        }
        rows.withdraw_licenses(&meant, mark).await?;
        if page.len() < PAGE {
            break;
        }
    }
    let mut behind = None;
    loop {
        let page = rows.restored_seats(behind, PAGE).await?;
        behind = page.last().map(|seat| (seat.lid, seat.device));
        let mut meant = Vec::new();
        for seat in &page {
            if matches(&[*order], &seat.policy, seat.device)? {
                meant.push((seat.lid, seat.device));
                devices.insert(seat.device);
            }
        }
        rows.withdraw_seats(&meant, mark).await?;
        if page.len() < PAGE {
            return Ok((devices.len(), unread));
        }
    }
}

/// True if one of the orders takes a license with this policy back from a device.
pub(super) fn matches(orders: &[Order], policy: &[u8], device: DeviceId) -> Result<bool, StoreError> {
    if orders.is_empty() {
        return Ok(false);
    }
    let policy = Policy::decode(policy).map_err(|_| StoreError::Damaged("policy"))?;
    Ok(orders.iter().any(|order| order.matches(&policy, device)))
}
