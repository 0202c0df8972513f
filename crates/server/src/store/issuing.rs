//! Licenses for those who ask, and for those who do not: what may be granted, what is delivered, and what is written with it.

use super::catalogue::Catalogue;
use super::deliveries::{self, Delivered};
use super::exchanges::{begin_keeping, prior_of};
use super::rows::{For, Rows};
use super::terms::{self, Changed, rights};
use super::written::{booked, lines, write_issue};
use super::{End, Pending, Store, StoreError};
use crate::rules::content::Content;
use crate::rules::delivered::DeliveryId;
use crate::rules::delivery::{self, DeliveryPage, DeliveryQuery, EVER, HeldKey, Position};
use crate::rules::exchanges::{Committed, Exchange, Prior};
use crate::rules::grants::{Bookings, counts_after};
use crate::rules::ledger;
use crate::rules::licenses::{Issue, KeptLicense, Offer, Offered, Withdrawn, holder, missing_roots};
use crate::rules::revocation::{Order, rules_for};
use crate::rules::rows::{HeldRow, Keeping};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};
use wmlicense_wire::request::MAX_LICENSES;
use wmlicense_wire::revocation::Rule;

impl Store {
    /// What may be granted to an account.
    pub(crate) fn offer(
        &self,
        exchange: Exchange,
        device: DeviceId,
        user: Option<UserId>,
        kids: Vec<Kid>,
    ) -> Pending<'_, Offer> {
        self.read((exchange, device, user, kids), |(exchange, device, user, kids), rows| {
            Box::pin(offer(rows, exchange, *device, *user, kids))
        })
    }

    /// What may be delivered, at most as much as one answer takes.
    pub(crate) fn delivery(
        &self,
        exchange: Exchange,
        device: DeviceId,
        query: DeliveryQuery,
    ) -> Pending<'_, DeliveryPage> {
        let asked = (exchange, device, query, Arc::clone(&self.catalogue));
        self.read(asked, |(exchange, device, query, catalogue), rows| {
            Box::pin(deliver(rows, catalogue, exchange, *device, query))
        })
    }

    /// Writes licenses, what they start from, their first devices, what goes out again, what was withdrawn, and the answer.
    pub(crate) fn issue(
        &self,
        exchange: Exchange,
        device: DeviceId,
        issue: Issue,
        answer: Vec<u8>,
    ) -> Pending<'_, Committed> {
        self.write((exchange, device, issue, answer), |(exchange, device, issue, answer), rows| {
            Box::pin(async move {
                let keeping = if issue.made_again { Keeping::MadeAgain } else { Keeping::Bytes(answer) };
                if let Err(other) = begin_keeping(rows, exchange, keeping).await? {
                    return Ok(End::Undo(other));
                }
                let written = write_issue(rows, *device, issue, exchange.now).await?;
                Ok(if written { End::Keep(Committed::Done) } else { End::Undo(Committed::Changed) })
            })
        })
    }

    /// Content by key ID as an account, or who names none, may have it at `now`, in order.
    pub(crate) fn contents_of(
        &self,
        user: Option<UserId>,
        kids: Vec<Kid>,
        now: i64,
    ) -> Pending<'_, Vec<Option<Content>>> {
        self.read((user, kids, now), |(user, kids, now), rows| {
            Box::pin(terms::offered(rows, (None, *user), kids, *now))
        })
    }
}

async fn offer(
    rows: &mut dyn Rows,
    exchange: &Exchange,
    device: DeviceId,
    user: Option<UserId>,
    kids: &[Kid],
) -> Result<Offer, StoreError> {
    let (prior, revoked) = (prior_of(rows, exchange).await?, rows.is_revoked(device).await?);
    let mut offer =
        Offer { prior, revoked, items: Vec::new(), roots: Vec::new(), withdrawn: Vec::new(), deliveries: 0 };
    if offer.prior != Prior::None || revoked {
        return Ok(offer);
    }
    let mut contents = terms::offered(rows, (Some(device), user), kids, exchange.now).await?;
    let roots = missing_roots(contents.iter().flatten(), kids);
    if !roots.is_empty() {
        contents.extend(terms::offered(rows, (Some(device), user), &roots, exchange.now).await?);
    }
    let all: Vec<Kid> = kids.iter().chain(&roots).copied().collect();
    let found = all.iter().zip(contents).map(|(kid, content)| (*kid, content)).collect();
    let asking = Asking::new(rows, (device, user), &all, exchange.now).await?;
    let mut offered = asking.offered(rows, found).await?;
    let of_roots = offered.split_off(kids.len());
    offer.items = offered.into_iter().map(|(_, offered)| offered).collect();
    offer.roots = of_roots.into_iter().filter_map(|(kid, offered)| Some((kid, offered?))).collect();
    offer.withdrawn = withdrawn_of(rows, device, kids, &asking.delivered, exchange.now).await?;
    offer.deliveries = asking.delivered.count();
    Ok(offer)
}

