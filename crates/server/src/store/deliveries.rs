//! Licenses that were delivered many at once, as they stand among those that have rows of their own. A row goes before a delivery;
//! whatever is to be written about one delivered license is written about its rows, which it gets at that moment, with a bit that
//! says so. So nothing is ever known of a delivered license but what its delivery says.

mod check;
mod lists;
mod over;

pub(super) use check::check_behind;
pub(crate) use check::{Broken, Checked};
pub(super) use lists::{kids_of, list, pages_with};
pub(super) use over::{held_for, withdraw, withdraw_by_rule, withdrawn_behind};

use super::StoreError;
use super::rows::{For, Rows};
use crate::rules::delivered::{DeliveryId, DeliveryRow, NewDelivery, place_of};
use crate::rules::licenses::NewLicense;
use crate::rules::pages::{Page, keep_page, known_page};
use crate::rules::rows::{LicenseRow, SeatRow};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid, UserId};

/// Deliveries that are read at once.
const DELIVERIES: usize = 64;
/// Deliveries or pages that are looked at and dropped at once.
const DROPPED: usize = 256;
/// For how long a page is named by nothing before it is dropped, in seconds: no request that found it there runs that long.
const UNUSED: i64 = 24 * 60 * 60;
/// So many key IDs in order are looked up as one range of rows.
const RANGE: usize = 512;
/// Where a range has this many times the rows that were asked for, they are looked up by their keys.
const RANGE_FACTOR: usize = 2;

const DAMAGED: StoreError = StoreError::Damaged("page of a delivery");

/// Pages by their hashes.
pub(super) type Pages = HashMap<Digest, Arc<Page>>;

/// The pages of deliveries.
pub(super) async fn pages_of(
    rows: &mut dyn Rows,
    deliveries: impl IntoIterator<Item = &DeliveryRow>,
) -> Result<Pages, StoreError> {
    let (pages, damaged) = readable_pages(rows, deliveries).await?;
    if damaged.is_empty() { Ok(pages) } else { Err(DAMAGED) }
}

/// The pages of deliveries, and hashes of those that are damaged or not there.
async fn readable_pages(
    rows: &mut dyn Rows,
    deliveries: impl IntoIterator<Item = &DeliveryRow>,
) -> Result<(Pages, BTreeSet<Digest>), StoreError> {
    let wanted: BTreeSet<Digest> = deliveries.into_iter().map(|delivery| delivery.page).collect();
    let mut pages: Pages = wanted.iter().filter_map(|hash| Some((*hash, known_page(*hash)?))).collect();
    let missing: Vec<Digest> = wanted.iter().filter(|hash| !pages.contains_key(hash)).copied().collect();
    pages.extend(rows.pages(&missing).await?.iter().filter_map(|row| Some((row.hash, keep_page(row)?))));
    let damaged = wanted.into_iter().filter(|hash| !pages.contains_key(hash)).collect();
    Ok((pages, damaged))
}

/// Drops deliveries of before a time of which every license has rows of its own, and pages that no delivery named for a day, some of
/// both; gives the page that was looked at last, where there may be more.
pub(super) async fn drop_dead(
    rows: &mut dyn Rows,
    behind: Option<Digest>,
    before: i64,
    now: i64,
) -> Result<Option<Digest>, StoreError> {
    rows.drop_dead_deliveries(before, DROPPED).await?;
    rows.drop_unused_pages(now.saturating_sub(UNUSED), DROPPED).await?;
    let behind = behind.as_ref().map_or(&[][..], |behind| behind.as_bytes());
    rows.note_unused_pages(behind, DROPPED, now).await
}

/// What a device got in deliveries.
pub(super) struct Delivered {
    deliveries: Vec<DeliveryRow>,
    pages: Pages,
}

impl Delivered {
    /// To a device, as far as it is about key IDs.
    pub(super) async fn of(rows: &mut dyn Rows, device: DeviceId, kids: &[Kid]) -> Result<Self, StoreError> {
        let mut kids = kids.to_vec();
        kids.sort_unstable();
        let deliveries = rows.deliveries_of(device).await?;
        let pages = pages_of(rows, deliveries.iter().filter(|delivery| delivery.may_have(&kids))).await?;
        Ok(Self { deliveries, pages })
    }

    /// How many deliveries there are.
    pub(super) fn count(&self) -> u64 {
        self.deliveries.len() as u64
    }

