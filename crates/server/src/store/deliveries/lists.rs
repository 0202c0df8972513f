//! Delivered licenses as they are listed among all others.

use super::super::StoreError;
use super::super::rows::{Filter, LicenseEntry, LicenseFacts, Rows};
use super::{DAMAGED, DELIVERIES, pages_of};
use crate::rules::delivered::{DeliveryRow, place_of};
use crate::rules::pages::Page;
use std::collections::{BTreeSet, HashMap, HashSet};
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid};

/// Licenses as [`super::super::rows::ListRows::list_licenses`] lists them, with those that were delivered.
pub(in crate::store) async fn list(
    rows: &mut dyn Rows,
    filter: &Filter,
    behind: Option<(i64, Lid, DeviceId)>,
    limit: usize,
) -> Result<Vec<LicenseFacts>, StoreError> {
    let mut all = rows.list_licenses(filter, behind, limit).await?;
    let mut from = behind.map(|(at, lid, _)| (at, place_of(lid).0));
    let is_behind = |row: &LicenseEntry| {
        behind.is_none_or(|(at, lid, device)| {
            row.issued_at < at || (row.issued_at == at && (row.lid, row.device) > (lid, device))
        })
    };
    let (mut delivered, mut seen) = (Vec::new(), HashSet::new());
    loop {
        let page = rows.list_deliveries(filter, from, DELIVERIES).await?;
        let is_last = page.len() < DELIVERIES;
        from = page.last().map(|(delivery, _)| (delivery.issued_at, delivery.id));
        let pages = pages_of(rows, page.iter().map(|(delivery, _)| delivery)).await?;
        for (delivery, account) in page.into_iter().filter(|(delivery, _)| seen.insert(delivery.id)) {
            if delivered.len() >= limit {
                break;
            }
            let page = pages.get(&delivery.page).ok_or(DAMAGED)?;
            let entries = entries(rows, filter, &delivery, account, page).await?;
            delivered.extend(entries.into_iter().filter(|facts| is_behind(&facts.entry)));
        }
        // From the last one on once more, so that nothing is lost between two of one second; two make sure that it goes on.
        if is_last || delivered.len() >= limit {
            break;
        }
    }
    all.extend(delivered);
    all.sort_by_key(|facts| (std::cmp::Reverse(facts.entry.issued_at), facts.entry.lid, facts.entry.device));
    all.truncate(limit);
    Ok(all)
}

/// The licenses of a delivery that a filter means.
async fn entries(
    rows: &mut dyn Rows,
    filter: &Filter,
    delivery: &DeliveryRow,
    account: Option<String>,
    page: &Page,
) -> Result<Vec<LicenseFacts>, StoreError> {
    let places: Vec<u32> = match filter.kid {
        None => delivery.places().collect(),
        Some(kid) => page.place(kid).filter(|place| delivery.is_live(*place)).into_iter().collect(),
    };
    let kids: Vec<Kid> = places.iter().filter_map(|place| page.kids.get(*place as usize)).copied().collect();
    let titles: HashMap<Kid, String> =
        rows.contents(&kids).await?.into_iter().filter_map(|row| Some((row.kid, row.title?))).collect();
    let lids: Vec<Lid> = places.iter().map(|place| delivery.lid(*place)).collect();
    let words: HashMap<(Lid, DeviceId), i64> =
        rows.acknowledged_at(&lids).await?.into_iter().map(|(lid, device, at)| ((lid, device), at)).collect();
    let part = filter.title.as_ref().map(|part| part.to_ascii_lowercase());
    let mut found = Vec::new();
    for ((place, kid), lid) in places.iter().zip(&kids).zip(lids) {
        let title = titles.get(kid);
        if part.as_ref().is_some_and(|part| !title.is_some_and(|title| title.to_ascii_lowercase().contains(part))) {
            continue;
        }
        let entry = LicenseEntry {
            lid,
            kid: *kid,
            title: title.cloned(),
            device: delivery.device,
            account: account.clone(),
            issued_at: delivery.issued_at,
            returned_at: None,
            devices: 1,
            taken_back: false,
            acknowledged_at: words.get(&(lid, delivery.device)).copied(),
        };
        let policy = page.policy(delivery, *place).ok_or(DAMAGED)?.encode();
        found.push(LicenseFacts { entry, policy });
    }
    Ok(found)
}

/// Key IDs that a device got a license for in a delivery, behind one, in order and once.
pub(in crate::store) async fn kids_of(
    rows: &mut dyn Rows,
    device: DeviceId,
    behind: Option<Kid>,
) -> Result<Vec<Kid>, StoreError> {
    let deliveries = rows.deliveries_of(device).await?;
    let pages = pages_of(rows, &deliveries).await?;
    let kids = pages
        .values()
        .flat_map(|page| page.kids.iter().copied())
        .filter(|kid| behind.is_none_or(|behind| *kid > behind));
    Ok(kids.collect::<BTreeSet<_>>().into_iter().collect())
}

/// The pages that have a key ID.
pub(in crate::store) async fn pages_with(rows: &mut dyn Rows, kid: Kid) -> Result<Vec<Digest>, StoreError> {
    let found = rows.pages_with(kid).await?.into_iter();
    let has = |kids: &[u8]| kids.as_chunks::<{ Kid::LEN }>().0.iter().any(|of| of == kid.as_bytes());
    Ok(found.filter(|(_, kids)| has(kids)).map(|(hash, _)| hash).collect())
}
