//! Pre-delivery: one signed answer of 4096 licenses, from its bytes to the disk.

use crate::arguments::Arguments;
use crate::peers::PlainSqlite;
use crate::table::{Table, Times};
use wmlicense_core::store::{Import, Page, TransactionState};
use wmlicense_testkit::home::{Home, pending};
use wmlicense_testkit::{Asked, World, content_key, grant, kid};
use wmlicense_wire::answer::Envelope;
use wmlicense_wire::certificate::Role;

const BATCH: u64 = 4096;

pub(crate) fn measure(world: &World, arguments: &Arguments, table: &mut Table) {
    let home = Home::new(world);
    let identity = home.identity();
    let scratch = tempfile::tempdir_in(&arguments.folder).unwrap();
    let mut plain = None;
    let [mut ours, mut storing, mut peer] = <[Times; 3]>::default();
    for round in 0..arguments.rounds as u64 {
        let policies = (0..BATCH).map(|number| world.policy(kid(round * BATCH + number)));
        let grants: Vec<_> = policies.map(|policy| grant(&policy, content_key(policy.kid))).collect();
        let asked = Asked::by(home.device_id, &identity.keys);
        let answer = world.answer(&world.issuer, &asked, &grants);
        let transaction = pending(&home.client, world, asked.transaction);
        let row_len = answer.len() / BATCH as usize;
        let plain = plain.get_or_insert_with(|| PlainSqlite::new(&scratch.path().join("plain.db"), row_len));
        let keys: Vec<[u8; 16]> = (0..BATCH).map(|_| *kid_at_random().as_bytes()).collect();
        ours.measure(|| {
            let envelope = Envelope::parse(&answer).unwrap();
            let verified = envelope.verify(&asked.expected(Role::Issuer), &world.directory).unwrap();
            let licenses = verified.open_licenses(&identity.hpke, home.device_id, &world.directory).unwrap();
            let (authority, end) = (world.pin(), TransactionState::Answered);
            let import =
                Import { authority, signed: &envelope.signed, licenses, transaction, end, page: Page::default() };
            let report = storing.measure(|| home.client.store.import(&import).unwrap());
            assert_eq!(report.stored, BATCH);
        });
        peer.measure(|| plain.insert(keys.into_iter()));
    }
    table.title("pre-delivery of 4096 licenses: parse, verify, store, durable");
    table.time("wmlicense, from the answer's bytes to the disk", &ours, BATCH);
    table.time("  of it the store", &storing, BATCH);
    table.time("plain SQLite inserts of rows of the same size", &peer, BATCH);
    table.compare("to plain SQLite", &ours, &peer, 1.0);
}

fn kid_at_random() -> wmlicense_wire::id::Kid {
    wmlicense_wire::id::Kid::random().unwrap()
}
