//! The C face of `core::backup` and `core::restore`.

use crate::callback::{Callback, wm_status_callback};
use crate::client::{ClientObject, wm_client};
use crate::detail::Failure;
use crate::failure;
use crate::gate;
use crate::life::Life;
use crate::object::{self, Handle, Kind, Object, resolve};
use crate::prop::names::{BACKUP_PATH, DEADLINE_MS, RESTORE_PATH, RETRY_LIMIT};
use crate::prop::{Access, Properties, Spec, TYPE_DWORD, TYPE_STRING, number, path};
use crate::result::{
    WM_E_BACKUP_EXISTS, WM_E_BACKUPRESTORE_BUSY, WM_E_INVALIDARG, WM_S_BACKUP_CLOSED, WM_S_OK, WM_S_RESTORE_PARTIAL,
    wm_result,
};
use crate::status;
use crate::teller::Outcome;
use crate::worker::Worker;
use std::ffi::{OsString, c_void};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use wmlicense_core::{backup, restore};

/// Backs licenses up to a folder and restores them, on the same device without network or on another device through the
/// license management service. Create it, set WM_PROP_BACKUP_PATH or WM_PROP_RESTORE_PATH, call the verb, and watch the
/// statuses.
pub struct wm_backup_restorer {
    _opaque: [u8; 0],
}

impl Handle for wm_backup_restorer {
    type Target = BackupRestorerObject;
    const KIND: Kind = Kind::BackupRestorer;
}

/// Replaces an existing backup. The old one stays until the new one is complete.
pub const WM_BACKUP_OVERWRITE: u32 = 1;
/// Individualizes a device first that is not; the user agreed to that.
pub const WM_RESTORE_INDIVIDUALIZE: u32 = 2;

pub(crate) const PROPERTIES: &[Spec] = &[
    Spec::new(BACKUP_PATH, TYPE_STRING, Access::Settable, path),
    Spec::new(RESTORE_PATH, TYPE_STRING, Access::Settable, path),
    Spec::new(DEADLINE_MS, TYPE_DWORD, Access::Settable, number),
    Spec::new(RETRY_LIMIT, TYPE_DWORD, Access::Settable, number),
];

/// The object behind a `wm_backup_restorer`.
pub struct BackupRestorerObject {
    client: Arc<ClientObject>,
    properties: Properties,
    worker: Worker,
}

impl Object for BackupRestorerObject {
    fn life(&self) -> &Life {
        self.worker.life()
    }

    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn may_change(&self, _spec: &Spec) -> Result<(), Failure> {
        self.worker.idle(WM_E_BACKUPRESTORE_BUSY)
    }

    fn worker(&self) -> Option<&Worker> {
        Some(&self.worker)
    }
}

impl BackupRestorerObject {
    fn folder(&self, name: &'static str) -> Result<PathBuf, Failure> {
        Ok(PathBuf::from(OsString::from_vec(self.properties.required(name)?)))
    }

    fn back_up(&self, overwrite: bool) -> Result<(), Failure> {
        let client = Arc::clone(self.client.opened()?);
        let folder = self.folder(BACKUP_PATH)?;
        self.worker.idle(WM_E_BACKUPRESTORE_BUSY)?;
        if !overwrite && backup::is_known_to_exist(&folder) {
            return Err(Failure::new(WM_E_BACKUP_EXISTS));
        }
        let deadline = self.client.settings(&self.properties).network.deadline;
        self.worker.start(status::BACKUPRESTORE_END, WM_E_BACKUPRESTORE_BUSY, deadline, move |context| {
            match backup::back_up(&client, &folder, overwrite, context) {
                Ok(_) => Outcome::success(WM_S_OK),
                Err(error) => Outcome::failure(failure::backup(&error)),
            }
        })
    }

    fn preview(&self) -> Result<(), Failure> {
        let client = Arc::clone(self.client.opened()?);
        let folder = self.folder(RESTORE_PATH)?;
        let settings = self.client.settings(&self.properties);
        let deadline = settings.network.deadline;
        self.worker.start(status::BACKUPRESTORE_END, WM_E_BACKUPRESTORE_BUSY, deadline, move |context| {
            match restore::preview(&client, &settings, &folder, false, context) {
                Ok(preview) if preview.is_partial() => Outcome::success(WM_S_RESTORE_PARTIAL),
                Ok(_) => Outcome::success(WM_S_OK),
                Err(error) => Outcome::failure(failure::restore(&error)),
            }
        })
    }

