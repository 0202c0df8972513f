//! The owner's commands in SQLite.

use super::super::revocation::Order;
use super::super::{
    Added, Admin, ContentRow, DeviceRow, LicenseRow, NewContent, NewSubscription, Pending, RestoreRow, Stats,
    StoreError, SubscriptionRow,
};
use super::offer::next_mark;
use super::revocation::{is_taken_back, rules};
use super::{SqliteStore, Verdict, id};
use crate::accounts::Account;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use wmlicense_wire::id::{DeviceId, Digest, Kid};
use wmlicense_wire::policy::Policy;

impl Admin for SqliteStore {
    fn add_content(&self, contents: Vec<NewContent>, same: Vec<Kid>, now: i64) -> Pending<'_, Added> {
        self.write(move |connection| {
            for content in &contents {
                if let Some(name) = &content.policy
                    && find_policy(connection, name)?.is_none()
                {
                    return Ok(Verdict::Undo(Added::NoPolicy(name.clone())));
                }
            }
            let known = known_keys(connection, &contents, &same)?;
            if !known.is_empty() {
                return Ok(Verdict::Undo(Added::Existing(known)));
            }
            let before = count(connection, "content")?;
            let mark = next_mark(connection, now)?;
            for content in &contents {
                write_content(connection, content, mark, now)?;
            }
            Ok(Verdict::Keep(Added::Done { new: count(connection, "content")? - before }))
        })
    }

    fn contents(&self) -> Pending<'_, Vec<ContentRow>> {
        self.list("SELECT kid, title, policy, scope FROM content ORDER BY kid", |row| {
            Ok(ContentRow { kid: id_at(row, 0)?, title: row.get(1)?, policy: row.get(2)?, scope: row.get(3)? })
        })
    }

    fn set_policy(
        &self,
        name: String,
        definition: String,
        subscription: Option<String>,
        now: i64,
    ) -> Pending<'_, bool> {
        const UPSERT: &str = "INSERT INTO policy (name, definition, subscription, changed, changed_at) \
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) \
            DO UPDATE SET definition = $2, subscription = $3, changed = $4, changed_at = $5";
        self.write(move |connection| {
            let (new, mark) = (find_policy(connection, &name)?.is_none(), next_mark(connection, now)?);
            connection.execute(UPSERT, params![name, definition, subscription, mark, now])?;
            Ok(Verdict::Keep(new))
        })
    }

    fn remove_content(&self, kids: Vec<Kid>, now: i64) -> Pending<'_, u64> {
        self.write(move |connection| {
            next_mark(connection, now)?;
            let mut remove = connection.prepare_cached("DELETE FROM content WHERE kid = $1")?;
            let mut removed = 0;
            for kid in &kids {
                removed += remove.execute([kid.as_bytes()])? as u64;
            }
            Ok(Verdict::Keep(removed))
        })
    }

    fn set_subscription(&self, subscription: NewSubscription, now: i64) -> Pending<'_, (Kid, bool)> {
        const UPSERT: &str = "INSERT INTO subscription (kid, name, sealed_key, policy, scope, added_at, changed) \
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO UPDATE SET policy = $4, scope = $5, changed = $7";
        self.write(move |connection| {
            let NewSubscription { name, kid, sealed_key, policy, scope } = &subscription;
            let mark = next_mark(connection, now)?;
            connection.execute(UPSERT, params![kid.as_bytes(), name, sealed_key, policy, scope, now, mark])?;
            let mut find = connection.prepare_cached("SELECT kid FROM subscription WHERE name = $1")?;
            let stored: Vec<u8> = find.query_row([name], |row| row.get(0))?;
            Ok(Verdict::Keep((id(&stored, "subscription")?, stored == kid.as_bytes())))
        })
    }

    fn subscriptions(&self) -> Pending<'_, Vec<SubscriptionRow>> {
        const LIST: &str = "SELECT name, kid, policy, scope, (SELECT count(*) FROM content \
            JOIN policy AS terms ON terms.name = content.policy WHERE terms.subscription = subscription.name) \
            FROM subscription ORDER BY name";
        self.list(LIST, |row| {
            Ok(SubscriptionRow {
                name: row.get(0)?,
                kid: id_at(row, 1)?,
                policy: row.get(2)?,
                scope: row.get(3)?,
                leaves: row.get::<_, i64>(4)? as u64,
            })
        })
    }

    fn policy(&self, name: String) -> Pending<'_, Option<String>> {
        self.read(move |connection| find_policy(connection, &name))
    }

    fn policies(&self) -> Pending<'_, Vec<(String, i64)>> {
        self.list("SELECT name, changed_at FROM policy ORDER BY name", |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn add_account(&self, name: String, account: Account, token_hash: Digest, now: i64) -> Pending<'_, bool> {
        const ADD: &str = "INSERT INTO account (user_id, name, token_hash, created_at) VALUES ($1, $2, $3, $4) \
                           ON CONFLICT (name) DO NOTHING";
        self.write(move |connection| {
            let user = account.user.as_bytes().as_slice();
            let added = connection.execute(ADD, params![user, name, token_hash.as_bytes(), now])?;
            if added == 0 {
                return Ok(Verdict::Undo(false));
            }
            add_scopes(connection, user, &account.scopes, now)?;
            Ok(Verdict::Keep(true))
        })
    }

    fn set_token(&self, name: String, token_hash: Digest) -> Pending<'_, bool> {
        const SET: &str = "UPDATE account SET token_hash = $1 WHERE name = $2";
        self.write(move |connection| {
            let changed = connection.execute(SET, params![token_hash.as_bytes(), name])?;
            Ok(Verdict::Keep(changed > 0))
        })
    }

    fn change_account(&self, name: String, add: Vec<String>, remove: Vec<String>, now: i64) -> Pending<'_, bool> {
        self.write(move |connection| {
            let mut find = connection.prepare_cached("SELECT user_id FROM account WHERE name = $1")?;
            let user: Option<Vec<u8>> = find.query_row([&name], |row| row.get(0)).optional()?;
            let Some(user) = user else { return Ok(Verdict::Undo(false)) };
            let mut take = connection.prepare_cached("DELETE FROM account_scope WHERE user_id = $1 AND scope = $2")?;
            for scope in &remove {
                take.execute(params![user, scope])?;
            }
            add_scopes(connection, &user, &add, now)?;
            Ok(Verdict::Keep(true))
        })
    }

    fn licenses(&self) -> Pending<'_, Vec<LicenseRow>> {
        const LIST: &str = "SELECT license.lid, license.kid, content.title, license.device_id, account.name, \
            license.issued_at, license.returned_at, \
            (SELECT count(*) FROM seat WHERE seat.lid = license.lid AND NOT seat.freed), (SELECT received_at \
            FROM acknowledged_license AS word WHERE word.lid = license.lid AND word.device_id = license.device_id), \
            license.policy FROM license \
            LEFT JOIN content ON content.kid = license.kid LEFT JOIN account ON account.user_id = license.user_id \
            ORDER BY license.issued_at DESC, license.lid";
        self.list_with(LIST, rules, |connection, rules, row| {
            let (lid, device) = (id_at(row, 0)?, id_at(row, 3)?);
            let taken_back =
                is_taken_back(connection, lid, device)? || is_of_rule(rules, &row.get::<_, Vec<u8>>(9)?, device)?;
            Ok(LicenseRow {
                taken_back,
                acknowledged_at: row.get(8)?,
                lid,
                kid: id_at(row, 1)?,
                title: row.get(2)?,
                device,
                account: row.get(4)?,
                issued_at: row.get(5)?,
                returned_at: row.get(6)?,
                devices: row.get::<_, i64>(7)? as u64,
            })
        })
    }

    fn restores(&self) -> Pending<'_, Vec<RestoreRow>> {
        const LIST: &str = "SELECT seat.lid, seat.kid, content.title, seat.device_id, seat.since, \
            (SELECT count(*) FROM seat AS every WHERE every.lid = seat.lid AND NOT every.freed) \
            FROM seat LEFT JOIN content ON content.kid = seat.kid \
            WHERE seat.restored = 1 ORDER BY seat.since DESC, seat.lid, seat.device_id";
        self.list(LIST, |row| {
            Ok(RestoreRow {
                lid: id_at(row, 0)?,
                kid: id_at(row, 1)?,
                title: row.get(2)?,
                device: id_at(row, 3)?,
                since: row.get(4)?,
                devices: row.get::<_, i64>(5)? as u64,
            })
        })
    }

    fn devices(&self) -> Pending<'_, Vec<DeviceRow>> {
        const LIST: &str = "SELECT device_id, created_at, certified_at, security_version, revoked_at, reason, \
            (SELECT count(*) FROM fork WHERE fork.device_id = device.device_id), \
            (SELECT max(noticed_at) FROM fork WHERE fork.device_id = device.device_id), name \
            FROM device WHERE successor IS NULL ORDER BY created_at DESC, device_id";
        self.list(LIST, |row| {
            Ok(DeviceRow {
                device: id_at(row, 0)?,
                since: row.get(1)?,
                certified_at: row.get(2)?,
                security_version: row.get(3)?,
                revoked_at: row.get(4)?,
                reason: row.get(5)?,
                forks: row.get::<_, i64>(6)?.unsigned_abs(),
                forked_at: row.get(7)?,
                name: row.get(8)?,
            })
        })
    }

    fn revoke_device(&self, device: DeviceId, counts_from: i64, reason: Option<String>, now: i64) -> Pending<'_, bool> {
        const REVOKE: &str = "UPDATE device SET revoked_at = coalesce(revoked_at, $1), counts_from = $2, \
                              reason = coalesce($3, reason) WHERE device_id = $4";
        self.write(move |connection| {
            let changed = connection.execute(REVOKE, params![now, counts_from, reason, device.as_bytes()])?;
            Ok(Verdict::Keep(changed > 0))
        })
    }

    fn stats(&self) -> Pending<'_, Stats> {
        const TABLES: [(&str, &str); 8] = [
            ("content", "content"),
            ("policies", "policy"),
            ("accounts", "account"),
            ("devices", "device WHERE successor IS NULL"),
            ("licenses", "license"),
            ("revocations", "revocation"),
            ("acknowledgements", "acknowledgement"),
            ("answers", "exchange"),
        ];
        self.read(|connection| {
            let of_table = |(name, table): (&'static str, &str)| Ok((name, count(connection, table)?));
            let mut rows = TABLES.into_iter().map(of_table).collect::<Result<Vec<_>, StoreError>>()?;
            let restores: i64 =
                connection.query_row("SELECT count(*) FROM seat WHERE restored = 1", [], |row| row.get(0))?;
            rows.push(("restores", restores as u64));
            Ok(Stats { rows })
        })
    }
}

