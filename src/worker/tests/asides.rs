//! What calls tell that are no operations, what goes to a queue, and operations for which there is no room.

use super::*;
use crate::callback::as_callback;
use crate::result::WM_E_OUTOFMEMORY;
use crate::teller::{BOUND, NextError};
use std::fmt;
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use wmlicense_core::logging::LogSink;

/// What is told in a callback of a call, and not of an operation.
const ASIDE: Event = Event::AccountNotPresented;

fn worker_of(handle: *mut TestedHandle) -> Arc<Tested> {
    object::resolve(handle).unwrap()
}

#[test]
fn waiting_in_the_callback_of_a_call_is_refused_as_in_that_of_an_operation() {
    let (send, mut own) = sent_handle();
    let answers = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&answers);
    let script = Script::acting(move |_| {
        noted.lock().unwrap().push(wait(own(), WM_INFINITE).0);
        0
    });
    let (handle, _) = object(&script);
    send.send(handle.addr()).unwrap();
    worker_of(handle).worker.tell(&[ASIDE]);
    assert_eq!(*answers.lock().unwrap(), [WM_E_WOULD_DEADLOCK]);
    assert_eq!(wait(handle, WM_INFINITE).0, WM_E_NO_OPERATION, "there never was one");
    assert_eq!(release(handle), 0);
}

#[test]
fn an_object_released_in_the_callback_of_a_call_tells_nothing_more() {
    let (send, mut own) = sent_handle();
    let script = Script::acting(move |_| release(own()));
    let (handle, live) = object(&script);
    send.send(handle.addr()).unwrap();
    let held = worker_of(handle);
    held.worker.tell(&[ASIDE, Event::NeedsIndividualization, ASIDE]);
    assert_eq!(script.seen().len(), 1);
    gone(&live);
    held.worker.tell(&[ASIDE]);
    assert_eq!(script.seen().len(), 1, "of a released object nothing is told");
    assert_eq!(release(handle), WM_E_INVALID_HANDLE);
}

#[test]
fn an_object_released_on_its_operations_own_thread_tells_nothing_more() {
    let script = Arc::new(Script::default());
    let (handle, live) = object(&script);
    let own = handle.addr();
    // As in a function of the application that the operation calls to send a request.
    start(handle, move |context| {
        assert_eq!(as_callback(|| release(std::ptr::without_provenance_mut(own))), 0);
        progress(context);
        assert!(context.check().is_err(), "it is cancelled");
        Outcome::success(0)
    })
    .unwrap();
    gone(&live);
    assert_eq!(script.seen(), []);
}

#[test]
fn a_release_from_outside_returns_after_all_that_calls_had_to_tell() {
    let (begun, has_begun) = channel::<()>();
    let (released, may_end) = channel::<()>();
    let may_end = Mutex::new(may_end);
    let script = Script::acting(move |_| {
        begun.send(()).unwrap();
        // Who releases has not returned for as long as this callback has not.
        assert!(may_end.lock().unwrap().recv_timeout(Duration::from_millis(100)).is_err());
        0
    });
    let (handle, live) = object(&script);
    let held = worker_of(handle);
    let telling = std::thread::spawn(move || held.worker.tell(&[ASIDE]));
    has_begun.recv().unwrap();
    assert_eq!(release(handle), 0);
    let _ = released.send(());
    assert_eq!(script.seen().len(), 1);
    telling.join().unwrap();
    assert_eq!(live.strong_count(), 0);
}

#[test]
fn a_call_inside_another_objects_callback_does_not_wait_for_what_it_tells() {
    let (returned, has_returned) = channel::<()>();
    let has_returned = Mutex::new(has_returned);
    let told = Script::acting(move |_| {
        has_returned.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        0
    });
    let (handle, live) = object(&told);
    let held = worker_of(handle);
    as_callback(|| held.worker.tell(&[ASIDE]));
    returned.send(()).unwrap();
    drop(held);
    assert_eq!(release(handle), 0);
    gone(&live);
    assert_eq!(told.seen().len(), 1);
}

#[test]
fn calls_tell_one_after_the_other_and_verbs_begin_behind_them() {
    let script = Arc::new(Script::default());
    let (handle, _) = object(&script);
    let held = worker_of(handle);
    held.worker.tell(&[]);
    for _ in 0..2 {
        held.worker.tell(&[ASIDE]);
    }
    assert!(held.worker.idle(WM_E_BUSY).is_ok());
    start(handle, |context| {
        progress(context);
        Outcome::success(0)
    })
    .unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, 0));
    let seen: Vec<wm_status> = script.seen().into_iter().map(|(status, _)| status).collect();
    let aside = status::ACCOUNT_NOT_PRESENTED;
    assert_eq!(seen, [aside, aside, status::PROGRESS, FINAL]);
    assert!(!held.worker.in_own_callback());
    drop(held);
    assert_eq!(release(handle), 0);
}

