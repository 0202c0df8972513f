//! Who looks at which slot at present. A reader announces its slot before it looks whether the object is still there; who empties
//! a slot waits for its readers afterwards. One of the two sees the other, so a lookup takes no lock and counts nothing.

use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering, announce, settle, yield_now};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError};

/// No slot: they are announced by their number and one.
const NONE: usize = 0;

/// What a reader looks at; on cache lines of its own, because its thread writes there at every lookup.
#[repr(align(128))]
struct Announced {
    slot: AtomicUsize,
    /// Some reader has it; given back, it passes on what the reader has seen.
    taken: AtomicBool,
}

/// All readers of a table.
pub(super) struct Readers(Mutex<Vec<Arc<Announced>>>);

/// Looks objects up on one thread.
pub(crate) struct Reader {
    announced: Arc<Announced>,
    _one_thread: PhantomData<Cell<()>>,
}

/// One look at a slot.
pub(super) struct Reading<'r>(&'r AtomicUsize);

impl Readers {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(super) fn enter(&self) -> Reader {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of threads that ended are free; the lock is held, so nobody else takes one meanwhile.
        let free = all.iter().find(|announced| !announced.taken.load(Ordering::Acquire)).map(Arc::clone);
        let announced = free.unwrap_or_else(|| {
            let new = Arc::new(Announced { slot: AtomicUsize::new(NONE), taken: AtomicBool::new(true) });
            all.push(Arc::clone(&new));
            new
        });
        announced.taken.store(true, Ordering::Relaxed);
        Reader { announced, _one_thread: PhantomData }
    }

    /// Returns when no reader is left that found the slot's object before it was emptied.
    pub(super) fn wait_for(&self, slot: usize) {
        settle();
        let looks = |announced: &Arc<Announced>| announced.slot.load(Ordering::SeqCst) == slot + 1;
        // Waited for without the lock, which threads take that look for the first time.
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let looking: Vec<_> = all.iter().filter(|announced| looks(announced)).map(Arc::clone).collect();
        drop(all);
        for announced in looking {
            while looks(&announced) {
                yield_now();
            }
        }
    }
}

#[cfg(test)]
impl Readers {
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Reader {
    /// Announces a slot; `None` within another look, whose slot stays announced.
    pub(super) fn begin(&self, slot: usize) -> Option<Reading<'_>> {
        let announced = &self.announced.slot;
        if announced.load(Ordering::Relaxed) != NONE {
            return None;
        }
        announce(announced, slot + 1);
        Some(Reading(announced))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.announced.taken.store(false, Ordering::Release);
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.store(NONE, Ordering::Release);
    }
}
