//! Pages of a pre-delivery in SQLite: what a device has to drop, then scope by scope what it may have, in the order of key IDs.

use super::super::{DeliveryPage, DeliveryQuery, Exchange, Offered, Position, Prior, StoreError, Withdrawn};
use super::issue::{is_revoked, user_key};
use super::offer::{
    CONTENT_COLUMNS, content_columns, content_tables, mark, read_content, read_issued, subscription_columns,
    subscription_tables,
};
use super::revocation::{offered, rules_for};
use super::{again, id, prior};
use rusqlite::{Connection, Row, params};
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};
use wmlicense_wire::request::MAX_LICENSES;
use wmlicense_wire::revocation::Rule;

/// Bytes of a key ID and of a license ID at the front of a joined key.
const FRONT: (usize, usize) = (Kid::LEN, Lid::LEN);
/// Sorts behind every key ID.
const BEHIND_ALL: [u8; Kid::LEN + 1] = [u8::MAX; Kid::LEN + 1];
/// A mark before every other: what was told at any time is told.
const EVER: i64 = -1;

pub(super) fn page(
    connection: &Connection,
    exchange: &Exchange,
    device: DeviceId,
    query: &DeliveryQuery,
) -> Result<DeliveryPage, StoreError> {
    let (prior, revoked) = (prior(connection, exchange)?, is_revoked(connection, device)?);
    let mark = mark(connection)?;
    let mut page = DeliveryPage { prior, revoked, mark, withdrawn: Vec::new(), items: Vec::new(), next: None };
    if page.prior != Prior::None || page.revoked {
        return Ok(page);
    }
    // A mark that this database never reached is of a former life of it.
    let since = query.since.filter(|since| *since <= mark).unwrap_or(EVER);
    let rules = rules_for(connection, device)?.into();
    let of = Of { connection, device, user: exchange.account, since, rules, now: exchange.now };
    let (first, mut after) = match &query.from {
        Position::Withdrawn(after) => {
            page.withdrawn = withdrawn(connection, device, (after, &BEHIND_ALL), since, MAX_LICENSES)?;
            if page.withdrawn.len() == MAX_LICENSES {
                page.next = page.withdrawn.last().map(|last| Position::Withdrawn(joined(last)));
                return Ok(page);
            }
            (0, Vec::new())
        }
        Position::Scope(scope, after) => (query.scopes.partition_point(|held| held < scope), after.clone()),
    };
    for scope in query.scopes.iter().skip(first) {
        // A scope that was taken away in between has nothing, and the next one begins at its beginning.
        if !matches!(&query.from, Position::Scope(from, _) if from == scope) {
            after.clear();
        }
        of.offered(scope, &after, &mut page.items)?;
        if page.items.len() == MAX_LICENSES {
            page.next = page.items.last().map(|(kid, _)| Position::Scope(scope.clone(), kid.as_bytes().to_vec()));
            break;
        }
    }
    Ok(page)
}

/// Key ID, license ID and account of a license, as one key: the place after which the list goes on.
fn joined(withdrawn: &Withdrawn) -> Vec<u8> {
    [withdrawn.kid.as_bytes(), withdrawn.lid.as_bytes(), user_key(withdrawn.user.as_ref())].concat()
}

/// What is offered under the key ID of a license or seat.
macro_rules! offer_tables {
    ($row:literal) => {
        concat!(
            "LEFT JOIN content ON content.kid = ",
            $row,
            ".kid LEFT JOIN subscription ON subscription.kid = ",
            $row,
            ".kid "
        )
    };
}

/// True of a license or seat that the device has to drop, or was told to drop after its last run.
macro_rules! over {
    ($row:literal) => {
        concat!(
            "CASE WHEN ",
            $row,
            ".withdrawn IS NOT NULL THEN ",
            $row,
            ".withdrawn > $6 \
             WHEN content.kid IS NULL AND subscription.kid IS NULL THEN 1 \
             WHEN license.user_id IS NULL THEN 0 \
             WHEN license.user_id = x'' THEN coalesce(content.scope, subscription.scope) IS NOT NULL \
             ELSE coalesce(content.scope, subscription.scope, '') NOT IN \
             (SELECT scope FROM account_scope WHERE user_id = license.user_id) END"
        )
    };
}

