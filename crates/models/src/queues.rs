//! Models of the event queue: pausing, room, cancels and the queue's end. A wake-up that is lost shows as a deadlock.

use crate::event::{Event, Flow};
use crate::in_every_order;
use crate::operation::{Canceller, Context};
use crate::teller::Entry;
use crate::teller::queue::{NextError, Queue};
use loom::thread::{self, JoinHandle};
use std::sync::Arc;

/// A queue in which an event waits and no further one has room.
fn full() -> Arc<Queue> {
    let queue = Arc::new(Queue::new(1));
    queue.push_last(Entry(0));
    queue
}

fn running() -> Canceller {
    Context::inline(None, |_: &Event| Flow::Continue).canceller()
}

fn push_elsewhere(queue: &Arc<Queue>, event: u32, canceller: &Canceller) -> JoinHandle<()> {
    let (queue, canceller) = (Arc::clone(queue), canceller.clone());
    thread::spawn(move || queue.push(Entry(event), &canceller))
}

fn rest(queue: &Queue) -> Vec<u32> {
    let next = || queue.next(Some(std::time::Duration::ZERO)).ok().map(|Entry(event)| event);
    std::iter::from_fn(next).collect()
}

/// What an operation had to tell when it was cancelled is left out, also if room comes before it wakes.
pub fn an_event_of_a_cancelled_operation_is_left_out() {
    in_every_order(3, || {
        let (queue, canceller) = (full(), running());
        let pusher = push_elsewhere(&queue, 1, &canceller);
        canceller.cancel();
        assert_eq!(queue.next(None), Ok(Entry(0)));
        assert!(pusher.join().is_ok());
        assert_eq!(rest(&queue), Vec::<u32>::new(), "the operation was cancelled while the queue was full");
    });
}

/// A cancel ends a pause by itself, whenever it comes.
pub fn a_cancel_ends_a_pause() {
    in_every_order(3, || {
        let (queue, canceller) = (full(), running());
        let pusher = push_elsewhere(&queue, 1, &canceller);
        canceller.cancel();
        assert!(pusher.join().is_ok());
        assert_eq!(rest(&queue), [0]);
    });
}

/// Two operations pause; one is cancelled while room comes: the other one's event arrives.
pub fn a_cancel_takes_no_wake_up_from_another_operation() {
    in_every_order(2, || {
        let (queue, cancelled, other) = (full(), running(), running());
        let first = push_elsewhere(&queue, 1, &cancelled);
        let second = push_elsewhere(&queue, 2, &other);
        let canceller = thread::spawn(move || cancelled.cancel());
        assert_eq!(queue.next(None), Ok(Entry(0)));
        while queue.next(None) != Ok(Entry(2)) {}
        assert!(first.join().is_ok() && second.join().is_ok() && canceller.join().is_ok());
    });
}

/// Two operations share one place: every event arrives once, those of one operation in their order.
pub fn every_event_arrives_once_and_in_order() {
    in_every_order(2, || {
        let queue = Arc::new(Queue::new(1));
        let pushers = [1, 2].map(|event| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                queue.push(Entry(event), &running());
                queue.push_last(Entry(event + 10));
            })
        });
        let got: Vec<_> = (0..4).filter_map(|_| queue.next(None).ok()).map(|Entry(event)| event).collect();
        assert!(pushers.into_iter().all(|pusher| pusher.join().is_ok()));
        for event in [1, 2] {
            let own: Vec<_> = got.iter().copied().filter(|got| got % 10 == event).collect();
            assert_eq!(own, [event, event + 10], "{got:?}");
        }
        assert_eq!(rest(&queue), Vec::<u32>::new());
    });
}

/// Two readers get one event each.
pub fn two_readers_share_the_events() {
    in_every_order(2, || {
        let queue = Arc::new(Queue::new(1));
        let readers = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.next(None))
        });
        let canceller = running();
        queue.push(Entry(1), &canceller);
        queue.push(Entry(2), &canceller);
        let mut got: Vec<_> = readers.into_iter().filter_map(|reader| reader.join().ok()).flatten().collect();
        got.sort_unstable();
        assert_eq!(got, [Entry(1), Entry(2)]);
    });
}

/// The queue's end lets everybody go: who pauses, and who reads.
pub fn the_end_wakes_everybody() {
    in_every_order(3, || {
        let queue = full();
        let pusher = push_elsewhere(&queue, 1, &running());
        let its_queue = Arc::clone(&queue);
        let reader = thread::spawn(move || while its_queue.next(None).is_ok() {});
        queue.close();
        assert!(pusher.join().is_ok() && reader.join().is_ok());
        assert_eq!(queue.next(None), Err(NextError::Closed));
    });
}
