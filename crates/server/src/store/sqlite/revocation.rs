//! Orders, blobs, acknowledgements and status lists, in SQLite.

use super::super::rows::{For, RevocationRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, bytes, done};
use crate::rules::revocation::{ListedKey, NumberedOrder, Order, RevokedKeyRow, RevokedRow, rule};
use rusqlite::{Row, params};
use wmlicense_wire::id::{DeviceId, Lid, SignerId};
use wmlicense_wire::key::VerifyingKey;
use wmlicense_wire::revocation::{Acknowledgement, Entry, Rule};

statements!("revocation.sql":
    RULES, ORDERS_ABOUT, ORDERS_HELD, NEWEST_ORDER, INSERT_ORDER, INSERT_HOLDER, BLOB, PUT_BLOB, ASKER, PUT_ASKER,
    ACKNOWLEDGED, PUT_ACKNOWLEDGEMENT, NOTE_ACKNOWLEDGED, REVOKED_KEY, PUT_REVOKED_KEY, REVOKED,
    STATUS_LIST, INSERT_STATUS_LIST,
);

/// Reads an order from the columns lid, kid, user_id, issued_before and device_id at `at`.
pub(super) fn read_order(row: &Row<'_>, at: usize) -> Result<Order, StoreError> {
    let entry = match row.maybe_id(at)? {
        Some(lid) => Entry::License(lid),
        None => rule(row.maybe_id(at + 2)?, row.maybe_id(at + 1)?, row.get(at + 3)?),
    };
    Ok(Order { entry, device: row.maybe_id(at + 4)? })
}

fn read_numbered(row: &Row<'_>) -> Result<NumberedOrder, StoreError> {
    Ok(NumberedOrder { number: row.count(0)?, order: read_order(row, 1)? })
}

/// The key of a blob's row; empty where it is for everybody.
fn blob_key(target: Option<&DeviceId>) -> &[u8] {
    bytes(target).unwrap_or_default()
}