/// Licenses of the device that are for nothing that their accounts may have, whoever asks, and those that it was told of after
/// `since`: its own, and those that it has from another device's backup. Of the latter the row of the first device tells the
/// account; where another license stands in that row by now, only the content's end takes them back. The range is what
/// [`joined`] gave last, or the beginning of it, and the last key ID.
fn withdrawn(
    connection: &Connection,
    device: DeviceId,
    (after, last): (&[u8], &[u8]),
    since: i64,
    most: usize,
) -> Result<Vec<Withdrawn>, StoreError> {
    const LIST: &str = concat!(
        "SELECT license.kid AS kid, license.user_id AS user_id, license.lid AS lid FROM license ",
        offer_tables!("license"),
        "WHERE license.device_id = $1 AND (license.kid, license.user_id, license.lid) > ($2, $3, $4) \
         AND license.kid <= $5 AND license.returned_at IS NULL AND ",
        over!("license"),
        " UNION ALL SELECT seat.kid, coalesce(license.user_id, x''), seat.lid FROM seat \
         LEFT JOIN license ON license.device_id IN (SELECT device_id FROM seat AS every WHERE every.lid = seat.lid) \
         AND license.kid = seat.kid AND license.lid = seat.lid ",
        offer_tables!("seat"),
        "WHERE seat.device_id = $1 AND seat.restored = 1 AND seat.returned_at IS NULL \
         AND (seat.kid, coalesce(license.user_id, x''), seat.lid) > ($2, $3, $4) AND seat.kid <= $5 AND ",
        over!("seat"),
        " ORDER BY kid, user_id, lid LIMIT $7"
    );
    let (kid, rest) = after.split_at_checked(FRONT.0).unwrap_or((&[], &[]));
    let (lid, user) = rest.split_at_checked(FRONT.1).unwrap_or((&[], &[]));
    let mut statement = connection.prepare_cached(LIST)?;
    let mut rows = statement.query(params![device.as_bytes(), kid, user, lid, last, since, most as i64])?;
    let mut list = Vec::new();
    while let Some(row) = rows.next()? {
        let user: Vec<u8> = row.get(1)?;
        let user = if user.is_empty() { None } else { Some(id(&user, "license")?) };
        list.push(Withdrawn { kid: column(row, 0)?, lid: column(row, 2)?, user });
    }
    Ok(list)
}

/// The licenses for these key IDs that the device has to drop, whether or not it was told of them before: who asks for one by
/// name is told with the answer.
pub(super) fn withdrawn_of(
    connection: &Connection,
    device: DeviceId,
    kids: impl IntoIterator<Item = Kid>,
) -> Result<Vec<Withdrawn>, StoreError> {
    let mut list = Vec::new();
    for kid in kids {
        let room = MAX_LICENSES - list.len();
        list.extend(withdrawn(connection, device, (kid.as_bytes(), kid.as_bytes()), EVER, room)?);
    }
    Ok(list)
}

/// Who asks.
struct Of<'c> {
    connection: &'c Connection,
    device: DeviceId,
    user: Option<UserId>,
    since: i64,
    rules: Arc<[Rule]>,
    /// Seconds UTC.
    now: i64,
}

impl Of<'_> {
    /// Adds what changed in a scope after a key ID, until there is as much as an answer takes.
    fn offered(&self, scope: &str, after: &[u8], items: &mut Vec<(Kid, Offered)>) -> Result<(), StoreError> {
        const LIST: &str = concat!(
            "SELECT content.kid AS kid, ",
            content_columns!(),
            ", license.lid, license.terms, license.policy, coalesce(license.withdrawn, license.returned_at) FROM ",
            content_tables!(),
            " LEFT JOIN license ON license.device_id = $1 AND license.user_id = $2 AND license.kid = content.kid \
             WHERE coalesce(content.scope, '') = $3 AND content.kid > $4 \
             AND (content.changed > $5 OR coalesce(policy.changed, 0) > $5 OR $6 > $5) UNION ALL \
             SELECT subscription.kid, ",
            subscription_columns!(),
            ", license.lid, license.terms, license.policy, coalesce(license.withdrawn, license.returned_at) FROM ",
            subscription_tables!(),
            " LEFT JOIN license ON license.device_id = $1 AND license.user_id = $2 AND license.kid = subscription.kid \
             WHERE coalesce(subscription.scope, '') = $3 AND subscription.kid > $4 \
             AND (subscription.changed > $5 OR coalesce(policy.changed, 0) > $5 OR $6 > $5) ORDER BY kid LIMIT $7"
        );
        let user = if scope.is_empty() { &[] } else { user_key(self.user.as_ref()) };
        let room = (MAX_LICENSES - items.len()) as i64;
        let mut statement = self.connection.prepare_cached(LIST)?;
        let mut rows = statement.query(params![
            self.device.as_bytes(),
            user,
            scope,
            after,
            self.since,
            self.granted(scope)?,
            room
        ])?;
        while let Some(row) = rows.next()? {
            let content = read_content(row, 1)?;
            let mut current = read_issued(row, 1 + CONTENT_COLUMNS)?;
            if let Some(current) = &mut current {
                again::look_up(self.connection, self.device, current, self.now)?;
            }
            items.push((column(row, 0)?, offered(self.connection, self.device, content, current, &self.rules)?));
        }
        Ok(())
    }

    /// Mark at which the account got a scope.
    fn granted(&self, scope: &str) -> Result<i64, StoreError> {
        const FIND: &str = "SELECT coalesce(max(changed), 0) FROM account_scope WHERE user_id = $1 AND scope = $2";
        let mut statement = self.connection.prepare_cached(FIND)?;
        Ok(statement.query_row(params![user_key(self.user.as_ref()), scope], |row| row.get(0))?)
    }
}

fn column<const N: usize, K>(row: &Row<'_>, at: usize) -> Result<wmlicense_wire::id::Id<N, K>, StoreError> {
    id(row.get_ref(at)?.as_blob().map_err(|_| StoreError::Damaged("license"))?, "license")
}
