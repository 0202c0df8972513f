//! Lists of everything, in memory.

use super::super::super::Pending;
use super::super::super::rows::{
    AnyLicense, AuditFilter, ContentEntry, DeviceEntry, Filter, LicenseEntry, LicenseFacts, LicenseKey, ListRows,
    OrderEntry, RestoreEntry, RestoredSeat, SubscriptionEntry,
};
use super::{Tables, found};
use crate::rules::rows::{AccountRow, AuditRow};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid, SignerId, UserId};
use wmlicense_wire::revocation::{Entry, Rule};

impl Tables {
    fn counted(&self, lid: Lid) -> u64 {
        self.seats.values().filter(|seat| seat.lid == lid && !seat.freed).count() as u64
    }

    fn title(&self, kid: Kid) -> Option<String> {
        self.contents.get(&kid).and_then(|(row, ..)| row.title.clone())
    }

    pub(super) fn name_of(&self, user: Option<UserId>) -> Option<String> {
        self.accounts.get(&user?).map(|row| row.name.clone())
    }

    /// The account that a license was issued to, where it stands in the row of the first device.
    fn issued_to(&self, kid: Kid, lid: Lid) -> Option<UserId> {
        let holds = |(key, (_, row, _)): &(&LicenseKey, &(Kid, crate::rules::rows::LicenseRow, i64))| {
            key.kid == kid && row.lid == lid && self.seats.contains_key(&(lid, key.device))
        };
        self.licenses.iter().find(holds).and_then(|(key, _)| key.user)
    }

    fn holds(&self, device: DeviceId, kid: Kid) -> bool {
        self.licenses.keys().any(|key| key.device == device && key.kid == kid)
            || self.seats.values().any(|seat| seat.device == device && seat.kid == kid && seat.restored)
    }

    fn accounts_of(&self, device: DeviceId, keys: SignerId) -> Vec<String> {
        let issued = self.licenses.keys().filter(|key| key.device == device).filter_map(|key| key.user);
        let asked = self.exchanges.iter().filter(|(key, _)| key.thumbprint == keys).filter_map(|(_, row)| row.account);
        let got = self.deliveries.values().filter(|row| row.device == device).filter_map(|row| row.user);
        let users: BTreeSet<UserId> = issued.chain(asked).chain(got).collect();
        let mut names: Vec<String> = users.into_iter().filter_map(|user| self.name_of(Some(user))).collect();
        names.sort_unstable();
        names
    }

    /// Scopes of the account of a name.
    fn scopes_of<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t String> {
        let is_meant = move |user: &UserId| {
            self.accounts.get(user).is_some_and(|row| row.name == name && row.removed_at.is_none())
        };
        self.scopes.keys().filter(move |(user, _)| is_meant(user)).map(|(_, scope)| scope)
    }
}

/// True where a filter names nothing, or names this.
fn meets<T: PartialEq>(asked: &Option<T>, found: Option<&T>) -> bool {
    asked.as_ref().is_none_or(|asked| found == Some(asked))
}

/// The same for a part of a text.
fn has_part(asked: &Option<String>, found: Option<&String>) -> bool {
    let lower = |text: &String| text.to_ascii_lowercase();
    asked.as_ref().is_none_or(|asked| found.is_some_and(|found| lower(found).contains(&lower(asked))))
}

fn in_time(filter: &Filter, at: i64) -> bool {
    let (since, until) = filter.times();
    (since..until).contains(&at)
}

/// The rows behind a key, in the order of keys, at most so many.
fn page<T, K: Ord>(rows: impl Iterator<Item = T>, key: impl Fn(&T) -> K, behind: Option<K>, limit: usize) -> Vec<T> {
    let mut rows: Vec<T> = rows.filter(|row| behind.as_ref().is_none_or(|behind| key(row) > *behind)).collect();
    rows.sort_by_key(|row| key(row));
    rows.truncate(limit);
    rows
}

