//! Mailboxes in SQLite. An answer is written with the licenses in it and stays until the device says that it took it.

use super::super::epoch::{FORGIVEN, YEAR};
use super::super::mailbox::{Addressee, Mailbox, Recipient, Waiting};
use super::super::{ANSWER_LIFETIME, Committed, Exchange, Issue, Pending, StoreError};
use super::issue::{is_revoked, write_issue};
use super::{SqliteStore, Verdict, id};
use rusqlite::{Connection, OptionalExtension as _, params};
use wmlicense_wire::answer::MAX_GIVEN;
use wmlicense_wire::id::{DeviceId, SignerId, TransactionId, UserId};

impl Mailbox for SqliteStore {
    fn recipients(&self, to: Addressee) -> Pending<'_, Vec<Recipient>> {
        self.read(move |connection| {
            let devices = match to {
                Addressee::Device(device) => vec![device],
                Addressee::Account(user) => devices_of(connection, user)?,
            };
            let found = devices.into_iter().filter_map(|device| recipient(connection, device).transpose());
            found.collect()
        })
    }

    fn give(
        &self,
        exchange: Exchange,
        device: DeviceId,
        issue: Issue,
        answer: Vec<u8>,
        keep: bool,
    ) -> Pending<'_, Committed> {
        const KEEP: &str = "INSERT INTO mailbox (device_id, transaction_id, made_at, answer) VALUES ($1, $2, $3, $4)";
        self.write(move |connection| {
            if is_revoked(connection, device)? || !write_issue(connection, device, &issue, exchange.now)? {
                return Ok(Verdict::Undo(Committed::Changed));
            }
            if keep {
                let transaction = exchange.transaction.as_bytes();
                let values = params![device.as_bytes(), transaction, exchange.now, answer];
                connection.prepare_cached(KEEP)?.execute(values)?;
            }
            Ok(Verdict::Keep(Committed::Done))
        })
    }

    fn waiting(&self, thumbprint: SignerId, certificate: Vec<u8>, now: i64) -> Pending<'_, Waiting> {
        const FIND: &str = "SELECT device_id, certificate = $1 FROM recipient WHERE thumbprint = $2";
        const LIST: &str = "SELECT answer FROM mailbox WHERE device_id = $1 AND made_at > $2 ORDER BY made_at, \
                            transaction_id LIMIT $3";
        self.read(move |connection| {
            let mut find = connection.prepare_cached(FIND)?;
            let found: Option<(Vec<u8>, bool)> = find
                .query_row(params![certificate, thumbprint.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((device, known)) = found else { return Ok(Waiting::default()) };
            let device = id(&device, "recipient")?;
            let mut list = connection.prepare_cached(LIST)?;
            let oldest = now.saturating_sub(ANSWER_LIFETIME);
            let letters = list.query_map(params![device.as_bytes(), oldest, MAX_GIVEN as i64], |row| row.get(0))?;
            let mut letters = letters.collect::<Result<Vec<Vec<u8>>, _>>()?;
            if !letters.is_empty() && !is_current(connection, device, thumbprint)? {
                letters.clear();
            }
            Ok(Waiting { letters, known })
        })
    }

    fn know(&self, recipient: Recipient, certified_at: i64) -> Pending<'_, ()> {
        const KNOW: &str = "INSERT INTO recipient (thumbprint, device_id, certified_at, certificate) \
            VALUES ($1, $2, $3, $4) ON CONFLICT (thumbprint) DO UPDATE SET certified_at = $3, certificate = $4 \
            WHERE certified_at <= $3";
        self.write(move |connection| {
            let Recipient { thumbprint, device, certificate, .. } = &recipient;
            let values = params![thumbprint.as_bytes(), device.as_bytes(), certified_at, certificate];
            connection.prepare_cached(KNOW)?.execute(values)?;
            Ok(Verdict::Keep(()))
        })
    }

    fn taken(&self, device: DeviceId, transactions: Vec<TransactionId>) -> Pending<'_, u64> {
        const DROP: &str = "DELETE FROM mailbox WHERE device_id = $1 AND transaction_id = $2";
        self.write(move |connection| {
            let mut drop = connection.prepare_cached(DROP)?;
            let mut dropped = 0;
            for transaction in transactions {
                dropped += drop.execute(params![device.as_bytes(), transaction.as_bytes()])?;
            }
            Ok(Verdict::Keep(dropped as u64))
        })
    }
}

/// Drops what is too old to be taken.
pub(super) fn drop_old(connection: &Connection, before: i64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM mailbox WHERE made_at < $1")?.execute([before])?;
    Ok(())
}

fn devices_of(connection: &Connection, user: UserId) -> Result<Vec<DeviceId>, StoreError> {
    const LIST: &str = "SELECT device_id FROM license WHERE user_id = $1 UNION SELECT recipient.device_id FROM recipient \
                        JOIN exchange ON exchange.thumbprint = recipient.thumbprint WHERE exchange.account = $1";
    let mut list = connection.prepare_cached(LIST)?;
    let mut rows = list.query([user.as_bytes()])?;
    let mut devices = Vec::new();
    while let Some(row) = rows.next()? {
        devices.push(id(&row.get::<_, Vec<u8>>(0)?, "license")?);
    }
    Ok(devices)
}

fn recipient(connection: &Connection, device: DeviceId) -> Result<Option<Recipient>, StoreError> {
    const FIND: &str = "SELECT thumbprint, certificate FROM recipient WHERE device_id = $1 \
                        ORDER BY certified_at DESC, thumbprint LIMIT 1";
    let mut find = connection.prepare_cached(FIND)?;
    let found: Option<(Vec<u8>, Vec<u8>)> =
        find.query_row([device.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((thumbprint, certificate)) = found else { return Ok(None) };
    let thumbprint = id(&thumbprint, "recipient")?;
    let (revoked, copied) = (is_revoked(connection, device)?, is_copied(connection, device, thumbprint)?);
    Ok(Some(Recipient { thumbprint, device, certificate, revoked, copied }))
}

/// True if these are the newest keys of a device that was not revoked.
fn is_current(connection: &Connection, device: DeviceId, thumbprint: SignerId) -> Result<bool, StoreError> {
    let newest = recipient(connection, device)?;
    Ok(newest.is_some_and(|newest| newest.thumbprint == thumbprint && !newest.revoked))
}

/// True if a role of this service saw more copies of the device's store in the year before its last one than are forgiven.
fn is_copied(connection: &Connection, device: DeviceId, thumbprint: SignerId) -> Result<bool, StoreError> {
    const FIND: &str = "SELECT 1 FROM fork WHERE device_id = $1 AND thumbprint = $2 AND noticed_at > \
        (SELECT max(noticed_at) FROM fork AS last WHERE last.device_id = $1) - $3 GROUP BY role HAVING count(*) > $4";
    let keys = params![device.as_bytes(), thumbprint.as_bytes(), YEAR, FORGIVEN as i64];
    Ok(connection.prepare_cached(FIND)?.exists(keys)?)
}
