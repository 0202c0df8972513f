//! Requests that were answered or checked, epochs, devices, in SQLite.

use super::super::rows::{DeviceRows, EpochRows, ExchangeRows, For};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, bytes, done};
use crate::rules::epochs::{EpochRow, Epochs, Presented};
use crate::rules::exchanges::Exchange;
use crate::rules::rows::{AnsweredRow, ExchangeKey, Keeping, KeptAnswer, KeysRow};
use rusqlite::{Row, params};
use wmlicense_wire::id::{DeviceId, SignerId};

statements!("exchanges.sql":
    FIND, CLAIM, RELEASE, CHECKED, NOTE, DROP_ANSWERS, DROP_CHECKED,
    EPOCHS, PUT_EPOCHS, FORKS, HAS_FORK, LAST_FORK, INSERT_FORK, LATE, INSERT_LATE, DROP_LATE,
    KEYS, KEYS_OF, PUT_KEYS, REVOKED, CALL, DEVICES_BEHIND, HAS_TRACES,
    FORGET_ANSWERS, FORGET_CHECKED, FORGET_ASKER, FORGET_RECIPIENT, FORGET_EPOCHS, FORGET_LATE, FORGET_KEYS,
);

impl ExchangeRows for SqliteRows<'_> {
    fn exchange(&mut self, key: ExchangeKey) -> Pending<'_, Option<AnsweredRow>> {
        let asked = params![key.thumbprint.as_bytes(), key.transaction.as_bytes(), key.page];
        done(self.one(FIND, asked, |row| {
            let answer = KeptAnswer::of(row.get(3)?, row.get::<_, Option<Vec<u8>>>(4)?);
            let (request_hash, account) = (row.id(0)?, row.maybe_id(1)?);
            Ok(AnsweredRow { request_hash, account, answered_at: row.get(2)?, answer })
        }))
    }

    fn claim_exchange<'a>(&'a mut self, exchange: &'a Exchange, answer: Keeping<'a>) -> Pending<'a, bool> {
        let Exchange { thumbprint, transaction, page, request_hash, account, now, .. } = exchange;
        let (kept, answer) = answer.columns();
        let claimed = self.change(
            CLAIM,
            params![
                thumbprint.as_bytes(),
                transaction.as_bytes(),
                page,
                request_hash.as_bytes(),
                bytes(account.as_ref()),
                now,
                kept,
                answer,
            ],
        );
        done(claimed.map(|rows| rows == 1))
    }

    fn release_exchange(&mut self, key: ExchangeKey) -> Pending<'_, ()> {
        done(self.put(RELEASE, params![key.thumbprint.as_bytes(), key.transaction.as_bytes(), key.page]))
    }

    fn is_checked<'a>(&'a mut self, exchange: &'a Exchange) -> Pending<'a, bool> {
        let Exchange { thumbprint, transaction, page, request_hash, .. } = exchange;
        let asked = params![thumbprint.as_bytes(), transaction.as_bytes(), page, request_hash.as_bytes()];
        done(self.exists(CHECKED, asked))
    }

    fn note_checked<'a>(&'a mut self, exchange: &'a Exchange) -> Pending<'a, ()> {
        let Exchange { thumbprint, transaction, page, request_hash, now, .. } = exchange;
        let asked = params![thumbprint.as_bytes(), transaction.as_bytes(), page, request_hash.as_bytes(), now];
        done(self.put(NOTE, asked))
    }

    fn drop_answers(&mut self, before: i64) -> Pending<'_, u64> {
        done(self.change(DROP_ANSWERS, [before]).map(|rows| rows as u64))
    }

    fn drop_checked(&mut self, before: i64) -> Pending<'_, ()> {
        done(self.put(DROP_CHECKED, [before]))
    }
}

