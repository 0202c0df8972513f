//! Devices, offers and licenses in SQLite.

use super::super::{
    Asker, CertifiedDevice, Claim, Claimed, Committed, Content, DeliveryPage, DeliveryQuery, Exchange, Holding, Issue,
    Issued, KnownDevice, NewLicense, Offer, Offered, Part, Pending, Prior, Store, StoreError, Told, Withdrawn,
};
use super::offer::{find_content, mark, read_issued};
use super::revocation::{offered, rules_for};
use super::{SqliteStore, Verdict, account, again, delivery, device, epoch, mailbox, prior, restore, write_exchange};
use crate::accounts::Account;
use rusqlite::{Connection, params};
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid, SignerId, UserId};
use wmlicense_wire::revocation::Rule;

impl Store for SqliteStore {
    fn ready(&self) -> Pending<'_, ()> {
        self.probe()
    }

    fn account(&self, token_hash: Digest) -> Pending<'_, Option<Account>> {
        self.read(move |connection| account(connection, token_hash))
    }

    fn known_device(
        &self,
        exchange: Exchange,
        before: Option<SignerId>,
    ) -> Pending<'_, (Prior, Option<KnownDevice>, Option<KnownDevice>)> {
        self.read(move |connection| {
            let find = |thumbprint| device::find(connection, thumbprint);
            let before = before.map(find).transpose()?.flatten();
            Ok((prior(connection, &exchange)?, find(exchange.thumbprint)?, before))
        })
    }

    fn certify(&self, exchange: Exchange, device: CertifiedDevice, answer: Vec<u8>) -> Pending<'_, Committed> {
        self.write(move |connection| {
            answer_once(connection, &exchange, &answer, || device::write(connection, &exchange, &device))
        })
    }

    fn offer(
        &self,
        exchange: Exchange,
        device: DeviceId,
        holder: Option<UserId>,
        kids: Vec<Kid>,
    ) -> Pending<'_, Offer> {
        self.read(move |connection| {
            let prior = prior(connection, &exchange)?;
            let revoked = is_revoked(connection, device)?;
            if prior != Prior::None || revoked {
                return Ok(Offer { prior, revoked, items: Vec::new(), roots: Vec::new(), withdrawn: Vec::new() });
            }
            let rules: Arc<[Rule]> = rules_for(connection, device)?.into();
            let find = |kid: &Kid| -> Result<Option<Offered>, StoreError> {
                let Some(content) = find_content(connection, *kid)? else { return Ok(None) };
                let user = if content.scope.is_some() { holder } else { None };
                let mut current = find_license(connection, device, *kid, user)?;
                if let Some(current) = &mut current {
                    again::look_up(connection, device, current, exchange.now)?;
                }
                offered(connection, device, content, current, &rules).map(Some)
            };
            let items = kids.iter().map(find).collect::<Result<Vec<_>, _>>()?;
            let mut missing: Vec<Kid> = items.iter().flatten().filter_map(root_of).collect();
            missing.sort_unstable();
            missing.dedup();
            missing.retain(|root| !kids.contains(root));
            let mut roots = Vec::with_capacity(missing.len());
            for kid in missing {
                roots.extend(find(&kid)?.map(|offered| (kid, offered)));
            }
            let withdrawn = delivery::withdrawn_of(connection, device, kids)?;
            Ok(Offer { prior, revoked, items, roots, withdrawn })
        })
    }

    fn delivery(&self, exchange: Exchange, device: DeviceId, query: DeliveryQuery) -> Pending<'_, DeliveryPage> {
        self.read(move |connection| delivery::page(connection, &exchange, device, &query))
    }

    fn issue(&self, exchange: Exchange, device: DeviceId, issue: Issue, answer: Vec<u8>) -> Pending<'_, Committed> {
        self.write(move |connection| {
            answer_once(connection, &exchange, &answer, || write_issue(connection, device, &issue, exchange.now))
        })
    }

    fn standing(&self, exchange: Exchange) -> Pending<'_, (bool, Exchange)> {
        self.standing_of(exchange)
    }

    fn note(&self, exchange: Exchange) -> Pending<'_, Committed> {
        self.note_contact(exchange)
    }

    fn contents_of(&self, kids: Vec<Kid>) -> Pending<'_, Vec<Option<Content>>> {
        self.read(move |connection| kids.iter().map(|kid| find_content(connection, *kid)).collect())
    }

    fn holdings(&self, licenses: Vec<Lid>, asker: Asker, told: Told) -> Pending<'_, Vec<Holding>> {
        self.read(move |connection| restore::holdings(connection, &licenses, asker, &told))
    }

    fn claim(&self, exchange: Exchange, device: DeviceId, claims: Vec<Claim>, told: Told) -> Pending<'_, Claimed> {
        self.write(move |connection| restore::claim(connection, &exchange, device, &claims, &told))
    }

    fn drop_answers(&self, before: i64) -> Pending<'_, u64> {
        const DROP: &str = "UPDATE exchange SET kept = 2, answer = NULL WHERE kept = 1 AND answered_at < $1";
        const FORGET: &str = "DELETE FROM known_exchange WHERE seen_at < $1";
        const FORGIVE: &str = "DELETE FROM late_epoch WHERE noticed_at < $1";
        self.write(move |connection| {
            connection.execute(FORGET, [before])?;
            connection.execute(FORGIVE, [before])?;
            mailbox::drop_old(connection, before)?;
            Ok(Verdict::Keep(connection.execute(DROP, [before])? as u64))
        })
    }
}

