//! The C face of `core::backup` and `core::restore`.

use crate::callback::wm_status_callback;
use crate::client::wm_client;
use crate::detail::Failure;
use crate::flags::{WM_BACKUP_OVERWRITE, WM_RESTORE_INDIVIDUALIZE};
use crate::gate;
use crate::input;
use crate::object::{handle, resolve};
use crate::prop::Specs;
use crate::prop::names::{BACKUP_PATH, DEADLINE_MS, RESTORE_PATH, RETRY_LIMIT};
use crate::result::{
    WM_E_BACKUP_EXISTS, WM_E_BACKUPRESTORE_BUSY, WM_S_BACKUP_CLOSED, WM_S_OK, WM_S_RESTORE_PARTIAL, wm_result,
};
use crate::status;
use crate::verbed::{self, Verbed, Verbs};
use std::ffi::c_void;
use wmlicense_core::{backup, restore};

/// Backs licenses up to a folder and restores them, on the same device without network or on another device through the
/// license management service. Create it, set WM_PROP_BACKUP_PATH or WM_PROP_RESTORE_PATH, call the verb, and watch the
/// statuses.
pub struct wm_backup_restorer {
    _opaque: [u8; 0],
}

handle!(wm_backup_restorer: Verbed<BackupRestorer>, BackupRestorer);

/// The kind of object behind a `wm_backup_restorer`.
#[derive(Default)]
pub(crate) struct BackupRestorer;

impl Verbs for BackupRestorer {
    const PROPERTIES: Specs = &[&BACKUP_PATH, &RESTORE_PATH, &DEADLINE_MS, &RETRY_LIMIT];
    const BUSY: wm_result = WM_E_BACKUPRESTORE_BUSY;
}

impl Verbed<BackupRestorer> {
    fn back_up(&self, overwrite: bool) -> Result<(), Failure> {
        let verb = self.verb()?;
        let folder = self.properties().required(&BACKUP_PATH)?;
        self.idle()?;
        if !overwrite && backup::is_known_to_exist(&folder) {
            return Err(Failure::new(WM_E_BACKUP_EXISTS));
        }
        verb.start(status::BACKUPRESTORE_END, move |client, _, context| {
            let ended = backup::back_up(client, &folder, overwrite, context);
            ended.map(|_| WM_S_OK).map_err(Failure::from)
        })
    }

    fn preview(&self) -> Result<(), Failure> {
        let verb = self.verb()?;
        let folder = self.properties().required(&RESTORE_PATH)?;
        verb.start(status::BACKUPRESTORE_END, move |client, settings, context| {
            let ended = restore::preview(client, settings, &folder, false, context);
            ended.map(|preview| restored(preview.is_partial())).map_err(Failure::from)
        })
    }

    fn verify(&self) -> Result<(), Failure> {
        let verb = self.verb()?;
        let folder = self.properties().required(&RESTORE_PATH)?;
        verb.start(status::BACKUPRESTORE_END, move |client, _, context| {
            let verified = restore::verify(client, &folder, context)?;
            Ok(if verified.closed_sections > 0 { WM_S_BACKUP_CLOSED } else { WM_S_OK })
        })
    }

    fn restore(&self, individualize: bool) -> Result<(), Failure> {
        let verb = self.verb()?;
        let folder = self.properties().required(&RESTORE_PATH)?;
        verb.start(status::BACKUPRESTORE_END, move |client, settings, context| {
            let ended = restore::restore(client, settings, &folder, individualize, context);
            ended.map(|ended| restored(ended.is_partial())).map_err(Failure::from)
        })
    }
}

/// The success of a restore and of its preview.
fn restored(is_partial: bool) -> wm_result {
    if is_partial { WM_S_RESTORE_PARTIAL } else { WM_S_OK }
}

/// Creates a backup restorer. callback may be NULL; context is passed to it. *out: receives a handle to release.
/// Fails with WM_E_INVALIDARG for NULL, WM_E_INVALID_HANDLE and WM_E_OUTOFMEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_create_backup_restorer(
    client: *mut wm_client,
    callback: wm_status_callback,
    context: *mut c_void,
    out: *mut *mut wm_backup_restorer,
) -> wm_result {
    // SAFETY: the header makes the caller answer for the place, the function and its context.
    unsafe { verbed::create(client, callback, context, out) }
}

/// Backs up all licenses that may leave the device to the folder WM_PROP_BACKUP_PATH, in the background. The file is
/// complete or not there; an older backup stays until then. flags: 0 or WM_BACKUP_OVERWRITE.
/// Statuses: WM_STATUS_BACKUPRESTORE_BEGIN, WM_STATUS_RESTRICTED_LICENSE once per license that may not be backed up,
/// WM_STATUS_PROGRESS, and WM_STATUS_BACKUPRESTORE_END once, with 0 (also if licenses were left out), WM_E_BACKUP_EXISTS
/// where there is a backup and the flag is missing, WM_E_OPERATION_CANCELED, WM_E_PATH_NOT_FOUND (also if the folder is
/// gone by the end), WM_E_PATH_READ_ONLY, WM_E_PATH_OCCUPIED, WM_E_PATH_UNUSABLE, WM_E_MEDIUM_FAILED, WM_E_DISK_FULL,
/// or an error of store or keys.
/// Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while the path is unset,
/// WM_E_BACKUPRESTORE_BUSY, and WM_E_BACKUP_EXISTS without the flag where the system knows it without a look at the medium: the
/// call never waits for one, so the same may come in the final status instead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_backup_licenses(restorer: *mut wm_backup_restorer, flags: u32) -> wm_result {
    gate::enter(|| {
        let restorer = resolve(restorer)?;
        restorer.back_up(input::flag(flags, WM_BACKUP_OVERWRITE)?)
    })
}

