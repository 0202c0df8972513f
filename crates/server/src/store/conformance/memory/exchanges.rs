//! Requests, epochs and devices in memory.

use super::super::super::Pending;
use super::super::super::rows::{DeviceRows, EpochRows, ExchangeRows, For};
use super::{Tables, found};
use crate::rules::epochs::{EpochRow, Epochs, Presented};
use crate::rules::exchanges::Exchange;
use crate::rules::rows::{AnsweredRow, ExchangeKey, Keeping, KeptAnswer, KeysRow};
use std::collections::{BTreeMap, BTreeSet};
use wmlicense_wire::id::{DeviceId, SignerId};

impl ExchangeRows for Tables {
    fn exchange(&mut self, key: ExchangeKey) -> Pending<'_, Option<AnsweredRow>> {
        found(self.exchanges.get(&key).cloned())
    }

    fn claim_exchange<'a>(&'a mut self, exchange: &'a Exchange, answer: Keeping<'a>) -> Pending<'a, bool> {
        let answer = match answer {
            Keeping::Never => KeptAnswer::Never,
            Keeping::MadeAgain => KeptAnswer::MadeAgain,
            Keeping::Bytes(bytes) => KeptAnswer::Kept(bytes.to_vec()),
        };
        let Exchange { request_hash, account, now, .. } = exchange;
        let row = AnsweredRow { request_hash: *request_hash, account: *account, answered_at: *now, answer };
        let is_new = !self.exchanges.contains_key(&exchange.key());
        self.exchanges.entry(exchange.key()).or_insert(row);
        found(is_new)
    }

    fn release_exchange(&mut self, key: ExchangeKey) -> Pending<'_, ()> {
        self.exchanges.remove(&key);
        found(())
    }

    fn is_checked<'a>(&'a mut self, exchange: &'a Exchange) -> Pending<'a, bool> {
        found(self.checked.contains_key(&(exchange.key(), exchange.request_hash)))
    }

    fn note_checked<'a>(&'a mut self, exchange: &'a Exchange) -> Pending<'a, ()> {
        self.checked.entry((exchange.key(), exchange.request_hash)).or_insert(exchange.now);
        found(())
    }

    fn drop_answers(&mut self, before: i64) -> Pending<'_, u64> {
        let old = |row: &&mut AnsweredRow| matches!(row.answer, KeptAnswer::Kept(_)) && row.answered_at < before;
        found(self.exchanges.values_mut().filter(old).map(|row| row.answer = KeptAnswer::Dropped).count() as u64)
    }

    fn drop_checked(&mut self, before: i64) -> Pending<'_, ()> {
        self.checked.retain(|_, at| *at >= before);
        found(())
    }
}

impl EpochRows for Tables {
    fn epochs(&mut self, device: DeviceId, _: For) -> Pending<'_, Vec<EpochRow>> {
        let of = self.epochs.iter().filter(|((of, _), _)| *of == device);
        found(of.map(|((_, role), epochs)| EpochRow { role: *role, epochs: epochs.clone() }).collect())
    }

    fn put_epochs<'a>(&'a mut self, device: DeviceId, role: i64, epochs: &'a Epochs) -> Pending<'a, ()> {
        self.epochs.insert((device, role), epochs.clone());
        found(())
    }

    fn forks(&mut self, device: DeviceId, thumbprint: SignerId, after: i64) -> Pending<'_, Vec<(i64, u64)>> {
        let mut counts = BTreeMap::new();
        for (.., role, _, _) in
            self.forks.iter().filter(|fork| (fork.0, fork.1) == (device, thumbprint) && fork.4 > after)
        {
            *counts.entry(*role).or_insert(0) += 1;
        }
        found(counts.into_iter().collect())
    }

    fn has_fork<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, after: i64) -> Pending<'a, bool> {
        let same = (presented.device, thumbprint, presented.role as i64, presented.epoch);
        found(self.forks.iter().any(|fork| (fork.0, fork.1, fork.2, fork.3) == same && fork.4 > after))
    }

    fn last_fork(&mut self, device: DeviceId) -> Pending<'_, Option<i64>> {
        found(self.forks.iter().filter(|fork| fork.0 == device).map(|fork| fork.4).max())
    }

    fn insert_fork<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, at: i64) -> Pending<'a, ()> {
        self.forks.push((presented.device, thumbprint, presented.role as i64, presented.epoch, at));
        found(())
    }

    fn late<'a>(
        &'a mut self,
        presented: &'a Presented,
        thumbprint: SignerId,
        after: i64,
    ) -> Pending<'a, (u64, Option<i64>)> {
        let of = (presented.device, thumbprint, presented.role as i64);
        let times = self.late.iter().filter(|late| (late.0, late.1, late.2) == of && late.3 > after);
        let times: Vec<i64> = times.map(|late| late.3).collect();
        found((times.len() as u64, times.into_iter().max()))
    }

    fn insert_late<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, at: i64) -> Pending<'a, ()> {
        self.late.push((presented.device, thumbprint, presented.role as i64, at));
        found(())
    }

    fn drop_late(&mut self, before: i64) -> Pending<'_, ()> {
        self.late.retain(|late| late.3 >= before);
        found(())
    }
}

