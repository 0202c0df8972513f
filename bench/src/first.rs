//! The first license of a process that was just started, beside libcurl with the same request and a bare file.

use crate::arguments::Arguments;
use crate::device::Job;
use crate::face::{Face, compile};
use crate::meter::Times;
use crate::service::Service;
use crate::table::Table;
use std::process::Command;
use wmlicense_testkit::World;
use wmlicense_testkit::daemon::device::{Device, Known};
use wmlicense_wire::id::{Digest, Kid};

/// Licenses of the catalogue, one a round for each of the two.
const LICENSES: u64 = 200;
/// Processes in a round.
const EACH: usize = 8;

fn run(command: &mut Command) {
    let output = command.env_remove("LD_LIBRARY_PATH").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn measure(world: &World, arguments: &Arguments, table: &mut Table) {
    let scratch = tempfile::tempdir().unwrap();
    let [data, store] = ["service", "device"].map(|name| scratch.path().join(name));
    std::fs::create_dir(&data).unwrap();
    let service = Service::start(&data, LICENSES);
    let (owner, face) = (service.owner(), Face::of(world, "first.c"));
    let [curl, file, answer] = ["curl", "request", "answer"].map(|name| scratch.path().join(name));
    compile("curl.c", &curl, &["-lcurl"]);
    Job::Individualize.run(&owner, &store, None);
    let known = Known::discover(service.url(), Digest::from_base64(owner.authority).unwrap());
    let device = Device::individualized(&known);
    let [mut ours, mut peer] = <[Times; 2]>::default();
    for number in 0..(arguments.rounds * EACH) as u64 {
        let kid = Service::kid(number % LICENSES);
        let text = Kid::from_hex(&kid).unwrap().to_base64();
        let mut program = Command::new(face.program());
        program.arg(&store).args([owner.authority, service.url(), service.token(), &text]);
        ours.measure(|| run(&mut program));
        std::fs::write(&file, device.sign(&device.licenses_request(&known, &[&kid]))).unwrap();
        let mut program = Command::new(&curl);
        program.args([known.document.url("licenses").unwrap(), service.token()]).arg(&file).arg(&answer);
        peer.measure(|| run(&mut program));
    }
    table.row("first-license", "the first license of a fresh process, whose device is certified, durable");
    table.time("wmlicense, from start to end of the process", &ours, 1);
    table.time("libcurl with a request made before, a bare file", &peer, 1);
    table.compare("to libcurl and a file", &ours, &peer, 1.5);
}