impl EpochRows for SqliteRows<'_> {
    fn epochs(&mut self, device: DeviceId, _: For) -> Pending<'_, Vec<EpochRow>> {
        done(self.all(EPOCHS, [device.as_bytes()], |row| {
            let epochs = Epochs {
                thumbprint: row.id(1)?,
                certified_at: row.get(2)?,
                current: row.id(3)?,
                predecessor: row.maybe_id(4)?,
                replaced_at: row.get(5)?,
                presented_at: row.get(6)?,
                older: row.maybe_id(7)?,
                older_until: row.get(8)?,
            };
            Ok(EpochRow { role: row.get(0)?, epochs })
        }))
    }

    fn put_epochs<'a>(&'a mut self, device: DeviceId, role: i64, epochs: &'a Epochs) -> Pending<'a, ()> {
        done(self.put(
            PUT_EPOCHS,
            params![
                device.as_bytes(),
                role,
                epochs.thumbprint.as_bytes(),
                epochs.certified_at,
                epochs.current.as_bytes(),
                bytes(epochs.predecessor.as_ref()),
                epochs.replaced_at,
                epochs.presented_at,
                bytes(epochs.older.as_ref()),
                epochs.older_until,
            ],
        ))
    }

    fn forks(&mut self, device: DeviceId, thumbprint: SignerId, after: i64) -> Pending<'_, Vec<(i64, u64)>> {
        let asked = params![device.as_bytes(), thumbprint.as_bytes(), after];
        done(self.all(FORKS, asked, |row| Ok((row.get(0)?, row.count(1)?))))
    }

    fn has_fork<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, after: i64) -> Pending<'a, bool> {
        let Presented { device, role, epoch, .. } = presented;
        let asked = params![device.as_bytes(), thumbprint.as_bytes(), *role as i64, bytes(epoch.as_ref()), after];
        done(self.exists(HAS_FORK, asked))
    }

    fn last_fork(&mut self, device: DeviceId) -> Pending<'_, Option<i64>> {
        done(self.one(LAST_FORK, [device.as_bytes()], |row| Ok(row.get(0)?)).map(Option::flatten))
    }

    fn insert_fork<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, at: i64) -> Pending<'a, ()> {
        let Presented { device, role, epoch, .. } = presented;
        let asked = params![device.as_bytes(), thumbprint.as_bytes(), *role as i64, bytes(epoch.as_ref()), at];
        done(self.put(INSERT_FORK, asked))
    }

    fn late<'a>(
        &'a mut self,
        presented: &'a Presented,
        thumbprint: SignerId,
        after: i64,
    ) -> Pending<'a, (u64, Option<i64>)> {
        let Presented { device, role, .. } = presented;
        let asked = params![device.as_bytes(), thumbprint.as_bytes(), *role as i64, after];
        let late = self.one(LATE, asked, |row| Ok((row.count(0)?, row.get(1)?)));
        done(late.map(Option::unwrap_or_default))
    }

    fn insert_late<'a>(&'a mut self, presented: &'a Presented, thumbprint: SignerId, at: i64) -> Pending<'a, ()> {
        let Presented { device, role, .. } = presented;
        done(self.put(INSERT_LATE, params![device.as_bytes(), thumbprint.as_bytes(), *role as i64, at]))
    }

    fn drop_late(&mut self, before: i64) -> Pending<'_, ()> {
        done(self.put(DROP_LATE, [before]))
    }
}

impl DeviceRows for SqliteRows<'_> {
    fn keys(&mut self, thumbprint: SignerId, _: For) -> Pending<'_, Option<KeysRow>> {
        done(self.one(KEYS, [thumbprint.as_bytes()], read_keys))
    }

    fn keys_of(&mut self, device: DeviceId, _: For) -> Pending<'_, Vec<KeysRow>> {
        done(self.all(KEYS_OF, [device.as_bytes()], read_keys))
    }

    fn put_keys<'a>(&'a mut self, row: &'a KeysRow) -> Pending<'a, ()> {
        done(self.put(
            PUT_KEYS,
            params![
                row.thumbprint.as_bytes(),
                row.device.as_bytes(),
                row.security_version,
                row.assurance,
                row.created_at,
                row.certified_at,
                row.revoked_at,
                bytes(row.successor.as_ref()),
                row.counts_from,
                row.reason,
            ],
        ))
    }

    fn is_revoked(&mut self, device: DeviceId) -> Pending<'_, bool> {
        done(self.exists(REVOKED, [device.as_bytes()]))
    }

    fn devices_behind(&mut self, after: DeviceId, limit: usize) -> Pending<'_, Vec<DeviceId>> {
        let asked = params![after.as_bytes(), i64::try_from(limit).unwrap_or(i64::MAX)];
        done(self.all(DEVICES_BEHIND, asked, |row| row.id(0)))
    }

    fn has_traces(&mut self, device: DeviceId) -> Pending<'_, bool> {
        done(self.exists(HAS_TRACES, [device.as_bytes()]))
    }

    fn forget_device(&mut self, device: DeviceId) -> Pending<'_, ()> {
        // The keys last: what is led by them is found by them.
        let all =
            [FORGET_ANSWERS, FORGET_CHECKED, FORGET_ASKER, FORGET_RECIPIENT, FORGET_EPOCHS, FORGET_LATE, FORGET_KEYS];
        done(all.into_iter().try_for_each(|sql| self.put(sql, [device.as_bytes()])))
    }

    fn call_device<'a>(&'a mut self, device: DeviceId, name: Option<&'a str>) -> Pending<'a, ()> {
        done(self.put(CALL, params![name, device.as_bytes()]))
    }
}

fn read_keys(row: &Row<'_>) -> Result<KeysRow, StoreError> {
    Ok(KeysRow {
        thumbprint: row.id(0)?,
        device: row.id(1)?,
        security_version: row.get(2)?,
        assurance: row.get(3)?,
        created_at: row.get(4)?,
        certified_at: row.get(5)?,
        revoked_at: row.get(6)?,
        successor: row.maybe_id(7)?,
        counts_from: row.get(8)?,
        reason: row.get(9)?,
    })
}
