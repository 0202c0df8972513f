//! Reading licenses: by key ID, one after the other, and the keys and titles that belong to them. Nothing is written.

use super::at_rest::{Scope, batch_of, key_lost, place};
use super::pages::{Stored, unreadable};
use super::standing::standing_in;
use crate::clock::ClockRecord;
use crate::license::{Standing, StoredLicense};
use crate::store::head::Head;
use crate::store::index;
use crate::store::integrity::{Integrity, Row as StateRow, Table};
use crate::store::kept::Kept;
use crate::store::{Filter, Inner, Store, StoreError, error::fixed};
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::sync::{Arc, PoisonError};
use wmlicense_wire::backup::page::PageView;
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId};
use wmlicense_wire::license::{Binding, InnerKey, State};
use wmlicense_wire::policy::{LicenseKind, Policy};
use wmlicense_wire::request::MAX_LICENSES;

/// As [`crate::store::index::FIND`], with the code of the head beside.
const FIND: &str = "SELECT entries, (SELECT max(id) FROM recent), (SELECT mac FROM head WHERE one = 1) FROM bucket
    WHERE first <= ?1 ORDER BY first DESC LIMIT 1";
const PAGE: &str = "SELECT key, licenses, at_rest, authority FROM page JOIN batch ON batch.id = page.id / 4096
    WHERE page.id = ?1";

/// State of a license as rights see it: a stateless one has an empty one, a lost one none.
pub(in crate::store) fn read_state(
    connection: &Connection,
    integrity: &Integrity,
    policy: &Policy,
) -> Result<Option<State>, StoreError> {
    if !policy.is_stateful() {
        return Ok(Some(State::default()));
    }
    match integrity.row(connection, Table::State, policy.lid)? {
        StateRow::Sound(content) => Ok(Some(State::decode(&content)?)),
        StateRow::Missing | StateRow::Changed => Ok(None),
    }
}

/// What the head says of a license: by which record the time is read, where the license has dates, and which status list counts.
fn head_of(
    connection: &Connection,
    inner: &Inner,
    policy: &Policy,
    (mac, authority): (&[u8], &[u8]),
) -> Result<(Option<Arc<ClockRecord>>, Option<Kept>), StoreError> {
    let mut seen = inner.seen_head.lock().unwrap_or_else(PoisonError::into_inner);
    let head = Head::load_seen(connection, &inner.integrity, &mut seen, mac)?;
    let is_dated = policy.actions.iter().any(|(_, conditions)| conditions.is_dated());
    Ok((is_dated.then(|| Arc::clone(&head.clock)), head.status_list(authority).copied()))
}

/// Whether a status list lets the license be used; without one there is nothing to ask.
fn standing(
    connection: &Connection,
    inner: &Inner,
    policy: &Policy,
    kept: Option<&Kept>,
    (batch, at_rest): (i64, &[u8]),
) -> Result<Standing, StoreError> {
    let standing = match kept {
        None => Standing::Good,
        Some(kept) => standing_in(connection, &inner.integrity, kept, (batch, at_rest))?,
    };
    let demanded = policy.minimum_status.unwrap_or(0);
    let new_enough = demanded == 0 || kept.is_some_and(|kept| kept.number >= demanded);
    Ok(if standing == Standing::Good && !new_enough { Standing::StatusListTooOld } else { standing })
}

/// Reads what stands at a place; `None` where that is no license of this key ID.
fn read_license(
    connection: &Connection,
    inner: &Inner,
    (kid, found): (Kid, i64),
    mac: &[u8],
) -> Result<Option<StoredLicense>, StoreError> {
    let (page, index) = place(found);
    let mut find = connection.prepare_cached(PAGE)?;
    let mut rows = find.query([page])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let view = PageView::parse(blob(row, 1)?).map_err(|_| unreadable())?;
    let Some(license) = view.find(index) else { return Ok(None) };
    let (policy_bytes, binding) = license.parts().ok_or_else(unreadable)?;
    let policy = Policy::decode(policy_bytes)?;
    if policy.kid != kid {
        return Ok(None);
    }
    let (at_rest, authority, batch) = (blob(row, 2)?, blob(row, 3)?, batch_of(page));
    let (timed_by, kept) = head_of(connection, inner, &policy, (mac, authority))?;
    let services = [policy.issuer].into_iter().chain(policy.management);
    Ok(Some(StoredLicense {
        batch,
        index,
        authority: Digest::new(fixed(authority)?),
        state: read_state(connection, &inner.integrity, &policy)?,
        standing: standing(connection, inner, &policy, kept.as_ref(), (batch, at_rest))?,
        reading: timed_by.as_ref().map(|record| record.read(inner.clock.moment(), services)),
        timed_by,
        held_key: Arc::default(),
        policy,
        binding: binding.to_vec(),
        wrapped: license.wrapped.to_vec(),
        page_key: blob(row, 0)?.to_vec(),
        at_rest: fixed(at_rest)?,
        policy_hash: Digest::of(policy_bytes),
        roots: Arc::default(),
    }))
}

fn blob<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], StoreError> {
    Ok(row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?)
}

/// The licenses of a key ID, each leaf with its roots.
fn read_licenses(connection: &Connection, inner: &Inner, kid: Kid) -> Result<Vec<StoredLicense>, StoreError> {
    let mut licenses = read_bare(connection, inner, kid)?;
    for license in licenses.iter_mut().filter(|license| license.policy.kind == LicenseKind::Leaf) {
        let Some(root_kid) = license.policy.root_kid else { continue };
        let mut roots = read_bare(connection, inner, root_kid)?;
        roots.retain(|root| root.policy.kind == LicenseKind::Root && root.policy.issuer == license.policy.issuer);
        license.roots = roots.into();
    }
    Ok(licenses)
}

