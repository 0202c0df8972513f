//! Seats: which devices hold a license, and what becomes of a wish for one more. A preview and a restore judge by the same facts.

use super::content::Content;
use super::epochs::Standing;
use super::granted::GrantId;
use super::grants::{Again, Bookings};
use super::revocation::{Order, is_named, is_taken_back};
use super::rows::SeatRow;
use super::uses::{self, Told};
use crate::policy::{known_state, over};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{DeviceId, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;

/// What is known about one license before a restore, as far as its ID tells.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    /// The content, where this service issued or restored the license.
    pub(crate) content: Option<Content>,
    /// This service issued it.
    pub(crate) issued_here: bool,
    /// Its terms, where they are known here.
    pub(crate) policy: Option<Policy>,
    pub(crate) facts: Facts,
}

/// What decides whether a device may have a license of a backup.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Devices that hold or held it.
    pub(crate) seats: Vec<SeatRow>,
    /// It was taken back, from the device or from the one that made the backup.
    pub(crate) taken_back: bool,
    /// Why nothing of it can be used any more.
    pub(crate) over: Option<Reason>,
    /// How often the device got it again; none where that does not count: it never had it, or tells that it still has it.
    pub(crate) again: Option<Again>,
}

/// Why a license of a backup stays out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Out {
    /// It was taken back.
    TakenBack,
    /// The device that it is bound to in the backup gave it back.
    Returned,
    /// Nothing of it can be used any more, for this reason.
    Over(Reason),
    /// As many devices as allowed hold it.
    Full,
    /// The device had it before, and got it again as often as a year allows; from this time on it may once more.
    TooOften(i64),
}

impl Out {
    /// What the device is told: why, and from when on it may be granted where time alone helps.
    pub(crate) fn told(self) -> (Reason, Option<i64>) {
        match self {
            Self::TakenBack => (Reason::Revoked, None),
            Self::Returned => (Reason::Returned, None),
            Self::Over(reason) => (reason, None),
            Self::Full => (Reason::LimitReached, None),
            Self::TooOften(again) => (Reason::GrantedTooOften, Some(again)),
        }
    }
}

impl Facts {
    /// Whether the device may have the license where so many devices in all may, and how many are counted before that. What
    /// no other device could change comes first.
    pub(crate) fn judge(&self, bound: DeviceId, device: DeviceId, limit: u32) -> (Result<(), Out>, usize) {
        let (room, counted) = room(&self.seats, bound, device, limit);
        let too_often = self.again.filter(|again| again.is_too_often());
        let judged = match (self.taken_back, room, self.over, too_often) {
            (true, ..) => Err(Out::TakenBack),
            (false, Room::Returned, ..) => Err(Out::Returned),
            (false, Room::Free | Room::Full, Some(reason), _) => Err(Out::Over(reason)),
            (false, Room::Full, None, _) => Err(Out::Full),
            (false, Room::Free, None, Some(again)) => Err(Out::TooOften(again.from)),
            (false, Room::Free, None, None) => Ok(()),
        };
        (judged, counted)
    }
}

/// Whether a license has room for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// The device is counted already, or one more may be.
    Free,
    /// As many devices as allowed are counted.
    Full,
    /// The device that the license is bound to in the backup gave it back.
    Returned,
}

/// Whether `device` may have a license that a backup binds to `bound`, and how many devices are counted before that; the bound
/// one is always counted until it gives the license back.
fn room(seats: &[SeatRow], bound: DeviceId, device: DeviceId, limit: u32) -> (Room, usize) {
    let of = |device: DeviceId| seats.iter().find(|seat| seat.device == device);
    let counted = seats.iter().filter(|seat| !seat.freed).count() + usize::from(of(bound).is_none());
    if of(bound).is_some_and(|seat| seat.returned_at.is_some()) {
        return (Room::Returned, counted);
    }
    let counts = device == bound || of(device).is_some_and(|seat| !seat.freed);
    let full = !counts && counted >= limit as usize;
    (if full { Room::Full } else { Room::Free }, counted)
}

/// A license that a device wants to hold.
pub(crate) struct Claim {
    pub(crate) lid: Lid,
    pub(crate) kid: Kid,
    /// This service issued it, not another one that appointed it to restore.
    pub(crate) issued_here: bool,
    /// Device that it is bound to in the backup; counted as well.
    pub(crate) bound: DeviceId,
    /// Devices in all.
    pub(crate) limit: u32,
    /// State in the file, for licenses that have one.
    pub(crate) state: Option<State>,
    /// Its terms.
    pub(crate) policy: Policy,
    /// The grant of which the device has nothing yet.
    pub(crate) joins: Option<GrantId>,
}

impl Claim {
    fn seat(&self, device: DeviceId, restored: bool, since: i64) -> SeatRow {
        SeatRow {
            lid: self.lid,
            device,
            kid: self.kid,
            restored,
            elsewhere: !self.issued_here,
            since,
            line: None,
            returned_at: None,
            freed: false,
            withdrawn: None,
        }
    }
}

/// What became of a claim: the state that the license starts from on the device, or why it stays out.
pub(crate) type Seat = Result<Option<State>, Out>;

/// Answer to a set of claims.
pub(crate) enum Claimed {
    /// One seat a claim, in order, and how the exchange stands by its epoch.
    Seats(Vec<Seat>, Standing),
    /// The device was found to be copied too often.
    Stopped(Standing),
    /// The exchange is in conflict.
    Conflict,
}

/// A license by what is known of it.
pub(crate) struct Named<'a> {
    pub(crate) lid: Lid,
    pub(crate) kid: Option<Kid>,
    pub(crate) policy: Option<&'a Policy>,
}

