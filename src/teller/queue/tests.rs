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

/// Whether the descriptor is readable at present.
fn is_readable(fd: RawFd) -> bool {
    let mut polled = libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    // SAFETY: there is one entry, and it is the caller's.
    let ready = unsafe { libc::poll(&mut polled, 1, 0) };
    ready == 1 && polled.revents & libc::POLLIN != 0
}

#[test]
fn the_descriptor_is_the_same_and_readable_exactly_while_events_wait() {
    let queue = Queue::new(BOUND);
    let fd = queue.fd().unwrap();
    assert!(!is_readable(fd));
    for token in 0..3 {
        queue.push_last(entry(token));
        assert!(is_readable(fd));
    }
    assert_eq!(queue.fd().unwrap(), fd);
    for token in 0..3 {
        assert!(is_readable(fd));
        assert_eq!(queue.next(None).map(|entry| entry.token), Ok(token));
    }
    assert!(!is_readable(fd));
    assert_eq!(queue.next(Some(Duration::ZERO)).map(|entry| entry.token), Err(NextError::Timeout));
    queue.push_last(entry(3));
    assert!(is_readable(fd));
}

#[test]
fn a_descriptor_that_is_asked_for_while_events_wait_is_readable_at_once() {
    let queue = Queue::new(BOUND);
    queue.push_last(entry(0));
    assert!(is_readable(queue.fd().unwrap()));
}

#[test]
fn an_application_that_reads_the_descriptor_itself_stops_nothing() {
    let queue = Queue::new(BOUND);
    let (fd, mut byte) = (queue.fd().unwrap(), 0_u8);
    queue.push_last(entry(0));
    // SAFETY: the place has one byte.
    assert_eq!(unsafe { libc::read(fd, std::ptr::from_mut(&mut byte).cast(), 1) }, 1);
    assert_eq!(queue.next(None).map(|entry| entry.token), Ok(0));
    queue.push_last(entry(1));
    assert!(is_readable(fd));
}

#[test]
fn who_waits_for_an_event_is_woken_by_it_and_not_before() {
    let (queue, (_context, canceller)) = (Arc::new(Queue::new(BOUND)), running());
    let (ask, asked) = std::sync::mpsc::channel();
    let reader = {
        let queue = Arc::clone(&queue);
        std::thread::spawn(move || {
            let mut tokens = Vec::new();
            for round in 0..300 {
                ask.send(()).unwrap();
                // With a limit that no test comes near, and for ever.
                let timeout = (round % 2 == 0).then_some(Duration::from_secs(600));
                tokens.push(queue.next(timeout).map(|entry| entry.token).unwrap());
            }
            tokens
        })
    };
    for token in 0..300 {
        asked.recv().unwrap();
        if token % 3 == 0 { queue.push_last(entry(token)) } else { queue.push(entry(token), &canceller) }
    }
    assert_eq!(reader.join().unwrap(), (0..300).collect::<Vec<_>>());
}

#[test]
fn a_time_ends_that_brings_no_event() {
    let (queue, begin) = (Queue::new(BOUND), Instant::now());
    let timeout = Duration::from_millis(30);
    assert_eq!(queue.next(Some(timeout)).map(|entry| entry.token), Err(NextError::Timeout));
    assert!(begin.elapsed() >= timeout);
    queue.push_last(entry(7));
    assert_eq!(queue.next(Some(Duration::MAX)).map(|entry| entry.token), Ok(7), "it is there already");
}

#[test]
fn who_waits_for_an_event_returns_when_the_queue_ends() {
    let queue = Arc::new(Queue::new(BOUND));
    assert!(!queue.is_closed());
    let (ask, asked) = std::sync::mpsc::channel();
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (queue, ask) = (Arc::clone(&queue), ask.clone());
            std::thread::spawn(move || {
                ask.send(()).unwrap();
                queue.next(None).map(|entry| entry.token)
            })
        })
        .collect();
    readers.iter().for_each(|_| asked.recv().unwrap());
    // They wait, or are about to.
    std::thread::yield_now();
    queue.close();
    for reader in readers {
        assert_eq!(reader.join().unwrap(), Err(NextError::Closed));
    }
    assert!(queue.is_closed());
}

#[test]
fn the_bound_is_the_number_of_events_that_wait() {
    let (queue, (_context, canceller)) = (Queue::new(2), running());
    let queue = Arc::new(queue);
    queue.push(entry(0), &canceller);
    queue.push(entry(1), &canceller);
    assert_eq!(length(&queue), 2);
    let thread = push_elsewhere(&queue, &canceller);
    // It pauses, or is about to: the third is not there before the first is gone.
    std::thread::yield_now();
    assert_eq!(length(&queue), 2);
    assert_eq!(queue.next(None).map(|entry| entry.token), Ok(0));
    thread.join().unwrap();
    assert_eq!(length(&queue), 2);
}
