//! Licenses that are deleted for good and wait to be given back: tombstones and the signed request in one commit, kept until
//! the service answered, however long that takes.

use super::lookup::read_state;
use super::merge::Merger;
use super::{recipe, transactions};
use crate::store::index::changes::Merge;
use crate::store::{Store, StoreError, Transaction, TransactionState, error::fixed};
use rusqlite::{Connection, OptionalExtension as _};
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::id::{Digest, Kid, Lid, ServiceId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;

/// Where licenses are given back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveBackTo {
    /// Authority of the service.
    pub authority: Digest,
    /// Service that issued them.
    pub issuer: ServiceId,
    /// Where they came from; none where that is not known.
    pub url: Option<String>,
}

/// A request that gives licenses back, to be queued.
pub struct QueuedGiveBack {
    /// The request.
    pub transaction: Transaction,
    /// It holds what the earlier one held, which was never sent and goes.
    pub replaces_earlier: bool,
}

/// Makes the request for licenses that go to one place, given what is queued for it and was never sent. `None`: this device
/// has no keys to sign with, and the licenses go untold.
pub type PrepareGiveBack<'p, E> =
    &'p mut dyn FnMut(&GiveBackTo, Vec<(Lid, State)>, Option<Vec<u8>>) -> Result<Option<QueuedGiveBack>, E>;

impl Store {
    /// Removes the licenses of a key ID for good, with tombstones, and queues the requests that give them back, in one commit.
    /// Gives the number of licenses.
    pub fn give_back<E: From<StoreError>>(&self, kid: Kid, prepare: PrepareGiveBack<'_, E>) -> Result<u64, E> {
        let inner = &*self.inner;
        let now = inner.clock.now();
        inner.write(|connection| {
            let mut groups: Vec<(GiveBackTo, Vec<(Lid, State)>)> = Vec::new();
            let mut count = 0;
            let mut merger = Merger::new(connection, inner, now)?;
            for (place, policy) in stored(&mut merger, kid)? {
                let state = read_state(connection, &inner.integrity, &policy)?.unwrap_or_default();
                merger.bury(&Tombstone { lid: policy.lid, issuer: policy.issuer, removed_at: now })?;
                match groups.iter_mut().find(|(known, _)| *known == place) {
                    Some((_, licenses)) => licenses.push((policy.lid, state)),
                    None => groups.push((place, vec![(policy.lid, state)])),
                }
                count += 1;
            }
            merger.finish(Merge::InTime)?;
            for (place, licenses) in groups {
                let earlier = unsent(connection, &place)?;
                let bytes = earlier.as_ref().map(|earlier| earlier.request.clone());
                let Some(queued) = prepare(&place, licenses, bytes)? else { continue };
                if let Some(earlier) = earlier.filter(|_| queued.replaces_earlier) {
                    transactions::end(connection, earlier.id, TransactionState::Cancelled)?;
                    forget(connection, &earlier)?;
                }
                queue(connection, &place, &queued.transaction)?;
            }
            Ok(count)
        })
    }

    /// Requests that wait to give licenses of this issuer back, the oldest first: those that came from `url`, and those of
    /// which nobody knows where they came from.
    pub fn returns(&self, authority: Digest, issuer: ServiceId, url: &str) -> Result<Vec<Transaction>, StoreError> {
        self.inner.readers.with(|connection| {
            let sql = format!(
                "SELECT {} FROM exchange WHERE state <= 2 AND id IN
                 (SELECT id FROM give_back WHERE authority = ?1 AND issuer = ?2 AND (url = ?3 OR url IS NULL))
                 ORDER BY created_at, id",
                transactions::COLUMNS
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query((authority.as_bytes(), issuer.as_bytes(), url))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push(transactions::read(row)?);
            }
            Ok(found)
        })
    }

    /// Services to which licenses wait to be given back.
    pub fn give_back_places(&self) -> Result<Vec<GiveBackTo>, StoreError> {
        self.inner.readers.with(|connection| {
            let sql = "SELECT DISTINCT give_back.authority, issuer, give_back.url FROM give_back
                JOIN exchange ON exchange.id = give_back.id WHERE state <= 2";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
                let (authority, issuer) = (Digest::new(fixed(blob(0)?)?), ServiceId::new(fixed(blob(1)?)?));
                found.push(GiveBackTo { authority, issuer, url: row.get(2)? });
            }
            Ok(found)
        })
    }

    /// Puts a request in place of one that the service does not take any more, such as one with an ended certificate.
    pub(crate) fn requeue_give_back(&self, old: &Transaction, fresh: &Transaction) -> Result<(), StoreError> {
        self.inner.write(|connection| {
            let mut find = connection.prepare_cached("SELECT issuer, url FROM give_back WHERE id = ?1")?;
            let row: Option<(Vec<u8>, Option<String>)> =
                find.query_row([old.id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let (issuer, url) = row.ok_or(StoreError::NoTransaction)?;
            let place = GiveBackTo { authority: old.authority, issuer: ServiceId::new(fixed(&issuer)?), url };
            transactions::end(connection, old.id, TransactionState::Expired)?;
            forget(connection, old)?;
            queue(connection, &place, fresh)
        })
    }
}

/// The licenses of a key ID with the place that each came from.
fn stored(merger: &mut Merger<'_>, kid: Kid) -> Result<Vec<(GiveBackTo, Policy)>, StoreError> {
    let mut found = Vec::new();
    for stored in merger.of_kid(kid)? {
        let Some(authority) = stored.authority(merger.connection)? else { continue };
        let url = stored.recipe.map(|id| recipe::find(merger.connection, id)).transpose()?.map(|recipe| recipe.url);
        found.push((GiveBackTo { authority, issuer: stored.policy.issuer, url }, stored.policy));
    }
    Ok(found)
}

/// The newest request for the same place that was never sent.
fn unsent(connection: &Connection, place: &GiveBackTo) -> Result<Option<Transaction>, StoreError> {
    let sql = format!(
        "SELECT {} FROM exchange WHERE state = 0 AND id IN
         (SELECT id FROM give_back WHERE authority = ?1 AND issuer = ?2 AND url IS ?3)
         ORDER BY created_at DESC, id LIMIT 1",
        transactions::COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query((place.authority.as_bytes(), place.issuer.as_bytes(), &place.url))?;
    rows.next()?.map(transactions::read).transpose()
}

fn queue(connection: &Connection, place: &GiveBackTo, transaction: &Transaction) -> Result<(), StoreError> {
    transactions::insert(connection, transaction, None)?;
    connection
        .prepare_cached("INSERT INTO give_back (id, authority, issuer, url) VALUES (?1, ?2, ?3, ?4)")?
        .execute((transaction.id.as_bytes(), place.authority.as_bytes(), place.issuer.as_bytes(), &place.url))?;
    Ok(())
}

fn forget(connection: &Connection, transaction: &Transaction) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM give_back WHERE id = ?1")?.execute([transaction.id.as_bytes()])?;
    Ok(())
}
