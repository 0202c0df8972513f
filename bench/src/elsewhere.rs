//! Restoring to another device through the real service on the loopback interface.

use crate::arguments::Arguments;
use crate::device::Job;
use crate::meter::{Counts, Times};
use crate::peers;
use crate::service::Service;
use crate::table::Table;
use wmlicense_testkit::World;

const COUNTS: [u64; 2] = [10_000, 100_000];

pub(crate) fn measure(_world: &World, arguments: &Arguments, table: &mut Table) {
    let mut memory: Vec<[f64; 2]> = Vec::new();
    for count in COUNTS {
        let scratch = tempfile::tempdir().unwrap();
        let [data, place, first] = ["service", "place", "first"].map(|name| scratch.path().join(name));
        [&data, &place].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        let service = Service::start(&data, count);
        let owner = service.owner();
        assert_eq!(Job::Predeliver.run(&owner, &first, None).licenses, count);
        assert_eq!(Job::BackUp(&place).run(&owner, &first, None).licenses, count);
        let [mut ours, mut verifying] = <[Times; 2]>::default();
        let mut peaks = [0_f64; 2];
        for round in 0..arguments.rounds_for(count * 5) {
            let other = scratch.path().join(format!("device {round}"));
            let (before, own) = (service.counts(), Counts::own());
            let done = Job::Restore(&place).run(&owner, &other, Some(service.process()));
            assert_eq!(done.licenses, count);
            let served = service.counts().since(before);
            // The device's time without its start; its bytes and syncs are those of the whole process.
            let device = Counts { processor: done.processor, ..Counts::own().since(own) };
            ours.add(done.time, served.and(device));
            peaks = [peaks[0].max(done.own_mb), peaks[1].max(done.beside_mb)];
            let bare = peers::ed25519_verification() * count as u32;
            verifying.add(bare, Counts { processor: bare, ..Counts::default() });
        }
        let title =
            format!("restore of {count} licenses to another device, service and client on the loopback interface");
        table.row("restore-elsewhere", &title);
        table.time("wmlicense restore, durable, with the service", &ours, count);
        table.time("one Ed25519 verification a license, openssl speed", &verifying, count);
        table.figure("to one verification a license, clock", ours.ratio_to(&verifying));
        table.at_most("processor time of both to it", ours.processor_ratio_to(&verifying), 0.2);
        memory.push(peaks);
    }
    if let [[small, small_service], [large, large_service]] = memory[..] {
        table.note("own memory at its peak, MB, of 10 000 and of 100 000 licenses");
        table.at_most("client, 100 000", large, 32.0);
        table.at_most("client, growth", large / small, 1.2);
        table.at_most("service, 100 000", large_service, 128.0);
        table.at_most("service, growth", large_service / small_service, 1.2);
    }
}
