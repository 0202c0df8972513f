//! Records of what the library does, for whoever set a sink on the client. There is no global logger, and no record holds
//! a secret, an account or the query of a URL.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

/// How much a record matters. The numbers are the C API's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// An operation failed.
    Error = 1,
    /// Something went wrong that was mended or can be tried again.
    Warn = 2,
    /// Operations begin and end.
    Info = 3,
    /// Requests and their outcomes.
    Debug = 4,
}

/// Parts of the library that records are from.
pub mod target {
    /// Operations of objects.
    pub const OPERATION: &str = "wmlicense::operation";
    /// Requests.
    pub const HTTP: &str = "wmlicense::http";
    /// What services say beside what they were asked.
    pub const SERVICE: &str = "wmlicense::service";
    /// The license store.
    pub const STORE: &str = "wmlicense::store";
    /// The device's keys.
    pub const DEVICE: &str = "wmlicense::device";
    /// Uses of licenses.
    pub(crate) const USE: &str = "wmlicense::use";
}

/// Receives records, on any thread of the library, which holds no lock then.
pub trait LogSink: Send + Sync {
    /// Whether records of this level are wanted.
    fn wants(&self, level: Level) -> bool;
    /// One record: the part of the library that it is from, and a line of text.
    fn record(&self, level: Level, target: &str, message: fmt::Arguments<'_>);
}

/// Where records go; nowhere by default.
#[derive(Clone, Default)]
pub struct Log(Option<Arc<dyn LogSink>>);

impl Log {
    /// Records go to `sink`.
    pub fn to(sink: Arc<dyn LogSink>) -> Self {
        Self(Some(sink))
    }

    /// Tells a record if it is wanted; where this thread keeps them, once it has given back what it holds.
    pub fn record(&self, level: Level, target: &'static str, message: fmt::Arguments<'_>) {
        let Some(sink) = self.0.as_ref().filter(|sink| sink.wants(level)) else { return };
        let waits = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            let waits = kept.holds > 0;
            if waits {
                kept.records.push(Kept { sink: Arc::clone(sink), level, target, message: message.to_string() });
            }
            waits
        });
        if !waits.unwrap_or(false) {
            sink.record(level, target, message);
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}

struct Kept {
    sink: Arc<dyn LogSink>,
    level: Level,
    target: &'static str,
    message: String,
}

#[derive(Default)]
struct Keeping {
    holds: usize,
    records: Vec<Kept>,
}

thread_local! {
    /// How often this thread keeps its records, and those that wait for the end of that.
    static KEPT: RefCell<Keeping> = const { RefCell::new(Keeping { holds: 0, records: Vec::new() }) };
}

/// Keeps the records of this thread while it holds a lock: what receives them may ask for the same one. Tells them when the
/// last one of these is dropped, so it has to be begun before the lock is taken.
#[must_use]
pub struct Keep(());

impl Keep {
    /// Begins to keep them.
    pub fn begin() -> Self {
        let _ = KEPT.try_with(|kept| kept.borrow_mut().holds += 1);
        Self(())
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let ended = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            kept.holds = kept.holds.saturating_sub(1);
            if kept.holds == 0 { std::mem::take(&mut kept.records) } else { Vec::new() }
        });
        for Kept { sink, level, target, message } in ended.unwrap_or_default() {
            if sink.wants(level) {
                sink.record(level, target, format_args!("{message}"));
            }
        }
    }
}
