//! Counters in the Prometheus text format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Statuses are counted by their first digit.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];

/// What is counted since the start.
#[derive(Default)]
pub(crate) struct Metrics {
    responses: [AtomicU64; CLASSES.len()],
    pub(crate) shed: AtomicU64,
    pub(crate) devices: AtomicU64,
    pub(crate) licenses: AtomicU64,
    pub(crate) license_refusals: AtomicU64,
    pub(crate) renewals: AtomicU64,
    pub(crate) returns: AtomicU64,
    pub(crate) restores: AtomicU64,
    pub(crate) restore_refusals: AtomicU64,
    pub(crate) unlocks: AtomicU64,
    pub(crate) revocations: AtomicU64,
    pub(crate) acknowledgements: AtomicU64,
    pub(crate) forks: AtomicU64,
}

/// Counts `more`.
pub(crate) fn count(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

impl Metrics {
    pub(crate) fn response(&self, status: u16) {
        let class = usize::from(status / 100).saturating_sub(2).min(CLASSES.len() - 1);
        count(&self.responses[class], 1);
    }

    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        let head = |text: &mut String, name: &str, help: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "# HELP wmlicensed_{name} {help}\n# TYPE wmlicensed_{name} counter");
        };
        head(&mut text, "responses_total", "Responses by class of status.");
        for (class, counter) in CLASSES.iter().zip(&self.responses) {
            let value = counter.load(Ordering::Relaxed);
            let _ = writeln!(text, "wmlicensed_responses_total{{status=\"{class}\"}} {value}");
        }
        for (name, help, counter) in [
            ("shed_total", "Requests turned away because too many were running.", &self.shed),
            ("devices_certified_total", "Device certificates issued.", &self.devices),
            ("licenses_issued_total", "Licenses granted.", &self.licenses),
            ("licenses_refused_total", "Licenses refused.", &self.license_refusals),
            ("renewals_total", "Licenses renewed.", &self.renewals),
            ("returns_total", "Licenses given back.", &self.returns),
            ("restores_total", "Licenses restored.", &self.restores),
            ("restores_refused_total", "Licenses refused at a restore.", &self.restore_refusals),
            ("backup_unlocks_total", "Backup sections opened for a device.", &self.unlocks),
            ("revocations_total", "Revocation blobs given to devices.", &self.revocations),
            ("acknowledgements_total", "Revocation blobs acknowledged by devices.", &self.acknowledgements),
            ("forks_total", "Requests from a copy of a device's store.", &self.forks),
        ] {
            head(&mut text, name, help);
            let _ = writeln!(text, "wmlicensed_{name} {}", counter.load(Ordering::Relaxed));
        }
        text
    }
}
