//! Restores: what is known of the licenses of a backup, and the devices that are counted in for them.

use super::deliveries;
use super::exchanges::{claim, decide};
use super::issuing::orders_about;
use super::rows::{For, Rows};
use super::terms;
use super::written::{booked, joinable};
use super::{End, Pending, Store, StoreError};
use crate::rules::content::Content;
use crate::rules::exchanges::{Exchange, Prior};
use crate::rules::granted::{GrantDevice, GrantId};
use crate::rules::grants::{Bookings, counts_after};
use crate::rules::revocation::Order;
use crate::rules::rows::Keeping;
use crate::rules::seats::{Asking, Claim, Claimed, Holding, Kept, Named, Out, Taken};
use crate::rules::uses::Told;
use std::collections::{BTreeSet, HashMap};
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};
use wmlicense_wire::policy::Policy;

/// Who asks for licenses of a backup.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) device: DeviceId,
    /// Device that the licenses are bound to in the backup.
    pub(crate) bound: DeviceId,
    /// Account that asks.
    pub(crate) user: Option<UserId>,
    /// Seconds UTC.
    pub(crate) now: i64,
}

impl Store {
    /// What is known about licenses, in order. `told`: as for [`Self::claim`].
    pub(crate) fn holdings(&self, licenses: Vec<Lid>, asker: Asker, told: Told) -> Pending<'_, Vec<Holding>> {
        self.read((licenses, asker, told), |(licenses, asker, told), rows| {
            Box::pin(holdings(rows, licenses, *asker, told))
        })
    }

    /// Whether a device was revoked, and the content of what it wants to restore as the account may have it, in order.
    pub(crate) fn restorable(
        &self,
        device: DeviceId,
        user: Option<UserId>,
        kids: Vec<Kid>,
        now: i64,
    ) -> Pending<'_, (bool, Vec<Option<Content>>)> {
        self.read((device, user, kids, now), |(device, user, kids, now), rows| {
            Box::pin(async move {
                Ok((rows.is_revoked(*device).await?, terms::offered(rows, (Some(*device), *user), kids, *now).await?))
            })
        })
    }

    /// Counts a device in for each license that has room for it. All of it is one transaction. `told`: lines of the licenses
    /// that the device still has.
    pub(crate) fn claim(
        &self,
        exchange: Exchange,
        device: DeviceId,
        claims: Vec<Claim>,
        told: Told,
    ) -> Pending<'_, Claimed> {
        self.write((exchange, device, claims, told), |(exchange, device, claims, told), rows| {
            Box::pin(take_seats(rows, exchange, *device, claims, told))
        })
    }
}

async fn holdings(
    rows: &mut dyn Rows,
    licenses: &[Lid],
    Asker { device, bound, user, now }: Asker,
    told: &Told,
) -> Result<Vec<Holding>, StoreError> {
    let (rules, kept) = (rules(rows).await?, kept_of(rows, licenses, For::Reading).await?);
    let origin = |lid: &Lid| kept.get(lid).and_then(Kept::origin);
    let known: Vec<(Kid, Lid)> = licenses.iter().filter_map(|lid| Some((origin(lid)?.0, *lid))).collect();
    let kids: Vec<Kid> = known.iter().map(|(kid, _)| *kid).collect();
    let mut contents = terms::offered(rows, (Some(device), user), &kids, now).await?.into_iter();
    let mut first = deliveries::first_licenses(rows, &known).await?.into_iter();
    let bookings =
        Bookings::new(now, booked(rows, device, lines(device, &kept), counts_after(now), For::Reading).await?);
    let asking = Asking { rules: &rules, device, now, told, answered_at: None };
    let (mut holdings, nothing) = (Vec::with_capacity(licenses.len()), Kept::default());
    for lid in licenses {
        let (kid, issued_here) = origin(lid).unzip();
        let (content, first) = match kid {
            Some(_) => (contents.next().flatten(), first.next().flatten()),
            None => (None, None),
        };
        let policy = first.map(|row| Policy::decode(&row.policy)).transpose();
        let policy = policy.map_err(|_| StoreError::Damaged("policy"))?;
        let named = Named { lid: *lid, kid, policy: policy.as_ref() };
        let (facts, _) = asking.facts(&named, bound, kept.get(lid).unwrap_or(&nothing), None, &bookings);
        holdings.push(Holding { content, issued_here: issued_here.unwrap_or(false), policy, facts });
    }
    Ok(holdings)
}

