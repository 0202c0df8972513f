//! Lists of everything, in memory.

use super::super::super::Pending;
use super::super::super::rows::{
    AnyLicense, ContentEntry, DeviceEntry, LicenseEntry, LicenseFacts, LicenseKey, ListRows, OrderEntry, RestoreEntry,
    RestoredSeat, SubscriptionEntry,
};
use super::{Tables, found};
use std::cmp::Reverse;
use wmlicense_wire::id::{DeviceId, Kid, Lid, SignerId};
use wmlicense_wire::revocation::{Entry, Rule};

impl Tables {
    fn counted(&self, lid: Lid) -> u64 {
        self.seats.values().filter(|seat| seat.lid == lid && !seat.freed).count() as u64
    }

    fn title(&self, kid: Kid) -> Option<String> {
        self.contents.get(&kid).and_then(|(row, _)| row.title.clone())
    }
}

/// The rows behind a key, in the order of keys, at most so many.
fn page<T, K: Ord>(rows: impl Iterator<Item = T>, key: impl Fn(&T) -> K, behind: Option<K>, limit: usize) -> Vec<T> {
    let mut rows: Vec<T> = rows.filter(|row| behind.as_ref().is_none_or(|behind| key(row) > *behind)).collect();
    rows.sort_by_key(|row| key(row));
    rows.truncate(limit);
    rows
}

