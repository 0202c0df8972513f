//! Times, medians and the lines that are printed.

use crate::arguments::Arguments;
use std::time::{Duration, Instant};

/// Times of one kind of measurement.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.0.push(start.elapsed());
        result
    }

    pub(crate) fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    }

    pub(crate) fn ratio_to(&self, peer: &Self) -> f64 {
        self.median().as_secs_f64() / peer.median().as_secs_f64()
    }
}

/// What is printed at the end.
pub(crate) struct Table(Vec<String>);

impl Table {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let Arguments { licenses, rounds, folder, .. } = arguments;
        Self(vec![format!("{licenses} licenses, medians of {rounds} rounds, files in {}", folder.display())])
    }

    pub(crate) fn time(&mut self, what: &str, times: &Times, count: u64) {
        let median = times.median();
        let each = median.as_secs_f64() * 1e6 / count.max(1) as f64;
        self.0.push(format!("  {what:<58} {:>10.1} ms {each:>9.2} us each", median.as_secs_f64() * 1e3));
    }

    pub(crate) fn ratio(&mut self, what: &str, ratio: f64, target: f64) {
        let verdict = if ratio <= target { "met" } else { "MISSED" };
        self.0.push(format!("  {what:<58} {ratio:>10.3} x   target <= {target} {verdict}"));
    }

    pub(crate) fn title(&mut self, title: &str) {
        self.0.push(title.to_owned());
    }

    pub(crate) fn print(&self) {
        self.0.iter().for_each(|line| println!("{line}"));
    }
}
