//! The system's clocks, and whether its time since the start is the machine's own.

use super::{Clock, SinceBoot};

/// The system's clocks.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or_else(|before| -(before.duration().as_secs() as i64), |since| since.as_secs() as i64)
    }

    #[cfg(target_os = "linux")]
    fn since_boot(&self) -> Option<SinceBoot> {
        // A process changes its time namespace before it has threads or not at all: what it finds once stays so.
        static RUN: once_cell::sync::OnceCell<Option<[u8; 16]>> = once_cell::sync::OnceCell::new();
        RUN.get_or_init(|| boot_id().filter(|_| !is_shifted()))
            .map(|boot| SinceBoot { boot, seconds: seconds_since_boot() })
    }

    #[cfg(target_os = "linux")]
    fn steady(&self) -> i64 {
        // A shifted one goes on as fast.
        seconds_since_boot()
    }
}

#[cfg(target_os = "linux")]
fn seconds_since_boot() -> i64 {
    rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec
}

/// The kernel's name for this run of the system.
#[cfg(target_os = "linux")]
fn boot_id() -> Option<[u8; 16]> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = text.trim().chars().filter(|character| *character != '-').collect();
    if digits.len() != 32 { None } else { u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes) }
}

/// True if a time namespace shifts this process's time since the start of the system. The offsets that the system tells are
/// those of the namespace for children, so where that is another one nobody knows them. A system that tells nothing has no time
/// namespaces.
#[cfg(target_os = "linux")]
fn is_shifted() -> bool {
    let namespace = |name| std::fs::read_link(format!("/proc/self/ns/{name}")).ok();
    let offsets = std::fs::read_to_string("/proc/self/timens_offsets");
    namespace("time") != namespace("time_for_children") || offsets.is_ok_and(|offsets| has_offset(&offsets))
}

/// True if a line names another offset than 0 seconds and 0 nanoseconds.
#[cfg(any(target_os = "linux", test))]
pub(super) fn has_offset(offsets: &str) -> bool {
    offsets.lines().any(|line| line.split_whitespace().skip(1).any(|number| number != "0"))
}
