//! Delivered licenses that a device has to drop: those that its account may not have any more, and those that a rule takes back.

use super::super::StoreError;
use super::super::rows::{For, Rows};
use super::super::terms;
use super::{DAMAGED, DELIVERIES, Delivered, give_rows, live, pages_of, readable_pages};
use crate::rules::content::Content;
use crate::rules::delivered::{DeliveryId, DeliveryRow};
use crate::rules::delivery::is_over;
use crate::rules::licenses::Withdrawn;
use crate::rules::offers::Rights;
use crate::rules::pages::Page;
use crate::rules::revocation::Order;
use crate::rules::rows::{HeldRow, Holder, Openness};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};
use wmlicense_wire::revocation::{Entry, Rule};

/// Whom the licenses of a delivery were issued to.
fn holder(delivery: &DeliveryRow) -> Holder {
    delivery.user.map_or(Holder::Anybody, Holder::Account)
}

/// Licenses at places of a delivery as they decide whether the device has to drop them.
async fn held(
    rows: &mut dyn Rows,
    delivery: &DeliveryRow,
    page: &Page,
    places: &[u32],
) -> Result<Vec<HeldRow>, StoreError> {
    let kids: Vec<Kid> = places.iter().filter_map(|place| page.kids.get(*place as usize)).copied().collect();
    let contents = rows.offered(&kids).await?;
    let row = |((place, kid), content): ((&u32, &Kid), Option<Content>)| HeldRow {
        kid: *kid,
        lid: delivery.lid(*place),
        holder: holder(delivery),
        withdrawn: delivery.withdrawn,
        content: content
            .map(|content| content.scope.map_or(Openness::Open, |scope| Openness::Scope(scope.to_string()))),
    };
    Ok(places.iter().zip(&kids).zip(contents).map(row).collect())
}

/// What a device has of deliveries for key IDs.
pub(in crate::store) async fn held_for(
    rows: &mut dyn Rows,
    kids: &[Kid],
    delivered: &Delivered,
) -> Result<Vec<HeldRow>, StoreError> {
    let meant: Vec<_> = kids.iter().flat_map(|kid| delivered.live(*kid).map(|found| (*kid, found))).collect();
    let kids: Vec<Kid> = meant.iter().map(|(kid, _)| *kid).collect();
    let contents = rows.offered(&kids).await?;
    let mut held = Vec::with_capacity(meant.len());
    for ((kid, (delivery, _, place)), content) in meant.into_iter().zip(contents) {
        let content =
            content.map(|content| content.scope.map_or(Openness::Open, |scope| Openness::Scope(scope.to_string())));
        let (lid, withdrawn) = (delivery.lid(place), delivery.withdrawn);
        held.push(HeldRow { kid, lid, holder: holder(delivery), withdrawn, content });
    }
    Ok(held)
}

/// The licenses of deliveries behind an ID that a device has to drop, or was told to after its last run, and the last delivery
/// that was looked at where there may be more. A delivery comes whole, so that it can be noted whole that it was told.
pub(in crate::store) async fn withdrawn_behind(
    rows: &mut dyn Rows,
    device: DeviceId,
    behind: Option<DeliveryId>,
    (since, now): (i64, i64),
    room: usize,
) -> Result<(Vec<Withdrawn>, Option<DeliveryId>), StoreError> {
    let deliveries = rows.deliveries_of(device).await?;
    let look = Look::of(rows, &deliveries, (since, now)).await?;
    let (mut withdrawn, mut last) = (Vec::new(), behind);
    for delivery in deliveries.iter().filter(|delivery| behind.is_none_or(|behind| delivery.id > behind)) {
        if !look.may_be_over(delivery) {
            continue;
        }
        let pages = pages_of(rows, [delivery]).await?;
        let over = look.over(rows, delivery, pages.get(&delivery.page).ok_or(DAMAGED)?).await?;
        if withdrawn.len() + over.len() > room {
            return Ok((withdrawn, Some(last.unwrap_or(DeliveryId::new([0; DeliveryId::LEN])))));
        }
        withdrawn.extend(over);
        last = Some(delivery.id);
    }
    Ok((withdrawn, None))
}

