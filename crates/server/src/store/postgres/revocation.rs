//! Orders, blobs, acknowledgements and status lists, in PostgreSQL.

use super::super::rows::{For, RevocationRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, PostgresRows, asked, bytes, ids, nothing};
use crate::rules::revocation::{ListedKey, NumberedOrder, Order, RevokedKeyRow, RevokedRow, rule};
use deadpool_postgres::tokio_postgres::Row;
use wmlicense_wire::id::{DeviceId, Lid, SignerId};
use wmlicense_wire::key::VerifyingKey;
use wmlicense_wire::revocation::{Acknowledgement, Entry, Rule};

statements!("revocation.sql":
    RULES, ORDERS_ABOUT, ORDERS_HELD, NEWEST_ORDER, INSERT_ORDER, INSERT_HOLDERS, BLOB, PUT_BLOB, ASKER, PUT_ASKER,
    ACKNOWLEDGED, PUT_ACKNOWLEDGEMENT, NOTE_ACKNOWLEDGED, REVOKED_KEY, PUT_REVOKED_KEY, REVOKED,
    STATUS_LIST, INSERT_STATUS_LIST,
);

/// Reads an order from the columns lid, kid, user_id, issued_before and device_id at `at`.
pub(super) fn read_order(row: &Row, at: usize) -> Result<Order, StoreError> {
    let entry = match row.maybe_id(at)? {
        Some(lid) => Entry::License(lid),
        None => rule(row.maybe_id(at + 2)?, row.maybe_id(at + 1)?, row.value(at + 3)?),
    };
    Ok(Order { entry, device: row.maybe_id(at + 4)? })
}

fn read_numbered(row: &Row) -> Result<NumberedOrder, StoreError> {
    Ok(NumberedOrder { number: row.count(0)?, order: read_order(row, 1)? })
}

/// The key of a blob's row; empty where it is for everybody.
fn blob_key(target: Option<&DeviceId>) -> &[u8] {
    bytes(target).unwrap_or_default()
}