impl SqliteStore {
    fn list<T: Send + 'static>(
        &self,
        sql: &'static str,
        read: impl Fn(&Row<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<'_, Vec<T>> {
        self.list_with(sql, |_| Ok(()), move |_, (), row| read(row))
    }

    /// As [`Self::list`], with something read first that every row needs.
    fn list_with<T: Send + 'static, C>(
        &self,
        sql: &'static str,
        common: impl FnOnce(&Connection) -> Result<C, StoreError> + Send + 'static,
        read: impl Fn(&Connection, &C, &Row<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<'_, Vec<T>> {
        self.read(move |connection| {
            let common = common(connection)?;
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut list = Vec::new();
            while let Some(row) = rows.next()? {
                list.push(read(connection, &common, row)?);
            }
            Ok(list)
        })
    }
}

fn is_of_rule(rules: &[Order], policy: &[u8], device: DeviceId) -> Result<bool, StoreError> {
    if rules.is_empty() {
        return Ok(false);
    }
    let policy = Policy::decode(policy).map_err(|_| StoreError::Damaged("policy"))?;
    Ok(rules.iter().any(|order| order.matches(&policy, device)))
}

fn id_at<const N: usize, K>(row: &Row<'_>, column: usize) -> Result<wmlicense_wire::id::Id<N, K>, StoreError> {
    id(&row.get::<_, Vec<u8>>(column)?, "identifier")
}

