mod last_call;

use super::*;
use crate::event::Progress;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Barrier, OnceLock};

type Calls = Arc<Mutex<Vec<String>>>;
type Slot = Mutex<Option<Arc<Operation<u32>>>>;
type OnCall = Box<dyn FnMut(&str) -> Flow + Send>;

/// Writes every call down and lets a test act inside it.
struct Recorder {
    calls: Calls,
    on_call: OnCall,
}

impl Observer<u32> for Recorder {
    fn event(&mut self, event: &Event) -> Flow {
        let name = match event {
            Event::Progress(Progress { done, total }) => format!("progress {done}/{total}"),
            other => format!("{other:?}"),
        };
        lock(&self.calls).push(name.clone());
        (self.on_call)(&name)
    }
    fn finished(&mut self, result: &u32) {
        lock(&self.calls).push(format!("finished {result}"));
        (self.on_call)("finished");
    }
}

fn recorder(calls: &Calls) -> Box<Recorder> {
    recorder_with(calls, |_| Flow::Continue)
}

fn recorder_with(calls: &Calls, on_call: impl FnMut(&str) -> Flow + Send + 'static) -> Box<Recorder> {
    Box::new(Recorder { calls: Arc::clone(calls), on_call: Box::new(on_call) })
}

fn panicked() -> u32 {
    99
}

/// Work that runs until it is told to go on, or is cancelled (then 7).
fn gate() -> (Sender<u32>, impl FnOnce(&Context) -> u32 + Send + 'static) {
    let (sender, receiver): (_, Receiver<u32>) = channel();
    let wake = sender.clone();
    let work = move |context: &Context| {
        let _guard = context.on_cancel(Arc::new(move || wake.send(7).unwrap()));
        receiver.recv().unwrap()
    };
    (sender, work)
}

#[test]
fn the_result_is_told_once_as_the_last_call_and_given_to_every_wait() {
    let calls = Calls::default();
    let operation = Operation::new();
    let work = |context: &Context| {
        context.emit(Event::BackupRestoreBegin).unwrap();
        5
    };
    operation.start(None, recorder(&calls), work, panicked).unwrap();
    assert_eq!(operation.wait(None), Ok(5));
    assert_eq!(operation.wait(Some(Duration::ZERO)), Ok(5));
    assert!(!operation.is_running());
    assert_eq!(*lock(&calls), ["BackupRestoreBegin", "finished 5"]);
}

#[test]
fn an_object_on_which_nothing_was_started_has_nothing_to_wait_for_or_cancel() {
    let operation = Operation::<u32>::new();
    operation.cancel();
    operation.silence();
    assert_eq!(operation.wait(None), Err(WaitError::NothingStarted));
    assert!(!operation.is_running());
    assert!(!operation.in_own_callback());
}

#[test]
fn a_second_start_is_busy_and_the_wait_times_out_while_the_first_runs() {
    let calls = Calls::default();
    let operation = Operation::new();
    let (go, work) = gate();
    operation.start(None, recorder(&calls), work, panicked).unwrap();
    assert!(operation.is_running());
    assert_eq!(operation.start(None, recorder(&calls), |_| 1, panicked).map(drop), Err(StartError::Busy));
    assert_eq!(operation.wait(Some(Duration::ZERO)), Err(WaitError::Timeout));
    assert_eq!(operation.wait(Some(Duration::from_millis(5))), Err(WaitError::Timeout));
    go.send(3).unwrap();
    assert_eq!(operation.wait(Some(Duration::MAX)), Ok(3));
    assert_eq!(*lock(&calls), ["finished 3"]);
}

