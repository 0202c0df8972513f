//! What is written when licenses go out: rows of licenses and seats, what they start from, uses of accounts, what goes out again,
//! what was withdrawn. What may go out is decided elsewhere.

use super::StoreError;
use super::deliveries;
use super::rows::{For, Rows};
use crate::rules::granted::{GrantDevice, GrantId};
use crate::rules::grants::{Bookings, HandedOut, counts_after};
use crate::rules::licenses::{Issue, NewLicense, UsesOut, Withdrawn};
use crate::rules::offers::has_room;
use crate::rules::rows::{Booked, SeatRow};
use crate::rules::uses;
use std::collections::{BTreeSet, HashMap};
use wmlicense_wire::id::{DeviceId, Kid, Lid};

/// What a device got again of these lines after a time; a line that is named twice counts once.
pub(super) async fn booked(
    rows: &mut dyn Rows,
    device: DeviceId,
    mut lines: Vec<Lid>,
    after: i64,
    how: For,
) -> Result<Vec<Booked>, StoreError> {
    lines.sort_unstable();
    lines.dedup();
    rows.again(device, &lines, after, how).await
}

/// The lines of the licenses that a device has or had, by license.
pub(super) async fn lines(
    rows: &mut dyn Rows,
    device: DeviceId,
    licenses: &[Lid],
) -> Result<HashMap<Lid, Lid>, StoreError> {
    let seats = rows.seats_of(device, licenses, For::Reading).await?;
    Ok(seats.into_iter().map(|seat| (seat.lid, seat.line.unwrap_or(seat.lid))).collect())
}

/// Writes licenses with what they start from, their first devices, what goes out again and what was withdrawn. False if it was
/// decided from another state than the present one.
pub(super) async fn write_issue(
    rows: &mut dyn Rows,
    device: DeviceId,
    Issue { licenses, delivered, deliveries, again, uses: handed_out, joins, withdrawn, made_again: _ }: &Issue,
    now: i64,
) -> Result<bool, StoreError> {
    let (others, new): (Vec<&NewLicense>, Vec<_>) = licenses.iter().partition(|license| license.replaces.is_some());
    let is_new = !new.is_empty() || !delivered.is_empty();
    if is_new && rows.count_deliveries(device, For::Changing).await? != *deliveries {
        return Ok(false);
    }
    let replaced: Vec<Lid> = others.iter().filter_map(|license| license.replaces).collect();
    deliveries::give_rows(rows, &replaced, Some(device)).await?;
    if !deliveries::insert(rows, delivered).await? {
        return Ok(false);
    }
    if rows.insert_licenses(device, &new, now).await? != new.len()
        || rows.replace_licenses(device, &others, now).await? != others.len()
    {
        return Ok(false);
    }
    let told = licenses.iter().filter_map(|license| Some((license.issued.lid, license.state.clone()?)));
    keep_states(rows, told.collect()).await?;
    let mut seats: Vec<SeatRow> = licenses.iter().map(|license| license.first_seat(device, now)).collect();
    // In the order of the table, because scattered inserts cost several times as much.
    seats.sort_unstable_by_key(|seat| (seat.lid, seat.device));
    rows.insert_seats(&seats).await?;
    Ok(join(rows, device, joins, now).await?
        && hand_out(rows, handed_out).await?
        && book(rows, device, again, now).await?
        && withdraw(rows, device, withdrawn).await?)
}

/// Keeps the strictest of what was known of licenses and what is told now.
async fn keep_states(
    rows: &mut dyn Rows,
    mut told: Vec<(Lid, wmlicense_wire::license::State)>,
) -> Result<(), StoreError> {
    let lids: Vec<Lid> = told.iter().map(|(lid, _)| *lid).collect();
    let known: HashMap<_, _> = rows.states(&lids, For::Changing).await?.into_iter().collect();
    for (lid, state) in &mut told {
        *state = uses::strictest(known.get(lid), state);
    }
    rows.put_states(&told).await
}

/// Counts a device in for grants of which it gets something for the first time; false where one has no room for it by now, or is
/// not there.
async fn join(rows: &mut dyn Rows, device: DeviceId, grants: &BTreeSet<GrantId>, now: i64) -> Result<bool, StoreError> {
    for grant in grants {
        let Some(row) = joinable(rows, device, *grant, now).await? else { return Ok(false) };
        rows.insert_grant_device(row).await?;
    }
    Ok(true)
}

