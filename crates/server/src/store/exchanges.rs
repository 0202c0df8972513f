//! Exchanges and the epochs that they tell: claimed first, so that of two that come at once one is answered and the other finds
//! that answer. And the certificates that devices get.

use super::rows::{For, Rows};
use super::waiting::waiting;
use super::{End, Pending, Store, StoreError};
use crate::rules::devices::{self, CertifiedDevice, KnownDevice};
use crate::rules::epochs::{DAY, History, Judged, Noticed, Presented, Standing, YEAR, judge};
use crate::rules::exchanges::{Committed, Exchange, Prior, prior};
use crate::rules::mailbox::Waiting;
use crate::rules::rows::Keeping;
use wmlicense_wire::id::{DeviceId, SignerId};

impl Store {
    /// The exchange, the device of these keys, and that of the keys in whose place they come.
    pub(crate) fn known_device(
        &self,
        exchange: Exchange,
        before: Option<SignerId>,
    ) -> Pending<'_, (Prior, Option<KnownDevice>, Option<KnownDevice>)> {
        self.read((exchange, before), |(exchange, before), rows| {
            Box::pin(async move {
                let before = match before {
                    Some(before) => rows.keys(*before, For::Reading).await?,
                    None => None,
                };
                let known = rows.keys(exchange.thumbprint, For::Reading).await?;
                Ok((prior_of(rows, exchange).await?, known.map(KnownDevice::from), before.map(KnownDevice::from)))
            })
        })
    }

    /// Writes a device and the answer with its certificate.
    pub(crate) fn certify(
        &self,
        exchange: Exchange,
        device: CertifiedDevice,
        answer: Vec<u8>,
    ) -> Pending<'_, Committed> {
        self.write((exchange, device, answer), |(exchange, device, answer), rows| {
            Box::pin(async move {
                if let Err(other) = begin(rows, exchange, answer).await? {
                    return Ok(End::Undo(other));
                }
                let (thumbprint, now) = (exchange.thumbprint, exchange.now);
                if let Some(old) = device.replaces {
                    let known = rows.keys(old, For::Changing).await?;
                    let Some(row) = devices::replaced(device, old, thumbprint, known, now) else {
                        return Ok(End::Undo(Committed::Changed));
                    };
                    rows.put_keys(&row).await?;
                }
                let known = rows.keys(thumbprint, For::Changing).await?;
                let Some(row) = devices::certified(device, thumbprint, known, now) else {
                    return Ok(End::Undo(Committed::Changed));
                };
                rows.put_keys(&row).await?;
                call(rows, device.device_id, device.name.as_deref()).await?;
                Ok(End::Keep(Committed::Done))
            })
        })
    }

    /// True if the device was revoked; the exchange with how it stands by its epoch; and, for who says with which certificate it
    /// comes, what waits for its device.
    pub(crate) fn standing(
        &self,
        exchange: Exchange,
        certificate: Option<Vec<u8>>,
    ) -> Pending<'_, (bool, Exchange, Option<Waiting>)> {
        self.read((exchange, certificate), |(exchange, certificate), rows| {
            Box::pin(async move {
                let Some(presented) = &exchange.presented else { return Ok((false, exchange.clone(), None)) };
                let judged = judged(rows, exchange, presented, Before::LookUp, For::Reading).await?;
                let exchange = Exchange { standing: judged.standing, ..exchange.clone() };
                let revoked = rows.is_revoked(presented.device).await?;
                let waiting = match certificate {
                    Some(certificate) => Some(waiting(rows, exchange.thumbprint, certificate, exchange.now).await?),
                    None => None,
                };
                Ok((revoked, exchange, waiting))
            })
        })
    }

    /// Writes down how an exchange stands that is not decided yet.
    pub(crate) fn note(&self, exchange: Exchange) -> Pending<'_, Committed> {
        self.write(exchange, |exchange, rows| {
            Box::pin(async move {
                let prior = prior_of(rows, exchange).await?;
                let answered = prior == Prior::Again;
                match prior {
                    Prior::None | Prior::Again => {}
                    known @ (Prior::Answered(_) | Prior::Gone | Prior::Conflict) => {
                        return Ok(End::Undo(Committed::Prior(known)));
                    }
                }
                if !apply(rows, exchange, answered).await? {
                    return Ok(End::Undo(Committed::Changed));
                }
                rows.note_checked(exchange).await?;
                Ok(End::Keep(Committed::Done))
            })
        })
    }

    /// Forgets devices that never got anything and were not heard of since `before`, seconds UTC, among so many behind one.
    /// Gives the last one that was looked at, none where it was the last of all, and the number of those forgotten.
    pub(crate) fn forget_unused(
        &self,
        after: DeviceId,
        before: i64,
        limit: usize,
    ) -> Pending<'_, (Option<DeviceId>, u64)> {
        self.write((after, before, limit), |(after, before, limit), rows| {
            Box::pin(async move {
                let looked_at = rows.devices_behind(*after, *limit).await?;
                let mut forgotten = 0;
                for device in &looked_at {
                    let keys = rows.keys_of(*device, For::Changing).await?;
                    let epochs = rows.epochs(*device, For::Changing).await?;
                    if devices::is_unheard(&keys, &epochs, *before) && !rows.has_traces(*device).await? {
                        rows.forget_device(*device).await?;
                        forgotten += 1;
                    }
                }
                let last = looked_at.last().copied().filter(|_| looked_at.len() == *limit);
                Ok(End::Keep((last, forgotten)))
            })
        })
    }

    /// Drops the bytes of answers given before this time, seconds UTC, and what else is of no use after so long. The rows of
    /// answers stay.
    pub(crate) fn drop_answers(&self, before: i64) -> Pending<'_, u64> {
        self.write(before, |before, rows| {
            Box::pin(async move {
                rows.drop_checked(*before).await?;
                rows.drop_late(*before).await?;
                rows.drop_old_letters(*before).await?;
                Ok(End::Keep(rows.drop_answers(*before).await?))
            })
        })
    }
}

