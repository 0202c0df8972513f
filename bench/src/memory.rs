//! Peak memory of a backup, each in a process of its own.

use crate::arguments::{Arguments, MemoryOf};
use crate::backup::Full;
use crate::support::World;
use crate::table::Table;
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use wmlicense_core::backup::back_up;
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::event::Flow;
use wmlicense_core::operation::Context;
use wmlicense_wire::id::Digest;

/// What a backup may take, in MB.
const TARGET_MB: f64 = 32.0;

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

/// The child: backs up and prints what it took.
pub(crate) fn measure_here(of: &MemoryOf) {
    let authorities = vec![Digest::from_base64(&of.authority).unwrap()];
    let settings = OpenSettings { store_path: of.store.clone(), authorities };
    let client = Client::open(&settings, Arc::new(SystemClock)).unwrap();
    back_up(&client, &of.place, true, &Context::inline(None, |_| Flow::Continue)).unwrap();
    println!("{}", peak_kb("self"));
}

fn peak_mb(world: &World, full: &Full<'_>) -> f64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("--memory-of-backup")
        .arg(world.pin().to_base64())
        .arg(full.home.path())
        .arg(full.scratch.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().parse::<u64>().unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr))) as f64 / 1024.0
}

pub(crate) fn measure(world: &World, full: &Full<'_>, arguments: &Arguments, table: &mut Table) {
    let tenth = Full::with(world, arguments.licenses / 10, arguments);
    let (small, large) = (peak_mb(world, &tenth), peak_mb(world, full));
    table.title("peak memory of a process that backs up, MB");
    table.ratio("all licenses", large, TARGET_MB);
    table.ratio("a tenth of them", small, TARGET_MB);
    table.ratio("growth from a tenth to all", large / small, 1.2);
}
