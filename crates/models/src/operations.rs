//! Models of one object's operations: starting, waiting, cancelling, and what a receiver has got when a wait returns.

use crate::event::{Event, Flow};
use crate::in_every_order;
use crate::operation::{Context, Observer, Operation, StartError};
use loom::thread;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the reader of an event queue has got.
#[derive(Clone)]
struct Posted(Arc<loom::sync::Mutex<Vec<&'static str>>>);

impl Posted {
    fn nothing() -> Self {
        Self(Arc::new(loom::sync::Mutex::new(Vec::new())))
    }

    fn add(&self, what: &'static str) {
        if let Ok(mut posted) = self.0.lock() {
            posted.push(what);
        }
    }

    fn seen(&self) -> Vec<&'static str> {
        self.0.lock().map(|posted| posted.clone()).unwrap_or_default()
    }
}

/// Posts the events as the boundary does for a queue.
struct Poster {
    posted: Posted,
    first: &'static str,
    last: &'static str,
}

impl Observer<u32> for Poster {
    fn event(&mut self, _: &Event) -> Flow {
        self.posted.add(self.first);
        Flow::Continue
    }
    fn finished(&mut self, _: &u32) {
        self.posted.add(self.last);
    }
}

fn begin(operation: &Arc<Operation<u32>>, posted: &Posted, name: [&'static str; 2]) -> Result<(), StartError> {
    let poster = Poster { posted: posted.clone(), first: name[0], last: name[1] };
    let work = |context: &Context| context.emit(Event::BackupRestoreBegin).map_or(1, |()| 0);
    operation.start(None, Box::new(poster), work, || 2).map(drop)
}

/// Every one of several waiters finds the final event posted, whichever of them joins the thread.
pub fn every_waiter_finds_the_final_event() {
    in_every_order(2, || {
        let (operation, posted) = (Operation::new(), Posted::nothing());
        assert_eq!(begin(&operation, &posted, ["begin", "end"]), Ok(()));
        let (second, its_view) = (Arc::clone(&operation), posted.clone());
        let waiter = thread::spawn(move || {
            assert_eq!(second.wait(None), Ok(0));
            assert_eq!(its_view.seen(), ["begin", "end"], "a wait returned before the final event");
        });
        assert_eq!(operation.wait(None), Ok(0));
        assert_eq!(posted.seen(), ["begin", "end"], "a wait returned before the final event");
        assert!(waiter.join().is_ok());
    });
}

/// Whoever starts the next verb, while another thread waits for the first, never overtakes the first one's final event.
pub fn a_verb_begins_after_the_final_event_of_the_one_before() {
    in_every_order(2, || {
        let (operation, posted) = (Operation::new(), Posted::nothing());
        assert_eq!(begin(&operation, &posted, ["begin 1", "end 1"]), Ok(()));
        let (second, its_posts) = (Arc::clone(&operation), posted.clone());
        let starter = thread::spawn(move || match begin(&second, &its_posts, ["begin 2", "end 2"]) {
            Ok(()) => true,
            Err(StartError::Busy) => false,
            Err(StartError::NoThread) => unreachable!("a model has threads"),
        });
        assert_eq!(operation.wait(None), Ok(0));
        let started = starter.join().unwrap_or(false);
        assert_eq!(operation.wait(None), Ok(0));
        let all = ["begin 1", "end 1", "begin 2", "end 2"];
        assert_eq!(posted.seen(), all[..if started { 4 } else { 2 }]);
    });
}

/// Whoever learns of the final event, on another thread, may start the next verb at once, and its events come after.
pub fn the_final_event_finds_the_object_idle() {
    in_every_order(2, || {
        let (operation, posted) = (Operation::new(), Posted::nothing());
        assert_eq!(begin(&operation, &posted, ["begin 1", "end 1"]), Ok(()));
        let (second, its_posts) = (Arc::clone(&operation), posted.clone());
        let reader = thread::spawn(move || {
            let ended = its_posts.seen().len() == 2;
            if ended {
                assert_eq!(begin(&second, &its_posts, ["begin 2", "end 2"]), Ok(()), "busy in its final event");
            }
            ended
        });
        let started = reader.join().unwrap_or(false);
        assert_eq!(operation.wait(None), Ok(0));
        let all = ["begin 1", "end 1", "begin 2", "end 2"];
        assert_eq!(posted.seen(), all[..if started { 4 } else { 2 }]);
    });
}

/// A cancel wakes work that waits for a time, wherever it comes.
pub fn a_cancel_wakes_work_that_waits() {
    in_every_order(3, || {
        let (operation, posted) = (Operation::new(), Posted::nothing());
        let poster = Poster { posted: posted.clone(), first: "begin", last: "end" };
        let far = Instant::now() + Duration::from_secs(3600);
        let work = move |context: &Context| context.wait_until(far).map_or(7, |()| 0);
        assert_eq!(operation.start(None, Box::new(poster), work, || 2).map(drop), Ok(()));
        operation.cancel();
        assert_eq!(operation.wait(None), Ok(7));
        assert_eq!(posted.seen(), ["end"]);
    });
}
