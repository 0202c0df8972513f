//! Epochs: the rules by which a copied or copied-back store of a device shows. The only clock is the service's.

use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{DeviceId, Epoch, SignerId};

/// For this part of the period an epoch still counts after its successor was first presented.
const TOLERANCE_PART: i64 = 6;
/// Forks within [`YEAR`] that are forgiven: a disk image that was put back and a challenge that was carried by hand for long look
/// the same.
const FORGIVEN: u64 = 4;
/// Times within [`DAY`] that a device may seem not to know its newest epoch: answers get lost.
const FORGIVEN_LATE: u64 = 3;
/// In seconds.
pub(crate) const DAY: i64 = 24 * 60 * 60;
/// In seconds.
pub(crate) const YEAR: i64 = 365 * 24 * 60 * 60;

/// What a request says about the store that it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Presented {
    pub(crate) role: Role,
    pub(crate) device: DeviceId,
    /// When the certificate in the request was issued, seconds UTC: of two keys of a device the later certified one counts.
    pub(crate) certified_at: i64,
    /// The newest epoch that the store knows.
    pub(crate) epoch: Option<Epoch>,
    /// Least time between two epochs, in seconds.
    pub(crate) period: i64,
    /// What the request calls the device; empty for no name.
    pub(crate) name: Option<String>,
}

impl Presented {
    /// For how long an epoch counts after its successor was first presented, in seconds.
    pub(crate) fn tolerance(&self) -> i64 {
        self.period / TOLERANCE_PART
    }
}

/// The epochs of a device at one role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Epochs {
    /// Keys of the device.
    pub(crate) thumbprint: SignerId,
    pub(crate) certified_at: i64,
    pub(crate) current: Epoch,
    /// `None`: the device had none before.
    pub(crate) predecessor: Option<Epoch>,
    pub(crate) replaced_at: i64,
    /// The predecessor's own predecessor, which may be presented until then: the predecessor was replaced when it was first
    /// presented, and a request with the older one may still be on its way.
    pub(crate) older: Option<Epoch>,
    pub(crate) older_until: i64,
    /// When the current one was first presented.
    pub(crate) presented_at: Option<i64>,
}

/// The epochs of a device at the role of this number.
#[derive(Debug, Clone)]
pub(crate) struct EpochRow {
    pub(crate) role: i64,
    pub(crate) epochs: Epochs,
}

/// What was noticed of the keys of a device.
#[derive(Debug, Default)]
pub(crate) struct Noticed {
    /// Forks within [`YEAR`], by the number of the role.
    pub(crate) forks: Vec<(i64, u64)>,
    /// Times within [`DAY`] that a predecessor was presented late at the role that is asked.
    pub(crate) late: u64,
    /// The last of these.
    pub(crate) last_late: Option<i64>,
}

/// What the service remembers that a request is held against.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Of the keys that ask, at the role that is asked.
    pub(crate) epochs: Option<Epochs>,
    /// Keys of this device that were certified later asked before.
    pub(crate) replaced: bool,
    /// Forks of these keys within a year at the role that is asked.
    pub(crate) forks: u64,
    /// The same at the role that has most of them.
    pub(crate) most_forks: u64,
    /// This very request was checked before, or this very fork was counted within the tolerance.
    pub(crate) known: bool,
    /// Times within a day that these keys presented a predecessor late at the role that is asked.
    pub(crate) late: u64,
    /// One of these times is within the tolerance: this request belongs to it.
    pub(crate) is_late: bool,
}

impl History {
    /// From the epochs of the device at all roles, and what was noticed of the keys that ask.
    pub(crate) fn of(
        presented: &Presented,
        thumbprint: SignerId,
        now: i64,
        rows: Vec<EpochRow>,
        noticed: &Noticed,
    ) -> Self {
        let mut history = Self::default();
        for EpochRow { role, epochs } in rows {
            if epochs.thumbprint != thumbprint {
                history.replaced |= epochs.certified_at > presented.certified_at;
            } else if role == presented.role as i64 {
                history.epochs = Some(epochs);
            }
        }
        for (role, count) in &noticed.forks {
            history.most_forks = history.most_forks.max(*count);
            if *role == presented.role as i64 {
                history.forks = *count;
            }
        }
        history.late = noticed.late;
        history.is_late = noticed.last_late.is_some_and(|last| last > now.saturating_sub(presented.tolerance()));
        history
    }
}