#[test]
fn while_a_verb_runs_the_object_is_busy() {
    let script = Arc::new(Script::default());
    let (handle, _) = object(&script);
    start(handle, until_cancelled).unwrap();
    let held = worker_of(handle);
    assert_eq!(held.worker.idle(WM_E_BUSY).unwrap_err().result(), WM_E_BUSY);
    held.worker.cancel();
    assert_eq!(wait(handle, WM_INFINITE), (0, WM_E_OPERATION_CANCELED));
    assert!(held.worker.idle(WM_E_BUSY).is_ok());
    let ran = held.worker.run(FINAL, WM_E_BUSY, None, |_| Outcome::success(5)).unwrap();
    assert_eq!(ran.result, 5);
    drop(held);
    assert_eq!(release(handle), 0);
}

#[test]
fn without_a_callback_operations_and_calls_put_what_they_tell_into_the_queue_under_the_handle() {
    // SAFETY: there is no function to call.
    let callback = unsafe { Callback::new(None, std::ptr::null_mut()) };
    let (base, queue) = (Base::new(&[]), Arc::new(Queue::new(BOUND)));
    let worker = Worker::new(Arc::clone(&base.life), callback, Some(Arc::clone(&queue)), Log::default());
    let handle = object::hand_out::<TestedHandle>(Tested { base, worker }).unwrap();
    let held = worker_of(handle);
    held.worker.tell(&[ASIDE]);
    start(handle, |context| {
        progress(context);
        Outcome::success(0)
    })
    .unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, 0));
    let next = || queue.next(Some(Duration::ZERO)).map(|entry| (object::as_handle(entry.token), entry.told.status));
    for status in [status::ACCOUNT_NOT_PRESENTED, status::PROGRESS, FINAL] {
        assert_eq!(next(), Ok((handle, status)));
    }
    assert_eq!(next(), Err(NextError::Timeout));
    assert_eq!(release(handle), 0);
    held.worker.tell(&[ASIDE]);
    assert_eq!(next(), Err(NextError::Timeout), "of a released object nothing is told");
}

/// Counts the records of what is lost.
#[derive(Default)]
struct Lost(AtomicUsize);

impl LogSink for Lost {
    fn wants(&self, level: Level) -> bool {
        level == Level::Error
    }
    fn record(&self, _: Level, _: &str, message: fmt::Arguments<'_>) {
        self.0.fetch_add(usize::from(message.to_string().starts_with("statuses are lost: ")), Ordering::Relaxed);
    }
}

/// Set in the process that has too little memory: all of its threads would.
const ALONE: &str = "WM_TEST_TOO_LITTLE_MEMORY";

#[test]
fn an_operation_for_which_there_is_no_room_does_not_begin() {
    if std::env::var_os(ALONE).is_none() {
        let own = "worker::tests::asides::an_operation_for_which_there_is_no_room_does_not_begin";
        let mut test = Command::new(std::env::current_exe().unwrap());
        let output = test.args(["--exact", own, "--nocapture"]).env(ALONE, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let (script, lost) = (Arc::new(Script::default()), Arc::new(Lost::default()));
    // SAFETY: the script outlives the object.
    let callback = unsafe { Callback::new(Some(play), Arc::as_ptr(&script).cast_mut().cast()) };
    let base = Base::new(&[]);
    let worker = Worker::new(Arc::clone(&base.life), callback, None, Log::to(Arc::<Lost>::clone(&lost)));
    let handle = object::hand_out::<TestedHandle>(Tested { base, worker }).unwrap();
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let used = pages.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096;
    let mut all = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the place is writable.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut all) }, 0);
    let limited = |more: u64| {
        let rlim_cur = if more == 0 { all.rlim_cur } else { used + more };
        // SAFETY: it is a limit of this process, which ends with this test.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &libc::rlimit { rlim_cur, ..all }) }, 0);
    };
    // Room for a thread, and not for all that an operation may need.
    limited(8 << 20);
    let refused = start(handle, |_| Outcome::success(0));
    limited(0);
    assert_eq!(refused, Err(WM_E_OUTOFMEMORY));
    // No room for a thread: what a call had to tell is lost, and nobody waits for it.
    limited(1 << 20);
    worker_of(handle).worker.tell(&[ASIDE]);
    limited(0);
    assert_eq!((script.seen(), lost.0.load(Ordering::Relaxed)), (vec![], 1));
    start(handle, |_| Outcome::success(0)).unwrap();
    assert_eq!(wait(handle, WM_INFINITE), (0, 0));
    assert_eq!(release(handle), 0);
}
