//! What is measured when somebody asks: certificates and lists that end, queues, connections of the database.

use super::{Label, registered};
use crate::store::Load;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::sync::atomic::{AtomicI64, Ordering};

/// There is no certificate for TLS.
const NO_TLS: i64 = i64::MIN;

/// What the service looks like when somebody asks.
pub(crate) struct Measured {
    pub(crate) now: i64,
    /// When the certificates of the roles end.
    pub(crate) certificates: Vec<(&'static str, i64)>,
    /// When the newest status list was made, and when the next one is due.
    pub(crate) status_list: Option<(i64, i64)>,
    pub(crate) queues: [(&'static str, usize); 2],
    pub(crate) load: Load,
}

pub(super) struct Moment {
    certificates: Family<Label, Gauge>,
    list_age: Gauge,
    list_remaining: Gauge,
    queues: Family<Label, Gauge>,
    connections: Family<Label, Gauge>,
    retries: Family<[(&'static str, String); 1], Counter>,
    tls_ends: AtomicI64,
}

impl Moment {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            certificates: registered(registry, "certificate_remaining_seconds", "Time to the end of a certificate"),
            list_age: registered(
                registry,
                "status_list_age_seconds",
                "Time since the status list was published; -1 without one",
            ),
            list_remaining: registered(
                registry,
                "status_list_remaining_seconds",
                "Time to the next update that the status list names; -1 without one",
            ),
            queues: registered(registry, "queue_depth", "What waits inside the service, by queue"),
            connections: registered(
                registry,
                "database_connections",
                "Connections to the database: in use, open, and how many there may be",
            ),
            retries: registered(registry, "database_retries", "Transactions run again, by SQLSTATE"),
            tls_ends: AtomicI64::new(NO_TLS),
        }
    }

    pub(super) fn tls_ends(&self, at: Option<i64>) {
        self.tls_ends.store(at.unwrap_or(NO_TLS), Ordering::Relaxed);
    }

    pub(super) fn set(&self, measured: &Measured) {
        for (certificate, ends) in &measured.certificates {
            self.certificate(certificate, ends.saturating_sub(measured.now));
        }
        let tls = self.tls_ends.load(Ordering::Relaxed);
        if tls != NO_TLS {
            self.certificate("tls", tls.saturating_sub(measured.now));
        }
        let list = measured.status_list;
        self.list_age.set(list.map_or(-1, |(issued, _)| measured.now.saturating_sub(issued).max(0)));
        self.list_remaining.set(list.map_or(-1, |(_, next)| next.saturating_sub(measured.now).max(0)));
        for (queue, depth) in measured.queues {
            self.queues.get_or_create(&[("queue", queue)]).set(gauge(depth));
        }
        self.of_database(&measured.load);
    }

    fn certificate(&self, name: &'static str, remaining: i64) {
        self.certificates.get_or_create(&[("certificate", name)]).set(remaining);
    }

    fn of_database(&self, load: &Load) {
        self.queues.get_or_create(&[("queue", "database")]).set(gauge(load.waiting));
        for (state, connections) in ["in_use", "open", "most"].into_iter().zip(load.connections.into_iter().flatten()) {
            self.connections.get_or_create(&[("state", state)]).set(gauge(connections));
        }
        for (code, times) in &load.retries {
            let counter = self.retries.get_or_create_owned(&[("sqlstate", code.clone())]);
            counter.inner().store(*times, Ordering::Relaxed);
        }
    }
}

fn gauge(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
