//! The C face of acquisition that the user has a part in: challenge, answer, page and monitor.

use super::{LicenseRequestObject, tell_refusals, wm_license_request};
use crate::callback::Outcome;
use crate::error_info::Failure;
use crate::failure;
use crate::gate;
use crate::input::{self, Buffer};
use crate::object::resolve;
use crate::prop::names::TRANSACTION_ID;
use crate::result::{WM_E_ACQUIRING_LICENSE, WM_S_LICENSE_ACQUIRED, WM_S_MONITOR_CANCELLED, wm_result};
use crate::status;
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wmlicense_core::acquire::AcquireError;
use wmlicense_core::acquire::interaction::{self, Challenge};

impl LicenseRequestObject {
    /// The request that is to be carried, prepared if there is none.
    fn challenge(&self) -> Result<Challenge, Failure> {
        let client = self.client.opened()?;
        let wish = self.wish_or_last()?;
        let settings = self.client.settings(&self.properties);
        let challenge = interaction::prepare(client, &settings, &wish);
        let challenge = challenge.map_err(|error| failure::acquire(&error, client.clock.now()))?;
        self.progress.remember(challenge.transaction);
        Ok(challenge)
    }

    fn process(&self, answer: &[u8]) -> Result<wm_result, Failure> {
        let client = self.client.opened()?;
        let wish = self.wish_or_last()?;
        let settings = self.client.settings(&self.properties);
        let now = client.clock.now();
        let result = interaction::process(client, &settings, &wish, answer);
        // A monitor looks whether there is anything left to wait for.
        self.wake.ring();
        match result {
            Ok(_) => Ok(WM_S_LICENSE_ACQUIRED),
            Err(error) => Err(failure::acquire(&error, now)),
        }
    }

    fn monitor(&self) -> Result<(), Failure> {
        let client = Arc::clone(self.client.opened()?);
        let wish = self.wish_or_last()?;
        let settings = self.client.settings(&self.properties);
        let loopback = self.progress.loopback();
        let (properties, wake, released) =
            (Arc::clone(&self.properties), Arc::clone(&self.wake), self.worker.released());
        let deadline = settings.network.deadline;
        self.worker.start(status::ACQUIRE_LICENSE, WM_E_ACQUIRING_LICENSE, deadline, move |context| {
            match interaction::monitor(&client, &settings, &wish, loopback.as_ref(), &wake, context) {
                Ok(acquired) => {
                    tell_refusals(&acquired.refusals, context);
                    properties.forget(TRANSACTION_ID);
                    Outcome::success(WM_S_LICENSE_ACQUIRED)
                }
                Err(AcquireError::Cancelled) => {
                    // Who only releases the object may come back after a restart; who cancels gives up.
                    let ended = if released.load(Ordering::Acquire) {
                        Ok(())
                    } else {
                        interaction::give_up(&client, &settings, &wish)
                    };
                    match ended {
                        Ok(()) => Outcome::success(WM_S_MONITOR_CANCELLED),
                        Err(error) => Outcome::failure(failure::acquire(&error, client.clock.now())),
                    }
                }
                Err(error) => {
                    if let AcquireError::Refused(refusals) = &error {
                        tell_refusals(refusals, context);
                    }
                    Outcome::failure(failure::acquire(&error, client.clock.now()))
                }
            }
        })
    }
}

/// Gives the challenge: the exact bytes that ask the service for the licenses, for an application that carries them itself.
/// It is prepared and stored if there is none yet, without a network; the service must be known from an earlier contact,
/// such as wm_individualize. POST it as application/cose to the URL that wm_get_license_url gives before the user must act,
/// as often as needed: the service answers it once. It holds no account token. Two calls as for properties.
/// Fails with WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY where nothing was asked for or no service is set,
/// WM_E_INVALID_LICENSE_REQUEST for more than 1024 key IDs or a header without any, WM_E_NEEDS_INDIVIDUALIZATION,
/// WM_E_POLICY_DISABLE_ONLINE where the service is not known yet, WM_E_BUFFER_TOO_SMALL, or an error of store or keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_get_challenge(
    request: *mut wm_license_request,
    buf: *mut c_void,
    buf_size: usize,
    needed_out: *mut usize,
) -> wm_result {
    gate::enter(|| {
        let request = resolve(request)?;
        // SAFETY: the header makes the caller answer for buf and needed_out.
        let to = unsafe { Buffer::new(buf, buf_size, needed_out)? };
        to.fill(&[&request.challenge()?.request])
    })
}

/// Gives the URL that is next: the page on which the user must act, as soon as the service named one, with the way back to
/// this device where WM_PROP_LOOPBACK_REDIRECT is set; before that, where the challenge is POSTed. Open a page in the
/// user's browser, and show WM_PROP_INTERACTION_CODE beside it. Two calls as for properties. Fails as wm_get_challenge.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_get_license_url(
    request: *mut wm_license_request,
    buf: *mut c_char,
    buf_size: usize,
    needed_out: *mut usize,
) -> wm_result {
    gate::enter(|| {
        let request = resolve(request)?;
        // SAFETY: the header makes the caller answer for buf and needed_out.
        let to = unsafe { Buffer::new(buf.cast(), buf_size, needed_out)? };
        let Challenge { url, page, .. } = request.challenge()?;
        let next = page.map_or(url, |page| request.progress.way_back(page, &request.properties));
        to.fill_text(next.as_bytes())
    })
}

/// Takes the service's answer to the challenge from an application that carried both itself, verifies it and stores its
/// licenses. Allowed while a monitor runs on the same request; the monitor then ends.
/// Answers WM_S_LICENSE_ACQUIRED once a license is stored. Fails with WM_E_NO_RIGHTS where the user must act first, see
/// wm_get_license_url; WM_E_INVALID_LICENSE_ACQUIRED for anything that is no answer to this challenge; WM_E_NO_TRANSACTION
/// where none waits for an answer, which is so after the first good one; WM_E_LICENSE_NOTACQUIRED where the user declined;
/// another refusal of the service; or as wm_get_challenge. Then the store is as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_process_response(
    request: *mut wm_license_request,
    data: *const c_void,
    size: usize,
) -> wm_result {
    gate::enter_with(|| {
        let request = resolve(request)?;
        // SAFETY: the header makes the caller answer for data.
        request.process(unsafe { input::bytes(data, size, "data")? })
    })
}

/// Waits in the background until the user has acted on the page and the license is stored, by asking the service at the
/// pace that it names, slower as time goes by. A lost connection is waited out. After a restart of the application set
/// WM_PROP_TRANSACTION_ID first. Cancelling gives the request up, without a word to the service; releasing the object
/// does not.
/// WM_STATUS_ACQUIRE_LICENSE ends it: WM_S_LICENSE_ACQUIRED; WM_S_MONITOR_CANCELLED; WM_E_LICENSE_NOTACQUIRED where the user
/// declined or did not act in time; WM_E_DEADLINE, which leaves the request as it is; WM_E_NO_TRANSACTION where none waits;
/// or as wm_acquire_license.
/// Fails at the call with WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY, and WM_E_ACQUIRING_LICENSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_monitor_license(request: *mut wm_license_request) -> wm_result {
    gate::enter(|| resolve(request)?.monitor())
}
