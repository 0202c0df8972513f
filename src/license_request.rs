//! The C face of `core::acquire`. Renewals are in `license_request/renewal.rs`, what the user has a part in is in
//! `license_request/interaction.rs`.

pub mod interaction;
mod outcome;
pub mod renewal;

use crate::callback::wm_status_callback;
use crate::client::wm_client;
use crate::detail::Failure;
use crate::flags::{WM_ACQUIRE_NONSILENT, WM_ACQUIRE_SILENT};
use crate::gate;
use crate::object::{handle, resolve};
use crate::prop::names::*;
use crate::prop::{Key, Properties, Specs, Value};
use crate::result::{WM_E_ACQUIRING_LICENSE, WM_E_INVALID_PROPERTY, WM_E_INVALIDARG, WM_S_OK, wm_result};
use crate::status;
use crate::verbed::{self, Verbed, Verbs};
use outcome::{Codes, Ending};
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};
use wmlicense_core::acquire::interaction::pending_challenge;
use wmlicense_core::acquire::{self, LicenseWish, Loopback, Wake};
use wmlicense_core::carried::Carrier;
use wmlicense_core::rights::action;
use wmlicense_wire::id::TransactionId;

/// Acquires licenses from an issuer. Create it, set WM_PROP_KEY_IDS or WM_PROP_HEADER, call wm_acquire_license, and watch
/// WM_STATUS_ACQUIRE_LICENSE.
pub struct wm_license_request {
    _opaque: [u8; 0],
}

handle!(wm_license_request: Verbed<LicenseRequest>, LicenseRequest);

/// What it answers while the application names none.
const LAST_TRANSACTION: Key = TRANSACTION_ID.key();

/// What is asked for where WM_PROP_ACTIONS is unset.
const DEFAULT_ACTION: &str = action::PLAY;

/// The kind of object behind a `wm_license_request`. Its operations share what it keeps; they do not keep the object.
#[derive(Default)]
pub(crate) struct LicenseRequest {
    progress: Arc<Progress>,
    wake: Arc<Wake>,
}

/// How far the request is.
#[derive(Default)]
struct Progress {
    /// The transaction begun or ended last.
    last: Mutex<Option<TransactionId>>,
    /// The pages that the application carries.
    carrier: Carrier,
    /// Where the page leads back to, once one was told with a way back.
    loopback: Mutex<Option<Arc<Loopback>>>,
}

impl Progress {
    fn last(&self) -> Option<TransactionId> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, transaction: TransactionId) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(transaction);
    }

    fn loopback(&self) -> Option<Arc<Loopback>> {
        self.loopback.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The page with the way back to this device, where the application wants one and a port can be had.
    fn way_back(&self, page: String, properties: &Properties) -> String {
        if !properties.get(&LOOPBACK_REDIRECT).unwrap_or_default() {
            return page;
        }
        let mut loopback = self.loopback.lock().unwrap_or_else(PoisonError::into_inner);
        if loopback.is_none() {
            *loopback = Loopback::bind().ok().map(Arc::new);
        }
        loopback.as_ref().map_or(page.clone(), |loopback| loopback.page(&page))
    }
}

impl Verbs for LicenseRequest {
    const PROPERTIES: Specs = &[
        &HEADER,
        &KEY_IDS,
        &ACTIONS,
        &URL,
        &SCOPE,
        &EXPIRING_WITHIN,
        &CUSTOM_DATA,
        &TRANSACTION_ID,
        &LOOPBACK_REDIRECT,
        &INTERACTION_CODE,
        &DEADLINE_MS,
        &RETRY_LIMIT,
    ];
    const BUSY: wm_result = WM_E_ACQUIRING_LICENSE;

    fn computed(request: &Verbed<Self>, key: Key) -> Result<Option<Value>, Failure> {
        match key {
            LAST_TRANSACTION => Ok(request.own.progress.last().map(|id| Value::from(id.to_base64()))),
            INTERACTION_CODE => request.interaction_code(),
            _ => Ok(None),
        }
    }
}

impl Verbed<LicenseRequest> {
    /// The transaction to go on with: the one that the application names, else the last one.
    fn current(&self) -> Option<TransactionId> {
        self.properties().get(&TRANSACTION_ID).or_else(|| self.own.progress.last())
    }

    /// The six digits, while a transaction is pending.
    fn interaction_code(&self) -> Result<Option<Value>, Failure> {
        let (Some(id), Ok(client)) = (self.current(), self.client.opened()) else { return Ok(None) };
        let challenge = pending_challenge(client, id)?;
        Ok(challenge.map(|challenge| Value::from(challenge.code())))
    }

    /// What is asked for, with the transaction to go on with.
    fn wish_or_last(&self) -> LicenseWish {
        LicenseWish { resume: self.current(), ..self.wish() }
    }

