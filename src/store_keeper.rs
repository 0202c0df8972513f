//! The C face of `core::store_keeper`.

use crate::callback::wm_status_callback;
use crate::client::wm_client;
use crate::detail::Failure;
use crate::flags::{WM_CHECK_REPAIR, WM_CLEAN_ASYNC, WM_CLEAN_SYNC};
use crate::gate;
use crate::input;
use crate::object::{handle, resolve};
use crate::prop::Specs;
use crate::prop::names::DEADLINE_MS;
use crate::result::{WM_E_BUSY, WM_E_INVALIDARG, WM_E_WOULD_DEADLOCK, WM_S_OK, WM_S_STORE_REPAIRED, wm_result};
use crate::status;
use crate::verbed::{self, Verbed, Verbs};
use std::ffi::c_void;
use std::sync::Arc;
use wmlicense_core::client::{Client, Settings};
use wmlicense_core::operation::Context;
use wmlicense_core::store_keeper;

/// Looks after the license store: checks it, repairs it, and clears it of what is over. Create it, call a verb, and watch
/// its final status. No verb makes a network call.
pub struct wm_store_keeper {
    _opaque: [u8; 0],
}

handle!(wm_store_keeper: Verbed<StoreKeeper>, StoreKeeper);

/// The kind of object behind a `wm_store_keeper`.
#[derive(Default)]
pub(crate) struct StoreKeeper;

impl Verbs for StoreKeeper {
    const PROPERTIES: Specs = &[&DEADLINE_MS];
    const BUSY: wm_result = WM_E_BUSY;
}

impl Verbed<StoreKeeper> {
    fn check(&self, repair: bool) -> Result<(), Failure> {
        self.verb()?.start(status::STORE_CHECKED, move |client, _, context| {
            let checked = store_keeper::check(client, repair, context)?;
            Ok(if checked.repaired { WM_S_STORE_REPAIRED } else { WM_S_OK })
        })
    }

    fn clean(&self, waits: bool) -> Result<(), Failure> {
        let verb = self.verb()?;
        let work = |client: &Arc<Client>, _: &Settings, context: &Context| {
            store_keeper::clean(client, context).map(|_| WM_S_OK).map_err(Failure::from)
        };
        if waits { verb.run(status::STORE_CLEANED, work) } else { verb.start(status::STORE_CLEANED, work) }
    }
}

/// Creates a store keeper. callback may be NULL; context is passed to it. *out: receives a handle to release.
/// Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_store_keeper(
    client: *mut wm_client,
    callback: wm_status_callback,
    context: *mut c_void,
    out: *mut *mut wm_store_keeper,
) -> wm_result {
    // SAFETY: the header makes the caller answer for the place, the function and its context.
    unsafe { verbed::create(client, callback, context, out) }
}

/// Checks the whole store in the background: the database, the signature, key and state of every license, and the codes of
/// all rows. flags: 0 to look only, or WM_CHECK_REPAIR, which makes indexes anew, puts damaged licenses aside (the others
/// stay as they are; acquire or restore those again) and counts as used up what somebody changed from outside. No
/// repair gives a count or a removed license back; after one that found changed rows, older backups need the service for
/// licenses that count or can be revoked.
/// Statuses: WM_STATUS_DAMAGED_LICENSE for each damaged license, WM_STATUS_PROGRESS, and WM_STATUS_STORE_CHECKED once: 0 if
/// the store is sound, WM_S_STORE_REPAIRED if it was not and is, and without the flag WM_E_INVALID_LICENSE if licenses are
/// damaged and WM_E_CHECKPOINT_FAILED if rows were changed. WM_E_DATASTORE_CORRUPT: the file itself is damaged; restore a
/// backup into a new store. Also WM_E_OPERATION_CANCELED (what was repaired stays so), WM_E_DISK_FULL, WM_E_BUSY.
/// Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, and WM_E_BUSY while a verb of this object runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_check_store(keeper: *mut wm_store_keeper, flags: u32) -> wm_result {
    gate::enter(|| {
        let keeper = resolve(keeper)?;
        keeper.check(input::flag(flags, WM_CHECK_REPAIR)?)
    })
}

/// Removes licenses that can never be used again (used up, or ended over 30 days ago) and requests that grew too old, and
/// gives their room back to the file system. What was used of them stays known. flags: WM_CLEAN_SYNC, which returns the
/// result when it is over, or WM_CLEAN_ASYNC, which returns at once; exactly one of them.
/// Statuses: WM_STATUS_PROGRESS, and WM_STATUS_STORE_CLEANED once, with 0, WM_E_OPERATION_CANCELED, WM_E_DISK_FULL, WM_E_BUSY or
/// another error of the store. It may be called at any time; once a month is plenty.
/// Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_BUSY while a verb of this object runs, and
/// WM_E_WOULD_DEADLOCK for WM_CLEAN_SYNC inside the object's own callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_clean_license_store(keeper: *mut wm_store_keeper, flags: u32) -> wm_result {
    gate::enter(|| {
        let keeper = resolve(keeper)?;
        match flags {
            WM_CLEAN_SYNC if keeper.worker.in_own_callback() => Err(Failure::new(WM_E_WOULD_DEADLOCK)),
            WM_CLEAN_SYNC => keeper.clean(true),
            WM_CLEAN_ASYNC => keeper.clean(false),
            _ => Err(Failure::with(WM_E_INVALIDARG, "Exactly one of the two flags is needed.")),
        }
    })
}