async fn deliver(
    rows: &mut dyn Rows,
    catalogue: &Catalogue,
    exchange: &Exchange,
    device: DeviceId,
    query: &DeliveryQuery,
) -> Result<DeliveryPage, StoreError> {
    let (prior, revoked) = (prior_of(rows, exchange).await?, rows.is_revoked(device).await?);
    let mark = rows.mark(For::Reading).await?;
    let (withdrawn, items) = (Vec::new(), Vec::new());
    let mut page = DeliveryPage { prior, revoked, mark, withdrawn, refusal: None, items, deliveries: 0, next: None };
    if !matches!(page.prior, Prior::None | Prior::Again) || page.revoked {
        return Ok(page);
    }
    let since = delivery::since(query.since, mark);
    if let Position::Withdrawn(after) = &query.from {
        (page.withdrawn, page.next) = withdrawn_from(rows, device, after, since, exchange.now).await?;
        if page.next.is_some() {
            return Ok(page);
        }
    }
    let user = exchange.account;
    let Changed { found, next, rights, refusal } =
        terms::changed_behind(rows, catalogue, query, (user, since, exchange.now)).await?;
    (page.next, page.refusal) = (next, refusal);
    let places: Vec<Arc<str>> = found.iter().map(|(place, ..)| Arc::clone(place)).collect();
    let found = found.into_iter().map(|(_, kid, content)| (kid, Some(content))).collect();
    let found = terms::settled(rows, rights, (Some(device), user), found).await?;
    let kids: Vec<Kid> = found.iter().map(|(kid, _)| *kid).collect();
    let asking = Asking::new(rows, (device, user), &kids, exchange.now).await?;
    page.deliveries = asking.delivered.count();
    let offered = places.into_iter().zip(asking.offered(rows, found).await?);
    page.items = offered.filter_map(|(place, (kid, offered))| Some((place, kid, offered?))).collect();
    Ok(page)
}

/// A device that asks for content.
struct Asking {
    device: DeviceId,
    user: Option<UserId>,
    rules: Arc<[Rule]>,
    now: i64,
    delivered: Delivered,
}

impl Asking {
    async fn new(
        rows: &mut dyn Rows,
        (device, user): (DeviceId, Option<UserId>),
        kids: &[Kid],
        now: i64,
    ) -> Result<Self, StoreError> {
        let rules = rules_for(&rows.rules().await?, device).into();
        Ok(Self { device, user, rules, now, delivered: Delivered::of(rows, device, kids).await? })
    }

    /// Content with the licenses that the device has for it; nothing where there is no content.
    async fn offered(
        &self,
        rows: &mut dyn Rows,
        contents: Vec<(Kid, Option<Content>)>,
    ) -> Result<Vec<(Kid, Option<Offered>)>, StoreError> {
        let key = |(kid, content): &(Kid, Option<Content>)| Some((*kid, holder(content.as_ref()?, self.user)));
        let keys: Vec<_> = contents.iter().filter_map(key).collect();
        let (kept, bookings) = kept_licenses(rows, self.device, &keys, &[], self.now, &self.delivered).await?;
        let mut kept = kept.into_iter();
        let offered = contents.into_iter().map(|(kid, content)| {
            let of = |content| {
                let kept = kept.next().flatten();
                Offered::of(content, kept, self.device, &self.rules, &bookings)
            };
            (kid, content.map(of))
        });
        Ok(offered.collect())
    }
}

/// What was kept of the licenses that a device has for key IDs and accounts, in order; and what it got again of these and of
/// other lines.
pub(super) async fn kept_licenses(
    rows: &mut dyn Rows,
    device: DeviceId,
    keys: &[(Kid, Option<UserId>)],
    other_lines: &[Lid],
    now: i64,
    delivered: &Delivered,
) -> Result<(Vec<Option<KeptLicense>>, Bookings), StoreError> {
    let found = deliveries::licenses(rows, device, keys, delivered).await?;
    // Of those without rows of their own nothing else is known.
    let lids: Vec<Lid> = found.iter().flatten().map(|row| row.lid).filter(|lid| !delivered.has(*lid)).collect();
    let lines = lines(rows, device, &lids).await?;
    let line = |lid: &Lid| lines.get(lid).copied().unwrap_or(*lid);
    let all: Vec<Lid> = lids.iter().map(line).chain(other_lines.iter().copied()).collect();
    let booked = booked(rows, device, all, counts_after(now), For::Reading).await?;
    let mut states: HashMap<_, _> = rows.states(&lids, For::Reading).await?.into_iter().collect();
    // Uses of an account are the device's share of them, whatever was told before of the license.
    states.extend(ledger::states(&rows.ledger_held(device, &lids, For::Reading).await?, &lids));
    let orders = orders_about(rows, &lids).await?;
    let kept = found.into_iter().map(|row| {
        row.map(|row| KeptLicense {
            state: states.get(&row.lid).cloned(),
            line: line(&row.lid),
            orders: orders.get(&row.lid).cloned().unwrap_or_default(),
            row,
        })
    });
    Ok((kept.collect(), Bookings::new(now, booked)))
}

