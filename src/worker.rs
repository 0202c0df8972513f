//! The worker that every object with a background verb has: starting, waiting, cancelling, ending. What an operation tells is
//! the teller's.

use crate::callback::{Callback, inside_a_callback};
use crate::detail::Failure;
use crate::life::Life;
use crate::memory;
use crate::result::{
    WM_E_INTERNAL, WM_E_INVALID_HANDLE, WM_E_NO_OPERATION, WM_E_OUTOFMEMORY, WM_E_TIMEOUT, WM_E_WOULD_DEADLOCK,
    wm_result,
};
use crate::status::{Told, wm_status};
use crate::teller::{Aside, Entry, Mailbox, Outcome, Queue, Teller, Turn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use wmlicense_core::event::Event;
use wmlicense_core::logging::{Level, Log, target};
use wmlicense_core::operation::{Context, Operation, StartError, Started, WaitError};

/// The operations of one object.
pub(crate) struct Worker {
    life: Arc<Life>,
    operation: Arc<Operation<Outcome>>,
    callback: Callback,
    turn: Arc<Turn>,
    queue: Option<Arc<Queue>>,
    log: Log,
    /// The object's handle, which events in a queue name.
    token: AtomicU64,
    /// Nothing more may be told: the object was released in its own callback.
    silenced: Arc<AtomicBool>,
}

impl Worker {
    /// A worker without an operation so far, of the object with this life. Its events go to the queue where there is one, else to
    /// the callback.
    pub(crate) fn new(life: Arc<Life>, callback: Callback, queue: Option<Arc<Queue>>, log: Log) -> Self {
        let (token, silenced, turn) = (AtomicU64::new(0), Arc::default(), Arc::default());
        Self { life, operation: Operation::new(), callback, turn, queue, log, token, silenced }
    }

    /// Learns the object's handle.
    pub(crate) fn known_as(&self, token: u64) {
        self.token.store(token, Ordering::Relaxed);
    }

    /// Fails with the busy code of the verb that runs.
    pub(crate) fn idle(&self, busy: wm_result) -> Result<(), Failure> {
        if self.operation.is_running() { Err(Failure::new(busy)) } else { Ok(()) }
    }

    /// Runs `work` in the background; its outcome is told as `final_status`.
    pub(crate) fn start(
        &self,
        final_status: wm_status,
        busy: wm_result,
        deadline: Option<Duration>,
        work: impl FnOnce(&Context) -> Outcome + Send + 'static,
    ) -> Result<(), Failure> {
        self.begin(final_status, busy, deadline, work).map(drop)
    }

    /// As `start`, but returns with the outcome when the last callback has returned. Not for the object's own callback.
    pub(crate) fn run(
        &self,
        final_status: wm_status,
        busy: wm_result,
        deadline: Option<Duration>,
        work: impl FnOnce(&Context) -> Outcome + Send + 'static,
    ) -> Result<Outcome, Failure> {
        let started = self.begin(final_status, busy, deadline, work)?;
        started.wait().ok_or_else(|| Failure::new(WM_E_INTERNAL))
    }

    fn begin(
        &self,
        final_status: wm_status,
        busy: wm_result,
        deadline: Option<Duration>,
        work: impl FnOnce(&Context) -> Outcome + Send + 'static,
    ) -> Result<Started<Outcome>, Failure> {
        // Held until it runs: a release waits for an operation that begins, or the operation does not begin.
        let life = self.life.hold();
        let live = life.clone().ok_or_else(|| Failure::new(WM_E_INVALID_HANDLE))?;
        let token = self.token.load(Ordering::Relaxed);
        let mailbox = self.queue.as_ref().map(|queue| Mailbox::new(queue, token));
        let (turn, log) = (Arc::clone(&self.turn), self.log.clone());
        let teller = Teller::new((self.callback, turn), mailbox, log, final_status, live);
        let on_panic = || Outcome::failure(Failure::new(WM_E_INTERNAL));
        memory::check(memory::FOR_AN_OPERATION)?;
        self.operation.start(deadline, Box::new(teller), work, on_panic).map_err(|error| match error {
            StartError::Busy => Failure::new(busy),
            StartError::NoThread => Failure::with(WM_E_OUTOFMEMORY, error.to_string()),
        })
    }

    /// Tells what a call came upon that is no operation and is done when it returns. May be told after it returned where
    /// another callback of the object has not.
    pub(crate) fn tell(&self, events: &[Event]) {
        let told: Vec<Told> = events.iter().map(Told::of).collect();
        if told.is_empty() {
            return;
        }
        // Of a released object nothing is told.
        let Some(live) = self.life.hold().clone() else { return };
        let callback = self.callback;
        if let Some(queue) = &self.queue {
            let token = self.token.load(Ordering::Relaxed);
            told.into_iter().for_each(|told| queue.push_last(Entry { token, callback, told }));
        } else if !callback.is_null() {
            let aside = Aside { callback, told, silenced: Arc::clone(&self.silenced), live };
            if let Err(error) = self.turn.tell(aside) {
                self.log.record(Level::Error, target::OPERATION, format_args!("statuses are lost: {error}"));
            }
        }
    }

    /// True on the thread that runs this object's callbacks.
    pub(crate) fn in_own_callback(&self) -> bool {
        self.operation.in_own_callback() || self.turn.is_mine()
    }

    /// Asks a running operation to stop.
    pub(crate) fn cancel(&self) {
        self.operation.cancel();
    }

    /// Waits for the end of a running operation.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Result<Outcome, Failure> {
        if self.turn.is_mine() {
            return Err(Failure::new(WM_E_WOULD_DEADLOCK));
        }
        self.operation.wait(timeout).map_err(|error| {
            Failure::new(match error {
                WaitError::Timeout => WM_E_TIMEOUT,
                WaitError::NothingStarted => WM_E_NO_OPERATION,
                WaitError::WouldDeadlock => WM_E_WOULD_DEADLOCK,
            })
        })
    }

    /// Ends what runs, as the last release does.
    pub(crate) fn end(&self) {
        if self.in_own_callback() {
            self.silenced.store(true, Ordering::Release);
            self.operation.silence();
            return;
        }
        self.operation.cancel();
        if !inside_a_callback() {
            // Only the end matters; an object on which nothing was started has none.
            let _ = self.operation.wait(None);
            self.turn.finish();
        }
    }
}

#[cfg(test)]
mod tests;