#[test]
fn cancel_wakes_registered_actions_and_waits() {
    let operation = Operation::new();
    let calls = Calls::default();
    let (_keep, work) = gate();
    operation.start(None, recorder(&calls), work, panicked).unwrap();
    operation.cancel();
    operation.cancel();
    assert_eq!(operation.wait(None), Ok(7));

    let far = |context: &Context| {
        let until = Instant::now() + Duration::from_secs(3600);
        if context.wait_until(until) == Err(Cancelled) { 8 } else { 0 }
    };
    operation.start(None, recorder(&calls), far, panicked).unwrap();
    operation.cancel();
    assert_eq!(operation.wait(None), Ok(8));
    assert_eq!(*lock(&calls), ["finished 7", "finished 8"]);
}

#[test]
fn an_action_registered_after_the_cancel_runs_at_once_and_a_dropped_one_never() {
    let context = Context::inline(None, |_| Flow::Continue);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let action: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    drop(context.on_cancel(Arc::clone(&action)));
    let _kept = context.on_cancel(Arc::clone(&action));
    context.canceller().cancel();
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let _late = context.on_cancel(action);
    assert_eq!(count.load(Ordering::SeqCst), 2);
    assert_eq!(context.check(), Err(Cancelled));
    assert_eq!(context.wait_until(Instant::now() + Duration::from_secs(3600)), Err(Cancelled));
}

#[test]
fn an_observer_that_answers_cancel_cancels_and_gets_only_the_result() {
    let calls = Calls::default();
    let operation = Operation::new();
    let work = |context: &Context| {
        let first = context.emit(Event::Connecting);
        let second = context.emit(Event::Disconnecting);
        if first.is_err() && second.is_err() && context.progress(1, 2).is_err() { 4 } else { 0 }
    };
    operation.start(None, recorder_with(&calls, |_| Flow::Cancel), work, panicked).unwrap();
    assert_eq!(operation.wait(None), Ok(4));
    assert_eq!(*lock(&calls), ["Connecting", "finished 4"]);
}

#[test]
fn inside_an_event_cancel_works_wait_is_refused_and_the_object_is_busy() {
    let calls = Calls::default();
    let operation = Operation::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (inner, inner_seen, inner_calls) = (Arc::clone(&operation), Arc::clone(&seen), Arc::clone(&calls));
    let on_call = move |name: &str| {
        if name != "finished" {
            let wait = inner.wait(Some(Duration::ZERO));
            let start = inner.start(None, recorder(&inner_calls), |_| 1, panicked).map(drop);
            lock(&inner_seen).push((wait, start, inner.in_own_callback(), inner.is_running()));
            inner.cancel();
        }
        Flow::Continue
    };
    let work = |context: &Context| if context.emit(Event::Connecting).is_err() { 6 } else { 0 };
    operation.start(None, recorder_with(&calls, on_call), work, panicked).unwrap();
    assert_eq!(operation.wait(None), Ok(6));
    assert!(!operation.in_own_callback());
    assert_eq!(*lock(&seen), [(Err(WaitError::WouldDeadlock), Err(StartError::Busy), true, true)]);
}

#[test]
fn after_silence_in_a_callback_no_further_call_comes_and_the_operation_still_ends() {
    let calls = Calls::default();
    let operation = Operation::new();
    let inner = Arc::clone(&operation);
    let on_call = move |_: &str| {
        inner.silence();
        Flow::Continue
    };
    let work = |context: &Context| {
        let first = context.emit(Event::Connecting);
        let second = context.emit(Event::Disconnecting);
        if first.is_err() && second.is_err() { 2 } else { 0 }
    };
    operation.start(None, recorder_with(&calls, on_call), work, panicked).unwrap();
    assert_eq!(operation.wait(None), Ok(2));
    assert_eq!(*lock(&calls), ["Connecting"]);
}

#[test]
fn silence_of_one_operation_does_not_touch_the_next() {
    let calls = Calls::default();
    let operation = Operation::new();
    let (_keep, work) = gate();
    operation.start(None, recorder(&calls), work, panicked).unwrap();
    operation.silence();
    assert_eq!(operation.wait(None), Ok(7));
    operation.start(None, recorder(&calls), |_| 1, panicked).unwrap();
    assert_eq!(operation.wait(None), Ok(1));
    assert_eq!(*lock(&calls), ["finished 1"]);
}