/// The rows of one license.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) seats: Vec<SeatRow>,
    /// By which it was taken back by its ID.
    pub(crate) orders: Vec<Order>,
    /// The strictest state known.
    pub(crate) state: Option<State>,
}

impl Kept {
    fn seat_of(&self, device: DeviceId) -> Option<&SeatRow> {
        self.seats.iter().find(|seat| seat.device == device)
    }

    /// The first license of those that took the place of each other on the device, of which `lid` is the last.
    pub(crate) fn line(&self, device: DeviceId, lid: Lid) -> Lid {
        self.seat_of(device).and_then(|seat| seat.line).unwrap_or(lid)
    }

    /// The key ID that it is for, and whether this service issued it; none where it was never seen here.
    pub(crate) fn origin(&self) -> Option<(Kid, bool)> {
        self.seats.last().map(|seat| (seat.kid, !seat.elsewhere))
    }
}

/// A device that wants to hold licenses.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    /// Rules by which licenses were taken back.
    pub(crate) rules: &'a [Order],
    pub(crate) device: DeviceId,
    /// Seconds UTC.
    pub(crate) now: i64,
    /// Lines of the licenses that it tells that it has.
    pub(crate) told: &'a Told,
    /// When this very request was answered before, seconds UTC.
    pub(crate) answered_at: Option<i64>,
}

/// What a claim changes.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) new: Vec<SeatRow>,
    pub(crate) changed: Vec<SeatRow>,
    pub(crate) states: Vec<(Lid, State)>,
}

impl Asking<'_> {
    /// What decides about a license that a backup binds to `bound`, and the state that it would start from: the strictest of
    /// what is known and of what the file says.
    pub(crate) fn facts(
        &self,
        license: &Named<'_>,
        bound: DeviceId,
        kept: &Kept,
        in_file: Option<&State>,
        bookings: &Bookings,
    ) -> (Facts, Option<State>) {
        let Self { device, now, .. } = *self;
        let (mut state, mut again) = (None, None);
        if let Some(policy) = license.policy.filter(|policy| policy.is_stateful()) {
            let known = match (&kept.state, in_file) {
                (Some(known), Some(in_file)) => Some(known.clone().strictest(in_file)),
                (known, in_file) => known.as_ref().or(in_file).cloned(),
            };
            state = Some(known_state(policy, known.as_ref()).unwrap_or_else(|| State::initial(policy)));
            let had = device == bound || kept.seat_of(device).is_some_and(|seat| seat.returned_at.is_none());
            let line = kept.line(device, license.lid);
            if had && !self.gave(license.lid, kept, line, bookings) && !self.told.contains(&line) {
                again = Some(bookings.again(line));
            }
        }
        let left = state.clone().unwrap_or_default();
        let over = license.policy.and_then(|policy| over(policy, &left, now));
        let facts =
            Facts { seats: kept.seats.clone(), taken_back: self.is_taken_back(license, bound, kept), over, again };
        (facts, state)
    }

    /// True if the answer that is made once more gave the license, which is not handed out once more then: the device took its
    /// seat with it, or it was booked. One that was refused is as good as asked for the first time.
    fn gave(&self, lid: Lid, kept: &Kept, line: Lid, bookings: &Bookings) -> bool {
        self.answered_at.is_some_and(|at| {
            let took_seat = |seat: &SeatRow| seat.restored && seat.since == at;
            kept.seat_of(self.device).is_some_and(took_seat) || bookings.has(line, lid, at)
        })
    }

    /// True if a license was taken back from this device or from the one that made the backup.
    fn is_taken_back(&self, license: &Named<'_>, bound: DeviceId, kept: &Kept) -> bool {
        let matches = |order: &Order, device| match license.policy {
            Some(policy) => order.matches(policy, device),
            None => is_named(order, license.kid, device),
        };
        [self.device, bound]
            .into_iter()
            .any(|device| is_taken_back(&kept.orders, device) || self.rules.iter().any(|order| matches(order, device)))
    }

    /// What becomes of a claim, and what it changes.
    pub(crate) fn take(&self, claim: &Claim, kept: &Kept, bookings: &mut Bookings, taken: &mut Taken) -> Seat {
        let (Self { device, now, .. }, bound) = (*self, claim.bound);
        let named = Named { lid: claim.lid, kid: Some(claim.kid), policy: Some(&claim.policy) };
        let (facts, state) = self.facts(&named, bound, kept, claim.state.as_ref(), bookings);
        let (judged, _) = facts.judge(bound, device, claim.limit);
        if !matches!(judged, Err(Out::TakenBack | Out::Returned)) {
            if kept.seat_of(bound).is_none() {
                taken.new.push(claim.seat(bound, false, now));
            }
            // Who has no room changes nothing of what is known of the license.
            let has_room = room(&facts.seats, bound, device, claim.limit).0 == Room::Free;
            if let Some(state) = state.as_ref().filter(|_| has_room) {
                taken.states.push((claim.lid, uses::strictest(kept.state.as_ref(), state)));
            }
        }
        judged?;
        if let (Some(state), Some(_)) = (&state, facts.again) {
            let booked = bookings.book(kept.line(device, claim.lid), claim.lid, state);
            booked.map_err(|again| Out::TooOften(again.from))?;
        }
        match kept.seat_of(device) {
            // What it gave back came in another device's backup again.
            Some(seat) if seat.returned_at.is_some() => taken.changed.push(SeatRow {
                returned_at: None,
                withdrawn: None,
                freed: false,
                restored: true,
                since: now,
                ..seat.clone()
            }),
            None if device != bound => taken.new.push(claim.seat(device, true, now)),
            Some(_) | None => {}
        }
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
