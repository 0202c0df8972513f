//! Times, medians and the lines that are printed.

use crate::arguments::Arguments;
use std::time::{Duration, Instant};

/// Times of one kind of measurement: of the clock, and of the processors, children included.
#[derive(Default)]
pub(crate) struct Times {
    clock: Vec<Duration>,
    processor: Duration,
}

impl Times {
    pub(crate) fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (start, processor) = (Instant::now(), processor_time());
        let result = work();
        self.clock.push(start.elapsed());
        self.processor += processor_time().saturating_sub(processor);
        result
    }

    /// A time that was measured elsewhere.
    pub(crate) fn add(&mut self, clock: Duration) {
        self.clock.push(clock);
    }

    pub(crate) fn median(&self) -> Duration {
        let mut sorted = self.clock.clone();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    }

    /// Processor time of one measurement, on average.
    fn processor(&self) -> Duration {
        self.processor / self.clock.len().max(1) as u32
    }

    pub(crate) fn ratio_to(&self, peer: &Self) -> f64 {
        self.median().as_secs_f64() / peer.median().as_secs_f64()
    }

    /// Ratio of these times, which are of processors, to the processor times of the other one.
    pub(crate) fn to_processor_of(&self, peer: &Self) -> f64 {
        self.median().as_secs_f64() / peer.processor().as_secs_f64()
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

/// User and system time of this process and of its children that ended, in steps of 10 ms.
fn processor_time() -> Duration {
    processor_time_of("self", 4)
}

/// The first `times` of: user time and system time of a process, and of its children that ended.
pub(crate) fn processor_time_of(process: &str, times: usize) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields.split_whitespace().skip(11).take(times).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What is printed, each line as soon as it is known.
pub(crate) struct Table;

impl Table {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let Arguments { rounds, folder, .. } = arguments;
        let mut table = Self;
        table.title(&format!("medians of {rounds} rounds, {} processors, files in {}", processors(), folder.display()));
        table
    }

    pub(crate) fn time(&mut self, what: &str, times: &Times, count: u64) {
        let median = times.median();
        let each = median.as_secs_f64() * 1e6 / count.max(1) as f64;
        let (median, processor) = (median.as_secs_f64() * 1e3, times.processor().as_secs_f64() * 1e3);
        println!("  {what:<54} {median:>9.1} ms {each:>7.2} us each, processors {processor:>6.0} ms");
    }

    pub(crate) fn licenses(&mut self, what: &str, times: &Times, count: u64) {
        let rate = count as f64 / times.median().as_secs_f64();
        println!("  {what:<54} {rate:>9.0} a second");
    }

    pub(crate) fn ratio(&mut self, what: &str, ratio: f64, target: f64) {
        let verdict = if ratio <= target { "met" } else { "MISSED" };
        println!("  {what:<54} {ratio:>9.3} x  target <= {target} {verdict}");
    }

    /// The ratio of clock times to its target, and beside it that of processor times.
    pub(crate) fn compare(&mut self, what: &str, ours: &Times, peer: &Times, target: f64) {
        let (ratio, processors) = (ours.ratio_to(peer), ours.processor_ratio_to(peer));
        let verdict = if ratio <= target { "met" } else { "MISSED" };
        println!("  {what:<54} {ratio:>9.3} x  target <= {target} {verdict}, processors {processors:.3} x");
    }

    pub(crate) fn rate(&mut self, what: &str, rates: &Rates) {
        println!("  {what:<54} {:>9.0} MB/s", rates.median() / 1e6);
    }

    /// A ratio that should be large.
    pub(crate) fn at_least(&mut self, what: &str, ratio: f64, target: f64) {
        let verdict = if ratio >= target { "met" } else { "MISSED" };
        println!("  {what:<54} {ratio:>9.2} x  target >= {target} {verdict}");
    }

    /// A figure that has no target in this build.
    pub(crate) fn figure(&mut self, what: &str, value: f64) {
        println!("  {what:<54} {value:>9.2}");
    }

    pub(crate) fn title(&mut self, title: &str) {
        println!("{title}");
    }
}
