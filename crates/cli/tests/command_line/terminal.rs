//! A person at a terminal: the program on a pseudo terminal that it is controlled by, typed to and read from.

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest time that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The shell that a person would have: with the end of the first in a session the terminal forgets what it did not show yet.
const LAST_WORDS: &str = r#"trap : INT; "$0" "$@"; code=$?; printf '\nended: %s\n' "$code"; read -r _; exit "$code""#;

/// A program at a terminal.
pub(super) struct Terminal {
    child: Child,
    master: File,
    parts: Receiver<Vec<u8>>,
    seen: String,
    /// What was waited for already ends here.
    at: usize,
}

impl Terminal {
    /// Starts this program in the environment that `prepare` gives a command.
    pub(super) fn start(prepare: impl FnOnce(Command) -> Command, words: &[&str]) -> Self {
        Self::start_program(prepare, env!("CARGO_BIN_EXE_wmlicense"), words)
    }

    /// The same for another program.
    pub(super) fn start_program(prepare: impl FnOnce(Command) -> Command, program: &str, words: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        // The terminal is the program's, not that of the test.
        let slave = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "sh", "-c", LAST_WORDS, program]);
        let mut command = prepare(command);
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = command.args(words).env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let master = File::from(master);
        let (send, parts) = channel();
        let mut reader = master.try_clone().unwrap();
        // Ends with the terminal, when the last who holds its other end is gone.
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut part) {
                if send.send(part[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, master, parts, seen: String::new(), at: 0 }
    }

    /// Waits until the terminal shows these words behind what was waited for before, and gives all that it showed.
    #[track_caller]
    pub(super) fn shows(&mut self, words: &str) -> &str {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = self.seen[self.at..].find(words) {
                self.at += found + words.len();
                return &self.seen;
            }
            let left = until.saturating_duration_since(Instant::now());
            let Ok(part) = self.parts.recv_timeout(left) else { panic!("{words:?} is not in:\n{}", self.seen) };
            self.seen.push_str(&String::from_utf8_lossy(&part));
        }
    }

    pub(super) fn types(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Whether it shows what is typed.
    pub(super) fn echoes(&self) -> bool {
        let settings = rustix::termios::tcgetattr(&self.master).unwrap();
        settings.local_modes.contains(rustix::termios::LocalModes::ECHO)
    }

    /// Waits for the end, and gives the exit code with all that was shown.
    pub(super) fn ends(mut self) -> (Option<i32>, String) {
        self.shows("\nended: ");
        self.closes()
    }

    /// The same, once the end was seen.
    pub(super) fn closes(mut self) -> (Option<i32>, String) {
        self.types("\n");
        let code = self.child.wait().unwrap().code();
        (code, self.seen)
    }
}
