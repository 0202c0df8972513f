//! The C face of `core::revoke`.

use crate::callback::wm_status_callback;
use crate::client::wm_client;
use crate::detail::Failure;
use crate::gate;
use crate::input::{self, Buffer};
use crate::object::{handle, resolve};
use crate::prop::Specs;
use crate::prop::names::{DEADLINE_MS, RETRY_LIMIT};
use crate::result::{WM_E_REFRESHING_REVOCATIONS, WM_S_OK, wm_result};
use crate::status;
use crate::verbed::{self, Verbed, Verbs};
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};
use wmlicense_core::logging::Keep;
use wmlicense_core::revoke;

/// Learns from the issuer which licenses its owner took back, removes them for good, and tells the issuer so: all by itself
/// with wm_refresh_revocations, or with a challenge, a blob and an acknowledgement that the application carries.
pub struct wm_revocation_agent {
    _opaque: [u8; 0],
}

handle!(wm_revocation_agent: Verbed<RevocationAgent>, RevocationAgent);

/// The kind of object behind a `wm_revocation_agent`.
#[derive(Default)]
pub(crate) struct RevocationAgent {
    /// A challenge that was sized and not fetched yet, with its machine ID.
    challenge: Mutex<Option<(Vec<u8>, Vec<u8>)>>,
}

impl Verbs for RevocationAgent {
    const PROPERTIES: Specs = &[&DEADLINE_MS, &RETRY_LIMIT];
    const BUSY: wm_result = WM_E_REFRESHING_REVOCATIONS;
}

impl Verbed<RevocationAgent> {
    /// The challenge for a machine ID; the same one until it was fetched, so that its size can be asked for first.
    fn challenge(&self, machine_id: &[u8], buffer: Buffer, fetched: bool) -> Result<(), Failure> {
        let client = self.client.opened()?;
        let _records = Keep::begin();
        let mut sized = self.own.challenge.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match sized.take() {
            Some((known, bytes)) if known == machine_id => bytes,
            Some(_) | None => revoke::challenge(client, &self.settings(), machine_id)?,
        };
        let filled = buffer.fill(&[&bytes]);
        if filled.is_err() || !fetched {
            *sized = Some((machine_id.to_vec(), bytes));
        }
        filled
    }

    fn process(&self, lrb: &[u8], buffer: Buffer) -> Result<(), Failure> {
        let client = self.client.opened()?;
        let processed = revoke::process(client, lrb)?;
        buffer.fill(&[&processed.acknowledgement])
    }

    fn refresh(&self) -> Result<(), Failure> {
        let verb = self.verb()?;
        verb.needs_service()?;
        verb.start(status::REVOCATIONS_REFRESHED, |client, settings, context| {
            revoke::refresh(client, settings, context).map(|_| WM_S_OK).map_err(Failure::from)
        })
    }
}

/// Creates a revocation agent. callback may be NULL; context is passed to it. *out: receives a handle to release.
/// Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_revocation_agent(
    client: *mut wm_client,
    callback: wm_status_callback,
    context: *mut c_void,
    out: *mut *mut wm_revocation_agent,
) -> wm_result {
    // SAFETY: the header makes the caller answer for the place, the function and its context.
    unsafe { verbed::create(client, callback, context, out) }
}

/// Gives the signed challenge that asks the issuer what was taken back, for the application to carry to the service's
/// /v1/revocations. Makes no network call. machine_id: what names the device to its issuer, at most 1024 bytes; NULL with size
/// 0 for the device's own ID, which is what wmlicensed expects.
/// buf NULL with size 0 gives the size; the challenge that is fetched then is the one that was sized. needed_out may be NULL.
/// Fails with WM_E_BUFFER_TOO_SMALL, buffer untouched, WM_E_NEEDS_INDIVIDUALIZATION, WM_E_INVALID_PROPERTY while no service is
/// set, WM_E_SERVICE_UNKNOWN where nothing was ever heard from it, WM_E_REVOCATION_TOO_LONG for a longer machine ID,
/// WM_E_INVALIDARG, WM_E_NOT_OPEN, or an error of store or keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_get_lrb_challenge(
    agent: *mut wm_revocation_agent,
    machine_id: *const c_void,
    machine_id_size: usize,
    buf: *mut c_void,
    buf_size: usize,
    needed_out: *mut usize,
) -> wm_result {
    gate::enter(|| {
        let agent = resolve(agent)?;
        // SAFETY: the header makes the caller answer for the bytes and for the buffer.
        let (machine_id, buffer) = unsafe {
            let machine_id: &[u8] = match machine_id_size {
                0 => &[],
                size => input::bytes(machine_id, size, "machine_id")?,
            };
            (machine_id, Buffer::new(buf, buf_size, needed_out)?)
        };
        agent.challenge(machine_id, buffer, !buf.is_null())
    })
}

/// Takes a license revocation blob (LRB): removes every license that it takes back, leaves a tombstone for each, and keeps the
/// blob, so that a license which comes later from a service or a backup is left out as well. All of it is one durable
/// commit. ack_buf receives the signed acknowledgement to be sent back; ack_buf NULL with ack_size 0 gives its size. The
/// licenses are removed by whichever call comes first, and the same blob again gives the same acknowledgement, so a buffer that
/// was too small loses nothing.
/// Fails with WM_E_BUFFER_TOO_SMALL; and, the store untouched, with WM_E_INVALID_CRL for what is truncated or malformed,
/// WM_E_REVOCATION_TOO_LONG over 1 MiB, WM_E_REVOCATION_NOT_SIGNED, WM_E_REVOCATION_UNKNOWN_KEY, WM_E_REVOCATION_OTHER_DEVICE,
/// WM_E_REVOCATION_OLDER, WM_E_REVOCATION_CONFLICT, WM_E_REVOCATION_AHEAD, WM_E_NEEDS_INDIVIDUALIZATION, WM_E_INVALIDARG,
/// WM_E_NOT_OPEN, or an error of store or keys.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_process_lrb(
    agent: *mut wm_revocation_agent,
    lrb: *const c_void,
    lrb_size: usize,
    ack_buf: *mut c_void,
    ack_size: usize,
    needed_out: *mut usize,
) -> wm_result {
    gate::enter(|| {
        let agent = resolve(agent)?;
        // SAFETY: the header makes the caller answer for the bytes and for the buffer.
        let (lrb, buffer) =
            unsafe { (input::bytes(lrb, lrb_size, "lrb")?, Buffer::new(ack_buf, ack_size, needed_out)?) };
        agent.process(lrb, buffer)
    })
}

/// Asks the service of WM_PROP_SERVICE_URL for its newest status list and for what was taken back from this device, takes both
/// and sends the acknowledgement, in the background.
/// Statuses: WM_STATUS_NETWORK while the service is asked, WM_STATUS_REVOCATIONS_REFRESHED once, with 0,
/// WM_E_OPERATION_CANCELED, the failures that wm_process_lrb names, WM_E_CERTIFICATE_REVOKED or WM_E_APPCERT_REVOKED
/// where the device or the application was revoked, WM_E_REVOCATION_SERVICE_UNAVAILABLE where the service cannot be
/// reached, or another of the troubles with a service that wm_individualize names. What was taken stays taken; calling
/// again goes on from there.
/// Fails at the call with WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while WM_PROP_SERVICE_URL is missing, and
/// WM_E_REFRESHING_REVOCATIONS while it runs already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_refresh_revocations(agent: *mut wm_revocation_agent) -> wm_result {
    gate::enter(|| resolve(agent)?.refresh())
}
