//! Seats: which devices hold a license, and what becomes of a wish for one more. A preview and a restore judge by the same facts.

use super::Content;
use super::epoch::Standing;
use std::collections::HashSet;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{DeviceId, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;

/// How often within a year a license with a state goes again to a device that does not tell that it still has it.
const MAX_AGAIN: u64 = 2;

/// How often a device got a license again within a year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) times: u64,
    /// From when on one time less counts, seconds UTC.
    pub(crate) from: i64,
}

impl Again {
    /// True if it may not get it once more at present.
    pub(crate) fn is_too_often(self) -> bool {
        self.times >= MAX_AGAIN
    }
}

/// Lines of the licenses that a device tells that it has.
pub(crate) type Told = HashSet<Lid>;

/// A license with a state that goes again to a device that had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HandedOut {
    pub(crate) lid: Lid,
    /// What is left of it.
    pub(crate) state: State,
}

/// What is known about one license before a restore, as far as its ID tells.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    /// The content, where this service issued or restored the license.
    pub(crate) content: Option<Content>,
    /// This service issued it.
    pub(crate) issued_here: bool,
    pub(crate) facts: Facts,
}

/// Who asks for licenses of a backup.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker {
    pub(crate) device: DeviceId,
    /// Device that the licenses are bound to in the backup.
    pub(crate) bound: DeviceId,
    /// Seconds UTC.
    pub(crate) now: i64,
}

/// What decides whether a device may have a license of a backup.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Devices that hold or held it.
    pub(crate) seats: Vec<Sitting>,
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

/// A device that holds or held a license.
#[derive(Debug, Clone)]
pub(crate) struct Sitting {
    pub(crate) device: DeviceId,
    /// It gave the license back.
    pub(crate) returned: bool,
    /// It is not counted any more.
    pub(crate) freed: bool,
}

/// Whether a license has room for a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// The device is counted already, or one more may be.
    Free,
    /// As many devices as allowed are counted.
    Full,
    /// The device that the license is bound to in the backup gave it back.
    Returned,
}

/// Whether `device` may have a license that a backup binds to `bound`, and how many devices are counted before that; the bound
/// one is always counted until it gives the license back.
pub(crate) fn room(seats: &[Sitting], bound: DeviceId, device: DeviceId, limit: u32) -> (Room, usize) {
    let of = |device: DeviceId| seats.iter().find(|seat| seat.device == device);
    let counted = seats.iter().filter(|seat| !seat.freed).count() + usize::from(of(bound).is_none());
    if of(bound).is_some_and(|seat| seat.returned) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: DeviceId = DeviceId::new([1; 16]);
    const HOLDER: DeviceId = DeviceId::new([2; 16]);
    const NEW: DeviceId = DeviceId::new([3; 16]);

    fn seat(device: DeviceId) -> Sitting {
        Sitting { device, returned: false, freed: false }
    }

    #[test]
    fn what_nobody_can_change_is_told_before_what_other_devices_do() {
        let full = vec![seat(BOUND), seat(HOLDER)];
        let again = Some(Again { times: MAX_AGAIN, from: 77 });
        let facts = Facts { seats: full, taken_back: true, over: Some(Reason::UsedUp), again };
        let judged = |facts: &Facts, device| facts.judge(BOUND, device, 2).0;
        assert_eq!(judged(&facts, NEW), Err(Out::TakenBack));
        let facts = Facts { taken_back: false, ..facts };
        assert_eq!(judged(&facts, NEW), Err(Out::Over(Reason::UsedUp)));
        let facts = Facts { over: None, ..facts };
        assert_eq!(judged(&facts, NEW), Err(Out::Full));
        assert_eq!(judged(&facts, HOLDER), Err(Out::TooOften(77)));
        let facts = Facts { again: Some(Again { times: MAX_AGAIN - 1, from: 77 }), ..facts };
        assert_eq!(judged(&facts, HOLDER), Ok(()));
    }

    #[test]
    fn the_bound_device_counts_and_has_room_though_nothing_is_written_of_it() {
        assert_eq!(room(&[], BOUND, NEW, 1), (Room::Full, 1));
        assert_eq!(room(&[], BOUND, NEW, 2), (Room::Free, 1));
        assert_eq!(room(&[seat(HOLDER)], BOUND, BOUND, 1), (Room::Free, 2));
    }

    #[test]
    fn a_device_that_is_counted_has_room_and_a_freed_one_needs_it() {
        let seats = [seat(BOUND), seat(HOLDER)];
        assert_eq!(room(&seats, BOUND, HOLDER, 2), (Room::Free, 2));
        assert_eq!(room(&seats, BOUND, NEW, 2), (Room::Full, 2));
        let freed = [seat(BOUND), Sitting { returned: true, freed: true, ..seat(HOLDER) }, seat(NEW)];
        assert_eq!(room(&freed, BOUND, HOLDER, 2), (Room::Full, 2));
        assert_eq!(room(&freed, BOUND, HOLDER, 3), (Room::Free, 2));
        // One over the limit of its license's year is given back but counts on.
        let kept = [seat(BOUND), Sitting { returned: true, ..seat(HOLDER) }];
        assert_eq!(room(&kept, BOUND, HOLDER, 2), (Room::Free, 2));
    }

    #[test]
    fn the_backup_of_a_device_that_gave_the_license_back_has_room_for_nobody() {
        let seats = [Sitting { returned: true, freed: true, ..seat(BOUND) }, seat(HOLDER)];
        for device in [BOUND, HOLDER, NEW] {
            assert_eq!(room(&seats, BOUND, device, 9), (Room::Returned, 1));
        }
    }
}
