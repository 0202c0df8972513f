//! What was taken back and what waits, in memory.

use super::super::super::Pending;
use super::super::super::rows::{For, InteractionRows, MailboxRows, RevocationRows};
use super::{Tables, found};
use crate::rules::interactions::{Decision, Interaction, NewInteraction};
use crate::rules::mailbox::RecipientRow;
use crate::rules::revocation::{ListedKey, NumberedOrder, Order, RevokedKeyRow, RevokedRow};
use crate::rules::rows::ExchangeKey;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use wmlicense_wire::id::{DeviceId, Lid, SignerId, TransactionId, UserId};
use wmlicense_wire::key::VerifyingKey;
use wmlicense_wire::revocation::{Acknowledgement, Entry};

impl Tables {
    fn orders_where(&self, is_meant: impl Fn(i64, &Order) -> bool) -> Vec<NumberedOrder> {
        let meant = self.orders.iter().filter(|(number, (order, _))| is_meant(**number, order));
        meant.map(|(number, (order, _))| NumberedOrder { number: number.unsigned_abs(), order: *order }).collect()
    }
}

impl RevocationRows for Tables {
    fn rules(&mut self) -> Pending<'_, Vec<NumberedOrder>> {
        found(self.orders_where(|_, order| matches!(order.entry, Entry::Rule(_))))
    }

    fn orders_about<'a>(&'a mut self, licenses: &'a [Lid]) -> Pending<'a, Vec<(Lid, Order)>> {
        let about = |order: &Order| match order.entry {
            Entry::License(lid) => licenses.contains(&lid).then_some((lid, *order)),
            Entry::Rule(_) => None,
        };
        found(self.orders.values().filter_map(|(order, _)| about(order)).collect())
    }

    fn orders_held(&mut self, device: DeviceId) -> Pending<'_, Vec<NumberedOrder>> {
        found(self.orders_where(|number, _| self.holders.contains(&(number, device))))
    }

    fn newest_order(&mut self, _: For) -> Pending<'_, Option<i64>> {
        found(self.orders.keys().next_back().copied())
    }

    fn insert_order<'a>(
        &'a mut self,
        number: i64,
        order: &'a Order,
        reason: Option<&'a str>,
        holders: &'a [DeviceId],
    ) -> Pending<'a, ()> {
        self.orders.insert(number, (*order, reason.map(str::to_owned)));
        self.holders.extend(holders.iter().map(|device| (number, *device)));
        found(())
    }

    fn blob(&mut self, target: Option<DeviceId>, _: For) -> Pending<'_, Option<(u64, Vec<u8>)>> {
        found(self.blobs.get(&target).cloned())
    }

    fn put_blob<'a>(&'a mut self, target: Option<DeviceId>, number: u64, blob: &'a [u8]) -> Pending<'a, ()> {
        self.blobs.insert(target, (number, blob.to_vec()));
        found(())
    }

    fn asker(&mut self, thumbprint: SignerId) -> Pending<'_, Option<(DeviceId, VerifyingKey)>> {
        found(self.askers.get(&thumbprint).copied())
    }

    fn put_asker<'a>(
        &'a mut self,
        thumbprint: SignerId,
        device: DeviceId,
        key: &'a VerifyingKey,
        _now: i64,
    ) -> Pending<'a, ()> {
        self.askers.entry(thumbprint).or_insert((device, *key));
        found(())
    }

    fn acknowledged(&mut self, device: DeviceId, _: For) -> Pending<'_, Option<u64>> {
        found(self.acknowledgements.get(&device).copied())
    }

    fn put_acknowledgement<'a>(
        &'a mut self,
        acknowledgement: &'a Acknowledgement,
        _document: &'a [u8],
        _now: i64,
    ) -> Pending<'a, ()> {
        self.acknowledgements.insert(acknowledgement.device_id, acknowledgement.number);
        found(())
    }

    fn note_acknowledged<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], now: i64) -> Pending<'a, ()> {
        for lid in licenses {
            self.acknowledged.entry((*lid, device)).or_insert(now);
        }
        found(())
    }

    fn revoked_key(&mut self, kind: ListedKey, key: SignerId, _: For) -> Pending<'_, Option<RevokedKeyRow>> {
        found(self.revoked_keys.get(&(kind as i64, key)).cloned())
    }

    fn put_revoked_key<'a>(&'a mut self, row: &'a RevokedKeyRow) -> Pending<'a, ()> {
        self.revoked_keys.insert((row.kind as i64, row.key), row.clone());
        found(())
    }

    fn revoked(&mut self) -> Pending<'_, Vec<RevokedRow>> {
        let devices = self.keys.values().filter_map(|row| {
            let (name, reason) = (row.device.to_hex().to_uppercase(), row.reason.clone());
            let (key, from) = (row.thumbprint, row.counts_from);
            Some(RevokedRow { kind: "device", key, name, from, revoked_at: row.revoked_at?, reason })
        });
        let keys = self.revoked_keys.values().cloned().map(|row| {
            let RevokedKeyRow { kind, key, name, counts_from: from, revoked_at, reason } = row;
            let kind = match kind {
                ListedKey::Service => "service",
                ListedKey::Application => "application",
            };
            RevokedRow { kind, key, name, from, revoked_at, reason }
        });
        let mut rows: Vec<RevokedRow> = devices.chain(keys).collect();
        rows.sort_by_key(|row| (Reverse(row.revoked_at), row.key));
        found(rows)
    }

    fn status_list(&mut self, _: For) -> Pending<'_, Option<(u64, Vec<u8>)>> {
        found(self.status_lists.iter().next_back().map(|(number, list)| (*number, list.clone())))
    }

    fn insert_status_list<'a>(&'a mut self, number: u64, list: &'a [u8]) -> Pending<'a, ()> {
        self.status_lists.insert(number, list.to_vec());
        found(())
    }
}

