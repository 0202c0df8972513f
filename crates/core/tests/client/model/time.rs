//! The model's time: what the device's clocks show, and what is believed to be known of the time from uses, refusals and the
//! service (`docs/protocol.md`, Clock).

use super::step::DAY;
use wmlicense_core::clock::ClockVerdict;
use wmlicense_core::store::Store;
use wmlicense_wire::id::ServiceId;

/// How far a clock may stand below what is known.
const TOLERANCE: i64 = 300;
/// The record rises at most this often.
const MARK_INTERVAL: i64 = 60;
/// A longer jump needs a service's word.
const LONGEST_JUMP: i64 = 30 * DAY;

/// What the device's clocks show.
#[derive(Debug, Clone, Copy)]
pub struct At {
    pub wall: i64,
    /// Which run of the system.
    pub run: u8,
    /// Seconds since it started, as a time namespace shows them.
    pub up: i64,
}

/// A floor that nothing speaks for but one visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    confirmed: i64,
    since: i64,
}

/// What is known of the time, with one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    pub mark: i64,
    pub jumped: Option<i64>,
    pub floor: Option<i64>,
    doubt: Option<Doubt>,
    /// Run of the system and its start by the service.
    anchor: Option<(u8, i64)>,
    /// Run of the system and the longest time since its start.
    pub longest: Option<(u8, i64)>,
}

impl Time {
    pub fn at(now: i64) -> Self {
        Self { mark: now, jumped: None, floor: None, doubt: None, anchor: None, longest: None }
    }

    fn went_back(&self, at: At) -> bool {
        self.longest.is_some_and(|(run, up)| run == at.run && at.up < up)
    }

    /// The time by the service's word.
    pub fn anchored(&self, at: At) -> Option<i64> {
        let (_, started) = self.anchor.filter(|(run, _)| *run == at.run && !self.went_back(at))?;
        Some(started + at.up)
    }

    /// The time for a license with dates.
    pub fn now(&self, at: At) -> i64 {
        self.anchored(at).unwrap_or(at.wall)
    }

    /// The latest time that must have passed, if the clock stands behind it.
    pub fn behind(&self, at: At) -> Option<i64> {
        // A clock that jumped far ahead must at least go on from there.
        let jumped = self.jumped.filter(|_| self.anchored(at).is_none() && at.wall > self.mark + LONGEST_JUMP);
        let known = [Some(self.mark), jumped, self.floor].into_iter().flatten().max().unwrap();
        (self.now(at) < known - TOLERANCE).then_some(known)
    }

    /// The latest time that is known to have passed.
    pub fn known(&self, at: At) -> i64 {
        self.behind(at).unwrap_or(self.now(at))
    }

    /// True if nobody confirms that so much time passed.
    pub fn is_ahead(&self, at: At) -> bool {
        self.anchored(at).is_none() && at.wall > self.mark.max(self.floor.unwrap_or(i64::MIN)) + LONGEST_JUMP
    }

    /// Something was used, or refused for the time. What is counted is written anyway, the rest at most once a minute.
    pub fn seen(&mut self, at: At, counted: bool) {
        if self.anchored(at).is_some() && self.longest.is_some_and(|(_, up)| at.up >= up + MARK_INTERVAL) {
            self.longest = Some((at.run, at.up));
        }
        let now = self.now(at);
        if self.anchored(at).is_none() && now > self.mark + LONGEST_JUMP {
            let noted = self.jumped.is_some_and(|jumped| (now - jumped).abs() < MARK_INTERVAL);
            self.jumped = if noted && !counted { self.jumped } else { Some(now) };
        } else if now >= self.mark + MARK_INTERVAL {
            (self.mark, self.jumped) = (now, None);
        }
    }

    /// An answer of the service is stored.
    pub fn contact(&mut self, issued_at: i64, wall: i64) {
        self.told(issued_at, wall);
        if let Some(jumped) = self.jumped.filter(|jumped| *jumped <= issued_at + TOLERANCE) {
            self.mark = self.mark.max(jumped);
            self.jumped = None;
        }
    }

    fn told(&mut self, issued_at: i64, wall: i64) {
        let before = self.floor.unwrap_or(i64::MIN);
        let floor = before.max(issued_at);
        let doubt = self.doubt.unwrap_or(Doubt { confirmed: before, since: floor });
        let doubt = match (wall - issued_at).abs() <= TOLERANCE {
            true => Doubt { confirmed: doubt.confirmed.max(issued_at), ..doubt },
            false if issued_at >= doubt.since + DAY => Doubt { confirmed: doubt.since, since: issued_at },
            false => doubt,
        };
        self.floor = Some(floor);
        self.doubt = Some(doubt).filter(|doubt| doubt.confirmed < floor);
    }

    /// The service answers a question that was asked just now.
    pub fn online(&mut self, told: i64, at: At) {
        if self.went_back(at) {
            return;
        }
        let same = self.anchored(at).is_some_and(|known| (known - told).abs() < MARK_INTERVAL);
        let behind = |known: i64| told < known - TOLERANCE;
        let floor_moves = self.floor.is_none_or(|floor| told >= floor + MARK_INTERVAL) || self.doubt.is_some();
        if same && !floor_moves && self.jumped.is_none() && !behind(self.mark) {
            return;
        }
        (self.anchor, self.longest) = (Some((at.run, told - at.up)), Some((at.run, at.up)));
        if let (Some(floor), Some(doubt)) = (self.floor.filter(|floor| behind(*floor)), &mut self.doubt) {
            let lowered = told.max(doubt.confirmed).min(floor);
            (self.floor, doubt.since) = (Some(lowered), lowered);
        }
        self.told(told, at.wall);
        (self.mark, self.jumped) = (told, None);
    }

    /// What the store knows of the time, and what the clock is worth.
    pub fn compare(&self, store: &Store, issuer: ServiceId, at: At) {
        let record = store.clock_record().unwrap();
        assert_eq!((record.mark, record.provisional), (self.mark, self.jumped));
        assert_eq!(record.floors.get(&issuer).copied(), self.floor);
        assert_eq!(record.longest.map(|longest| (longest.boot[0], longest.seconds)), self.longest);
        let verdict = match (self.behind(at), self.anchored(at)) {
            (Some(_), _) => ClockVerdict::Behind,
            (None, Some(_)) => ClockVerdict::Good,
            (None, None) if self.is_ahead(at) => ClockVerdict::Ahead,
            (None, None) => ClockVerdict::Unknown,
        };
        assert_eq!(store.clock_verdict().unwrap(), verdict);
    }
}
