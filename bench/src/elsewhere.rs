//! Restoring to another device through the real service on the loopback interface.

use crate::arguments::Arguments;
use crate::device::Job;
use crate::peers;
use crate::service::Service;
use crate::table::{Table, Times};
use wmlicense_testkit::World;

const COUNTS: [u64; 2] = [10_000, 100_000];

pub(crate) fn measure(_world: &World, arguments: &Arguments, table: &mut Table) {
    let mut memory: Vec<(f64, f64)> = Vec::new();
    for count in COUNTS {
        let scratch = tempfile::tempdir_in(&arguments.folder).unwrap();
        let [data, place, first] = ["service", "place", "first"].map(|name| scratch.path().join(name));
        [&data, &place].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        let service = Service::start(&data, count);
        let owner = service.owner();
        assert_eq!(Job::Predeliver.run(&owner, &first, None).licenses, count);
        assert_eq!(Job::BackUp(&place).run(&owner, &first, None).licenses, count);
        let [mut ours, mut processors, mut verifying] = <[Times; 3]>::default();
        let (mut client_mb, mut service_mb) = (0_f64, 0_f64);
        for round in 0..arguments.rounds_for(count * 5) {
            let other = scratch.path().join(format!("device {round}"));
            let before = service.processor();
            let done = Job::Restore(&place).run(&owner, &other, Some(service.process()));
            assert_eq!(done.licenses, count);
            ours.add(done.time);
            processors.add(done.processor + service.processor() - before);
            (client_mb, service_mb) = (client_mb.max(done.own_mb), service_mb.max(done.beside_mb));
            verifying.add(peers::ed25519_verification() * count as u32);
        }
        table.title(&format!(
            "restore of {count} licenses to another device, service and client on the loopback interface"
        ));
        table.time("wmlicense restore, durable, with the service", &ours, count);
        table.time("one Ed25519 verification a license, openssl speed", &verifying, count);
        table.time("processor time of both", &processors, count);
        table.ratio("to one verification a license", ours.ratio_to(&verifying), 0.2);
        table.ratio("the same in processor time", processors.ratio_to(&verifying), 0.2);
        memory.push((client_mb, service_mb));
    }
    table.title("own memory in a restore to another device at its peak, MB: of 10 000, of 100 000 licenses, growth");
    if let [(small, small_service), (large, large_service)] = memory[..] {
        table.ratio("client, 100 000", large, 32.0);
        table.ratio("client, growth", large / small, 1.2);
        table.ratio("service, 100 000", large_service, 128.0);
        table.ratio("service, growth", large_service / small_service, 1.2);
    }
}
