//! Pre-delivery of whole catalogues through the real service on the loopback interface, beside what it cannot do without.

use crate::arguments::Arguments;
use crate::device::Job;
use crate::peers::PlainSqlite;
use crate::service::Service;
use crate::table::{Table, Times};
use std::path::Path;
use std::time::Duration;
use wmlicense_testkit::World;
use wmlicense_wire::id::Kid;
use wmlicense_wire::key::{Signer as _, SigningKey};

const COUNTS: [u64; 2] = [10_000, 100_000];
/// About what a row of a license takes.
const ROW_LEN: usize = 480;
const BATCH: u64 = 4096;
/// Bytes that a license of its own would sign.
const MESSAGE_LEN: usize = 400;

struct Run {
    time: Duration,
    /// Processor times.
    service: Duration,
    device: Duration,
    client_mb: f64,
    service_mb: f64,
}

fn run(count: u64, folder: &Path) -> Run {
    let scratch = tempfile::tempdir_in(folder).unwrap();
    let service = Service::start(scratch.path(), count);
    let before = service.processor();
    let store = scratch.path().join("device");
    let done = Job::Predeliver.run(&service.owner(), &store, Some(service.process()));
    assert_eq!(done.licenses, count);
    Run {
        time: done.time,
        service: service.processor() - before,
        device: done.processor,
        client_mb: done.own_mb,
        service_mb: done.beside_mb,
    }
}

pub(crate) fn measure(_world: &World, arguments: &Arguments, table: &mut Table) {
    let key = SigningKey::generate().unwrap();
    let mut memory: Vec<(f64, f64)> = Vec::new();
    for count in COUNTS {
        let [mut ours, mut service, mut device, mut signing, mut plain] = <[Times; 5]>::default();
        let (mut client_mb, mut service_mb) = (0_f64, 0_f64);
        for _ in 0..arguments.rounds {
            let run = run(count, &arguments.folder);
            ours.add(run.time);
            service.add(run.service);
            device.add(run.device);
            (client_mb, service_mb) = (client_mb.max(run.client_mb), service_mb.max(run.service_mb));
            let sign = |number: u64| key.sign(&[number as u8; MESSAGE_LEN]).unwrap();
            signing.measure(|| (0..count).for_each(|number| assert_ne!(sign(number), [0; 64])));
            let scratch = tempfile::tempdir_in(&arguments.folder).unwrap();
            let mut peer = PlainSqlite::new(&scratch.path().join("plain.db"), ROW_LEN);
            let keys: Vec<[u8; 16]> = (0..count).map(|_| *Kid::random().unwrap().as_bytes()).collect();
            plain.measure(|| keys.chunks(BATCH as usize).for_each(|batch| peer.insert(batch.iter().copied())));
        }
        table.title(&format!("pre-delivery of {count} licenses, service and client on the loopback interface"));
        table.licenses("wmlicense, until all are durable on the device", &ours, count);
        table.licenses("Ed25519 signatures alone, one a license", &signing, count);
        table.licenses("plain SQLite inserts of rows of the same size", &plain, count);
        table.time("  the whole", &ours, count);
        table.time("  of it processor time of the service", &service, count);
        table.time("  of it processor time of the device", &device, count);
        table.ratio("to Ed25519 signatures alone, time", ours.ratio_to(&signing), 1.0);
        table.ratio("device to plain SQLite, processor time", device.to_processor_of(&plain), 1.0);
        table.ratio("to plain SQLite, once for each side, time", ours.ratio_to(&plain) / 2.0, 1.0);
        table.at_least(
            "service, licenses a second of a core: to Ed25519",
            1.0 / service.to_processor_of(&signing),
            5.0,
        );
        memory.push((client_mb, service_mb));
    }
    table.title("own memory in a pre-delivery at its peak, MB: of 10 000, of 100 000 licenses, growth");
    if let [(small, small_service), (large, large_service)] = memory[..] {
        table.ratio("client, 10 000", small, 64.0);
        table.ratio("client, growth", large / small, 1.2);
        table.ratio("service, 10 000", small_service, 128.0);
        table.ratio("service, growth", large_service / small_service, 1.2);
    }
}