#[test]
fn a_panic_in_the_work_or_in_an_event_becomes_a_result_that_is_told() {
    let calls = Calls::default();
    let operation = Operation::new();
    operation.start(None, recorder(&calls), |_| panic!("on purpose"), panicked).unwrap();
    assert_eq!(operation.wait(None), Ok(99));

    let on_call = |name: &str| if name == "finished" { Flow::Continue } else { panic!("on purpose") };
    let work = |context: &Context| if context.emit(Event::Connecting).is_ok() { 1 } else { 2 };
    operation.start(None, recorder_with(&calls, on_call), work, panicked).unwrap();
    assert_eq!(operation.wait(None), Ok(99));

    operation.start(None, recorder_with(&calls, |_| panic!("on purpose")), |_| 3, panicked).unwrap();
    assert_eq!(operation.wait(None), Ok(3));
    assert_eq!(*lock(&calls), ["finished 99", "Connecting", "finished 99", "finished 3"]);
}

#[test]
fn progress_is_throttled_but_the_first_and_the_last_are_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let context = Context::inline(None, move |event| {
        lock(&sink).push(event.clone());
        Flow::Continue
    });
    let begun = Instant::now();
    for done in 0..=1000 {
        context.progress(done, 1000).unwrap();
    }
    context.progress(1000, 1000).unwrap();
    let told = lock(&told).clone();
    let allowed = 2 + begun.elapsed().as_millis() / 100;
    assert!(told.len() as u128 <= allowed, "{} events", told.len());
    assert_eq!(told.first(), Some(&Event::Progress(Progress { done: 0, total: 1000 })));
    assert_eq!(told.last(), Some(&Event::Progress(Progress { done: 1000, total: 1000 })));
}

#[test]
fn how_far_work_came_that_ends_early_is_told_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    let context = Context::inline(None, move |event| {
        lock(&sink).push(event.clone());
        Flow::Continue
    });
    context.last_progress().unwrap();
    assert_eq!(*lock(&told), []);
    for done in 0..=3 {
        context.progress(done, 1000).unwrap();
    }
    context.last_progress().unwrap();
    let known = lock(&told).len();
    assert_eq!(lock(&told).last(), Some(&Event::Progress(Progress { done: 3, total: 1000 })));
    context.last_progress().unwrap();
    assert_eq!(lock(&told).len(), known);
}

#[test]
fn how_far_work_came_is_told_before_its_end_however_that_came() {
    let some = |context: &Context| {
        for done in 0..=3 {
            // On a slow machine it may be told here already.
            let _ = catch_unwind(AssertUnwindSafe(|| context.progress(done, 1000)));
        }
    };
    let ended = |on_call: fn(&str) -> Flow, panics: bool| {
        let (calls, operation) = (Calls::default(), Operation::new());
        let work = move |context: &Context| {
            some(context);
            if panics { panic!("on purpose") } else { 1 }
        };
        operation.start(None, recorder_with(&calls, on_call), work, panicked).unwrap();
        operation.wait(None).unwrap();
        let calls = lock(&calls).clone();
        assert_eq!(calls.iter().filter(|call| *call == "progress 3/1000").count(), 1);
        calls.last_chunk::<2>().unwrap().clone()
    };
    assert_eq!(ended(|_| Flow::Continue, false), ["progress 3/1000", "finished 1"]);
    assert_eq!(ended(|_| Flow::Continue, true), ["progress 3/1000", "finished 99"]);
    let late = |name: &str| if name == "progress 3/1000" { Flow::Cancel } else { Flow::Continue };
    assert_eq!(ended(late, false), ["progress 3/1000", "finished 1"], "a cancel comes too late");
    let broken = |name: &str| if name == "progress 3/1000" { panic!("on purpose") } else { Flow::Continue };
    assert_eq!(ended(broken, false), ["progress 3/1000", "finished 1"], "what is done is done");
}

