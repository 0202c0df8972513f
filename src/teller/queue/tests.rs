use super::*;
use crate::callback::Callback;
use crate::result::WM_S_OK;
use crate::status::{self, Payload, Told};
use std::thread::JoinHandle;
use wmlicense_core::event::{Event, Flow};
use wmlicense_core::operation::Context;

fn entry(token: u64) -> Entry {
    // SAFETY: there is no function to call.
    let callback = unsafe { Callback::new(None, std::ptr::null_mut()) };
    let payload = Payload::Text("value".to_owned());
    Entry { token, callback, told: Told { status: status::PROGRESS, result: WM_S_OK, payload, detail: None } }
}

fn running() -> (Context, Canceller) {
    let context = Context::inline(None, |_: &Event| Flow::Continue);
    let canceller = context.canceller();
    (context, canceller)
}

fn full() -> Arc<Queue> {
    let (queue, (_context, canceller)) = (Arc::new(Queue::new(BOUND)), running());
    for token in 0..BOUND as u64 {
        queue.push(entry(token), &canceller);
    }
    queue
}

fn push_elsewhere(queue: &Arc<Queue>, canceller: &Canceller) -> JoinHandle<()> {
    let (queue, canceller) = (Arc::clone(queue), canceller.clone());
    std::thread::spawn(move || queue.push(entry(u64::MAX), &canceller))
}

fn length(queue: &Queue) -> usize {
    queue.lock().waiting.len()
}

#[test]
fn an_operation_pauses_until_there_is_room() {
    let (queue, (_context, canceller)) = (full(), running());
    let thread = push_elsewhere(&queue, &canceller);
    assert_eq!(queue.next(None).map(|entry| entry.token), Ok(0));
    thread.join().unwrap();
    assert_eq!(length(&queue), BOUND);
}

#[test]
fn a_cancel_ends_the_pause_and_leaves_the_event_out() {
    let (queue, (_context, canceller)) = (full(), running());
    let thread = push_elsewhere(&queue, &canceller);
    canceller.cancel();
    thread.join().unwrap();
    assert_eq!(length(&queue), BOUND);
}

#[test]
fn a_final_event_always_has_room() {
    let queue = full();
    queue.push_last(entry(7));
    assert_eq!(length(&queue), BOUND + 1);
}

#[test]
fn the_end_of_the_queue_ends_the_pause_and_keeps_nothing() {
    let (queue, (_context, canceller)) = (full(), running());
    let thread = push_elsewhere(&queue, &canceller);
    queue.close();
    thread.join().unwrap();
    queue.push_last(entry(7));
    assert_eq!(length(&queue), 0);
    assert_eq!(queue.next(None).map(|entry| entry.token), Err(NextError::Closed));
}