/// The orders about licenses, by license.
pub(super) async fn orders_about(
    rows: &mut dyn Rows,
    licenses: &[Lid],
) -> Result<HashMap<Lid, Vec<Order>>, StoreError> {
    let mut orders: HashMap<Lid, Vec<Order>> = HashMap::new();
    for (lid, order) in rows.orders_about(licenses).await? {
        orders.entry(lid).or_default().push(order);
    }
    Ok(orders)
}

/// What a device has to drop, or was told to after its last run, from a position on, and where more may be.
async fn withdrawn_from(
    rows: &mut dyn Rows,
    device: DeviceId,
    after: &[u8],
    since: i64,
    now: i64,
) -> Result<(Vec<Withdrawn>, Option<Position>), StoreError> {
    let behind = DeliveryId::from_slice(after).ok();
    let mut withdrawn = Vec::new();
    if behind.is_none() {
        withdrawn = withdrawn_behind(rows, device, HeldKey::from_bytes(after), since, now).await?;
        if withdrawn.len() == MAX_LICENSES {
            let last = withdrawn.last().map(|last| HeldKey::of(last.kid, last.user, last.lid).to_bytes());
            return Ok((withdrawn, last.map(Position::Withdrawn)));
        }
    }
    let room = MAX_LICENSES - withdrawn.len();
    let (delivered, next) = deliveries::withdrawn_behind(rows, device, behind, (since, now), room).await?;
    withdrawn.extend(delivered);
    Ok((withdrawn, next.map(|id| Position::Withdrawn(id.as_bytes().to_vec()))))
}

/// The licenses behind a key that a device has to drop, or was told to after its last run, at most as many as an answer takes.
async fn withdrawn_behind(
    rows: &mut dyn Rows,
    device: DeviceId,
    mut behind: HeldKey,
    since: i64,
    now: i64,
) -> Result<Vec<Withdrawn>, StoreError> {
    let mut withdrawn = Vec::new();
    loop {
        let held = rows.held_behind(device, &behind, MAX_LICENSES).await?;
        let is_last = held.len() < MAX_LICENSES;
        if let Some(HeldRow { kid, lid, holder, .. }) = held.last() {
            behind = HeldKey::of(*kid, holder.user(), *lid);
        }
        withdrawn.extend(over(rows, held, since, now).await?);
        if is_last || withdrawn.len() >= MAX_LICENSES {
            withdrawn.truncate(MAX_LICENSES);
            return Ok(withdrawn);
        }
    }
}

/// The licenses for these key IDs that a device has to drop, whether or not it was told of them before: who asks for one by name
/// is told with the answer.
pub(super) async fn withdrawn_of(
    rows: &mut dyn Rows,
    device: DeviceId,
    kids: &[Kid],
    delivered: &Delivered,
    now: i64,
) -> Result<Vec<Withdrawn>, StoreError> {
    let mut held = rows.held_for(device, kids).await?;
    held.extend(deliveries::held_for(rows, kids, delivered).await?);
    let mut withdrawn = over(rows, held, EVER, now).await?;
    withdrawn.truncate(MAX_LICENSES);
    Ok(withdrawn)
}

async fn over(rows: &mut dyn Rows, held: Vec<HeldRow>, since: i64, now: i64) -> Result<Vec<Withdrawn>, StoreError> {
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let users: BTreeSet<UserId> = held.iter().filter_map(|held| held.holder.user()).collect();
    let users: Vec<UserId> = users.into_iter().collect();
    let kids: Vec<Kid> = held.iter().map(|held| held.kid).collect();
    let rights = rights(rows, &users, &kids, now).await?;
    let over = held.into_iter().filter(|held| delivery::is_over(held, &rights, since));
    Ok(over.map(|HeldRow { kid, lid, holder, .. }| Withdrawn { lid, kid, user: holder.user() }).collect())
}
