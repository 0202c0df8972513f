//! Quotas of a day: how many devices an address may have certified, and how much is kept for an address, a device, an account.
//! Each is a vessel that empties evenly over a day, so that there is no hour at which everybody may begin anew. What is spent
//! where is the roles'.

use crate::clock::DAY;
use crate::limits::Daily;
use crate::source::Source;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use wmlicense_wire::id::{DeviceId, UserId};

/// Spent amounts are counted in such parts, so that small quotas empty evenly as well.
const PARTS: u128 = 1_000_000;
/// Most that are remembered of one kind; beyond that those are forgotten that spent less than the average.
const MAX_KNOWN: usize = 65_536;

/// For whom something is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Payer {
    pub(crate) source: Source,
    /// None where it has no certificate yet.
    pub(crate) device: Option<DeviceId>,
    /// Where the owner knows who asks, the address counts for nothing.
    pub(crate) account: Option<UserId>,
}

/// What each may still have today.
pub(crate) struct Quotas {
    devices: Quota<Source>,
    of_address: Quota<Source>,
    of_device: Quota<DeviceId>,
    of_account: Quota<UserId>,
}

impl Quotas {
    pub(crate) fn new(daily: &Daily) -> Self {
        Self {
            devices: Quota::new(daily.devices_per_address),
            of_address: Quota::new(daily.kept_per_address),
            of_device: Quota::new(daily.kept_per_device),
            of_account: Quota::new(daily.kept_per_account),
        }
    }

    /// None if something may be kept at `now`, else after how many seconds.
    pub(crate) fn wait(&self, payer: &Payer, now: i64) -> Option<u64> {
        let whose = match &payer.account {
            Some(account) => self.of_account.wait(account, now),
            None => self.of_address.wait(&payer.source, now),
        };
        whose.max(payer.device.and_then(|device| self.of_device.wait(&device, now)))
    }

    /// Counts what is kept.
    pub(crate) fn spend(&self, payer: &Payer, bytes: u64, now: i64) {
        match payer.account {
            Some(account) => self.of_account.spend(account, bytes, now),
            None => self.of_address.spend(payer.source, bytes, now),
        }
        if let Some(device) = payer.device {
            self.of_device.spend(device, bytes, now);
        }
    }

    /// None if another device may be certified for an address, else after how many seconds.
    pub(crate) fn wait_for_device(&self, source: Source, now: i64) -> Option<u64> {
        self.devices.wait(&source, now)
    }

    /// Counts a device that was certified.
    pub(crate) fn spend_device(&self, source: Source, now: i64) {
        self.devices.spend(source, 1, now);
    }
}

/// A quota of each of one kind; none where there is no limit.
struct Quota<K> {
    a_day: Option<u64>,
    spent: Mutex<HashMap<K, Spent>>,
}

#[derive(Clone, Copy)]
struct Spent {
    parts: u128,
    /// Seconds UTC.
    at: i64,
}

impl Spent {
    /// What is left of it at a later time.
    fn by(self, now: i64, a_day: u64) -> u128 {
        let passed = now.saturating_sub(self.at).clamp(0, DAY).unsigned_abs();
        self.parts.saturating_sub(u128::from(a_day) * PARTS * u128::from(passed) / u128::from(DAY.unsigned_abs()))
    }
}

impl<K: Copy + Eq + Hash> Quota<K> {
    fn new(a_day: Option<u64>) -> Self {
        Self { a_day, spent: Mutex::default() }
    }

    fn wait(&self, whose: &K, now: i64) -> Option<u64> {
        let a_day = self.a_day?;
        let spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner).get(whose)?.by(now, a_day);
        let above = (spent + PARTS).checked_sub(u128::from(a_day) * PARTS)?;
        // Up, so that there is room by then.
        let seconds = (above * u128::from(DAY.unsigned_abs())).div_ceil(u128::from(a_day.max(1)) * PARTS);
        (above > 0).then(|| u64::try_from(seconds).unwrap_or(u64::MAX).min(DAY.unsigned_abs()))
    }

    fn spend(&self, whose: K, amount: u64, now: i64) {
        let Some(a_day) = self.a_day else { return };
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() >= MAX_KNOWN && !spent.contains_key(&whose) {
            forget(&mut spent, now, a_day);
        }
        let before = spent.get(&whose).map_or(0, |spent| spent.by(now, a_day));
        spent.insert(whose, Spent { parts: before + u128::from(amount) * PARTS, at: now });
    }
}