impl MailboxRows for Tables {
    fn devices_of(&mut self, user: UserId) -> Pending<'_, Vec<DeviceId>> {
        let licensed = self.licenses.keys().filter(|key| key.user == Some(user)).map(|key| key.device);
        let got = self.deliveries.values().filter(|row| row.user == Some(user)).map(|row| row.device);
        let asked = self.exchanges.iter().filter(|(_, row)| row.account == Some(user));
        let asked = asked.filter_map(|(key, _)| self.recipients.get(&key.thumbprint)).map(|row| row.device);
        found(licensed.chain(got).chain(asked).collect::<BTreeSet<_>>().into_iter().collect())
    }

    fn recipients_of<'a>(&'a mut self, devices: &'a [DeviceId]) -> Pending<'a, Vec<RecipientRow>> {
        found(self.recipients.values().filter(|row| devices.contains(&row.device)).cloned().collect())
    }

    fn recipient(&mut self, thumbprint: SignerId, _: For) -> Pending<'_, Option<RecipientRow>> {
        found(self.recipients.get(&thumbprint).cloned())
    }

    fn put_recipient<'a>(&'a mut self, row: &'a RecipientRow) -> Pending<'a, ()> {
        self.recipients.insert(row.thumbprint, row.clone());
        found(())
    }

    fn letters(&mut self, device: DeviceId, after: i64, limit: usize) -> Pending<'_, Vec<Vec<u8>>> {
        let of = self.letters.iter().filter(|((of, _), (at, _))| *of == device && *at > after);
        let mut of: Vec<_> = of.collect();
        of.sort_by_key(|((_, transaction), (at, _))| (*at, *transaction));
        found(of.into_iter().take(limit).map(|(_, (_, answer))| answer.clone()).collect())
    }

    fn insert_letter<'a>(
        &'a mut self,
        device: DeviceId,
        transaction: TransactionId,
        now: i64,
        answer: &'a [u8],
    ) -> Pending<'a, ()> {
        self.letters.insert((device, transaction), (now, answer.to_vec()));
        found(())
    }

    fn drop_letters<'a>(&'a mut self, device: DeviceId, transactions: &'a [TransactionId]) -> Pending<'a, u64> {
        let before = self.letters.len();
        self.letters.retain(|(of, transaction), _| *of != device || !transactions.contains(transaction));
        found((before - self.letters.len()) as u64)
    }

    fn drop_old_letters(&mut self, before: i64) -> Pending<'_, ()> {
        self.letters.retain(|_, (at, _)| *at >= before);
        found(())
    }
}

impl InteractionRows for Tables {
    fn interaction<'a>(&'a mut self, id: &'a str, _: For) -> Pending<'a, Option<Interaction>> {
        found(self.interactions.get(id).map(|(_, interaction, _)| interaction.clone()))
    }

    fn interaction_of(&mut self, key: ExchangeKey) -> Pending<'_, Option<Interaction>> {
        found(self.interactions.values().find(|(of, ..)| *of == key).map(|(_, interaction, _)| interaction.clone()))
    }

    fn insert_interaction<'a>(&'a mut self, new: &'a NewInteraction) -> Pending<'a, ()> {
        let NewInteraction { id, exchange, device, application, kids, expires_at } = new.clone();
        if self.interactions.values().all(|(of, ..)| *of != exchange.key()) {
            let interaction = Interaction {
                id: id.clone(),
                thumbprint: exchange.thumbprint,
                request_hash: exchange.request_hash,
                account: exchange.account,
                device,
                application,
                kids,
                expires_at,
                decision: None,
            };
            self.interactions.insert(id, (exchange.key(), interaction, 0));
        }
        found(())
    }

    fn put_decision<'a>(&'a mut self, id: &'a str, decision: Decision) -> Pending<'a, ()> {
        self.interactions.get_mut(id).unwrap().1.decision = Some(decision);
        found(())
    }

    fn failed_sign_ins(&mut self, thumbprint: SignerId, after: i64) -> Pending<'_, u64> {
        let open = self
            .interactions
            .values()
            .filter(|(key, interaction, _)| key.thumbprint == thumbprint && interaction.expires_at > after);
        found(open.map(|(.., failures)| failures).sum())
    }

    fn count_failed_sign_in<'a>(&'a mut self, id: &'a str) -> Pending<'a, ()> {
        self.interactions.get_mut(id).unwrap().2 += 1;
        found(())
    }

    fn drop_interactions(&mut self, before: i64) -> Pending<'_, u64> {
        let all = self.interactions.len();
        self.interactions.retain(|_, (_, interaction, _)| interaction.expires_at >= before);
        found((all - self.interactions.len()) as u64)
    }
}
