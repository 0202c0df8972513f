//! Pages of everything, in PostgreSQL.

use super::super::rows::{
    AnyLicense, AuditFilter, ContentEntry, DeviceEntry, Filter, LicenseEntry, LicenseFacts, LicenseKey, ListRows,
    OrderEntry, RestoreEntry, RestoredSeat, SubscriptionEntry,
};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::revocation::read_order;
use super::rows::{Columns as _, PostgresRows, asked, bytes, ids};
use crate::rules::rows::{AccountRow, AuditRow};
use deadpool_postgres::tokio_postgres::Row;
use wmlicense_wire::id::{DeviceId, Digest, Id, Kid, Lid, SignerId, UserId};

statements!("lists.sql":
    CONTENTS, ACCOUNTS, SUBSCRIPTIONS, POLICIES, LICENSES, RESTORES, DEVICES, AUDIT, ORDERS, ANY_LICENSES, RESTORED_SEATS,
    COUNTS,
);

/// What is counted, in the order of the columns.
const COUNTED: [&str; 9] = [
    "content",
    "policies",
    "accounts",
    "devices",
    "licenses",
    "revocations",
    "acknowledgements",
    "answers",
    "restores",
];

/// Sorts before every time that is behind another.
const FIRST: i64 = i64::MAX;

impl ListRows for PostgresRows<'_> {
    fn list_contents<'a>(
        &'a mut self,
        filter: &'a Filter,
        delivered: &'a [Kid],
        behind: Option<Kid>,
        limit: usize,
    ) -> Pending<'a, Vec<ContentEntry>> {
        let read = |row: &Row| {
            Ok(ContentEntry { kid: row.id(0)?, title: row.value(1)?, policy: row.value(2)?, scope: row.value(3)? })
        };
        Box::pin(async move {
            let (behind, (since, until)) = (first(behind.as_ref()), filter.times());
            let Filter { account, title, scope, kid, device, .. } = filter;
            let (kid, device) = (kid.as_ref(), device.as_ref());
            let asked = asked![behind, kid, title, scope, account, device, ids(delivered), since, until, limit];
            self.all(CONTENTS, asked, read).await
        })
    }

    fn list_accounts<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(String, UserId)>,
        limit: usize,
    ) -> Pending<'a, Vec<AccountRow>> {
        let read = |row: &Row| {
            let (user, name) = (row.id(0)?, row.value(1)?);
            Ok(AccountRow { user, name, created_at: row.value(2)?, removed_at: row.value(3)? })
        };
        Box::pin(async move {
            let (name, user) = behind.as_ref().map_or(("", None), |(name, user)| (name.as_str(), Some(user)));
            let (user, (since, until)) = (first(user), filter.times());
            let Filter { account, scope, removed, device, .. } = filter;
            let asked = asked![name, user, account, scope, device.as_ref(), since, until, *removed, limit];
            self.all(ACCOUNTS, asked, read).await
        })
    }

    fn list_subscriptions<'a>(
        &'a mut self,
        behind: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<SubscriptionEntry>> {
        let read = |row: &Row| {
            let (name, kid, leaves) = (row.value(0)?, row.id(1)?, row.count(4)?);
            Ok(SubscriptionEntry { name, kid, policy: row.value(2)?, scope: row.value(3)?, leaves })
        };
        Box::pin(async move { self.all(SUBSCRIPTIONS, asked![behind.unwrap_or_default(), limit], read).await })
    }

    fn list_policies<'a>(&'a mut self, behind: Option<&'a str>, limit: usize) -> Pending<'a, Vec<(String, i64)>> {
        let read = |row: &Row| Ok((row.value(0)?, row.value(1)?));
        Box::pin(async move { self.all(POLICIES, asked![behind.unwrap_or_default(), limit], read).await })
    }

    fn list_licenses<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(i64, Lid, DeviceId)>,
        limit: usize,
    ) -> Pending<'a, Vec<LicenseFacts>> {
        Box::pin(async move {
            let ((at, lid, device), (since, until)) = (latest(behind.as_ref()), filter.times());
            let Filter { account, title, kid, device: only, .. } = filter;
            let (only, kid) = (only.as_ref(), kid.as_ref());
            let asked = asked![at, lid, device, only, kid, account, title, since, until, limit];
            self.all(LICENSES, asked, read_license).await
        })
    }

    fn list_restores<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(i64, Lid, DeviceId)>,
        limit: usize,
    ) -> Pending<'a, Vec<RestoreEntry>> {
        Box::pin(async move {
            let ((at, lid, device), (since, until)) = (latest(behind.as_ref()), filter.times());
            let Filter { account, title, kid, device: only, .. } = filter;
            let (only, kid) = (only.as_ref(), kid.as_ref());
            let asked = asked![at, lid, device, only, kid, account, title, since, until, limit];
            self.all(RESTORES, asked, read_restore).await
        })
    }

    fn list_devices<'a>(
        &'a mut self,
        filter: &'a Filter,
        pages: &'a [Digest],
        behind: Option<(i64, DeviceId, SignerId)>,
        limit: usize,
    ) -> Pending<'a, Vec<DeviceEntry>> {
        Box::pin(async move {
            let ((at, device, keys), (since, until)) = (latest(behind.as_ref()), filter.times());
            let Filter { account, kid, device: only, .. } = filter;
            let asked = asked![at, device, keys, only.as_ref(), kid.as_ref(), ids(pages), account, since, until, limit];
            self.all(DEVICES, asked, read_device).await
        })
    }

    fn list_audit<'a>(
        &'a mut self,
        filter: &'a AuditFilter,
        behind: Option<(i64, [u8; 16])>,
        limit: usize,
    ) -> Pending<'a, Vec<AuditRow>> {
        Box::pin(async move {
            let (at, id) = behind.as_ref().map_or((FIRST, &[][..]), |(at, id)| (*at, id.as_slice()));
            let AuditFilter { who, act, about, since, until } = filter;
            let (since, until) = (since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX));
            self.all(AUDIT, asked![at, id, who, act, about, since, until, limit], read_audit).await
        })
    }

    fn list_orders(&mut self, behind: Option<u64>, limit: usize) -> Pending<'_, Vec<OrderEntry>> {
        let behind = behind.map_or(FIRST, |number| number as i64);
        let read = |row: &Row| {
            Ok(OrderEntry {
                number: row.count(0)?,
                reason: row.value(1)?,
                account: row.value(2)?,
                devices: row.count(3)?,
                acknowledged: row.count(4)?,
                order: read_order(row, 5)?,
            })
        };
        Box::pin(async move { self.all(ORDERS, asked![behind, limit], read).await })
    }

    fn any_licenses(&mut self, behind: Option<LicenseKey>, limit: usize) -> Pending<'_, Vec<AnyLicense>> {
        let read = |row: &Row| {
            let key = LicenseKey { device: row.id(0)?, kid: row.id(1)?, user: row.user(2)? };
            Ok(AnyLicense { key, lid: row.id(3)?, policy: row.value(4)? })
        };
        Box::pin(async move {
            let behind = behind.as_ref();
            let (device, kid) = (first(behind.map(|key| &key.device)), first(behind.map(|key| &key.kid)));
            let user = first(behind.and_then(|key| key.user.as_ref()));
            self.all(ANY_LICENSES, asked![device, kid, user, limit], read).await
        })
    }

    fn restored_seats(&mut self, behind: Option<(Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<RestoredSeat>> {
        let read = |row: &Row| Ok(RestoredSeat { lid: row.id(0)?, device: row.id(1)?, policy: row.value(2)? });
        Box::pin(async move {
            let (lid, device) = (behind.as_ref().map(|(lid, _)| lid), behind.as_ref().map(|(_, device)| device));
            self.all(RESTORED_SEATS, asked![first(lid), first(device), limit], read).await
        })
    }

    fn counts(&mut self) -> Pending<'_, Vec<(&'static str, u64)>> {
        let read = |row: &Row| COUNTED.into_iter().enumerate().map(|(at, what)| Ok((what, row.count(at)?))).collect();
        Box::pin(async move { Ok(self.one(COUNTS, &[], read).await?.unwrap_or_default()) })
    }
}

