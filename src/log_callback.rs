//! The log callback: records of one client for the application's own log. There is no other log.

use crate::client::wm_client;
use crate::detail::Failure;
use crate::gate;
use crate::lists::named;
use crate::log_slot::Installed;
use crate::object::resolve;
use crate::result::{WM_E_INVALIDARG, wm_result};
use std::ffi::{c_char, c_void};
use wmlicense_core::logging::Level;

/// Receives one record. level: WM_LOG_*. target: the part of the library: "wmlicense::" and operation, http, service, store,
/// device or use. message: one line of English text, UTF-8. Both are valid until it returns. context: as given. It never
/// holds a password, token, key or the query of a URL. Called on any thread of the library, by several threads at once,
/// with no lock held; functions of the library may be called from it, but what they do is not recorded. It must not
/// throw or longjmp.
pub type wm_log_callback =
    Option<unsafe extern "C" fn(level: u32, target: *const c_char, message: *const c_char, context: *mut c_void)>;

named! {
    /// Levels.
    LEVELS = "WM_LOG_" of Level;
    ERROR = Error, "An operation failed";
    WARN = Warn, "Something went wrong that is tried again or that an error follows";
    INFO = Info, "Operations begin and end";
    DEBUG = Debug, "Requests and their outcomes";
}

/// Gives the application records of what this client does: opening, operations, what they ask of services, uses of licenses,
/// and what of store and keys had to be mended. What came before is not told, so set it before wm_open_client. callback: NULL
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
        let known = LEVELS.iter().any(|row| row.value == i64::from(level));
        if callback.is_some() && !known {
            return Err(Failure::with(WM_E_INVALIDARG, "There is no such level."));
        }
        // SAFETY: the header makes the application answer for the function and its context until they are replaced.
        let next = callback.map(|function| unsafe { Installed::new(function, context) });
        client.log_slot().set(next, level);
        Ok(())
    })
}

#[cfg(test)]
mod tests;
