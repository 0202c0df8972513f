//! What a store remembers of the time, so that a clock that was set back is noticed (`docs/protocol.md`, Clock).

use super::{ClockVerdict, Moment, Reading, SinceBoot};
use std::collections::BTreeMap;
use wmlicense_wire::id::ServiceId;

/// How far a clock may stand below what is known, in seconds: clocks are corrected by themselves now and then.
pub(super) const TOLERANCE: i64 = 300;
/// The mark, the time since the start and what an anchor says are written at most this often, in seconds, unless an anchor moves
/// by more than this.
pub(super) const MARK_INTERVAL: i64 = 60;
/// A jump further ahead than this waits for a service's word, in seconds: a clock set ahead by mistake must not lock
/// licenses for good.
const LONGEST_JUMP: i64 = 30 * 86_400;
/// Longest time from making a request to its answer for which the answer tells the time, in seconds.
const LONGEST_ROUND_TRIP: i64 = 60;
/// A document dated further ahead of an anchor than this is refused, in seconds.
const FURTHEST_AHEAD: i64 = 86_400;
/// A floor that the wall clock speaks against is believed when the service says so again this much later, in seconds.
const DOUBTED_FOR: i64 = 86_400;

/// What services told about the time in one run of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchors {
    /// The run of the system.
    pub boot: [u8; 16],
    /// Seconds UTC at the start of the system, by each service.
    pub started: BTreeMap<ServiceId, i64>,
}

/// A floor for which nothing speaks but one visit to its service. Times are seconds UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// The floor without that visit: a fresh anchor may lower it so far.
    pub confirmed: i64,
    /// The first time that was told then.
    pub since: i64,
}

/// What a store remembers about the time (`docs/protocol.md`, Clock). All times are seconds UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClockRecord {
    /// The time at the last use or refusal for the time that was recorded.
    pub mark: i64,
    /// The wall clock after a jump of over 30 days, until a service confirms it.
    pub provisional: Option<i64>,
    /// The newest time that was verified from each service.
    pub floors: BTreeMap<ServiceId, i64>,
    /// Those of the floors that one visit raised.
    pub doubts: BTreeMap<ServiceId, Doubt>,
    /// Signed times of this run of the system, or of an earlier one.
    pub anchors: Option<Anchors>,
    /// The longest time since the start of the system that was noted beside an anchor. In the same run a shorter one is not the
    /// machine's.
    pub longest: Option<SinceBoot>,
}

impl ClockRecord {
    /// The time for a license of these services, its issuer first. Their own word counts first; no word of this run may be
    /// behind what they said before, nor behind the mark.
    pub fn read(&self, at: Moment, services: impl IntoIterator<Item = ServiceId>) -> Reading {
        let services: Vec<ServiceId> = services.into_iter().collect();
        let latest = self.latest(at);
        let own = services.iter().find_map(|service| self.anchored(at, *service));
        let now = own.or(latest).unwrap_or(at.wall);
        let known = self.floor(at, services).max(self.marked(at, latest));
        Reading { now, behind: is_behind(now, known).then_some(known) }
    }

    /// What the clock is worth for all licenses together.
    pub fn verdict(&self, at: Moment) -> ClockVerdict {
        let latest = self.latest(at);
        let now = latest.unwrap_or(at.wall);
        let floor = self.floor(at, self.floors.keys().copied());
        if is_behind(now, floor.max(self.marked(at, latest))) {
            ClockVerdict::Behind
        } else if latest.is_some() {
            ClockVerdict::Good
        } else if at.wall > floor.max(self.mark).saturating_add(LONGEST_JUMP) {
            ClockVerdict::Ahead
        } else {
            ClockVerdict::Unknown
        }
    }