/// What is known about an exchange.
pub(super) async fn prior_of(rows: &mut dyn Rows, exchange: &Exchange) -> Result<Prior, StoreError> {
    Ok(prior(exchange, rows.exchange(exchange.key()).await?))
}

/// Claims an exchange. Gives what is known of it where it was claimed before.
pub(super) async fn claim(rows: &mut dyn Rows, exchange: &Exchange, answer: Keeping<'_>) -> Result<Prior, StoreError> {
    if rows.claim_exchange(exchange, answer).await? {
        return Ok(Prior::None);
    }
    match prior_of(rows, exchange).await? {
        Prior::None => Err(StoreError::Overtaken),
        known @ (Prior::Answered(_) | Prior::Again | Prior::Gone | Prior::Conflict) => Ok(known),
    }
}

/// Begins the transaction that writes an answer with what it rests on: claims its exchange and writes what it says of the epoch.
/// Or says why it is not written: the exchange was answered meanwhile, or the answer was made from another state.
pub(super) async fn begin(
    rows: &mut dyn Rows,
    exchange: &Exchange,
    answer: &[u8],
) -> Result<Result<(), Committed>, StoreError> {
    begin_keeping(rows, exchange, Keeping::Bytes(answer)).await
}

/// As [`begin`], with what is kept of the answer. One that is made again may be made as often as it is asked for.
pub(super) async fn begin_keeping(
    rows: &mut dyn Rows,
    exchange: &Exchange,
    answer: Keeping<'_>,
) -> Result<Result<(), Committed>, StoreError> {
    let mut known = claim(rows, exchange, answer).await?;
    let answered = known == Prior::Again;
    if answered && matches!(answer, Keeping::Bytes(_)) {
        // Made again it could hand out once more what it says, so that it is kept from now on.
        rows.release_exchange(exchange.key()).await?;
        known = claim(rows, exchange, answer).await?;
    }
    match known {
        Prior::None | Prior::Again => {}
        known @ (Prior::Answered(_) | Prior::Gone | Prior::Conflict) => return Ok(Err(Committed::Prior(known))),
    }
    Ok(if apply(rows, exchange, answered).await? { Ok(()) } else { Err(Committed::Changed) })
}