impl DeviceRows for Tables {
    fn keys(&mut self, thumbprint: SignerId, _: For) -> Pending<'_, Option<KeysRow>> {
        found(self.keys.get(&thumbprint).cloned())
    }

    fn keys_of(&mut self, device: DeviceId, _: For) -> Pending<'_, Vec<KeysRow>> {
        found(self.keys.values().filter(|row| row.device == device).cloned().collect())
    }

    fn put_keys<'a>(&'a mut self, row: &'a KeysRow) -> Pending<'a, ()> {
        self.keys.insert(row.thumbprint, row.clone());
        found(())
    }

    fn is_revoked(&mut self, device: DeviceId) -> Pending<'_, bool> {
        found(self.keys.values().any(|row| row.device == device && row.revoked_at.is_some()))
    }

    fn devices_behind(&mut self, after: DeviceId, limit: usize) -> Pending<'_, Vec<DeviceId>> {
        let devices: BTreeSet<DeviceId> = self.keys.values().map(|row| row.device).filter(|id| *id > after).collect();
        found(devices.into_iter().take(limit).collect())
    }

    fn has_traces(&mut self, device: DeviceId) -> Pending<'_, bool> {
        let licenses = self.licenses.keys().any(|key| key.device == device)
            || self.deliveries.values().any(|row| row.device == device);
        let seats = self.seats.values().any(|seat| seat.device == device && seat.restored);
        let letters = self.letters.keys().any(|(of, _)| *of == device);
        let forks = self.forks.iter().any(|fork| fork.0 == device);
        let orders = self.holders.iter().any(|(_, of)| *of == device);
        found(licenses || seats || letters || forks || orders || self.acknowledgements.contains_key(&device))
    }

    fn forget_device(&mut self, device: DeviceId) -> Pending<'_, ()> {
        let keys: BTreeSet<SignerId> =
            self.keys.iter().filter(|(_, row)| row.device == device).map(|(thumbprint, _)| *thumbprint).collect();
        self.exchanges.retain(|key, _| !keys.contains(&key.thumbprint));
        self.checked.retain(|(key, _), _| !keys.contains(&key.thumbprint));
        self.askers.retain(|thumbprint, _| !keys.contains(thumbprint));
        self.recipients.retain(|_, row| row.device != device);
        self.epochs.retain(|(of, _), _| *of != device);
        self.late.retain(|late| late.0 != device);
        self.keys.retain(|thumbprint, _| !keys.contains(thumbprint));
        found(())
    }

    fn call_device<'a>(&'a mut self, device: DeviceId, name: Option<&'a str>) -> Pending<'a, ()> {
        match name {
            Some(name) => drop(self.names.insert(device, name.to_owned())),
            None => drop(self.names.remove(&device)),
        }
        found(())
    }
}
