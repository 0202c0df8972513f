//! The C face of `core::ensure`: the one call that blocks until content can be played or it is known why not.

use crate::client::{ClientObject, wm_client};
use crate::content_header::wm_content_header;
use crate::detail::Failure;
use crate::flags::{WM_ENSURE_INDIVIDUALIZE, WM_INFINITE};
use crate::gate;
use crate::input;
use crate::memory;
use crate::object::resolve;
use crate::result::{WM_E_INTERNAL, WM_E_OUTOFMEMORY, WM_S_LICENSE_ACQUIRED, WM_S_OK, wm_result};
use crate::teller::Outcome;
use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;
use wmlicense_core::ensure::{EnsureWish, Ensured, ensure};
use wmlicense_core::event::{Event, Flow};
use wmlicense_core::operation::{Observer, Operation};

/// The caller waits for the result; there is nobody to tell statuses to.
struct Nobody;

impl Observer<Outcome> for Nobody {
    fn event(&mut self, _: &Event) -> Flow {
        Flow::Continue
    }

    fn finished(&mut self, _: &Outcome) {}
}

/// Runs on a thread of the library, because that of the caller may have too small a stack.
fn run(client: &ClientObject, wish: EnsureWish, timeout: Option<Duration>) -> Result<wm_result, Failure> {
    let core = Arc::clone(client.opened()?);
    let settings = client.own_settings();
    let deadline = [timeout, settings.network.deadline].into_iter().flatten().min();
    let work = move |context: &_| match ensure(&core, &settings, &wish, context) {
        Ok(Ensured::Permitted) => Outcome::success(WM_S_OK),
        Ok(Ensured::Acquired) => Outcome::success(WM_S_LICENSE_ACQUIRED),
        Err(error) => Outcome::failure(error),
    };
    let panicked = || Outcome::failure(Failure::new(WM_E_INTERNAL));
    memory::check(memory::FOR_AN_OPERATION)?;
    // Dropping it would cancel what runs.
    let operation = Operation::new();
    let started = operation.start(deadline, Box::new(Nobody), work, panicked);
    let started = started.map_err(|error| Failure::with(WM_E_OUTOFMEMORY, error.to_string()))?;
    started.wait().ok_or_else(|| Failure::new(WM_E_INTERNAL))?.into_result()
}

/// Sees to it that content can be used, and blocks until that is so or it is known why not: the whole way of a player
/// in one call.
/// Answers 0 where stored licenses permit the action for every key ID of the header, without a network and without a write. Else
/// it individualizes the device if that is needed and flags allow it, acquires silently what is missing at WM_PROP_SERVICE_URL,
/// and answers WM_S_LICENSE_ACQUIRED once every key ID permits the action.
/// action: UTF-8, WM_ACTION_* or another name that a policy has. flags: 0, or WM_ENSURE_INDIVIDUALIZE where the user agreed to
/// individualization. timeout_ms: after so long it gives up with WM_E_DEADLINE; WM_INFINITE waits as
/// WM_PROP_DEADLINE_MS says. What is asked for and not answered by then is taken up by the next call. It may be called
/// on any thread, of the user interface rather not, and inside a callback, which then does not return for so long;
/// several calls on one client run side by side. No statuses are told, and wm_cancel does not reach it: an application
/// that shows progress uses wm_acquire_license.
/// Fails with the result of the step that failed, and wm_get_error_info has its detail: WM_E_NEEDS_INDIVIDUALIZATION without
/// the flag; the results of wm_individualize and wm_acquire_license; WM_E_NO_RIGHTS where the user must act, with the URL of the
/// page in the message: open it and call again; where licenses came that do not permit the action, the results of
/// wm_create_decryptor; in both cases the detail names the key ID. WM_E_INVALID_LICENSE_REQUEST where the header names no key ID,
/// WM_E_INVALID_PROPERTY where something must be acquired and no service is set, WM_E_INVALIDARG for NULL and other flags,
/// WM_E_INVALID_HANDLE, WM_E_BAD_VALUE, WM_E_NOT_OPEN, WM_E_OUTOFMEMORY, or an error of store or keys. Licenses that came stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_ensure_license(
    client: *mut wm_client,
    header: *mut wm_content_header,
    action: *const c_char,
    flags: u32,
    timeout_ms: u32,
) -> wm_result {
    gate::enter_with(|| {
        let (client, header) = (resolve(client)?, resolve(header)?);
        // SAFETY: the header makes the caller answer for a NUL-terminated text.
        let action = unsafe { input::action(action)? }.to_owned();
        let may_individualize = input::flag(flags, WM_ENSURE_INDIVIDUALIZE)?;
        let timeout = (timeout_ms != WM_INFINITE).then(|| Duration::from_millis(timeout_ms.into()));
        run(&client, EnsureWish { kids: header.kids().to_vec(), action, may_individualize }, timeout)
    })
}
