//! The C face of acquisition that the user has a part in: challenge, answer, page and monitor.

use super::outcome::{Codes, code};
use super::{LicenseRequest, wm_license_request};
use crate::detail::Failure;
use crate::gate;
use crate::input::{self, Buffer};
use crate::object::resolve;
use crate::prop::names::TRANSACTION_ID;
use crate::result::{WM_S_LICENSE_ACQUIRED, WM_S_LICENSE_KNOWN, WM_S_MONITOR_CANCELLED, wm_result};
use crate::status;
use crate::verbed::Verbed;
use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex, PoisonError};
use wmlicense_core::acquire::Stage;
use wmlicense_core::acquire::interaction::{self, Challenge};
use wmlicense_core::carried::Carried;
use wmlicense_core::event::Flow;
use wmlicense_core::mailbox::Given;
use wmlicense_core::operation::Context;

impl Verbed<LicenseRequest> {
    /// The request that is to be carried, prepared if there is none.
    fn challenge(&self) -> Result<Challenge, Failure> {
        let client = self.client.opened()?;
        let wish = self.wish_or_last();
        let challenge = interaction::prepare(client, &self.settings(), &wish);
        let challenge = challenge?;
        self.own.progress.remember(challenge.transaction);
        Ok(challenge)
    }

    fn process(&self, answer: &[u8]) -> Result<wm_result, Failure> {
        let client = self.client.opened()?;
        let events = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&events);
        let context = Context::inline(None, move |event| {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
            Flow::Continue
        });
        let carrier = &self.own.progress.carrier;
        let result = carrier.take(client, &self.settings(), &self.wish_or_last(), answer, &context);
        drop(context);
        if !matches!(result, Ok(Carried::Given(_))) {
            // A monitor looks whether there is anything left to wait for.
            self.own.wake.ring();
        }
        self.worker.tell(&events.lock().unwrap_or_else(PoisonError::into_inner));
        match result? {
            Carried::Given(Given { transaction: _, stored: 0 }) => Ok(WM_S_LICENSE_KNOWN),
            Carried::Given(Given { transaction: _, stored: _ }) => Ok(WM_S_LICENSE_ACQUIRED),
            Carried::Asked(acquired) => {
                if acquired.stage != Stage::MorePages {
                    // A transaction that ended is not resumed by the next call.
                    self.properties().forget(TRANSACTION_ID.key());
                }
                Ok(code(acquired.brought()))
            }
        }
    }

    fn monitor(&self) -> Result<(), Failure> {
        let verb = self.verb()?;
        let wish = self.wish_or_last();
        let (loopback, wake) = (self.own.progress.loopback(), Arc::clone(&self.own.wake));
        let ending = self.ending(Codes { cancelled: WM_S_MONITOR_CANCELLED, ..Codes::SILENT });
        verb.start(status::ACQUIRE_LICENSE, move |client, settings, context| {
            ending.of(interaction::monitor(client, settings, &wish, loopback.as_ref(), &wake, context))
        })
    }

    fn abandon(&self) -> Result<(), Failure> {
        let client = self.client.opened()?;
        let wish = self.wish_or_last();
        let abandoned = interaction::abandon(client, &self.settings(), &wish);
        let transaction = abandoned?;
        self.properties().forget(TRANSACTION_ID.key());
        self.own.progress.remember(transaction);
        // Whoever waits for it learns that it is over.
        self.own.wake.ring();
        Ok(())
    }
}

/// Gives the challenge: the exact bytes that ask the service for the licenses, for an application that carries them itself.
/// It is prepared and stored if there is none yet, without a network; the service must be known from an earlier contact,
/// such as wm_individualize. POST it as application/cose to the URL that wm_get_license_url gives before the user must act,
/// as often as needed: the service answers it once. It holds no account token: where WM_PROP_ACCOUNT_TOKEN is set, the same token
/// is sent along in the header "Authorization: Bearer TOKEN", with every challenge. Two calls as for properties.
/// Fails with WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY where nothing was asked for or no service is set,
/// WM_E_INVALID_LICENSE_REQUEST for more key IDs than one request carries (1024, fewer where many of them have licenses
/// that count uses, of which the request must tell) or a header without any, WM_E_NEEDS_INDIVIDUALIZATION,
/// WM_E_SERVICE_UNKNOWN where nothing was ever heard from the service, WM_E_BUFFER_TOO_SMALL, or an error of store or keys.
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
        let next = page.map_or(url, |page| request.own.progress.way_back(page, request.properties()));
        to.fill_text(next.as_bytes())
    })
}

