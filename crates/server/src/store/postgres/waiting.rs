//! What waits for devices in their mailboxes and for users on the page, in PostgreSQL.

use super::super::rows::{For, InteractionRows, MailboxRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, PostgresRows, asked, ids, nothing};
use crate::rules::interactions::{Decision, Interaction, NewInteraction};
use crate::rules::mailbox::RecipientRow;
use crate::rules::rows::ExchangeKey;
use deadpool_postgres::tokio_postgres::Row;
use wmlicense_wire::id::{DeviceId, Kid, SignerId, TransactionId, UserId};

statements!("revocation.sql":
    DEVICES_OF, RECIPIENTS_OF, RECIPIENT, PUT_RECIPIENT, LETTERS, INSERT_LETTER, DROP_LETTERS, DROP_OLD_LETTERS,
    INTERACTION, LOCK_INTERACTION, INTERACTION_OF, INSERT_INTERACTION, PUT_DECISION, FAILED_SIGN_INS, COUNT_FAILED_SIGN_IN,
    DROP_INTERACTIONS,
);

/// The column `decision` of an interaction.
const ACCEPTED: i64 = 1;
const DECLINED: i64 = 2;

impl MailboxRows for PostgresRows<'_> {
    fn devices_of(&mut self, user: UserId) -> Pending<'_, Vec<DeviceId>> {
        Box::pin(async move { self.all(DEVICES_OF, asked![&user], |row| row.id(0)).await })
    }

    fn recipients_of<'a>(&'a mut self, devices: &'a [DeviceId]) -> Pending<'a, Vec<RecipientRow>> {
        if devices.is_empty() {
            return nothing();
        }
        Box::pin(async move { self.all(RECIPIENTS_OF, asked![ids(devices)], read_recipient).await })
    }

    fn recipient(&mut self, thumbprint: SignerId, how: For) -> Pending<'_, Option<RecipientRow>> {
        Box::pin(async move {
            let keys = [thumbprint.as_bytes().as_slice()];
            let rows = self.read(how, keys, [RECIPIENT, RECIPIENT], asked![&thumbprint], read_recipient).await?;
            Ok(rows.into_iter().next())
        })
    }

    fn put_recipient<'a>(&'a mut self, row: &'a RecipientRow) -> Pending<'a, ()> {
        Box::pin(async move {
            let RecipientRow { thumbprint, device, certified_at, certificate } = row;
            self.put(PUT_RECIPIENT, asked![thumbprint, device, *certified_at, certificate]).await
        })
    }

    fn letters(&mut self, device: DeviceId, after: i64, limit: usize) -> Pending<'_, Vec<Vec<u8>>> {
        Box::pin(async move { self.all(LETTERS, asked![&device, after, limit], |row| row.value(0)).await })
    }

    fn insert_letter<'a>(
        &'a mut self,
        device: DeviceId,
        transaction: TransactionId,
        now: i64,
        answer: &'a [u8],
    ) -> Pending<'a, ()> {
        Box::pin(async move { self.put(INSERT_LETTER, asked![&device, &transaction, now, answer]).await })
    }

    fn drop_letters<'a>(&'a mut self, device: DeviceId, transactions: &'a [TransactionId]) -> Pending<'a, u64> {
        Box::pin(async move { self.change(DROP_LETTERS, asked![&device, ids(transactions)]).await })
    }

    fn drop_old_letters(&mut self, before: i64) -> Pending<'_, ()> {
        Box::pin(async move { self.put(DROP_OLD_LETTERS, asked![before]).await })
    }
}

impl InteractionRows for PostgresRows<'_> {
    fn interaction<'a>(&'a mut self, id: &'a str, how: For) -> Pending<'a, Option<Interaction>> {
        let sql = if how == For::Changing { LOCK_INTERACTION } else { INTERACTION };
        Box::pin(async move { self.one(sql, asked![id], read_interaction).await })
    }

    fn interaction_of(&mut self, key: ExchangeKey) -> Pending<'_, Option<Interaction>> {
        Box::pin(async move {
            let asked = asked![&key.thumbprint, &key.transaction, i64::from(key.page)];
            self.one(INTERACTION_OF, asked, read_interaction).await
        })
    }

    fn insert_interaction<'a>(&'a mut self, new: &'a NewInteraction) -> Pending<'a, ()> {
        Box::pin(async move {
            let kids: Vec<u8> = new.kids.iter().flat_map(|kid| *kid.as_bytes()).collect();
            let exchange = &new.exchange;
            let asked = asked![
                &new.id,
                &exchange.thumbprint,
                &exchange.transaction,
                i64::from(exchange.page),
                &exchange.request_hash,
                exchange.account.as_ref(),
                &new.device,
                &new.application,
                &kids,
                new.expires_at,
            ];
            self.put(INSERT_INTERACTION, asked).await
        })
    }

    fn put_decision<'a>(&'a mut self, id: &'a str, decision: Decision) -> Pending<'a, ()> {
        Box::pin(async move {
            let (number, user) = match &decision {
                Decision::Accepted(user) => (ACCEPTED, user.as_ref()),
                Decision::Declined => (DECLINED, None),
            };
            self.put(PUT_DECISION, asked![number, user, id]).await
        })
    }

    fn failed_sign_ins(&mut self, thumbprint: SignerId, after: i64) -> Pending<'_, u64> {
        Box::pin(async move {
            let sum = self.one(FAILED_SIGN_INS, asked![&thumbprint, after], |row| row.count(0)).await?;
            Ok(sum.unwrap_or_default())
        })
    }

    fn count_failed_sign_in<'a>(&'a mut self, id: &'a str) -> Pending<'a, ()> {
        Box::pin(async move { self.put(COUNT_FAILED_SIGN_IN, asked![id]).await })
    }

    fn drop_interactions(&mut self, before: i64) -> Pending<'_, u64> {
        Box::pin(async move { self.change(DROP_INTERACTIONS, asked![before]).await })
    }
}

fn read_recipient(row: &Row) -> Result<RecipientRow, StoreError> {
    let (thumbprint, device) = (row.id(0)?, row.id(1)?);
    Ok(RecipientRow { thumbprint, device, certified_at: row.value(2)?, certificate: row.value(3)? })
}

fn read_interaction(row: &Row) -> Result<Interaction, StoreError> {
    let kids: Vec<u8> = row.value(6)?;
    let (kids, []) = kids.as_chunks::<16>() else { return Err(StoreError::Damaged("interaction")) };
    let decision = match row.value(8)? {
        None => None,
        Some(ACCEPTED) => Some(Decision::Accepted(row.maybe_id(9)?)),
        Some(DECLINED) => Some(Decision::Declined),
        Some(_) => return Err(StoreError::Damaged("interaction")),
    };
    Ok(Interaction {
        id: row.value(0)?,
        thumbprint: row.id(1)?,
        request_hash: row.id(2)?,
        account: row.maybe_id(3)?,
        device: row.id(4)?,
        application: row.value(5)?,
        kids: kids.iter().map(|kid| Kid::new(*kid)).collect(),
        expires_at: row.value(7)?,
        decision,
    })
}
