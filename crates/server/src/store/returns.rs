//! Licenses that devices hold: what they tell of their use, what they give back, what may be renewed.

use super::deliveries::{self, Delivered};
use super::exchanges::{begin, prior_of};
use super::issuing::{kept_licenses, withdrawn_of};
use super::restores::kept_of;
use super::rows::{For, Rows};
use super::terms;
use super::written::lines;
use super::{End, Pending, Store, StoreError};
use crate::rules::exchanges::{Committed, Exchange, Prior};
use crate::rules::ledger;
use crate::rules::renewal::{Renewable, RenewalOffer, Renewing};
use crate::rules::returns::{Returned, counts_after, give_back};
use crate::rules::revocation::rules_for;
use crate::rules::seats::Kept;
use crate::rules::uses::{self, Told, Usage};
use std::collections::{BTreeSet, HashMap, HashSet};
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};
use wmlicense_wire::license::State;

/// What is known before licenses are given back.
pub(crate) struct Held {
    pub(crate) prior: Prior,
    /// The device was revoked.
    pub(crate) revoked: bool,
    /// For each license in the order asked: the device holds it, or held it.
    pub(crate) known: Vec<bool>,
}

impl Store {
    /// Keeps what a device tells of the use of licenses that it holds; the strictest counts. Gives the lines of those that are
    /// the device's: it still has them.
    pub(crate) fn report(&self, device: DeviceId, usage: Usage, now: i64) -> Pending<'_, Told> {
        Box::pin(async move {
            let news = self
                .read((device, usage, now), |(device, usage, now), rows| Box::pin(news(rows, *device, usage, *now)));
            let (told, news) = news.await?;
            if !news.is_empty() {
                let keep = self.write((device, news, now), |(device, news, now), rows| {
                    Box::pin(async move { Ok(End::Keep(keep(rows, *device, news, *now).await?)) })
                });
                keep.await?;
            }
            Ok(told)
        })
    }

    /// Which of these licenses the device holds or held.
    pub(crate) fn held(&self, exchange: Exchange, device: DeviceId, licenses: Vec<Lid>) -> Pending<'_, Held> {
        self.read((exchange, device, licenses), |(exchange, device, licenses), rows| {
            Box::pin(async move {
                let (prior, revoked) = (prior_of(rows, exchange).await?, rows.is_revoked(*device).await?);
                if prior != Prior::None || revoked {
                    return Ok(Held { prior, revoked, known: Vec::new() });
                }
                let seats = deliveries::seats(rows, licenses, For::Reading).await?.into_iter();
                let own: HashSet<Lid> = seats.filter(|seat| seat.device == *device).map(|seat| seat.lid).collect();
                let known = licenses.iter().map(|lid| own.contains(lid)).collect();
                Ok(Held { prior, revoked, known })
            })
        })
    }

    /// Writes down that the device gave licenses back, with their last state, and the answer. Frees the device's seats as often
    /// as that is allowed.
    pub(crate) fn give_back(
        &self,
        exchange: Exchange,
        device: DeviceId,
        licenses: Usage,
        answer: Vec<u8>,
    ) -> Pending<'_, Committed> {
        self.write((exchange, device, licenses, answer), |(exchange, device, licenses, answer), rows| {
            Box::pin(async move {
                if let Err(other) = begin(rows, exchange, answer).await? {
                    return Ok(End::Undo(other));
                }
                take_back(rows, *device, licenses, exchange.now).await?;
                Ok(End::Keep(Committed::Done))
            })
        })
    }

    /// What may be renewed.
    pub(crate) fn renewable(
        &self,
        exchange: Exchange,
        device: DeviceId,
        licenses: Vec<Lid>,
    ) -> Pending<'_, RenewalOffer> {
        self.read((exchange, device, licenses), |(exchange, device, licenses), rows| {
            Box::pin(renewable(rows, exchange, *device, licenses))
        })
    }
}

async fn news(
    rows: &mut dyn Rows,
    device: DeviceId,
    usage: &[(Lid, State)],
    now: i64,
) -> Result<(Told, Usage), StoreError> {
    let lids: Vec<Lid> = usage.iter().map(|(lid, _)| *lid).collect();
    let lines = lines(rows, device, &lids).await?;
    let mut known: HashMap<Lid, State> = rows.states(&lids, For::Reading).await?.into_iter().collect();
    known.extend(ledger::states(&rows.ledger_held(device, &lids, For::Reading).await?, &lids));
    Ok(uses::news(usage, &lines, &known, now))
}

async fn keep(rows: &mut dyn Rows, device: DeviceId, usage: &[(Lid, State)], now: i64) -> Result<(), StoreError> {
    let lids: Vec<Lid> = usage.iter().map(|(lid, _)| *lid).collect();
    let lines = lines(rows, device, &lids).await?;
    let shared = report(rows, device, usage, &lines, now).await?;
    let mut known: HashMap<Lid, State> = rows.states(&lids, For::Changing).await?.into_iter().collect();
    let mut changed = BTreeSet::new();
    for (lid, told) in usage.iter().filter(|(lid, _)| lines.contains_key(lid) && !shared.contains(lid)) {
        if let Some(kept) = uses::kept(known.get(lid), told, now) {
            known.insert(*lid, kept);
            changed.insert(*lid);
        }
    }
    known.retain(|lid, _| changed.contains(lid));
    rows.put_states(&known.into_iter().collect::<Vec<_>>()).await
}