/// Takes the service's answer to the challenge from an application that carried both itself, verifies it and stores its
/// licenses. Allowed while a monitor runs on the same request; the monitor then ends when there is nothing left to fetch.
/// Answers WM_S_MORE_TO_FETCH where further pages of a pre-delivery wait: what came is stored; get the next challenge, carry it,
/// and hand its answer over, until another result comes. Answers WM_S_LICENSE_ACQUIRED where everything is fetched and a license
/// is stored, of the pages that this object took before as well, and WM_S_NOTHING_NEW where everything is fetched and nothing
/// was to be stored.
/// Statuses, told before it returns (inside a callback, or while another callback of the object runs, soon after):
/// WM_STATUS_ACCOUNT_NOT_PRESENTED where the service decided for nobody although WM_PROP_ACCOUNT_TOKEN is set, see
/// wm_get_challenge; WM_STATUS_LICENSE_REFUSED for each license refused; WM_STATUS_RENEWAL_DUE for each stored that its owner
/// wants renewed already. Do not call it while holding a lock that the callback needs.
/// Fails with WM_E_NO_RIGHTS where the user must act first, see
/// wm_get_license_url; WM_E_INVALID_LICENSE_ACQUIRED for anything that is no answer to this challenge; WM_E_NO_TRANSACTION
/// where none waits for an answer, which is so after the first good one; WM_E_LICENSE_NOTACQUIRED where the user declined, or
/// the request was abandoned meanwhile; another refusal of the service; or as wm_get_challenge. Then the store is as it was.
/// It also takes licenses that nobody asked for: a file that the issuer made for this device (`wmlicensed license give --out`),
/// carried by whatever way. No property but the service's URL is needed; nothing of the request is touched, and a
/// challenge that waits goes on waiting. WM_S_LICENSE_ACQUIRED once one of them is stored; WM_S_LICENSE_KNOWN where the
/// device has all of them, which gives no use back. Fails with WM_E_LICENSE_TOO_OLD 30 days after they were given;
/// WM_E_INVALID_MACHINE where they are for another device; WM_E_ISSUER_NOT_TRUSTED; WM_E_LICENSE_ISSUER where who
/// signed is not the issuer of their policies; WM_E_SIGNATURE_FAILURE and WM_E_ANSWER_MANIFEST where they were changed;
/// WM_E_LICENSE_TERMS where a stored license has other terms; WM_E_LICENSE_REMOVED where all of them were removed from
/// this device for good; WM_E_SERVICE_UNKNOWN where the service is not known from an earlier contact; or as
/// wm_get_challenge. Licenses that wait in the device's mailbox at the service come by themselves with whatever the
/// device asks next.
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
/// WM_PROP_TRANSACTION_ID first. Cancelling and releasing only end the watching: a user who acts afterwards is served by the next
/// wm_monitor_license or wm_acquire_license for the same. wm_abandon_acquisition gives the request up.
/// Statuses: those of wm_acquire_license. WM_STATUS_ACQUIRE_LICENSE ends it: WM_S_LICENSE_ACQUIRED; WM_S_MONITOR_CANCELLED;
/// WM_E_LICENSE_NOTACQUIRED where the user declined or did not act in time, or the request was abandoned; WM_E_DEADLINE, which
/// leaves the request as it is, with the URL of the page that still waits; WM_E_NO_TRANSACTION where none waits; or as
/// wm_acquire_license, with the URL of a page that helps where the service names one.
/// Fails at the call with WM_E_INVALIDARG, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY, and WM_E_ACQUIRING_LICENSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_monitor_license(request: *mut wm_license_request) -> wm_result {
    gate::enter(|| resolve(request)?.monitor())
}

/// Gives up the request that waits for its answer: the one of WM_PROP_TRANSACTION_ID, else the last one of this object, else the
/// pending one for what the object asks for. An answer is taken no more, whatever the user does on the page, and acquiring the
/// same begins anew; the service is told nothing. Returns at once and may be called at any time, from a callback too: a monitor
/// or an acquisition that waits for that answer ends with WM_E_LICENSE_NOTACQUIRED.
/// Fails with WM_E_NO_TRANSACTION where none waits (it was answered, refused or abandoned before), WM_E_INVALIDARG,
/// WM_E_INVALID_HANDLE, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY where nothing names a request, or an error of store or keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_abandon_acquisition(request: *mut wm_license_request) -> wm_result {
    gate::enter(|| resolve(request)?.abandon())
}