    fn wish(&self) -> LicenseWish {
        let own = self.properties();
        LicenseWish {
            kids: own.get(&KEY_IDS).unwrap_or_default(),
            header: own.get(&HEADER),
            actions: own.get(&ACTIONS).unwrap_or_else(|| vec![DEFAULT_ACTION.to_owned()]),
            url: own.get(&URL),
            scope: own.get(&SCOPE),
            custom_data: own.get(&CUSTOM_DATA),
            resume: own.get(&TRANSACTION_ID),
        }
    }

    fn acquire(&self, flags: u32) -> Result<(), Failure> {
        let verb = self.verb()?;
        let wish = self.wish();
        let names_content = !wish.kids.is_empty() || wish.header.is_some() || wish.resume.is_some();
        if !names_content && wish.scope.is_none() && !verb.settings.account_token.is_set() {
            let text =
                "Set KeyIDs or Header to name content, or AccountToken or Scope for all that the account may have.";
            return Err(Failure::with(WM_E_INVALID_PROPERTY, text));
        }
        if wish.url.is_none() {
            verb.needs_service()?;
        }
        let page = (flags == WM_ACQUIRE_NONSILENT).then_some(WM_S_OK);
        let ending = self.ending(Codes { page, ..Codes::SILENT });
        verb.start(status::ACQUIRE_LICENSE, move |client, settings, context| {
            ending.of(acquire::acquire(client, settings, &wish, context))
        })
    }

    fn ending(&self, codes: Codes) -> Ending {
        let (properties, progress) = (Arc::clone(&self.base.properties), Arc::clone(&self.own.progress));
        Ending { properties, progress, codes }
    }
}

/// Creates a license request. callback may be NULL; context is passed to it. *out: receives a handle to release.
/// Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_license_request(
    client: *mut wm_client,
    callback: wm_status_callback,
    context: *mut c_void,
    out: *mut *mut wm_license_request,
) -> wm_result {
    // SAFETY: the header makes the caller answer for the place, the function and its context.
    unsafe { verbed::create(client, callback, context, out) }
}

/// Acquires the licenses asked for, in the background. flags: WM_ACQUIRE_SILENT, or WM_ACQUIRE_NONSILENT
/// where the user may be sent to a page of the service. With neither WM_PROP_KEY_IDS nor
/// WM_PROP_HEADER it is a pre-delivery: the service delivers all that the account may have, or what is in WM_PROP_SCOPE, and
/// the next time only what changed since; a run that broke off goes on where it was. It tells WM_STATUS_PROGRESS and ends
/// with WM_S_LICENSE_ACQUIRED, or with WM_S_NOTHING_NEW where nothing was to be stored. A request that a crash, a
/// cancel or a lost connection left open is taken up again with the same bytes, so that the service answers it once.
/// Statuses: WM_STATUS_NETWORK while the service is asked, WM_STATUS_NEEDS_INDIVIDUALIZATION where the device must
/// individualize first, WM_STATUS_LICENSE_REFUSED for each license refused, WM_STATUS_RENEWAL_DUE for each stored that
/// its owner wants renewed already, and WM_STATUS_ACQUIRE_LICENSE once. Only WM_S_LICENSE_ACQUIRED means that a license
/// is stored; test it with WM_LICENSE_STORED. The others: WM_S_ACQUIRE_CANCELLED; WM_E_NO_RIGHTS, with the URL of the
/// page where the user can act, which with WM_ACQUIRE_NONSILENT is a success, 0: open the page and call
/// wm_monitor_license; WM_E_NEEDS_INDIVIDUALIZATION; WM_E_LICENSE_UNAVAILABLE where the service has no such content;
/// another refusal; WM_E_INVALID_LICENSE_REQUEST where the header names no key ID, and where it cannot be read the
/// results of wm_create_content_header, whose detail names byte and field; WM_E_UNABLE_TO_ACQUIRE_LICENSE where the
/// service cannot be reached, and the other troubles with a service that wm_individualize names;
/// WM_E_INVALID_LICENSE_ACQUIRED in place of WM_E_BAD_ANSWER; WM_E_LICENSE_ISSUER, WM_E_LICENSE_TWICE,
/// WM_E_LICENSE_TERMS, WM_E_LICENSE_UNASKED and WM_E_ENDLESS_ANSWER; WM_E_NO_TRANSACTION; or an error of store or keys.
/// Then the store is as it was.
/// Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY where nothing was asked for
/// or no service is set, and WM_E_ACQUIRING_LICENSE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_acquire_license(request: *mut wm_license_request, flags: u32) -> wm_result {
    gate::enter(|| {
        let request = resolve(request)?;
        if flags != WM_ACQUIRE_SILENT && flags != WM_ACQUIRE_NONSILENT {
            return Err(Failure::with(
                WM_E_INVALIDARG,
                "The flags are neither WM_ACQUIRE_SILENT nor WM_ACQUIRE_NONSILENT.",
            ));
        }
        request.acquire(flags)
    })
}