impl ListRows for Tables {
    fn list_contents(&mut self, behind: Option<Kid>, limit: usize) -> Pending<'_, Vec<ContentEntry>> {
        let rows = self.contents.values().map(|(row, _)| {
            let row = row.clone();
            ContentEntry { kid: row.kid, title: row.title, policy: row.policy, scope: row.scope }
        });
        found(page(rows, |row| row.kid, behind, limit))
    }

    fn list_subscriptions<'a>(
        &'a mut self,
        behind: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<SubscriptionEntry>> {
        let leaf_of = |policy: &Option<String>| self.policies.get(policy.as_ref()?)?.subscription.clone();
        let leaves = |name: &String| {
            self.contents.values().filter(|(row, _)| leaf_of(&row.policy).as_ref() == Some(name)).count()
        };
        let rows = self.subscriptions.values().map(|(row, _)| {
            let (row, leaves) = (row.clone(), leaves(&row.name) as u64);
            SubscriptionEntry { name: row.name, kid: row.kid, policy: row.policy, scope: row.scope, leaves }
        });
        found(page(rows, |row| row.name.clone(), behind.map(str::to_owned), limit))
    }

    fn list_policies<'a>(&'a mut self, behind: Option<&'a str>, limit: usize) -> Pending<'a, Vec<(String, i64)>> {
        let rows = self.policies.iter().map(|(name, policy)| (name.clone(), policy.changed_at));
        found(page(rows, |row| row.0.clone(), behind.map(str::to_owned), limit))
    }

    fn list_licenses(&mut self, behind: Option<(i64, Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<LicenseFacts>> {
        let rows = self.licenses.iter().map(|(LicenseKey { device, kid, user }, (_, row, issued_at))| LicenseFacts {
            entry: LicenseEntry {
                lid: row.lid,
                kid: *kid,
                title: self.title(*kid),
                device: *device,
                account: user.and_then(|user| self.accounts.get(&user)).map(|(name, _)| name.clone()),
                issued_at: *issued_at,
                returned_at: row.returned_at,
                devices: self.counted(row.lid),
                taken_back: false,
                acknowledged_at: self.acknowledged.get(&(row.lid, *device)).copied(),
            },
            policy: row.policy.clone(),
        });
        let key = |row: &LicenseFacts| (Reverse(row.entry.issued_at), row.entry.lid, row.entry.device);
        found(page(rows, key, behind.map(|(at, lid, device)| (Reverse(at), lid, device)), limit))
    }

    fn list_restores(&mut self, behind: Option<(i64, Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<RestoreEntry>> {
        let rows = self.seats.values().filter(|seat| seat.restored).map(|seat| RestoreEntry {
            lid: seat.lid,
            kid: seat.kid,
            title: self.title(seat.kid),
            device: seat.device,
            since: seat.since,
            devices: self.counted(seat.lid),
        });
        let key = |row: &RestoreEntry| (Reverse(row.since), row.lid, row.device);
        found(page(rows, key, behind.map(|(at, lid, device)| (Reverse(at), lid, device)), limit))
    }

    fn list_devices(
        &mut self,
        behind: Option<(i64, DeviceId, SignerId)>,
        limit: usize,
    ) -> Pending<'_, Vec<DeviceEntry>> {
        let forks = |device: DeviceId| self.forks.iter().filter(move |fork| fork.0 == device).map(|fork| fork.4);
        let rows = self.keys.values().filter(|row| row.successor.is_none()).cloned().map(|row| DeviceEntry {
            device: row.device,
            thumbprint: row.thumbprint,
            name: self.names.get(&row.device).cloned(),
            since: row.created_at,
            certified_at: row.certified_at,
            security_version: row.security_version,
            revoked_at: row.revoked_at,
            reason: row.reason,
            forks: forks(row.device).count() as u64,
            forked_at: forks(row.device).max(),
        });
        let key = |row: &DeviceEntry| (Reverse(row.since), row.device, row.thumbprint);
        found(page(rows, key, behind.map(|(at, device, keys)| (Reverse(at), device, keys)), limit))
    }

    fn list_orders(&mut self, behind: Option<u64>, limit: usize) -> Pending<'_, Vec<OrderEntry>> {
        let rows = self.orders.iter().map(|(number, (order, reason))| {
            let is_holder = |device: DeviceId| self.holders.contains(&(*number, device));
            let is_rule = matches!(order.entry, Entry::Rule(_));
            let acknowledged = self.acknowledgements.iter();
            let user = match order.entry {
                Entry::Rule(Rule { user, .. }) => user,
                Entry::License(_) => None,
            };
            OrderEntry {
                number: number.unsigned_abs(),
                order: *order,
                account: user.and_then(|user| self.accounts.get(&user)).map(|(name, _)| name.clone()),
                reason: reason.clone(),
                devices: self.holders.iter().filter(|(of, _)| of == number).count() as u64,
                acknowledged: acknowledged
                    .filter(|(device, at)| **at >= number.unsigned_abs() && (is_rule || is_holder(**device)))
                    .count() as u64,
            }
        });
        found(page(rows, |row| Reverse(row.number), behind.map(Reverse), limit))
    }

    fn any_licenses(&mut self, behind: Option<LicenseKey>, limit: usize) -> Pending<'_, Vec<AnyLicense>> {
        let rows = self.licenses.iter().map(|(key, (_, row, _))| AnyLicense {
            key: *key,
            lid: row.lid,
            policy: row.policy.clone(),
        });
        found(page(rows, |row| row.key, behind, limit))
    }

    fn restored_seats(&mut self, behind: Option<(Lid, DeviceId)>, limit: usize) -> Pending<'_, Vec<RestoredSeat>> {
        let rows = self.seats.values().filter(|seat| seat.restored).filter_map(|seat| {
            let policy = self.first(seat.kid, seat.lid)?.policy.clone();
            Some(RestoredSeat { lid: seat.lid, device: seat.device, policy })
        });
        found(page(rows, |row| (row.lid, row.device), behind, limit))
    }

    fn counts(&mut self) -> Pending<'_, Vec<(&'static str, u64)>> {
        let present = self.keys.values().filter(|row| row.successor.is_none()).count();
        let restores = self.seats.values().filter(|seat| seat.restored).count();
        let counts = [
            ("content", self.contents.len()),
            ("policies", self.policies.len()),
            ("accounts", self.accounts.len()),
            ("devices", present),
            ("licenses", self.licenses.len()),
            ("revocations", self.orders.len()),
            ("acknowledgements", self.acknowledgements.len()),
            ("answers", self.exchanges.len()),
            ("restores", restores),
        ];
        found(counts.into_iter().map(|(what, count)| (what, count as u64)).collect())
    }
}
