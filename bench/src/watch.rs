//! The memory of a process as the kernel counts it, once or while it works.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Most memory that a process (`self`: this one) has had, in kB.
pub(crate) fn peak_kb(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Memory of a process that is its own: pages of mapped database files, which the kernel takes back at will, are not.
fn own_kb(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Looks at a process's own memory many times while it works.
pub(crate) struct Watch {
    over: Sender<()>,
    thread: JoinHandle<u64>,
}

impl Watch {
    const EVERY: Duration = Duration::from_millis(2);

    pub(crate) fn over(process: u32) -> Self {
        let (over, ended) = channel();
        let thread = std::thread::spawn(move || {
            let mut peak = 0;
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(Self::EVERY) {
                peak = peak.max(own_kb(process).unwrap_or(0));
            }
            peak
        });
        Self { over, thread }
    }

    /// The most that was seen, in kB.
    pub(crate) fn peak_kb(self) -> u64 {
        drop(self.over);
        self.thread.join().unwrap()
    }
}