impl RevocationRows for SqliteRows<'_> {
    fn rules(&mut self) -> Pending<'_, Vec<NumberedOrder>> {
        done(self.all(RULES, [], read_numbered))
    }

    fn orders_about<'a>(&'a mut self, licenses: &'a [Lid]) -> Pending<'a, Vec<(Lid, Order)>> {
        let mut found = Vec::new();
        let mut find = |lid: &Lid| {
            self.each(ORDERS_ABOUT, [lid.as_bytes()], |row| {
                found.push((*lid, read_order(row, 1)?));
                Ok(())
            })
        };
        let all = licenses.iter().try_for_each(&mut find);
        done(all.map(|()| found))
    }

    fn orders_held(&mut self, device: DeviceId) -> Pending<'_, Vec<NumberedOrder>> {
        done(self.all(ORDERS_HELD, [device.as_bytes()], read_numbered))
    }

    fn newest_order(&mut self, _: For) -> Pending<'_, Option<i64>> {
        done(self.one(NEWEST_ORDER, [], |row| Ok(row.get(0)?)).map(Option::flatten))
    }

    fn insert_order<'a>(
        &'a mut self,
        number: i64,
        order: &'a Order,
        reason: Option<&'a str>,
        holders: &'a [DeviceId],
    ) -> Pending<'a, ()> {
        let (lid, Rule { kid, user, issued_before }) = match order.entry {
            Entry::License(lid) => (Some(lid), Rule::default()),
            Entry::Rule(rule) => (None, rule),
        };
        let (lid, kid, user) = (bytes(lid.as_ref()), bytes(kid.as_ref()), bytes(user.as_ref()));
        let only = bytes(order.device.as_ref());
        let written = self.put(INSERT_ORDER, params![number, lid, kid, user, issued_before, only, reason]);
        let insert = |device: &DeviceId| self.put(INSERT_HOLDER, params![device.as_bytes(), number]);
        done(written.and_then(|()| holders.iter().try_for_each(insert)))
    }

    fn blob(&mut self, target: Option<DeviceId>, _: For) -> Pending<'_, Option<(u64, Vec<u8>)>> {
        done(self.one(BLOB, [blob_key(target.as_ref())], |row| Ok((row.count(0)?, row.get(1)?))))
    }

    fn put_blob<'a>(&'a mut self, target: Option<DeviceId>, number: u64, blob: &'a [u8]) -> Pending<'a, ()> {
        done(self.put(PUT_BLOB, params![blob_key(target.as_ref()), number as i64, blob]))
    }

    fn asker(&mut self, thumbprint: SignerId) -> Pending<'_, Option<(DeviceId, VerifyingKey)>> {
        done(self.one(ASKER, [thumbprint.as_bytes()], |row| {
            let key = VerifyingKey::from_slice(&row.get::<_, Vec<u8>>(1)?);
            Ok((row.id(0)?, key.map_err(|_| StoreError::Damaged("device key"))?))
        }))
    }

    fn put_asker<'a>(
        &'a mut self,
        thumbprint: SignerId,
        device: DeviceId,
        key: &'a VerifyingKey,
        now: i64,
    ) -> Pending<'a, ()> {
        done(self.put(PUT_ASKER, params![thumbprint.as_bytes(), device.as_bytes(), key.as_bytes(), now]))
    }

    fn acknowledged(&mut self, device: DeviceId, _: For) -> Pending<'_, Option<u64>> {
        done(self.one(ACKNOWLEDGED, [device.as_bytes()], |row| row.count(0)))
    }

    fn put_acknowledgement<'a>(
        &'a mut self,
        acknowledgement: &'a Acknowledgement,
        document: &'a [u8],
        now: i64,
    ) -> Pending<'a, ()> {
        let Acknowledgement { device_id, number, removed, taken_at, .. } = acknowledgement;
        let removed = i64::try_from(*removed).unwrap_or(i64::MAX);
        let asked = params![device_id.as_bytes(), *number as i64, removed, taken_at, now, document];
        done(self.put(PUT_ACKNOWLEDGEMENT, asked))
    }

    fn note_acknowledged<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], now: i64) -> Pending<'a, ()> {
        let note = |lid: &Lid| self.put(NOTE_ACKNOWLEDGED, params![lid.as_bytes(), device.as_bytes(), now]);
        done(licenses.iter().try_for_each(note))
    }

    fn revoked_key(&mut self, kind: ListedKey, key: SignerId, _: For) -> Pending<'_, Option<RevokedKeyRow>> {
        done(self.one(REVOKED_KEY, params![kind as i64, key.as_bytes()], |row| {
            let (name, counts_from) = (row.get(0)?, row.get(1)?);
            Ok(RevokedKeyRow { kind, key, name, counts_from, revoked_at: row.get(2)?, reason: row.get(3)? })
        }))
    }

    fn put_revoked_key<'a>(&'a mut self, row: &'a RevokedKeyRow) -> Pending<'a, ()> {
        let RevokedKeyRow { kind, key, name, counts_from, revoked_at, reason } = row;
        let asked = params![*kind as i64, key.as_bytes(), name, counts_from, revoked_at, reason];
        done(self.put(PUT_REVOKED_KEY, asked))
    }

    fn revoked(&mut self) -> Pending<'_, Vec<RevokedRow>> {
        done(self.all(REVOKED, [], |row| {
            let kind = match row.get::<_, i64>(0)? {
                0 => "device",
                kind if kind == ListedKey::Service as i64 => "service",
                kind if kind == ListedKey::Application as i64 => "application",
                _ => return Err(StoreError::Damaged("revoked key")),
            };
            let (key, name, from) = (row.id(1)?, row.get(2)?, row.get(3)?);
            Ok(RevokedRow { kind, key, name, from, revoked_at: row.get(4)?, reason: row.get(5)? })
        }))
    }

    fn status_list(&mut self, _: For) -> Pending<'_, Option<(u64, Vec<u8>)>> {
        done(self.one(STATUS_LIST, [], |row| Ok((row.count(0)?, row.get(1)?))))
    }

    fn insert_status_list<'a>(&'a mut self, number: u64, list: &'a [u8]) -> Pending<'a, ()> {
        done(self.put(INSERT_STATUS_LIST, params![number as i64, list]))
    }
}
