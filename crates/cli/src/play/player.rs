//! The player that the bridge starts, and its end.

use super::{End, processes};
use crate::failure::Failure;
use crate::settings;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::{OsStr, OsString};
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

/// What becomes the URL.
const PLACE: &str = "{}";
/// How long a player that is told to end may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// A running player.
pub(super) struct Player {
    process: u32,
}

impl Player {
    /// Starts it with the terminal of this program. Its end comes as an event.
    pub(super) fn start(program: &OsStr, words: &[OsString], url: &str, events: Sender<End>) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| {
            let sentence = format!("{} cannot be started: {error}", program.display());
            Failure::new(sentence, "name a player that is installed, after `--`")
        };
        let mut command = settings::stranger(program);
        let mut is_told = false;
        for word in words {
            match word.to_str().filter(|word| word.contains(PLACE)) {
                Some(text) => command.arg(text.replace(PLACE, url)),
                None => command.arg(word),
            };
            is_told |= word.to_str().is_some_and(|word| word.contains(PLACE));
        }
        if !is_told {
            command.arg(url);
        }
        let mut child = command.spawn().map_err(failed)?;
        let process = child.id();
        let wait = move || {
            let code = child.wait().map_or(1, code_of);
            let _ = events.send(End::Player(code));
        };
        std::thread::Builder::new().name("wmlicense-player".to_owned()).spawn(wait).map_err(failed)?;
        Ok(Self { process })
    }

    pub(super) fn process(&self) -> u32 {
        self.process
    }

    /// Tells it to end, with what it started, and ends it if it does not. What is below it and goes on all the same is left alone.
    pub(super) fn end(&self, ends: &Receiver<End>) {
        self.signal(Signal::TERM);
        let until = Instant::now() + PATIENCE;
        while let Ok(event) = ends.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if matches!(event, End::Player(_)) {
                return;
            }
        }
        self.kill();
    }

    /// Ends it at once, with what it started.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// A shell passes no signal on. All are found before the first one gets it, since children of who is gone are nobody's.
    fn signal(&self, signal: Signal) {
        let below = processes::all().filter(|process| processes::is_within(*process, self.process));
        let found: Vec<u32> = std::iter::once(self.process).chain(below.filter(|one| *one != self.process)).collect();
        for process in found {
            let process = i32::try_from(process).ok().and_then(Pid::from_raw);
            // It may have ended by itself.
            let _ = process.map(|process| kill_process(process, signal));
        }
    }
}

/// The exit code, as a shell tells it.
fn code_of(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let signalled =
        || status.signal().and_then(|signal| u8::try_from(signal).ok()).map(|signal| signal.saturating_add(128));
    status.code().and_then(|code| u8::try_from(code).ok()).or_else(signalled).unwrap_or(1)
}
