use super::*;
use crate::result::WM_S_FALSE;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

/// An object that notes its releases; it borrows the kind of one that C knows.
struct Noted {
    base: Base,
    releases: Arc<AtomicUsize>,
}

struct NotedHandle;

handle!(NotedHandle: Noted, StoreKeeper);

struct OtherHandle;

handle!(OtherHandle: Noted, Decryptor);

impl Object for Noted {
    fn base(&self) -> &Base {
        &self.base
    }
    fn released(&self) {
        self.releases.fetch_add(1, Ordering::Relaxed);
    }
}

/// A handle, and how often the object was released.
fn object() -> (*mut NotedHandle, Arc<AtomicUsize>) {
    let releases = Arc::new(AtomicUsize::new(0));
    let noted = Noted { base: Base::new(&[]), releases: Arc::clone(&releases) };
    (hand_out(noted).unwrap(), releases)
}

fn add_ref(handle: *mut NotedHandle) -> wm_result {
    // SAFETY: any value may be passed.
    unsafe { wm_add_ref(handle.cast()) }
}

fn release(handle: *mut NotedHandle) -> wm_result {
    // SAFETY: any value may be passed.
    unsafe { wm_release(handle.cast()) }
}

#[test]
fn the_last_release_ends_an_object_once() {
    let (handle, releases) = object();
    assert_eq!((add_ref(handle), release(handle)), (WM_S_OK, WM_S_OK));
    assert!(resolve(handle).is_ok());
    assert_eq!((release(handle), releases.load(Ordering::Relaxed)), (WM_S_OK, 1));
    assert_eq!((release(handle), add_ref(handle)), (WM_E_INVALID_HANDLE, WM_E_INVALID_HANDLE));
    assert_eq!(releases.load(Ordering::Relaxed), 1);
}

#[test]
fn a_handle_that_the_library_takes_back_is_as_one_that_was_released() {
    let (handle, releases) = object();
    let object = resolve(handle).unwrap();
    take_back(handle);
    assert!(object.base.life.hold().is_none() && resolve(handle).is_err());
    assert_eq!(releases.load(Ordering::Relaxed), 1);
    take_back(handle);
    take_back::<NotedHandle>(null_mut());
    assert_eq!(releases.load(Ordering::Relaxed), 1);
}

#[test]
fn null_is_no_handle_but_may_be_released() {
    assert_eq!(release(null_mut()), WM_S_OK);
    assert_eq!(add_ref(null_mut()), WM_E_INVALIDARG);
    let refused = |handle: *mut NotedHandle| resolve(handle).map(drop).unwrap_err().result();
    assert_eq!(refused(null_mut()), WM_E_INVALIDARG);
    assert_eq!(refused(as_handle(7)), WM_E_INVALID_HANDLE);
    // SAFETY: any value may be passed.
    let cancelled = unsafe { [wm_cancel(null_mut()), wm_cancel(as_handle::<c_void>(7))] };
    assert_eq!(cancelled, [WM_E_INVALIDARG, WM_E_INVALID_HANDLE]);
}

#[test]
fn a_handle_of_another_kind_is_refused_where_the_kind_matters() {
    let (handle, _) = object();
    assert_eq!(resolve(handle.cast::<OtherHandle>()).map(drop).unwrap_err().result(), WM_E_INVALID_HANDLE);
    assert!(resolve_any(handle.cast()).is_ok());
    assert_eq!(release(handle), WM_S_OK);
}

#[test]
fn an_object_without_verbs_has_no_operation_to_wait_for_and_none_to_cancel() {
    let (handle, _) = object();
    let mut outcome = WM_S_FALSE;
    // SAFETY: the place is writable.
    let told = unsafe { (wm_wait(handle.cast(), WM_INFINITE, &mut outcome), wm_cancel(handle.cast())) };
    assert_eq!((told, outcome), ((WM_E_NO_OPERATION, WM_S_OK), WM_S_FALSE));
    assert_eq!(release(handle), WM_S_OK);
}

#[test]
fn objects_that_are_not_released_are_counted() {
    let handles: Vec<_> = (0..3).map(|_| object().0).collect();
    // Other tests have objects too.
    assert!(wm_live_objects() >= handles.len());
    handles.into_iter().for_each(|handle| assert_eq!(release(handle), WM_S_OK));
}
