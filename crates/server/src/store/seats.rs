//! Seats: which devices hold a license, and what becomes of a wish for one more.

use super::Content;
use super::epoch::Standing;
use std::collections::HashSet;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{DeviceId, Kid, Lid};
use wmlicense_wire::license::State;

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

/// What is known about one license before a restore.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    /// Devices that hold it.
    pub(crate) devices: Vec<DeviceId>,
    /// The content, where this service issued or restored the license.
    pub(crate) content: Option<Content>,
    /// It was taken back, as far as its ID alone tells.
    pub(crate) taken_back: bool,
}

/// A license that a device wants to hold.
pub(crate) struct Claim {
    pub(crate) lid: Lid,
    pub(crate) kid: Kid,
    /// Device that it is bound to in the backup; counted as well.
    pub(crate) bound: DeviceId,
    /// Devices in all.
    pub(crate) limit: u32,
    /// State in the file, for licenses that have one.
    pub(crate) state: Option<State>,
    /// Its terms, to know whether it was taken back.
    pub(crate) policy: Vec<u8>,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seat {
    /// The device holds the license, with this state to start from.
    Held(Option<State>),
    /// As many devices as allowed hold it.
    Full,
    /// The device that it is bound to in the backup gave it back.
    Returned,
    /// It was taken back.
    TakenBack,
    /// Nothing of it can be used any more, for this reason.
    Over(Reason),
    /// The device had it before, and got it again as often as a year allows; from this time on it may once more.
    TooOften(i64),
}

/// Answer to a set of claims.
pub(crate) enum Claimed {
    /// One seat a claim, in order, and how the exchange stands by its epoch.
    Seats(Vec<Seat>, Standing),
    /// The device was found to be copied too often.
    Stopped(Standing),
    /// The exchange is in conflict.
    Conflict,
}
