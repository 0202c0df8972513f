//! What the process takes of the machine, under the names that Prometheus's own libraries have for it.

use super::registered;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

pub(super) struct Process {
    resident: Gauge,
    open_files: Gauge,
    most_files: Gauge,
    processor: Counter<f64, AtomicU64>,
}

impl Process {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let started: Gauge<f64, AtomicU64> =
            registered(registry, "process_start_time_seconds", "When the process started, in seconds since 1970");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        started.set(now.map_or(0.0, |now| now.as_secs_f64()));
        Self {
            resident: registered(registry, "process_resident_memory_bytes", "Memory in use"),
            open_files: registered(registry, "process_open_fds", "Open files and connections"),
            most_files: registered(registry, "process_max_fds", "Most files and connections that may be open"),
            processor: registered(registry, "process_cpu_seconds", "Processor time taken"),
        }
    }

    /// What cannot be read stays what it was.
    pub(super) fn measure(&self) {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        if let Some(kilobytes) = value_of(&read("status"), "VmRSS:") {
            self.resident.set(kilobytes * 1024);
        }
        if let Some(most) = value_of(&read("limits"), "Max open files") {
            self.most_files.set(most);
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            self.open_files.set(i64::try_from(open.count()).unwrap_or(i64::MAX));
        }
        // In the modes of program and system together.
        let taken = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = taken.tv_sec as f64 + taken.tv_nsec as f64 / 1e9;
        self.processor.inner().store(seconds.to_bits(), Ordering::Relaxed);
    }
}

/// The first number of the line that begins so.
fn value_of(text: &str, begin: &str) -> Option<i64> {
    text.lines().find_map(|line| line.strip_prefix(begin)?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_process_is_measured() {
        let process = Process::new(&mut Registry::default());
        process.measure();
        assert!(process.resident.get() > 1 << 20 && process.open_files.get() >= 3);
        assert!(process.most_files.get() >= process.open_files.get());
        assert!(process.processor.get() > 0.0);
    }
}
