//! The log callback: records of one client's operations for the application's own log. There is no other log.

use crate::callback::as_callback;
use crate::client::wm_client;
use crate::error_info::Failure;
use crate::gate;
use crate::object::resolve;
use crate::result::{WM_E_INVALIDARG, wm_result};
use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use wmlicense_core::logging::{Level, LogSink};

/// Receives one record. level: WM_LOG_*. target: the part of the library, such as "wmlicense::http". message: one line of
/// English text, UTF-8. Both are valid until it returns. context: as given. It never holds a password, token, key or
/// the query of a URL. Called on any thread of the library, by several threads at once, with no lock held; functions
/// of the library may be called from it, but what they do is not recorded. It must not throw or longjmp.
pub type wm_log_callback =
    Option<unsafe extern "C" fn(level: u32, target: *const c_char, message: *const c_char, context: *mut c_void)>;

/// Levels: name, number, meaning.
pub const LEVELS: &[(&str, u32, &str)] = &[
    ("WM_LOG_ERROR", Level::Error as u32, "An operation failed"),
    ("WM_LOG_WARN", Level::Warn as u32, "Something went wrong that is tried again or that an error follows"),
    ("WM_LOG_INFO", Level::Info as u32, "Operations begin and end"),
    ("WM_LOG_DEBUG", Level::Debug as u32, "Requests and their outcomes"),
];

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(false) };
}

/// The application's function and its context, and the calls of it that have not returned.
struct Installed {
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
    fn set(&self, next: Option<Installed>, level: u32) {
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
            // SAFETY: the application answers for the function and its context until it has replaced them; the texts live
            // until it returns.
            unsafe { (installed.function)(level as u32, target.as_ptr(), message.as_ptr(), installed.context) }
        });
        RECORDING.set(false);
        *lock(&installed.calls) -= 1;
        installed.ended.notify_all();
    }
}

/// Gives the application records of what operations of this client do, on the way to a service above all. callback: NULL
/// ends the records. level: WM_LOG_*, the least important that is wanted; without meaning for NULL. When it returns, no
/// call of the former callback runs or comes any more, so its context may go; inside a log callback it does not wait
/// for that. The last release of the client ends the records likewise. Never call it while holding a lock that the log
/// callback needs. There is no other log: the library writes nowhere and sets no logger of the process.
/// Fails with WM_E_INVALIDARG for NULL or another level, and WM_E_INVALID_HANDLE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_set_log_callback(
    client: *mut wm_client,
    callback: wm_log_callback,
    context: *mut c_void,
    level: u32,
) -> wm_result {
    gate::enter(|| {
        let client = resolve(client)?;
        let known = LEVELS.iter().any(|row| row.1 == level);
        if callback.is_some() && !known {
            return Err(Failure::with(WM_E_INVALIDARG, "There is no such level."));
        }
        let next =
            callback.map(|function| Installed { function, context, calls: Mutex::new(0), ended: Condvar::new() });
        client.log_slot().set(next, level);
        Ok(())
    })
}
