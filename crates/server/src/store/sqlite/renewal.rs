//! What may be renewed, in SQLite: the license that a device holds, issued to it or restored from another device's backup.

use super::super::{Exchange, HeldLicense, Issued, Prior, Renewable, RenewalOffer, StoreError};
use super::delivery::withdrawn_of;
use super::issue::{find_license, is_revoked, user_key};
use super::offer::find_content;
use super::restore::find_state;
use super::revocation::{is_taken_back, rules_for};
use super::{again, id, prior};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::BTreeSet;
use wmlicense_wire::id::{DeviceId, Kid, Lid};

pub(super) fn offer(
    connection: &Connection,
    exchange: &Exchange,
    device: DeviceId,
    licenses: &[Lid],
) -> Result<RenewalOffer, StoreError> {
    let prior = prior(connection, exchange)?;
    let revoked = is_revoked(connection, device)?;
    if prior != Prior::None || revoked {
        return Ok(RenewalOffer { prior, revoked, items: Vec::new(), withdrawn: Vec::new() });
    }
    let renewable = |lid: &Lid| renewable(connection, exchange, device, *lid);
    let items = licenses.iter().map(renewable).collect::<Result<Vec<_>, _>>()?;
    let kids: BTreeSet<Kid> = items.iter().filter_map(kid_of).collect();
    Ok(RenewalOffer { prior, revoked, items, withdrawn: withdrawn_of(connection, device, kids)? })
}

fn kid_of(item: &Renewable) -> Option<Kid> {
    match item {
        Renewable::NotHeld => None,
        Renewable::OtherAccount(kid) | Renewable::NoContent(kid) => Some(*kid),
        Renewable::Held(held) => Some(held.kid),
    }
}

fn renewable(
    connection: &Connection,
    exchange: &Exchange,
    device: DeviceId,
    lid: Lid,
) -> Result<Renewable, StoreError> {
    const SEAT: &str = "SELECT kid FROM seat WHERE lid = $1 AND device_id = $2 AND returned_at IS NULL";
    let mut find = connection.prepare_cached(SEAT)?;
    let kid: Option<Vec<u8>> =
        find.query_row(params![lid.as_bytes(), device.as_bytes()], |row| row.get(0)).optional()?;
    let Some(kid) = kid else { return Ok(Renewable::NotHeld) };
    let kid: Kid = id(&kid, "seat")?;
    let Some(content) = find_content(connection, kid)? else { return Ok(Renewable::NoContent(kid)) };
    let user = if content.scope.is_some() { exchange.account } else { None };
    // A later license of this device stands for the one asked about.
    let own = find_license(connection, device, kid, user)?;
    let (mut current, restored) = match own {
        Some(own) => (Some(own), false),
        None => {
            let first = first_of(connection, kid, lid)?;
            if first.as_ref().is_some_and(|(_, holder)| holder.as_slice() != user_key(user.as_ref())) {
                return Ok(Renewable::OtherAccount(kid));
            }
            (first.map(|(issued, _)| issued), true)
        }
    };
    let state = match &mut current {
        Some(current) => {
            again::look_up(connection, device, current, exchange.now)?;
            None
        }
        None => find_state(connection, lid)?,
    };
    let rules = rules_for(connection, device)?.into();
    let taken_back = is_taken_back(connection, lid, device)?;
    Ok(Renewable::Held(Box::new(HeldLicense { kid, content, current, state, restored, taken_back, rules })))
}

/// The license as it was issued to a first device, with that account's key; none if it was replaced there since.
pub(super) fn first_of(connection: &Connection, kid: Kid, lid: Lid) -> Result<Option<(Issued, Vec<u8>)>, StoreError> {
    const FIND: &str = "SELECT license.terms, license.policy, license.user_id FROM seat \
        JOIN license ON license.device_id = seat.device_id AND license.kid = $1 AND license.lid = seat.lid \
        WHERE seat.lid = $2";
    let mut statement = connection.prepare_cached(FIND)?;
    let row: Option<(Vec<u8>, Vec<u8>, Vec<u8>)> = statement
        .query_row(params![kid.as_bytes(), lid.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((terms, policy, user)) = row else { return Ok(None) };
    Ok(Some((Issued::new(lid, id(&terms, "license")?, policy), user)))
}