/// The row that counts a device in for a grant; none where that has no room, or is not there. Nobody else joins it until the
/// transaction ends.
pub(super) async fn joinable(
    rows: &mut dyn Rows,
    device: DeviceId,
    grant: GrantId,
    now: i64,
) -> Result<Option<GrantDevice>, StoreError> {
    let Some(row) = rows.grant(grant, For::Changing).await? else { return Ok(None) };
    let devices = rows.grant_devices(&[grant]).await?;
    let is_in = devices.iter().any(|of| of.device == device);
    Ok((is_in || has_room(&row, devices.len())).then_some(GrantDevice { grant, device, user: row.user, since: now }))
}

/// Writes down which uses of accounts are out; false if others changed meanwhile what that was decided from.
async fn hand_out(rows: &mut dyn Rows, uses: &[UsesOut]) -> Result<bool, StoreError> {
    let grants: BTreeSet<GrantId> = uses.iter().map(|uses| uses.grant).collect();
    let kids: BTreeSet<Kid> = uses.iter().map(|uses| uses.kid).collect();
    let (grants, kids): (Vec<_>, Vec<_>) = (grants.into_iter().collect(), kids.into_iter().collect());
    let known = if uses.is_empty() { Vec::new() } else { rows.ledger(&grants, &kids, For::Changing).await? };
    for UsesOut { grant, kid, seen, rows: out } in uses {
        let of = known.iter().filter(|row| row.grant == *grant && row.kid == *kid);
        if !of.eq(seen.iter()) {
            return Ok(false);
        }
        rows.put_ledger(out).await?;
    }
    Ok(true)
}

/// Books what goes out again; false where one may not.
async fn book(rows: &mut dyn Rows, device: DeviceId, again: &[HandedOut], now: i64) -> Result<bool, StoreError> {
    if again.is_empty() {
        return Ok(true);
    }
    let lids: Vec<Lid> = again.iter().map(|handed| handed.lid).collect();
    let lines = lines(rows, device, &lids).await?;
    let line = |lid: &Lid| lines.get(lid).copied().unwrap_or(*lid);
    let all: Vec<Lid> = lids.iter().map(line).collect();
    let booked = booked(rows, device, all, counts_after(now), For::Changing).await?;
    let mut bookings = Bookings::new(now, booked);
    for HandedOut { lid, state } in again {
        if bookings.book(line(lid), *lid, state).is_err() {
            return Ok(false);
        }
    }
    rows.insert_again(device, &bookings.into_rows()).await?;
    Ok(true)
}

/// Writes down what the device was told to drop. False if it has another license for one of the key IDs by now.
pub(super) async fn withdraw(
    rows: &mut dyn Rows,
    device: DeviceId,
    withdrawn: &[Withdrawn],
) -> Result<bool, StoreError> {
    if withdrawn.is_empty() {
        return Ok(true);
    }
    let mark = rows.mark(For::Reading).await?;
    let lids: Vec<Lid> = withdrawn.iter().map(|withdrawn| withdrawn.lid).collect();
    let whole = deliveries::withdraw(rows, device, &lids, mark).await?;
    let withdrawn: Vec<&Withdrawn> = withdrawn.iter().filter(|withdrawn| !whole.contains(&withdrawn.lid)).collect();
    let own: Vec<_> = withdrawn.iter().map(|withdrawn| (device, withdrawn.kid, withdrawn.lid)).collect();
    let own = rows.withdraw_licenses(&own, mark).await?;
    let lids: Vec<Lid> = withdrawn.iter().map(|withdrawn| withdrawn.lid).collect();
    let mut restored = rows.seats_of(device, &lids, For::Changing).await?;
    restored.retain(|seat| seat.restored && seat.returned_at.is_none());
    let seats: Vec<_> = restored.iter().map(|seat| (seat.lid, device)).collect();
    rows.withdraw_seats(&seats, mark).await?;
    Ok(lids.iter().zip(own).all(|(lid, own)| own || restored.iter().any(|seat| seat.lid == *lid)))
}