fn root_of(offered: &Offered) -> Option<Kid> {
    if let Part::Leaf(root) = &offered.content.part { Some(root.kid) } else { None }
}

/// Writes an answer with what it rests on, unless the exchange was answered meanwhile or `change` finds another state than
/// the answer was made from.
pub(super) fn answer_once(
    connection: &Connection,
    exchange: &Exchange,
    answer: &[u8],
    change: impl FnOnce() -> Result<bool, StoreError>,
) -> Result<Verdict<Committed>, StoreError> {
    match prior(connection, exchange)? {
        Prior::None => {}
        known @ (Prior::Answered(_) | Prior::Gone | Prior::Conflict) => {
            return Ok(Verdict::Undo(Committed::Prior(known)));
        }
    }
    if !epoch::apply(connection, exchange)? || !change()? {
        return Ok(Verdict::Undo(Committed::Changed));
    }
    write_exchange(connection, exchange, Some(answer))?;
    Ok(Verdict::Keep(Committed::Done))
}

/// Writes licenses with what they start from, their first devices, what goes out again and what was withdrawn. False if it was
/// decided from another state than the present one.
pub(super) fn write_issue(
    connection: &Connection,
    device: DeviceId,
    issue: &Issue,
    now: i64,
) -> Result<bool, StoreError> {
    for license in &issue.licenses {
        if !write_license(connection, device, license, now)? {
            return Ok(false);
        }
        if let Some(state) = &license.state {
            restore::keep_state(connection, license.issued.lid, state)?;
        }
    }
    write_first_seats(connection, device, &issue.licenses, now)?;
    for handed in &issue.again {
        if again::book(connection, device, handed, now)?.is_err() {
            return Ok(false);
        }
    }
    write_withdrawn(connection, device, &issue.withdrawn)
}

pub(super) fn is_revoked(connection: &Connection, device: DeviceId) -> Result<bool, StoreError> {
    const FIND: &str = "SELECT 1 FROM device WHERE device_id = $1 AND revoked_at IS NOT NULL";
    Ok(connection.prepare_cached(FIND)?.exists([device.as_bytes()])?)
}

/// The key of a license row's account; empty for open content, because a key column is never null.
pub(super) fn user_key(user: Option<&UserId>) -> &[u8] {
    user.map_or(&[], |user| user.as_bytes().as_slice())
}

