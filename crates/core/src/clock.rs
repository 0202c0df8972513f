//! The time, injected, and what a store remembers of it, so that a clock that was set back is noticed. Asking services for
//! the time is the session's.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use wmlicense_wire::id::ServiceId;

/// How far the wall clock may stand below what is known, in seconds: clocks are corrected by themselves now and then.
const TOLERANCE: i64 = 300;
/// The mark is written at most this often, in seconds; an anchor that moves less than this is not written again.
const MARK_INTERVAL: i64 = 60;
/// A jump further ahead than this waits for a service's word, in seconds: a clock set ahead by mistake must not lock
/// licenses for good.
const LONGEST_JUMP: i64 = 30 * 86_400;
/// Longest time from making a request to its answer for which the answer tells the time, in seconds.
const LONGEST_ROUND_TRIP: i64 = 60;
/// A document dated further ahead of an anchor than this is refused, in seconds.
const FURTHEST_AHEAD: i64 = 86_400;

/// A moment by the clock that nobody sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinceBoot {
    /// Names this run of the system; another run has another.
    pub boot: [u8; 16],
    /// Seconds since the system started, sleep included.
    pub seconds: i64,
}

/// One moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Wall clock, seconds UTC.
    pub wall: i64,
    /// Since the system started, where it tells.
    pub since_boot: Option<SinceBoot>,
}

/// Gives the wall clock's seconds UTC, and the time since the system started.
pub trait Clock: Send + Sync {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    fn now(&self) -> i64;

    /// Since the system started. `None` where the system does not tell; then no answer becomes an anchor.
    fn since_boot(&self) -> Option<SinceBoot> {
        None
    }
}

impl dyn Clock {
    /// Both clocks at once.
    pub fn moment(&self) -> Moment {
        Moment { wall: self.now(), since_boot: self.since_boot() }
    }
}

/// The system's clocks.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or_else(|before| -(before.duration().as_secs() as i64), |since| since.as_secs() as i64)
    }

    #[cfg(target_os = "linux")]
    fn since_boot(&self) -> Option<SinceBoot> {
        static BOOT: once_cell::sync::OnceCell<Option<[u8; 16]>> = once_cell::sync::OnceCell::new();
        let seconds = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec;
        BOOT.get_or_init(boot_id).map(|boot| SinceBoot { boot, seconds })
    }
}

/// The kernel's name for this run of the system.
#[cfg(target_os = "linux")]
fn boot_id() -> Option<[u8; 16]> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = text.trim().chars().filter(|character| *character != '-').collect();
    if digits.len() != 32 { None } else { u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes) }
}

/// A clock to share.
pub type SharedClock = Arc<dyn Clock>;

/// What the time is for one license.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Seconds UTC: of an anchor where there is one, else the wall clock's.
    pub now: i64,
    /// The time that is known to have passed, where `now` is behind it.
    pub behind: Option<i64>,
}

impl Reading {
    /// The latest time that is known to have passed.
    pub(crate) fn known(&self) -> i64 {
        self.behind.unwrap_or(self.now)
    }
}

/// What the clock is worth, and thereby what the user can do (`docs/protocol.md`, Clock).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Verdict {
    /// A service told the time since the system started: the wall clock does not matter.
    Good = 0,
    /// Nothing speaks against the wall clock, and nothing for it.
    Unknown = 1,
    /// The wall clock is behind what is known to have passed.
    Behind = 2,
    /// The wall clock is over 30 days ahead of what is known.
    Ahead = 3,
}

/// What services told about the time in one run of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchors {
    /// The run of the system.
    pub boot: [u8; 16],
    /// Seconds UTC at the start of the system, by each service.
    pub started: BTreeMap<ServiceId, i64>,
}

/// What a store remembers about the time (`docs/protocol.md`, Clock). All times are seconds UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClockRecord {
    /// The time at the last use that was recorded.
    pub mark: i64,
    /// The wall clock after a jump of over 30 days, until a service confirms it.
    pub provisional: Option<i64>,
    /// The newest time that was verified from each service.
    pub floors: BTreeMap<ServiceId, i64>,
    /// Signed times of this run of the system, or of an earlier one.
    pub anchors: Option<Anchors>,
}

impl ClockRecord {
    /// The time for a license of these services, its issuer first. Their own word counts first; the word of another service
    /// must not be behind what they said before.
    pub fn read(&self, at: Moment, services: impl IntoIterator<Item = ServiceId>) -> Reading {
        let mut floor = i64::MIN;
        for service in services {
            if let Some(now) = self.anchored(at, service) {
                return Reading { now, behind: None };
            }
            floor = floor.max(self.floors.get(&service).copied().unwrap_or(i64::MIN));
        }
        let (now, known) = match self.latest(at) {
            Some(now) => (now, floor),
            None => (at.wall, self.known_at(at.wall).max(floor)),
        };
        Reading { now, behind: (now < known.saturating_sub(TOLERANCE)).then_some(known) }
    }

