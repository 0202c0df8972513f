//! From a key ID to the content key, and on to a sample in the clear through the C API, warm; and opening a store.

use crate::arguments::Arguments;
use crate::face::Face;
use crate::meter::{Counts, Times};
use crate::name_of;
use crate::stores::Full;
use crate::table::Table;
use std::time::Duration;
use wmlicense_testkit::home::open;
use wmlicense_testkit::{World, content_key, kid};

const LOOKUPS: u64 = 20_000;
/// Opens of a store in a measurement.
const OPENS: usize = 50;
/// The size with which larger ones are compared: it fits into every cache.
pub(crate) const SMALL: u64 = 10_000;
/// Most that a lookup may take where a plain one takes [`PLAIN_AT_MOST`], microseconds.
const MICROSECONDS: f64 = 2.5;
const PLAIN_AT_MOST: f64 = 2.2;
const MILLION: u64 = 1_000_000;

pub(crate) fn measure(world: &World, full: &Full<'_>, arguments: &Arguments, table: &mut Table) {
    let (licenses, store, plain) = (full.licenses, &full.home.client.store, full.plain());
    // In an order that has nothing to do with that of the rows.
    let numbers: Vec<u64> = (0..LOOKUPS).map(|n| n.wrapping_mul(0x9e37_79b9) % licenses).collect();
    let keys: Vec<[u8; 16]> = numbers.iter().map(|number| *kid(*number).as_bytes()).collect();
    let (face, row_len) = (Face::new(world), full.row_len());
    let [mut ours, mut peer, mut in_c, mut first] = <[Times; 4]>::default();
    for _ in 0..arguments.rounds {
        ours.measure_thread(|| {
            for number in &numbers {
                let licenses = store.licenses(kid(*number)).unwrap();
                let key = store.unwrap_key(&licenses[0]).unwrap();
                assert_eq!(key.as_bytes(), content_key(kid(*number)));
            }
        });
        let words = [licenses.to_string(), LOOKUPS.to_string()];
        for (verb, times) in [("lookup", &mut in_c), ("first", &mut first)] {
            let each = face.ask(verb, full.home.path(), &words.each_ref().map(String::as_str));
            let in_all = Duration::from_secs_f64(each * LOOKUPS as f64 / 1e9);
            times.add(in_all, Counts { processor: in_all, ..Counts::default() });
        }
        assert_eq!(peer.measure_thread(|| plain.look_up(&keys)), row_len * keys.len());
    }
    table.row(&format!("lookup-{}", name_of(licenses)), &format!("key ID to content key, {licenses} licenses, warm"));
    table.time("wmlicense licenses and unwrap_key", &ours, LOOKUPS);
    table.time("through C: decryptor, 4 KB, release, by processor", &in_c, LOOKUPS);
    table.time("the same, of each key ID for the first time", &first, LOOKUPS);
    table.time("plain SQLite lookup, held statement, mapped", &peer, LOOKUPS);
    table.figure("without C, to plain SQLite, processor time", ours.processor_ratio_to(&peer));
    table.at_most("through C, to plain SQLite, processor time", in_c.processor_ratio_to(&peer), 1.0);
    let [each, plain] = [&in_c, &peer].map(|times| times.processor().as_secs_f64() * 1e6 / LOOKUPS as f64);
    table.figure("for the first time, to plain SQLite, processor time", first.processor_ratio_to(&peer));
    table.figure("through C, us of a processor", each);
    if licenses == MILLION {
        table.at_most(
            "through C, us, by the machine that takes 2.2 for plain",
            each * PLAIN_AT_MOST / plain.max(PLAIN_AT_MOST),
            MICROSECONDS,
        );
    }
    flat(licenses, each, table);
}

/// How much slower than in a small store.
fn flat(licenses: u64, each: f64, table: &mut Table) {
    if licenses == SMALL {
        table.keep("lookup", each);
    } else if let Some(small) = table.kept("lookup") {
        table.at_most(&format!("through C, {licenses} to {SMALL} licenses"), each / small, 2.0);
    }
}

/// Opening a client over the store, which is open elsewhere as well.
pub(crate) fn measure_opening(world: &World, full: &Full<'_>, _: &Arguments, table: &mut Table) {
    let mut opening = Times::default();
    for _ in 0..OPENS {
        opening.measure(|| open(world, full.home.path(), &full.home.clock).unwrap());
    }
    let (name, licenses) = (name_of(full.licenses), full.licenses);
    table.row(&format!("open-{name}"), &format!("opening a client, {licenses} licenses in its store, warm"));
    table.at_most("ms", opening.median().as_secs_f64() * 1e3, 1.0);
}
