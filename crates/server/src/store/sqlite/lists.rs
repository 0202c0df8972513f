//! Pages of everything, in SQLite.

use super::super::Pending;
use super::super::rows::{
    AnyLicense, ContentEntry, DeviceEntry, LicenseEntry, LicenseFacts, LicenseKey, ListRows, OrderEntry, RestoreEntry,
    RestoredSeat, SubscriptionEntry,
};
use super::revocation::read_order;
use super::rows::{Columns as _, SqliteRows, bytes, done};
use super::statement::statements;
use rusqlite::params;
use wmlicense_wire::id::{DeviceId, Kid, Lid, SignerId};

statements!("lists.sql":
    CONTENTS, SUBSCRIPTIONS, POLICIES, LICENSES, RESTORES, DEVICES, ORDERS, ANY_LICENSES, RESTORED_SEATS, COUNTS,
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

impl ListRows for SqliteRows<'_> {
    fn list_contents(&mut self, behind: Option<Kid>, limit: usize) -> Pending<'_, Vec<ContentEntry>> {
        let behind = bytes(behind.as_ref()).unwrap_or_default();
        done(self.all(CONTENTS, params![behind, limit as i64], |row| {
            Ok(ContentEntry { kid: row.id(0)?, title: row.get(1)?, policy: row.get(2)?, scope: row.get(3)? })
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

    fn list_licenses(&mut self, behind: Option<(i64, Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<LicenseFacts>> {
        let (at, lid, device) = behind.as_ref().map_or((FIRST, None, None), |(at, lid, of)| (*at, Some(lid), Some(of)));
        let asked = params![at, bytes(lid).unwrap_or_default(), bytes(device).unwrap_or_default(), limit as i64];
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

    fn list_restores(&mut self, behind: Option<(i64, Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<RestoreEntry>> {
        let (at, lid, device) = behind.as_ref().map_or((FIRST, None, None), |(at, lid, of)| (*at, Some(lid), Some(of)));
        let asked = params![at, bytes(lid).unwrap_or_default(), bytes(device).unwrap_or_default(), limit as i64];
        done(self.all(RESTORES, asked, |row| {
            let (lid, kid, title) = (row.id(0)?, row.id(1)?, row.get(2)?);
            Ok(RestoreEntry { lid, kid, title, device: row.id(3)?, since: row.get(4)?, devices: row.count(5)? })
        }))
    }

    fn list_devices(
        &mut self,
        behind: Option<(i64, DeviceId, SignerId)>,
        limit: usize,
    ) -> Pending<'_, Vec<DeviceEntry>> {
        let (at, device, keys) =
            behind.as_ref().map_or((FIRST, None, None), |(at, of, keys)| (*at, Some(of), Some(keys)));
        let asked = params![at, bytes(device).unwrap_or_default(), bytes(keys).unwrap_or_default(), limit as i64];
        done(self.all(DEVICES, asked, |row| {
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
            })
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