fn read_bare(connection: &Connection, inner: &Inner, kid: Kid) -> Result<Vec<StoredLicense>, StoreError> {
    const { assert!(MAX_LICENSES == 4096) };
    let hash = inner.index.kid(kid);
    let mut statement = connection.prepare_cached(FIND)?;
    let mut rows = statement.query([hash])?;
    let row = rows.next()?.ok_or_else(index::damaged)?;
    let places = inner.index.places_in(connection, hash, (blob(row, 0)?, row.get(1)?))?;
    let mac = blob(row, 2)?;
    // While this row is held, all that is read on the connection is of the same moment.
    let mut licenses = Vec::with_capacity(places.len());
    for found in places {
        licenses.extend(read_license(connection, inner, (kid, found), mac)?);
    }
    Ok(licenses)
}

/// Terms of the stored license with this ID, in the caller's transaction.
pub(in crate::store) fn policy_by_lid(
    connection: &Connection,
    inner: &Inner,
    lid: Lid,
) -> Result<Option<Policy>, StoreError> {
    Ok(by_lid(connection, inner, lid)?.map(|stored| stored.policy))
}

/// The stored license with this ID, in the caller's transaction.
pub(in crate::store) fn by_lid(connection: &Connection, inner: &Inner, lid: Lid) -> Result<Option<Stored>, StoreError> {
    let places = inner.index.places(connection, inner.index.lid(lid))?;
    Stored::with_lid(connection, &places, lid)
}

/// The stored licenses with this key ID, in the caller's transaction.
pub(in crate::store) fn by_kid(connection: &Connection, inner: &Inner, kid: Kid) -> Result<Vec<Stored>, StoreError> {
    let places = inner.index.places(connection, inner.index.kid(kid))?;
    Stored::with_kid(connection, &places, kid)
}

impl StoredLicense {
    /// What ties it to this device.
    pub fn binding(&self) -> Result<Binding, StoreError> {
        Ok(Binding::decode(&self.binding)?)
    }
}

impl Filter {
    fn passes(&self, license: &StoredLicense) -> bool {
        let policy = &license.policy;
        self.action.as_deref().is_none_or(|action| policy.action(action).is_some())
            && self.issuer.is_none_or(|issuer| policy.issuer == issuer)
            && self.expiring_before.is_none_or(|before| {
                policy
                    .actions
                    .iter()
                    .any(|(action, _)| crate::rights::end(license, action).is_some_and(|end| end < before))
            })
    }
}

impl Store {
    /// All licenses for a key ID, in no particular order. A held statement on a pooled connection; no write.
    pub fn licenses(&self, kid: Kid) -> Result<Vec<StoredLicense>, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| read_licenses(connection, inner, kid))
    }

    /// Opens the key of a stored license.
    pub fn unwrap_key(&self, license: &StoredLicense) -> Result<InnerKey, StoreError> {
        let scope = Scope::of(license.authority, &license.policy, &license.at_rest);
        let key = self.inner.page_keys.open(&scope, &license.page_key)?;
        let opened = key.unwrap(license.index, license.policy_hash, license.policy.kind, &license.wrapped);
        opened.map_err(|_| key_lost())
    }

    /// The next license after `after` in the order (KID, LID). No read transaction stays open.
    pub fn next_license(
        &self,
        filter: &Filter,
        after: Option<(Kid, Lid)>,
    ) -> Result<Option<StoredLicense>, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::moment::read(connection)?;
            let mut kid = match (filter.kid, after) {
                (Some(kid), _) | (None, Some((kid, _))) => Some(kid),
                (None, None) => inner.first_kid(&transaction)?,
            };
            while let Some(current) = kid {
                let mut licenses = read_licenses(&transaction, inner, current)?;
                licenses.retain(|license| {
                    after.is_none_or(|after| (current, license.policy.lid) > after) && filter.passes(license)
                });
                if let Some(next) = licenses.into_iter().min_by_key(|license| license.policy.lid) {
                    return Ok(Some(next));
                }
                kid = match filter.kid {
                    Some(_) => None,
                    None => inner.kid_after(&transaction, current)?,
                };
            }
            Ok(None)
        })
    }

    /// Whether a license of this ID and issuer was removed for good.
    pub fn forbids(&self, lid: Lid, issuer: ServiceId) -> Result<bool, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| super::tombstone::forbids(connection, &inner.integrity, lid, issuer))
    }

    /// Number of licenses.
    pub fn license_count(&self) -> Result<u64, StoreError> {
        self.inner.readers.with(|connection| index::verify::count(&*crate::store::moment::read(connection)?))
    }

    /// Title of a key ID: the application's, else the one that came with a license.
    pub fn title(&self, kid: Kid) -> Result<Option<String>, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::moment::read(connection)?;
            let own: Option<String> = transaction
                .prepare_cached("SELECT title FROM title WHERE kid = ?1")?
                .query_row([kid.as_bytes()], |row| row.get(0))
                .optional()?;
            if own.is_some() {
                return Ok(own);
            }
            let licenses = read_licenses(&transaction, inner, kid)?;
            Ok(licenses.into_iter().find_map(|license| license.policy.title))
        })
    }

    /// Sets the application's title of a key ID; an empty one is none.
    pub fn set_title(&self, kid: Kid, title: &str) -> Result<(), StoreError> {
        self.inner.write(|connection| {
            if title.is_empty() {
                connection.prepare_cached("DELETE FROM title WHERE kid = ?1")?.execute([kid.as_bytes()])?;
                return Ok(());
            }
            connection
                .prepare_cached("INSERT OR REPLACE INTO title (kid, title) VALUES (?1, ?2)")?
                .execute((kid.as_bytes(), title))?;
            Ok(())
        })
    }
}
