//! The object is idle in its last call: what is started there, or by a thread woken there, follows.

use super::*;

#[test]
fn the_next_operation_starts_in_the_last_call_and_tells_when_that_has_returned() {
    let calls = Calls::default();
    let operation = Operation::new();
    let (inner, inner_calls) = (Arc::clone(&operation), Arc::clone(&calls));
    let on_call = move |_: &str| {
        assert!(inner.in_own_callback() && !inner.is_running());
        let next = |context: &Context| context.emit(Event::Connecting).map_or(0, |()| 2);
        inner.start(None, recorder(&inner_calls), next, panicked).unwrap();
        assert!(inner.in_own_callback() && inner.is_running());
        let again = inner.start(None, recorder(&inner_calls), |_| 3, panicked).map(drop);
        assert_eq!(again, Err(StartError::Busy));
        assert_eq!(inner.wait(Some(Duration::ZERO)), Err(WaitError::WouldDeadlock));
        lock(&inner_calls).push("returns".into());
        Flow::Continue
    };
    let first = operation.start(None, recorder_with(&calls, on_call), |_| 1, panicked).unwrap();
    assert_eq!(first.wait(), Some(1), "who waits for one operation gets its own result");
    assert_eq!(operation.wait(None), Ok(2));
    assert_eq!(*lock(&calls), ["finished 1", "returns", "Connecting", "finished 2"]);
}

#[test]
fn silence_in_the_last_call_is_of_what_was_started_there_as_well() {
    let calls = Calls::default();
    let operation = Operation::new();
    let (inner, inner_calls) = (Arc::clone(&operation), Arc::clone(&calls));
    let on_call = move |_: &str| {
        let next = |context: &Context| context.emit(Event::Connecting).map_or(5, |()| 2);
        inner.start(None, recorder(&inner_calls), next, panicked).unwrap();
        inner.silence();
        Flow::Continue
    };
    operation.start(None, recorder_with(&calls, on_call), |_| 1, panicked).unwrap().wait();
    assert_eq!(operation.wait(None), Ok(5));
    assert_eq!(*lock(&calls), ["finished 1"]);
}

#[test]
fn a_thread_woken_in_the_last_call_finds_the_object_idle() {
    let calls = Calls::default();
    let operation = Operation::new();
    let (wake, woken) = channel();
    let (mut answer, answers) = {
        let (send, receive) = channel();
        (Some(send), receive)
    };
    let other = {
        let (operation, calls) = (Arc::clone(&operation), Arc::clone(&calls));
        let answer = answer.take().unwrap();
        std::thread::spawn(move || {
            for () in woken {
                answer.send(operation.start(None, recorder(&calls), |_| 2, panicked).map(drop)).unwrap();
            }
        })
    };
    for _ in 0..1000 {
        let wake = wake.clone();
        let on_call = move |_: &str| {
            wake.send(()).unwrap();
            Flow::Continue
        };
        operation.start(None, recorder_with(&calls, on_call), |_| 1, panicked).unwrap();
        assert_eq!(answers.recv().unwrap(), Ok(()));
        assert_eq!(operation.wait(None), Ok(2));
    }
    drop(wake);
    other.join().unwrap();
    let expected: Vec<_> = (0..1000).flat_map(|_| ["finished 1", "finished 2"]).collect();
    assert_eq!(*lock(&calls), expected);
}

/// An observer that has something to say before the end, and acts there.
struct Closing {
    calls: Calls,
    on_closing: Box<dyn FnMut() + Send>,
}

impl Observer<u32> for Closing {
    fn event(&mut self, _: &Event) -> Flow {
        Flow::Continue
    }
    fn closing(&mut self, result: &u32) {
        lock(&self.calls).push(format!("closing {result}"));
        (self.on_closing)();
    }
    fn finished(&mut self, result: &u32) {
        lock(&self.calls).push(format!("finished {result}"));
    }
}

#[test]
fn what_is_told_before_the_end_finds_the_object_busy_and_a_silence_or_panic_there_is_kept() {
    let closing = |on_closing: fn(&Operation<u32>, &Calls)| {
        let (calls, operation) = (Calls::default(), Operation::new());
        let inner = Arc::clone(&operation);
        let inner_calls = Arc::clone(&calls);
        let on_closing = Box::new(move || on_closing(&inner, &inner_calls));
        let observer = Box::new(Closing { calls: Arc::clone(&calls), on_closing });
        let result = operation.start(None, observer, |_| 1, panicked).unwrap().wait();
        assert_eq!(result, Some(1));
        lock(&calls).clone()
    };
    let busy = closing(|operation, calls| {
        let state = (operation.is_running(), operation.in_own_callback());
        lock(calls).push(format!("{state:?}"));
    });
    assert_eq!(busy, ["closing 1", "(true, true)", "finished 1"]);
    assert_eq!(closing(|operation, _| operation.silence()), ["closing 1"]);
    assert_eq!(closing(|_, _| panic!("the application's own fault")), ["closing 1", "finished 1"]);
}
