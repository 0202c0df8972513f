//! Peak memory of backups and restores, each in a process of its own.

use crate::arguments::Arguments;
use crate::backup::Full;
use crate::device::{Job, Owner};
use crate::table::Table;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use wmlicense_testkit::World;

/// From this number of licenses on, a tenth of them fills the caches, whose size is bounded.
const CACHES_FULL: u64 = 1_000_000;
/// What a backup or restore may take, in MB.
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

/// All memory of a backup, and own memory of a restore, whose store is mapped.
fn peaks(world: &World, full: &Full<'_>) -> [f64; 2] {
    let (authority, place) = (world.pin().to_base64(), full.scratch.path());
    let owner = Owner { authority: &authority, service: None };
    let backup = Job::BackUp(place).run(&owner, full.home.path(), None);
    assert_eq!(backup.licenses, full.licenses);
    let target = full.before.copied();
    let restore = Job::Restore(place).run(&owner, target.path(), None);
    assert_eq!(restore.licenses, full.licenses);
    [backup.all_mb, restore.own_mb]
}

pub(crate) fn measure(world: &World, full: &Full<'_>, arguments: &Arguments, table: &mut Table) {
    let tenth = Full::new(world, full.licenses / 10, arguments);
    let [small, large] = [peaks(world, &tenth), peaks(world, full)];
    table.title(&format!("peak memory of a process, {} licenses and a tenth of them, MB", full.licenses));
    for ((what, small), large) in ["backup", "restore, same device"].iter().zip(small).zip(large) {
        table.ratio(&format!("{what}, all licenses"), large, TARGET_MB);
        if full.licenses >= CACHES_FULL {
            table.ratio(&format!("{what}, growth from a tenth to all"), large / small, 1.2);
        }
    }
}
