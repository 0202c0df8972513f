//! The time, injected, and what a store remembers of it, so that a clock that was set back is noticed.

use std::collections::BTreeMap;
use std::sync::Arc;
use wmlicense_wire::id::ServiceId;

/// How far the wall clock may stand below what is known, in seconds: clocks are corrected by themselves now and then.
const TOLERANCE: i64 = 300;
/// The mark is written at most this often, in seconds.
const MARK_INTERVAL: i64 = 60;
/// A jump further ahead than this waits for a service's word, in seconds: a clock set ahead by mistake must not lock
/// licenses for good.
const LONGEST_JUMP: i64 = 30 * 86_400;

/// Gives the wall clock's seconds UTC.
pub trait Clock: Send + Sync {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    fn now(&self) -> i64;
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or_else(|before| -(before.duration().as_secs() as i64), |since| since.as_secs() as i64)
    }
}

/// A clock to share.
pub type SharedClock = Arc<dyn Clock>;

/// What a store remembers about the time (`docs/protocol.md`, Clock). All times are seconds UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClockRecord {
    /// The wall clock at the last use that was recorded.
    pub mark: i64,
    /// The wall clock after a jump of over 30 days, until a service confirms it.
    pub provisional: Option<i64>,
    /// The newest time that was verified from each service.
    pub floors: BTreeMap<ServiceId, i64>,
}

impl ClockRecord {
    /// The time that is known to have passed, if the wall clock is behind it: the mark, or what one of these services said.
    pub fn behind(&self, now: i64, services: impl IntoIterator<Item = ServiceId>) -> Option<i64> {
        let floors = services.into_iter().filter_map(|service| self.floors.get(&service).copied());
        let known = floors.fold(self.mark, i64::max);
        (now < known.saturating_sub(TOLERANCE)).then_some(known)
    }

    /// Records a use at `now`. Gives false if there is nothing to write.
    pub fn note_use(&mut self, now: i64) -> bool {
        if now < self.mark.saturating_add(MARK_INTERVAL) {
            return false;
        }
        if now > self.mark.saturating_add(LONGEST_JUMP) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;
    const START: i64 = 1_800_000_000;

    fn record() -> ClockRecord {
        ClockRecord { mark: START, ..ClockRecord::default() }
    }

    #[test]
    fn a_clock_is_behind_only_beyond_the_tolerance() {
        assert!(record().behind(START - TOLERANCE, []).is_none());
        assert_eq!(record().behind(START - TOLERANCE - 1, []), Some(START));
    }

    #[test]
    fn a_service_holds_up_only_its_own_licenses() {
        let (one, other) = (ServiceId::new([1; 16]), ServiceId::new([2; 16]));
        let mut record = record();
        record.note_contact(one, START + DAY);
        record.note_contact(one, START);
        assert_eq!(record.behind(START, [one]), Some(START + DAY));
        assert!(record.behind(START, [other]).is_none());
    }

    #[test]
    fn the_mark_rises_with_use_but_not_more_often_than_each_minute() {
        let mut record = record();
        assert!(!record.note_use(START + MARK_INTERVAL - 1));
        assert!(record.note_use(START + MARK_INTERVAL));
        assert_eq!(record.mark, START + MARK_INTERVAL);
        assert!(!record.note_use(START - DAY));
        assert_eq!(record.mark, START + MARK_INTERVAL);
    }

    #[test]
    fn a_long_jump_counts_only_when_a_service_confirms_it() {
        let mut record = record();
        let ahead = START + 400 * DAY;
        assert!(record.note_use(ahead));
        assert!(!record.note_use(ahead + 1));
        assert!(record.behind(START + DAY, []).is_none(), "set right again, nothing is lost");
        record.note_contact(ServiceId::new([1; 16]), START + DAY);
        assert_eq!(record.mark, START);
        record.note_contact(ServiceId::new([1; 16]), ahead);
        assert_eq!((record.mark, record.provisional), (ahead + 1, None));
    }
}