impl RevocationRows for PostgresRows<'_> {
    fn rules(&mut self) -> Pending<'_, Vec<NumberedOrder>> {
        Box::pin(async move { self.all(RULES, &[], read_numbered).await })
    }

    fn orders_about<'a>(&'a mut self, licenses: &'a [Lid]) -> Pending<'a, Vec<(Lid, Order)>> {
        if licenses.is_empty() {
            return nothing();
        }
        let read = |row: &Row| Ok((row.id(1)?, read_order(row, 1)?));
        Box::pin(async move { self.all(ORDERS_ABOUT, asked![ids(licenses)], read).await })
    }

    fn orders_held(&mut self, device: DeviceId) -> Pending<'_, Vec<NumberedOrder>> {
        Box::pin(async move { self.all(ORDERS_HELD, asked![&device], read_numbered).await })
    }

    fn newest_order(&mut self, how: For) -> Pending<'_, Option<i64>> {
        Box::pin(async move {
            if how == For::Changing {
                self.lock_mark().await?;
            }
            Ok(self.one(NEWEST_ORDER, &[], |row| row.value(0)).await?.flatten())
        })
    }

    fn insert_order<'a>(
        &'a mut self,
        number: i64,
        order: &'a Order,
        reason: Option<&'a str>,
        holders: &'a [DeviceId],
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            let (lid, Rule { kid, user, issued_before }) = match order.entry {
                Entry::License(lid) => (Some(lid), Rule::default()),
                Entry::Rule(rule) => (None, rule),
            };
            let (lid, kid, user) = (lid.as_ref(), kid.as_ref(), user.as_ref());
            let only = order.device.as_ref();
            self.put(INSERT_ORDER, asked![number, lid, kid, user, issued_before, only, reason]).await?;
            self.put(INSERT_HOLDERS, asked![ids(holders), number]).await
        })
    }

    fn blob(&mut self, target: Option<DeviceId>, how: For) -> Pending<'_, Option<(u64, Vec<u8>)>> {
        let read = |row: &Row| Ok((row.count(0)?, row.value(1)?));
        Box::pin(async move {
            let key = blob_key(target.as_ref());
            Ok(self.read(how, [key], [BLOB, BLOB], asked![key], read).await?.into_iter().next())
        })
    }

    fn put_blob<'a>(&'a mut self, target: Option<DeviceId>, number: u64, blob: &'a [u8]) -> Pending<'a, ()> {
        Box::pin(async move { self.put(PUT_BLOB, asked![blob_key(target.as_ref()), number as i64, blob]).await })
    }

    fn asker(&mut self, thumbprint: SignerId) -> Pending<'_, Option<(DeviceId, VerifyingKey)>> {
        let read = |row: &Row| {
            let key = VerifyingKey::from_slice(row.value(1)?);
            Ok((row.id(0)?, key.map_err(|_| StoreError::Damaged("device key"))?))
        };
        Box::pin(async move { self.one(ASKER, asked![&thumbprint], read).await })
    }

    fn put_asker<'a>(
        &'a mut self,
        thumbprint: SignerId,
        device: DeviceId,
        key: &'a VerifyingKey,
        now: i64,
    ) -> Pending<'a, ()> {
        Box::pin(async move { self.put(PUT_ASKER, asked![&thumbprint, &device, key.as_bytes().as_slice(), now]).await })
    }

    fn acknowledged(&mut self, device: DeviceId, how: For) -> Pending<'_, Option<u64>> {
        Box::pin(async move {
            let keys = [device.as_bytes().as_slice()];
            let asked = asked![&device];
            let found = self.read(how, keys, [ACKNOWLEDGED, ACKNOWLEDGED], asked, |row| row.count(0)).await?;
            Ok(found.into_iter().next())
        })
    }

    fn put_acknowledgement<'a>(
        &'a mut self,
        acknowledgement: &'a Acknowledgement,
        document: &'a [u8],
        now: i64,
    ) -> Pending<'a, ()> {
        Box::pin(async move {
            let Acknowledgement { device_id, number, removed, taken_at, .. } = acknowledgement;
            let removed = i64::try_from(*removed).unwrap_or(i64::MAX);
            let asked = asked![device_id, *number as i64, removed, *taken_at, now, document];
            self.put(PUT_ACKNOWLEDGEMENT, asked).await
        })
    }

    fn note_acknowledged<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], now: i64) -> Pending<'a, ()> {
        if licenses.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let mut licenses = licenses.to_vec();
            licenses.sort_unstable();
            self.put(NOTE_ACKNOWLEDGED, asked![ids(&licenses), &device, now]).await
        })
    }

    fn revoked_key(&mut self, kind: ListedKey, key: SignerId, how: For) -> Pending<'_, Option<RevokedKeyRow>> {
        let read = move |row: &Row| {
            let (name, counts_from) = (row.value(0)?, row.value(1)?);
            Ok(RevokedKeyRow { kind, key, name, counts_from, revoked_at: row.value(2)?, reason: row.value(3)? })
        };
        Box::pin(async move {
            if how == For::Changing {
                self.lock_mark().await?;
            }
            self.one(REVOKED_KEY, asked![kind as i64, &key], read).await
        })
    }

    fn put_revoked_key<'a>(&'a mut self, row: &'a RevokedKeyRow) -> Pending<'a, ()> {
        Box::pin(async move {
            let RevokedKeyRow { kind, key, name, counts_from, revoked_at, reason } = row;
            self.put(PUT_REVOKED_KEY, asked![*kind as i64, key, name, *counts_from, *revoked_at, reason]).await
        })
    }

    fn revoked(&mut self) -> Pending<'_, Vec<RevokedRow>> {
        let read = |row: &Row| {
            let kind = match row.value::<i64>(0)? {
                0 => "device",
                kind if kind == ListedKey::Service as i64 => "service",
                kind if kind == ListedKey::Application as i64 => "application",
                _ => return Err(StoreError::Damaged("revoked key")),
            };
            let (key, name, from) = (row.id(1)?, row.value(2)?, row.value(3)?);
            Ok(RevokedRow { kind, key, name, from, revoked_at: row.value(4)?, reason: row.value(5)? })
        };
        Box::pin(async move { self.all(REVOKED, &[], read).await })
    }

    fn status_list(&mut self, how: For) -> Pending<'_, Option<(u64, Vec<u8>)>> {
        let read = |row: &Row| Ok((row.count(0)?, row.value(1)?));
        Box::pin(async move {
            if how == For::Changing {
                self.lock_mark().await?;
            }
            self.one(STATUS_LIST, &[], read).await
        })
    }

    fn insert_status_list<'a>(&'a mut self, number: u64, list: &'a [u8]) -> Pending<'a, ()> {
        Box::pin(async move { self.put(INSERT_STATUS_LIST, asked![number as i64, list]).await })
    }
}
