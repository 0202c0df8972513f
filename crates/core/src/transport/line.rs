//! What one request is doing, told as events of its operation: the attempt, its phase, the wait for the next one.

use crate::event::{HttpPhase, Network};
use crate::operation::{Cancelled, NetworkTeller};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Connector, Transport};

/// Shared by a transport and the last of its connectors, which learns when a connection is made.
#[derive(Default)]
pub(super) struct Line(Mutex<State>);

#[derive(Default)]
struct State {
    /// While a request is under way.
    current: Option<(NetworkTeller, Network)>,
    /// The host that a connection is open to, as far as is known.
    connected: Option<String>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request to `host` begins; it is over when the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>, teller: NetworkTeller, host: &str, attempts: u32) -> Request {
        let nothing = Network {
            phase: HttpPhase::NotInitiated,
            attempt: 0,
            attempts,
            bytes: 0,
            bytes_total: 0,
            next_try: None,
            host: host.to_owned(),
        };
        self.lock().current = Some((teller, nothing));
        Request(Arc::clone(self))
    }

    fn connected(&self) {
        let mut state = self.lock();
        state.connected = state.current.as_ref().map(|(_, network)| network.host.clone());
        drop(state);
        // A cancel inside the event interrupts the exchange itself.
        let _ = self.tell(|network| network.phase = HttpPhase::Requesting);
    }

    /// Tells what `change` makes of the request. No lock is held meanwhile.
    fn tell(&self, change: impl FnOnce(&mut Network)) -> Result<(), Cancelled> {
        let told = {
            let mut state = self.lock();
            let Some((teller, network)) = &mut state.current else { return Ok(()) };
            change(network);
            (teller.clone(), network.clone())
        };
        told.0.tell(told.1)
    }
}

/// One request under way.
pub(super) struct Request(Arc<Line>);

impl Request {
    /// The next attempt begins: over a connection that is there, or by making one.
    pub(super) fn attempt(&self) -> Result<(), Cancelled> {
        let connected = self.0.lock().connected.clone();
        self.0.tell(|network| {
            let there = connected.as_ref() == Some(&network.host);
            network.phase = if there { HttpPhase::Requesting } else { HttpPhase::Connecting };
            (network.attempt, network.next_try) = (network.attempt + 1, None);
            (network.bytes, network.bytes_total) = (0, 0);
        })
    }

    /// The application's own stack sends: how it gets there is not known.
    pub(super) fn sent(&self) -> Result<(), Cancelled> {
        self.0.tell(|network| network.phase = HttpPhase::Requesting)
    }

    /// Bytes of the answer have come.
    pub(super) fn received(&self, phase: HttpPhase, bytes: u64, bytes_total: u64) -> Result<(), Cancelled> {
        self.0.tell(|network| (network.phase, network.bytes, network.bytes_total) = (phase, bytes, bytes_total))
    }

    /// The answer is there; one without a body tells of it here for the first time.
    pub(super) fn answered(&self) -> Result<(), Cancelled> {
        let told = self.0.lock().current.as_ref().is_none_or(|(_, network)| network.phase == HttpPhase::Completed);
        if told { Ok(()) } else { self.0.tell(|network| network.phase = HttpPhase::Completed) }
    }

    /// The attempt failed; the next one begins after `pause`.
    pub(super) fn waits(&self, pause: Duration) -> Result<(), Cancelled> {
        self.0.lock().connected = None;
        self.0.tell(|network| {
            (network.phase, network.next_try) = (HttpPhase::NotInitiated, Some(pause));
            (network.bytes, network.bytes_total) = (0, 0);
        })
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.lock().current = None;
    }
}

/// The last connector: what comes through is a connection that is made.
#[derive(Debug)]
pub(super) struct Made(pub(super) Arc<Line>);

impl<In: Transport> Connector<In> for Made {
    type Out = In;

    fn connect(&self, _: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<In>, Error> {
        if chained.is_some() {
            self.0.connected();
        }
        Ok(chained)
    }
}