/// Whether this very request was answered before the transaction that asks.
enum Before {
    Was(bool),
    LookUp,
}

/// Writes what the answer of an exchange says about its epoch; false if it was made from another state.
async fn apply(rows: &mut dyn Rows, exchange: &Exchange, answered: bool) -> Result<bool, StoreError> {
    let Some(presented) = &exchange.presented else { return Ok(true) };
    let judged = judged(rows, exchange, presented, Before::Was(answered), For::Changing).await?;
    if judged.standing != exchange.standing {
        return Ok(false);
    }
    put(rows, exchange, presented, judged).await?;
    Ok(true)
}

/// Judges an exchange that was answered before or not, and writes what comes of it.
pub(super) async fn decide(rows: &mut dyn Rows, exchange: &Exchange, answered: bool) -> Result<Standing, StoreError> {
    let Some(presented) = &exchange.presented else { return Ok(Standing::default()) };
    let judged = judged(rows, exchange, presented, Before::Was(answered), For::Changing).await?;
    let standing = judged.standing.clone();
    put(rows, exchange, presented, judged).await?;
    Ok(standing)
}

async fn judged(
    rows: &mut dyn Rows,
    exchange: &Exchange,
    presented: &Presented,
    before: Before,
    how: For,
) -> Result<Judged, StoreError> {
    let (device, thumbprint, now) = (presented.device, exchange.thumbprint, exchange.now);
    let epochs = rows.epochs(device, how).await?;
    let forks = rows.forks(device, thumbprint, now.saturating_sub(YEAR)).await?;
    let (late, last_late) = rows.late(presented, thumbprint, now.saturating_sub(DAY)).await?;
    let history = History::of(presented, thumbprint, now, epochs, &Noticed { forks, late, last_late });
    let judged = judge(&history, presented, thumbprint, now, exchange.fresh);
    if !judged.is_news() || !is_known(rows, exchange, presented, before).await? {
        return Ok(judged);
    }
    Ok(judge(&History { known: true, ..history }, presented, thumbprint, now, exchange.fresh))
}

/// True if this request was checked before, or if another one of the same copy was counted just before.
async fn is_known(
    rows: &mut dyn Rows,
    exchange: &Exchange,
    presented: &Presented,
    before: Before,
) -> Result<bool, StoreError> {
    let answered = match before {
        Before::Was(answered) => answered,
        Before::LookUp => {
            let row = rows.exchange(exchange.key()).await?;
            row.is_some_and(|row| row.request_hash == exchange.request_hash)
        }
    };
    let lately = exchange.now.saturating_sub(presented.tolerance());
    Ok(answered || rows.is_checked(exchange).await? || rows.has_fork(presented, exchange.thumbprint, lately).await?)
}

async fn put(
    rows: &mut dyn Rows,
    exchange: &Exchange,
    presented: &Presented,
    Judged { standing, next, late }: Judged,
) -> Result<(), StoreError> {
    let (thumbprint, now) = (exchange.thumbprint, exchange.now);
    // Whose keys were replaced leaves no trace.
    if !standing.replaced {
        if late {
            rows.insert_late(presented, thumbprint, now).await?;
        }
        if standing.fork {
            rows.insert_fork(presented, thumbprint, now).await?;
        }
        if let Some(next) = next {
            rows.put_epochs(presented.device, presented.role as i64, &next).await?;
        }
    }
    call(rows, presented.device, presented.name.as_deref()).await
}

/// Writes what a device is called by now.
async fn call(rows: &mut dyn Rows, device: DeviceId, told: Option<&str>) -> Result<(), StoreError> {
    match devices::name(told) {
        Some(name) => rows.call_device(device, name).await,
        None => Ok(()),
    }
}
