//! Records of what the library does, for whoever set a sink on the client. There is no global logger, and no record holds
//! a secret, an account, a key ID or the query of a URL.

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

/// Receives records, on any thread of the library.
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

    /// Tells a record if it is wanted.
    pub fn record(&self, level: Level, target: &str, message: fmt::Arguments<'_>) {
        if let Some(sink) = self.0.as_ref().filter(|sink| sink.wants(level)) {
            sink.record(level, target, message);
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Log")
    }
}
