//! The store's part of acquiring one license: one durable commit, beside one appended record.

use crate::arguments::Arguments;
use crate::meter::Times;
use crate::table::Table;
use std::fs::File;
use std::io::Write as _;
use wmlicense_core::store::{Import, Page, TransactionState};
use wmlicense_testkit::home::{Home, pending};
use wmlicense_testkit::{NOW, World};

/// Acquisitions in a round.
const EACH: u64 = 40;

pub(crate) fn measure(world: &World, arguments: &Arguments, table: &mut Table) {
    let home = Home::new(world);
    let scratch = tempfile::tempdir().unwrap();
    let mut log = File::create(scratch.path().join("log")).unwrap();
    let [mut ours, mut peer] = <[Times; 2]>::default();
    for number in 0..arguments.rounds as u64 * EACH {
        let grants = crate::stores::grants(world, number..number + 1, NOW + number as i64);
        let (transaction, signed, licenses) = home.receive(&grants, NOW);
        let transaction = pending(&home.client, world, transaction);
        let license = &licenses[0].license;
        let record = vec![7; signed.len() + license.policy.len() + license.binding.len() + 32];
        let (authority, end, page) = (world.pin(), TransactionState::Answered, Page::default());
        let import = Import { authority, signed: &signed, licenses, transaction, end, page };
        ours.measure(|| assert_eq!(home.client.store.import(&import).unwrap().stored, 1));
        peer.measure(|| {
            log.write_all(&record).unwrap();
            log.sync_data().unwrap();
        });
    }
    table.row("acquire", "one acquired license, store part, durable");
    table.time("wmlicense import", &ours, 1);
    table.time("one appended record, fdatasync", &peer, 1);
    table.compare("to the appended record", &ours, &peer, 1.4);
    table.at_most("syncs, those of checkpoints too", ours.syncs(), 1.1);
    table.figure("pages of 4 KB written", ours.written() / 4096.0);
}
