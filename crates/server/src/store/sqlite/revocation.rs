//! Revocation in SQLite: orders, blobs, acknowledgements, status lists.

use super::super::revocation::{Due, ListedKey, NewRevokedKey, Order, OrderRow, Revocations, RevokedRow, rule};
use super::super::{Content, Issued, Offered, Pending, StoreError};
use super::offer::next_mark;
use super::{SqliteStore, Verdict, id, optional_id};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::collections::HashSet;
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, Lid, SignerId, UserId};
use wmlicense_wire::key::VerifyingKey;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::{Acknowledgement, Entry, Revocation, Rule};

/// Columns that [`read_order`] reads.
const ORDER: &str = "lid, kid, user_id, issued_before, device_id";

fn read_order(row: &Row<'_>, first: usize) -> Result<Order, StoreError> {
    let blob = |column: usize| row.get::<_, Option<Vec<u8>>>(first + column);
    let lid: Option<Lid> = optional_id(blob(0)?, "revocation")?;
    let (kid, user) = (optional_id(blob(1)?, "revocation")?, optional_id(blob(2)?, "revocation")?);
    let entry = lid.map_or_else(|| Ok(rule(user, kid, row.get(first + 3)?)), |lid| Ok(Entry::License(lid)));
    let entry = entry.map_err(|error: rusqlite::Error| StoreError::from(error))?;
    Ok(Order { entry, device: optional_id(blob(4)?, "revocation")? })
}

/// All rules, the oldest first.
pub(super) fn rules(connection: &Connection) -> Result<Vec<Order>, StoreError> {
    let sql = format!("SELECT {ORDER} FROM revocation WHERE lid IS NULL ORDER BY number");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut rules = Vec::new();
    while let Some(row) = rows.next()? {
        rules.push(read_order(row, 0)?);
    }
    Ok(rules)
}

/// The rules that apply to a device.
pub(super) fn rules_for(connection: &Connection, device: DeviceId) -> Result<Vec<Rule>, StoreError> {
    let applies = |order: Order| match order.entry {
        Entry::Rule(rule) => order.device.is_none_or(|only| only == device).then_some(rule),
        Entry::License(_) => None,
    };
    Ok(rules(connection)?.into_iter().filter_map(applies).collect())
}

/// Content with the license that a device has for it, and what was taken back of both.
pub(super) fn offered(
    connection: &Connection,
    device: DeviceId,
    content: Content,
    current: Option<Issued>,
    rules: &Arc<[Rule]>,
) -> Result<Offered, StoreError> {
    let taken_back = match &current {
        Some(current) => is_taken_back(connection, current.lid, device)?,
        None => false,
    };
    Ok(Offered { content, current, taken_back, rules: Arc::clone(rules) })
}

/// True if one license was taken back by its ID, from everybody or from this device.
pub(super) fn is_taken_back(connection: &Connection, lid: Lid, device: DeviceId) -> Result<bool, StoreError> {
    const FIND: &str = "SELECT 1 FROM revocation WHERE lid = $1 AND (device_id IS NULL OR device_id = $2)";
    Ok(connection.prepare_cached(FIND)?.exists([lid.as_bytes().as_slice(), device.as_bytes()])?)
}

