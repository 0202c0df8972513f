//! Requests that were answered or checked, epochs, devices, in PostgreSQL.

use super::super::rows::{DeviceRows, EpochRows, ExchangeRows, For};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, PostgresRows, asked};
use crate::rules::epochs::{EpochRow, Epochs, Presented};
use crate::rules::exchanges::Exchange;
use crate::rules::rows::{AnsweredRow, ExchangeKey, Keeping, KeptAnswer, KeysRow};
use deadpool_postgres::tokio_postgres::Row;
use wmlicense_wire::id::{DeviceId, SignerId};

statements!("exchanges.sql":
    FIND, CLAIM, RELEASE, CHECKED, NOTE, DROP_ANSWERS, DROP_CHECKED,
    EPOCHS, LOCK_EPOCHS, PUT_EPOCHS, FORKS, HAS_FORK, LAST_FORK, INSERT_FORK, LATE, INSERT_LATE, DROP_LATE,
    KEYS, LOCK_DEVICE, KEYS_OF, LOCK_KEYS_OF, PUT_KEYS, REVOKED, CALL, DEVICES_BEHIND, HAS_TRACES,
    FORGET_ANSWERS, FORGET_CHECKED, FORGET_ASKER, FORGET_RECIPIENT, FORGET_EPOCHS, FORGET_LATE, FORGET_GUARDS, FORGET_KEYS,
);

impl ExchangeRows for PostgresRows<'_> {
    fn exchange(&mut self, key: ExchangeKey) -> Pending<'_, Option<AnsweredRow>> {
        let read = |row: &Row| {
            let answer = KeptAnswer::of(row.value(3)?, row.value::<Option<Vec<u8>>>(4)?);
            let (request_hash, account) = (row.id(0)?, row.maybe_id(1)?);
            Ok(AnsweredRow { request_hash, account, answered_at: row.value(2)?, answer })
        };
        Box::pin(
            async move { self.one(FIND, asked![&key.thumbprint, &key.transaction, i64::from(key.page)], read).await },
        )
    }

    fn claim_exchange<'a>(&'a mut self, exchange: &'a Exchange, answer: Keeping<'a>) -> Pending<'a, bool> {
        Box::pin(async move {
            let Exchange { thumbprint, transaction, page, request_hash, account, now, .. } = exchange;
            let (kept, answer) = answer.columns();
            let (page, account) = (i64::from(*page), account.as_ref());
            let asked = asked![thumbprint, transaction, page, request_hash, account, *now, kept, answer];
            Ok(self.change(CLAIM, asked).await? == 1)
        })
    }

    fn release_exchange(&mut self, key: ExchangeKey) -> Pending<'_, ()> {
        Box::pin(async move { self.put(RELEASE, asked![&key.thumbprint, &key.transaction, i64::from(key.page)]).await })
    }

    fn is_checked<'a>(&'a mut self, exchange: &'a Exchange) -> Pending<'a, bool> {
        Box::pin(async move {
            let Exchange { thumbprint, transaction, page, request_hash, .. } = exchange;
            self.exists(CHECKED, asked![thumbprint, transaction, i64::from(*page), request_hash]).await
        })
    }

    fn note_checked<'a>(&'a mut self, exchange: &'a Exchange) -> Pending<'a, ()> {
        Box::pin(async move {
            let Exchange { thumbprint, transaction, page, request_hash, now, .. } = exchange;
            self.put(NOTE, asked![thumbprint, transaction, i64::from(*page), request_hash, *now]).await
        })
    }

    fn drop_answers(&mut self, before: i64) -> Pending<'_, u64> {
        Box::pin(async move { self.change(DROP_ANSWERS, asked![before]).await })
    }

    fn drop_checked(&mut self, before: i64) -> Pending<'_, ()> {
        Box::pin(async move { self.put(DROP_CHECKED, asked![before]).await })
    }
}