    /// True if a license has no rows of its own.
    pub(super) fn has(&self, lid: Lid) -> bool {
        let (id, place) = place_of(lid);
        let found = self.deliveries.binary_search_by_key(&id, |delivery| delivery.id);
        found.is_ok_and(|at| self.deliveries[at].is_live(place))
    }

    /// Those of a key ID that have no rows of their own, with their places.
    fn live(&self, kid: Kid) -> impl Iterator<Item = (&DeliveryRow, &Page, u32)> {
        self.deliveries.iter().filter_map(move |delivery| {
            let page = self.pages.get(&delivery.page)?;
            let place = page.place(kid).filter(|place| delivery.is_live(*place))?;
            Some((delivery, &**page, place))
        })
    }

    /// The license of a key ID and account.
    fn license(&self, kid: Kid, user: Option<UserId>) -> Result<Option<LicenseRow>, StoreError> {
        let found = self.live(kid).find(|(delivery, ..)| delivery.user == user);
        found.map(|(delivery, page, place)| page.license(delivery, place).ok_or(DAMAGED)).transpose()
    }
}

/// The licenses that a device has for key IDs and accounts, in order.
pub(super) async fn licenses(
    rows: &mut dyn Rows,
    device: DeviceId,
    keys: &[(Kid, Option<UserId>)],
    delivered: &Delivered,
) -> Result<Vec<Option<LicenseRow>>, StoreError> {
    let mut found = licenses_of(rows, device, keys).await?;
    for ((kid, user), row) in keys.iter().zip(&mut found).filter(|(_, row)| row.is_none()) {
        *row = delivered.license(*kid, *user)?;
    }
    Ok(found)
}

/// The licenses that have rows, in order. Of key IDs in order the rows between them are read, unless there are many others.
async fn licenses_of(
    rows: &mut dyn Rows,
    device: DeviceId,
    keys: &[(Kid, Option<UserId>)],
) -> Result<Vec<Option<LicenseRow>>, StoreError> {
    let [(first, _), .., (last, _)] = keys else { return rows.licenses(device, keys).await };
    if keys.len() < RANGE || !keys.is_sorted_by_key(|(kid, _)| *kid) {
        return rows.licenses(device, keys).await;
    }
    let limit = RANGE_FACTOR * keys.len();
    let between = rows.licenses_between(device, *first, *last, limit).await?;
    if between.len() >= limit {
        return rows.licenses(device, keys).await;
    }
    let mut own: HashMap<_, _> = between.into_iter().map(|(kid, row)| ((kid, row.user), row)).collect();
    Ok(keys.iter().map(|key| own.remove(key)).collect())
}

/// Deliveries of licenses by their IDs, with the places that have no rows of their own.
async fn live(
    rows: &mut dyn Rows,
    licenses: &[Lid],
    how: For,
) -> Result<(Vec<(DeliveryRow, Vec<u32>)>, Pages), StoreError> {
    let mut places: BTreeMap<DeliveryId, BTreeSet<u32>> = BTreeMap::new();
    for (id, place) in licenses.iter().map(|lid| place_of(*lid)) {
        places.entry(id).or_default().insert(place);
    }
    let ids: Vec<DeliveryId> = places.keys().copied().collect();
    let mut found = Vec::new();
    for delivery in rows.deliveries(&ids, how).await? {
        let mut places = places.remove(&delivery.id).unwrap_or_default();
        places.retain(|place| delivery.is_live(*place));
        if !places.is_empty() {
            found.push((delivery, places.into_iter().collect()));
        }
    }
    let pages = pages_of(rows, found.iter().map(|(delivery, _)| delivery)).await?;
    Ok((found, pages))
}

/// The licenses of these IDs as they were issued to a first device, in order; none where another one stands in its row by now.
pub(super) async fn first_licenses(
    rows: &mut dyn Rows,
    licenses: &[(Kid, Lid)],
) -> Result<Vec<Option<LicenseRow>>, StoreError> {
    let mut first = rows.first_licenses(licenses).await?;
    let missing = |(_, row): &(_, &Option<LicenseRow>)| row.is_none();
    let lids: Vec<Lid> = licenses.iter().zip(&first).filter(missing).map(|((_, lid), _)| *lid).collect();
    let (found, pages) = live(rows, &lids, For::Reading).await?;
    let mut delivered = HashMap::new();
    for (delivery, places) in &found {
        let page = pages.get(&delivery.page).ok_or(DAMAGED)?;
        for place in places {
            delivered.insert(delivery.lid(*place), page.license(delivery, *place).ok_or(DAMAGED)?);
        }
    }
    for ((_, lid), row) in licenses.iter().zip(&mut first) {
        *row = row.take().or_else(|| delivered.remove(lid));
    }
    Ok(first)
}