/// What decides which licenses of deliveries are over.
struct Look {
    rights: Rights,
    /// Content that left a scope, with the mark at which it did last.
    left: HashMap<String, HashMap<Kid, i64>>,
    since: i64,
    now: i64,
    users: Vec<UserId>,
}

impl Look {
    async fn of(rows: &mut dyn Rows, deliveries: &[DeliveryRow], (since, now): (i64, i64)) -> Result<Self, StoreError> {
        let users: BTreeSet<UserId> = deliveries.iter().filter_map(|delivery| delivery.user).collect();
        let users: Vec<UserId> = users.into_iter().collect();
        let rights = terms::rights(rows, &users, &[], now).await?;
        let mut marks: BTreeMap<&String, i64> = BTreeMap::new();
        for delivery in deliveries.iter().filter(|delivery| delivery.live > 0 && delivery.withdrawn.is_none()) {
            let mark = marks.entry(&delivery.scope).or_insert(delivery.mark);
            *mark = delivery.mark.min(*mark);
        }
        let mut left: HashMap<String, HashMap<Kid, i64>> = HashMap::new();
        for (scope, mark) in marks {
            let of = left.entry(scope.clone()).or_default();
            for (kid, mark) in rows.left_after(scope, mark).await? {
                let last = of.entry(kid).or_insert(mark);
                *last = mark.max(*last);
            }
        }
        Ok(Self { rights, left, since, now, users })
    }

    /// True if content may not be had any more by whom a delivery is for, where it did not leave its scope.
    fn is_scope_over(&self, delivery: &DeliveryRow) -> bool {
        let scope = if delivery.scope.is_empty() { Openness::Open } else { Openness::Scope(delivery.scope.clone()) };
        let any = HeldRow {
            kid: Kid::new([0; Kid::LEN]),
            lid: delivery.lid(0),
            holder: holder(delivery),
            withdrawn: None,
            content: Some(scope),
        };
        is_over(&any, &self.rights, self.since)
    }

    /// False if nothing of a delivery is over, whatever it is.
    fn may_be_over(&self, delivery: &DeliveryRow) -> bool {
        let mut left = self.left.get(&delivery.scope).into_iter().flatten();
        match delivery.withdrawn {
            _ if delivery.live == 0 => false,
            Some(mark) => mark > self.since,
            None => self.is_scope_over(delivery) || left.any(|(_, mark)| *mark > delivery.mark),
        }
    }

    /// Of a delivery, what the device has to drop or was told to after its last run.
    async fn over(
        &self,
        rows: &mut dyn Rows,
        delivery: &DeliveryRow,
        page: &Page,
    ) -> Result<Vec<Withdrawn>, StoreError> {
        let told = |place: u32| {
            let kid = *page.kids.get(place as usize)?;
            Some(Withdrawn { lid: delivery.lid(place), kid, user: delivery.user })
        };
        if let Some(mark) = delivery.withdrawn {
            let is_news = mark > self.since;
            return Ok(delivery.places().filter(|_| is_news).filter_map(told).collect());
        }
        let left = self.left.get(&delivery.scope);
        let has_left = |place: &u32| {
            let mark = left.and_then(|left| left.get(page.kids.get(*place as usize)?));
            mark.is_some_and(|mark| *mark > delivery.mark)
        };
        let (moved, rest): (Vec<u32>, Vec<u32>) = delivery.places().partition(has_left);
        let is_whole = self.is_scope_over(delivery) && self.rights.naming().is_empty();
        let mut places = if is_whole { rest.clone() } else { Vec::new() };
        // Where offers name key IDs, each is looked at for itself.
        let single = if self.is_scope_over(delivery) && !is_whole { [moved, rest].concat() } else { moved };
        let single_rows = held(rows, delivery, page, &single).await?;
        let kids: Vec<Kid> = single_rows.iter().map(|row| row.kid).collect();
        let rights = if kids.is_empty() || self.rights.naming().is_empty() {
            None
        } else {
            Some(terms::rights(rows, &self.users, &kids, self.now).await?)
        };
        let rights = rights.as_ref().unwrap_or(&self.rights);
        let gone = single.iter().zip(&single_rows).filter(|(_, row)| is_over(row, rights, self.since));
        places.extend(gone.map(|(place, _)| *place));
        places.sort_unstable();
        Ok(places.into_iter().filter_map(told).collect())
    }
}