fn due(connection: &Connection, device: DeviceId) -> Result<Option<Due>, StoreError> {
    let sql = format!(
        "SELECT number, {ORDER} FROM revocation WHERE (lid IS NULL AND (device_id IS NULL OR device_id = $1)) \
         OR number IN (SELECT number FROM revocation_holder WHERE device_id = $1) ORDER BY number"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([device.as_bytes()])?;
    let mut found = Due { number: 0, target: None, entries: Vec::new(), signed: None };
    while let Some(row) = rows.next()? {
        let order = read_order(row, 1)?;
        found.number = row.get::<_, i64>(0)?.unsigned_abs();
        if order.device.is_some() || matches!(order.entry, Entry::License(_)) {
            found.target = Some(device);
        }
        if !found.entries.contains(&order.entry) {
            found.entries.push(order.entry);
        }
    }
    if found.entries.is_empty() {
        return Ok(None);
    }
    found.signed = find_blob(connection, found.target, found.number)?;
    Ok(Some(found))
}

/// The key of a blob's row; empty where it is for everybody.
fn blob_key(target: Option<&DeviceId>) -> &[u8] {
    target.map_or(&[], |device| device.as_bytes().as_slice())
}

fn find_blob(connection: &Connection, target: Option<DeviceId>, number: u64) -> Result<Option<Vec<u8>>, StoreError> {
    const FIND: &str = "SELECT blob FROM revocation_blob WHERE device_id = $1 AND number = $2";
    let mut statement = connection.prepare_cached(FIND)?;
    Ok(statement.query_row(params![blob_key(target.as_ref()), number as i64], |row| row.get(0)).optional()?)
}

/// Writes an order and who holds what it is about.
fn write_order(
    connection: &Connection,
    order: &Order,
    reason: Option<&str>,
    now: i64,
) -> Result<(u64, u64), StoreError> {
    let newest: Option<i64> = connection.query_row("SELECT max(number) FROM revocation", [], |row| row.get(0))?;
    let number = newest.map_or(now, |newest| now.max(newest + 1));
    let (lid, Rule { kid, user, issued_before }) = match order.entry {
        Entry::License(lid) => (Some(lid), Rule::default()),
        Entry::Rule(rule) => (None, rule),
    };
    const INSERT: &str = "INSERT INTO revocation (number, lid, kid, user_id, issued_before, device_id, reason) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7)";
    connection.execute(
        INSERT,
        params![
            number,
            lid.as_ref().map(|lid| lid.as_bytes()),
            kid.as_ref().map(|kid| kid.as_bytes()),
            user.as_ref().map(|user| user.as_bytes()),
            issued_before,
            order.device.as_ref().map(|device| device.as_bytes()),
            reason
        ],
    )?;
    let devices = match lid {
        None => withdraw_by_rule(connection, order, now)?,
        Some(lid) => {
            let devices = holders(connection, lid, order.device)?;
            let mut insert =
                connection.prepare_cached("INSERT INTO revocation_holder (device_id, number) VALUES ($1, $2)")?;
            for device in &devices {
                insert.execute(params![device.as_bytes(), number])?;
            }
            withdraw_one(connection, lid, order.device, now)?;
            devices.len() as u64
        }
    };
    Ok((number.unsigned_abs(), devices))
}

/// Has devices told of a license at their next pre-delivery.
fn withdraw_one(connection: &Connection, lid: Lid, only: Option<DeviceId>, now: i64) -> Result<(), StoreError> {
    const WITHDRAW: &str =
        "UPDATE license SET withdrawn = $1 WHERE lid = $2 AND ($3 IS NULL OR device_id = $3) AND withdrawn IS NULL";
    const SEATS: &str = "UPDATE seat SET withdrawn = $1 WHERE lid = $2 AND ($3 IS NULL OR device_id = $3) \
                         AND restored = 1 AND withdrawn IS NULL";
    let mark = next_mark(connection, now)?;
    let only = only.as_ref().map(|device| device.as_bytes());
    connection.execute(WITHDRAW, params![mark, lid.as_bytes(), only])?;
    connection.execute(SEATS, params![mark, lid.as_bytes(), only])?;
    Ok(())
}

fn holders(connection: &Connection, lid: Lid, only: Option<DeviceId>) -> Result<Vec<DeviceId>, StoreError> {
    if let Some(device) = only {
        return Ok(vec![device]);
    }
    const FIND: &str = "SELECT device_id FROM seat WHERE lid = $1 ORDER BY device_id";
    let mut statement = connection.prepare_cached(FIND)?;
    let rows = statement.query_map([lid.as_bytes()], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|bytes| id(&bytes?, "seat")).collect()
}

/// Has devices told of the licenses of a rule at their next pre-delivery, and counts the devices: those that licenses were
/// issued to, and those that have them from a backup.
fn withdraw_by_rule(connection: &Connection, order: &Order, now: i64) -> Result<u64, StoreError> {
    const LICENSES: &str = "SELECT device_id, policy, kid, user_id FROM license";
    const SEATS: &str = "SELECT seat.device_id, license.policy, seat.lid FROM seat JOIN license \
        ON license.device_id IN (SELECT device_id FROM seat AS every WHERE every.lid = seat.lid) \
        AND license.kid = seat.kid AND license.lid = seat.lid WHERE seat.restored = 1";
    let licenses = matching(connection, LICENSES, order, |row| Ok((row.get::<_, Vec<u8>>(2)?, row.get(3)?)))?;
    let seats = matching(connection, SEATS, order, |row| Ok((row.get::<_, Vec<u8>>(2)?, ())))?;
    let mark = next_mark(connection, now)?;
    let mut withdraw = connection.prepare_cached(
        "UPDATE license SET withdrawn = $1 WHERE device_id = $2 AND kid = $3 AND user_id = $4 AND withdrawn IS NULL",
    )?;
    let mut devices = HashSet::new();
    for (device, (kid, user)) in licenses {
        let user: Vec<u8> = user;
        withdraw.execute(params![mark, device.as_bytes(), kid, user])?;
        devices.insert(device);
    }
    let mut withdraw = connection.prepare_cached(
        "UPDATE seat SET withdrawn = $1 WHERE lid = $2 AND device_id = $3 AND restored = 1 AND withdrawn IS NULL",
    )?;
    for (device, (lid, ())) in seats {
        withdraw.execute(params![mark, lid, device.as_bytes()])?;
        devices.insert(device);
    }
    Ok(devices.len() as u64)
}

/// What `read` takes from the rows whose license, a policy in column 1, is taken back from the device in column 0.
fn matching<T>(
    connection: &Connection,
    sql: &str,
    order: &Order,
    read: impl Fn(&Row<'_>) -> Result<T, rusqlite::Error>,
) -> Result<Vec<(DeviceId, T)>, StoreError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let device: DeviceId = id(&row.get::<_, Vec<u8>>(0)?, "license")?;
        if order.matches(&read_policy(&row.get::<_, Vec<u8>>(1)?)?, device) {
            found.push((device, read(row)?));
        }
    }
    Ok(found)
}

