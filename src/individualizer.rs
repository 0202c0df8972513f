//! The C face of `core::individualize`.

use crate::callback::wm_status_callback;
use crate::client::wm_client;
use crate::detail::Failure;
use crate::flags::WM_INDIVIDUALIZE_FORCE;
use crate::gate;
use crate::input;
use crate::object::{handle, resolve};
use crate::prop::names::{DEADLINE_MS, RETRY_LIMIT, USER_CONSENT};
use crate::prop::{self, Specs};
use crate::result::{WM_E_INDIVIDUALIZING, WM_S_INDIVIDUALIZED, wm_result};
use crate::status;
use crate::verbed::{self, Verbed, Verbs};
use std::ffi::c_void;
use wmlicense_core::individualize::{self, Individualized};

/// Makes the device's keys and gets the certificate for them from the individualization service. Create it, set
/// WM_PROP_USER_CONSENT, call wm_individualize, and watch WM_STATUS_INDIVIDUALIZE.
pub struct wm_individualizer {
    _opaque: [u8; 0],
}

handle!(wm_individualizer: Verbed<Individualizer>, Individualizer);

/// The kind of object behind a `wm_individualizer`.
#[derive(Default)]
pub(crate) struct Individualizer;

impl Verbs for Individualizer {
    const PROPERTIES: Specs = &[&USER_CONSENT, &DEADLINE_MS, &RETRY_LIMIT];
    const BUSY: wm_result = WM_E_INDIVIDUALIZING;
}

impl Verbed<Individualizer> {
    fn individualize(&self, force: bool) -> Result<(), Failure> {
        let verb = self.verb()?;
        if !self.properties().get(&USER_CONSENT).unwrap_or_default() {
            return Err(prop::missing(USER_CONSENT.key()));
        }
        verb.needs_service()?;
        verb.start(status::INDIVIDUALIZE, move |client, settings, context| {
            match individualize::individualize(client, settings, force, context) {
                Ok(Individualized::Certified | Individualized::AlreadyCurrent) => Ok(WM_S_INDIVIDUALIZED),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// Creates an individualizer. callback may be NULL; context is passed to it. *out: receives a handle to release.
/// Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_individualizer(
    client: *mut wm_client,
    callback: wm_status_callback,
    context: *mut c_void,
    out: *mut *mut wm_individualizer,
) -> wm_result {
    // SAFETY: the header makes the caller answer for the place, the function and its context.
    unsafe { verbed::create(client, callback, context, out) }
}

/// Individualizes the device at the service of WM_PROP_SERVICE_URL, in the background. flags: 0, which ends without any
/// network call where the certificate is current, or WM_INDIVIDUALIZE_FORCE, which gives the device new keys. It stays the same
/// device with all its licenses, and backups of the 64 keys before them open as before; but a copy of the store made
/// earlier is refused by the services from now on. Where such a copy did the same before, this one becomes another
/// device with a seat of its own.
/// Statuses: WM_STATUS_NETWORK while the service is asked, WM_STATUS_INDIVIDUALIZE many times; the last one carries
/// WM_S_INDIVIDUALIZED, WM_E_OPERATION_CANCELED, or the failure: WM_E_INDIV_SERVICE_UNAVAILABLE, WM_E_CONNECTION_LOST,
/// WM_E_PROXY, WM_E_CAPTIVE_PORTAL, WM_E_SERVICE_FAILING, WM_E_DEADLINE, WM_E_SERVER_CERTIFICATE,
/// WM_E_SERVER_CERTIFICATE_DATE, WM_E_AUTHORITY_NOT_TRUSTED, WM_E_ERROR_BAD_NET_RESP, WM_E_REDIRECT_REFUSED,
/// WM_E_ANSWER_TOO_LARGE, WM_E_BAD_ANSWER and by cause WM_E_SIGNATURE_FAILURE, WM_E_ANSWER_SIGNER,
/// WM_E_LICENSE_CERT_EXPIRED, WM_E_ANSWER_REPLAYED, WM_E_INVALID_MACHINE, WM_E_ANSWER_MANIFEST,
/// WM_E_INVALID_CERTIFICATE, WM_E_SERVICE_CLOCK, WM_E_SERVICE_REFUSED, WM_E_ACCOUNT_REQUIRED, WM_E_INDIV_FRAUD,
/// WM_E_CERTIFICATE_REVOKED, WM_E_POLICY_DISABLE_ONLINE, WM_E_URL_NOT_ALLOWED, or an error of store or keys. A failure
/// leaves the device as it was.
/// Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while consent or
/// WM_PROP_SERVICE_URL is missing, and WM_E_INDIVIDUALIZING while it runs already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_individualize(individualizer: *mut wm_individualizer, flags: u32) -> wm_result {
    gate::enter(|| {
        let individualizer = resolve(individualizer)?;
        individualizer.individualize(input::flag(flags, WM_INDIVIDUALIZE_FORCE)?)
    })
}
