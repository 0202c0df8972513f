//! The service with one license a request: processor time of a request beside the public-key work that it cannot do without, and on
//! PostgreSQL requests a second beside those of `pgbench` with the same statements.

use crate::arguments::Arguments;
use crate::meter::{Rates, Times};
use crate::pgbench::{Load, database, log_written, statements};
use crate::service::Service;
use crate::table::Table;
use std::time::{Duration, Instant};
use wmlicense_testkit::World;
use wmlicense_testkit::daemon::device::{Device, Known};
use wmlicense_wire::hpke::Context;
use wmlicense_wire::id::Digest;
use wmlicense_wire::key::{Signer as _, SigningKey};

const CONNECTIONS: usize = 32;
/// Requests in a round, as many as there are licenses to ask for; fewer where each is several transactions on the disk.
const REQUESTS: usize = 4096;
const REQUESTS_ON_SERVER: usize = 2048;
/// Bytes of a request, about.
const REQUEST_LEN: usize = 2000;

pub(crate) fn measure(_world: &World, arguments: &Arguments, table: &mut Table) {
    let (count, scratch) = (REQUESTS as u64, tempfile::tempdir().unwrap());
    let service = Service::start(scratch.path(), count);
    let [mut ours, mut bare] = <[Times; 2]>::default();
    for _ in 0..arguments.rounds_for(count * 100) {
        let asking = Asking::new(&service, REQUESTS);
        let before = service.counts();
        let (took, _) = asking.ask(&service);
        ours.add(took, service.counts().since(before));
        bare.measure(|| public_key_work(&asking.devices[0], REQUESTS));
    }
    table.row("service-single-sqlite", &format!("{count} requests for one license each, {CONNECTIONS} devices"));
    table.time("service", &ours, count);
    table.time("verify, encapsulate, sign in a bare loop", &bare, count);
    table.figure("processor time of a request, us", each(&ours, count));
    table.at_least("bare loop to processor time of a request", bare.processor_ratio_to(&ours), 0.45);
    table.figure("KB written a request", ours.written() / 1e3 / count as f64);
    table.figure("syncs a request", ours.syncs() / count as f64);
}

pub(crate) fn measure_on_server(_world: &World, arguments: &Arguments, table: &mut Table) {
    let (count, scratch, database) = (REQUESTS_ON_SERVER as u64, tempfile::tempdir().unwrap(), database());
    let service = Service::start_on(scratch.path(), count, &database);
    let [mut ours, mut bare] = <[Times; 2]>::default();
    let [mut asked, mut same, mut prepared] = <[Rates; 3]>::default();
    let (mut written, mut run) = (0, [0, 0]);
    let rounds = arguments.rounds_for(count * 100);
    for _ in 0..rounds {
        let asking = Asking::new(&service, REQUESTS_ON_SERVER);
        let (before, log) = (service.counts(), log_written(&database));
        statements(&database);
        let (took, answer) = asking.ask(&service);
        ours.add(took, service.counts().since(before));
        (written, run[0]) = (written + log_written(&database) - log, run[0] + statements(&database));
        asked.add(REQUESTS_ON_SERVER as f64 / took.as_secs_f64());
        let requests = REQUESTS_ON_SERVER;
        let load = Load { connections: CONNECTIONS, requests, kids: requests, answer };
        statements(&database);
        same.add(load.run(&database, "extended"));
        run[1] += statements(&database);
        prepared.add(load.run(&database, "prepared"));
        bare.measure(|| public_key_work(&asking.devices[0], REQUESTS_ON_SERVER));
    }
    let all = count as f64 * rounds as f64;
    table.row("service-single-postgres", &format!("{count} requests for one license each, {CONNECTIONS} devices"));
    table.time("service", &ours, count);
    table.time("verify, encapsulate, sign in a bare loop", &bare, count);
    table.figure("processor time of a request, us", each(&ours, count));
    table.figure("requests a second, service", asked.median());
    table.figure("requests a second, pgbench of the same statements", same.median());
    table.figure("requests a second, pgbench with them prepared", prepared.median());
    table.at_least("service to pgbench of the same statements", asked.median() / same.median(), 0.5);
    table.figure("statements a request, service", run[0] as f64 / all);
    table.figure("statements a request, pgbench", run[1] as f64 / all);
    table.figure("KB of the server's log a request", written as f64 / 1e3 / all);
}

fn each(times: &Times, count: u64) -> f64 {
    times.processor().as_secs_f64() * 1e6 / count as f64
}

/// Devices of one account, each on a connection of its own, with what they ask for.
struct Asking {
    known: Known,
    devices: Vec<Device>,
    requests: Vec<Vec<Vec<u8>>>,
}

impl Asking {
    fn new(service: &Service, requests: usize) -> Self {
        let known = Known::discover(service.url(), Digest::from_base64(service.owner().authority).unwrap());
        let devices: Vec<Device> = (0..CONNECTIONS).map(|_| Device::individualized(&known)).collect();
        let held: Vec<_> = known.directory.services().iter().map(|service| service.hash).collect();
        let each = requests / CONNECTIONS;
        let requests = devices.iter().enumerate().map(|(at, device)| {
            let request = |number| {
                let mut request = device.licenses_request(&known, &[&Service::kid(number as u64)]);
                request.held.clone_from(&held);
                device.sign(&request)
            };
            (at * each..(at + 1) * each).map(request).collect()
        });
        let requests = requests.collect();
        Self { known, devices, requests }
    }

    /// Asks for everything; the time, and the bytes of an answer.
    fn ask(&self, service: &Service) -> (Duration, usize) {
        let (known, token, start) = (&self.known, service.token(), Instant::now());
        let ask = |bytes: &Vec<u8>| known.post("licenses", bytes, Some(token)).granted().len();
        let answer = std::thread::scope(|scope| {
            let asking: Vec<_> = self
                .requests
                .iter()
                .map(|requests| scope.spawn(move || requests.iter().map(ask).max().unwrap()))
                .collect();
            asking.into_iter().map(|asking| asking.join().unwrap()).max().unwrap()
        });
        (start.elapsed(), answer)
    }
}

fn public_key_work(device: &Device, requests: usize) {
    let (message, key) = ([7; REQUEST_LEN], SigningKey::generate().unwrap());
    let signature = key.sign(&message).unwrap();
    for _ in 0..requests {
        key.verifying_key().verify(&message, &signature).unwrap();
        Context::sender(device.hpke.public_key(), b"info").unwrap();
        key.sign(&message).unwrap();
    }
}
