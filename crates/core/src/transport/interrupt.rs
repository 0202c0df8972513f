//! Wakes whatever an exchange waits for: the name lookup, the connect, a read or write on a socket.

use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::Instant;

/// Shared by one transport's connectors and the action that cancels it.
#[derive(Debug, Default)]
pub(super) struct Interrupt {
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Debug, Default)]
struct State {
    interrupted: bool,
    sockets: Vec<Weak<TcpStream>>,
}

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Woken {
    /// The condition holds.
    Ready,
    /// The time has come.
    TimedOut,
    /// Cancelled.
    Interrupted,
}

impl Interrupt {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn is_set(&self) -> bool {
        self.lock().interrupted
    }

    /// Interrupts for good. Never blocks: a shutdown of a socket does not wait for the peer.
    pub(super) fn set(&self) {
        let sockets = {
            let mut state = self.lock();
            state.interrupted = true;
            std::mem::take(&mut state.sockets)
        };
        self.woken.notify_all();
        for socket in sockets.iter().filter_map(Weak::upgrade) {
            // A socket that is closed already needs no shutdown.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Shuts the socket down when interrupted, at once if that has happened.
    pub(super) fn guard(&self, socket: &Arc<TcpStream>) {
        let mut state = self.lock();
        state.sockets.retain(|known| known.strong_count() > 0);
        if state.interrupted {
            let _ = socket.shutdown(Shutdown::Both);
        } else {
            state.sockets.push(Arc::downgrade(socket));
        }
    }

    /// Waits until `ready` gives something, which [`Interrupt::wake`] announces.
    pub(super) fn wait(&self, until: Option<Instant>, mut ready: impl FnMut() -> bool) -> Woken {
        let mut state = self.lock();
        loop {
            if state.interrupted {
                return Woken::Interrupted;
            }
            if ready() {
                return Woken::Ready;
            }
            state = match until {
                None => self.woken.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner()),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Woken::TimedOut;
                    }
                    self.woken.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0
                }
            };
        }
    }

    /// Makes [`Interrupt::wait`] look again.
    pub(super) fn wake(&self) {
        drop(self.lock());
        self.woken.notify_all();
    }
}
