//! What the program's exit codes mean: the one list of them, for the program, its help and its manual.

use std::fmt::Write as _;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// All was done.
    Done,
    /// Nothing was.
    Failed,
    /// It was called in a way that makes no sense.
    Usage,
    /// Some of it was.
    Partial,
    /// A person has to act first.
    Waiting,
    /// A signal of this number ended it.
    Signal(u8),
    /// The player that it started ended with this.
    Player(u8),
}

/// Added to the number of a signal, as shells do.
const SIGNALLED: u8 = 128;

/// Every code but those of other signals, in words.
pub(crate) const TABLE: &[(Code, &str)] = &[
    (Code::Done, "done"),
    (Code::Failed, "failed"),
    (Code::Usage, "wrong usage: an option, a variable or the configuration file"),
    (Code::Partial, "done in part: each license that is left out is told with its reason"),
    (Code::Waiting, "nothing yet: the user has to act on a page first, and the same command goes on then"),
    (Code::Signal(2), "ended by Ctrl-C: what was under way was cancelled, the store is whole"),
];

/// What ends with a code that is not its own, and the words for that.
pub(crate) const PLAYER: (&str, &str) = ("other", "of `play` with a player, which ended with this code itself");

impl Code {
    /// Done, or done in part.
    pub(crate) fn of(partial: bool) -> Self {
        if partial { Self::Partial } else { Self::Done }
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Waiting => 4,
            Self::Signal(signal) => SIGNALLED.saturating_add(signal),
            Self::Player(code) => code,
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code.number())
    }
}

/// The list as it stands at the end of the help.
pub(crate) fn help() -> String {
    let mut text = "Exit codes:\n".to_owned();
    for (code, meaning) in TABLE {
        let _ = writeln!(text, "  {:<6}{meaning}", code.number());
    }
    let (code, meaning) = PLAYER;
    let _ = writeln!(text, "  {code:<6}{meaning}");
    text
}
