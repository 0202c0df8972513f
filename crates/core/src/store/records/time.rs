//! The store's memory of the clock: read at evaluations of dated licenses, written at their uses and refusals.

use super::epoch;
use super::merge::Merger;
use crate::clock::{ClockRecord, ClockVerdict, Moment, SinceBoot};
use crate::logging::{Level, target};
use crate::rights;
use crate::store::head::Head;
use crate::store::index::changes::Merge;
use crate::store::{Store, StoreError};
use std::sync::PoisonError;
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::id::{Kid, ServiceId};

impl Store {
    /// What the store remembers about the time.
    pub fn clock_record(&self) -> Result<ClockRecord, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::moment::read(connection)?;
            let mut seen = inner.seen_head.lock().unwrap_or_else(PoisonError::into_inner);
            let clock = &Head::load_current(&transaction, &inner.integrity, &mut seen)?.clock;
            Ok(ClockRecord::clone(clock))
        })
    }

    /// Records the time of a use of a dated license. Writes at most once a minute.
    pub fn note_use(&self) -> Result<(), StoreError> {
        self.note_time(i64::MIN)
    }

    /// Records the time at which something was refused because it ended or has not begun: a time that was seen cannot be lived
    /// through again. The right is refused whether the record can be written or not. Writes at most once a minute.
    pub(crate) fn note_refusal(&self) {
        self.note_end(i64::MIN);
    }

    /// As [`Self::note_refusal`], where it is known by another clock that `passed`, in seconds UTC, was reached.
    pub(crate) fn note_end(&self, passed: i64) {
        if let Err(error) = self.note_time(passed) {
            let text = format_args!("the time of a refusal could not be recorded: {error}");
            self.inner.log.record(Level::Warn, target::STORE, text);
        }
    }

    fn note_time(&self, passed: i64) -> Result<(), StoreError> {
        let moment = || {
            let at = self.inner.clock.moment();
            Moment { wall: at.wall.max(passed), ..at }
        };
        // The clock is read after the record, which may be of another process and a moment ago.
        if self.clock_record()?.note_use(moment()) {
            self.change_clock(|clock| {
                clock.note_use(moment());
            })?;
        }
        Ok(())
    }

    /// What the clock is worth.
    pub fn clock_verdict(&self) -> Result<ClockVerdict, StoreError> {
        Ok(self.clock_record()?.verdict(self.inner.clock.moment()))
    }

    /// Records the time in a verified answer of `service` to a question that this device `asked`, if it came soon enough.
    /// Writes once in each run of the system, when the service's clock was set, and while a floor is in doubt.
    pub fn note_anchor(&self, service: ServiceId, issued_at: i64, asked: Option<SinceBoot>) -> Result<(), StoreError> {
        let inner = &*self.inner;
        if !self.clock_record()?.note_anchor(service, issued_at, asked, inner.clock.moment()) {
            return Ok(());
        }
        inner.write(|transaction| {
            let mut head = Head::load(transaction, &inner.integrity)?;
            let mut clock = head.clock.clone();
            clock.note_anchor(service, issued_at, asked, inner.clock.moment());
            let floor = |clock: &ClockRecord| clock.floors.get(&service).copied();
            if let Some(lowered) = floor(&clock).filter(|now| Some(*now) < floor(&head.clock)) {
                epoch::date_back(transaction, service, lowered)?;
            }
            head.set_clock(clock);
            head.save(transaction, &inner.integrity)
        })
    }

    /// Records the time in a document that was verified from `service`; its licenses are never used before it.
    pub fn note_contact(&self, service: ServiceId, issued_at: i64) -> Result<(), StoreError> {
        self.change_clock(|clock| clock.note_contact(service, issued_at, self.inner.clock.now()))
    }

    /// Removes those licenses of a key ID for good whose policy says so when the clock is behind at a use of this action, and
    /// gives their number. The clock is judged again in the same commit.
    pub(crate) fn forfeit(&self, kid: Kid, action: &str) -> Result<u64, StoreError> {
        let inner = &*self.inner;
        inner.write(|connection| {
            let mut merger = Merger::new(connection, inner, inner.clock.now())?;
            let at = inner.clock.moment();
            let mut deleted = 0;
            for stored in merger.of_kid(kid)? {
                let policy = stored.policy;
                let services = [policy.issuer].into_iter().chain(policy.management);
                let reading = merger.head.clock.read(at, services);
                if rights::is_forfeited(&policy, Some(reading), action) {
                    let removed_at = reading.behind.unwrap_or(reading.now);
                    merger.bury(&Tombstone { lid: policy.lid, issuer: policy.issuer, removed_at })?;
                    deleted += 1;
                }
            }
            merger.finish(Merge::InTime)?;
            Ok(deleted)
        })
    }

    fn change_clock(&self, change: impl FnOnce(&mut ClockRecord)) -> Result<(), StoreError> {
        let inner = &*self.inner;
        inner.write(|transaction| {
            let mut head = Head::load(transaction, &inner.integrity)?;
            let mut clock = head.clock.clone();
            change(&mut clock);
            head.set_clock(clock);
            head.save(transaction, &inner.integrity)
        })
    }
}
