//! Pages of everything, in SQLite.

use super::super::Pending;
use super::super::rows::{
    AnyLicense, AuditFilter, ContentEntry, DeviceEntry, Filter, LicenseEntry, LicenseFacts, LicenseKey, ListRows,
    OrderEntry, RestoreEntry, RestoredSeat, SubscriptionEntry,
};
use super::super::statement::statements;
use super::revocation::read_order;
use super::rows::{Columns as _, SqliteRows, bytes, done};
use crate::rules::rows::{AccountRow, AuditRow};
use rusqlite::params;
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

/// Identifiers as statements look among them.
fn json<const N: usize, K>(ids: &[Id<N, K>]) -> String {
    let named: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.to_hex().to_ascii_uppercase())).collect();
    format!("[{}]", named.join(","))
}

impl ListRows for SqliteRows<'_> {
    fn list_contents<'a>(
        &'a mut self,
        filter: &'a Filter,
        delivered: &'a [Kid],
        behind: Option<Kid>,
        limit: usize,
    ) -> Pending<'a, Vec<ContentEntry>> {
        let (behind, (since, until)) = (bytes(behind.as_ref()).unwrap_or_default(), filter.times());
        let (kid, device) = (bytes(filter.kid.as_ref()), bytes(filter.device.as_ref()));
        let Filter { account, title, scope, .. } = filter;
        let asked = params![behind, kid, title, scope, account, device, json(delivered), since, until, limit as i64];
        done(self.all(CONTENTS, asked, |row| {
            Ok(ContentEntry { kid: row.id(0)?, title: row.get(1)?, policy: row.get(2)?, scope: row.get(3)? })
        }))
    }

    fn list_accounts<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(String, UserId)>,
        limit: usize,
    ) -> Pending<'a, Vec<AccountRow>> {
        let (name, user) = behind.as_ref().map_or(("", None), |(name, user)| (name.as_str(), Some(user)));
        let (user, device, (since, until)) =
            (bytes(user).unwrap_or_default(), bytes(filter.device.as_ref()), filter.times());
        let Filter { account, scope, removed, .. } = filter;
        let asked = params![name, user, account, scope, device, since, until, removed, limit as i64];
        done(self.all(ACCOUNTS, asked, |row| {
            let (user, name) = (row.id(0)?, row.get(1)?);
            Ok(AccountRow { user, name, created_at: row.get(2)?, removed_at: row.get(3)? })
        }))
    }

    fn list_subscriptions<'a>(
        &'a mut self,
        behind: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<SubscriptionEntry>> {
        done(self.all(SUBSCRIPTIONS, params![behind.unwrap_or_default(), limit as i64], |row| {
            let (name, kid, leaves) = (row.get(0)?, row.id(1)?, row.count(4)?);
            Ok(SubscriptionEntry { name, kid, policy: row.get(2)?, scope: row.get(3)?, leaves })
        }))
    }

    fn list_policies<'a>(&'a mut self, behind: Option<&'a str>, limit: usize) -> Pending<'a, Vec<(String, i64)>> {
        let asked = params![behind.unwrap_or_default(), limit as i64];
        done(self.all(POLICIES, asked, |row| Ok((row.get(0)?, row.get(1)?))))
    }

    fn list_licenses<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(i64, Lid, DeviceId)>,
        limit: usize,
    ) -> Pending<'a, Vec<LicenseFacts>> {
        let (at, lid, device) = behind.as_ref().map_or((FIRST, None, None), |(at, lid, of)| (*at, Some(lid), Some(of)));
        let (lid, device, (since, until)) =
            (bytes(lid).unwrap_or_default(), bytes(device).unwrap_or_default(), filter.times());
        let (only, kid) = (bytes(filter.device.as_ref()), bytes(filter.kid.as_ref()));
        let Filter { account, title, .. } = filter;
        let asked = params![at, lid, device, only, kid, account, title, since, until, limit as i64];
        done(self.all(LICENSES, asked, |row| {
            let entry = LicenseEntry {
                lid: row.id(0)?,
                kid: row.id(1)?,
                title: row.get(2)?,
                device: row.id(3)?,
                account: row.get(4)?,
                issued_at: row.get(5)?,
                returned_at: row.get(6)?,
                devices: row.count(7)?,
                taken_back: false,
                acknowledged_at: row.get(8)?,
            };
            Ok(LicenseFacts { entry, policy: row.get(9)? })
        }))
    }

    fn list_restores<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(i64, Lid, DeviceId)>,
        limit: usize,
    ) -> Pending<'a, Vec<RestoreEntry>> {
        let (at, lid, device) = behind.as_ref().map_or((FIRST, None, None), |(at, lid, of)| (*at, Some(lid), Some(of)));
        let (lid, device, (since, until)) =
            (bytes(lid).unwrap_or_default(), bytes(device).unwrap_or_default(), filter.times());
        let (only, kid) = (bytes(filter.device.as_ref()), bytes(filter.kid.as_ref()));
        let Filter { account, title, .. } = filter;
        let asked = params![at, lid, device, only, kid, account, title, since, until, limit as i64];
        done(self.all(RESTORES, asked, |row| {
            Ok(RestoreEntry {
                lid: row.id(0)?,
                kid: row.id(1)?,
                title: row.get(2)?,
                device: row.id(3)?,
                since: row.get(4)?,
                devices: row.count(5)?,
                account: row.get(6)?,
            })
        }))
    }

    fn list_devices<'a>(
        &'a mut self,
        filter: &'a Filter,
        pages: &'a [Digest],
        behind: Option<(i64, DeviceId, SignerId)>,
        limit: usize,
    ) -> Pending<'a, Vec<DeviceEntry>> {
        let (at, device, keys) =
            behind.as_ref().map_or((FIRST, None, None), |(at, of, keys)| (*at, Some(of), Some(keys)));
        let (device, keys, (since, until)) =
            (bytes(device).unwrap_or_default(), bytes(keys).unwrap_or_default(), filter.times());
        let (only, kid) = (bytes(filter.device.as_ref()), bytes(filter.kid.as_ref()));
        let asked = params![at, device, keys, only, kid, json(pages), filter.account, since, until, limit as i64];
        done(self.all(DEVICES, asked, |row| {
            let mut accounts: Vec<String> = row
                .get::<_, Option<String>>(10)?
                .iter()
                .flat_map(|names| names.split('\n'))
                .map(str::to_owned)
                .collect();
            accounts.sort_unstable();
            Ok(DeviceEntry {
                device: row.id(0)?,
                thumbprint: row.id(1)?,
                name: row.get(2)?,
                since: row.get(3)?,
                certified_at: row.get(4)?,
                security_version: row.get(5)?,
                revoked_at: row.get(6)?,
                reason: row.get(7)?,
                forks: row.count(8)?,
                forked_at: row.get(9)?,
                accounts,
            })
        }))
    }

    fn list_audit<'a>(
        &'a mut self,
        filter: &'a AuditFilter,
        behind: Option<(i64, [u8; 16])>,
        limit: usize,
    ) -> Pending<'a, Vec<AuditRow>> {
        let (at, id) = behind.as_ref().map_or((FIRST, &[][..]), |(at, id)| (*at, id.as_slice()));
        let AuditFilter { who, act, about, since, until } = filter;
        let (since, until) = (since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX));
        done(self.all(AUDIT, params![at, id, who, act, about, since, until, limit as i64], |row| {
            let (done_at, id, who, act) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(AuditRow { done_at, id, who, act, about: row.get(4)?, was: row.get(5)?, became: row.get(6)? })
        }))
    }

    fn list_orders(&mut self, behind: Option<u64>, limit: usize) -> Pending<'_, Vec<OrderEntry>> {
        let behind = behind.map_or(FIRST, |number| number as i64);
        done(self.all(ORDERS, params![behind, limit as i64], |row| {
            Ok(OrderEntry {
                number: row.count(0)?,
                reason: row.get(1)?,
                account: row.get(2)?,
                devices: row.count(3)?,
                acknowledged: row.count(4)?,
                order: read_order(row, 5)?,
            })
        }))
    }

    fn any_licenses(&mut self, behind: Option<LicenseKey>, limit: usize) -> Pending<'_, Vec<AnyLicense>> {
        let device = behind.as_ref().map(|key| &key.device);
        let (kid, user) = (behind.as_ref().map(|key| &key.kid), behind.as_ref().and_then(|key| key.user.as_ref()));
        let (device, kid) = (bytes(device).unwrap_or_default(), bytes(kid).unwrap_or_default());
        let asked = params![device, kid, bytes(user).unwrap_or_default(), limit as i64];
        done(self.all(ANY_LICENSES, asked, |row| {
            let key = LicenseKey { device: row.id(0)?, kid: row.id(1)?, user: row.user(2)? };
            Ok(AnyLicense { key, lid: row.id(3)?, policy: row.get(4)? })
        }))
    }

    fn restored_seats(&mut self, behind: Option<(Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<RestoredSeat>> {
        let (lid, device) = (behind.as_ref().map(|(lid, _)| lid), behind.as_ref().map(|(_, device)| device));
        let asked = params![bytes(lid).unwrap_or_default(), bytes(device).unwrap_or_default(), limit as i64];
        done(self.all(RESTORED_SEATS, asked, |row| {
            Ok(RestoredSeat { lid: row.id(0)?, device: row.id(1)?, policy: row.get(2)? })
        }))
    }

    fn counts(&mut self) -> Pending<'_, Vec<(&'static str, u64)>> {
        let counts = self.one(COUNTS, [], |row| {
            COUNTED.into_iter().enumerate().map(|(at, what)| Ok((what, row.count(at)?))).collect()
        });
        done(counts.map(Option::unwrap_or_default))
    }
}
