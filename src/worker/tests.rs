mod asides;

use super::*;
use crate::detail;
use crate::flags::WM_INFINITE;
use crate::life::Live;
use crate::object::{self, Base, Object, handle};
use crate::prop::wm_attr_type;
use crate::result::{
    WM_E_BAD_VALUE, WM_E_BUSY, WM_E_INTERNAL, WM_E_INVALID_HANDLE, WM_E_OPERATION_CANCELED, WM_E_TIMEOUT,
    WM_E_WOULD_DEADLOCK, WM_S_ACQUIRE_CANCELLED,
};
use crate::status;
use std::ffi::c_void;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, Weak};
use wmlicense_core::event::Progress;

/// An object whose verb is whatever a test wants; it borrows the kind of one that C knows.
struct Tested {
    base: Base,
    worker: Worker,
}

struct TestedHandle;

handle!(TestedHandle: Tested, BackupRestorer);

impl Tested {
    fn new(callback: Callback) -> Self {
        let base = Base::new(&[]);
        let worker = Worker::new(Arc::clone(&base.life), callback, None, Log::default());
        Self { base, worker }
    }
}

impl Object for Tested {
    fn base(&self) -> &Base {
        &self.base
    }
    fn worker(&self) -> Option<&Worker> {
        Some(&self.worker)
    }
}

/// What a callback does when it sees a status.
type Act = Box<dyn FnMut(wm_status) -> wm_result + Send>;

/// What the callback saw, and what it does when it sees a status.
#[derive(Default)]
struct Script {
    seen: Mutex<Vec<(wm_status, wm_result)>>,
    act: Mutex<Option<Act>>,
}

unsafe extern "C" fn play(
    status: wm_status,
    result: wm_result,
    _: wm_attr_type,
    _: *const c_void,
    _: usize,
    context: *mut c_void,
) -> wm_result {
    // SAFETY: every test keeps its script longer than its object.
    let script = unsafe { &*context.cast::<Script>() };
    script.seen.lock().unwrap().push((status, result));
    script.act.lock().unwrap().as_mut().map_or(0, |act| act(status))
}

impl Script {
    fn acting(act: impl FnMut(wm_status) -> wm_result + Send + 'static) -> Arc<Self> {
        let script = Arc::new(Self::default());
        *script.act.lock().unwrap() = Some(Box::new(act));
        script
    }

    fn seen(&self) -> Vec<(wm_status, wm_result)> {
        self.seen.lock().unwrap().clone()
    }
}

const FINAL: wm_status = status::BACKUPRESTORE_END;

/// A handle, and what tells whether its object is still counted.
fn object(script: &Arc<Script>) -> (*mut TestedHandle, Weak<Live>) {
    // SAFETY: the script outlives the object.
    let callback = unsafe { Callback::new(Some(play), Arc::as_ptr(script).cast_mut().cast()) };
    let tested = Tested::new(callback);
    let live = Arc::downgrade(tested.base.life.hold().as_ref().unwrap());
    (object::hand_out::<TestedHandle>(tested).unwrap(), live)
}

fn start(handle: *mut TestedHandle, work: impl FnOnce(&Context) -> Outcome + Send + 'static) -> Result<(), wm_result> {
    let object = object::resolve(handle).map_err(|failure| failure.result())?;
    object.worker.start(FINAL, WM_E_BUSY, None, work).map_err(|failure| failure.result())
}

fn release(handle: *mut TestedHandle) -> wm_result {
    // SAFETY: any value may be released.
    unsafe { object::wm_release(handle.cast()) }
}

fn wait(handle: *mut TestedHandle, timeout_ms: u32) -> (wm_result, wm_result) {
    let mut outcome = 7;
    // SAFETY: the place is writable.
    (unsafe { object::wm_wait(handle.cast(), timeout_ms, &mut outcome) }, outcome)
}

/// Work that ends when it is cancelled, and only then.
fn until_cancelled(context: &Context) -> Outcome {
    while context.check().is_ok() {
        std::thread::yield_now();
    }
    Outcome::failure(Failure::new(WM_E_OPERATION_CANCELED))
}

fn progress(context: &Context) {
    let _ = context.emit(Event::Progress(Progress { done: 1, total: 2 }));
}

/// Waits for the last trace of an object that was released where nobody waits for it.
fn gone(live: &Weak<Live>) {
    while live.strong_count() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn one_final_status_comes_and_waiting_gives_its_result_again() {
    let script = Arc::new(Script::default());
    let (handle, live) = object(&script);
    start(handle, |context| {
        progress(context);
        Outcome::failure(Failure::new(WM_E_BAD_VALUE))
    })
    .unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, WM_E_BAD_VALUE));
    assert_eq!(wait(handle, 0), (0, WM_E_BAD_VALUE));
    assert_eq!(script.seen(), [(status::PROGRESS, 0), (FINAL, WM_E_BAD_VALUE)]);
    assert_eq!(release(handle), 0);
    assert_eq!(live.strong_count(), 0);
}

