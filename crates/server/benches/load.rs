//! How fast the service answers, beside the public-key work that it cannot avoid, measured in the same run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Instant;
use wmlicense_testkit::daemon::device::{Device, Held, Known};
use wmlicense_testkit::daemon::{Data, KEY, OPEN};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::hpke::Context;
use wmlicense_wire::key::{Signer as _, SigningKey};
use wmlicense_wire::request::MAX_LICENSES;

const CLIENTS: usize = 32;
const SINGLE: usize = 4000;
const ROUNDS: usize = 3;
/// Most key IDs in one license request.
const BATCH: usize = 1024;

fn main() {
    let data = Data::new();
    data.open_content(OPEN, None);
    let kids: Vec<String> = (0..MAX_LICENSES).map(|number| format!("d{number:031x}")).collect();
    let list: String = kids.iter().map(|kid| format!("{kid},{KEY},A title of usual length\n")).collect();
    let file = data.path().join("list.csv");
    std::fs::write(&file, list).unwrap();
    data.admin(&["content", "import", file.to_str().unwrap(), "--open"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    for round in 1..=ROUNDS {
        println!("round {round}");
        let bare = public_key_rate(&device);
        let single = single_rate(&known, &device);
        println!(
            "  one license a request   {single:8.0} /s    {:5.2} of the public-key work on all cores",
            single / bare
        );
        let signing = signing_rate();
        let (owner, held, batch) = batch_rate(&known, &kids);
        println!(
            "  batches of {BATCH:4}         {batch:8.0} /s    {:5.2} of Ed25519 signatures on one core",
            batch / signing
        );
        let restored = restore_rate(&known, &owner, &held);
        println!("  restores of {MAX_LICENSES:4}        {restored:8.0} /s    {:5.2} of the same", restored / signing);
    }
}

/// Rate of verify, encapsulate and sign on as many threads as there are cores.
fn public_key_rate(device: &Device) -> f64 {
    let (message, threads) = ([7; 2000], std::thread::available_parallelism().unwrap().get());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let key = SigningKey::generate().unwrap();
                let signature = key.sign(&message).unwrap();
                for _ in 0..SINGLE {
                    key.verifying_key().verify(&message, &signature).unwrap();
                    Context::sender(device.hpke.public_key(), b"info").unwrap();
                    key.sign(&message).unwrap();
                }
            });
        }
    });
    (threads * SINGLE) as f64 / started.elapsed().as_secs_f64()
}

fn signing_rate() -> f64 {
    let key = SigningKey::generate().unwrap();
    let started = Instant::now();
    for _ in 0..SINGLE {
        key.sign(&[7; 300]).unwrap();
    }
    SINGLE as f64 / started.elapsed().as_secs_f64()
}

fn single_rate(known: &Known, device: &Device) -> f64 {
    let held: Vec<_> = known.directory.services().iter().map(|service| service.hash).collect();
    let requests: Vec<Vec<u8>> = (0..SINGLE)
        .map(|_| {
            let mut request = device.licenses_request(known, &[OPEN]);
            request.held.clone_from(&held);
            device.sign(&request)
        })
        .collect();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for part in requests.chunks(SINGLE / CLIENTS) {
            scope.spawn(move || part.iter().for_each(|bytes| drop(known.post("licenses", bytes, None).granted())));
        }
    });
    SINGLE as f64 / started.elapsed().as_secs_f64()
}

/// A fresh device acquires everything; only the time that the service takes counts.
fn batch_rate(known: &Known, kids: &[String]) -> (Device, Vec<Held>, f64) {
    let device = Device::individualized(known);
    let (mut held, mut seconds) = (Vec::new(), 0.0);
    for part in kids.chunks(BATCH) {
        let part: Vec<&str> = part.iter().map(String::as_str).collect();
        let request = device.licenses_request(known, &part);
        let bytes = device.sign(&request);
        let started = Instant::now();
        let reply = known.post("licenses", &bytes, None).granted();
        seconds += started.elapsed().as_secs_f64();
        let (_, licenses, envelope) = device.verify(known, Role::Issuer, &bytes, request.transaction, &reply);
        held.extend(licenses.into_iter().map(|license| Held { signed: envelope.signed.clone(), license }));
    }
    (device, held, kids.len() as f64 / seconds)
}

fn restore_rate(known: &Known, owner: &Device, held: &[Held]) -> f64 {
    let mut backup = owner.back_up(known, held, None);
    // One batch for all licenses that came in it, as a real backup has it.
    let mut batches: Vec<wmlicense_wire::request::RestoreBatch> = Vec::new();
    for batch in std::mem::take(&mut backup.batches) {
        match batches.last_mut() {
            Some(last) if last.signed == batch.signed => last.records.extend(batch.records),
            _ => batches.push(batch),
        }
    }
    backup.batches = batches;
    let other = Device::individualized(known);
    let request = other.restore_request(known, &backup);
    let bytes = other.sign(&request);
    let started = Instant::now();
    let reply = known.post("restores", &bytes, None).granted();
    let seconds = started.elapsed().as_secs_f64();
    let restored = other.verify(known, Role::Management, &bytes, request.transaction, &reply).1.len();
    assert_eq!(restored, held.len());
    restored as f64 / seconds
}