impl EpochRows for PostgresRows<'_> {
    fn epochs(&mut self, device: DeviceId, how: For) -> Pending<'_, Vec<EpochRow>> {
        let read = |row: &Row| {
            let epochs = Epochs {
                thumbprint: row.id(1)?,
                certified_at: row.value(2)?,
                current: row.id(3)?,
                predecessor: row.maybe_id(4)?,
                replaced_at: row.value(5)?,
                presented_at: row.value(6)?,
                older: row.maybe_id(7)?,
                older_until: row.value(8)?,
            };
            Ok(EpochRow { role: row.value(0)?, epochs })
        };
        Box::pin(async move {
            let keys = [device.as_bytes().as_slice()];
            self.read(how, keys, [EPOCHS, LOCK_EPOCHS], asked![&device], read).await
        })
    }

    fn put_epochs<'a>(&'a mut self, device: DeviceId, role: i64, epochs: &'a Epochs) -> Pending<'a, ()> {
        Box::pin(async move {
            let asked = asked![
                &device,
                role,
                &epochs.thumbprint,
                epochs.certified_at,
                &epochs.current,
                epochs.predecessor.as_ref(),
                epochs.replaced_at,
                epochs.presented_at,
                epochs.older.as_ref(),
                epochs.older_until,
            ];
            self.put(PUT_EPOCHS, asked).await
        })
    }

    fn forks(&mut self, device: DeviceId, thumbprint: SignerId, after: i64) -> Pending<'_, Vec<(i64, u64)>> {
        let read = |row: &Row| Ok((row.value(0)?, row.count(1)?));
        Box::pin(async move { self.all(FORKS, asked![&device, &thumbprint, after], read).await })
    }

    fn has_fork<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, after: i64) -> Pending<'a, bool> {
        Box::pin(async move {
            let Presented { device, role, epoch, .. } = presented;
            self.exists(HAS_FORK, asked![device, &thumbprint, *role as i64, epoch.as_ref(), after]).await
        })
    }

    fn last_fork(&mut self, device: DeviceId) -> Pending<'_, Option<i64>> {
        Box::pin(async move { Ok(self.one(LAST_FORK, asked![&device], |row| row.value(0)).await?.flatten()) })
    }

    fn insert_fork<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, at: i64) -> Pending<'a, ()> {
        Box::pin(async move {
            let Presented { device, role, epoch, .. } = presented;
            self.put(INSERT_FORK, asked![device, &thumbprint, *role as i64, epoch.as_ref(), at]).await
        })
    }

    fn late<'a>(
        &'a mut self,
        presented: &'a Presented,
        thumbprint: SignerId,
        after: i64,
    ) -> Pending<'a, (u64, Option<i64>)> {
        let read = |row: &Row| Ok((row.count(0)?, row.value(1)?));
        Box::pin(async move {
            let Presented { device, role, .. } = presented;
            let late = self.one(LATE, asked![device, &thumbprint, *role as i64, after], read).await?;
            Ok(late.unwrap_or_default())
        })
    }

    fn insert_late<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, at: i64) -> Pending<'a, ()> {
        Box::pin(async move {
            let Presented { device, role, .. } = presented;
            self.put(INSERT_LATE, asked![device, &thumbprint, *role as i64, at]).await
        })
    }

    fn drop_late(&mut self, before: i64) -> Pending<'_, ()> {
        Box::pin(async move { self.put(DROP_LATE, asked![before]).await })
    }
}

impl DeviceRows for PostgresRows<'_> {
    fn keys(&mut self, thumbprint: SignerId, how: For) -> Pending<'_, Option<KeysRow>> {
        Box::pin(async move {
            let keys = [thumbprint.as_bytes().as_slice()];
            let rows = self.read(how, keys, [KEYS, LOCK_DEVICE], asked![&thumbprint], read_keys).await?;
            Ok(rows.into_iter().next())
        })
    }

    fn keys_of(&mut self, device: DeviceId, how: For) -> Pending<'_, Vec<KeysRow>> {
        Box::pin(async move {
            let keys = [device.as_bytes().as_slice()];
            self.read(how, keys, [KEYS_OF, LOCK_KEYS_OF], asked![&device], read_keys).await
        })
    }

    fn put_keys<'a>(&'a mut self, row: &'a KeysRow) -> Pending<'a, ()> {
        Box::pin(async move {
            // Nobody reads all keys of the device to change them meanwhile.
            self.lock([row.device.as_bytes().as_slice()]).await?;
            let asked = asked![
                &row.thumbprint,
                &row.device,
                &row.security_version,
                i64::from(row.assurance),
                row.created_at,
                row.certified_at,
                row.revoked_at,
                row.successor.as_ref(),
                row.counts_from,
                &row.reason,
            ];
            self.put(PUT_KEYS, asked).await
        })
    }

    fn is_revoked(&mut self, device: DeviceId) -> Pending<'_, bool> {
        Box::pin(async move { self.exists(REVOKED, asked![&device]).await })
    }

    fn call_device<'a>(&'a mut self, device: DeviceId, name: Option<&'a str>) -> Pending<'a, ()> {
        Box::pin(async move { self.put(CALL, asked![name, &device]).await })
    }

    fn devices_behind(&mut self, after: DeviceId, limit: usize) -> Pending<'_, Vec<DeviceId>> {
        Box::pin(async move { self.all(DEVICES_BEHIND, asked![&after, limit], |row| row.id(0)).await })
    }

    fn has_traces(&mut self, device: DeviceId) -> Pending<'_, bool> {
        Box::pin(async move { self.exists(HAS_TRACES, asked![&device]).await })
    }

    fn forget_device(&mut self, device: DeviceId) -> Pending<'_, ()> {
        Box::pin(async move {
            // The keys last: what is led by them is found by them.
            let all = [
                FORGET_ANSWERS,
                FORGET_CHECKED,
                FORGET_ASKER,
                FORGET_RECIPIENT,
                FORGET_EPOCHS,
                FORGET_LATE,
                FORGET_GUARDS,
                FORGET_KEYS,
            ];
            for sql in all {
                self.put(sql, asked![&device]).await?;
            }
            Ok(())
        })
    }
}

fn read_keys(row: &Row) -> Result<KeysRow, StoreError> {
    Ok(KeysRow {
        thumbprint: row.id(0)?,
        device: row.id(1)?,
        security_version: row.value(2)?,
        assurance: row.value::<i64>(3)?.try_into().map_err(|_| StoreError::Damaged("assurance"))?,
        created_at: row.value(4)?,
        certified_at: row.value(5)?,
        revoked_at: row.value(6)?,
        successor: row.maybe_id(7)?,
        counts_from: row.value(8)?,
        reason: row.value(9)?,
    })
}