fn read_policy(bytes: &[u8]) -> Result<Policy, StoreError> {
    Policy::decode(bytes).map_err(|_| StoreError::Damaged("policy"))
}

fn write_acknowledgement(
    connection: &Connection,
    acknowledgement: &Acknowledgement,
    document: &[u8],
    now: i64,
) -> Result<bool, StoreError> {
    let device = acknowledgement.device_id;
    let given = [Some(device), None].into_iter().find_map(|target| {
        let blob = find_blob(connection, target, acknowledgement.number).ok()??;
        let content = Revocation::read_vouched(&blob).ok()?;
        (wmlicense_wire::id::Digest::of(&blob) == acknowledgement.blob && content.content.target == target)
            .then_some(())
    });
    if given.is_none() {
        return Ok(false);
    }
    const KEEP: &str = "INSERT INTO acknowledgement (device_id, number, removed, taken_at, received_at, document) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (device_id) DO UPDATE SET number = $2, removed = $3, \
        taken_at = $4, received_at = $5, document = $6 WHERE number <= $2";
    let (number, removed) = (acknowledgement.number as i64, i64::try_from(acknowledgement.removed).unwrap_or(i64::MAX));
    connection.execute(KEEP, params![device.as_bytes(), number, removed, acknowledgement.taken_at, now, document])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO acknowledged_license (lid, device_id, received_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )?;
    for lid in &acknowledgement.lids {
        insert.execute(params![lid.as_bytes(), device.as_bytes(), now])?;
    }
    Ok(true)
}

fn revoked_rows(connection: &Connection) -> Result<Vec<RevokedRow>, StoreError> {
    const LIST: &str = "SELECT 0, thumbprint, hex(device_id), counts_from, revoked_at, reason FROM device \
        WHERE revoked_at IS NOT NULL \
        UNION ALL SELECT kind, key, name, counts_from, revoked_at, reason FROM revoked_key ORDER BY 5 DESC, 2";
    let mut statement = connection.prepare_cached(LIST)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let kind = match row.get::<_, i64>(0)? {
            0 => "device",
            kind if kind == ListedKey::Service as i64 => "service",
            kind if kind == ListedKey::Application as i64 => "application",
            _ => return Err(StoreError::Damaged("revoked key")),
        };
        found.push(RevokedRow {
            kind,
            key: id(&row.get::<_, Vec<u8>>(1)?, "revoked key")?,
            name: row.get::<_, String>(2)?,
            from: row.get(3)?,
            revoked_at: row.get(4)?,
            reason: row.get(5)?,
        });
    }
    Ok(found)
}

fn order_rows(connection: &Connection) -> Result<Vec<OrderRow>, StoreError> {
    let sql = format!(
        "SELECT number, reason, (SELECT name FROM account WHERE account.user_id = revocation.user_id), \
         (SELECT count(*) FROM revocation_holder AS holder WHERE holder.number = revocation.number), \
         (SELECT count(*) FROM acknowledgement WHERE acknowledgement.number >= revocation.number \
          AND (revocation.lid IS NULL OR EXISTS (SELECT 1 FROM revocation_holder AS holder \
               WHERE holder.number = revocation.number AND holder.device_id = acknowledgement.device_id))), \
         {ORDER} FROM revocation ORDER BY number DESC"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(OrderRow {
            number: row.get::<_, i64>(0)?.unsigned_abs(),
            reason: row.get(1)?,
            account: row.get(2)?,
            devices: row.get::<_, i64>(3)?.unsigned_abs(),
            acknowledged: row.get::<_, i64>(4)?.unsigned_abs(),
            order: read_order(row, 5)?,
        });
    }
    Ok(found)
}

