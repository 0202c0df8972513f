//! Pre-delivery of whole catalogues through the real service on the loopback interface, beside what it cannot do without.

use crate::arguments::Arguments;
use crate::device::Job;
use crate::meter::{Counts, Times};
use crate::peers::PlainSqlite;
use crate::pgbench::{database, log_written};
use crate::service::Service;
use crate::stores::BATCH;
use crate::table::Table;
use wmlicense_testkit::World;
use wmlicense_testkit::postgres::Database;
use wmlicense_wire::id::Kid;
use wmlicense_wire::key::{Signer as _, SigningKey};

const COUNTS: [u64; 2] = [10_000, 100_000];
/// About what a row of a license takes.
const ROW_LEN: usize = 480;
/// Bytes that a license of its own would sign.
const MESSAGE_LEN: usize = 400;

#[derive(Default)]
struct Rounds {
    /// Of service and device together.
    whole: Times,
    service: Times,
    /// The same once more, to another device.
    again: Times,
    device: Times,
    signing: Times,
    plain: Times,
    /// Peaks of device and service, MB.
    memory: [f64; 2],
    /// Bytes of the log of the server that keeps what the service keeps, a round.
    log: f64,
}

impl Rounds {
    fn deliver(&mut self, count: u64, database: Option<&Database>) {
        let scratch = tempfile::tempdir().unwrap();
        let service = match database {
            None => Service::start(scratch.path(), count),
            Some(database) => Service::start_on(scratch.path(), count, database),
        };
        let logged = || database.map_or(0, log_written);
        let (before, own, log) = (service.counts(), Counts::own(), logged());
        let store = scratch.path().join("device");
        let done = Job::Predeliver.run(&service.owner(), &store, Some(service.process()));
        assert_eq!(done.licenses, count);
        let served = service.counts().since(before);
        self.log += (logged() - log) as f64;
        let device = Counts { processor: done.processor, ..Counts::own().since(own) };
        self.service.add(done.time, served);
        self.device.add(done.time, device);
        self.whole.add(done.time, served.and(device));
        self.memory = [self.memory[0].max(done.own_mb), self.memory[1].max(done.beside_mb)];
        let before = service.counts();
        let done = Job::Predeliver.run(&service.owner(), &scratch.path().join("other"), Some(service.process()));
        assert_eq!(done.licenses, count);
        self.again.add(done.time, service.counts().since(before));
    }

    fn peers(&mut self, count: u64, key: &SigningKey) {
        let sign = |number: u64| key.sign(&[number as u8; MESSAGE_LEN]).unwrap();
        self.signing.measure(|| (0..count).for_each(|number| assert_ne!(sign(number), [0; 64])));
        let scratch = tempfile::tempdir().unwrap();
        let peer = PlainSqlite::new(&scratch.path().join("plain.db"), ROW_LEN);
        let keys: Vec<[u8; 16]> = (0..count).map(|_| *Kid::random().unwrap().as_bytes()).collect();
        self.plain.measure(|| keys.chunks(BATCH as usize).for_each(|batch| peer.insert(batch.iter().copied())));
    }
}

pub(crate) fn measure(_world: &World, arguments: &Arguments, table: &mut Table) {
    let key = SigningKey::generate().unwrap();
    let mut memory: Vec<[f64; 2]> = Vec::new();
    for count in COUNTS {
        let mut rounds = Rounds::default();
        for _ in 0..arguments.rounds_for(count * 5) {
            rounds.deliver(count, None);
            rounds.peers(count, &key);
        }
        rounds.tell("service-pages-sqlite", count, table);
        memory.push(rounds.memory);
    }
    if let [[small, small_service], [large, large_service]] = memory[..] {
        table.note("own memory at its peak, MB, of 10 000 and of 100 000 licenses");
        table.at_most("client, 10 000", small, 64.0);
        table.at_most("client, growth", large / small, 1.2);
        table.at_most("service, 10 000", small_service, 128.0);
        table.at_most("service, growth", large_service / small_service, 1.2);
    }
}

pub(crate) fn measure_on_server(_world: &World, arguments: &Arguments, table: &mut Table) {
    let (key, [_, count]) = (SigningKey::generate().unwrap(), COUNTS);
    let mut rounds = Rounds::default();
    for _ in 0..arguments.rounds_for(count * 5) {
        rounds.deliver(count, Some(&database()));
        rounds.peers(count, &key);
    }
    rounds.tell("service-pages-postgres", count, table);
}

impl Rounds {
    fn tell(&self, row: &str, count: u64, table: &mut Table) {
        table.row(row, &format!("pre-delivery of {count} licenses in pages of {BATCH}, loopback interface"));
        table.time("service", &self.service, count);
        table.time("service, to another device", &self.again, count);
        table.time("device", &self.device, count);
        table.time("Ed25519 signatures alone, one a license", &self.signing, count);
        table.time("plain SQLite inserts of rows of the same size", &self.plain, count);
        table.figure("both to Ed25519 signatures alone, clock", self.whole.ratio_to(&self.signing));
        table.figure("device to plain SQLite, processor time", self.device.processor_ratio_to(&self.plain));
        let signatures = self.signing.processor_ratio_to(&self.service);
        table.at_least("service, licenses a second of a processor: to Ed25519", signatures, 3.0);
        let signatures = self.signing.processor_ratio_to(&self.again);
        table.at_least("the same to another device", signatures, 3.0);
        let log = self.log / f64::from(self.service.rounds());
        let written = (self.service.written() + log) / 1e6 * 100_000.0 / count as f64;
        table.at_most("MB written per 100 000, log of the server included", written, 5.0);
    }
}