/// The license that the device has for a key ID. One that was given back is of no terms that there are, so that another comes
/// in its place.
pub(super) fn find_license(
    connection: &Connection,
    device: DeviceId,
    kid: Kid,
    user: Option<UserId>,
) -> Result<Option<Issued>, StoreError> {
    const FIND: &str = "SELECT lid, terms, policy, coalesce(withdrawn, returned_at) FROM license \
                        WHERE device_id = $1 AND kid = $2 AND user_id = $3";
    let mut statement = connection.prepare_cached(FIND)?;
    let mut rows = statement.query(params![device.as_bytes(), kid.as_bytes(), user_key(user.as_ref())])?;
    match rows.next()? {
        Some(row) => read_issued(row, 0),
        None => Ok(None),
    }
}

/// Writes a license. False if the holder has another license by now than the one to be replaced.
fn write_license(
    connection: &Connection,
    device: DeviceId,
    license: &NewLicense,
    now: i64,
) -> Result<bool, StoreError> {
    const INSERT: &str = "INSERT INTO license (device_id, kid, user_id, lid, terms, policy, issued_at) \
                          VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (device_id, kid, user_id) DO NOTHING";
    const REPLACE: &str = "UPDATE license SET lid = $1, terms = $2, policy = $3, issued_at = $4, \
                           withdrawn = NULL, returned_at = NULL \
                           WHERE device_id = $5 AND kid = $6 AND user_id = $7 AND lid = $8";
    let (device, kid, user) = (device.as_bytes(), license.kid.as_bytes(), user_key(license.user.as_ref()));
    let Issued { lid, terms, policy, .. } = &license.issued;
    let (lid, terms) = (lid.as_bytes(), terms.as_bytes());
    let changed = match &license.replaces {
        None => connection.prepare_cached(INSERT)?.execute(params![device, kid, user, lid, terms, policy, now])?,
        Some(old) => {
            let old = old.as_bytes();
            connection.prepare_cached(REPLACE)?.execute(params![lid, terms, policy, now, device, kid, user, old])?
        }
    };
    Ok(changed == 1)
}

/// Counts the device in as the first of each license.
fn write_first_seats(
    connection: &Connection,
    device: DeviceId,
    licenses: &[NewLicense],
    now: i64,
) -> Result<(), StoreError> {
    const SEAT: &str = "INSERT INTO seat (lid, device_id, kid, restored, since, line) VALUES ($1, $2, $3, 0, $4, $5)";
    let mut insert = connection.prepare_cached(SEAT)?;
    // In the order of the table, because scattered inserts cost several times as much.
    let mut seats: Vec<_> = licenses.iter().map(|license| (license.issued.lid, license.kid, license.line)).collect();
    seats.sort_unstable();
    for (lid, kid, line) in seats {
        let line = line.as_ref().map(|line| line.as_bytes().as_slice());
        insert.execute(params![lid.as_bytes(), device.as_bytes(), kid.as_bytes(), now, line])?;
    }
    Ok(())
}

/// Writes down what the device was told to drop. False if it has another license for one of the key IDs by now.
fn write_withdrawn(connection: &Connection, device: DeviceId, withdrawn: &[Withdrawn]) -> Result<bool, StoreError> {
    const TELL: &str = "UPDATE license SET withdrawn = coalesce(withdrawn, $1) \
                        WHERE device_id = $2 AND kid = $3 AND user_id = $4 AND lid = $5";
    const TELL_SEAT: &str = "UPDATE seat SET withdrawn = coalesce(withdrawn, $1) \
                             WHERE lid = $2 AND device_id = $3 AND restored = 1 AND returned_at IS NULL";
    if withdrawn.is_empty() {
        return Ok(true);
    }
    let mark = mark(connection)?;
    let mut tell = connection.prepare_cached(TELL)?;
    let mut tell_seat = connection.prepare_cached(TELL_SEAT)?;
    for Withdrawn { lid, kid, user } in withdrawn {
        let user = user_key(user.as_ref());
        let own = tell.execute(params![mark, device.as_bytes(), kid.as_bytes(), user, lid.as_bytes()])?;
        let restored = tell_seat.execute(params![mark, lid.as_bytes(), device.as_bytes()])?;
        if own + restored == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
