//! The service with one license a request: processor time of a request beside the public-key work that it cannot do without.

use crate::arguments::Arguments;
use crate::meter::Times;
use crate::service::Service;
use crate::table::Table;
use std::time::Instant;
use wmlicense_testkit::World;
use wmlicense_testkit::daemon::device::{Device, Known};
use wmlicense_wire::hpke::Context;
use wmlicense_wire::id::Digest;
use wmlicense_wire::key::{Signer as _, SigningKey};

const CONNECTIONS: usize = 32;
/// Requests in a round, as many as there are licenses to ask for.
const REQUESTS: usize = 4096;
/// Bytes of a request, about.
const REQUEST_LEN: usize = 2000;

pub(crate) fn measure(_world: &World, arguments: &Arguments, table: &mut Table) {
    let scratch = tempfile::tempdir().unwrap();
    let service = Service::start(scratch.path(), REQUESTS as u64);
    let (owner, token) = (service.owner(), service.token());
    let known = Known::discover(service.url(), Digest::from_base64(owner.authority).unwrap());
    let [mut ours, mut bare] = <[Times; 2]>::default();
    for _ in 0..arguments.rounds_for(REQUESTS as u64 * 100) {
        let device = Device::individualized(&known);
        let requests = requests(&known, &device);
        let (before, start) = (service.counts(), Instant::now());
        std::thread::scope(|scope| {
            for part in requests.chunks(REQUESTS / CONNECTIONS) {
                let known = &known;
                scope.spawn(move || {
                    part.iter().for_each(|bytes| drop(known.post("licenses", bytes, Some(token)).granted()));
                });
            }
        });
        ours.add(start.elapsed(), service.counts().since(before));
        bare.measure(|| public_key_work(&device));
    }
    let count = REQUESTS as u64;
    table.row("service-single", &format!("{REQUESTS} requests for one license each, {CONNECTIONS} connections"));
    table.time("service", &ours, count);
    table.time("verify, encapsulate, sign in a bare loop", &bare, count);
    let each = |times: &Times| times.processor().as_secs_f64() * 1e6 / count as f64;
    table.figure("processor time of a request, us", each(&ours));
    table.at_least("bare loop to processor time of a request", bare.processor_ratio_to(&ours), 0.45);
    table.figure("KB written a request", ours.written() / 1e3 / count as f64);
    table.figure("syncs a request", ours.syncs() / count as f64);
}

fn requests(known: &Known, device: &Device) -> Vec<Vec<u8>> {
    let held: Vec<_> = known.directory.services().iter().map(|service| service.hash).collect();
    let request = |number: usize| {
        let mut request = device.licenses_request(known, &[&Service::kid(number as u64)]);
        request.held.clone_from(&held);
        device.sign(&request)
    };
    (0..REQUESTS).map(request).collect()
}

fn public_key_work(device: &Device) {
    let (message, key) = ([7; REQUEST_LEN], SigningKey::generate().unwrap());
    let signature = key.sign(&message).unwrap();
    for _ in 0..REQUESTS {
        key.verifying_key().verify(&message, &signature).unwrap();
        Context::sender(device.hpke.public_key(), b"info").unwrap();
        key.sign(&message).unwrap();
    }
}
