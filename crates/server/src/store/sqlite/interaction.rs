//! Requests that wait for their user, in SQLite.

use super::super::{Decision, Exchange, Interaction, Interactions, NewInteraction, Pending, StoreError};
use super::{SqliteStore, Verdict, account_of, id, optional_id};
use crate::accounts::Account;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wmlicense_wire::id::{Kid, SignerId, UserId};

const COLUMNS: &str =
    "id, thumbprint, request_hash, account, device_id, application, kids, expires_at, decision, decided_for";
const ACCEPTED: i64 = 1;
const DECLINED: i64 = 2;

impl Interactions for SqliteStore {
    fn open_interaction(&self, new: NewInteraction) -> Pending<'_, Option<Interaction>> {
        self.write(move |connection| {
            insert(connection, &new)?;
            let known = of_exchange(connection, &new.exchange)?.ok_or(StoreError::Damaged("interaction"))?;
            let same = known.request_hash == new.exchange.request_hash && known.account == new.exchange.account;
            Ok(Verdict::Keep(Some(known).filter(|_| same)))
        })
    }

    fn interaction(&self, id: String) -> Pending<'_, Option<Interaction>> {
        self.read(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM interaction WHERE id = $1");
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([&id])?;
            rows.next()?.map(read).transpose()
        })
    }

    fn decide(&self, id: String, decision: Decision, now: i64) -> Pending<'_, bool> {
        const DECIDE: &str = "UPDATE interaction SET decision = $1, decided_for = $2 \
                              WHERE id = $3 AND decision IS NULL AND expires_at > $4";
        self.write(move |connection| {
            let (number, user) = match &decision {
                Decision::Accepted(user) => (ACCEPTED, user.as_ref().map(|user| user.as_bytes().as_slice())),
                Decision::Declined => (DECLINED, None),
            };
            Ok(Verdict::Keep(connection.prepare_cached(DECIDE)?.execute(params![number, user, id, now])? == 1))
        })
    }

    fn failed_sign_ins(&self, thumbprint: SignerId, now: i64) -> Pending<'_, u64> {
        const SUM: &str =
            "SELECT coalesce(sum(failures), 0) FROM interaction WHERE thumbprint = $1 AND expires_at > $2";
        self.read(move |connection| {
            let sum: i64 =
                connection.prepare_cached(SUM)?.query_row(params![thumbprint.as_bytes(), now], |row| row.get(0))?;
            Ok(sum.unsigned_abs())
        })
    }

    fn count_failed_sign_in(&self, id: String) -> Pending<'_, ()> {
        const COUNT: &str = "UPDATE interaction SET failures = failures + 1 WHERE id = $1";
        self.write(move |connection| {
            connection.prepare_cached(COUNT)?.execute([&id])?;
            Ok(Verdict::Keep(()))
        })
    }

    fn holder(&self, user: UserId) -> Pending<'_, Option<(String, Account)>> {
        const FIND: &str = "SELECT name FROM account WHERE user_id = $1";
        self.read(move |connection| {
            let name = connection.prepare_cached(FIND)?.query_row([user.as_bytes()], |row| row.get(0)).optional()?;
            let Some(name) = name else { return Ok(None) };
            Ok(Some((name, account_of(connection, user)?)))
        })
    }

    fn drop_interactions(&self, before: i64) -> Pending<'_, u64> {
        const DROP: &str = "DELETE FROM interaction WHERE expires_at < $1";
        self.write(move |connection| Ok(Verdict::Keep(connection.execute(DROP, [before])? as u64)))
    }
}

fn insert(connection: &Connection, new: &NewInteraction) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO interaction (id, thumbprint, transaction_id, page, request_hash, account, \
        device_id, application, kids, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
        ON CONFLICT (thumbprint, transaction_id, page) DO NOTHING";
    let kids: Vec<u8> = new.kids.iter().flat_map(|kid| *kid.as_bytes()).collect();
    let exchange = &new.exchange;
    connection.prepare_cached(INSERT)?.execute(params![
        new.id,
        exchange.thumbprint.as_bytes(),
        exchange.transaction.as_bytes(),
        exchange.page,
        exchange.request_hash.as_bytes(),
        exchange.account.as_ref().map(|user| user.as_bytes().as_slice()),
        new.device.as_bytes(),
        new.application,
        kids,
        new.expires_at,
    ])?;
    Ok(())
}

fn of_exchange(connection: &Connection, exchange: &Exchange) -> Result<Option<Interaction>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM interaction WHERE thumbprint = $1 AND transaction_id = $2 AND page = $3");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows =
        statement.query(params![exchange.thumbprint.as_bytes(), exchange.transaction.as_bytes(), exchange.page])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<Interaction, StoreError> {
    let bytes = |column| row.get::<_, Vec<u8>>(column);
    let kids = bytes(6)?;
    let (kids, []) = kids.as_chunks::<16>() else { return Err(StoreError::Damaged("interaction")) };
    let decision = match row.get(8)? {
        None => None,
        Some(ACCEPTED) => Some(Decision::Accepted(optional_id(row.get(9)?, "interaction")?)),
        Some(DECLINED) => Some(Decision::Declined),
        Some(_) => return Err(StoreError::Damaged("interaction")),
    };
    Ok(Interaction {
        id: row.get(0)?,
        thumbprint: id(&bytes(1)?, "interaction")?,
        request_hash: id(&bytes(2)?, "interaction")?,
        account: optional_id(row.get(3)?, "interaction")?,
        device: id(&bytes(4)?, "interaction")?,
        application: row.get(5)?,
        kids: kids.iter().map(|kid| Kid::new(*kid)).collect(),
        expires_at: row.get(7)?,
        decision,
    })
}