    /// The latest of what these services said before. One that told the time in this run of the system is held against its own
    /// clock, so that two services whose clocks differ do not count as one that went back.
    fn floor(&self, at: Moment, services: impl IntoIterator<Item = ServiceId>) -> i64 {
        let held = |service: ServiceId| {
            let floor = self.floors.get(&service).copied()?;
            self.anchored(at, service).is_none_or(|own| is_behind(own, floor)).then_some(floor)
        };
        services.into_iter().filter_map(held).max().unwrap_or(i64::MIN)
    }

    /// The mark, as far as it speaks against the clock. What services tell in this run of the system is held against it as a
    /// whole: the latest of them wrote it.
    fn marked(&self, at: Moment, latest: Option<i64>) -> i64 {
        match latest {
            None => self.known_at(at.wall),
            Some(latest) if is_behind(latest, self.mark) => self.mark,
            Some(_) => i64::MIN,
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

    /// The anchors, where they are worth something: of this run of the system, whose time since the start did not go back.
    fn current(&self, at: Moment) -> Option<(&Anchors, SinceBoot)> {
        let since = at.since_boot.filter(|since| !self.went_back(*since))?;
        self.anchors.as_ref().filter(|anchors| anchors.boot == since.boot).map(|anchors| (anchors, since))
    }

    fn went_back(&self, since: SinceBoot) -> bool {
        self.longest.is_some_and(|longest| longest.boot == since.boot && since.seconds < longest.seconds)
    }

    /// Records the time of a use, or of a refusal for the time. Gives false if there is nothing to write.
    pub fn note_use(&mut self, at: Moment) -> bool {
        let ran = self.note_running(at);
        let anchored = self.latest(at);
        let now = anchored.unwrap_or(at.wall);
        if now < self.mark.saturating_add(MARK_INTERVAL) {
            return ran;
        }
        if anchored.is_none() && now > self.mark.saturating_add(LONGEST_JUMP) {
            let noted = self.provisional.is_some_and(|noted| now.abs_diff(noted) < MARK_INTERVAL as u64);
            self.provisional = Some(now);
            return ran || !noted;
        }
        self.mark = now;
        self.provisional = None;
        true
    }

    /// Records how long the system runs, where an anchor depends on it. Gives false if there is nothing to write.
    fn note_running(&mut self, at: Moment) -> bool {
        let Some((_, since)) = self.current(at) else { return false };
        let same = self.longest.filter(|longest| longest.boot == since.boot);
        if same.is_some_and(|longest| since.seconds < longest.seconds.saturating_add(MARK_INTERVAL)) {
            return false;
        }
        self.longest = Some(since);
        true
    }

    /// Records the time in a document that was verified from `service`, with the wall clock beside it. It confirms a jump that it
    /// reaches.
    pub fn note_contact(&mut self, service: ServiceId, issued_at: i64, wall: i64) {
        self.raise(service, issued_at, wall);
        if let Some(noted) = self.provisional.filter(|noted| *noted <= issued_at.saturating_add(TOLERANCE)) {
            self.mark = self.mark.max(noted);
            self.provisional = None;
        }
    }

    /// Raises a floor. It is in doubt until the wall clock agrees or the service says it again a day later.
    fn raise(&mut self, service: ServiceId, issued_at: i64, wall: i64) {
        let before = self.floors.get(&service).copied().unwrap_or(i64::MIN);
        let mut doubt =
            self.doubts.remove(&service).unwrap_or(Doubt { confirmed: before, since: issued_at.max(before) });
        if wall.abs_diff(issued_at) <= TOLERANCE as u64 {
            doubt.confirmed = doubt.confirmed.max(issued_at);
        } else if issued_at >= doubt.since.saturating_add(DOUBTED_FOR) {
            doubt = Doubt { confirmed: doubt.since, since: issued_at };
        }
        let floor = before.max(issued_at);
        self.floors.insert(service, floor);
        if doubt.confirmed < floor {
            self.doubts.insert(service, doubt);
        }
    }

    /// Takes a floor in doubt back to a fresh anchor, or to what is beyond doubt.
    fn lower(&mut self, service: ServiceId, issued_at: i64) {
        if let (Some(floor), Some(doubt)) = (self.floors.get_mut(&service), self.doubts.get_mut(&service))
            && is_behind(issued_at, *floor)
        {
            *floor = issued_at.max(doubt.confirmed);
            doubt.since = *floor;
        }
    }

    /// The time at which the certificate must hold that signs an answer of `service` to what was `asked`: its floor, but what is
    /// beyond doubt of it where the answer becomes an anchor.
    pub(crate) fn floor_for(&self, service: ServiceId, asked: Option<SinceBoot>, at: Moment) -> i64 {
        match self.fresh(asked, at) {
            Some(_) => self.beyond_doubt(service),
            None => self.floors.get(&service).copied().unwrap_or(i64::MIN),
        }
    }

    /// The floor of `service` without what one visit told.
    pub(crate) fn beyond_doubt(&self, service: ServiceId) -> i64 {
        let confirmed = self.doubts.get(&service).map(|doubt| doubt.confirmed);
        confirmed.or(self.floors.get(&service).copied()).unwrap_or(i64::MIN)
    }

    /// The time since the start of the system, if what was `asked` was asked a short while ago in this run of it.
    fn fresh(&self, asked: Option<SinceBoot>, at: Moment) -> Option<SinceBoot> {
        let (asked, since) = asked.zip(at.since_boot.filter(|since| !self.went_back(*since)))?;
        let took = since.seconds.saturating_sub(asked.seconds);
        (asked.boot == since.boot && (0..=LONGEST_ROUND_TRIP).contains(&took)).then_some(since)
    }

    /// Takes the time in a verified answer to our own question as an anchor, if the question was `asked` a short while ago in
    /// this run of the system. The mark follows it, up or down, and so does a floor in doubt. Gives false if there is nothing to
    /// write.
    pub fn note_anchor(&mut self, service: ServiceId, issued_at: i64, asked: Option<SinceBoot>, at: Moment) -> bool {
        let Some(since) = self.fresh(asked, at) else { return false };
        let started = issued_at.saturating_sub(since.seconds);
        let known = self.current(at).and_then(|(anchors, _)| anchors.started.get(&service).copied());
        let same = known.is_some_and(|known| known.abs_diff(started) < MARK_INTERVAL as u64);
        // What a service says while its anchor stands must outlive the run of the system as well.
        let floor = self.floors.get(&service).copied().unwrap_or(i64::MIN);
        let settled = issued_at < floor.saturating_add(MARK_INTERVAL)
            && self.provisional.is_none()
            && !is_behind(issued_at, self.mark)
            && !self.doubts.contains_key(&service);
        if same && settled {
            return false;
        }
        let anchors = match self.anchors.take().filter(|anchors| anchors.boot == since.boot) {
            Some(anchors) => self.anchors.insert(anchors),
            None => self.anchors.insert(Anchors { boot: since.boot, started: BTreeMap::new() }),
        };
        anchors.started.insert(service, started);
        self.longest = Some(since);
        self.lower(service, issued_at);
        self.raise(service, issued_at, at.wall);
        (self.mark, self.provisional) = (issued_at, None);
        true
    }

    /// True if a document of this time is over a day ahead of what services told in this run of the system: nobody can raise
    /// a floor, or number a list, so that what comes later in truth counts as earlier.
    pub(crate) fn is_too_far_ahead(&self, issued_at: i64, at: Moment) -> bool {
        issued_at > self.furthest(at)
    }

    /// The latest date that a document can have; without an anchor nobody knows.
    pub(crate) fn furthest(&self, at: Moment) -> i64 {
        self.latest(at).map_or(i64::MAX, |now| now.saturating_add(FURTHEST_AHEAD))
    }
}

fn is_behind(now: i64, known: i64) -> bool {
    now < known.saturating_sub(TOLERANCE)
}