/// The seats of licenses. That of the device that a license was delivered to is there without a row.
pub(super) async fn seats(rows: &mut dyn Rows, licenses: &[Lid], how: For) -> Result<Vec<SeatRow>, StoreError> {
    let mut seats = rows.seats(licenses, how).await?;
    let known: HashSet<(Lid, DeviceId)> = seats.iter().map(|seat| (seat.lid, seat.device)).collect();
    // What is changed is read under the guards of the licenses, which all that give rows to a license hold.
    let (found, pages) = live(rows, licenses, For::Reading).await?;
    for (delivery, places) in &found {
        let page = pages.get(&delivery.page).ok_or(DAMAGED)?;
        for place in places {
            let seat = page.seat(delivery, *place).ok_or(DAMAGED)?;
            if !known.contains(&(seat.lid, seat.device)) {
                seats.push(seat);
            }
        }
    }
    Ok(seats)
}

/// Gives licenses rows of their own, those of them that have none yet and were delivered; to a device alone where one is named.
/// The rows say what the delivery said.
pub(super) async fn give_rows(rows: &mut dyn Rows, licenses: &[Lid], only: Option<DeviceId>) -> Result<(), StoreError> {
    // Most have no delivery, and cost a look.
    let (found, _) = live(rows, licenses, For::Reading).await?;
    let of_device = |delivery: &DeliveryRow| only.is_none_or(|only| only == delivery.device);
    let all = found.iter().filter(|(delivery, _)| of_device(delivery));
    let meant: BTreeSet<Lid> =
        all.flat_map(|(delivery, places)| places.iter().map(|place| delivery.lid(*place))).collect();
    if meant.is_empty() {
        return Ok(());
    }
    let meant: Vec<Lid> = meant.into_iter().collect();
    let known = rows.seats(&meant, For::Changing).await?;
    let known: HashSet<(Lid, DeviceId)> = known.iter().map(|seat| (seat.lid, seat.device)).collect();
    let (found, pages) = live(rows, &meant, For::Changing).await?;
    for (mut delivery, places) in found {
        let page = pages.get(&delivery.page).ok_or(DAMAGED)?;
        let own = |place: &u32| page.own(&delivery, *place).ok_or(DAMAGED);
        let own: Vec<NewLicense> = places.iter().map(own).collect::<Result<_, _>>()?;
        let seat = |place: &u32| page.seat(&delivery, *place).ok_or(DAMAGED);
        let seats: Vec<SeatRow> = places.iter().map(seat).collect::<Result<_, _>>()?;
        // Where another license has the row by now, that one counts.
        let own: Vec<&NewLicense> = own.iter().collect();
        rows.insert_licenses(delivery.device, &own, delivery.issued_at).await?;
        let new: Vec<SeatRow> =
            seats.iter().filter(|seat| !known.contains(&(seat.lid, seat.device))).cloned().collect();
        rows.insert_seats(&new).await?;
        if let Some(mark) = delivery.withdrawn {
            let told: Vec<_> = seats.iter().map(|seat| (seat.device, seat.kid, seat.lid)).collect();
            rows.withdraw_licenses(&told, mark).await?;
        }
        places.iter().for_each(|place| delivery.leave(*place));
        rows.put_gone(&delivery).await?;
    }
    Ok(())
}

/// Writes deliveries to a device. False if it has a license for one of the key IDs by now.
pub(super) async fn insert(rows: &mut dyn Rows, deliveries: &[NewDelivery]) -> Result<bool, StoreError> {
    for NewDelivery { row, page } in deliveries {
        let kids: Vec<Kid> = page.kids.as_chunks::<{ Kid::LEN }>().0.iter().map(|kid| Kid::new(*kid)).collect();
        let keys: Vec<_> = kids.iter().map(|kid| (*kid, row.user)).collect();
        // Nothing was there when it was decided, so that there is little to find.
        if licenses_of(rows, row.device, &keys).await?.iter().any(Option::is_some) {
            return Ok(false);
        }
        rows.insert_page(page).await?;
        rows.insert_delivery(row).await?;
    }
    Ok(true)
}
