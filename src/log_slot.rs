//! Where a client's records go: the application's log callback, and the calls of it that run. Setting it is in
//! `log_callback.rs`.

use crate::callback::as_callback;
use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use wmlicense_core::logging::{Level, LogSink};

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(false) };
}

/// The application's function and its context, and the calls of it that have not returned.
pub(crate) struct Installed {
    function: unsafe extern "C" fn(u32, *const c_char, *const c_char, *mut c_void),
    context: *mut c_void,
    calls: Mutex<usize>,
    ended: Condvar,
}

// SAFETY: the header says that the function is called on threads of the library; what the context points to is never
// touched here.
unsafe impl Send for Installed {}
// SAFETY: as above.
unsafe impl Sync for Installed {}

impl Installed {
    /// The caller guarantees that the function may be called with this context until it has replaced them.
    pub(crate) unsafe fn new(
        function: unsafe extern "C" fn(u32, *const c_char, *const c_char, *mut c_void),
        context: *mut c_void,
    ) -> Self {
        Self { function, context, calls: Mutex::new(0), ended: Condvar::new() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a client's records go.
#[derive(Default)]
pub(crate) struct LogSlot {
    installed: Mutex<Option<Arc<Installed>>>,
    level: AtomicU32,
}

impl LogSlot {
    /// Replaces the callback; returns when no call of the former one is running any more, except inside such a call.
    pub(crate) fn set(&self, next: Option<Installed>, level: u32) {
        let former = {
            let mut installed = lock(&self.installed);
            self.level.store(if next.is_some() { level } else { 0 }, Ordering::Relaxed);
            std::mem::replace(&mut *installed, next.map(Arc::new))
        };
        let Some(former) = former.filter(|_| !RECORDING.get()) else {
            return;
        };
        let mut calls = lock(&former.calls);
        while *calls > 0 {
            calls = former.ended.wait(calls).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Stops the records.
    pub(crate) fn clear(&self) {
        self.set(None, 0);
    }

    /// The callback, with one more call counted.
    fn begin(&self) -> Option<Arc<Installed>> {
        let installed = lock(&self.installed);
        let found = installed.clone()?;
        *lock(&found.calls) += 1;
        Some(found)
    }
}

fn c_text(text: String) -> CString {
    let line: Vec<u8> = text.into_bytes().into_iter().map(|byte| if byte < b' ' { b' ' } else { byte }).collect();
    CString::new(line).unwrap_or_default()
}

impl LogSink for LogSlot {
    fn wants(&self, level: Level) -> bool {
        level as u32 <= self.level.load(Ordering::Relaxed) && !RECORDING.get()
    }

    fn record(&self, level: Level, target: &str, message: fmt::Arguments<'_>) {
        let (target, message) = (c_text(target.to_owned()), c_text(message.to_string()));
        let Some(installed) = self.begin() else {
            return;
        };
        RECORDING.set(true);
        as_callback(|| {
            // SAFETY: `new` made the application answer for the function and its context; the texts live until it returns.
            unsafe { (installed.function)(level as u32, target.as_ptr(), message.as_ptr(), installed.context) }
        });
        RECORDING.set(false);
        *lock(&installed.calls) -= 1;
        installed.ended.notify_all();
    }
}
