//! A bounded queue of events between the threads of operations and whoever reads it, and the file descriptor that tells
//! of it. Handles and the form that C sees are in `event_queue.rs`.

use super::Entry;
use crate::sync::{Condvar, Mutex, MutexGuard};
use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use wmlicense_core::operation::Canceller;

/// Events that wait at most, final ones not counted: an operation that would add one more pauses.
pub(crate) const BOUND: usize = 1024;

/// No event was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextError {
    /// None came in time.
    Timeout,
    /// The queue was released meanwhile.
    Closed,
}

/// Readable exactly while events wait.
struct Signal {
    reader: UnixStream,
    writer: UnixStream,
    raised: bool,
}

impl Signal {
    fn new() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self { reader, writer, raised: false })
    }

    fn show(&mut self, waiting: bool) {
        if self.raised == waiting {
            return;
        }
        // One byte at most is under way, so neither end ever has to wait; one that somebody else read is gone as well.
        let _ = if waiting { self.writer.write(&[1]) } else { self.reader.read(&mut [0]) };
        self.raised = waiting;
    }
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Entry>,
    closed: bool,
    signal: Option<Signal>,
}

impl State {
    fn show(&mut self) {
        let waiting = !self.waiting.is_empty();
        if let Some(signal) = &mut self.signal {
            signal.show(waiting);
        }
    }

    fn add(&mut self, entry: Entry) {
        if !self.closed {
            self.waiting.push_back(entry);
            self.show();
        }
    }
}

/// The queue of one client.
pub(crate) struct Queue {
    bound: usize,
    state: Mutex<State>,
    arrived: Condvar,
    room: Condvar,
}

impl Queue {
    /// An empty queue; an operation with one event more than `bound` pauses.
    pub(crate) fn new(bound: usize) -> Self {
        Self { bound, state: Mutex::default(), arrived: Condvar::new(), room: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event; while the queue is full, waits until there is room, the operation is cancelled or the queue is
    /// released. The event of an operation that was cancelled before there was room is left out.
    pub(crate) fn push(self: &Arc<Self>, entry: Entry, canceller: &Canceller) {
        let own = Arc::clone(self);
        let _guard = canceller.on_cancel(Arc::new(move || own.look_again()));
        let mut state = self.lock();
        while state.waiting.len() >= self.bound && !state.closed && !canceller.is_cancelled() {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // Asked once more here: room may have come before the cancel woke this thread.
        if canceller.is_cancelled() {
            return;
        }
        state.add(entry);
        self.arrived.notify_one();
    }

    /// Adds the final event of an operation, for which there is always room.
    pub(crate) fn push_last(&self, entry: Entry) {
        self.lock().add(entry);
        self.arrived.notify_one();
    }

    fn look_again(&self) {
        drop(self.lock());
        self.room.notify_all();
    }

    /// The oldest event; `None` waits for ever.
    pub(crate) fn next(&self, timeout: Option<Duration>) -> Result<Entry, NextError> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        loop {
            if let Some(entry) = state.waiting.pop_front() {
                state.show();
                // Every operation that pauses has one event to add; more room may be made for each of them.
                self.room.notify_one();
                return Ok(entry);
            }
            if state.closed {
                return Err(NextError::Closed);
            }
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return Err(NextError::Timeout),
                Some(left) => self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    /// The descriptor, which belongs to the queue.
    pub(crate) fn fd(&self) -> io::Result<RawFd> {
        let mut state = self.lock();
        if state.signal.is_none() {
            state.signal = Some(Signal::new()?);
        }
        state.show();
        state.signal.as_ref().map(|signal| signal.reader.as_raw_fd()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Ends the queue: what waits is dropped, operations that pause go on, readers return.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let dropped = (std::mem::take(&mut state.waiting), state.signal.take());
        drop(state);
        drop(dropped);
        self.room.notify_all();
        self.arrived.notify_all();
    }

    /// True once the application released it.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }
}

#[cfg(test)]
mod tests;
