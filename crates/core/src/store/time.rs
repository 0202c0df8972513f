//! The store's memory of the clock: read at evaluations of dated licenses, written at their uses.

use super::head::Head;
use super::{Store, StoreError};
use crate::clock::{ClockRecord, SinceBoot, Verdict};
use std::sync::PoisonError;
use wmlicense_wire::id::ServiceId;

impl Store {
    /// What the store remembers about the time.
    pub fn clock_record(&self) -> Result<ClockRecord, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = super::connection::read(connection)?;
            let mut seen = inner.seen_clock.lock().unwrap_or_else(PoisonError::into_inner);
            Head::load_clock(&transaction, &inner.integrity, &mut seen)
        })
    }

    /// Records a use of a dated license. Writes at most once a minute.
    pub fn note_use(&self) -> Result<(), StoreError> {
        let at = self.inner.clock.moment();
        if self.clock_record()?.note_use(at) {
            self.change_clock(|clock| {
                clock.note_use(at);
            })?;
        }
        Ok(())
    }

    /// What the clock is worth.
    pub fn clock_verdict(&self) -> Result<Verdict, StoreError> {
        Ok(self.clock_record()?.verdict(self.inner.clock.moment()))
    }

    /// Records the time in a verified answer of `service` to a question that this device `asked`, if it came soon enough.
    /// Writes once in each run of the system, and when the service's clock was set.
    pub fn note_anchor(&self, service: ServiceId, issued_at: i64, asked: Option<SinceBoot>) -> Result<(), StoreError> {
        let at = self.inner.clock.since_boot();
        if self.clock_record()?.note_anchor(service, issued_at, asked, at) {
            self.change_clock(|clock| {
                clock.note_anchor(service, issued_at, asked, at);
            })?;
        }
        Ok(())
    }

    /// Records the time in a document that was verified from `service`; its licenses are never used before it.
    pub fn note_contact(&self, service: ServiceId, issued_at: i64) -> Result<(), StoreError> {
        self.change_clock(|clock| clock.note_contact(service, issued_at))
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