/// Bytes that sort before all others, where there is no key yet.
fn first<const N: usize, K>(behind: Option<&Id<N, K>>) -> &[u8] {
    bytes(behind).unwrap_or_default()
}

/// The key of a list that begins with the latest.
fn latest<const M: usize, const N: usize, K, L>(behind: Option<&(i64, Id<M, K>, Id<N, L>)>) -> (i64, &[u8], &[u8]) {
    let Some((at, one, other)) = behind else { return (FIRST, &[], &[]) };
    (*at, one.as_bytes(), other.as_bytes())
}

fn read_license(row: &Row) -> Result<LicenseFacts, StoreError> {
    let entry = LicenseEntry {
        lid: row.id(0)?,
        kid: row.id(1)?,
        title: row.value(2)?,
        device: row.id(3)?,
        account: row.value(4)?,
        issued_at: row.value(5)?,
        returned_at: row.value(6)?,
        devices: row.count(7)?,
        taken_back: false,
        acknowledged_at: row.value(8)?,
    };
    Ok(LicenseFacts { entry, policy: row.value(9)? })
}

fn read_device(row: &Row) -> Result<DeviceEntry, StoreError> {
    let names: Option<&str> = row.value(10)?;
    let mut accounts: Vec<String> = names.iter().flat_map(|names| names.split('\n')).map(str::to_owned).collect();
    accounts.sort_unstable();
    Ok(DeviceEntry {
        device: row.id(0)?,
        thumbprint: row.id(1)?,
        name: row.value(2)?,
        since: row.value(3)?,
        certified_at: row.value(4)?,
        security_version: row.value(5)?,
        revoked_at: row.value(6)?,
        reason: row.value(7)?,
        forks: row.count(8)?,
        forked_at: row.value(9)?,
        accounts,
    })
}

fn read_restore(row: &Row) -> Result<RestoreEntry, StoreError> {
    Ok(RestoreEntry {
        lid: row.id(0)?,
        kid: row.id(1)?,
        title: row.value(2)?,
        device: row.id(3)?,
        since: row.value(4)?,
        devices: row.count(5)?,
        account: row.value(6)?,
    })
}

fn read_audit(row: &Row) -> Result<AuditRow, StoreError> {
    let id: &[u8] = row.value(1)?;
    let id = id.try_into().map_err(|_| StoreError::Damaged("identifier"))?;
    let (done_at, who, act) = (row.value(0)?, row.value(2)?, row.value(3)?);
    Ok(AuditRow { done_at, id, who, act, about: row.value(4)?, was: row.value(5)?, became: row.value(6)? })
}
