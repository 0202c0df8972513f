use super::*;
use crate::life::Life;
use crate::prop::wm_attr_type;
use crate::result::wm_result;
use crate::status::{Payload, wm_status};
use std::ffi::c_void;
use std::sync::atomic::AtomicUsize;

/// What a call tells of an object without a callback.
fn unheard() -> Aside {
    // SAFETY: there is no function to call.
    let callback = unsafe { Callback::new(None, std::ptr::null_mut()) };
    let told = vec![Told { status: 1, result: 0, payload: Payload::Nothing, detail: None }];
    let live = Life::new().hold().clone().unwrap();
    Aside { callback, told, silenced: Arc::default(), live }
}

#[test]
fn calls_of_one_object_are_made_one_at_a_time() {
    let (turn, inside, calls) = (Arc::new(Turn::default()), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..500 {
                    turn.during(|| {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        if round % 5 == 0 {
                            turn.tell(unheard()).unwrap();
                        }
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        calls.fetch_add(1, Ordering::SeqCst);
                    });
                }
            });
        }
    });
    turn.finish();
    assert_eq!(calls.into_inner(), 2000);
}

#[test]
fn a_turn_is_its_threads_until_it_is_over_however_that_came() {
    let turn = Turn::default();
    assert!(!turn.is_mine());
    turn.during(|| {
        assert!(turn.is_mine());
        std::thread::scope(|scope| assert!(!scope.spawn(|| turn.is_mine()).join().unwrap()));
    });
    assert!(!turn.is_mine());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| turn.during(|| panic!("deliberate"))));
    assert!(panicked.is_err() && !turn.is_mine());
    assert_eq!(turn.during(|| 7), 7);
}

/// What a call tells, seen by the application: on which thread, and whether the turn was its own there.
#[derive(Default)]
struct Application {
    turn: Arc<Turn>,
    heard: Mutex<Vec<(wm_status, ThreadId, bool)>>,
}

unsafe extern "C" fn hear(
    status: wm_status,
    _: wm_result,
    _: wm_attr_type,
    _: *const c_void,
    _: usize,
    context: *mut c_void,
) -> wm_result {
    // SAFETY: every test keeps its application until everything is told.
    let application = unsafe { &*context.cast::<Application>() };
    let heard = (status, std::thread::current().id(), application.turn.is_mine());
    application.heard.lock().unwrap().push(heard);
    0
}

impl Application {
    fn aside(&self, statuses: &[wm_status], silenced: bool) -> Aside {
        // SAFETY: every test keeps its application until everything is told.
        let callback = unsafe { Callback::new(Some(hear), std::ptr::from_ref(self).cast_mut().cast()) };
        let told = |status: &wm_status| Told { status: *status, result: 0, payload: Payload::Nothing, detail: None };
        let told = statuses.iter().map(told).collect();
        let live = Life::new().hold().clone().unwrap();
        Aside { callback, told, silenced: Arc::new(AtomicBool::new(silenced)), live }
    }

    fn statuses(&self) -> Vec<wm_status> {
        self.heard.lock().unwrap().iter().map(|(status, ..)| *status).collect()
    }
}

#[test]
fn what_a_call_tells_is_told_in_its_order_on_another_thread_and_before_the_call_returns() {
    let application = Application::default();
    let aside = application.aside(&[1, 2, 3], false);
    let live = Arc::downgrade(&aside.live);
    application.turn.tell(aside).unwrap();
    assert_eq!(application.statuses(), [1, 2, 3]);
    assert_eq!(live.strong_count(), 0, "nothing of it is kept");
    for (_, thread, is_own_turn) in application.heard.lock().unwrap().iter() {
        assert!(*thread != std::thread::current().id() && *is_own_turn);
    }
    // The turn is free again for whoever comes.
    application.turn.tell(application.aside(&[4], false)).unwrap();
    assert!(application.turn.during(|| application.turn.is_mine()));
    application.turn.finish();
    assert_eq!(application.statuses(), [1, 2, 3, 4]);
}

#[test]
fn nothing_is_told_that_was_silenced() {
    let application = Application::default();
    application.turn.tell(application.aside(&[1], true)).unwrap();
    assert!(application.statuses().is_empty());
}

#[test]
fn what_is_told_while_another_call_has_the_turn_comes_behind_it_and_an_end_waits_for_it() {
    let application = Application::default();
    application.turn.during(|| {
        application.turn.tell(application.aside(&[1, 2], false)).unwrap();
        application.turn.tell(application.aside(&[3], false)).unwrap();
        assert!(application.statuses().is_empty(), "this call has not returned");
    });
    application.turn.finish();
    let mut heard = application.statuses();
    heard.sort_unstable();
    assert_eq!(heard, [1, 2, 3]);
    for (.., is_own_turn) in application.heard.lock().unwrap().iter() {
        assert!(is_own_turn);
    }
}

/// An application that sees whether another call of its object's is made while it is in this one.
#[derive(Default)]
struct Watching {
    turn: Arc<Turn>,
    other: Mutex<Option<std::thread::JoinHandle<()>>>,
    overtaken: AtomicBool,
}

unsafe extern "C" fn watch(
    _: wm_status,
    _: wm_result,
    _: wm_attr_type,
    _: *const c_void,
    _: usize,
    context: *mut c_void,
) -> wm_result {
    // SAFETY: the test keeps it until everything is told.
    let watching = unsafe { &*context.cast::<Watching>() };
    let (turn, (send, called)) = (Arc::clone(&watching.turn), std::sync::mpsc::channel());
    *watching.other.lock().unwrap() = Some(std::thread::spawn(move || {
        let _ = turn.during(|| send.send(()));
    }));
    let called = called.recv_timeout(std::time::Duration::from_millis(100));
    watching.overtaken.store(called.is_ok(), Ordering::SeqCst);
    0
}

#[test]
fn while_a_call_tells_nobody_else_calls_the_application() {
    let watching = Watching::default();
    // SAFETY: it is kept until everything is told.
    let callback = unsafe { Callback::new(Some(watch), std::ptr::from_ref(&watching).cast_mut().cast()) };
    let aside = Aside { callback, ..Application::default().aside(&[1], false) };
    watching.turn.tell(aside).unwrap();
    watching.other.lock().unwrap().take().unwrap().join().unwrap();
    assert!(!watching.overtaken.into_inner());
}

#[test]
fn whoever_waited_for_all_that_is_told_finds_nothing_of_it_left() {
    let application = Application::default();
    for _ in 0..300 {
        let aside = application.aside(&[1], false);
        let live = Arc::downgrade(&aside.live);
        application.turn.during(|| application.turn.tell(aside).unwrap());
        application.turn.finish();
        assert_eq!(live.strong_count(), 0);
    }
}

#[test]
fn the_end_of_what_waited_for_its_turn_takes_it_from_nobody() {
    let turn = Turn::default();
    turn.state().waiting = 1;
    turn.during(|| {
        turn.told(false);
        assert!(turn.is_mine());
    });
    turn.finish();
}
