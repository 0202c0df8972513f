//! Runs a program to its end or to a limit of time, and ends what it started.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, kill_process_group, pidfd_open, setrlimit};
use std::error::Error;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a run ended.
pub struct Ended {
    /// None when the limit came first.
    pub status: Option<ExitStatus>,
    /// What it took.
    pub took: Duration,
}

impl Ended {
    /// True if the program said that all is well.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// Runs a command with its output in a file.
pub fn run(command: &mut Command, output: &Path, limit: Duration) -> Result<Ended, Box<dyn Error>> {
    let file = std::fs::File::create(output)?;
    command.stdin(Stdio::null()).stderr(file.try_clone()?).stdout(file).process_group(0);
    let begin = Instant::now();
    let mut child = command.spawn()?;
    let pid = Pid::from_child(&child);
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    let limit = Timespec::try_from(limit)?;
    let ended = loop {
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit)) {
            Ok(ready) => break ready > 0,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let took = begin.elapsed();
    // Before it is waited for, so that nobody else can have its number.
    let _ = kill_process_group(pid, Signal::KILL);
    let status = child.wait()?;
    Ok(Ended { status: ended.then_some(status), took })
}

/// Keeps mutants from filling memory and disk.
pub fn bounded() -> Result<(), Box<dyn Error>> {
    for (resource, bytes) in [(Resource::Data, 4 << 30), (Resource::Fsize, 2 << 30), (Resource::Core, 0)] {
        setrlimit(resource, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
    }
    Ok(())
}