impl Revocations for SqliteStore {
    fn take_back(&self, order: Order, reason: Option<String>, now: i64) -> Pending<'_, (u64, u64)> {
        self.write(move |connection| Ok(Verdict::Keep(write_order(connection, &order, reason.as_deref(), now)?)))
    }

    fn orders(&self) -> Pending<'_, Vec<OrderRow>> {
        self.read(order_rows)
    }

    fn user_of(&self, account: String) -> Pending<'_, Option<UserId>> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT user_id FROM account WHERE name = $1")?;
            let user: Option<Vec<u8>> = statement.query_row([account], |row| row.get(0)).optional()?;
            optional_id(user, "account")
        })
    }

    fn due(&self, device: DeviceId) -> Pending<'_, Option<Due>> {
        self.read(move |connection| due(connection, device))
    }

    fn keep_blob(&self, target: Option<DeviceId>, number: u64, blob: Vec<u8>) -> Pending<'_, Vec<u8>> {
        const KEEP: &str = "INSERT INTO revocation_blob (device_id, number, blob) VALUES ($1, $2, $3) \
            ON CONFLICT (device_id) DO UPDATE SET number = $2, blob = $3 WHERE number < $2";
        self.write(move |connection| {
            connection.prepare_cached(KEEP)?.execute(params![blob_key(target.as_ref()), number as i64, &blob])?;
            Ok(Verdict::Keep(find_blob(connection, target, number)?.unwrap_or(blob)))
        })
    }

    fn note_asker(&self, device: DeviceId, thumbprint: SignerId, key: VerifyingKey, now: i64) -> Pending<'_, ()> {
        const KEEP: &str = "INSERT INTO revocation_asker (thumbprint, device_id, signing_key, asked_at) \
            VALUES ($1, $2, $3, $4) ON CONFLICT (thumbprint) DO UPDATE SET asked_at = $4";
        self.write(move |connection| {
            let (thumbprint, device) = (thumbprint.as_bytes(), device.as_bytes());
            connection.prepare_cached(KEEP)?.execute(params![thumbprint, device, key.as_bytes(), now])?;
            Ok(Verdict::Keep(()))
        })
    }

    fn asker(&self, thumbprint: SignerId) -> Pending<'_, Option<(DeviceId, VerifyingKey)>> {
        const FIND: &str = "SELECT device_id, signing_key FROM revocation_asker WHERE thumbprint = $1";
        self.read(move |connection| {
            let found: Option<(Vec<u8>, Vec<u8>)> = connection
                .prepare_cached(FIND)?
                .query_row([thumbprint.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((device, key)) = found else { return Ok(None) };
            let key = VerifyingKey::from_slice(&key).map_err(|_| StoreError::Damaged("device key"))?;
            Ok(Some((id(&device, "device")?, key)))
        })
    }

    fn acknowledge(&self, acknowledgement: Acknowledgement, document: Vec<u8>, now: i64) -> Pending<'_, bool> {
        self.write(move |connection| {
            let written = write_acknowledgement(connection, &acknowledgement, &document, now)?;
            Ok(if written { Verdict::Keep(true) } else { Verdict::Undo(false) })
        })
    }

    fn revoke_key(&self, key: NewRevokedKey, now: i64) -> Pending<'_, ()> {
        const KEEP: &str = "INSERT INTO revoked_key (kind, key, name, counts_from, revoked_at, reason) \
            VALUES ($1, $2, $3, $4, $5, $6) \
            ON CONFLICT (kind, key) DO UPDATE SET counts_from = min(counts_from, $4), reason = coalesce($6, reason)";
        self.write(move |connection| {
            let NewRevokedKey { kind, key, name, from, reason } = &key;
            connection.execute(KEEP, params![*kind as i64, key.as_bytes(), name, from, now, reason])?;
            Ok(Verdict::Keep(()))
        })
    }

    fn revoked(&self) -> Pending<'_, Vec<RevokedRow>> {
        self.read(revoked_rows)
    }

    fn status_list(&self) -> Pending<'_, Option<(u64, Vec<u8>)>> {
        const FIND: &str = "SELECT number, list FROM status_list ORDER BY number DESC LIMIT 1";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(FIND)?;
            let found = statement.query_row([], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)));
            Ok(found.optional()?)
        })
    }

    fn add_status_list(&self, number: u64, list: Vec<u8>) -> Pending<'_, bool> {
        const ADD: &str = "INSERT INTO status_list (number, list) SELECT $1, $2 \
            WHERE NOT EXISTS (SELECT 1 FROM status_list WHERE number >= $1)";
        self.write(move |connection| Ok(Verdict::Keep(connection.execute(ADD, params![number as i64, list])? == 1)))
    }
}