#[test]
fn a_second_verb_is_refused_while_the_first_runs() {
    let script = Arc::new(Script::default());
    let (handle, _) = object(&script);
    start(handle, until_cancelled).unwrap();
    assert_eq!(start(handle, until_cancelled), Err(WM_E_BUSY));
    assert_eq!(wait(handle, 0), (WM_E_TIMEOUT, 7));
    // SAFETY: any value may be cancelled.
    assert_eq!(unsafe { object::wm_cancel(handle.cast()) }, 0);
    assert_eq!(wait(handle, WM_INFINITE), (0, WM_E_OPERATION_CANCELED));
    assert_eq!(release(handle), 0);
}

#[test]
fn a_failing_answer_cancels() {
    let script = Script::acting(|status| if status == status::PROGRESS { WM_E_INTERNAL } else { 0 });
    let (handle, _) = object(&script);
    start(handle, |context| {
        progress(context);
        until_cancelled(context)
    })
    .unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, WM_E_OPERATION_CANCELED));
    assert_eq!(release(handle), 0);
}

#[test]
fn a_success_of_any_number_goes_on() {
    let script = Script::acting(|status| if status == status::PROGRESS { WM_S_ACQUIRE_CANCELLED } else { 0 });
    let (handle, _) = object(&script);
    start(handle, |context| {
        progress(context);
        Outcome::success(if context.check().is_ok() { 5 } else { 6 })
    })
    .unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, 5));
    assert_eq!(release(handle), 0);
}

#[test]
fn a_callback_finds_the_detail_of_its_own_status() {
    let details = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&details);
    let script = Script::acting(move |status| {
        let message = detail::last().map(|detail| detail.message.to_string());
        noted.lock().unwrap().push((status, message));
        0
    });
    let (handle, _) = object(&script);
    let failing = |message: &'static str| move |_: &Context| Outcome::failure(Failure::with(WM_E_BAD_VALUE, message));
    start(handle, failing("The first failed.")).unwrap();
    wait(handle, WM_INFINITE);
    start(handle, |context| {
        // What the thread's last call left is not this status's.
        detail::set(Some(Failure::with(WM_E_BAD_VALUE, "Left over.").into_detail()));
        progress(context);
        Outcome::success(0)
    })
    .unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, 0));
    assert_eq!(release(handle), 0);
    let details = details.lock().unwrap();
    let of =
        |wanted: wm_status| details.iter().filter(move |(status, _)| *status == wanted).map(|(_, text)| text.clone());
    assert_eq!(of(FINAL).collect::<Vec<_>>(), [Some("The first failed.".to_owned()), None]);
    assert_eq!(of(status::PROGRESS).collect::<Vec<_>>(), [None]);
}

#[test]
fn a_release_from_outside_returns_after_the_final_status() {
    let script = Arc::new(Script::default());
    let (handle, live) = object(&script);
    start(handle, until_cancelled).unwrap();
    assert_eq!(release(handle), 0);
    assert_eq!(script.seen(), [(FINAL, WM_E_OPERATION_CANCELED)]);
    assert_eq!(live.strong_count(), 0);
    assert_eq!(release(handle), WM_E_INVALID_HANDLE);
}

/// Gives a handle to a callback that was made before it.
fn sent_handle() -> (Sender<usize>, impl FnMut() -> *mut TestedHandle + Send) {
    let (send, receive): (Sender<usize>, Receiver<usize>) = channel();
    (send, move || std::ptr::without_provenance_mut(receive.recv().unwrap()))
}

#[test]
fn waiting_for_oneself_is_refused() {
    let (send, mut own) = sent_handle();
    let script = Script::acting(move |status| {
        if status == status::PROGRESS {
            assert_eq!(wait(own(), WM_INFINITE), (WM_E_WOULD_DEADLOCK, 7));
        }
        0
    });
    let (handle, _) = object(&script);
    send.send(handle.addr()).unwrap();
    start(handle, |context| {
        progress(context);
        Outcome::success(0)
    })
    .unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, 0));
    assert_eq!(release(handle), 0);
}

#[test]
fn an_object_released_in_its_own_callback_tells_nothing_more() {
    let (send, mut own) = sent_handle();
    let script = Script::acting(move |_| release(own()));
    let (handle, live) = object(&script);
    send.send(handle.addr()).unwrap();
    start(handle, |context| {
        progress(context);
        progress(context);
        until_cancelled(context)
    })
    .unwrap();
    gone(&live);
    assert_eq!(script.seen(), [(status::PROGRESS, 0)]);
    assert_eq!(release(handle), WM_E_INVALID_HANDLE);
}