/// Restores the backup in the folder WM_PROP_RESTORE_PATH, in the background. The store changes in one step or not at
/// all; counters and revocations are never turned back. flags: 0 or WM_RESTORE_INDIVIDUALIZE.
/// Statuses on the same device, without any network call: WM_STATUS_BACKUPRESTORE_BEGIN, WM_STATUS_PROGRESS,
/// WM_STATUS_BACKUPRESTORE_END. On another device: WM_STATUS_BACKUPRESTORE_CONNECTING, WM_STATUS_NETWORK, WM_STATUS_PROGRESS,
/// WM_STATUS_BACKUPRESTORE_DISCONNECTING, then BEGIN, WM_STATUS_LICENSE_REFUSED for each license left out, with the reason as
/// its result, WM_STATUS_SECTION_CLOSED for sections that stay closed, once for each reason, WM_STATUS_ERROR_WITHURL at most
/// once, with the reason that its page helps with, and PROGRESS, END. Where a refusal holds for a time only, wm_get_error_info
/// tells how long. With WM_RESTORE_INDIVIDUALIZE, WM_STATUS_INDIVIDUALIZE comes before them, the last one with its end as
/// wm_individualize tells it. BEGIN may be missing when END fails.
/// Where the service cannot be asked, for whatever reason, what this device restores without it goes in all the same: the other
/// licenses are told by WM_STATUS_LICENSE_REFUSED and closed sections by WM_STATUS_SECTION_CLOSED, with the result that END has
/// where nothing can be restored, and END comes with WM_S_RESTORE_PARTIAL.
/// END comes once, with 0, WM_S_RESTORE_PARTIAL, WM_E_OPERATION_CANCELED, WM_E_BACKUP_NOT_FOUND, WM_E_BACKUP_CORRUPT,
/// WM_E_BACKUP_TOO_NEW, WM_E_PATH_NOT_FOUND, WM_E_PATH_UNUSABLE, WM_E_PATH_OCCUPIED, WM_E_MEDIUM_FAILED,
/// WM_E_NOT_RESTORABLE, WM_E_NEEDS_INDIVIDUALIZATION,
/// WM_E_RESTORE_FRAUD at the limit of devices, WM_E_BACKUP_RESTORE_BAD_DATA where the service cannot read what the backup
/// holds for it, another refusal, WM_E_RESTORE_SERVICE_UNAVAILABLE, WM_E_BACKUP_RESTORE_TOO_MANY_RESETS where connections break
/// again and again, and the other troubles with a service that wm_individualize names, WM_E_INVALID_PROPERTY where
/// WM_PROP_SERVICE_URL is needed and unset, or an error of store or keys.
/// Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while the path is unset,
/// and WM_E_BACKUPRESTORE_BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_restore_licenses(restorer: *mut wm_backup_restorer, flags: u32) -> wm_result {
    gate::enter(|| {
        let restorer = resolve(restorer)?;
        restorer.restore(input::flag(flags, WM_RESTORE_INDIVIDUALIZE)?)
    })
}

/// Tells what a restore of the backup in the folder WM_PROP_RESTORE_PATH would do, in the background, and does nothing: the
/// store stays as it is and no device is counted. The service is asked where a restore would ask it.
/// Statuses: WM_STATUS_BACKUPRESTORE_CONNECTING, WM_STATUS_NETWORK and WM_STATUS_BACKUPRESTORE_DISCONNECTING where the service is
/// asked,
/// WM_STATUS_RESTORE_VERDICT once per license (the result is 0, or why it would be left out, as WM_STATUS_LICENSE_REFUSED would
/// tell it), WM_STATUS_SECTION_CLOSED and WM_STATUS_ERROR_WITHURL as there, and WM_STATUS_BACKUPRESTORE_END once: 0 if everything
/// would be restored, WM_S_RESTORE_PARTIAL if not, or a failure of wm_restore_licenses. Where the service cannot be
/// asked although something can be restored without it, the licenses that it decides on have the reason for that as
/// their result: they are undecided.
/// Fails at the call with WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while the path is unset, and WM_E_BACKUPRESTORE_BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_preview_restore(restorer: *mut wm_backup_restorer) -> wm_result {
    gate::enter(|| resolve(restorer)?.preview())
}

/// Reads the backup in the folder WM_PROP_RESTORE_PATH to its end, in the background, without a network and without
/// changing anything: every byte must be as it was written and signed, and every key must open. Worth it before an old
/// backup is thrown away.
/// Statuses: WM_STATUS_PROGRESS in bytes, and WM_STATUS_BACKUPRESTORE_END once, with 0, WM_S_BACKUP_CLOSED if a part of it
/// opens elsewhere only and was not looked at, WM_E_BACKUP_NOT_FOUND, WM_E_BACKUP_CORRUPT, WM_E_BACKUP_TOO_NEW,
/// WM_E_PATH_NOT_FOUND, WM_E_PATH_UNUSABLE, WM_E_PATH_OCCUPIED, WM_E_MEDIUM_FAILED, or WM_E_OPERATION_CANCELED.
/// Fails at the call with WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while the path is unset, and WM_E_BACKUPRESTORE_BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_verify_backup(restorer: *mut wm_backup_restorer) -> wm_result {
    gate::enter(|| resolve(restorer)?.verify())
}
