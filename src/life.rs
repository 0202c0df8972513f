//! Whether the application still holds an object, and how many objects there are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// How many objects are counted at present.
pub(crate) fn count() -> usize {
    LIVE.load(Ordering::Acquire)
}

/// Counts one object until it is dropped.
pub(crate) struct Live;

impl Drop for Live {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether the application still holds an object. A running operation shares it, so that the object is counted until the
/// operation of a released object is over.
pub(crate) struct Life(Mutex<Option<Arc<Live>>>);

impl Life {
    /// Counts a new object.
    pub(crate) fn new() -> Self {
        LIVE.fetch_add(1, Ordering::AcqRel);
        Self(Mutex::new(Some(Arc::new(Live))))
    }

    /// What keeps the object counted, or `None` after its last release. Nothing is released while the guard is held.
    pub(crate) fn hold(&self) -> MutexGuard<'_, Option<Arc<Live>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_counted_once_until_it_is_dropped() {
        // Other tests have objects too, but nowhere near as many.
        const MANY: usize = 10_000;
        let lives: Vec<Life> = (0..MANY).map(|_| Life::new()).collect();
        assert!((MANY..MANY * 3 / 2).contains(&count()));
        let held: Vec<_> = lives.iter().map(|life| life.hold().take()).collect();
        drop(lives);
        assert!(count() >= MANY, "something of it still runs");
        drop(held);
        assert!(count() < MANY / 2);
    }
}
