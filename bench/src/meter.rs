//! What work took: time by the clock, time of processors, bytes for the disk, syncs. How it is printed is in `table.rs`.

use crate::face::compile;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Names the file in which `bench/c/syncs.c` counts.
pub(crate) const SYNCS: &str = "WM_BENCH_SYNCS";
/// What a file system that counts has to count.
const PROBE: usize = 1 << 20;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// In steps of 10 ms.
    pub(crate) processor: Duration,
    /// Bytes that files handed to the disk: logs, checkpoints and temporary files as well, and the rest of each page.
    pub(crate) written: u64,
    /// `fsync` and `fdatasync`.
    pub(crate) syncs: u64,
}

impl Counts {
    /// Of this process and its children that ended; the children's syncs from their call on.
    pub(crate) fn own() -> Self {
        Self::of("self", 4, &PathBuf::from(std::env::var_os(SYNCS).unwrap()))
    }

    /// Of another process alone, whose syncs are counted in a file of its own.
    pub(crate) fn of_process(process: u32, syncs: &Path) -> Self {
        Self::of(&process.to_string(), 2, syncs)
    }

    fn of(process: &str, times: usize, syncs: &Path) -> Self {
        let io = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap();
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap();
        let syncs = std::fs::read(syncs).unwrap();
        Self {
            processor: processor_time_of(process, times),
            written: written.parse().unwrap(),
            syncs: u64::from_ne_bytes(syncs.try_into().unwrap()),
        }
    }

    /// What was used since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            processor: self.processor.saturating_sub(before.processor),
            written: self.written - before.written,
            syncs: self.syncs - before.syncs,
        }
    }

    pub(crate) fn and(self, more: Self) -> Self {
        Self {
            processor: self.processor + more.processor,
            written: self.written + more.written,
            syncs: self.syncs + more.syncs,
        }
    }
}

/// Measurements of one kind.
#[derive(Default)]
pub(crate) struct Times {
    clock: Vec<Duration>,
    counts: Counts,
}

impl Times {
    pub(crate) fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (before, start) = (Counts::own(), Instant::now());
        let result = work();
        self.add(start.elapsed(), Counts::own().since(before));
        result
    }

    /// Work of this thread alone, whose processor time is counted in nanoseconds.
    pub(crate) fn measure_thread<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (before, start) = (thread_time(), Instant::now());
        let result = work();
        let processor = thread_time().saturating_sub(before);
        self.add(start.elapsed(), Counts { processor, ..Counts::default() });
        result
    }

    /// What was measured elsewhere.
    pub(crate) fn add(&mut self, clock: Duration, counts: Counts) {
        self.clock.push(clock);
        self.counts = self.counts.and(counts);
    }

    /// Work that belongs to the measurements and whose time does not count: what a closed file still writes.
    pub(crate) fn add_untimed<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = Counts::own();
        let result = work();
        let Counts { written, syncs, .. } = Counts::own().since(before);
        self.counts = self.counts.and(Counts { written, syncs, processor: Duration::ZERO });
        result
    }

    pub(crate) fn median(&self) -> Duration {
        let mut sorted = self.clock.clone();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    }

    /// Measurements, at least one.
    pub(crate) fn rounds(&self) -> u32 {
        self.clock.len().max(1) as u32
    }

    /// The clock's time of one measurement, on average.
    pub(crate) fn mean(&self) -> Duration {
        self.clock.iter().sum::<Duration>() / self.rounds()
    }

    /// Processor time of one measurement, on average.
    pub(crate) fn processor(&self) -> Duration {
        self.counts.processor / self.rounds()
    }

    /// Bytes written by one measurement, on average.
    pub(crate) fn written(&self) -> f64 {
        self.counts.written as f64 / f64::from(self.rounds())
    }

    /// Syncs of one measurement, on average.
    pub(crate) fn syncs(&self) -> f64 {
        self.counts.syncs as f64 / f64::from(self.rounds())
    }

    pub(crate) fn ratio_to(&self, peer: &Self) -> f64 {
        self.median().as_secs_f64() / peer.median().as_secs_f64()
    }

    /// Ratio of averages, in which each slow measurement counts.
    pub(crate) fn mean_ratio_to(&self, peer: &Self) -> f64 {
        self.mean().as_secs_f64() / peer.mean().as_secs_f64()
    }

    /// Ratio of processor times: what stays of the other one when the machine is busy with something else.
    pub(crate) fn processor_ratio_to(&self, peer: &Self) -> f64 {
        self.processor().as_secs_f64() / peer.processor().as_secs_f64()
    }
}

/// Bytes a second of one kind of measurement.
#[derive(Default)]
pub(crate) struct Rates(Vec<f64>);

impl Rates {
    pub(crate) fn add(&mut self, bytes_a_second: f64) {
        self.0.push(bytes_a_second);
    }

    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    }
}

/// The first `times` of: user time and system time of a process, and of its children that ended.
pub(crate) fn processor_time_of(process: &str, times: usize) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields.split_whitespace().skip(11).take(times).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// Time that this thread has had a processor.
fn thread_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// True in a process whose syncs are counted.
pub(crate) fn is_counted() -> bool {
    std::env::var_os(SYNCS).is_some()
}

/// An empty count of syncs.
pub(crate) fn new_count(file: &Path) {
    std::fs::write(file, 0_u64.to_ne_bytes()).unwrap();
}

/// Runs this program again with its syncs counted, and temporary files on the disk to measure.
pub(crate) fn run_counted(folder: &Path) -> ExitCode {
    let scratch = TempDir::new_in(folder).unwrap();
    let (counter, library) = (scratch.path().join("count"), scratch.path().join("syncs.so"));
    new_count(&counter);
    compile("syncs.c", &library, &["-shared", "-fPIC"]);
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(std::env::args_os().skip(1)).env("LD_PRELOAD", &library).env(SYNCS, &counter).env("TMPDIR", folder);
    if again.status().unwrap().success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the file system of a folder counts written bytes; those in memory do not.
pub(crate) fn counts_bytes(folder: &Path) -> bool {
    let file = folder.join(format!("wmlicense-bench-{}", std::process::id()));
    let before = Counts::own();
    std::fs::write(&file, vec![7; PROBE]).unwrap();
    let written = Counts::own().since(before).written;
    std::fs::remove_file(&file).unwrap();
    written >= PROBE as u64
}