    fn verify(&self) -> Result<(), Failure> {
        let client = Arc::clone(self.client.opened()?);
        let folder = self.folder(RESTORE_PATH)?;
        let deadline = self.client.settings(&self.properties).network.deadline;
        self.worker.start(status::BACKUPRESTORE_END, WM_E_BACKUPRESTORE_BUSY, deadline, move |context| {
            match restore::verify(&client, &folder, context) {
                Ok(verified) if verified.closed_sections > 0 => Outcome::success(WM_S_BACKUP_CLOSED),
                Ok(_) => Outcome::success(WM_S_OK),
                Err(error) => Outcome::failure(failure::restore(&error)),
            }
        })
    }

    fn restore(&self, individualize: bool) -> Result<(), Failure> {
        let client = Arc::clone(self.client.opened()?);
        let folder = self.folder(RESTORE_PATH)?;
        let settings = self.client.settings(&self.properties);
        let deadline = settings.network.deadline;
        self.worker.start(status::BACKUPRESTORE_END, WM_E_BACKUPRESTORE_BUSY, deadline, move |context| {
            match restore::restore(&client, &settings, &folder, individualize, context) {
                Ok(restored) if restored.is_partial() => Outcome::success(WM_S_RESTORE_PARTIAL),
                Ok(_) => Outcome::success(WM_S_OK),
                Err(error) => Outcome::failure(failure::restore(&error)),
            }
        })
    }
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
    unsafe {
        object::create(out, || {
            let (client, properties) = (resolve(client)?, Properties::new(PROPERTIES));
            let worker = client.worker(Callback::new(callback, context));
            Ok(BackupRestorerObject { client, properties, worker })
        })
    }
}

/// Backs up all licenses that may leave the device to the folder WM_PROP_BACKUP_PATH, in the background. The file is
/// complete or not there; an older backup stays until then. flags: 0 or WM_BACKUP_OVERWRITE.
/// Statuses: WM_STATUS_BACKUPRESTORE_BEGIN, WM_STATUS_RESTRICTED_LICENSE once per license that may not be backed up,
/// WM_STATUS_PROGRESS, and WM_STATUS_BACKUPRESTORE_END once, with 0 (also if licenses were left out), WM_E_BACKUP_EXISTS
/// where there is a backup and the flag is missing, WM_E_OPERATION_CANCELED, WM_E_PATH_NOT_FOUND (also if the folder is gone by the end), WM_E_PATH_READ_ONLY,
/// WM_E_PATH_OCCUPIED, WM_E_PATH_UNUSABLE, WM_E_MEDIUM_FAILED, WM_E_DISK_FULL, or an error of store or keys.
/// Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while the path is unset,
/// WM_E_BACKUPRESTORE_BUSY, and WM_E_BACKUP_EXISTS without the flag where the system knows it without a look at the medium: the
/// call never waits for one, so the same may come in the final status instead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_backup_licenses(restorer: *mut wm_backup_restorer, flags: u32) -> wm_result {
    gate::enter(|| {
        let restorer = resolve(restorer)?;
        if flags & !WM_BACKUP_OVERWRITE != 0 {
            return Err(Failure::with(WM_E_INVALIDARG, "There is no such flag."));
        }
        restorer.back_up(flags & WM_BACKUP_OVERWRITE != 0)
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
/// again and again, and the other troubles with a service that wm_individualize names, WM_E_INVALID_PROPERTY where WM_PROP_SERVICE_URL is needed and unset, or an error
/// of store or keys.
/// Fails at the call with WM_E_INVALIDARG for other flags, WM_E_NOT_OPEN, WM_E_INVALID_PROPERTY while the path is unset,
/// and WM_E_BACKUPRESTORE_BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wm_restore_licenses(restorer: *mut wm_backup_restorer, flags: u32) -> wm_result {
    gate::enter(|| {
        let restorer = resolve(restorer)?;
        if flags & !WM_RESTORE_INDIVIDUALIZE != 0 {
            return Err(Failure::with(WM_E_INVALIDARG, "There is no such flag."));
        }
        restorer.restore(flags & WM_RESTORE_INDIVIDUALIZE != 0)
    })
}

/// Tells what a restore of the backup in the folder WM_PROP_RESTORE_PATH would do, in the background, and does nothing: the
/// store stays as it is and no device is counted. The service is asked where a restore would ask it.
/// Statuses: WM_STATUS_BACKUPRESTORE_CONNECTING, WM_STATUS_NETWORK and WM_STATUS_BACKUPRESTORE_DISCONNECTING where the service is
/// asked,
/// WM_STATUS_RESTORE_VERDICT once per license (the result is 0, or why it would be left out, as WM_STATUS_LICENSE_REFUSED would
/// tell it), WM_STATUS_SECTION_CLOSED and WM_STATUS_ERROR_WITHURL as there, and WM_STATUS_BACKUPRESTORE_END once: 0 if everything
/// would be restored, WM_S_RESTORE_PARTIAL if not, or a failure of wm_restore_licenses. Where the service cannot be asked although
/// something can be restored without it, the licenses that it decides on have the reason for that as their result: they are
/// undecided.
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