async fn take_seats(
    rows: &mut dyn Rows,
    exchange: &Exchange,
    device: DeviceId,
    claims: &[Claim],
    told: &Told,
) -> Result<End<Claimed>, StoreError> {
    let answered_at = match claim(rows, exchange, Keeping::Never).await? {
        Prior::None => None,
        Prior::Answered(_) => rows.exchange(exchange.key()).await?.map(|row| row.answered_at),
        Prior::Again | Prior::Gone | Prior::Conflict => return Ok(End::Undo(Claimed::Conflict)),
    };
    let standing = decide(rows, exchange, answered_at.is_some()).await?;
    if standing.stopped {
        if answered_at.is_none() {
            // Nothing was given, so the same request is a new one when it may be answered again.
            rows.release_exchange(exchange.key()).await?;
        }
        return Ok(End::Keep(Claimed::Stopped(standing)));
    }
    let lids: Vec<Lid> = claims.iter().map(|claim| claim.lid).collect();
    let kept = kept_of(rows, &lids, For::Changing).await?;
    // As far back as what this very request was given, too.
    let after = counts_after(exchange.now).min(answered_at.map_or(i64::MAX, |at| at.saturating_sub(1)));
    let mut bookings =
        Bookings::new(exchange.now, booked(rows, device, lines(device, &kept), after, For::Changing).await?);
    let rules = rules(rows).await?;
    let asking = Asking { rules: &rules, device, now: exchange.now, told, answered_at };
    // In the order of the table, because scattered inserts cost several times as much.
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by_key(|index| claims[*index].lid);
    let (mut seats, mut taken, nothing) = (vec![Err(Out::Full); claims.len()], Taken::default(), Kept::default());
    let room = room(rows, device, claims, exchange.now).await?;
    for index in order {
        let claim = &claims[index];
        if claim.joins.is_some_and(|grant| !room.contains_key(&grant)) {
            // Other devices were faster; it is told as any limit.
            continue;
        }
        seats[index] = asking.take(claim, kept.get(&claim.lid).unwrap_or(&nothing), &mut bookings, &mut taken);
    }
    // Who joins a delivered license joins its first device.
    let seats_of = taken.new.iter().chain(&taken.changed).map(|seat| seat.lid);
    let touched: Vec<Lid> = seats_of.chain(taken.states.iter().map(|(lid, _)| *lid)).collect();
    deliveries::give_rows(rows, &touched, None).await?;
    rows.insert_seats(&taken.new).await?;
    rows.update_seats(&taken.changed).await?;
    rows.put_states(&taken.states).await?;
    rows.insert_again(device, &bookings.into_rows()).await?;
    let joins = claims.iter().zip(&seats).filter(|(_, seat)| seat.is_ok()).filter_map(|(claim, _)| claim.joins);
    for grant in joins.collect::<BTreeSet<_>>() {
        if let Some(row) = room.get(&grant) {
            rows.insert_grant_device(*row).await?;
        }
    }
    Ok(End::Keep(Claimed::Seats(seats, standing)))
}

/// The grants that have room for a device, of those that it would have something of for the first time.
async fn room(
    rows: &mut dyn Rows,
    device: DeviceId,
    claims: &[Claim],
    now: i64,
) -> Result<HashMap<GrantId, GrantDevice>, StoreError> {
    let mut room = HashMap::new();
    for grant in claims.iter().filter_map(|claim| claim.joins).collect::<BTreeSet<_>>() {
        room.extend(joinable(rows, device, grant, now).await?.map(|row| (grant, row)));
    }
    Ok(room)
}

async fn rules(rows: &mut dyn Rows) -> Result<Vec<Order>, StoreError> {
    Ok(rows.rules().await?.into_iter().map(|row| row.order).collect())
}

/// What was kept of licenses, of those of which anything was. They are read in their order, and one that is named twice once.
pub(super) async fn kept_of(rows: &mut dyn Rows, licenses: &[Lid], how: For) -> Result<HashMap<Lid, Kept>, StoreError> {
    let licenses: Vec<Lid> = licenses.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let mut kept: HashMap<Lid, Kept> = HashMap::new();
    for seat in deliveries::seats(rows, &licenses, how).await? {
        kept.entry(seat.lid).or_default().seats.push(seat);
    }
    for (lid, state) in rows.states(&licenses, how).await? {
        kept.entry(lid).or_default().state = Some(state);
    }
    for (lid, orders) in orders_about(rows, &licenses).await? {
        kept.entry(lid).or_default().orders = orders;
    }
    Ok(kept)
}

/// The lines of the licenses of which anything was kept, as the device has them.
fn lines(device: DeviceId, kept: &HashMap<Lid, Kept>) -> Vec<Lid> {
    kept.iter().map(|(lid, kept)| kept.line(device, *lid)).collect()
}