/// What a request's epoch means for its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Goes into the answer.
    pub(crate) epoch: Option<Epoch>,
    /// This request is one fork more.
    pub(crate) fork: bool,
    /// More forks than are forgiven: nothing that counts, and no restore, until the device is made anew.
    pub(crate) stopped: bool,
    /// The device has other keys by now.
    pub(crate) replaced: bool,
}

impl Judged {
    /// True if it counts only where this very request was not checked before, and no other one of the same copy was counted
    /// just before.
    pub(crate) fn is_news(&self) -> bool {
        self.standing.fork || self.late
    }
}

/// True if more copies of a store asked at one role than are forgiven. `forks`: of its keys within [`YEAR`], by role.
pub(crate) fn is_copied(forks: &[(i64, u64)]) -> bool {
    forks.iter().any(|(_, count)| *count > FORGIVEN)
}

/// What comes of a request.
pub(crate) struct Judged {
    pub(crate) standing: Standing,
    /// The row to write where it changes.
    pub(crate) next: Option<Epochs>,
    /// The device presented a predecessor late once more.
    pub(crate) late: bool,
}

/// Holds a request against what is known; `fresh` is taken for a new epoch.
pub(crate) fn judge(history: &History, presented: &Presented, thumbprint: SignerId, now: i64, fresh: Epoch) -> Judged {
    let stopped = history.most_forks > FORGIVEN;
    let replaced = history.replaced;
    let Some(known) = &history.epochs else {
        // What a device presents that is not known here comes from a former life of this database, or of the device's keys.
        let certified_at = presented.certified_at;
        let predecessor = presented.epoch;
        let first = Epochs {
            thumbprint,
            certified_at,
            current: fresh,
            predecessor,
            replaced_at: now,
            older: predecessor,
            older_until: now,
            presented_at: None,
        };
        let standing = Standing { epoch: Some(fresh), fork: false, stopped, replaced };
        return Judged { standing, next: Some(first), late: false };
    };
    // A clock that went back makes an epoch as old as one that went on.
    let is_old = !(0..presented.period).contains(&now.saturating_sub(known.replaced_at));
    let is_current = presented.epoch == Some(known.current);
    let late = known.presented_at.is_some_and(|since| now >= since.saturating_add(presented.tolerance()));
    let is_predecessor = presented.epoch == known.predecessor && !late;
    let is_older = presented.epoch == known.older && now < known.older_until;
    // Requests may cross, but by then whoever has the answer presents what it told. Who does not, did not get it, or is a
    // copy that is put back again and again.
    let crossed = now < known.replaced_at.saturating_add(presented.tolerance());
    let late = is_predecessor && !(history.known || history.is_late || crossed);
    let too_often = late && history.late >= FORGIVEN_LATE;
    let good = is_current || history.known || (is_predecessor && !too_often) || is_older;
    let fork = !good;
    let stopped = stopped || (fork && history.forks >= FORGIVEN);
    // Only who presents the current one, or is found to be a copy, gets another: an answer may have been lost.
    let next = if is_old && (is_current || fork) {
        Some(Epochs {
            current: fresh,
            predecessor: Some(known.current),
            replaced_at: now,
            older: known.predecessor,
            older_until: known.presented_at.unwrap_or(now).saturating_add(presented.tolerance()),
            presented_at: None,
            ..known.clone()
        })
    } else if is_current && known.presented_at.is_none() {
        Some(Epochs { presented_at: Some(now), ..known.clone() })
    } else {
        None
    };
    let newest = next.as_ref().map_or(known.current, |next| next.current);
    let epoch = (presented.epoch != Some(newest)).then_some(newest);
    Judged { standing: Standing { epoch, fork, stopped, replaced }, next, late: late && !fork }
}

#[cfg(test)]
mod tests;
