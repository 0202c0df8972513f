//! The lines that are printed, each as soon as it is known, and the verdicts, of which the missed ones come again at the end.

use crate::arguments::Arguments;
use crate::meter::{Rates, Times, counts_bytes};
use std::collections::HashMap;

/// What is printed.
pub(crate) struct Table {
    row: String,
    verdicts: usize,
    missed: Vec<String>,
    unmeasured: Vec<String>,
    kept: HashMap<String, f64>,
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The load of the machine in the last minute.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap();
    text.split(' ').next().unwrap().to_owned()
}

impl Table {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let Arguments { rounds, folder, .. } = arguments;
        let (cores, place) = (processors(), folder.display());
        println!("medians of {rounds} rounds, {cores} processors, load {}, files in {place}", load());
        if !counts_bytes(folder) {
            println!("written bytes are not counted in {place}: name another folder with --folder");
        }
        let (row, missed, unmeasured) = <(String, Vec<String>, Vec<String>)>::default();
        Self { row, verdicts: 0, missed, unmeasured, kept: HashMap::new() }
    }

    /// Begins a row.
    pub(crate) fn row(&mut self, name: &str, title: &str) {
        name.clone_into(&mut self.row);
        println!("{name} (load {}): {title}", load());
    }

    /// A line of explanation.
    pub(crate) fn note(&mut self, text: &str) {
        println!("  {text}");
    }

    /// This row has a target and no figure here.
    pub(crate) fn unmeasured(&mut self, why: &str) {
        println!("  not measured: {why}");
        self.unmeasured.push(format!("{}: {why}", self.row));
    }

    /// A kind of measurement: the whole of it, and each of its parts.
    pub(crate) fn time(&mut self, what: &str, times: &Times, count: u64) {
        let median = times.median();
        let each = median.as_secs_f64() * 1e6 / count.max(1) as f64;
        let (median, processor) = (median.as_secs_f64() * 1e3, times.processor().as_secs_f64() * 1e3);
        let (written, syncs) = (times.written() / 1e6, times.syncs());
        println!(
            "  {what:<56} {median:>8.1} ms {each:>8.2} us each, processors {processor:>7.1} ms, written {written:>8.3} MB, syncs {syncs:.1}"
        );
    }

    pub(crate) fn rate(&mut self, what: &str, rates: &Rates) {
        println!("  {what:<56} {:>8.0} MB/s", rates.median() / 1e6);
    }

    /// A figure without a target.
    pub(crate) fn figure(&mut self, what: &str, value: f64) {
        println!("  {what:<56} {value:>8.3}");
    }

    fn verdict(&mut self, what: &str, value: f64, (sign, target): (&str, f64), is_met: bool, beside: &str) {
        let word = if is_met { "met" } else { "MISSED" };
        println!("  {what:<56} {value:>8.3}    target {sign} {target} {word}{beside}");
        self.verdicts += 1;
        if !is_met {
            self.missed.push(format!("{}: {what} {value:.3}, target {sign} {target}{beside}", self.row));
        }
    }

    /// A figure that should be small.
    pub(crate) fn at_most(&mut self, what: &str, value: f64, target: f64) {
        self.verdict(what, value, ("<=", target), value <= target, "");
    }

    /// A figure that should be large.
    pub(crate) fn at_least(&mut self, what: &str, value: f64, target: f64) {
        self.verdict(what, value, (">=", target), value >= target, "");
    }

    /// The ratio of clock times to its target, and beside it that of processor times.
    pub(crate) fn compare(&mut self, what: &str, ours: &Times, peer: &Times, target: f64) {
        let (ratio, processors) = (ours.ratio_to(peer), ours.processor_ratio_to(peer));
        self.verdict(what, ratio, ("<=", target), ratio <= target, &format!(", processors {processors:.3}"));
    }

    /// As [`Self::compare`], of averages: where one measurement in many does work for all.
    pub(crate) fn compare_means(&mut self, what: &str, ours: &Times, peer: &Times, target: f64) {
        let (ratio, processors) = (ours.mean_ratio_to(peer), ours.processor_ratio_to(peer));
        self.verdict(what, ratio, ("<=", target), ratio <= target, &format!(", processors {processors:.3}"));
    }

    /// Keeps a figure for a row to come, or gives what an earlier one kept.
    pub(crate) fn keep(&mut self, name: &str, value: f64) {
        self.kept.insert(name.to_owned(), value);
    }

    pub(crate) fn kept(&self, name: &str) -> Option<f64> {
        self.kept.get(name).copied()
    }

    /// What is missed, all of it once more.
    pub(crate) fn finish(&self) {
        println!("targets missed: {} of {}", self.missed.len(), self.verdicts);
        self.missed.iter().chain(&self.unmeasured).for_each(|line| println!("  {line}"));
    }
}