#[test]
fn the_deadline_is_counted_from_the_start() {
    let before = Instant::now();
    let context = Context::inline(Some(Duration::from_secs(60)), |_| Flow::Continue);
    let deadline = context.deadline().unwrap();
    assert!(deadline >= before + Duration::from_secs(60));
    assert!(deadline <= Instant::now() + Duration::from_secs(60));
    assert_eq!(Context::inline(None, |_| Flow::Continue).deadline(), None);
    assert_eq!(Context::inline(Some(Duration::MAX), |_| Flow::Continue).deadline(), None);
}

#[test]
fn every_waiter_gets_the_result_of_the_run_it_waited_for() {
    let calls = Calls::default();
    let operation = Operation::new();
    for round in 0..200 {
        let (go, work) = gate();
        operation.start(None, recorder(&calls), work, panicked).unwrap();
        let waiters = (0..4).map(|_| {
            let operation = Arc::clone(&operation);
            std::thread::spawn(move || operation.wait(None))
        });
        let waiters: Vec<_> = waiters.collect();
        assert_eq!(operation.wait(Some(Duration::ZERO)), Err(WaitError::Timeout));
        go.send(round).unwrap();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(round));
        }
    }
    assert_eq!(lock(&calls).len(), 200);
}

#[test]
fn cancels_starts_and_waits_from_many_threads_lose_nothing() {
    let operation = Operation::<u32>::new();
    let finished = Arc::new(AtomicUsize::new(0));
    let started = Arc::new(AtomicUsize::new(0));
    let barrier = Barrier::new(4);
    struct Counter(Arc<AtomicUsize>);
    impl Observer<u32> for Counter {
        fn event(&mut self, _: &Event) -> Flow {
            Flow::Continue
        }
        fn finished(&mut self, _: &u32) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (operation, finished, started, barrier) = (&operation, &finished, &started, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for round in 0..300 {
                    let far = Instant::now() + Duration::from_secs(3600);
                    let work = move |context: &Context| context.wait_until(far).map_or(1, |()| 0);
                    if operation.start(None, Box::new(Counter(Arc::clone(finished))), work, panicked).is_ok() {
                        started.fetch_add(1, Ordering::SeqCst);
                    }
                    operation.cancel();
                    if (round + thread) % 3 == 0 {
                        let answer = operation.wait(Some(Duration::from_millis(1)));
                        assert!(matches!(answer, Ok(1) | Err(WaitError::Timeout)), "{answer:?}");
                    }
                }
            });
        }
    });
    operation.cancel();
    assert_eq!(operation.wait(None), Ok(1));
    assert_eq!(finished.load(Ordering::SeqCst), started.load(Ordering::SeqCst));
}

#[test]
fn the_last_reference_may_go_in_the_own_callback() {
    let calls = Calls::default();
    let operation = Operation::new();
    let own: Arc<OnceLock<Slot>> = Arc::default();
    let (done, over) = channel();
    let slot = Arc::clone(&own);
    let mut done = Some(done);
    let on_call = move |name: &str| {
        let last = lock(slot.wait()).take();
        assert!(last.is_some_and(|operation| Arc::strong_count(&operation) == 1), "{name}");
        done.take().unwrap().send(()).unwrap();
        Flow::Continue
    };
    operation.start(None, recorder_with(&calls, on_call), |_| 1, panicked).unwrap();
    assert!(own.set(Mutex::new(Some(operation))).is_ok());
    over.recv().unwrap();
    assert_eq!(*lock(&calls), ["finished 1"]);
}

#[test]
fn dropping_the_object_cancels_and_the_result_is_still_told() {
    let calls = Calls::default();
    let operation = Operation::new();
    let (done, over) = channel();
    let on_call = move |_: &str| {
        done.send(()).unwrap();
        Flow::Continue
    };
    let (_keep, work) = gate();
    operation.start(None, recorder_with(&calls, on_call), work, panicked).unwrap();
    drop(operation);
    over.recv().unwrap();
    assert_eq!(*lock(&calls), ["finished 7"]);
}