fn count(connection: &Connection, table: &str) -> Result<u64, StoreError> {
    let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
    Ok(rows as u64)
}

/// Gives an account scopes that it has not. A change without new scopes counts as one, too.
fn add_scopes(connection: &Connection, user: &[u8], scopes: &[String], now: i64) -> Result<(), StoreError> {
    const GRANT: &str =
        "INSERT INTO account_scope (user_id, scope, changed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let mark = next_mark(connection, now)?;
    let mut grant = connection.prepare_cached(GRANT)?;
    for scope in scopes {
        grant.execute(params![user, scope, mark])?;
    }
    Ok(())
}

fn find_policy(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT definition FROM policy WHERE name = $1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Sealed keys of the key IDs that are there and not among those that were compared.
fn known_keys(
    connection: &Connection,
    contents: &[NewContent],
    same: &[Kid],
) -> Result<Vec<(Kid, Vec<u8>)>, StoreError> {
    let compared: std::collections::HashSet<&Kid> = same.iter().collect();
    let mut find = connection.prepare_cached("SELECT sealed_key FROM content WHERE kid = $1")?;
    let mut known = Vec::new();
    for content in contents.iter().filter(|content| !compared.contains(&content.kid)) {
        if let Some(sealed) = find.query_row([content.kid.as_bytes()], |row| row.get(0)).optional()? {
            known.push((content.kid, sealed));
        }
    }
    Ok(known)
}

fn write_content(connection: &Connection, content: &NewContent, mark: i64, now: i64) -> Result<(), StoreError> {
    const UPSERT: &str = "INSERT INTO content (kid, sealed_key, title, policy, scope, added_at, changed) \
        VALUES ($1, $2, $3, $4, $5, $6, $7) \
        ON CONFLICT (kid) DO UPDATE SET title = coalesce($3, title), policy = $4, scope = $5, changed = $7";
    connection.prepare_cached(UPSERT)?.execute(params![
        content.kid.as_bytes(),
        content.sealed_key,
        content.title,
        content.policy,
        content.scope,
        now,
        mark
    ])?;
    Ok(())
}