/// Forgets those who spent no more than the average of all.
fn forget<K: Eq + Hash>(spent: &mut HashMap<K, Spent>, now: i64, a_day: u64) {
    let all: u128 = spent.values().map(|spent| spent.by(now, a_day)).sum();
    let average = all / spent.len().max(1) as u128;
    spent.retain(|_, spent| spent.by(now, a_day) > average);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> Source {
        Source::of(std::net::Ipv4Addr::from_bits(number).into())
    }

    fn payer(account: Option<u8>) -> Payer {
        let device = Some(DeviceId::new([1; 16]));
        Payer { source: source(1), device, account: account.map(|byte| UserId::new([byte; 16])) }
    }

    #[test]
    fn what_was_spent_comes_back_evenly_over_a_day() {
        let quota = Quota::new(Some(24));
        for _ in 0..24 {
            assert_eq!(quota.wait(&1, 1000), None);
            quota.spend(1, 1, 1000);
        }
        assert_eq!((quota.wait(&1, 1000), quota.wait(&2, 1000)), (Some(3600), None));
        assert!(quota.wait(&1, 1000 + 3599).is_some());
        assert_eq!(quota.wait(&1, 1000 + 3600), None);
        quota.spend(1, 1, 1000 + 3600);
        assert!(quota.wait(&1, 1000 + 3600).is_some(), "one an hour");
        assert_eq!(quota.wait(&1, 1000 + DAY), None);
        assert!(quota.wait(&1, 0).is_some(), "a clock that goes back gives nothing back");
    }

    #[test]
    fn asking_often_makes_nothing_come_back_later() {
        let quota = Quota::new(Some(3));
        quota.spend(1, 3, 0);
        let again = quota.wait(&1, 0).unwrap();
        for second in 0..again as i64 {
            assert!(quota.wait(&1, second).is_some(), "{second}");
        }
        assert_eq!(quota.wait(&1, again as i64), None);
    }

    #[test]
    fn who_has_an_account_spends_that_of_the_account_and_not_of_the_address() {
        let daily = Daily { kept_per_address: Some(10), kept_per_account: Some(10), ..Daily::default() };
        let quotas = Quotas::new(&daily);
        quotas.spend(&payer(Some(7)), 10, 0);
        assert!(quotas.wait(&payer(Some(7)), 0).is_some());
        assert_eq!((quotas.wait(&payer(Some(8)), 0), quotas.wait(&payer(None), 0)), (None, None));
        quotas.spend(&payer(None), 10, 0);
        assert!(quotas.wait(&payer(None), 0).is_some());
        assert_eq!(quotas.wait(&payer(Some(8)), 0), None);
        let device = Daily { kept_per_device: Some(10), ..Daily::default() };
        let quotas = Quotas::new(&device);
        quotas.spend(&payer(Some(7)), 10, 0);
        assert!(quotas.wait(&payer(Some(8)), 0).is_some(), "a device has one quota for all its accounts");
    }

    #[test]
    fn no_limit_is_none_and_remembers_nobody() {
        let quota = Quota::new(None);
        quota.spend(1, u64::MAX, 0);
        assert_eq!(quota.wait(&1, 0), None);
        assert!(quota.spent.lock().unwrap().is_empty());
    }

    #[test]
    fn of_very_many_those_who_spent_most_are_remembered() {
        let quota = Quota::new(Some(1 << 30));
        quota.spend(source(0), 1 << 30, 0);
        for number in 1..=MAX_KNOWN as u32 + 10 {
            quota.spend(source(number), 1, 0);
        }
        assert!(quota.spent.lock().unwrap().len() < MAX_KNOWN);
        assert!(quota.wait(&source(0), 0).is_some());
    }
}