/// Notes what a device was told to drop of deliveries: whole ones as such, others get rows of their own. Gives those that belong
/// to a whole delivery.
pub(in crate::store) async fn withdraw(
    rows: &mut dyn Rows,
    device: DeviceId,
    licenses: &[Lid],
    mark: i64,
) -> Result<HashSet<Lid>, StoreError> {
    let (found, _) = live(rows, licenses, For::Changing).await?;
    let whole =
        found.iter().filter(|(delivery, places)| delivery.device == device && places.len() == delivery.live as usize);
    let (mut ids, mut noted) = (Vec::new(), HashSet::new());
    for (delivery, places) in whole {
        ids.push(delivery.id);
        noted.extend(places.iter().map(|place| delivery.lid(*place)));
    }
    rows.withdraw_deliveries(&ids, mark).await?;
    let other: Vec<Lid> = licenses.iter().filter(|lid| !noted.contains(lid)).copied().collect();
    give_rows(rows, &other, Some(device)).await?;
    Ok(noted)
}

/// Has devices told of the delivered licenses of a rule at their next pre-delivery, and gives the devices, and how many deliveries
/// could not be looked into. What a rule names by its key ID gets rows of its own.
pub(in crate::store) async fn withdraw_by_rule(
    rows: &mut dyn Rows,
    order: &Order,
    mark: i64,
) -> Result<(HashSet<DeviceId>, u64), StoreError> {
    let (mut devices, mut unread, mut behind) = (HashSet::new(), 0, None);
    let Entry::Rule(Rule { kid, .. }) = order.entry else { return Ok((devices, unread)) };
    loop {
        let deliveries = rows.deliveries_behind(behind, DELIVERIES).await?;
        behind = deliveries.last().map(|delivery| delivery.id);
        let is_last = deliveries.len() < DELIVERIES;
        let meant = deliveries.iter().filter(|delivery| delivery.live > 0 && order.may_match(delivery));
        if let Some(kid) = kid {
            let meant: Vec<&DeliveryRow> = meant.filter(|delivery| delivery.may_have(&[kid])).collect();
            // What one damaged page keeps from being told may not keep the other devices from being told.
            let (pages, damaged) = readable_pages(rows, meant.iter().copied()).await?;
            unread += meant.iter().filter(|delivery| damaged.contains(&delivery.page)).count() as u64;
            let place = |delivery: &DeliveryRow| pages.get(&delivery.page)?.place(kid);
            let of = |delivery: &&DeliveryRow| {
                let place = place(delivery).filter(|place| delivery.is_live(*place))?;
                Some((delivery.device, kid, delivery.lid(place)))
            };
            let single: Vec<_> = meant.iter().filter_map(of).collect();
            give_rows(rows, &single.iter().map(|(.., lid)| *lid).collect::<Vec<_>>(), None).await?;
            rows.withdraw_licenses(&single, mark).await?;
            devices.extend(single.iter().map(|(device, ..)| *device));
        } else {
            // All licenses of a delivery are equal to it.
            let whole: Vec<&DeliveryRow> = meant.collect();
            rows.withdraw_deliveries(&whole.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), mark).await?;
            devices.extend(whole.iter().map(|delivery| delivery.device));
        }
        if is_last {
            return Ok((devices, unread));
        }
    }
}
