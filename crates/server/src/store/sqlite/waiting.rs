//! What waits for devices in their mailboxes and for users on the page, in SQLite.

use super::super::rows::{For, InteractionRows, MailboxRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, bytes, done};
use crate::rules::interactions::{Decision, Interaction, NewInteraction};
use crate::rules::mailbox::RecipientRow;
use crate::rules::rows::ExchangeKey;
use rusqlite::{Row, params};
use wmlicense_wire::id::{DeviceId, Kid, SignerId, TransactionId, UserId};

statements!("revocation.sql":
    DEVICES_OF, RECIPIENTS_OF, RECIPIENT, PUT_RECIPIENT, LETTERS, INSERT_LETTER, DROP_LETTER, DROP_OLD_LETTERS,
    INTERACTION, INTERACTION_OF, INSERT_INTERACTION, PUT_DECISION, FAILED_SIGN_INS, COUNT_FAILED_SIGN_IN,
    DROP_INTERACTIONS,
);

/// The column `decision` of an interaction.
const ACCEPTED: i64 = 1;
const DECLINED: i64 = 2;

impl MailboxRows for SqliteRows<'_> {
    fn devices_of(&mut self, user: UserId) -> Pending<'_, Vec<DeviceId>> {
        done(self.all(DEVICES_OF, [user.as_bytes()], |row| row.id(0)))
    }

    fn recipients_of<'a>(&'a mut self, devices: &'a [DeviceId]) -> Pending<'a, Vec<RecipientRow>> {
        let mut found = Vec::new();
        let mut find = |device: &DeviceId| {
            self.each(RECIPIENTS_OF, [device.as_bytes()], |row| {
                found.push(read_recipient(row)?);
                Ok(())
            })
        };
        let all = devices.iter().try_for_each(&mut find);
        done(all.map(|()| found))
    }

    fn recipient(&mut self, thumbprint: SignerId, _: For) -> Pending<'_, Option<RecipientRow>> {
        done(self.one(RECIPIENT, [thumbprint.as_bytes()], read_recipient))
    }

    fn put_recipient<'a>(&'a mut self, row: &'a RecipientRow) -> Pending<'a, ()> {
        let RecipientRow { thumbprint, device, certified_at, certificate } = row;
        let asked = params![thumbprint.as_bytes(), device.as_bytes(), certified_at, certificate];
        done(self.put(PUT_RECIPIENT, asked))
    }

    fn letters(&mut self, device: DeviceId, after: i64, limit: usize) -> Pending<'_, Vec<Vec<u8>>> {
        done(self.all(LETTERS, params![device.as_bytes(), after, limit as i64], |row| Ok(row.get(0)?)))
    }

    fn insert_letter<'a>(
        &'a mut self,
        device: DeviceId,
        transaction: TransactionId,
        now: i64,
        answer: &'a [u8],
    ) -> Pending<'a, ()> {
        done(self.put(INSERT_LETTER, params![device.as_bytes(), transaction.as_bytes(), now, answer]))
    }

    fn drop_letters<'a>(&'a mut self, device: DeviceId, transactions: &'a [TransactionId]) -> Pending<'a, u64> {
        let drop = |sum, transaction: &TransactionId| {
            Ok(sum + self.change(DROP_LETTER, params![device.as_bytes(), transaction.as_bytes()])? as u64)
        };
        done(transactions.iter().try_fold(0, drop))
    }

    fn drop_old_letters(&mut self, before: i64) -> Pending<'_, ()> {
        done(self.put(DROP_OLD_LETTERS, [before]))
    }
}

impl InteractionRows for SqliteRows<'_> {
    fn interaction<'a>(&'a mut self, id: &'a str, _: For) -> Pending<'a, Option<Interaction>> {
        done(self.one(INTERACTION, [id], read_interaction))
    }

    fn interaction_of(&mut self, key: ExchangeKey) -> Pending<'_, Option<Interaction>> {
        let asked = params![key.thumbprint.as_bytes(), key.transaction.as_bytes(), key.page];
        done(self.one(INTERACTION_OF, asked, read_interaction))
    }

    fn insert_interaction<'a>(&'a mut self, new: &'a NewInteraction) -> Pending<'a, ()> {
        let kids: Vec<u8> = new.kids.iter().flat_map(|kid| *kid.as_bytes()).collect();
        let exchange = &new.exchange;
        done(self.put(
            INSERT_INTERACTION,
            params![
                new.id,
                exchange.thumbprint.as_bytes(),
                exchange.transaction.as_bytes(),
                exchange.page,
                exchange.request_hash.as_bytes(),
                bytes(exchange.account.as_ref()),
                new.device.as_bytes(),
                new.application,
                kids,
                new.expires_at,
            ],
        ))
    }

    fn put_decision<'a>(&'a mut self, id: &'a str, decision: Decision) -> Pending<'a, ()> {
        let (number, user) = match &decision {
            Decision::Accepted(user) => (ACCEPTED, bytes(user.as_ref())),
            Decision::Declined => (DECLINED, None),
        };
        done(self.put(PUT_DECISION, params![number, user, id]))
    }

    fn failed_sign_ins(&mut self, thumbprint: SignerId, after: i64) -> Pending<'_, u64> {
        let sum = self.one(FAILED_SIGN_INS, params![thumbprint.as_bytes(), after], |row| row.count(0));
        done(sum.map(Option::unwrap_or_default))
    }

    fn count_failed_sign_in<'a>(&'a mut self, id: &'a str) -> Pending<'a, ()> {
        done(self.put(COUNT_FAILED_SIGN_IN, [id]))
    }

    fn drop_interactions(&mut self, before: i64) -> Pending<'_, u64> {
        done(self.change(DROP_INTERACTIONS, [before]).map(|rows| rows as u64))
    }
}

fn read_recipient(row: &Row<'_>) -> Result<RecipientRow, StoreError> {
    let (thumbprint, device) = (row.id(0)?, row.id(1)?);
    Ok(RecipientRow { thumbprint, device, certified_at: row.get(2)?, certificate: row.get(3)? })
}

fn read_interaction(row: &Row<'_>) -> Result<Interaction, StoreError> {
    let kids: Vec<u8> = row.get(6)?;
    let (kids, []) = kids.as_chunks::<16>() else { return Err(StoreError::Damaged("interaction")) };
    let decision = match row.get(8)? {
        None => None,
        Some(ACCEPTED) => Some(Decision::Accepted(row.maybe_id(9)?)),
        Some(DECLINED) => Some(Decision::Declined),
        Some(_) => return Err(StoreError::Damaged("interaction")),
    };
    Ok(Interaction {
        id: row.get(0)?,
        thumbprint: row.id(1)?,
        request_hash: row.id(2)?,
        account: row.maybe_id(3)?,
        device: row.id(4)?,
        application: row.get(5)?,
        kids: kids.iter().map(|kid| Kid::new(*kid)).collect(),
        expires_at: row.get(7)?,
        decision,
    })
}
