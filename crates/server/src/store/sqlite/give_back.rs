//! Licenses that devices hold, in SQLite: their use, and what was given back, with seats freed within the limit. What may
//! be renewed is in `renewal.rs`.

use super::super::{Committed, Exchange, Held, Pending, Prior, RenewalOffer, Returns, StoreError, Told};
use super::issue::{answer_once, is_revoked};
use super::restore::{find_state, keep_state};
use super::{SqliteStore, Verdict, again, prior, renewal};
use crate::policy::until_now;
use rusqlite::{Connection, params};
use wmlicense_wire::id::{DeviceId, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::MAX_ACTIONS;

/// Seats of one license that may be freed within [`PERIOD`].
const MAX_FREED: i64 = 2;
/// A year, in seconds.
const PERIOD: i64 = 365 * 24 * 60 * 60;

/// What a device tells of the use of licenses.
type Usage = Vec<(Lid, State)>;

impl Returns for SqliteStore {
    fn report(&self, device: DeviceId, usage: Usage, now: i64) -> Pending<'_, Told> {
        Box::pin(async move {
            let (told, news) = self.read(move |connection| news(connection, device, usage, now)).await?;
            if !news.is_empty() {
                let keep = move |connection: &Connection| {
                    news.iter().try_for_each(|(lid, state)| report(connection, device, *lid, state, now))?;
                    Ok(Verdict::Keep(()))
                };
                self.write(keep).await?;
            }
            Ok(told)
        })
    }

    fn renewable(&self, exchange: Exchange, device: DeviceId, licenses: Vec<Lid>) -> Pending<'_, RenewalOffer> {
        self.read(move |connection| renewal::offer(connection, &exchange, device, &licenses))
    }

    fn held(&self, exchange: Exchange, device: DeviceId, licenses: Vec<Lid>) -> Pending<'_, Held> {
        const FIND: &str = "SELECT 1 FROM seat WHERE lid = $1 AND device_id = $2";
        self.read(move |connection| {
            let prior = prior(connection, &exchange)?;
            let revoked = is_revoked(connection, device)?;
            if prior != Prior::None || revoked {
                return Ok(Held { prior, revoked, known: Vec::new() });
            }
            let mut find = connection.prepare_cached(FIND)?;
            let mut known = Vec::with_capacity(licenses.len());
            for lid in &licenses {
                known.push(find.exists(params![lid.as_bytes(), device.as_bytes()])?);
            }
            Ok(Held { prior, revoked, known })
        })
    }

    fn give_back(
        &self,
        exchange: Exchange,
        device: DeviceId,
        licenses: Vec<(Lid, State)>,
        answer: Vec<u8>,
    ) -> Pending<'_, Committed> {
        self.write(move |connection| {
            answer_once(connection, &exchange, &answer, || {
                for (lid, state) in &licenses {
                    give_back(connection, device, *lid, state, exchange.now)?;
                }
                Ok(true)
            })
        })
    }
}

/// The lines of the licenses that the device tells of, and of these what was not known. What it tells of others' licenses is
/// passed over.
fn news(connection: &Connection, device: DeviceId, usage: Usage, now: i64) -> Result<(Told, Usage), StoreError> {
    let (mut told, mut news) = (Told::new(), Usage::new());
    for (lid, state) in usage {
        let line = if state.actions.is_empty() { None } else { again::line(connection, device, lid)? };
        let Some(line) = line else { continue };
        told.insert(line);
        let known = find_state(connection, lid)?;
        if known.clone().is_none_or(|known| known.clone().strictest(&until_now(&state, now)) != known) {
            news.push((lid, state));
        }
    }
    Ok((told, news))
}

/// Keeps a state that the device of a seat tells; what others tell is passed over.
fn report(connection: &Connection, device: DeviceId, lid: Lid, state: &State, now: i64) -> Result<(), StoreError> {
    let holds = again::line(connection, device, lid)?.is_some();
    let known = find_state(connection, lid)?.unwrap_or_default();
    // Invented actions must not pile up from report to report.
    if holds && !state.actions.is_empty() && known.strictest(state).actions.len() <= MAX_ACTIONS {
        keep_state(connection, lid, &until_now(state, now))?;
    }
    Ok(())
}

fn give_back(connection: &Connection, device: DeviceId, lid: Lid, state: &State, now: i64) -> Result<(), StoreError> {
    const SEAT: &str = "UPDATE seat SET returned_at = $1 WHERE lid = $2 AND device_id = $3 AND returned_at IS NULL";
    const LICENSE: &str = "UPDATE license SET returned_at = $1 WHERE device_id = $2 AND lid = $3 AND kid = \
                           (SELECT kid FROM seat WHERE seat.lid = $3 AND seat.device_id = $2)";
    let (device_, lid_) = (device.as_bytes(), lid.as_bytes());
    let changed = connection.prepare_cached(SEAT)?.execute(params![now, lid_, device_])?;
    // Given back before: nothing is freed twice.
    if changed == 0 {
        return Ok(());
    }
    connection.prepare_cached(LICENSE)?.execute(params![now, device_, lid_])?;
    report(connection, device, lid, state, now)?;
    free_seat(connection, device_, lid_, now)
}

/// Frees a seat unless that happened too often to this license.
fn free_seat(connection: &Connection, device: &[u8], lid: &[u8], now: i64) -> Result<(), StoreError> {
    const COUNT: &str = "SELECT count(*) FROM freed_seat WHERE lid = $1 AND freed_at > $2";
    const NOTE: &str = "INSERT INTO freed_seat (lid, device_id, freed_at) VALUES ($1, $2, $3)";
    const FREE: &str = "UPDATE seat SET freed = 1 WHERE lid = $1 AND device_id = $2";
    let freed: i64 =
        connection.prepare_cached(COUNT)?.query_row(params![lid, now.saturating_sub(PERIOD)], |row| row.get(0))?;
    if freed < MAX_FREED {
        connection.prepare_cached(NOTE)?.execute(params![lid, device, now])?;
        connection.prepare_cached(FREE)?.execute(params![lid, device])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
