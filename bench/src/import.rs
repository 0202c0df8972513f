//! Pre-delivery: signed answers of 4096 licenses, each from its bytes to the disk, into stores of every size.

use crate::arguments::Arguments;
use crate::meter::Times;
use crate::peers::PlainSqlite;
use crate::stores::{BATCH, Full, close, grants};
use crate::table::Table;
use wmlicense_core::store::{Import, Page, TransactionState};
use wmlicense_testkit::home::{Home, pending};
use wmlicense_testkit::{Asked, NOW, World};
use wmlicense_wire::answer::Envelope;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Kid;

/// Answers that are stored one after the other: as many as a store may gather before it tidies up, and more.
const ANSWERS: u64 = 20;

/// Into an empty store.
pub(crate) fn measure_empty(world: &World, _: &Arguments, table: &mut Table) {
    let scratch = tempfile::tempdir().unwrap();
    let home = Home::new(world);
    let probe = home.copied();
    probe.acquire(&[world.policy(wmlicense_testkit::kid(0))]).unwrap();
    let plain = PlainSqlite::new(&scratch.path().join("plain.db"), crate::stores::row_len(&probe));
    measure(world, home, 0, &plain, table);
}

/// Into a copy of a full store.
pub(crate) fn measure_full(world: &World, full: &Full<'_>, _: &Arguments, table: &mut Table) {
    measure(world, full.home.copied(), full.licenses, full.plain(), table);
}

fn measure(world: &World, home: Home<'_>, licenses: u64, plain: &PlainSqlite, table: &mut Table) {
    let [mut ours, mut opening, mut storing, mut peer] = <[Times; 4]>::default();
    let mut bytes = 0;
    for number in 0..ANSWERS {
        let first = licenses + number * BATCH;
        bytes += store_one(world, &home, first, [&mut ours, &mut opening, &mut storing]);
        let keys: Vec<[u8; 16]> = (0..BATCH).map(|_| *Kid::random().unwrap().as_bytes()).collect();
        peer.measure(|| plain.insert(keys.into_iter()));
    }
    // What the log holds yet goes into the database when it is closed.
    ours.add_untimed(|| close(home));
    peer.add_untimed(|| plain.settle());
    let into = if licenses == 0 { "an empty store".to_owned() } else { format!("a store of {licenses}") };
    let name = format!("import-{}", crate::name_of(licenses));
    table.row(
        &name,
        &format!("{ANSWERS} signed answers of {BATCH} licenses into {into}: parse, verify, store, durable"),
    );
    table.time("wmlicense, from the answer's bytes to the disk", &ours, BATCH);
    table.time("  of it parse, verify, open", &opening, BATCH);
    table.time("  of it the store", &storing, BATCH);
    table.time("plain SQLite inserts of rows of the same size", &peer, BATCH);
    table.figure("median to median", ours.ratio_to(&peer));
    table.compare_means("all answers to plain SQLite", &ours, &peer, if licenses == 0 { 1.1 } else { 0.5 });
    table.at_most(
        "bytes written, the last checkpoint too, a byte",
        ours.written() * ANSWERS as f64 / bytes as f64,
        3.0,
    );
    table.at_most("syncs an import, those of checkpoints too", storing.syncs(), 1.2);
}

/// Stores one answer and gives its length.
fn store_one(world: &World, home: &Home<'_>, first: u64, [ours, opening, storing]: [&mut Times; 3]) -> usize {
    let identity = home.identity();
    // After every license that is there.
    let grants = grants(world, first..first + BATCH, NOW + (first / BATCH) as i64 + 1);
    let asked = Asked::by(home.device_id, &identity.keys);
    let answer = world.answer(&world.issuer, &asked, &grants);
    let transaction = pending(&home.client, world, asked.transaction);
    ours.measure(|| {
        let (envelope, licenses) = opening.measure_thread(|| {
            let envelope = Envelope::parse(&answer).unwrap();
            let verified = envelope.verify(&asked.expected(Role::Issuer), &world.directory).unwrap();
            let licenses = verified.open_licenses(&identity.hpke, home.device_id, &world.directory).unwrap();
            (envelope, licenses)
        });
        let (authority, end) = (world.pin(), TransactionState::Answered);
        let import = Import { authority, signed: &envelope.signed, licenses, transaction, end, page: Page::default() };
        let report = storing.measure(|| home.client.store.import(&import).unwrap());
        assert_eq!(report.stored, BATCH);
    });
    answer.len()
}
