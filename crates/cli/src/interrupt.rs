//! Ctrl-C and the like: what runs is cancelled and ends by itself, with the store whole; a second one ends the program at once.

use crate::exit::Code;
use rustix::termios::{OptionalActions, Termios, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::{Mutex, Once, PoisonError};
use wmlicense_core::operation::Canceller;

/// What a signal has to do.
struct Watched {
    /// Ends the operation that runs.
    canceller: Option<Canceller>,
    /// One begins soon, of which the user was told that a signal ends it.
    announced: bool,
    /// The first signal that came.
    signal: Option<u8>,
    /// How the terminal was before something was typed that it does not show.
    terminal: Option<Termios>,
}

static WATCHED: Mutex<Watched> =
    Mutex::new(Watched { canceller: None, announced: false, signal: None, terminal: None });
static STARTED: Once = Once::new();

fn watched<T>(with: impl FnOnce(&mut Watched) -> T) -> T {
    with(&mut WATCHED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// From here on a signal cancels what runs.
pub(crate) fn listen() {
    STARTED.call_once(|| {
        // Without it a signal ends the program at once, which the store survives as well.
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) else { return };
        let thread = std::thread::Builder::new().name("wmlicense-signals".to_owned());
        let _ = thread.spawn(move || signals.forever().for_each(came));
    });
}

fn came(signal: i32) {
    let signal = u8::try_from(signal).unwrap_or(0);
    let (canceller, ends) = watched(|watched| {
        let is_heard = watched.signal.is_none() && (watched.canceller.is_some() || watched.announced);
        if is_heard {
            watched.signal = Some(signal);
        }
        (watched.canceller.clone().filter(|_| is_heard), !is_heard)
    });
    match canceller {
        Some(canceller) => canceller.cancel(),
        // What was announced is cancelled when it begins.
        None if !ends => {}
        None => {
            if let Some(terminal) = watched(|watched| watched.terminal.take()) {
                let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &terminal);
            }
            std::process::exit(Code::Signal(signal).number().into());
        }
    }
}

/// Where the program ends by a signal, the terminal becomes as it was here.
pub(crate) fn keep_terminal(terminal: Option<Termios>) {
    watched(|watched| watched.terminal = terminal);
}

/// Before the user is told that a signal ends what comes next: one that comes before it begins is kept for it.
pub(crate) fn announce() {
    watched(|watched| watched.announced = true);
}

/// An operation begins, which a signal cancels.
pub(crate) fn begins(canceller: Canceller) {
    // A signal that came between two operations of one command is meant for the next one as well.
    let late = watched(|watched| {
        watched.canceller = Some(canceller.clone());
        watched.announced = false;
        watched.signal.is_some()
    });
    if late {
        canceller.cancel();
    }
}

/// The operation is over.
pub(crate) fn ends() {
    watched(|watched| watched.canceller = None);
}

/// How the program ends that a signal told to.
pub(crate) fn code() -> Option<Code> {
    watched(|watched| watched.signal).map(Code::Signal)
}
