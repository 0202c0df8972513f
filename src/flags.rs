//! Flags and other numbers that functions take.

use crate::lists::numbers;
use wmlicense_media::cenc::Scheme;

numbers! {
    /// Flags, each with the function that takes it.
    FLAGS = "": u32;
    WM_INFINITE = u32::MAX, "wm_wait: no timeout";
    WM_INDIVIDUALIZE_FORCE = 4, "wm_individualize: new keys for the device even if the certificate is current";
    WM_DELETE_LOCAL = 1, "wm_delete_licenses: from this device only";
    WM_ACQUIRE_SILENT = 1, "wm_acquire_license: without the user";
    WM_ACQUIRE_NONSILENT = 2, "wm_acquire_license: the user can be sent to a page";
    WM_ENSURE_INDIVIDUALIZE = 1, "wm_ensure_license: individualize first where it is needed; the user agreed";
    WM_BACKUP_OVERWRITE = 1, "wm_backup_licenses: replace an existing backup";
    WM_RESTORE_INDIVIDUALIZE = 2, "wm_restore_licenses: individualize first where it is needed; the user agreed";
    WM_CHECK_REPAIR = 1, "wm_check_store: take damaged licenses out of use, leave the others alone";
    WM_CLEAN_SYNC = 1, "wm_clean_license_store: return when it is over";
    WM_CLEAN_ASYNC = 2, "wm_clean_license_store: return at once";
    WM_LICENSE_STATE_VAGUE = 1, "wm_license_state::vague: further licenses apply";
    WM_KID_BASE64 = 1, "wm_kid_to_text: 24 characters, as in properties and statuses";
    WM_KID_HEX = 2, "wm_kid_to_text: 32 digits";
    WM_KID_UUID = 3, "wm_kid_to_text: 36 characters, five groups with hyphens between";
    WM_KID_GUID_ORDER = 0x100, "added to a form: the text is in the order of a GUID in the memory of Windows, as Windows Media catalogues have it";
    WM_SCHEME_CENC = Scheme::Cenc.fourcc(), "wm_sample::scheme: AES-CTR";
    WM_SCHEME_CENS = Scheme::Cens.fourcc(), "wm_sample::scheme: AES-CTR with a pattern";
    WM_SCHEME_CBC1 = Scheme::Cbc1.fourcc(), "wm_sample::scheme: AES-CBC";
    WM_SCHEME_CBCS = Scheme::Cbcs.fourcc(), "wm_sample::scheme: AES-CBC with a pattern";
}
