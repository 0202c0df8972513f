//! A service in this process whose clock the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use wmlicense_server::{Clock, DEFAULT_EPOCH_PERIOD, DataFolder, Limits, Options, Server};
use wmlicense_testkit::daemon::Data;
use wmlicense_testkit::daemon::device::{Known, now};
use wmlicense_wire::certificate::Role;

pub(crate) const DAY: i64 = 24 * 60 * 60;

pub(crate) struct Moved(pub(crate) AtomicI64);

impl Clock for Moved {
    fn now(&self) -> i64 {
        now() + self.0.load(Ordering::SeqCst)
    }
}

/// Runs `test` against a service in this process.
pub(crate) fn with_clock(data: &Data, test: impl FnOnce(&Known, &Moved) + Send) {
    with_clock_watched(data, |known, clock, _| test(known, clock));
}

/// The same with the URL of the management listener.
pub(crate) fn with_clock_watched(data: &Data, test: impl FnOnce(&Known, &Moved, &str) + Send) {
    let clock = Arc::new(Moved(AtomicI64::new(0)));
    let options = Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        management: Some("127.0.0.1:0".parse().unwrap()),
        public_url: None,
        support_url: None,
        privacy_url: None,
        terms_url: None,
        roles: Role::ALL.to_vec(),
        predelivery_rate: None,
        epoch_period: DEFAULT_EPOCH_PERIOD,
        poll_seconds: 2,
        clearkey_origins: Vec::new(),
        packaging: Default::default(),
        tls: None,
        limits: Limits::default(),
        shop: None,
        database: data.url(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(Server::bind(DataFolder::new(data.path()), options, clock.clone())).unwrap();
    let (url, management) = (server.url().to_owned(), server.management_url().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = runtime.spawn(server.run(async move {
        // Both a word and a dropped sender mean stop.
        let _ = stopped.await;
    }));
    test(&Known::discover(&url, data.authority), &clock, &management);
    stop.send(()).unwrap();
    runtime.block_on(running).unwrap().unwrap();
}
