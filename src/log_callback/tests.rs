//! Records that are answered with calls of the library, from places that hold its locks.

use super::*;
use crate::client::{wm_create_client, wm_get_security_version, wm_open_client};
use crate::license_enumerator::{wm_create_license_enumerator, wm_license_enumerator, wm_next_license};
use crate::object::properties::{wm_get_prop, wm_set_string_prop};
use crate::object::wm_release;
use crate::result::{WM_E_STORE_READ_ONLY, WM_S_OK};
use crate::revocation_agent::{wm_create_revocation_agent, wm_get_lrb_challenge, wm_revocation_agent};
use std::ffi::CString;
use std::fs::File;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;
use wmlicense_core::store::FILE_NAME;
use wmlicense_testkit::disk::{has_own_mounts, mount_small, set_read_only};
use wmlicense_wire::id::Digest;

/// What hangs fails the test instead of stopping it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Where a database's header has the version of its tables.
const USER_VERSION: u64 = 60;

/// A client and what is made from it, as numbers that may go to other threads. In every record each of them is called.
#[derive(Clone, Copy)]
struct Handles {
    client: *mut wm_client,
    enumerator: *mut wm_license_enumerator,
    agent: *mut wm_revocation_agent,
}

// SAFETY: handles are numbers, which any thread may use.
unsafe impl Send for Handles {}

struct Asking {
    handles: Handles,
    answered: AtomicUsize,
}

impl Handles {
    /// Of a client that is not open, over this folder.
    fn over(folder: &Path) -> Self {
        let (mut client, mut enumerator, mut agent) = (null_mut(), null_mut(), null_mut());
        let path = CString::new(folder.as_os_str().as_bytes()).unwrap();
        let authority = CString::new(Digest::new([7; 32]).to_base64()).unwrap();
        // SAFETY: the places and the texts live until each call returns.
        unsafe {
            assert_eq!(wm_create_client(&raw mut client), WM_S_OK);
            assert_eq!(wm_set_string_prop(client.cast(), c"StorePath".as_ptr(), path.as_ptr()), WM_S_OK);
            assert_eq!(wm_set_string_prop(client.cast(), c"Authority".as_ptr(), authority.as_ptr()), WM_S_OK);
            assert_eq!(wm_create_license_enumerator(client, &raw mut enumerator), WM_S_OK);
            assert_eq!(wm_create_revocation_agent(client, None, null_mut(), &raw mut agent), WM_S_OK);
        }
        Self { client, enumerator, agent }
    }

    fn open(self) -> wm_result {
        // SAFETY: a handle is a number.
        unsafe { wm_open_client(self.client) }
    }

    fn next(self) -> wm_result {
        // SAFETY: as above.
        unsafe { wm_next_license(self.enumerator) }
    }

    fn shown(self) -> wm_result {
        let mut size = 0;
        // SAFETY: only the size is asked for, and has a place.
        unsafe { wm_get_prop(self.enumerator.cast(), c"LID".as_ptr(), null_mut(), null_mut(), 0, &raw mut size) }
    }

    fn challenge(self) -> wm_result {
        let mut size = 0;
        // SAFETY: as above.
        unsafe { wm_get_lrb_challenge(self.agent, null(), 0, null_mut(), 0, &raw mut size) }
    }

    fn security_version(self) -> wm_result {
        let mut size = 0;
        // SAFETY: as above.
        unsafe { wm_get_security_version(self.client, null_mut(), 0, &raw mut size) }
    }

    fn release(self) {
        for handle in [self.enumerator.cast::<c_void>(), self.agent.cast(), self.client.cast()] {
            // SAFETY: a handle is a number.
            assert_eq!(unsafe { wm_release(handle) }, WM_S_OK);
        }
    }
}

unsafe extern "C" fn ask_back(_: u32, _: *const c_char, _: *const c_char, context: *mut c_void) {
    // SAFETY: the test gave this context, and keeps it until the callback is taken away.
    let asking = unsafe { &*context.cast::<Asking>() };
    for call in [Handles::open, Handles::shown, Handles::challenge, Handles::security_version] {
        // What they answer is told elsewhere; that they do is told here.
        let _ = call(asking.handles);
    }
    asking.answered.fetch_add(1, Ordering::Relaxed);
}

/// Makes a call in which at least one record has to be told and answered.
fn answers_its_records(asking: &Asking, call: fn(Handles) -> wm_result) -> wm_result {
    let (before, handles) = (asking.answered.load(Ordering::Relaxed), asking.handles);
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let handles = handles;
        send.send(call(handles))
    });
    let result = receive.recv_timeout(PATIENCE).expect("the call comes back");
    assert!(asking.answered.load(Ordering::Relaxed) > before, "nothing was recorded");
    result
}

#[test]
fn no_record_comes_from_under_a_lock_that_its_receiver_needs() {
    if !has_own_mounts("log_callback::tests::no_record_comes_from_under_a_lock_that_its_receiver_needs") {
        return;
    }
    let disk = tempfile::tempdir().unwrap();
    mount_small(disk.path(), "size=8m");
    let folder = disk.path().join("store");
    let first = Handles::over(&folder);
    assert_eq!(first.open(), WM_S_OK);
    first.release();
    set_read_only(disk.path(), true);
    let asking = Asking { handles: Handles::over(&folder), answered: AtomicUsize::new(0) };
    let (client, context) = (asking.handles.client, (&raw const asking).cast_mut().cast());
    // SAFETY: the context lives until the callback is taken away.
    assert_eq!(unsafe { wm_set_log_callback(client, Some(ask_back), context, Level::Warn as u32) }, WM_S_OK);
    assert_eq!(answers_its_records(&asking, Handles::open), WM_S_OK);
    // A later version of the library wrote the store meanwhile.
    set_read_only(disk.path(), false);
    let database = File::options().write(true).open(folder.join(FILE_NAME)).unwrap();
    database.write_all_at(&[0x7F; 4], USER_VERSION).unwrap();
    drop(database);
    set_read_only(disk.path(), true);
    for call in [Handles::next, Handles::challenge, Handles::security_version] {
        assert_eq!(answers_its_records(&asking, call), WM_E_STORE_READ_ONLY);
    }
    // SAFETY: nothing is passed.
    assert_eq!(unsafe { wm_set_log_callback(client, None, null_mut(), 0) }, WM_S_OK);
    asking.handles.release();
}
