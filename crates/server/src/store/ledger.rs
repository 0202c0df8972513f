//! What the owner does about devices of accounts: uses that are out on one that was lost, and one that makes room for another.

use super::audit::note;
use super::revocations::next_mark;
use super::rows::{DeviceEntry, Filter, For, Rows};
use super::written::withdraw;
use super::{End, Pending, Store, StoreError};
use crate::rules::audit::{Act, Acting};
use crate::rules::delivery::HeldKey;
use crate::rules::epochs::YEAR;
use crate::rules::licenses::Withdrawn;
use std::collections::BTreeSet;
use wmlicense_wire::id::{DeviceId, UserId};
use wmlicense_wire::request::MAX_LICENSES;

/// What came back from a device that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CameBack {
    /// Titles and actions of which uses were out.
    pub(crate) entries: u64,
    pub(crate) uses: u64,
}

/// Most devices of an account that are looked at for its own page.
const MAX_DEVICES: usize = 200;

impl Store {
    /// Declares a device lost: what is out on it of its accounts' uses comes back to them, and it makes room for another one. None
    /// where no such device is known.
    pub(crate) fn lose_device(&self, device: DeviceId, by: impl Into<Acting>) -> Pending<'_, Option<CameBack>> {
        self.write_once((device, by.into()), |(device, by), rows| {
            Box::pin(async move {
                let mut ledger = rows.ledger_of(*device, For::Changing).await?;
                let users: BTreeSet<UserId> = rows.grants_on(*device).await?.into_iter().map(|row| row.user).collect();
                let is_known = !ledger.is_empty() || !users.is_empty();
                if !is_known && rows.keys_of(*device, For::Reading).await?.is_empty() {
                    return Ok(End::Undo(None));
                }
                ledger.retain(|row| row.out() > 0);
                let uses = ledger.iter().map(|row| u64::from(row.out())).sum();
                let entries = ledger.len() as u64;
                ledger.iter_mut().for_each(crate::rules::ledger::LedgerRow::close);
                rows.put_ledger(&ledger).await?;
                for user in users {
                    rows.remove_grant_devices(*device, user).await?;
                }
                let (about, became) = (Some(device.to_hex()), Some(format!("{uses} uses came back")));
                note(rows, by, Act { act: "device lost", about, was: None, became }).await?;
                Ok(End::Keep(Some(CameBack { entries, uses })))
            })
        })
    }

    /// The name of an account, and the devices that have something of it, the latest first; none if it was removed.
    pub(crate) fn devices_of(&self, user: UserId) -> Pending<'_, Option<(String, Vec<DeviceEntry>)>> {
        self.read(user, |user, rows| {
            Box::pin(async move {
                let Some(name) = rows.account_name(*user).await? else { return Ok(None) };
                let filter = Filter { account: Some(name.clone()), ..Filter::default() };
                let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
                for device in rows.list_devices(&filter, &[], None, MAX_DEVICES).await? {
                    if seen.insert(device.device) && rows.has_licenses(device.device, *user).await? {
                        found.push(device);
                    }
                }
                Ok(Some((name, found)))
            })
        })
    }

    /// Frees an account of a device: it makes room for another one, and has to drop the account's licenses. Uses that are out on it
    /// stay out until it reports them, gives them back or is lost.
    /// `own`: it is the account's own wish, which counts.
    pub(crate) fn free_device(
        &self,
        account: String,
        device: DeviceId,
        own: bool,
        by: impl Into<Acting>,
    ) -> Pending<'_, Freeing> {
        self.write_once((account, device, own, by.into()), |(account, device, own, by), rows| {
            Box::pin(async move {
                let mark = next_mark(rows, by.now).await?;
                let Some(user) = rows.account_by_name(account, For::Changing).await? else {
                    return Ok(End::Undo(Freeing::NoAccount));
                };
                if let (true, Some(from)) = (*own, freed_too_often(rows, by).await?) {
                    return Ok(End::Undo(Freeing::TooOften(from)));
                }
                let licenses = drop_all(rows, *device, user, mark).await?;
                let grants = rows.remove_grant_devices(*device, user).await?;
                if licenses == 0 && grants == 0 {
                    return Ok(End::Undo(Freeing::NotIts));
                }
                let (about, was) =
                    (Some(format!("{account}, {}", device.to_hex())), Some(format!("{licenses} licenses")));
                note(rows, by, Act { act: FREE, about, was, became: None }).await?;
                Ok(End::Keep(Freeing::Freed(licenses)))
            })
        })
    }
}

/// What became of a device that an account was to be freed of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freeing {
    /// It has to drop so many licenses at its next contact.
    Freed(u64),
    NoAccount,
    /// The account has nothing on it.
    NotIts,
    /// It did so as often as a year allows; from this time on it may again, seconds UTC.
    TooOften(i64),
}

/// How often within a year an account frees devices by itself.
const MAX_FREED: usize = 2;

/// From when on who acts may free a device again, where that was done as often as a year allows.
async fn freed_too_often(rows: &mut dyn Rows, by: &Acting) -> Result<Option<i64>, StoreError> {
    let times = rows.done_by(&by.who, FREE, by.now.saturating_sub(YEAR), MAX_FREED).await?;
    Ok(times.get(MAX_FREED - 1).map(|time| time.saturating_add(YEAR)))
}

/// What the audit calls it.
const FREE: &str = "device free";

/// Has a device told to drop all that it has of an account, and gives how many licenses that is.
async fn drop_all(rows: &mut dyn Rows, device: DeviceId, user: UserId, mark: i64) -> Result<u64, StoreError> {
    let delivered = rows.deliveries_of(device).await?.into_iter();
    let delivered: Vec<_> =
        delivered.filter(|row| row.user == Some(user) && row.live > 0 && row.withdrawn.is_none()).collect();
    let ids: Vec<_> = delivered.iter().map(|row| row.id).collect();
    rows.withdraw_deliveries(&ids, mark).await?;
    let mut count: u64 = delivered.iter().map(|row| u64::from(row.live)).sum();
    let mut behind = HeldKey::default();
    loop {
        let held = rows.held_behind(device, &behind, MAX_LICENSES).await?;
        let is_last = held.len() < MAX_LICENSES;
        if let Some(last) = held.last() {
            behind = HeldKey::of(last.kid, last.holder.user(), last.lid);
        }
        let own = held.iter().filter(|held| held.holder.user() == Some(user) && held.withdrawn.is_none());
        let own: Vec<_> = own.map(|held| Withdrawn { lid: held.lid, kid: held.kid, user: Some(user) }).collect();
        count += own.len() as u64;
        withdraw(rows, device, &own).await?;
        if is_last {
            return Ok(count);
        }
    }
}
