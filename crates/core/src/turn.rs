//! A mutex for which nobody waits without end.

use crate::operation::patience::{Impatience, LONGEST_PAUSE, Patience};
use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Locks; a panic elsewhere leaves nothing half-done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value that one thread has at a time. As a mutex, but waiting for it ends.
pub(crate) struct Turn<T> {
    taken: Mutex<bool>,
    free: Condvar,
    value: Mutex<T>,
}

impl<T> Turn<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { taken: Mutex::new(false), free: Condvar::new(), value: Mutex::new(value) }
    }

    /// Waits until no other thread has the value.
    pub(crate) fn take(&self) -> Result<Held<'_, T>, Impatience> {
        let mut taken = lock(&self.taken);
        if *taken {
            let patience = Patience::begin();
            while *taken {
                patience.check()?;
                let woken = self.free.wait_timeout(taken, LONGEST_PAUSE);
                taken = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        *taken = true;
        drop(taken);
        Ok(Held { value: lock(&self.value), _turn: Taken(self) })
    }
}

/// The value, until it is dropped.
pub(crate) struct Held<'t, T> {
    // Fields are dropped in this order: the value is free before its turn is.
    value: MutexGuard<'t, T>,
    _turn: Taken<'t, T>,
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

struct Taken<'t, T>(&'t Turn<T>);

impl<T> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        *lock(&self.0.taken) = false;
        self.0.free.notify_one();
    }
}
