//! The terminal as it was before a player changed it.

use rustix::fs::{Mode, OFlags, open};
use rustix::process::getpgrp;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use std::os::fd::OwnedFd;

/// What the terminal that controls this program was set to.
pub(super) struct Terminal {
    file: OwnedFd,
    settings: Termios,
}

impl Terminal {
    /// None where there is no terminal.
    pub(super) fn keep() -> Option<Self> {
        let file = open("/dev/tty", OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let settings = tcgetattr(&file).ok()?;
        Some(Self { file, settings })
    }

    /// Sets it to that again, unless it is another program's by then, which would stop this one.
    pub(super) fn restore(&self) {
        if tcgetpgrp(&self.file).is_ok_and(|group| group == getpgrp()) {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(&self.file, OptionalActions::Now, &self.settings);
        }
    }
}