    /// What the clock is worth for all licenses together.
    pub fn verdict(&self, at: Moment) -> Verdict {
        if self.latest(at).is_some() {
            return Verdict::Good;
        }
        let known = self.floors.values().copied().fold(self.mark, i64::max);
        if at.wall < self.known_at(at.wall).max(known).saturating_sub(TOLERANCE) {
            Verdict::Behind
        } else if at.wall > known.saturating_add(LONGEST_JUMP) {
            Verdict::Ahead
        } else {
            Verdict::Unknown
        }
    }

    /// What uses tell. A wall clock that jumped far ahead must at least go on from there.
    fn known_at(&self, wall: i64) -> i64 {
        let jumped = wall > self.mark.saturating_add(LONGEST_JUMP);
        self.provisional.filter(|_| jumped).map_or(self.mark, |noted| noted.max(self.mark))
    }

    /// The time by a service's word in this run of the system.
    fn anchored(&self, at: Moment, service: ServiceId) -> Option<i64> {
        let (anchors, since) = self.current(at)?;
        anchors.started.get(&service).map(|started| started.saturating_add(since.seconds))
    }

    /// The latest of what all services say that told the time in this run of the system.
    fn latest(&self, at: Moment) -> Option<i64> {
        let (anchors, since) = self.current(at)?;
        anchors.started.values().max().map(|started| started.saturating_add(since.seconds))
    }

    fn current(&self, at: Moment) -> Option<(&Anchors, SinceBoot)> {
        let since = at.since_boot?;
        self.anchors.as_ref().filter(|anchors| anchors.boot == since.boot).map(|anchors| (anchors, since))
    }

    /// Records a use. Gives false if there is nothing to write.
    pub fn note_use(&mut self, at: Moment) -> bool {
        let anchored = self.latest(at);
        let now = anchored.unwrap_or(at.wall);
        if now < self.mark.saturating_add(MARK_INTERVAL) {
            return false;
        }
        if anchored.is_none() && now > self.mark.saturating_add(LONGEST_JUMP) {
            let noted = self.provisional.is_some_and(|noted| now.abs_diff(noted) < MARK_INTERVAL as u64);
            self.provisional = Some(now);
            return !noted;
        }
        self.mark = now;
        self.provisional = None;
        true
    }

    /// Records the time in a document that was verified from `service`. It confirms a jump that it reaches.
    pub fn note_contact(&mut self, service: ServiceId, issued_at: i64) {
        let floor = self.floors.entry(service).or_insert(issued_at);
        *floor = (*floor).max(issued_at);
        if let Some(noted) = self.provisional.filter(|noted| *noted <= issued_at.saturating_add(TOLERANCE)) {
            self.mark = self.mark.max(noted);
            self.provisional = None;
        }
    }

    /// Takes the time in a verified answer to our own question as an anchor, if the question was `asked` a short while ago in
    /// this run of the system. The mark follows it, up or down. Gives false if there is nothing to write.
    pub fn note_anchor(
        &mut self,
        service: ServiceId,
        issued_at: i64,
        asked: Option<SinceBoot>,
        at: Option<SinceBoot>,
    ) -> bool {
        let Some((_, at)) = asked.zip(at).filter(|(asked, at)| {
            asked.boot == at.boot && (0..=LONGEST_ROUND_TRIP).contains(&at.seconds.saturating_sub(asked.seconds))
        }) else {
            return false;
        };
        let started = issued_at.saturating_sub(at.seconds);
        let anchors = match self.anchors.take().filter(|anchors| anchors.boot == at.boot) {
            Some(anchors) => self.anchors.insert(anchors),
            None => self.anchors.insert(Anchors { boot: at.boot, started: BTreeMap::new() }),
        };
        let known = anchors.started.get(&service);
        if known.is_some_and(|known| known.abs_diff(started) < MARK_INTERVAL as u64) {
            return false;
        }
        anchors.started.insert(service, started);
        self.note_contact(service, issued_at);
        (self.mark, self.provisional) = (issued_at, None);
        true
    }

    /// True if a document of this time is over a day ahead of what services told in this run of the system: nobody can raise
    /// a floor, or number a list, so that what comes later in truth counts as earlier.
    pub fn is_too_far_ahead(&self, issued_at: i64, at: Moment) -> bool {
        self.latest(at).is_some_and(|now| issued_at > now.saturating_add(FURTHEST_AHEAD))
    }
}
