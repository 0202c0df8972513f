//! What the service counts and measures, in the text format of Prometheus. Who may ask for it is the listener's matter.

mod moment;
mod process;

pub(crate) use self::moment::Measured;
use self::moment::Moment;
use self::process::Process;
use crate::problem::Fault;
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use std::time::Duration;

pub(crate) use prometheus_text::CONTENT_TYPE;

/// Statuses are counted by their first digit.
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
/// Upper bounds of the histograms, in seconds: from an answer out of memory to the longest that a request may take.
const SECONDS: [f64; 15] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// One label with one of a few values.
type Label = [(&'static str, &'static str); 1];

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// The route, never the path.
    route: String,
    outcome: &'static str,
}

/// What is counted since the start, and measured now.
pub(crate) struct Metrics {
    registry: Registry,
    responses: Family<Label, Counter>,
    durations: Family<Answered, Histogram, fn() -> Histogram>,
    refusals: Family<Label, Counter>,
    limits: Family<Label, Counter>,
    in_flight: Gauge,
    moment: Moment,
    process: Process,
    pub(crate) shed: Counter,
    pub(crate) devices: Counter,
    pub(crate) licenses: Counter,
    pub(crate) license_refusals: Counter,
    pub(crate) clear_keys: Counter,
    pub(crate) clear_key_refusals: Counter,
    pub(crate) renewals: Counter,
    pub(crate) returns: Counter,
    pub(crate) restores: Counter,
    pub(crate) restore_refusals: Counter,
    pub(crate) unlocks: Counter,
    pub(crate) revocations: Counter,
    pub(crate) acknowledgements: Counter,
    pub(crate) forks: Counter,
}

/// Counts `more`.
pub(crate) fn count(counter: &Counter, more: usize) {
    counter.inc_by(more as u64);
}

/// Registers a metric that starts from nothing.
fn registered<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let process = Process::new(&mut registry);
        let own = registry.sub_registry_with_prefix("wmlicensed");
        let version = Family::<Label, Gauge>::default();
        version.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        own.register("build_info", "Version of the program", version);
        let durations = Family::new_with_constructor((|| Histogram::new(SECONDS)) as fn() -> Histogram);
        own.register("request_duration_seconds", "Time from the head of a request to its answer", durations.clone());
        let responses: Family<Label, Counter> = registered(own, "responses", "Responses by class of status");
        for class in CLASSES {
            drop(responses.get_or_create(&[("status", class)]));
        }
        let mut counter = |name: &str, help: &str| registered(own, name, help);
        Self {
            shed: counter("shed", "Requests turned away because too many were running"),
            devices: counter("devices_certified", "Device certificates issued"),
            licenses: counter("licenses_issued", "Licenses granted"),
            license_refusals: counter("licenses_refused", "Licenses refused"),
            clear_keys: counter("clear_keys", "Keys given to pages in browsers"),
            clear_key_refusals: counter("clear_keys_refused", "Keys refused to pages in browsers"),
            renewals: counter("renewals", "Licenses renewed"),
            returns: counter("returns", "Licenses given back"),
            restores: counter("restores", "Licenses restored"),
            restore_refusals: counter("restores_refused", "Licenses refused at a restore"),
            unlocks: counter("backup_unlocks", "Backup sections opened for a device"),
            revocations: counter("revocations", "Revocation blobs given to devices"),
            acknowledgements: counter("acknowledgements", "Revocation blobs acknowledged by devices"),
            forks: counter("forks", "Requests from a copy of a device's store"),
            refusals: registered(own, "refusals", "Requests without a signed answer, by reason"),
            limits: registered(own, "limits_reached", "Times that a limit held a caller back, by limit"),
            in_flight: registered(own, "requests_in_flight", "Requests that are running"),
            moment: Moment::new(own),
            responses,
            durations,
            process,
            registry,
        }
    }
}

/// A request that runs, until dropped.
pub(crate) struct Running<'m>(&'m Metrics);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

impl Metrics {
    /// Counts a request as running.
    pub(crate) fn begin(&self) -> Running<'_> {
        self.in_flight.inc();
        Running(self)
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, route: &str, status: u16, fault: Option<Fault>, took: Duration) {
        let class = usize::from(status / 100).saturating_sub(2).min(CLASSES.len() - 1);
        self.responses.get_or_create(&[("status", CLASSES[class])]).inc();
        let outcome = ["ok", "ok", "refused", "failed"][class];
        let labels = Answered { route: route.to_owned(), outcome };
        self.durations.get_or_create(&labels).observe(took.as_secs_f64());
        if let Some(fault) = fault {
            self.refusals.get_or_create(&[("reason", fault.reason())]).inc();
        }
    }

    /// Counts that a limit held a caller back: a request refused, a connection closed.
    pub(crate) fn limit(&self, limit: &'static str) {
        self.limits.get_or_create(&[("limit", limit)]).inc();
    }

    /// When the certificate for TLS ends; `None` without TLS.
    pub(crate) fn tls_ends(&self, at: Option<i64>) {
        self.moment.tls_ends(at);
    }

    /// Everything, with what was measured just now.
    pub(crate) fn render(&self, measured: &Measured) -> String {
        self.moment.set(measured);
        self.process.measure();
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }
}