#[test]
fn releasing_another_object_in_a_callback_does_not_wait() {
    let other_script = Arc::new(Script::default());
    let (other, other_live) = object(&other_script);
    let (let_it_end, may_end) = channel::<()>();
    // It cannot end before the releasing callback has returned: a release that waited for it would hang.
    start(other, move |context| {
        let outcome = until_cancelled(context);
        may_end.recv().unwrap();
        outcome
    })
    .unwrap();
    let address = other.addr();
    let script =
        Script::acting(
            move |status| {
                if status == status::PROGRESS { release(std::ptr::without_provenance_mut(address)) } else { 0 }
            },
        );
    let (handle, _) = object(&script);
    start(handle, |context| {
        progress(context);
        Outcome::success(0)
    })
    .unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, 0));
    assert_eq!(other_live.strong_count(), 1, "counted until its release is finished");
    let_it_end.send(()).unwrap();
    gone(&other_live);
    assert_eq!(other_script.seen(), [(FINAL, WM_E_OPERATION_CANCELED)]);
    assert_eq!(release(handle), 0);
}

#[test]
fn nothing_starts_on_an_object_after_its_last_release() {
    let script = Arc::new(Script::default());
    let (handle, _) = object(&script);
    let held = object::resolve(handle).unwrap();
    assert_eq!(release(handle), 0);
    let refused = held.worker.start(FINAL, WM_E_BUSY, None, |_| Outcome::success(0));
    assert_eq!(refused.unwrap_err().result(), WM_E_INVALID_HANDLE);
    assert!(script.seen().is_empty());
}

#[test]
fn work_that_panics_ends_as_an_internal_failure() {
    let script = Arc::new(Script::default());
    let (handle, _) = object(&script);
    start(handle, |_| panic!("deliberate")).unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, WM_E_INTERNAL));
    start(handle, |_| Outcome::success(0)).unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, 0));
    assert_eq!(script.seen(), [(FINAL, WM_E_INTERNAL), (FINAL, 0)]);
    assert_eq!(release(handle), 0);
}

#[test]
fn a_null_callback_runs_everything_but_is_not_called() {
    // SAFETY: nothing is called.
    let callback = unsafe { Callback::new(None, std::ptr::null_mut()) };
    let handle = object::hand_out::<TestedHandle>(Tested::new(callback)).unwrap();
    start(handle, |context| {
        progress(context);
        Outcome::success(5)
    })
    .unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, 5));
    assert_eq!(release(handle), 0);
}

#[test]
fn the_detail_of_an_operation_becomes_the_waiting_threads() {
    let script = Arc::new(Script::default());
    let (handle, _) = object(&script);
    start(handle, |_| Outcome::failure(Failure::with(WM_E_BAD_VALUE, "it does not fit"))).unwrap();
    detail::set(None);
    assert_eq!(wait(handle, WM_INFINITE), (0, WM_E_BAD_VALUE));
    assert_eq!(detail::last().map(|detail| detail.message.to_string()), Some("It does not fit.".to_owned()));
    assert_eq!(release(handle), 0);
}

#[test]
fn a_cancelled_acquisition_leaves_the_waiting_threads_detail() {
    let script = Arc::new(Script::default());
    let (handle, _) = object(&script);
    start(handle, |_| Outcome::failure(Failure::new(WM_S_ACQUIRE_CANCELLED))).unwrap();
    detail::set(Some(Failure::new(WM_E_BUSY).into_detail()));
    assert_eq!(wait(handle, WM_INFINITE), (0, WM_S_ACQUIRE_CANCELLED));
    assert_eq!(detail::last().map(|detail| detail.result), Some(WM_E_BUSY));
    assert_eq!(release(handle), 0);
}

/// A test that waits for ever says so.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_call_that_tells_waits_for_its_statuses_but_never_for_a_callback_that_waits_for_it() {
    let (send, told) = channel::<()>();
    let told = Mutex::new(told);
    // The first callback returns when the other thread's call has returned; what that call tells comes after it.
    let script = Script::acting(move |status| {
        if status == status::PROGRESS {
            told.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        0
    });
    let (handle, _) = object(&script);
    let inside = Arc::clone(&script);
    start(handle, |context| {
        progress(context);
        Outcome::success(0)
    })
    .unwrap();
    while inside.seen().is_empty() {
        std::thread::yield_now();
    }
    let held = object::resolve(handle).unwrap();
    held.worker.tell(&[Event::AccountNotPresented]);
    send.send(()).unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, 0));
    // Where no callback runs, everything is told when the call returns, by a thread of the library.
    held.worker.tell(&[Event::AccountNotPresented]);
    let count = |status| script.seen().iter().filter(|(seen, _)| *seen == status).count();
    assert!(count(status::ACCOUNT_NOT_PRESENTED) >= 1);
    drop(held);
    assert_eq!(release(handle), 0);
    assert_eq!((count(status::ACCOUNT_NOT_PRESENTED), count(FINAL)), (2, 1));
}