impl ListRows for Tables {
    fn list_contents<'a>(
        &'a mut self,
        filter: &'a Filter,
        delivered: &'a [Kid],
        behind: Option<Kid>,
        limit: usize,
    ) -> Pending<'a, Vec<ContentEntry>> {
        let may_have = |scope: &Option<String>| match (&filter.account, scope) {
            (None, _) | (_, None) => true,
            (Some(name), Some(scope)) => self.scopes_of(name).any(|of| of == scope),
        };
        let is_meant = |(row, _, added_at): &&(crate::rules::rows::ContentRow, i64, i64)| {
            meets(&filter.kid, Some(&row.kid))
                && has_part(&filter.title, row.title.as_ref())
                && meets(&filter.scope, row.scope.as_ref())
                && may_have(&row.scope)
                && filter.device.is_none_or(|device| self.holds(device, row.kid) || delivered.contains(&row.kid))
                && in_time(filter, *added_at)
        };
        let rows = self.contents.values().filter(is_meant).map(|(row, ..)| {
            let row = row.clone();
            ContentEntry { kid: row.kid, title: row.title, policy: row.policy, scope: row.scope }
        });
        found(page(rows, |row| row.kid, behind, limit))
    }

    fn list_accounts<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(String, UserId)>,
        limit: usize,
    ) -> Pending<'a, Vec<AccountRow>> {
        let has_scope =
            |user| filter.scope.as_ref().is_none_or(|scope| self.scopes.contains_key(&(user, scope.clone())));
        let uses = |device, user| {
            self.licenses.keys().any(|key| key.device == device && key.user == Some(user))
                || self.deliveries.values().any(|row| row.device == device && row.user == Some(user))
        };
        let is_meant = |row: &&AccountRow| {
            meets(&filter.account, Some(&row.name))
                && has_scope(row.user)
                && filter.device.is_none_or(|device| uses(device, row.user))
                && in_time(filter, row.created_at)
                && (filter.removed || row.removed_at.is_none())
        };
        let rows = self.accounts.values().filter(is_meant).cloned();
        found(page(rows, |row| (row.name.clone(), row.user), behind, limit))
    }

    fn list_subscriptions<'a>(
        &'a mut self,
        behind: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<SubscriptionEntry>> {
        let leaf_of = |policy: &Option<String>| self.policies.get(policy.as_ref()?)?.subscription.clone();
        let leaves = |name: &String| {
            self.contents.values().filter(|(row, ..)| leaf_of(&row.policy).as_ref() == Some(name)).count()
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

    fn list_licenses<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(i64, Lid, DeviceId)>,
        limit: usize,
    ) -> Pending<'a, Vec<LicenseFacts>> {
        let rows = self.licenses.iter().map(|(LicenseKey { device, kid, user }, (_, row, issued_at))| LicenseFacts {
            entry: LicenseEntry {
                lid: row.lid,
                kid: *kid,
                title: self.title(*kid),
                device: *device,
                account: self.name_of(*user),
                issued_at: *issued_at,
                returned_at: row.returned_at,
                devices: self.counted(row.lid),
                taken_back: false,
                acknowledged_at: self.acknowledged.get(&(row.lid, *device)).copied(),
            },
            policy: row.policy.clone(),
        });
        let rows = rows.filter(|LicenseFacts { entry, .. }| {
            meets(&filter.device, Some(&entry.device))
                && meets(&filter.kid, Some(&entry.kid))
                && meets(&filter.account, entry.account.as_ref())
                && has_part(&filter.title, entry.title.as_ref())
                && in_time(filter, entry.issued_at)
        });
        let key = |row: &LicenseFacts| (Reverse(row.entry.issued_at), row.entry.lid, row.entry.device);
        found(page(rows, key, behind.map(|(at, lid, device)| (Reverse(at), lid, device)), limit))
    }

    fn list_restores<'a>(
        &'a mut self,
        filter: &'a Filter,
        behind: Option<(i64, Lid, DeviceId)>,
        limit: usize,
    ) -> Pending<'a, Vec<RestoreEntry>> {
        let rows = self.seats.values().filter(|seat| seat.restored).map(|seat| RestoreEntry {
            lid: seat.lid,
            kid: seat.kid,
            title: self.title(seat.kid),
            device: seat.device,
            account: self.name_of(self.issued_to(seat.kid, seat.lid)),
            since: seat.since,
            devices: self.counted(seat.lid),
        });
        let rows = rows.filter(|entry| {
            meets(&filter.device, Some(&entry.device))
                && meets(&filter.kid, Some(&entry.kid))
                && meets(&filter.account, entry.account.as_ref())
                && has_part(&filter.title, entry.title.as_ref())
                && in_time(filter, entry.since)
        });
        let key = |row: &RestoreEntry| (Reverse(row.since), row.lid, row.device);
        found(page(rows, key, behind.map(|(at, lid, device)| (Reverse(at), lid, device)), limit))
    }

    fn list_devices<'a>(
        &'a mut self,
        filter: &'a Filter,
        pages: &'a [Digest],
        behind: Option<(i64, DeviceId, SignerId)>,
        limit: usize,
    ) -> Pending<'a, Vec<DeviceEntry>> {
        let forks = |device: DeviceId| self.forks.iter().filter(move |fork| fork.0 == device).map(|fork| fork.4);
        let got = |of: DeviceId| self.deliveries.values().any(|row| row.device == of && pages.contains(&row.page));
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
            accounts: self.accounts_of(row.device, row.thumbprint),
        });
        let rows = rows.filter(|entry| {
            meets(&filter.device, Some(&entry.device))
                && filter.kid.is_none_or(|kid| self.holds(entry.device, kid) || got(entry.device))
                && filter.account.as_ref().is_none_or(|account| entry.accounts.contains(account))
                && in_time(filter, entry.since)
        });
        let key = |row: &DeviceEntry| (Reverse(row.since), row.device, row.thumbprint);
        found(page(rows, key, behind.map(|(at, device, keys)| (Reverse(at), device, keys)), limit))
    }

    fn list_audit<'a>(
        &'a mut self,
        filter: &'a AuditFilter,
        behind: Option<(i64, [u8; 16])>,
        limit: usize,
    ) -> Pending<'a, Vec<AuditRow>> {
        let times = filter.since.unwrap_or(i64::MIN)..filter.until.unwrap_or(i64::MAX);
        let begins = |act: &String| {
            filter.act.as_ref().is_none_or(|asked| act == asked || act.starts_with(&format!("{asked} ")))
        };
        let is_meant = |row: &&AuditRow| {
            meets(&filter.who, Some(&row.who))
                && begins(&row.act)
                && has_part(&filter.about, row.about.as_ref())
                && times.contains(&row.done_at)
        };
        let rows = self.audit.values().filter(is_meant).cloned();
        found(page(rows, |row| Reverse((row.done_at, row.id)), behind.map(Reverse), limit))
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
                account: self.name_of(user),
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
        let delivered: usize = self.deliveries.values().map(|row| row.live as usize).sum();
        let counts = [
            ("content", self.contents.len()),
            ("policies", self.policies.len()),
            ("accounts", self.accounts.values().filter(|row| row.removed_at.is_none()).count()),
            ("devices", present),
            ("licenses", self.licenses.len() + delivered),
            ("revocations", self.orders.len()),
            ("acknowledgements", self.acknowledgements.len()),
            ("answers", self.exchanges.len()),
            ("restores", restores),
        ];
        found(counts.into_iter().map(|(what, count)| (what, count as u64)).collect())
    }
}