/// Writes what a device tells of its share of an account's uses, and gives the licenses in which it has one.
async fn report(
    rows: &mut dyn Rows,
    device: DeviceId,
    usage: &[(Lid, State)],
    lines: &HashMap<Lid, Lid>,
    now: i64,
) -> Result<HashSet<Lid>, StoreError> {
    let lids: Vec<Lid> = usage.iter().map(|(lid, _)| *lid).filter(|lid| lines.contains_key(lid)).collect();
    let mut ledger = rows.ledger_held(device, &lids, For::Changing).await?;
    for row in &mut ledger {
        let lid = row.lid;
        usage.iter().filter(|(of, _)| *of == lid).for_each(|(_, told)| row.report(told, now));
    }
    rows.put_ledger(&ledger).await?;
    Ok(ledger.into_iter().map(|row| row.lid).collect())
}

async fn take_back(
    rows: &mut dyn Rows,
    device: DeviceId,
    licenses: &[(Lid, State)],
    now: i64,
) -> Result<(), StoreError> {
    let lids: Vec<Lid> = licenses.iter().map(|(lid, _)| *lid).collect();
    deliveries::give_rows(rows, &lids, Some(device)).await?;
    let seats = rows.seats_of(device, &lids, For::Changing).await?;
    let mut seats: HashMap<_, _> = seats.into_iter().map(|seat| (seat.lid, seat)).collect();
    let known: HashMap<_, _> = rows.states(&lids, For::Changing).await?.into_iter().collect();
    let freed: HashMap<_, _> = rows.freed(&lids, counts_after(now)).await?.into_iter().collect();
    let mut shared = rows.ledger_held(device, &lids, For::Changing).await?;
    let (mut returned, mut states) = (Vec::new(), Vec::new());
    for (lid, told) in licenses {
        // Each once: what comes twice in a request was given back the first time.
        let Some(seat) = seats.remove(lid) else { continue };
        let freed = freed.get(lid).copied().unwrap_or_default();
        let Some(Returned { seat, state }) = give_back(seat, freed, known.get(lid), told, now) else { continue };
        // As with seats: from a device whose keys are a file it is a claim, so that uses come back as often as seats are freed.
        for row in shared.iter_mut().filter(|row| row.lid == *lid) {
            row.report(told, now);
            if seat.freed {
                row.close();
            }
        }
        states.extend(state.map(|state| (*lid, state)));
        returned.push(seat);
    }
    let own: Vec<(Kid, Lid)> = returned.iter().map(|seat| (seat.kid, seat.lid)).collect();
    let freed: Vec<_> = returned.iter().filter(|seat| seat.freed).map(|seat| (seat.lid, seat.device)).collect();
    rows.put_ledger(&shared).await?;
    rows.update_seats(&returned).await?;
    rows.return_licenses(device, &own, now).await?;
    rows.put_states(&states).await?;
    rows.insert_freed(&freed, now).await?;
    if freed.is_empty() { Ok(()) } else { leave(rows, device).await }
}

/// Takes a device from the grants of accounts of which it has nothing any more.
async fn leave(rows: &mut dyn Rows, device: DeviceId) -> Result<(), StoreError> {
    let users: BTreeSet<UserId> = rows.grants_on(device).await?.into_iter().map(|row| row.user).collect();
    for user in users {
        if !rows.has_licenses(device, user).await? {
            rows.remove_grant_devices(device, user).await?;
        }
    }
    Ok(())
}

async fn renewable(
    rows: &mut dyn Rows,
    exchange: &Exchange,
    device: DeviceId,
    licenses: &[Lid],
) -> Result<RenewalOffer, StoreError> {
    let (prior, revoked) = (prior_of(rows, exchange).await?, rows.is_revoked(device).await?);
    let mut offer = RenewalOffer { prior, revoked, items: Vec::new(), withdrawn: Vec::new(), deliveries: 0 };
    if offer.prior != Prior::None || revoked {
        return Ok(offer);
    }
    let rules = rules_for(&rows.rules().await?, device).into();
    let renewing = Renewing { device, account: exchange.account, rules };
    let (kept, nothing) = (kept_of(rows, licenses, For::Reading).await?, Kept::default());
    let kept = |lid: &Lid| kept.get(lid).unwrap_or(&nothing);
    let held: Vec<(Kid, Lid)> = licenses.iter().filter_map(|lid| Some((renewing.held(kept(lid))?, *lid))).collect();
    let kids: Vec<Kid> = held.iter().map(|(kid, _)| *kid).collect();
    let contents = terms::offered(rows, (Some(device), exchange.account), &kids, exchange.now).await?;
    let user = |content: &Option<_>| content.as_ref().and_then(|content| renewing.holder(content));
    // A later license of this device stands for the one asked about.
    let keys: Vec<_> = kids.iter().zip(&contents).map(|(kid, content)| (*kid, user(content))).collect();
    let asked: Vec<Lid> = held.iter().map(|(_, lid)| kept(lid).line(device, *lid)).collect();
    let delivered = Delivered::of(rows, device, &kids).await?;
    offer.deliveries = delivered.count();
    let (own, bookings) = kept_licenses(rows, device, &keys, &asked, exchange.now, &delivered).await?;
    let first = deliveries::first_licenses(rows, &held).await?;
    let mut found = held.iter().zip(contents).zip(own.into_iter().zip(first)).peekable();
    for lid in licenses {
        let Some(((key, content), (own, first))) = found.next_if(|((key, _), _)| key.1 == *lid) else {
            offer.items.push(Renewable::NotHeld);
            continue;
        };
        offer.items.push(match content {
            None => Renewable::NoContent(key.0),
            Some(content) => renewing.renewable(*key, content, kept(lid), own, first, &bookings),
        });
    }
    let kids: BTreeSet<Kid> = offer.items.iter().filter_map(Renewable::kid).collect();
    offer.withdrawn =
        withdrawn_of(rows, device, &kids.into_iter().collect::<Vec<_>>(), &delivered, exchange.now).await?;
    Ok(offer)
}
